//! A place in the text, and what stands there.

use super::Error;

/// The real reader decodes this many bytes at a time, and sees a bad character only when it gets to its chunk.
const CHUNK: usize = 512;

/// A position. Lines and columns are counted from 0, in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// Characters before it.
    pub(super) index: usize,
    /// Bytes before it.
    pub(super) byte: usize,
    /// Lines before its own.
    pub(super) line: usize,
    /// Characters before it in its line.
    pub(super) column: usize,
}

/// Reads characters ahead of a moving position. Past the end, and past a character that YAML does not allow, it reads
/// NUL.
pub(super) struct Cursor<'a> {
    text: &'a str,
    /// Bytes of the text that are in `chars`.
    loaded: usize,
    chars: Vec<char>,
    /// Where the next character is in `chars`.
    next: usize,
    pub(super) mark: Mark,
    forbidden: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mark = Mark {
            byte: if text.starts_with('\u{feff}') { 3 } else { 0 },
            ..Mark::default()
        };
        Self {
            text,
            loaded: mark.byte,
            chars: Vec::with_capacity(text.len()),
            next: 0,
            mark,
            forbidden: false,
        }
    }

    /// The error that overrides any other once a forbidden character was looked at.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.forbidden {
            let message = "yaml: control characters are not allowed".to_owned();
            return Err(Error::new(message, None));
        }
        Ok(())
    }

    /// The character this many places ahead.
    pub(super) fn peek(&mut self, ahead: usize) -> char {
        while self.next + ahead >= self.chars.len() && self.loaded < self.text.len() {
            if self.forbidden {
                return '\0';
            }
            self.load();
        }
        self.chars.get(self.next + ahead).copied().unwrap_or('\0')
    }

    fn load(&mut self) {
        let mut end = (self.loaded + CHUNK).min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        for character in self.text[self.loaded..end].chars() {
            if !allowed(character) {
                self.forbidden = true;
                return;
            }
            self.chars.push(character);
        }
        self.loaded = end;
    }

    pub(super) fn at(&mut self, character: char) -> bool {
        self.peek(0) == character
    }

    /// `---` or `...` at the start of a line with a blank behind it.
    pub(super) fn document_indicator(&mut self, character: char) -> bool {
        self.mark.column == 0
            && (0..3).all(|ahead| self.peek(ahead) == character)
            && blank_or_end(self.peek(3))
    }

    /// Moves over one character that is no line break.
    pub(super) fn skip(&mut self) {
        let width = self.peek(0).len_utf8();
        self.next += 1;
        self.mark.index += 1;
        self.mark.byte += width;
        self.mark.column += 1;
    }

    /// Moves over one character and keeps it.
    pub(super) fn take(&mut self, out: &mut String) {
        out.push(self.peek(0));
        self.skip();
    }

    pub(super) fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while wanted(self.peek(0)) {
            self.skip();
        }
    }

    /// Moves over a line break, if there is one, and returns what it stands for.
    pub(super) fn line_break(&mut self) -> Option<char> {
        let first = self.peek(0);
        if !line_break(first) {
            return None;
        }
        let pair = first == '\r' && self.peek(1) == '\n';
        let count = if pair { 2 } else { 1 };
        self.next += count;
        self.mark.index += count;
        self.mark.byte += if pair { 2 } else { first.len_utf8() };
        self.mark.line += 1;
        self.mark.column = 0;
        Some(match first {
            '\u{2028}' | '\u{2029}' => first,
            _ => '\n',
        })
    }

    /// Moves over blanks and a comment, up to the line break.
    pub(super) fn rest_of_line(&mut self) {
        self.skip_while(blank);
        if self.at('#') {
            self.skip_while(|character| !break_or_end(character));
        }
    }

    /// The end of the stream begins a new line.
    pub(super) fn end_line(&mut self) {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
    }
}

/// YAML 1.1 section 5.1, without the byte order mark's special place.
fn allowed(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

pub(super) fn blank(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

pub(super) fn line_break(character: char) -> bool {
    matches!(character, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn break_or_end(character: char) -> bool {
    line_break(character) || character == '\0'
}

pub(super) fn blank_or_end(character: char) -> bool {
    blank(character) || break_or_end(character)
}

/// What names of anchors, tags and directives are made of.
pub(super) fn word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}
