//! What goes through a lab's gate to the cluster, and what does not.

use authlab_lab::state::State;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Admin, ROLES, cluster, cluster_role, lab, namespace};

const NAMESPACES: &str = "/api/v1/namespaces";
const CORE: &str = "/api/v1/namespaces";

/// A token of a service account in a namespace of the lab, which may do nothing.
async fn robot(admin: &Admin) -> String {
    let account =
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "robot" } });
    let (status, _) = admin
        .post(&format!("{CORE}/mine/serviceaccounts"), account)
        .await;
    assert_eq!(status, 201);
    let request =
        json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} });
    let path = format!("{CORE}/mine/serviceaccounts/robot/token");
    let (_, answer) = admin.post(&path, request).await;
    answer["status"]["token"]
        .as_str()
        .expect("a token")
        .to_owned()
}

async fn as_bearer(
    state: &State,
    token: Option<&str>,
    method: Method,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let client = authlab_pki::http::client(&state.certificate_authority).expect("a client");
    let mut request = client
        .request(method, format!("{}{path}", state.api_server.url))
        .json(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.json().await.expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_of_the_lab_cannot_be_changed() {
    let there = cluster("gate").await;
    let theirs = Admin::of(there.state());
    theirs.post(ROLES, cluster_role("theirs")).await;
    theirs.post(NAMESPACES, namespace("theirs")).await;
    let before = theirs.everything().await;
    let lab = lab("gate", &there).await;
    let ours = Admin::of(lab.state());

    let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "map" } });
    for (method, path, body) in [
        (Method::DELETE, format!("{ROLES}/theirs"), None),
        (Method::DELETE, ROLES.to_owned(), None),
        (
            Method::PUT,
            format!("{ROLES}/theirs"),
            Some(cluster_role("theirs")),
        ),
        (Method::DELETE, format!("{NAMESPACES}/theirs"), None),
        (
            Method::POST,
            format!("{CORE}/theirs/configmaps"),
            Some(map.clone()),
        ),
        (
            Method::POST,
            format!("{CORE}/kube-system/configmaps"),
            Some(map.clone()),
        ),
        (
            Method::DELETE,
            format!("{CORE}/default/serviceaccounts"),
            None,
        ),
    ] {
        let (status, answer) = ours.ask(method.clone(), &path, body).await;
        let said = answer["message"].as_str().unwrap_or_default();
        // No denial: a scenario that runs into this is broken.
        assert_eq!(status, 501, "{method} {path}: {answer}");
        assert!(said.contains("not of this lab"), "{said}");
    }
    // What is done over a connection of another protocol cannot be looked at.
    let builder = authlab_pki::http::builder(&lab.state().certificate_authority);
    let client = builder.and_then(|it| Ok(it.http1_only().build()?));
    let exec = format!("{}{CORE}/kube-system/pods/etcd/exec?command=true", ours.url);
    let exec = client.expect("a client").get(exec);
    let exec = exec.header("connection", "Upgrade");
    let answer = exec.header("upgrade", "websocket").send().await;
    assert_eq!(answer.expect("an answer").status(), 501);
    // What is there is not made anew.
    assert_eq!(ours.post(ROLES, cluster_role("theirs")).await.0, 409);
    assert_eq!(before, theirs.everything().await);

    // What the lab makes is its own to change.
    assert_eq!(ours.post(NAMESPACES, namespace("mine")).await.0, 201);
    assert_eq!(
        ours.post(&format!("{CORE}/mine/configmaps"), map).await.0,
        201
    );
    assert_eq!(ours.post(ROLES, cluster_role("mine")).await.0, 201);
    let (status, put) = ours
        .ask(
            Method::PUT,
            &format!("{ROLES}/mine"),
            Some(cluster_role("mine")),
        )
        .await;
    assert_eq!(status, 200, "{put}");
    assert!(
        put["metadata"]["labels"]["authlab.dev/lab"].is_string(),
        "{put}"
    );
    let (status, _) = ours
        .ask(Method::DELETE, &format!("{ROLES}/mine"), None)
        .await;
    assert_eq!(status, 200);

    // Whom the cluster refuses is told so by the cluster.
    let token = robot(&ours).await;
    let path = format!("{ROLES}/theirs");
    let (status, answer) =
        as_bearer(lab.state(), Some(&token), Method::DELETE, &path, &json!({})).await;
    assert_eq!(status, 403, "{answer}");
    let said = answer["message"].as_str().unwrap_or_default();
    assert!(said.contains("system:serviceaccount:mine:robot"), "{said}");
    lab.stop().await;
    assert_eq!(before, theirs.everything().await);
    there.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_comes_through_as_who_they_are() {
    let there = cluster("who").await;
    let lab = lab("who", &there).await;
    let ours = Admin::of(lab.state());
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let name = |review: &Value| {
        review["status"]["userInfo"]["username"]
            .as_str()
            .map(str::to_owned)
    };

    let (_, admin) = ours.post(path, review.clone()).await;
    assert_eq!(name(&admin).as_deref(), Some("authlab-admin"));
    assert_eq!(ours.post(NAMESPACES, namespace("mine")).await.0, 201);
    let token = robot(&ours).await;
    let asked = as_bearer(lab.state(), Some(&token), Method::POST, path, &review).await;
    assert_eq!(
        name(&asked.1).as_deref(),
        Some("system:serviceaccount:mine:robot")
    );
    let nobody = as_bearer(lab.state(), None, Method::POST, path, &review).await;
    assert_eq!(nobody.0, 403, "{}", nobody.1);
    assert!(
        nobody.1.to_string().contains("system:anonymous"),
        "{}",
        nobody.1
    );
    let wrong = as_bearer(
        lab.state(),
        Some("not.a.token"),
        Method::POST,
        path,
        &review,
    )
    .await;
    assert_eq!(wrong.0, 401);
    lab.stop().await;
    there.stop().await;
}
