//! The one parser from the server's words to a reason.

use super::words::{between, list, quoted};
use super::{Object, Reason};
use crate::format::TextMatch;

/// Parses what TokenReview's `status.error`, SubjectAccessReview's `status.reason` or a Status
/// `message` says. What fits no form is [`Reason::Text`] with the whole text.
pub(crate) fn parse(text: &str) -> Reason {
    if text.trim().is_empty() {
        return Reason::None {};
    }
    let parts = aggregate(text);
    // `invalid bearer token` beside another error only says that the others passed.
    parts
        .iter()
        .filter_map(|part| single(part))
        .find(|reason| *reason != Reason::UnknownIssuer {})
        .or_else(|| parts.iter().find_map(|part| single(part)))
        .unwrap_or_else(|| Reason::Text(TextMatch::Is(text.to_owned())))
}

/// How the errors of one authenticator begin; an aggregate is split where one of these follows a
/// comma, because the errors themselves hold commas and brackets.
const BEGINNINGS: [&str; 15] = [
    "oidc: ",
    "invalid bearer token",
    "service account ",
    "token audiences ",
    "invalid signature",
    "token issuer ",
    "x509: ",
    "verifying certificate ",
    BOUND[0],
    BOUND[1],
    BOUND[2],
    BOUND[3],
    REPLACED[0],
    REPLACED[1],
    REPLACED[2],
];

/// How a token is told to be bound to something that is gone.
const BOUND: [&str; 4] = ["serviceaccounts \"", "pods \"", "secrets \"", "nodes \""];

/// And to something that there is another of by now.
const REPLACED: [&str; 3] = ["pod UID ", "secret UID ", "node UID "];

/// `[a, b]`, as `k8s.io/apimachinery/pkg/util/errors` prints more than one error.
fn aggregate(text: &str) -> Vec<&str> {
    let Some(inner) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    else {
        return vec![text];
    };
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in inner.match_indices(", ") {
        let next = &inner[at + 2..];
        if BEGINNINGS
            .iter()
            .any(|beginning| next.starts_with(beginning))
        {
            parts.push(&inner[start..at]);
            start = at + 2;
        }
    }
    parts.push(&inner[start..]);
    parts
}

/// One form of text.
type Form = fn(&str) -> Option<Reason>;

const FORMS: [Form; 15] = [
    // First: what is wrong with the fetched token is said in words that others have, too.
    elsewhere,
    plain,
    audience,
    time,
    algorithm,
    keys,
    not_initialized,
    required_claim,
    rule,
    expression,
    claim,
    other_token,
    rbac,
    escalation,
    forbidden,
];

fn single(text: &str) -> Option<Reason> {
    FORMS.iter().find_map(|form| form(text))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn plain(text: &str) -> Option<Reason> {
    Some(match text {
        "invalid bearer token" => Reason::UnknownIssuer {},
        "oidc: email not verified" => Reason::EmailNotVerified {},
        "oidc: authenticator not initialized" => Reason::NotInitialized { issuer: None },
        "oidc: empty username via CEL expression is not allowed" => Reason::EmptyUsername {},
        "invalid signature, no keys found" => Reason::Signature {},
        "service account token has expired" => Reason::Expired { at: None },
        "service account token is not valid yet" => Reason::NotYetValid { from: None },
        _ if text.ends_with("failed to verify id token signature") => Reason::Signature {},
        _ => return None,
    })
}

fn audience(text: &str) -> Option<Reason> {
    let (want, got) = if let Some(at) = text.find("expected audience in ") {
        let (want, rest) = list(&text[at + "expected audience in ".len()..])?;
        (want, list(rest.strip_prefix(" got ")?)?.0)
    } else if let Some(at) = text.find("expected audience ") {
        let (want, rest) = quoted(&text[at + "expected audience ".len()..])?;
        (vec![want], list(rest.strip_prefix(" got ")?)?.0)
    } else {
        let (got, rest) = list(text.strip_prefix("token audiences ")?)?;
        let rest = rest.strip_prefix(" is invalid for the target audiences ")?;
        (list(rest)?.0, got)
    };
    Some(Reason::Audience {
        got: Some(got),
        want: Some(want),
    })
}

fn time(text: &str) -> Option<Reason> {
    if let Some(at) = between(text, "token is expired (Token Expiry: ", ")") {
        return Some(Reason::Expired { at: some(at) });
    }
    let from = between(text, "before the nbf (not before) time: ", "")?;
    Some(Reason::NotYetValid { from: some(from) })
}

fn algorithm(text: &str) -> Option<Reason> {
    let rest = between(text, "signed with unsupported algorithm, expected ", "")?;
    let (want, rest) = list(rest)?;
    let (got, _) = quoted(rest.strip_prefix(" got ")?)?;
    Some(Reason::Algorithm {
        got: Some(got),
        want: Some(want),
    })
}

fn keys(text: &str) -> Option<Reason> {
    let message = between(text, "failed to verify signature: fetching keys ", "")?;
    Some(Reason::Keys {
        message: some(message),
    })
}

fn not_initialized(text: &str) -> Option<Reason> {
    let rest = text.strip_prefix("oidc: authenticator for issuer ")?;
    let (issuer, rest) = quoted(rest)?;
    rest.starts_with(" is not ")
        .then_some(Reason::NotInitialized {
            issuer: Some(issuer),
        })
}

fn required_claim(text: &str) -> Option<Reason> {
    let rest = text.strip_prefix("oidc: required claim ")?;
    if let Some(claim) = rest.strip_suffix(" not present in ID token") {
        return Some(Reason::RequiredClaim {
            claim: some(claim),
            got: None,
            want: None,
        });
    }
    let (claim, rest) = rest.split_once(" value does not match. Got = ")?;
    let (got, want) = rest.split_once(", want = ")?;
    Some(Reason::RequiredClaim {
        claim: some(claim),
        got: some(got),
        want: some(want),
    })
}

fn rule(text: &str) -> Option<Reason> {
    let failed = |rest: &str| -> Option<(Option<String>, Option<String>)> {
        let rest = rest.strip_prefix("validation expression '")?;
        let (expression, message) = rest.split_once("' failed: ")?;
        Some((some(expression), some(message)))
    };
    if let Some(rest) = text.strip_prefix("oidc: error evaluating claim validation expression: ") {
        let (expression, message) = failed(rest)?;
        return Some(Reason::ClaimRule {
            expression,
            message,
        });
    }
    let rest = text.strip_prefix("oidc: error evaluating user info validation rule: ")?;
    let (expression, message) = failed(rest)?;
    Some(Reason::UserRule {
        expression,
        message,
    })
}

fn expression(text: &str) -> Option<Reason> {
    let rest = text.strip_prefix("oidc: error evaluating ")?;
    let (mapping, message) = [
        ("username claim expression: ", "username"),
        ("group claim expression: ", "groups"),
        ("uid claim expression: ", "uid"),
        ("extra claim expression: ", "extra"),
        ("claim validation expression: ", "claimRule"),
        ("user info validation rule: ", "userRule"),
    ]
    .iter()
    .find_map(|(words, mapping)| Some((*mapping, rest.strip_prefix(words)?)))?;
    let inner = message
        .strip_prefix("expression '")
        .and_then(|rest| rest.split_once("' resulted in error: "));
    Some(Reason::Expression {
        mapping: some(mapping),
        expression: inner.map(|(expression, _)| expression.to_owned()),
        message: some(inner.map_or(message, |(_, message)| message)),
    })
}

fn claim(text: &str) -> Option<Reason> {
    if let Some(message) = text.strip_prefix("oidc: parse 'email_verified' claim: ") {
        return Some(Reason::ClaimType {
            claim: some("email_verified"),
            message: some(message),
        });
    }
    if let Some(rest) = text.strip_prefix("oidc: parse claim ") {
        let (claim, message) = rest.split_once(": ")?;
        return Some(Reason::ClaimType {
            claim: some(claim),
            message: some(message),
        });
    }
    let rest = text.strip_prefix("oidc: parse ")?;
    let (mapping, rest) = [
        ("username claims ", "username"),
        ("groups claim ", "groups"),
        ("uid claim ", "uid"),
    ]
    .iter()
    .find_map(|(words, mapping)| Some((*mapping, rest.strip_prefix(words)?)))?;
    let (claim, rest) = quoted(rest)?;
    let message = rest.strip_prefix(": ")?;
    Some(if message == "claim not present" {
        Reason::ClaimMissing {
            claim: Some(claim),
            mapping: some(mapping),
        }
    } else {
        Reason::ClaimType {
            claim: Some(claim),
            message: some(message),
        }
    })
}

fn elsewhere(text: &str) -> Option<Reason> {
    let message = text.strip_prefix("oidc: could not expand distributed claims: ")?;
    Some(Reason::DistributedClaims {
        message: some(message),
    })
}

fn other_token(text: &str) -> Option<Reason> {
    if let Some(message) = text.strip_prefix("oidc: verify token: ") {
        let malformed = ["oidc: malformed jwt", "oidc: failed to unmarshal claims"]
            .iter()
            .any(|words| message.starts_with(words));
        return malformed.then(|| Reason::Malformed {
            message: some(message),
        });
    }
    let mut words = ["service account ", "Token has been "]
        .into_iter()
        .chain(REPLACED);
    let account = words.any(|words| text.starts_with(words));
    // What a token is bound to, and is no more.
    let gone = text.ends_with("\" not found") && BOUND.iter().any(|kind| text.starts_with(kind));
    (account || gone).then(|| Reason::ServiceAccount {
        message: some(text),
    })
}

fn rbac(text: &str) -> Option<Reason> {
    let rest = text.strip_prefix("RBAC: ")?;
    if let Some(rest) = rest.strip_prefix("allowed by ") {
        let (binding, rest) = object(rest)?;
        let (role, rest) = object(rest.strip_prefix(" of ")?)?;
        let (subject, _) = object(rest.strip_prefix(" to ")?)?;
        return Some(Reason::Rbac {
            binding: Some(binding),
            role: Some(role),
            subject: Some(subject),
        });
    }
    let rest = rest.trim_start_matches('[');
    let (kind, rest) = rest.split_once(".rbac.authorization.k8s.io ")?;
    let (name, rest) = quoted(rest)?;
    rest.starts_with(" not found")
        .then(|| Reason::RoleNotFound {
            kind: some(kind),
            name: Some(name),
        })
}

/// `Kind "name"` or `Kind "name/namespace"`.
fn object(text: &str) -> Option<(Object, &str)> {
    let (kind, rest) = text.split_once(' ')?;
    let (name, rest) = quoted(rest)?;
    let namespaced = matches!(kind, "RoleBinding" | "ServiceAccount");
    let (name, namespace) = match name.split_once('/') {
        Some((name, namespace)) if namespaced => (name.to_owned(), some(namespace)),
        _ => (name, None),
    };
    let object = Object {
        kind: some(kind),
        name: Some(name),
        namespace,
    };
    Some((object, rest))
}

fn escalation(text: &str) -> Option<Reason> {
    let before = text.find(" is attempting to grant RBAC permissions not currently held")?;
    let user = text[..before].rfind("user \"")?;
    let (user, _) = quoted(&text[user + "user ".len()..])?;
    Some(Reason::Escalation { user: Some(user) })
}

fn forbidden(text: &str) -> Option<Reason> {
    let at = text.find("User \"")?;
    let (user, rest) = quoted(&text[at + "User ".len()..])?;
    let (verb, rest) = rest.strip_prefix(" cannot ")?.split_once(' ')?;
    let (user, verb) = (Some(user), some(verb));
    if let Some(rest) = rest.strip_prefix("path ") {
        return Some(Reason::Forbidden {
            user,
            verb,
            resource: None,
            group: None,
            namespace: None,
            path: Some(quoted(rest)?.0),
        });
    }
    let (resource, rest) = quoted(rest.strip_prefix("resource ")?)?;
    let (group, rest) = quoted(rest.strip_prefix(" in API group ")?)?;
    let namespace = match rest.strip_prefix(" in the namespace ") {
        Some(rest) => Some(quoted(rest)?.0),
        None => None,
    };
    Some(Reason::Forbidden {
        user,
        verb,
        resource: Some(resource),
        group: Some(group),
        namespace,
        path: None,
    })
}
