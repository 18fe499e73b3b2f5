//! A Dex to talk to, ours or the real one, with the same configuration.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use authlab_idp::dex::Dex;
use authlab_pki::{Authority, Certificate, KeyPool, http};
use regex::Regex;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStderr, Command},
};

/// A running server.
pub struct Bench {
    /// The issuer's URL.
    pub issuer: String,
    /// Trusts the server, keeps cookies, follows no redirects.
    pub client: reqwest::Client,
    /// Ours, unless it is the real one.
    pub dex: Option<Dex>,
    /// The issuer of a provider behind this one, which the browser opens too.
    pub upstream: Option<String>,
    /// What the real one has logged.
    log: Arc<Mutex<Vec<String>>>,
    _real: Option<Child>,
    _dir: TempDir,
}

/// The real Dex's binary; without one, says that `test` is skipped.
pub fn real_dex(test: &str) -> Option<PathBuf> {
    let binary = std::env::var_os("AUTHLAB_REAL_DEX").map(PathBuf::from);
    if binary.is_none() {
        #[expect(clippy::print_stderr, reason = "a skipped test says so")]
        {
            eprintln!("{test}: skipped, AUTHLAB_REAL_DEX does not name a Dex binary");
        }
    }
    binary
}

/// The configuration of most tests; `ISSUER`, `ADDRESS`, `DIR` and `STORAGE` are filled in.
pub const CONFIG: &str = include_str!("config.yaml");

impl Bench {
    /// Ours, with [`CONFIG`].
    pub async fn embedded() -> Self {
        Self::embedded_with(CONFIG).await
    }

    /// Ours, with another configuration.
    pub async fn embedded_with(config: &str) -> Self {
        Self::embedded_at(TcpListener::bind("127.0.0.1:0").unwrap(), config).await
    }

    /// Ours, at an address that is known before.
    pub async fn embedded_at(listener: TcpListener, config: &str) -> Self {
        let (mut bench, config) =
            Self::prepare(&listener.local_addr().unwrap().to_string(), config, MEMORY);
        bench.dex = Some(Dex::start(listener, &config, keys()).await.unwrap());
        bench
    }

    /// The real one, with [`CONFIG`].
    pub async fn real(binary: &Path) -> Self {
        Self::real_with(binary, CONFIG, MEMORY).await
    }

    /// The real one, with another configuration and storage.
    pub async fn real_with(binary: &Path, config: &str, storage: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::real_at(listener, binary, config, storage).await
    }

    /// The real one, at the address of a socket that is closed for it.
    pub async fn real_at(
        listener: TcpListener,
        binary: &Path,
        config: &str,
        storage: &str,
    ) -> Self {
        let address = listener.local_addr().unwrap().to_string();
        drop(listener);
        let (mut bench, config) = Self::prepare(&address, config, storage);
        let (real, mut lines) = serve(binary, bench._dir.path(), &config);
        loop {
            let line = lines
                .next_line()
                .await
                .unwrap()
                .expect("the real Dex serves");
            if line.contains("listening on") && line.contains("server=https") {
                break;
            }
            bench.log.lock().unwrap().push(line);
        }
        // Its log has to go somewhere for as long as it runs.
        let log = Arc::clone(&bench.log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                log.lock().unwrap().push(line);
            }
        });
        // It listens a little later than it says.
        listening(&address).await;
        bench._real = Some(real);
        bench
    }

    fn prepare(address: &str, config: &str, storage: &str) -> (Self, String) {
        let dir = tempfile::tempdir().unwrap();
        let authority = authority();
        let certificate = certificate();
        std::fs::write(dir.path().join("ca.pem"), authority.certificate_pem()).unwrap();
        std::fs::write(dir.path().join("cert.pem"), &certificate.pem).unwrap();
        std::fs::write(
            dir.path().join("key.pem"),
            certificate.key_pem.expose_secret(),
        )
        .unwrap();
        let issuer = format!("https://{address}/dex");
        let config = config
            .replace("STORAGE", storage)
            .replace("ISSUER", &issuer)
            .replace("ADDRESS", address)
            .replace("DIR", dir.path().to_str().unwrap());
        let client = http::builder(authority.certificate_pem())
            .unwrap()
            .redirect(reqwest::redirect::Policy::none())
            .cookie_store(true)
            .build()
            .unwrap();
        let bench = Self {
            issuer,
            client,
            dex: None,
            upstream: None,
            log: Arc::default(),
            _real: None,
            _dir: dir,
        };
        (bench, config)
    }

    /// The URL of an endpoint.
    pub fn url(&self, endpoint: &str) -> String {
        format!("{}{endpoint}", self.issuer)
    }

    /// The configuration with its placeholders filled in for this bench.
    pub fn fill(&self, config: &str) -> String {
        let address = self.issuer.trim_start_matches("https://");
        let address = address.trim_end_matches("/dex");
        config
            .replace("STORAGE", MEMORY)
            .replace("ISSUER", &self.issuer)
            .replace("ADDRESS", address)
            .replace("DIR", self._dir.path().to_str().unwrap())
    }

    /// The errors in the log so far, as `msg: err`.
    pub async fn errors(&self) -> Vec<String> {
        if let Some(dex) = &self.dex {
            return dex.log();
        }
        // What the real one logs comes through a pipe: its end is known by a line that is asked for.
        self.token(&[("grant_type", "the-last-one")]).await;
        let complete = async {
            while !self
                .log
                .lock()
                .unwrap()
                .iter()
                .any(|line| line.contains("the-last-one"))
            {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), complete)
            .await
            .unwrap();
        let log = self.log.lock().unwrap();
        log.iter().filter_map(|line| logged_error(line)).collect()
    }

    /// What an endpoint shows to everybody, as JSON.
    pub async fn get(&self, endpoint: &str) -> Value {
        let response = self.client.get(self.url(endpoint)).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// The answer to a form sent to an endpoint, as JSON.
    pub async fn post(&self, endpoint: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let request = self.client.post(self.url(endpoint)).form(form);
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The answer to a form sent to the token endpoint.
    pub async fn token(&self, form: &[(&str, &str)]) -> (u16, Value) {
        self.post("/token", form).await
    }

    /// The status with which the userinfo endpoint answers to a token.
    pub async fn userinfo(&self, token: &Value) -> u16 {
        let request = self.client.get(self.url("/userinfo"));
        let request = request.bearer_auth(token.as_str().unwrap());
        request.send().await.unwrap().status().as_u16()
    }

    /// Tokens for jane by her password, as the client `app`.
    pub async fn password(&self, scope: &str) -> Value {
        let (status, tokens) = self.token(&password_form(scope)).await;
        assert_eq!(status, 200, "{tokens}");
        tokens
    }
}

/// The message and the reason of a line of the real one's log that has both.
fn logged_error(line: &str) -> Option<String> {
    static ERROR: LazyLock<Regex> = LazyLock::new(|| {
        let value = r#"("(?:[^"\\]|\\.)*"|\S*)"#;
        Regex::new(&format!(
            r"level=ERROR msg={value} (?:.*?\berr={value}|connector_id={value}.*)"
        ))
        .unwrap()
    });
    let found = ERROR.captures(line)?;
    let reason = found.get(2).or(found.get(3))?.as_str();
    let text = |part: &str| serde_json::from_str(part).unwrap_or_else(|_| part.to_owned());
    Some(format!("{}: {}", text(&found[1]), text(reason)))
}

/// The real Dex with a file `config.yaml` in `folder`, and what it logs.
pub fn serve(binary: &Path, folder: &Path, config: &str) -> (Child, Lines<BufReader<ChildStderr>>) {
    std::fs::write(folder.join("config.yaml"), config).unwrap();
    let mut dex = Command::new(binary)
        .args(["serve", "config.yaml"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let log = BufReader::new(dex.stderr.take().unwrap());
    (dex, log.lines())
}

/// One authority for all tests of the process.
pub fn authority() -> &'static Authority {
    static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| Authority::generate("test").unwrap());
    &AUTHORITY
}

/// A certificate for this machine.
pub fn certificate() -> Certificate {
    authority().server_certificate(&["127.0.0.1"]).unwrap()
}

/// Waits until somebody listens at the address.
///
/// # Panics
/// When nobody does within 20 seconds.
pub async fn listening(address: &str) {
    let connected = async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(20), connected).await;
    outcome.unwrap_or_else(|_| panic!("nobody listens at {address}"));
}

/// jane's password, sent by the client `app`.
pub fn password_form(scope: &str) -> [(&str, &str); 6] {
    [
        ("grant_type", "password"),
        ("client_id", "app"),
        ("client_secret", "app-secret"),
        ("username", "jane@example.com"),
        ("password", "password"),
        ("scope", scope),
    ]
}

/// The redemption of a code by the client `cli`, which has no secret.
pub fn code_form(code: &str) -> [(&str, &str); 4] {
    [
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", code),
        ("redirect_uri", "http://localhost:1"),
    ]
}

pub const MEMORY: &str = "{type: memory}";

/// One pool for all tests of the process: RSA keys are slow to make.
pub fn keys() -> KeyPool {
    static KEYS: LazyLock<KeyPool> = LazyLock::new(KeyPool::ephemeral);
    KEYS.clone()
}
