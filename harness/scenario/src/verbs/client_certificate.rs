//! `clientCertificate`: the lab's CA issues a client certificate.

use authlab_lab::backend::FRONT_PROXY;
use authlab_lab::control::{Request, Response};
use authlab_lab::state::Capability;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::{Task, Verb};
use crate::context::Context;
use crate::fault::Fault;
use crate::seen::Seen;

/// Has the lab's CA issue a client certificate; the API server reads the common name as the user
/// and the organizations as the groups.
///
/// ```yaml
/// - clientCertificate: { user: eve, groups: [dev], as: eve }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ClientCertificate {
    /// The common name.
    user: String,
    /// The organizations.
    #[serde(default)]
    groups: Vec<String>,
    /// The name under which certificate and key are kept.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
}

impl Verb for ClientCertificate {
    fn summary(&self) -> String {
        format!("{} for {}", self.as_.value, self.user)
    }

    fn keeps(&self) -> Option<&Spanned<String>> {
        Some(&self.as_)
    }

    fn needs(&self) -> Option<Capability> {
        // No cluster signs these on request.
        let masters = self.groups.iter().any(|group| group == "system:masters");
        if masters || self.user == FRONT_PROXY {
            return Some(Capability::AnyCertificate);
        }
        Some(Capability::ClientCertificate)
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let request = Request::ClientCertificate {
                user: self.user.clone(),
                groups: self.groups.clone(),
            };
            match context.host(&request).await? {
                Response::ClientCertificate { certificate, key } => {
                    let credential = context.api.certificate(&certificate, &key)?;
                    context.learn(&key);
                    context.keep(&self.as_.value, credential);
                    Ok(Seen::new(
                        json!({ "user": self.user, "groups": self.groups }),
                    ))
                }
                _ => Err(Fault::other("the lab host answered without a certificate")),
            }
        })
    }
}
