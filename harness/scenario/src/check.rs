//! `check`: CEL booleans over a step's result, where fixed fields do not reach.

use authlab_lab::source::{Source, SourceError};
use cel::{Context, Program, Value as Cel};
use serde_json::Value;
use serde_saphyr::Spanned;

use crate::fault::Fault;
use crate::format::OneOrMany;
use crate::seen::Seen;

/// The name of the result in expressions: `check: "seen.groups.size() == 2"`.
const RESULT: &str = "seen";

/// Compiles the expressions.
///
/// # Errors
/// With their place, when one is not CEL.
pub(crate) fn compile(
    source: &Source,
    checks: &Spanned<OneOrMany<String>>,
) -> Result<(), SourceError> {
    for expression in checks.value.iter() {
        if let Err(error) = Program::compile(expression) {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            return Err(source
                .error(checks.referenced, format!("not a CEL expression: {first}"), "here")
                .or_help("the result of the step is called `seen`, for example \"size(seen.groups) == 2\""));
        }
    }
    Ok(())
}

/// Evaluates the expressions over the data of `seen` and adds a row for each.
///
/// # Errors
/// When one cannot be evaluated or is no boolean: the file is at fault, not the lab.
pub(crate) fn evaluate(checks: &OneOrMany<String>, seen: &mut Seen) -> Result<(), Fault> {
    for expression in checks.iter() {
        let answer = boolean(expression, &seen.data)
            .map_err(|why| Fault::other(format!("check `{expression}`: {why}")))?;
        seen.row(expression, "true", answer.to_string(), answer);
    }
    Ok(())
}

fn boolean(expression: &str, data: &Value) -> Result<bool, String> {
    let program = Program::compile(expression).map_err(|error| error.to_string())?;
    let mut context = Context::default();
    context
        .add_variable(RESULT, data)
        .map_err(|error| error.to_string())?;
    match program.execute(&context) {
        Ok(Cel::Bool(answer)) => Ok(answer),
        Ok(other) => Err(format!("gives {:?}, not true or false", other.type_of())),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_expression_reads_the_result() {
        let data = json!({"groups": ["a", "b"], "username": "jane", "status": 403});
        assert_eq!(boolean("size(seen.groups) == 2", &data), Ok(true));
        assert_eq!(boolean("seen.username.startsWith('x')", &data), Ok(false));
        assert_eq!(
            boolean("seen.status == 403 && seen.status < 500", &data),
            Ok(true)
        );
        assert!(boolean("seen.groups", &data).is_err());
        assert!(boolean("seen.absent == 1", &data).is_err());
    }
}
