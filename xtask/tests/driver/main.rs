//! The driver as a person uses it, and as an enemy would: in roots of their own, as a program.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod advice;
mod bundles;
mod chaos;
mod commands;
mod components;
mod contained;
mod elsewhere;
mod faults;
mod interrupted;
mod killed;
mod labs;
mod lanes;
mod mistakes;
mod places;
mod readme;
mod root;
mod runs;
mod talk;
