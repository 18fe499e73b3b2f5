//! What is expected of a refusal, and how the reason of a 401 is had.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::Answer;
use crate::context::Context;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::format::TextMatch;
use crate::reason::{Because, parse};
use crate::seen::Seen;

/// A refusal; left out, the words may be any.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Denial {
    /// The reason, as data.
    #[serde(default)]
    pub because: Option<Because>,
    /// The server's words.
    #[serde(default)]
    pub message: Option<TextMatch>,
}

impl Denial {
    /// Adds rows for the reason and the words.
    pub fn compare(&self, words: &str, seen: &mut Seen) {
        because(self.because.as_ref(), words, seen);
        if let Some(expected) = &self.message {
            seen.row("message", expected.describe(), words, expected.holds(words));
        }
    }
}

/// Adds a row for an expected reason, and keeps the server's words.
pub(crate) fn because(expected: Option<&Because>, words: &str, seen: &mut Seen) {
    if let Some(expected) = expected {
        let found = parse(words).describe();
        seen.row(
            "because",
            expected.describe(),
            found,
            expected.explains(words),
        );
    }
    seen.because(words);
}

/// Whether a request got through authentication and authorization.
pub(crate) enum Gate {
    /// It did; this is the answer.
    Open(Value),
    /// 401, with the words of TokenReview where there is a token.
    Unauthorized(String),
    /// 403, with the words of the Status.
    Forbidden(String),
}

impl Gate {
    /// Sorts an answer: let through, not known, not allowed, or (an error) none of them.
    ///
    /// # Errors
    /// For any other status, and when the reason cannot be had.
    pub async fn of(
        answer: Answer,
        credential: &Credential,
        context: &Context<'_>,
    ) -> Result<Self, Fault> {
        match answer.status {
            401 => Ok(Self::Unauthorized(why(&answer, credential, context).await?)),
            403 => Ok(Self::Forbidden(answer.message())),
            _ => answer.success().map(Self::Open),
        }
    }

    /// The refusal as data: the word, the server's words, the reason.
    pub fn refused(word: &str, words: &str) -> Value {
        json!({ word: { "message": words, "because": parse(words).data() } })
    }
}

/// The server's words for a 401: TokenReview's where there is a token, else those of the answer.
///
/// # Errors
/// When the review cannot be had.
pub(super) async fn why(
    answer: &Answer,
    credential: &Credential,
    context: &Context<'_>,
) -> Result<String, Fault> {
    let Some(token) = credential.token() else {
        return Ok(answer.message());
    };
    let status = context.api.review(token, &[]).await?;
    match status["error"].as_str() {
        Some(error) => Ok(error.to_owned()),
        None if status["authenticated"] == true => Ok(
            "the request was refused, yet TokenReview accepts its token: the server has changed \
             its mind between the two"
                .to_owned(),
        ),
        None => Ok(answer.message()),
    }
}
