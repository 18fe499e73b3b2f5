//! Under which labels the real server counts a request.
//!
//! Only handlers count: who is not known or not allowed never reaches one, and neither does a
//! request for what is not there (k8s.io/apiserver `pkg/endpoints/metrics`).

use http::{HeaderMap, header};

use crate::request::{Query, RequestInfo};

/// Subresources whose requests are connections, whatever their method.
const CONNECTED: [&str; 5] = ["attach", "exec", "log", "portforward", "proxy"];

/// The labels of a request, in their order; `None` for one that is not counted.
pub(crate) fn labels(
    info: &RequestInfo,
    query: &Query,
    headers: &HeaderMap,
    code: u16,
) -> Option<Vec<(&'static str, String)>> {
    let dry_run = match query.get("dryRun") {
        None | Some("") => "",
        Some("All") => "All",
        Some(_) => "invalid",
    };
    let labels = |component: &str, scope: &str, verb: &str, of: [&str; 4]| {
        let [group, resource, subresource, version] = of;
        let all = [
            ("code", &*code.to_string()),
            ("component", component),
            ("dry_run", dry_run),
            ("group", group),
            ("resource", resource),
            ("scope", scope),
            ("subresource", subresource),
            ("verb", verb),
            ("version", version),
        ];
        Some(all.map(|(key, value)| (key, value.to_owned())).into())
    };
    let Some(target) = &info.resource else {
        let path = info.path.trim_end_matches('/');
        let (component, name) = match path {
            // Discovery is counted in its newer form only.
            "/api" | "/apis" if whole_discovery(headers) => ("apiserver", &path[1..]),
            "/healthz" | "/livez" | "/readyz" => ("", path),
            "/openapi/v3" => ("", "openapi/v3"),
            _ if path.starts_with("/openapi/v3/") => ("", "openapi/v3/"),
            _ => return None,
        };
        return labels(component, "", "GET", ["", "", name, ""]);
    };
    let applied = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"));
    let verb = match info.verb.as_str() {
        _ if CONNECTED.contains(&target.subresource.as_str()) => "CONNECT",
        "get" => "GET",
        "list" => "LIST",
        "watch" => "WATCH",
        "create" => "POST",
        "update" => "PUT",
        "patch" if applied => "APPLY",
        "patch" => "PATCH",
        "delete" | "deletecollection" => "DELETE",
        _ => "other",
    };
    let scope = if !target.name.is_empty() || verb == "POST" {
        "resource"
    } else if target.namespace.is_empty() {
        "cluster"
    } else {
        "namespace"
    };
    let of = [
        target.group.as_str(),
        &target.resource,
        &target.subresource,
        &target.version,
    ];
    labels("apiserver", scope, verb, of)
}

/// Whether everything that is served is asked for at once.
fn whole_discovery(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("APIGroupDiscoveryList"))
}
