//! The file's types as the API server declares them, for strict decoding.
//!
//! Source: the reference of `apiserver.config.k8s.io`, versions v1, v1beta1 and v1alpha1, whose fields are the same;
//! for the other kinds that share the group, as much as it takes to refuse one in the server's words.

use crate::golang::decode::{Struct, Type};

const STRING: Type = Type::String("string");

/// `apiVersion` and `kind`, which every kind embeds without a name of their own.
const TYPE_META: &[(&str, &str)] = &[("apiVersion", "TypeMeta"), ("kind", "TypeMeta")];

/// What decoding into `struct { APIVersion, Kind }` sees, the first look at a document.
pub(super) static FIND_KIND: Struct = Struct {
    package: "struct { APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }",
    name: "",
    fields: &[("apiVersion", STRING), ("kind", STRING)],
    embedded: &[],
};

const fn v1(name: &'static str, fields: &'static [(&'static str, Type)]) -> Struct {
    Struct {
        package: "v1",
        name,
        fields,
        embedded: &[],
    }
}

const fn kind(name: &'static str, fields: &'static [(&'static str, Type)]) -> Struct {
    Struct {
        package: "v1",
        name,
        fields,
        embedded: TYPE_META,
    }
}

static AUTHENTICATION: Struct = kind(
    "AuthenticationConfiguration",
    &[
        ("kind", STRING),
        ("apiVersion", STRING),
        ("jwt", Type::List(&Type::Struct(&JWT_AUTHENTICATOR))),
        ("anonymous", Type::Struct(&ANONYMOUS)),
    ],
);

static ANONYMOUS: Struct = v1(
    "AnonymousAuthConfig",
    &[
        ("enabled", Type::Bool),
        ("conditions", Type::List(&Type::Struct(&CONDITION))),
    ],
);

static CONDITION: Struct = v1("AnonymousAuthCondition", &[("path", STRING)]);

static JWT_AUTHENTICATOR: Struct = v1(
    "JWTAuthenticator",
    &[
        ("issuer", Type::Struct(&ISSUER)),
        (
            "claimValidationRules",
            Type::List(&Type::Struct(&CLAIM_RULE)),
        ),
        ("claimMappings", Type::Struct(&CLAIM_MAPPINGS)),
        ("userValidationRules", Type::List(&Type::Struct(&USER_RULE))),
    ],
);

static ISSUER: Struct = v1(
    "Issuer",
    &[
        ("url", STRING),
        ("discoveryURL", STRING),
        ("certificateAuthority", STRING),
        ("audiences", Type::List(&STRING)),
        (
            "audienceMatchPolicy",
            Type::String("v1.AudienceMatchPolicyType"),
        ),
        ("egressSelectorType", Type::String("v1.EgressSelectorType")),
    ],
);

static CLAIM_RULE: Struct = v1(
    "ClaimValidationRule",
    &[
        ("claim", STRING),
        ("requiredValue", STRING),
        ("expression", STRING),
        ("message", STRING),
    ],
);

static CLAIM_MAPPINGS: Struct = v1(
    "ClaimMappings",
    &[
        ("username", Type::Struct(&PREFIXED)),
        ("groups", Type::Struct(&PREFIXED)),
        ("uid", Type::Struct(&CLAIM_OR_EXPRESSION)),
        ("extra", Type::List(&Type::Struct(&EXTRA))),
    ],
);

static PREFIXED: Struct = v1(
    "PrefixedClaimOrExpression",
    &[
        ("claim", STRING),
        ("prefix", STRING),
        ("expression", STRING),
    ],
);

static CLAIM_OR_EXPRESSION: Struct = v1(
    "ClaimOrExpression",
    &[("claim", STRING), ("expression", STRING)],
);

static EXTRA: Struct = v1(
    "ExtraMapping",
    &[("key", STRING), ("valueExpression", STRING)],
);

static USER_RULE: Struct = v1(
    "UserValidationRule",
    &[("expression", STRING), ("message", STRING)],
);

static AUTHORIZATION: Struct = kind(
    "AuthorizationConfiguration",
    &[
        ("kind", STRING),
        ("apiVersion", STRING),
        ("authorizers", Type::List(&Type::Struct(&AUTHORIZER))),
    ],
);

static AUTHORIZER: Struct = v1(
    "AuthorizerConfiguration",
    &[("type", STRING), ("name", STRING), ("webhook", Type::Any)],
);

static ADMISSION: Struct = kind(
    "AdmissionConfiguration",
    &[
        ("kind", STRING),
        ("apiVersion", STRING),
        ("plugins", Type::List(&Type::Any)),
    ],
);

static ENCRYPTION: Struct = kind(
    "EncryptionConfiguration",
    &[
        ("kind", STRING),
        ("apiVersion", STRING),
        ("resources", Type::List(&Type::Any)),
    ],
);

static TRACING: Struct = kind(
    "TracingConfiguration",
    &[
        ("kind", STRING),
        ("apiVersion", STRING),
        ("endpoint", STRING),
        ("samplingRatePerMillion", Type::Any),
    ],
);

/// The API group of all of them.
pub(super) const GROUP: &str = "apiserver.config.k8s.io";

/// The type of a kind; `None` when the server knows none by that name.
pub(super) fn of(version: &str, kind: &str) -> Option<&'static Struct> {
    Some(match (version, kind) {
        ("v1" | "v1beta1" | "v1alpha1", "AuthenticationConfiguration") => &AUTHENTICATION,
        ("v1" | "v1beta1" | "v1alpha1", "AuthorizationConfiguration") => &AUTHORIZATION,
        ("v1" | "v1beta1" | "v1alpha1", "TracingConfiguration") => &TRACING,
        ("v1", "AdmissionConfiguration") => &ADMISSION,
        ("v1", "EncryptionConfiguration") => &ENCRYPTION,
        _ => return None,
    })
}

/// The fields at a path into an `AuthenticationConfiguration`, indices left out or not.
pub(super) fn fields(path: &str) -> &'static [(&'static str, Type)] {
    let mut here = &AUTHENTICATION;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let name = part.split('[').next().unwrap_or(part);
        let field = here.fields.iter().find(|(field, _)| *field == name);
        here = match field.map(|(_, kind)| kind) {
            Some(Type::Struct(inner) | Type::List(Type::Struct(inner))) => inner,
            _ => return &[],
        };
    }
    here.fields
}
