//! What may be changed through the gate: what is in the lab's own namespaces, and what the lab has
//! made outside of namespaces. Whatever else is asked for is only rehearsed (`dryRun=All`): where
//! the cluster refuses, its refusal is the answer; where it would do it, the gate does not.

use axum::body::Body;
use axum::http::{HeaderValue, Method, Response, header};
use serde_json::Value;

use super::path::Place;
use super::{Passing, Way, broken, forward, locked};
use crate::backend::existing::error::chain;
use crate::backend::existing::record::LABEL;

/// Whose an object is.
enum Whose {
    /// The lab's.
    Ours,
    /// Somebody else's.
    Foreign,
    /// There is none.
    Nobodys,
}

/// Lets a request through, or does not.
pub(super) async fn through(way: &Way, passing: Passing) -> Response<Body> {
    let method = passing.parts.method.clone();
    if passing.upgrade.is_some() {
        return within(way, passing).await;
    }
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(&method) {
        return forward(passing).await;
    }
    let Some(place) = Place::of(passing.parts.uri.path()) else {
        return forward(passing).await;
    };
    if place.is_question() {
        return forward(passing).await;
    }
    if place.is_namespace() {
        return outside(way, &place, passing).await;
    }
    let Some(namespace) = &place.namespace else {
        return outside(way, &place, passing).await;
    };
    match owns(way, namespace).await {
        Ok(true) => forward(passing).await,
        Ok(false) => rehearse(&place, passing).await,
        Err(why) => broken(&why),
    }
}

/// `exec`, `attach` and `port-forward`, by whatever method: what is done there nobody sees, so it is
/// for the lab's own pods only.
async fn within(way: &Way, passing: Passing) -> Response<Body> {
    let path = passing.parts.uri.path();
    let namespace = Place::of(path).and_then(|place| place.namespace);
    let owned = match &namespace {
        Some(namespace) => owns(way, namespace).await,
        None => Ok(false),
    };
    match owned {
        Ok(true) => forward(passing).await,
        Ok(false) => broken(&kept("a connection to", path)),
        Err(why) => broken(&why),
    }
}

/// A change of a namespace, or of something that is in none.
async fn outside(way: &Way, place: &Place, mut passing: Passing) -> Response<Body> {
    let method = passing.parts.method.clone();
    let Some(name) = &place.name else {
        if method != Method::POST || !label(way, &mut passing) {
            return rehearse(place, passing).await;
        }
        return forward(passing).await;
    };
    let whose = match whose(way, &place.path).await {
        Ok(whose) => whose,
        Err(why) => return broken(&why),
    };
    let whole = method == Method::PUT && place.subresource.is_none();
    match whose {
        Whose::Foreign => rehearse(place, passing).await,
        // A PUT may make what is not there; so may an apply, which the label cannot be put into.
        _ if whole && !label(way, &mut passing) => rehearse(place, passing).await,
        Whose::Nobodys if method == Method::PATCH => rehearse(place, passing).await,
        Whose::Ours | Whose::Nobodys => {
            if place.is_namespace() && method == Method::DELETE {
                locked(&way.ours).remove(name);
            }
            forward(passing).await
        }
    }
}

/// Whether a namespace is the lab's.
async fn owns(way: &Way, namespace: &str) -> Result<bool, String> {
    if locked(&way.ours).contains(namespace) {
        return Ok(true);
    }
    let ours = matches!(
        whose(way, &format!("/api/v1/namespaces/{namespace}")).await?,
        Whose::Ours
    );
    if ours {
        locked(&way.ours).insert(namespace.to_owned());
    }
    Ok(ours)
}

async fn whose(way: &Way, path: &str) -> Result<Whose, String> {
    let answer = way.cluster.ask("GET", path, None).await;
    let answer = answer.map_err(|error| format!("GET {path}: {}", chain(&error)))?;
    Ok(match answer.status {
        404 => Whose::Nobodys,
        200 if way.label.is_on(&answer.body) => Whose::Ours,
        // What cannot be read is not of the lab.
        _ => Whose::Foreign,
    })
}

/// Puts the lab's label on the object that is sent; `false` where there is no object to put it on.
fn label(way: &Way, passing: &mut Passing) -> bool {
    let kind = passing.parts.headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let parsed: Option<Value> = if kind.contains("yaml") {
        serde_yaml::from_slice(&passing.body).ok()
    } else {
        serde_json::from_slice(&passing.body).ok()
    };
    let Some(mut object) = parsed.filter(|object| object["metadata"].is_object()) else {
        return false;
    };
    let labels = &mut object["metadata"]["labels"];
    if !(labels.is_object() || labels.is_null()) {
        return false;
    }
    labels[LABEL] = way.label.text().into();
    passing.body = object.to_string().into_bytes();
    let json = HeaderValue::from_static("application/json");
    passing.parts.headers.insert(header::CONTENT_TYPE, json);
    true
}

/// Asks the cluster what it would say, and keeps it from being done.
async fn rehearse(place: &Place, mut passing: Passing) -> Response<Body> {
    let uri = &passing.parts.uri;
    let method = passing.parts.method.clone();
    let query = uri
        .query()
        .map(|query| format!("{query}&"))
        .unwrap_or_default();
    let dry = format!("{}?{query}dryRun=All", uri.path());
    match dry.parse() {
        Ok(dry) => passing.parts.uri = dry,
        Err(_) => return broken("the request's path cannot be read"),
    }
    let answer = forward(passing).await;
    if answer.status().is_client_error() || answer.status().is_server_error() {
        return answer;
    }
    broken(&kept(method.as_str(), &place.path))
}

/// What is said of a request that the cluster would have granted, or might have.
fn kept(what: &str, path: &str) -> String {
    format!(
        "{what} {path} is kept from the cluster: it is not of this lab, which changes only its own \
         namespaces and what it has made itself (label {LABEL})"
    )
}
