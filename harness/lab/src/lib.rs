//! Labs: files, backends, state and lifecycle.
//!
//! A lab is owned by one *lab host*, a process of its own or, in tests, a task of the test's
//! process. Everybody else sees only its state file and its control socket.

mod advice;
pub mod backend;
pub mod background;
pub mod bundle;
pub mod checkout;
pub mod control;
mod disk;
mod docker;
pub mod doctor;
pub mod exec;
pub mod folder;
pub mod host;
pub mod images;
pub mod interrupt;
pub mod kubeconfig;
pub mod kubernetes;
pub mod lifecycle;
pub mod obituary;
pub mod plan;
mod prepare;
pub mod process;
mod realm;
mod refusal;
pub mod render;
pub mod socket;
pub mod source;
pub mod spec;
pub mod state;
pub mod told;
pub mod tools;
pub mod wait;
mod wording;
