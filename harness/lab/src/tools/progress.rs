//! What people see while tools are built.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Something that happened on the way to a built tool.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Another process holds the tool's lock.
    Waiting {
        /// The tool.
        tool: &'a str,
    },
    /// A build began.
    Started {
        /// The tool.
        tool: &'a str,
    },
    /// A line of the build: a package being compiled, a module being fetched.
    Step {
        /// The tool.
        tool: &'a str,
        /// Lines so far.
        count: usize,
        /// The line.
        line: &'a str,
    },
    /// A build ended well.
    Built {
        /// The tool.
        tool: &'a str,
        /// How long it took.
        elapsed: Duration,
    },
}

/// Hears of the steps of a build.
pub trait Progress: Send + Sync {
    /// One step.
    fn event(&self, event: &Event<'_>);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _: &Event<'_>) {}
}

/// Shows a spinner on a terminal, a line now and then elsewhere; both on standard error.
#[derive(Debug)]
pub struct Terminal {
    spinner: Option<ProgressBar>,
    told: Mutex<Instant>,
}

/// Between two lines where there is no terminal.
const PAUSE: Duration = Duration::from_secs(30);

impl Terminal {
    /// For this process's standard error.
    #[must_use]
    pub fn stderr() -> Self {
        let spinner = std::io::stderr().is_terminal().then(|| {
            let style =
                ProgressStyle::with_template("{spinner} {prefix} {elapsed} {wide_msg:.dim}");
            let bar = ProgressBar::new_spinner();
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
        });
        Self {
            spinner,
            told: Mutex::new(Instant::now()),
        }
    }

    fn line(&self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(|| write(text)),
            None => write(text),
        }
        if let Ok(mut told) = self.told.lock() {
            *told = Instant::now();
        }
    }

    fn quiet_for(&self) -> Duration {
        self.told
            .lock()
            .map_or(Duration::ZERO, |told| told.elapsed())
    }
}

impl Progress for Terminal {
    fn event(&self, event: &Event<'_>) {
        match *event {
            Event::Waiting { tool } => {
                self.line(&format!("waiting for another run that builds {tool}"));
            }
            Event::Started { tool } => {
                self.line(&format!("building {tool} (once; it is kept)"));
                if let Some(spinner) = &self.spinner {
                    spinner.reset();
                    spinner.set_prefix(tool.to_owned());
                    spinner.enable_steady_tick(Duration::from_millis(120));
                }
            }
            Event::Step { tool, count, line } => match &self.spinner {
                Some(spinner) => spinner.set_message(format!("{count} {line}")),
                None if self.quiet_for() > PAUSE => {
                    self.line(&format!("building {tool}: {count} packages so far"));
                }
                None => {}
            },
            Event::Built { tool, elapsed } => {
                if let Some(spinner) = &self.spinner {
                    spinner.finish_and_clear();
                }
                self.line(&format!("built {tool} in {:.0} s", elapsed.as_secs_f64()));
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

fn write(text: &str) {
    // Nobody may be listening any more.
    let _ = writeln!(std::io::stderr(), "{text}");
}
