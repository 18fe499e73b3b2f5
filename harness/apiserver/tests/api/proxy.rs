//! The front proxy, tokens kept in secrets, and what is counted: each as a real server was seen
//! to answer.

use std::time::Duration;

use authlab_apiserver::{ApiServer, Authentication, FrontProxy, Options, ServiceAccounts};
use authlab_pki::{Authority, KeyPool};
use base64::Engine as _;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, DeleteParams, PostParams};
use kube::{Client, ResourceExt};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::lab::{Lab, refusal};

/// A lab behind a front proxy, and clients with certificates of the proxies' authority.
fn behind() -> (Lab, Lab) {
    authlab_pki::tls::install_provider();
    let (authority, proxies) = (
        Authority::generate("lab").unwrap(),
        Authority::generate("front").unwrap(),
    );
    let proxy = FrontProxy {
        ca_pem: proxies.certificate_pem().to_owned(),
        allowed_names: vec!["front-proxy-client".to_owned()],
    };
    let options = Options {
        listener: std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        authority: authority.clone(),
        keys: KeyPool::ephemeral(),
        authentication: Authentication::default(),
        service_accounts: ServiceAccounts::default(),
    };
    let server = ApiServer::start_behind(options, &proxy).unwrap();
    let other = Lab::start();
    let proxies = Lab {
        server: other.server,
        authority: proxies,
    };
    (Lab { server, authority }, proxies)
}

/// A request by the holder of a certificate of `signer`, with headers.
async fn whoami(lab: &Lab, signer: &Authority, name: &str, headers: &[(&str, &str)]) -> String {
    let certificate = signer
        .client_certificate(name, &[], Duration::from_secs(600))
        .unwrap();
    let identity = format!("{}{}", certificate.pem, certificate.key_pem.expose_secret());
    let client = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_pem(
            lab.authority.certificate_pem().as_bytes(),
        )
        .unwrap()])
        .identity(reqwest::Identity::from_pem(identity.as_bytes()).unwrap())
        .build()
        .unwrap();
    let url = format!(
        "{}/apis/authentication.k8s.io/v1/selfsubjectreviews",
        lab.server.url()
    );
    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
    let mut request = client.post(url).json(&review);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    match &answer["status"] {
        Value::Object(status) => status["userInfo"].to_string(),
        _ => format!("{} {}", answer["code"], answer["message"]),
    }
}

#[tokio::test]
async fn a_front_proxy_is_believed_if_its_certificate_and_name_are() {
    let (lab, proxies) = behind();
    let jane = ("X-Remote-User", "jane");
    let front = "front-proxy-client";
    let full = [
        jane,
        ("X-Remote-Group", "dev"),
        ("X-Remote-Group", "ops"),
        ("X-Remote-Uid", "42"),
        ("X-Remote-Extra-Scopes", "a"),
        ("X-Remote-Extra-Acme.io%2ffoo", "c"),
    ];
    let signer = &proxies.authority;
    let answers = [
        whoami(&lab, signer, front, &[jane]).await,
        whoami(&lab, signer, front, &full).await,
        // Without a user the certificate is one of an authority that clients are not trusted by.
        whoami(&lab, signer, front, &[]).await,
        whoami(&lab, signer, "other-proxy", &[jane]).await,
        // The headers of anybody else mean nothing.
        whoami(&lab, &lab.authority, "joe", &[jane])
            .await
            .chars()
            .take(4)
            .collect(),
        whoami(
            &lab,
            signer,
            front,
            &[jane, ("Authorization", "Bearer abc")],
        )
        .await,
        whoami(
            &lab,
            signer,
            front,
            &[("X-Remote-User", "system:anonymous")],
        )
        .await,
    ];
    insta::assert_snapshot!(answers.join("\n"));
}

async fn legacy(client: &Client) -> (Api<Secret>, Api<ServiceAccount>, String) {
    let accounts: Api<ServiceAccount> = Api::default_namespaced(client.clone());
    let account = serde_json::from_value(json!({"metadata": {"name": "bot"}})).unwrap();
    accounts
        .create(&PostParams::default(), &account)
        .await
        .unwrap();
    let secrets: Api<Secret> = Api::default_namespaced(client.clone());
    let annotations = json!({"kubernetes.io/service-account.name": "bot"});
    let secret = json!({
        "metadata": {"name": "legacy", "annotations": annotations},
        "type": "kubernetes.io/service-account-token",
    });
    let secret = serde_json::from_value(secret).unwrap();
    secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    let filled = secrets.get("legacy").await.unwrap().data.unwrap();
    let token = String::from_utf8(filled["token"].0.clone()).unwrap();
    (secrets, accounts, token)
}

async fn review(client: Client) -> Result<SelfSubjectReview, kube::Error> {
    let api: Api<SelfSubjectReview> = Api::all(client);
    api.create(&PostParams::default(), &SelfSubjectReview::default())
        .await
}

#[tokio::test]
async fn a_token_in_a_secret_is_good_while_the_secret_is() {
    let lab = Lab::start();
    let admin = lab.admin().await;
    let (secrets, _, token) = legacy(&admin).await;
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::prelude::BASE64_URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], "kubernetes/serviceaccount");
    assert_eq!(claims.get("exp"), None);
    let user = review(lab.bearer(&token).await).await.unwrap();
    let user = user.status.unwrap().user_info.unwrap();
    assert_eq!(user.username.unwrap(), "system:serviceaccount:default:bot");
    assert_eq!(user.extra, None);
    let used = secrets.get("legacy").await.unwrap();
    assert!(
        used.labels()
            .contains_key("kubernetes.io/legacy-token-last-used")
    );
    secrets
        .delete("legacy", &DeleteParams::default())
        .await
        .unwrap();
    let refused = refusal(review(lab.bearer(&token).await).await);
    assert_eq!(refused, "401 Unauthorized: Unauthorized");
}

#[tokio::test]
async fn with_an_account_go_the_tokens_in_secrets() {
    let lab = Lab::start();
    let admin = lab.admin().await;
    let (secrets, accounts, _) = legacy(&admin).await;
    accounts
        .delete("bot", &DeleteParams::default())
        .await
        .unwrap();
    assert!(secrets.get_opt("legacy").await.unwrap().is_none());
}

#[tokio::test]
async fn what_happens_is_counted_under_the_real_names() {
    let lab = Lab::start();
    let admin = lab.admin().await;
    let accounts: Api<ServiceAccount> = Api::default_namespaced(admin.clone());
    let request = serde_json::from_value(json!({"spec": {}})).unwrap();
    let token = accounts
        .create_token_request("default", &PostParams::default(), &request)
        .await
        .unwrap();
    let token = token.status.unwrap().token.unwrap();
    let bot = lab.bearer(&token).await;
    for _ in 0..3 {
        assert!(review(bot.clone()).await.is_ok());
    }
    assert!(review(lab.bearer("abc").await).await.is_err());
    assert!(
        Api::<Secret>::default_namespaced(bot)
            .get("x")
            .await
            .is_err()
    );
    let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
    let text = admin.request_text(request).await.unwrap();
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.contains("_sum") && !line.contains("le="))
        .filter(|line| line.starts_with("auth") || line.contains("authorization_decisions"))
        .collect();
    insta::assert_snapshot!(kept.join("\n"));
}
