//! PEM text to DER and back (RFC 7468).

use pem::{EncodeConfig, LineEnding, Pem};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _};

use crate::PkiError;

/// One PEM block with Unix line ends.
pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    pem::encode_config(
        &Pem::new(label, der),
        EncodeConfig::new().set_line_ending(LineEnding::LF),
    )
}

/// Every certificate of the text, at least one.
pub(crate) fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, PkiError> {
    let refused = |reason: String| PkiError::Pem {
        what: "certificates",
        reason,
    };
    let found = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| refused(error.to_string()))?;
    if found.is_empty() {
        return Err(refused("no CERTIFICATE block in the text".to_owned()));
    }
    Ok(found)
}

/// The first private key of the text: PKCS#8, SEC 1 or PKCS#1.
pub(crate) fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, PkiError> {
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| PkiError::Pem {
        what: "private key",
        reason: error.to_string(),
    })
}

/// The first PKCS#8 private key of the text.
pub(crate) fn pkcs8(text: &str) -> Result<PrivatePkcs8KeyDer<'static>, PkiError> {
    PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|error| PkiError::Pem {
        what: "PKCS#8 private key",
        reason: error.to_string(),
    })
}
