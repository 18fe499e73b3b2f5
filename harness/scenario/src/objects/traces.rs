//! What a scenario has written, so that it can be cleared away in reverse order.

use std::time::Duration;

use authlab_lab::source::meant;
use authlab_lab::wait::{Look, until};
use reqwest::Method;
use serde_json::Value;

use super::RBAC;
use super::discover::resource;
use crate::api::{Answer, Api, Call};
use crate::barrier::Barrier;
use crate::credential::Credential;
use crate::fault::Fault;

/// Objects written so far.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    written: Vec<Trace>,
    /// The RBAC barrier, once the scenario has a namespace.
    pub barrier: Option<Barrier>,
}

#[derive(Debug)]
struct Trace {
    path: String,
    /// The object as it was before the scenario, when it was there.
    before: Option<Value>,
    rbac: bool,
}

/// How the server answered to an object.
#[derive(Debug)]
pub(crate) enum Written {
    /// It is stored.
    Applied,
    /// The server refused it.
    Refused(Answer),
    /// The server has no such kind: in words, and what it has.
    NoKind(String, String),
}

impl Traces {
    /// Creates or replaces `object` as `credential`; without a namespace of its own it goes to
    /// `namespace`.
    ///
    /// # Errors
    /// When no answer decides.
    pub async fn write(
        &mut self,
        api: &Api,
        credential: &Credential,
        object: &Value,
        namespace: &str,
    ) -> Result<Written, Fault> {
        let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
        let (version, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
        let name = text(&object["metadata"]["name"]);
        let resource = match resource(api, &version, &kind).await? {
            Ok(resource) => resource,
            Err(known) => {
                let why = format!("the API server has no kind `{kind}` in `{version}`");
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                return Ok(Written::NoKind(why, meant(&kind, &known)));
            }
        };
        let own = object["metadata"]["namespace"].as_str();
        let collection = resource.path(own.unwrap_or(namespace));
        let path = format!("{collection}/{name}");
        let answer = api
            .send(credential, Call::post(&collection, object))
            .await?;
        let (answer, before) = if answer.status == 409 {
            replace(api, credential, object, &collection, &path).await?
        } else {
            (answer, None)
        };
        let answer = answer.decided()?;
        if answer.status >= 300 {
            return Ok(Written::Refused(answer));
        }
        let in_own_namespace = resource.namespaced && own.is_none_or(|own| own == namespace);
        let replaced_ours = self.written.iter().any(|trace| trace.path == path);
        // The scenario's namespace takes what is in it along.
        if !in_own_namespace && !replaced_ours {
            self.written.push(Trace {
                path,
                before,
                rbac: version.starts_with(RBAC),
            });
        }
        Ok(Written::Applied)
    }

    /// Removes what was written, or puts back what was there, in reverse order; then waits until
    /// the authorizer has seen it, so that no later scenario is let in by what is gone.
    ///
    /// # Errors
    /// When something cannot be removed; the rest is removed all the same.
    pub async fn clear(&mut self, api: &Api) -> Result<(), Fault> {
        let mut result = Ok(());
        let rbac = self.written.iter().any(|trace| trace.rbac);
        for trace in self.written.drain(..).rev() {
            let done = match trace.before {
                Some(before) => restore(api, &trace.path, before).await,
                None => remove(api, &trace.path).await,
            };
            if result.is_ok() {
                result = done;
            }
        }
        if rbac && let Some(barrier) = &mut self.barrier {
            let passed = barrier.pass(api).await;
            if result.is_ok() {
                result = passed;
            }
        }
        result
    }
}

/// Replaces an object that is there; one that is on its way out is waited for and made anew.
async fn replace(
    api: &Api,
    credential: &Credential,
    object: &Value,
    collection: &str,
    path: &str,
) -> Result<(Answer, Option<Value>), Fault> {
    let there = api.send(api.admin(), Call::get(path)).await?;
    if there.status == 404 || there.body["metadata"]["deletionTimestamp"].is_string() {
        gone(api, path).await?;
        let answer = api.send(credential, Call::post(collection, object)).await?;
        return Ok((answer, None));
    }
    let before = there.success()?;
    let mut wanted = object.clone();
    wanted["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
    let call = Call::new(Method::PUT, path, Some(&wanted));
    Ok((api.send(credential, call).await?, Some(before)))
}

async fn restore(api: &Api, path: &str, mut before: Value) -> Result<(), Fault> {
    let there = api.admin_does(Call::get(path)).await?;
    before["metadata"]["resourceVersion"] = there["metadata"]["resourceVersion"].clone();
    let call = Call::new(Method::PUT, path, Some(&before));
    api.admin_does(call).await.map(drop)
}

/// Deletes the object at `path`; that it is gone already is as good.
pub(super) async fn remove(api: &Api, path: &str) -> Result<(), Fault> {
    let answer = api
        .send(api.admin(), Call::new(Method::DELETE, path, None))
        .await?;
    match answer.status {
        404 | 409 => Ok(()),
        _ => answer.success().map(drop),
    }
}

async fn gone(api: &Api, path: &str) -> Result<(), Fault> {
    let what = format!("{path} to be gone");
    Ok(until(&what, Duration::from_secs(30), || async {
        match api.send(api.admin(), Call::get(path)).await {
            Ok(answer) if answer.status == 404 => Look::Ready(()),
            Ok(answer) => Look::NotYet(format!("status {}", answer.status)),
            Err(fault) => Look::Failed(fault.to_string()),
        }
    })
    .await?)
}
