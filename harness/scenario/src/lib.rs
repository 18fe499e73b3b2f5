//! Scenarios: format, verbs, runner and reports.
