//! Reads metrics as servers write them: the Prometheus text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

use std::collections::BTreeMap;

/// One line: a series and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// The name; of a histogram or a summary with its ending, for example `_count`.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// The samples of `text`, in its order; comments and timestamps are passed over.
///
/// # Errors
/// With the first line that is of another form.
pub(crate) fn parse(text: &str) -> Result<Vec<Sample>, String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| sample(line).ok_or_else(|| format!("not a line of metrics: {line}")))
        .collect()
}

fn sample(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner.trim_start();
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once('=')?;
            let (value, after) = quoted(value.trim_start())?;
            labels.insert(label.trim().to_owned(), value);
            rest = after.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        rest = &rest[1..];
    }
    // Rust reads what Go writes: `+Inf`, `NaN`, `1e+06`.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample {
        name: name.to_owned(),
        labels,
        value,
    })
}

/// A text in quotes at the start of `text`, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut out = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 1..])),
            '\\' => out.push(match chars.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => out.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_read_as_servers_write_them() {
        let text = "# HELP a What a is.\n# TYPE a counter\na 3\n\
                    a_total{code=\"200\",path=\"/x\\\"y\\\\z\\n\",} 1.5e+06 1395066363000\n\
                    \n  b{ x = \"1\" , y=\"}\" } +Inf\nc{} NaN\n";
        let shown: Vec<String> = parse(text)
            .unwrap()
            .iter()
            .map(|s| format!("{} {:?} {}", s.name, s.labels, s.value))
            .collect();
        assert_eq!(
            shown,
            [
                "a {} 3",
                "a_total {\"code\": \"200\", \"path\": \"/x\\\"y\\\\z\\n\"} 1500000",
                "b {\"x\": \"1\", \"y\": \"}\"} inf",
                "c {} NaN",
            ]
        );
        for broken in ["a", "a{x=\"1} 2", "a{x} 1", "a{x=\"1\"}", "a b"] {
            let told = parse(broken).unwrap_err();
            assert_eq!(told, format!("not a line of metrics: {broken}"));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[ -~\\n]{0,60}") {
            let _ = parse(&text);
        }

        #[test]
        fn labels_survive(value in ".{0,20}") {
            let written = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            prop_assume!(!value.contains(['\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']));
            let read = parse(&format!("a{{l=\"{written}\"}} 1")).unwrap();
            prop_assert_eq!(&read[0].labels["l"], &value);
        }
    }
}
