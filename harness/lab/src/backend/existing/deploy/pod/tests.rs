//! What is told of a pod.

use serde_json::json;

use super::*;

#[test]
fn a_pod_says_why_it_is_not_ready() {
    let waiting = json!({ "status": {
        "phase": "Pending",
        "initContainerStatuses": [{ "name": "etcd", "started": true, "restartCount": 0,
            "state": { "running": {} } }],
        "containerStatuses": [{ "name": "dex", "image": "dex:none", "started": false,
            "restartCount": 0, "state": { "waiting": {
                "reason": "ErrImagePull", "message": "not found" } } }],
    }});
    assert_eq!(state(&waiting), "dex (dex:none): ErrImagePull: not found");
    assert_eq!(failing(&waiting), Some("dex".to_owned()));
    let unscheduled = json!({ "status": { "phase": "Pending", "conditions": [
        { "type": "PodScheduled", "status": "False", "message": "0/1 nodes are available" },
    ]}});
    assert_eq!(state(&unscheduled), "0/1 nodes are available");
    let starting = json!({ "status": { "phase": "Pending", "containerStatuses": [
        { "name": "dex", "state": { "waiting": { "reason": "ContainerCreating" } } },
    ]}});
    assert_eq!(state(&starting), "it is Pending");
}

#[test]
fn a_container_that_ended_is_seen_whether_or_not_it_was_started_again() {
    let pod = |dex: Value| {
        let etcd = json!({ "name": "etcd", "restartCount": 1, "state": { "running": {} },
            "lastState": { "terminated": { "exitCode": 1, "reason": "Error" } } });
        json!({ "status": { "initContainerStatuses": [etcd], "containerStatuses": [dex] } })
    };
    let terminated = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    let before = json!({ "name": "dex", "restartCount": 0, "state": { "running": {} } });
    let known = restarts(&pod(before.clone()));
    // That of etcd was before the pod was ready.
    assert_eq!(ended(&pod(before), &known), None);
    let killed = Some(("dex".to_owned(), "exit code 137 (OOMKilled)".to_owned()));
    let down = json!({ "name": "dex", "restartCount": 0, "state": terminated });
    assert_eq!(ended(&pod(down), &known), killed);
    let again = json!({ "name": "dex", "restartCount": 1, "state": { "running": {} },
        "lastState": terminated });
    assert_eq!(ended(&pod(again), &known), killed);
}
