//! Manifests: several documents in a file, read as the API machinery reads them (YAML 1.1).

use std::path::Path;

use authlab_authn::yaml11;
use authlab_lab::plan::{Text, fixture};
use authlab_lab::render::{self, Values};
use authlab_lab::source::SourceError;
use serde_json::Value;

use crate::fault::Fault;
use crate::load::NAMESPACE_PLACEHOLDER;

/// The objects of the manifest `path` below `fixtures/`, placeholders filled.
///
/// # Errors
/// When it cannot be read or is not YAML.
pub(crate) fn read(root: &Path, path: &Path, values: &Values) -> Result<Vec<Value>, Fault> {
    let text = fixture(root, path)?;
    let filled = render::file(&text.source(), values)?;
    documents(&filled).map_err(|(line, why)| {
        Fault::Other(format!("{}, the document at line {line}: {why}", text.name))
    })
}

/// The documents of a text, empty ones left out; an error carries the line where its document begins.
fn documents(text: &str) -> Result<Vec<Value>, (usize, String)> {
    let mut parts = vec![(1, String::new())];
    for (index, line) in text.lines().enumerate() {
        // As kubectl splits: a line that begins with `---`.
        if line.starts_with("---") {
            parts.push((index + 2, String::new()));
        } else if let Some((_, part)) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    let mut objects = Vec::new();
    for (line, part) in parts {
        match yaml11::parse(&part).map_err(|error| (line, error.to_string()))? {
            Value::Null => {}
            object => objects.push(object),
        }
    }
    Ok(objects)
}

/// Whether the manifest writes what others on the same lab could see or write too: cluster-wide
/// objects, or objects in a namespace that is not the scenario's own, under a fixed name.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn reaches_others(root: &Path, path: &Path) -> Result<bool, SourceError> {
    let text: Text = fixture(root, path)?;
    // A manifest that cannot be read fails in its own step.
    let Ok(objects) = documents(&text.text) else {
        return Ok(false);
    };
    Ok(objects.iter().any(|object| {
        let own = |field: &str| {
            let text = object["metadata"][field].as_str().unwrap_or_default();
            text.contains(NAMESPACE_PLACEHOLDER)
        };
        let kind = object["kind"].as_str().unwrap_or_default();
        let cluster_wide = kind.starts_with("Cluster")
            || ["Namespace", "CustomResourceDefinition"].contains(&kind);
        let elsewhere = object["metadata"]["namespace"].is_string() && !own("namespace");
        (cluster_wide && !own("name")) || elsewhere
    }))
}

#[cfg(test)]
mod tests {
    use super::documents;
    use serde_json::json;

    #[test]
    fn documents_are_split_and_read_as_yaml_1_1() {
        let text = "a: y\n---\n# nothing\n--- \nb: 010\n";
        assert_eq!(
            documents(text),
            Ok(vec![json!({"a": true}), json!({"b": 8})])
        );
        assert_eq!(documents("a: 1\n---\nb: [").unwrap_err().0, 3);
    }
}
