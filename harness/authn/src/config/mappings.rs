//! The rules for claim mappings.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    ClaimMappings, ExtraMapping, PrefixedClaimOrExpression, Violation, field::Path,
    validate::compile,
};
use crate::cel::{Program, Scope};

const BOTH: &str = "claim and expression can't both be set";

/// `verified` says whether a claim rule looks at `claims.email_verified`.
pub(super) fn check(
    mappings: &ClaimMappings,
    mut verified: bool,
    path: &Path,
    out: &mut Vec<Violation>,
) {
    let username_path = path.child("username");
    // What else is wrong with the user name keeps its expression from being looked into.
    let mut wrong = Vec::new();
    let username = claim_or_expression(&mappings.username, &username_path, true, &mut wrong);
    let username = username.filter(|_| wrong.is_empty());
    out.append(&mut wrong);
    let selects = |field: &str| {
        username
            .as_ref()
            .is_some_and(|program| program.selects(field))
    };
    let (email, verified_in_username) = (selects("email"), selects("email_verified"));
    verified |= verified_in_username;

    claim_or_expression(&mappings.groups, &path.child("groups"), false, out);

    let (uid, uid_path) = (&mappings.uid, path.child("uid"));
    match (uid.claim.is_empty(), uid.expression.as_str()) {
        (_, "") => {}
        (false, _) => out.push(uid_path.invalid("", BOTH)),
        (true, expression) => {
            let path = uid_path.child("expression");
            compile(expression, Scope::Claims, &path, out);
        }
    }

    verified |= extra(&mappings.extra, &path.child("extra"), out);
    if email && !verified {
        out.push(username_path.child("expression").invalid(
            &mappings.username.expression,
            "claims.email_verified must be used in claimMappings.username.expression or \
             claimMappings.extra[*].valueExpression or claimValidationRules[*].expression when \
             claims.email is used in claimMappings.username.expression",
        ));
    }
}

fn claim_or_expression(
    mapping: &PrefixedClaimOrExpression,
    path: &Path,
    required: bool,
    out: &mut Vec<Violation>,
) -> Option<Box<dyn Program>> {
    match (mapping.claim.is_empty(), mapping.expression.as_str()) {
        (true, "") if required => out.push(path.required("claim or expression is required")),
        (true, "") => {}
        (false, "") => {
            if mapping.prefix.is_none() {
                out.push(path.child("prefix").required(
                    "prefix is required when claim is set. It can be set to an empty string to disable prefixing",
                ));
            }
        }
        (true, expression) => {
            if let Some(prefix) = &mapping.prefix {
                let detail = "may not be specified when expression is set";
                out.push(path.child("prefix").invalid(prefix, detail));
            }
            return compile(expression, Scope::Claims, &path.child("expression"), out);
        }
        (false, _) => out.push(path.invalid("", BOTH)),
    }
    None
}

/// Says whether one of the expressions looks at `claims.email_verified`.
fn extra(extra: &[ExtraMapping], path: &Path, out: &mut Vec<Violation>) -> bool {
    let mut verified = false;
    for (index, mapping) in extra.iter().enumerate() {
        let path = path.index(index);
        let key = mapping.key.as_str();
        let key_path = path.child("key");
        domain_prefixed(key, &key_path, out);
        if key != key.to_lowercase() {
            out.push(key_path.invalid(key, "must be lowercase"));
        }
        let domain = key.split_once('/').map_or("", |(domain, _)| domain);
        let reserved = |name: &str| {
            domain
                .strip_suffix(name)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        if reserved("kubernetes.io") || reserved("k8s.io") {
            out.push(key_path.invalid(
                key,
                "k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use",
            ));
        }
        if extra[..index].iter().any(|other| other.key == key) {
            out.push(key_path.duplicate(key));
            continue;
        }
        let path = path.child("valueExpression");
        if mapping.value_expression.is_empty() {
            out.push(path.required(""));
            continue;
        }
        let program = compile(&mapping.value_expression, Scope::Claims, &path, out);
        verified |= program.is_some_and(|program| program.selects("email_verified"));
    }
    verified
}

const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const HTTP_PATH: &str = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";

/// A key of the form `acme.io/foo`.
fn domain_prefixed(key: &str, path: &Path, out: &mut Vec<Violation>) {
    static DOMAIN: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&format!("^{SUBDOMAIN}$")).ok());
    static PATH: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&format!("^{HTTP_PATH}$")).ok());
    let matches =
        |form: &Option<Regex>, text: &str| form.as_ref().is_some_and(|form| form.is_match(text));
    if key.is_empty() {
        out.push(path.required(""));
        return;
    }
    let (domain, rest) = match key.split_once('/') {
        Some((domain, rest)) if !domain.is_empty() && !rest.is_empty() => (domain, rest),
        _ => {
            let detail = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            out.push(path.invalid(key, detail));
            return;
        }
    };
    if domain.len() > 253 {
        out.push(path.invalid(domain, "must be no more than 253 characters"));
    }
    if !matches(&DOMAIN, domain) {
        let detail = format!(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
             and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
             validation is '{SUBDOMAIN}')"
        );
        out.push(path.invalid(domain, &detail));
    }
    if !matches(&PATH, rest) {
        let detail = format!("Invalid path (regex used for validation is '{HTTP_PATH}')");
        out.push(path.invalid(rest, &detail));
    }
}
