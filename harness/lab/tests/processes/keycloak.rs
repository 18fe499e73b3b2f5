//! The real Keycloak under labs that share it. Ignored, since it needs Java, Maven and half a minute
//! of a processor: `cargo test -p authlab-lab --test processes -- --ignored keycloak`.

use std::path::Path;

use authlab_idp::fault::Fault;
use authlab_lab::checkout::Checkout;
use authlab_lab::control::{self, Request, Response};
use authlab_lab::host::Host;
use authlab_lab::plan::{Plan, Text};
use authlab_lab::state::BackendKind;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("keycloak_is_shared_by_labs", labs).with_ignored_flag(true),
        trial("keycloak_forgets_wrong_passwords", locked).with_ignored_flag(true),
        trial("keycloak_says_what_was_recorded", recorded).with_ignored_flag(true),
    ]
}

fn plan(checkout: &Checkout) -> Plan {
    Plan::load(checkout.root(), "keycloak").unwrap()
}

fn config(plan: &mut Plan) -> Option<&mut Text> {
    plan.providers.get_mut("keycloak")?.config.as_mut()
}

async fn up(checkout: &Checkout, id: &str, plan: Plan) -> Result<Host, String> {
    let host = Host::start(checkout, BackendKind::Process, plan, id).await;
    host.map_err(|error| format!("{:?}", miette::Report::new(error)))
}

fn issuer(host: &Host) -> &str {
    &host.state().identity_providers["keycloak"].issuer
}

async fn read(host: &Host, url: &str) -> Result<(u16, Value), String> {
    let http = authlab_pki::http::client(&host.state().certificate_authority).unwrap();
    let answer = http.get(url).send().await.map_err(|e| e.to_string())?;
    let status = answer.status().as_u16();
    Ok((status, answer.json().await.unwrap_or_default()))
}

async fn keys(host: &Host) -> Vec<String> {
    let url = format!("{}/protocol/openid-connect/certs", issuer(host));
    let (_, keys) = read(host, &url).await.unwrap();
    let keys = keys["keys"].as_array().unwrap().iter();
    let signing = keys.filter(|key| key["use"] == "sig");
    signing.map(|key| key["kid"].to_string()).collect()
}

async fn ask(host: &Host, request: Request) {
    let answer = control::call(&host.state().socket, &request).await;
    assert!(matches!(answer, Ok(Response::Done)), "{answer:?}");
}

fn servers(folder: &Path) -> usize {
    let home = folder.join("keycloak").display().to_string();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = processes.filter_map(|one| std::fs::read(one.path().join("cmdline")).ok());
    let java = |command: &Vec<u8>| {
        let text = String::from_utf8_lossy(command);
        text.contains(&home) && text.contains("QuarkusEntryPoint") && !text.contains("__keep")
    };
    commands.filter(java).count()
}

async fn labs() {
    let checkout = Checkout::here();
    // An export has ids, which one server takes once only.
    let export = |id| {
        let mut plan = plan(&checkout);
        if let Some(file) = config(&mut plan) {
            let line = "\"id\": \"66a410ec-3972-4363-88f0-817c2b20b08b\",\n  \"enabled\"";
            file.text = file.text.replacen("\"enabled\"", line, 1);
        }
        up(&checkout, id, plan)
    };
    let (one, two) = tokio::join!(export("sharing-one"), export("sharing-two"));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(servers(&checkout.private()), 1);

    // Each knows its own realm under its own issuer, and has keys of its own.
    assert_ne!(issuer(&one), issuer(&two));
    for host in [&one, &two] {
        let url = format!("{}/.well-known/openid-configuration", issuer(host));
        let (status, document) = read(host, &url).await.unwrap();
        assert_eq!(
            (status, document["issuer"].as_str()),
            (200, Some(issuer(host)))
        );
    }
    let before = keys(&one).await;
    assert!(keys(&two).await.iter().all(|key| !before.contains(key)));

    // A rotation keeps the old key, and is nothing to the other lab.
    let others = keys(&two).await;
    let provider = "keycloak".to_owned();
    ask(
        &one,
        Request::RotateKeys {
            provider: provider.clone(),
        },
    )
    .await;
    let after = keys(&one).await;
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().all(|key| after.contains(key)));
    assert_eq!(keys(&two).await, others);

    // Down for one is not down for the other; back it is what it was.
    let fault = Some(Fault::Down);
    ask(
        &one,
        Request::Fault {
            provider: provider.clone(),
            fault,
        },
    )
    .await;
    let refused = read(&one, issuer(&one)).await.unwrap_err();
    assert!(refused.contains("error sending request"), "{refused}");
    assert_eq!(read(&two, issuer(&two)).await.unwrap().0, 200);
    ask(
        &one,
        Request::Fault {
            provider,
            fault: None,
        },
    )
    .await;
    assert_eq!(keys(&one).await, after);

    // What the real one refuses is told once, at its place.
    let mut wrong = plan(&checkout);
    if let Some(file) = config(&mut wrong) {
        file.text = file
            .text
            .replace("accessTokenLifespan", "acessTokenLifespan");
    }
    let said = up(&checkout, "sharing-wrong", wrong)
        .await
        .map(drop)
        .unwrap_err();
    let words = "keycloak refused the realm: unable to read contents from stream";
    assert!(said.contains(words), "{said}");
    assert!(said.contains("Unrecognized field"), "{said}");
    assert!(said.contains("realm.json:5:"), "{said}");

    // The realm of a lab that ends is gone, and the server stays for the other.
    let (address, realm) = issuer(&two).split_once("/realms/").unwrap();
    let (address, realm) = (address.to_owned(), realm.to_owned());
    let theirs = issuer(&one).rsplit('/').next().unwrap().to_owned();
    one.stop().await;
    let status = async |realm: &str| {
        read(&two, &format!("{address}/realms/{realm}"))
            .await
            .unwrap()
            .0
    };
    assert_eq!(status(&realm).await, 200);
    assert_eq!(status(&theirs).await, 404);
    two.stop().await;
}

/// Who was locked out by one scenario logs in in the next.
async fn locked() {
    let checkout = Checkout::here();
    let mut plan = plan(&checkout);
    if let Some(file) = config(&mut plan) {
        let protected = "\"enabled\": true,\n  \"bruteForceProtected\": true, \"failureFactor\": 1";
        file.text = file.text.replacen("\"enabled\": true", protected, 1);
    }
    let host = up(&checkout, "locked", plan).await.unwrap();
    let http = authlab_pki::http::client(&host.state().certificate_authority).unwrap();
    let url = format!("{}/protocol/openid-connect/token", issuer(&host));
    let status = async |password: &str| {
        let form = [
            ("grant_type", "password"),
            ("client_id", "kubernetes"),
            ("username", "jane"),
            ("password", password),
        ];
        let answer = http.post(&url).form(&form).send().await.unwrap();
        answer.status().as_u16()
    };
    assert_eq!(status("password").await, 200);
    assert_eq!(status("not-hers").await, 401);
    assert_ne!(status("password").await, 200, "she is locked out");
    let provider = "keycloak".to_owned();
    ask(&host, Request::Unlock { provider }).await;
    assert_eq!(status("password").await, 200);
    host.stop().await;
}

/// The conversations of `harness/idp/tests/keycloak` with the real one: what the embedded one is held
/// to was recorded there.
async fn recorded() {
    let checkout = Checkout::here();
    let host = up(&checkout, "recorded", plan(&checkout)).await.unwrap();
    let running = std::fs::read(checkout.private().join("keycloak/running.json")).unwrap();
    let running: Value = serde_json::from_slice(&running).unwrap();
    let address = format!("https://127.0.0.1:{}", running["note"]["port"]);
    let password = running["note"]["password"].as_str().unwrap();

    let http = authlab_pki::http::client(&host.state().certificate_authority).unwrap();
    let folder = checkout.root().join("harness/idp/tests/keycloak");
    let fixture = checkout.root().join("fixtures/keycloak/realm.json");
    let files = ["realm.json", "plain.json", "exchange.json"].map(|file| folder.join(file));
    for file in files.iter().chain([&fixture]) {
        let text = std::fs::read_to_string(file).unwrap();
        let realm = text.replace("${lab.realm}", "fixture");
        let name: Value = serde_json::from_str(&realm).unwrap();
        let name = name["realm"].as_str().unwrap();
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", "authlab"),
            ("password", password),
        ];
        let url = format!("{address}/realms/master/protocol/openid-connect/token");
        let tokens: Value = async { http.post(url).form(&form).send().await?.json().await }
            .await
            .unwrap();
        let token = tokens["access_token"].as_str().unwrap();
        let realms = format!("{address}/admin/realms");
        // That of a run before, on a server that is still there.
        let old = http.delete(format!("{realms}/{name}")).bearer_auth(token);
        old.send().await.unwrap();
        let new = http.post(realms).bearer_auth(token);
        let new = new.header("content-type", "application/json").body(realm);
        assert_eq!(new.send().await.unwrap().status(), 201, "{name}");
    }

    let ca = host.folder().join("ca.pem");
    let output = tokio::process::Command::new(env!("CARGO"))
        .args([
            "test",
            "--workspace",
            "--test",
            "keycloak",
            "--",
            "real_",
            "--nocapture",
        ])
        .current_dir(checkout.root())
        .env("AUTHLAB_REAL_KEYCLOAK", &address)
        .env("AUTHLAB_REAL_KEYCLOAK_CA", ca)
        .env("INSTA_UPDATE", "no")
        .output()
        .await
        .unwrap();
    host.stop().await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    // Without a server they pass as well, and say so.
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !errors.contains("skipped") && !said.contains("skipped"),
        "{said}"
    );
    assert!(!said.contains("running 0 tests"), "{said}");
}
