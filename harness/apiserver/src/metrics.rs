//! Counters under their real names, in the Prometheus text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// A counter's name with its labels in order.
type Series = (&'static str, Vec<(&'static str, String)>);

/// All counters and gauges of the server.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Mutex<BTreeMap<Series, f64>>);

/// Names, kinds and help texts, in the order of output.
const FAMILIES: &[(&str, &str, &str)] = &[
    (
        REQUESTS,
        "counter",
        "[STABLE] Counter of apiserver requests broken out for each verb, group, version, resource, scope, component, and HTTP response code.",
    ),
    (
        USER_REQUESTS,
        "counter",
        "[ALPHA] Counter of authenticated requests broken out by username.",
    ),
    (
        ATTEMPTS,
        "counter",
        "[ALPHA] Counter of authenticated attempts.",
    ),
    (
        AUTHORIZATIONS,
        "counter",
        "[ALPHA] Counter of authorization attempts.",
    ),
];

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
            // The real server folds all names but its own few into one.
            let name = match username {
                "admin" | "kube-apiserver" | "" => username,
                name if name.starts_with("system:") => name,
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
