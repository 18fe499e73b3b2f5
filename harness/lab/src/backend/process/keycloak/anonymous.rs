//! A realm without the ids that its export has: a server knows each id once, and labs that share it may
//! have the same export.

use serde_json::Value;

/// Members that hold ids. What refers to something else does so by name.
const IDS: [&str; 3] = ["id", "containerId", "internalId"];

/// The realm with new ids; `None` when it has none of its own, or is no JSON.
pub(super) fn realm(text: &str) -> Option<String> {
    let mut realm: Value = serde_json::from_str(text).ok()?;
    strip(&mut realm).then(|| realm.to_string())
}

/// Whether there was an id.
fn strip(value: &mut Value) -> bool {
    match value {
        Value::Object(members) => {
            let before = members.len();
            members.retain(|name, value| !(IDS.contains(&name.as_str()) && is_id(value)));
            let here = members.len() < before;
            members
                .values_mut()
                .fold(here, |any, value| strip(value) | any)
        }
        Value::Array(items) => items
            .iter_mut()
            .fold(false, |any, value| strip(value) | any),
        _ => false,
    }
}

/// Whether it is a UUID (RFC 9562 section 4): an attribute that people call `id` is none.
fn is_id(value: &Value) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    value.as_str().is_some_and(|text| {
        let mut parts = text.split('-');
        lengths.iter().all(|length| {
            let part = parts.next().unwrap_or_default();
            part.len() == *length && part.chars().all(|c| c.is_ascii_hexdigit())
        }) && parts.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_and_names_stay() {
        let id = "66a410ec-3972-4363-88f0-817c2b20b08b";
        let text = format!(
            r#"{{"id":"{id}","realm":"r","clients":[{{"id":"{id}","clientId":"{id}"}}],"users":[{{"attributes":{{"id":["7"]}}}}],"x":{{"id":"seven"}},"identityProviders":[{{"alias":"a","internalId":"{id}"}}]}}"#
        );
        assert_eq!(
            realm(&text).unwrap(),
            format!(
                r#"{{"clients":[{{"clientId":"{id}"}}],"identityProviders":[{{"alias":"a"}}],"realm":"r","users":[{{"attributes":{{"id":["7"]}}}}],"x":{{"id":"seven"}}}}"#
            )
        );
        assert_eq!(realm(r#"{"realm":"r"}"#), None);
    }
}
