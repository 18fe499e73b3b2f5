//! `request`: one HTTP request to the API server, as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use authlab_lab::source::SourceError;
use reqwest::Method;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::{Loading, Stance, Task, Verb};
use crate::api::Call;
use crate::context::Context;
use crate::credential::ANONYMOUS;
use crate::fault::Fault;
use crate::format::{Impersonate, OneOrMany, TextMatch};
use crate::reproduce;
use crate::seen::Seen;

/// Sends one HTTP request to the API server and looks at status and body.
///
/// ```yaml
/// - request: { path: /livez, expect: { status: 200, body: { is: ok } } }
/// - request: { as: ada, path: /api, expect: { unanswered: 1 } }
/// - request: { as: jane, path: /api/v1/nodes, expect: { status: 403, message: { contains: cannot list } } }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Request {
    /// The credential; `anonymous` when left out.
    #[serde(default, rename = "as")]
    #[schemars(with = "Option<String>")]
    as_: Option<Spanned<String>>,
    /// The method; `GET` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    method: Option<Spanned<String>>,
    /// Path and query.
    #[schemars(with = "String")]
    path: Spanned<String>,
    /// The body: data is sent as JSON, a text as it is.
    #[serde(default)]
    body: Option<Value>,
    /// More headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Speaks for somebody else.
    #[serde(default)]
    impersonate: Option<Impersonate>,
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// What must come back.
    #[schemars(with = "Expect")]
    expect: Spanned<Expect>,
    /// CEL booleans over `seen`: `status` (number), `body` (data, or a text).
    #[serde(default)]
    #[schemars(with = "Option<OneOrMany<String>>")]
    check: Option<Spanned<OneOrMany<String>>>,
}

/// The answer to a request; fields left out may be anything.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expect {
    /// The HTTP status. An unexpected 5xx or 429 is the lab's fault, not an answer.
    #[serde(default)]
    status: Option<u16>,
    /// Instead of a status: no answer comes within this many seconds, 5 at most. Then the asker goes away.
    #[serde(default)]
    unanswered: Option<u64>,
    /// The body as a text.
    #[serde(default)]
    body: Option<TextMatch>,
    /// The words of a Status object.
    #[serde(default)]
    message: Option<TextMatch>,
    /// Values in a JSON body, by JSON pointer (RFC 6901), for example `/status/phase: Active`.
    #[serde(default)]
    json: BTreeMap<String, Value>,
}

impl Request {
    fn name(&self) -> &str {
        self.as_
            .as_ref()
            .map_or(ANONYMOUS, |as_| as_.value.as_str())
    }

    fn method(&self) -> &str {
        self.method
            .as_ref()
            .map_or("GET", |method| method.value.as_str())
    }
}

impl Verb for Request {
    fn summary(&self) -> String {
        format!("{} {} as {}", self.method(), self.path.value, self.name())
    }

    fn uses(&self) -> Vec<&Spanned<String>> {
        self.as_.iter().collect()
    }

    fn stance(&self) -> Stance {
        match self.expect.value.status {
            Some(401 | 403) => Stance::Denial,
            Some(..=399) => Stance::Success,
            _ => Stance::Neutral,
        }
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        if let Some(method) = &self.method {
            let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
            if !known.contains(&method.value.as_str()) {
                return Err(loading
                    .source
                    .error(method.referenced, "not a method of HTTP", "this method")
                    .or_help(format!("allowed here: {}", known.join(", "))));
            }
        }
        if !self.path.value.starts_with('/') {
            return Err(loading
                .source
                .error(self.path.referenced, "a path begins with `/`", "this path")
                .or_help("the API server's own address is put before it"));
        }
        let expect = &self.expect.value;
        if !matches!(
            (expect.status, expect.unanswered),
            (Some(_), None) | (None, Some(1..=5))
        ) {
            let at = self.expect.referenced;
            return Err(loading
                .source
                .error(at, "this names no answer, or two", "expected here")
                .or_help("expect a `status`, or `unanswered` with 1 to 5 seconds"));
        }
        Ok(())
    }

    fn checks(&self) -> Option<&Spanned<OneOrMany<String>>> {
        self.check.as_ref()
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let credential = context.credential(self.name()).ok()?;
        let other = self.impersonate.as_ref();
        let mut out = reproduce::curl(context, credential, self.method(), &self.path.value, other);
        for (name, value) in &self.headers {
            out.push_str(&format!(
                " -H {}",
                reproduce::quote(&format!("{name}: {value}"))
            ));
        }
        match &self.body {
            Some(Value::String(text)) => {
                out.push_str(&format!(" --data-raw {}", reproduce::quote(text)));
            }
            Some(body) => out.push_str(&format!(" --json {}", reproduce::quote(&body.to_string()))),
            None => {}
        }
        Some(out)
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let credential = context.credential(self.name())?;
            let method = Method::from_bytes(self.method().as_bytes())
                .map_err(|error| Fault::Other(error.to_string()))?;
            let mut call = Call::new(method, &self.path.value, self.body.as_ref())
                .impersonating(self.impersonate.as_ref());
            let given = self.headers.iter();
            call.headers
                .extend(given.map(|(name, value)| (name.clone(), value.clone())));
            let expect = &self.expect.value;
            let asked = context.api.send(credential, call);
            let answer = match expect.unanswered.map(Duration::from_secs) {
                None => asked.await?,
                Some(patience) => match tokio::time::timeout(patience, asked).await {
                    Ok(answer) => answer?,
                    Err(_) => {
                        let mut seen = Seen::new(json!({ "status": Value::Null }));
                        seen.row("status", "unanswered", "unanswered", true);
                        return Ok(seen);
                    }
                },
            };
            let answer = match expect.status {
                Some(status) if status == answer.status => answer,
                _ => answer.decided()?,
            };
            let mut seen = Seen::new(json!({ "status": answer.status, "body": answer.body }));
            let wanted = expect.status.map_or(json!("unanswered"), Value::from);
            seen.equal("status", &wanted, &json!(answer.status));
            if let Some(body) = &expect.body {
                let text = match &answer.body {
                    Value::String(text) => text.clone(),
                    data => data.to_string(),
                };
                seen.row("body", body.describe(), text.trim(), body.holds(&text));
            }
            let words = answer.message();
            if let Some(message) = &expect.message {
                seen.row(
                    "message",
                    message.describe(),
                    words.clone(),
                    message.holds(&words),
                );
            }
            for (pointer, expected) in &expect.json {
                let found = answer.body.pointer(pointer).unwrap_or(&Value::Null);
                seen.equal(pointer, expected, found);
            }
            if answer.status >= 400 {
                seen.because(words);
            }
            Ok(seen)
        })
    }
}
