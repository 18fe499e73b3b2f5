//! How an answer is written: JSON, YAML, a table or bare metadata, as `Accept` asks.
//!
//! Protobuf and CBOR are not spoken; clients that prefer them also take JSON, and get it.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use crate::call::Call;
use crate::resources::{Resource, Served};
use crate::status::Status;
use crate::table;

/// One shape that a client takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Accept {
    pub(crate) media: String,
    /// The `as`, `g` and `v` parameters.
    pub(crate) shape: Option<(String, String, String)>,
}

/// The client's choices that this server could meet, best first.
pub(crate) fn accepted(header: &str) -> Vec<Accept> {
    let ranges = header.split(',').filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        let (mut kind, mut group, mut version) = (None, String::new(), String::new());
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            match key.trim() {
                "as" => kind = Some(value.to_owned()),
                "g" => group = value.to_owned(),
                "v" => version = value.to_owned(),
                _ => {}
            }
        }
        let shape = kind.map(|kind| (kind, group, version));
        let known = matches!(
            media.as_str(),
            "application/json" | "application/yaml" | "*/*" | "application/*"
        );
        known.then_some(Accept { media, shape })
    });
    ranges.collect()
}

/// Refuses a client that takes none of the languages known to Kubernetes.
pub(crate) fn check(call: &Call) -> Result<(), Status> {
    let header = call.header(header::ACCEPT);
    let known = [
        "application/json",
        "application/yaml",
        "*/*",
        "application/*",
    ];
    let binary = ["application/vnd.kubernetes.protobuf", "application/cbor"];
    let mut ranges = header.split(',').map(|range| {
        range
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
    });
    if header.is_empty()
        || ranges.any(|range| known.contains(&range.as_str()) || binary.contains(&range.as_str()))
    {
        return Ok(());
    }
    Err(Status::not_acceptable(&format!(
        "{}, {}, {}",
        known[0], known[1], binary[0]
    )))
}

/// Whether the client takes a media type, or does not say.
pub(crate) fn takes(call: &Call, media: &str) -> bool {
    let header = call.header(header::ACCEPT);
    let mut ranges = header
        .split(',')
        .map(|range| range.split(';').next().unwrap_or_default().trim());
    header.is_empty() || ranges.any(|range| [media, "*/*", "application/*"].contains(&range))
}

/// Writes an object or list of a served kind.
pub(crate) fn object(
    call: &Call,
    code: StatusCode,
    resource: &Resource,
    value: &Value,
) -> Response {
    for choice in accepted(call.header(header::ACCEPT)) {
        match choice.shape.as_ref().map(|(kind, _, _)| kind.as_str()) {
            None => return plain(call, code, &choice.media, value),
            Some("Table") if table::serves(resource) => {
                let include = call.query.get("includeObject").unwrap_or("Metadata");
                return json(call, code, &table::table(resource, value, include, true));
            }
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => {
                return json(call, code, &metadata_only(resource, value));
            }
            Some(_) => {}
        }
    }
    plain(call, code, "application/json", value)
}

/// Writes a value that has one shape only.
pub(crate) fn value(call: &Call, code: StatusCode, value: &Value) -> Response {
    let choice = accepted(call.header(header::ACCEPT))
        .into_iter()
        .find(|one| one.shape.is_none());
    plain(
        call,
        code,
        choice.as_ref().map_or("application/json", |one| &one.media),
        value,
    )
}

fn plain(call: &Call, code: StatusCode, media: &str, value: &Value) -> Response {
    if media != "application/yaml" {
        return json(call, code, value);
    }
    let text = serde_yaml::to_string(value).unwrap_or_default();
    (code, [(header::CONTENT_TYPE, "application/yaml")], text).into_response()
}

/// JSON, spread over lines for people: `?pretty=true`, or a client that people type.
pub(crate) fn json(call: &Call, code: StatusCode, value: &impl Serialize) -> Response {
    let agent = call.header(header::USER_AGENT);
    let typed = ["curl", "Wget", "Mozilla/5.0"]
        .iter()
        .any(|prefix| agent.starts_with(prefix));
    let pretty = if call.query.get("pretty").is_some() {
        call.query.flag("pretty")
    } else {
        typed
    };
    let body = if pretty {
        serde_json::to_vec_pretty(value)
    } else {
        serde_json::to_vec(value)
    };
    let kind = HeaderValue::from_static("application/json");
    (
        code,
        [(header::CONTENT_TYPE, kind)],
        body.unwrap_or_default(),
    )
        .into_response()
}

/// The object or list with nothing but types and metadata.
pub(crate) fn metadata_only(resource: &Resource, value: &Value) -> Value {
    let partial = |object: &Value| {
        json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": object["metadata"],
        })
    };
    match (value["items"].as_array(), &resource.served) {
        (Some(items), Served::Objects(_)) => {
            let mut metadata = value["metadata"].clone();
            if let Some(metadata) = metadata.as_object_mut() {
                metadata.retain(|_, value| value != "");
            }
            json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": items.iter().map(partial).collect::<Vec<_>>(),
            })
        }
        _ => partial(value),
    }
}
