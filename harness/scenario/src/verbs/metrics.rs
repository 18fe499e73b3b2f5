//! `metrics`: what the API server counts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use authlab_lab::source::SourceError;
use authlab_lab::wait::{Look, WaitError, until};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use super::{Loading, Task, Verb};
use crate::api::{Api, Call};
use crate::context::Context;
use crate::exposition::{Sample, parse};
use crate::fault::Fault;
use crate::flow::flow;
use crate::reproduce;
use crate::seen::Seen;

/// How long counts may take to follow what was answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the API server's metrics as the lab's administrator. `rises` and `risesAtLeast` count from
/// the `metrics` step before this one, which may be empty (`metrics: {}`). Several series that fit
/// are added up; one that is not there counts 0. The lab is the scenario's alone meanwhile.
///
/// ```yaml
/// - metrics: {}
/// - whoami: { as: ada, expect: { unauthorized: {} } }
/// - metrics:
///     expect:
///       - { series: authentication_attempts, labels: { result: error }, rises: 1 }
///       - { series: authenticated_user_requests, atLeast: 1 }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Metrics {
    /// The API server, by its name in the lab file; `default` when left out.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    cluster: Option<Spanned<String>>,
    /// What must be read, each within 5 seconds.
    #[serde(default)]
    #[schemars(with = "Vec<Series>")]
    expect: Vec<Spanned<Series>>,
}

/// What is expected of a series: exactly one of `is`, `atLeast`, `rises` and `risesAtLeast`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Series {
    /// The name, for example `authentication_attempts`; of a histogram with its ending.
    series: String,
    /// Labels that the series has, among others.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// The value.
    #[serde(default)]
    is: Option<f64>,
    /// The least value.
    #[serde(default)]
    at_least: Option<f64>,
    /// How much more it is than before.
    #[serde(default)]
    rises: Option<f64>,
    /// How much more it is than before, at least.
    #[serde(default)]
    rises_at_least: Option<f64>,
}

impl Series {
    /// The one expectation, when there is exactly one.
    fn wanted(&self) -> Option<Wanted> {
        let all = [
            (self.is, false, false),
            (self.at_least, false, true),
            (self.rises, true, false),
            (self.rises_at_least, true, true),
        ];
        let mut given = all
            .into_iter()
            .filter_map(|(value, rise, least)| value.map(|value| Wanted { value, rise, least }));
        given.next().filter(|_| given.next().is_none())
    }

    /// As it would be written in a query.
    fn name(&self) -> String {
        if self.labels.is_empty() {
            return self.series.clone();
        }
        let labels: Vec<String> = self
            .labels
            .iter()
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        format!("{}{{{}}}", self.series, labels.join(","))
    }

    fn sum(&self, samples: &[Sample]) -> f64 {
        let fits = |sample: &&Sample| {
            let labels = &sample.labels;
            sample.name == self.series
                && self
                    .labels
                    .iter()
                    .all(|(name, value)| labels.get(name) == Some(value))
        };
        // A sum of nothing would be -0.
        samples
            .iter()
            .filter(fits)
            .fold(0.0, |sum, sample| sum + sample.value)
    }
}

/// An expectation of a number.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    value: f64,
    /// Compared with the reading before.
    rise: bool,
    /// More is right, too.
    least: bool,
}

impl Wanted {
    fn holds(self, found: f64) -> bool {
        match self.least {
            true => found >= self.value,
            false => (found - self.value).abs() < 1e-9,
        }
    }

    fn describe(self) -> String {
        let least = if self.least { "at least " } else { "" };
        let rise = if self.rise { "rises by " } else { "" };
        format!("{rise}{least}{}", self.value)
    }

    fn seen(self, found: f64) -> String {
        let rise = if self.rise { "rises by " } else { "" };
        format!("{rise}{found}")
    }
}

impl Metrics {
    /// The rows of a reading.
    fn compare(&self, now: &[Sample], before: Option<&[Sample]>) -> Seen {
        let mut data = serde_json::Map::new();
        let mut seen = Seen::default();
        for series in &self.expect {
            let series = &series.value;
            let Some(wanted) = series.wanted() else {
                continue;
            };
            let mut found = series.sum(now);
            if wanted.rise {
                found -= before.map_or(0.0, |before| series.sum(before));
            }
            let (name, holds) = (series.name(), wanted.holds(found));
            // Two backends count differently beyond what is expected.
            data.insert(name.clone(), json!(holds));
            seen.row(name, wanted.describe(), wanted.seen(found), holds);
        }
        seen.data = Value::Object(data);
        if !seen.holds() {
            seen.because(self.others(now).unwrap_or_default());
        }
        seen
    }

    /// What is there of what was not found, those first that have most of the labels.
    fn others(&self, now: &[Sample]) -> Option<String> {
        let mut lines = Vec::new();
        for series in self.expect.iter().map(|series| &series.value) {
            let shared = |sample: &Sample| {
                let labels = series.labels.iter();
                labels
                    .filter(|(name, value)| sample.labels.get(*name) == Some(value))
                    .count()
            };
            let mut near: Vec<&Sample> = now
                .iter()
                .filter(|sample| sample.name == series.series)
                .collect();
            near.sort_by_key(|sample| std::cmp::Reverse(shared(sample)));
            if near.is_empty() {
                lines.push(format!("there is no series `{}`", series.series));
            }
            lines.extend(near.iter().take(3).map(|sample| {
                format!(
                    "{} {} {}",
                    sample.name,
                    flow(&json!(sample.labels)),
                    sample.value
                )
            }));
        }
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

async fn read(api: &Api) -> Result<Vec<Sample>, Fault> {
    let answer = api.admin_does(Call::get("/metrics")).await?;
    let text = answer.as_str().unwrap_or_default();
    parse(text).map_err(|why| Fault::Other(format!("GET /metrics: {why}")))
}

impl Verb for Metrics {
    fn summary(&self) -> String {
        let names = self
            .expect
            .iter()
            .map(|series| series.value.series.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    fn needs_lab_alone(&self, _: &Loading<'_>) -> bool {
        true
    }

    fn check(&self, loading: &Loading<'_>) -> Result<(), SourceError> {
        let source = loading.source;
        for series in &self.expect {
            let Some(wanted) = series.value.wanted() else {
                let message = "a series needs one expectation, no more and no less";
                return Err(source
                    .error(series.referenced, message, "of this series")
                    .or_help("`is`, `atLeast`, `rises` and `risesAtLeast` are known"));
            };
            if wanted.rise
                && !loading
                    .before
                    .iter()
                    .any(|step| step.value.name() == "metrics")
            {
                let message = "no step before this one has read the metrics";
                return Err(source
                    .error(series.referenced, message, "rises since when?")
                    .or_help("put `- metrics: {}` where the counting is to begin"));
            }
        }
        Ok(())
    }

    fn reproduce(&self, context: &Context<'_>) -> Option<String> {
        let kubectl = reproduce::kubectl(context, context.api.admin());
        Some(format!("{kubectl} get --raw /metrics"))
    }

    fn cluster(&self) -> Option<&Spanned<String>> {
        self.cluster.as_ref()
    }

    fn run<'a>(&'a self, context: &'a mut Context<'_>) -> Task<'a, Result<Seen, Fault>> {
        Box::pin(async move {
            let (api, before) = (&context.api, context.reading.as_deref());
            let last = Mutex::new(Vec::new());
            let looked = until("the metrics", PATIENCE, async || match read(api).await {
                Err(fault) => Look::Failed(fault.to_string()),
                Ok(now) => {
                    let holds = self.compare(&now, before).holds();
                    *last.lock().unwrap_or_else(PoisonError::into_inner) = now;
                    match holds {
                        true => Look::Ready(()),
                        false => Look::NotYet(String::new()),
                    }
                }
            })
            .await;
            match looked {
                // What was read last is told row by row.
                Ok(()) | Err(WaitError::Late { .. }) => {}
                Err(failed) => return Err(failed.into()),
            }
            let last = last.into_inner().unwrap_or_else(PoisonError::into_inner);
            let seen = self.compare(&last, before);
            context.reading = Some(last);
            Ok(seen)
        })
    }
}
