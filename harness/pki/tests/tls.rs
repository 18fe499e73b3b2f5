//! Real clients against the TLS listener.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::{net::SocketAddr, sync::Arc, time::Duration};

use authlab_pki::{Authority, http, tls};
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
    let identity = format!("{}{}", certificate.pem, certificate.key_pem.expose_secret());
    let client = http::builder(authority.certificate_pem())
        .unwrap()
        .identity(reqwest::Identity::from_pem(identity.as_bytes()).unwrap())
        .build()
        .unwrap();
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

#[tokio::test]
async fn clients_that_send_nothing_or_garbage_hold_nobody_up() {
    let authority = Authority::generate("lab").unwrap();
    let address = server(&authority).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    let mut garbage = tokio::net::TcpStream::connect(address).await.unwrap();
    garbage
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    // Returns once the server has closed the connection.
    let _ = garbage.read_to_end(&mut rest).await;

    let client = http::client(authority.certificate_pem()).unwrap();
    let answer = client
        .get(format!("https://{address}/"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.text().await.unwrap(), "nobody");
    drop(silent);
}
