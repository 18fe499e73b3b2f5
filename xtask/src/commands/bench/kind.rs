//! What clusters of containers take, beside what kind alone takes.

use std::time::{Duration, Instant, SystemTime};

use authlab_lab::checkout::Checkout;
use authlab_lab::host::Host;
use authlab_lab::images::{self, Origin};
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::lifecycle;
use authlab_lab::plan::Plan;
use authlab_lab::state::{BackendKind, STATE_FILE};
use authlab_lab::tools::{self, Terminal};
use authlab_scenario::{Scenario, Silent};
use futures_util::StreamExt as _;
use miette::{IntoDiagnostic, miette};
use serde_json::json;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::chart::Watch;
use super::series::Series;
use super::{MANY, down, prepare_tools, reap, some, start};
use crate::terminal;

const KIND: BackendKind = BackendKind::Kind;
/// What is bare is called so: its cluster and its network.
const BARE: &str = "authlab-bench";

/// What was measured.
pub struct Measured {
    pub series: Vec<Series>,
    /// How they relate, and what ran when.
    pub text: String,
}

/// Bare clusters and labs in turn; then one lab that stays.
pub async fn measure(checkout: &Checkout, runs: usize) -> miette::Result<Measured> {
    let mut bare = Series::new("bare `kind create cluster`, same node image", "").unit("s");
    let mut dex = Series::new("lab `dex` up", "at most 1.25 x bare").unit("s");
    let mut alone = Series::new("lab `keycloak` up on `process`", "").unit("s");
    let mut keycloak = Series::new("lab `keycloak` up", "see below").unit("s");
    let mut work = Series::new("processor time of lab `keycloak` up, by cores", "").unit("s");
    let mut charts = String::new();
    for run in 0..runs {
        terminal::note(&format!("clusters, round {} of {runs}", run + 1));
        let watch = Watch::start();
        let begun = Instant::now();
        let cluster = Bare::create(checkout).await?;
        bare.push(begun.elapsed().as_secs_f64());
        chart(&mut charts, run, "Bare cluster", watch);
        cluster.remove().await?;
        for (series, kind, lab, title) in [
            (&mut dex, KIND, "dex", "Lab `dex`"),
            (&mut alone, BackendKind::Process, "keycloak", ""),
            (&mut keycloak, KIND, "keycloak", "Lab `keycloak`"),
        ] {
            let watch = Watch::start();
            let begun = Instant::now();
            // With a host of its own, as at a desk: its Keycloak ends with it, and each of them boots.
            let id = format!("bench-{lab}-{run}");
            let plan = Plan::load(checkout.root(), lab)?;
            lifecycle::up(checkout, kind, &plan, &id, &CancellationToken::new()).await?;
            series.push(begun.elapsed().as_secs_f64());
            let cpu = chart(&mut charts, run, title, watch);
            down(checkout, &id).await?;
            if lab == "keycloak" && kind == KIND {
                #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
                work.push(cpu / cores() as f64);
            }
        }
    }
    let bound = bare.median().max(alone.median()).max(work.median());
    let text = format!(
        "\nA lab with Dex takes **{:.2} x** the time of a bare cluster (goal: at most 1.25 x), one with \
         Keycloak **{:.2} x** the longest of a bare cluster, a Keycloak alone, and all processor time \
         by cores (goal: at most 1.25 x).\n\n### What ran when\n\nIn the first round. `#`: busy, `-`: \
         at work, `.`: waiting.\n{charts}",
        dex.median() / bare.median(),
        keycloak.median() / bound,
    );
    let mut series = vec![bare, dex, alone, keycloak, work];
    series.push(warm(checkout, runs.max(3)).await?);
    series.extend(reloads(checkout, runs.max(5)).await?);
    series.push(scenarios(checkout).await?);
    Ok(Measured { series, text })
}

fn chart(charts: &mut String, run: usize, title: &str, watch: Watch) -> f64 {
    let chart = watch.stop();
    if run == 0 && !title.is_empty() {
        charts.push_str(&format!(
            "\n{title}: {:.1} s, {:.1} s of processor time\n\n{}",
            chart.seconds,
            chart.cpu,
            chart.text()
        ));
    }
    chart.cpu
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A cluster without anything of ours but the node's image.
struct Bare {
    kind: std::path::PathBuf,
    folder: tempfile::TempDir,
}

impl Bare {
    async fn create(checkout: &Checkout) -> miette::Result<Self> {
        let (root, progress) = (checkout.root(), Terminal::stderr());
        let tools = tools::ensure(root, &[tools::KIND], &progress).await?;
        let image = images::ensure(
            root,
            &[images::Kind::Node],
            Kubernetes::default(),
            Origin::default(),
            &progress,
        )
        .await?;
        let official = image.first().is_some_and(images::Image::is_official);
        let image = image.first().map_or("", |image| image.reference.as_str());
        let mut kubelet = json!({
            "kind": "KubeletConfiguration",
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "failCgroupV1": false,
        });
        if !official {
            kubelet["cgroupDriver"] = "cgroupfs".into();
        }
        let config = json!({
            "kind": "Cluster",
            "apiVersion": "kind.x-k8s.io/v1alpha4",
            "networking": { "disableDefaultCNI": !official },
            "kubeadmConfigPatches": [kubelet.to_string()],
            "nodes": [{ "role": "control-plane", "image": image }],
        });
        let folder = tempfile::tempdir().into_diagnostic()?;
        let file = folder.path().join("kind.json");
        std::fs::write(&file, config.to_string()).into_diagnostic()?;
        let bare = Self {
            kind: tools.path("kind").into_diagnostic()?.to_owned(),
            folder,
        };
        let begun = run(Command::new("docker").args(["network", "create", BARE])).await;
        let kubeconfig = file.with_file_name("kubeconfig");
        let made = match begun {
            Ok(()) => {
                run(bare
                    .command(&["create", "cluster", "--name", BARE])
                    .arg("--config")
                    .arg(&file)
                    .arg("--kubeconfig")
                    .arg(&kubeconfig))
                .await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = made {
            let _ = bare.remove().await;
            return Err(error);
        }
        Ok(bare)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.kind);
        command
            .args(args)
            .env("KIND_EXPERIMENTAL_DOCKER_NETWORK", BARE);
        command
    }

    async fn remove(self) -> miette::Result<()> {
        let file = self.folder.path().join("kubeconfig");
        let mut delete = self.command(&["delete", "cluster", "--name", BARE]);
        run(delete.arg("--kubeconfig").arg(file)).await?;
        run(Command::new("docker").args(["network", "rm", BARE])).await
    }
}

async fn run(command: &mut Command) -> miette::Result<()> {
    let output = command
        .kill_on_drop(true)
        .output()
        .await
        .into_diagnostic()?;
    if output.status.success() {
        return Ok(());
    }
    let program = command.as_std().get_program().display().to_string();
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(miette!("{program}: {words}"))
}

/// What `cargo xtask up` does for a lab that runs already.
async fn warm(checkout: &Checkout, runs: usize) -> miette::Result<Series> {
    let mut series = Series::new("`up` of lab `dex` when it runs", "under 1 s");
    let plan = Plan::load(checkout.root(), "dex")?;
    let id = "bench-warm-kind";
    let cancel = CancellationToken::new();
    lifecycle::up(checkout, KIND, &plan, id, &cancel).await?;
    for _ in 0..runs {
        let begun = Instant::now();
        reap(checkout, KIND).await;
        prepare_tools(KIND, Kubernetes::default(), Origin::default()).await?;
        lifecycle::up(checkout, KIND, &plan, id, &cancel).await?;
        series.since(begun);
    }
    down(checkout, id).await?;
    Ok(series)
}

/// The time from asking for another authentication file until it is in force, and how much of that
/// passed after the API server had taken it (its own metric).
async fn reloads(checkout: &Checkout, runs: usize) -> miette::Result<[Series; 2]> {
    let mut force = Series::new("changed authentication file in force", "under 12 s").unit("s");
    let mut notice = Series::new("noticed after it was in force", "under 200 ms");
    let host = start(checkout, KIND, "forge", "bench-reload-kind").await?;
    for run in 0..runs {
        terminal::note(&format!("reloads, {} of {runs}", run + 1));
        let elapsed = super::reload(checkout, &host, run).await?;
        let noticed = SystemTime::now();
        force.push(elapsed.as_secs_f64());
        let taken = taken(checkout, &host).await?;
        let late = noticed.duration_since(taken).unwrap_or(Duration::ZERO);
        notice.push(late.as_secs_f64() * 1000.0);
    }
    host.stop().await;
    Ok([force, notice])
}

/// When the API server last took a file, as its metrics say.
async fn taken(checkout: &Checkout, host: &Host) -> miette::Result<SystemTime> {
    let tools = tools::ensure(checkout.root(), &[tools::KUBERNETES], &Terminal::stderr()).await?;
    let output = Command::new(tools.path("kubectl").into_diagnostic()?)
        .arg("--kubeconfig")
        .arg(&host.state().api_server.kubeconfig)
        .args(["get", "--raw", "/metrics"])
        .kill_on_drop(true)
        .output()
        .await
        .into_diagnostic()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let name = "apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds";
    let seconds: Option<f64> = text
        .lines()
        .filter(|line| line.starts_with(name) && line.contains("status=\"success\""))
        .find_map(|line| line.rsplit(' ').next()?.parse().ok());
    let seconds = seconds.ok_or_else(|| miette!("the API server counts no reload"))?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds))
}

/// Scenarios that change no authentication, on one cluster, two a core at once: as many as labs of
/// processes run.
async fn scenarios(checkout: &Checkout) -> miette::Result<Series> {
    let what = format!("{MANY} scenarios that change no authentication, one cluster");
    let mut series = Series::new(&what, "under 60 s").unit("s");
    let mut cases = authlab_scenario::list(checkout.root());
    let capabilities = KIND.capabilities();
    cases.retain(|case| {
        case.lab() == "dex"
            && case
                .unfit(&capabilities, Kubernetes::default().version())
                .is_none()
            && case
                .scenario()
                .is_ok_and(|one| !one.changes_authentication())
    });
    if cases.is_empty() {
        return Err(miette!(
            "no scenario of the lab `dex` leaves its authentication as it is"
        ));
    }
    let host = start(checkout, KIND, "dex", "bench-many-kind").await?;
    let state = host.state().folder().join(STATE_FILE);
    let cancel = CancellationToken::new();
    let begun = Instant::now();
    // Those that want the lab alone last: while they wait, they keep others from running.
    let mut cases = some(&cases, MANY);
    cases.sort_by_key(|case| case.scenario().is_ok_and(Scenario::alone));
    let runs = cases.into_iter().map(|case| {
        let (state, cancel) = (state.clone(), cancel.clone());
        AbortOnDropHandle::new(tokio::spawn(async move {
            authlab_scenario::run(&case, &state, &Silent, &cancel).await
        }))
    });
    let mut runs = futures_util::stream::iter(runs).buffer_unordered(2 * cores());
    while let Some(report) = runs.next().await {
        let report = report.into_diagnostic()?;
        if report.outcome != authlab_scenario::report::Outcome::Passed {
            return Err(super::did_not_hold(&report, KIND));
        }
    }
    drop(runs);
    series.push(begun.elapsed().as_secs_f64());
    host.stop().await;
    Ok(series)
}
