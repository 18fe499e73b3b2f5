//! Why a realm file is refused.

use std::fmt;

use authlab_authn::tree::Span;

/// A realm file that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmError {
    /// Where in the file, as in `clients[0].secret`; empty for the file itself.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// Line and column, from 1; none where the text is no JSON.
    pub place: Option<(usize, usize)>,
}

impl RealmError {
    pub(super) fn new(path: String, message: String, span: Span) -> Self {
        let place = Some((span.line, span.column));
        Self {
            path,
            message,
            place,
        }
    }

    pub(super) fn wrong(path: String, wanted: &str, span: Span) -> Self {
        Self::new(path, format!("not {wanted}"), span)
    }

    /// Keycloak's words (Jackson's, before the list of what it knows), and what may have been meant.
    pub(super) fn unknown<'k>(
        path: String,
        name: &str,
        class: &str,
        known: impl Iterator<Item = &'k str>,
        span: Span,
    ) -> Self {
        let near = known
            .map(|known| (strsim::damerau_levenshtein(known, name), known))
            .filter(|(distance, known)| *distance <= known.len().max(3) / 3)
            .min();
        let hint = near.map_or(String::new(), |(_, known)| {
            format!("; did you mean {known:?}?")
        });
        Self::new(
            path,
            format!(
                "Unrecognized field \"{name}\" (class org.keycloak.representations.idm.{class}), \
                 not marked as ignorable{hint}"
            ),
            span,
        )
    }

    pub(super) fn lacking(path: String, span: Span) -> Self {
        let message = "the embedded Keycloak does not have this yet; the real one does".to_owned();
        Self::new(path, message, span)
    }
}

impl fmt::Display for RealmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((line, column)) = self.place {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for RealmError {}
