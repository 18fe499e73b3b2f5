//! `apply`: writes Kubernetes objects.

use std::path::PathBuf;

use authlab_lab::source::SourceError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::denial::{Denial, why};
use super::{Loading, Stance, Task, Verb};
use crate::aggregated;
use crate::context::Context;
use crate::credential::ADMIN;
use crate::fault::Fault;
use crate::format::Word;
use crate::objects::manifest::{self, Manifest, Object};
use crate::objects::{RBAC, Written};
use crate::reason::parse;
use crate::reproduce;
use crate::seen::Seen;

/// Creates or replaces the objects of a manifest, in order, and waits until they are in force:
/// aggregated cluster roles filled, RBAC known to the authorizer. The manifest is read as kubectl
/// reads it (YAML 1.1, several documents). Objects without a namespace go to the scenario's own,
/// `${lab.namespace}`. What was written is removed, and what was replaced put back, at the end.
///
/// ```yaml
/// - apply: { manifest: manifests/dev-team.yaml }
/// - apply: { manifest: manifests/role-author.yaml, as: jane, expect: forbidden }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Apply {
    /// The manifest, a path below `fixtures/`.
    #[schemars(with = "PathBuf")]
    manifest: Spanned<PathBuf>,
    /// Who writes; the lab's administrator when left out.
    #[serde(default, rename = "as")]
    #[schemars(with = "Option<String>")]
    as_: Option<Spanned<String>>,
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// What must happen; `applied` when left out.
    #[serde(default)]
    expect: Option<Word<Expect>>,
}

/// The answer to a manifest.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// Every object is stored.
    Applied {},
    /// An object is refused because of who writes it (403).
    Forbidden(Denial),
    /// An object is refused because of what it is (400 or 422).
    Invalid(Denial),
}

impl Apply {
    fn word(&self) -> &'static str {
        match self.expect.as_deref() {
            None | Some(Expect::Applied {}) => "applied",
            Some(Expect::Forbidden(_)) => "forbidden",
            Some(Expect::Invalid(_)) => "invalid",
        }
    }
}

impl Verb for Apply {
    fn summary(&self) -> String {
        match &self.as_ {
            Some(as_) => format!("{} as {}", self.manifest.value.display(), as_.value),
            None => self.manifest.value.display().to_string(),
        }
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        self.as_.iter().collect()
    }

    fn stance(&self) -> Stance {
        match self.word() {
            "applied" => Stance::Success,
            "forbidden" => Stance::Denial,
            _ => Stance::Neutral,
        }
    }

    fn needs_namespace(&self) -> bool {
        true
    }

    fn needs_lab_alone(&self, loading: &Loading<'_>) -> bool {
        manifest::reaches_others(loading.root, &self.manifest.value).unwrap_or(true)
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        manifest::check_named(loading, &self.manifest)
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let name = self.as_.as_ref().map_or(ADMIN, |as_| as_.value.as_str());
        let credential = context.credential(name).ok()?;
        Some(format!(
            "cargo xtask render {} | {} apply -n {} -f -",
            self.manifest.value.display(),
            reproduce::kubectl(context, credential),
            context.namespace
        ))
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let manifest = Manifest::read(context.root, &self.manifest.value, &context.values)?;
            let name = self.as_.as_ref().map_or(ADMIN, |as_| as_.value.as_str());
            let credential = context.credential(name)?.clone();
            let mut refused = None;
            for object in &manifest.objects {
                let value = &object.value;
                let written = context
                    .traces
                    .write(&context.api, &credential, value, &context.namespace)
                    .await?;
                match written {
                    Written::Applied => {}
                    Written::Refused(answer) => {
                        refused = Some((value, answer));
                        break;
                    }
                    Written::NoKind(why, near) => {
                        let error = manifest.unknown_kind(object, why);
                        return Err(error.or_help(near).into());
                    }
                }
            }
            in_force(context, &manifest.objects).await?;
            let Some((object, answer)) = refused else {
                let mut seen = Seen::new(json!({ "applied": manifest.objects.len() }));
                seen.row("verdict", self.word(), "applied", self.word() == "applied");
                return Ok(seen);
            };
            let word = match answer.status {
                403 => "forbidden",
                400 | 422 => "invalid",
                401 => "unauthorized",
                _ => return Err(answer.fault()),
            };
            let words = match answer.status {
                401 => why(&answer, &credential, context).await?,
                _ => answer.message(),
            };
            let mut seen = Seen::new(json!({
                word: { "object": title(object), "message": words, "because": parse(&words).data() },
            }));
            seen.row("verdict", self.word(), word, self.word() == word);
            match self.expect.as_deref() {
                Some(Expect::Forbidden(denial) | Expect::Invalid(denial))
                    if self.word() == word =>
                {
                    denial.compare(&words, &mut seen);
                }
                _ => seen.because(format!("{}: {words}", title(object))),
            }
            Ok(seen)
        })
    }
}

fn title(object: &Value) -> String {
    let text = |field: &Value| field.as_str().unwrap_or("?").to_owned();
    format!(
        "{} {}",
        text(&object["kind"]),
        text(&object["metadata"]["name"])
    )
}

/// Waits on what a real server does behind a write of RBAC objects.
async fn in_force(context: &mut Context<'_>, objects: &[Object]) -> Result<(), Fault> {
    let rbac = |kind: &str| {
        objects.iter().any(|Object { value: object, .. }| {
            let version = object["apiVersion"].as_str().unwrap_or_default();
            version.starts_with(RBAC) && (kind.is_empty() || object["kind"] == kind)
        })
    };
    if rbac("ClusterRole") {
        aggregated::filled(&context.api).await?;
    }
    if rbac("")
        && let Some(barrier) = &mut context.traces.barrier
    {
        barrier.pass(&context.api).await?;
    }
    Ok(())
}
