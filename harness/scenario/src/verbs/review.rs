//! `review`: whom a token is for, asked by the lab's administrator.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::denial::because;
use super::user::User;
use super::{Stance, Task, Verb};
use crate::context::Context;
use crate::fault::Fault;
use crate::format::{OneOrMany, Word};
use crate::reason::{Because, parse};
use crate::reproduce;
use crate::seen::Seen;

/// Sends a token to the API server's TokenReview, as webhooks and proxies do.
///
/// ```yaml
/// - review: { as: robot, audiences: [vault], expect: { authenticated: { username: "system:serviceaccount:dev:robot" } } }
/// - review: { as: ada, expect: { unauthenticated: { because: signature } } }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Review {
    /// The credential whose token is reviewed.
    #[serde(rename = "as")]
    #[schemars(with = "String")]
    as_: Spanned<String>,
    /// The audiences that the asker stands for; those of the API server when left out.
    #[serde(default)]
    audiences: Vec<String>,
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// What must come back.
    expect: Word<Expect>,
    /// CEL booleans over `seen`, the review's status.
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// The answer of a review.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Expect {
    /// The token is good, and for this user.
    Authenticated(User),
    /// The token is not good.
    Unauthenticated(Refused),
}

/// Why a token is not good.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refused {
    /// The reason, as data.
    #[serde(default)]
    because: Option<Because>,
}

impl Verb for Review {
    fn summary(&self) -> String {
        self.as_.value.clone()
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        vec![&self.as_]
    }

    fn stance(&self) -> Stance {
        match &*self.expect {
            Expect::Authenticated(_) => Stance::Success,
            Expect::Unauthenticated(_) => Stance::Denial,
        }
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let audiences = if self.audiences.is_empty() {
            String::new()
        } else {
            format!(", \"audiences\": {}", json!(self.audiences))
        };
        Some(format!(
            "{} create -o yaml -f - <<EOF\n\
             {{\"apiVersion\": \"authentication.k8s.io/v1\", \"kind\": \"TokenReview\", \
             \"spec\": {{\"token\": \"$TOKEN\"{audiences}}}}}\nEOF",
            reproduce::kubectl(context, context.api.admin())
        ))
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let credential = context.credential(&self.as_.value)?;
            let Some(token) = credential.token() else {
                return Err(Fault::Other(format!("`{}` is not a token", self.as_.value)));
            };
            let status = context.api.review(token, &self.audiences).await?;
            let good = status["authenticated"] == true;
            let words = status["error"].as_str().unwrap_or_default().to_owned();
            let mut data = status.clone();
            if !good {
                data["because"] = parse(&words).data();
            }
            let mut seen = Seen::new(data);
            let word = |good: bool| {
                if good {
                    "authenticated"
                } else {
                    "unauthenticated"
                }
            };
            let wanted = matches!(&*self.expect, Expect::Authenticated(_));
            seen.row("verdict", word(wanted), word(good), wanted == good);
            match &*self.expect {
                Expect::Authenticated(user) if good => user.compare(&status["user"], &mut seen),
                Expect::Unauthenticated(refused) if !good => {
                    because(refused.because.as_ref(), &words, &mut seen);
                }
                _ => seen.because(words),
            }
            if good && !self.audiences.is_empty() {
                // An authenticator that knows no audiences answers without them: then the token
                // must not be trusted for them.
                let answered = status["audiences"].as_array().map_or(0, Vec::len);
                let shown = status.get("audiences").unwrap_or(&Value::Null).to_string();
                seen.row("audiences", "some of those asked for", shown, answered > 0);
            }
            Ok(seen)
        })
    }
}
