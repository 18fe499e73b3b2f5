//! Plain and quoted scalars (YAML 1.1 sections 9.1.1 to 9.1.3).

use super::{
    Error,
    cursor::{blank, blank_or_end, line_break},
    scanner::Scanner,
    token::Kind,
};

/// White space between words, waiting to see whether more words follow.
#[derive(Default)]
struct Gap {
    blanks: String,
    first_break: Option<char>,
    more_breaks: String,
    /// A line break was seen, if only an escaped one.
    broken: bool,
}

impl Gap {
    /// Reads blanks and line breaks. `tab` is asked of every tab that stands in a later line's indentation.
    fn read(
        &mut self,
        scanner: &mut Scanner<'_>,
        mut tab: impl FnMut(&Scanner<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        loop {
            let character = scanner.cursor.peek(0);
            if blank(character) {
                if self.broken && character == '\t' {
                    tab(scanner)?;
                }
                if self.broken {
                    scanner.cursor.skip();
                } else {
                    scanner.cursor.take(&mut self.blanks);
                }
            } else if let Some(character) = scanner.cursor.line_break() {
                if self.broken {
                    self.more_breaks.push(character);
                } else {
                    self.blanks.clear();
                    self.first_break = Some(character);
                    self.broken = true;
                }
            } else {
                return Ok(());
            }
        }
    }

    /// What it stands for between two words: one line break is a space, more are one less (section 8.1.2).
    fn fold(&mut self, out: &mut String) {
        if !self.broken {
            out.push_str(&self.blanks);
        } else if self.first_break == Some('\n') {
            if self.more_breaks.is_empty() {
                out.push(' ');
            } else {
                out.push_str(&self.more_breaks);
            }
        } else {
            out.extend(self.first_break);
            out.push_str(&self.more_breaks);
        }
        *self = Self::default();
    }
}

impl Scanner<'_> {
    pub(super) fn plain(&mut self) -> Result<(), Error> {
        let start = self.cursor.mark;
        let mut end = start;
        let mut value = String::new();
        let mut gap = Gap::default();
        let deeper = usize::try_from(self.indent + 1).unwrap_or(0);
        loop {
            if self.cursor.document_indicator('-')
                || self.cursor.document_indicator('.')
                || self.cursor.at('#')
            {
                break;
            }
            while !blank_or_end(self.cursor.peek(0)) && !self.ends_plain() {
                gap.fold(&mut value);
                self.cursor.take(&mut value);
                end = self.cursor.mark;
            }
            let character = self.cursor.peek(0);
            if !blank(character) && !line_break(character) {
                break;
            }
            gap.read(self, |scanner| {
                if scanner.cursor.mark.column < deeper {
                    let problem = "found a tab character that violates indentation";
                    return scanner.problem(problem, start);
                }
                Ok(())
            })?;
            if self.flow_level == 0 && self.cursor.mark.column < deeper {
                break;
            }
        }
        if gap.broken {
            self.key_allowed = true;
        }
        self.finish(Kind::Scalar { value, plain: true }, start, end)
    }

    fn ends_plain(&mut self) -> bool {
        match self.cursor.peek(0) {
            ':' => blank_or_end(self.cursor.peek(1)),
            ',' | '?' | '[' | ']' | '{' | '}' => self.flow_level > 0,
            _ => false,
        }
    }

    pub(super) fn quoted(&mut self, quote: char) -> Result<(), Error> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let mut value = String::new();
        loop {
            if self.cursor.document_indicator('-') || self.cursor.document_indicator('.') {
                return self.problem("found unexpected document indicator", start);
            }
            if self.cursor.at('\0') {
                return self.problem("found unexpected end of stream", start);
            }
            let mut gap = Gap::default();
            while !blank_or_end(self.cursor.peek(0)) {
                let (here, next) = (self.cursor.peek(0), self.cursor.peek(1));
                if here == quote && quote == '\'' && next == '\'' {
                    value.push('\'');
                    self.cursor.skip();
                    self.cursor.skip();
                } else if here == quote {
                    break;
                } else if here == '\\' && quote == '"' && line_break(next) {
                    self.cursor.skip();
                    self.cursor.line_break();
                    gap.broken = true;
                    break;
                } else if here == '\\' && quote == '"' {
                    let character = self.escape()?;
                    value.push(character);
                } else {
                    self.cursor.take(&mut value);
                }
            }
            if self.cursor.at(quote) {
                break;
            }
            gap.read(self, |_| Ok(()))?;
            gap.fold(&mut value);
        }
        self.cursor.skip();
        let end = self.cursor.mark;
        let plain = false;
        self.finish(Kind::Scalar { value, plain }, start, end)
    }

    /// An escape sequence (section 5.6). What is wrong with one is said of where it starts.
    fn escape(&mut self) -> Result<char, Error> {
        let digits = match self.cursor.peek(1) {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            other => {
                let Some(character) = simple_escape(other) else {
                    return self.problem("found unknown escape character", self.cursor.mark);
                };
                self.cursor.skip();
                self.cursor.skip();
                return Ok(character);
            }
        };
        self.cursor.skip();
        self.cursor.skip();
        let mut code = 0_u32;
        for ahead in 0..digits {
            let Some(digit) = self.cursor.peek(ahead).to_digit(16) else {
                return self.problem("did not find expected hexdecimal number", self.cursor.mark);
            };
            code = (code << 4) | digit;
        }
        let Some(character) = char::from_u32(code) else {
            return self.problem(
                "found invalid Unicode character escape code",
                self.cursor.mark,
            );
        };
        for _ in 0..digits {
            self.cursor.skip();
        }
        Ok(character)
    }
}

fn simple_escape(character: char) -> Option<char> {
    Some(match character {
        '0' => '\0',
        'a' => '\x07',
        'b' => '\x08',
        't' | '\t' => '\t',
        'n' => '\n',
        'v' => '\x0b',
        'f' => '\x0c',
        'r' => '\r',
        'e' => '\x1b',
        ' ' | '"' | '\'' | '\\' => character,
        'N' => '\u{85}',
        '_' => '\u{a0}',
        'L' => '\u{2028}',
        'P' => '\u{2029}',
        _ => return None,
    })
}
