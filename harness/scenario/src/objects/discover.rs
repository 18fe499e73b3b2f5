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

/// The resource of a kind. `None` when the server has none.
///
/// # Errors
/// When discovery does not answer.
pub(super) async fn resource(
    api: &Api,
    api_version: &str,
    kind: &str,
) -> Result<Option<Resource>, Fault> {
    let prefix = if api_version.contains('/') {
        format!("/apis/{api_version}")
    } else {
        format!("/api/{api_version}")
    };
    let answer = api.send(api.admin(), Call::get(&prefix)).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    let list = answer.success()?;
    let resources = list["resources"].as_array().map_or(&[][..], Vec::as_slice);
    Ok(resources
        .iter()
        .filter(|resource| resource["kind"] == kind)
        .filter_map(|resource| {
            Some(Resource {
                prefix: prefix.clone(),
                // `pods/log` is a subresource.
                name: resource["name"]
                    .as_str()
                    .filter(|name| !name.contains('/'))?
                    .to_owned(),
                namespaced: resource["namespaced"] == Value::Bool(true),
            })
        })
        .next())
}
