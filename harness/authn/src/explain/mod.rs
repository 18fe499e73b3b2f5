//! The verdict on one token, walked through step by step, for people: what was looked at, what was found, and for a
//! refusal the rule that refused and the smallest change that would let the token in.
//!
//! The verdict is the engine's own ([`crate::token`]); this only says what it did.

mod candidates;
mod expressions;
mod mend;
mod render;
mod steps;
mod subject;
mod token;
mod words;

#[cfg(test)]
mod tests;

use std::time::SystemTime;

use serde_json::{Map, Value as Json};

pub use self::{
    candidates::nearly_same_issuer,
    mend::{Edit, Mend},
    subject::Subject,
    token::{Token, TokenError},
    words::seconds,
};

use self::mend::{Case, Where};
use crate::{
    UserInfo,
    oidc::{Found, Probe},
    token::{Evaluator, Refused, Stage, Verdict},
};

/// What is known of the token's signature.
#[derive(Clone, Debug)]
pub enum Signature {
    /// Nothing, for this reason.
    Unchecked(String),
    /// What a look at the issuer found.
    Probed(Probe),
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// In order.
    Yes,
    /// Here the token is refused.
    No,
    /// Not checked.
    Open,
}

/// One step of the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was looked at.
    pub title: String,
    /// How it ended.
    pub answer: Answer,
    /// What was found, a sentence a line.
    pub lines: Vec<String>,
    /// The field of the configuration that it is about.
    pub path: Option<String>,
}

/// Why a token is refused, and what to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The text that a TokenReview shows; none when no authenticator took the token.
    pub message: Option<String>,
    /// The field of the configuration that refused, where there is one.
    pub path: Option<String>,
    /// The smallest change that lets the token in, tried out. `None` when no change of the configuration does.
    pub mend: Option<Mend>,
    /// What else to do, a sentence each.
    pub advice: Vec<String>,
}

/// The whole way of a token.
#[derive(Clone, Debug)]
pub struct Walk {
    /// The token's header.
    pub header: Json,
    /// The token's claims.
    pub claims: Json,
    /// Every step, up to the one that refused.
    pub steps: Vec<Step>,
    /// The verdict.
    pub verdict: Verdict,
    /// What to know of a refusal.
    pub refusal: Option<Refusal>,
}

/// The index of the authenticator that is responsible for a token.
#[must_use]
pub fn responsible(subject: &Subject, token: &Token) -> Option<usize> {
    let evaluator = Evaluator::new(subject.config());
    evaluator
        .responsible(&token.payload)
        .map(|(index, _)| index)
}

/// Walks a token through a configuration.
#[must_use]
pub fn walk(subject: &Subject, token: &Token, signature: &Signature, now: SystemTime) -> Walk {
    let claims = token.claims();
    let none = Map::new();
    let case = Case {
        payload: &token.payload,
        claims: claims.as_object().unwrap_or(&none),
        algorithm: token.header("alg"),
        now: now.into(),
    };
    let evaluator = Evaluator::new(subject.config());
    let mut steps = vec![steps::authenticator(subject, case)];
    let Some((index, authenticator)) = evaluator.responsible(&token.payload) else {
        let refusal = Refusal {
            message: None,
            path: Some("jwt".to_owned()),
            mend: mend::find(subject, case),
            advice: steps::advice_of_nobody(subject, case),
        };
        return finish(
            token,
            claims.clone(),
            steps,
            Verdict::Skipped,
            Some(refusal),
        );
    };
    let root = format!("jwt[{index}]");
    let judged = authenticator.judge(case.payload, case.algorithm, case.now);
    let wrong_algorithm = matches!(&judged, Err(refused) if refused.stage == Stage::Algorithm);
    let (step, refused) = steps::signature(signature, token, &root);
    steps.push(step);
    // The algorithm is looked at before the signature, once the issuer is known.
    if let Some((message, advice)) = refused.filter(|_| !wrong_algorithm || unknown(signature)) {
        let refusal = Refusal {
            message: Some(message.clone()),
            path: Some(format!("{root}.issuer")),
            mend: None,
            advice,
        };
        let verdict = Verdict::Rejected(message);
        return finish(token, claims.clone(), steps, verdict, Some(refusal));
    }
    let failed = judged.as_ref().err().map(|refused| refused.stage);
    let jwt = &subject.config().jwt[index];
    let seen = authenticator.look(case.payload);
    steps.extend(steps::of(subject, jwt, &root, case, seen, failed));
    match judged {
        Ok(user) => finish(
            token,
            claims.clone(),
            steps,
            Verdict::Authenticated(user),
            None,
        ),
        Err(Refused { stage, text }) => {
            let refusal = Refusal {
                message: Some(text.clone()),
                path: steps::path_of(stage, jwt, &root),
                mend: mend::find(subject, case),
                advice: steps::advice(stage, subject, Where::At(index, stage), case),
            };
            finish(
                token,
                claims.clone(),
                steps,
                Verdict::Rejected(text),
                Some(refusal),
            )
        }
    }
}

/// Whether the issuer was not found, so that nothing else is looked at.
fn unknown(signature: &Signature) -> bool {
    !matches!(
        signature,
        Signature::Probed(Probe {
            found: Found::Keys { .. },
            ..
        })
    )
}

fn finish(
    token: &Token,
    claims: Json,
    steps: Vec<Step>,
    verdict: Verdict,
    refusal: Option<Refusal>,
) -> Walk {
    Walk {
        header: token.header.clone(),
        claims,
        steps,
        verdict,
        refusal,
    }
}

/// A user's groups as the API server adds to them.
#[must_use]
pub fn groups_of(user: &UserInfo) -> Vec<String> {
    let mut groups = user.groups.clone();
    let known = ["system:authenticated", "system:unauthenticated"];
    let has = groups.iter().any(|group| known.contains(&group.as_str()));
    if user.username != "system:anonymous" && !has {
        groups.push("system:authenticated".to_owned());
    }
    groups
}
