//! Several runs of one thing, as a row of the page.

use std::time::{Duration, Instant};

/// What several runs of one thing gave.
pub struct Series {
    what: String,
    unit: &'static str,
    goal: String,
    runs: Vec<f64>,
}

impl Series {
    /// Milliseconds.
    pub fn new(what: &str, goal: &str) -> Self {
        Self {
            what: what.to_owned(),
            unit: "ms",
            goal: goal.to_owned(),
            runs: Vec::new(),
        }
    }

    /// The same in another unit.
    pub fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// One more run.
    pub fn push(&mut self, value: f64) {
        self.runs.push(value);
    }

    /// One more run, which began then and ends now.
    pub fn since(&mut self, begun: Instant) {
        self.lasted(begun.elapsed());
    }

    /// One more run, which took that long.
    pub fn lasted(&mut self, elapsed: Duration) {
        self.push(elapsed.as_secs_f64() * 1000.0);
    }

    /// Whether there was no run.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub fn median(&self) -> f64 {
        let mut sorted = self.runs.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// A row of the table of [`super::page`].
    pub fn row(&self) -> String {
        let least = self.runs.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.runs.iter().copied().fold(0.0, f64::max);
        // Of seconds the tenths tell, of milliseconds none.
        let digits = usize::from(self.unit == "s");
        format!(
            "| {} | {} | {:.digits$} {} | {least:.digits$} | {most:.digits$} | {} |\n",
            self.what,
            self.runs.len(),
            self.median(),
            self.unit,
            self.goal
        )
    }
}
