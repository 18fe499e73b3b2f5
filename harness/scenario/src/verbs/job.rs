//! `job`: what became of a job that runs in the cluster.

use std::time::Duration;

use authlab_lab::state::Capability;
use authlab_lab::wait::{Look, until};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Stance, Task, Verb};
use crate::api::Call;
use crate::context::Context;
use crate::fault::Fault;
use crate::format::TextMatch;
use crate::reproduce;
use crate::seen::Seen;

/// Waits for the end of a job (batch/v1) that an earlier step has made, and looks at what its pod
/// has written.
///
/// ```yaml
/// - job: { name: login, expect: { succeeded: true, output: { contains: "dex:" } } }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Job {
    /// The job.
    name: String,
    /// Its namespace; the scenario's own when left out.
    #[serde(default)]
    namespace: Option<String>,
    /// What must have become of it.
    expect: Expect,
}

/// The end of a job.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expect {
    /// Whether it did what it was to do.
    succeeded: bool,
    /// What its pod wrote.
    #[serde(default)]
    output: Option<TextMatch>,
}

/// How long a job may take: what it talks to may still start.
const END: Duration = Duration::from_secs(180);

impl Job {
    fn namespace<'a>(&'a self, context: &'a Context<'_>) -> &'a str {
        self.namespace.as_ref().unwrap_or(&context.namespace)
    }

    /// Whether it succeeded, once it has ended.
    async fn end(&self, context: &Context<'_>) -> Result<bool, Fault> {
        let namespace = self.namespace(context);
        let path = format!("/apis/batch/v1/namespaces/{namespace}/jobs/{}", self.name);
        let what = format!("the end of the job {}", self.name);
        let end = until(&what, END, || async {
            let job = match context.api.admin_does(Call::get(&path)).await {
                Ok(job) => job,
                Err(fault) => return Look::Failed(fault.to_string()),
            };
            let conditions = job["status"]["conditions"].as_array();
            let mut true_ones = conditions.into_iter().flatten().filter_map(|condition| {
                (condition["status"] == "True").then(|| condition["type"].as_str())?
            });
            match true_ones.find(|kind| ["Complete", "Failed"].contains(kind)) {
                Some(kind) => Look::Ready(kind == "Complete"),
                None => Look::NotYet(self.pod(context).await),
            }
        });
        Ok(end.await?)
    }

    /// The state of its pod, in words.
    async fn pod(&self, context: &Context<'_>) -> String {
        match self.pods(context).await {
            Ok(pods) => {
                let status = &pods["items"][0]["status"];
                let waiting = &status["containerStatuses"][0]["state"]["waiting"];
                let condition = &status["conditions"][0];
                let words = [
                    &status["phase"],
                    &waiting["reason"],
                    &waiting["message"],
                    &condition["message"],
                ];
                let words: Vec<&str> = words.into_iter().filter_map(Value::as_str).collect();
                words.join(": ")
            }
            Err(fault) => fault.to_string(),
        }
    }

    async fn pods(&self, context: &Context<'_>) -> Result<Value, Fault> {
        let (namespace, name) = (self.namespace(context), &self.name);
        let path = format!("/api/v1/namespaces/{namespace}/pods?labelSelector=job-name%3D{name}");
        context.api.admin_does(Call::get(&path)).await
    }

    /// What the pod wrote; the last one, when there were several.
    async fn output(&self, context: &Context<'_>) -> Result<String, Fault> {
        let pods = self.pods(context).await?;
        let pod = pods["items"].as_array().and_then(|pods| pods.last());
        let Some(pod) = pod.and_then(|pod| pod["metadata"]["name"].as_str()) else {
            return Ok(String::new());
        };
        let namespace = self.namespace(context);
        let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log");
        Ok(match context.api.admin_does(Call::get(&path)).await? {
            Value::String(text) => text,
            data => data.to_string(),
        })
    }
}

impl Verb for Job {
    fn summary(&self) -> String {
        self.name.clone()
    }

    fn stance(&self) -> Stance {
        match self.expect.succeeded {
            true => Stance::Success,
            false => Stance::Denial,
        }
    }

    fn needs_namespace(&self) -> bool {
        self.namespace.is_none()
    }

    fn needs(&self) -> Option<Capability> {
        Some(Capability::Pods)
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        Some(format!(
            "{} logs -n {} job/{}",
            reproduce::kubectl(context, context.api.admin()),
            self.namespace(context),
            self.name
        ))
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let succeeded = self.end(context).await?;
            let output = self.output(context).await?;
            let expect = &self.expect;
            let mut seen = Seen::new(json!({ "succeeded": succeeded, "output": output }));
            seen.equal("succeeded", &json!(expect.succeeded), &json!(succeeded));
            if let Some(wanted) = &expect.output {
                let text = output.trim();
                seen.row("output", wanted.describe(), text, wanted.holds(text));
            }
            if !succeeded {
                seen.because(output.trim());
            }
            Ok(seen)
        })
    }
}
