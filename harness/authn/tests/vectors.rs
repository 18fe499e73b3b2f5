//! The recorded verdicts of a real API server (k8s.io/apiserver 0.36), case by case: a table of agreement, in
//! which there must be no difference.

#![expect(clippy::print_stdout, reason = "the table is for people to read")]
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use serde_json::{Map, Value};

fn lines(text: &str) -> Vec<Map<String, Value>> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn agreement_with_the_real_server() {
    let cases = include_str!("data/authn.jsonl");
    let mut answers = Vec::new();
    authlab_authn::batch::run(cases.as_bytes(), &mut answers).unwrap();
    let answers = lines(std::str::from_utf8(&answers).unwrap());
    let cases = lines(cases);
    assert_eq!(answers.len(), cases.len());

    let mut table: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (case, mut answer) in cases.iter().zip(answers) {
        let area = case["area"].as_str().unwrap();
        assert_eq!(answer.remove("id").as_ref(), case.get("id"));
        let (agree, all) = table.entry(area).or_default();
        *all += 1;
        let (got, want) = (Value::Object(answer), &case["expect"]);
        if got == *want {
            *agree += 1;
            continue;
        }
        wrong.push(format!("{}\n  got  {got}\n  want {want}", case["id"]));
    }
    let all = table
        .values()
        .fold((0, 0), |sum, (agree, all)| (sum.0 + agree, sum.1 + all));
    for (area, (agree, all)) in &table {
        println!("{area:14} {agree:4} of {all:4}");
    }
    println!("{:14} {:4} of {:4}", "all", all.0, all.1);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_line_out_for_each_line_in() {
    let cases = "{\"id\": 1, \"config\": \"\"}\nnot JSON\n\n{\"id\": \"x\", \"config\": 5}\n[]\n";
    let mut answers = Vec::new();
    authlab_authn::batch::run(cases.as_bytes(), &mut answers).unwrap();
    let answers = lines(std::str::from_utf8(&answers).unwrap());
    let ids: Vec<String> = answers
        .iter()
        .map(|answer| answer["id"].to_string())
        .collect();
    assert_eq!(ids, ["1", "null", "null", "\"x\"", "null"]);
    for answer in &answers {
        assert_eq!(answer.len(), 2, "{answer:?}");
        assert!(answer["invalid_config"].is_string(), "{answer:?}");
    }
    assert_eq!(answers[0]["invalid_config"], "empty config data");
}
