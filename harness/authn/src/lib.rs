//! Structured authentication of the Kubernetes API server: configuration, claim mapping, token verdicts.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use authlab_authn::{config, token::{Evaluator, Verdict}};
//! let file = r#"
//! apiVersion: apiserver.config.k8s.io/v1
//! kind: AuthenticationConfiguration
//! jwt:
//! - issuer: {url: https://dex.example, audiences: [kube]}
//!   claimMappings:
//!     username: {claim: sub, prefix: "dex:"}
//! "#;
//! let config = config::load(file, &[])?;
//! let claims = r#"{"iss": "https://dex.example", "aud": "kube", "sub": "jane", "exp": 4102444800}"#;
//! let Verdict::Authenticated(user) = Evaluator::new(&config).evaluate(claims, std::time::SystemTime::now()) else {
//!     panic!("not let in")
//! };
//! assert_eq!(user.username, "dex:jane");
//! # Ok(()) }
//! ```
//!
//! [`oidc::TokenAuthenticator`] adds what needs a network: discovery, key sets, signatures. [`batch`] answers files of
//! cases. [`yaml11`] is the reader of the files, with positions.

pub mod batch;
pub mod cel;
pub mod config;
pub mod explain;
mod golang;
pub mod oidc;
pub mod token;
pub mod tree;
mod user;
#[cfg(test)]
mod vectors;
pub mod yaml11;

pub use user::UserInfo;
