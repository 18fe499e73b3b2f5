//! Names that tokens can get: those of the system, and those of another issuer's users.

use authlab_authn::cel::{self, Output, Scope, Value};
use serde_json::{Map, Value as Json};

use super::Authenticator;
use crate::{
    finding::Out,
    provider::{Product, Provider},
};

/// What names of the system begin with. The API server keeps no token from them.
const SYSTEM: &str = "system:";

/// Stands for what a token says in the names that an expression makes.
const CLAIM: char = '\u{1}';

/// The mappings that make names, with the field of `user` and a name that nobody should get.
const MAPPINGS: [(&str, &str, &str); 2] = [
    ("username", "user.username", "system:admin"),
    ("groups", "user.groups", "system:masters"),
];

/// Who else makes names, of users and of groups: the API server's own authenticators.
const BUILT_IN: [(&str, &str, &str); 3] = [
    (
        "service accounts",
        "system:serviceaccount:",
        "system:serviceaccounts",
    ),
    ("nodes", "system:node:", "system:nodes"),
    (
        "anonymous requests",
        "system:anonymous",
        "system:unauthenticated",
    ),
];

fn people(mapping: &str) -> &'static str {
    if mapping == "username" {
        "users"
    } else {
        "groups"
    }
}

/// What stands before every name that a mapping makes, each once: empty where a token says the whole name. None when
/// that cannot be said.
fn prefixes(authenticator: &Authenticator<'_>, mapping: &str) -> Vec<String> {
    let Some(source) = authenticator.text(&format!("claimMappings.{mapping}.expression")) else {
        let claim = authenticator.text(&format!("claimMappings.{mapping}.claim"));
        let prefix = authenticator.text(&format!("claimMappings.{mapping}.prefix"));
        return claim.and(prefix).map(str::to_owned).into_iter().collect();
    };
    let mut found: Vec<String> = made(source)
        .iter()
        .filter_map(|name| {
            let (before, after) = name.split_once(CLAIM)?;
            // With an `@` behind it, whatever a token says is no name of the system.
            let whole = |c: char| c == CLAIM || c.is_ascii_alphanumeric() || ":.-".contains(c);
            (!before.is_empty() || after.chars().all(whole)).then(|| before.to_owned())
        })
        .collect();
    if found.is_empty() {
        found.extend(written(source).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

/// The names that an expression makes of claims that each say [`CLAIM`], as far as that is enough for it.
fn made(source: &str) -> Vec<String> {
    let Ok(program) = cel::compile(source, Scope::Claims, Output::Any) else {
        return Vec::new();
    };
    let claim = CLAIM.to_string();
    // Groups are a text with commas, or a list.
    let shapes = [Json::from(claim.clone()), Json::from(vec![claim])];
    let results = shapes.iter().map(|shape| {
        let mut claims = Json::Object(Map::new());
        for path in program.reads() {
            let mut at = &mut claims;
            for name in path {
                if !at.is_object() {
                    *at = Json::Object(Map::new());
                }
                at = &mut at[name];
            }
            if at.is_null() {
                *at = shape.clone();
            }
        }
        program.evaluate(&claims)
    });
    let names = |value| match value {
        Value::String(name) => vec![name],
        Value::List(items) => {
            let texts = items.into_iter().filter_map(|item| match item {
                Value::String(name) => Some(name),
                _ => None,
            });
            texts.collect()
        }
        _ => Vec::new(),
    };
    results
        .flatten()
        .map(names)
        .find(|names| !names.is_empty())
        .unwrap_or_default()
}

/// The text that an expression begins with, if it goes on with more.
fn written(source: &str) -> Option<&str> {
    let source = source.trim();
    let quote = source.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let (text, rest) = source[1..].split_once(quote)?;
    rest.trim_start().starts_with('+').then_some(text)
}

/// Where the prefix is written.
fn place(authenticator: &Authenticator<'_>, mapping: &str) -> usize {
    let expression = format!("claimMappings.{mapping}.expression");
    if authenticator.text(&expression).is_some() {
        return authenticator.place(&expression);
    }
    authenticator.place(&format!("claimMappings.{mapping}.prefix"))
}

/// Whether a rule about users looks at such names.
fn ruled(authenticator: &Authenticator<'_>, field: &str) -> bool {
    let rules = authenticator.user_rules();
    rules
        .iter()
        .any(|rule| rule.contains(SYSTEM) && rule.contains(field))
}

/// Whether a token can claim the names of the system.
pub(crate) fn system(
    authenticator: &Authenticator<'_>,
    provider: Option<&Provider>,
    out: &mut Out<'_>,
) {
    let by_claims = authenticator
        .expressions()
        .iter()
        .any(|(part, source)| part.starts_with("claimValidationRules") && source.contains(SYSTEM));
    for (mapping, field, example) in MAPPINGS {
        if ruled(authenticator, field) {
            continue;
        }
        let prefixes = prefixes(authenticator, mapping);
        let place = place(authenticator, mapping);
        let given = prefixes
            .iter()
            .find(|prefix| !prefix.is_empty() && overlap(prefix, SYSTEM));
        if let Some(prefix) = given {
            let message = format!(
                "{} of this issuer get names of the system: their prefix is {prefix:?}",
                people(mapping)
            );
            let help =
                "write a prefix that is the issuer's own, such as `dex:`; the API server takes any";
            out.with_help("system-names", place, message, help);
            continue;
        }
        let claim = authenticator.text(&format!("claimMappings.{mapping}.claim"));
        let expression = authenticator.text(&format!("claimMappings.{mapping}.expression"));
        let bare = prefixes.iter().any(String::is_empty);
        let open = match (claim, expression) {
            (Some(claim), None) => {
                let own_id = provider.is_some_and(|provider| provider.product != Product::Forge);
                // An e-mail address is no name of the system, nor is an id that the product itself makes.
                let harmless =
                    mapping == "username" && (claim == "email" || claim == "sub" && own_id);
                bare && !harmless
            }
            (None, Some(expression)) => {
                let harmless = mapping == "username" && expression.contains("claims.email");
                // Something is put together with something: a prefix, as a rule.
                let joined = expression.contains('+') || expression.contains("format(");
                (bare || !joined && prefixes.is_empty()) && !harmless
            }
            _ => false,
        };
        if open && !by_claims {
            let message = format!(
                "a token can make its owner {example}: no prefix, and no rule about {field}"
            );
            let help = if mapping == "username" {
                "add a prefix, or a userValidationRule: !user.username.startsWith('system:')"
            } else {
                "add a prefix, or a userValidationRule: user.groups.all(group, !group.startsWith('system:'))"
            };
            out.with_help("system-names", place, message, help);
        }
    }
}

/// Whether users of one issuer can get the names of another's, or of whom the API server knows by itself.
pub(crate) fn collisions(authenticators: &[Authenticator<'_>], out: &mut Out<'_>) {
    for (index, one) in authenticators.iter().enumerate() {
        for (mapping, field, _) in MAPPINGS {
            let what = people(mapping);
            let own = prefixes(one, mapping);
            for mine in own.iter().filter(|mine| mine.starts_with(SYSTEM)) {
                let whose: Vec<&str> = BUILT_IN
                    .iter()
                    .filter(|(_, user, group)| {
                        let theirs = if mapping == "username" { user } else { group };
                        overlap(mine, theirs)
                    })
                    .map(|(who, ..)| *who)
                    .collect();
                if !whose.is_empty() && !ruled(one, field) {
                    let message = format!(
                        "{what} of this issuer can have the names of {}: their prefix is {mine:?}",
                        whose.join(", ")
                    );
                    let help = "write a prefix that is the issuer's own, such as `dex:`";
                    out.with_help("prefix-collision", place(one, mapping), message, help);
                }
            }
            for other in &authenticators[..index] {
                let others = prefixes(other, mapping);
                let pairs = own
                    .iter()
                    .flat_map(|mine| others.iter().map(move |theirs| (mine, theirs)));
                for (mine, theirs) in pairs.filter(|(mine, theirs)| overlap(mine, theirs)) {
                    let message = format!(
                        "{what} of this issuer and of {} can have the same names: their prefixes are {mine:?} and \
                         {theirs:?}",
                        other.path
                    );
                    out.add("prefix-collision", place(one, mapping), message);
                }
            }
        }
    }
}

/// Whether one is the beginning of the other.
fn overlap(one: &str, other: &str) -> bool {
    one.starts_with(other) || other.starts_with(one)
}
