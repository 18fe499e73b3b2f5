//! Runs one scenario on one running lab, by its state file and control socket alone.

use std::path::Path;
use std::time::{Duration, Instant};

use authlab_lab::control::Request;
use authlab_lab::render;
use authlab_lab::source::Source;
use authlab_lab::spec::ProviderKind;
use authlab_lab::state::{DEFAULT_CLUSTER, State};
use serde_saphyr::{Location, Spanned};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::fault::Fault;
use crate::listing::Case;
use crate::load::{Scenario, parse_file};
use crate::objects::namespace;
use crate::report::{Outcome, Place, ScenarioReport, StepReport};
use crate::verbs::Step;
use crate::{check, lock, observe};

/// How long an interrupted scenario may take to clear up.
const PATIENCE: Duration = Duration::from_secs(1);

/// What happens while scenarios run, for a live view.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A scenario begins, or waits for its lab.
    Started {
        /// Its id.
        id: &'a str,
    },
    /// A step begins.
    Step {
        /// The scenario's id.
        id: &'a str,
        /// The verb and what it is about.
        summary: &'a str,
    },
    /// A step has ended.
    StepDone {
        /// The scenario's id.
        id: &'a str,
        /// The step.
        step: &'a StepReport,
    },
    /// A scenario has ended.
    Done {
        /// The scenario.
        report: &'a ScenarioReport,
    },
}

/// Takes events; several scenarios may run at once.
pub trait Sink: Send + Sync {
    /// Something has happened.
    fn event(&self, event: &Event<'_>);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Sink for Silent {
    fn event(&self, _: &Event<'_>) {}
}

impl<F: Fn(&Event<'_>) + Send + Sync> Sink for F {
    fn event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Runs `case` on the lab of the state file `state`. Always answers with a report; a case whose file
/// could not be loaded is broken. When `cancel` is cancelled the step under way is given up, what
/// was written is cleared away, and the report is marked interrupted.
pub async fn run(
    case: &Case,
    state: &Path,
    sink: &dyn Sink,
    cancel: &CancellationToken,
) -> ScenarioReport {
    let start = Instant::now();
    sink.event(&Event::Started { id: case.id() });
    let mut report = case.report();
    if let Ok(scenario) = case.scenario() {
        report.steps = scenario.steps().iter().map(planned).collect();
        if let Err(fault) = on_lab(scenario, state, sink, cancel, &mut report).await {
            report = report.broken(fault.to_string());
        }
    }
    report.milliseconds = milliseconds(start);
    sink.event(&Event::Done { report: &report });
    report
}

async fn on_lab(
    scenario: &Scenario,
    state_file: &Path,
    sink: &dyn Sink,
    cancel: &CancellationToken,
    report: &mut ScenarioReport,
) -> Result<(), Fault> {
    let state = State::read(state_file).map_err(|error| {
        Fault::Other(format!("no lab runs at {}: {error}", state_file.display()))
    })?;
    if let Some(why) = unsuitable(scenario, &state, &report.lab) {
        report.skipped = Some(why);
        return Ok(());
    }
    let led = scenario
        .leading()
        .is_some_and(|leading| *leading == state.authentication);
    let alone = scenario.alone() || (scenario.leading().is_some() && !led);
    let folder = state_file.parent().unwrap_or(Path::new("."));
    let hold = tokio::select! {
        hold = lock::take(folder, alone) => hold?,
        () = cancel.cancelled() => {
            report.interrupted = true;
            return Ok(());
        }
    };
    let mut context = Context::new(scenario.root(), &state, namespace::name(scenario.path()))?;
    let result = steps(scenario, &mut context, led, sink, cancel, report).await;
    let clearing = clear(scenario, &mut context);
    let cleared = if report.interrupted {
        // The host may still be at what was given up; whoever interrupts does not wait for that.
        timeout(PATIENCE, clearing).await.unwrap_or(Ok(()))
    } else {
        clearing.await
    };
    drop(hold);
    result?;
    cleared.map_err(|fault| Fault::Other(format!("after the last step: {fault}")))
}

fn unsuitable(scenario: &Scenario, state: &State, lab: &str) -> Option<String> {
    if state.lab != lab {
        return Some(format!(
            "needs the lab `{lab}`, and this one is `{}`",
            state.lab
        ));
    }
    scenario.unfit(lab, &state.capabilities, &state.api_server.version)
}

async fn steps(
    scenario: &Scenario,
    context: &mut Context<'_>,
    led: bool,
    sink: &dyn Sink,
    cancel: &CancellationToken,
    report: &mut ScenarioReport,
) -> Result<(), Fault> {
    // Placeholders are filled in the text, so that no verb has to know of them.
    let filled = render::file(scenario.source(), &context.values)?;
    let file = parse_file(&Source::new(scenario.path(), filled))?;
    if scenario.needs_namespace() {
        namespace::create(context, &report.id).await?;
    }
    for (step, planned) in file.steps.iter().zip(&mut report.steps) {
        for secret in step.value.verb().secrets() {
            context.learn(secret);
        }
        context.redactor.clean(&mut planned.summary);
    }
    report.outcome = Outcome::Passed;
    for (index, step) in file.steps.iter().enumerate() {
        let planned = &mut report.steps[index];
        if index == 0 && led {
            planned.outcome = Outcome::Passed;
            continue;
        }
        sink.event(&Event::Step {
            id: &report.id,
            summary: &planned.summary,
        });
        let begun = Instant::now();
        let ended = tokio::select! {
            ended = one(&step.value, context, scenario, planned) => Some(ended),
            () = cancel.cancelled() => None,
        };
        planned.milliseconds = milliseconds(begun);
        let Some(outcome) = ended else {
            report.interrupted = true;
            report.outcome = Outcome::NotRun;
            return Ok(());
        };
        planned.outcome = outcome;
        context.redactor.clean_step(planned);
        sink.event(&Event::StepDone {
            id: &report.id,
            step: planned,
        });
        if outcome != Outcome::Passed {
            // Later steps build on this one: what they would say is noise.
            report.outcome = outcome;
            break;
        }
    }
    Ok(())
}

async fn one(
    step: &Step,
    context: &mut Context<'_>,
    scenario: &Scenario,
    report: &mut StepReport,
) -> Outcome {
    let verb = step.verb();
    let cluster = verb.cluster().map(|name| name.value.as_str());
    let mut result = match enter(context, cluster, scenario).await {
        Ok(()) => verb.run(context).await,
        Err(fault) => Err(fault),
    };
    // Of a login that was refused there is nothing to check: the refusal says more.
    if let (Ok(seen), Some(checks)) = (&mut result, verb.checks())
        && seen.holds()
        && let Err(fault) = check::evaluate(&checks.value, seen)
    {
        result = Err(fault);
    }
    report.reproduce = verb.reproduce(context);
    match result {
        Ok(seen) => {
            let outcome = if seen.holds() {
                Outcome::Passed
            } else {
                Outcome::Failed
            };
            report.rows = seen.rows;
            report.reason = seen.reason;
            report.nearest = seen.nearest;
            report.matrix = seen.matrix;
            report.reproduce = seen.reproduce.or(report.reproduce.take());
            report.seen = observe::portable(seen.data, &context.values);
            outcome
        }
        Err(fault) => {
            report.fault = Some(fault.to_string());
            Outcome::Broken
        }
    }
}

/// Turns to the API server that a step means; the scenario has a namespace of its own in each.
async fn enter(
    context: &mut Context<'_>,
    cluster: Option<&str>,
    scenario: &Scenario,
) -> Result<(), Fault> {
    if context.enter(cluster.unwrap_or(DEFAULT_CLUSTER))? && scenario.needs_namespace() {
        namespace::create(context, scenario.path()).await?;
    }
    Ok(())
}

/// Removes what the scenario wrote and brings the lab back to its baseline.
async fn clear(scenario: &Scenario, context: &mut Context<'_>) -> Result<(), Fault> {
    let mut objects = Ok(());
    for cluster in context.entered() {
        context.enter(&cluster)?;
        let cleared = context.traces.clear(&context.api).await;
        objects = objects.and(cleared);
        if scenario.needs_namespace() {
            namespace::remove(context).await?;
        }
    }
    if context.changed {
        context.host(&Request::Restore).await?;
    }
    if context.refused {
        let state = context.state;
        for (name, provider) in &state.identity_providers {
            if provider.kind == ProviderKind::Keycloak {
                let provider = name.clone();
                context.host(&Request::Unlock { provider }).await?;
            }
        }
    }
    objects
}

fn planned(step: &Spanned<Step>) -> StepReport {
    let verb = step.value.name();
    let summary = format!("{verb} {}", step.value.verb().summary());
    StepReport::planned(&verb, summary.trim_end(), place(step.referenced))
}

fn place(location: Location) -> Place {
    Place {
        line: location.line(),
        column: location.column(),
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
