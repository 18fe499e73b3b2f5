//! Reading and writing the metadata of an object held as JSON.

use chrono::{SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// The metadata accessors that handlers share; absent text reads as `""`.
pub(crate) trait Object {
    fn meta(&self, field: &str) -> &str;
    fn metadata_mut(&mut self) -> &mut Map<String, Value>;
    fn name(&self) -> &str {
        self.meta("name")
    }
    fn namespace(&self) -> &str {
        self.meta("namespace")
    }
    fn uid(&self) -> &str {
        self.meta("uid")
    }
    fn revision(&self) -> &str {
        self.meta("resourceVersion")
    }
    /// Whether a deletion has begun (finalizers may still hold it).
    fn terminating(&self) -> bool {
        !self.meta("deletionTimestamp").is_empty()
    }
    fn finalizers(&self) -> Vec<&str>;
    fn label(&self, key: &str) -> Option<&str>;
}

impl Object for Value {
    fn meta(&self, field: &str) -> &str {
        self["metadata"][field].as_str().unwrap_or_default()
    }

    fn metadata_mut(&mut self) -> &mut Map<String, Value> {
        entry(self, "metadata")
    }

    fn finalizers(&self) -> Vec<&str> {
        strings(&self["metadata"]["finalizers"])
    }

    fn label(&self, key: &str) -> Option<&str> {
        self["metadata"]["labels"][key].as_str()
    }
}

/// The map below `key`, made if it is not there; a value of another shape is replaced.
pub(crate) fn entry<'a>(object: &'a mut Value, key: &str) -> &'a mut Map<String, Value> {
    if !object.is_object() {
        *object = json!({});
    }
    let slot = &mut object[key];
    if !slot.is_object() {
        *slot = json!({});
    }
    match slot {
        Value::Object(map) => map,
        _ => unreachable!("made an object just above"),
    }
}

/// The strings of a list; anything else in it is left out.
pub(crate) fn strings(list: &Value) -> Vec<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// The time now as `metav1.Time` prints it: RFC 3339, UTC, whole seconds.
pub(crate) fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A generated name's suffix: five characters of the alphabet that Kubernetes uses
/// (k8s.io/apimachinery `util/rand`), which spells no words.
pub(crate) fn random_suffix() -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let bytes = uuid::Uuid::new_v4().into_bytes();
    bytes[..5]
        .iter()
        .map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]))
        .collect()
}
