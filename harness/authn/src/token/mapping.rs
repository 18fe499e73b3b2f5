//! From claims to a user: the mappings in their order, then the rules.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{
    Now, Refused, Stage,
    claims::Claims,
    distributed::{self, Elsewhere},
    standard,
};
use crate::{
    UserInfo,
    cel::{self, Program, Scope, Value},
    config::{JwtAuthenticator, PrefixedClaimOrExpression},
    golang::{
        json,
        quote::{quote, quote_list},
    },
    tree::Node,
};

/// The key under which a token's `jti` is kept.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// What stands before all that the library finds wrong with a token.
const VERIFY: &str = "oidc: verify token: ";

/// A token whose standard claims are in order.
pub(crate) struct Begun {
    claims: Claims,
    /// The claim that has to be fetched before its user is known.
    pub(crate) elsewhere: Option<Elsewhere>,
}

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

/// A validation rule: its index in the configuration, an expression, and what to say when it is false.
struct Rule {
    index: usize,
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
    extra: Vec<(usize, String, Expression)>,
    /// Sorted, where the server goes through them in random order; each with its index in the configuration.
    required_claims: BTreeMap<String, (usize, String)>,
    claim_rules: Vec<Rule>,
    user_rules: Vec<Rule>,
}

/// What the mappings make of claims, each by itself.
pub(crate) struct Seen {
    pub(crate) claims: Json,
    pub(crate) username: Result<String, String>,
    pub(crate) groups: Result<Vec<String>, String>,
    pub(crate) uid: Result<String, String>,
    pub(crate) extra: Result<BTreeMap<String, Vec<String>>, Refused>,
}

impl Authenticator {
    pub(crate) fn new(config: &JwtAuthenticator, signing_algs: &[String]) -> Self {
        let mappings = &config.claim_mappings;
        let claims = |source: &str| Expression::new(source, Scope::Claims);
        let rule = |index: usize, source: &str, message: &str, scope: Scope| {
            let message = message.to_owned();
            Expression::new(source, scope).map(|expression| Rule {
                index,
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
                .enumerate()
                .filter_map(|(index, extra)| {
                    Some((index, extra.key.clone(), claims(&extra.value_expression)?))
                })
                .collect(),
            required_claims: config
                .claim_validation_rules
                .iter()
                .enumerate()
                .filter(|(_, rule)| !rule.claim.is_empty())
                .map(|(index, rule)| (rule.claim.clone(), (index, rule.required_value.clone())))
                .collect(),
            claim_rules: config
                .claim_validation_rules
                .iter()
                .enumerate()
                .filter_map(|(index, item)| {
                    rule(index, &item.expression, &item.message, Scope::Claims)
                })
                .collect(),
            user_rules: config
                .user_validation_rules
                .iter()
                .enumerate()
                .filter_map(|(index, item)| {
                    rule(index, &item.expression, &item.message, Scope::User)
                })
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
            "oidc: id token signed with unsupported algorithm, expected {allowed} got {algorithm}"
        ))
    }

    /// Judges a token by its algorithm and its payload; its signature is somebody else's.
    pub(crate) fn judge(
        &self,
        payload: &str,
        algorithm: &str,
        now: Now,
    ) -> Result<UserInfo, Refused> {
        self.check_algorithm(algorithm)
            .map_err(|error| Stage::Algorithm.refused(format!("{VERIFY}{error}")))?;
        self.authenticate(payload, now)
    }

    /// Judges the payload of a token whose signature is in order. Groups that are elsewhere are an error.
    pub(crate) fn authenticate(&self, payload: &str, now: Now) -> Result<UserInfo, Refused> {
        let begun = self.begin(payload, now)?;
        let Some(Elsewhere { claim, url, .. }) = &begun.elsewhere else {
            return self.map(&begun.claims);
        };
        let (claim, url) = (quote(claim), quote(url));
        Err(not_expanded(format!(
            "while getting distributed claim {claim}: Get {url}: distributed claims are not fetched"
        )))
    }

    /// Checks the standard claims, and says what is missing for the rest.
    pub(crate) fn begin(&self, payload: &str, now: Now) -> Result<Begun, Refused> {
        let verified = self.verify(payload, self.issuer(), now);
        let node = verified.map_err(|refused| {
            let text = format!("{VERIFY}{}", refused.text);
            refused.stage.refused(text)
        })?;
        let claims = Claims::new(node);
        let elsewhere = match self.config.claim_mappings.groups.claim.as_str() {
            "" => None,
            claim => distributed::elsewhere(&claims, claim).map_err(not_expanded)?,
        };
        Ok(Begun { claims, elsewhere })
    }

    /// The user, with what was fetched for `elsewhere`, the token where that pointed: its issuer, its payload.
    pub(crate) fn finish(
        &self,
        begun: Begun,
        fetched: Option<(&str, &str)>,
        now: Now,
    ) -> Result<UserInfo, Refused> {
        let mut claims = begun.claims;
        if let (Some(Elsewhere { claim, url, .. }), Some((issuer, payload))) =
            (begun.elsewhere, fetched)
        {
            let node = self.verify(payload, issuer, now).map_err(|refused| {
                not_expanded(format!("verify distributed claim token: {}", refused.text))
            })?;
            let value = node.get(&claim).ok_or_else(|| {
                let url = quote(&url);
                not_expanded(format!(
                    "jwt returned by distributed claim endpoint {url} did not contain claim: {claim}"
                ))
            })?;
            claims.add(&claim, value.clone());
        }
        self.map(&claims)
    }

    /// Checks the standard claims of a token by this issuer.
    fn verify(&self, payload: &str, issuer: &str, now: Now) -> Result<Node, Refused> {
        let node = json::parse(payload).map_err(|error| {
            Stage::Payload.refused(format!("oidc: failed to unmarshal claims: {error}"))
        })?;
        standard::verify(&node, payload, issuer, &self.config.issuer.audiences, now)?;
        Ok(node)
    }

    /// The user that the claims make, if all rules hold.
    fn map(&self, claims: &Claims) -> Result<UserInfo, Refused> {
        let input = claims.to_json();
        let at = |stage: Stage| move |error: String| stage.refused(error);
        let user = UserInfo {
            username: self.username(claims, &input).map_err(at(Stage::Username))?,
            groups: self.groups(claims, &input).map_err(at(Stage::Groups))?,
            uid: self.uid(claims, &input).map_err(at(Stage::Uid))?,
            extra: self.extra(claims, &input)?,
        };
        self.check_required(claims)?;
        check_rules(&self.claim_rules, &input).map_err(|(index, error)| {
            Stage::ClaimRule(index).refused(format!(
                "oidc: error evaluating claim validation expression: {error}"
            ))
        })?;
        if !self.user_rules.is_empty() {
            check_rules(&self.user_rules, &json!(user)).map_err(|(index, error)| {
                Stage::UserRule(index).refused(format!(
                    "oidc: error evaluating user info validation rule: {error}"
                ))
            })?;
        }
        Ok(user)
    }

    /// What each mapping makes of the claims by itself; `None` for a payload that is no JSON.
    pub(crate) fn look(&self, payload: &str) -> Option<Seen> {
        let claims = Claims::new(json::parse(payload).ok()?);
        let input = claims.to_json();
        Some(Seen {
            username: self.username(&claims, &input),
            groups: self.groups(&claims, &input),
            uid: self.uid(&claims, &input),
            extra: self.extra(&claims, &input),
            claims: input,
        })
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
    ) -> Result<BTreeMap<String, Vec<String>>, Refused> {
        let mut extra = BTreeMap::new();
        if let Ok(id) = claims.string("jti")
            && !id.is_empty()
        {
            extra.insert(CREDENTIAL_ID.to_owned(), vec![format!("JTI={id}")]);
        }
        // All are evaluated before the first is looked at, and evaluation errors have no prefix here.
        let values = self.extra.iter().map(|one| {
            let value = one.2.evaluate(input);
            let refused = |error| Stage::Extra(one.0).refused(error);
            Ok((one, value.map_err(refused)?))
        });
        for ((index, key, expression), value) in values.collect::<Result<Vec<_>, Refused>>()? {
            let values = strings(value).map_err(|error| {
                let source = &expression.source;
                Stage::Extra(*index).refused(format!(
                    "oidc: error evaluating extra claim expression: {source}: {error}"
                ))
            })?;
            if !values.is_empty() {
                extra.insert(key.clone(), values);
            }
        }
        Ok(extra)
    }

    fn check_required(&self, claims: &Claims) -> Result<(), Refused> {
        for (claim, (index, want)) in &self.required_claims {
            let refused = |text: String| Stage::RequiredClaim(*index).refused(text);
            if claims.get(claim).is_none() {
                let text = format!("oidc: required claim {claim} not present in ID token");
                return Err(refused(text));
            }
            let got = claims
                .string(claim)
                .map_err(|error| refused(format!("oidc: parse claim {claim}: {error}")))?;
            if got != *want {
                return Err(refused(format!(
                    "oidc: required claim {claim} value does not match. Got = {got}, want = {want}"
                )));
            }
        }
        Ok(())
    }
}

/// Groups that are elsewhere could not be had.
pub(crate) fn not_expanded(error: impl std::fmt::Display) -> Refused {
    Stage::DistributedGroups.refused(format!(
        "oidc: could not expand distributed claims: {error}"
    ))
}

/// All rules are evaluated before the first is looked at. The error comes with the index of its rule.
fn check_rules(rules: &[Rule], input: &Json) -> Result<(), (usize, String)> {
    let values: Vec<Value> = rules
        .iter()
        .map(|rule| {
            let value = rule.expression.evaluate(input);
            value.map_err(|error| (rule.index, error))
        })
        .collect::<Result<_, _>>()?;
    for (rule, value) in rules.iter().zip(values) {
        match value {
            Value::Bool(true) => {}
            Value::Bool(false) => {
                let (source, message) = (&rule.expression.source, &rule.message);
                return Err((
                    rule.index,
                    format!("validation expression '{source}' failed: {message}"),
                ));
            }
            _ => {
                let text = "validation expression must return a boolean".to_owned();
                return Err((rule.index, text));
            }
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
