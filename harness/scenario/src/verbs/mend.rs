//! `mend`: a provider behaves again.

use authlab_lab::source::SourceError;
use authlab_lab::state::Capability;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::{Loading, Task, Verb, fault, provider};
use crate::context::Context;
use crate::fault::Fault;
use crate::seen::Seen;

/// Takes back the `fault` of a provider, and waits until that shows and the API server has found its
/// issuer again.
///
/// ```yaml
/// - mend: { idp: forge }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Mend {
    /// The identity provider, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
}

impl Verb for Mend {
    fn summary(&self) -> String {
        self.idp.value.clone()
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
            fault::set(context, &self.idp.value, None).await?;
            Ok(Seen::new(json!({})))
        })
    }
}
