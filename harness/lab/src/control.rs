//! The control socket: what a network client cannot do to a lab.
//!
//! One JSON object a line each way over a Unix socket in the lab's folder; one request a
//! connection, so that a client that goes away takes nothing with it.

use std::path::{Path, PathBuf};

use authlab_idp::forge::TokenRequest;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::plan::Authentication;

/// A request is no longer than this: the longest carries a configuration file.
const LONGEST: u64 = 16 << 20;

/// What a client asks of the lab host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Request {
    /// Give the API server another authentication, and answer when it is in force or refused.
    Configure(Configure),
    /// Bring back the authentication that the lab started with.
    Restore,
    /// Sign a token with a forge.
    Token {
        /// The forge's name in the lab file.
        provider: String,
        /// What to sign.
        token: TokenRequest,
    },
    /// Issue a client certificate from the lab's CA.
    ClientCertificate {
        /// Common name: the user name.
        user: String,
        /// Organizations: the groups.
        groups: Vec<String>,
    },
    /// The audit log so far.
    AuditLog,
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
}

/// How a new authentication comes into force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The new authentication is in force.
    InForce,
    /// The API server refused the new authentication; the old one is in force.
    Refused {
        /// The API server's own words.
        message: String,
    },
    /// A signed token.
    Token {
        /// The compact JWS.
        #[serde(serialize_with = "expose")]
        token: SecretString,
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
