//! [`DeclaredPayload`]: the `x-amz-content-sha256` that a caller set, honored as a payload mode or refused.

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::error::{Error, ErrorKind};
use crate::signing::headers::signature_headers;
use crate::signing::keys::hex;
use crate::signing::payload::{Payload, PayloadMode};
use crate::signing::target::has_signature;

/// What a caller's own `x-amz-content-sha256` says of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeclaredPayload<'a> {
    /// `UNSIGNED-PAYLOAD`
    Unsigned,
    /// The SHA-256 in hex.
    Sha256([u8; 32]),
    /// `STREAMING-…`, which a payload mode writes.
    Streaming(&'a str),
}

impl<'a> DeclaredPayload<'a> {
    /// What a request declares.
    ///
    /// The header is the caller's own only if the request has nothing else of a signature. With a SigV4 Authorization
    /// header, an `x-amz-date` header or an `X-Amz-Signature` parameter, it comes from an earlier signature, maybe of
    /// another body, and is replaced.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedPayload`] for a value that is neither, and for more than one header.
    pub(crate) fn of(headers: &'a HeaderMap, query: Option<&str>) -> Result<Option<Self>, Error> {
        let mut values = headers.get_all(signature_headers::CONTENT_SHA256).iter();
        let Some(value) = values.next() else { return Ok(None) };
        let authorized = headers.get_all(AUTHORIZATION).iter().any(|v| v.as_bytes().starts_with(b"AWS4-"));
        let signed = authorized || headers.contains_key(signature_headers::DATE);
        if signed || query.is_some_and(has_signature) {
            return Ok(None);
        }
        if values.next().is_some() {
            return Err(refused("the request has more than one x-amz-content-sha256 header; keep one"));
        }
        let declared = match value.to_str() {
            Ok("UNSIGNED-PAYLOAD") => Some(Self::Unsigned),
            Ok(text) if text.starts_with("STREAMING-") => Some(Self::Streaming(text)),
            Ok(text) => unhex(text).map(Self::Sha256),
            Err(_) => None,
        };
        declared.map(Some).ok_or_else(|| {
            refused(
                "the request's x-amz-content-sha256 is neither a SHA-256 in hex nor UNSIGNED-PAYLOAD; remove it, and \
                 the signer writes it where the service needs it",
            )
        })
    }

    /// The payload mode of a request that declares this.
    ///
    /// `of_request` is the mode that is set for this request, which has to agree; `of_signer` the signer's, which this
    /// wins over.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedPayload`] where they contradict each other.
    pub(crate) fn payload_mode(
        self,
        of_request: Option<&PayloadMode>,
        of_signer: &PayloadMode,
    ) -> Result<PayloadMode, Error> {
        use PayloadMode::{Buffered, Sha256, Sha256Checked, Unsigned};
        Ok(match (self, of_request.unwrap_or(of_signer)) {
            (Self::Unsigned, Buffered | Unsigned) => Unsigned,
            (Self::Sha256(_), Buffered) => Buffered,
            (Self::Sha256(sha256), mode @ (Sha256(of_mode) | Sha256Checked(of_mode)))
                if sha256 == *of_mode =>
            {
                mode.clone()
            }
            (Self::Streaming(_), mode) if mode.is_framed() => mode.clone(),
            (Self::Streaming(text), _) => return Err(streaming_without_mode(text)),
            (_, mode) if of_request.is_some() => {
                return Err(refused(format!(
                    "the request's x-amz-content-sha256 contradicts its payload mode, {}; remove one of the two",
                    mode.name()
                )));
            }
            (Self::Unsigned, _) => Unsigned,
            (Self::Sha256(sha256), Sha256Checked(_)) => Sha256Checked(sha256),
            (Self::Sha256(sha256), _) => Sha256(sha256),
        })
    }

    /// The hash to sign a streaming body by, where no payload mode is set for the request.
    pub(crate) fn sha256(self) -> Option<[u8; 32]> {
        match self {
            Self::Sha256(sha256) => Some(sha256),
            Self::Unsigned | Self::Streaming(_) => None,
        }
    }

    /// The payload to sign: the given one, which has to be what is declared.
    ///
    /// # Errors
    /// [`ErrorKind::BodyMismatch`] for another hash, [`ErrorKind::UnsupportedPayload`] for another kind of payload.
    pub(crate) fn agree<'p>(self, payload: Payload<'p>) -> Result<Payload<'p>, Error> {
        match self {
            Self::Unsigned if payload.is_bytes() => Ok(Payload::unsigned()),
            Self::Unsigned if payload.hash().as_bytes() == b"UNSIGNED-PAYLOAD" => Ok(payload),
            Self::Streaming(text) if payload.hash().as_bytes() == text.as_bytes() => Ok(payload),
            Self::Streaming(text) if !payload.is_chunked() => Err(streaming_without_mode(text)),
            Self::Sha256(sha256) if payload.hash().as_bytes() == hex(&sha256) => Ok(payload),
            Self::Sha256(_) if payload.is_hashed() => Err(Error::new(
                ErrorKind::BodyMismatch,
                "the body's SHA-256 is not the one that the request's x-amz-content-sha256 declares; nothing was sent. \
                 Remove the header, and the signer hashes the body",
            )),
            _ => Err(refused(
                "the request's x-amz-content-sha256 contradicts how its payload is signed; remove the header",
            )),
        }
    }

    /// The payload to sign where none is given.
    ///
    /// # Errors
    /// [`ErrorKind::UnsupportedPayload`] for a streaming one.
    pub(crate) fn payload(self) -> Result<Payload<'static>, Error> {
        match self {
            Self::Unsigned => Ok(Payload::unsigned()),
            Self::Sha256(sha256) => Ok(Payload::sha256(sha256)),
            Self::Streaming(text) => Err(streaming_without_mode(text)),
        }
    }
}

fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::UnsupportedPayload, message)
}

fn streaming_without_mode(text: &str) -> Error {
    let mode = if text.ends_with("-EVENTS") {
        "PayloadMode::EventStream"
    } else if text.starts_with("STREAMING-UNSIGNED-") {
        "PayloadMode::AwsChunked(AwsChunked::unsigned(…))"
    } else {
        "PayloadMode::AwsChunked(AwsChunked::signed())"
    };
    refused(format!(
        "the request's x-amz-content-sha256 declares a body in signed chunks or messages, which the signer has to make; \
         set {mode} in place of the header"
    ))
}

/// 32 bytes from hex in either case.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    if pairs.len() != out.len() {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? * 16 + low?).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::signing::aws_chunked::AwsChunked;

    const OF_HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    fn hello() -> [u8; 32] {
        Sha256::digest("hello").into()
    }

    fn headers(given: &[(&'static str, &str)]) -> HeaderMap {
        let header = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        given.iter().map(header).collect()
    }

    fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorKind {
        result.unwrap_err().kind()
    }

    #[test]
    fn a_value_is_read_or_refused() {
        for (value, declared) in [
            ("UNSIGNED-PAYLOAD", DeclaredPayload::Unsigned),
            (OF_HELLO, DeclaredPayload::Sha256(hello())),
            (&OF_HELLO.to_uppercase(), DeclaredPayload::Sha256(hello())),
            ("STREAMING-X", DeclaredPayload::Streaming("STREAMING-X")),
        ] {
            let headers = headers(&[("x-amz-content-sha256", value)]);
            assert_eq!(DeclaredPayload::of(&headers, Some("a=b")).unwrap(), Some(declared), "{value}");
        }
        for value in ["", "abc", &OF_HELLO[1..], &OF_HELLO.replace('2', "g"), "unsigned-payload", "required"]
        {
            let headers = headers(&[("x-amz-content-sha256", value)]);
            assert_eq!(kind(DeclaredPayload::of(&headers, None)), ErrorKind::UnsupportedPayload, "{value}");
        }
        let twice = headers(&[("x-amz-content-sha256", OF_HELLO), ("x-amz-content-sha256", OF_HELLO)]);
        assert_eq!(kind(DeclaredPayload::of(&twice, None)), ErrorKind::UnsupportedPayload);
        assert_eq!(DeclaredPayload::of(&HeaderMap::new(), None).unwrap(), None);
    }

    #[test]
    fn a_header_of_an_earlier_signature_declares_nothing() {
        let with = |other, value| headers(&[("x-amz-content-sha256", "whatever it was"), (other, value)]);
        for (headers, query) in [
            (with("authorization", "AWS4-HMAC-SHA256 Credential=…"), None),
            (with("x-amz-date", "20150830T123600Z"), None),
            (with("accept", "*/*"), Some("a=b&X-Amz-Signature=0")),
            (with("accept", "*/*"), Some("x-amz-signature=0")),
        ] {
            assert_eq!(DeclaredPayload::of(&headers, query).unwrap(), None, "{headers:?} {query:?}");
        }
        let bearer = with("authorization", "Bearer x");
        assert_eq!(
            kind(DeclaredPayload::of(&bearer, Some("X-Amz-Signature"))),
            ErrorKind::UnsupportedPayload
        );
    }

    #[test]
    fn a_mode_of_the_request_has_to_agree_and_the_signers_yields() {
        use PayloadMode::{AwsChunked as Chunked, Buffered, Sha256, Sha256Checked, Unsigned};
        let (unsigned, sha256) = (DeclaredPayload::Unsigned, DeclaredPayload::Sha256(hello()));
        let streaming = DeclaredPayload::Streaming("STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        let chunked = Chunked(AwsChunked::signed());
        for (declared, set, of_request, of_signer) in [
            (unsigned, Buffered, Some(Unsigned), Unsigned),
            (unsigned, Unsigned, Some(Unsigned), Unsigned),
            (unsigned, Sha256(hello()), None, Unsigned),
            (unsigned, chunked.clone(), None, Unsigned),
            (sha256, Buffered, Some(Buffered), Buffered),
            (sha256, Sha256(hello()), Some(Sha256(hello())), Sha256(hello())),
            (sha256, Sha256Checked(hello()), Some(Sha256Checked(hello())), Sha256Checked(hello())),
            (sha256, Sha256([1; 32]), None, Sha256(hello())),
            (sha256, Sha256Checked([1; 32]), None, Sha256Checked(hello())),
            (sha256, Unsigned, None, Sha256(hello())),
            (sha256, chunked.clone(), None, Sha256(hello())),
            (streaming, chunked.clone(), Some(chunked.clone()), chunked.clone()),
        ] {
            let by_request = declared.payload_mode(Some(&set), &Buffered);
            assert_eq!(by_request.as_ref().ok(), of_request.as_ref(), "{declared:?} {set:?}");
            if let Err(error) = by_request {
                assert_eq!(error.kind(), ErrorKind::UnsupportedPayload);
                assert!(error.to_string().contains(set.name()), "{error}");
            }
            assert_eq!(declared.payload_mode(None, &set).unwrap(), of_signer, "{declared:?} {set:?}");
        }
        for (text, mode) in [
            ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "AwsChunked::signed()"),
            ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", "AwsChunked::unsigned("),
            ("STREAMING-AWS4-HMAC-SHA256-EVENTS", "PayloadMode::EventStream"),
        ] {
            let error = DeclaredPayload::Streaming(text).payload_mode(None, &Buffered).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::UnsupportedPayload);
            assert!(error.to_string().contains(mode), "{error}");
        }
    }

    #[test]
    fn a_payload_is_the_declared_one_or_refused() {
        let (unsigned, sha256) = (DeclaredPayload::Unsigned, DeclaredPayload::Sha256(hello()));
        let streaming = DeclaredPayload::Streaming("STREAMING-A");
        let shown = |result: Result<Payload<'_>, Error>| format!("{:?}", result.unwrap());
        assert_eq!(shown(unsigned.agree("hello".into())), "Payload(unsigned)");
        assert_eq!(shown(unsigned.agree(Payload::unsigned())), "Payload(unsigned)");
        assert_eq!(shown(sha256.agree("hello".into())), "Payload(5 bytes)");
        assert_eq!(shown(sha256.agree(Payload::sha256(hello()))), "Payload(sha256)");
        assert_eq!(shown(streaming.agree(Payload::chunked("STREAMING-A"))), "Payload(STREAMING-A)");

        assert_eq!(kind(sha256.agree("other".into())), ErrorKind::BodyMismatch);
        assert_eq!(kind(sha256.agree(Payload::empty())), ErrorKind::BodyMismatch);
        assert_eq!(kind(sha256.agree(Payload::sha256([1; 32]))), ErrorKind::BodyMismatch);
        for (declared, payload) in [
            (sha256, Payload::unsigned()),
            (sha256, Payload::chunked("STREAMING-A")),
            (unsigned, Payload::sha256(hello())),
            (unsigned, Payload::chunked("STREAMING-A")),
            (streaming, Payload::chunked("STREAMING-B")),
            (streaming, Payload::empty()),
        ] {
            assert_eq!(
                kind(declared.agree(payload)),
                ErrorKind::UnsupportedPayload,
                "{declared:?} {payload:?}"
            );
        }
    }
}
