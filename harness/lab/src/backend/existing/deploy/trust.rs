//! Whether the cluster's API server takes the tokens of an issuer.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::backend::LabError;
use crate::backend::existing::cluster::Cluster;
use crate::backend::existing::error::chain;
use crate::wait::{Look, until};

/// How long an API server may take to find an issuer: it looks every 10 s.
const FOUND: Duration = Duration::from_secs(60);

/// Waits until the API server has found the issuer that it was told to trust.
///
/// A token that nobody has signed tells: only the authenticator of its issuer has something to say
/// of it, and says whether it could look at the issuer's keys.
///
/// # Errors
/// When the cluster trusts no such issuer, or does not come to reach it; both in its own words.
pub(super) async fn established(
    cluster: &Cluster,
    provider: &str,
    issuer: &str,
) -> Result<(), LabError> {
    let what = format!("the cluster to reach the issuer {issuer}, which it trusts");
    let waited = until(&what, FOUND, || async {
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
            "spec": { "token": token(issuer) },
        });
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let said = match cluster.does("POST", path, Some(&review)).await {
            Ok(answer) => answer["status"]["error"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            Err(error) => return Look::NotYet(chain(&error)),
        };
        match verdict(&said) {
            Verdict::Trusted => Look::Ready(true),
            Verdict::Unknown => Look::Ready(false),
            Verdict::NotYet => Look::NotYet(said),
        }
    });
    match waited.await? {
        true => Ok(()),
        false => Err(LabError::Missing {
            what: format!(
                "the lab file says that the cluster trusts `{provider}` at {issuer}, and the cluster \
                 does not"
            ),
            help: "its API server wants an AuthenticationConfiguration whose `issuer.url` is that \
                   very text and whose `certificateAuthority` is that of this checkout, \
                   `.authlab/pki/ca.pem`; or leave `trusts` out, and what needs it is ignored"
                .to_owned(),
        }),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Trusted,
    NotYet,
    Unknown,
}

/// What the words of a review mean. Source: `k8s.io/apiserver`, its OIDC authenticator, whose errors
/// all begin with `oidc: `.
fn verdict(said: &str) -> Verdict {
    match said {
        said if !said.contains("oidc: ") => Verdict::Unknown,
        said if said.contains("not initialized") || said.contains("fetching keys") => {
            Verdict::NotYet
        }
        _ => Verdict::Trusted,
    }
}

/// Another one each time, since an API server may remember what it said of one.
fn token(issuer: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "nobody's" });
    let claims = json!({ "iss": issuer, "aud": "nobody", "sub": "nobody", "jti": number });
    let part = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!(
        "{}.{}.{}",
        part(header.to_string()),
        part(claims.to_string()),
        part("nobody".to_owned())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_server_tells_whether_it_knows_an_issuer() {
        for (said, wanted) in [
            ("invalid bearer token", Verdict::Unknown),
            (
                "[invalid bearer token, oidc: authenticator not initialized]",
                Verdict::NotYet,
            ),
            (
                "[invalid bearer token, oidc: verify token: failed to verify signature: fetching \
                 keys oidc: get keys failed: EOF]",
                Verdict::NotYet,
            ),
            (
                "[invalid bearer token, oidc: verify token: oidc: token is expired]",
                Verdict::Trusted,
            ),
        ] {
            assert_eq!(verdict(said), wanted, "{said}");
        }
    }
}
