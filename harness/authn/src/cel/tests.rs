//! Expressions against claims: problems found before, values and errors after.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{CompileError, Output, Scope, Value, compile};
use crate::vectors::{cases, table};

fn claims() -> Json {
    json!({
        "sub": "lin",
        "teams": ["red", "blue"],
        "level": 3,
        "flag": true,
        "none": null,
        "address": {"city": "Bern", "zip-code": "3000", "in": {"k": 1}},
    })
}

fn problem(source: &str, scope: Scope) -> String {
    match compile(source, scope, Output::Any) {
        Ok(_) => "fine".to_owned(),
        Err(error) => error.to_string(),
    }
}

fn problems(sources: &[&str]) -> String {
    let problems: Vec<String> = sources
        .iter()
        .map(|source| problem(source, Scope::Claims))
        .collect();
    problems.join("\n")
}

fn values(sources: &[&str]) -> String {
    let mut out = String::new();
    for source in sources {
        let result = match compile(source, Scope::Claims, Output::Any) {
            Ok(program) => match program.evaluate(&claims()) {
                Ok(value) => to_json(&value).to_string(),
                Err(error) => format!("error: {error}"),
            },
            Err(error) => error.to_string(),
        };
        out = format!("{out}{source:44} {result}\n");
    }
    out
}

/// Values as the recorded probes have them.
fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(value) => json!(value),
        Value::Int(number) => json!({"int": number}),
        Value::Uint(number) => json!({"uint": number}),
        Value::Double(number) if *number == f64::INFINITY => json!({"double": "+Inf"}),
        Value::Double(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            #[expect(clippy::cast_possible_truncation, reason = "it is a whole number")]
            let whole = *number as i64;
            json!({"double": whole})
        }
        Value::Double(number) => json!({"double": number}),
        Value::String(text) => json!(text),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(entries) => {
            let entries: BTreeMap<&str, Json> = entries
                .iter()
                .map(|(key, value)| (key.as_str(), to_json(value)))
                .collect();
            json!(entries)
        }
        Value::Optional(None) => json!({"opt": "none"}),
        Value::Optional(Some(value)) => json!({"opt": to_json(value)}),
        Value::Other(name) => json!(format!("T:{name}")),
    }
}

#[test]
fn types_that_do_not_fit() {
    assert_snapshot!(problems(&[
        "claims.sub == 1 || 'a' == 1",
        "claims.teams.map(t, 'x:' + t)",
        "dyn(claims.teams).map(t, nobody)",
        "claims.sub.startsWith('a', 'b')",
        "size(1)",
        "{'a': 1}.a.b",
        "[1, 'a']",
        "claims.flag ? 1 : 'a'",
        "claims[0]",
        "quantity('1').sign()",
        "quantity('1').value",
        "sets.contains([1], ['a'])",
        "{} && true",
    ]));
}

#[test]
fn literals_that_cannot_be() {
    assert_snapshot!(problems(&[
        "duration('1 hour')",
        "timestamp('yesterday')",
        "claims.sub.matches('[a')",
        "claims.sub.find('(a')",
        "'%d'.format(['a'])",
        "'%s'.format([claims.sub])",
        "'%s %s'.format(['a'])",
        "'%s'.format(['a', 'b'])",
        "'%q'.format(['a'])",
        "int('x')",
        "uint(-1)",
        "claims.teams[null]",
        "type(claims.sub) == duration",
    ]));
}

#[test]
fn syntax() {
    assert_snapshot!(problems(&[
        "",
        "claims.",
        "claims.in",
        "claims.true",
        "claims.?in",
        "claims.`a`",
        "claims.sub and true",
        "claims.sub ? 'a'",
        "claims['sub",
        "claims.teams[0:1]",
        "(1, 2)",
        "dyn(claims.teams).map('t', 1)",
        "claims.?sub.optMap('t', 1)",
        "has(claims)",
        "-9223372036854775809",
        "'ü' + claims.sub.",
    ]));
}

#[test]
fn the_user_is_typed() {
    assert_eq!(problem("user.groups.all(g, g != 'x')", Scope::User), "fine");
    assert_snapshot!(
        [
            "user.name",
            "claims.sub",
            "user.groups == 'a'",
            "user.extra.map(k, k + 1)",
        ]
        .map(|source| problem(source, Scope::User))
        .join("\n")
    );
}

#[test]
fn a_rule_is_a_boolean() {
    let rule = |source| compile(source, Scope::Claims, Output::Bool).err();
    assert_eq!(rule("claims.flag == true"), None);
    assert_eq!(rule("has(claims.flag) && claims.flag"), None);
    assert_eq!(rule("claims.flag"), Some(CompileError::NotBool));
    assert_eq!(rule("[].max()"), Some(CompileError::NotBool));
    // The type is looked at before a program is made.
    assert_eq!(rule("int('x')"), Some(CompileError::NotBool));
}

#[test]
fn parts_of_claims() {
    assert_snapshot!(values(&[
        "claims.address.city",
        "claims.address.zip__dash__code",
        "claims.address['zip-code']",
        "claims.address.__in__.k",
        "claims.address.zip__slash__code",
        "claims.sub.city",
        "claims.teams.city",
        "claims.teams[1]",
        "claims.teams[claims.level]",
        "claims.teams[1.5]",
        "claims.?address.city",
        "claims.?nobody.city.orValue('none')",
        "claims.sub.orValue('none')",
        "claims.nobody.orValue('none')",
        "claims[?'sub']",
        "has(claims.sub.city)",
        "has(claims.address.city)",
        "has(claims.nobody.city)",
        "claims.nobody == 1 || claims.flag",
        "claims.sub && claims.nobody",
        "claims.exists(v, v == 'lin')",
        ".claims.sub",
    ]));
}

#[test]
fn calls_on_the_wrong_values() {
    assert_snapshot!(values(&[
        "claims.level.startsWith('a')",
        "claims.level.split(',')",
        "claims.level.getHost()",
        "claims.level.matches('a')",
        "claims.none.isSorted()",
        "claims.level + 1",
        "claims.flag + 1",
        "claims.sub < claims.level",
        "claims.teams < claims.teams",
        "-claims.teams",
        "size(claims.level)",
        "claims.level ? 1 : 2",
        "dyn(claims.level).all(x, true)",
        "sets.contains(claims.none, [1])",
    ]));
}

#[test]
fn formats() {
    assert_snapshot!(values(&[
        "'%s|%s'.format([dyn(claims.level), dyn(claims.flag)])",
        "'%s'.format([dyn(claims.address)])",
        "'%s'.format([['a', 'ü\\n']])",
        "'%s'.format([[1.5, 1e30]])",
        "'%.2f'.format([1234567.891])",
        "'%e'.format([0.00015])",
        "'%x %X %o %b'.format([255, 'az', 8, -5])",
        "'%f'.format(['-Infinity'])",
        "dyn('%d').format([1.5])",
        "'100%%'.format([])",
        "string(duration('-1ms'))",
        "string(timestamp('2024-01-01T00:00:00.100Z'))",
    ]));
}

#[test]
fn two_variables() {
    assert_snapshot!(values(&[
        "dyn(claims.teams).transformList(i, t, string(i) + t)",
        "dyn(claims.teams).transformMap(i, t, i > 0, t)",
        "dyn(claims.teams).transformMapEntry(i, t, {t: i})",
        "dyn(claims.address).exists(k, v, v == 'Bern')",
        "dyn(claims.teams).existsOne(i, t, t == 'red')",
        "dyn(claims.teams).all(i, t, [t].exists(i, i == t))",
        "claims.teams.transformList(i, t, t)",
    ]));
}

#[test]
fn agreement_with_the_recorded_probes() {
    let Some(table) = table("cel.jsonl") else {
        return;
    };
    // The probes show keys that are no strings in Go's way.
    let table = table.replace("map[int:0]", "0").replace("map[int:1]", "1");
    let mut wrong = Vec::new();
    for case in cases(&table) {
        let source = case["expr"].as_str().unwrap();
        let got = match compile(source, Scope::Claims, Output::Any) {
            Ok(program) => match program.evaluate(&case["claims"]) {
                Ok(value) => json!({"ok": to_json(&value)}),
                Err(error) => json!({"runtime_error": error}),
            },
            Err(CompileError::Invalid(text)) => json!({"compile_error": text}),
            Err(error) => json!({"compile_error": error.to_string()}),
        };
        let mut want = case["expect"].clone();
        let mut got_sorted = got.clone();
        if let Some(items) = want.get("ok_unordered").cloned() {
            want = json!({"ok": items});
            if let Some(items) = got_sorted["ok"].as_array_mut() {
                items.sort_by_key(Json::to_string);
            }
        }
        if got_sorted != want {
            wrong.push(format!("{source}\n  got  {got_sorted}\n  want {want}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

proptest! {
    #[test]
    fn any_text_is_answered(source in "\\PC{0,30}") {
        answer(&source);
    }

    #[test]
    fn any_mix_of_words_is_answered(
        words in proptest::collection::vec(proptest::sample::select(WORDS), 0..12),
    ) {
        answer(&words.concat());
    }
}

const WORDS: &[&str] = &[
    "claims",
    ".sub",
    ".teams",
    ".?level",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    ":",
    " ? ",
    " && ",
    " == ",
    " + ",
    " in ",
    "'a'",
    "'%s'",
    "1",
    "-1",
    "1.5",
    "null",
    "dyn",
    ".map(x, ",
    ".all(i, x, ",
    ".format([",
    "int(",
    "string(",
    "has(",
    ".split(',')",
    ".orValue(",
    ".optMap(x, ",
    "ü",
    "x",
    ".__in__",
    "[?",
    "`",
];

/// The program is made and run, whatever comes of it.
fn answer(source: &str) {
    if let Ok(program) = compile(source, Scope::Claims, Output::Any) {
        let _ = program.evaluate(&claims());
    }
}
