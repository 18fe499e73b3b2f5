//! Scenarios: format, verbs, runner and reports.
//!
//! A scenario file is loaded into a [`Case`], [`run`] against the state file of a running lab, and
//! gives a [`report::ScenarioReport`]. The runner sees only the state file and the control socket.

mod aggregated;
mod api;
pub mod ask;
mod barrier;
mod check;
mod choose;
mod context;
mod credential;
mod demand;
pub mod diff;
mod exposition;
mod fault;
mod flow;
mod format;
mod lint;
mod listing;
mod load;
mod lock;
mod nearest;
mod oauth;
mod objects;
mod observe;
mod reason;
pub mod report;
mod reproduce;
mod runner;
pub mod schema;
mod seen;
pub mod suite;
mod verbs;

pub use choose::{NoneChosen, choose};
pub use listing::{Case, cases, list};
pub use load::Scenario;
pub use runner::{Event, Silent, Sink, run};
