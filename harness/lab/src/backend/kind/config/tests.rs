//! The file as kind reads it.

use super::*;

fn mounts() -> Mounts {
    let path = |name: &str| Path::new("/lab").join(name);
    Mounts {
        authority: (path("ca.crt"), path("ca-key.pem")),
        service_accounts: (path("sa.pub"), path("sa.key")),
        server: path("kube-apiserver"),
        lab_ca: path("ca.pem"),
        patches: path("patches"),
        workers: Vec::new(),
    }
}

/// One that is given twice.
fn flags() -> [(String, String); 2] {
    ["RS256", "ES256"].map(|value| ("oidc-signing-algs".to_owned(), value.to_owned()))
}

#[test]
fn the_labs_own_authority_and_files_are_the_clusters() {
    let (mounts, flags) = (mounts(), flags());
    insta::assert_snapshot!(text("authlab/node:v1.36.3", 26443, &mounts, &flags, false));
    let without = text("authlab/node:v1.36.3", 26443, &mounts, &[], true);
    assert!(!without.contains("failCgroupV1"));
}

#[test]
fn a_worker_has_the_same_image_and_waits_for_its_network() {
    let mounts = Mounts {
        workers: vec!["/lab/default-worker1".into(), "/lab/default-worker2".into()],
        ..mounts()
    };
    let text = text("authlab/node:v1.36.3", 26443, &mounts, &[], true);
    let config: Value = serde_yaml::from_str(&text).unwrap();
    let nodes = config["nodes"].as_array().unwrap();
    let roles: Vec<_> = nodes.iter().map(|node| &node["role"]).collect();
    assert_eq!(roles, ["control-plane", "worker", "worker"]);
    assert_eq!(nodes[2]["image"], "authlab/node:v1.36.3");
    assert_eq!(
        nodes[2]["extraMounts"][0],
        json!({ "hostPath": "/lab/default-worker2", "containerPath": "/etc/cni/net.d" })
    );
    // By it the node is known to be the lab's.
    assert_eq!(nodes[2]["extraMounts"][1]["hostPath"], "/lab/ca.pem");
}

#[test]
fn an_official_node_has_its_own_network_and_control_groups() {
    let ours = text("authlab/node:v1.35.4-0123", 26443, &mounts(), &[], true);
    assert!(ours.contains("disableDefaultCNI: true") && ours.contains("cgroupDriver"));
    let official = "authlab/node:v1.35.0-official-452d707d4862";
    let theirs = text(official, 26443, &mounts(), &[], true);
    assert!(theirs.contains("disableDefaultCNI: false") && !theirs.contains("cgroupDriver"));
    assert!(theirs.contains("kubeadm.k8s.io/v1beta3"));
}

#[test]
fn patches_have_the_form_that_the_version_wants() {
    let patches = |image: &str| -> Vec<Value> {
        let config: Value =
            serde_yaml::from_str(&text(image, 26443, &mounts(), &flags(), false)).unwrap();
        let patches = config["kubeadmConfigPatches"].as_array().unwrap().iter();
        let read = patches.map(|patch| serde_json::from_str(patch.as_str().unwrap()).unwrap());
        read.collect()
    };
    for old in ["1.34.4", "1.35.4-0123"] {
        let patches = patches(&format!("authlab/node:v{old}"));
        for patch in &patches[..2] {
            assert_eq!(patch["apiVersion"], "kubeadm.k8s.io/v1beta3");
        }
        let server = &patches[0]["apiServer"]["extraArgs"];
        assert_eq!(
            server,
            &json!({
                "audit-log-path": "/lab/kube-apiserver/audit.log",
                "audit-policy-file": "/lab/kube-apiserver/audit-policy.yaml",
                "oidc-signing-algs": "RS256,ES256",
            })
        );
        let scheduler = &patches[0]["scheduler"]["extraArgs"];
        assert_eq!(scheduler, &json!({ "leader-elect": "false" }));
    }
    for new in ["v1.36.3", "v1.40.0", "v2.0.0", "latest"] {
        let patches = patches(&format!("authlab/node:{new}"));
        for patch in &patches[..2] {
            assert_eq!(patch["apiVersion"], "kubeadm.k8s.io/v1beta4");
        }
        assert_eq!(
            patches[0]["scheduler"]["extraArgs"],
            json!([{ "name": "leader-elect", "value": "false" }])
        );
    }
}
