//! The simple JSONPath of printer columns: fields, indices, `*`, and filters by equality.
//!
//! Source: Kubernetes docs, "JSONPath Support"; columns take paths with a leading dot only.

use serde_json::Value;

/// A parsed path.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JsonPath(Vec<Step>);

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    All,
    /// The items whose field has, or has not, this value.
    Where(Vec<String>, bool, Value),
}

impl JsonPath {
    /// Reads a path; what is not understood selects nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut steps = Vec::new();
        let mut rest = text.strip_prefix('$').unwrap_or(text);
        while !rest.is_empty() {
            if let Some(inner) = rest.strip_prefix('[') {
                let end = closing(inner)?;
                steps.push(bracket(inner[..end].trim())?);
                rest = &inner[end + 1..];
            } else {
                let inner = rest.strip_prefix('.')?;
                let (name, after) = field(inner);
                match name.as_str() {
                    "" => {}
                    "*" => steps.push(Step::All),
                    _ => steps.push(Step::Field(name)),
                }
                rest = after;
            }
        }
        Some(Self(steps))
    }

    /// What the path selects.
    pub(crate) fn select<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0.iter().fold(vec![value], |found, step| {
            found
                .into_iter()
                .flat_map(|value| step.select(value))
                .collect()
        })
    }

    /// The names of a path that has fields only, as those of a scale subresource.
    pub(crate) fn fields(&self) -> Option<Vec<&str>> {
        let names = self.0.iter().map(|step| match step {
            Step::Field(name) => Some(name.as_str()),
            _ => None,
        });
        names.collect()
    }
}

impl Step {
    fn select<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        match (self, value) {
            (Self::Field(name), Value::Object(map)) => map.get(name).into_iter().collect(),
            (Self::Index(index), Value::Array(items)) => {
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let index = if *index < 0 { index + length } else { *index };
                let item = usize::try_from(index).ok().and_then(|at| items.get(at));
                item.into_iter().collect()
            }
            (Self::All, Value::Array(items)) => items.iter().collect(),
            (Self::All, Value::Object(map)) => map.values().collect(),
            (Self::Where(path, equal, wanted), Value::Array(items)) => items
                .iter()
                .filter(|item| {
                    let found = path.iter().fold(*item, |value, name| &value[name]);
                    !found.is_null() && (found == wanted) == *equal
                })
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// A field's name up to the next step; a backslash takes the next character as it is.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => name.extend(characters.next().map(|(_, c)| c)),
            '.' | '[' => return (name, &text[at..]),
            c => name.push(c),
        }
    }
    (name, "")
}

/// Where the bracket ends, quotes and inner brackets minded.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some(at),
            (None, ']') => depth -= 1,
            _ => {}
        }
    }
    None
}

fn bracket(text: &str) -> Option<Step> {
    if text == "*" {
        return Some(Step::All);
    }
    if let Some(name) = quoted(text) {
        return Some(Step::Field(name));
    }
    if let Some(filter) = text
        .strip_prefix("?(")
        .and_then(|text| text.strip_suffix(')'))
    {
        let (left, right, equal) = match filter.split_once("==") {
            Some((left, right)) => (left, right, true),
            None => {
                let (left, right) = filter.split_once("!=")?;
                (left, right, false)
            }
        };
        let path = left.trim().strip_prefix("@.")?;
        let path = path.split('.').map(str::to_owned).collect();
        let right = right.trim();
        let wanted = quoted(right)
            .map(Value::String)
            .or_else(|| serde_json::from_str(right).ok())?;
        return Some(Step::Where(path, equal, wanted));
    }
    text.parse().ok().map(Step::Index)
}

fn quoted(text: &str) -> Option<String> {
    ['\'', '"']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    //! What paths select.

    use serde_json::{Value, json};

    use super::JsonPath;

    #[test]
    fn paths_select_fields_items_and_filtered_items() {
        let object = json!({
            "spec": {"names": ["a", "b"], "a.b": 1},
            "status": {"conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "Other", "status": "False"},
            ]},
        });
        let select = |path: &str| -> Vec<Value> {
            let path = JsonPath::parse(path).expect("a path");
            path.select(&object).into_iter().cloned().collect()
        };
        assert_eq!(select(".spec.names[1]"), [json!("b")]);
        assert_eq!(select(".spec.names[-1]"), [json!("b")]);
        assert_eq!(select(".spec.names[*]"), [json!("a"), json!("b")]);
        assert_eq!(select(r".spec.a\.b"), [json!(1)]);
        assert_eq!(select(".spec['a.b']"), [json!(1)]);
        let ready = r#".status.conditions[?(@.type=="Ready")].status"#;
        assert_eq!(select(ready), [json!("True")]);
        assert_eq!(select(".spec.nothing.here"), Vec::<Value>::new());
        assert!(JsonPath::parse("spec").is_none());
    }
}
