//! The canary: a lab whose every secret is known and has been used in every way that leaves traces.
//! None of them is in any file of its bundle, nor in base64.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use authlab_lab::bundle::{self, REDACTED, Subject};
use authlab_lab::checkout::Checkout;
use authlab_lab::host::Host;
use authlab_lab::plan::Plan;
use authlab_lab::state::{BackendKind, State};
use authlab_lab::wait::{Look, until};
use authlab_pki::http;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::{BOUND, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("no_secret_is_in_a_bundle_of_an_embedded_lab", embedded),
        // Builds the real components when they are not.
        trial("no_secret_is_in_a_bundle_of_a_lab_of_processes", process).with_ignored_flag(true),
        // Needs Docker and its images.
        trial("no_secret_is_in_a_bundle_of_a_lab_of_containers", contained).with_ignored_flag(true),
    ]
}

async fn embedded() {
    let root = tempfile::tempdir().unwrap();
    canary(&Checkout::at(root.path()), BackendKind::Embedded).await;
}

async fn process() {
    canary(&Checkout::here(), BackendKind::Process).await;
}

async fn contained() {
    canary(&Checkout::here(), BackendKind::Kind).await;
}

async fn canary(checkout: &Checkout, kind: BackendKind) {
    let plan = Plan::load(Checkout::here().root(), "dex").unwrap();
    let id = format!("canary-{}", std::process::id());
    let host = Host::start(checkout, kind, plan.clone(), &id)
        .await
        .unwrap();
    let state = host.state().clone();
    let mut secrets = leave_traces(&state).await;
    if kind == BackendKind::Kind {
        leave_traces_on_a_node(&state).await;
    }
    secrets.extend(of_files(host.folder(), checkout));
    for known in [
        "jane-password",
        "web-secret",
        "$2b$10$mBdSuAPt2e.K/L26cLCJHeR5l3y6Ae9ofYreS7aEmv",
    ] {
        secrets.push(known.to_owned());
    }

    let begun = Instant::now();
    let subject = Subject {
        folder: host.folder().to_owned(),
        plan: Some(plan),
        why: "a test with jane-password in its name".to_owned(),
    };
    let archive = tempfile::NamedTempFile::new().unwrap();
    let mut gathered = bundle::lab(subject.clone()).await;
    let took = begun.elapsed();
    bundle::kind_export(&mut gathered, &subject).await;
    gathered.write(archive.path(), "a canary").unwrap();
    host.stop().await;

    assert!(took < Duration::from_secs(3), "it took {took:?}");
    let files = unpacked(archive.path());
    let mut expected = vec![
        "README.txt",
        "state.json",
        "config.yaml",
        "audit.log",
        "events.json",
        "clusterrolebindings.json",
        "kubeconfig",
    ];
    match kind {
        BackendKind::Process => {
            expected.extend(["kube-apiserver.log", "etcd.log", "dex.log", "dex.yaml"]);
        }
        BackendKind::Kind => expected.extend([
            "kube-apiserver.log",
            "dex.log",
            "dex.yaml",
            "kubelet.log",
            "journal.log",
        ]),
        _ => {}
    }
    for name in expected {
        let found = files.keys().any(|path| path.ends_with(name));
        assert!(found, "no {name} in {:?}", files.keys());
    }
    // What was planted has been there.
    let events = files.iter().find(|(path, _)| path.ends_with("events.json"));
    assert!(events.is_some_and(|(_, text)| text.contains("planted") && text.contains(REDACTED)));
    let audit: Vec<_> = files
        .iter()
        .filter(|(path, _)| path.ends_with("audit.log"))
        .collect();
    assert_eq!(audit.len(), 1);
    assert!(audit[0].1.contains("access_token=[redacted]"));
    if kind == BackendKind::Kind {
        let kubelet = files.iter().find(|(path, _)| path.ends_with("kubelet.log"));
        assert!(kubelet.is_some_and(|(_, text)| text.contains("planted")));
    }
    for secret in &secrets {
        let bytes = secret.as_bytes();
        let mut forms = vec![secret.clone(), URL_SAFE_NO_PAD.encode(bytes)];
        for skip in 0..3 {
            // Within something longer, at any of three places.
            let text = STANDARD.encode(&bytes[skip..bytes.len() - (bytes.len() - skip) % 3]);
            forms.push(text);
        }
        for (path, text) in &files {
            for form in &forms {
                assert!(!text.contains(form.as_str()), "{path}: {form}\n{text}");
            }
        }
    }
}

/// Uses secrets where programs write down what they are asked; answers with those that came to be.
async fn leave_traces(state: &State) -> Vec<String> {
    let client = http::client(&state.certificate_authority).unwrap();
    let issuer = &state.identity_providers["dex"].issuer;
    let form = [
        ("grant_type", "password"),
        ("username", "jane@example.com"),
        ("password", "jane-password"),
        ("scope", "openid email groups offline_access"),
    ];
    let login = client.post(format!("{issuer}/token")).form(&form);
    let answer = login
        .basic_auth("web", Some("web-secret"))
        .send()
        .await
        .unwrap();
    let answer: Value = answer.json().await.unwrap();
    let mut tokens: Vec<String> = ["id_token", "access_token", "refresh_token"]
        .iter()
        .map(|name| answer[*name].as_str().unwrap().to_owned())
        .collect();
    let query = [
        ("client_secret", "web-secret"),
        ("client_id", "web"),
        ("response_type", "code"),
    ];
    let _ = client
        .get(format!("{issuer}/auth"))
        .query(&query)
        .send()
        .await
        .unwrap();

    let (admin, url) = administrator(state);

    // As somebody whom the API server knows, and in the one place that is in every audit log.
    let token = tokens[0].clone();
    for path in [
        "/api/v1/pods",
        &format!("/api/v1/pods?access_token={token}"),
    ] {
        let request = client.get(format!("{url}{path}"));
        let _ = request.bearer_auth(&token).send().await.unwrap();
    }
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": token },
    });
    let path = "/apis/authentication.k8s.io/v1/tokenreviews";
    let _ = admin
        .post(format!("{url}{path}"))
        .json(&review)
        .send()
        .await
        .unwrap();
    let account = format!("{url}/api/v1/namespaces/default/serviceaccounts/default/token");
    let body =
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    let made: Value = admin
        .post(account)
        .json(&body)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    tokens.extend(made["status"]["token"].as_str().map(str::to_owned));
    let inside = STANDARD.encode(format!("jane@example.com:jane-password:{token}"));
    let event = json!({
        "apiVersion": "v1", "kind": "Event",
        "metadata": { "name": "planted", "namespace": "default" },
        "involvedObject": { "kind": "Namespace", "name": "default", "namespace": "default" },
        "message": format!("planted {token} with jane-password as {inside} and secret=web-secret"),
        "reason": "Planted", "type": "Warning",
    });
    let events = format!("{url}/api/v1/namespaces/default/events");
    let planted = admin.post(events).json(&event).send().await.unwrap();
    assert!(
        planted.status().is_success(),
        "{}",
        planted.text().await.unwrap()
    );
    tokens
}

/// A secret in what a kubelet writes: the name of an image that is nowhere.
async fn leave_traces_on_a_node(state: &State) {
    let (admin, url) = administrator(state);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "planted" },
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "planted", "image": "planted/jane-password:web-secret",
                "imagePullPolicy": "Never",
            }],
        },
    });
    let pods = format!("{url}/api/v1/namespaces/default/pods");
    let planted = admin.post(&pods).json(&pod).send().await.unwrap();
    assert!(planted.status().is_success());
    until("a kubelet without that image", BOUND, || async {
        let pod = admin.get(format!("{pods}/planted")).send().await.unwrap();
        let pod = pod.text().await.unwrap();
        match pod.contains("ErrImageNeverPull") {
            true => Look::Ready(()),
            false => Look::NotYet(pod),
        }
    })
    .await
    .unwrap();
}

/// A client that shows the administrator's certificate, and where the API server is.
fn administrator(state: &State) -> (reqwest::Client, &str) {
    let kubeconfig = std::fs::read_to_string(&state.api_server.kubeconfig).unwrap();
    let kubeconfig: Value = serde_yaml::from_str(&kubeconfig).unwrap();
    let user = &kubeconfig["users"][0]["user"];
    let part = |name: &str| STANDARD.decode(user[name].as_str().unwrap()).unwrap();
    let pem = [part("client-certificate-data"), part("client-key-data")].concat();
    let identity = reqwest::Identity::from_pem(&pem).unwrap();
    let admin = http::builder(&state.certificate_authority).unwrap();
    let admin = admin.identity(identity).build().unwrap();
    (admin, &state.api_server.url)
}

/// The lines of every private key that the lab has.
fn of_files(folder: &Path, checkout: &Checkout) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned(), checkout.private().join("pki")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path)
                && text.starts_with("-----BEGIN")
                && text.contains("PRIVATE KEY")
            {
                let lines = text.lines().filter(|line| !line.starts_with('-'));
                found.extend(lines.filter(|line| line.len() > 30).map(str::to_owned));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn unpacked(archive: &Path) -> BTreeMap<String, String> {
    let file = std::fs::File::open(archive).unwrap();
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut files = BTreeMap::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(path, String::from_utf8_lossy(&bytes).into_owned());
    }
    files
}
