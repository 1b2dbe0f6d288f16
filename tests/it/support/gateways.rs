//! Gateways, and signers whose requests they accept.

use std::net::{Ipv6Addr, SocketAddr};

use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_async::time::TimeSource;
use http::Request;
use sigv4_middleware::{Credentials, IamGateway, Signer, SignerBuilder};
use tokio::net::{TcpListener, TcpStream};

use super::{REGION, role};

/// A gateway for one service that knows [`role`].
pub(crate) async fn gateway(service: &str) -> IamGateway {
    IamGateway::builder().credentials(role()).service(service).region(REGION).start().await.unwrap()
}

/// A gateway with this clock that knows these keys.
pub(crate) async fn gateway_at(
    clock: &(impl TimeSource + Clone + 'static),
    keys: impl IntoIterator<Item = Credentials>,
) -> IamGateway {
    let builder = IamGateway::builder().region(REGION).time_source(clock.clone());
    keys.into_iter().fold(builder, |builder, keys| builder.credentials(keys)).start().await.unwrap()
}

/// A builder for a signer whose requests [`gateway`] accepts.
pub(crate) fn signing(service: &'static str) -> SignerBuilder {
    Signer::builder().credentials(role()).service(service).region(REGION)
}

pub(crate) fn signer(service: &'static str) -> Signer {
    signing(service).build().unwrap()
}

/// A builder for a signer with this clock.
pub(crate) fn signer_at(
    provider: impl ProvideCredentials + 'static,
    clock: &(impl TimeSource + Clone + 'static),
) -> SignerBuilder {
    Signer::builder().credentials(provider).service("execute-api").region(REGION).time_source(clock.clone())
}

/// The statuses of every request that a gateway received.
pub(crate) fn tries(gateway: &IamGateway) -> Vec<u16> {
    gateway.requests().iter().map(|request| request.status.as_u16()).collect()
}

/// A port on `[::1]` that leads to the gateway; `None` where the machine has no IPv6.
pub(crate) async fn on_ipv6(gateway: &IamGateway) -> Option<SocketAddr> {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.ok()?;
    let (own, to) = (listener.local_addr().ok()?, gateway.addr());
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await?;
                tokio::io::copy_bidirectional(&mut from, &mut to).await
            });
        }
    });
    Some(own)
}

/// `POST /orders?a=1`, with a body.
pub(crate) fn post(url: &str) -> Request<&'static str> {
    Request::post(format!("{url}/orders?a=1")).body(r#"{"order":1}"#).unwrap()
}
