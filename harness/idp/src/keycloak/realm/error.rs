//! Why a realm file is refused.

use std::fmt;

use authlab_authn::tree::Span;

/// What is wrong at one place of a realm file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmError {
    /// Where in the file, as in `clients[0].secret`; empty for the file itself.
    pub path: String,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead, where that is known.
    pub help: Option<String>,
    /// Line and column, from 1; none where the text is no JSON.
    pub place: Option<(usize, usize)>,
    /// What stands against it.
    pub ground: Ground,
}

/// What stands against something in a realm file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ground {
    /// Its form: Keycloak reads no further.
    Form,
    /// What it says.
    Sense,
    /// This value is there twice.
    Twice(String),
    /// It is missing here; Keycloak itself takes it.
    OnlyHere,
    /// The file is no realm: another one is meant.
    NoRealm,
}

/// Why a realm file is not taken: all that was found in it, in the order of the file, and never nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmErrors(Vec<RealmError>);

impl RealmError {
    pub(super) fn new(path: String, message: String, span: Span) -> Self {
        Self {
            path,
            message,
            help: None,
            place: Some((span.line, span.column)),
            ground: Ground::Sense,
        }
    }

    /// About the file as a whole.
    pub(super) fn whole(message: String, place: Option<(usize, usize)>) -> Self {
        Self {
            path: String::new(),
            message,
            help: None,
            place,
            ground: Ground::Form,
        }
    }

    /// That another file is meant.
    pub(super) fn no_realm(message: &str, help: &str, span: Span) -> Self {
        Self {
            help: Some(help.to_owned()),
            ground: Ground::NoRealm,
            ..Self::new(String::new(), message.to_owned(), span)
        }
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
        let message = format!(
            "Unrecognized field \"{name}\" (class org.keycloak.representations.idm.{class}), not marked as ignorable"
        );
        Self {
            help: near.map(|(_, known)| format!("did you mean {known:?}?")),
            ground: Ground::Form,
            ..Self::new(path, message, span)
        }
    }

    /// What Keycloak has and this does not.
    pub(super) fn lacking(path: String, message: String, instead: &str, span: Span) -> Self {
        Self {
            help: Some(instead.to_owned()),
            ground: Ground::OnlyHere,
            ..Self::new(path, message, span)
        }
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
        f.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RealmError {}

impl RealmErrors {
    /// What was found; nothing where there is nothing to complain of.
    pub(super) fn of(mut found: Vec<RealmError>) -> Option<Self> {
        found.sort_by_key(|error| error.place);
        (!found.is_empty()).then_some(Self(found))
    }

    /// The one that Keycloak means where it refuses the file with `words`, if that can be told.
    #[must_use]
    pub fn meant_by(&self, words: &str) -> Option<&RealmError> {
        let is = |error: &&RealmError| match &error.ground {
            // It says no more of what its reader of JSON stops at, which is the first.
            Ground::Form => words.contains(UNREADABLE) || words.contains(&error.message),
            Ground::Sense => words.contains(&error.message),
            // A database's words.
            Ground::Twice(value) => {
                words.contains("key violation") && words.contains(&format!("'{value}'"))
            }
            Ground::OnlyHere | Ground::NoRealm => false,
        };
        self.0.iter().find(is)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &RealmError> {
        self.0.iter()
    }
}

/// What Keycloak answers to a realm that is not of the form that it reads.
const UNREADABLE: &str = "unable to read contents from stream";

impl From<RealmError> for RealmErrors {
    fn from(error: RealmError) -> Self {
        Self(vec![error])
    }
}

/// A line each.
impl fmt::Display for RealmErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RealmErrors {}
