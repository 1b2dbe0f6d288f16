//! TLS of the connections to upstreams.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::StartError;

/// Trusts the system's certificate authorities and those of some PEM texts.
///
/// # Errors
/// For a PEM text without a certificate that can be used.
pub(crate) fn verifying(pem: &[Vec<u8>]) -> Result<ClientConfig, StartError> {
    let mut roots = RootCertStore::empty();
    // What of the system's store cannot be read is missing there; a connection that needs it fails.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for text in pem {
        add(&mut roots, text)?;
    }
    Ok(builder()?.with_root_certificates(roots).with_no_client_auth())
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), StartError> {
    const INVALID: &str = "the root certificates are not certificates in PEM form";
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| StartError::with_source(INVALID, error))?;
        roots.add(certificate).map_err(|error| StartError::with_source(INVALID, error))?;
    }
    if roots.len() == before { Err(StartError::new(INVALID)) } else { Ok(()) }
}

/// Trusts every certificate.
pub(crate) fn not_verifying() -> Result<ClientConfig, StartError> {
    let verifier = Arc::new(NoVerification(provider()));
    Ok(builder()?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, StartError> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| StartError::with_source("TLS is not available", error))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Takes any certificate, but only of a server that has its key.
#[derive(Debug)]
struct NoVerification(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerification {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
