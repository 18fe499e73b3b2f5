//! Which client certificates a server accepts.

use std::{fmt, sync::Arc};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, UnixTime};

use crate::{PkiError, pem, tls};

/// The authorities whose client certificates count.
#[derive(Clone)]
pub struct ClientAuthority(Arc<dyn ClientCertVerifier>);

impl ClientAuthority {
    /// The authorities of a PEM text, which holds at least one.
    ///
    /// # Errors
    /// When it holds none, or something that is not a certificate.
    pub fn new(ca_pem: &str) -> Result<Self, PkiError> {
        let mut roots = RootCertStore::empty();
        for certificate in pem::certificates(ca_pem)? {
            roots
                .add(certificate)
                .map_err(|error| PkiError::Tls(error.to_string()))?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), tls::provider())
                .allow_unauthenticated()
                .build()
                .map_err(|error| PkiError::Tls(error.to_string()))?;
        Ok(Self(verifier))
    }

    /// Whether this chain, the client's own certificate first, leads to one of the authorities, is meant for clients
    /// and is valid now.
    ///
    /// # Errors
    /// Why not.
    pub fn verify(&self, chain: &[CertificateDer<'_>]) -> Result<(), PkiError> {
        let (own, between) = chain
            .split_first()
            .ok_or_else(|| PkiError::ClientCertificate("none was shown".to_owned()))?;
        self.0
            .verify_client_cert(own, between, UnixTime::now())
            .map_err(|error| PkiError::ClientCertificate(error.to_string()))?;
        Ok(())
    }

    /// For servers that fail the handshake over a bad certificate.
    pub(crate) fn strict(self) -> Arc<dyn ClientCertVerifier> {
        self.0
    }

    /// For servers that look at the chain later.
    pub(crate) fn lenient(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::new(Possession(Arc::clone(&self.0)))
    }
}

impl fmt::Debug for ClientAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientAuthority")
            .field(&self.0.root_hint_subjects().len())
            .finish()
    }
}

/// Wants a client to hold the key of the certificate it shows, and nothing else of that certificate.
#[derive(Debug)]
struct Possession(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Possession {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
