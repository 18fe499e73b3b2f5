//! What a server answers of a pod for which no kubelet answers.

use axum::response::{IntoResponse, Response};
use http::header;
use k8s_openapi::api::core::v1::Node;

use crate::call::Call;
use crate::request::ResourceInfo;
use crate::resources::{Resource, of};
use crate::status::Status;

/// Logs and commands: of a pod that is on no node there are none, and of a node nobody is there.
pub(super) fn serve(
    call: &Call,
    resource: &Resource,
    target: &ResourceInfo,
) -> Result<Response, Status> {
    let (name, namespace) = (&target.name, &target.namespace);
    let pod = call.cluster.store.get(resource, namespace, name);
    let pod = pod.ok_or_else(|| Status::not_found(resource, name))?;
    let containers = pod["spec"]["containers"].as_array();
    let names: Vec<&str> = containers
        .into_iter()
        .flatten()
        .filter_map(|one| one["name"].as_str())
        .collect();
    match call.query.get("container").filter(|name| !name.is_empty()) {
        Some(wanted) if !names.contains(&wanted) => {
            return Err(Status::bad_request(format!(
                "container {wanted} is not valid for pod {name}"
            )));
        }
        None if names.len() > 1 => {
            let names = names.join(" ");
            return Err(Status::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{names}]"
            )));
        }
        _ => {}
    }
    let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
    match (target.subresource.as_str(), node) {
        ("log", "") => Ok(([(header::CONTENT_TYPE, "text/plain")], "").into_response()),
        (_, "") => Err(Status::bad_request(format!(
            "pod {name} does not have a host assigned"
        ))),
        // A node that is not there is looked for among the pods, says the real server.
        (_, node) if call.cluster.store.get(of::<Node>(), "", node).is_none() => {
            Err(Status::not_found(resource, node))
        }
        (_, _) => Err(Status::internal(
            "no preferred addresses found; known addresses: []",
        )),
    }
}
