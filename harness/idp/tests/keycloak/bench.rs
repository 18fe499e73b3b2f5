//! A Keycloak to talk to, ours or the real one, with the same realms.

use std::net::TcpListener;

use authlab_idp::keycloak::Keycloak;
use authlab_pki::{Authority, KeyPool, http};
use reqwest::{RequestBuilder, Response};

use crate::transcript::Transcript;

/// The realm of most tests.
pub const LAB: &str = include_str!("realm.json");
/// A realm that says little, so that Keycloak's defaults show; its refresh tokens are used up.
pub const PLAIN: &str = include_str!("plain.json");

/// A running realm.
pub struct Bench {
    /// The issuer's URL.
    pub issuer: String,
    /// Trusts the server, keeps cookies, follows no redirects.
    pub client: reqwest::Client,
    /// What was said so far.
    pub transcript: Transcript,
    /// Ours, unless it is the real one.
    pub keycloak: Option<Keycloak>,
}

impl Bench {
    /// Ours.
    pub async fn embedded(realm: &str) -> Self {
        let authority = Authority::generate("test").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tls = authority.server_certificate(&["127.0.0.1"]).unwrap();
        let keycloak = Keycloak::start(listener, tls, realm, keys(), "keycloak")
            .await
            .unwrap();
        let mut bench = Self::new(keycloak.issuer(), authority.certificate_pem());
        bench.keycloak = Some(keycloak);
        bench
    }

    /// The real one; without one, says that `test` is skipped.
    pub fn real(realm: &str, test: &str) -> Option<Self> {
        let address = std::env::var("AUTHLAB_REAL_KEYCLOAK").ok();
        let ca = std::env::var("AUTHLAB_REAL_KEYCLOAK_CA").ok();
        let (Some(address), Some(ca)) = (address, ca) else {
            #[expect(clippy::print_stderr, reason = "a skipped test says so")]
            {
                eprintln!("{test}: skipped, AUTHLAB_REAL_KEYCLOAK does not name a server");
            }
            return None;
        };
        let realm: serde_json::Value = serde_json::from_str(realm).unwrap();
        let issuer = format!("{address}/realms/{}", realm["realm"].as_str().unwrap());
        Some(Self::new(&issuer, &std::fs::read_to_string(ca).unwrap()))
    }

    fn new(issuer: &str, ca: &str) -> Self {
        let client = http::builder(ca)
            .unwrap()
            .redirect(reqwest::redirect::Policy::none())
            .cookie_store(true)
            .build()
            .unwrap();
        Self {
            issuer: issuer.to_owned(),
            client,
            transcript: Transcript::new(issuer),
            keycloak: None,
        }
    }

    /// The URL of a protocol endpoint.
    pub fn url(&self, endpoint: &str) -> String {
        format!("{}/protocol/openid-connect/{endpoint}", self.issuer)
    }

    /// Forgets cookies: another browser.
    pub async fn send(&mut self, title: &str, request: RequestBuilder) -> (Option<String>, String) {
        let response: Response = request.send().await.unwrap();
        self.transcript.note(title, response).await
    }

    /// Sends a form to an endpoint, writes the answer down and gives it as JSON.
    pub async fn post(
        &mut self,
        title: &str,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> serde_json::Value {
        let request = self.client.post(self.url(endpoint)).form(form);
        let (_, body) = self.send(title, request).await;
        serde_json::from_str(&body).unwrap_or_default()
    }

    /// A password login of a public client.
    pub async fn password(
        &mut self,
        title: &str,
        client: &str,
        user: &str,
        scope: &str,
    ) -> serde_json::Value {
        let password = if user == "bob" { "secret" } else { "password" };
        let form = [
            ("grant_type", "password"),
            ("client_id", client),
            ("username", user),
            ("password", password),
            ("scope", scope),
        ];
        self.post(title, "token", &form).await
    }
}

/// One pool for all tests of the process: RSA keys are slow to make.
pub fn keys() -> KeyPool {
    static KEYS: std::sync::LazyLock<KeyPool> = std::sync::LazyLock::new(KeyPool::ephemeral);
    KEYS.clone()
}

/// Two tests of one conversation: ours and the real one must both say what the snapshot says.
macro_rules! conversation {
    ($ours:ident, $real:ident, $realm:expr, $converse:path) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $ours() {
            let mut bench = crate::bench::Bench::embedded($realm).await;
            $converse(&mut bench).await;
            insta::assert_snapshot!(stringify!($ours), bench.transcript.finish());
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $real() {
            let Some(mut bench) = crate::bench::Bench::real($realm, stringify!($real)) else {
                return;
            };
            $converse(&mut bench).await;
            insta::assert_snapshot!(stringify!($ours), bench.transcript.finish());
        }
    };
}
pub(crate) use conversation;
