//! Results as data; terminal, JUnit, GitHub annotations and JSON are views of it.

pub mod annotations;
pub mod junit;
pub mod live;
pub mod style;
mod table;
pub mod terminal;

use authlab_lab::state::BackendKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How something ended. The order is that of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It was not reached, or does not apply here.
    NotRun,
    /// All held.
    Passed,
    /// An expectation did not hold.
    Failed,
    /// The lab or a file is at fault: nothing can be said of the expectations.
    Broken,
}

/// One thing that was expected, beside what was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// What it is about, for example `groups`.
    pub what: String,
    /// As the scenario says.
    pub expected: String,
    /// As the lab answered.
    pub seen: String,
    /// Whether both agree.
    pub holds: bool,
}

/// Line and column in a scenario file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

/// One step of a scenario.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// The verb.
    pub verb: String,
    /// The verb and what it is about, on one line.
    pub summary: String,
    /// Where it stands in the file.
    pub place: Place,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u64,
    /// Expected and seen.
    pub rows: Vec<Row>,
    /// Why the lab answered as it did, in the server's own words.
    pub reason: Option<String>,
    /// What came nearest to the expected answer, in authlab's words.
    pub nearest: Option<String>,
    /// The questions and answers of an access matrix.
    #[serde(default)]
    pub matrix: Option<Matrix>,
    /// The command that does the same by hand.
    pub reproduce: Option<String>,
    /// What is at fault, when it is broken.
    pub fault: Option<String>,
    /// The answer as data, with this lab's addresses put back to their placeholders and volatile
    /// parts (times, random ids) blanked: two backends are compared by it.
    pub seen: Value,
}

impl StepReport {
    /// A step that has not run.
    #[must_use]
    pub fn planned(verb: &str, summary: &str, place: Place) -> Self {
        Self {
            verb: verb.to_owned(),
            summary: summary.to_owned(),
            place,
            outcome: Outcome::NotRun,
            milliseconds: 0,
            rows: Vec::new(),
            reason: None,
            nearest: None,
            matrix: None,
            reproduce: None,
            fault: None,
            seen: Value::Null,
        }
    }
}

/// Questions by subjects, as people draw them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matrix {
    /// The subjects, in the order of the file.
    pub subjects: Vec<String>,
    /// The rows, in the order of the file.
    pub rows: Vec<MatrixRow>,
}

/// One question, asked for each subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatrixRow {
    /// As the file says, for example `get pods -n dev`.
    pub question: String,
    /// An answer for each subject.
    pub answers: Vec<MatrixCell>,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MatrixCell {
    /// `yes` or `no`.
    pub expected: String,
    /// `yes`, `no`, or how the asker was refused.
    pub seen: String,
}

/// One scenario on one lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioReport {
    /// `<lab>::<folder>::<stem>`.
    pub id: String,
    /// The scenario's own sentence.
    pub name: String,
    /// The file, relative to the checkout.
    pub file: String,
    /// The lab's name.
    pub lab: String,
    /// How it ended: the worst of its steps.
    pub outcome: Outcome,
    /// How long it took.
    pub milliseconds: u64,
    /// Why it was not run.
    pub skipped: Option<String>,
    /// It was ended from outside: what follows the last step that ran is unknown.
    pub interrupted: bool,
    /// What is at fault outside of any step: the file, the lab, the end.
    pub fault: Option<String>,
    /// Where in the file that is, as far as it is known.
    #[serde(default)]
    pub place: Option<Place>,
    /// The steps, in the order of the file.
    pub steps: Vec<StepReport>,
}

/// Results of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Where it ran: `embedded`, `process`.
    pub backend: String,
    /// The version of Kubernetes there, or that is modelled there: `1.36.3`.
    #[serde(default)]
    pub kubernetes: String,
    /// It was ended from outside.
    pub interrupted: bool,
    /// How long it took, labs included.
    pub milliseconds: u64,
    /// What components take in their files and a person may not have meant, each once.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The scenarios, in the order in which they were listed.
    pub scenarios: Vec<ScenarioReport>,
}

/// How many scenarios ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All held.
    pub passed: usize,
    /// An expectation did not hold.
    pub failed: usize,
    /// The lab or a file is at fault.
    pub broken: usize,
    /// Do not apply there.
    pub ignored: usize,
    /// Were not reached.
    pub not_run: usize,
}

impl Report {
    /// Where it ran and on which version; nothing where that is the model.
    #[must_use]
    pub fn world(&self) -> Option<String> {
        let is_real = !self.kubernetes.is_empty() && self.backend != BackendKind::Embedded.name();
        is_real.then(|| format!("{}, Kubernetes {}", self.backend, self.kubernetes))
    }

    /// How many scenarios ended how.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for scenario in &self.scenarios {
            match scenario.outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Failed => counts.failed += 1,
                Outcome::Broken => counts.broken += 1,
                Outcome::NotRun if scenario.skipped.is_some() => counts.ignored += 1,
                Outcome::NotRun => counts.not_run += 1,
            }
        }
        counts
    }

    /// Why scenarios were ignored, with how many for each reason, the most frequent first.
    #[must_use]
    pub fn reasons(&self) -> Vec<(usize, &str)> {
        let mut reasons: Vec<(usize, &str)> = Vec::new();
        for why in self
            .scenarios
            .iter()
            .filter_map(|one| one.skipped.as_deref())
        {
            match reasons.iter_mut().find(|(_, known)| *known == why) {
                Some((count, _)) => *count += 1,
                None => reasons.push((1, why)),
            }
        }
        reasons.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        reasons
    }

    /// 0 all held; 1 an expectation failed; 2 the lab or a file is at fault, or nothing was
    /// selected or could be run (2 beats 1); 130 interrupted.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let counts = self.counts();
        if self.interrupted || self.scenarios.iter().any(|one| one.interrupted) {
            130
        } else if counts.broken > 0 || counts.ignored == self.scenarios.len() {
            2
        } else if counts.failed > 0 {
            1
        } else {
            0
        }
    }

    /// The whole as indented JSON.
    ///
    /// # Panics
    /// Never: a report always serialises.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report serialises")
    }
}

impl ScenarioReport {
    /// A scenario of which no step has run.
    #[must_use]
    pub fn unreached(id: &str, name: &str, file: &str, lab: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            file: file.to_owned(),
            lab: lab.to_owned(),
            outcome: Outcome::NotRun,
            milliseconds: 0,
            skipped: None,
            interrupted: false,
            fault: None,
            place: None,
            steps: Vec::new(),
        }
    }

    /// The same, broken by `fault`.
    #[must_use]
    pub fn broken(mut self, fault: impl Into<String>) -> Self {
        self.outcome = Outcome::Broken;
        self.fault = Some(fault.into());
        self
    }
}
