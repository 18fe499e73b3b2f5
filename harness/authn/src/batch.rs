//! Answers files of cases, a JSON object a line: what `cargo xtask explain --batch` prints.

use std::{
    io::{self, BufRead, Write},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    config,
    token::{Evaluator, Verdict},
};

/// A case. What it expects is ignored, and so is whatever else a line may hold.
#[derive(Deserialize)]
#[serde(default)]
struct Case<'a> {
    id: Value,
    config: String,
    #[serde(borrow)]
    claims: Option<&'a RawValue>,
    claims_raw: Option<String>,
    disallowed_issuers: Option<Vec<String>>,
    now: Option<i64>,
    alg: Option<String>,
}

impl Default for Case<'_> {
    fn default() -> Self {
        Self {
            id: Value::Null,
            config: String::new(),
            claims: None,
            claims_raw: None,
            disallowed_issuers: None,
            now: None,
            alg: None,
        }
    }
}

/// Writes one line for each line read: `id`, and exactly one of `authenticated`, `rejected`, `skipped`,
/// `invalid_config`, `valid_config` (when there are no claims). A line that is no case is answered with
/// `invalid_config` that says so.
///
/// # Errors
/// When reading or writing fails.
pub fn run(reader: impl BufRead, mut writer: impl Write) -> io::Result<()> {
    for line in reader.split(b'\n') {
        let line = line?;
        let text = String::from_utf8_lossy(&line);
        let answer = match serde_json::from_str::<Case<'_>>(&text) {
            Ok(case) => answer(&case),
            Err(error) => json!({
                "id": id_of(&text),
                "invalid_config": format!("not a case: {error}"),
            }),
        };
        writeln!(writer, "{answer}")?;
    }
    writer.flush()
}

/// The id of a line that is JSON, if not a case.
fn id_of(line: &str) -> Value {
    let line: Option<Map<String, Value>> = serde_json::from_str(line).ok();
    line.and_then(|line| line.get("id").cloned())
        .unwrap_or_default()
}

fn answer(case: &Case<'_>) -> Value {
    let id = &case.id;
    let disallowed = case.disallowed_issuers.as_deref().unwrap_or_default();
    let config = match config::load(&case.config, disallowed) {
        Ok(config) => config,
        Err(error) => return json!({"id": id, "invalid_config": error.to_string()}),
    };
    let claims = case.claims.map(RawValue::get);
    let claims = claims.filter(|claims| *claims != "null");
    let Some(claims) = case.claims_raw.as_deref().or(claims) else {
        return json!({"id": id, "valid_config": true});
    };
    let now = case.now.map_or_else(SystemTime::now, time);
    let algorithm = case.alg.as_deref().filter(|alg| !alg.is_empty());
    let algorithm = algorithm.unwrap_or("RS256");
    match Evaluator::new(&config).evaluate_signed(claims, algorithm, now) {
        Verdict::Authenticated(user) => json!({"id": id, "authenticated": user}),
        Verdict::Rejected(text) => json!({"id": id, "rejected": text}),
        Verdict::Skipped => json!({"id": id, "skipped": true}),
    }
}

fn time(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}
