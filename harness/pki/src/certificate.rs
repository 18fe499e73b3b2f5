//! A leaf certificate with its key, and the TLS server made of it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    server::{NoClientAuth, danger::ClientCertVerifier},
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{
    PkiError, pem,
    tls::{self, ClientAuthority},
};

const HOUR: Duration = Duration::from_secs(60 * 60);

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

impl Validity {
    /// From an hour ago, for clocks that are behind, until `lifetime` from now.
    #[must_use]
    pub fn from_now(lifetime: Duration) -> Self {
        let now = SystemTime::now();
        Self {
            not_before: now - HOUR,
            not_after: now + lifetime,
        }
    }
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
        self.server(match client_ca_pem {
            None => Arc::new(NoClientAuth),
            Some(text) => ClientAuthority::new(text)?.strict(),
        })
    }

    /// The same, but a client gets in with any certificate whose key it holds, as with kube-apiserver, which answers
    /// 401 to a bad one instead of failing the handshake (`tls.RequestClientCert` in Go's terms). Whoever reads
    /// [`tls::Peer::certificates`] of such a server asks [`ClientAuthority::verify`] first.
    ///
    /// # Errors
    /// As [`Certificate::server_config`].
    pub fn server_config_unverified(
        &self,
        clients: &ClientAuthority,
    ) -> Result<Arc<ServerConfig>, PkiError> {
        self.server(clients.lenient())
    }

    fn server(&self, clients: Arc<dyn ClientCertVerifier>) -> Result<Arc<ServerConfig>, PkiError> {
        let refused = |error: rustls::Error| PkiError::Tls(error.to_string());
        let mut config = ServerConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_client_cert_verifier(clients)
            .with_single_cert(
                pem::certificates(&self.pem)?,
                pem::private_key(self.key_pem.expose_secret())?,
            )
            .map_err(refused)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}
