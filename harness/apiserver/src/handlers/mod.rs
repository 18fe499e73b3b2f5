//! The way of a request: who asks, as whom, may they, and then the handler.

use std::sync::Arc;
use std::time::Instant;

use authlab_authn::UserInfo;
use authlab_pki::tls::Peer;
use authlab_rbac::Target;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, Request, StatusCode, header};

use crate::audit::Event;
use crate::call::{self, Call, Notes};
use crate::chain::{self, impersonation};
use crate::cluster::Cluster;
use crate::metrics::requests;
use crate::negotiate;
use crate::request::{Query, RequestInfo, ResourceInfo};
use crate::resources::{self, Served};
use crate::status::Status;

mod body;
mod delete;
mod discovery;
mod health;
mod kubelet;
mod openapi;
mod options;
mod patch;
mod read;
mod reviews;
mod scale;
mod watch;
mod write;

pub(crate) use delete::remove;

/// The largest body taken, as in the real server.
const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// Serves one request.
pub(crate) async fn serve(
    State(cluster): State<Arc<Cluster>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request<Body>,
) -> Response {
    let (parts, body) = request.into_parts();
    let query = Query::new(&parts.uri);
    let info = RequestInfo::new(&parts.method, &parts.uri, &query);
    let mut event = Event::new(&parts, peer.addr.ip());
    let headers = parts.headers.clone();
    let mut admitted = false;
    let (answer, notes) = match admit(&cluster, &peer, &parts, &info, &mut event).await {
        Err(status) => (Err(status), Notes::default()),
        Ok(user) => {
            admitted = true;
            let asked = (info.clone(), query.clone());
            handle(Arc::clone(&cluster), asked, parts, user, body).await
        }
    };
    let failure = answer.as_ref().err().cloned();
    let mut response = answer.unwrap_or_else(IntoResponse::into_response);
    let code = response.status();
    event.add(&notes);
    cluster
        .audit
        .push(event.line(&info, code, failure.as_ref()));
    let served = info.resource.as_ref().is_none_or(|target| {
        let kinds = cluster.kinds();
        let found = kinds.find(&target.group, &target.version, &target.resource);
        found.is_some()
    });
    let labels = requests::labels(&info, &query, &headers, code.as_u16());
    if let Some(labels) = labels.filter(|_| admitted && served) {
        cluster.metrics.request(labels);
    }
    let headers = response.headers_mut();
    for warning in notes.headers() {
        headers.append(header::WARNING, warning);
    }
    if let Ok(id) = HeaderValue::from_str(&event.id) {
        headers.insert("audit-id", id);
    }
    let private = HeaderValue::from_static("no-cache, private");
    headers.entry(header::CACHE_CONTROL).or_insert(private);
    response
}

/// Finds out who asks and as whom, and whether they may.
async fn admit(
    cluster: &Cluster,
    peer: &Peer,
    parts: &http::request::Parts,
    info: &RequestInfo,
    event: &mut Event,
) -> Result<UserInfo, Status> {
    let mut user = authenticate(cluster, peer, parts, info).await?;
    event.user = user.clone();
    if let Some(wanted) = impersonation::wanted(&parts.headers)? {
        let acting = impersonation::impersonate(cluster, &user, &wanted, &info.verb, target(info))?;
        user = acting.user.clone();
        event.impersonated = Some(acting);
    }
    authorize(cluster, &user, info, event)?;
    Ok(user)
}

/// Carries out an admitted request; returns the answer and what else there is to say.
async fn handle(
    cluster: Arc<Cluster>,
    (info, query): (RequestInfo, Query),
    parts: http::request::Parts,
    user: UserInfo,
    body: Body,
) -> (Result<Response, Status>, Notes) {
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return (Err(Status::too_large()), Notes::default());
    };
    let call = Call::new(cluster, info, query, parts.headers, user, body);
    let answer = match &call.info.resource {
        Some(_) if parts.method == Method::HEAD => Err(Status::method_not_allowed()),
        Some(target) => resource(&call, target).await,
        None => path(&call, &parts.method),
    };
    (answer, call.into_notes())
}

async fn authenticate(
    cluster: &Cluster,
    peer: &Peer,
    parts: &http::request::Parts,
    info: &RequestInfo,
) -> Result<UserInfo, Status> {
    let (chain, begun) = (cluster.chain(), Instant::now());
    let found = chain
        .authenticate(cluster, &peer.certificates, &parts.headers, &info.path)
        .await;
    match found {
        Ok(user) => {
            cluster
                .metrics
                .authentication("success", Some(&user.username), begun.elapsed());
            Ok(user)
        }
        Err(chain::Unauthenticated::NoCredentials) => {
            cluster
                .metrics
                .authentication("failure", None, begun.elapsed());
            Err(Status::unauthorized())
        }
        Err(chain::Unauthenticated::Refused(reason)) => {
            tracing::debug!(reason, "unable to authenticate the request");
            cluster
                .metrics
                .authentication("error", None, begun.elapsed());
            Err(Status::unauthorized())
        }
    }
}

/// What the authorizer is asked about.
fn target(info: &RequestInfo) -> Target<'_> {
    match &info.resource {
        None => Target::Path(&info.path),
        Some(ResourceInfo {
            group,
            resource,
            subresource,
            namespace,
            name,
            ..
        }) => Target::Resource {
            group,
            resource,
            subresource,
            namespace,
            name,
        },
    }
}

fn authorize(
    cluster: &Cluster,
    user: &UserInfo,
    info: &RequestInfo,
    event: &mut Event,
) -> Result<(), Status> {
    let (target, begun) = (target(info), Instant::now());
    let decision = cluster.authorize(user, &info.verb, target);
    cluster
        .metrics
        .authorization(decision.allowed, begun.elapsed());
    let word = if decision.allowed { "allow" } else { "forbid" };
    event.annotate("authorization.k8s.io/decision", word);
    event.annotate("authorization.k8s.io/reason", &decision.reason);
    if decision.allowed {
        return Ok(());
    }
    Err(call::refusal(user, &info.verb, target, &decision.reason))
}

/// Requests about resources.
async fn resource(call: &Call, target: &ResourceInfo) -> Result<Response, Status> {
    let kinds = call.cluster.kinds();
    let Some(resource) = kinds.find(&target.group, &target.version, &target.resource) else {
        // What is nobody's path is a page that is not there.
        let known = resources::builtin()
            .iter()
            .any(|one| one.group == target.group && one.version == target.version);
        return if known {
            Err(Status::no_such_resource())
        } else {
            Ok(no_such_page())
        };
    };
    negotiate::check(call)?;
    if let Some(warning) = resource.custom().and_then(|custom| custom.warning.as_ref()) {
        call.warn(warning.clone());
    }
    if target.excess || (resource.namespaced && target.named && target.namespace.is_empty()) {
        return Err(Status::no_such_resource());
    }
    let objects = match &resource.served {
        Served::Review(review) => {
            return match (call.info.verb.as_str(), target.named) {
                ("create", false) => reviews::create(call, resource, *review).await,
                _ => Err(Status::method_not_allowed()),
            };
        }
        Served::Objects(objects) => objects,
    };
    if !target.subresource.is_empty() {
        let below = objects
            .subresources
            .iter()
            .find(|one| one.name == target.subresource);
        let below = below.ok_or_else(Status::no_such_resource)?;
        if !below.verbs.contains(&call.info.verb.as_str()) {
            return Err(Status::method_not_allowed());
        }
        if target.subresource == "token" {
            return reviews::create(call, resource, resources::Review::TokenRequest).await;
        }
        if matches!(
            target.subresource.as_str(),
            "attach" | "exec" | "log" | "portforward"
        ) {
            return kubelet::serve(call, resource, target);
        }
        if target.subresource == "scale" {
            return scale::serve(call, resource, objects, target);
        }
    }
    match (call.info.verb.as_str(), target.named) {
        ("get", true) => read::get(call, resource, target),
        ("list", _) => read::list(call, resource, objects, target),
        ("watch", _) => watch::watch(call, resource, objects, target),
        ("create", false) => write::create(call, resource, objects, target),
        ("update", true) => write::update(call, resource, objects, target),
        ("patch", true) => patch::patch(call, resource, objects, target),
        ("delete", true) => delete::one(call, resource, objects, target),
        ("deletecollection", _) => delete::collection(call, resource, objects, target),
        _ => Err(Status::method_not_allowed()),
    }
}

/// Requests about everything else.
fn path(call: &Call, method: &Method) -> Result<Response, Status> {
    let found = discovery::serve(call)
        .or_else(|| health::serve(call))
        .or_else(|| openapi::serve(call));
    match found {
        None if call.info.path.starts_with("/api/") => Err(Status::no_such_resource()),
        None => Ok(no_such_page()),
        Some(_) if !matches!(*method, Method::GET | Method::HEAD) => {
            Err(Status::method_not_allowed())
        }
        Some(response) => Ok(response),
    }
}

fn no_such_page() -> Response {
    (StatusCode::NOT_FOUND, "404 page not found\n").into_response()
}
