//! Files that people write: read, parsed strictly, and refused with file, line, column and a hint.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};
use serde::de::DeserializeOwned;
use serde_saphyr::{Error as YamlError, Location};
use thiserror::Error;

use crate::wording::{self, Words};

/// The longest line that errors show whole, in bytes.
const LONG_LINE: usize = 400;
/// How much they show of a longer one, before and after the place.
const AROUND: usize = 60;

/// The text of one file and the name under which errors show it.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: Arc<String>,
}

/// A file that cannot be used: where, why, and what to do about it.
#[derive(Debug, Error, Diagnostic, Clone)]
#[error(transparent)]
#[diagnostic(transparent)]
pub struct SourceError(Box<Detail>);

// Boxed: results that carry it stay small.
#[derive(Debug, Error, Diagnostic, Clone)]
#[error("{message}")]
struct Detail {
    message: String,
    label: String,
    #[source_code]
    code: Option<NamedSource<Arc<String>>>,
    #[label("{label}")]
    span: Option<SourceSpan>,
    #[help]
    help: Option<String>,
    #[related]
    others: Vec<SourceError>,
    location: Option<(u64, u64)>,
    file: String,
}

impl SourceError {
    /// The same error with advice for the reader, unless it carries some already.
    #[must_use]
    pub fn or_help(mut self, help: impl Into<String>) -> Self {
        self.0.help.get_or_insert_with(|| help.into());
        self
    }

    /// The same error, and others that were found with it.
    #[must_use]
    pub(crate) fn and(mut self, others: impl IntoIterator<Item = Self>) -> Self {
        self.0.others.extend(others);
        self
    }

    /// The name of the file.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// Line and column, both from 1, where they are known.
    #[must_use]
    pub fn location(&self) -> Option<(u64, u64)> {
        self.0.location
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl Source {
    /// Takes text that did not come from a file, under a name of the caller's.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            text: Arc::new(text.into()),
        }
    }

    /// Reads `path`; errors and messages show it relative to `root`.
    ///
    /// # Errors
    /// When the file is absent, or is not UTF-8 text.
    pub fn read(root: &Path, path: &Path) -> Result<Self, SourceError> {
        let full = root.join(path);
        let name = full
            .strip_prefix(root)
            .unwrap_or(&full)
            .display()
            .to_string();
        match std::fs::read_to_string(&full) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let message = format!("cannot read {name}: {}", plain(&error));
                Err(Self::new(name, "").unread(message))
            }
        }
    }

    /// An error about a source as a whole, whose text is not there to be shown.
    #[must_use]
    pub fn unread(&self, message: impl Into<String>) -> SourceError {
        SourceError(Box::new(Detail {
            message: message.into(),
            label: String::new(),
            code: None,
            span: None,
            help: None,
            others: Vec::new(),
            location: None,
            file: self.name.clone(),
        }))
    }

    /// The name under which errors show this source.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Parses the text as YAML into `T`.
    ///
    /// # Errors
    /// With the place of the first mistake, and "did you mean" for unknown keys and variants.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, SourceError> {
        serde_saphyr::from_str(&self.text).map_err(|error| self.refuse(&error))
    }

    /// An error at `location` of this source.
    #[must_use]
    pub fn error(
        &self,
        location: Location,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> SourceError {
        let known = location.line() > 0;
        let (code, span) = self.shown(known.then(|| self.span(location)));
        SourceError(Box::new(Detail {
            message: message.into(),
            label: label.into(),
            code: Some(code),
            span,
            help: None,
            others: Vec::new(),
            location: known.then(|| (location.line(), location.column())),
            file: self.name.clone(),
        }))
    }

    /// An error about `len` bytes at `offset` of this source.
    #[must_use]
    pub fn error_at(
        &self,
        offset: usize,
        len: usize,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> SourceError {
        let before = &self.text[..offset.min(self.text.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
        let (code, span) = self.shown(Some((offset, len).into()));
        SourceError(Box::new(Detail {
            message: message.into(),
            label: label.into(),
            code: Some(code),
            span,
            help: None,
            others: Vec::new(),
            location: Some((line as u64, column as u64)),
            file: self.name.clone(),
        }))
    }

    /// An error about the word at `offset` of this source.
    #[must_use]
    pub fn error_word(
        &self,
        offset: usize,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> SourceError {
        self.error_at(offset, self.word(offset), message, label)
    }

    /// The byte at which a line and column (both from 1, in characters) lie; the end of a line that
    /// is shorter, the end of a text that has no such line.
    #[must_use]
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let before: usize = self
            .text
            .split_inclusive('\n')
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        let rest = self.text.get(before..).unwrap_or("");
        let columns = rest.chars().take(column.saturating_sub(1));
        let within = columns.take_while(|c| *c != '\n').map(char::len_utf8);
        before + within.sum::<usize>()
    }

    /// Whether a placeholder stands before `offset` on its line.
    pub(crate) fn filled_before(&self, offset: usize) -> bool {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        before.rsplit('\n').next().unwrap_or("").contains("${lab.")
    }

    /// What is shown of the text around a span: all, or of a line that nobody wants to see whole (a file may be a single
    /// one) the part around it.
    fn shown(&self, span: Option<SourceSpan>) -> (NamedSource<Arc<String>>, Option<SourceSpan>) {
        let named = |name: &str, text| NamedSource::new(name, text).with_language("yaml");
        let whole = || named(&self.name, Arc::clone(&self.text));
        let Some(at) = span.filter(|span| span.offset() <= self.text.len()) else {
            return (whole(), span);
        };
        let start = self.text[..at.offset()].rfind('\n').map_or(0, |at| at + 1);
        let end = self.text[at.offset()..].find('\n');
        let end = end.map_or(self.text.len(), |length| at.offset() + length);
        if end - start <= LONG_LINE {
            return (whole(), span);
        }
        let boundary = |at: usize| (0..=at).rev().find(|at| self.text.is_char_boundary(*at));
        let from = boundary(at.offset().saturating_sub(AROUND).max(start)).unwrap_or(start);
        let to = boundary((at.offset() + at.len() + AROUND).min(end)).unwrap_or(end);
        let column = self.text[start..from].chars().count() + 1;
        let before = "\n".repeat(self.text[..start].matches('\n').count());
        let name = format!("{}, from column {column}", self.name);
        let length = at.len().min(to - at.offset());
        let at = (before.len() + at.offset() - from, length);
        let text = before + &self.text[from..to];
        (named(&name, Arc::new(text)), Some(at.into()))
    }

    fn span(&self, location: Location) -> SourceSpan {
        let span = location.span();
        let offset = match span.byte_offset() {
            Some(offset) => to_usize(offset),
            // The scanner's own errors know line and column only.
            None => self.offset(to_usize(location.line()), to_usize(location.column())),
        };
        let len = span.byte_len().map_or(0, to_usize);
        // An empty span underlines nothing.
        (offset, len.max(self.word(offset))).into()
    }

    /// The length of the word at `offset`.
    fn word(&self, offset: usize) -> usize {
        let rest = self.text.get(offset..).unwrap_or("");
        rest.find(|c: char| c.is_whitespace() || c == ':')
            .unwrap_or(rest.len())
    }

    fn refuse(&self, error: &YamlError) -> SourceError {
        let error = error.without_snippet();
        let location = error
            .locations()
            .and_then(serde_saphyr::Locations::primary_location)
            .unwrap_or(Location::UNKNOWN);
        let Words {
            message,
            label,
            help,
        } = wording::of(error);
        let refused = self.error(location, message, label);
        match help {
            Some(help) => refused.or_help(help),
            None => refused,
        }
    }
}

/// "did you mean" for one word among those allowed, or the list when none is near.
#[must_use]
pub fn meant(word: &str, allowed: &[&str]) -> String {
    match nearest(word, allowed.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if allowed.is_empty() => "nothing may stand here".to_owned(),
        None => format!("allowed here: {}", allowed.join(", ")),
    }
}

/// The candidate that a person who typed `word` most likely meant.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let other = candidate.to_lowercase();
            let slip = other.len() > 2 && strsim::damerau_levenshtein(&typed, &other) == 1;
            // Of short words one letter is a third.
            let least = if slip { 0.85 } else { 0.0 };
            (strsim::jaro_winkler(&typed, &other).max(least), candidate)
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The files under `folder` that end in `.yaml`, sorted, hidden folders left out.
#[must_use]
pub fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    files(folder, &["yaml"])
}

/// The files under `folder` with one of these endings, sorted, hidden folders left out.
#[must_use]
pub fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else if let Some(ending) = path.extension()
                && endings.iter().any(|known| ending == *known)
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        _ => error.to_string(),
    }
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
