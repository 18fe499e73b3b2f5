//! Syntax errors as cel-go has them, where the parser of the `cel` crate words or places them otherwise.

use cel::parser::ParseErrors;

use super::display::Problem;

/// What can follow an operand. ANTLR's runtime for Go leaves these out of what it expected instead.
const AFTER_OPERAND: [&str; 19] = [
    "'=='", "'!='", "'in'", "'<'", "'<='", "'>='", "'>'", "'&&'", "'||'", "'['", "'.'", "'-'",
    "'?'", "'+'", "'*'", "'/'", "'%'", "'{'", "'('",
];

/// The problems of an expression that is none, in the order of their places.
pub(super) fn problems(source: &str, errors: ParseErrors) -> Vec<Problem> {
    let problems = errors.errors.into_iter().map(|error| Problem {
        line: usize::try_from(error.pos.0).unwrap_or(1),
        column: usize::try_from(error.pos.1).unwrap_or(1).saturating_sub(1),
        message: error.msg,
    });
    // The parser's word for a node without parts, which were reported themselves.
    let (incomplete, mut problems): (Vec<_>, Vec<_>) =
        problems.partition(|problem| problem.message.starts_with("Incomplete `"));
    if problems.is_empty() {
        return incomplete;
    }
    for problem in &mut problems {
        adapt(source, problem);
    }
    // Of two at one place, the grammar's comes first.
    problems.sort_by_key(|problem| {
        let grammar = problem.message.starts_with("Syntax error");
        (problem.line, problem.column, !grammar)
    });
    problems
}

fn adapt(source: &str, problem: &mut Problem) {
    let line = source.split('\n').nth(problem.line.saturating_sub(1));
    let line: Vec<char> = line.unwrap_or_default().chars().collect();
    let at = |column: usize| line.get(column).copied();
    let before: String = line.iter().take(problem.column).collect();
    match problem.message.as_str() {
        "unsupported ident kind" | "unsupported syntax: '`'" => {
            // At the name, and not at the dot before it.
            let skipped =
                (problem.column..).take_while(|column| matches!(at(*column), Some('.' | '?')));
            problem.column += skipped.count();
        }
        "invalid int literal" => {
            if let Some(sign) = before.trim_end().strip_suffix('-') {
                problem.column = sign.chars().count();
            }
        }
        "argument must be a simple name" => {
            let call = before.rsplit_once('(').map_or("", |(call, _)| call);
            let function = call
                .rsplit_once('.')
                .map_or("", |(_, function)| function)
                .trim();
            match function {
                "filter" | "map" => {
                    "argument is not an identifier".clone_into(&mut problem.message);
                }
                "optMap" | "optFlatMap" => {
                    problem.message =
                        format!("{function}() variable name must be a simple identifier");
                }
                _ => {}
            }
        }
        message => {
            if let Some(message) = grammar(message) {
                problem.message = message;
            }
        }
    }
}

fn grammar(message: &str) -> Option<String> {
    if let Some(rest) = message.strip_prefix("Syntax error: no viable alternative at input '.") {
        let word = rest.strip_suffix('\'')?;
        return matches!(word, "true" | "false" | "null")
            .then(|| format!("Syntax error: mismatched input '{word}' expecting IDENTIFIER"));
    }
    let (found, expected) = message.split_once(" expecting {")?;
    let expected: Vec<&str> = expected.strip_suffix('}')?.split(", ").collect();
    if !expected.contains(&"'=='") {
        return None;
    }
    let closing = expected.contains(&"')'");
    let expected: Vec<&str> = expected
        .into_iter()
        .filter(|token| !(AFTER_OPERAND.contains(token) || closing && *token == "','"))
        .collect();
    match expected.as_slice() {
        [one] => Some(format!("{found} expecting {one}")),
        several => Some(format!("{found} expecting {{{}}}", several.join(", "))),
    }
}
