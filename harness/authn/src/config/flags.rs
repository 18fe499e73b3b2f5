//! The `--oidc-*` flags, which stand for a configuration with one authenticator.
//!
//! Source: the reference of kube-apiserver's flags,
//! <https://kubernetes.io/docs/reference/command-line-tools-reference/kube-apiserver/>.

use std::{collections::BTreeMap, io};

use super::{
    AuthenticationConfiguration, ClaimMappings, ClaimValidationRule, ConfigError, Issuer,
    JwtAuthenticator, PrefixedClaimOrExpression, types::SIGNING_ALGORITHMS, validate,
};
use crate::golang::quote::quote;

/// The flags as given; `None` and empty lists are flags that were not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OidcFlags {
    /// `--oidc-issuer-url`.
    pub issuer_url: Option<String>,
    /// `--oidc-client-id`, the one audience.
    pub client_id: Option<String>,
    /// `--oidc-username-claim`, by default `sub`.
    pub username_claim: Option<String>,
    /// `--oidc-username-prefix`: by default the issuer and `#`, but none for the claim `email`; `-` is none.
    pub username_prefix: Option<String>,
    /// `--oidc-groups-claim`.
    pub groups_claim: Option<String>,
    /// `--oidc-groups-prefix`.
    pub groups_prefix: Option<String>,
    /// `--oidc-signing-algs`, by default `RS256`.
    pub signing_algs: Vec<String>,
    /// `--oidc-required-claim`, claim and value.
    pub required_claims: BTreeMap<String, String>,
    /// The text of the PEM file that `--oidc-ca-file` names.
    pub ca_file: Option<String>,
}

impl OidcFlags {
    /// Reads flags by their names without dashes, each with every value that it was given: of most the last counts,
    /// those that add up may also hold several with commas between them. A file is read by `read`.
    ///
    /// # Errors
    /// In the real API server's words: an unknown flag, a claim without `=`, a file that cannot be read.
    pub fn named(
        given: &BTreeMap<String, Vec<String>>,
        read: impl Fn(&str) -> io::Result<String>,
    ) -> Result<Self, ConfigError> {
        let refused = |text: String| Err(ConfigError::Flags(vec![text]));
        let mut flags = Self::default();
        for (name, values) in given {
            let last = values.last().cloned();
            let each = || values.iter().flat_map(|value| value.split(','));
            match name.as_str() {
                "oidc-issuer-url" => flags.issuer_url = last,
                "oidc-client-id" => flags.client_id = last,
                "oidc-username-claim" => flags.username_claim = last,
                "oidc-username-prefix" => flags.username_prefix = last,
                "oidc-groups-claim" => flags.groups_claim = last,
                "oidc-groups-prefix" => flags.groups_prefix = last,
                "oidc-signing-algs" => flags.signing_algs = each().map(str::to_owned).collect(),
                "oidc-required-claim" => {
                    for pair in each() {
                        let Some((claim, value)) = pair.split_once('=') else {
                            return refused(format!(
                                "invalid argument {} for \"--oidc-required-claim\" flag: {pair} must be formatted as \
                                 key=value",
                                quote(pair)
                            ));
                        };
                        let (claim, value) = (claim.to_owned(), value.to_owned());
                        flags.required_claims.insert(claim, value);
                    }
                }
                "oidc-ca-file" => {
                    let path = last.unwrap_or_default();
                    match read(&path) {
                        Ok(text) => flags.ca_file = Some(text),
                        Err(error) => return refused(format!("open {path}: {}", words(&error))),
                    }
                }
                other => return refused(format!("unknown flag: --{other}")),
            }
        }
        Ok(flags)
    }

    /// Whether any of the flags was given; then there must be no file.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

/// The configuration that the flags stand for; without any flag, one without authenticators.
///
/// # Errors
/// In the real API server's words, when the flags do not suffice or break a rule of the file they stand for.
pub fn from_flags(flags: &OidcFlags) -> Result<AuthenticationConfiguration, ConfigError> {
    let mut config = AuthenticationConfiguration::default();
    if !flags.any() {
        return Ok(config);
    }
    let given = |flag: &Option<String>| flag.clone().unwrap_or_default();
    let (issuer, client) = (given(&flags.issuer_url), given(&flags.client_id));
    if issuer.is_empty() || client.is_empty() {
        let text = "oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set";
        return Err(ConfigError::Flags(vec![text.to_owned()]));
    }
    config.signing_algs = if flags.signing_algs.is_empty() {
        vec!["RS256".to_owned()]
    } else {
        flags.signing_algs.clone()
    };
    let claim = flags
        .username_claim
        .clone()
        .unwrap_or_else(|| "sub".to_owned());
    let prefix = match given(&flags.username_prefix).as_str() {
        "" if claim != "email" => format!("{issuer}#"),
        "-" => String::new(),
        prefix => prefix.to_owned(),
    };
    let prefixed = |claim: String, prefix: String| PrefixedClaimOrExpression {
        claim,
        prefix: Some(prefix),
        expression: String::new(),
    };
    let groups = match given(&flags.groups_claim) {
        claim if claim.is_empty() => PrefixedClaimOrExpression::default(),
        claim => prefixed(claim, given(&flags.groups_prefix)),
    };
    let required = flags.required_claims.iter();
    config.jwt = vec![JwtAuthenticator {
        issuer: Issuer {
            url: issuer,
            audiences: vec![client],
            certificate_authority: given(&flags.ca_file),
            ..Issuer::default()
        },
        claim_mappings: ClaimMappings {
            username: prefixed(claim, prefix),
            groups,
            ..ClaimMappings::default()
        },
        claim_validation_rules: required
            .map(|(claim, value)| ClaimValidationRule {
                claim: claim.clone(),
                required_value: value.clone(),
                ..ClaimValidationRule::default()
            })
            .collect(),
        user_validation_rules: Vec::new(),
    }];
    validate(&config, &[])?;
    for algorithm in &config.signing_algs {
        if !SIGNING_ALGORITHMS.contains(&algorithm.as_str()) {
            let text = format!("oidc: unsupported signing alg: {}", quote(algorithm));
            return Err(ConfigError::Flags(vec![text]));
        }
    }
    Ok(config)
}

/// What Go says of a file that cannot be read.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
