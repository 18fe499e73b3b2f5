//! Strategic merge patch: JSON merge patch that knows which lists are keyed.
//!
//! Directives: Kubernetes docs, "Update API Objects in Place Using kubectl patch", and
//! "Strategic Merge Patch" in the community's API machinery notes. Keys are those of the built-in
//! kinds' `patchStrategy` and `patchMergeKey` tags.

use serde_json::{Map, Value};

/// How a list is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Atomic,
    /// A list of objects told apart by this field.
    Keyed(&'static str),
    /// A list of plain values without repetition.
    Set,
}

/// The list below `field` of `parent`, in an object of `kind`.
pub(crate) fn list(kind: &str, parent: &str, field: &str) -> List {
    match (parent, field) {
        (_, "conditions") if kind == "CustomResourceDefinition" => List::Atomic,
        ("nodeAllocatableResourceClaimStatuses", _) => List::Atomic,
        ("status", "addresses") => List::Keyed("type"),
        ("status", "resourceClaimStatuses") | (_, "allocatedResourcesStatus") => {
            List::Keyed("name")
        }
        ("spec", "podCIDRs") => List::Set,
        (_, "x-kubernetes-validations") => List::Keyed("rule"),
        ("metadata", "finalizers") => List::Set,
        ("metadata", "ownerReferences") => List::Keyed("uid"),
        ("status", "conditions") => List::Keyed("type"),
        ("status", "podIPs" | "hostIPs") | (_, "hostAliases") => List::Keyed("ip"),
        ("", "secrets") if kind == "ServiceAccount" => List::Keyed("name"),
        ("spec", "imagePullSecrets" | "volumes" | "schedulingGates" | "resourceClaims")
        | (_, "containers" | "initContainers" | "ephemeralContainers" | "env") => {
            List::Keyed("name")
        }
        ("spec", "topologySpreadConstraints") => List::Keyed("topologyKey"),
        ("spec", "ports") if kind == "Service" => List::Keyed("port"),
        ("containers" | "initContainers" | "ephemeralContainers", "ports") => {
            List::Keyed("containerPort")
        }
        (_, "volumeMounts") => List::Keyed("mountPath"),
        (_, "volumeDevices") => List::Keyed("devicePath"),
        _ => List::Atomic,
    }
}

/// Merges `patch` into `object`, an object of `kind`.
pub(crate) fn merge(kind: &str, object: &mut Value, patch: &Value) -> Result<(), String> {
    merge_value(kind, "", object, patch)
}

fn merge_value(kind: &str, parent: &str, object: &mut Value, patch: &Value) -> Result<(), String> {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return Ok(());
    };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Value::Object(object) = object else {
        unreachable!("made an object just above")
    };
    match patch.get("$patch").and_then(Value::as_str) {
        None | Some("merge") => {}
        Some("replace") => {
            *object = patch.clone();
            object.remove("$patch");
            return Ok(());
        }
        Some("delete") => {
            object.clear();
            return Ok(());
        }
        Some(other) => return Err(format!("unknown patch type: {other}")),
    }
    if let Some(keep) = patch.get("$retainKeys").and_then(Value::as_array) {
        object.retain(|key, _| keep.iter().any(|kept| kept.as_str() == Some(key)));
    }
    for (key, change) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(items)), Some(gone)) =
                (object.get_mut(field), change.as_array())
            {
                items.retain(|item| !gone.contains(item));
            }
        } else if key.starts_with('$') {
            // `$setElementOrder/...` is applied below, once the list is merged.
        } else if change.is_null() {
            object.remove(key);
        } else if let Value::Array(change) = change {
            let current = object
                .entry(key.clone())
                .or_insert_with(|| Value::Array(Vec::new()));
            merge_list(kind, parent, key, current, change)?;
        } else {
            let current = object.entry(key.clone()).or_insert(Value::Null);
            merge_value(kind, key, current, change)?;
        }
    }
    for (key, order) in patch {
        if let (Some(field), Some(order)) =
            (key.strip_prefix("$setElementOrder/"), order.as_array())
            && let Some(Value::Array(items)) = object.get_mut(field)
        {
            sort(list(kind, parent, field), items, order);
        }
    }
    Ok(())
}

fn merge_list(
    kind: &str,
    parent: &str,
    field: &str,
    current: &mut Value,
    change: &[Value],
) -> Result<(), String> {
    let Value::Array(items) = current else {
        *current = Value::Array(change.to_vec());
        return Ok(());
    };
    let replaces = |one: &Value| one["$patch"].as_str() == Some("replace");
    let strategy = list(kind, parent, field);
    if strategy == List::Atomic || change.iter().any(replaces) {
        *items = change
            .iter()
            .filter(|one| !replaces(one))
            .cloned()
            .collect();
        return Ok(());
    }
    for one in change {
        let List::Keyed(key) = strategy else {
            if !items.contains(one) {
                items.push(one.clone());
            }
            continue;
        };
        let id = &one[key];
        if id.is_null() {
            return Err(format!(
                "map: {one} does not contain declared merge key: {key}"
            ));
        }
        if one["$patch"].as_str() == Some("delete") {
            items.retain(|item| item[key] != *id);
        } else if let Some(item) = items.iter_mut().find(|item| item[key] == *id) {
            merge_value(kind, field, item, one)?;
        } else {
            let mut item = Value::Null;
            merge_value(kind, field, &mut item, one)?;
            items.push(item);
        }
    }
    Ok(())
}

/// Puts the items that `order` names into that order, the rest after them.
fn sort(strategy: List, items: &mut [Value], order: &[Value]) {
    let place = |item: &Value| {
        let same = |wanted: &Value| match strategy {
            List::Keyed(key) => wanted[key] == item[key],
            _ => wanted == item,
        };
        order.iter().position(same).unwrap_or(order.len())
    };
    items.sort_by_key(place);
}

#[cfg(test)]
mod tests;
