//! The pod of a lab's providers: whether it has come to run, and whether it still does.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{NAME, READY};
use crate::backend::LabError;
use crate::backend::existing::cluster::Cluster;
use crate::backend::existing::images;
use crate::backend::process::keycloak::admin::Admin;
use crate::wait::{Look, until};

/// How long an image may be asked for in vain: a registry may stumble.
const PULLED: Duration = Duration::from_secs(6);
/// How many lines of its log a container shows that does not run.
const LAST_LINES: usize = 12;
/// How often the cluster is asked whether the providers live.
const LOOKS: Duration = Duration::from_secs(1);

/// A pod that has been asked for.
pub(super) struct Pod {
    path: String,
    /// How often each container had been started again when the pod was ready.
    restarts: BTreeMap<String, u64>,
}

impl Pod {
    /// That in the namespace with this path.
    pub fn new(namespace: &str) -> Self {
        Self {
            path: format!("{namespace}/pods/{NAME}"),
            restarts: BTreeMap::new(),
        }
    }

    /// Waits until a Keycloak of the pod answers its administrator. What others wait for, its realm,
    /// is not there yet, so the pod is not ready.
    pub async fn serves(
        &self,
        cluster: &Cluster,
        name: &str,
        admin: &Admin,
    ) -> Result<(), LabError> {
        self.until(cluster, &format!("{name} answers"), |pod| async move {
            // Started again, it would take as long once more, to the same end.
            if let Some((container, why)) = ended(&pod, &BTreeMap::new())
                && container == name
            {
                return Look::Failed(why);
            }
            match admin.answers().await {
                Ok(()) => Look::Ready(()),
                Err(why) => Look::NotYet(why),
            }
        })
        .await
    }

    /// Waits until every container is ready.
    pub async fn ready(&mut self, cluster: &Cluster) -> Result<(), LabError> {
        let what = format!("the pod {}", self.path.trim_start_matches("/api/v1/"));
        self.until(cluster, &what, |pod| async move {
            match images::is_ready(&pod) {
                true => Look::Ready(()),
                false => Look::NotYet(state(&pod)),
            }
        })
        .await?;
        let pod = cluster.does("GET", &self.path, None).await?;
        self.restarts = restarts(&pod);
        Ok(())
    }

    /// `holds` is no `AsyncFn`: that its futures may move between threads the compiler would not see.
    async fn until<Fut>(
        &self,
        cluster: &Cluster,
        what: &str,
        holds: impl Fn(Value) -> Fut,
    ) -> Result<(), LabError>
    where
        Fut: Future<Output = Look<()>>,
    {
        let begun = Instant::now();
        let waited = until(what, READY, || async {
            let pod = match cluster.does("GET", &self.path, None).await {
                Ok(pod) => pod,
                Err(error) => return Look::Failed(error.to_string()),
            };
            let state = state(&pod);
            let never = ["CrashLoopBackOff", "InvalidImageName", "ErrImageNeverPull"];
            let not_now = ["ErrImagePull", "ImagePullBackOff"];
            let says = |words: &[&str]| words.iter().any(|word| state.contains(word));
            match says(&never) || begun.elapsed() > PULLED && says(&not_now) {
                true => Look::Failed(state),
                false => holds(pod).await,
            }
        });
        let Err(error) = waited.await else {
            return Ok(());
        };
        let pod = cluster.does("GET", &self.path, None).await;
        let pod = pod.unwrap_or_default();
        let failing = failing(&pod);
        let lines = match &failing {
            Some(name) => self.last_lines(cluster, name).await,
            None => String::new(),
        };
        Err(LabError::Component {
            component: failing.unwrap_or_else(|| NAME.to_owned()),
            what: format!("does not come to run in the cluster: {error}"),
            lines,
        })
    }

    /// Ends only when a container has ended, or the pod is gone.
    pub async fn died(&self, cluster: &Cluster) -> LabError {
        let mut looks = tokio::time::interval(LOOKS);
        loop {
            looks.tick().await;
            // A cluster that does not answer shows in every step.
            let Ok(answer) = cluster.ask("GET", &self.path, None).await else {
                continue;
            };
            let going = answer.body["metadata"]["deletionTimestamp"].is_string();
            if answer.status == 404 || answer.status == 200 && going {
                return LabError::Component {
                    component: NAME.to_owned(),
                    what: "were removed: somebody has deleted their pod in the cluster".to_owned(),
                    lines: String::new(),
                };
            }
            if answer.status != 200 {
                continue;
            }
            let pod = answer.body;
            if let Some((name, why)) = ended(&pod, &self.restarts) {
                return LabError::Component {
                    lines: self.last_lines(cluster, &name).await,
                    component: name,
                    what: format!("ended in the cluster: {why}"),
                };
            }
            if pod["status"]["phase"] == "Failed" {
                return LabError::Component {
                    component: NAME.to_owned(),
                    what: format!(
                        "ended in the cluster: {}: {}",
                        text(&pod["status"]["reason"]),
                        text(&pod["status"]["message"])
                    ),
                    lines: String::new(),
                };
            }
        }
    }

    /// Of a container that has ended, which may be started again at any moment: then they are those
    /// of what it was before.
    async fn last_lines(&self, cluster: &Cluster, container: &str) -> String {
        let path = &self.path;
        for before in [true, false, true] {
            let log = format!(
                "{path}/log?container={container}&tailLines={LAST_LINES}&previous={before}"
            );
            let log = cluster.ask("GET", &log, None).await;
            let log = log.ok().filter(|answer| answer.status == 200);
            let lines = log.map(|answer| answer.message()).unwrap_or_default();
            if !lines.is_empty() {
                return lines;
            }
        }
        String::new()
    }
}

fn text(field: &Value) -> String {
    field.as_str().unwrap_or_default().to_owned()
}

/// How often each container of a pod was started again.
fn restarts(pod: &Value) -> BTreeMap<String, u64> {
    let all = containers(pod).map(|one| {
        let count = one["restartCount"].as_u64().unwrap_or_default();
        (text(&one["name"]), count)
    });
    all.collect()
}

/// A container that has ended since it had been started again so often, and how.
///
/// Source: Kubernetes API, `v1.ContainerStatus`: how a container ended stands in `state` until it is
/// started again, then in `lastState`.
fn ended(pod: &Value, since: &BTreeMap<String, u64>) -> Option<(String, String)> {
    containers(pod).find_map(|one| {
        let name = text(&one["name"]);
        let count = one["restartCount"].as_u64().unwrap_or_default();
        let again = count > since.get(&name).copied().unwrap_or_default();
        let states = [&one["state"]["terminated"], &one["lastState"]["terminated"]];
        let how = states
            .into_iter()
            .zip([true, again])
            .find(|(how, counts)| *counts && !how.is_null());
        let how = match how {
            Some((how, _)) => {
                let code = how["exitCode"].as_i64().unwrap_or_default();
                format!("exit code {code} ({})", text(&how["reason"]))
            }
            None if again => "it was started again".to_owned(),
            None => return None,
        };
        Some((name, how))
    })
}

/// The containers of a pod, in the order in which they are started.
fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    let status = &pod["status"];
    let lists = ["initContainerStatuses", "containerStatuses"];
    lists
        .into_iter()
        .flat_map(|list| status[list].as_array().into_iter().flatten())
}

/// The first container that is not what it should be.
fn failing(pod: &Value) -> Option<String> {
    let mut all = containers(pod);
    let one = all.find(|one| one["started"] != true || one["restartCount"] != 0)?;
    Some(one["name"].as_str()?.to_owned())
}

/// What the containers of a pod that is not ready say of themselves.
fn state(pod: &Value) -> String {
    let waiting = containers(pod).filter_map(|one| {
        let waiting = &one["state"]["waiting"];
        let reason = text(&waiting["reason"]);
        let known = ["", "PodInitializing", "ContainerCreating"];
        (!known.contains(&reason.as_str())).then(|| {
            let (name, image) = (text(&one["name"]), text(&one["image"]));
            format!("{name} ({image}): {reason}: {}", text(&waiting["message"]))
        })
    });
    let waiting: Vec<String> = waiting.collect();
    if !waiting.is_empty() {
        return waiting.join("; ");
    }
    // Nobody takes it: the reason stands among the conditions.
    let conditions = pod["status"]["conditions"].as_array();
    let mut why = conditions
        .into_iter()
        .flatten()
        .filter(|one| one["type"] == "PodScheduled" && one["status"] == "False");
    match why.next() {
        Some(why) => text(&why["message"]),
        None => format!("it is {}", text(&pod["status"]["phase"])),
    }
}

#[cfg(test)]
mod tests;
