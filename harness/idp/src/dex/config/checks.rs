//! What Dex checks between reading its file and serving, in its order.

use std::path::PathBuf;

use super::{
    Config, ConfigError, Connector, ConnectorKind, Cors, Issuer, Pkce, RefreshPolicy, TlsFiles,
    Warning, connectors, members,
    raw::{Located, Raw, RawExpiry, RawOAuth2, RawSigner, RawWeb},
};
use crate::{
    dex::{
        go::{duration::Span, quote::quote},
        identity::LOCAL,
    },
    oidc::pkce::Method,
};
use authlab_pki::Algorithm;
use axum::http::{HeaderName, HeaderValue};

const IMPLICIT: &str = "implicit";
const PASSWORD: &str = "password";
/// Grants Dex always has.
const GRANTS: [&str; 5] = [
    "authorization_code",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:device_code",
    "urn:ietf:params:oauth:grant-type:token-exchange",
    "client_credentials",
];

pub(super) fn resolve(
    raw: Raw,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    if !matches!(
        raw.log_format.text.to_lowercase().as_str(),
        "" | "text" | "json"
    ) {
        return Err(raw.log_format.refuse(format!(
            "invalid config: log format is not one of the supported values (json, text): {}",
            raw.log_format.text
        )));
    }
    validate(&raw)?;
    let mut warnings = Vec::new();
    let clients = members::clients(raw.clients, env, &mut warnings)?;
    let connectors = raw.connectors.into_iter().map(connectors::check);
    let mut connectors: Vec<Connector> = connectors.collect::<Result<_, _>>()?;
    if raw.password_db {
        connectors.push(Connector {
            id: LOCAL.to_owned(),
            name: "Email".to_owned(),
            grant_types: Vec::new(),
            kind: ConnectorKind::Local,
        });
    }
    let id_tokens = span(
        &raw.expiry.id_tokens,
        Span::hours(24),
        "",
        "id token expiry",
    )?;
    let (algorithm, rotate_every) = signer(&raw.signer, &raw.expiry)?;
    let auth_requests = span(
        &raw.expiry.auth_requests,
        Span::hours(24),
        "",
        "auth request expiry",
    )?;
    let device_requests = span(
        &raw.expiry.device_requests,
        Span::minutes(5),
        "",
        "device request expiry",
    )?;
    let refresh = refresh(&raw.expiry)?;
    let issuer = issuer(&raw.issuer)?;
    let pkce = pkce(&raw.oauth2)?;
    let (grant_types, response_types) = types(&raw.oauth2)?;
    if !raw.web.https.is_empty() && !raw.web.http.text.is_empty() {
        let message = "the embedded Dex has one address and serves web.https there";
        warnings.extend(warn(&raw.web.http, message));
    }
    if let Some(dir) = &raw.frontend_dir {
        warnings.extend(warn(
            dir,
            "the embedded Dex shows pages of its own, not those of this folder",
        ));
    }
    if connectors.is_empty() {
        return Err(ConfigError::new(
            "failed to initialize server: server: no connectors specified",
            None,
        )
        .with_hint(Some(
            "set enablePasswordDB: true, or add a connector".to_owned(),
        )));
    }
    Ok(Config {
        issuer,
        tls: tls(&raw.web)?,
        headers: headers(&raw.web, &mut warnings),
        cors: Cors {
            origins: raw.web.allowed_origins,
            headers: or_default(raw.web.allowed_headers, &["Authorization"]),
        },
        title: if raw.title.is_empty() {
            "dex".to_owned()
        } else {
            raw.title
        },
        algorithm,
        rotate_every,
        id_tokens: id_tokens.or(Span::hours(24)),
        auth_requests: auth_requests.or(Span::hours(24)),
        device_requests: device_requests.or(Span::minutes(5)),
        refresh,
        grant_types,
        response_types,
        skip_approval: raw.oauth2.skip_approval,
        always_show_login: raw.oauth2.always_show_login,
        password_connector: raw.oauth2.password_connector,
        pkce,
        clients,
        connectors,
        users: members::users(raw.users, &mut warnings),
        warnings,
    })
}

/// The list Dex writes of everything that is missing, and what it refuses right after.
fn validate(raw: &Raw) -> Result<(), ConfigError> {
    let (web, grpc) = (&raw.web, &raw.grpc);
    let https = !web.https.is_empty();
    let version = |text: &str| !matches!(text, "" | "1.2" | "1.3");
    let order = |min: &str, max: &str| !max.is_empty() && !min.is_empty() && min > max;
    let versions = "supported TLS versions are: 1.2, 1.3";
    let checks = [
        (
            raw.issuer.text.is_empty(),
            "no issuer specified in config file",
        ),
        (
            !raw.password_db && !raw.users.is_empty(),
            "cannot specify static passwords without enabling password db",
        ),
        (!raw.storage, "no storage supplied in config file"),
        (
            !https && web.http.text.is_empty(),
            "must supply a HTTP/HTTPS  address to listen on",
        ),
        (
            https && web.tls_cert.text.is_empty(),
            "no cert specified for HTTPS",
        ),
        (
            https && web.tls_key.text.is_empty(),
            "no private key specified for HTTPS",
        ),
        (version(&web.tls_min.text), versions),
        (version(&web.tls_max.text), versions),
        (
            order(&web.tls_min.text, &web.tls_max.text),
            "TLSMinVersion greater than TLSMaxVersion",
        ),
        (
            !grpc.tls_cert.is_empty() && grpc.addr.is_empty(),
            "no address specified for gRPC",
        ),
        (
            !grpc.tls_key.is_empty() && grpc.addr.is_empty(),
            "no address specified for gRPC",
        ),
        (
            grpc.tls_cert.is_empty() != grpc.tls_key.is_empty(),
            "must specific both a gRPC TLS cert and key",
        ),
        (
            grpc.tls_cert.is_empty() && !grpc.tls_client_ca.is_empty(),
            "cannot specify gRPC TLS client CA without a gRPC TLS cert",
        ),
        (version(&grpc.tls_min), versions),
        (version(&grpc.tls_max), versions),
        (
            order(&grpc.tls_min, &grpc.tls_max),
            "TLSMinVersion greater than TLSMaxVersion",
        ),
    ];
    let missing: Vec<_> = checks
        .iter()
        .filter(|(bad, _)| *bad)
        .map(|(_, text)| *text)
        .collect();
    let refused = |message: &str| Err(ConfigError::new(message, None));
    if !missing.is_empty() {
        return refused(&format!(
            "invalid Config:\n\t-\t{}",
            missing.join("\n\t-\t")
        ));
    }
    if raw.sessions {
        return refused(
            "sessions config requires sessions to be enabled (DEX_SESSIONS_ENABLED=true)",
        );
    }
    if raw.mfa {
        return refused("mfa requires sessions to be enabled (DEX_SESSIONS_ENABLED=true)");
    }
    for client in &raw.clients {
        let lifetime = &client.refresh_token_lifetime;
        if !matches!(lifetime.as_str(), "" | "standalone" | "session") {
            return Err(members::about_client(
                client,
                format!(
                    "staticClients: client {}: invalid refresh token lifetime {}: want \"standalone\" or \"session\"",
                    quote(&client.id),
                    quote(lifetime)
                ),
            ));
        }
    }
    Ok(())
}

/// A duration of the file; `default` when there is none.
fn span(value: &Located, default: Span, prefix: &str, what: &str) -> Result<Span, ConfigError> {
    if value.text.is_empty() {
        return Ok(default);
    }
    Span::parse(&value.text).map_err(|reason| {
        value.refuse(format!(
            "{prefix}invalid config value {} for {what}: {reason}",
            quote(&value.text)
        ))
    })
}

fn signer(signer: &RawSigner, expiry: &RawExpiry) -> Result<(Algorithm, Span), ConfigError> {
    let period = match signer.kind.text.as_str() {
        "" => &expiry.signing_keys,
        "local" if signer.rotation.text.is_empty() => {
            return Err(signer.kind.refuse(
                "failed to open local signer: signer.config.keysRotationPeriod must be specified",
            ));
        }
        "local" => &signer.rotation,
        _ => {
            return Err(signer
                .kind
                .refuse("signer.type: the embedded Dex has no signer \"vault\""));
        }
    };
    let prefix = "failed to open local signer: ";
    let period = span(
        period,
        Span::hours(6),
        prefix,
        "local signer rotation period",
    )?;
    let algorithm = match signer.algorithm.text.as_str() {
        "ES256" => Algorithm::ES256,
        _ => Algorithm::RS256,
    };
    Ok((algorithm, period))
}

fn refresh(expiry: &RawExpiry) -> Result<RefreshPolicy, ConfigError> {
    let part = |value, what| {
        let prefix = "invalid refresh token expiration policy config: ";
        span(value, Span::ZERO, prefix, what)
    };
    Ok(RefreshPolicy {
        rotate: !expiry.disable_rotation,
        valid_if_not_used_for: part(
            &expiry.valid_if_not_used_for,
            "refresh token valid if not used for",
        )?,
        absolute_lifetime: part(
            &expiry.absolute_lifetime,
            "refresh tokens absolute lifetime",
        )?,
        reuse_interval: part(&expiry.reuse_interval, "refresh tokens reuse interval")?,
    })
}

fn issuer(issuer: &Located) -> Result<Issuer, ConfigError> {
    let text = &issuer.text;
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let broken = text.starts_with(':')
        || text.chars().any(|c| c.is_control() || c == ' ')
        || !(port.bytes().all(|byte| byte.is_ascii_digit()) || port.ends_with(']'));
    if broken {
        return Err(issuer.refuse("failed to initialize server: server: can't parse issuer URL"));
    }
    let segments: Vec<&str> = path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .collect();
    Ok(Issuer {
        url: text.clone(),
        origin: if scheme.is_empty() {
            authority.to_owned()
        } else {
            format!("{scheme}://{authority}")
        },
        path: segments
            .iter()
            .map(|segment| format!("/{segment}"))
            .collect(),
    })
}

fn pkce(oauth2: &RawOAuth2) -> Result<Pkce, ConfigError> {
    let names = or_default(oauth2.pkce_methods.clone(), &["S256", "plain"]);
    let method = |name: &String| {
        Method::from_name(name).ok_or_else(|| {
            let reason = format!("unsupported PKCE challenge method {}", quote(name));
            ConfigError::new(format!("failed to initialize server: {reason}"), None)
                .about("oauth2.pkce.codeChallengeMethodsSupported")
        })
    };
    Ok(Pkce {
        enforce: oauth2.pkce_enforce,
        methods: names.iter().map(method).collect::<Result<_, _>>()?,
    })
}

/// The grants and the response types that are served, each sorted.
fn types(oauth2: &RawOAuth2) -> Result<(Option<Vec<String>>, Vec<String>), ConfigError> {
    let mut offered = GRANTS.to_vec();
    let mut response_types = or_default(oauth2.response_types.clone(), &["code"]);
    for response_type in &response_types {
        match response_type.as_str() {
            "code" | "id_token" | "code id_token" => {}
            "token" | "code token" | "id_token token" | "code id_token token" => {
                offered.push(IMPLICIT);
            }
            other => {
                let reason = format!("unsupported response_type {}", quote(other));
                return Err(ConfigError::new(
                    format!("failed to initialize server: {reason}"),
                    None,
                )
                .about("oauth2.responseTypes"));
            }
        }
    }
    if !oauth2.password_connector.is_empty() {
        offered.push(PASSWORD);
    }
    response_types.sort();
    response_types.dedup();
    let allowed = or_default(oauth2.grant_types.clone(), &members::CONNECTOR_GRANTS);
    let mut grants: Vec<_> = allowed
        .into_iter()
        .filter(|grant| offered.contains(&grant.as_str()))
        .collect();
    grants.sort();
    Ok((
        Some(grants).filter(|grants| !grants.is_empty()),
        response_types,
    ))
}

fn tls(web: &RawWeb) -> Result<Option<TlsFiles>, ConfigError> {
    if web.https.is_empty() {
        return Ok(None);
    }
    for (version, usual) in [(&web.tls_min, "1.2"), (&web.tls_max, "1.3")] {
        if !version.text.is_empty() && version.text != usual {
            let reason = format!(
                "{}: the embedded Dex always speaks TLS 1.2 and 1.3",
                version.path
            );
            return Err(version.refuse(reason));
        }
    }
    Ok(Some(TlsFiles {
        certificate: PathBuf::from(&web.tls_cert.text),
        key: PathBuf::from(&web.tls_key.text),
    }))
}

fn headers(web: &RawWeb, warnings: &mut Vec<Warning>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (name, value) in web
        .headers
        .iter()
        .filter(|(_, value)| !value.text.is_empty())
    {
        match (name.parse(), value.text.parse()) {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            _ => warnings.extend(warn(value, "this cannot stand in a header and is not sent")),
        }
    }
    headers
}

fn warn(about: &Located, message: &str) -> Option<Warning> {
    Some(Warning {
        path: about.path.clone(),
        place: about.place?,
        message: format!("{}: {message}", about.path),
    })
}

fn or_default(values: Vec<String>, default: &[&str]) -> Vec<String> {
    if values.is_empty() {
        default.iter().map(|&value| value.to_owned()).collect()
    } else {
        values
    }
}
