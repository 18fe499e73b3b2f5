//! What is said of each step.

mod advice;
mod mapped;
mod signature;

use serde_json::Value as Json;

use super::{Answer, Step, Subject, candidates, mend::Case, words};
use crate::{
    config::JwtAuthenticator,
    golang::json as go_json,
    token::{self, Seen, Stage},
};

pub(in crate::explain) use self::{
    advice::{advice, advice_of_nobody},
    signature::signature,
};

fn step(
    title: impl Into<String>,
    answer: Answer,
    lines: Vec<String>,
    path: Option<String>,
) -> Step {
    Step {
        title: title.into(),
        answer,
        lines,
        path,
    }
}

/// Who takes the token, and why others do not.
pub(in crate::explain) fn authenticator(subject: &Subject, case: Case<'_>) -> Step {
    let issuer = token::untrusted_issuer(case.payload).unwrap_or_default();
    let mut lines = Vec::new();
    let mut found = None;
    for (index, jwt) in subject.config().jwt.iter().enumerate() {
        let url = &jwt.issuer.url;
        if found.is_none() && *url == issuer {
            found = Some(index);
            let taken = format!(
                "jwt[{index}] takes it: the token's `iss` and issuer.url are both {}.",
                words::text_of(url)
            );
            lines.insert(0, taken);
        } else {
            let how = difference(url, &issuer);
            lines.push(format!(
                "jwt[{index}] does not: its issuer.url is {}{how}.",
                words::text_of(url)
            ));
        }
    }
    if found.is_none() {
        let none = if subject.config().jwt.is_empty() {
            "The configuration has no authenticator at all."
        } else {
            "No authenticator takes it."
        };
        lines.insert(
            0,
            format!("{none} The token's `iss` is {}.", words::text_of(&issuer)),
        );
    }
    let answer = if found.is_some() {
        Answer::Yes
    } else {
        Answer::No
    };
    let path = found.map(|index| format!("jwt[{index}].issuer.url"));
    step("Authenticator", answer, lines, path)
}

/// What little there is between two issuers.
fn difference(url: &str, issuer: &str) -> &'static str {
    if url == issuer || !candidates::nearly_same_issuer(url, issuer) {
        ""
    } else if url.trim_end_matches('/') == issuer.trim_end_matches('/') {
        " (only the slash at the end is different)"
    } else if url.eq_ignore_ascii_case(issuer) {
        " (only capital letters are different)"
    } else {
        " (nearly the same: compare http and https, localhost and 127.0.0.1, letter by letter)"
    }
}

/// Where in the file a stage is.
pub(in crate::explain) fn path_of(
    stage: Stage,
    jwt: &JwtAuthenticator,
    root: &str,
) -> Option<String> {
    let mappings = format!("{root}.claimMappings");
    let which = |expression: &str| {
        if expression.is_empty() {
            "claim"
        } else {
            "expression"
        }
    };
    let mapped = &jwt.claim_mappings;
    Some(match stage {
        Stage::Algorithm | Stage::Payload | Stage::Expiry | Stage::NotBefore => return None,
        Stage::Audience => format!("{root}.issuer.audiences"),
        Stage::DistributedGroups => format!("{mappings}.groups.claim"),
        Stage::Username => format!("{mappings}.username.{}", which(&mapped.username.expression)),
        Stage::Groups => format!("{mappings}.groups.{}", which(&mapped.groups.expression)),
        Stage::Uid => format!("{mappings}.uid.{}", which(&mapped.uid.expression)),
        Stage::Extra(index) => format!("{mappings}.extra[{index}].valueExpression"),
        Stage::RequiredClaim(index) => format!("{root}.claimValidationRules[{index}].claim"),
        Stage::ClaimRule(index) => format!("{root}.claimValidationRules[{index}].expression"),
        Stage::UserRule(index) => format!("{root}.userValidationRules[{index}].expression"),
    })
}

/// The steps of the authenticator that takes the token.
pub(in crate::explain) fn of(
    subject: &Subject,
    jwt: &JwtAuthenticator,
    root: &str,
    case: Case<'_>,
    seen: Option<Seen>,
    failed: Option<Stage>,
) -> Vec<Step> {
    let mut walk = Steps {
        jwt,
        root,
        case,
        failed,
        out: Vec::new(),
    };
    walk.algorithm(&subject.config().signing_algs);
    if failed == Some(Stage::Algorithm) {
        return walk.rest("audience, expiry, mappings and rules");
    }
    walk.standard();
    if failed.is_some_and(|stage| stage <= Stage::NotBefore) {
        return walk.rest("mappings and rules");
    }
    if failed == Some(Stage::DistributedGroups) {
        let line = "The groups are not in the token: `_claim_names` says that they must be fetched elsewhere.";
        walk.add("Groups", Stage::DistributedGroups, vec![line.to_owned()]);
        return walk.rest("mappings and rules");
    }
    if let Some(seen) = &seen {
        walk.mappings(seen);
        if failed.is_some_and(|stage| stage < Stage::RequiredClaim(0)) {
            let rules = jwt.claim_validation_rules.len() + jwt.user_validation_rules.len();
            return if rules > 0 {
                walk.rest("the validation rules")
            } else {
                walk.out
            };
        }
        walk.rules(seen);
    }
    walk.out
}

struct Steps<'a> {
    jwt: &'a JwtAuthenticator,
    root: &'a str,
    case: Case<'a>,
    failed: Option<Stage>,
    out: Vec<Step>,
}

impl Steps<'_> {
    fn add(&mut self, title: impl Into<String>, stage: Stage, lines: Vec<String>) {
        let answer = if self.failed == Some(stage) {
            Answer::No
        } else {
            Answer::Yes
        };
        let path = path_of(stage, self.jwt, self.root);
        self.out.push(step(title, answer, lines, path));
    }

    fn rest(mut self, what: &str) -> Vec<Step> {
        let lines = vec![format!("Not looked at any more: {what}.")];
        self.out.push(step("The rest", Answer::Open, lines, None));
        self.out
    }

    fn algorithm(&mut self, allowed: &[String]) {
        let algorithm = words::text_of(self.case.algorithm);
        let list = allowed.join(", ");
        let line = if self.failed == Some(Stage::Algorithm) {
            format!("{algorithm} is not among those allowed: {list}.")
        } else {
            format!("{algorithm} is among those allowed: {list}.")
        };
        self.add("Algorithm", Stage::Algorithm, vec![line]);
    }

    fn standard(&mut self) {
        let node = go_json::parse(self.case.payload).ok();
        let decoded = node.as_ref().and_then(token::decoded);
        let Some(claims) = decoded.filter(|_| self.failed != Some(Stage::Payload)) else {
            let line = "A claim that every token has is not of the kind that it must be; the message below says which.";
            self.add("Claims", Stage::Payload, vec![line.to_owned()]);
            return;
        };
        let now = self.case.now.seconds;
        let wanted = &self.jwt.issuer.audiences;
        let audiences: Vec<&str> = claims["aud"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Json::as_str)
            .collect();
        let fits = wanted
            .iter()
            .any(|wanted| audiences.contains(&wanted.as_str()));
        let one_of = if wanted.len() > 1 { "one of " } else { "" };
        let mut lines = vec![
            format!("The token is for {} (`aud`).", words::list(&audiences)),
            format!("The configuration wants {one_of}{}.", words::list(wanted)),
        ];
        if !fits
            && audiences.iter().any(|audience| {
                wanted
                    .iter()
                    .any(|wanted| wanted.eq_ignore_ascii_case(audience))
            })
        {
            lines.push("Only capital letters are different.".to_owned());
        }
        self.add("Audience", Stage::Audience, lines);
        if !fits && let Some(last) = self.out.last_mut() {
            last.answer = Answer::No;
        }
        let expiry = claims["exp"].as_i64();
        let line = match expiry {
            None => "The token has no `exp`, and without one it counts as expired.".to_owned(),
            Some(expiry) => {
                let verb = if expiry < now { "ended" } else { "ends" };
                format!("Its time {verb} at {} (`exp`).", words::moment(expiry, now))
            }
        };
        self.add("Expiry", Stage::Expiry, vec![line]);
        if let Some(not_before) = claims["nbf"].as_i64() {
            let verb = if not_before > now { "begins" } else { "began" };
            let lines = vec![
                format!(
                    "Its time {verb} at {} (`nbf`).",
                    words::moment(not_before, now)
                ),
                "Clocks may differ by 60 seconds.".to_owned(),
            ];
            self.add("Not before", Stage::NotBefore, lines);
        }
    }
}
