//! Service-account tokens and reviews of tokens; acting as somebody else; the audit log.

use k8s_openapi::api::authentication::v1::{
    SelfSubjectReview, TokenRequest, TokenReview, UserInfo,
};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, DeleteParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};

use crate::lab::{Lab, refusal};

async fn account(client: &Client, name: &str) -> Api<ServiceAccount> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), "default");
    let account = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    accounts
        .create(&PostParams::default(), &account)
        .await
        .unwrap();
    accounts
}

async fn token(
    accounts: &Api<ServiceAccount>,
    name: &str,
    spec: Value,
) -> Result<String, kube::Error> {
    let request: TokenRequest = serde_json::from_value(json!({"spec": spec})).unwrap();
    let answer = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await?;
    Ok(answer.status.unwrap().token.unwrap())
}

async fn review(client: &Client, token: &str, audiences: &[&str]) -> Value {
    let reviews: Api<TokenReview> = Api::all(client.clone());
    let review = json!({"spec": {"token": token, "audiences": audiences}});
    let review = serde_json::from_value(review).unwrap();
    let answer = reviews
        .create(&PostParams::default(), &review)
        .await
        .unwrap();
    let mut status = serde_json::to_value(answer.status.unwrap()).unwrap();
    // Random by design.
    if let Some(user) = status["user"].as_object_mut() {
        user.remove("uid");
        user.remove("extra");
    }
    status
}

async fn whoami(client: Client) -> Result<UserInfo, kube::Error> {
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let answer = reviews
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await?;
    Ok(answer.status.unwrap().user_info.unwrap())
}

#[tokio::test]
async fn a_requested_token_signs_in_its_account() {
    let lab = Lab::start();
    let admin = lab.admin().await;
    let accounts = account(&admin, "bot").await;
    let token = token(&accounts, "bot", json!({})).await.unwrap();
    let user = whoami(lab.bearer(&token).await).await.unwrap();
    assert_eq!(user.username.unwrap(), "system:serviceaccount:default:bot");
    let groups = [
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated",
    ];
    assert_eq!(user.groups.unwrap(), groups);
    let id = &user.extra.unwrap()["authentication.kubernetes.io/credential-id"][0];
    assert!(id.starts_with("JTI="), "{id}");
    insta::assert_json_snapshot!(review(&admin, &token, &[]).await);
    // The token ends with its account, also when another takes the name.
    accounts
        .delete("bot", &DeleteParams::default())
        .await
        .unwrap();
    let refused = refusal(whoami(lab.bearer(&token).await).await);
    assert_eq!(refused, "401 Unauthorized: Unauthorized");
    insta::assert_json_snapshot!(review(&admin, &token, &[]).await);
    account(&admin, "bot").await;
    let error = review(&admin, &token, &[]).await["error"].clone();
    assert!(
        error.as_str().unwrap().contains("does not match claim"),
        "{error}"
    );
}

#[tokio::test]
async fn a_token_is_good_for_its_audience_only() {
    let lab = Lab::start();
    let admin = lab.admin().await;
    let accounts = account(&admin, "bot").await;
    let token = token(&accounts, "bot", json!({"audiences": ["vault"]}))
        .await
        .unwrap();
    let refused = refusal(whoami(lab.bearer(&token).await).await);
    assert_eq!(refused, "401 Unauthorized: Unauthorized");
    insta::assert_snapshot!(review(&admin, &token, &[]).await["error"].as_str().unwrap());
    let accepted = review(&admin, &token, &["vault", "other"]).await;
    assert_eq!(
        (&accepted["authenticated"], &accepted["audiences"]),
        (&json!(true), &json!(["vault"]))
    );
    insta::assert_snapshot!(review(&admin, "abc", &[]).await["error"].as_str().unwrap(), @"invalid bearer token");
}

#[tokio::test]
async fn a_token_lives_no_longer_than_what_it_is_bound_to() {
    let lab = Lab::start();
    let admin = lab.admin().await;
    let accounts = account(&admin, "bot").await;
    let secrets: Api<Secret> = Api::namespaced(admin.clone(), "default");
    let secret = serde_json::from_value(json!({"metadata": {"name": "anchor"}})).unwrap();
    let secret = secrets
        .create(&PostParams::default(), &secret)
        .await
        .unwrap();
    let bound =
        json!({"apiVersion": "v1", "kind": "Secret", "name": "anchor", "uid": secret.uid()});
    let token_text = token(&accounts, "bot", json!({"boundObjectRef": bound}))
        .await
        .unwrap();
    assert!(whoami(lab.bearer(&token_text).await).await.is_ok());
    secrets
        .delete("anchor", &DeleteParams::default())
        .await
        .unwrap();
    let refusals = [
        review(&admin, &token_text, &[]).await["error"].to_string(),
        refusal(token(&accounts, "bot", json!({"boundObjectRef": bound})).await),
        refusal(token(&accounts, "bot", json!({"expirationSeconds": 10})).await),
        refusal(token(&accounts, "nobody", json!({})).await),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[tokio::test]
async fn acting_as_another_needs_the_right_to() {
    let lab = Lab::start();
    let act = |client: Client, headers: &'static [(&'static str, &'static str)]| async move {
        let mut request = http::Request::post("/apis/authentication.k8s.io/v1/selfsubjectreviews")
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let request = request.body(body.to_string().into_bytes()).unwrap();
        client.request::<SelfSubjectReview>(request).await
    };
    let headers = &[
        ("impersonate-user", "bob"),
        ("impersonate-group", "dev"),
        ("impersonate-uid", "7"),
        ("impersonate-extra-example.com%2ftier", "gold"),
    ];
    let bob = act(lab.admin().await, headers)
        .await
        .unwrap()
        .status
        .unwrap()
        .user_info;
    insta::assert_json_snapshot!(bob);
    let jane = lab.client("jane", &[]).await;
    let refusals = [
        refusal(act(jane, headers).await),
        refusal(act(lab.admin().await, &[("impersonate-group", "dev")]).await),
    ];
    insta::assert_snapshot!(refusals.join("\n"));
}

#[tokio::test]
async fn the_audit_log_tells_who_did_what_as_whom() {
    let lab = Lab::start();
    let accounts = account(&lab.admin().await, "bot").await;
    let jane = lab.client("jane", &["dev"]).await;
    refusal(Api::<Secret>::namespaced(jane, "default").get("x").await);
    refusal(lab.bearer("abc").await.apiserver_version().await);
    drop(accounts);
    let events: Vec<Value> = lab
        .server
        .audit_log()
        .iter()
        .map(|line| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            for field in ["auditID", "requestReceivedTimestamp", "stageTimestamp"] {
                assert!(event[field].take().is_string(), "{field}");
            }
            event["user"]["extra"].take();
            event
        })
        .collect();
    insta::assert_json_snapshot!(events);
}
