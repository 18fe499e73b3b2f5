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
    assert_eq!(failing(&waiting), Some(("dex".to_owned(), 0)));
    let unscheduled = json!({ "status": { "phase": "Pending", "conditions": [
        { "type": "PodScheduled", "status": "False", "message": "0/1 nodes are available" },
    ]}});
    assert_eq!(state(&unscheduled), "0/1 nodes are available");
    let starting = json!({ "status": { "phase": "Pending", "containerStatuses": [
        { "name": "dex", "state": { "waiting": { "reason": "ContainerCreating" } } },
    ]}});
    assert_eq!(state(&starting), "it is Pending");
}
