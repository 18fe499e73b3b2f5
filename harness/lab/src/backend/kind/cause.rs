//! What has really ended when something of a lab of containers has: with a node go its components, and
//! with Docker everything.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;

use super::{LabError, docker, name};
use crate::wait::{Look, until};

/// How long Docker may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long Docker may take to notice a node's end.
const MOMENT: Duration = Duration::from_secs(2);
/// What the node's own guard says first: see `serve`.
const ETCD: &str = "etcd ended";
/// How many lines of its log a dead node shows.
const LAST_LINES: &str = "12";

/// The failure that led to this one, of the lab in `folder`; the same where there is none.
pub(crate) async fn of(folder: &Path, error: LabError) -> LabError {
    let (LabError::Component { .. } | LabError::Api { .. } | LabError::Wait(_)) = &error else {
        return error;
    };
    let asked = docker::ask(&["version", "--format", "{{.Server.Version}}"]);
    let silent = match timeout(ANSWER, asked).await {
        Ok(Ok(_)) => None,
        Ok(Err(why)) => Some(why.to_string()),
        Err(_) => Some("no answer".to_owned()),
    };
    if let Some(why) = silent {
        return LabError::Component {
            component: "docker".to_owned(),
            what: "does not answer any more".to_owned(),
            lines: format!("{why}\n`cargo xtask doctor` says what to do about it"),
        };
    }
    if let LabError::Component { lines, .. } = &error
        && let Some(words) = lines.strip_prefix(ETCD)
    {
        return LabError::Component {
            component: "etcd".to_owned(),
            what: "ended in the cluster's node".to_owned(),
            lines: words.trim_start().to_owned(),
        };
    }
    // What ran in a node ends a moment before Docker says so of the node.
    let dead = until("the end of a node", MOMENT, || async {
        match dead_node(folder).await {
            Some(node) => Look::Ready(node),
            None => Look::NotYet("every node runs".to_owned()),
        }
    });
    dead.await.unwrap_or(error)
}

/// A node of the lab that does not run any more.
async fn dead_node(folder: &Path) -> Option<LabError> {
    let network = format!("network={}", name(folder));
    let columns = "{{.Names}}\t{{.State}}\t{{.Status}}";
    let list = ["ps", "--all", "--filter", &network, "--format", columns];
    let list = docker::ask(&list).await.ok()?;
    let mut nodes = list.lines().filter_map(|line| {
        let mut columns = line.split('\t');
        Some((columns.next()?, columns.next()?, columns.next()?))
    });
    let (node, _, status) = nodes.find(|(_, state, _)| *state != "running")?;
    let log = docker::ask(&["logs", "--tail", LAST_LINES, node]).await;
    Some(LabError::Component {
        component: format!("the node {node}"),
        what: format!("does not run any more: {status}"),
        lines: log.unwrap_or_else(|error| error.to_string()),
    })
}
