//! The configuration in the form that all versions of the file are read into.

use serde::Deserialize;

/// Signing algorithms that a token may have: all that the server supports, sorted by name.
pub(crate) const SIGNING_ALGORITHMS: [&str; 9] = [
    "ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512",
];

/// A whole configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthenticationConfiguration {
    /// The authenticators, tried in this order.
    pub jwt: Vec<JwtAuthenticator>,
    /// Who may come without credentials; `None` leaves that to the server's flag.
    pub anonymous: Option<Anonymous>,
    /// The algorithms a token may be signed with. A file allows all nine; flags choose.
    #[serde(skip, default = "signing_algorithms")]
    pub signing_algs: Vec<String>,
}

fn signing_algorithms() -> Vec<String> {
    SIGNING_ALGORITHMS.map(str::to_owned).to_vec()
}

impl Default for AuthenticationConfiguration {
    fn default() -> Self {
        Self {
            jwt: Vec::new(),
            anonymous: None,
            signing_algs: signing_algorithms(),
        }
    }
}

impl AuthenticationConfiguration {
    /// Whether a request without credentials for that path becomes `system:anonymous`. Without an `anonymous` section
    /// it does, which is the default of the server's flag.
    #[must_use]
    pub fn anonymous_for(&self, path: &str) -> bool {
        match &self.anonymous {
            None => true,
            Some(anonymous) => {
                let listed = anonymous
                    .conditions
                    .iter()
                    .any(|condition| condition.path == path);
                anonymous.enabled && (anonymous.conditions.is_empty() || listed)
            }
        }
    }
}

/// The `anonymous` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Anonymous {
    /// Whether requests without credentials are taken at all.
    pub enabled: bool,
    /// When not empty, only for these paths.
    pub conditions: Vec<AnonymousCondition>,
}

/// A path open to requests without credentials.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnonymousCondition {
    /// Compared exactly.
    pub path: String,
}

/// Whom to trust, and how to make a user of a token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct JwtAuthenticator {
    /// Who issues the tokens.
    pub issuer: Issuer,
    /// What must hold of the claims.
    pub claim_validation_rules: Vec<ClaimValidationRule>,
    /// What becomes of the claims.
    pub claim_mappings: ClaimMappings,
    /// What must hold of the user.
    pub user_validation_rules: Vec<UserValidationRule>,
}

/// An issuer of tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Issuer {
    /// Equal to the `iss` claim, and where discovery begins.
    pub url: String,
    /// Where the discovery document is instead; empty when not set.
    #[serde(rename = "discoveryURL")]
    pub discovery_url: String,
    /// PEM certificates of the authorities that may sign the issuer's; empty for those of the host.
    pub certificate_authority: String,
    /// Audiences of which a token must have one.
    pub audiences: Vec<String>,
    /// `MatchAny`, or empty with a single audience.
    pub audience_match_policy: String,
    /// `controlplane`, `cluster`, or empty for a direct connection.
    pub egress_selector_type: String,
}

/// A rule about the claims: a required value, or an expression.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimValidationRule {
    /// The claim that must have `required_value`.
    pub claim: String,
    /// A string.
    pub required_value: String,
    /// A CEL expression over `claims` that must be true.
    pub expression: String,
    /// What to say when it is not.
    pub message: String,
}

/// What becomes of the claims.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimMappings {
    /// The name of the user.
    pub username: PrefixedClaimOrExpression,
    /// The groups, when set.
    pub groups: PrefixedClaimOrExpression,
    /// The uid, when set.
    pub uid: ClaimOrExpression,
    /// Further attributes.
    pub extra: Vec<ExtraMapping>,
}

/// A claim with a prefix, or a CEL expression over `claims`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PrefixedClaimOrExpression {
    /// The claim's name.
    pub claim: String,
    /// Stands before the claim's value; must be given with a claim, if only as the empty string.
    pub prefix: Option<String>,
    /// The expression.
    pub expression: String,
}

/// A claim, or a CEL expression over `claims`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimOrExpression {
    /// The claim's name.
    pub claim: String,
    /// The expression.
    pub expression: String,
}

/// A key of the user's extra attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExtraMapping {
    /// A domain, a slash and a path, in lower case.
    pub key: String,
    /// A CEL expression over `claims` with a string or a list of strings as its value.
    pub value_expression: String,
}

/// A rule about the user that the mappings made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UserValidationRule {
    /// A CEL expression over `user` that must be true.
    pub expression: String,
    /// What to say when it is not.
    pub message: String,
}
