//! `rotateKeys`: a provider gets another signing key.

use authlab_lab::control::{Request, Response};
use authlab_lab::source::SourceError;
use authlab_lab::state::Capability;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::{Loading, Task, Verb, provider};
use crate::context::Context;
use crate::fault::Fault;
use crate::seen::Seen;

/// Gives a provider a new signing key. The old one stays published beside it, so that tokens of
/// before hold as long as they live. At the end of the scenario the rotation is undone.
///
/// ```yaml
/// - rotateKeys: { idp: forge }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct RotateKeys {
    /// The identity provider, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
}

impl Verb for RotateKeys {
    fn summary(&self) -> String {
        format!("of {}", self.idp.value)
    }

    fn needs_lab_alone(&self, _: &Loading<'_>) -> bool {
        true
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        provider::named(loading, &self.idp).map(drop)
    }

    fn needs(&self) -> Option<Capability> {
        Some(Capability::Providers)
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            context.changed = true;
            let provider = self.idp.value.clone();
            match context.host(&Request::RotateKeys { provider }).await? {
                Response::Done => Ok(Seen::new(json!({}))),
                _ => Err(Fault::other("the lab host answered to another question")),
            }
        })
    }
}
