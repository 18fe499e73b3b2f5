//! Directives, anchors, aliases and tags (YAML 1.1 sections 6.8 and 6.9, 7.1 in the order of 1.2).

use super::{
    Error,
    cursor::{Mark, blank, blank_or_end, break_or_end, word},
    scanner::Scanner,
    token::Kind,
};

impl Scanner<'_> {
    pub(super) fn scan_directive(&mut self) -> Result<(), Error> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let name = self.word();
        if name.is_empty() {
            return self.problem("could not find expected directive name", start);
        }
        if !blank_or_end(self.cursor.peek(0)) {
            return self.problem("found unexpected non-alphabetical character", start);
        }
        let kind = match name.as_str() {
            "YAML" => self.version(start)?,
            "TAG" => self.tag_directive(start)?,
            _ => return self.problem("found unknown directive name", start),
        };
        let end = self.cursor.mark;
        self.cursor.rest_of_line();
        if !break_or_end(self.cursor.peek(0)) {
            return self.problem("did not find expected comment or line break", start);
        }
        self.cursor.line_break();
        self.finish(kind, start, end)
    }

    fn word(&mut self) -> String {
        let mut name = String::new();
        while word(self.cursor.peek(0)) {
            self.cursor.take(&mut name);
        }
        name
    }

    fn version(&mut self, start: Mark) -> Result<Kind, Error> {
        self.cursor.skip_while(blank);
        let major = self.version_number(start)?;
        if !self.cursor.at('.') {
            return self.problem("did not find expected digit or '.' character", start);
        }
        self.cursor.skip();
        let minor = self.version_number(start)?;
        Ok(Kind::Version { major, minor })
    }

    fn version_number(&mut self, start: Mark) -> Result<u8, Error> {
        let mut digits = String::new();
        while self.cursor.peek(0).is_ascii_digit() {
            if digits.len() == 2 {
                return self.problem("found extremely long version number", start);
            }
            self.cursor.take(&mut digits);
        }
        match digits.parse() {
            Ok(number) => Ok(number),
            Err(_) => self.problem("did not find expected version number", start),
        }
    }

    fn tag_directive(&mut self, start: Mark) -> Result<Kind, Error> {
        self.cursor.skip_while(blank);
        let handle = self.tag_handle(true, start)?;
        if !blank(self.cursor.peek(0)) {
            return self.problem("did not find expected whitespace", start);
        }
        self.cursor.skip_while(blank);
        let prefix = self.tag_uri("", start)?;
        if !blank_or_end(self.cursor.peek(0)) {
            return self.problem("did not find expected whitespace or line break", start);
        }
        Ok(Kind::TagDirective { handle, prefix })
    }

    pub(super) fn anchor(&mut self, alias: bool) -> Result<(), Error> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let name = self.word();
        let end = self.cursor.mark;
        let next = self.cursor.peek(0);
        if name.is_empty() || !(blank_or_end(next) || "?:,]}%@`".contains(next)) {
            let problem = "did not find expected alphabetic or numeric character";
            return self.problem(problem, start);
        }
        let kind = if alias {
            Kind::Alias(name)
        } else {
            Kind::Anchor(name)
        };
        self.finish(kind, start, end)
    }

    pub(super) fn tag(&mut self) -> Result<(), Error> {
        let start = self.cursor.mark;
        let (handle, suffix) = if self.cursor.peek(1) == '<' {
            self.cursor.skip();
            self.cursor.skip();
            let suffix = self.tag_uri("", start)?;
            if !self.cursor.at('>') {
                return self.problem("did not find the expected '>'", start);
            }
            self.cursor.skip();
            (String::new(), suffix)
        } else {
            let handle = self.tag_handle(false, start)?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.tag_uri("", start)?;
                (handle, suffix)
            } else {
                // No handle after all, but the beginning of a local tag; or the lone `!`, which says "no tag".
                let suffix = self.tag_uri(&handle, start)?;
                if suffix.is_empty() {
                    (String::new(), "!".to_owned())
                } else {
                    ("!".to_owned(), suffix)
                }
            }
        };
        if !blank_or_end(self.cursor.peek(0)) {
            return self.problem("did not find expected whitespace or line break", start);
        }
        let end = self.cursor.mark;
        self.finish(Kind::Tag { handle, suffix }, start, end)
    }

    fn tag_handle(&mut self, directive: bool, start: Mark) -> Result<String, Error> {
        if !self.cursor.at('!') {
            return self.problem("did not find expected '!'", start);
        }
        let mut handle = String::new();
        self.cursor.take(&mut handle);
        handle.push_str(&self.word());
        if self.cursor.at('!') {
            self.cursor.take(&mut handle);
        } else if directive && handle != "!" {
            return self.problem("did not find expected '!'", start);
        }
        Ok(handle)
    }

    /// The rest of a tag behind `head`, whose `!` is left out.
    fn tag_uri(&mut self, head: &str, start: Mark) -> Result<String, Error> {
        let mut bytes = head.get(1..).unwrap_or_default().as_bytes().to_vec();
        let mut found = !head.is_empty();
        loop {
            let next = self.cursor.peek(0);
            if next == '%' {
                self.uri_escape(&mut bytes, start)?;
            } else if word(next) || ";/?:@&=+$,.!~*'()[]".contains(next) {
                let mut buffer = [0; 4];
                bytes.extend_from_slice(next.encode_utf8(&mut buffer).as_bytes());
                self.cursor.skip();
            } else {
                break;
            }
            found = true;
        }
        if !found {
            return self.problem("did not find expected tag URI", start);
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The octets of one character.
    fn uri_escape(&mut self, bytes: &mut Vec<u8>, start: Mark) -> Result<(), Error> {
        let mut left = None;
        while left != Some(0) {
            let digits = (
                self.cursor.peek(1).to_digit(16),
                self.cursor.peek(2).to_digit(16),
            );
            let (true, (Some(high), Some(low))) = (self.cursor.at('%'), digits) else {
                return self.problem("did not find URI escaped octet", start);
            };
            let octet = u8::try_from(high << 4 | low).unwrap_or_default();
            left = match left {
                None => match octet.leading_ones() {
                    0 => Some(0),
                    ones @ 2..=4 => Some(ones - 1),
                    _ => return self.problem("found an incorrect leading UTF-8 octet", start),
                },
                Some(_) if octet & 0xc0 != 0x80 => {
                    return self.problem("found an incorrect trailing UTF-8 octet", start);
                }
                Some(left) => Some(left - 1),
            };
            bytes.push(octet);
            for _ in 0..3 {
                self.cursor.skip();
            }
        }
        Ok(())
    }
}
