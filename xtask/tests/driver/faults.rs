//! What can go wrong under a lab: each ends it soon, in one message that names what failed, shows its
//! last words and says what to do; nothing is left behind.

use std::io::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::root::Root;
use crate::talk::{Talk, send, within};

/// From when a fault can be seen to the end of the lab.
const SOON: Duration = Duration::from_secs(10);

/// A file system in the place of a root's `.authlab`, as small or as unwilling as asked.
struct Mount<'a>(&'a Root);

impl<'a> Mount<'a> {
    /// `None`, with a message, for a user who may not mount.
    fn new(root: &'a Root, size: &str) -> Option<Self> {
        let place = root.path(".authlab");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "authlab"]);
        let mounted = mount
            .arg(&place)
            .output()
            .is_ok_and(|said| said.status.success());
        if !mounted {
            let _ = writeln!(
                std::io::stderr(),
                "skipped: only root may mount a small disk"
            );
            return None;
        }
        Some(Self(root))
    }

    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.path(".authlab/filler")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn read_only(&self) {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", "remount,ro"])
            .arg(self.0.path(".authlab"));
        assert!(mount.status().unwrap().success());
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.0.path(".authlab"))
            .status();
    }
}

#[test]
fn a_full_disk_where_labs_lie() {
    let root = Root::new();
    let Some(mount) = Mount::new(&root, "256k") else {
        return;
    };
    mount.fill();
    let said = refused(&root, &["up", "plain"]);
    assert!(said.contains("No space left on device"), "{said}");
    assert!(said.contains("the disk is full: make room"), "{said}");
    assert_eq!(root.labelled(), Vec::<u32>::new());
    std::fs::remove_file(root.path(".authlab/filler")).unwrap();
    // What is there by then is enough for the next one.
    root.done(&["up", "plain"]);
    root.done(&["down"]);
    root.assert_clean();
}

#[test]
fn a_disk_that_cannot_be_written() {
    let root = Root::new();
    let Some(mount) = Mount::new(&root, "256k") else {
        return;
    };
    mount.read_only();
    let said = refused(&root, &["up", "plain"]);
    assert!(said.contains("Read-only file system"), "{said}");
    assert!(
        said.contains("nothing can be written where the checkout lies"),
        "{said}"
    );
    assert_eq!(root.labelled(), Vec::<u32>::new());
}

/// What was refused, its lines as long as they were before they were broken for the screen.
fn refused(root: &Root, args: &[&str]) -> String {
    let said = root.refused(args).replace('│', " ");
    said.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A root with the fixtures of the checkout, in which real components run.
fn real() -> Root {
    let root = Root::real();
    root.link_components();
    root
}

/// On real components.
fn process(root: &Root, args: &[&str]) -> Command {
    let mut driver = root.real_command(args);
    driver.args(["--backend", "process"]);
    driver
}

/// The processes of labs in `root` whose program has this name.
fn running(root: &Root, program: &str) -> Vec<u32> {
    let mut all = root.labelled();
    all.retain(|pid| {
        let program_of = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        program_of.ends_with(program)
    });
    all
}

#[test]
#[ignore = "runs the real components: they are built when they are not"]
fn a_component_that_is_killed() {
    let root = real();
    for program in ["etcd", "kube-apiserver", "kube-controller-manager", "dex"] {
        let up = process(&root, &["up", "dex"]).output().unwrap();
        assert!(up.status.success(), "{}", root.plain(&up.stderr));
        send(running(&root, program)[0], Signal::KILL);
        root.assert_ends_within(SOON, program);
        let said = root.done(&["status"]);
        let named = format!("dex-process  has died: {program} ended: signal: 9 (SIGKILL)\n");
        assert!(said.contains(&named), "{said}");
        assert!(said.contains("help: somebody killed it"), "{said}");
        assert!(said.lines().count() > 5, "without its last words: {said}");
        // What was to be seen of it is still there.
        let file = root.path("r.tar.gz");
        root.done(&["report", "dex", "--output", file.to_str().unwrap()]);
        let listed = Command::new("tar").arg("tzf").arg(&file).output().unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        assert!(
            listed.contains(&format!("dex-process/logs/{program}.log\n")),
            "{listed}"
        );
        root.assert_clean();
    }
    root.done(&["down"]);
    assert!(!root.done(&["status"]).contains("has died"));
}

#[test]
#[ignore = "runs the real components: they are built when they are not"]
fn a_component_that_is_killed_in_a_run() {
    let root = real();
    let steps =
        "  - request: { as: admin, path: /livez, expect: { status: 200 } }\n".repeat(20_000);
    root.write(
        "scenarios/long.yaml",
        &format!("name: long\nlab: dex\nsteps:\n{steps}"),
    );
    let run = Talk::run(process(&root, &["e2e"]));
    let there = within(Duration::from_secs(120), || {
        let labs = root.path(".authlab/labs");
        let folders = root.folders();
        folders
            .iter()
            .any(|lab| labs.join(lab).join("state.json").exists())
    });
    assert!(there, "the lab does not run");
    let begun = Instant::now();
    send(running(&root, "etcd")[0], Signal::KILL);
    let (status, said) = run.end();
    assert!(begun.elapsed() < SOON, "{:?}: {said}", begun.elapsed());
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("etcd ended: signal: 9 (SIGKILL)"), "{said}");
    assert!(said.contains("help: somebody killed it"), "{said}");
    assert!(said.contains("results and logs: "), "{said}");
    root.assert_clean();
}

#[test]
#[ignore = "runs the real components: they are built when they are not"]
fn a_file_that_the_real_api_server_refuses_at_its_start() {
    let root = Root::new();
    root.link_components();
    let file = std::fs::read_to_string(root.path("fixtures/kubernetes/forge.yaml")).unwrap();
    let wrong = file.replace("audiences: [kube]", "audiences: []");
    root.write("fixtures/kubernetes/forge.yaml", &wrong);
    let begun = Instant::now();
    let up = process(&root, &["up", "forge"]).output().unwrap();
    let said = root.plain(&up.stderr);
    assert_eq!(up.status.code(), Some(2), "{said}");
    assert!(begun.elapsed() < SOON * 2, "{:?}", begun.elapsed());
    assert!(said.contains("kube-apiserver refused to start"), "{said}");
    assert!(said.contains("fixtures/kubernetes/forge.yaml:6:"), "{said}");
    assert!(said.contains("help: mend it there"), "{said}");
    root.assert_clean();
}

#[test]
#[ignore = "runs the real components: they are built when they are not"]
fn a_disk_that_is_too_small_for_etcd() {
    let root = real();
    let Some(_mount) = Mount::new(&root, "2m") else {
        return;
    };
    let up = process(&root, &["up", "forge"]).output().unwrap();
    let said = root.plain(&up.stderr);
    assert_eq!(up.status.code(), Some(2), "{said}");
    assert!(said.contains("etcd ended: exit status: 2"), "{said}");
    assert!(said.contains("panic: failed to create WAL"), "{said}");
    assert!(said.contains("the disk is full: make room"), "{said}");
    assert!(!said.contains("goroutine"), "{said}");
    root.assert_clean();
}

#[test]
#[ignore = "runs the real components: they are built when they are not"]
fn a_disk_that_fills_up_under_a_running_lab() {
    let root = real();
    let Some(mount) = Mount::new(&root, "256m") else {
        return;
    };
    let up = process(&root, &["up", "forge"]).output().unwrap();
    assert!(up.status.success(), "{}", root.plain(&up.stderr));
    mount.fill();
    root.assert_ends_within(SOON, "etcd");
    let said = root.done(&["status"]);
    let named = "forge-process  has died: etcd cannot go on: no space left on device (";
    assert!(said.contains(named), "{said}");
    assert!(said.contains("help: the disk is full: make room"), "{said}");
    assert!(said.lines().count() > 5, "without its last words: {said}");
    std::fs::remove_file(root.path(".authlab/filler")).unwrap();
    root.done(&["down"]);
    root.assert_clean();
}

#[test]
#[ignore = "runs the real components: they are built when they are not"]
fn a_keycloak_that_is_killed() {
    let root = real();
    let up = process(&root, &["up", "keycloak"]).output().unwrap();
    assert!(up.status.success(), "{}", root.plain(&up.stderr));
    send(running(&root, "java")[0], Signal::KILL);
    root.assert_ends_within(SOON, "keycloak");
    let said = root.done(&["status"]);
    assert!(
        said.contains("keycloak-process  has died: keycloak ended\n"),
        "{said}"
    );
    assert!(said.contains("it ended: signal: 9 (SIGKILL)"), "{said}");
    assert!(said.contains("help: somebody killed it"), "{said}");
    assert!(said.lines().count() > 5, "without its last words: {said}");
    root.done(&["down"]);
    root.assert_clean();
}

#[test]
fn a_wrong_kubeconfig() {
    let root = Root::new();
    root.scenario("one", "forge", 200);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let cluster = |listener: &std::net::TcpListener| {
        let address = listener.local_addr().unwrap();
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{{ name: a, context: {{ \
             cluster: c, user: u }} }}]\nclusters: [{{ name: c, cluster: {{ server: \
             \"https://{address}\" }} }}]\nusers: [{{ name: u, user: {{ token: t }} }}]\n"
        )
    };
    let (hangs, refuses) = (cluster(&silent), cluster(&nobody));
    drop(nobody);
    for (text, what) in [
        (None, "No such file or directory"),
        (Some("clusters: [\n".to_owned()), "kubeconfig"),
        (Some(refuses), "cannot be reached"),
        (Some(hangs), "cannot be reached"),
    ] {
        let file = root.path("kubeconfig");
        if let Some(text) = text {
            std::fs::write(&file, text).unwrap();
        }
        let begun = Instant::now();
        let file = file.to_str().unwrap();
        let said = refused(
            &root,
            &["e2e", "--backend", "existing", "--kubeconfig", file],
        );
        assert!(begun.elapsed() < SOON, "{:?}: {said}", begun.elapsed());
        assert!(said.contains(what) && said.contains("help: "), "{said}");
        assert!(!said.contains("ERROR"), "said twice: {said}");
        root.assert_clean();
    }
}
