//! An error told across a process boundary: the host's, shown by the driver as its own.

use std::fmt;

use miette::{Diagnostic, LabeledSpan, SourceCode, SourceSpan};
use serde::{Deserialize, Serialize};

/// An error with everything that a report of it shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    message: String,
    help: Option<String>,
    source: Option<File>,
    labels: Vec<Label>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    text: Option<String>,
    offset: usize,
    len: usize,
}

impl Told {
    /// Takes down an error. Causes are not told: our errors have them in their text.
    #[must_use]
    pub fn of(error: &dyn Diagnostic) -> Self {
        let labels: Vec<Label> = error
            .labels()
            .into_iter()
            .flatten()
            .map(|label| Label {
                text: label.label().map(str::to_owned),
                offset: label.offset(),
                len: label.len(),
            })
            .collect();
        Self {
            message: error.to_string(),
            help: error.help().map(|help| help.to_string()),
            source: error.source_code().and_then(whole),
            labels,
        }
    }

    /// The error in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A source's name and text.
fn whole(code: &dyn SourceCode) -> Option<File> {
    let start = SourceSpan::from((0, 0));
    let read = code.read_span(&start, 0, usize::MAX).ok()?;
    Some(File {
        name: read.name().unwrap_or_default().to_owned(),
        text: String::from_utf8_lossy(read.data()).into_owned(),
    })
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Told {}

impl Diagnostic for Told {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_deref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|file| file as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let spans = self
            .labels
            .iter()
            .map(|label| LabeledSpan::new(label.text.clone(), label.offset, label.len));
        Some(Box::new(spans))
    }
}

impl SourceCode for File {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'a> + 'a>, miette::MietteError> {
        let read = self.text.as_str().read_span(span, before, after)?;
        Ok(Box::new(miette::MietteSpanContents::new_named(
            self.name.clone(),
            read.data(),
            *read.span(),
            read.line(),
            read.column(),
            read.line_count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Source;

    fn shown(error: &dyn Diagnostic) -> String {
        let mut out = String::new();
        miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::none())
            .render_report(&mut out, error)
            .unwrap();
        out
    }

    #[test]
    fn what_is_told_reads_as_the_error_itself() {
        let source = Source::new("fixtures/a.yaml", "a: 1\nbb: 2\nc: 3\n");
        let error = source
            .error_at(5, 2, "no `bb`", "this one")
            .or_help("drop it");
        let told = serde_json::to_string(&Told::of(&error)).unwrap();
        let told: Told = serde_json::from_str(&told).unwrap();
        assert_eq!(shown(&told), shown(&error));
    }
}
