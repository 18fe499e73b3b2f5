//! The front proxy: somebody who has signed users in already, and names them in headers.
//!
//! Source: Kubernetes docs, "Authenticating", section "Authenticating proxy"; header names as
//! kubeadm sets them.

use std::collections::BTreeMap;

use authlab_authn::UserInfo;
use authlab_pki::PkiError;
use authlab_pki::tls::ClientAuthority;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Outcome;

/// Which proxies are believed (`--requestheader-client-ca-file`, `--requestheader-allowed-names`).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FrontProxy {
    /// The authorities of the proxies' client certificates, as PEM.
    pub ca_pem: String,
    /// Common names of the certificates; none means any.
    pub allowed_names: Vec<String>,
}

const USER: &str = "X-Remote-User";
const GROUP: &str = "X-Remote-Group";
const UID: &str = "X-Remote-Uid";
const EXTRA: &str = "X-Remote-Extra-";

/// A front proxy whose certificates can be checked.
#[derive(Clone)]
pub(crate) struct Trusted {
    pub(crate) proxy: FrontProxy,
    authority: ClientAuthority,
}

impl Trusted {
    pub(crate) fn new(proxy: &FrontProxy) -> Result<Self, PkiError> {
        Ok(Self {
            authority: ClientAuthority::new(&proxy.ca_pem)?,
            proxy: proxy.clone(),
        })
    }

    /// The user that the headers name, if a trusted proxy sent them.
    pub(crate) fn identify(&self, chain: &[CertificateDer<'_>], headers: &HeaderMap) -> Outcome {
        let Some(der) = chain.first() else {
            return Outcome::Skipped;
        };
        if let Err(error) = self.authority.verify(chain) {
            return Outcome::Rejected(error.to_string());
        }
        let name = X509Certificate::from_der(der.as_ref()).ok();
        let name = name.as_ref().and_then(|(_, certificate)| {
            let name = certificate.subject().iter_common_name().last()?;
            name.as_str().ok()
        });
        let name = name.unwrap_or_default();
        let allowed = &self.proxy.allowed_names;
        if !allowed.is_empty() && !allowed.iter().any(|one| one == name) {
            return Outcome::Rejected(format!(
                "x509: subject with cn={name} is not in the allowed list"
            ));
        }
        // Of several values the first that says something counts.
        let Some(username) = values(headers, USER)
            .into_iter()
            .find(|one| !one.is_empty())
        else {
            return Outcome::Skipped;
        };
        let uid = values(headers, UID).into_iter().find(|one| !one.is_empty());
        let user = UserInfo {
            username,
            uid: uid.unwrap_or_default(),
            groups: values(headers, GROUP),
            extra: extra(headers),
        };
        Outcome::Accepted(user, Vec::new())
    }

    /// What aggregated API servers are told (config map `extension-apiserver-authentication`).
    pub(crate) fn published(&self) -> Value {
        let list = |names: &[&str]| json!(names).to_string();
        json!({
            "requestheader-allowed-names": json!(self.proxy.allowed_names).to_string(),
            "requestheader-client-ca-file": self.proxy.ca_pem,
            "requestheader-extra-headers-prefix": list(&[EXTRA]),
            "requestheader-group-headers": list(&[GROUP]),
            "requestheader-uid-headers": list(&[UID]),
            "requestheader-username-headers": list(&[USER]),
        })
    }
}

fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    let all = headers.get_all(name.to_ascii_lowercase());
    all.iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect()
}

fn extra(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let prefix = EXTRA.to_ascii_lowercase();
    for (name, value) in headers {
        if let Some(key) = name.as_str().strip_prefix(&prefix) {
            let key = percent_decode_str(key).decode_utf8_lossy().to_lowercase();
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            extra.entry(key).or_default().push(value);
        }
    }
    extra
}
