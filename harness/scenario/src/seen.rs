//! What a step saw, beside what was expected.

use serde_json::Value;

use crate::flow::flow;
use crate::report::{Matrix, Row};

/// The result of one step that ran: rows of expected and seen, and the data behind them.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Expected and seen, in the order of the file.
    pub rows: Vec<Row>,
    /// The result as data: what `check` reads and `diff` compares.
    pub data: Value,
    /// Why the answer was what it was, in the server's own words.
    pub reason: Option<String>,
    /// The questions and answers of an access matrix.
    pub matrix: Option<Matrix>,
    /// What came nearest to the expected answer, in our words.
    pub nearest: Option<String>,
    /// The command that shows what did not hold, where it is another than the verb's own.
    pub reproduce: Option<String>,
}

impl Seen {
    /// With the result as data.
    pub fn new(data: Value) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }

    /// Adds a row.
    pub fn row(
        &mut self,
        what: impl Into<String>,
        expected: impl Into<String>,
        seen: impl Into<String>,
        holds: bool,
    ) {
        self.rows.push(Row {
            what: what.into(),
            expected: expected.into(),
            seen: seen.into(),
            holds,
        });
    }

    /// Adds a row that holds when both are equal.
    pub fn equal(&mut self, what: impl Into<String>, expected: &Value, seen: &Value) {
        self.row(what, flow(expected), flow(seen), expected == seen);
    }

    /// The server's own words for its answer; empty words are none.
    pub fn because(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        if !reason.is_empty() {
            self.reason = Some(reason);
        }
    }

    /// Whether every row holds.
    pub fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.holds)
    }
}
