//! What a definition's rules are refused for, in the server's words.

use std::sync::Arc;

use authlab_authn::cel::CompileError;
use authlab_rbac::validation::{FieldError, FieldErrorKind};
use serde_json::{Value, json};

use super::Schema;
use super::rules::{Written, own_shape};

const REASONS: [&str; 4] = [
    "FieldValueDuplicate",
    "FieldValueForbidden",
    "FieldValueInvalid",
    "FieldValueRequired",
];

const RULES: &str = "x-kubernetes-validations";

/// What is wrong with how the rules of a schema are written, whatever they mean.
pub(super) fn form(schema: &Schema, path: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (index, written) in schema.rules.iter().enumerate() {
        let at = |field: &str| format!("{path}.{RULES}[{index}].{field}");
        let breaks = |text: &str| text.contains(['\n', '\r']);
        let (rule, message) = (written.rule.trim(), written.message.trim());
        if rule.is_empty() {
            errors.push(FieldError::required(at("rule"), "rule is not specified"));
        } else if !written.message.is_empty() && message.is_empty() {
            let why = "must be non-empty if specified";
            errors.push(FieldError::invalid(at("message"), &written.message, why));
        } else if breaks(message) {
            let why = "must not contain line breaks";
            errors.push(FieldError::invalid(at("message"), &written.message, why));
        } else if breaks(rule) && message.is_empty() {
            let why = "message must be specified if rule contains line breaks";
            errors.push(FieldError::required(at("message"), why));
        }
        if !written.message_expression.is_empty() && written.message_expression.trim().is_empty() {
            let why = "messageExpression must be non-empty if specified";
            errors.push(FieldError::required(at("messageExpression"), why));
        }
        if let Some(reason) = &written.reason
            && !REASONS.contains(&reason.as_str())
        {
            errors.push(FieldError::unsupported(at("reason"), reason, &REASONS));
        }
        let place = written.field_path.as_str();
        let mut wrong = Vec::new();
        if !place.is_empty() && place.trim().is_empty() {
            wrong.push("must be non-empty if specified");
        }
        if breaks(place) {
            wrong.push("must not contain line breaks");
        }
        if !place.is_empty() && !leads_somewhere(schema, place) {
            wrong.push("must be a valid path");
        }
        errors.extend(
            wrong
                .into_iter()
                .map(|why| FieldError::invalid(at("fieldPath"), place, why)),
        );
    }
    errors
}

/// Whether a path like `.a.b` or `.a['b']` leads to something in a schema.
fn leads_somewhere(schema: &Schema, path: &str) -> bool {
    let (mut at, mut rest) = (Some(schema), path);
    while !rest.is_empty() {
        let Some(here) = at else { return false };
        if let Some(key) = rest.strip_prefix("['") {
            let Some((name, after)) = key.split_once("']") else {
                return false;
            };
            (at, rest) = (here.property(name).or(here.other()), after);
        } else if let Some(name) = rest.strip_prefix('.') {
            let end = name.find(['.', '[']).unwrap_or(name.len());
            (at, rest) = (here.property(&name[..end]), &name[end..]);
        } else {
            return false;
        }
    }
    at.is_some()
}

/// What is wrong with what the rules of a schema say. `lost` is where, on the way, what was there
/// before cannot be told any more.
pub(super) fn meaning(
    schema: &Schema,
    path: &str,
    root: bool,
    lost: Option<&str>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if schema.rules.is_empty() {
        return errors;
    }
    let place = format!("{path}.{RULES}");
    let Some(shape) = own_shape(schema, root) else {
        let why = "internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations";
        errors.push(FieldError {
            kind: FieldErrorKind::Internal,
            ..FieldError::required(place, why)
        });
        return errors;
    };
    let shape = Arc::new(shape);
    for (index, written) in schema.rules.iter().enumerate() {
        let at = |field: &str| format!("{place}[{index}].{field}");
        let refused =
            |field: &str, why: String| FieldError::invalid_json(at(field), printed(written), why);
        let rule = match written.rule(&shape) {
            Ok(rule) => rule,
            Err(CompileError::NotBool) => {
                let why = "cel expression must evaluate to a bool".to_owned();
                errors.push(refused("rule", why));
                continue;
            }
            Err(error) => {
                errors.push(refused("rule", error.to_string()));
                continue;
            }
        };
        if let Some(Err(error)) = written.message(&shape) {
            errors.push(refused(
                "messageExpression",
                format!("messageExpression {error}"),
            ));
        }
        match (rule.uses_old(), lost, written.optional_old_self) {
            (true, Some(lost), _) => {
                let why = format!(
                    "oldSelf cannot be used on the uncorrelatable portion of the schema within {lost}"
                );
                errors.push(FieldError::invalid(at("rule"), &written.rule, why));
            }
            (false, _, Some(given)) => {
                let why = "may not be set if oldSelf is not used in rule";
                let given = given.to_string();
                errors.push(FieldError::invalid_json(at("optionalOldSelf"), given, why));
            }
            _ => {}
        }
    }
    errors
}

/// A rule as Go shows it.
fn printed(written: &Written) -> String {
    let text = |text: &str| json!(text).to_string();
    let reason = Value::from(written.reason.clone());
    let optional = Value::from(written.optional_old_self);
    format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{reason},\"FieldPath\":{},\"OptionalOldSelf\":{optional}}}",
        text(&written.rule),
        text(&written.message),
        text(&written.message_expression),
        text(&written.field_path),
    )
}
