//! `--presign`: a URL that makes the request, and all that has to be sent with it.

use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, HOST, USER_AGENT};
use http::request::Parts;
use sigv4_middleware::{PresigningConfig, Signer};

use crate::args::Args;
use crate::body::Body;
use crate::failure::Failure;

/// Prints the URL on standard output, and on standard error what has to be sent with it.
pub(crate) async fn presign(
    args: &Args,
    mut parts: Parts,
    body: &Body,
    signer: &Signer,
    source: &str,
    seconds: u64,
) -> Result<(), Failure> {
    // All headers of a request to be presigned are signed: none that are curl's own, and that another client changes.
    for name in [ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, USER_AGENT] {
        if !names(args, &name) {
            parts.headers.remove(name);
        }
    }
    let mut presigning = PresigningConfig::new(Duration::from_secs(seconds));
    if let Some(payload) = body.presigned_payload(args.signing.payload) {
        presigning = presigning.payload(payload);
    }
    let presigned = signer.presign_request(&parts, presigning).await;
    let presigned = presigned.map_err(|error| Failure::signing(&error, source))?;
    if args.output.verbose {
        crate::show::details(presigned.details());
    }
    println!("{}", presigned.uri());
    if presigned.expires_in() < Duration::from_secs(seconds) {
        eprintln!(
            "it is valid for {} s only, as the credentials expire then",
            presigned.expires_in().as_secs()
        );
    }
    if parts.method != Method::GET {
        eprintln!("send it with -X {}", parts.method);
    }
    for (name, value) in presigned.headers() {
        if name == HOST && !names(args, &HOST) {
            continue;
        }
        let header = format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
        eprintln!("send it with -H {}", quoted(&header));
    }
    Ok(())
}

/// Whether a header is given with -H.
fn names(args: &Args, wanted: &http::HeaderName) -> bool {
    args.request
        .headers
        .iter()
        .any(|header| matches!(header, crate::args::HeaderArg::Set(name, _) if name == wanted))
}

/// For a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
