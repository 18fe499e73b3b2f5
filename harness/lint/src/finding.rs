//! One thing found.

use authlab_lab::source::{Source, SourceError};
use serde_json::{Value, json};

use crate::rules::{Rule, rule};

/// A place where a rule is broken.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// What is wrong here.
    pub message: String,
    /// How to mend it here; the rule's own advice where there is none.
    pub help: Option<String>,
    /// The file.
    pub source: Source,
    /// Where it begins, in bytes.
    pub offset: usize,
}

impl Finding {
    /// As an error with the place.
    #[must_use]
    pub fn report(&self) -> SourceError {
        // The rule first: at the end of a line it would be broken in two.
        let (severity, id) = (self.rule.severity, self.rule.id);
        let message = format!("{severity}[{id}]: {}", self.message);
        let help = self.help.as_deref().unwrap_or(self.rule.mend);
        let rest = self.source.text().get(self.offset..).unwrap_or_default();
        self.source
            .error_at(self.offset, extent(rest), message, "here")
            .or_help(help)
    }

    /// Line and column, both from 1.
    #[must_use]
    pub fn place(&self) -> (u64, u64) {
        self.report().location().unwrap_or((1, 1))
    }

    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (line, column) = self.place();
        json!({
            "rule": self.rule.id, "severity": self.rule.severity.to_string(), "message": self.message,
            "help": self.help.as_deref().unwrap_or(self.rule.mend),
            "file": self.source.name(), "line": line, "column": column,
        })
    }

    pub(crate) fn key(&self) -> (String, usize, &'static str, String) {
        let name = self.source.name().to_owned();
        (name, self.offset, self.rule.id, self.message.clone())
    }
}

/// The length of the key or the value that a text begins with.
fn extent(text: &str) -> usize {
    let line = text.lines().next().unwrap_or_default();
    if let Some(quote) = line.chars().next().filter(|c| matches!(c, '"' | '\''))
        && let Some(end) = line[1..].find(quote)
    {
        return end + 2;
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}');
    let word = &line[..line.find(ends).unwrap_or(line.len())];
    word.trim_end_matches(':').len()
}

/// What checks write to: findings of one document.
pub(crate) struct Out<'a> {
    pub(crate) source: &'a Source,
    /// Where an offset of the document is in the file.
    pub(crate) map: &'a dyn Fn(usize) -> usize,
    pub(crate) findings: Vec<Finding>,
}

impl Out<'_> {
    /// Adds a finding at an offset of the document.
    pub(crate) fn add(&mut self, id: &str, offset: usize, message: impl Into<String>) {
        self.push(id, offset, message.into(), None);
    }

    /// The same with advice for this place.
    pub(crate) fn with_help(
        &mut self,
        id: &str,
        offset: usize,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(id, offset, message.into(), Some(help.into()));
    }

    fn push(&mut self, id: &str, offset: usize, message: String, help: Option<String>) {
        // Every id is in the table: a test looks for each.
        if let Some(rule) = rule(id) {
            self.findings.push(Finding {
                rule,
                message,
                help,
                source: self.source.clone(),
                offset: (self.map)(offset),
            });
        }
    }
}
