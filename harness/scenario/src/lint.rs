//! The lint of denials: a test that only ever sees "no" also passes when everything is broken.

use authlab_lab::source::{Source, SourceError};
use serde_saphyr::Spanned;

use crate::verbs::{Stance, Step};

/// Each denial needs a success by the same verb in its scenario: of another credential, of another
/// question, or around a `configure`.
///
/// # Errors
/// With the place of the first denial that has none.
pub(crate) fn controls(source: &Source, steps: &[Spanned<Step>]) -> Result<(), SourceError> {
    for step in steps {
        let name = step.value.name();
        let controlled = steps.iter().any(|other| {
            let stance = other.value.verb().stance();
            other.value.name() == name && matches!(stance, Stance::Success | Stance::Both)
        });
        if step.value.verb().stance() == Stance::Denial && !controlled {
            return Err(source
                .error(
                    step.referenced,
                    format!("this denial has no control: no `{name}` of this scenario succeeds"),
                    "would also hold if nothing worked at all",
                )
                .or_help(format!(
                    "add a `{name}` that succeeds: for another credential, or before the \
                     `configure` that takes the right away"
                )));
        }
    }
    Ok(())
}
