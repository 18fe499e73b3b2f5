//! The views of a report.

use std::sync::{Arc, Mutex};

use authlab_scenario::report::live::Live;
use authlab_scenario::report::style::Style;
use authlab_scenario::report::{
    Matrix, MatrixCell, MatrixRow, Outcome, Place, Report, Row, ScenarioReport, StepReport,
    annotations, junit, terminal,
};
use authlab_scenario::{Event, Sink};

fn row(what: &str, expected: &str, seen: &str) -> Row {
    Row {
        what: what.to_owned(),
        expected: expected.to_owned(),
        seen: seen.to_owned(),
        holds: expected == seen,
    }
}

fn step(outcome: Outcome, rows: Vec<Row>) -> StepReport {
    StepReport {
        outcome,
        milliseconds: 3,
        rows,
        ..StepReport::planned("whoami", "whoami jane", Place { line: 7, column: 5 })
    }
}

fn scenario(stem: &str, outcome: Outcome, steps: Vec<StepReport>) -> ScenarioReport {
    let file = format!("scenarios/dex/{stem}.yaml");
    let mut report =
        ScenarioReport::unreached(&format!("dex::dex::{stem}"), "jane is known", &file, "dex");
    report.outcome = outcome;
    report.milliseconds = 12;
    report.steps = steps;
    report
}

fn report() -> Report {
    let mut failed = step(
        Outcome::Failed,
        vec![
            row("username", "dex:jane", "dex:jane"),
            row("groups", "[dev]", "[\"system:authenticated\"]"),
        ],
    );
    failed.reason = Some("the server's own words".to_owned());
    failed.reproduce = Some("kubectl create -f - <<EOF\n{}\nEOF".to_owned());
    let mut table = step(Outcome::Failed, vec![row("jane: get pods", "yes", "no")]);
    let cell = |expected: &str, seen: &str| MatrixCell {
        expected: expected.to_owned(),
        seen: seen.to_owned(),
    };
    table.matrix = Some(Matrix {
        subjects: ["jane".to_owned(), "admin".to_owned()].into(),
        rows: vec![MatrixRow {
            question: "get pods".to_owned(),
            answers: vec![cell("yes", "no"), cell("yes", "yes")],
        }],
    });
    let mut broken = step(Outcome::Broken, Vec::new());
    broken.fault = Some("https://127.0.0.1:1 does not answer: connection refused".to_owned());
    let mut skipped = scenario("old", Outcome::NotRun, Vec::new());
    skipped.skipped = Some("does not apply to Kubernetes 1.36.3".to_owned());
    let passed = step(Outcome::Passed, vec![row("username", "jane", "jane")]);
    Report {
        backend: "process".to_owned(),
        kubernetes: "1.36.3".to_owned(),
        interrupted: false,
        milliseconds: 1234,
        warnings: Vec::new(),
        scenarios: vec![
            scenario("good", Outcome::Passed, vec![passed.clone()]),
            scenario("bad", Outcome::Failed, vec![passed, failed]),
            scenario("table", Outcome::Failed, vec![table]),
            scenario("strange", Outcome::Broken, vec![broken]),
            scenario("typo", Outcome::NotRun, Vec::new()).broken("unknown key `expct`\n  here"),
            skipped,
        ],
    }
}

#[test]
fn people_see_what_did_not_hold() {
    insta::assert_snapshot!(terminal::render(&report(), Style::PLAIN));
}

#[test]
fn a_terminal_shows_a_matrix_in_green_and_red() {
    let report = report();
    let text = terminal::failure(&report.scenarios[2], Style::COLOUR);
    let matrix: Vec<&str> = text.lines().skip(2).collect();
    insta::assert_snapshot!(matrix.join("\n").replace('\x1b', "ESC"));
    insta::assert_snapshot!("every_matrix", terminal::matrices(&report, Style::PLAIN));
}

#[test]
fn github_sees_each_fault_on_its_own_line() {
    let mut report = report();
    report.scenarios[1].steps[1].reason = Some("100%: no,\r\nno".to_owned());
    report.scenarios[4].place = Some(Place { line: 3, column: 9 });
    insta::assert_snapshot!(annotations::render(&report));
}

#[test]
fn machines_see_the_same_as_junit() {
    insta::assert_snapshot!(junit::render(&report()));
}

#[test]
fn a_report_is_data() {
    let text = report().json();
    let again: Report = serde_json::from_str(&text).unwrap();
    assert_eq!(again.json(), text);
    assert_eq!(again.exit_code(), 2);
}

#[test]
fn exit_codes_tell_the_worst() {
    let with = |outcomes: &[Outcome]| {
        let scenarios = outcomes
            .iter()
            .map(|outcome| scenario("x", *outcome, Vec::new()));
        Report {
            scenarios: scenarios.collect(),
            ..Report::default()
        }
    };
    let (passed, failed, broken) = (Outcome::Passed, Outcome::Failed, Outcome::Broken);
    assert_eq!(with(&[passed, Outcome::NotRun]).exit_code(), 0);
    assert_eq!(with(&[passed, failed]).exit_code(), 1);
    assert_eq!(with(&[failed, broken]).exit_code(), 2);
    assert_eq!(with(&[]).exit_code(), 2);
    let mut interrupted = with(&[broken]);
    interrupted.interrupted = true;
    assert_eq!(interrupted.exit_code(), 130);
}

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_live_view_has_a_line_for_each_scenario() {
    let page = Page::default();
    let live = Live::new(page.clone(), Style::PLAIN, false);
    for scenario in &report().scenarios {
        live.event(&Event::Started { id: &scenario.id });
        live.event(&Event::Done { report: scenario });
    }
    let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    insta::assert_snapshot!(text);
}
