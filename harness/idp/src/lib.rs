//! Embedded identity providers: an OpenID Connect core, the personalities of Dex and Keycloak, and a forge for any token.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use authlab_idp::dex::Dex;
//! use authlab_pki::KeyPool;
//! // Bind first: the issuer's URL has the port in it.
//! let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! let address = listener.local_addr()?;
//! let config = format!(r#"
//! issuer: http://{address}/dex
//! storage: {{type: memory}}
//! web: {{http: "{address}"}}
//! enablePasswordDB: true
//! expiry: {{idToken: 1h}}
//! signer: {{type: local, config: {{keysRotationPeriod: 6h, algorithm: ES256}}}}
//! "#);
//! let dex = Dex::start(listener, &config, KeyPool::ephemeral()).await?;
//! assert_eq!(
//!     dex.warnings(),
//!     [r#"line 6, column 10: expiry.idToken: unknown key, ignored as Dex ignores it; did you mean "idTokens"?"#]
//! );
//! dex.shutdown().await;
//! # Ok(()) }
//! ```
//!
//! [`dex`] reads Dex's own `config.yaml` and answers as Dex does; [`dex::Config`] alone reads and checks the file.
//! [`keycloak`] serves a realm from the file that Keycloak imports.
//! [`forge`] signs whatever it is asked to sign. [`fault::Fault`] is what a provider can be made to do wrong.

pub mod dex;
pub mod fault;
pub mod forge;
pub mod keycloak;
mod oidc;
pub mod port;
