//! The control socket: what a network client cannot do to a lab.
//!
//! One JSON object a line each way over a Unix socket in the lab's folder; one request a
//! connection, so that a client that goes away takes nothing with it.

use std::path::{Path, PathBuf};

use authlab_idp::fault::Fault;
use authlab_idp::forge::{Forgery, TokenRequest};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::plan::{Authentication, Text};

/// A request is no longer than this: the longest carries a configuration file.
const LONGEST: u64 = 16 << 20;

/// What a client asks of the lab host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// Give an API server another authentication, and answer when it is in force or refused.
    Configure(Configure),
    /// Say which authentication is in force at an API server.
    Authentication {
        /// The API server; the default one when left out.
        #[serde(default)]
        cluster: Option<String>,
    },
    /// Have an identity provider sign with a new key; the old one stays published.
    RotateKeys {
        /// Its name in the lab file.
        provider: String,
    },
    /// Have an identity provider forget wrong passwords: nobody is locked out any more.
    Unlock {
        /// Its name in the lab file.
        provider: String,
    },
    /// Break an identity provider, or mend it; answered when that shows on the network, and once
    /// mended when the API server has found its issuer again. A forge can have every fault, others
    /// can be down.
    Fault {
        /// Its name in the lab file.
        provider: String,
        /// What goes wrong, in place of any fault before; nothing, for `None`.
        fault: Option<Fault>,
    },
    /// Start an identity provider again with another configuration file: same address, and the same
    /// state where the product keeps it. Answered when it is in force or refused.
    ConfigureProvider {
        /// Its name in the lab file.
        provider: String,
        /// The product's own file; placeholders are filled by the host.
        config: Text,
    },
    /// Bring back what the lab started with: the authentication, the providers' configurations, the
    /// keys of forges; and mend every fault.
    Restore,
    /// Sign a token with a forge.
    Token {
        /// The forge's name in the lab file.
        provider: String,
        /// What to sign.
        token: TokenRequest,
    },
    /// Make the corpus of forged tokens with a forge.
    Forgeries {
        /// The forge's name in the lab file.
        provider: String,
        /// The claims of the honest token that the others are made of.
        claims: serde_json::Map<String, serde_json::Value>,
    },
    /// Issue a client certificate from the lab's CA.
    ClientCertificate {
        /// Common name: the user name.
        user: String,
        /// Organizations: the groups.
        groups: Vec<String>,
    },
    /// The audit log so far.
    AuditLog {
        /// Of which API server; the default one when left out.
        #[serde(default)]
        cluster: Option<String>,
    },
    /// End the lab.
    Shutdown,
}

/// A change of the API server's authentication.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Configure {
    /// The new authentication; placeholders are filled by the host.
    pub authentication: Authentication,
    /// How it comes into force.
    pub by: By,
    /// For which API server; the default one when left out.
    #[serde(default)]
    pub cluster: Option<String>,
}

/// How a new authentication comes into force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// The file is replaced under a running API server where only a file changes; else a restart.
    #[default]
    Auto,
    /// The API server starts again with the new authentication.
    Restart,
}

/// What the lab host answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Response {
    /// It is done.
    Done,
    /// The new authentication or configuration is in force.
    InForce,
    /// The API server, or the provider, refused what is new; the old one is in force.
    Refused {
        /// Its own words.
        message: String,
    },
    /// What is in force at an API server.
    Authentication {
        /// As it was configured, placeholders unfilled.
        authentication: Authentication,
        /// The lab file, where the lab began with this: flags stand in it.
        file: Option<Text>,
    },
    /// A signed token.
    Token {
        /// The compact JWS.
        #[serde(serialize_with = "expose")]
        token: SecretString,
    },
    /// Forged tokens.
    Forgeries {
        /// Each with its name.
        tokens: Vec<Forgery>,
    },
    /// A client certificate and its key, both PEM.
    ClientCertificate {
        /// The certificate.
        certificate: String,
        /// The private key, PKCS#8.
        #[serde(serialize_with = "expose")]
        key: SecretString,
    },
    /// `audit.k8s.io/v1` events, one JSON object each, oldest first.
    AuditLog {
        /// The events.
        events: Vec<serde_json::Value>,
    },
    /// The request could not be carried out.
    Failed {
        /// Why, in plain words.
        message: String,
    },
}

/// A lab host that could not be reached or did not do as asked.
#[derive(Debug, Error)]
pub enum ControlError {
    /// Nobody listens on the socket.
    #[error("the lab host does not answer on {}: {source}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// The host went away in the middle of a request.
    #[error("the lab host went away before it answered")]
    Gone,
    /// The host sent something else than an answer.
    #[error("the lab host answered in a form that this version does not know: {0}")]
    Form(#[from] serde_json::Error),
    /// The host says that it cannot.
    #[error("{0}")]
    Failed(String),
}

/// Sends one request and waits for its answer.
///
/// # Errors
/// When the host cannot be reached, goes away, or answers [`Response::Failed`].
pub async fn call(socket: &Path, request: &Request) -> Result<Response, ControlError> {
    let unreachable = |source| ControlError::Unreachable {
        path: socket.to_owned(),
        source,
    };
    let mut stream = match crate::socket::connect(socket).await {
        Ok(stream) => stream,
        Err(error) => return Err(unreachable(error)),
    };
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await.map_err(unreachable)?;
    let mut answer = String::new();
    let read = BufReader::new(stream)
        .read_line(&mut answer)
        .await
        .map_err(|_| ControlError::Gone)?;
    if read == 0 {
        return Err(ControlError::Gone);
    }
    match serde_json::from_str(&answer)? {
        Response::Failed { message } => Err(ControlError::Failed(message)),
        response => Ok(response),
    }
}

/// Reads one request from a connection and answers it with what `handle` makes of it.
///
/// # Errors
/// When the peer goes away; there is nobody left to tell.
pub async fn answer<F>(stream: UnixStream, handle: F) -> std::io::Result<()>
where
    F: AsyncFnOnce(Request) -> Response,
{
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut read = BufReader::new(read).take(LONGEST);
    read.read_line(&mut line).await?;
    let response = match serde_json::from_str(&line) {
        Ok(request) => handle(request).await,
        Err(error) => Response::Failed {
            message: format!("not a request of this version: {error}"),
        },
    };
    let mut out = serde_json::to_vec(&response)?;
    out.push(b'\n');
    write.write_all(&out).await
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}
