//! Whether a text holds certificates of authorities.

use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::golang::pem;

/// Checks a bundle as the server loads it: `CERTIFICATE` blocks without headers, each of them readable.
///
/// # Errors
/// The server's text.
pub(super) fn check(bundle: &str) -> Result<(), String> {
    let mut found = false;
    for block in pem::blocks(bundle) {
        if block.label != "CERTIFICATE" || block.headers {
            continue;
        }
        match X509Certificate::from_der(&block.bytes) {
            Ok(([], _)) => found = true,
            Ok(_) => return Err("x509: trailing data".to_owned()),
            Err(_) => return Err("x509: malformed certificate".to_owned()),
        }
    }
    if found {
        Ok(())
    } else {
        Err("data does not contain any valid RSA or ECDSA certificates".to_owned())
    }
}
