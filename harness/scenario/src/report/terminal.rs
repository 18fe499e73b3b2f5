//! The view for people: what did not hold, why, how to see it by hand, and the count.

use std::fmt::Write as _;

use super::style::Style;
use super::table::columns;
use super::{Matrix, Outcome, Report, Row, ScenarioReport, StepReport};

/// Every scenario that did not pass, then the summary line.
#[must_use]
pub fn render(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for scenario in &report.scenarios {
        if matches!(scenario.outcome, Outcome::Failed | Outcome::Broken) {
            out.push_str(&failure(scenario, style));
            out.push('\n');
        }
    }
    for (count, why) in report.reasons() {
        let _ = writeln!(out, "{}", style.faint(&format!("ignored {count}: {why}")));
    }
    out.push_str(&summary(report, style));
    out.push('\n');
    out
}

/// Every access matrix, whatever became of it.
#[must_use]
pub fn matrices(report: &Report, style: Style) -> String {
    let mut out = String::new();
    for scenario in &report.scenarios {
        for step in &scenario.steps {
            if let Some(drawn) = &step.matrix {
                let place = format!("{}:{}", scenario.file, step.place.line);
                let _ = writeln!(out, "{}  {}", style.strong(&place), scenario.name);
                out.push_str(&indent(&matrix(drawn, style), 2));
            }
        }
    }
    out
}

/// The summary line: `25 passed, 0 failed`.
#[must_use]
pub fn summary(report: &Report, style: Style) -> String {
    let counts = report.counts();
    let paint = |text: String, any: usize, paint: fn(Style, &str) -> String| {
        if any > 0 { paint(style, &text) } else { text }
    };
    let mut parts = vec![
        paint(
            format!("{} passed", counts.passed),
            counts.passed,
            Style::good,
        ),
        paint(
            format!("{} failed", counts.failed),
            counts.failed,
            Style::bad,
        ),
    ];
    if counts.broken > 0 {
        parts.push(style.strange(&format!("{} broken", counts.broken)));
    }
    if counts.ignored > 0 {
        parts.push(style.strange(&format!("{} ignored", counts.ignored)));
    }
    if counts.not_run > 0 {
        parts.push(style.strange(&format!("{} not run", counts.not_run)));
    }
    let mut out = parts.join(", ");
    if let Some(world) = report.world() {
        let _ = write!(out, " on {world}");
    }
    if report.interrupted {
        out.push_str(&style.strange(", interrupted"));
    }
    if report.scenarios.is_empty() {
        out.push_str(": no scenario was selected");
    }
    if report.milliseconds > 0 {
        let seconds = std::time::Duration::from_millis(report.milliseconds).as_secs_f64();
        let _ = write!(out, "{}", style.faint(&format!(" in {seconds:.2} s")));
    }
    out
}

/// One line for a scenario that has ended.
#[must_use]
pub fn line(scenario: &ScenarioReport, style: Style) -> String {
    let word = word(scenario.outcome, style);
    let time = style.faint(&format!("{} ms", scenario.milliseconds));
    match (&scenario.skipped, scenario.interrupted) {
        (Some(why), _) => format!("{word} {}  {}", scenario.id, style.faint(why)),
        (None, true) => format!("{word} {}  {}", scenario.id, style.faint("interrupted")),
        (None, false) => format!("{word} {}  {time}", scenario.id),
    }
}

fn word(outcome: Outcome, style: Style) -> String {
    match outcome {
        Outcome::Passed => style.good("ok    "),
        Outcome::Failed => style.bad("FAILED"),
        Outcome::Broken => style.strange("BROKEN"),
        Outcome::NotRun => style.faint("-     "),
    }
}

/// A scenario that failed or broke, in full.
#[must_use]
pub fn failure(scenario: &ScenarioReport, style: Style) -> String {
    let mut out = format!(
        "{} {}",
        word(scenario.outcome, style),
        style.strong(&scenario.id)
    );
    if !scenario.name.is_empty() {
        let _ = write!(out, "  {}", scenario.name);
    }
    out.push('\n');
    for step in &scenario.steps {
        if matches!(step.outcome, Outcome::Failed | Outcome::Broken) {
            let place = format!(
                "{}:{}:{}",
                scenario.file, step.place.line, step.place.column
            );
            let _ = writeln!(out, "  {}  {}", style.strong(&place), step.summary);
            out.push_str(&indent(&details(step, style), 4));
        }
    }
    if let Some(fault) = &scenario.fault {
        out.push_str(&indent(&format!("{}\n", fault.trim_end()), 2));
    }
    out
}

/// What a step expected and saw, the reason, and the command that does the same.
pub(super) fn details(step: &StepReport, style: Style) -> String {
    let mut out = String::new();
    if let Some(fault) = &step.fault {
        let _ = writeln!(out, "{}", style.strange(fault));
    }
    match &step.matrix {
        Some(drawn) => out.push_str(&matrix(drawn, style)),
        None if step.rows.is_empty() => {}
        None => out.push_str(&rows(&step.rows, style)),
    }
    let notes = [
        ("reason", &step.reason),
        ("nearest", &step.nearest),
        ("reproduce", &step.reproduce),
    ];
    for (name, text) in notes {
        if let Some(text) = text {
            let text = text.trim_end().replace('\n', "\n           ");
            let _ = writeln!(out, "{}{text}", style.faint(&format!("{name:<11}")));
        }
    }
    out
}

fn rows(rows: &[Row], style: Style) -> String {
    let mut cells = vec![vec![
        " ".to_owned(),
        String::new(),
        "expected".to_owned(),
        "seen".to_owned(),
    ]];
    cells.extend(rows.iter().map(|row| {
        vec![
            if row.holds { " " } else { "x" }.to_owned(),
            row.what.clone(),
            one_line(&row.expected),
            one_line(&row.seen),
        ]
    }));
    let drawn = columns(&cells, |_, _, cell| cell.to_owned());
    let mut out = String::new();
    for (index, line) in drawn.lines().enumerate() {
        let line = match index.checked_sub(1).and_then(|index| rows.get(index)) {
            Some(row) if !row.holds => style.bad(line),
            Some(_) => line.to_owned(),
            None => style.faint(line),
        };
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The table as it was asked, each answer beside what was expected where that is another.
fn matrix(matrix: &Matrix, style: Style) -> String {
    let mut cells = vec![vec!["can".to_owned()]];
    cells[0].extend(matrix.subjects.iter().cloned());
    for row in &matrix.rows {
        let answers = row.answers.iter().map(|cell| {
            if cell.seen == cell.expected {
                cell.seen.clone()
            } else {
                format!("{} (expected {})", cell.seen, cell.expected)
            }
        });
        cells.push(
            std::iter::once(row.question.clone())
                .chain(answers)
                .collect(),
        );
    }
    columns(&cells, |row, column, text| {
        let answer = row
            .checked_sub(1)
            .and_then(|row| matrix.rows.get(row))
            .zip(column.checked_sub(1))
            .and_then(|(row, column)| row.answers.get(column));
        match answer {
            None if row == 0 => style.faint(text),
            None => text.to_owned(),
            Some(cell) if cell.seen != cell.expected => style.bad(text),
            Some(_) => style.good(text),
        }
    })
}

fn one_line(text: &str) -> String {
    text.replace('\n', "\\n")
}

fn indent(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    text.lines()
        .map(|line| match line.trim_end() {
            "" => "\n".to_owned(),
            line => format!("{pad}{line}\n"),
        })
        .collect()
}
