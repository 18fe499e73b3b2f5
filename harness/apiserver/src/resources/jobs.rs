//! Jobs and cron jobs as records: defaults and checks of the API, without anything that runs.
//!
//! As a kube-apiserver 1.36 fills them in and refuses them.

use authlab_rbac::validation::FieldError;
use serde_json::{Value, json};

use super::workloads::{CONTAINERS, IMAGES, SELECTOR, template};
use super::{Rules, advance, fill, pods, validation};
use crate::object::{Object as _, entry};
use crate::table::{AGE, Column, NAME};

pub(super) struct Jobs;

const JOB_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Status", |object| {
        let conditions = object["status"]["conditions"].as_array();
        let holds = |kind: &str| {
            let mut all = conditions.into_iter().flatten();
            all.any(|one| one["type"] == kind && one["status"] == "True")
        };
        let states = [
            "Complete",
            "Failed",
            "Suspended",
            "FailureTarget",
            "SuccessCriteriaMet",
        ];
        if object.terminating() {
            return json!("Terminating");
        }
        let found = states.into_iter().find(|kind| holds(kind));
        json!(found.unwrap_or("Running"))
    }),
    Column::text("Completions", |object| {
        let done = object["status"]["succeeded"].as_i64().unwrap_or_default();
        let wanted = object["spec"]["completions"].as_i64().unwrap_or(1);
        json!(format!("{done}/{wanted}"))
    }),
    Column::text("Duration", |_| json!("")),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

/// What is wrong with the policy of a job's template, which stands at `path`.
fn policy(object: &Value, path: &str) -> Vec<FieldError> {
    let field = format!("{path}.restartPolicy");
    match template(object)["spec"]["restartPolicy"].as_str() {
        Some("OnFailure" | "Never") => Vec::new(),
        None | Some("" | "Always") => {
            let why = "valid values: \"OnFailure\", \"Never\"";
            vec![FieldError::required(field, why)]
        }
        Some(other) => vec![FieldError::unsupported(
            field,
            other,
            &["OnFailure", "Never"],
        )],
    }
}

impl Rules for Jobs {
    fn columns(&self) -> &[Column] {
        JOB_COLUMNS
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, subresource: &str) {
        if subresource.is_empty() {
            defaults(object);
        }
        if old.is_none() {
            object["status"] = json!({});
            labels(object);
        }
        advance(object, old);
    }

    fn validate(&self, object: &Value, old: Option<&Value>) -> Vec<FieldError> {
        let path = "spec.template.spec";
        let mut errors = pods::containers(&template(object)["spec"], path);
        errors.extend(policy(object, path));
        for field in ["completions", "selector", "template"] {
            errors.extend(old.into_iter().flat_map(|old| {
                let name = format!("spec.{field}");
                validation::unchanged(&name, &object["spec"][field], &old["spec"][field])
            }));
        }
        errors
    }
}

fn defaults(object: &mut Value) {
    let spec = entry(object, "spec");
    // Without either number, a job is done when one pod is.
    if !spec.contains_key("completions") && !spec.contains_key("parallelism") {
        fill(spec, json!({"completions": 1}));
    }
    fill(
        spec,
        json!({
            "parallelism": 1,
            "backoffLimit": 6,
            "completionMode": "NonIndexed",
            "manualSelector": false,
            "podReplacementPolicy": "TerminatingOrFailed",
            "suspend": false,
        }),
    );
    let template = &mut object["spec"]["template"];
    entry(template, "metadata");
    pods::template(entry(template, "spec"));
}

/// The labels by which a job finds its pods, unless somebody has written a selector.
fn labels(object: &mut Value) {
    if object["spec"]["manualSelector"] == true {
        return;
    }
    let (name, uid) = (object.name().to_owned(), object.meta("uid").to_owned());
    let labels = json!({
        "controller-uid": uid,
        "job-name": name,
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
    });
    // The job's own labels follow its template's where it has none.
    let own = object["metadata"]["labels"].is_null();
    let template = &mut object["spec"]["template"];
    fill(entry(&mut template["metadata"], "labels"), labels);
    let all = template["metadata"]["labels"].clone();
    object["spec"]["selector"] =
        json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
    if own {
        object["metadata"]["labels"] = all;
    }
}

pub(super) struct CronJobs;

const CRON_JOB_COLUMNS: &[Column] = &[
    NAME,
    Column::text("Schedule", |object| object["spec"]["schedule"].clone()),
    Column::text("Timezone", |object| {
        super::records::text(&object["spec"]["timeZone"])
    }),
    Column::text("Suspend", |object| {
        let suspended = object["spec"]["suspend"] == true;
        json!(if suspended { "True" } else { "False" })
    }),
    Column::text("Active", |object| {
        let active = object["status"]["active"].as_array().map_or(0, Vec::len);
        json!(active.to_string())
    }),
    Column::text(
        "Last Schedule",
        |object| match object["status"]["lastScheduleTime"].as_str() {
            Some(time) => json!(crate::table::age(time)),
            None => json!("<none>"),
        },
    ),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
];

impl Rules for CronJobs {
    fn columns(&self) -> &[Column] {
        CRON_JOB_COLUMNS
    }

    fn prepare(&self, object: &mut Value, old: Option<&Value>, subresource: &str) {
        if subresource.is_empty() {
            let defaults = json!({
                "concurrencyPolicy": "Allow",
                "failedJobsHistoryLimit": 1,
                "successfulJobsHistoryLimit": 3,
                "suspend": false,
            });
            fill(entry(object, "spec"), defaults);
            let jobs = entry(&mut object["spec"], "jobTemplate");
            fill(jobs, json!({"metadata": {}}));
            let template = &mut object["spec"]["jobTemplate"]["spec"];
            fill(entry(template, "template"), json!({"metadata": {}}));
            pods::template(entry(&mut template["template"], "spec"));
        }
        if old.is_none() {
            object["status"] = json!({});
        }
        advance(object, old);
    }

    fn validate(&self, object: &Value, _old: Option<&Value>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let schedule = object["spec"]["schedule"].as_str().unwrap_or_default();
        let fields: Vec<&str> = schedule.split_whitespace().collect();
        if schedule.is_empty() {
            errors.push(FieldError::required("spec.schedule", ""));
        } else if !schedule.starts_with('@') && fields.len() != 5 {
            let why = format!(
                "expected exactly 5 fields, found {}: [{}]",
                fields.len(),
                fields.join(" ")
            );
            errors.push(FieldError::invalid("spec.schedule", schedule, why));
        }
        let path = "spec.jobTemplate.spec.template.spec";
        errors.extend(pods::containers(&template(object)["spec"], path));
        errors.extend(policy(object, path));
        errors
    }
}
