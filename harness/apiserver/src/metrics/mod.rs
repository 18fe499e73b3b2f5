//! Counters and histograms under their real names, in the Prometheus text format.
//!
//! Names, labels and buckets are those of a kube-apiserver 1.36 (`/metrics`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use authlab_authn::oidc::Fetch;
use authlab_pki::jws;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub(crate) mod cache;
pub(crate) mod requests;

/// A counter's name with its labels in order.
type Series = (&'static str, Vec<(&'static str, String)>);

/// All counters and gauges of the server.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<Series, f64>>);

/// The bounds of most histograms, in seconds: 1 ms doubled 14 times.
const DOUBLED: [f64; 15] = [
    0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096,
    8.192, 16.384,
];
/// The bounds of the histogram of tokens of other issuers.
const STEPPED: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
/// The bounds of Prometheus' own choice.
const USUAL: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Names, kinds and help texts, in the order of output.
const FAMILIES: &[(&str, &str, &str)] = &[
    (
        RELOAD_TIME,
        "gauge",
        "When the authentication configuration was last reloaded, in seconds since 1970.",
    ),
    (
        RELOADS,
        "counter",
        "Reloads of the authentication configuration by result.",
    ),
    (
        CONFIG,
        "gauge",
        "The hash of the authentication configuration in force.",
    ),
    (
        REQUESTS,
        "counter",
        "Requests by verb, resource and response code.",
    ),
    (
        USER_REQUESTS,
        "counter",
        "Authenticated requests by user, most users as one.",
    ),
    (ATTEMPTS, "counter", "Authentications by result."),
    (
        AUTHENTICATED_IN,
        "histogram",
        "How long authentication takes, by result.",
    ),
    (AUTHORIZATIONS, "counter", "Authorizations by result."),
    (
        AUTHORIZED_IN,
        "histogram",
        "How long authorization takes, by result.",
    ),
    (
        DECISIONS,
        "counter",
        "Requests that an authorizer allowed or denied.",
    ),
    (
        TOKENS_IN,
        "histogram",
        "How long tokens of other issuers take that are not cached.",
    ),
    (
        KEYS_AT,
        "gauge",
        "When an issuer's key set was last fetched, by what came of it, in seconds since 1970.",
    ),
    (
        KEYS,
        "gauge",
        "The hash of the key set that was last fetched of an issuer.",
    ),
    (IMPERSONATIONS, "counter", "Impersonations by mode."),
    (
        CACHE_REQUESTS,
        "counter",
        "Tokens looked up in the cache, by what came of it.",
    ),
    (
        CACHE_FETCHES,
        "counter",
        "Tokens that were not in the cache, by what came of them.",
    ),
    (CACHE_ACTIVE, "gauge", "Tokens being looked at."),
    (
        CACHE_IN,
        "histogram",
        "How long tokens take, by whether they were cached.",
    ),
    (
        LEGACY,
        "counter",
        "Uses of tokens kept in secrets made by hand.",
    ),
];

/// Counters without labels, which are there before anything has happened.
const PLAIN: [(&str, &str); 5] = [
    (
        "serviceaccount_invalid_legacy_auto_token_uses_total",
        "Uses of invalidated tokens.",
    ),
    (
        "serviceaccount_legacy_auto_token_uses_total",
        "Uses of tokens made automatically.",
    ),
    (
        "serviceaccount_legacy_tokens_total",
        "Uses of tokens kept in secrets.",
    ),
    (
        "serviceaccount_stale_tokens_total",
        "Uses of tokens past their time.",
    ),
    (
        "serviceaccount_valid_tokens_total",
        "Uses of tokens within their time.",
    ),
];

/// The two parts of a histogram that are no buckets, kept where a bucket has its bound.
const SUM: &str = "_sum";
const COUNT: &str = "_count";

const RELOAD_TIME: &str =
    "apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds";
const RELOADS: &str = "apiserver_authentication_config_controller_automatic_reloads_total";
const CONFIG: &str = "apiserver_authentication_config_controller_last_config_info";
const REQUESTS: &str = "apiserver_request_total";
const USER_REQUESTS: &str = "authenticated_user_requests";
const ATTEMPTS: &str = "authentication_attempts";
const AUTHENTICATED_IN: &str = "authentication_duration_seconds";
const AUTHORIZATIONS: &str = "authorization_attempts_total";
const AUTHORIZED_IN: &str = "authorization_duration_seconds";
const DECISIONS: &str = "apiserver_authorization_decisions_total";
const TOKENS_IN: &str = "apiserver_authentication_jwt_authenticator_latency_seconds";
const KEYS_AT: &str =
    "apiserver_authentication_jwt_authenticator_jwks_fetch_last_timestamp_seconds";
const KEYS: &str = "apiserver_authentication_jwt_authenticator_jwks_fetch_last_key_set_info";
const IMPERSONATIONS: &str = "apiserver_impersonation_attempts_total";
const CACHE_REQUESTS: &str = "authentication_token_cache_request_total";
const CACHE_FETCHES: &str = "authentication_token_cache_fetch_total";
const CACHE_ACTIVE: &str = "authentication_token_cache_active_fetch_count";
const CACHE_IN: &str = "authentication_token_cache_request_duration_seconds";
const LEGACY: &str = "serviceaccount_legacy_manual_token_uses_total";

impl Metrics {
    fn change(&self, series: Series, change: impl FnOnce(&mut f64)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(series).or_default());
    }

    fn count(&self, name: &'static str, labels: Vec<(&'static str, String)>) {
        self.change((name, labels), |count| *count += 1.0);
    }

    /// Adds an observation to a histogram, whose parts are kept as series of their own.
    fn observe(
        &self,
        name: &'static str,
        bounds: &[f64],
        labels: &[(&'static str, String)],
        taken: Duration,
    ) {
        let seconds = taken.as_secs_f64();
        let with = |part: &str| {
            let mut labels = labels.to_vec();
            labels.push(("le", part.to_owned()));
            (name, labels)
        };
        for bound in bounds {
            let within = if seconds <= *bound { 1.0 } else { 0.0 };
            self.change(with(&bound.to_string()), |count| *count += within);
        }
        self.change(with("+Inf"), |count| *count += 1.0);
        self.change(with(SUM), |sum| *sum += seconds);
        self.change(with(COUNT), |count| *count += 1.0);
    }

    /// Counts a request's token that was, or was not, good a moment ago.
    pub(crate) fn cache_asked(&self, hit: bool) {
        let status = if hit { "hit" } else { "miss" };
        let labels = vec![("status", status.to_owned())];
        self.observe(CACHE_IN, &USUAL, &labels, Duration::ZERO);
        self.count(CACHE_REQUESTS, labels);
    }

    /// Counts a token that had to be looked at.
    pub(crate) fn cache_filled(&self, ok: bool) {
        let status = if ok { "ok" } else { "error" };
        self.count(CACHE_FETCHES, vec![("status", status.to_owned())]);
        for status in ["blocked", "in_flight"] {
            let series = (CACHE_ACTIVE, vec![("status", status.to_owned())]);
            self.change(series, |_| {});
        }
    }

    /// Notes how long a token of another issuer took.
    pub(crate) fn token_checked(&self, token: &str, ok: bool, taken: Duration) {
        let token = jws::Compact::parse(token).ok();
        let claims: Value = token
            .and_then(|token| serde_json::from_slice(&token.payload).ok())
            .unwrap_or_default();
        let result = if ok { "success" } else { "failure" };
        let labels = [
            (
                "jwt_issuer_hash",
                hash(claims["iss"].as_str().unwrap_or_default()),
            ),
            ("result", result.to_owned()),
        ];
        self.observe(TOKENS_IN, &STEPPED, &labels, taken);
    }

    /// Counts a request that a role allowed.
    pub(crate) fn decided_by_rbac(&self) {
        let labels = [("decision", "allowed"), ("name", "rbac"), ("type", "RBAC")];
        let labels = labels.map(|(key, value)| (key, value.to_owned()));
        self.count(DECISIONS, labels.into());
    }

    pub(crate) fn legacy_token(&self) {
        self.count(LEGACY, Vec::new());
    }

    /// Counts a request that was carried out as somebody else.
    pub(crate) fn impersonated(&self, mode: &str) {
        let labels = vec![
            ("decision", "allowed".to_owned()),
            ("mode", mode.to_owned()),
        ];
        self.count(IMPERSONATIONS, labels);
    }

    /// Counts one authentication: `success`, `failure` or `error`.
    pub(crate) fn authentication(&self, result: &str, username: Option<&str>, taken: Duration) {
        let labels = vec![("result", result.to_owned())];
        self.observe(AUTHENTICATED_IN, &DOUBLED, &labels, taken);
        self.count(ATTEMPTS, labels);
        if let Some(username) = username {
            // The real server keeps few names apart.
            let name = match username {
                "admin" | "client" | "kube_proxy" | "kubelet" => username,
                "system:serviceaccount:kube-system:default" => username,
                name if name.contains('@') => "email_id",
                _ => "other",
            };
            let series = (USER_REQUESTS, vec![("username", name.to_owned())]);
            self.change(series, |count| {
                *count += 1.0;
            });
        }
    }

    pub(crate) fn authorization(&self, allowed: bool, taken: Duration) {
        let result = if allowed { "allowed" } else { "no-opinion" };
        let labels = [("result", result.to_owned())];
        self.observe(AUTHORIZED_IN, &DOUBLED, &labels, taken);
        let series = (AUTHORIZATIONS, vec![("result", result.to_owned())]);
        self.change(series, |count| {
            *count += 1.0;
        });
    }

    /// Counts a request that somebody was allowed to make.
    pub(crate) fn request(&self, labels: Vec<(&'static str, String)>) {
        self.count(REQUESTS, labels);
    }

    /// Notes what became of the fetches of key sets, in place of what was noted of them before.
    pub(crate) fn key_sets(&self, server: &str, fetches: &BTreeMap<String, Fetch>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(name, _), _| ![KEYS, KEYS_AT].contains(name));
        for (issuer, fetch) in fetches {
            let of = |key, value| {
                let mut labels = vec![
                    ("apiserver_id_hash", hash(server)),
                    ("jwt_issuer_hash", hash(issuer)),
                    (key, value),
                ];
                labels.sort_unstable();
                labels
            };
            for (result, at) in [("failure", fetch.failure), ("success", fetch.success)] {
                if let Some(at) = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()) {
                    all.insert((KEYS_AT, of("result", result.to_owned())), at.as_secs_f64());
                }
            }
            if let Some(keys) = &fetch.keys {
                all.insert((KEYS, of("hash", hash(keys))), 1.0);
            }
        }
    }

    /// Counts an attempt to change the authentication configuration of `server`.
    pub(crate) fn reload(&self, server: &str, success: bool) {
        let status = if success { "success" } else { "failure" };
        let labels = vec![
            ("apiserver_id_hash", hash(server)),
            ("status", status.to_owned()),
        ];
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.change((RELOADS, labels.clone()), |count| {
            *count += 1.0;
        });
        self.change((RELOAD_TIME, labels), |time| *time = now.as_secs_f64());
    }

    /// Notes the authentication configuration that is in force in `server`.
    pub(crate) fn configuration(&self, server: &str, text: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|(name, _), _| *name != CONFIG);
        let labels = vec![("apiserver_id_hash", hash(server)), ("hash", hash(text))];
        all.insert((CONFIG, labels), 1.0);
    }

    /// Forgets everything, as a new process has.
    pub(crate) fn reset(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The exposition text (Prometheus docs, "Exposition formats").
    pub(crate) fn text(&self) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for (family, kind, help) in FAMILIES {
            let mut series = all
                .iter()
                .filter(|((name, _), _)| name == family)
                .peekable();
            if series.peek().is_none() {
                continue;
            }
            let _ = writeln!(text, "# HELP {family} {help}\n# TYPE {family} {kind}");
            for ((name, labels), value) in series {
                line(&mut text, name, labels, *value);
            }
        }
        for (name, help) in PLAIN {
            let _ = writeln!(
                text,
                "# HELP {name} {help}\n# TYPE {name} counter\n{name} 0"
            );
        }
        text
    }
}

/// One series as a line; the parts of histograms have names of their own.
fn line(text: &mut String, name: &str, labels: &[(&'static str, String)], value: f64) {
    let part = labels
        .iter()
        .find(|(key, _)| *key == "le")
        .map(|(_, part)| part.as_str());
    let suffix = match part {
        Some(SUM | COUNT) => part.unwrap_or_default(),
        Some(_) => "_bucket",
        None => "",
    };
    let labels: Vec<String> = labels
        .iter()
        .filter(|(_, value)| !matches!(value.as_str(), SUM | COUNT))
        .map(|(key, value)| format!("{key}={value:?}"))
        .collect();
    let labels = if labels.is_empty() {
        String::new()
    } else {
        format!("{{{}}}", labels.join(","))
    };
    let _ = writeln!(text, "{name}{suffix}{labels} {value}");
}

fn hash(text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let digest = Sha256::digest(text);
    let hex = digest.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256:{}", hex.collect::<String>())
}
