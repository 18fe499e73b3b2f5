//! The claims that every token must have in order: issuer, audience, expiry, and that they are of their types.
//!
//! Source: OpenID Connect Core 1.0 section 3.1.3.7, as the API server's OIDC library applies it.

use serde_json::{Value, json};

use super::{Now, Refused, Stage};
use crate::{
    golang::{
        decode::{self, Options, OwnError, Struct, Type},
        json,
        quote::{quote, quote_list},
        time,
    },
    tree::{Kind, Node},
};

const STRING: Type = Type::String("string");

/// What `nbf` may lie ahead, in seconds; `exp` has no such leeway.
const NOT_BEFORE_LEEWAY: i64 = 60;

static ID_TOKEN: Struct = Struct {
    package: "oidc",
    name: "idToken",
    fields: &[
        ("iss", STRING),
        ("sub", STRING),
        ("aud", Type::Own(audience)),
        ("exp", Type::Own(seconds)),
        ("iat", Type::Own(seconds)),
        ("nbf", Type::Own(optional_seconds)),
        ("nonce", STRING),
        ("at_hash", STRING),
        ("_claim_names", Type::Map(&STRING)),
        ("_claim_sources", Type::Map(&Type::Struct(&CLAIM_SOURCE))),
    ],
    embedded: &[],
};

static CLAIM_SOURCE: Struct = Struct {
    package: "oidc",
    name: "claimSource",
    fields: &[("endpoint", STRING), ("access_token", STRING)],
    embedded: &[],
};

/// Checks the standard claims of a payload, parsed and as text.
///
/// # Errors
/// The library's text.
pub(super) fn verify(
    payload: &Node,
    text: &str,
    issuer: &str,
    audiences: &[String],
    now: Now,
) -> Result<(), Refused> {
    let token = decode::decode(payload, Type::Struct(&ID_TOKEN), Options::plain(text))
        .map_err(|error| {
            Stage::Payload.refused(format!("oidc: failed to unmarshal claims: {error}"))
        })?
        .value;
    sources(&token).map_err(|error| Stage::Payload.refused(error))?;

    let found = token["iss"].as_str().unwrap_or_default();
    let google = issuer == "https://accounts.google.com" && found == "accounts.google.com";
    if found != issuer && !google {
        let (issuer, found) = (quote(issuer), quote(found));
        return Err(Stage::Payload.refused(format!(
            "oidc: id token issued by a different provider, expected {issuer} got {found}"
        )));
    }
    let found: Vec<String> = token["aud"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|audience| audience.as_str().unwrap_or_default().to_owned())
        .collect();
    // A single audience is the library's check, several are the server's own, which comes after the library's.
    let matches = audiences.iter().any(|audience| found.contains(audience));
    let single = match audiences {
        [first, rest @ ..] if rest.iter().all(|other| other == first) => Some(first),
        _ => None,
    };
    if let (false, Some(audience)) = (matches, single) {
        let (audience, found) = (quote(audience), quote_list(&found));
        let text = format!("oidc: expected audience {audience} got {found}");
        return Err(Stage::Audience.refused(text));
    }
    times(&token, now)?;
    if !matches {
        let mut audiences = audiences.to_vec();
        audiences.sort();
        audiences.dedup();
        let (audiences, found) = (quote_list(&audiences), quote_list(&found));
        let text = format!("oidc: expected audience in {audiences} got {found}");
        return Err(Stage::Audience.refused(text));
    }
    Ok(())
}

fn times(token: &Value, now: Now) -> Result<(), Refused> {
    let expiry = token["exp"].as_i64();
    // The largest numbers wrap around in the server and lie in the past.
    let wraps = |seconds: i64| seconds.checked_add(time::SINCE_YEAR_ONE).is_none();
    let before_now = |seconds: i64| {
        wraps(seconds) || seconds < now.seconds || seconds == now.seconds && now.nanos > 0
    };
    if expiry.is_none_or(before_now) {
        let expiry = time::unix(expiry);
        let text = format!("oidc: token is expired (Token Expiry: {expiry})");
        return Err(Stage::Expiry.refused(text));
    }
    if let Some(not_before) = token["nbf"].as_i64()
        && !wraps(not_before)
        && now.seconds + NOT_BEFORE_LEEWAY < not_before
    {
        let (now, not_before) = (time::unix(Some(now.seconds)), time::unix(Some(not_before)));
        let text =
            format!("oidc: current time {now} before the nbf (not before) time: {not_before}");
        return Err(Stage::NotBefore.refused(text));
    }
    Ok(())
}

/// The standard claims of a payload, decoded: `aud` as a list, times as whole seconds.
pub(crate) fn decoded(payload: &Node) -> Option<Value> {
    decode::decode(payload, Type::Struct(&ID_TOKEN), Options::plain(""))
        .ok()
        .map(|decoded| decoded.value)
}

/// Each name of a distributed claim must lead to a source.
fn sources(token: &Value) -> Result<(), String> {
    let names = token["_claim_names"].as_object();
    for source in names.into_iter().flat_map(serde_json::Map::values) {
        let source = source.as_str().unwrap_or_default();
        if source.is_empty() {
            return Err("oidc: failed to obtain source from claim name".to_owned());
        }
        if token["_claim_sources"].get(source).is_none() {
            return Err("oidc: source does not exist".to_owned());
        }
    }
    Ok(())
}

fn wrong_type(node: &Node, wanted: &'static str) -> OwnError {
    OwnError::Type {
        found: node.noun().to_owned(),
        wanted,
    }
}

/// A string or a list of strings.
fn audience(node: &Node) -> Result<Value, OwnError> {
    let item = |node: &Node| match &node.kind {
        Kind::String(text) => Ok(json!(text)),
        Kind::Null => Ok(json!("")),
        _ => Err(wrong_type(node, "string")),
    };
    match &node.kind {
        Kind::String(_) | Kind::Null => Ok(json!([item(node)?])),
        Kind::List(items) => items.iter().map(item).collect(),
        _ => Err(wrong_type(node, "[]string")),
    }
}

/// The least double that no signed 64-bit integer reaches: 2 to the power of 63.
const TOO_LARGE: f64 = 9_223_372_036_854_775_808.0;

/// A number of seconds since 1970, whole or not, as a number or as a string.
fn seconds(node: &Node) -> Result<Value, OwnError> {
    let literal = match &node.kind {
        Kind::Number(literal) => literal.as_str(),
        Kind::String(text) if json::is_number(text) => text,
        Kind::String(_) => return Err(OwnError::NotANumber),
        Kind::Null => "",
        _ => return Err(wrong_type(node, "json.Number")),
    };
    if let Ok(whole) = literal.parse::<i64>() {
        return Ok(json!(whole));
    }
    let problem = match literal.parse::<f64>() {
        // What does not fit becomes the smallest number there is.
        #[expect(clippy::cast_possible_truncation, reason = "the fraction is dropped")]
        Ok(number) if number.abs() < TOO_LARGE => return Ok(json!(number as i64)),
        Ok(number) if number.is_finite() => return Ok(json!(i64::MIN)),
        Ok(_) => "value out of range",
        Err(_) => "invalid syntax",
    };
    Err(OwnError::Text(format!(
        "strconv.ParseFloat: parsing {}: {problem}",
        quote(literal)
    )))
}

fn optional_seconds(node: &Node) -> Result<Value, OwnError> {
    match node.kind {
        Kind::Null => Ok(Value::Null),
        _ => seconds(node),
    }
}
