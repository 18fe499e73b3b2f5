//! A forge at fault, as the API server's authenticator meets it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::{
    net::TcpListener,
    time::{Duration, SystemTime},
};

use authlab_authn::{
    config::{self, AuthenticationConfiguration},
    oidc::{Outcome, TokenAuthenticator},
};
use authlab_idp::{
    fault::Fault,
    forge::{Forge, ForgeError, TokenRequest},
};
use authlab_pki::{Authority, Certificate, KeyPool, Validity, http};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const RETRY: Duration = Duration::from_millis(20);

struct Lab {
    authority: Authority,
    forge: Forge,
}

impl Lab {
    async fn start() -> Self {
        let authority = Authority::generate("lab").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("https://{}", listener.local_addr().unwrap());
        let tls = authority.server_certificate(&["127.0.0.1"]).unwrap();
        let forge = Forge::start(
            listener,
            issuer,
            tls,
            KeyPool::ephemeral(),
            "forge",
            Default::default(),
        );
        Self {
            forge: forge.await.unwrap(),
            authority,
        }
    }

    fn config(&self) -> AuthenticationConfiguration {
        let file = json!({
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
            "jwt": [{
                "issuer": {
                    "url": self.forge.issuer(), "audiences": ["kube"],
                    "certificateAuthority": self.authority.certificate_pem(),
                },
                "claimMappings": {"username": {"claim": "sub", "prefix": ""}},
            }],
        });
        config::load(&file.to_string(), &[]).unwrap()
    }

    /// Fails as the text says; `null` mends.
    async fn fail(&self, fault: Value) {
        let certificate = match fault["tls"].as_str() {
            Some("expired") => {
                let now = SystemTime::now();
                let yesterday = Validity {
                    not_before: now - Duration::from_secs(2 * 24 * 3600),
                    not_after: now - Duration::from_secs(24 * 3600),
                };
                let names = ["127.0.0.1"];
                Some(self.authority.server_certificate_with(&names, yesterday))
            }
            Some(_) => {
                let other = Authority::generate("other").unwrap();
                Some(other.server_certificate(&["127.0.0.1"]))
            }
            None => None,
        };
        let certificate: Option<Certificate> = certificate.transpose().unwrap();
        let fault: Option<Fault> = serde_json::from_value(fault).unwrap();
        self.forge.fail(fault, certificate.as_ref()).await.unwrap();
        assert_eq!(self.forge.fault(), fault);
    }

    fn token(&self) -> String {
        let request = json!({"claims": {"sub": "jane", "aud": "kube"}});
        let request: TokenRequest = serde_json::from_value(request).unwrap();
        let token = self.forge.sign(&request).unwrap();
        token.expose_secret().to_owned()
    }

    /// What stands in the way of an API server that starts now, and what becomes of a token there.
    async fn met(&self) -> String {
        let authenticator = TokenAuthenticator::with_retry(&self.config(), RETRY);
        assert!(
            authenticator
                .attempted(tokio::sync::watch::channel(0).1, SOON)
                .await
        );
        let health = authenticator.health().err();
        let outcome = match authenticator.authenticate(&self.token()).await {
            Outcome::Authenticated(user) => user.username,
            Outcome::Rejected(text) => text,
            Outcome::Skipped => "skipped".to_owned(),
        };
        let text = match health {
            Some(health) => format!("{outcome}\n  {health}"),
            None => outcome,
        };
        let port = self.forge.issuer().rsplit(':').next().unwrap();
        let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[\d:]+Z").unwrap();
        let text = text.replace(port, "PORT");
        time.replace_all(&text, "TIME").into_owned()
    }
}

#[tokio::test]
async fn each_fault_meets_an_api_server_that_starts() {
    let lab = Lab::start().await;
    let mut met = Vec::new();
    for fault in [
        json!({"discovery": {"status": 500}}),
        json!({"discovery": "huge"}),
        json!({"discovery": "wrongIssuer"}),
        json!({"discovery": "redirect"}),
        json!({"jwks": {"status": 503}}),
        json!({"jwks": "empty"}),
        json!({"jwks": "wrongKid"}),
        json!({"tls": "otherAuthority"}),
        json!({"tls": "expired"}),
        json!("down"),
        json!(null),
    ] {
        lab.fail(fault.clone()).await;
        met.push(format!("{fault}: {}", lab.met().await));
    }
    insta::assert_snapshot!(met.join("\n"));
    lab.forge.shutdown().await;
}

/// Neither a connection nor a TLS session of the time before hides a fault.
#[tokio::test]
async fn a_fault_meets_who_was_connected_before() {
    let lab = Lab::start().await;
    let client = http::client(lab.authority.certificate_pem()).unwrap();
    let url = format!("{}/keys", lab.forge.issuer());
    let answers = async || client.get(&url).send().await.is_ok();
    assert!(answers().await);
    for fault in [
        json!({"tls": "expired"}),
        json!("down"),
        json!({"tls": "otherAuthority"}),
    ] {
        lab.fail(fault.clone()).await;
        assert!(!answers().await, "{fault}");
        lab.fail(json!(null)).await;
        assert!(answers().await, "after {fault}");
    }
}

#[tokio::test]
async fn a_slow_answer_comes_when_the_fault_is_mended() {
    let lab = Lab::start().await;
    for slow in ["discovery", "jwks"] {
        lab.fail(json!({slow: "slow"})).await;
        let authenticator = TokenAuthenticator::with_retry(&lab.config(), RETRY);
        let token = lab.token();
        let outcome = async {
            assert!(authenticator.ready(SOON).await);
            authenticator.authenticate(&token).await
        };
        tokio::pin!(outcome);
        let early = tokio::time::timeout(Duration::from_millis(100), &mut outcome).await;
        assert!(early.is_err(), "{early:?}");
        lab.fail(json!(null)).await;
        let outcome = tokio::time::timeout(SOON, outcome).await.unwrap();
        assert!(matches!(outcome, Outcome::Authenticated(_)), "{outcome:?}");
    }
    // Nor does it hold up the end.
    lab.fail(json!({"jwks": "slow"})).await;
    let authenticator = TokenAuthenticator::new(&lab.config());
    assert!(authenticator.ready(SOON).await);
    let token = lab.token();
    let asking = tokio::spawn(async move { authenticator.authenticate(&token).await });
    tokio::time::timeout(Duration::from_secs(2), lab.forge.shutdown())
        .await
        .unwrap();
    asking.await.unwrap();
}

#[tokio::test]
async fn an_authenticator_follows_a_rotation_and_keeps_old_tokens() {
    let lab = Lab::start().await;
    let authenticator = TokenAuthenticator::new(&lab.config());
    assert!(authenticator.ready(SOON).await);
    let accepted = async |token: &str| {
        matches!(
            authenticator.authenticate(token).await,
            Outcome::Authenticated(_)
        )
    };
    let before = lab.token();
    assert!(accepted(&before).await);
    lab.forge.rotate_keys().await.unwrap();
    let after = lab.token();
    assert!(accepted(&after).await, "the new key is found");
    assert!(accepted(&before).await, "the old one still is");
}

#[tokio::test]
async fn a_certificate_goes_with_a_fault_of_tls_only() {
    let lab = Lab::start().await;
    let shown = lab.authority.server_certificate(&["127.0.0.1"]).unwrap();
    let expired = serde_json::from_value(json!({"tls": "expired"})).unwrap();
    for (fault, certificate) in [
        (Some(Fault::Down), Some(&shown)),
        (None, Some(&shown)),
        (Some(expired), None),
    ] {
        let refused = lab.forge.fail(fault, certificate).await.unwrap_err();
        assert!(matches!(refused, ForgeError::Certificate), "{refused}");
    }
}
