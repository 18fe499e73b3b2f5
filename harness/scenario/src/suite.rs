//! A run of many scenarios: labs are started for them, shared where starting is slow, and ended.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use authlab_lab::backend::existing::Found;
use authlab_lab::bundle::{self, Bundle, Subject};
use authlab_lab::checkout::Checkout;
use authlab_lab::folder::Folder;
use authlab_lab::host::{Host, Unstarted};
use authlab_lab::lifecycle::{self, UpError};
use authlab_lab::plan::Plan;
use authlab_lab::state::{BackendKind, STATE_FILE, State};
use futures_util::StreamExt as _;
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
    /// How many labs may run at once.
    pub jobs: usize,
    /// Leave the labs running afterwards, in the background.
    pub keep: bool,
}

/// Scenarios that one lab serves, one after the other; `indices` are places in the list of cases.
struct Group {
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
    let mut finished = futures_util::stream::iter(groups)
        .map(|group| serve(checkout, cases, group, options, sink, evidence, cancel))
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
        interrupted: cancel.is_cancelled(),
        milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
        warnings: warnings.into_iter().collect(),
        scenarios: done.into_values().collect(),
    }
}

/// Scenarios with the same lab and the same start share a lab where starting one takes seconds, or
/// the lab is to stay.
/// Files that cannot be used are reported at once.
fn groups(
    cases: &[Case],
    options: &Options,
    sink: &dyn Sink,
    done: &mut BTreeMap<usize, ScenarioReport>,
) -> Vec<Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let existing = options.existing.as_ref();
    for (index, case) in cases.iter().enumerate() {
        if let Some(why) = case.unfit_for(options.backend, existing) {
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
                plan.existing = existing.map(|found| found.target.clone());
                let key = match options.backend {
                    BackendKind::Embedded if !options.keep => index.to_string(),
                    _ => plan.identity(),
                };
                let group = groups.entry(key).or_insert(Group {
                    plan,
                    indices: Vec::new(),
                });
                group.indices.push(index);
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
    let mut groups: Vec<Group> = groups.into_values().collect();
    // The longest first, so that the last lab does not run alone for long.
    groups.sort_by_key(|group| std::cmp::Reverse(group.indices.len()));
    groups
}

/// What came of a group.
struct Served {
    reports: Vec<(usize, ScenarioReport)>,
    warnings: Vec<String>,
}

async fn serve(
    checkout: &Checkout,
    cases: &[Case],
    group: Group,
    options: &Options,
    sink: &dyn Sink,
    evidence: Option<&Evidence>,
    cancel: &CancellationToken,
) -> Served {
    let each = |end: &dyn Fn(ScenarioReport) -> ScenarioReport| {
        let ended = group.indices.iter().map(|&index| {
            let report = end(cases[index].report());
            sink.event(&Event::Done { report: &report });
            (index, report)
        });
        Served {
            reports: ended.collect(),
            warnings: Vec::new(),
        }
    };
    let not_reached = |mut report: ScenarioReport| {
        report.interrupted = true;
        report
    };
    if cancel.is_cancelled() {
        return each(&not_reached);
    }
    let lab = match Lab::start(checkout, &group, options, cancel).await {
        Ok(Some(lab)) => lab,
        Ok(None) => return each(&not_reached),
        Err(failed) => {
            let fault = failed.why;
            // What the lab wrote is in its folder, which is about to go.
            if let (Some(evidence), Some(folder)) = (evidence, &failed.folder) {
                look_at(folder.path(), Some(&group.plan), fault.clone(), evidence).await;
            }
            return each(&|report| report.broken(fault.clone()));
        }
    };
    let mut reports = Vec::new();
    for &index in &group.indices {
        let report = lab.run(&cases[index], sink, cancel).await;
        reports.push((index, report));
    }
    let warnings = lab.state().warnings.clone();
    if let (Some(evidence), Some(why)) = (evidence, what_failed(&reports)) {
        look_at(lab.state().folder(), Some(&group.plan), why, evidence).await;
    }
    lab.end().await;
    Served { reports, warnings }
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

async fn look_at(folder: &Path, plan: Option<&Plan>, why: String, evidence: &Evidence) {
    let seen = bundle::lab(Subject {
        folder: folder.to_owned(),
        plan: plan.cloned(),
        why,
    });
    let seen = seen.await;
    let mut evidence = evidence.lock().unwrap_or_else(PoisonError::into_inner);
    evidence.append(seen);
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
        group: &Group,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Option<Self>, Failed> {
        let plan = &group.plan;
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
