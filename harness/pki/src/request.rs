//! Requests for certificates, for authorities that are not ours to sign with.

use secrecy::SecretString;

use crate::{PkiError, authority::generate_key, pem, subject};

/// A request for a client certificate (PKCS#10, RFC 2986), and the key that goes with it; both PEM.
#[derive(Clone, Debug)]
pub struct CertificateRequest {
    /// The request.
    pub pem: String,
    /// The private key, PKCS#8.
    pub key_pem: SecretString,
}

/// Asks for a client certificate under a new key: to Kubernetes the common name is the user, each organization a
/// group (<https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates>).
///
/// # Errors
/// When no key can be made.
pub fn request(
    common_name: &str,
    organizations: &[String],
) -> Result<CertificateRequest, PkiError> {
    let key = generate_key(common_name)?;
    let der = subject::request(common_name, organizations, &key)?;
    Ok(CertificateRequest {
        pem: pem::encode("CERTIFICATE REQUEST", &der),
        key_pem: key.serialize_pem().into(),
    })
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::{FromDer as _, X509CertificationRequest};

    use super::request;

    #[test]
    fn a_request_names_the_user_and_every_group() {
        let made = request("jane", &["dev".to_owned(), "ops".to_owned()]).unwrap();
        let (_, block) = x509_parser::pem::parse_x509_pem(made.pem.as_bytes()).unwrap();
        assert_eq!(block.label, "CERTIFICATE REQUEST");
        let (rest, parsed) = X509CertificationRequest::from_der(&block.contents).unwrap();
        assert!(rest.is_empty());
        let subject = &parsed.certification_request_info.subject;
        assert_eq!(subject.to_string(), "O=dev, O=ops, CN=jane");
    }
}
