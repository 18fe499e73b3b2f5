//! What is expected of a user as the API server sees one.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::flow::flow;
use crate::seen::Seen;

/// A user; fields left out may be anything.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct User {
    /// The user name.
    #[serde(default)]
    pub username: Option<String>,
    /// The uid.
    #[serde(default)]
    pub uid: Option<String>,
    /// The groups.
    #[serde(default)]
    pub groups: Option<Groups>,
    /// Extra attributes: each key named here has exactly these values; other keys may be there.
    #[serde(default)]
    pub extra: BTreeMap<String, Vec<String>>,
}

/// What is expected of a list of groups; the order never counts.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Groups {
    /// Each of these is there.
    #[serde(default)]
    pub contains: Vec<String>,
    /// None of these is there.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// These are there and no others.
    #[serde(default)]
    pub exactly: Option<Vec<String>>,
}

impl User {
    /// Compares with a `userInfo` or `user` of a review's status.
    pub fn compare(&self, user: &Value, seen: &mut Seen) {
        for (what, expected) in [("username", &self.username), ("uid", &self.uid)] {
            if let Some(expected) = expected {
                let found = user[what].as_str().unwrap_or_default();
                seen.equal(what, &json!(expected), &json!(found));
            }
        }
        if let Some(groups) = &self.groups {
            groups.compare(&texts(&user["groups"]), seen);
        }
        for (key, expected) in &self.extra {
            let found = texts(&user["extra"][key]);
            seen.equal(format!("extra {key}"), &json!(expected), &json!(found));
        }
    }
}

impl Groups {
    fn compare(&self, found: &[String], seen: &mut Seen) {
        let shown = flow(&json!(found));
        if !self.contains.is_empty() {
            let expected = format!("contains {}", flow(&json!(self.contains)));
            let holds = self.contains.iter().all(|group| found.contains(group));
            seen.row("groups", expected, shown.clone(), holds);
        }
        if !self.lacks.is_empty() {
            let expected = format!("lacks {}", flow(&json!(self.lacks)));
            let holds = !self.lacks.iter().any(|group| found.contains(group));
            seen.row("groups", expected, shown.clone(), holds);
        }
        if let Some(exactly) = &self.exactly {
            let sorted = |groups: &[String]| {
                let mut groups = groups.to_vec();
                groups.sort();
                groups
            };
            let holds = sorted(exactly) == sorted(found);
            let expected = format!("exactly {}", flow(&json!(exactly)));
            seen.row("groups", expected, shown, holds);
        }
    }
}

fn texts(list: &Value) -> Vec<String> {
    let items = list.as_array().map_or(&[][..], Vec::as_slice);
    items
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
