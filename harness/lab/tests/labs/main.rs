//! Labs within a process: what their hosts do, and what a person reads whose files are wrong.

#![expect(
    clippy::unwrap_used,
    reason = "a test may stop at what it did not expect"
)]

mod hosts;
mod realms;
mod refusals;
mod root;
