//! Certificate authorities, leaf certificates, signing keys, compact JWS, and the TLS endpoints made of them.
//!
//! ```
//! # fn main() -> Result<(), authlab_pki::PkiError> {
//! use authlab_pki::{Algorithm, Authority, KeyPool, http, jws};
//! let authority = Authority::generate("lab")?;
//! let server = authority.server_certificate(&["127.0.0.1", "dex.example"])?;
//! let config = server.server_config(Some(authority.certificate_pem()))?; // for tls::Listener
//! let client = http::client(authority.certificate_pem())?;
//! let key = KeyPool::ephemeral().key(Algorithm::ES256, "dex")?;
//! let token = jws::sign_claims(&serde_json::json!({"sub": "jane"}), &key)?;
//! jws::Compact::parse(&token)?.verify(&key.jwk())?;
//! # let _ = (config, client);
//! # Ok(()) }
//! ```
//!
//! The one cryptographic provider is aws-lc-rs. Private keys are held in [`secrecy::SecretString`] and appear in no
//! `Debug` output.

mod algorithm;
mod authority;
mod certificate;
mod error;
mod files;
pub mod http;
mod jwk;
pub mod jws;
mod key;
mod pem;
mod pool;
pub mod quote;
mod request;
mod subject;
pub mod tls;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use authority::Authority;
pub use certificate::{Certificate, Validity};
pub use error::PkiError;
pub use key::SigningKey;
pub use pool::KeyPool;
pub use request::{CertificateRequest, request};
