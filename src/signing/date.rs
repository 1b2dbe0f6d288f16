//! The date of a signature: `X-Amz-Date`'s text, and the day of the credential scope.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;
use time::OffsetDateTime;

use crate::error::{Error, ErrorKind};

/// One second, as signatures write it.
#[derive(Clone, Debug)]
pub(crate) struct AmzDate {
    epoch_seconds: u64,
    /// `20150830T123600Z`
    text: String,
    header: HeaderValue,
}

impl AmzDate {
    /// # Errors
    /// [`ErrorKind::ClockOutOfRange`] before 1970 and after the year 9999.
    pub(crate) fn new(time: SystemTime) -> Result<Self, Error> {
        Self::at(epoch_seconds(time)?)
    }

    /// The date of a second since 1970.
    ///
    /// # Errors
    /// [`ErrorKind::ClockOutOfRange`] after the year 9999.
    pub(crate) fn at(epoch_seconds: u64) -> Result<Self, Error> {
        let date = i64::try_from(epoch_seconds)
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .ok_or_else(out_of_range)?;
        let mut text = *b"00000000T000000Z";
        let mut put = |at: usize, width: usize, mut value: u32| {
            for byte in text[at..at + width].iter_mut().rev() {
                *byte = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, date.year().unsigned_abs());
        put(4, 2, u8::from(date.month()).into());
        put(6, 2, date.day().into());
        put(9, 2, date.hour().into());
        put(11, 2, date.minute().into());
        put(13, 2, date.second().into());
        let header =
            HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&text)).map_err(|_| out_of_range())?;
        Ok(Self { epoch_seconds, text: text.iter().copied().map(char::from).collect(), header })
    }

    /// `20150830T123600Z`
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// `20150830`
    pub(crate) fn day(&self) -> &str {
        &self.as_str()[..8]
    }

    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }

    /// Seconds since 1970.
    pub(crate) fn epoch_seconds(&self) -> u64 {
        self.epoch_seconds
    }
}

/// # Errors
/// [`ErrorKind::ClockOutOfRange`] before 1970.
pub(crate) fn epoch_seconds(time: SystemTime) -> Result<u64, Error> {
    Ok(time.duration_since(UNIX_EPOCH).map_err(|_| out_of_range())?.as_secs())
}

fn out_of_range() -> Error {
    Error::new(
        ErrorKind::ClockOutOfRange,
        "the clock is before 1970 or after 9999, which no signature can express; set the system's time",
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn dates_read_as_aws_writes_them() {
        let text =
            |seconds| AmzDate::new(UNIX_EPOCH + Duration::from_secs(seconds)).unwrap().as_str().to_owned();
        assert_eq!(text(0), "19700101T000000Z");
        assert_eq!(text(1_440_938_160), "20150830T123600Z");
        assert_eq!(text(1_709_251_199), "20240229T235959Z");
        assert_eq!(text(253_402_300_799), "99991231T235959Z");
    }

    #[test]
    fn times_that_cannot_be_expressed_are_errors() {
        let before = UNIX_EPOCH.checked_sub(Duration::from_secs(1)).unwrap();
        let after = UNIX_EPOCH + Duration::from_secs(253_402_300_800);
        for time in [before, after] {
            assert_eq!(AmzDate::new(time).unwrap_err().kind(), ErrorKind::ClockOutOfRange);
        }
    }
}
