//! Parts of the file, each by the names and types Dex's structures give them.

use super::{
    ConfigError, connectors,
    raw::{Located, RawConnector, RawGrpc, RawOAuth2, RawSigner, RawWeb},
    reader::{At, Field, Reader},
    tree::{self, Kind, Node},
};
use crate::dex::go::quote::quote;

/// Storages Dex has. All are a memory here.
const STORAGES: [&str; 6] = [
    "etcd",
    "kubernetes",
    "memory",
    "sqlite3",
    "postgres",
    "mysql",
];

/// Connectors Dex has besides the list of users.
const CONNECTORS: [&str; 18] = [
    "keystone",
    "mockCallback",
    "mockPassword",
    "ldap",
    "gitea",
    "github",
    "gitlab",
    "google",
    "oidc",
    "oauth",
    "saml",
    "authproxy",
    "linkedin",
    "microsoft",
    "bitbucket-cloud",
    "openshift",
    "atlassian-crowd",
    "samlExperimental",
];

pub(super) fn located(reader: &mut Reader, field: &Field<'_>) -> Located {
    Located {
        text: reader.text(field),
        place: Some(tree::place(field.node.span)),
        path: field.at.path().to_owned(),
    }
}

pub(super) fn web(reader: &mut Reader, field: &Field<'_>) -> RawWeb {
    const NAMES: &[&str] = &[
        "http",
        "https",
        "headers",
        "tlsCert",
        "tlsKey",
        "tlsMinVersion",
        "tlsMaxVersion",
        "allowedOrigins",
        "allowedHeaders",
        "clientRemoteIP",
    ];
    let mut web = RawWeb::default();
    for field in reader.fields(field.node, &field.at, ("Web", "main.Web"), NAMES) {
        match field.name {
            "http" => web.http = located(reader, &field),
            "https" => web.https = reader.text(&field),
            "headers" => web.headers = headers(reader, &field),
            "tlsCert" => web.tls_cert = located(reader, &field),
            "tlsKey" => web.tls_key = located(reader, &field),
            "tlsMinVersion" => web.tls_min = located(reader, &field),
            "tlsMaxVersion" => web.tls_max = located(reader, &field),
            "allowedOrigins" => web.allowed_origins = reader.texts(&field),
            "allowedHeaders" => web.allowed_headers = reader.texts(&field),
            _ => remote_ip(reader, &field),
        }
    }
    web
}

/// Where Dex would look for a client's address to write in its log.
fn remote_ip(reader: &mut Reader, field: &Field<'_>) {
    const NAMES: &[&str] = &["header", "trustedProxies"];
    for field in reader.fields(
        field.node,
        &field.at,
        ("ClientRemoteIP", "main.ClientRemoteIP"),
        NAMES,
    ) {
        match field.name {
            "header" => {
                reader.text(&field);
            }
            _ => {
                reader.texts(&field);
            }
        }
    }
}

fn headers(reader: &mut Reader, field: &Field<'_>) -> Vec<(&'static str, Located)> {
    const NAMES: &[&str] = &[
        "Content-Security-Policy",
        "X-Frame-Options",
        "X-Content-Type-Options",
        "X-XSS-Protection",
        "Strict-Transport-Security",
    ];
    let fields = reader.fields(field.node, &field.at, ("Headers", "main.Headers"), NAMES);
    fields
        .iter()
        .map(|field| (field.name, located(reader, field)))
        .collect()
}

pub(super) fn oauth2(reader: &mut Reader, field: &Field<'_>) -> RawOAuth2 {
    const NAMES: &[&str] = &[
        "grantTypes",
        "responseTypes",
        "skipApprovalScreen",
        "alwaysShowLoginScreen",
        "passwordConnector",
        "pkce",
    ];
    let mut oauth2 = RawOAuth2::default();
    for field in reader.fields(field.node, &field.at, ("OAuth2", "main.OAuth2"), NAMES) {
        match field.name {
            "grantTypes" => oauth2.grant_types = reader.texts(&field),
            "responseTypes" => oauth2.response_types = reader.texts(&field),
            "skipApprovalScreen" => oauth2.skip_approval = reader.flag(&field),
            "alwaysShowLoginScreen" => oauth2.always_show_login = reader.flag(&field),
            "passwordConnector" => oauth2.password_connector = reader.text(&field),
            _ => {
                const NAMES: &[&str] = &["enforce", "codeChallengeMethodsSupported"];
                for field in reader.fields(field.node, &field.at, ("PKCE", "main.PKCE"), NAMES) {
                    match field.name {
                        "enforce" => oauth2.pkce_enforce = reader.flag(&field),
                        _ => oauth2.pkce_methods = reader.texts(&field),
                    }
                }
            }
        }
    }
    oauth2
}

pub(super) fn telemetry(reader: &mut Reader, field: &Field<'_>) {
    for field in reader.fields(
        field.node,
        &field.at,
        ("Telemetry", "main.Telemetry"),
        &["http", "enableProfiling"],
    ) {
        match field.name {
            "http" => {
                reader.text(&field);
            }
            _ => {
                reader.flag(&field);
            }
        }
    }
}

pub(super) fn grpc(reader: &mut Reader, field: &Field<'_>) -> RawGrpc {
    const NAMES: &[&str] = &[
        "addr",
        "tlsCert",
        "tlsKey",
        "tlsClientCA",
        "tlsMinVersion",
        "tlsMaxVersion",
        "reflection",
    ];
    let mut grpc = RawGrpc::default();
    for field in reader.fields(field.node, &field.at, ("GRPC", "main.GRPC"), NAMES) {
        match field.name {
            "addr" => grpc.addr = reader.text(&field),
            "tlsCert" => grpc.tls_cert = reader.text(&field),
            "tlsKey" => grpc.tls_key = reader.text(&field),
            "tlsClientCA" => grpc.tls_client_ca = reader.text(&field),
            "tlsMinVersion" => grpc.tls_min = reader.text(&field),
            "tlsMaxVersion" => grpc.tls_max = reader.text(&field),
            _ => {
                reader.flag(&field);
            }
        }
    }
    grpc
}

/// The log's format; its level is only looked at.
pub(super) fn logger(reader: &mut Reader, field: &Field<'_>) -> Result<Located, ConfigError> {
    const NAMES: &[&str] = &["level", "format", "excludeFields"];
    let mut format = Located::default();
    for field in reader.fields(field.node, &field.at, ("Logger", "main.Logger"), NAMES) {
        match field.name {
            "level" => log_level(&field)?,
            "format" => format = located(reader, &field),
            _ => {
                reader.texts(&field);
            }
        }
    }
    Ok(format)
}

/// A level of Go's `log/slog`: a name and perhaps a distance, as `INFO+2`.
fn log_level(field: &Field<'_>) -> Result<(), ConfigError> {
    let refused = |reason: String| {
        Err(ConfigError::new(reason, Some(tree::place(field.node.span))).about(field.at.path()))
    };
    let Kind::String(text) = &field.node.kind else {
        return refused("invalid syntax".to_owned());
    };
    let (name, distance) = text.split_at(text.find(['+', '-']).unwrap_or(text.len()));
    let level = format!("slog: level string {}", quote(text));
    if !distance.is_empty() && distance.parse::<i64>().is_err() {
        return refused(format!(
            "{level}: strconv.Atoi: parsing {}: invalid syntax",
            quote(distance)
        ));
    }
    match name.to_ascii_uppercase().as_str() {
        "DEBUG" | "INFO" | "WARN" | "ERROR" => Ok(()),
        _ => refused(format!("{level}: unknown name")),
    }
}

/// The name of the provider on its pages, and the folder of other pages.
pub(super) fn frontend(reader: &mut Reader, field: &Field<'_>) -> (String, Option<Located>) {
    const NAMES: &[&str] = &["Dir", "WebFS", "LogoURL", "Issuer", "Theme", "Extra"];
    let (mut issuer, mut dir) = (String::new(), None);
    for field in reader.fields(
        field.node,
        &field.at,
        ("WebConfig", "server.WebConfig"),
        NAMES,
    ) {
        match field.name {
            "Issuer" => issuer = reader.text(&field),
            "Dir" => dir = Some(located(reader, &field)).filter(|dir| !dir.text.is_empty()),
            "LogoURL" | "Theme" => {
                reader.text(&field);
            }
            "WebFS" if matches!(field.node.kind, Kind::Null) => {}
            "WebFS" => reader.mismatched(field.node, &field.at, "fs.FS"),
            _ => extra(reader, &field),
        }
    }
    (issuer, dir)
}

fn extra(reader: &mut Reader, field: &Field<'_>) {
    match &field.node.kind {
        Kind::Null => {}
        Kind::Map(map) => {
            for entry in map {
                if !matches!(entry.value.kind, Kind::String(_) | Kind::Null) {
                    reader.mismatched(&entry.value, &field.at, "string");
                }
            }
        }
        _ => reader.mismatched(field.node, &field.at, "map[string]string"),
    }
}

/// Type and configuration of a part whose type decides how the rest is read.
fn typed<'n>(
    reader: &mut Reader,
    (node, at): (&'n Node, &At),
    go_type: &str,
    names: &'static [&'static str],
) -> (Located, Vec<Field<'n>>) {
    let mut kind = Located {
        place: Some(tree::place(node.span)),
        path: at.path().to_owned(),
        ..Located::default()
    };
    let mut rest = Vec::new();
    for field in reader.fields(node, &at.anew(), ("", go_type), names) {
        match field.name {
            "type" => kind = located(reader, &field),
            _ => rest.push(field),
        }
    }
    (kind, rest)
}

/// Dex expands variables in a configuration before it decodes it, and needs a mapping for that.
fn expandable(config: &Field<'_>) -> Result<(), ConfigError> {
    if matches!(config.node.kind, Kind::Map(_) | Kind::Null) {
        return Ok(());
    }
    Err(ConfigError::new(
        format!(
            "unmarshal config for env expansion: json: cannot unmarshal {} into Go value of type map[string]interface {{}}",
            tree::noun(config.node)
        ),
        Some(tree::place(config.node.span)),
    )
    .about(config.at.path()))
}

pub(super) fn storage(reader: &mut Reader, field: &Field<'_>) -> Result<(), ConfigError> {
    const TYPE: &str =
        r#"struct { Type string "json:\"type\""; Config json.RawMessage "json:\"config\"" }"#;
    let (kind, rest) = reader
        .part(|reader| typed(reader, (field.node, &field.at), TYPE, &["type", "config"]))
        .map_err(|error| error.after("parse storage: "))?;
    if !STORAGES.contains(&kind.text.as_str()) {
        return Err(kind.refuse(format!("unknown storage type {}", quote(&kind.text))));
    }
    rest.iter().try_for_each(expandable)
}

pub(super) fn signer(reader: &mut Reader, field: &Field<'_>) -> Result<RawSigner, ConfigError> {
    const TYPE: &str =
        r#"struct { Type string "json:\"type\""; Config json.RawMessage "json:\"config\"" }"#;
    let (kind, rest) = reader
        .part(|reader| typed(reader, (field.node, &field.at), TYPE, &["type", "config"]))
        .map_err(|error| error.after("parse signer: "))?;
    if !matches!(kind.text.as_str(), "local" | "vault") {
        return Err(kind.refuse(format!("unknown signer type {}", quote(&kind.text))));
    }
    let mut signer = RawSigner {
        kind,
        ..RawSigner::default()
    };
    let Some(config) = rest.first().filter(|_| signer.kind.text == "local") else {
        return Ok(signer);
    };
    expandable(config)?;
    let decoded = reader.part(|reader| {
        let names = &["keysRotationPeriod", "algorithm"];
        for field in reader.fields(
            config.node,
            &config.at.anew(),
            ("LocalConfig", "signer.LocalConfig"),
            names,
        ) {
            match field.name {
                "algorithm" => signer.algorithm = located(reader, &field),
                _ => signer.rotation = located(reader, &field),
            }
        }
    });
    decoded.map_err(|error| error.after("parse signer config: "))?;
    match signer.algorithm.text.as_str() {
        "" | "RS256" | "ES256" => Ok(signer),
        other => Err(signer.algorithm.refuse(format!(
            "parse signer config: unsupported local signer algorithm {}",
            quote(other)
        ))),
    }
}

pub(super) fn connector(
    reader: &mut Reader,
    node: &Node,
    at: &At,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<RawConnector, ConfigError> {
    const TYPE: &str = concat!(
        r#"struct { Type string "json:\"type\""; Name string "json:\"name\""; ID string "json:\"id\""; "#,
        r#"Config json.RawMessage "json:\"config\""; GrantTypes []string "json:\"grantTypes\"" }"#
    );
    const NAMES: &[&str] = &["type", "name", "id", "config", "grantTypes"];
    let decoded = reader.part(|reader| {
        let (kind, rest) = typed(reader, (node, at), TYPE, NAMES);
        let mut connector = RawConnector {
            kind,
            ..RawConnector::default()
        };
        let mut config = None;
        for field in rest {
            match field.name {
                "name" => connector.name = reader.text(&field),
                "id" => connector.id = reader.text(&field),
                "config" => config = Some(field),
                _ => connector.grant_types = reader.texts(&field),
            }
        }
        (connector, config)
    });
    let (mut connector, config) = decoded.map_err(|error| error.after("parse connector: "))?;
    if !CONNECTORS.contains(&connector.kind.text.as_str()) {
        let reason = format!("unknown connector type {}", quote(&connector.kind.text));
        return Err(connector.kind.refuse(reason));
    }
    config.iter().try_for_each(expandable)?;
    connector.config = connectors::kind(reader, &connector.kind, config.as_ref(), env)?;
    Ok(connector)
}
