//! What is looked for, a file for each kind of thing.

pub(crate) mod claims;
pub(crate) mod jumpstarter;
pub(crate) mod lab;
pub(crate) mod names;
pub(crate) mod product;
pub(crate) mod shape;
pub(crate) mod trust;

use authlab_authn::tree::Node;

use crate::document::{listed, text};

/// An authenticator with its path in its document.
pub(crate) struct Authenticator<'n> {
    pub(crate) path: String,
    pub(crate) node: &'n Node,
}

impl Authenticator<'_> {
    /// Where a part of it stands: the key, or the nearest before it.
    pub(crate) fn place(&self, part: &str) -> usize {
        let (span, _) = self.node.nearest(part);
        span.start
    }

    /// Where a value stands.
    pub(crate) fn value(&self, part: &str) -> usize {
        self.node
            .at(part)
            .map_or_else(|| self.place(part), |node| node.span.start)
    }

    pub(crate) fn text(&self, part: &str) -> Option<&str> {
        text(self.node, part)
    }

    /// The expressions over `claims`, with the part that each is.
    pub(crate) fn expressions(&self) -> Vec<(String, &str)> {
        let mappings = ["username", "groups", "uid"];
        let mut parts: Vec<String> = mappings
            .map(|mapping| format!("claimMappings.{mapping}.expression"))
            .into();
        for (item, _) in self.listed("claimMappings.extra") {
            parts.push(format!("{item}.valueExpression"));
        }
        for (item, _) in self.listed("claimValidationRules") {
            parts.push(format!("{item}.expression"));
        }
        let found = parts.into_iter().filter_map(|part| {
            let text = text(self.node, &part)?;
            Some((part, text))
        });
        found.collect()
    }

    /// The items of one of its lists, with the part that each is.
    pub(crate) fn listed(&self, list: &str) -> Vec<(String, &Node)> {
        let found = self.node.at(list);
        found.map_or_else(Vec::new, |node| listed(list, node))
    }

    /// The expressions over `user`.
    pub(crate) fn user_rules(&self) -> Vec<&str> {
        let rules = self.listed("userValidationRules").into_iter();
        rules
            .filter_map(|(_, rule)| text(rule, "expression"))
            .collect()
    }
}
