//! Names that tokens can get: those of the system, and those of another issuer's users.

use super::Authenticator;
use crate::{
    finding::Out,
    provider::{Product, Provider},
};

/// What stands before every name that a mapping makes; `None` when that cannot be said.
fn prefix<'n>(authenticator: &'n Authenticator<'_>, mapping: &str) -> Option<&'n str> {
    if let Some(expression) = authenticator.text(&format!("claimMappings.{mapping}.expression")) {
        let expression = expression.trim();
        let quote = expression
            .chars()
            .next()
            .filter(|c| matches!(c, '\'' | '"'))?;
        let (text, rest) = expression[1..].split_once(quote)?;
        return rest.trim_start().starts_with('+').then_some(text);
    }
    authenticator.text(&format!("claimMappings.{mapping}.claim"))?;
    authenticator.text(&format!("claimMappings.{mapping}.prefix"))
}

/// Where the prefix is written.
fn place(authenticator: &Authenticator<'_>, mapping: &str) -> usize {
    let expression = format!("claimMappings.{mapping}.expression");
    if authenticator.text(&expression).is_some() {
        return authenticator.place(&expression);
    }
    authenticator.place(&format!("claimMappings.{mapping}.prefix"))
}

/// Whether a token can claim the names of the system.
pub(crate) fn system(
    authenticator: &Authenticator<'_>,
    provider: Option<&Provider>,
    out: &mut Out<'_>,
) {
    let rules = authenticator.user_rules();
    let guarded = |field: &str| {
        let by_user = rules
            .iter()
            .any(|rule| rule.contains("system:") && rule.contains(field));
        let by_claims = authenticator.expressions().iter().any(|(part, source)| {
            part.starts_with("claimValidationRules") && source.contains("system:")
        });
        by_user || by_claims
    };
    for (mapping, field, example) in [
        ("username", "user.username", "system:admin"),
        ("groups", "user.groups", "system:masters"),
    ] {
        let claim = authenticator.text(&format!("claimMappings.{mapping}.claim"));
        let expression = authenticator.text(&format!("claimMappings.{mapping}.expression"));
        let open = match (claim, expression) {
            (Some(claim), None) => {
                let own_id = provider.is_some_and(|provider| provider.product != Product::Forge);
                // An e-mail address is no name of the system, nor is an id that the product itself makes.
                let harmless =
                    mapping == "username" && (claim == "email" || claim == "sub" && own_id);
                prefix(authenticator, mapping) == Some("") && !harmless
            }
            (None, Some(expression)) => {
                let harmless = mapping == "username" && expression.contains("claims.email");
                // Something is put together with something: a prefix, as a rule.
                !expression.contains('+') && !expression.contains("format(") && !harmless
            }
            _ => false,
        };
        if open && !guarded(field) {
            let message = format!(
                "a token can make its owner {example}: no prefix, and no rule about {field}"
            );
            let help = if mapping == "username" {
                "add a prefix, or a userValidationRule: !user.username.startsWith('system:')"
            } else {
                "add a prefix, or a userValidationRule: user.groups.all(group, !group.startsWith('system:'))"
            };
            out.with_help("system-names", place(authenticator, mapping), message, help);
        }
    }
}

/// Whether users of one issuer can get the names of another's.
pub(crate) fn collisions(authenticators: &[Authenticator<'_>], out: &mut Out<'_>) {
    for (index, one) in authenticators.iter().enumerate() {
        for other in &authenticators[..index] {
            for mapping in ["username", "groups"] {
                let (Some(mine), Some(theirs)) = (prefix(one, mapping), prefix(other, mapping))
                else {
                    continue;
                };
                if mine.starts_with(theirs) || theirs.starts_with(mine) {
                    let what = if mapping == "username" {
                        "users"
                    } else {
                        "groups"
                    };
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
