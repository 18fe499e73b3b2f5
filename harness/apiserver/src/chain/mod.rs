//! Who asks: the authenticators in the order of the real API server.
//!
//! Front proxy, client certificate, then bearer token (service accounts before issuers of the authentication
//! configuration), then anonymous. The first success wins; a bad bearer token is never anonymous.

use std::time::Instant;

use authlab_pki::tls::ClientAuthority;
use http::{HeaderMap, header};
use rustls_pki_types::CertificateDer;

pub(crate) mod certificate;
pub(crate) mod configuration;
pub(crate) mod front_proxy;
pub(crate) mod impersonation;
pub(crate) mod legacy;
pub(crate) mod service_account;

use crate::cluster::Cluster;
use authlab_authn::{UserInfo, oidc};
use configuration::Configuration;

const INVALID: &str = "invalid bearer token";
pub(crate) const ANONYMOUS: &str = "system:anonymous";
pub(crate) const AUTHENTICATED: &str = "system:authenticated";
pub(crate) const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The extra attribute that names the credential itself (Kubernetes docs, "Authenticating").
pub(crate) const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// One authenticator's answer.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The user, and the audiences that the credential was accepted for.
    Accepted(UserInfo, Vec<String>),
    /// Its own kind of credential, but a bad one: the reason, as TokenReview shows it.
    Rejected(String),
    /// Not its kind of credential.
    Skipped,
}

/// Why a request has no user; the client only ever learns `Unauthorized`.
#[derive(Debug)]
pub(crate) enum Unauthenticated {
    NoCredentials,
    /// For logs only.
    Refused(String),
}

/// The authenticators that configuration decides.
pub(crate) struct Chain {
    pub(crate) clients: ClientAuthority,
    pub(crate) front_proxy: Option<front_proxy::Trusted>,
    pub(crate) configuration: Configuration,
}

impl Chain {
    /// The same with another authentication configuration.
    pub(crate) fn with(&self, configuration: Configuration) -> Self {
        Self {
            clients: self.clients.clone(),
            front_proxy: self.front_proxy.clone(),
            configuration,
        }
    }

    /// Identifies the sender of a request.
    pub(crate) async fn authenticate(
        &self,
        cluster: &Cluster,
        certificates: &[CertificateDer<'_>],
        headers: &HeaderMap,
        path: &str,
    ) -> Result<UserInfo, Unauthenticated> {
        let mut reasons = Vec::new();
        if let Some(proxy) = &self.front_proxy {
            match proxy.identify(certificates, headers) {
                Outcome::Accepted(user, _) => return Ok(with_authenticated(user)),
                Outcome::Rejected(reason) => reasons.push(reason),
                Outcome::Skipped => {}
            }
        }
        match certificate::identify(&self.clients, certificates) {
            Outcome::Accepted(user, _) => return Ok(with_authenticated(user)),
            Outcome::Rejected(reason) => reasons.push(reason),
            Outcome::Skipped => {}
        }
        if let Some(token) = bearer(headers) {
            match self
                .token(cluster, &token, cluster.tokens.audiences())
                .await
            {
                Outcome::Accepted(user, _) => return Ok(user),
                Outcome::Rejected(reason) => reasons.push(reason),
                Outcome::Skipped => {}
            }
        }
        if !reasons.is_empty() {
            return Err(Unauthenticated::Refused(aggregate(reasons)));
        }
        if !self.configuration.parsed.anonymous_for(path) {
            return Err(Unauthenticated::NoCredentials);
        }
        Ok(anonymous())
    }

    /// Identifies the bearer of a token under review. It is read as if it stood in a header: what begins with a space
    /// is no token there, and its bearer nobody in particular.
    pub(crate) async fn review(
        &self,
        cluster: &Cluster,
        token: &str,
        audiences: &[String],
    ) -> Outcome {
        match token_of(&format!("Bearer {token}")) {
            Some(token) => self.token(cluster, &token, audiences).await,
            None if self.configuration.parsed.anonymous_for("") => {
                Outcome::Accepted(anonymous(), Vec::new())
            }
            None => Outcome::Skipped,
        }
    }

    /// Identifies the bearer of a token meant for one of `audiences`; never skipped.
    async fn token(&self, cluster: &Cluster, token: &str, audiences: &[String]) -> Outcome {
        let cached = cluster.successes.begin(token, audiences, &cluster.metrics);
        let mut outcome = service_account::identify(cluster, token, audiences);
        if matches!(outcome, Outcome::Skipped) {
            outcome = self.issuers(cluster, token, audiences, cached).await;
        }
        cluster
            .successes
            .end(token, audiences, &outcome, cached, &cluster.metrics);
        match outcome {
            Outcome::Accepted(user, audiences) => {
                Outcome::Accepted(with_authenticated(user), audiences)
            }
            // The real server puts the general verdict before the particular one.
            Outcome::Rejected(reason) => Outcome::Rejected(format!("[{INVALID}, {reason}]")),
            Outcome::Skipped => Outcome::Rejected(INVALID.to_owned()),
        }
    }

    /// Asks the issuers of the configuration, whose tokens are for this API server only.
    async fn issuers(
        &self,
        cluster: &Cluster,
        token: &str,
        audiences: &[String],
        cached: bool,
    ) -> Outcome {
        let own = cluster.tokens.audiences().iter();
        let agreed: Vec<String> = own.filter(|one| audiences.contains(one)).cloned().collect();
        if agreed.is_empty() {
            return Outcome::Skipped;
        }
        let begun = Instant::now();
        let found = self.configuration.issuers.authenticate(token).await;
        if !cached && !matches!(found, oidc::Outcome::Skipped) {
            let ok = matches!(found, oidc::Outcome::Authenticated(_));
            cluster.metrics.token_checked(token, ok, begun.elapsed());
        }
        match found {
            oidc::Outcome::Authenticated(user) => Outcome::Accepted(user, agreed),
            oidc::Outcome::Rejected(reason) => Outcome::Rejected(reason),
            oidc::Outcome::Skipped => Outcome::Skipped,
        }
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750 section 2.1). Bytes that are no text make a token, too, and
/// a bad one.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?;
    token_of(&String::from_utf8_lossy(value.as_bytes()))
}

/// The token of such a header's value: it ends at the next space, and behind two spaces there is none.
fn token_of(value: &str) -> Option<String> {
    let mut parts = value.trim().splitn(3, ' ');
    let scheme = parts.next()?;
    let token = parts.next()?;
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

fn anonymous() -> UserInfo {
    UserInfo {
        username: ANONYMOUS.to_owned(),
        groups: vec![UNAUTHENTICATED.to_owned()],
        ..UserInfo::default()
    }
}

/// Adds `system:authenticated`, unless the user is anonymous or a group already says which it is.
fn with_authenticated(mut user: UserInfo) -> UserInfo {
    let decided = |group: &String| group == AUTHENTICATED || group == UNAUTHENTICATED;
    if user.username != ANONYMOUS && !user.groups.iter().any(decided) {
        user.groups.push(AUTHENTICATED.to_owned());
    }
    user
}

/// Several errors as one text: repeated ones once, more than one in brackets.
fn aggregate(mut reasons: Vec<String>) -> String {
    let mut seen = std::collections::HashSet::new();
    reasons.retain(|reason| seen.insert(reason.clone()));
    if reasons.len() == 1 {
        reasons.remove(0)
    } else {
        format!("[{}]", reasons.join(", "))
    }
}
