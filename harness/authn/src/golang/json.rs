//! JSON text as `encoding/json` reads it: the same texts accepted, the same words for the rest.

use super::quote::quote_byte;
use crate::tree::{Entry, Kind, Node, Span};

/// Go reads 10 000 levels. A thread of ours has two megabytes of stack, of which an unoptimised build needs more than a
/// kilobyte a level; nobody nests two hundred.
const MAX_DEPTH: usize = 200;

/// Parses one JSON value with nothing but white space around it. Lone surrogates become U+FFFD.
///
/// # Errors
/// The text of `json.SyntaxError`.
pub(crate) fn parse(text: &str) -> Result<Node, String> {
    let mut parser = Parser {
        text,
        bytes: text.as_bytes(),
        at: 0,
        line: 1,
        line_start: 0,
    };
    let node = parser.value(0)?;
    parser.space();
    match parser.peek() {
        Some(byte) => Err(unexpected(byte, "after top-level value")),
        None => Ok(node),
    }
}

/// Whether the text is a JSON number, the form that a `json.Number` takes.
pub(crate) fn is_number(text: &str) -> bool {
    parse(text).is_ok_and(|node| matches!(&node.kind, Kind::Number(literal) if literal == text))
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: usize,
    line_start: usize,
}

fn unexpected(byte: u8, context: &str) -> String {
    format!("invalid character {} {context}", quote_byte(byte))
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The byte here, which must not be the end.
    fn need(&self) -> Result<u8, String> {
        self.peek()
            .ok_or_else(|| "unexpected end of JSON input".to_owned())
    }

    fn space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\r' | b'\n')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.line_start = self.at;
            }
        }
    }

    fn here(&self) -> Span {
        Span {
            start: self.at,
            end: self.at,
            line: self.line,
            column: self.text[self.line_start..self.at].chars().count() + 1,
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, String> {
        self.space();
        let mut span = self.here();
        let kind = match self.need()? {
            byte @ (b'{' | b'[') if depth >= MAX_DEPTH => {
                return Err(unexpected(byte, "exceeded max depth"));
            }
            b'{' => self.object(depth)?,
            b'[' => self.array(depth)?,
            b'"' => Kind::String(self.string()?),
            b't' => self.literal("true", Kind::Bool(true))?,
            b'f' => self.literal("false", Kind::Bool(false))?,
            b'n' => self.literal("null", Kind::Null)?,
            b'-' | b'0'..=b'9' => self.number()?,
            byte => return Err(unexpected(byte, "looking for beginning of value")),
        };
        span.end = self.at;
        Ok(Node { span, kind })
    }

    fn object(&mut self, depth: usize) -> Result<Kind, String> {
        let mut entries = Vec::new();
        self.at += 1;
        self.space();
        if self.need()? == b'}' {
            self.at += 1;
            return Ok(Kind::Map(entries));
        }
        loop {
            self.space();
            let mut key_span = self.here();
            match self.need()? {
                b'"' => {}
                byte => {
                    return Err(unexpected(
                        byte,
                        "looking for beginning of object key string",
                    ));
                }
            }
            let key = self.string()?;
            key_span.end = self.at;
            self.space();
            match self.need()? {
                b':' => self.at += 1,
                byte => return Err(unexpected(byte, "after object key")),
            }
            let value = self.value(depth + 1)?;
            entries.push(Entry {
                key,
                key_span,
                value,
            });
            self.space();
            let byte = self.need()?;
            self.at += 1;
            match byte {
                b',' => {}
                b'}' => return Ok(Kind::Map(entries)),
                byte => return Err(unexpected(byte, "after object key:value pair")),
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Kind, String> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if self.need()? == b']' {
            self.at += 1;
            return Ok(Kind::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            let byte = self.need()?;
            self.at += 1;
            match byte {
                b',' => {}
                b']' => return Ok(Kind::List(items)),
                byte => return Err(unexpected(byte, "after array element")),
            }
        }
    }

    fn literal(&mut self, word: &str, kind: Kind) -> Result<Kind, String> {
        for want in word.bytes() {
            let byte = self.need()?;
            if byte != want {
                let context = format!("in literal {word} (expecting '{}')", char::from(want));
                return Err(unexpected(byte, &context));
            }
            self.at += 1;
        }
        Ok(kind)
    }

    fn number(&mut self) -> Result<Kind, String> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.need()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            byte => return Err(unexpected(byte, "in numeric literal")),
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        Ok(Kind::Number(self.text[start..self.at].to_owned()))
    }

    fn digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }

    fn some_digits(&mut self, context: &str) -> Result<(), String> {
        match self.need()? {
            b'0'..=b'9' => self.digits(),
            byte => return Err(unexpected(byte, context)),
        }
        Ok(())
    }

    fn string(&mut self) -> Result<String, String> {
        let mut out = String::new();
        self.at += 1;
        loop {
            let start = self.at;
            while self
                .peek()
                .is_some_and(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
            {
                self.at += 1;
            }
            out.push_str(&self.text[start..self.at]);
            match self.need()? {
                b'"' => {
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => {
                    self.at += 1;
                    let character = self.escape()?;
                    out.push(character);
                }
                byte => return Err(unexpected(byte, "in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let byte = self.need()?;
        self.at += 1;
        Ok(match byte {
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'"' | b'\\' | b'/' => char::from(byte),
            b'u' => {
                let first = self.hex()?;
                let pair = self.text[self.at..].starts_with("\\u");
                if (0xd800..0xdc00).contains(&first) && pair {
                    let back = self.at;
                    self.at += 2;
                    let second = self.hex()?;
                    if (0xdc00..0xe000).contains(&second) {
                        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                        return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                    }
                    self.at = back;
                }
                char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            byte => return Err(unexpected(byte, "in string escape code")),
        })
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.need()?;
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(unexpected(byte, "in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}
