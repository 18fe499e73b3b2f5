//! Real clients against the TLS listener.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::{
    env,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use authlab_pki::{Authority, Certificate, Validity, http, tls};
use axum::{Router, extract::ConnectInfo, routing::get};
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Answers with the subject of the client's certificate, or `nobody`.
async fn who(ConnectInfo(peer): ConnectInfo<tls::Peer>) -> String {
    match peer.certificates.first() {
        None => "nobody".to_owned(),
        Some(der) => {
            let (_, certificate) = x509_parser::parse_x509_certificate(der).unwrap();
            certificate.subject().to_string()
        }
    }
}

async fn serve(config: Arc<rustls::ServerConfig>) -> SocketAddr {
    let tcp = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = tcp.local_addr().unwrap();
    let app = Router::new()
        .route("/", get(who))
        .into_make_service_with_connect_info::<tls::Peer>();
    tokio::spawn(async move { axum::serve(tls::Listener::new(tcp, config), app).await });
    address
}

async fn server(authority: &Authority) -> SocketAddr {
    let certificate = authority
        .server_certificate(&["127.0.0.1", "localhost"])
        .unwrap();
    serve(
        certificate
            .server_config(Some(authority.certificate_pem()))
            .unwrap(),
    )
    .await
}

fn client_of(authority: &Authority, certificate: &Certificate) -> reqwest::Client {
    let identity = format!("{}{}", certificate.pem, certificate.key_pem.expose_secret());
    http::builder(authority.certificate_pem())
        .unwrap()
        .identity(reqwest::Identity::from_pem(identity.as_bytes()).unwrap())
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_gets_in_by_address_and_name() {
    let authority = Authority::generate("lab").unwrap();
    let address = server(&authority).await;
    let client = http::client(authority.certificate_pem()).unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{}/", address.port());
        let answer = client.get(url).send().await.unwrap();
        assert_eq!(answer.version(), reqwest::Version::HTTP_2);
        assert_eq!(answer.text().await.unwrap(), "nobody");
    }
}

#[tokio::test]
async fn a_client_that_trusts_another_authority_of_the_same_name_does_not() {
    let address = server(&Authority::generate("lab").unwrap()).await;
    let other = Authority::generate("lab").unwrap();
    for pem in [other.certificate_pem(), ""] {
        let error = http::client(pem)
            .unwrap()
            .get(format!("https://{address}/"))
            .send()
            .await
            .unwrap_err();
        assert!(error.is_connect(), "{error:?}");
        assert!(
            format!("{error:?}").contains("InvalidCertificate("),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn the_server_sees_the_client_certificate_with_all_its_organizations() {
    let authority = Authority::generate("lab").unwrap();
    let address = server(&authority).await;
    let groups = [
        "dev".to_owned(),
        "system:masters".to_owned(),
        "größer".to_owned(),
    ];
    let certificate = authority
        .client_certificate("jane", &groups, Duration::from_secs(600))
        .unwrap();
    let client = client_of(&authority, &certificate);
    let answer = client
        .get(format!("https://{address}/"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.text().await.unwrap(),
        "O=dev, O=system:masters, O=größer, CN=jane"
    );
}

/// Neither is waited for: both stay open longer than the good client takes, and less long than a handshake may.
#[tokio::test]
async fn clients_that_send_nothing_or_garbage_hold_nobody_up() {
    let authority = Authority::generate("lab").unwrap();
    let address = server(&authority).await;
    let mut bad = Vec::new();
    for _ in 0..20 {
        bad.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let mut garbage = tokio::net::TcpStream::connect(address).await.unwrap();
    garbage
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();

    let client = http::client(authority.certificate_pem()).unwrap();
    let good = client
        .get(format!("https://{address}/"))
        .timeout(Duration::from_secs(5));
    assert_eq!(good.send().await.unwrap().text().await.unwrap(), "nobody");

    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), garbage.read_to_end(&mut rest));
    // An alert or a reset, but an end.
    let _ = closed.await.unwrap();
    drop(bad);
}

#[tokio::test]
async fn a_server_whose_certificate_is_over_is_refused() {
    let authority = Authority::generate("lab").unwrap();
    let past = SystemTime::now() - Duration::from_secs(60);
    let validity = Validity {
        not_before: past - Duration::from_secs(60),
        not_after: past,
    };
    let certificate = authority
        .server_certificate_with(&["127.0.0.1"], validity)
        .unwrap();
    let address = serve(certificate.server_config(None).unwrap()).await;
    let client = http::client(authority.certificate_pem()).unwrap();
    let error = client
        .get(format!("https://{address}/"))
        .send()
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains("Expired"), "{error:?}");
}

/// Strict servers end the handshake, lenient ones show the chain to whoever decides.
#[tokio::test]
async fn a_client_certificate_of_another_authority_is_seen_only_by_a_lenient_server() {
    let authority = Authority::generate("lab").unwrap();
    let server = authority.server_certificate(&["127.0.0.1"]).unwrap();
    let stranger = Authority::generate("other").unwrap();
    let certificate = stranger
        .client_certificate("jane", &[], Duration::from_secs(600))
        .unwrap();
    let client = client_of(&authority, &certificate);

    let strict = serve(
        server
            .server_config(Some(authority.certificate_pem()))
            .unwrap(),
    )
    .await;
    client
        .get(format!("https://{strict}/"))
        .send()
        .await
        .unwrap_err();

    let clients = tls::ClientAuthority::new(authority.certificate_pem()).unwrap();
    let lenient = serve(server.server_config_unverified(&clients).unwrap()).await;
    let answer = client
        .get(format!("https://{lenient}/"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.text().await.unwrap(), "CN=jane");
}

/// One test of this file again, in a process whose proxy variables lead nowhere.
#[test]
fn proxy_variables_are_ignored() {
    let nowhere = "http://127.0.0.1:1";
    let status = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "a_client_that_trusts_the_authority_gets_in_by_address_and_name",
        ])
        .envs(
            [
                "HTTPS_PROXY",
                "https_proxy",
                "HTTP_PROXY",
                "ALL_PROXY",
                "all_proxy",
            ]
            .map(|name| (name, nowhere)),
        )
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
}
