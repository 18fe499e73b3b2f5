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
    // Of two at one place, the grammar's comes first.
    problems.sort_by_key(|problem| {
        let grammar = problem.message.starts_with("Syntax error");
        (problem.line, problem.column, !grammar)
    });
    let mut lines: Vec<Vec<char>> = source
        .split('\n')
        .map(|line| line.chars().collect())
        .collect();
    for problem in &mut problems {
        adapt(&mut lines, problem);
    }
    problems.sort_by_key(|problem| {
        let grammar = problem.message.starts_with("Syntax error");
        (problem.line, problem.column, !grammar)
    });
    problems
}

/// What the parser took out to go on behind it is taken out of the lines as well.
fn adapt(lines: &mut [Vec<char>], problem: &mut Problem) {
    let Some(index) = problem
        .line
        .checked_sub(1)
        .filter(|index| *index < lines.len())
    else {
        return;
    };
    let column = problem.column.min(lines[index].len());
    let (before, after) = lines[index].split_at(column);
    let before: String = before.iter().collect();
    match problem.message.as_str() {
        "unsupported ident kind" | "unsupported syntax: '`'" => {
            // At the name, and not at the dot before it.
            problem.column += match after {
                ['.', '?', ..] => 2,
                ['.', ..] => 1,
                _ => 0,
            };
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
        message if message.starts_with("reserved identifier: .") => {
            problem.message = message.replacen('.', "", 1);
            problem.column = problem.column.saturating_sub(1);
        }
        message => {
            let token = message
                .strip_prefix("Syntax error: extraneous input '")
                .and_then(|rest| rest.split_once("' expecting"));
            let above = lines[..index]
                .iter()
                .flat_map(|line| line.iter().chain(&['\n']));
            let text: String = above.collect();
            let changed = grammar(message, &(text + &before));
            if let Some((token, _)) = token {
                let end = lines[index].len().min(column + token.chars().count());
                lines[index][column..end].fill(' ');
            }
            if let Some(message) = changed {
                problem.message = message;
            }
        }
    }
}

/// A message of the grammar, about what follows a text.
fn grammar(message: &str, before: &str) -> Option<String> {
    if let Some(rest) = message.strip_prefix("Syntax error: no viable alternative at input '.") {
        let word = rest.strip_suffix('\'')?;
        return matches!(word, "true" | "false" | "null")
            .then(|| format!("Syntax error: mismatched input '{word}' expecting IDENTIFIER"));
    }
    let (found, expected) = message.split_once(" expecting {")?;
    let listed: Vec<&str> = expected.strip_suffix('}')?.split(", ").collect();
    if !listed.contains(&"'=='") {
        return None;
    }
    let closing = listed.contains(&"')'");
    let left: Vec<&str> = listed
        .into_iter()
        .filter(|token| !(AFTER_OPERAND.contains(token) || closing && *token == "','"))
        .collect();
    let expected = match left.as_slice() {
        ["<EOF>" | "')'" | "']'" | "':'"] => end_of(before).unwrap_or(left[0]).to_owned(),
        [one] => (*one).to_owned(),
        several => format!("{{{}}}", several.join(", ")),
    };
    Some(format!("{found} expecting {expected}"))
}

/// What ends the innermost part that a text has begun; `None` for lists and maps, which have several ways to go on.
fn end_of(text: &str) -> Option<&'static str> {
    // Each opening bracket, with the number of `?` that still wait for their `:`.
    let mut open = vec![(' ', 0_usize)];
    let (mut last, mut characters) = (' ', text.chars());
    while let Some(character) = characters.next() {
        let after_operand = last.is_alphanumeric() || "_)]}\"'`".contains(last);
        match character {
            '"' | '\'' => {
                while let Some(inner) = characters.next().filter(|inner| *inner != character) {
                    if inner == '\\' {
                        characters.next();
                    }
                }
            }
            '[' if after_operand => open.push(('i', 0)),
            '(' | '[' | '{' => open.push((character, 0)),
            ')' | ']' | '}' if open.len() > 1 => drop(open.pop()),
            '?' if last != '.' && last != '[' => open.last_mut()?.1 += 1,
            ':' => {
                let waiting = &mut open.last_mut()?.1;
                *waiting = waiting.saturating_sub(1);
            }
            _ => {}
        }
        if !character.is_whitespace() {
            last = character;
        }
    }
    match open.last()? {
        (_, 1..) => Some("':'"),
        (' ', _) => Some("<EOF>"),
        ('(', _) => Some("')'"),
        ('i', _) => Some("']'"),
        _ => None,
    }
}
