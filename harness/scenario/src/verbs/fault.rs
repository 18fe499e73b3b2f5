//! `fault`: a provider misbehaves.

use authlab_idp::fault::Fault as Wrong;
use authlab_lab::control::{Request, Response};
use authlab_lab::source::SourceError;
use authlab_lab::spec::ProviderKind;
use authlab_lab::state::Capability;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use serde_saphyr::Spanned;

use super::{Loading, Task, Verb, provider};
use crate::context::Context;
use crate::fault::Fault as Broken;
use crate::seen::Seen;

/// Has a provider misbehave until a `mend`, another `fault` of the same provider, or the end of the
/// scenario. A forge knows every fault, a Dex or a Keycloak only `down`.
///
/// ```yaml
/// - fault: { idp: dex, is: down }
/// - fault: { idp: forge, is: { discovery: { status: 500 } } }
/// - fault: { idp: forge, is: { tls: expired } }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Fault {
    /// The identity provider, by its name in the lab file.
    #[schemars(with = "String")]
    idp: Spanned<String>,
    /// What is wrong: `down` (nobody listens), or one of
    /// `discovery: { status: 500 } | slow | huge | wrongIssuer | redirect`,
    /// `jwks: { status: 500 } | slow | empty | wrongKid`, `tls: otherAuthority | expired`.
    #[schemars(with = "Wrong")]
    is: Spanned<Wrong>,
}

impl Verb for Fault {
    fn summary(&self) -> String {
        format!("{}: {}", self.idp.value, self.is.value)
    }

    fn needs_lab_alone(&self, _: &Loading<'_>) -> bool {
        true
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        for (plan, provider) in provider::named(loading, &self.idp)? {
            if provider.kind != ProviderKind::Forge && self.is.value != Wrong::Down {
                let message = format!(
                    "`{}` of the lab `{}` cannot have the fault `{}`",
                    self.idp.value, plan.lab, self.is.value
                );
                return Err(loading
                    .source
                    .error(self.is.referenced, message, "only a forge can")
                    .or_help("products only know `is: down`"));
            }
        }
        Ok(())
    }

    fn needs(&self) -> Option<Capability> {
        Some(Capability::Providers)
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Broken>> {
        Box::pin(async move {
            set(context, &self.idp.value, Some(self.is.value)).await?;
            Ok(Seen::new(json!({ "fault": self.is.value.to_string() })))
        })
    }
}

/// Sets the fault of a provider, or mends it.
///
/// # Errors
/// When the lab host cannot.
pub(super) async fn set(
    context: &mut Context<'_>,
    provider: &str,
    fault: Option<Wrong>,
) -> Result<(), Broken> {
    // Set before: a change that is given up half-way must be undone too.
    context.changed = true;
    let provider = provider.to_owned();
    match context.host(&Request::Fault { provider, fault }).await? {
        Response::Done => Ok(()),
        _ => Err(Broken::other("the lab host answered to another question")),
    }
}
