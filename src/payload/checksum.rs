//! Checksums of a body, computed as it goes by and sent after it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

/// A checksum that S3 compares with what it received, sent in a trailer after the body.
///
/// The CRCs and SHA-1 need the crate's feature `checksums`. Of them all CRC-64/NVME and CRC-32C cost least; S3 itself
/// keeps CRC-64/NVME by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChecksumAlgorithm {
    /// `x-amz-checksum-crc32`
    #[cfg(feature = "checksums")]
    Crc32,
    /// `x-amz-checksum-crc32c`
    #[cfg(feature = "checksums")]
    Crc32c,
    /// `x-amz-checksum-crc64nvme`
    #[cfg(feature = "checksums")]
    Crc64Nvme,
    /// `x-amz-checksum-sha1`
    #[cfg(feature = "checksums")]
    Sha1,
    /// `x-amz-checksum-sha256`
    Sha256,
}

impl ChecksumAlgorithm {
    /// The trailer's name, `x-amz-checksum-…`.
    #[must_use]
    pub fn header_name(self) -> &'static str {
        match self {
            #[cfg(feature = "checksums")]
            Self::Crc32 => "x-amz-checksum-crc32",
            #[cfg(feature = "checksums")]
            Self::Crc32c => "x-amz-checksum-crc32c",
            #[cfg(feature = "checksums")]
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            #[cfg(feature = "checksums")]
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Bytes of the trailer's value, which is base64 of the checksum.
    pub(super) fn value_len(self) -> u64 {
        match self {
            #[cfg(feature = "checksums")]
            Self::Crc32 | Self::Crc32c => 8,
            #[cfg(feature = "checksums")]
            Self::Crc64Nvme => 12,
            #[cfg(feature = "checksums")]
            Self::Sha1 => 28,
            Self::Sha256 => 44,
        }
    }
}

/// A checksum in the making.
#[derive(Clone)]
pub(super) struct Checksum {
    pub(super) algorithm: ChecksumAlgorithm,
    state: State,
}

#[derive(Clone)]
enum State {
    #[cfg(feature = "checksums")]
    Crc(crc_fast::Digest),
    #[cfg(feature = "checksums")]
    Sha1(sha1::Sha1),
    Sha256(Sha256),
}

impl Checksum {
    pub(super) fn new(algorithm: ChecksumAlgorithm) -> Self {
        #[cfg(feature = "checksums")]
        let crc = |which| State::Crc(crc_fast::Digest::new(which));
        let state = match algorithm {
            #[cfg(feature = "checksums")]
            ChecksumAlgorithm::Crc32 => crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc),
            #[cfg(feature = "checksums")]
            ChecksumAlgorithm::Crc32c => crc(crc_fast::CrcAlgorithm::Crc32Iscsi),
            #[cfg(feature = "checksums")]
            ChecksumAlgorithm::Crc64Nvme => crc(crc_fast::CrcAlgorithm::Crc64Nvme),
            #[cfg(feature = "checksums")]
            ChecksumAlgorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            ChecksumAlgorithm::Sha256 => State::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            #[cfg(feature = "checksums")]
            State::Crc(digest) => digest.update(data),
            #[cfg(feature = "checksums")]
            State::Sha1(digest) => digest.update(data),
            State::Sha256(digest) => digest.update(data),
        }
    }

    /// The trailer's value.
    pub(super) fn value(&self) -> String {
        match &self.state {
            #[cfg(feature = "checksums")]
            State::Crc(digest) if self.algorithm == ChecksumAlgorithm::Crc64Nvme => {
                BASE64_STANDARD.encode(digest.finalize().to_be_bytes())
            }
            // A CRC of 32 bits is the lower half.
            #[cfg(feature = "checksums")]
            State::Crc(digest) => {
                let [_, _, _, _, crc @ ..] = digest.finalize().to_be_bytes();
                BASE64_STANDARD.encode(crc)
            }
            #[cfg(feature = "checksums")]
            State::Sha1(digest) => BASE64_STANDARD.encode(digest.clone().finalize()),
            State::Sha256(digest) => BASE64_STANDARD.encode(digest.clone().finalize()),
        }
    }
}

#[cfg(all(test, feature = "checksums"))]
mod tests {
    use super::*;

    /// Of `123456789`: the check values of the CRC catalogue, and those of the hashes.
    #[test]
    fn check_values() {
        for (algorithm, expected) in [
            (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
            (ChecksumAlgorithm::Crc32c, "4waSgw=="),
            (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
            (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
            (ChecksumAlgorithm::Sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ] {
            let mut checksum = Checksum::new(algorithm);
            checksum.update(b"1234");
            checksum.update(b"56789");
            assert_eq!(checksum.value(), expected, "{algorithm:?}");
            assert_eq!(checksum.value().len() as u64, algorithm.value_len());
        }
    }
}
