//! What a custom resource definition is refused for, in the server's words.
//!
//! Rules: Kubernetes docs, "Extend the Kubernetes API with CustomResourceDefinitions", section
//! "Specifying a structural schema"; texts and paths as a kube-apiserver 1.36 answers. Of the
//! rules about defaults only their validity is checked.

use authlab_rbac::quote;
use authlab_rbac::validation::FieldError;
use serde_json::{Value, json};

use super::structural::Walk;
use crate::jsonpath::JsonPath;
use crate::object::{Object, strings};
use crate::resources::validation::dns_1035;

/// The types of printer columns.
const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];

/// Everything wrong with a definition.
pub(crate) fn check(definition: &Value, old: Option<&Value>) -> Vec<FieldError> {
    let spec = &definition["spec"];
    let text = |field: &str| spec[field].as_str().unwrap_or_default();
    let plural = spec["names"]["plural"].as_str().unwrap_or_default();
    let mut errors = Vec::new();
    if definition.name() != format!("{plural}.{}", text("group")) {
        let why = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", definition.name(), why));
    }
    if text("group").is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    }
    match text("scope") {
        "" => errors.push(FieldError::required("spec.scope", "")),
        "Cluster" | "Namespaced" => {}
        other => errors.push(FieldError::unsupported(
            "spec.scope",
            other,
            &["Cluster", "Namespaced"],
        )),
    }
    versions(spec, &mut errors);
    names(&spec["names"], &mut errors);
    conversion(&spec["conversion"], &mut errors);
    if spec["preserveUnknownFields"] == true {
        let why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
        errors.push(FieldError::invalid_json(
            "spec.preserveUnknownFields",
            "true".to_owned(),
            why,
        ));
    }
    approval(definition, &mut errors);
    if let Some(old) = old.filter(|old| old["status"]["acceptedNames"]["plural"] == plural) {
        for field in ["group", "scope"] {
            if spec[field] != old["spec"][field] {
                errors.push(immutable(&format!("spec.{field}"), &spec[field]));
            }
        }
        if spec["names"]["kind"] != old["spec"]["names"]["kind"] {
            errors.push(immutable("spec.names.kind", &spec["names"]["kind"]));
        }
    }
    errors
}

fn immutable(field: &str, value: &Value) -> FieldError {
    FieldError::invalid_json(field, value.to_string(), "field is immutable")
}

fn names(names: &Value, errors: &mut Vec<FieldError>) {
    let text = |field: &str| names[field].as_str().unwrap_or_default();
    for (field, lower) in [
        ("plural", true),
        ("singular", true),
        ("kind", false),
        ("listKind", false),
    ] {
        let path = format!("spec.names.{field}");
        let name = text(field);
        // What is derived from an empty kind is missing as well.
        if name.is_empty() || field == "listKind" && text("kind").is_empty() {
            errors.push(FieldError::required(path, ""));
            continue;
        }
        let wrong = if lower {
            dns_1035(name)
        } else {
            dns_1035(&name.to_lowercase())
        };
        errors.extend(wrong.into_iter().map(|why| {
            let why = if lower {
                why
            } else {
                format!("may have mixed case, but should otherwise match: {why}")
            };
            FieldError::invalid(path.clone(), name, why)
        }));
    }
    if !text("kind").is_empty() && text("kind") == text("listKind") {
        let why = "kind and listKind may not be the same";
        errors.push(FieldError::invalid(
            "spec.names.listKind",
            text("listKind"),
            why,
        ));
    }
    for field in ["shortNames", "categories"] {
        for (index, name) in strings(&names[field]).into_iter().enumerate() {
            let path = format!("spec.names.{field}[{index}]");
            let wrong = dns_1035(name).into_iter();
            errors.extend(wrong.map(|why| FieldError::invalid(path.clone(), name, why)));
        }
    }
}

fn conversion(conversion: &Value, errors: &mut Vec<FieldError>) {
    match conversion["strategy"].as_str().unwrap_or_default() {
        "" => errors.push(FieldError::required("spec.conversion.strategy", "")),
        "None" => {}
        "Webhook" if conversion["webhook"]["clientConfig"].is_object() => {
            // Only this server lacks it, and a request would be answered wrongly.
            let why = "the embedded API server calls no webhooks: use strategy None, or a real API server";
            errors.push(FieldError::forbidden("spec.conversion.strategy", why));
        }
        "Webhook" => {
            let why = "required when strategy is set to Webhook";
            errors.push(FieldError::required(
                "spec.conversion.webhookClientConfig",
                why,
            ));
            if strings(&conversion["webhook"]["conversionReviewVersions"]).is_empty() {
                let field = "spec.conversion.conversionReviewVersions";
                errors.push(FieldError::required(field, ""));
            }
        }
        other => errors.push(FieldError::unsupported(
            "spec.conversion.strategy",
            other,
            &["None", "Webhook"],
        )),
    }
}

fn versions(spec: &Value, errors: &mut Vec<FieldError>) {
    let versions = spec["versions"].as_array().cloned().unwrap_or_default();
    let name = |version: &Value| version["name"].as_str().unwrap_or_default().to_owned();
    // What all versions have in common, the server keeps and names above them.
    let common = |field: &str| versions.iter().all(|one| one[field] == versions[0][field]);
    for (index, version) in versions.iter().enumerate() {
        let path = format!("spec.versions[{index}]");
        let wrong = dns_1035(&name(version)).into_iter();
        errors.extend(
            wrong.map(|why| FieldError::invalid(format!("{path}.name"), &name(version), why)),
        );
        let place = |field: &str, above: &str| match (common(field), index) {
            (true, 0) => Some(format!("spec.{above}")),
            (true, _) => None,
            (false, _) => Some(format!("{path}.{field}")),
        };
        let schema = &version["schema"]["openAPIV3Schema"];
        if !schema.is_object() {
            let field = format!("{path}.schema.openAPIV3Schema");
            errors.push(FieldError::required(field, ""));
        } else if let Some(place) = place("schema", "validation") {
            Walk::new(errors).root(schema, &format!("{place}.openAPIV3Schema"));
        }
        if let Some(place) = place("subresources", "subresources") {
            scale(
                &version["subresources"]["scale"],
                &format!("{place}.scale"),
                errors,
            );
        }
        if let Some(place) = place("additionalPrinterColumns", "additionalPrinterColumns") {
            columns(&version["additionalPrinterColumns"], &place, errors);
        }
        if let Some(place) = place("selectableFields", "selectableFields") {
            selectable(&version["selectableFields"], schema, &place, errors);
        }
    }
    let printed = || {
        let internal = versions.iter().map(|one| {
            let shown = |field: &str| one[field].as_bool().unwrap_or_default();
            format!(
                "{{\"Name\": {},\"Served\": {},\"Storage\": {},\"Deprecated\": {},\"DeprecationWarning\": {},\"Schema\": null,\"Subresources\": null,\"AdditionalPrinterColumns\": null,\"SelectableFields\": null}}",
                quote(&name(one)), shown("served"), shown("storage"), shown("deprecated"),
                one["deprecationWarning"],
            )
        });
        match &spec["versions"] {
            Value::Null => "null".to_owned(),
            _ => format!("[{}]", internal.collect::<Vec<_>>().join(",")),
        }
    };
    let mut known: Vec<String> = versions.iter().map(name).collect();
    known.sort();
    known.dedup();
    if known.len() != versions.len() {
        let why = "must contain unique version names";
        errors.push(FieldError::invalid_json("spec.versions", printed(), why));
    }
    let stored = versions.iter().filter(|one| one["storage"] == true).count();
    if stored != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid_json("spec.versions", printed(), why));
    }
    if stored == 0 {
        let why = "must have at least one stored version";
        let field = "status.storedVersions";
        errors.push(FieldError::invalid_json(field, "null".to_owned(), why));
    }
}

fn scale(scale: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if !scale.is_object() {
        return;
    }
    for (field, root) in [
        ("specReplicasPath", ".spec."),
        ("statusReplicasPath", ".status."),
    ] {
        let value = scale[field].as_str().unwrap_or_default();
        let place = format!("{path}.{field}");
        if value.is_empty() {
            errors.push(FieldError::required(place, ""));
        } else if !value.starts_with(root) {
            let why = format!("should be a json path under {}", root.trim_end_matches('.'));
            errors.push(FieldError::invalid(place, value, why));
        }
    }
}

fn columns(columns: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (index, column) in columns.as_array().into_iter().flatten().enumerate() {
        let text = |field: &str| column[field].as_str().unwrap_or_default();
        let path = format!("{path}[{index}]");
        if text("name").is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        }
        let why = format!("must be one of {}", TYPES.join(","));
        match text("type") {
            "" => errors.push(FieldError::required(format!("{path}.type"), &why)),
            kind if TYPES.contains(&kind) => {}
            kind => errors.push(FieldError::invalid(format!("{path}.type"), kind, why)),
        }
        let field = format!("{path}.JSONPath");
        match text("jsonPath") {
            "" => errors.push(FieldError::required(field, "")),
            text if !text.starts_with('.') => {
                let why = "must be a simple json path starting with .";
                errors.push(FieldError::invalid(field, text, why));
            }
            text if JsonPath::parse(text).is_none() => {
                let why = "this path is not understood by the embedded API server";
                errors.push(FieldError::invalid(field, text, why));
            }
            _ => {}
        }
    }
}

fn selectable(fields: &Value, schema: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for (index, field) in fields.as_array().into_iter().flatten().enumerate() {
        let text = field["jsonPath"].as_str().unwrap_or_default();
        let path = format!("{path}[{index}].jsonPath");
        if text.is_empty() {
            errors.push(FieldError::required(path, ""));
            continue;
        }
        let steps = JsonPath::parse(text);
        let found = steps.as_ref().and_then(JsonPath::fields).map(|names| {
            names
                .into_iter()
                .fold(schema, |schema, name| &schema["properties"][name])
        });
        match found.and_then(|schema| schema["type"].as_str()) {
            Some("string" | "integer" | "boolean") => {}
            Some(_) => {
                let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
                errors.push(FieldError::invalid(path, text, why));
            }
            None => {
                let why = "is an invalid path: does not refer to a valid field";
                errors.push(FieldError::invalid(path, text, why));
            }
        }
    }
}

/// Groups of Kubernetes itself are not free for everybody.
fn approval(definition: &Value, errors: &mut Vec<FieldError>) {
    const KEY: &str = "api-approved.kubernetes.io";
    let group = definition["spec"]["group"].as_str().unwrap_or_default();
    let protected = ["k8s.io", "kubernetes.io"]
        .iter()
        .any(|one| group == *one || group.ends_with(&format!(".{one}")));
    if protected && definition["metadata"]["annotations"][KEY] == json!(null) {
        let why = format!(
            "protected groups must have approval annotation {KEY:?}, see https://github.com/kubernetes/enhancements/pull/1111"
        );
        let field = format!("metadata.annotations[{KEY}]");
        errors.push(FieldError::required(field, &why));
    }
}
