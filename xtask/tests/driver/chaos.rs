//! SIGKILL at random moments of `up`, `e2e` and `down`, to driver and host: `down --all` then leaves
//! nothing of ours, and touches nothing else.
//!
//! `AUTHLAB_SEED` repeats what a failure names; `AUTHLAB_ROUNDS` makes it shorter or longer: of real
//! components CI runs a few of the twenty.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use authlab_lab::folder::LABEL;
use authlab_lab::process;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams, ResourceExt as _};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use rustix::process::Signal;

use crate::components::{build_containers, docker};
use crate::root::Root;
use crate::talk::{Talk, send, wait_until, within};

const ROUNDS: u64 = 20;
/// How long clusters that are left alone may take to come up on a busy machine.
const LONG: Duration = Duration::from_secs(240);

#[test]
fn on_embedded() {
    chaos("embedded", ["forge", "plain"], Duration::from_millis(250));
}

#[test]
fn on_existing() {
    chaos("existing", ["plain", "forge"], Duration::from_millis(400));
}

#[test]
#[ignore = "runs the real components, some minutes: they are built when they are not"]
fn on_process() {
    chaos("process", ["forge", "plain"], Duration::from_secs(9));
}

#[test]
#[ignore = "needs Docker, and takes a quarter of an hour"]
fn on_kind() {
    build_containers();
    chaos("kind", ["dex", "plain"], Duration::from_secs(25));
}

/// Numbers that look random and come again with their seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// What is not ours to touch: a lab of another root, a process that carries a label of a lab of
/// nobody's, and such a container in such a network.
struct Bystanders {
    other: Root,
    host: serde_json::Value,
    process: Child,
    /// The name of container and network, where there is Docker.
    docker: Option<String>,
}

/// Of the cluster that exists already, where that is the backend: an embedded lab of another root.
const KUBECONFIG: &str = "kubeconfig";

/// What a cluster has that carries the label of a lab.
fn of_labs(kubeconfig: &Path) -> Vec<String> {
    let rights = "rbac.authorization.k8s.io";
    let kinds = [
        ("", "Namespace"),
        (rights, "ClusterRole"),
        (rights, "ClusterRoleBinding"),
    ];
    let file = Kubeconfig::read_from(kubeconfig).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(file, &options).await;
        let client = kube::Client::try_from(config.unwrap()).unwrap();
        let mut found = Vec::new();
        for (group, kind) in kinds {
            let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
            let all: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
            let labelled = ListParams::default().labels("authlab.dev/lab");
            let names = all.list(&labelled).await.unwrap().items.into_iter();
            found.extend(names.map(|one| one.name_any()));
        }
        found
    })
}

/// A lab of nobody's.
const NOWHERE: &str = "/nowhere/.authlab/labs/forge";

impl Bystanders {
    fn new(root: &Root, backend: &str) -> Self {
        let other = Root::new();
        other.done(&["up", "forge"]);
        let mut sleep = Command::new("sleep");
        sleep.arg("3600").env(LABEL, NOWHERE);
        Self {
            host: other.labs()[0]["host"].clone(),
            other,
            process: sleep.spawn().unwrap(),
            docker: (backend == "kind").then(|| contained_bystander(root)),
        }
    }

    fn are_untouched(&mut self) -> bool {
        let alive = self.process.try_wait().unwrap().is_none();
        let contained = self.docker.as_ref().is_none_or(|name| {
            docker(&["inspect", "--format", "{{.State.Running}}", name]) == "true\n"
        });
        alive && contained && self.other.labs()[0]["host"] == self.host
    }
}

/// A container that sees the root, but no lab of it, in a network of its own.
fn contained_bystander(root: &Root) -> String {
    let name = format!("bystander-{}", std::process::id());
    let label = format!("{LABEL}={NOWHERE}");
    docker(&["network", "create", "--label", &label, &name]);
    let columns = "{{.Repository}}:{{.Tag}}";
    let images = docker(&["image", "ls", "--format", columns, "authlab/node"]);
    let image = images.lines().next().expect("an image of a node");
    let mount = format!("{}:/root-of-labs:ro", root.path("").display());
    let mut run = vec!["run", "--detach", "--rm", "--name", &name];
    run.extend(["--network", &name, "--label", &label, "--volume", &mount]);
    run.extend(["--entrypoint", "sleep", image, "7200"]);
    assert!(!docker(&run).is_empty(), "no bystander of {image}");
    name
}

impl Drop for Bystanders {
    fn drop(&mut self) {
        if let Some(name) = &self.docker {
            docker(&["rm", "--force", name]);
            docker(&["network", "rm", name]);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn chaos(backend: &str, labs: [&str; 2], longest: Duration) {
    let seed = number("AUTHLAB_SEED").unwrap_or_else(|| RandomState::new().hash_one(backend));
    let rounds = number("AUTHLAB_ROUNDS").unwrap_or(ROUNDS);
    let told = format!("AUTHLAB_SEED={seed}");
    let _ = writeln!(std::io::stderr(), "{backend}: {told}");
    let mut dice = Dice(seed);
    let root = world(backend, labs);
    let mut bystanders = Bystanders::new(&root, backend);
    if backend == "existing" {
        let cluster = &bystanders.other.labs()[0]["apiServer"]["kubeconfig"];
        std::fs::copy(cluster.as_str().unwrap(), root.path(KUBECONFIG)).unwrap();
    }
    let before = Outside::look(root.path("").as_path());
    for round in 0..rounds {
        let what = dice.below(5);
        let moment = Duration::from_millis(dice.below(longest.as_millis().try_into().unwrap()));
        let begun = Instant::now();
        let killed = match what {
            // Its driver, its host, or both.
            0 => kill_up(&root, backend, &labs[..1], moment, dice.below(3)),
            1 => kill_up(&root, backend, &labs, moment, dice.below(3)),
            2 => kill_run(&root, backend, moment),
            3 => kill_down(&root, backend, labs[0], moment, dice.below(3)),
            _ => kill_up(&root, backend, &labs[1..], moment, 2),
        };
        let told = format!("{told}: round {round}: {killed} after {moment:?}");
        let volumes = volumes(&root);
        let output = driver(&root, backend, &["down", "--all"]).output().unwrap();
        let said = root.plain(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{told}: {said}");
        assert_eq!(root.folders(), Vec::<String>::new(), "{told}: {said}");
        let left = root.labelled();
        assert!(
            left.is_empty(),
            "{told}: {:?}",
            left.iter().map(command).collect::<Vec<_>>()
        );
        let after = Outside::look(root.path("").as_path());
        assert_eq!(after, before, "{told}: {said}");
        let left = docker(&["volume", "ls", "--quiet"]);
        let left: Vec<_> = left.lines().filter(|one| volumes.contains(*one)).collect();
        assert!(left.is_empty(), "{told}: {said}: volumes {left:?}");
        if backend == "existing" {
            let left = of_labs(&root.path(KUBECONFIG));
            assert!(left.is_empty(), "{told}: {said}: {left:?}");
        }
        assert!(bystanders.are_untouched(), "{told}: {said}");
        let took = begun.elapsed().as_secs();
        let _ = writeln!(std::io::stderr(), "{told}: clean again; {took} s in all");
    }
}

/// The volumes of containers that see something of a root: they are known by their containers only.
fn volumes(root: &Root) -> BTreeSet<String> {
    let root = root.path("").display().to_string();
    let mounts = docker(&["ps", "--all", "--no-trunc", "--format", "{{.Mounts}}"]);
    let ours = mounts.lines().filter(|line| line.contains(&root));
    let mounts = ours.flat_map(|line| line.split(','));
    let named = mounts.filter(|mount| !mount.starts_with('/'));
    named.map(str::to_owned).collect()
}

/// A root whose labs can run on the backend.
fn world(backend: &str, labs: [&str; 2]) -> Root {
    let root = match backend {
        "kind" => Root::real(),
        _ => Root::new(),
    };
    root.scenario("one", labs[0], 200);
    root.scenario("two", labs[1], 200);
    if matches!(backend, "process" | "kind") {
        root.link_components();
    }
    root
}

impl Root {
    fn hosts(&self) -> Vec<u32> {
        let mut all = self.labelled();
        all.retain(|pid| command(pid).starts_with("authlab-host"));
        all
    }
}

/// The driver with the machine's own tool cache, where the backend needs that.
fn driver(root: &Root, backend: &str, args: &[&str]) -> Command {
    let mut command = match backend {
        "embedded" | "existing" => root.command(args),
        _ => root.real_command(args),
    };
    command.env("AUTHLAB_KUBECONFIG", root.path(KUBECONFIG));
    command
}

fn command(pid: &u32) -> String {
    let text = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ")
}

/// Kills what is named and waits until it is gone.
fn kill(pids: &[u32]) {
    for pid in pids {
        send(*pid, Signal::KILL);
    }
    // A child of this test is gone once it is waited for: its owner does that.
    wait_until("the killed are dead", || {
        pids.iter().all(|pid| process::started(*pid).is_err())
    });
}

fn kill_up(root: &Root, backend: &str, labs: &[&str], moment: Duration, whom: u64) -> String {
    let ups: Vec<Talk> = labs
        .iter()
        .map(|lab| Talk::run(driver(root, backend, &["up", lab, "--backend", backend])))
        .collect();
    within(moment, || false);
    let mut chosen = Vec::new();
    if whom != 1 {
        chosen.extend(ups.iter().map(Talk::pid));
    }
    if whom != 0 {
        chosen.extend(root.hosts());
    }
    kill(&chosen);
    if whom == 1 {
        // Those whose host was killed say so, and end; others come up.
        ups.into_iter().for_each(|up| drop(up.end_within(LONG)));
    } else {
        ups.into_iter().for_each(Talk::forget);
    }
    format!("up {labs:?} of which {whom} was killed")
}

fn kill_run(root: &Root, backend: &str, moment: Duration) -> String {
    let run = Talk::run(driver(root, backend, &["e2e", "--backend", backend]));
    within(moment, || false);
    kill(&[run.pid()]);
    run.forget();
    "e2e was killed".to_owned()
}

fn kill_down(root: &Root, backend: &str, lab: &str, moment: Duration, whom: u64) -> String {
    let up = driver(root, backend, &["up", lab, "--backend", backend]);
    let (status, said) = Talk::run(up).end_within(LONG);
    assert!(status.success(), "{said}");
    let down = Talk::run(driver(root, backend, &["down"]));
    // It takes a tenth of what the start takes.
    within(moment / 10, || false);
    let mut chosen = Vec::new();
    if whom != 1 {
        chosen.push(down.pid());
    }
    if whom != 0 {
        chosen.extend(root.hosts());
    }
    kill(&chosen);
    down.forget();
    format!("down, of which {whom} was killed")
}

/// What is outside of the root, and could be left there.
#[derive(Debug, PartialEq, Eq)]
struct Outside {
    mounts: BTreeSet<String>,
    docker: BTreeSet<String>,
}

impl Outside {
    fn look(root: &Path) -> Self {
        let root = root.display().to_string();
        let ours = |text: String| -> BTreeSet<String> {
            let lines = text.lines().filter(|line| line.contains(&root));
            lines.map(str::to_owned).collect()
        };
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let mut held = String::new();
        // Where there is no Docker there is nothing of ours in it.
        for args in [
            &[
                "ps",
                "--all",
                "--no-trunc",
                "--format",
                "{{.ID}} {{.Mounts}} {{.Labels}}",
            ][..],
            &[
                "network",
                "ls",
                "--no-trunc",
                "--format",
                "{{.ID}} {{.Labels}}",
            ],
            &[
                "volume",
                "ls",
                "--format",
                "{{.Name}} {{.Mountpoint}} {{.Labels}}",
            ],
        ] {
            held.push_str(&docker(args));
        }
        Self {
            mounts: ours(mounts),
            docker: ours(held),
        }
    }
}
