//! The keys and the region that most tests use, and a server that knows them.

use sigv4_middleware::{Credentials, IamGateway};

/// An access key id.
pub const KEY: &str = "AKIDEXAMPLE";
/// Its secret access key.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// A session token for it.
pub const TOKEN: &str = "IQoJb3JpZ2luX2VjE+Token/Example==";
/// The region of the tests.
pub const REGION: &str = "ap-northeast-1";

/// Keys of an assumed role, with a session token.
pub fn role() -> Credentials {
    Credentials::new(KEY, SECRET, Some(TOKEN.into()), None, "test")
}

/// A gateway for one service (signing name) that accepts [`role`].
///
/// # Panics
/// If no port can be opened on loopback.
pub async fn gateway(service: &str) -> IamGateway {
    IamGateway::builder().credentials(role()).service(service).region(REGION).start().await.unwrap()
}
