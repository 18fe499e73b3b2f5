//! Clauses of `string.format`: `%s`, `%.2f` and the like.
//!
//! Source: <https://pkg.go.dev/github.com/google/cel-go/ext#Strings>, version 2.

/// What stands between a `%` and the end of its letter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clause {
    pub(super) letter: char,
    pub(super) precision: Option<usize>,
}

/// Goes through a format and calls back for each clause, with the number of it, and for the text between them.
///
/// # Errors
/// What the callback reports, and mistakes in the format.
pub(super) fn each<E: From<String>>(
    format: &str,
    arguments: usize,
    mut text: impl FnMut(&str),
    mut clause: impl FnMut(Clause, usize) -> Result<String, E>,
) -> Result<usize, E> {
    let (mut rest, mut used) = (format, 0);
    while let Some(start) = rest.find('%') {
        text(&rest[..start]);
        rest = &rest[start + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            text("%");
            rest = after;
            continue;
        }
        let missing = || E::from(format!("index {used} out of range"));
        if used >= arguments {
            return Err(missing());
        }
        if rest.is_empty() {
            return Err("unexpected end of string".to_owned().into());
        }
        let found = parse(&mut rest)
            .map_err(|error| format!("could not parse formatting clause: {error}"))?;
        text(&clause(found, used)?);
        used += 1;
    }
    text(rest);
    Ok(used)
}

fn parse(rest: &mut &str) -> Result<Clause, String> {
    let mut precision = None;
    if let Some(after) = rest.strip_prefix('.') {
        let wrong = |problem: &str| Err(format!("error while parsing precision: {problem}"));
        let Some(end) = after.find(|c: char| !c.is_ascii_digit()) else {
            return wrong("could not find end of precision specifier");
        };
        let digits = &after[..end];
        match digits.parse::<i64>() {
            Ok(number) => precision = usize::try_from(number).ok(),
            Err(_) => {
                let problem = if digits.is_empty() {
                    "invalid syntax"
                } else {
                    "value out of range"
                };
                return wrong(&format!(
                    "error while converting precision to integer: strconv.Atoi: parsing \"{digits}\": {problem}"
                ));
            }
        }
        *rest = &after[end..];
    }
    // Go looks at bytes, and shows the first one of a longer character.
    let letter = rest.bytes().next().map_or('\0', char::from);
    if !"sdfebxXo".contains(letter) {
        return Err(format!("unrecognized formatting clause \"{letter}\""));
    }
    *rest = &rest[1..];
    Ok(Clause { letter, precision })
}

impl Clause {
    /// Whether it can show values of a type.
    ///
    /// # Errors
    /// The rule that it cannot.
    pub(super) fn accepts(self, of: &str) -> Result<(), String> {
        let (types, rule): (&[&str], &str) = match self.letter {
            'd' => (
                &["int", "uint"],
                "decimal clause can only be used on integers",
            ),
            'f' => (
                &["double", "string"],
                "fixed-point clause can only be used on doubles",
            ),
            'e' => (
                &["double", "string"],
                "scientific clause can only be used on doubles",
            ),
            'b' => (
                &["int", "uint", "bool"],
                "only integers and bools can be formatted as binary",
            ),
            'x' | 'X' => (
                &["int", "uint", "string", "bytes"],
                "only integers, byte buffers, and strings can be formatted as hex",
            ),
            'o' => (
                &["int", "uint"],
                "octal clause can only be used on integers",
            ),
            _ => (
                &[
                    "bool",
                    "bytes",
                    "double",
                    "google.protobuf.Duration",
                    "google.protobuf.Timestamp",
                    "int",
                    "list",
                    "map",
                    "null_type",
                    "string",
                    "type",
                    "uint",
                ],
                "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps",
            ),
        };
        if types.contains(&of) {
            Ok(())
        } else {
            Err(format!("{rule}, was given {of}"))
        }
    }
}
