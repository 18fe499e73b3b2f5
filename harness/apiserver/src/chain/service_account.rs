//! Service-account tokens: how they are issued and how they are checked.
//!
//! Claims and texts follow k8s.io/kubernetes `pkg/serviceaccount`; tokens kept in secrets are in
//! [`super::legacy`].

use std::sync::Arc;

use authlab_authn::UserInfo;
use authlab_pki::{PkiError, SigningKey, jws};
use chrono::Utc;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{CREDENTIAL_ID, Outcome, legacy};
use crate::cluster::Cluster;
use crate::object::Object;
use crate::resources::{self, Resource};

/// Clock skew that go-jose allows on `exp`, `nbf` and `iat`, in seconds.
const LEEWAY: i64 = 60;

/// Signs service-account tokens and publishes how to verify them.
pub(crate) struct TokenIssuer {
    issuer: String,
    audiences: Vec<String>,
    key: Arc<SigningKey>,
    jwk: Value,
}

/// The claims of a bound token; what is absent is left out of the JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aud: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    iss: String,
    #[serde(default)]
    jti: String,
    #[serde(rename = "kubernetes.io", default)]
    kubernetes: Kubernetes,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(default)]
    sub: String,
}

/// The private claim `kubernetes.io`: what the token is bound to.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kubernetes {
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    serviceaccount: Reference,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<Reference>,
}

/// Name and uid of an object.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reference {
    pub(crate) name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) uid: String,
}

impl From<&Value> for Reference {
    fn from(object: &Value) -> Self {
        Self {
            name: object.name().to_owned(),
            uid: object.uid().to_owned(),
        }
    }
}

/// What a token is bound to, besides its service account.
#[derive(Debug, Default)]
pub(crate) struct Binding {
    pub(crate) pod: Option<Reference>,
    pub(crate) secret: Option<Reference>,
    pub(crate) node: Option<Reference>,
}

impl TokenIssuer {
    pub(crate) fn new(issuer: &str, key: Arc<SigningKey>) -> Self {
        let jwk = key.jwk();
        Self {
            issuer: issuer.to_owned(),
            audiences: vec![issuer.to_owned()],
            key,
            jwk,
        }
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What tokens are meant for unless their request says otherwise, and what the server accepts.
    pub(crate) fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// The key set of `/openid/v1/jwks`.
    pub(crate) fn jwks(&self) -> Value {
        json!({"keys": [self.jwk]})
    }

    /// A token for `account` that ends `seconds` after now, and its `jti`.
    pub(crate) fn issue(
        &self,
        account: &Value,
        audiences: &[String],
        seconds: i64,
        binding: Binding,
    ) -> Result<(String, String), PkiError> {
        let now = Utc::now().timestamp();
        let id = uuid::Uuid::new_v4().to_string();
        let claims = Claims {
            aud: audiences.to_vec(),
            exp: Some(now.saturating_add(seconds)),
            iat: Some(now),
            iss: self.issuer.clone(),
            jti: id.clone(),
            kubernetes: Kubernetes {
                namespace: account.namespace().to_owned(),
                serviceaccount: account.into(),
                pod: binding.pod,
                secret: binding.secret,
                node: binding.node,
            },
            nbf: Some(now),
            sub: username(account.namespace(), account.name()),
        };
        let token = self.sign(&json!(claims))?;
        Ok((token, id))
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, PkiError> {
        let header = json!({"alg": self.key.algorithm().name(), "kid": self.key.kid()});
        let header = header.as_object().cloned().unwrap_or_default();
        jws::sign(&header, claims.to_string().as_bytes(), &self.key)
    }

    /// The verified claims of a token that names one of these issuers.
    fn claims(&self, token: &str) -> Result<Option<Value>, String> {
        let Ok(token) = jws::Compact::parse(token) else {
            return Ok(None);
        };
        let claims: Value = serde_json::from_slice(&token.payload).unwrap_or_default();
        match claims["iss"].as_str() {
            Some(issuer) if issuer == self.issuer || issuer == legacy::ISSUER => {}
            _ => return Ok(None),
        }
        if token
            .kid()
            .is_some_and(|kid| !kid.is_empty() && kid != self.key.kid())
        {
            return Err("invalid signature, no keys found".to_owned());
        }
        token
            .verify(&self.jwk)
            .map_err(|_| "go-jose/go-jose: error in cryptographic primitive".to_owned())?;
        Ok(Some(claims))
    }
}

/// `system:serviceaccount:NAMESPACE:NAME`.
pub(crate) fn username(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// The groups every service account of a namespace is in.
pub(crate) fn groups(namespace: &str) -> Vec<String> {
    vec![
        "system:serviceaccounts".to_owned(),
        format!("system:serviceaccounts:{namespace}"),
    ]
}

/// Identifies the bearer of a service-account token.
pub(crate) fn identify(cluster: &Cluster, token: &str, audiences: &[String]) -> Outcome {
    let mut claims = match cluster.tokens.claims(token) {
        Ok(Some(claims)) => claims,
        Ok(None) => return Outcome::Skipped,
        Err(reason) => return Outcome::Rejected(reason),
    };
    let old = claims["iss"] == legacy::ISSUER;
    if let Some(one) = claims["aud"].as_str().map(str::to_owned) {
        claims["aud"] = json!([one]);
    }
    let raw = claims.clone();
    let claims: Claims = match serde_json::from_value(claims) {
        Ok(claims) => claims,
        Err(error) => return Outcome::Rejected(error.to_string()),
    };
    let meant = if claims.aud.is_empty() {
        cluster.tokens.audiences()
    } else {
        &claims.aud
    };
    let agreed: Vec<String> = meant
        .iter()
        .filter(|one| audiences.contains(one))
        .cloned()
        .collect();
    if agreed.is_empty() {
        let list = |all: &[String]| authlab_rbac::quote_list(all);
        let (meant, audiences) = (list(meant), list(audiences));
        return Outcome::Rejected(format!(
            "token audiences {meant} is invalid for the target audiences {audiences}"
        ));
    }
    if old {
        return match legacy::identify(cluster, token, &raw) {
            Outcome::Accepted(user, _) => Outcome::Accepted(user, agreed),
            other => other,
        };
    }
    match check(cluster, &claims) {
        Ok(user) => Outcome::Accepted(user, agreed),
        Err(reason) => Outcome::Rejected(reason),
    }
}

fn check(cluster: &Cluster, claims: &Claims) -> Result<UserInfo, String> {
    let now = Utc::now().timestamp();
    if claims.nbf.is_some_and(|nbf| now + LEEWAY < nbf) {
        return Err("service account token is not valid yet".to_owned());
    }
    if claims.exp.is_some_and(|exp| now - LEEWAY > exp) {
        return Err("service account token has expired".to_owned());
    }
    if claims.iat.is_some_and(|iat| now + LEEWAY < iat) {
        return Err("service account token is issued in the future".to_owned());
    }
    let bound = &claims.kubernetes;
    let Reference { name, uid } = &bound.serviceaccount;
    let accounts = resources::service_accounts::accounts();
    let account = cluster
        .store
        .get(accounts, &bound.namespace, name)
        .ok_or_else(|| format!("serviceaccounts {name:?} not found"))?;
    if account.uid() != uid {
        let current = account.uid();
        return Err(format!(
            "service account UID ({current}) does not match claim ({uid})"
        ));
    }
    let secrets = resources::of::<k8s_openapi::api::core::v1::Secret>();
    let pods = resources::of::<k8s_openapi::api::core::v1::Pod>();
    exists(
        cluster,
        secrets,
        &bound.namespace,
        bound.secret.as_ref(),
        "secret",
        "service account secret",
    )?;
    exists(
        cluster,
        pods,
        &bound.namespace,
        bound.pod.as_ref(),
        "pod",
        "service account pod",
    )?;
    let nodes = resources::of::<k8s_openapi::api::core::v1::Node>();
    if bound.pod.is_none() {
        let node = bound.node.as_ref().filter(|node| !node.uid.is_empty());
        exists(cluster, nodes, "", node, "node", "service account node")?;
    }
    let mut user = UserInfo {
        username: username(&bound.namespace, name),
        uid: uid.clone(),
        groups: groups(&bound.namespace),
        ..UserInfo::default()
    };
    let mut extra = |key: &str, value: &str| {
        if !value.is_empty() {
            user.extra.insert(
                format!("authentication.kubernetes.io/{key}"),
                vec![value.to_owned()],
            );
        }
    };
    if let Some(pod) = &bound.pod {
        extra("pod-name", &pod.name);
        extra("pod-uid", &pod.uid);
    }
    if let Some(node) = &bound.node {
        extra("node-name", &node.name);
        extra("node-uid", &node.uid);
    }
    if !claims.jti.is_empty() {
        user.extra.insert(
            CREDENTIAL_ID.to_owned(),
            vec![format!("JTI={}", claims.jti)],
        );
    }
    Ok(user)
}

/// Whether the object a token is bound to is still the same one.
fn exists(
    cluster: &Cluster,
    resource: &Resource,
    namespace: &str,
    bound: Option<&Reference>,
    what: &str,
    claim: &str,
) -> Result<(), String> {
    let Some(bound) = bound else { return Ok(()) };
    let Some(object) = cluster.store.get(resource, namespace, &bound.name) else {
        return Err("service account token has been invalidated".to_owned());
    };
    if object.uid() == bound.uid {
        return Ok(());
    }
    let (current, uid) = (object.uid(), &bound.uid);
    Err(format!(
        "{what} UID ({current}) does not match {claim} ref claim ({uid})"
    ))
}
