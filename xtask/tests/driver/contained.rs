//! What can go wrong under a lab of containers: an image is gone.

use std::time::{Duration, Instant};

use crate::components::build_containers;
use crate::root::Root;

/// From when a fault can be seen to the end of the lab.
const SOON: Duration = Duration::from_secs(10);

fn root() -> Root {
    build_containers();
    let root = Root::real();
    root.link_components();
    root
}

/// Docker's client, which stands in for itself on PATH: the image is gone when it is looked for once
/// more, just before it is used.
const FORGETFUL: &str = r#"#!/bin/sh
case "$*" in
  "image inspect --format {{.Id}} authlab/node:"*)
    echo "Error: No such image: $5" >&2
    exit 1
    ;;
esac
exec REAL "$@"
"#;

#[test]
#[ignore = "needs Docker and the images of kind labs"]
fn an_image_that_is_gone() {
    use std::os::unix::fs::PermissionsExt;

    let root = root();
    let path = std::env::var_os("PATH").unwrap();
    let mut folders = std::env::split_paths(&path);
    let real = folders
        .find(|folder| folder.join("docker").is_file())
        .unwrap();
    let real = real.join("docker").display().to_string();
    root.write("bin/docker", &FORGETFUL.replace("REAL", &real));
    let program = root.path("bin/docker");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let paths = [root.path("bin")]
        .into_iter()
        .chain(std::env::split_paths(&path));
    let mut up = root.real_command(&["up", "plain", "--backend", "kind"]);
    let begun = Instant::now();
    let up = up
        .env("PATH", std::env::join_paths(paths).unwrap())
        .output()
        .unwrap();
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
