//! A run of many scenarios: labs are started for them, shared where starting is slow, and ended.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use authlab_lab::backend::existing::Found;
use authlab_lab::bundle::{self, Bundle, Subject};
use authlab_lab::checkout::Checkout;
use authlab_lab::folder::Folder;
use authlab_lab::host::{Host, Unstarted};
use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::lifecycle::{self, UpError};
use authlab_lab::plan::Plan;
use authlab_lab::spec::ProviderKind;
use authlab_lab::state::{BackendKind, STATE_FILE, State};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::listing::{Case, describe};
use crate::report::{Outcome, Report, ScenarioReport};
use crate::runner::{Event, Sink, run};

/// How a suite is run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the labs run.
    pub backend: BackendKind,
    /// What a look at the cluster found that exists already, where the labs run in one.
    pub existing: Option<Found>,
    /// The version of Kubernetes, where the labs run real components.
    pub kubernetes: Kubernetes,
    /// Where the images of containers come from.
    pub images: Origin,
    /// How many labs may run at once.
    pub jobs: usize,
    /// Leave the labs running afterwards, in the background.
    pub keep: bool,
}

impl Options {
    /// As usual on that backend: two labs a core, because they wait a good deal for each other's
    /// clocks; of clusters in containers, which are whole machines, one.
    #[must_use]
    pub fn of(backend: BackendKind) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let jobs = match backend {
            BackendKind::Embedded | BackendKind::Process => 2 * cores,
            BackendKind::Kind | BackendKind::Existing => cores,
        };
        Self {
            backend,
            existing: None,
            kubernetes: Kubernetes::default(),
            images: Origin::default(),
            jobs,
            keep: false,
        }
    }
}

/// Scenarios that one lab serves, one after the other, by what the lab starts with: its API server is
/// started again for each turn but the first.
type Group = Vec<Turn>;

/// Scenarios that start with the same; `indices` are places in the list of cases.
struct Turn {
    plan: Plan,
    indices: Vec<usize>,
}

/// What was to be seen of labs on which something did not hold, gathered before they went.
pub type Evidence = Mutex<Bundle>;

/// Runs every case and reports in the order of `cases`. A lab that does not come up breaks its
/// scenarios, no others. When `cancel` is cancelled what has not run is reported as such.
pub async fn all(
    checkout: &Checkout,
    cases: &[Case],
    options: Options,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> Report {
    watched(checkout, cases, options, sink, None, cancel).await
}

/// The same, with an eye on what failed.
pub async fn watched(
    checkout: &Checkout,
    cases: &[Case],
    options: Options,
    sink: &dyn Sink,
    evidence: Option<&Evidence>,
    cancel: &CancellationToken,
) -> Report {
    let start = Instant::now();
    let mut done: BTreeMap<usize, ScenarioReport> = BTreeMap::new();
    let options = &options;
    let groups = groups(cases, options, sink, &mut done);
    let suite = Suite {
        checkout,
        cases,
        options,
        sink,
        evidence,
        cancel,
    };
    let mut finished = futures_util::stream::iter(groups)
        .map(|group| suite.serve(group))
        .buffer_unordered(options.jobs.max(1));
    // Many labs read the same file: each of its warnings is told once.
    let mut warnings = BTreeSet::new();
    while let Some(served) = finished.next().await {
        done.extend(served.reports);
        warnings.extend(served.warnings);
    }
    drop(finished);
    Report {
        backend: options.backend.name().to_owned(),
        kubernetes: match &options.existing {
            Some(found) => found.version.clone(),
            None => {
                let wanted = options.backend.kubernetes(options.kubernetes);
                wanted.version().to_owned()
            }
        },
        interrupted: cancel.is_cancelled(),
        milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        warnings: warnings.into_iter().collect(),
        scenarios: done.into_values().collect(),
    }
}

/// Scenarios with the same lab and the same start share a lab where starting one takes seconds, or
/// the lab is to stay; where it takes a minute, those with the same lab do.
/// Files that cannot be used are reported at once.
fn groups(
    cases: &[Case],
    options: &Options,
    sink: &dyn Sink,
    done: &mut BTreeMap<usize, ScenarioReport>,
) -> Vec<Group> {
    let mut groups: BTreeMap<String, BTreeMap<String, Turn>> = BTreeMap::new();
    let existing = options.existing.as_ref();
    for (index, case) in cases.iter().enumerate() {
        if let Some(why) = case.unfit_for(options.backend, options.kubernetes, existing) {
            let mut report = case.report();
            report.skipped = Some(why);
            sink.event(&Event::Done { report: &report });
            done.insert(index, report);
            continue;
        }
        let plan = match case.scenario() {
            Ok(scenario) => scenario.plan(case.lab()).map_err(|error| describe(&error)),
            Err(_) => Err(String::new()),
        };
        match plan {
            Ok(mut plan) => {
                plan.kubernetes = options.backend.kubernetes(options.kubernetes);
                plan.images = options.images;
                plan.existing = existing.map(|found| found.target.clone());
                let start = plan.identity();
                let lab = match options.backend {
                    BackendKind::Embedded if !options.keep => index.to_string(),
                    BackendKind::Kind if !options.keep => plan.lab.clone(),
                    _ => start.clone(),
                };
                let turn = groups.entry(lab).or_default().entry(start);
                let turn = turn.or_insert(Turn {
                    plan,
                    indices: Vec::new(),
                });
                turn.indices.push(index);
            }
            Err(fault) => {
                let mut report = case.report();
                if report.fault.is_none() {
                    report = report.broken(fault);
                }
                sink.event(&Event::Done { report: &report });
                done.insert(index, report);
            }
        }
    }
    let groups = groups.into_values();
    let mut groups: Vec<Group> = groups.map(|it| it.into_values().collect()).collect();
    // The longest first, so that the last lab does not run alone for long; before all others those
    // whose Keycloak boots while they wait.
    let waits = |group: &Group| {
        group
            .iter()
            .any(|turn| turn.plan.has(ProviderKind::Keycloak))
    };
    let scenarios = |group: &Group| group.iter().map(|turn| turn.indices.len()).sum::<usize>();
    groups.sort_by_key(|group| Reverse((waits(group), scenarios(group))));
    groups
}

/// What came of a group.
#[derive(Default)]
struct Served {
    reports: Vec<(usize, ScenarioReport)>,
    warnings: Vec<String>,
}

/// What the whole run has.
#[derive(Clone, Copy)]
struct Suite<'a> {
    checkout: &'a Checkout,
    cases: &'a [Case],
    options: &'a Options,
    sink: &'a dyn Sink,
    evidence: Option<&'a Evidence>,
    cancel: &'a CancellationToken,
}

impl Suite<'_> {
    async fn serve(self, group: Group) -> Served {
        let mut served = Served::default();
        let mut lab = None;
        for turn in group {
            lab = match self.lab(lab, &turn.plan).await {
                Ok(Some(lab)) => Some(lab),
                Ok(None) => {
                    served.reports.extend(self.each(&turn, &|mut report| {
                        report.interrupted = true;
                        report
                    }));
                    None
                }
                Err(why) => {
                    let broken = |report: ScenarioReport| report.broken(why.clone());
                    served.reports.extend(self.each(&turn, &broken));
                    None
                }
            };
            let Some(lab) = &lab else { continue };
            let mut reports = Vec::new();
            for &index in &turn.indices {
                let report = lab.run(&self.cases[index], self.sink, self.cancel).await;
                reports.push((index, report));
            }
            if let Some(why) = what_failed(&reports) {
                self.look_at(lab.state().folder(), &turn.plan, why).await;
            }
            served.warnings.extend(lab.state().warnings.clone());
            served.reports.extend(reports);
        }
        if let Some(lab) = lab {
            lab.end().await;
        }
        served
    }

    /// What is reported of scenarios that no lab has run.
    fn each(
        &self,
        turn: &Turn,
        end: &dyn Fn(ScenarioReport) -> ScenarioReport,
    ) -> Vec<(usize, ScenarioReport)> {
        let ended = turn.indices.iter().map(|&index| {
            let report = end(self.cases[index].report());
            self.sink.event(&Event::Done { report: &report });
            (index, report)
        });
        ended.collect()
    }

    /// A lab that starts with what `plan` says: the one that is there, if it lives, or another.
    /// `None` when the run was cancelled first: nothing of the lab is left then.
    async fn lab(&self, there: Option<Lab>, plan: &Plan) -> Result<Option<Lab>, String> {
        if let Some(mut lab) = there {
            if lab.lives() && !self.cancel.is_cancelled() {
                match lab.rebase(plan, self.cancel).await {
                    Ok(true) => return Ok(Some(lab)),
                    Ok(false) => {}
                    Err(why) => {
                        self.look_at(lab.state().folder(), plan, why.clone()).await;
                        lab.end().await;
                        return Err(why);
                    }
                }
            }
            lab.end().await;
        }
        if self.cancel.is_cancelled() {
            return Ok(None);
        }
        match Lab::start(self.checkout, plan, self.options, self.cancel).await {
            Ok(lab) => Ok(lab),
            Err(Failed { why, folder }) => {
                // What the lab wrote is in its folder, which is about to go.
                if let Some(folder) = folder {
                    self.look_at(folder.path(), plan, why.clone()).await;
                }
                Err(why)
            }
        }
    }

    async fn look_at(&self, folder: &Path, plan: &Plan, why: String) {
        let Some(evidence) = self.evidence else {
            return;
        };
        let seen = bundle::lab(Subject {
            folder: folder.to_owned(),
            plan: Some(plan.clone()),
            why,
        });
        let seen = seen.await;
        let mut evidence = evidence.lock().unwrap_or_else(PoisonError::into_inner);
        evidence.append(seen);
    }
}

/// The scenarios that did not hold, a line each.
fn what_failed(reports: &[(usize, ScenarioReport)]) -> Option<String> {
    let bad = reports
        .iter()
        .filter(|(_, report)| report.outcome > Outcome::Passed && !report.interrupted)
        .map(|(_, report)| match &report.fault {
            Some(fault) => format!("{}: {fault}", report.id),
            None => report.id.clone(),
        });
    let bad: Vec<String> = bad.collect();
    (!bad.is_empty()).then(|| format!("did not hold:\n  {}", bad.join("\n  ")))
}

/// A lab that did not come up.
struct Failed {
    why: String,
    folder: Option<Folder>,
}

/// A lab of this process, or one that stays when this process has ended.
enum Lab {
    Here(Box<Host>),
    Kept(Box<State>),
}

impl Lab {
    /// `None` when `cancel` was cancelled first: nothing of the lab is left then.
    async fn start(
        checkout: &Checkout,
        plan: &Plan,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Option<Self>, Failed> {
        let backend = options.backend;
        if options.keep {
            let id = format!("{}-{}-{}", plan.lab, backend.name(), plan.identity());
            return match lifecycle::up(checkout, backend, plan, &id, cancel).await {
                Ok(state) => Ok(Some(Self::Kept(Box::new(state)))),
                Err(UpError::Interrupted) => Ok(None),
                Err(error) => Err(Failed {
                    why: describe(&error),
                    folder: None,
                }),
            };
        }
        // Several suites may run in one process: every test is one.
        static LABS: AtomicUsize = AtomicUsize::new(0);
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let id = format!(
            "{}-{}-{}-{number}",
            plan.lab,
            backend.name(),
            std::process::id()
        );
        tokio::select! {
            started = Host::attempt(checkout, backend, plan.clone(), &id) => match started {
                Ok(host) => Ok(Some(Self::Here(Box::new(host)))),
                Err(Unstarted { why, folder }) => Err(Failed { why: describe(&why), folder }),
            },
            () = cancel.cancelled() => Ok(None),
        }
    }

    /// Whether nothing has ended it.
    fn lives(&self) -> bool {
        match self {
            Self::Here(host) => host.over().now_or_never().is_none(),
            Self::Kept(_) => true,
        }
    }

    /// Starts its API server again as another plan of the same lab says; whether that was done
    /// before `cancel` was cancelled.
    async fn rebase(&mut self, plan: &Plan, cancel: &CancellationToken) -> Result<bool, String> {
        match self {
            Self::Here(host) => tokio::select! {
                rebased = host.rebase(plan) => {
                    rebased.map(|()| true).map_err(|error| describe(&error))
                }
                () = cancel.cancelled() => Ok(false),
            },
            // One that stays serves what it was started for.
            Self::Kept(_) => Ok(false),
        }
    }

    async fn run(
        &self,
        case: &Case,
        sink: &dyn Sink,
        cancel: &CancellationToken,
    ) -> ScenarioReport {
        let state = self.state().folder().join(STATE_FILE);
        let Self::Here(host) = self else {
            return run(case, &state, sink, cancel).await;
        };
        tokio::select! {
            report = run(case, &state, sink, cancel) => report,
            over = host.over() => {
                let why = over.map_or_else(|| "somebody ended the lab".to_owned(), |e| describe(&e));
                let report = case.report().broken(why);
                sink.event(&Event::Done { report: &report });
                report
            }
        }
    }

    fn state(&self) -> &State {
        match self {
            Self::Here(host) => host.state(),
            Self::Kept(state) => state,
        }
    }

    async fn end(self) {
        if let Self::Here(host) = self {
            host.stop().await;
        }
    }
}
