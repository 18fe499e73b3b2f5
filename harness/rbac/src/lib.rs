//! Role-based access control as the Kubernetes API server decides it.
//!
//! A [`Policy`] is a snapshot of the RBAC objects; it answers requests ([`Policy::authorize`]) in
//! the words of a real server's SubjectAccessReview, and says for a refusal which binding came
//! nearest ([`Policy::nearest`]). Around it: what the server does when these objects are written
//! ([`escalation`], [`validation`], [`aggregate`]) and which of them it creates itself
//! ([`defaults`]).
//!
//! Nothing here does I/O, and nothing panics on any object or request.

mod aggregation;
mod attributes;
mod cover;
pub mod defaults;
pub mod escalation;
mod explain;
mod matching;
mod policy;
mod review;
mod subject;
pub mod validation;

pub use aggregation::{aggregate, aggregate_all};
pub use attributes::{Attributes, Decision, Target, forbidden_message};
pub use authlab_pki::quote::{quote, quote_list};
pub use cover::uncovered;
pub use explain::{NearMiss, Obstacle};
pub use matching::rule_allows;
pub use policy::{Policy, SYSTEM_MASTERS};
pub use review::rules_for;
