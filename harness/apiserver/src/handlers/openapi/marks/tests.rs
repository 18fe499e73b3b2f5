//! What is said of fields is said of fields that there are.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{EXCLUSIVE, GRANULAR, KEYED, SETS, VALUES, WHOLE};
use crate::handlers::openapi::models::{PLACE, schemas};
use crate::resources::builtin;

#[test]
fn every_mark_is_on_a_schema_that_is_published() {
    let all = schemas(builtin().iter());
    let find = |path: &str| {
        let (name, field) = path.split_once('.').unwrap_or((path, ""));
        let named: Vec<&Value> = all
            .iter()
            .filter(|(full, _)| full.rsplit('.').next() == Some(name))
            .map(|(_, schema)| schema)
            .collect();
        let [schema] = named[..] else {
            panic!("{path}: {} schemas have that name", named.len());
        };
        match field {
            "" => schema,
            field => match field.strip_suffix("[]").or(field.strip_suffix("{}")) {
                Some(list) if field.ends_with("[]") => &schema["properties"][list]["items"],
                Some(map) => &schema["properties"][map]["additionalProperties"],
                None => &schema["properties"][field],
            },
        }
    };
    let list = "x-kubernetes-list-type";
    SETS.iter()
        .for_each(|path| assert_eq!(find(path)[list], "set", "{path}"));
    for (keys, paths) in KEYED {
        for path in *paths {
            let property = find(path);
            assert_eq!(property[list], "map", "{path}");
            assert_eq!(
                property["x-kubernetes-list-map-keys"],
                json!(keys),
                "{path}"
            );
            let items = &property["items"];
            let items = items["allOf"][0]["$ref"]
                .as_str()
                .or(items["$ref"].as_str());
            let item = &all[items.unwrap_or_default().trim_start_matches(PLACE)];
            for key in *keys {
                assert!(item["properties"][key].is_object(), "{path}: {key}");
            }
        }
    }
    for path in WHOLE {
        let schema = find(path);
        assert_eq!(schema["type"], "object", "{path}");
        assert_eq!(schema["x-kubernetes-map-type"], "atomic", "{path}");
    }
    assert_eq!(find(EXCLUSIVE)["x-kubernetes-patch-strategy"], "retainKeys");
    assert_eq!(find(GRANULAR)["x-kubernetes-map-type"], "granular");
    for (paths, values) in VALUES {
        let values: BTreeSet<&str> = values
            .split(' ')
            .map(|value| value.trim_matches('-'))
            .collect();
        for path in *paths {
            let place = find(path);
            assert_eq!(place["type"], "string", "{path}");
            assert_eq!(place["enum"], json!(values), "{path}");
        }
    }
}

#[test]
fn what_is_named_nowhere_is_one_piece() {
    let all = schemas(builtin().iter());
    let rules = &all["io.k8s.api.rbac.v1.Role"]["properties"]["rules"];
    assert_eq!(rules["x-kubernetes-list-type"], "atomic");
    assert_eq!(rules["enum"], Value::Null);
    let ports = &all["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"];
    // How strategic patches merge is said beside it.
    assert_eq!(ports["x-kubernetes-patch-merge-key"], "port");
}
