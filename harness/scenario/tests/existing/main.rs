//! Labs in a cluster that exists already: an embedded one, which is as good as any other where no pods
//! are wanted; [`elsewhere`] in one that somebody has made.

mod elsewhere;
mod gate;
mod mistakes;
mod traces;
mod trusted;

use std::collections::BTreeMap;
use std::path::Path;

use authlab_lab::backend::existing::{Found, Target, look};
use authlab_lab::checkout::Checkout;
use authlab_lab::host::Host;
use authlab_lab::plan::Plan;
use authlab_lab::state::{BackendKind, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::Kubeconfig;
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// The cluster that exists already.
async fn cluster(name: &str) -> Host {
    let checkout = Checkout::here();
    let plan = Plan::load(checkout.root(), "plain").expect("a lab file");
    let id = format!("cluster-{name}-{}", std::process::id());
    Host::start(&checkout, BackendKind::Embedded, plan, &id)
        .await
        .expect("an embedded lab starts")
}

fn target(kubeconfig: &Path) -> Target {
    Target {
        kubeconfig: kubeconfig.to_owned(),
        context: None,
        images: BTreeMap::new(),
    }
}

async fn found(cluster: &Host) -> Found {
    let target = target(&cluster.state().api_server.kubeconfig);
    look(&target).await.expect("the cluster can be used")
}

/// A lab in that cluster.
async fn lab(name: &str, cluster: &Host) -> Host {
    let checkout = Checkout::here();
    let target = target(&cluster.state().api_server.kubeconfig);
    let plan = Plan::load(checkout.root(), "plain").expect("a lab file");
    let id = format!("existing-{name}-{}", std::process::id());
    Host::start(
        &checkout,
        BackendKind::Existing,
        plan.in_cluster(target),
        &id,
    )
    .await
    .expect("a lab starts in the cluster")
}

/// The administrator of an API server.
struct Admin {
    client: reqwest::Client,
    url: String,
}

impl Admin {
    fn of(state: &State) -> Self {
        let file = Kubeconfig::read_from(&state.api_server.kubeconfig).expect("a kubeconfig");
        let login = file
            .auth_infos
            .into_iter()
            .next()
            .and_then(|one| one.auth_info);
        let login = login.expect("a login");
        let decode = |text: &str| STANDARD.decode(text).expect("base64");
        let mut pem = decode(&login.client_certificate_data.expect("a certificate"));
        pem.extend(decode(
            login.client_key_data.expect("a key").expose_secret(),
        ));
        let identity = reqwest::Identity::from_pem(&pem).expect("an identity");
        let builder = authlab_pki::http::builder(&state.certificate_authority).expect("a CA");
        Self {
            client: builder.identity(identity).build().expect("a client"),
            url: state.api_server.url.clone(),
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a body");
        (status, serde_json::from_str(&text).unwrap_or(text.into()))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(Method::POST, path, Some(body)).await
    }

    /// Every object of the cluster that can be listed, by its path, without what changes by itself.
    async fn everything(&self) -> BTreeMap<String, Value> {
        let (_, groups) = self.get("/apis").await;
        let groups = groups["groups"].as_array().expect("groups");
        let versions = groups.iter().map(|group| {
            format!(
                "/apis/{}",
                group["preferredVersion"]["groupVersion"]
                    .as_str()
                    .expect("a version")
            )
        });
        let mut all = BTreeMap::new();
        for version in versions.chain(["/api/v1".to_owned()]) {
            let (_, list) = self.get(&version).await;
            for resource in list["resources"].as_array().expect("resources") {
                let name = resource["name"].as_str().expect("a name");
                let verbs = resource["verbs"].as_array().expect("verbs");
                if name.contains('/') || name == "events" || !verbs.contains(&json!("list")) {
                    continue;
                }
                let (status, list) = self.get(&format!("{version}/{name}")).await;
                assert_eq!(status, 200, "{version}/{name}: {list}");
                for item in list["items"].as_array().into_iter().flatten() {
                    let metadata = &item["metadata"];
                    let place = format!(
                        "{version}/{name}/{}/{}",
                        metadata["namespace"], metadata["name"]
                    );
                    all.insert(place, item.clone());
                }
            }
        }
        all
    }
}

fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

fn cluster_role(name: &str) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": { "name": name }, "rules": [],
    })
}

const ROLES: &str = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
