//! Where objects of a kind live, asked of the server's discovery.

use serde_json::Value;

use crate::api::{Api, Call};
use crate::fault::Fault;

/// A resource of the API.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    /// `/api/v1` or `/apis/<group>/<version>`.
    prefix: String,
    /// The plural name.
    name: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

impl Resource {
    /// The path of its objects in `namespace`, where it has namespaces.
    pub fn path(&self, namespace: &str) -> String {
        if self.namespaced {
            format!("{}/namespaces/{namespace}/{}", self.prefix, self.name)
        } else {
            format!("{}/{}", self.prefix, self.name)
        }
    }
}

/// The resource of a kind; else the kinds that the version has, none where there is no such version.
///
/// # Errors
/// When discovery does not answer.
pub(super) async fn resource(
    api: &Api,
    api_version: &str,
    kind: &str,
) -> Result<Result<Resource, Vec<String>>, Fault> {
    let prefix = if api_version.contains('/') {
        format!("/apis/{api_version}")
    } else {
        format!("/api/{api_version}")
    };
    let answer = api.send(api.admin(), Call::get(&prefix)).await?;
    if answer.status == 404 {
        return Ok(Err(Vec::new()));
    }
    let list = answer.success()?;
    let resources = list["resources"].as_array().map_or(&[][..], Vec::as_slice);
    // `pods/log` is a subresource.
    let served = resources.iter().filter_map(|resource| {
        let name = resource["name"]
            .as_str()
            .filter(|name| !name.contains('/'))?;
        Some((resource, name))
    });
    let found = served
        .clone()
        .find(|(resource, _)| resource["kind"] == kind);
    Ok(match found {
        Some((resource, name)) => Ok(Resource {
            prefix,
            name: name.to_owned(),
            namespaced: resource["namespaced"] == Value::Bool(true),
        }),
        None => Err(served
            .filter_map(|(resource, _)| Some(resource["kind"].as_str()?.to_owned()))
            .collect()),
    })
}
