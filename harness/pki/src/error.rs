//! What can go wrong with certificates, keys and the endpoints made of them.

use std::path::PathBuf;

use crate::{Algorithm, jws::JwsError};

/// An error of this crate, worded to stand after "cannot ...: ".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// A certificate could not be made.
    #[error("certificate for {subject:?}: {reason}")]
    Certificate {
        /// Whom the certificate was for.
        subject: String,
        /// What the certificate library said.
        reason: String,
    },
    /// A server name is neither an IP address nor a DNS name.
    #[error("{0:?} is neither an IP address nor a DNS name")]
    Name(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file was read, and does not hold what it should.
    #[error("{}: {reason}; remove it to have a new one made", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that should hold PEM blocks does not.
    #[error("{what}: {reason}")]
    Pem {
        /// What the text should hold.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A signing key could not be made, read or used.
    #[error("{algorithm} key: {reason}")]
    Key {
        /// The key's algorithm.
        algorithm: Algorithm,
        /// What failed.
        reason: String,
    },
    /// A TLS configuration was refused.
    #[error("TLS configuration: {0}")]
    Tls(String),
    /// A client's certificate is not accepted.
    #[error("client certificate: {0}")]
    ClientCertificate(String),
    /// An HTTP client could not be built.
    #[error("HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// A token could not be written or read.
    #[error(transparent)]
    Jws(#[from] JwsError),
}
