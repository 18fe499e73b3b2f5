//! The process backend by hand: real components, built when they are not. Ignored, because the
//! scenarios are its test; `cargo test -p authlab-lab --test processes -- --ignored --nocapture`
//! prints times.

use std::io::Write;
use std::time::Instant;

use authlab_lab::checkout::Checkout;
use authlab_lab::control::{self, By, Configure, Request, Response};
use authlab_lab::host::Host;
use authlab_lab::plan::{Authentication, Plan, Text};
use authlab_lab::state::BackendKind;
use authlab_lab::tools;
use libtest_mimic::Trial;

use crate::trial;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("times_of_the_process_backend", times).with_ignored_flag(true),
        trial("configure_on_the_process_backend", configure).with_ignored_flag(true),
    ]
}

fn say(what: &str, start: Instant) {
    let line = format!("{:6.2} s  {what}\n", start.elapsed().as_secs_f64());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

async fn up(lab: &str, change: impl FnOnce(&mut Plan), id: &str) -> Host {
    let checkout = Checkout::here();
    let mut plan = Plan::load(checkout.root(), lab).unwrap();
    change(&mut plan);
    let start = Instant::now();
    let host = Host::start(&checkout, BackendKind::Process, plan, id).await;
    say(&format!("up: {id}"), start);
    host.unwrap()
}

async fn down(host: Host) {
    let start = Instant::now();
    host.stop().await;
    say("down", start);
}

async fn times() {
    let start = Instant::now();
    tools::ensure(Checkout::here().root(), &tools::ALL, &tools::Silent)
        .await
        .unwrap();
    say("tools", start);
    let start = Instant::now();
    tools::ensure(Checkout::here().root(), &tools::ALL, &tools::Silent)
        .await
        .unwrap();
    say(&format!("tools again: {:?}", start.elapsed()), start);
    for _ in 0..3 {
        let bare = |plan: &mut Plan| {
            plan.providers.clear();
            plan.authentication = Authentication::default();
        };
        down(up("dex", bare, "times-bare").await).await;
        down(up("dex", |_| (), "times-dex").await).await;
        down(up("forge", |_| (), "times-forge").await).await;
    }
}

async fn configure() {
    let host = up("forge", |_| (), "configure").await;
    let root = Checkout::here().root().to_owned();
    let file = |name: &str| Authentication {
        config: Some(
            authlab_lab::plan::fixture(&root, format!("kubernetes/{name}.yaml").as_ref()).unwrap(),
        ),
        ..Authentication::default()
    };
    let mut both = file("forge");
    both.flags
        .insert("oidc-issuer-url".into(), vec!["https://x".into()]);
    let mut half = Authentication::default();
    half.flags
        .insert("oidc-issuer-url".into(), vec!["https://x".into()]);
    let empty = Authentication {
        config: Some(Text {
            name: "empty".to_owned(),
            text: "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\njwt: []\n".to_owned(),
        }),
        ..Authentication::default()
    };
    for (what, authentication, by) in [
        ("changed file", file("forge-and-stranger"), By::Auto),
        ("wrong file", file("invalid-url"), By::Auto),
        ("wrong file again", file("invalid-url"), By::Auto),
        ("wrong file by restart", file("invalid-url"), By::Restart),
        ("same file", file("forge-and-stranger"), By::Auto),
        ("file and flags", both, By::Auto),
        ("half the flags", half, By::Auto),
        ("no issuers", empty, By::Auto),
        ("wrong CA by restart", file("forge-wrong-ca"), By::Restart),
        ("changed file again", file("stranger"), By::Auto),
        ("nothing", Authentication::default(), By::Auto),
        ("a file by restart", file("forge"), By::Auto),
    ] {
        let start = Instant::now();
        let wanted = Configure {
            authentication,
            by,
            cluster: None,
        };
        let answer = control::call(&host.state().socket, &Request::Configure(wanted)).await;
        let answer = match answer {
            Ok(Response::InForce) => "in force".to_owned(),
            Ok(Response::Refused { message }) => format!("refused: {message}"),
            other => format!("{other:?}"),
        };
        say(&format!("{what}: {answer}"), start);
    }
    let answer = control::call(&host.state().socket, &Request::AuditLog { cluster: None }).await;
    let Ok(Response::AuditLog { events }) = answer else {
        panic!("{answer:?}");
    };
    say(&format!("audit log: {:?}", tally(&events)), Instant::now());
    down(host).await;
}

/// Requests by user, most frequent first.
fn tally(events: &[serde_json::Value]) -> Vec<(usize, String)> {
    let mut users = std::collections::BTreeMap::<String, usize>::new();
    for event in events {
        let user = event["user"]["username"].as_str().unwrap_or_default();
        *users.entry(user.to_owned()).or_default() += 1;
    }
    let mut tally: Vec<_> = users
        .into_iter()
        .map(|(user, count)| (count, user))
        .collect();
    tally.sort_by(|a, b| b.cmp(a));
    tally
}
