//! Expressions that compile and then fail, or that say less than they seem to.

use authlab_authn::cel::{self, Output, Program, Scope, Value};
use serde_json::{Map, Value as Json};

use super::Authenticator;
use crate::{
    finding::Out,
    provider::{Product, Provider},
};

/// Claims that are numbers in every token.
const NUMBERS: &[&str] = &["exp", "iat", "nbf", "auth_time"];

fn program(source: &str) -> Option<Box<dyn Program>> {
    cel::compile(source, Scope::Claims, Output::Any).ok()
}

/// The expressions of one authenticator.
pub(crate) fn expressions(authenticator: &Authenticator<'_>, out: &mut Out<'_>) {
    for (part, source) in authenticator.expressions() {
        let Some(program) = program(source) else {
            continue;
        };
        let place = authenticator.place(&part);
        let reads = program.reads();
        let asked = source.contains("has(claims.nbf)") || source.contains(".?nbf");
        if reads.iter().any(|path| path == &["nbf"]) && !asked {
            out.add(
                "nbf-may-be-absent",
                place,
                "this reads `claims.nbf`, which few tokens have",
            );
        }
        if let Some(claim) = calculated(source) {
            let message = format!("a whole number beside `claims.{claim}`, which is a double");
            out.add("number-arithmetic", place, message);
        }
        if part.contains("groups") || part.contains("valueExpression") {
            // Any text will do: what matters is what kind of list comes out.
            let mut claims = Map::new();
            for path in &reads {
                claims.insert(path[0].clone(), Json::from("a,b"));
            }
            let value = program.evaluate(&Json::Object(claims));
            if value == Ok(Value::Other("list".to_owned())) {
                let message = "the list that this makes is none that the API server takes";
                let help = format!("write `{}.map(item, item)`", source.trim());
                out.with_help("bare-split", place, message, help);
            }
        }
    }
}

/// A claim that is a number with a whole number added to it or taken from it.
fn calculated(source: &str) -> Option<&'static str> {
    NUMBERS.iter().copied().find(|claim| {
        let name = format!("claims.{claim}");
        source.match_indices(&name).any(|(start, _)| {
            let after = source[start + name.len()..].trim_start();
            let before = source[..start].trim_end();
            let number = after.strip_prefix(['+', '-', '*']).map(str::trim_start);
            whole(number.unwrap_or_default())
                || before.strip_suffix(['+', '-', '*']).is_some_and(|before| {
                    let word = before
                        .trim_end()
                        .rsplit([' ', '('])
                        .next()
                        .unwrap_or_default();
                    whole(word)
                })
        })
    })
}

/// Whether a text begins with a whole number.
fn whole(text: &str) -> bool {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    digits > 0 && !text[digits..].starts_with('.')
}

/// What is known of the e-mail address that becomes a user name.
pub(crate) fn email(
    authenticator: &Authenticator<'_>,
    provider: Option<&Provider>,
    out: &mut Out<'_>,
) {
    let named = |part: &str| authenticator.text(part).unwrap_or_default();
    let looked_at = || {
        let by_rule = authenticator
            .expressions()
            .iter()
            .any(|(_, source)| source.contains("email_verified"));
        let rules = authenticator.listed("claimValidationRules");
        by_rule
            || rules
                .iter()
                .any(|(_, rule)| crate::document::text(rule, "claim") == Some("email_verified"))
    };
    let part = "claimMappings.username.expression";
    if let Some(program) = program(named(part))
        && program.reads().iter().any(|path| path[0] == "email")
        && !program.selects("email")
        && !looked_at()
    {
        let message = "the user name is the e-mail address, and nothing looks at email_verified";
        out.add("unverified-email", authenticator.place(part), message);
    }
    let sent = provider.is_some_and(|provider| provider.product != Product::Forge);
    let part = "claimMappings.username.claim";
    if named(part) == "email" && !sent && !looked_at() {
        let message = "a token without email_verified is taken as verified";
        out.add(
            "email-may-be-unverified",
            authenticator.place(part),
            message,
        );
    }
}

/// Claims that the provider does not send.
pub(crate) fn sent(authenticator: &Authenticator<'_>, provider: &Provider, out: &mut Out<'_>) {
    let Some(claims) = &provider.claims else {
        return;
    };
    let mut check = |part: &str, claim: &str| {
        if claim.is_empty() || claims.contains(claim) {
            return;
        }
        let product = match provider.product {
            Product::Dex => "this Dex",
            Product::Keycloak => "this realm",
            Product::Forge => "this issuer",
        };
        let message = format!("{product} sends no claim `{claim}`");
        let near = authlab_lab::source::nearest(claim, claims.iter().map(String::as_str));
        let help = match (near, provider.product, claim) {
            (Some(near), ..) => format!("did you mean `{near}`?"),
            (None, Product::Dex, "groups") => {
                "give its people groups, or a connector that brings them (for `oidc`: insecureEnableGroups)".to_owned()
            }
            (None, Product::Keycloak, _) => {
                format!("add a protocol mapper with claim.name `{claim}` to the client or to one of its scopes")
            }
            _ => "name a claim that it sends".to_owned(),
        };
        out.with_help("claim-not-sent", authenticator.place(part), message, help);
    };
    for mapping in ["username", "groups", "uid"] {
        let part = format!("claimMappings.{mapping}.claim");
        check(&part, authenticator.text(&part).unwrap_or_default());
    }
    for (part, source) in authenticator.expressions() {
        let Some(program) = program(source) else {
            continue;
        };
        // Who asks first whether a claim is there knows that it may not be.
        let asks = source.contains("has(") || source.contains('?') || source.contains("||");
        for path in program
            .reads()
            .iter()
            .filter(|path| !asks && path[0] != "nbf")
        {
            check(&part, &path[0]);
        }
    }
}
