//! The gateway's clock, in whole seconds since 1970, and the two date formats it parses and prints.

use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_smithy_async::time::SharedTimeSource;
use http::HeaderValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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
        let is_basic = text.len() == 16 && text.get(8..9) == Some("T") && text.ends_with('Z');
        if !is_basic || !digits(text.get(..8)) || !digits(text.get(9..15)) {
            return None;
        }
        let part = |range: Range<usize>| text.get(range).unwrap_or_default();
        let (year, month, day) = (part(0..4), part(4..6), part(6..8));
        let (hour, minute, second) = (part(9..11), part(11..13), part(13..15));
        // RFC 3339 has leap seconds.
        if second == "60" {
            return None;
        }
        let iso = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
        let seconds = OffsetDateTime::parse(&iso, &Rfc3339).ok()?.unix_timestamp();
        (0..=LAST).contains(&seconds).then_some(Self(seconds))
    }

    /// The time as `YYYYMMDDTHHMMSSZ`.
    pub(super) fn amz_date(self) -> String {
        self.iso().replace(['-', ':'], "")
    }

    /// The time as `YYYY-MM-DDTHH:MM:SSZ`.
    pub(super) fn iso(self) -> String {
        let Ok(time) = OffsetDateTime::from_unix_timestamp(self.0) else { return String::new() };
        let (month, (hour, minute, second)) = (u8::from(time.month()), time.to_hms());
        let (year, day) = (time.year(), time.day());
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
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
            "20161231T235960Z",
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
