//! Client certificates: common name = user, organizations = groups.
//!
//! TLS has only seen that the client holds the key. Source: Kubernetes docs, "Authenticating", section "X.509
//! client certificates"; the uid attribute is Kubernetes' own object identifier.

use authlab_authn::UserInfo;
use authlab_pki::tls::ClientAuthority;
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CREDENTIAL_ID, Outcome};

/// `1.3.6.1.4.1.57683.2`, the user's uid in a certificate's subject.
const UID: &str = "1.3.6.1.4.1.57683.2";

pub(crate) fn identify(clients: &ClientAuthority, chain: &[CertificateDer<'_>]) -> Outcome {
    let Some(der) = chain.first().map(AsRef::as_ref) else {
        return Outcome::Skipped;
    };
    if let Err(error) = clients.verify(chain) {
        return Outcome::Rejected(error.to_string());
    }
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Outcome::Skipped;
    };
    let subject = certificate.subject();
    // Go's Subject.CommonName is the last of several.
    let name = subject
        .iter_common_name()
        .last()
        .and_then(|name| name.as_str().ok());
    let Some(username) = name.filter(|name| !name.is_empty()) else {
        return Outcome::Skipped;
    };
    let groups = subject
        .iter_organization()
        .filter_map(|name| name.as_str().ok());
    let uids: Vec<&str> = subject
        .iter_attributes()
        .filter(|attribute| attribute.attr_type().to_id_string() == UID)
        .filter_map(|attribute| attribute.as_str().ok())
        .collect();
    let uid = match uids.as_slice() {
        [] => "",
        [""] => return Outcome::Rejected("UID cannot be an empty string".to_owned()),
        [uid] => uid,
        many => {
            let many = many.join(" ");
            return Outcome::Rejected(format!("expected 1 UID, but found multiple: [{many}]"));
        }
    };
    let fingerprint: String = Sha256::digest(der)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let user = UserInfo {
        username: username.to_owned(),
        uid: uid.to_owned(),
        groups: groups.map(str::to_owned).collect(),
        extra: [(
            CREDENTIAL_ID.to_owned(),
            vec![format!("X509SHA256={fingerprint}")],
        )]
        .into(),
    };
    Outcome::Accepted(user, Vec::new())
}
