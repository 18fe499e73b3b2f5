//! Kubernetes objects that a scenario writes: read from manifests, created or replaced, cleared away.

mod discover;
pub(crate) mod manifest;
pub(crate) mod namespace;
mod traces;

pub(crate) use traces::{Traces, Written};

/// The API group of everything that the RBAC authorizer reads.
pub(crate) const RBAC: &str = "rbac.authorization.k8s.io";
