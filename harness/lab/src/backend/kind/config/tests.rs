//! The file as kind reads it.

use super::*;

#[test]
fn the_labs_own_authority_and_files_are_the_clusters() {
    let path = |name: &str| Path::new("/lab").join(name);
    let mounts = Mounts {
        authority: (path("ca.crt"), path("ca-key.pem")),
        service_accounts: (path("sa.pub"), path("sa.key")),
        server: path("kube-apiserver"),
        lab_ca: path("ca.pem"),
        patches: path("patches"),
    };
    let flag = |value: &str| ("oidc-signing-algs".to_owned(), value.to_owned());
    let flags = [flag("RS256"), flag("ES256")];
    insta::assert_snapshot!(text("authlab/node:v1.36.3", 26443, &mounts, &flags, false));
    let without = text("authlab/node:v1.36.3", 26443, &mounts, &[], true);
    assert!(!without.contains("failCgroupV1"));
}
