//! Server-side tables: what `kubectl get` prints.
//!
//! Columns and cells follow k8s.io/kubernetes `pkg/printers/internalversion` (v1.36).

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::object::Object;
use crate::resources::{Resource, Served};

/// One column and how its cell is read off an object.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// 1 for columns of `-o wide` only.
    pub(crate) priority: u8,
    pub(crate) cell: fn(&Value) -> Value,
}

impl Column {
    pub(crate) const fn text(name: &'static str, cell: fn(&Value) -> Value) -> Self {
        Self {
            name,
            priority: 0,
            cell,
        }
    }

    pub(crate) const fn wide(mut self) -> Self {
        self.priority = 1;
        self
    }
}

/// The two columns most kinds have.
pub(crate) const NAME: Column = Column::text("Name", |object| json!(object.name()));
pub(crate) const AGE: Column =
    Column::text("Age", |object| json!(age(object.meta("creationTimestamp"))));

pub(crate) fn serves(resource: &Resource) -> bool {
    matches!(resource.served, Served::Objects(_))
}

/// The table of an object or list. `include` is the parameter `includeObject`; watches send the
/// column definitions once only.
pub(crate) fn table(resource: &Resource, value: &Value, include: &str, define: bool) -> Value {
    let Served::Objects(objects) = &resource.served else {
        return value.clone();
    };
    let row = |object: &Value| {
        let embedded = match include {
            "None" => Value::Null,
            // An item of a list says nothing of its kind, an object in a row does.
            "Object" => {
                let mut object = object.clone();
                object["kind"] = json!(resource.kind);
                object["apiVersion"] = json!(resource.api_version());
                object
            }
            _ => crate::negotiate::metadata_only(resource, object),
        };
        json!({"cells": objects.rules.cells(object), "object": embedded})
    };
    let rows: Vec<Value> = match value["items"].as_array() {
        Some(items) => items.iter().map(row).collect(),
        None => vec![row(value)],
    };
    let mut metadata = json!({"resourceVersion": value["metadata"]["resourceVersion"]});
    for key in ["continue", "remainingItemCount"] {
        if !value["metadata"][key].is_null() {
            metadata[key] = value["metadata"][key].clone();
        }
    }
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": if define { json!(objects.rules.definitions()) } else { Value::Null },
        "rows": rows,
    })
}

pub(crate) fn definition(column: &Column) -> Value {
    json!({
        "name": column.name,
        "type": "string",
        "format": if column.name == "Name" { "name" } else { "" },
        "description": "",
        "priority": column.priority,
    })
}

/// How long ago a timestamp was, as k8s.io/apimachinery `util/duration` shortens it.
pub(crate) fn age(timestamp: &str) -> String {
    let Ok(then) = DateTime::parse_from_rfc3339(timestamp) else {
        return "<unknown>".to_owned();
    };
    human(Utc::now().signed_duration_since(then).num_seconds())
}

fn human(seconds: i64) -> String {
    let pair = |big: i64, unit: &str, small: i64, part: &str| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{part}"),
    };
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / 24 / 365);
    match seconds {
        ..=-2 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        _ if seconds < 120 => format!("{seconds}s"),
        _ if minutes < 10 => pair(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => pair(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if days < 8 => pair(days, "d", hours % 24, "h"),
        _ if days < 730 => format!("{days}d"),
        _ if years < 8 => pair(years, "y", days % 365, "d"),
        _ => format!("{years}y"),
    }
}

#[cfg(test)]
mod tests;
