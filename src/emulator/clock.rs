//! The gateway's clock, in whole seconds since 1970, and the two date formats it parses and prints.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::SharedTimeSource;
use http::HeaderValue;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

const AMZ_DATE: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");

const ISO: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// 9999-12-31T23:59:59Z, the last time that the formats below and aws-sigv4 support.
const LAST: i64 = 253_402_300_799;

/// Seconds since 1970, clamped to the years 1970 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seconds(i64);

impl Seconds {
    pub(super) fn now(source: &SharedTimeSource, offset: i64) -> Self {
        let since_epoch = source.now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since_epoch.as_secs()).unwrap_or(LAST)).plus(offset)
    }

    pub(super) fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds).clamp(0, LAST))
    }

    /// Parses exactly `YYYYMMDDTHHMMSSZ`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = |part: Option<&str>| part.is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()));
        if text.len() != 16 || !digits(text.get(..8)) || !digits(text.get(9..15)) {
            return None;
        }
        let parsed = PrimitiveDateTime::parse(text, AMZ_DATE).ok()?;
        let seconds = parsed.assume_utc().unix_timestamp();
        (0..=LAST).contains(&seconds).then_some(Self(seconds))
    }

    /// The time as `YYYYMMDDTHHMMSSZ`.
    pub(super) fn amz_date(self) -> String {
        OffsetDateTime::from_unix_timestamp(self.0)
            .ok()
            .and_then(|t| t.format(AMZ_DATE).ok())
            .unwrap_or_default()
    }

    /// The time as `YYYY-MM-DDTHH:MM:SSZ`.
    pub(super) fn iso(self) -> String {
        let time = OffsetDateTime::from_unix_timestamp(self.0).ok();
        time.and_then(|time| time.format(ISO).ok()).unwrap_or_default()
    }

    pub(super) fn system_time(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(u64::try_from(self.0).unwrap_or_default())
    }

    /// The value of a `Date` header.
    pub(super) fn http_date(self) -> HeaderValue {
        HeaderValue::from_str(&httpdate::fmt_http_date(self.system_time()))
            .unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_only_the_basic_format() {
        assert_eq!(Seconds::parse("20150830T123600Z"), Some(Seconds(1_440_938_160)));
        assert_eq!(Seconds(1_440_938_160).amz_date(), "20150830T123600Z");
        for bad in [
            "",
            "20150830T123600",
            "20150830 123600Z",
            "20151330T123600Z",
            "+0150830T123600Z",
            "é150830T12360Z",
        ] {
            assert_eq!(Seconds::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn stays_within_the_supported_years() {
        for offset in [i64::MIN, i64::MAX] {
            let time = Seconds(0).plus(offset);
            assert_eq!(Seconds::parse(&time.amz_date()), Some(time));
            assert!(!time.http_date().is_empty());
        }
    }
}
