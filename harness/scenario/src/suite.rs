//! A run of many scenarios: labs are started for them, shared where starting is slow, and ended.

mod lab;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use authlab_lab::backend::existing::Found;
use authlab_lab::bundle::{self, Bundle, Subject};
use authlab_lab::checkout::Checkout;
use authlab_lab::images::Origin;
use authlab_lab::kubernetes::Kubernetes;
use authlab_lab::plan::Plan;
use authlab_lab::spec::ProviderKind;
use authlab_lab::state::BackendKind;
use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::lab::{Failed, Lab};
use crate::listing::{Case, describe};
use crate::load::Scenario;
use crate::report::{Outcome, Report, ScenarioReport};
use crate::runner::{Event, Sink};

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

/// Runs every case and reports in the order of `cases`. A lab that does not come up breaks its
/// scenarios, no others. When `cancel` is cancelled what has not run is reported as such.
///
/// # Panics
///
/// Outside a Tokio runtime: each lab is a task of its own, so that they share the processors.
pub async fn all(
    checkout: &Checkout,
    cases: &[Case],
    options: Options,
    sink: Arc<dyn Sink>,
    cancel: &CancellationToken,
) -> Report {
    watched(checkout, cases, options, sink, None, cancel).await
}

/// The same, and what is to be seen of labs on which something did not hold is added to `evidence`,
/// gathered before they go.
pub async fn watched(
    checkout: &Checkout,
    cases: &[Case],
    options: Options,
    sink: Arc<dyn Sink>,
    mut evidence: Option<&mut Bundle>,
    cancel: &CancellationToken,
) -> Report {
    let start = Instant::now();
    let mut done: BTreeMap<usize, ScenarioReport> = BTreeMap::new();
    let groups = groups(cases, &options, &*sink, &mut done);
    let suite = Arc::new(Suite {
        checkout: checkout.clone(),
        cases: cases.to_vec(),
        options,
        sink,
        watches: evidence.is_some(),
        cancel: cancel.clone(),
    });
    let options = &suite.options;
    let mut finished = futures_util::stream::iter(groups)
        .map(|group| {
            let suite = Arc::clone(&suite);
            AbortOnDropHandle::new(tokio::spawn(async move { suite.serve(group).await }))
        })
        .buffer_unordered(options.jobs.max(1));
    // Many labs read the same file: each of its warnings is told once.
    let mut warnings = BTreeSet::new();
    while let Some(served) = finished.next().await {
        let served = match served {
            Ok(served) => served,
            Err(panicked) => resume_unwind(panicked.into_panic()),
        };
        done.extend(served.reports);
        warnings.extend(served.warnings);
        if let Some(evidence) = &mut evidence {
            served.seen.into_iter().for_each(|one| evidence.append(one));
        }
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
    // One at a time they run as they are listed.
    groups.sort_by_key(|group| group.iter().flat_map(|turn| &turn.indices).min().copied());
    if options.jobs > 1 {
        order(&mut groups, cases);
    }
    groups
}

/// The longest first, so that the last lab does not run alone for long. While a Keycloak boots for
/// one of them those run that need none; it serves the others after that.
fn order(groups: &mut [Group], cases: &[Case]) {
    let boots = |turn: &Turn| turn.plan.has(ProviderKind::Keycloak);
    let length = |turn: &Turn| -> usize {
        let scenarios = turn
            .indices
            .iter()
            .filter_map(|&index| cases[index].scenario().ok());
        let steps = scenarios.flat_map(Scenario::steps);
        steps.map(|step| step.value.verb().weight()).sum()
    };
    let waits = |group: &Group| group.iter().any(boots);
    groups.sort_by_key(|group| {
        let length: usize = group.iter().map(length).sum();
        (waits(group), Reverse(length))
    });
    if let Some(first) = groups.iter().position(waits) {
        groups[..=first].rotate_right(1);
    }
}

/// What came of a group.
#[derive(Default)]
struct Served {
    reports: Vec<(usize, ScenarioReport)>,
    warnings: Vec<String>,
    /// Of labs on which something did not hold.
    seen: Vec<Bundle>,
}

/// What the whole run has.
struct Suite {
    checkout: Checkout,
    cases: Vec<Case>,
    options: Options,
    sink: Arc<dyn Sink>,
    /// Whether anybody wants to see what failed.
    watches: bool,
    cancel: CancellationToken,
}

impl Suite {
    async fn serve(&self, group: Group) -> Served {
        let mut served = Served::default();
        let mut lab = None;
        for turn in group {
            lab = match self.lab(lab, &turn.plan, &mut served.seen).await {
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
                let report = lab.run(&self.cases[index], &*self.sink, &self.cancel).await;
                reports.push((index, report));
            }
            if let Some(why) = what_failed(&reports) {
                let seen = self.look_at(lab.state().folder(), &turn.plan, why).await;
                served.seen.extend(seen);
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
    async fn lab(
        &self,
        there: Option<Lab>,
        plan: &Plan,
        seen: &mut Vec<Bundle>,
    ) -> Result<Option<Lab>, String> {
        if let Some(mut lab) = there {
            if lab.lives() && !self.cancel.is_cancelled() {
                match lab.rebase(plan, &self.cancel).await {
                    Ok(true) => return Ok(Some(lab)),
                    Ok(false) => {}
                    Err(why) => {
                        seen.extend(self.look_at(lab.state().folder(), plan, why.clone()).await);
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
        match Lab::start(&self.checkout, plan, &self.options, &self.cancel).await {
            Ok(lab) => Ok(lab),
            Err(Failed { why, folder }) => {
                // What the lab wrote is in its folder, which is about to go.
                if let Some(folder) = folder {
                    seen.extend(self.look_at(folder.path(), plan, why.clone()).await);
                }
                Err(why)
            }
        }
    }

    async fn look_at(&self, folder: &Path, plan: &Plan, why: String) -> Option<Bundle> {
        if !self.watches {
            return None;
        }
        let subject = Subject {
            folder: folder.to_owned(),
            plan: Some(plan.clone()),
            why,
        };
        Some(bundle::lab(subject).await)
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
