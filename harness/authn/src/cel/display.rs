//! Problems of an expression in the form that cel-go prints.

/// A problem and where it is: line from 1, column from 0, in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Problem {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: String,
}

/// All problems, each with its line and a caret.
pub(super) fn display(source: &str, problems: &[Problem]) -> String {
    let texts: Vec<String> = problems
        .iter()
        .map(|problem| one(source, problem))
        .collect();
    texts.join("\n")
}

fn one(source: &str, problem: &Problem) -> String {
    let Problem {
        line,
        column,
        message,
    } = problem;
    let mut text = format!("ERROR: <input>:{line}:{}: {message}", column + 1);
    if let Some(snippet) = source.split('\n').nth(line.saturating_sub(1)) {
        let snippet = snippet.replace('\t', " ");
        let mut characters = snippet.chars();
        // Wide characters get wide dots.
        let dots: String = characters
            .by_ref()
            .take(*column)
            .map(|character| if character.is_ascii() { '.' } else { '．' })
            .collect();
        let caret = match characters.next() {
            Some(character) if !character.is_ascii() => '＾',
            _ => '^',
        };
        text = format!("{text}\n | {snippet}\n | {dots}{caret}");
    }
    text
}
