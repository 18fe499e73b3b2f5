//! Changes that may help a refused token over the stage that refused it, the gentlest first. Whether one does is for
//! the engine to say.

use serde_json::{Map, Value as Json, json};

use super::subject::{Change, SIGNING_ALGS};
use crate::{
    cel::{self, Scope, Value},
    config::{AuthenticationConfiguration, JwtAuthenticator, PrefixedClaimOrExpression},
    token::Stage,
};

/// A token as far as it matters here.
pub(super) struct About<'a> {
    pub(super) config: &'a AuthenticationConfiguration,
    pub(super) claims: &'a Map<String, Json>,
    pub(super) algorithm: &'a str,
    /// The user that the mappings make, when they make one.
    pub(super) user: Option<Json>,
}

impl About<'_> {
    fn text(&self, claim: &str) -> &str {
        self.claims[claim].as_str().unwrap_or_default()
    }

    fn audiences(&self) -> Vec<&str> {
        match self.claims.get("aud") {
            Some(Json::String(one)) => vec![one],
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// The audience of a token that says most about whom it is for.
    fn audience(&self) -> Option<&str> {
        let all = self.audiences();
        let telling = all.iter().find(|audience| **audience != "account");
        telling.or(all.first()).copied()
    }

    /// Claims with a value of the right kind, those with a name like `wanted` first, then those that often serve.
    fn alike(
        &self,
        wanted: &str,
        usual: &[&'static str],
        fits: impl Fn(&Json) -> bool,
    ) -> Vec<String> {
        let mut found: Vec<(f64, &String)> = self
            .claims
            .iter()
            .filter(|(name, value)| *name != wanted && fits(value))
            .map(|(name, _)| (likeness(wanted, name), name))
            .filter(|(likeness, _)| *likeness > 0.84)
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut names: Vec<String> = found.into_iter().map(|(_, name)| name.clone()).collect();
        for name in usual {
            if *name != wanted && self.claims.get(*name).is_some_and(&fits) {
                names.push((*name).to_owned());
            }
        }
        names
    }
}

fn likeness(left: &str, right: &str) -> f64 {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_', '.', ':', '/'], "");
    let (left, right) = (plain(left), plain(right));
    // The last part of a long name counts as much as the whole: `https://example.com/groups`.
    if left.len() > 3 && right.len() > 3 && (left.ends_with(&right) || right.ends_with(&left)) {
        return 0.95;
    }
    strsim::jaro_winkler(&left, &right)
}

/// The nearest claim to a name that the token has.
pub(super) fn nearest_claim<'a>(claims: &'a Map<String, Json>, wanted: &str) -> Option<&'a str> {
    claims
        .keys()
        .map(|name| (likeness(wanted, name), name.as_str()))
        .filter(|(likeness, _)| *likeness > 0.84)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Whether two issuers differ in form only: capital letters, http and https, a slash at the end, localhost and
/// 127.0.0.1.
#[must_use]
pub fn nearly_same_issuer(left: &str, right: &str) -> bool {
    let plain = |url: &str| {
        let url = url.to_lowercase();
        let url = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        url.trim_end_matches('/').replace("localhost", "127.0.0.1")
    };
    plain(left) == plain(right)
}

/// What may help a token that no authenticator takes.
pub(super) fn unclaimed(about: &About<'_>) -> Vec<Vec<Change>> {
    let issuer = about.text("iss");
    let mut out = Vec::new();
    for (index, jwt) in about.config.jwt.iter().enumerate() {
        if nearly_same_issuer(&jwt.issuer.url, issuer) {
            out.push(vec![Change::set(
                format!("jwt[{index}].issuer.url"),
                issuer,
            )]);
        }
    }
    if let Some(audience) = about.audience() {
        let host = issuer.split("://").nth(1).unwrap_or(issuer);
        let host = host.split(['/', ':']).next().unwrap_or(host);
        out.push(vec![Change::set(
            format!("jwt[{}]", about.config.jwt.len()),
            json!({
                "issuer": {"url": issuer, "audiences": [audience]},
                "claimMappings": {"username": {"claim": "sub", "prefix": format!("{host}:")}},
            }),
        )]);
    }
    out.push(vec![Change::set("jwt[0].issuer.url", issuer)]);
    out
}

/// What may help over a stage of the authenticator with that index.
pub(super) fn of(stage: Stage, index: usize, about: &About<'_>) -> Vec<Vec<Change>> {
    let Some(jwt) = about.config.jwt.get(index) else {
        return Vec::new();
    };
    let root = format!("jwt[{index}]");
    let mappings = format!("{root}.claimMappings");
    match stage {
        Stage::Algorithm => {
            let mut allowed = about.config.signing_algs.clone();
            allowed.push(about.algorithm.to_owned());
            vec![vec![Change::set(SIGNING_ALGS, allowed)]]
        }
        Stage::Audience => audience(jwt, &root, about),
        Stage::Username => username(jwt, &format!("{mappings}.username"), about),
        Stage::Groups => {
            let groups = &jwt.claim_mappings.groups;
            let path = format!("{mappings}.groups");
            let list = |value: &Json| match value {
                Json::Array(items) => items.iter().all(Json::is_string),
                _ => false,
            };
            let mut out = if groups.expression.is_empty() {
                renamed(
                    &path,
                    about.alike(&groups.claim, &["groups", "roles"], list),
                )
            } else {
                let orelse = ".orValue([])";
                rewritten(
                    &format!("{path}.expression"),
                    &groups.expression,
                    orelse,
                    about,
                )
            };
            out.push(vec![Change::remove(path)]);
            out
        }
        Stage::Uid => {
            let uid = &jwt.claim_mappings.uid;
            let path = format!("{mappings}.uid");
            let mut out = if uid.expression.is_empty() {
                renamed(&path, about.alike(&uid.claim, &["sub"], Json::is_string))
            } else {
                rewritten(&format!("{path}.expression"), &uid.expression, "", about)
            };
            out.push(vec![Change::remove(path)]);
            out
        }
        Stage::Extra(item) => {
            let path = format!("{mappings}.extra[{item}]");
            let source = jwt.claim_mappings.extra.get(item);
            let source = source.map_or("", |extra| extra.value_expression.as_str());
            let expression = format!("{path}.valueExpression");
            let mut out = rewritten(&expression, source, ".orValue('')", about);
            out.push(vec![Change::remove(path)]);
            out
        }
        Stage::RequiredClaim(item) => required(jwt, item, &root, about),
        Stage::ClaimRule(item) => {
            let path = format!("{root}.claimValidationRules[{item}]");
            let source = jwt.claim_validation_rules.get(item);
            let source = source.map_or("", |rule| rule.expression.as_str());
            let expression = format!("{path}.expression");
            let mut out = rewritten(&expression, source, "", about);
            let input = Json::Object(about.claims.clone());
            out.extend(exchanged(&expression, source, Scope::Claims, &input));
            out.push(vec![Change::remove(path)]);
            out
        }
        Stage::UserRule(item) => {
            let path = format!("{root}.userValidationRules[{item}]");
            let source = jwt.user_validation_rules.get(item);
            let source = source.map_or("", |rule| rule.expression.as_str());
            let prefix = |what: &str| Change::set(format!("{mappings}.{what}.prefix"), "oidc:");
            let bare = |mapping: &PrefixedClaimOrExpression| mapping.prefix.as_deref() == Some("");
            let mapped = &jwt.claim_mappings;
            let mut out = Vec::new();
            match (bare(&mapped.username), bare(&mapped.groups)) {
                (true, true) => {
                    out.push(vec![prefix("username")]);
                    out.push(vec![prefix("groups")]);
                    out.push(vec![prefix("username"), prefix("groups")]);
                }
                (true, false) => out.push(vec![prefix("username")]),
                (false, true) => out.push(vec![prefix("groups")]),
                (false, false) => {}
            }
            if let Some(user) = &about.user {
                let expression = format!("{path}.expression");
                out.extend(exchanged(&expression, source, Scope::User, user));
            }
            out.push(vec![Change::remove(path)]);
            out
        }
        Stage::Payload | Stage::Expiry | Stage::NotBefore | Stage::DistributedGroups => Vec::new(),
    }
}

fn audience(jwt: &JwtAuthenticator, root: &str, about: &About<'_>) -> Vec<Vec<Change>> {
    let Some(audience) = about.audience() else {
        return Vec::new();
    };
    let path = format!("{root}.issuer.audiences");
    let mut all = jwt.issuer.audiences.clone();
    all.push(audience.to_owned());
    let mut added = vec![Change::set(&path, all)];
    if jwt.issuer.audience_match_policy.is_empty() {
        let policy = format!("{root}.issuer.audienceMatchPolicy");
        added.push(Change::set(policy, "MatchAny"));
    }
    // Flags know one audience only.
    vec![added, vec![Change::set(path, vec![audience])]]
}

fn username(jwt: &JwtAuthenticator, path: &str, about: &About<'_>) -> Vec<Vec<Change>> {
    let username = &jwt.claim_mappings.username;
    if !username.expression.is_empty() {
        let expression = format!("{path}.expression");
        return rewritten(&expression, &username.expression, "", about);
    }
    let usual = ["email", "preferred_username", "name", "sub"];
    let text = |value: &Json| value.as_str().is_some_and(|text| !text.is_empty());
    renamed(path, about.alike(&username.claim, &usual, text))
}

fn renamed(path: &str, names: Vec<String>) -> Vec<Vec<Change>> {
    let claims = names.into_iter();
    claims
        .map(|name| vec![Change::set(format!("{path}.claim"), name)])
        .collect()
}

fn required(
    jwt: &JwtAuthenticator,
    item: usize,
    root: &str,
    about: &About<'_>,
) -> Vec<Vec<Change>> {
    let Some(rule) = jwt.claim_validation_rules.get(item) else {
        return Vec::new();
    };
    let path = format!("{root}.claimValidationRules[{item}]");
    let same = |value: &Json| value.as_str() == Some(&rule.required_value);
    let alike = about.alike(&rule.claim, &[], same);
    let mut out = renamed(&path, alike);
    match about.claims.get(&rule.claim) {
        Some(Json::String(value)) => {
            let value = value.as_str();
            out.push(vec![Change::set(format!("{path}.requiredValue"), value)]);
        }
        Some(value @ (Json::Bool(_) | Json::Number(_))) => {
            let expression = format!("claims.{} == {value}", rule.claim);
            out.push(vec![Change::set(
                path.clone(),
                json!({"expression": expression}),
            )]);
        }
        _ => {}
    }
    out.push(vec![Change::remove(path)]);
    out
}

/// The expression with other claims for those that the token lacks, with `or_else` behind them, or made to return what
/// a mapping takes.
fn rewritten(path: &str, source: &str, or_else: &str, about: &About<'_>) -> Vec<Vec<Change>> {
    let Ok(program) = cel::compile(source, Scope::Claims, cel::Output::Any) else {
        return Vec::new();
    };
    let mut texts = Vec::new();
    for read in program.reads() {
        let Some(missing) = read
            .first()
            .filter(|name| !about.claims.contains_key(*name))
        else {
            continue;
        };
        let from = format!("claims.{missing}");
        let usual: &[&str] = match missing.as_str() {
            "nbf" => &["iat"],
            _ => &[],
        };
        for name in about.alike(missing, usual, |_| true) {
            texts.push(source.replace(&from, &selection(&name)));
        }
        if !or_else.is_empty() {
            texts.push(source.replace(&from, &format!("claims.?{missing}{or_else}")));
        }
    }
    texts.push(format!("{source}.map(item, item)"));
    texts.push(format!("string({source})"));
    texts.retain(|text| text != source);
    let set = |text: String| vec![Change::set(path, text)];
    texts.into_iter().map(set).collect()
}

fn selection(claim: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if claim.chars().all(plain) && !claim.contains("__") {
        format!("claims.{claim}")
    } else {
        format!("claims[{}]", Json::from(claim))
    }
}

/// The expression with what it compares with exchanged for what the token has.
fn exchanged(path: &str, source: &str, scope: Scope, input: &Json) -> Vec<Vec<Change>> {
    let Ok(program) = cel::compile(source, scope, cel::Output::Any) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for compared in program.compared(input) {
        let value = match &compared.value {
            Value::String(text) => Json::from(text.as_str()).to_string(),
            Value::Double(number) => number.to_string(),
            Value::Int(number) => number.to_string(),
            _ => continue,
        };
        let literal = match compared.operator {
            "==" | "<=" | ">=" => value,
            "in" => format!(", {value}"),
            // Beyond the value by one.
            "<" | ">" => {
                let Ok(number) = value.parse::<f64>() else {
                    continue;
                };
                let beyond = if compared.operator == "<" { 1.0 } else { -1.0 };
                (number + beyond).to_string()
            }
            _ => continue,
        };
        let mut text = source.to_owned();
        text.replace_range(compared.at, &literal);
        out.push(vec![Change::set(path, text)]);
    }
    out
}
