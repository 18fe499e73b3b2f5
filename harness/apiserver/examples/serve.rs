//! Serves an empty cluster until interrupted, for trying kubectl by hand.
//!
//! `cargo run -p authlab-apiserver --example serve -- DIRECTORY [AUTHENTICATION_CONFIG]` writes
//! `DIRECTORY/kubeconfig` for a member of `system:masters` and beside it `jane.kubeconfig` for
//! user `jane` in group `dev`.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use authlab_apiserver::{ApiServer, Authentication, Options, ServiceAccounts};
use authlab_pki::{Authority, KeyPool};
use secrecy::ExposeSecret as _;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let directory = arguments.next().ok_or("which directory?")?;
    fs::create_dir_all(&directory)?;
    let config = arguments.next().map(fs::read_to_string).transpose()?;
    let authority = Authority::load_or_create(&directory, "lab")?;
    let server = ApiServer::start(Options {
        listener: std::net::TcpListener::bind("127.0.0.1:0")?,
        authority: authority.clone(),
        keys: KeyPool::open(&directory.join("keys"))?,
        authentication: Authentication {
            config,
            ..Authentication::default()
        },
        service_accounts: ServiceAccounts::default(),
    })?;
    for (file, user, groups) in [
        ("kubeconfig", "admin", vec!["system:masters".to_owned()]),
        ("jane.kubeconfig", "jane", vec!["dev".to_owned()]),
    ] {
        let certificate =
            authority.client_certificate(user, &groups, Duration::from_secs(86_400))?;
        let (certificate_file, key_file) = (
            directory.join(format!("{user}.pem")),
            directory.join(format!("{user}.key")),
        );
        fs::write(&certificate_file, &certificate.pem)?;
        fs::write(&key_file, certificate.key_pem.expose_secret())?;
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": {
                "server": server.url(),
                "certificate-authority": directory.join("ca.pem"),
            }}],
            "users": [{"name": user, "user": {
                "client-certificate": certificate_file,
                "client-key": key_file,
            }}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
            "current-context": "lab",
        });
        fs::write(directory.join(file), kubeconfig.to_string())?;
    }
    fs::write(directory.join("url"), server.url())?;
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
