//! The view for GitHub: a workflow command a fault, shown on the scenario's own line of a change.
//!
//! Form: GitHub's docs, "Workflow commands for GitHub Actions", and the escaping of
//! `actions/toolkit`.

use std::fmt::Write as _;

use super::style::Style;
use super::terminal::details;
use super::{Outcome, Place, Report, ScenarioReport};

/// One `::error` line for each step that did not hold, and for each fault outside of steps.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    for scenario in &report.scenarios {
        if matches!(scenario.outcome, Outcome::Failed | Outcome::Broken) {
            of_scenario(scenario, &mut out);
        }
    }
    out
}

fn of_scenario(scenario: &ScenarioReport, out: &mut String) {
    for step in &scenario.steps {
        if matches!(step.outcome, Outcome::Failed | Outcome::Broken) {
            let words = format!("{}\n{}", step.summary, details(step, Style::PLAIN));
            error(scenario, step.place, &words, out);
        }
    }
    if let Some(fault) = &scenario.fault {
        let start = Place { line: 1, column: 1 };
        error(scenario, scenario.place.unwrap_or(start), fault, out);
    }
}

fn error(scenario: &ScenarioReport, place: Place, message: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "::error file={},line={},col={},title={}::{}",
        property(&scenario.file),
        place.line,
        place.column,
        property(&scenario.id),
        data(message.trim_end())
    );
}

/// A message: `%` and line ends would end it.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property's value: `:` and `,` would end it too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
