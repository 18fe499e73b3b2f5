//! What a server needs to start, besides a good configuration.

use std::net::TcpListener;

use authlab_idp::dex::{Dex, DexError};
use authlab_pki::{Authority, http};
use secrecy::ExposeSecret as _;

use crate::bench::keys;

/// A server on a port of its own; `web` is a part of the configuration in which `ADDRESS` stands for it.
async fn start(web: &str, slot: &str) -> Result<(Dex, String), DexError> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let web = web.replace("ADDRESS", &address);
    let config = format!(
        "issuer: http://{address}\nstorage: {{type: memory}}\nenablePasswordDB: true\nweb: {web}\n"
    );
    let dex = Dex::start_in_slot(listener, ("config.yaml", &config), keys(), slot).await?;
    Ok((dex, format!("http://{address}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_must_be_there_and_fit() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let authority = Authority::generate("test").unwrap();
    for name in ["one", "other"] {
        let certificate = authority.server_certificate(&["127.0.0.1"]).unwrap();
        std::fs::write(path(&format!("{name}.pem")), &certificate.pem).unwrap();
        let key = certificate.key_pem.expose_secret();
        std::fs::write(path(&format!("{name}-key.pem")), key).unwrap();
    }
    let mut said = Vec::new();
    for (certificate, key) in [
        ("none.pem", "one-key.pem"),
        ("one.pem", "none.pem"),
        ("one-key.pem", "one-key.pem"),
        ("one.pem", "other-key.pem"),
    ] {
        let web = format!(
            "{{https: ADDRESS, tlsCert: {}, tlsKey: {}}}",
            path(certificate),
            path(key)
        );
        let error = start(&web, "dex").await.unwrap_err();
        said.push(
            error
                .to_string()
                .replace(dir.path().to_str().unwrap(), "DIR"),
        );
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_speaks_without_tls_where_the_file_says_so() {
    let (_dex, url) = start("{http: ADDRESS}", "dex").await.unwrap();
    let client = http::client("").unwrap();
    let health = client.get(format!("{url}/healthz")).send().await.unwrap();
    assert_eq!(health.text().await.unwrap(), "Health check passed");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_with_slots_of_their_own_share_no_keys() {
    let client = http::client("").unwrap();
    let mut seen = Vec::new();
    for slot in ["dex", "dex", "another"] {
        let (dex, url) = start("{http: ADDRESS}", slot).await.unwrap();
        let keys = client.get(format!("{url}/keys")).send().await.unwrap();
        seen.push(keys.text().await.unwrap());
        dex.shutdown().await;
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
}
