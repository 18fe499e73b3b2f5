//! Kubeconfigs that are of no use: each is told within ten seconds, by one message that says what to
//! do, and nothing is written.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use authlab_lab::backend::existing::{Target, look};
use authlab_lab::checkout::Checkout;
use authlab_lab::kubeconfig::{self, Cluster, Login};
use authlab_pki::{Authority, Certificate, Validity};
use miette::Diagnostic;
use secrecy::ExposeSecret;

use super::{Admin, cluster, target};

const BOUND: Duration = Duration::from_secs(10);

/// A kubeconfig for `server`, whose current context is `admin`.
fn write(file: &Path, server: &str, ca: &str, login: Login) -> Target {
    let clusters = [Cluster { name: None, server }];
    let text = kubeconfig::text("there", &clusters, ca, &[("admin", login)]);
    std::fs::write(file, text.expose_secret()).expect("a file");
    target(file)
}

fn certificate(issued: Certificate) -> Login {
    Login::Certificate {
        certificate: issued.pem,
        key: issued.key_pem,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_is_told_in_time_with_what_to_do() {
    let there = cluster("mistakes").await;
    let admin = Admin::of(there.state());
    let before = admin.everything().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let authority = Checkout::here().authority().expect("the lab's CA");
    let (ca, url) = (
        authority.certificate_pem(),
        there.state().api_server.url.as_str(),
    );
    let masters = ["system:masters".to_owned()];
    let good = || {
        let issued = authority.client_certificate("root", &masters, Duration::from_secs(3600));
        certificate(issued.expect("a certificate"))
    };
    let day = Duration::from_secs(24 * 3600);
    let over = Validity {
        not_before: SystemTime::now() - 2 * day,
        not_after: SystemTime::now() - day,
    };
    let expired = authority
        .client_certificate_with("root", &masters, over)
        .expect("a certificate");
    let eve = authority
        .client_certificate("eve", &[], day)
        .expect("a certificate");
    let other = Authority::generate("another").expect("a CA");
    // Taken, and nobody listens any more.
    let closed = TcpListener::bind("127.0.0.1:0")
        .and_then(|socket| socket.local_addr())
        .expect("a port");
    let closed = format!("https://{closed}");
    // Takes connections and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute = format!("https://{}", silent.local_addr().expect("an address"));

    std::fs::write(path("nonsense"), "contexts: [").expect("a file");
    std::fs::write(path("empty"), "apiVersion: v1\nkind: Config\n").expect("a file");
    let known = write(&path("good"), url, ca, good());
    let named = |context: &str| Target {
        context: Some(context.to_owned()),
        ..known.clone()
    };
    let mistakes = [
        ("no file", target(&path("absent"))),
        ("no kubeconfig", target(&path("nonsense"))),
        ("an empty one", target(&path("empty"))),
        ("another context", named("admim")),
        ("nobody there", write(&path("closed"), &closed, ca, good())),
        ("nobody answers", write(&path("mute"), &mute, ca, good())),
        (
            "another CA",
            write(&path("ca"), url, other.certificate_pem(), good()),
        ),
        (
            "expired",
            write(&path("expired"), url, ca, certificate(expired)),
        ),
        (
            "a wrong token",
            write(&path("token"), url, ca, Login::Token("a.b.c".into())),
        ),
        (
            "no such program",
            write(
                &path("exec"),
                url,
                ca,
                Login::Exec {
                    command: "authlab-no-such-program".to_owned(),
                    args: Vec::new(),
                },
            ),
        ),
        ("no rights", write(&path("eve"), url, ca, certificate(eve))),
    ];
    let mut said = String::new();
    for (what, target) in mistakes {
        let begun = Instant::now();
        let error = match look(&target).await {
            Ok(found) => found.allowed().expect_err(what),
            Err(error) => error,
        };
        assert!(begun.elapsed() < BOUND, "{what}: {:?}", begun.elapsed());
        let help = error
            .help()
            .map(|help| help.to_string())
            .unwrap_or_default();
        let _ = writeln!(said, "{what}: {error}\n  -> {help}");
    }
    for (name, stands) in [(url, "URL"), (&closed, "CLOSED"), (&mute, "MUTE")] {
        said = said.replace(name, stands);
        said = said.replace(name.trim_start_matches("https://"), stands);
    }
    let said = said.replace(&folder.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(said);
    assert_eq!(before, admin.everything().await);
    there.stop().await;
}
