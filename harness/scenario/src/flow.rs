//! Data on one line, as a person would write it in a scenario: YAML's flow style.

use serde_json::Value;

/// `value` on one line; texts are quoted only where YAML needs it.
pub(crate) fn flow(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => scalar(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            out.push_str("{ ");
            for (index, (key, item)) in map.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                scalar(key, out);
                out.push_str(": ");
                write(item, out);
            }
            out.push_str(" }");
        }
        other => out.push_str(&other.to_string()),
    }
}

fn scalar(text: &str, out: &mut String) {
    let first = |c: char| c.is_alphanumeric() || "/.(<$".contains(c);
    let plain = text.starts_with(first)
        && text
            .chars()
            .all(|c| !c.is_control() && !"{}[],\"".contains(c))
        && ![": ", " #"].iter().any(|mark| text.contains(mark))
        && !text.ends_with([':', ' '])
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        )
        && text.parse::<f64>().is_err();
    if plain {
        out.push_str(text);
    } else {
        out.push_str(&Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::flow;
    use serde_json::json;

    #[test]
    fn reads_as_it_would_be_written() {
        let value = json!({"audience": {"got": ["kube", "a b"], "want": [], "m": 1, "t": "true"}});
        assert_eq!(
            flow(&value),
            "{ audience: { got: [kube, a b], m: 1, t: \"true\", want: [] } }"
        );
        assert_eq!(flow(&json!("dex:jane@example.com")), "dex:jane@example.com");
        assert_eq!(flow(&json!("a: b")), "\"a: b\"");
        assert_eq!(flow(&json!("")), "\"\"");
    }
}
