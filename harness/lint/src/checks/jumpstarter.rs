//! Jumpstarter's controller: a ConfigMap whose values are files.

use authlab_authn::tree::Kind;

use super::Authenticator;
use crate::{
    document::{Document, text},
    finding::Out,
};

const INTERNAL: &str = "internal:";

/// The files in a ConfigMap, as documents of their own.
pub(crate) fn files(document: &Document) -> Vec<Document> {
    let keys = ["config", "authentication"];
    keys.iter()
        .filter_map(|key| block(document, &format!("data.{key}")))
        .collect()
}

/// The text of a block scalar, each line with its place.
fn block(document: &Document, path: &str) -> Option<Document> {
    let node = document.tree.at(path)?;
    if !matches!(node.kind, Kind::String(_)) {
        return None;
    }
    let start = node.span.start;
    let first = document.text[start..].find('\n')? + start + 1;
    let body = &document.text[first..];
    let blank = |line: &str| line.trim().is_empty();
    let indent = body
        .lines()
        .find(|line| !blank(line))
        .map(|line| line.len() - line.trim_start_matches(' ').len())?;
    let mut lines = Vec::new();
    let mut offset = first;
    for line in body.split_inclusive('\n') {
        let shown = line.trim_end_matches(['\n', '\r']);
        let deep = shown.len() - shown.trim_start_matches(' ').len() >= indent;
        if !blank(shown) && !deep {
            break;
        }
        let cut = indent.min(shown.len());
        lines.push((document.offset(offset + cut), &shown[cut..]));
        offset += line.len();
    }
    Some(Document::excerpt(&document.source, &lines, false))
}

/// The ConfigMap itself.
pub(crate) fn config_map(document: &Document, out: &mut Out<'_>) {
    let Some(data) = document.tree.get("data") else {
        return;
    };
    if data.get("config").is_some() && data.get("authentication").is_some() {
        let place = data.nearest("authentication").0.start;
        out.add(
            "jumpstarter-two-configurations",
            place,
            "this key wins over `config`",
        );
    }
}

/// The controller's own tokens.
pub(crate) fn internal(document: &Document, out: &mut Out<'_>) {
    for path in ["authentication.internal.prefix", "internal.prefix"] {
        if let Some(prefix) = text(&document.tree, path).filter(|prefix| *prefix != INTERNAL) {
            let place = document.tree.nearest(path).0.start;
            let message =
                format!("the prefix is {prefix:?}, and the controller looks for {INTERNAL:?}");
            out.add("jumpstarter-internal-prefix", place, message);
        }
    }
}

/// Names that pass for the controller's own.
pub(crate) fn names(authenticator: &Authenticator<'_>, out: &mut Out<'_>) {
    let part = "claimMappings.username.prefix";
    let prefix = authenticator.text(part);
    if prefix.is_some_and(|prefix| prefix.is_empty() || prefix.starts_with(INTERNAL)) {
        let message = "a user of this issuer can be called `internal:client:...`";
        out.add(
            "jumpstarter-internal-names",
            authenticator.place(part),
            message,
        );
    }
}
