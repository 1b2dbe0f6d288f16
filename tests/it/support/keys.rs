//! The keys, the region and the time that most tests use.

use std::time::{Duration, SystemTime};

use sigv4_middleware::Credentials;

pub(crate) const KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const TOKEN: &str = "IQoJb3JpZ2luX2VjE+Token/Example==";
pub(crate) const REGION: &str = "ap-northeast-1";

/// 2015-08-30T12:36:00Z
pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160)
}

/// Keys of an assumed role, with a session token.
pub(crate) fn role() -> Credentials {
    Credentials::new(KEY, SECRET, Some(TOKEN.into()), None, "test")
}

/// Keys of a user, without a session token.
pub(crate) fn user() -> Credentials {
    Credentials::new(KEY, SECRET, None, None, "test")
}

/// Keys with this id and a session token.
pub(crate) fn role_of(id: &str) -> Credentials {
    Credentials::new(id, format!("secret of {id}"), Some(format!("token-of-{id}")), None, "test")
}

/// Keys with this id, without a session token.
pub(crate) fn user_of(id: &str) -> Credentials {
    Credentials::new(id, format!("secret of {id}"), None, None, "test")
}
