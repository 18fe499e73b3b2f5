//! What an API server or an identity provider accepts, and a person did not mean.
//!
//! [`Lint`] reads authentication configurations, Dex configurations, Keycloak realms, lab files, ConfigMaps of
//! Jumpstarter and Markdown with samples of them. Files given together are held against each other: whether the
//! provider that one configures issues what the other asks for. [`RULES`] says what is looked for.
//!
//! ```
//! use authlab_lab::source::Source;
//! let file = "
//! apiVersion: apiserver.config.k8s.io/v1
//! kind: AuthenticationConfiguration
//! jwt:
//! - issuer: {url: https://dex.example, audiences: [kube]}
//!   claimMappings: {username: {claim: name, prefix: ''}}
//! ";
//! let findings = authlab_lint::Lint::files(vec![Source::new("auth.yaml", file)]).findings;
//! assert_eq!(findings[0].rule.id, "system-names");
//! ```
//!
//! A file says that a finding is meant with a comment: `# authlab: allow(system-names): it is what the scenario shows`.

mod checks;
mod document;
mod finding;
mod markdown;
mod provider;
mod rules;
mod run;

#[cfg(test)]
mod tests;

pub use finding::Finding;
pub use rules::{RULES, Rule, Severity, book, rule};
pub use run::Lint;
