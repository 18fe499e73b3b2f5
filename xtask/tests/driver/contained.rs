//! What can go wrong under a lab of containers: an image is gone, Docker is stopped.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::components::{build_containers, docker};
use crate::root::Root;
use crate::talk::{send, wait_until, within};

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

/// A Docker of the test's own, in a network of its own: two would fight for one bridge and the rules
/// of one firewall.
struct Docker {
    folder: tempfile::TempDir,
    network: String,
    daemon: Option<Child>,
}

impl Docker {
    /// `None`, with a message, for a user who may not start one.
    fn new(root: &Root) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            let _ = writeln!(std::io::stderr(), "skipped: only root may start a Docker");
            return None;
        }
        let network = format!("authlab-{}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &network]).status();
        assert!(made.unwrap().success());
        // Sockets have short paths.
        let folder = tempfile::Builder::new().prefix("docker").tempdir().unwrap();
        let runtime = folder.path().join("runtime");
        let text = root
            .real_command(&["doctor", "--runtime"])
            .output()
            .unwrap();
        std::fs::write(&runtime, text.stdout).unwrap();
        std::fs::set_permissions(
            &runtime,
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        let mut this = Self {
            folder,
            network,
            daemon: None,
        };
        let mut up = Command::new("ip");
        up.args(["link", "set", "lo", "up"]);
        assert!(this.inside(&up).status().unwrap().success());
        this.start();
        Some(this)
    }

    /// The same command in the network of this Docker.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.arg(format!("--net=/run/netns/{}", self.network));
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        inside
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.path("socket").display())
    }

    fn start(&mut self) {
        let mut daemon = Command::new("dockerd");
        for (flag, name) in [
            ("--data-root", "data"),
            ("--exec-root", "exec"),
            ("--pidfile", "pid"),
        ] {
            daemon.arg(flag).arg(self.path(name));
        }
        daemon.args(["--host", &self.host()]);
        if docker(&["info", "--format", "{{.DefaultRuntime}}"]).trim() != "runc" {
            let runtime = self.path("runtime");
            daemon
                .arg("--add-runtime")
                .arg(format!("other={}", runtime.display()));
            daemon.args(["--default-runtime", "other"]);
        }
        let log = std::fs::File::create(self.path("log")).unwrap();
        let mut daemon = self.inside(&daemon);
        let daemon = daemon.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.daemon = Some(daemon);
        wait_until("Docker answers", || {
            self.client(&["version"]).output().unwrap().status.success()
        });
    }

    fn client(&self, args: &[&str]) -> Command {
        let mut client = Command::new("docker");
        client.args(args).env("DOCKER_HOST", self.host());
        client
    }

    fn asked(&self, args: &[&str]) -> String {
        let output = self.client(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Takes images over from the machine's own.
    fn take(&self, names: &[String]) {
        let mut save = Command::new("docker");
        let mut save = save
            .arg("save")
            .args(names)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let from = save.stdout.take().unwrap();
        let load = self
            .client(&["load", "--quiet"])
            .stdin(from)
            .output()
            .unwrap();
        assert!(
            save.wait().unwrap().success() && load.status.success(),
            "{load:?}"
        );
    }

    /// As an administrator does.
    fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            send(daemon.id(), Signal::TERM);
            daemon.wait().unwrap();
        }
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        self.stop();
        let mut gone = Command::new("ip");
        let _ = gone.args(["netns", "delete", &self.network]).status();
        // What it has mounted is gone with it, but for what it could not end.
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let ours = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for mount in ours.filter(|path| Path::new(path).starts_with(self.folder.path())) {
            let _ = Command::new("umount").args(["--lazy", mount]).status();
        }
    }
}

#[test]
#[ignore = "starts a Docker of its own with the images of kind labs: root, some minutes, 3 GB"]
fn docker_that_is_stopped() {
    let root = root();
    let Some(mut own) = Docker::new(&root) else {
        return;
    };
    let images = root
        .real_command(&["images", "node", "dex", "--json"])
        .output()
        .unwrap();
    let images: serde_json::Value = serde_json::from_slice(&images.stdout).unwrap();
    let images = images.as_array().unwrap().iter();
    let names: Vec<String> = images
        .map(|image| image["reference"].as_str().unwrap().to_owned())
        .collect();
    own.take(&names);
    let with = |args: &[&str]| {
        let mut command = root.real_command(args);
        command.env("DOCKER_HOST", own.host());
        own.inside(&command)
    };
    let up = with(&["up", "dex", "--backend", "kind"]).output().unwrap();
    assert!(up.status.success(), "{}", root.plain(&up.stderr));
    // What it names reached kind, the node's clients and the container of Dex.
    assert_eq!(own.asked(&["ps", "--quiet"]).lines().count(), 2);

    let mut down = with(&["down"]);
    own.stop();
    let begun = Instant::now();
    let ended = within(SOON, || root.labelled().is_empty());
    let said = root.done(&["status"]);
    assert!(ended, "after {:?}: {said}", begun.elapsed());
    assert!(
        said.contains("dex-kind  has died: docker does not answer any more\n"),
        "{said}"
    );
    assert!(
        said.contains("Cannot connect to the Docker daemon"),
        "{said}"
    );
    assert!(
        said.contains("`cargo xtask doctor` says what to do"),
        "{said}"
    );

    // Its containers are its own affair until it is there again.
    own.start();
    let said = down.output().unwrap();
    assert!(said.status.success(), "{}", root.plain(&said.stderr));
    let left = own.asked(&["ps", "--all", "--quiet"]);
    assert_eq!(left, "", "containers are left");
    let networks = own.asked(&["network", "ls", "--filter", "name=authlab", "--quiet"]);
    assert_eq!(networks, "", "networks are left");
    assert_eq!(
        own.asked(&["volume", "ls", "--quiet"]),
        "",
        "volumes are left"
    );
    root.assert_clean();
}
