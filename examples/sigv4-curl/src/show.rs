//! With `-v`: what was signed, without secrets.

use sigv4_middleware::SigningDetails;

pub(crate) fn details(details: &SigningDetails) {
    if let Some(rule) = details.rule() {
        eprintln!("* service and region are inferred from the host: {rule}");
    }
    eprintln!("* canonical request:");
    details.canonical_request().lines().for_each(|line| eprintln!("*   {line}"));
    eprintln!("* string to sign:");
    details.string_to_sign().lines().for_each(|line| eprintln!("*   {line}"));
}
