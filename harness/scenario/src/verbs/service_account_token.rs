//! `serviceAccountToken`: the API server issues a token for a service account.

use std::time::Duration;

use authlab_lab::wait::{Look, until};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::{Task, Verb};
use crate::api::Call;
use crate::context::Context;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::format::OneOrMany;
use crate::oauth;
use crate::reproduce;
use crate::seen::Seen;

/// Asks the API server, as the lab's administrator, for a token of a service account (TokenRequest).
///
/// ```yaml
/// - serviceAccountToken: { name: robot, namespace: dev, audiences: [vault], as: robot }
/// - serviceAccountToken: { name: robot, expirationSeconds: 1200, as: robot, check: seen.claims.exp - seen.claims.iat == 1200.0 }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct ServiceAccountToken {
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// The service account.
    name: String,
    /// Its namespace; the scenario's own when left out.
    #[serde(default)]
    namespace: Option<String>,
    /// The audiences; those of the API server when left out.
    #[serde(default)]
    audiences: Vec<String>,
    /// How long it is good for, 600 at least; an hour when left out.
    #[serde(default)]
    expiration_seconds: Option<i64>,
    /// The name under which the token is kept.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
    /// CEL booleans over `seen`: `seen.claims` are the token's claims.
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// The service account that a controller makes in each namespace, a moment after the namespace.
const DEFAULT: &str = "default";

impl ServiceAccountToken {
    fn path(&self, context: &Context<'_>) -> String {
        let namespace = self.namespace.as_ref().unwrap_or(&context.namespace);
        format!(
            "/api/v1/namespaces/{namespace}/serviceaccounts/{}",
            self.name
        )
    }
}

impl Verb for ServiceAccountToken {
    fn summary(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} for {namespace}/{}", self.as_.value, self.name),
            None => format!("{} for {}", self.as_.value, self.name),
        }
    }

    fn keeps(&self) -> Option<&Spanned<String>> {
        Some(&self.as_)
    }

    fn needs_namespace(&self) -> bool {
        self.namespace.is_none()
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let mut out = format!(
            "{} create token {} -n {}",
            reproduce::kubectl(context, context.api.admin()),
            self.name,
            self.namespace.as_ref().unwrap_or(&context.namespace)
        );
        for audience in &self.audiences {
            out.push_str(&format!(" --audience={}", reproduce::quote(audience)));
        }
        if let Some(seconds) = self.expiration_seconds {
            out.push_str(&format!(" --duration={seconds}s"));
        }
        Some(out)
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let account = self.path(context);
            if self.name == DEFAULT {
                until(
                    "the service account `default`",
                    Duration::from_secs(30),
                    || async {
                        let call = Call::get(&account);
                        match context.api.send(context.api.admin(), call).await {
                            Ok(answer) if answer.status == 200 => Look::Ready(()),
                            Ok(answer) => Look::NotYet(answer.message()),
                            Err(fault) => Look::Failed(fault.to_string()),
                        }
                    },
                )
                .await?;
            }
            let mut spec = json!({});
            if !self.audiences.is_empty() {
                spec["audiences"] = json!(self.audiences);
            }
            if let Some(seconds) = self.expiration_seconds {
                spec["expirationSeconds"] = json!(seconds);
            }
            let body = json!({
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": spec,
            });
            let path = format!("{account}/token");
            let mut answer = context.api.admin_does(Call::post(&path, &body)).await?;
            let Value::String(token) = answer["status"]["token"].take() else {
                return Err(Fault::other(
                    "the TokenRequest was answered without a token",
                ));
            };
            let token = SecretString::from(token);
            let claims = oauth::claims(&token);
            context.keep(&self.as_.value, Credential::bearer(token));
            Ok(Seen::new(
                json!({ "audiences": answer["spec"]["audiences"], "claims": claims }),
            ))
        })
    }
}
