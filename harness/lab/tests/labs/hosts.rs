//! Lab hosts within a process, and clients of theirs that behave badly.

use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use authlab_lab::checkout::Checkout;
use authlab_lab::control::{self, ControlError, Request, Response};
use authlab_lab::folder::{self, Folder, HOST_LOCK};
use authlab_lab::host::Host;
use authlab_lab::plan::Plan;
use authlab_lab::socket;
use authlab_lab::state::{BackendKind, STATE_FILE, State};
use authlab_lab::wait::{Look, until};
use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::root::{self, DEX};

const BOUND: Duration = Duration::from_secs(10);

/// A checkout with one lab, `plain`.
fn root() -> (TempDir, Checkout) {
    root::root(&[("labs/plain.yaml", "description: an API server\n")])
}

async fn start(checkout: &Checkout) -> Host {
    let plan = Plan::load(checkout.root(), "plain").unwrap();
    Host::start(checkout, BackendKind::Embedded, plan, "plain")
        .await
        .unwrap()
}

/// What the host answers to these bytes, after which the client says no more.
async fn answer(host: &Host, bytes: &[u8]) -> String {
    let mut stream = socket::connect(&host.state().socket).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    said
}

#[tokio::test]
async fn a_client_that_talks_nonsense_is_told_so_and_harms_nobody() {
    let (_root, checkout) = root();
    let host = start(&checkout).await;
    for nonsense in [
        &b"hello\n"[..],
        b"{}\n",
        b"{\"shutdow\":null}\n",
        b"",
        b"\n",
        b"{\"auditLog\"",
    ] {
        let said = answer(&host, nonsense).await;
        assert!(said.contains("not a request of this version"), "{said}");
    }
    assert!(answer(&host, b"\xff\xfe\n").await.is_empty());
    // Somebody who connects and says nothing, at the end too.
    let silent = socket::connect(&host.state().socket).await.unwrap();
    let log = control::call(&host.state().socket, &Request::AuditLog { cluster: None }).await;
    assert!(matches!(log, Ok(Response::AuditLog { .. })), "{log:?}");
    tokio::time::timeout(BOUND, host.stop()).await.unwrap();
    drop(silent);
}

#[tokio::test]
async fn who_asks_for_the_end_of_a_lab_is_answered_before_it() {
    let (_root, checkout) = root();
    let host = start(&checkout).await;
    let socket = host.state().socket.clone();
    let done = control::call(&socket, &Request::Shutdown).await;
    assert!(matches!(done, Ok(Response::Done)), "{done:?}");
    // Everybody hears of it, however often they ask.
    for _ in 0..2 {
        let over = tokio::time::timeout(BOUND, host.over()).await.unwrap();
        assert!(over.is_none());
    }
    host.stop().await;
    let gone = control::call(&socket, &Request::AuditLog { cluster: None }).await;
    assert!(
        matches!(gone, Err(ControlError::Unreachable { .. })),
        "{gone:?}"
    );
}

#[tokio::test]
async fn a_host_that_is_dropped_leaves_nothing() {
    let (_root, checkout) = root();
    let host = start(&checkout).await;
    let address = host
        .state()
        .api_server
        .url
        .strip_prefix("https://")
        .unwrap()
        .to_owned();
    assert!(TcpStream::connect(&address).is_ok());
    let folder = host.folder().to_owned();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    for file in [STATE_FILE, HOST_LOCK, "kubeconfig"] {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    drop(host);
    assert!(!folder.exists());
    until("the API server is gone", BOUND, || {
        std::future::ready(match TcpStream::connect(&address) {
            Ok(_) => Look::NotYet("it answers".to_owned()),
            Err(_) => Look::Ready(()),
        })
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_lab_of_the_same_id_is_refused_while_the_first_one_lives() {
    let (_root, checkout) = root();
    let host = start(&checkout).await;
    let plan = Plan::load(checkout.root(), "plain").unwrap();
    let second = Host::start(&checkout, BackendKind::Embedded, plan, "plain").await;
    let refused = second.err().unwrap().to_string();
    insta::assert_snapshot!(refused, @"a lab `plain` runs already");
    assert!(State::read(&host.folder().join(STATE_FILE)).is_ok());
    host.stop().await;
    start(&checkout).await.stop().await;
}

#[tokio::test]
async fn a_folder_has_one_owner_and_what_a_dead_one_left_goes() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("labs/one");
    let first = Folder::occupy(&path).await.unwrap().unwrap();
    std::fs::create_dir_all(path.join("logs")).unwrap();
    std::fs::write(path.join("state.json"), "{}").unwrap();
    assert!(folder::owned(&path));
    assert!(Folder::occupy(&path).await.unwrap().is_none());
    assert!(!folder::reap(&path).await.unwrap());

    // As if its owner had been killed.
    first.leave();
    assert!(!folder::owned(&path));
    let second = Folder::occupy(&path).await.unwrap().unwrap();
    let left: Vec<_> = std::fs::read_dir(&path).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");

    second.leave();
    assert!(folder::reap(&path).await.unwrap());
    assert!(!path.exists());
    assert!(!folder::reap(&path).await.unwrap());
    assert!(!folder::owned(&path));
}

/// A lab with every kind of thing that can be changed: a Dex, a forge, two API servers.
async fn changeable() -> (TempDir, Host) {
    let (root, checkout) = root();
    let fixtures = root.path().join("fixtures");
    let lab = "description: all that changes\n\
        identityProviders: {dex: {kind: dex, config: dex.yaml}, forge: {kind: forge}}\n\
        apiServers: {other: {authentication: forge.yaml}}\n";
    let trust = r#"{"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration", "jwt": [{
        "issuer": {"url": "${lab.idp.forge.issuer}", "audiences": ["kube"], "certificateAuthority": "${lab.ca}"},
        "claimMappings": {"username": {"claim": "sub", "prefix": ""}}}]}"#;
    std::fs::write(fixtures.join("labs/all.yaml"), lab).unwrap();
    std::fs::write(fixtures.join("dex.yaml"), DEX).unwrap();
    std::fs::write(fixtures.join("forge.yaml"), trust).unwrap();
    let plan = Plan::load(checkout.root(), "all").unwrap();
    let host = Host::start(&checkout, BackendKind::Embedded, plan, "all");
    (root, host.await.unwrap())
}

async fn ask(host: &Host, request: serde_json::Value) -> String {
    let request: Request = serde_json::from_value(request).unwrap();
    match control::call(&host.state().socket, &request).await {
        Ok(Response::Done) => "done".to_owned(),
        Ok(Response::InForce) => "in force".to_owned(),
        Ok(Response::Refused { message }) => format!("refused: {message}"),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

fn listens(host: &Host, provider: &str) -> bool {
    let address = &host.state().values[&format!("lab.idp.{provider}.listen")];
    TcpStream::connect(address).is_ok()
}

#[tokio::test]
async fn what_was_done_to_providers_is_undone() {
    let (_root, host) = changeable().await;
    for provider in ["dex", "forge"] {
        let down = json!({"fault": {"provider": provider, "fault": "down"}});
        assert_eq!(ask(&host, down.clone()).await, "done");
        assert!(!listens(&host, provider));
        let mend = json!({"fault": {"provider": provider, "fault": null}});
        assert_eq!(ask(&host, mend).await, "done");
        assert!(listens(&host, provider));
        assert_eq!(ask(&host, down).await, "done");
    }
    assert_eq!(ask(&host, json!("restore")).await, "in force");
    assert!(listens(&host, "dex") && listens(&host, "forge"));

    let issuer = &host.state().identity_providers["forge"].issuer;
    let http = authlab_pki::http::client(&host.state().certificate_authority).unwrap();
    let keys = async || {
        let answer = http.get(format!("{issuer}/keys")).send().await.unwrap();
        answer.json::<serde_json::Value>().await.unwrap()["keys"].clone()
    };
    let before = keys().await;
    let rotate = json!({"rotateKeys": {"provider": "forge"}});
    assert_eq!(ask(&host, rotate).await, "done");
    assert_eq!(keys().await.as_array().unwrap().len(), 4);
    assert_eq!(ask(&host, json!("restore")).await, "in force");
    assert_eq!(keys().await, before);

    let dex = &host.state().identity_providers["dex"].issuer;
    let grants = async || {
        let url = format!("{dex}/.well-known/openid-configuration");
        let answer = http.get(url).send().await.unwrap();
        answer.json::<serde_json::Value>().await.unwrap()["grant_types_supported"].clone()
    };
    let config = |text: &str| json!({"configureProvider": {"provider": "dex", "config": {"name": "new.yaml", "text": text}}});
    let without = format!("{DEX}oauth2: {{grantTypes: [authorization_code]}}\n");
    let before = grants().await;
    assert_eq!(ask(&host, config(&without)).await, "in force");
    assert_ne!(grants().await, before);
    assert_eq!(ask(&host, json!("restore")).await, "in force");
    assert_eq!(grants().await, before);
    host.stop().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_words() {
    let (_root, host) = changeable().await;
    let config = |provider: &str, text: &str| json!({"configureProvider": {"provider": provider, "config": {"name": "new.yaml", "text": text}}});
    let mut said = Vec::new();
    for request in [
        json!({"rotateKeys": {"provider": "keycloak"}}),
        json!({"fault": {"provider": "keycloak", "fault": "down"}}),
        json!({"fault": {"provider": "dex", "fault": {"discovery": "slow"}}}),
        json!({"fault": {"provider": "dex", "fault": {"tls": "expired"}}}),
        config("forge", ""),
        config("dex", "issuer: ${lab.idp.dx.issuer}"),
        config("dex", "issuer: https://dex"),
        json!({"fault": {"provider": "dex", "fault": "down"}}),
        config("dex", DEX),
        json!({"configure": {"authentication": {}, "by": "auto", "cluster": "third"}}),
        json!({"auditLog": {"cluster": "third"}}),
    ] {
        said.push(ask(&host, request).await);
    }
    insta::assert_snapshot!(said.join("\n"));
    host.stop().await;
}

#[tokio::test]
async fn what_is_in_force_can_be_asked() {
    let (_root, host) = changeable().await;
    let told = async |cluster: &str| {
        let request = Request::Authentication {
            cluster: Some(cluster.to_owned()),
        };
        match control::call(&host.state().socket, &request).await {
            Ok(Response::Authentication {
                authentication,
                file,
            }) => {
                let names = [authentication.config, file].map(|text| text.map(|text| text.name));
                (names, authentication.flags.len())
            }
            other => panic!("{other:?}"),
        }
    };
    let name = |name: &str| Some(name.to_owned());
    let began = (
        [name("fixtures/forge.yaml"), name("fixtures/labs/all.yaml")],
        0,
    );
    assert_eq!(told("other").await, began);
    let change = |by: &str| {
        json!({"configure": {"authentication": {"flags": {
        "oidc-issuer-url": ["https://127.0.0.1:1"], "oidc-client-id": ["kube"]}}, "by": by, "cluster": "other"}})
    };
    assert_eq!(ask(&host, change("auto")).await, "in force");
    assert_eq!(told("other").await, ([None, None], 2));
    assert_eq!(told("default").await.1, 0);
    let refused = json!({"configure": {"authentication": {"flags": {"oidc-client-id": ["kube"]}}, "by": "auto", "cluster": "other"}});
    assert!(ask(&host, refused).await.starts_with("refused"));
    assert_eq!(told("other").await.1, 2);
    assert_eq!(ask(&host, json!("restore")).await, "in force");
    assert_eq!(told("other").await, began);
    host.stop().await;
}

/// What one of them refuses is shown in the file of that one.
#[tokio::test]
async fn a_refusal_of_another_api_server_is_placed_in_its_file() {
    let (root, checkout) = root();
    let fixtures = root.path().join("fixtures");
    let lab = "description: one good, one bad\n\
        apiServer: {authentication: good.yaml}\n\
        apiServers: {east: {authentication: bad.yaml}}\n";
    let kind = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\n";
    let bad = format!(
        "{kind}jwt:\n- issuer: {{url: \"http://a\", audiences: [b]}}\n  claimMappings: {{username: {{claim: sub, prefix: \"\"}}}}\n"
    );
    std::fs::write(fixtures.join("labs/two.yaml"), lab).unwrap();
    std::fs::write(fixtures.join("good.yaml"), kind).unwrap();
    std::fs::write(fixtures.join("bad.yaml"), bad).unwrap();
    let plan = Plan::load(checkout.root(), "two").unwrap();
    let refused = Host::start(&checkout, BackendKind::Embedded, plan, "two").await;
    let refused = format!("{:?}", miette::Report::new(refused.err().unwrap()));
    for part in ["the API server `east` refused", "bad.yaml:4:", "https"] {
        assert!(refused.contains(part), "{refused}");
    }
}

#[tokio::test]
async fn api_servers_of_one_lab_trust_for_themselves() {
    let (_root, host) = changeable().await;
    let token = json!({"token": {"provider": "forge", "token": {"claims": {"sub": "jane", "aud": "kube"}}}});
    let token: Request = serde_json::from_value(token).unwrap();
    let token = match control::call(&host.state().socket, &token).await {
        Ok(Response::Token { token }) => token,
        other => panic!("{other:?}"),
    };
    let state = host.state();
    assert_ne!(state.api_server.url, state.api_servers["other"].url);
    let http = authlab_pki::http::client(&state.certificate_authority).unwrap();
    let enters = async |cluster: Option<&str>| {
        let url = &state.cluster(cluster).unwrap().url;
        let request = http.get(format!("{url}/version"));
        let answer = request.bearer_auth(token.expose_secret()).send();
        answer.await.unwrap().status().as_u16()
    };
    assert_eq!(
        (enters(None).await, enters(Some("other")).await),
        (401, 200)
    );
    let flags = json!({
        "oidc-issuer-url": [state.identity_providers["forge"].issuer], "oidc-client-id": ["kube"],
        "oidc-ca-file": ["${lab.file.ca}"],
    });
    for (cluster, authentication, seen) in [
        ("default", json!({"flags": flags}), (200, 200)),
        ("other", json!({}), (200, 401)),
    ] {
        let change = json!({"configure": {"authentication": authentication, "by": "auto", "cluster": cluster}});
        assert_eq!(ask(&host, change).await, "in force");
        assert_eq!((enters(None).await, enters(Some("other")).await), seen);
    }
    assert_eq!(ask(&host, json!("restore")).await, "in force");
    assert_eq!(
        (enters(None).await, enters(Some("other")).await),
        (401, 200)
    );
    // A kubeconfig each, with the contexts of all.
    for (file, context) in [("kubeconfig", "admin"), ("kubeconfig-other", "admin@other")] {
        let text = std::fs::read_to_string(host.folder().join(file)).unwrap();
        assert!(
            text.contains(&format!("current-context: {context}\n")),
            "{text}"
        );
        assert_eq!(text.matches("- context:").count(), 2, "{text}");
    }
    host.stop().await;
}
