//! The steps from claims to a user, and the rules.

use serde_json::json;

use super::Steps;
use crate::{
    cel::{Scope, Value},
    explain::{Answer, candidates, expressions, words},
    token::{Seen, Stage},
};

impl Steps<'_> {
    pub(super) fn mappings(&mut self, seen: &Seen) {
        let mappings = &self.jwt.claim_mappings;
        let now = self.case.now.seconds;
        let username = &mappings.username;
        let mut lines = self.mapped(
            &username.claim,
            username.prefix.as_deref(),
            &username.expression,
            seen,
        );
        match &seen.username {
            Ok(name) => lines.push(format!("The user name is {}.", words::text_of(name))),
            Err(error) => lines.push(format!("That makes no user name: {}.", short(error))),
        }
        self.add("User name", Stage::Username, lines);
        if self.failed == Some(Stage::Username) {
            return;
        }
        let groups = &mappings.groups;
        let mut lines = self.mapped(
            &groups.claim,
            groups.prefix.as_deref(),
            &groups.expression,
            seen,
        );
        if groups.claim.is_empty() && groups.expression.is_empty() {
            lines = vec!["The configuration takes no groups from the token.".to_owned()];
        } else {
            match &seen.groups {
                Ok(groups) => lines.push(format!("The groups are {}.", words::list(groups))),
                Err(error) => lines.push(format!("That makes no groups: {}.", short(error))),
            }
        }
        self.add("Groups", Stage::Groups, lines);
        if self.failed == Some(Stage::Groups) {
            return;
        }
        let uid = &mappings.uid;
        if !uid.claim.is_empty() || !uid.expression.is_empty() {
            let mut lines = self.mapped(&uid.claim, None, &uid.expression, seen);
            match &seen.uid {
                Ok(uid) => lines.push(format!("The uid is {}.", words::text_of(uid))),
                Err(error) => lines.push(format!("That makes no uid: {}.", short(error))),
            }
            self.add("UID", Stage::Uid, lines);
        }
        if self.failed == Some(Stage::Uid) {
            return;
        }
        for (index, extra) in mappings.extra.iter().enumerate() {
            let source = &extra.value_expression;
            let (_, lines) = expressions::lines(source, Scope::Claims, &seen.claims, now);
            self.add(
                format!("Extra {}", words::text_of(&extra.key)),
                Stage::Extra(index),
                lines,
            );
        }
    }

    /// How a mapping comes to its value.
    fn mapped(
        &self,
        claim: &str,
        prefix: Option<&str>,
        expression: &str,
        seen: &Seen,
    ) -> Vec<String> {
        if !expression.is_empty() {
            return expressions::lines(
                expression,
                Scope::Claims,
                &seen.claims,
                self.case.now.seconds,
            )
            .1;
        }
        let mut lines = match self.case.claims.get(claim) {
            Some(value) => {
                let before = match prefix {
                    Some(prefix) if !prefix.is_empty() => {
                        format!(", and {} goes before it", words::text_of(prefix))
                    }
                    _ => String::new(),
                };
                vec![format!(
                    "The claim `{claim}` is {}{before}.",
                    words::json(value)
                )]
            }
            None => {
                let mut lines = vec![format!("The token has no claim `{claim}`.")];
                if let Some(near) = candidates::nearest_claim(self.case.claims, claim) {
                    lines.push(format!(
                        "It has `{near}`: {}.",
                        words::json(&self.case.claims[near])
                    ));
                }
                lines
            }
        };
        if claim == "email" {
            let verified = self.case.claims.get("email_verified");
            let shown = verified.map_or("absent, which counts as verified".to_owned(), words::json);
            lines.push(format!("`email_verified` is {shown}."));
        }
        lines
    }

    pub(super) fn rules(&mut self, seen: &Seen) {
        let now = self.case.now.seconds;
        for (index, rule) in self.jwt.claim_validation_rules.iter().enumerate() {
            let title = format!("Claim rule {index}");
            if rule.expression.is_empty() {
                let claim = &rule.claim;
                let found = match self.case.claims.get(claim) {
                    Some(value) => format!("is {}", words::json(value)),
                    None => "is absent".to_owned(),
                };
                let want = words::text_of(&rule.required_value);
                let line = format!("The claim `{claim}` must be {want}; it {found}.");
                self.add(title, Stage::RequiredClaim(index), vec![line]);
            } else if !matches!(self.failed, Some(Stage::RequiredClaim(_))) {
                let (value, mut lines) =
                    expressions::lines(&rule.expression, Scope::Claims, &seen.claims, now);
                says(&mut lines, &rule.message, value.as_ref());
                self.rule(title, Stage::ClaimRule(index), lines, value);
            }
        }
        if self.failed.is_some_and(|stage| stage < Stage::UserRule(0)) {
            return;
        }
        let (Ok(username), Ok(groups), Ok(uid), Ok(extra)) =
            (&seen.username, &seen.groups, &seen.uid, &seen.extra)
        else {
            return;
        };
        let user = json!({"username": username, "uid": uid, "groups": groups, "extra": extra});
        for (index, rule) in self.jwt.user_validation_rules.iter().enumerate() {
            let (value, mut lines) = expressions::lines(&rule.expression, Scope::User, &user, now);
            says(&mut lines, &rule.message, value.as_ref());
            self.rule(
                format!("User rule {index}"),
                Stage::UserRule(index),
                lines,
                value,
            );
        }
    }

    /// A rule that is not the one named in the message may fail as well.
    fn rule(&mut self, title: String, stage: Stage, lines: Vec<String>, value: Option<Value>) {
        self.add(title, stage, lines);
        if value != Some(Value::Bool(true))
            && let Some(last) = self.out.last_mut()
        {
            last.answer = Answer::No;
        }
    }
}

fn says(lines: &mut Vec<String>, message: &str, value: Option<&Value>) {
    if !message.is_empty() && value == Some(&Value::Bool(false)) {
        lines.push(format!(
            "The file says why it is there: {}.",
            words::text_of(message)
        ));
    }
}

/// An error without the words that come before every one of its kind.
fn short(error: &str) -> String {
    let error = error.strip_prefix("oidc: ").unwrap_or(error);
    let (wrapped, rest) = error
        .rsplit_once("resulted in error: ")
        .unwrap_or(("", error));
    if wrapped.is_empty() {
        error.to_owned()
    } else {
        rest.to_owned()
    }
}
