//! Who a request is from, and what it may do, as kube's client sees it.

use crate::lab::{Lab, refusal};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, PostParams};

async fn whoami(client: kube::Client) -> serde_json::Value {
    let reviews: Api<SelfSubjectReview> = Api::all(client);
    let review = reviews
        .create(&PostParams::default(), &SelfSubjectReview::default())
        .await
        .unwrap();
    let mut user = serde_json::to_value(review.status.unwrap().user_info).unwrap();
    // The fingerprint of a certificate made for this run.
    if let Some(extra) = user.as_object_mut() {
        extra.remove("extra");
    }
    user
}

#[tokio::test]
async fn a_client_certificate_names_user_and_groups() {
    let lab = Lab::start();
    let user = whoami(lab.client("jane", &["dev", "qa"]).await).await;
    insta::assert_json_snapshot!(user, @r#"
    {
      "groups": [
        "dev",
        "qa",
        "system:authenticated"
      ],
      "username": "jane"
    }
    "#);
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_nobodys() {
    let (lab, other) = (Lab::start(), Lab::start());
    let stranger = Lab {
        server: lab.server,
        authority: other.authority,
    };
    let certificate = stranger
        .authority
        .client_certificate("jane", &[], std::time::Duration::from_secs(60))
        .unwrap();
    // Trust the right server, show the wrong certificate.
    let identity = format!(
        "{}{}",
        secrecy::ExposeSecret::expose_secret(&certificate.key_pem),
        certificate.pem
    );
    let identity = reqwest::Identity::from_pem(identity.as_bytes()).unwrap();
    let client = authlab_pki::http::builder(lab.authority.certificate_pem())
        .unwrap()
        .identity(identity)
        .build()
        .unwrap();
    let answer = client
        .get(format!("{}/version", stranger.server.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn nobody_is_let_in_by_a_bad_token_where_no_token_would_do() {
    let lab = Lab::start();
    assert_eq!(
        lab.anonymous()
            .await
            .apiserver_version()
            .await
            .unwrap()
            .minor,
        "36"
    );
    let refused = refusal(lab.bearer("abc").await.apiserver_version().await);
    insta::assert_snapshot!(refused, @"401 Unauthorized: Unauthorized");
}

#[tokio::test]
async fn a_refusal_names_user_verb_and_place() {
    let lab = Lab::start();
    let maps: Api<ConfigMap> = Api::namespaced(lab.client("jane", &[]).await, "default");
    let refused = refusal(maps.list(&ListParams::default()).await);
    insta::assert_snapshot!(refused, @r#"403 Forbidden: configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "default""#);
    let maps: Api<ConfigMap> = Api::all(lab.anonymous().await);
    let refused = refusal(maps.list(&ListParams::default()).await);
    insta::assert_snapshot!(refused, @r#"403 Forbidden: configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" at the cluster scope"#);
}

#[tokio::test]
async fn an_access_review_gives_the_verdict_and_its_reason() {
    let lab = Lab::start();
    let reviews: Api<SubjectAccessReview> = Api::all(lab.admin().await);
    let ask = |user: &str, group: &str, verb: &str| {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: Some(user.to_owned()),
                groups: Some(vec![group.to_owned()]),
                resource_attributes: Some(ResourceAttributes {
                    verb: Some(verb.to_owned()),
                    group: Some("authentication.k8s.io".to_owned()),
                    resource: Some("selfsubjectreviews".to_owned()),
                    ..ResourceAttributes::default()
                }),
                ..SubjectAccessReviewSpec::default()
            },
            ..SubjectAccessReview::default()
        };
        let reviews = reviews.clone();
        async move {
            reviews
                .create(&PostParams::default(), &review)
                .await
                .unwrap()
                .status
                .unwrap()
        }
    };
    let allowed = ask("jane", "system:authenticated", "create").await;
    assert!(allowed.allowed);
    insta::assert_snapshot!(allowed.reason.unwrap(), @r#"RBAC: allowed by ClusterRoleBinding "system:basic-user" of ClusterRole "system:basic-user" to Group "system:authenticated""#);
    let denied = ask("jane", "system:authenticated", "delete").await;
    assert!(!denied.allowed && denied.reason.is_none());
}
