//! Whose containers and networks are whose.

use super::*;

#[test]
fn a_lab_owns_what_sees_its_files_and_nothing_else() {
    let containers = "node\t3f0c,/checkout/.authlab/labs/dex-kind/kube-apiserver,/lib/modules\n\
                      other\t/checkout/.authlab/labs/dex-kind-2/ca.pem\n\
                      stranger\t\n";
    let networks = "one\t/checkout/.authlab/labs/dex-kind\n\
                    two\t/elsewhere/.authlab/labs/dex-kind\n";
    let held = Held {
        containers: rows(containers, |mounts| {
            mounts.split(',').map(PathBuf::from).collect()
        }),
        networks: rows(networks, |folder| PathBuf::from(folder)),
    };
    assert_eq!(held.containers.len(), 3);
    let held = held.of(|lab| lab == Path::new("/checkout/.authlab/labs/dex-kind"));
    let ids: Vec<&str> = held.containers.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["node"]);
    assert_eq!(held.networks.len(), 1);
}

#[test]
fn a_docker_of_the_first_time_names_no_gateway() {
    let known = gateway("172.17.0.9 172.17.0.0/16").map(|it| it.to_string());
    assert_eq!(known.as_deref(), Some("172.17.0.9"));
    let first = gateway("172.17.0.0/16").map(|it| it.to_string());
    assert_eq!(first.as_deref(), Some("172.17.0.1"));
    assert_eq!(gateway(""), None);
}
