//! What can go wrong under a lab of containers: an image is gone, a part is killed, the API server
//! refuses its file.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use crate::components::{build_containers, docker};
use crate::root::Root;

/// From when a fault can be seen to the end of the lab.
const SOON: Duration = Duration::from_secs(10);

fn root() -> Root {
    build_containers();
    let root = Root::real();
    root.link_components();
    root
}

/// For Docker's client: the image is gone when it is looked for once more, just before it is used.
const FORGETFUL: &str = r#"
  "image inspect --format {{.Id}} authlab/node:"*)
    echo "Error: No such image: $5" >&2
    exit 1
    ;;"#;
/// For Docker's client: whoever guards a node's etcd comes to it only when the file is there.
const LATE: &str = r#"
  exec*guard)
    until [ -e FILE ]; do sleep 0.1; done
    ;;"#;

/// For Docker's client: before anybody looks at a new cluster, its API server has ended once, and been
/// started again by the kubelet.
const RESTLESS: &str = r#"
  exec*mark)
    DOCKER exec "$2" pkill -KILL -x kube-apiserver
    DOCKER exec "$2" timeout 60 sh -c 'until ls /var/log/pods/*/kube-apiserver/1.log &&
      kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz; do sleep 0.2; done'
    ;;"#;
/// Waits for the next etcd.
const ANOTHER: &str = "until pgrep -x etcd; do sleep 0.1; done";

/// A PATH on which Docker's client is one that first does as this branch of a `case` says.
fn path_with_docker(root: &Root, branch: &str) -> OsString {
    let path = std::env::var_os("PATH").unwrap();
    let mut real = std::env::split_paths(&path).map(|folder| folder.join("docker"));
    let real = real.find(|file| file.is_file()).unwrap();
    let real = real.display().to_string();
    let branch = branch.replace("DOCKER", &real);
    let script = format!("#!/bin/sh\ncase \"$*\" in{branch}\nesac\nexec {real} \"$@\"\n");
    root.path_with("docker", &script)
}

#[test]
#[ignore = "needs Docker and the images of kind labs"]
fn an_image_that_is_gone() {
    let root = root();
    let path = path_with_docker(&root, FORGETFUL);
    let mut up = root.real_command(&["up", "plain", "--backend", "kind"]);
    let begun = Instant::now();
    let up = up.env("PATH", path).output().unwrap();
    let said = root.plain(&up.stderr);
    assert_eq!(up.status.code(), Some(2), "{said}");
    assert!(begun.elapsed() < SOON * 2, "{:?}: {said}", begun.elapsed());
    assert!(
        said.contains("no image of node: Docker has authlab/node:"),
        "{said}"
    );
    assert!(said.contains("`cargo xtask images` builds it"), "{said}");
    root.assert_clean();
}

/// Containers of labs in `root`, by name.
fn containers(root: &Root) -> Vec<String> {
    let label = root.path(".authlab/labs").display().to_string();
    let listed = docker(&[
        "ps",
        "--all",
        "--no-trunc",
        "--format",
        "{{.Names}}\t{{.Labels}} {{.Mounts}}",
    ]);
    let ours = listed.lines().filter(|line| line.contains(&label));
    let names = ours.filter_map(|line| Some(line.split_once('\t')?.0.to_owned()));
    names.collect()
}

#[test]
#[ignore = "needs Docker and the images of kind labs"]
fn a_part_that_is_killed() {
    let root = root();
    let killed = root.path("killed");
    let late = LATE.replace("FILE", &killed.display().to_string());
    let late = path_with_docker(&root, &late);
    for part in ["node", "etcd", "dex"] {
        let mut up = root.real_command(&["up", "dex", "--backend", "kind"]);
        if part == "etcd" {
            up.env("PATH", &late);
        }
        let up = up.output().unwrap();
        assert!(up.status.success(), "{}", root.plain(&up.stderr));
        let all = containers(&root);
        let is_node = |name: &&String| name.ends_with("-control-plane");
        let node = all.iter().find(is_node).unwrap();
        let named = match part {
            "node" => {
                docker(&["kill", node]);
                format!("the node {node} does not run any more: ")
            }
            "etcd" => {
                docker(&["exec", node, "pkill", "-KILL", "-x", "etcd"]);
                // What comes in its place is no substitute.
                docker(&["exec", node, "timeout", "30", "sh", "-c", ANOTHER]);
                std::fs::write(&killed, "").unwrap();
                "etcd ended in the cluster's node".to_owned()
            }
            _ => {
                let dex = all.iter().find(|name| !is_node(name)).unwrap();
                docker(&["kill", dex]);
                "dex ended: ".to_owned()
            }
        };
        root.assert_ends_within(SOON, part);
        assert_eq!(containers(&root), Vec::<String>::new(), "{part}");
        let said = root.done(&["status"]);
        assert!(
            said.contains(&format!("dex-kind  has died: {named}")),
            "{said}"
        );
        assert!(said.contains("help: "), "{said}");
        assert!(said.lines().count() > 4, "without its last words: {said}");
        root.assert_clean();
    }
}

#[test]
#[ignore = "needs Docker and the images of kind labs"]
fn an_api_server_that_ends_while_its_cluster_is_made() {
    let root = root();
    let mut up = root.real_command(&["up", "plain", "--backend", "kind"]);
    let up = up.env("PATH", path_with_docker(&root, RESTLESS));
    let up = up.output().unwrap();
    assert!(up.status.success(), "{}", root.plain(&up.stderr));
    let all = containers(&root);
    docker(&["exec", &all[0], "pkill", "-KILL", "-x", "kube-apiserver"]);
    root.assert_ends_within(SOON, "the API server");
    let said = root.done(&["status"]);
    assert!(
        said.contains("plain-kind  has died: kube-apiserver "),
        "{said}"
    );
    root.assert_clean();
}

#[test]
#[ignore = "needs Docker and the images of kind labs"]
fn a_file_that_the_api_server_of_a_cluster_refuses_at_its_start() {
    build_containers();
    let root = Root::new();
    root.link_components();
    let up = || {
        let begun = Instant::now();
        let mut driver = root.real_command(&["up", "forge", "--backend", "kind"]);
        (driver.output().unwrap(), begun.elapsed())
    };
    let (good, usual) = up();
    assert!(good.status.success(), "{}", root.plain(&good.stderr));
    root.done(&["down"]);
    let file = std::fs::read_to_string(root.path("fixtures/kubernetes/forge.yaml")).unwrap();
    let wrong = file.replace("audiences: [kube]", "audiences: []");
    root.write("fixtures/kubernetes/forge.yaml", &wrong);
    let (up, took) = up();
    let said = root.plain(&up.stderr);
    assert_eq!(up.status.code(), Some(2), "{said}");
    // It can be seen once a cluster has come to its API server, which is before it is of use.
    assert!(took < usual + SOON, "{took:?} after {usual:?}: {said}");
    assert!(said.contains("kube-apiserver refused to start"), "{said}");
    assert!(said.contains("fixtures/kubernetes/forge.yaml:6:"), "{said}");
    assert!(said.contains("help: mend it there"), "{said}");
    assert_eq!(containers(&root), Vec::<String>::new());
    root.assert_clean();
}
