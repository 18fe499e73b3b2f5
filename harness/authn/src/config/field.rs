//! Validation messages in the form of the API machinery's field errors, and lists of them.

use super::Violation;
use crate::golang::quote::quote;

/// A path under construction.
#[derive(Clone, Debug)]
pub(super) struct Path(String);

impl Path {
    pub(super) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    pub(super) fn child(&self, name: &str) -> Self {
        Self(format!("{}.{name}", self.0))
    }

    pub(super) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    fn violation(&self, what: &str, detail: &str) -> Violation {
        let colon = if detail.is_empty() { "" } else { ": " };
        Violation {
            path: self.0.clone(),
            message: format!("{what}{colon}{detail}"),
        }
    }

    pub(super) fn required(&self, detail: &str) -> Violation {
        self.violation("Required value", detail)
    }

    pub(super) fn invalid(&self, value: &str, detail: &str) -> Violation {
        self.violation(&format!("Invalid value: {}", quote(value)), detail)
    }

    /// The value is printed as JSON.
    pub(super) fn invalid_json(&self, value: &str, detail: &str) -> Violation {
        self.violation(&format!("Invalid value: {value}"), detail)
    }

    pub(super) fn duplicate(&self, value: &str) -> Violation {
        self.violation(&format!("Duplicate value: {}", quote(value)), "")
    }

    pub(super) fn too_many(&self, count: usize, limit: usize) -> Violation {
        let detail = format!("must have at most {limit} items");
        self.violation(&format!("Too many: {count}"), &detail)
    }

    pub(super) fn internal(&self, detail: &str) -> Violation {
        self.violation("Internal error", detail)
    }
}

/// Several violations as one text; the same one is said once.
pub(super) fn aggregate(violations: &[Violation]) -> String {
    let texts: Vec<String> = violations
        .iter()
        .map(|violation| format!("{}: {}", violation.path, violation.message))
        .collect();
    joined(&texts)
}

/// Several errors as the server's aggregates print them.
pub(super) fn joined(texts: &[String]) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for text in texts {
        if !seen.contains(&text.as_str()) {
            seen.push(text);
        }
    }
    match seen.as_slice() {
        [one] => (*one).to_owned(),
        several => format!("[{}]", several.join(", ")),
    }
}
