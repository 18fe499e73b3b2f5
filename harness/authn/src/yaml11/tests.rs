//! YAML 1.1 as the API machinery sees it. Every expectation was seen from the real reader.

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::json;

use super::{duplicate_keys, parse, parse_spanned};
use crate::golang::tests::any_json;

#[test]
fn scalars_have_yaml_1_1_types() {
    let cases = [
        (
            "[y, Yes, ON, n, no, Off, yEs]",
            json!([true, true, true, false, false, false, "yEs"]),
        ),
        (
            "[~, null, NULL, '', nULL]",
            json!([null, null, null, "", "nULL"]),
        ),
        (
            "[1_000, 0x1F, 017, 0o17, 0b101, -0b11, 08, +5]",
            json!([1000, 31, 15, 15, 5, -3, 8, 5]),
        ),
        (
            "[1.5, .5, 1., 1e3, 1e400, 1:30, 0x]",
            json!([1.5, 0.5, 1, 1000, "1e400", "1:30", "0x"]),
        ),
        (
            "[2001-01-01, 18446744073709551615]",
            json!(["2001-01-01", 18_446_744_073_709_551_615_u64]),
        ),
        ("x: y", json!({"x": true})),
        (
            "{1: a, 1.5: b, yes: c}",
            json!({"1": "a", "1.5": "b", "true": "c"}),
        ),
        ("!!str 5", json!("5")),
        ("! 5", json!("5")),
        ("!!float 5", json!(5)),
        ("!!binary aGk=", json!("hi")),
        ("", json!(null)),
        ("---\n", json!(null)),
    ];
    for (text, want) in cases {
        assert_eq!(parse(text).unwrap(), want, "{text}");
    }
}

#[test]
fn structure() {
    let cases = [
        (
            "a: &x {b: 1}\nc: {<<: *x, d: 2}",
            json!({"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ),
        (
            "a:\n- b\n- c: d\n  e: f",
            json!({"a": ["b", {"c": "d", "e": "f"}]}),
        ),
        (
            "a: |\n  x\n   y\n\nb: >-\n  p\n  q\n\n  r\n",
            json!({"a": "x\n y\n", "b": "p q\nr"}),
        ),
        ("\"a\\x41\\u00e9 \\\n  b\\n\"", json!("aAé b\n")),
        ("'it''s\n  folded'", json!("it's folded")),
        (
            "[a:b, c: d, http://x/y]",
            json!(["a:b", {"c": "d"}, "http://x/y"]),
        ),
        ("? [q]\n", json!(null)),
        ("a: 1\na: 2", json!({"a": 2})),
        ("a: 1\n---\nb: [", json!({"a": 1})),
        ("\u{feff}a: 1", json!({"a": 1})),
    ];
    for (text, want) in cases {
        match parse(text) {
            Ok(got) => assert_eq!(got, want, "{text}"),
            Err(error) => assert!(
                error.to_string().contains("invalid map key"),
                "{text}: {error}"
            ),
        }
    }
}

#[test]
fn errors_are_the_readers_own() {
    let cases = [
        "a: [b",
        "a: {b: c",
        "a: 'b",
        "a: \"b\n",
        "a: b: c",
        "a: b\n c: d",
        "a:\n\t- b",
        "- a\nb: c",
        "a\nb: c",
        "a: *b",
        "a: &x [*x]",
        "a: \"\\q\"",
        "a: \"\\xzz\"",
        "a: @b",
        "a: !!int b",
        "%YAML 1.2\n---\na",
        "%FOO\n---\n",
        "a: !e!x b",
        "a: |0\n b",
        "a: |\n \tb\n",
        "[a]: b",
        "~: x",
        "a: .nan",
        "<<: 5",
        "a: ]",
        "a: - b",
        "a: \u{1}",
        "!!binary '*'",
        "}",
    ];
    let errors: Vec<String> = cases
        .iter()
        .map(|text| format!("{text:?}: {}", parse_spanned(text).unwrap_err()))
        .collect();
    assert_snapshot!(errors.join("\n"));
    let error = parse("a: [b").unwrap_err();
    assert_snapshot!(error.to_string());
    assert_eq!(parse("a: 1\nb: [\nc").unwrap_err().line(), Some(3));
}

#[test]
fn keys_given_twice_are_listed() {
    let error = duplicate_keys("a: 1\nb: {c: 1, c: 2}\na: 3\n1: x\n1: y\n")
        .unwrap()
        .unwrap();
    assert_snapshot!(error.to_string());
    assert_eq!(duplicate_keys("a: 1\nb: 2\n").unwrap(), None);
}

#[test]
fn a_value_knows_its_place() {
    let text = "jwt:\n- issuer:\n    url: \"https://é\"\n    audiences: [a, b]\n";
    let tree = parse_spanned(text).unwrap();
    let at = |path: &str| {
        let span = tree.at(path).unwrap().span;
        (span.line, span.column, &text[span.start..span.end])
    };
    assert_eq!(at("jwt[0].issuer.url"), (3, 10, "\"https://é\""));
    assert_eq!(at("jwt[0].issuer.audiences[1]"), (4, 20, "b"));
    assert!(tree.at("jwt[1]").is_none());
    let crate::tree::Kind::Map(entries) = &tree.kind else {
        panic!("a map")
    };
    assert_eq!(
        &text[entries[0].key_span.start..entries[0].key_span.end],
        "jwt"
    );
}

proptest! {
    #[test]
    fn nothing_panics(text in "[ \\t\\n:,?\\[\\]{}#&*!|>'\"%@`\\\\~<=ab01.+_\\-é\u{85}\u{1}]{0,60}") {
        let _ = (parse(&text), duplicate_keys(&text));
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn json_is_yaml(value in any_json()) {
        // JSON with escapes only is within both; DEL and unescaped control characters are not YAML.
        let text = escaped(&value.to_string());
        prop_assert_eq!(parse(&text).unwrap(), value, "{}", text);
    }
}

/// Everything outside of ASCII's printable part as `\u` escapes, beyond the BMP as `\U`.
fn escaped(json: &str) -> String {
    json.chars()
        .map(|character| match u32::from(character) {
            0x20..=0x7e => character.to_string(),
            code if code > 0xffff => format!("\\U{code:08x}"),
            code => format!("\\u{code:04x}"),
        })
        .collect()
}
