//! The live view: a line for each scenario that has ended and, on a terminal, those under way.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style::Style;
use super::terminal::line;
use crate::runner::{Event, Sink};

/// Shows events as they come.
pub struct Live<W> {
    out: Mutex<W>,
    style: Style,
    bars: MultiProgress,
    running: Mutex<BTreeMap<String, ProgressBar>>,
}

impl<W: Write + Send> Live<W> {
    /// Writes lines to `out`; when `animated`, scenarios under way are shown on standard error.
    pub fn new(out: W, style: Style, animated: bool) -> Self {
        let target = if animated {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self {
            out: Mutex::new(out),
            style,
            bars: MultiProgress::with_draw_target(target),
            running: Mutex::default(),
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write + Send> Sink for Live<W> {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Started { id } => {
                let bar = ProgressBar::new_spinner().with_message((*id).to_owned());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                    bar.set_style(style);
                }
                let bar = self.bars.add(bar);
                bar.enable_steady_tick(Duration::from_millis(100));
                self.running().insert((*id).to_owned(), bar);
            }
            Event::Step { id, summary } => {
                if let Some(bar) = self.running().get(*id) {
                    bar.set_message(format!("{id}: {summary}"));
                }
            }
            Event::StepDone { .. } => {}
            Event::Done { report } => {
                if let Some(bar) = self.running().remove(&report.id) {
                    bar.finish_and_clear();
                }
                let line = line(report, self.style);
                let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
                // A reader that went away ends the run elsewhere.
                let _ = self.bars.suspend(|| writeln!(out, "{line}"));
            }
        }
    }
}
