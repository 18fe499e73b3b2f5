//! The rules for a whole configuration, an authenticator, and its validation rules.

use super::{
    AuthenticationConfiguration, ClaimValidationRule, JwtAuthenticator, UserValidationRule,
    Violation, field::Path, issuer, mappings,
};
use crate::cel::{self, CompileError, Output, Program, Scope};

/// The most authenticators that a configuration may have.
const MAX_AUTHENTICATORS: usize = 64;

pub(super) fn configuration(
    config: &AuthenticationConfiguration,
    disallowed: &[String],
) -> Vec<Violation> {
    let mut out = Vec::new();
    let root = Path::new("jwt");
    if config.jwt.len() > MAX_AUTHENTICATORS {
        return vec![root.too_many(config.jwt.len(), MAX_AUTHENTICATORS)];
    }
    for (index, jwt) in config.jwt.iter().enumerate() {
        let path = root.index(index);
        authenticator(jwt, disallowed, &path, &mut out);
        let (before, path) = (&config.jwt[..index], path.child("issuer"));
        let url = &jwt.issuer.url;
        if before.iter().any(|other| other.issuer.url == *url) {
            out.push(path.child("url").duplicate(url));
        }
        let url = &jwt.issuer.discovery_url;
        let taken = || {
            before
                .iter()
                .any(|other| other.issuer.discovery_url == *url)
        };
        if !url.is_empty() && taken() {
            out.push(path.child("discoveryURL").duplicate(url));
        }
    }
    anonymous(config, &mut out);
    out
}

fn anonymous(config: &AuthenticationConfiguration, out: &mut Vec<Violation>) {
    let Some(anonymous) = &config.anonymous else {
        return;
    };
    if anonymous.enabled || anonymous.conditions.is_empty() {
        return;
    }
    let conditions: Vec<String> = anonymous
        .conditions
        .iter()
        .map(|condition| format!("{{\"Path\":{}}}", json_string(&condition.path)))
        .collect();
    out.push(Path::new("anonymous").child("conditions").invalid_json(
        &format!("[{}]", conditions.join(",")),
        "enabled should be set to true when conditions are defined",
    ));
}

/// A JSON string as Go writes it, with what HTML gives a meaning escaped.
fn json_string(text: &str) -> String {
    let mut json = serde_json::Value::from(text).to_string();
    for (character, escape) in [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ] {
        json = json.replace(character, escape);
    }
    json
}

fn authenticator(
    jwt: &JwtAuthenticator,
    disallowed: &[String],
    path: &Path,
    out: &mut Vec<Violation>,
) {
    issuer::check(&jwt.issuer, disallowed, &path.child("issuer"), out);
    let path_of_rules = path.child("claimValidationRules");
    let verified = claim_rules(&jwt.claim_validation_rules, &path_of_rules, out);
    let path_of_mappings = path.child("claimMappings");
    mappings::check(&jwt.claim_mappings, verified, &path_of_mappings, out);
    user_rules(
        &jwt.user_validation_rules,
        &path.child("userValidationRules"),
        out,
    );
}

/// Says whether one of the rules looks at `claims.email_verified`.
pub(super) fn claim_rules(
    rules: &[ClaimValidationRule],
    path: &Path,
    out: &mut Vec<Violation>,
) -> bool {
    let mut verified = false;
    let mut claims: Vec<&str> = Vec::new();
    let mut expressions: Vec<&str> = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let path = path.index(index);
        let only_with = |field: &str, value: &str, other: &str, out: &mut Vec<Violation>| {
            if !value.is_empty() {
                let detail = format!("may not be specified when {other} is set");
                out.push(path.child(field).invalid(value, &detail));
            }
        };
        match (rule.claim.as_str(), rule.expression.as_str()) {
            ("", "") => out.push(path.required("claim or expression is required")),
            (claim, "") => {
                only_with("message", &rule.message, "claim", out);
                if claims.contains(&claim) {
                    out.push(path.child("claim").duplicate(claim));
                }
                claims.push(claim);
            }
            ("", expression) => {
                only_with("requiredValue", &rule.required_value, "expression", out);
                if expressions.contains(&expression) {
                    out.push(path.child("expression").duplicate(expression));
                    continue;
                }
                expressions.push(expression);
                let program = rule_expression(expression, Scope::Claims, &path, out);
                verified |= program.is_some_and(|program| program.selects("email_verified"));
            }
            (claim, _) => out.push(path.invalid(claim, "claim and expression can't both be set")),
        }
    }
    verified
}

pub(super) fn user_rules(rules: &[UserValidationRule], path: &Path, out: &mut Vec<Violation>) {
    for (index, rule) in rules.iter().enumerate() {
        let expression = &rule.expression;
        let item = path.index(index);
        if expression.is_empty() {
            out.push(item.child("expression").required(""));
        } else if rules[..index]
            .iter()
            .any(|other| other.expression == *expression)
        {
            out.push(item.child("expression").duplicate(expression));
        } else {
            rule_expression(expression, Scope::User, &item, out);
        }
    }
}

/// Compiles an expression that must be a boolean.
fn rule_expression(
    expression: &str,
    scope: Scope,
    path: &Path,
    out: &mut Vec<Violation>,
) -> Option<Box<dyn Program>> {
    let path = path.child("expression");
    compiled(
        cel::compile(expression, scope, Output::Bool),
        expression,
        &path,
        out,
    )
}

/// Compiles an expression and reports what hinders it.
pub(super) fn compile(
    expression: &str,
    scope: Scope,
    path: &Path,
    out: &mut Vec<Violation>,
) -> Option<Box<dyn Program>> {
    compiled(
        cel::compile(expression, scope, Output::Any),
        expression,
        path,
        out,
    )
}

fn compiled(
    result: Result<Box<dyn Program>, CompileError>,
    expression: &str,
    path: &Path,
    out: &mut Vec<Violation>,
) -> Option<Box<dyn Program>> {
    match result {
        Ok(program) => return Some(program),
        Err(error @ CompileError::Program(_)) => out.push(path.internal(&error.to_string())),
        Err(error) => out.push(path.invalid(expression, &error.to_string())),
    }
    None
}
