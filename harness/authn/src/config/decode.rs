//! From a file's text to the configuration: JSON or YAML, version and kind, strict fields.

use serde::Deserialize;

use super::{AuthenticationConfiguration, schema};
use crate::{
    golang::{
        decode::{self, Decoded, Options, Struct, Type},
        json,
        quote::quote,
    },
    tree::Node,
    yaml11,
};

/// The name of the server's type registry is the place in its source that makes it, as a server built from Go modules
/// prints it.
const SCHEME: &str = "pkg/runtime/scheme.go:111";

pub(super) fn decode(text: &str) -> Result<AuthenticationConfiguration, String> {
    if text.is_empty() {
        return Err("empty config data".to_owned());
    }
    // What begins with a brace is JSON, and YAML is not tried.
    let is_json = text.trim_start().starts_with('{');
    let document = if is_json {
        json::parse(text)
            .map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?
    } else {
        yaml11::parse_spanned(text).map_err(|error| error.to_string())?
    };
    let (group_version, kind) = version_and_kind(&document)?;
    if kind.is_empty() {
        return Err(format!("Object 'Kind' is missing in '{text}'"));
    }
    if group_version.1.is_empty() {
        return Err(format!("Object 'apiVersion' is missing in '{text}'"));
    }
    let (version, ty) = registered(&group_version, &kind)?;
    let options = Options {
        case_sensitive: true,
        strict: true,
        version,
        text,
    };
    let Decoded { value, mut strict } = decode::decode(&document, Type::Struct(ty), options)?;
    if !is_json && let Ok(Some(error)) = yaml11::duplicate_keys(text) {
        strict.insert(0, error.to_string());
    }
    if !strict.is_empty() {
        return Err(format!("strict decoding error: {}", strict.join(", ")));
    }
    if kind != "AuthenticationConfiguration" {
        return Err(format!(
            "expected AuthenticationConfiguration, got *apiserver.{kind}"
        ));
    }
    AuthenticationConfiguration::deserialize(value).map_err(|error| error.to_string())
}

fn version_and_kind(document: &Node) -> Result<((String, String), String), String> {
    let options = Options::plain("");
    let found = decode::decode(document, Type::Struct(&schema::FIND_KIND), options)
        .map_err(|error| format!("couldn't get version/kind; json parse error: {error}"))?;
    let field = |name: &str| {
        let text = found.value.get(name).and_then(|value| value.as_str());
        text.unwrap_or_default().to_owned()
    };
    let api_version = field("apiVersion");
    let group_version = match api_version.matches('/').count() {
        0 => (String::new(), api_version),
        1 if api_version == "/" => (String::new(), String::new()),
        1 => api_version
            .split_once('/')
            .map(|(group, version)| (group.to_owned(), version.to_owned()))
            .unwrap_or_default(),
        _ => return Err(format!("unexpected GroupVersion string: {api_version}")),
    };
    Ok((group_version, field("kind")))
}

fn registered(
    (group, version): &(String, String),
    kind: &str,
) -> Result<(&'static str, &'static Struct), String> {
    let versions = ["v1", "v1beta1", "v1alpha1"];
    let known = versions.iter().find(|known| *known == version);
    let ty = schema::of(version, kind).filter(|_| group == schema::GROUP);
    if let (Some(version), Some(ty)) = (known, ty) {
        return Ok((version, ty));
    }
    let kind = quote(kind);
    if version == "__internal" {
        return Err(format!(
            "no kind {kind} is registered for the internal version of group {} in scheme {}",
            quote(group),
            quote(SCHEME)
        ));
    }
    let group_version = if group.is_empty() {
        version.clone()
    } else {
        format!("{group}/{version}")
    };
    Err(format!(
        "no kind {kind} is registered for version {} in scheme {}",
        quote(&group_version),
        quote(SCHEME)
    ))
}
