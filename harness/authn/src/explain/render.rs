//! The walk as text and as JSON.

use std::fmt::{self, Display};

use serde_json::{Value as Json, json};

use super::{Answer, Edit, Mend, Refusal, Walk, groups_of, words};
use crate::{UserInfo, token::Verdict};

impl Display for Walk {
    /// The steps and the verdict; what concerns a refusal is [`Refusal`]'s.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The token")?;
        writeln!(f, "  header  {}", words::json(&self.header))?;
        let mut label = "  claims  ";
        for (name, value) in self.claims.as_object().into_iter().flatten() {
            writeln!(f, "{label}{name}: {}", words::json(value))?;
            label = "          ";
        }
        writeln!(f)?;
        for step in &self.steps {
            let mark = match step.answer {
                Answer::Yes => "ok ",
                Answer::No => "NO ",
                Answer::Open => "-- ",
            };
            writeln!(f, "{mark} {}", step.title)?;
            for line in &step.lines {
                writeln!(f, "      {line}")?;
            }
        }
        writeln!(f)?;
        match &self.verdict {
            Verdict::Authenticated(user) => {
                writeln!(f, "Let in. The API server knows this user as")?;
                write!(f, "{}", Shown(user))
            }
            Verdict::Rejected(message) => writeln!(f, "Refused: {message}"),
            Verdict::Skipped => {
                writeln!(f, "Refused: no authenticator takes tokens of this issuer.")
            }
        }
    }
}

/// A user, a line an attribute.
struct Shown<'a>(&'a UserInfo);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.0;
        writeln!(f, "  username  {}", words::text_of(&user.username))?;
        if !user.uid.is_empty() {
            writeln!(f, "  uid       {}", words::text_of(&user.uid))?;
        }
        writeln!(f, "  groups    {}", words::list(&groups_of(user)))?;
        for (key, values) in &user.extra {
            writeln!(f, "  extra     {key}: {}", words::list(values))?;
        }
        Ok(())
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.mend {
            Some(mend) => {
                writeln!(f, "The smallest change that lets this token in:")?;
                for edit in &mend.edits {
                    write!(f, "{edit}")?;
                }
                writeln!(f, "  Tried out: with it, the API server knows this user as")?;
                for line in Shown(&mend.user).to_string().lines() {
                    writeln!(f, "  {line}")?;
                }
            }
            None => writeln!(f, "No change of the configuration lets this token in.")?,
        }
        for advice in &self.advice {
            writeln!(f, "  * {advice}")?;
        }
        Ok(())
    }
}

impl Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.path.rsplit('.').next().unwrap_or_default();
        let shown = |value: &Json| match self.flag {
            Some(flag) => {
                let text = value.as_str().map(str::to_owned);
                format!("{flag}={}", text.unwrap_or_else(|| words::json(value)))
            }
            None if name.ends_with(']') => format!("- {}", words::json(value)),
            None => format!("{name}: {}", words::json(value)),
        };
        if self.flag.is_none() {
            write!(f, "  {}", self.path)?;
            match self.line {
                Some(line) => writeln!(f, " (line {line})")?,
                None => writeln!(f)?,
            }
        }
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                writeln!(f, "    now:    {}", shown(before))?;
                writeln!(f, "    write:  {}", shown(after))
            }
            (Some(before), None) => writeln!(f, "    remove: {}", shown(before)),
            (None, Some(after)) => writeln!(f, "    add:    {}", shown(after)),
            (None, None) => Ok(()),
        }
    }
}

impl Walk {
    /// For programs.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let steps: Vec<Json> = self
            .steps
            .iter()
            .map(|step| {
                let answer = match step.answer {
                    Answer::Yes => "yes",
                    Answer::No => "no",
                    Answer::Open => "unchecked",
                };
                json!({"title": step.title, "answer": answer, "lines": step.lines, "path": step.path})
            })
            .collect();
        let verdict = match &self.verdict {
            Verdict::Authenticated(user) => {
                json!({"authenticated": {
                    "username": user.username, "uid": user.uid, "groups": groups_of(user), "extra": user.extra,
                }})
            }
            Verdict::Rejected(text) => json!({"rejected": text}),
            Verdict::Skipped => json!({"skipped": true}),
        };
        let refusal = self.refusal.as_ref().map(|refusal| {
            json!({
                "path": refusal.path, "advice": refusal.advice,
                "mend": refusal.mend.as_ref().map(mend_json),
            })
        });
        json!({
            "header": self.header, "claims": self.claims, "steps": steps, "verdict": verdict, "refusal": refusal,
        })
    }
}

fn mend_json(mend: &Mend) -> Json {
    let edits: Vec<Json> = mend
        .edits
        .iter()
        .map(|edit| {
            json!({
                "path": edit.path, "flag": edit.flag, "line": edit.line,
                "before": edit.before, "after": edit.after,
            })
        })
        .collect();
    json!({"edits": edits, "user": mend.user})
}
