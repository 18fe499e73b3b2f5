//! The smallest change with which a token would be let in, found by asking the engine.

use serde_json::{Map, Value as Json};

use super::{
    candidates::{self, About},
    subject::{Change, Subject},
};
use crate::{
    UserInfo,
    token::{Evaluator, Now, Stage},
};

/// More changes than this are no small mend.
const ROUNDS: usize = 6;

/// A token to be judged.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) payload: &'a str,
    pub(super) claims: &'a Map<String, Json>,
    pub(super) algorithm: &'a str,
    pub(super) now: Now,
}

/// Where a token is refused: by no authenticator at all, or at a stage of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Where {
    Nobody,
    At(usize, Stage),
}

/// One change of the file or the flags.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// The field, as `jwt[0].issuer.audiences`.
    pub path: String,
    /// The flag that says the same, when there is no file.
    pub flag: Option<&'static str>,
    /// The line of the file on which it is, or to which it belongs.
    pub line: Option<usize>,
    /// What stood there; `None` for nothing.
    pub before: Option<Json>,
    /// What must stand there; `None` for nothing.
    pub after: Option<Json>,
}

/// Changes that let the token in together, and as whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Mend {
    /// The changes, in the order in which they were found.
    pub edits: Vec<Edit>,
    /// The user that the API server would know then.
    pub user: UserInfo,
}

pub(super) fn judge(subject: &Subject, case: Case<'_>) -> Result<UserInfo, Where> {
    let evaluator = Evaluator::new(subject.config());
    match evaluator.responsible(case.payload) {
        None => Err(Where::Nobody),
        Some((index, authenticator)) => authenticator
            .judge(case.payload, case.algorithm, case.now)
            .map_err(|refused| Where::At(index, refused.stage)),
    }
}

/// The mend, if there is one.
pub(super) fn find(subject: &Subject, case: Case<'_>) -> Option<Mend> {
    let mut subject = subject.clone();
    let mut edits = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..ROUNDS {
        let Err(here) = judge(&subject, case) else {
            return None;
        };
        seen.push(here);
        let about = About {
            config: subject.config(),
            claims: case.claims,
            algorithm: case.algorithm,
            user: user(&subject, case),
        };
        let candidates = match here {
            Where::Nobody => candidates::unclaimed(&about),
            Where::At(index, stage) => candidates::of(stage, index, &about),
        };
        let (changes, changed, then) = candidates.into_iter().find_map(|changes| {
            let changed = subject.with(&changes)?;
            let then = judge(&changed, case);
            let ahead = match &then {
                Ok(_) => true,
                Err(Where::Nobody) => false,
                Err(there) => !seen.contains(there),
            };
            ahead.then_some((changes, changed, then))
        })?;
        edits.extend(changes.into_iter().map(|change| edit(&subject, change)));
        if let Ok(user) = then {
            return Some(Mend { edits, user });
        }
        subject = changed;
    }
    None
}

/// The user that the mappings make, whatever the rules say of it.
pub(super) fn user(subject: &Subject, case: Case<'_>) -> Option<Json> {
    let evaluator = Evaluator::new(subject.config());
    let (_, authenticator) = evaluator.responsible(case.payload)?;
    let seen = authenticator.look(case.payload)?;
    let user = UserInfo {
        username: seen.username.ok()?,
        groups: seen.groups.ok()?,
        uid: seen.uid.ok()?,
        extra: seen.extra.ok()?,
    };
    serde_json::to_value(user).ok()
}

fn edit(subject: &Subject, change: Change) -> Edit {
    let flag = subject.flag(&change.path);
    let before = subject.at(&change.path);
    let after = match (&change.after, flag) {
        (Some(_), Some(_)) => {
            let changed = subject.with(std::slice::from_ref(&change));
            changed.and_then(|changed| changed.at(&change.path))
        }
        (after, _) => after.clone(),
    };
    Edit {
        line: subject.place(&change.path).map(|span| span.line),
        path: change.path,
        flag,
        before,
        after,
    }
}
