//! HTTP clients that trust one authority and nothing of the host.

use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder};

use crate::{PkiError, pem, tls};

/// A client that trusts only the authorities of `ca_pem` (nobody, when that is empty), ignores proxy variables, follows
/// up to ten redirects, and gives up after 5 seconds without a connection or 30 seconds without the whole answer.
///
/// # Errors
/// When `ca_pem` holds something else than certificates.
pub fn client(ca_pem: &str) -> Result<Client, PkiError> {
    Ok(builder(ca_pem)?.build()?)
}

/// The same before it is built: for cookies, another redirect policy, a client certificate.
///
/// # Errors
/// As [`client`].
pub fn builder(ca_pem: &str) -> Result<ClientBuilder, PkiError> {
    tls::install_provider();
    let roots = if ca_pem.trim().is_empty() {
        Vec::new()
    } else {
        pem::certificates(ca_pem)?
            .iter()
            .map(|der| Certificate::from_der(der))
            .collect::<Result<_, _>>()?
    };
    Ok(Client::builder()
        .tls_certs_only(roots)
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(30))
        .user_agent(concat!("authlab/", env!("CARGO_PKG_VERSION"))))
}
