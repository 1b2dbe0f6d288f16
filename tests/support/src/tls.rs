//! TLS on loopback: an authority that is made when the tests run, clients that trust it alone, and a front that ends TLS
//! before a server that has none.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sigv4_middleware::IamGateway;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Signs certificates for every name; trusted by the tests' clients and by nobody else.
struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let signed = params.self_signed(&key).unwrap();
    let (certificate, pem) = (signed.der().clone(), signed.pem());
    Authority { certificate, pem, issuer: Issuer::new(params, key) }
});

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The authority's certificate, for reqwest.
pub fn root_certificate() -> reqwest::Certificate {
    reqwest::Certificate::from_der(&AUTHORITY.certificate).unwrap()
}

/// The authority's certificate, for a file.
///
/// # Panics
/// Never.
pub fn root_certificate_pem() -> String {
    AUTHORITY.pem.clone()
}

/// What a client of rustls needs to trust the authority. The client sets the versions of HTTP.
pub fn client_config() -> ClientConfig {
    static CONFIG: LazyLock<ClientConfig> = LazyLock::new(|| {
        let mut roots = RootCertStore::empty();
        roots.add(AUTHORITY.certificate.clone()).unwrap();
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        builder.unwrap().with_root_certificates(roots).with_no_client_auth()
    });
    CONFIG.clone()
}

/// A certificate for whatever name a client asks for.
#[derive(Debug)]
struct AnyName;

impl ResolvesServerCert for AnyName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or("127.0.0.1").to_owned();
        let key = KeyPair::generate().ok()?;
        let certificate = CertificateParams::new([name]).ok()?.signed_by(&key, &AUTHORITY.issuer).ok()?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).ok()?;
        let key = aws_lc_rs::sign::any_supported_type(&key).ok()?;
        Some(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
    }
}

/// Ends TLS for HTTP/1.1 and HTTP/2, as the client offers, and hands what is within to a server that has no TLS.
pub struct TlsFront {
    addr: SocketAddr,
    task: AbortHandle,
}

impl TlsFront {
    /// In front of a server on loopback.
    ///
    /// # Panics
    /// If no port can be opened on loopback.
    pub async fn before(to: SocketAddr) -> Self {
        let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let mut config = builder.unwrap().with_no_client_auth().with_cert_resolver(Arc::new(AnyName));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let addr = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut from = acceptor.accept(from).await?;
                    let mut to = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut from, &mut to).await
                });
            }
        });
        Self { addr, task: task.abort_handle() }
    }

    /// Where it takes TLS.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A gateway behind TLS, whatever host a client calls it by.
pub struct TlsGateway {
    /// What verifies the requests.
    pub gateway: IamGateway,
    front: TlsFront,
}

impl TlsGateway {
    /// In front of this gateway.
    ///
    /// # Panics
    /// If no port can be opened on loopback.
    pub async fn new(gateway: IamGateway) -> Self {
        let front = TlsFront::before(gateway.addr()).await;
        Self { gateway, front }
    }

    /// Where it takes TLS.
    pub fn addr(&self) -> SocketAddr {
        self.front.addr()
    }
}
