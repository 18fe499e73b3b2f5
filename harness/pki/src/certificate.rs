//! A leaf certificate with its key, and the TLS server made of it.

use std::{sync::Arc, time::SystemTime};

use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{PkiError, pem, tls};

/// A certificate chain and the private key of its first certificate, both as PEM text.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate, followed by intermediate ones if there are any.
    pub pem: String,
    /// The private key, PKCS#8 when it comes from this crate (SEC 1 and PKCS#1 are read too).
    pub key_pem: SecretString,
}

/// When a certificate is valid, both ends included (RFC 5280 section 4.1.2.5); whole seconds count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Refused before this moment.
    pub not_before: SystemTime,
    /// Refused after this moment.
    pub not_after: SystemTime,
}

impl Certificate {
    /// The configuration of a TLS 1.2 and 1.3 server that shows this certificate and speaks HTTP/2 and HTTP/1.1.
    ///
    /// With `client_ca_pem`, clients are asked for a certificate: one without is let in, one whose certificate does
    /// not come from that authority (or is not a client's, or not valid now) fails the handshake.
    ///
    /// # Errors
    /// When a PEM text does not hold what it should, or the key is not the certificate's.
    pub fn server_config(
        &self,
        client_ca_pem: Option<&str>,
    ) -> Result<Arc<ServerConfig>, PkiError> {
        let provider = tls::provider();
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(refused)?;
        let builder = match client_ca_pem {
            None => builder.with_no_client_auth(),
            Some(text) => {
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots(text)?), provider)
                        .allow_unauthenticated()
                        .build()
                        .map_err(refused)?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder
            .with_single_cert(
                pem::certificates(&self.pem)?,
                pem::private_key(self.key_pem.expose_secret())?,
            )
            .map_err(refused)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn roots(text: &str) -> Result<RootCertStore, PkiError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(text)? {
        roots.add(certificate).map_err(refused)?;
    }
    Ok(roots)
}

fn refused(error: impl ToString) -> PkiError {
    PkiError::Tls(error.to_string())
}
