//! The view for CI: JUnit XML, a test suite for each lab.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::style::Style;
use super::terminal::failure;
use super::{Outcome, Report, ScenarioReport};

/// The report as JUnit XML. A broken scenario is an error there, a failed one a failure.
///
/// # Panics
/// Never: XML that is made here can be written.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for scenario in &report.scenarios {
        suites
            .entry(&scenario.lab)
            .or_insert_with(|| TestSuite::new(&scenario.lab))
            .add_test_case(case(scenario));
    }
    let world = report.world().unwrap_or_else(|| report.backend.clone());
    let mut out = quick_junit::Report::new(format!("authlab {world}").trim_end());
    out.set_time(Duration::from_millis(report.milliseconds));
    out.add_test_suites(suites.into_values());
    out.to_string().expect("a report can be written as XML")
}

fn case(scenario: &ScenarioReport) -> TestCase {
    let status = match scenario.outcome {
        Outcome::Passed => TestCaseStatus::success(),
        Outcome::Failed => unsuccessful(scenario, NonSuccessKind::Failure),
        Outcome::Broken => unsuccessful(scenario, NonSuccessKind::Error),
        Outcome::NotRun => {
            let mut status = TestCaseStatus::skipped();
            let interrupted = scenario.interrupted.then_some("interrupted");
            if let Some(why) = scenario.skipped.as_deref().or(interrupted) {
                status.set_message(why);
            }
            status
        }
    };
    let mut case = TestCase::new(&scenario.id, status);
    case.set_classname(&scenario.file);
    case.set_time(Duration::from_millis(scenario.milliseconds));
    case
}

fn unsuccessful(scenario: &ScenarioReport, kind: NonSuccessKind) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    let step = scenario
        .steps
        .iter()
        .find(|step| matches!(step.outcome, Outcome::Failed | Outcome::Broken));
    let message = match step {
        Some(step) => format!("line {}: {}", step.place.line, step.summary),
        None => scenario.name.clone(),
    };
    status.set_message(message);
    status.set_description(failure(scenario, Style::PLAIN));
    status
}
