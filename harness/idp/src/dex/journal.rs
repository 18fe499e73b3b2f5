//! What Dex writes in its log about a refusal and does not tell the client.

use std::{
    collections::VecDeque,
    fmt::Display,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many lines are kept.
const LIMIT: usize = 500;

/// The last errors, oldest first.
#[derive(Default)]
pub(crate) struct Journal(Mutex<VecDeque<String>>);

impl Journal {
    /// Notes an error as Dex logs it: what failed (`msg`), and why (`err`).
    pub(crate) fn error(&self, message: &str, reason: impl Display) {
        tracing::debug!(%reason, "{message}");
        let mut lines = self.lock();
        if lines.len() == LIMIT {
            lines.pop_front();
        }
        lines.push_back(format!("{message}: {reason}"));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lines_make_room() {
        let journal = Journal::default();
        for number in 0..LIMIT + 2 {
            journal.error("failed", number);
        }
        let lines = journal.lines();
        assert_eq!(lines.len(), LIMIT);
        assert_eq!(lines[0], "failed: 2");
    }
}
