//! From claims to a user: the mappings in their order, then the rules.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{Now, claims::Claims, distributed, standard};
use crate::{
    UserInfo,
    cel::{self, Program, Scope, Value},
    config::{JwtAuthenticator, PrefixedClaimOrExpression},
    golang::{
        json,
        quote::{quote, quote_list},
    },
};

/// The key under which a token's `jti` is kept.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// An expression and its program, which is what hinders it when it does not compile.
struct Expression {
    source: String,
    program: Result<Box<dyn Program>, String>,
}

impl Expression {
    /// `None` for the empty text, which means that there is none.
    fn new(source: &str, scope: Scope) -> Option<Self> {
        (!source.is_empty()).then(|| Self {
            source: source.to_owned(),
            program: cel::compile(source, scope, cel::Output::Any)
                .map_err(|error| error.to_string()),
        })
    }

    fn evaluate(&self, input: &Json) -> Result<Value, String> {
        let program = self.program.as_ref().map_err(Clone::clone)?;
        program.evaluate(input).map_err(|error| {
            let source = &self.source;
            format!("expression '{source}' resulted in error: {error}")
        })
    }
}

/// A validation rule: an expression, and what to say when it is false.
struct Rule {
    expression: Expression,
    message: String,
}

/// One `jwt` entry of a configuration, compiled.
pub(crate) struct Authenticator {
    config: JwtAuthenticator,
    signing_algs: Vec<String>,
    username: Option<Expression>,
    groups: Option<Expression>,
    uid: Option<Expression>,
    extra: Vec<(String, Expression)>,
    /// Sorted, where the server goes through them in random order.
    required_claims: BTreeMap<String, String>,
    claim_rules: Vec<Rule>,
    user_rules: Vec<Rule>,
}

impl Authenticator {
    pub(crate) fn new(config: &JwtAuthenticator, signing_algs: &[String]) -> Self {
        let mappings = &config.claim_mappings;
        let claims = |source: &str| Expression::new(source, Scope::Claims);
        let rule = |source: &str, message: &str, scope: Scope| {
            let message = message.to_owned();
            Expression::new(source, scope).map(|expression| Rule {
                expression,
                message,
            })
        };
        Self {
            config: config.clone(),
            signing_algs: signing_algs.to_vec(),
            username: claims(&mappings.username.expression),
            groups: claims(&mappings.groups.expression),
            uid: claims(&mappings.uid.expression),
            extra: mappings
                .extra
                .iter()
                .filter_map(|extra| Some((extra.key.clone(), claims(&extra.value_expression)?)))
                .collect(),
            required_claims: config
                .claim_validation_rules
                .iter()
                .filter(|rule| !rule.claim.is_empty())
                .map(|rule| (rule.claim.clone(), rule.required_value.clone()))
                .collect(),
            claim_rules: config
                .claim_validation_rules
                .iter()
                .filter_map(|item| rule(&item.expression, &item.message, Scope::Claims))
                .collect(),
            user_rules: config
                .user_validation_rules
                .iter()
                .filter_map(|item| rule(&item.expression, &item.message, Scope::User))
                .collect(),
        }
    }

    /// The issuer whose tokens it judges.
    pub(crate) fn issuer(&self) -> &str {
        &self.config.issuer.url
    }

    /// Whether a token may be signed so.
    ///
    /// # Errors
    /// The server's text when not.
    pub(crate) fn check_algorithm(&self, algorithm: &str) -> Result<(), String> {
        if self.signing_algs.iter().any(|allowed| allowed == algorithm) {
            return Ok(());
        }
        let (allowed, algorithm) = (quote_list(&self.signing_algs), quote(algorithm));
        Err(format!(
            "oidc: verify token: oidc: id token signed with unsupported algorithm, expected {allowed} got {algorithm}"
        ))
    }

    /// Judges the payload of a token whose signature is in order. A distributed groups claim is an error.
    pub(crate) fn authenticate(&self, payload: &str, now: Now) -> Result<UserInfo, String> {
        let claims = self.verify(payload, now)?;
        if let Some(url) = self.distributed_groups(&claims)? {
            let claim = quote(&self.config.claim_mappings.groups.claim);
            let url = quote(&url);
            return Err(format!(
                "oidc: could not expand distributed claims: while getting distributed claim {claim}: Get {url}: \
                 distributed claims are not fetched"
            ));
        }
        self.map(&claims)
    }

    /// Checks the standard claims.
    fn verify(&self, payload: &str, now: Now) -> Result<Claims, String> {
        let node = json::parse(payload).map_err(|error| {
            format!("oidc: verify token: oidc: failed to unmarshal claims: {error}")
        })?;
        let audiences = &self.config.issuer.audiences;
        standard::verify(&node, payload, self.issuer(), audiences, now)
            .map_err(|error| format!("oidc: verify token: {error}"))?;
        Ok(Claims::new(node))
    }

    fn distributed_groups(&self, claims: &Claims) -> Result<Option<String>, String> {
        match self.config.claim_mappings.groups.claim.as_str() {
            "" => Ok(None),
            claim => distributed::endpoint(claims, claim)
                .map_err(|error| format!("oidc: could not expand distributed claims: {error}")),
        }
    }

    /// The user that the claims make, if all rules hold.
    fn map(&self, claims: &Claims) -> Result<UserInfo, String> {
        let input = claims.to_json();
        let user = UserInfo {
            username: self.username(claims, &input)?,
            groups: self.groups(claims, &input)?,
            uid: self.uid(claims, &input)?,
            extra: self.extra(claims, &input)?,
        };
        self.check_required(claims)?;
        check_rules(&self.claim_rules, &input).map_err(|error| {
            format!("oidc: error evaluating claim validation expression: {error}")
        })?;
        if !self.user_rules.is_empty() {
            let user = json!(user);
            check_rules(&self.user_rules, &user).map_err(|error| {
                format!("oidc: error evaluating user info validation rule: {error}")
            })?;
        }
        Ok(user)
    }

    fn username(&self, claims: &Claims, input: &Json) -> Result<String, String> {
        if let Some(expression) = &self.username {
            let wrap = |error| format!("oidc: error evaluating username claim expression: {error}");
            return match expression.evaluate(input).map_err(wrap)? {
                Value::String(name) if name.is_empty() => {
                    Err("oidc: empty username via CEL expression is not allowed".to_owned())
                }
                Value::String(name) => Ok(name),
                _ => Err(wrap(
                    "username claim expression must return a string".to_owned(),
                )),
            };
        }
        let PrefixedClaimOrExpression { claim, prefix, .. } = &self.config.claim_mappings.username;
        let name = claims
            .string(claim)
            .map_err(|error| format!("oidc: parse username claims {}: {error}", quote(claim)))?;
        if claim == "email" && claims.get("email_verified").is_some() {
            let verified = claims
                .bool("email_verified")
                .map_err(|error| format!("oidc: parse 'email_verified' claim: {error}"))?;
            if !verified {
                return Err("oidc: email not verified".to_owned());
            }
        }
        Ok(prefix.clone().unwrap_or_default() + &name)
    }

    fn groups(&self, claims: &Claims, input: &Json) -> Result<Vec<String>, String> {
        let PrefixedClaimOrExpression { claim, prefix, .. } = &self.config.claim_mappings.groups;
        if !claim.is_empty() && claims.get(claim).is_some() {
            let groups = claims
                .strings(claim)
                .map_err(|error| format!("oidc: parse groups claim {}: {error}", quote(claim)))?;
            let prefix = prefix.clone().unwrap_or_default();
            return Ok(groups
                .iter()
                .map(|group| format!("{prefix}{group}"))
                .collect());
        }
        let Some(expression) = &self.groups else {
            return Ok(Vec::new());
        };
        expression
            .evaluate(input)
            .and_then(strings)
            .map_err(|error| format!("oidc: error evaluating group claim expression: {error}"))
    }

    fn uid(&self, claims: &Claims, input: &Json) -> Result<String, String> {
        let claim = self.config.claim_mappings.uid.claim.as_str();
        if !claim.is_empty() {
            return claims
                .string(claim)
                .map_err(|error| format!("oidc: parse uid claim {}: {error}", quote(claim)));
        }
        let Some(expression) = &self.uid else {
            return Ok(String::new());
        };
        let wrap = |error| format!("oidc: error evaluating uid claim expression: {error}");
        match expression.evaluate(input).map_err(wrap)? {
            Value::String(uid) => Ok(uid),
            _ => Err(wrap("uid claim expression must return a string".to_owned())),
        }
    }

    fn extra(
        &self,
        claims: &Claims,
        input: &Json,
    ) -> Result<BTreeMap<String, Vec<String>>, String> {
        let mut extra = BTreeMap::new();
        if let Ok(id) = claims.string("jti")
            && !id.is_empty()
        {
            extra.insert(CREDENTIAL_ID.to_owned(), vec![format!("JTI={id}")]);
        }
        // All are evaluated before the first is looked at, and evaluation errors have no prefix here.
        let values = self.extra.iter();
        let values =
            values.map(|(key, expression)| Ok((key, expression, expression.evaluate(input)?)));
        for (key, expression, value) in values.collect::<Result<Vec<_>, String>>()? {
            let values = strings(value).map_err(|error| {
                let source = &expression.source;
                format!("oidc: error evaluating extra claim expression: {source}: {error}")
            })?;
            if !values.is_empty() {
                extra.insert(key.clone(), values);
            }
        }
        Ok(extra)
    }

    fn check_required(&self, claims: &Claims) -> Result<(), String> {
        for (claim, want) in &self.required_claims {
            if claims.get(claim).is_none() {
                return Err(format!(
                    "oidc: required claim {claim} not present in ID token"
                ));
            }
            let got = claims
                .string(claim)
                .map_err(|error| format!("oidc: parse claim {claim}: {error}"))?;
            if got != *want {
                return Err(format!(
                    "oidc: required claim {claim} value does not match. Got = {got}, want = {want}"
                ));
            }
        }
        Ok(())
    }
}

/// All rules are evaluated before the first is looked at.
fn check_rules(rules: &[Rule], input: &Json) -> Result<(), String> {
    let values: Vec<Value> = rules
        .iter()
        .map(|rule| rule.expression.evaluate(input))
        .collect::<Result<_, _>>()?;
    for (rule, value) in rules.iter().zip(values) {
        match value {
            Value::Bool(true) => {}
            Value::Bool(false) => {
                let (source, message) = (&rule.expression.source, &rule.message);
                return Err(format!(
                    "validation expression '{source}' failed: {message}"
                ));
            }
            _ => return Err("validation expression must return a boolean".to_owned()),
        }
    }
    Ok(())
}

/// A string or a list of strings; empty ones do not count, and null is none.
fn strings(value: Value) -> Result<Vec<String>, String> {
    let wrong = || "expression must return a string or a list of strings".to_owned();
    let items = match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text],
        Value::List(items) => items
            .into_iter()
            .map(|item| match item {
                Value::String(text) => Ok(text),
                _ => Err(wrong()),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(wrong()),
    };
    Ok(items.into_iter().filter(|text| !text.is_empty()).collect())
}
