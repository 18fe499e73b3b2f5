//! Manifests: several documents in a file, read as the API machinery reads them (YAML 1.1).

use std::path::{Path, PathBuf};

use authlab_authn::tree::{Kind, Node, Span};
use authlab_authn::yaml11;
use authlab_lab::plan::fixture;
use authlab_lab::render::{self, Values};
use authlab_lab::source::{Source, SourceError};
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::load::NAMESPACE_PLACEHOLDER;
use crate::verbs::Loading;

/// An object of a manifest.
#[derive(Debug)]
pub(crate) struct Object {
    pub value: Value,
    /// Where its kind stands in the file.
    kind: usize,
}

/// A manifest.
#[derive(Debug)]
pub(crate) struct Manifest {
    source: Source,
    pub objects: Vec<Object>,
}

impl Manifest {
    /// The manifest `path` below `fixtures/`, placeholders filled.
    ///
    /// # Errors
    /// As [`check`], and for a placeholder that cannot be filled.
    pub fn read(root: &Path, path: &Path, values: &Values) -> Result<Self, SourceError> {
        let text = fixture(root, path)?;
        let filled = render::file(&text.source(), values)?;
        let source = Source::new(text.name, filled);
        let objects = objects(&source)?;
        Ok(Self { source, objects })
    }

    /// Its text, placeholders filled, for a program that reads it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn text(root: &Path, path: &Path, values: &Values) -> Result<String, SourceError> {
        let read = Self::read(root, path, values)?;
        Ok(read.source.text().to_owned())
    }

    /// An error about the kind of one of its objects.
    pub fn unknown_kind(&self, object: &Object, why: String) -> SourceError {
        self.source.error_word(object.kind, why, "this kind")
    }
}

/// What can be known to be wrong with a manifest before its placeholders are filled.
///
/// # Errors
/// With the place: no YAML, a key given twice, no object at all, an object without `apiVersion`,
/// `kind` or `metadata.name`.
pub(crate) fn check(root: &Path, path: &Path) -> Result<(), SourceError> {
    objects(&fixture(root, path)?.source()).map(drop)
}

/// [`check`] of a manifest that a step names: an error without a place in it is the step's.
///
/// # Errors
/// As [`check`], and when there is no such file.
pub(crate) fn check_named(
    loading: &Loading<'_>,
    path: &Spanned<PathBuf>,
) -> Result<(), SourceError> {
    check(loading.root, &path.value).map_err(|error| {
        if error.location().is_some() {
            return error;
        }
        let placed = loading
            .source
            .error(path.referenced, error.to_string(), "named here");
        placed.or_help(error.help_text().unwrap_or("paths are below `fixtures/`"))
    })
}

/// The objects of a text; there is at least one.
fn objects(source: &Source) -> Result<Vec<Object>, SourceError> {
    let mut found = Vec::new();
    for (start, text) in documents(source.text()) {
        // Empty lines for those before it: messages then name the lines of the file.
        let before = source.text()[..start].matches('\n').count();
        let text = "\n".repeat(before) + text;
        let start = start - before;
        let node = yaml11::parse_spanned(&text).map_err(|error| fault(source, &error))?;
        if node.kind == Kind::Null {
            continue;
        }
        if let Ok(Some(error)) = yaml11::duplicate_keys(&text) {
            return Err(fault(source, &error));
        }
        let kind = start + identified(source, start, &node)?.start;
        let value = node.to_json();
        found.push(Object { value, kind });
    }
    if found.is_empty() {
        let error = source.error_word(0, "the manifest holds no object", "nothing but this");
        return Err(
            error.or_help("write at least `apiVersion`, `kind` and `metadata: { name: ... }`")
        );
    }
    Ok(found)
}

/// Refuses what no server could take for an object; answers with the place of its kind.
fn identified(source: &Source, start: usize, node: &Node) -> Result<Span, SourceError> {
    let mut kind = node.span;
    for path in ["apiVersion", "metadata.name", "kind"] {
        let Some(found) = node.at(path) else {
            let message = format!("an object lacks `{path}`");
            return Err(source.error_word(start + node.span.start, message, "this object"));
        };
        if !matches!(&found.kind, Kind::String(text) if !text.is_empty()) {
            let message = format!("`{path}` is not a text");
            let error = source.error_word(start + found.span.start, message, "this value");
            return Err(error.or_help("write it in quotes"));
        }
        kind = found.span;
    }
    Ok(kind)
}

/// An error of the YAML reader, which knows the line.
fn fault(source: &Source, error: &yaml11::Error) -> SourceError {
    let message = error.to_string();
    let line = error.line().or_else(|| line_in(&message)).unwrap_or(1);
    let start = source.offset(line, 1);
    let text = &source.text()[start..];
    let indent = text.len() - text.trim_start_matches([' ', '\t']).len();
    source.error_word(start + indent, message, "here")
}

/// The line that a message names which lists several things.
fn line_in(message: &str) -> Option<usize> {
    let rest = message.split_once("line ")?.1;
    rest[..rest.find(|c: char| !c.is_ascii_digit())?]
        .parse()
        .ok()
}

/// The documents of a text and where they begin.
fn documents(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut begin = 0;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        // As kubectl splits: a line that begins with `---`.
        if line.starts_with("---") {
            parts.push((begin, &text[begin..at]));
            begin = at + line.len();
        }
        at += line.len();
    }
    parts.push((begin, &text[begin..]));
    parts
}

/// Whether the manifest writes what others on the same lab could see or write too: cluster-wide
/// objects, or objects in a namespace that is not the scenario's own, under a fixed name.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn reaches_others(root: &Path, path: &Path) -> Result<bool, SourceError> {
    let objects = objects(&fixture(root, path)?.source())?;
    Ok(objects.iter().any(|Object { value: object, .. }| {
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
    use std::fmt::Write as _;

    use authlab_lab::source::Source;
    use serde_json::json;

    use super::{documents, objects};

    const OBJECT: &str = "apiVersion: v1\nkind: Secret\nmetadata: { name: a }\n";

    #[test]
    fn documents_are_split_as_kubectl_splits_them_and_read_as_yaml_1_1() {
        let text = format!("{OBJECT}x: y\n---\n# nothing\n--- \n{OBJECT}b: 010");
        let found = objects(&Source::new("m.yaml", text.clone())).unwrap();
        let values: Vec<_> = found.iter().map(|object| &object.value).collect();
        assert_eq!(
            (&values[0]["x"], &values[1]["b"]),
            (&json!(true), &json!(8))
        );
        assert_eq!(found.len(), 2);
        assert_eq!(&text[found[1].kind..][..6], "Secret");
        assert_eq!(documents("").len(), 1);
    }

    #[test]
    fn mistakes_are_shown_where_they_stand() {
        let mut all = String::new();
        for text in [
            "",
            "# nothing\n---\n",
            "hello\n",
            "- a\n",
            "kind: Secret\nmetadata: { name: a }\n",
            &format!("{OBJECT}---\napiVersion: v1\nkind: Secret\nmetadata: {{ nam: a }}\n"),
            &OBJECT.replace("name: a", "name: 5"),
            &format!("{OBJECT}---\n{OBJECT}  data: x\n"),
            &format!("{OBJECT}---\n{OBJECT}kind: Secret\n"),
            &format!("{OBJECT}\tdata: x\n"),
            &OBJECT.replace(" }", ""),
        ] {
            let error = objects(&Source::new("m.yaml", text)).unwrap_err();
            let (line, column) = error.location().unwrap();
            let help = error.help_text().unwrap_or("-");
            let _ = writeln!(all, "{line}:{column} {error} | {help}");
        }
        insta::assert_snapshot!(all, @r#"
        1:1 the manifest holds no object | write at least `apiVersion`, `kind` and `metadata: { name: ... }`
        1:1 the manifest holds no object | write at least `apiVersion`, `kind` and `metadata: { name: ... }`
        1:1 an object lacks `apiVersion` | -
        1:1 an object lacks `apiVersion` | -
        1:1 an object lacks `apiVersion` | -
        5:1 an object lacks `metadata.name` | -
        3:19 `metadata.name` is not a text | write it in quotes
        7:1 yaml: line 7: did not find expected key | -
        8:1 yaml: unmarshal errors:
          line 8: key "kind" already set in map | -
        4:2 yaml: line 4: found character that cannot start any token | -
        3:1 yaml: line 3: did not find expected ',' or '}' | -
        "#);
    }
}
