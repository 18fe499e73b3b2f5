//! Two runs of the same scenarios, compared: verdict, and what each step saw.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use crate::report::{Outcome, Report, ScenarioReport, StepReport};

/// One thing in which two runs differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The scenario's id.
    pub scenario: String,
    /// File and line of the step, or the file alone.
    pub place: String,
    /// What differs: `outcome`, or the path of a value in the step's answer.
    pub what: String,
    /// The left run's value.
    pub left: String,
    /// The right run's value.
    pub right: String,
}

/// Compares two reports, scenario by scenario and step by step. Steps that were not run on either
/// side are passed over; a scenario that only one side ran is a difference. What a side ignored (see
/// [`ignored`]) must have passed on the other, if that ran it.
#[must_use]
pub fn compare(left: &Report, right: &Report) -> Vec<Difference> {
    let mut out = Vec::new();
    let mut others: BTreeMap<&str, &ScenarioReport> =
        right.scenarios.iter().map(|s| (s.id.as_str(), s)).collect();
    for one in &left.scenarios {
        match others.remove(one.id.as_str()) {
            Some(other) if one.skipped.is_some() && passed(other) => {}
            Some(other) if other.skipped.is_some() && passed(one) => {}
            Some(other) => scenario(one, other, &mut out),
            None => out.push(lonely(one, "ran", "was not selected")),
        }
    }
    out.extend(
        others
            .into_values()
            .map(|one| lonely(one, "was not selected", "ran")),
    );
    out
}

/// How many scenarios a side ignored: nothing was compared of them.
#[must_use]
pub fn ignored(left: &Report, right: &Report) -> usize {
    let ignored = |report: &Report| -> BTreeSet<String> {
        let ignored = report.scenarios.iter().filter(|one| one.skipped.is_some());
        ignored.map(|one| one.id.clone()).collect()
    };
    ignored(left).union(&ignored(right)).count()
}

fn passed(one: &ScenarioReport) -> bool {
    one.skipped.is_some() || one.outcome == Outcome::Passed
}

/// 0 no difference; 1 a difference; 2 the lab or a file is at fault on a side, and then nothing can be
/// said of the rest (2 beats 1).
#[must_use]
pub fn exit_code(left: &Report, right: &Report, differences: &[Difference]) -> u8 {
    if left.exit_code() == 2 || right.exit_code() == 2 {
        2
    } else {
        u8::from(!differences.is_empty())
    }
}

fn lonely(one: &ScenarioReport, left: &str, right: &str) -> Difference {
    Difference {
        scenario: one.id.clone(),
        place: one.file.clone(),
        what: "selection".to_owned(),
        left: left.to_owned(),
        right: right.to_owned(),
    }
}

fn scenario(left: &ScenarioReport, right: &ScenarioReport, out: &mut Vec<Difference>) {
    let mut add = |place: String, what: String, l: String, r: String| {
        out.push(Difference {
            scenario: left.id.clone(),
            place,
            what,
            left: l,
            right: r,
        });
    };
    if left.outcome != right.outcome || left.fault != right.fault {
        let tell = |one: &ScenarioReport| {
            let fault = one.fault.as_deref().unwrap_or_default();
            format!("{:?} {fault}", one.outcome).trim_end().to_owned()
        };
        add(
            left.file.clone(),
            "outcome".to_owned(),
            tell(left),
            tell(right),
        );
    }
    for (one, other) in left.steps.iter().zip(&right.steps) {
        let place = format!("{}:{}", left.file, one.place.line);
        if one.outcome != other.outcome {
            let tell = |step: &StepReport| format!("{:?}", step.outcome);
            add(place.clone(), "outcome".to_owned(), tell(one), tell(other));
        }
        values("", &one.seen, &other.seen, &mut |what, l, r| {
            add(place.clone(), what.to_owned(), l, r);
        });
    }
}

fn values(path: &str, left: &Value, right: &Value, add: &mut dyn FnMut(&str, String, String)) {
    match (left, right) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let get = |map: &serde_json::Map<String, Value>| {
                    map.get(key).cloned().unwrap_or(Value::Null)
                };
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                values(&below, &get(one), &get(other), add);
            }
        }
        _ if left == right => {}
        _ => add(path, text(left), text(right)),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "(nothing)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Place;

    fn report(outcome: Outcome, seen: Value) -> Report {
        let mut scenario = ScenarioReport::unreached("lab::s", "s", "scenarios/s.yaml", "lab");
        scenario.outcome = outcome;
        let place = Place { line: 4, column: 5 };
        scenario.steps.push(StepReport {
            outcome,
            seen,
            ..StepReport::planned("whoami", "whoami", place)
        });
        Report {
            scenarios: vec![scenario],
            ..Report::default()
        }
    }

    #[test]
    fn only_what_differs_is_told_with_its_place() {
        let same = serde_json::json!({ "username": "ada", "groups": ["a"] });
        let left = report(Outcome::Passed, same);
        assert_eq!(compare(&left, &left), []);
        let other = serde_json::json!({ "username": "ada", "groups": ["b"], "uid": "1" });
        let told = compare(&left, &report(Outcome::Failed, other));
        let told: Vec<_> = told
            .iter()
            .map(|d| format!("{} {} {} | {}", d.place, d.what, d.left, d.right))
            .collect();
        assert_eq!(
            told,
            [
                "scenarios/s.yaml outcome Passed | Failed",
                "scenarios/s.yaml:4 outcome Passed | Failed",
                "scenarios/s.yaml:4 groups [\"a\"] | [\"b\"]",
                "scenarios/s.yaml:4 uid (nothing) | 1",
            ]
        );
    }

    #[test]
    fn what_a_side_ignored_must_pass_on_the_other() {
        let mut left = report(Outcome::NotRun, Value::Null);
        left.scenarios[0].skipped = Some("no pods run there".to_owned());
        for (outcome, differences) in [(Outcome::Passed, 0), (Outcome::Failed, 2)] {
            let right = report(outcome, Value::Null);
            assert_eq!(compare(&left, &right).len(), differences);
            assert_eq!(compare(&right, &left).len(), differences);
            assert_eq!(ignored(&left, &right), 1);
        }
    }

    #[test]
    fn a_scenario_that_one_side_lacks_is_a_difference() {
        let left = report(Outcome::Passed, Value::Null);
        assert_eq!(compare(&left, &Report::default()).len(), 1);
        assert_eq!(compare(&Report::default(), &left).len(), 1);
    }
}
