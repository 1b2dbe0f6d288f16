//! Checksums of a body, computed while it is sent and sent after it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use crate::signing::aws_chunked::ChecksumAlgorithm;

/// A checksum that is being computed.
pub(super) struct Checksum {
    pub(super) algorithm: ChecksumAlgorithm,
    state: State,
}

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
