//! A lab of a run.

use std::sync::atomic::{AtomicUsize, Ordering};

use authlab_lab::checkout::Checkout;
use authlab_lab::folder::Folder;
use authlab_lab::host::{Host, Unstarted};
use authlab_lab::lifecycle::{self, UpError};
use authlab_lab::plan::Plan;
use authlab_lab::state::{STATE_FILE, State};
use futures_util::FutureExt as _;
use tokio_util::sync::CancellationToken;

use super::Options;
use crate::listing::{Case, describe};
use crate::report::ScenarioReport;
use crate::runner::{Event, Sink, run};

/// A lab that did not come up.
pub(super) struct Failed {
    pub why: String,
    pub folder: Option<Folder>,
}

/// A lab of this process, or one that stays when this process has ended.
pub(super) enum Lab {
    Here(Box<Host>),
    Kept(Box<State>),
}

impl Lab {
    /// `None` when `cancel` was cancelled first: nothing of the lab is left then.
    pub async fn start(
        checkout: &Checkout,
        plan: &Plan,
        options: &Options,
        cancel: &CancellationToken,
    ) -> Result<Option<Self>, Failed> {
        let backend = options.backend;
        if options.keep {
            let id = format!("{}-{}-{}", plan.lab, backend.name(), plan.identity());
            return match lifecycle::up(checkout, backend, plan, &id, cancel).await {
                Ok(state) => Ok(Some(Self::Kept(Box::new(state)))),
                Err(UpError::Interrupted) => Ok(None),
                Err(error) => Err(Failed {
                    why: describe(&error),
                    folder: None,
                }),
            };
        }
        // Several suites may run in one process: every test is one.
        static LABS: AtomicUsize = AtomicUsize::new(0);
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let id = format!(
            "{}-{}-{}-{number}",
            plan.lab,
            backend.name(),
            std::process::id()
        );
        tokio::select! {
            started = Host::attempt(checkout, backend, plan.clone(), &id) => match started {
                Ok(host) => Ok(Some(Self::Here(Box::new(host)))),
                Err(Unstarted { why, folder }) => Err(Failed { why: describe(&why), folder }),
            },
            () = cancel.cancelled() => Ok(None),
        }
    }

    /// Whether nothing has ended it.
    pub fn lives(&self) -> bool {
        match self {
            Self::Here(host) => host.over().now_or_never().is_none(),
            Self::Kept(_) => true,
        }
    }

    /// Starts its API server again as another plan of the same lab says; whether that was done
    /// before `cancel` was cancelled.
    pub async fn rebase(
        &mut self,
        plan: &Plan,
        cancel: &CancellationToken,
    ) -> Result<bool, String> {
        match self {
            Self::Here(host) => tokio::select! {
                rebased = host.rebase(plan) => {
                    rebased.map(|()| true).map_err(|error| describe(&error))
                }
                () = cancel.cancelled() => Ok(false),
            },
            // One that stays serves what it was started for.
            Self::Kept(_) => Ok(false),
        }
    }

    pub async fn run(
        &self,
        case: &Case,
        sink: &dyn Sink,
        cancel: &CancellationToken,
    ) -> ScenarioReport {
        let state = self.state().folder().join(STATE_FILE);
        let Self::Here(host) = self else {
            return run(case, &state, sink, cancel).await;
        };
        tokio::select! {
            report = run(case, &state, sink, cancel) => report,
            over = host.over() => {
                let why = over.map_or_else(|| "somebody ended the lab".to_owned(), |e| describe(&e));
                let report = case.report().broken(why);
                sink.event(&Event::Done { report: &report });
                report
            }
        }
    }

    pub fn state(&self) -> &State {
        match self {
            Self::Here(host) => host.state(),
            Self::Kept(state) => state,
        }
    }

    pub async fn end(self) {
        if let Self::Here(host) = self {
            host.stop().await;
        }
    }
}
