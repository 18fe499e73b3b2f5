//! Broken: neither allowed nor denied. The lab, or a file, is at fault.

use authlab_lab::control::ControlError;
use authlab_lab::source::SourceError;
use authlab_lab::wait::WaitError;
use thiserror::Error;

/// Why a step could not tell "allowed" from "denied".
#[derive(Debug, Error)]
pub(crate) enum Fault {
    /// Nobody answered, or the connection broke.
    #[error("{url} does not answer: {why}")]
    Unreachable {
        /// Who was asked.
        url: String,
        /// The chain of causes.
        why: String,
    },
    /// No answer came in time.
    #[error("{url} did not answer within {seconds} s")]
    Late {
        /// Who was asked.
        url: String,
        /// The deadline.
        seconds: u64,
    },
    /// An answer that decides nothing: a 5xx, a 429, or one of another form.
    #[error("{what} answered {status}: {message}")]
    Answer {
        /// Who was asked what.
        what: String,
        /// The HTTP status.
        status: u16,
        /// The answer's own words.
        message: String,
    },
    /// The lab host could not do as asked.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A condition did not come to hold.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// A file that the scenario names is at fault.
    #[error("{}", crate::listing::describe(.0.as_ref()))]
    File(Box<SourceError>),
    /// Anything else, in plain words.
    #[error("{0}")]
    Other(String),
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        Self::File(Box::new(error))
    }
}

impl Fault {
    /// In plain words.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    /// A request that failed below HTTP.
    pub fn http(error: &reqwest::Error, url: &str, seconds: u64) -> Self {
        if error.is_timeout() {
            return Self::Late {
                url: url.to_owned(),
                seconds,
            };
        }
        // The innermost cause says most; the outer ones repeat the URL.
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        Self::Unreachable {
            url: url.to_owned(),
            why: cause.to_string(),
        }
    }
}
