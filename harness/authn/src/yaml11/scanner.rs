//! Cuts a text into tokens, with the indentation and the keys that only show by the `:` behind them.
//!
//! Source of the rules: YAML 1.1 chapters 4 to 9, and libyaml's well-known limits on simple keys.

use std::collections::{HashMap, VecDeque};

use super::{
    Error,
    cursor::{Cursor, Mark, blank_or_end},
    token::{Kind, Token, scan_error},
};

/// A simple key lies in one line and within this many characters (YAML 1.1 section 9.1.1).
const KEY_LIMIT: usize = 1024;

/// A scalar, alias or collection that may turn out to be a key.
#[derive(Clone, Copy, Default)]
struct SimpleKey {
    possible: bool,
    /// Nothing else may stand here.
    required: bool,
    token: usize,
    mark: Mark,
}

/// The scanner. Tokens come out by [`Scanner::peek`] and [`Scanner::take`].
pub(super) struct Scanner<'a> {
    pub(super) cursor: Cursor<'a>,
    queue: VecDeque<Token>,
    /// Tokens taken so far.
    taken: usize,
    pub(super) flow_level: usize,
    /// The column of the innermost block collection, -1 outside.
    pub(super) indent: isize,
    indents: Vec<isize>,
    pub(super) key_allowed: bool,
    /// One for each flow level, and one outside.
    keys: Vec<SimpleKey>,
    key_of_token: HashMap<usize, usize>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            cursor: Cursor::new(text),
            queue: VecDeque::new(),
            taken: 0,
            flow_level: 0,
            indent: -1,
            indents: Vec::new(),
            key_allowed: true,
            keys: vec![SimpleKey::default()],
            key_of_token: HashMap::new(),
        }
    }

    /// The next token.
    pub(super) fn peek(&mut self) -> Result<&Token, Error> {
        loop {
            if let Some(key) = self.key_of_token.get(&self.taken).copied() {
                // The token may be a key: what follows decides.
                if !self.queue.is_empty() && !self.key_still_possible(key)? {
                    break;
                }
            } else if !self.queue.is_empty() {
                break;
            }
            let fetched = self.fetch();
            self.cursor.check()?;
            fetched?;
        }
        self.queue
            .front()
            .ok_or_else(|| super::token::error("no token"))
    }

    /// Removes the token that [`Scanner::peek`] showed.
    pub(super) fn take(&mut self) -> Option<Token> {
        self.taken += 1;
        self.queue.pop_front()
    }

    pub(super) fn problem<T>(&self, problem: &str, context: Mark) -> Result<T, Error> {
        Err(scan_error(problem, self.cursor.mark, context))
    }

    fn push(&mut self, kind: Kind, start: Mark) {
        let end = self.cursor.mark;
        self.queue.push_back(Token { kind, start, end });
    }

    fn fetch(&mut self) -> Result<(), Error> {
        self.skip_to_token();
        self.unroll(isize::try_from(self.cursor.mark.column).unwrap_or(isize::MAX));
        let first = self.cursor.peek(0);
        let blank_follows = blank_or_end(self.cursor.peek(1));
        let in_flow = self.flow_level > 0;
        match first {
            '\0' => self.stream_end(),
            '%' if self.cursor.mark.column == 0 => self.directive(),
            '-' if self.cursor.document_indicator('-') => self.document(Kind::DocumentStart),
            '.' if self.cursor.document_indicator('.') => self.document(Kind::DocumentEnd),
            '[' => self.flow_start(Kind::FlowSequenceStart),
            '{' => self.flow_start(Kind::FlowMappingStart),
            ']' => self.flow_end(Kind::FlowSequenceEnd),
            '}' => self.flow_end(Kind::FlowMappingEnd),
            ',' => self.flow_entry(),
            '-' if blank_follows => self.block_entry(),
            '?' if in_flow || blank_follows => self.explicit_key(),
            ':' if in_flow || blank_follows => self.value(),
            '*' | '&' => {
                self.save_key()?;
                self.key_allowed = false;
                self.anchor(first == '*')
            }
            '!' => {
                self.save_key()?;
                self.key_allowed = false;
                self.tag()
            }
            '|' | '>' if !in_flow => {
                self.remove_key()?;
                self.key_allowed = true;
                self.block_scalar(first == '|')
            }
            '\'' | '"' => {
                self.save_key()?;
                self.key_allowed = false;
                self.quoted(first)
            }
            // A dash may begin a plain scalar anywhere, the other two indicators only outside of flow collections.
            '-' => self.plain_scalar(),
            '?' | ':' if !in_flow => self.plain_scalar(),
            '?' | ':' | '#' | '|' | '>' | '%' | '@' | '`' | '\t' => self.unexpected(),
            _ => self.plain_scalar(),
        }
    }

    fn unexpected(&mut self) -> Result<(), Error> {
        self.problem(
            "found character that cannot start any token",
            self.cursor.mark,
        )
    }

    fn plain_scalar(&mut self) -> Result<(), Error> {
        self.save_key()?;
        self.key_allowed = false;
        self.plain()
    }

    /// Adds a token that a scanning function of another file has read.
    pub(super) fn finish(&mut self, kind: Kind, start: Mark, end: Mark) -> Result<(), Error> {
        self.queue.push_back(Token { kind, start, end });
        Ok(())
    }

    fn skip_to_token(&mut self) {
        loop {
            // A tab may not stand where indentation counts.
            let tabs = self.flow_level > 0 || !self.key_allowed;
            self.cursor
                .skip_while(|character| character == ' ' || tabs && character == '\t');
            if self.cursor.at('#') {
                self.cursor
                    .skip_while(|character| !super::cursor::break_or_end(character));
            }
            if self.cursor.line_break().is_none() {
                return;
            }
            if self.flow_level == 0 {
                self.key_allowed = true;
            }
        }
    }

    fn key_still_possible(&mut self, index: usize) -> Result<bool, Error> {
        let here = self.cursor.mark;
        let Some(key) = self.keys.get_mut(index) else {
            return Ok(false);
        };
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < here.line || key.mark.index + KEY_LIMIT < here.index {
            if key.required {
                return Err(scan_error("could not find expected ':'", here, key.mark));
            }
            key.possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    fn save_key(&mut self) -> Result<(), Error> {
        if !self.key_allowed {
            return Ok(());
        }
        let column = isize::try_from(self.cursor.mark.column).unwrap_or(isize::MAX);
        let key = SimpleKey {
            possible: true,
            required: self.flow_level == 0 && self.indent == column,
            token: self.taken + self.queue.len(),
            mark: self.cursor.mark,
        };
        self.remove_key()?;
        let last = self.keys.len() - 1;
        self.keys[last] = key;
        self.key_of_token.insert(key.token, last);
        Ok(())
    }

    fn remove_key(&mut self) -> Result<(), Error> {
        let last = self.keys.len() - 1;
        let key = self.keys[last];
        if key.possible {
            if key.required {
                return self.problem("could not find expected ':'", key.mark);
            }
            self.keys[last].possible = false;
            self.key_of_token.remove(&key.token);
        }
        Ok(())
    }

    /// Opens a block collection when the column is deeper than the innermost one. `before` is the number of the token
    /// that it begins with.
    fn roll(&mut self, kind: Kind, mark: Mark, before: Option<usize>) {
        let column = isize::try_from(mark.column).unwrap_or(isize::MAX);
        if self.flow_level > 0 || self.indent >= column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = column;
        self.insert(kind, mark, before);
    }

    /// Adds a token before another one, or at the end when that one is gone.
    fn insert(&mut self, kind: Kind, mark: Mark, before: Option<usize>) {
        let at = before.and_then(|token| token.checked_sub(self.taken));
        let at = at.unwrap_or(self.queue.len()).min(self.queue.len());
        let (start, end) = (mark, mark);
        self.queue.insert(at, Token { kind, start, end });
    }

    fn unroll(&mut self, column: isize) {
        while self.flow_level == 0 && self.indent > column {
            self.push(Kind::BlockEnd, self.cursor.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn stream_end(&mut self) -> Result<(), Error> {
        self.cursor.end_line();
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.push(Kind::StreamEnd, self.cursor.mark);
        Ok(())
    }

    fn directive(&mut self) -> Result<(), Error> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.scan_directive()
    }

    fn document(&mut self, kind: Kind) -> Result<(), Error> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let start = self.cursor.mark;
        for _ in 0..3 {
            self.cursor.skip();
        }
        self.push(kind, start);
        Ok(())
    }

    fn indicator(&mut self, kind: Kind) -> Result<(), Error> {
        let start = self.cursor.mark;
        self.cursor.skip();
        self.push(kind, start);
        Ok(())
    }

    fn flow_start(&mut self, kind: Kind) -> Result<(), Error> {
        self.save_key()?;
        self.keys.push(SimpleKey {
            token: self.taken + self.queue.len(),
            ..SimpleKey::default()
        });
        self.flow_level += 1;
        self.key_allowed = true;
        self.indicator(kind)
    }

    fn flow_end(&mut self, kind: Kind) -> Result<(), Error> {
        self.remove_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.keys.pop() {
                self.key_of_token.remove(&key.token);
            }
        }
        self.key_allowed = false;
        self.indicator(kind)
    }

    fn flow_entry(&mut self) -> Result<(), Error> {
        self.remove_key()?;
        self.key_allowed = true;
        self.indicator(Kind::FlowEntry)
    }

    fn block_entry(&mut self) -> Result<(), Error> {
        // In a flow collection the parser complains, which knows more about the place.
        if self.flow_level == 0 {
            if !self.key_allowed {
                let problem = "block sequence entries are not allowed in this context";
                return self.problem(problem, self.cursor.mark);
            }
            self.roll(Kind::BlockSequenceStart, self.cursor.mark, None);
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.indicator(Kind::BlockEntry)
    }

    fn explicit_key(&mut self) -> Result<(), Error> {
        if self.flow_level == 0 {
            if !self.key_allowed {
                let problem = "mapping keys are not allowed in this context";
                return self.problem(problem, self.cursor.mark);
            }
            self.roll(Kind::BlockMappingStart, self.cursor.mark, None);
        }
        self.remove_key()?;
        self.key_allowed = self.flow_level == 0;
        self.indicator(Kind::Key)
    }

    fn value(&mut self) -> Result<(), Error> {
        let last = self.keys.len() - 1;
        if self.key_still_possible(last)? {
            let key = self.keys[last];
            self.insert(Kind::Key, key.mark, Some(key.token));
            self.roll(Kind::BlockMappingStart, key.mark, Some(key.token));
            self.keys[last].possible = false;
            self.key_of_token.remove(&key.token);
            self.key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.key_allowed {
                    let problem = "mapping values are not allowed in this context";
                    return self.problem(problem, self.cursor.mark);
                }
                self.roll(Kind::BlockMappingStart, self.cursor.mark, None);
            }
            self.key_allowed = self.flow_level == 0;
        }
        self.indicator(Kind::Value)
    }
}
