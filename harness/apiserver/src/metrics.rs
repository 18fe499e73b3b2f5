//! Counters under their real names, in the Prometheus text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

/// A counter's name with its labels in order.
type Series = (&'static str, Vec<(&'static str, String)>);

/// All counters and gauges of the server.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<Series, f64>>);

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
    (AUTHORIZATIONS, "counter", "Authorizations by result."),
];

const RELOAD_TIME: &str =
    "apiserver_authentication_config_controller_automatic_reload_last_timestamp_seconds";
const RELOADS: &str = "apiserver_authentication_config_controller_automatic_reloads_total";
const CONFIG: &str = "apiserver_authentication_config_controller_last_config_info";
const REQUESTS: &str = "apiserver_request_total";
const USER_REQUESTS: &str = "authenticated_user_requests";
const ATTEMPTS: &str = "authentication_attempts";
const AUTHORIZATIONS: &str = "authorization_attempts_total";

impl Metrics {
    fn change(&self, series: Series, change: impl FnOnce(&mut f64)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(series).or_default());
    }

    /// Counts one authentication: `success`, `failure` or `error`.
    pub(crate) fn authentication(&self, result: &str, username: Option<&str>) {
        self.change((ATTEMPTS, vec![("result", result.to_owned())]), |count| {
            *count += 1.0;
        });
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

    pub(crate) fn authorization(&self, allowed: bool) {
        let result = if allowed { "allowed" } else { "no-opinion" };
        let series = (AUTHORIZATIONS, vec![("result", result.to_owned())]);
        self.change(series, |count| {
            *count += 1.0;
        });
    }

    pub(crate) fn request(
        &self,
        code: u16,
        verb: &str,
        group: &str,
        version: &str,
        resource: &str,
    ) {
        let labels = vec![
            ("code", code.to_string()),
            ("component", "apiserver".to_owned()),
            ("group", group.to_owned()),
            ("resource", resource.to_owned()),
            ("verb", verb.to_uppercase()),
            ("version", version.to_owned()),
        ];
        self.change((REQUESTS, labels), |count| {
            *count += 1.0;
        });
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
                let labels: Vec<String> = labels
                    .iter()
                    .map(|(key, value)| format!("{key}={value:?}"))
                    .collect();
                let _ = writeln!(text, "{name}{{{}}} {value}", labels.join(","));
            }
        }
        text
    }
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    let hex = digest.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256:{}", hex.collect::<String>())
}
