//! An embedded Kubernetes API server (a model of 1.36): authentication, authorization, and enough
//! of the API for kubectl and the `kube` crate.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use authlab_apiserver::{ApiServer, Authentication, Options, ServiceAccounts};
//! use authlab_pki::{Authority, KeyPool};
//! let server = ApiServer::start(Options {
//!     listener: std::net::TcpListener::bind("127.0.0.1:0")?,
//!     authority: Authority::generate("lab")?,
//!     keys: KeyPool::ephemeral(),
//!     authentication: Authentication::default(),
//!     service_accounts: ServiceAccounts::default(),
//! })?; // within a tokio runtime
//! let url = server.url();
//! # let _ = url;
//! # Ok(()) }
//! ```
//!
//! The way of a request: [`handlers`] asks the [`chain`] who sends it, `authlab_rbac` whether they
//! may, and answers from the [`store`] by the rules of the kind in [`resources`].

mod audit;
mod call;
mod chain;
mod cluster;
mod decode;
mod handlers;
mod jsonpath;
mod managed;
mod metrics;
mod negotiate;
mod object;
mod protobuf;
mod request;
mod resources;
mod schema;
mod selector;
mod server;
mod status;
mod store;
mod strategic;
mod table;

pub use chain::front_proxy::FrontProxy;
pub use server::{ApiServer, Authentication, Options, ServiceAccounts, StartError};
