//! Commands on labs that outlive them: `up`, `down`, `status`, `env`, `render`, and the host itself.

use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::ExitCode;

use authlab_lab::background;
use authlab_lab::checkout::Checkout;
use authlab_lab::exec;
use authlab_lab::lifecycle::{self, Entry, UpError};
use authlab_lab::obituary;
use authlab_lab::plan::{self, Plan, Text};
use authlab_lab::render;
use authlab_lab::source::nearest;
use authlab_lab::state::{BackendKind, State};
use miette::{Diagnostic as _, IntoDiagnostic as _, WrapErr, miette};

use super::{Ended, existing, interrupted, interruptible, prepare_tools, reap, runtime, warn};
use crate::cli::{DownArgs, EnvArgs, RenderArgs, Shell, StatusArgs, UpArgs};
use crate::terminal;

/// `cargo xtask up`
pub fn up(args: &UpArgs) -> Ended {
    interruptible(async |cancel| {
        let checkout = Checkout::here();
        let kind = BackendKind::from(args.backend);
        let kubernetes = kind.kubernetes(args.kubernetes.wanted_on(&[kind])?);
        let mut plan = Plan::load(checkout.root(), &args.lab)?;
        plan.kubernetes = kubernetes;
        plan.images = args.images.wanted();
        let mut id = format!("{}-{}", args.lab, kind.name());
        if !kubernetes.is_default() {
            id = format!("{id}-{}", kubernetes.name());
        }
        reap(&checkout, kind).await;
        tokio::select! {
            ready = prepare_tools(kind, kubernetes, plan.images) => ready?,
            () = cancel.cancelled() => return Ok(interrupted()),
        }
        let found = tokio::select! {
            found = existing::cluster(kind, &args.cluster) => found?,
            () = cancel.cancelled() => return Ok(interrupted()),
        };
        plan.existing = found.map(|found| found.target);
        let bar = terminal::under_way(&format!("bringing up the lab {id}"));
        let started = lifecycle::up(&checkout, kind, &plan, &id, &cancel).await;
        bar.finish_and_clear();
        match started {
            Ok(state) => {
                warn(&state.warnings);
                describe(&state);
                terminal::line(format_args!("\nnext: eval \"$(cargo xtask env {id})\""));
                Ok(ExitCode::SUCCESS)
            }
            Err(UpError::Interrupted) => Ok(interrupted()),
            Err(error) => Err(error.into()),
        }
    })
}

fn describe(state: &State) {
    terminal::line(format_args!(
        "{}  ({}, Kubernetes {})",
        state.id,
        state.backend.name(),
        state.api_server.version
    ));
    terminal::line(format_args!("  API server  {}", state.api_server.url));
    for (name, server) in &state.api_servers {
        terminal::line(format_args!("  {name:<10}  {}", server.url));
    }
    for (name, provider) in &state.identity_providers {
        terminal::line(format_args!("  {name:<10}  {}", provider.issuer));
        for (user, login) in &provider.users {
            terminal::line(format_args!("  {:<10}    {user}: {}", "", login.login));
        }
    }
    terminal::line(format_args!(
        "  kubeconfig  {}",
        state.api_server.kubeconfig.display()
    ));
}

/// `cargo xtask down`
pub fn down(args: &DownArgs) -> Ended {
    interruptible(async |cancel| {
        let checkout = Checkout::here();
        // Before the dead are removed: a lab whose host dies meanwhile is among these, or removed.
        let mut entries = lifecycle::list(&checkout);
        let reaped = lifecycle::reap(&checkout, None).await;
        for id in &reaped {
            terminal::line(format_args!("{id}  removed (its host had died)"));
        }
        entries.retain(|entry| !reaped.contains(&entry.id));
        let chosen: Vec<&Entry> = if args.labs.is_empty() {
            entries.iter().filter(|entry| entry.background).collect()
        } else {
            args.labs
                .iter()
                .filter(|wanted| !reaped.contains(wanted))
                .map(|wanted| find(&entries, Some(wanted)))
                .collect::<miette::Result<_>>()?
        };
        for entry in &chosen {
            tokio::select! {
                ended = lifecycle::down(entry) => ended?,
                () = cancel.cancelled() => return Ok(interrupted()),
            }
            terminal::line(format_args!("{}  down", entry.id));
        }
        if args.labs.is_empty() {
            obituary::forget(&checkout, None);
        }
        if reaped.is_empty() && chosen.is_empty() {
            terminal::line("no lab runs");
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// `cargo xtask status`
pub fn status(args: &StatusArgs) -> Ended {
    let entries = lifecycle::list(&Checkout::here());
    if args.json {
        let labs: Vec<_> = entries
            .iter()
            .filter_map(|e| e.state.as_ref())
            .map(State::public)
            .collect();
        terminal::json(&labs)?;
        return Ok(ExitCode::SUCCESS);
    }
    if entries.is_empty() {
        terminal::line("no lab runs; `cargo xtask up` starts one");
    }
    for died in obituary::all(&Checkout::here()) {
        terminal::line(format_args!("{}  has died: {}", died.id, died.told));
        if let Some(help) = died.told.help() {
            terminal::line(format_args!("  help: {help}"));
        }
    }
    for entry in &entries {
        match &entry.state {
            Some(state) => {
                describe(state);
                if !entry.background {
                    terminal::line("  goes with the run that started it");
                }
            }
            None => terminal::line(format_args!("{}  (starting)", entry.id)),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `cargo xtask env`
pub fn env(args: &EnvArgs) -> Ended {
    let state = running(args.lab.as_deref())?;
    for (name, value) in state.environment() {
        terminal::line(match args.shell {
            Shell::Posix => format!("export {name}={}", posix(&value)),
            Shell::Fish => format!("set -gx {name} {}", fish(&value)),
        });
    }
    if let Some(folder) = programs(&state)? {
        let folder = folder.display().to_string();
        terminal::line(match args.shell {
            Shell::Posix => format!("export PATH={}:\"$PATH\"", posix(&folder)),
            Shell::Fish => format!("set -gx PATH {} $PATH", fish(&folder)),
        });
    }
    Ok(ExitCode::SUCCESS)
}

fn posix(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn fish(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"\'"))
}

/// What kubectl looks for on PATH when a kubeconfig says `kubectl oidc-login`.
const PLUGIN: &str = "kubectl-oidc_login";

/// A folder of the lab with what people run beside it and is not on PATH: kubectl, and kubelogin under
/// the name of a plugin where people log in by it.
fn programs(state: &State) -> miette::Result<Option<PathBuf>> {
    let kubeconfig = std::fs::read_to_string(&state.api_server.kubeconfig).into_diagnostic()?;
    let logs_in = kubeconfig.contains("oidc-login");
    let missing = |name| exec::on_path(name).is_none();
    let root = Checkout::here().root().to_owned();
    let find = |program| exec::find(&root, program);
    let mut links = Vec::new();
    if missing("kubectl") {
        links.extend(find("kubectl").map(|kubectl| ("kubectl", kubectl)));
    }
    if logs_in && missing(PLUGIN) {
        match find("kubelogin") {
            Some(kubelogin) => links.push((PLUGIN, kubelogin)),
            None => terminal::note(
                "no kubelogin here, by which kubectl logs people in: `cargo xtask tools kubelogin` builds it",
            ),
        }
    }
    if links.is_empty() {
        return Ok(None);
    }
    let folder = state.folder().join("bin");
    std::fs::create_dir_all(&folder).into_diagnostic()?;
    for (name, program) in links {
        match symlink(program, folder.join(name)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(error).into_diagnostic();
            }
            _ => {}
        }
    }
    Ok(Some(folder))
}

/// `cargo xtask render`
pub fn render(args: &RenderArgs) -> Ended {
    let checkout = Checkout::here();
    let state = running(args.lab.as_deref())?;
    let texts: Vec<Text> = match &args.only {
        Some(path) => vec![plan::fixture(checkout.root(), path)?],
        None => {
            let plan = Plan::load(checkout.root(), &state.lab)?;
            let configs = plan.providers.into_values().filter_map(|p| p.config);
            let others = plan.api_servers.into_values();
            let others = others.filter_map(|authentication| authentication.config);
            let configs = configs.chain(plan.authentication.config);
            configs.chain(others).collect()
        }
    };
    if texts.is_empty() {
        let lab = &state.lab;
        terminal::note(&format!("the lab `{lab}` has no files to render"));
    }
    for text in &texts {
        if texts.len() > 1 {
            terminal::line(format_args!("# ---- {}", text.name));
        }
        terminal::print(format_args!(
            "{}",
            render::file(&text.source(), &state.values)?
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// The hidden lab host.
pub fn host(id: &str, kind: BackendKind) -> Ended {
    runtime()?
        .block_on(background::host_main(&Checkout::here(), kind, id))
        .wrap_err_with(|| format!("the lab {id}"))?;
    Ok(ExitCode::SUCCESS)
}

/// The state of the lab that is meant.
pub(super) fn running(wanted: Option<&str>) -> miette::Result<State> {
    let entries = lifecycle::list(&Checkout::here());
    let entry = find(&entries, wanted)?;
    entry
        .state
        .clone()
        .ok_or_else(|| miette!("the lab {} is still starting", entry.id))
}

/// The lab that is meant: by id, by name where only one of that name runs, or the only one.
fn find<'a>(entries: &'a [Entry], wanted: Option<&str>) -> miette::Result<&'a Entry> {
    let ids = || entries.iter().map(|e| e.id.as_str());
    let Some(wanted) = wanted else {
        return match entries {
            [only] => Ok(only),
            [] => Err(miette!(
                help = "`cargo xtask up` starts one, `cargo xtask status` knows of those that died",
                "no lab runs"
            )),
            _ => Err(miette!(
                help = format!("name one of: {}", ids().collect::<Vec<_>>().join(", ")),
                "more than one lab runs"
            )),
        };
    };
    if let Some(entry) = entries.iter().find(|e| e.id == wanted) {
        return Ok(entry);
    }
    let named: Vec<&Entry> = entries
        .iter()
        .filter(|e| e.state.as_ref().is_some_and(|s| s.lab == wanted))
        .collect();
    let names = entries
        .iter()
        .filter_map(|e| Some(e.state.as_ref()?.lab.as_str()));
    match (named.as_slice(), nearest(wanted, names.chain(ids()))) {
        ([only], _) => Ok(only),
        ([], Some(near)) => Err(miette!(
            help = format!("did you mean `{near}`?"),
            "no lab `{wanted}` runs"
        )),
        ([], None) => Err(miette!(
            help = format!(
                "`cargo xtask up {wanted}` starts it, `cargo xtask status` shows what runs"
            ),
            "no lab `{wanted}` runs"
        )),
        (many, _) => Err(miette!(
            help = format!(
                "name one of: {}",
                many.iter()
                    .map(|e| e.id.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
            "more than one lab `{wanted}` runs"
        )),
    }
}
