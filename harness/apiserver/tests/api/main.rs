//! The server as clients of the `kube` crate see it.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

mod custom;
mod identity;
mod issuers;
mod kubectl;
mod lab;
mod objects;
mod owners;
mod proxy;
mod rights;
mod tokens;
mod watching;
