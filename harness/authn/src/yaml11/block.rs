//! Literal and folded block scalars (YAML 1.1 sections 9.2.1 to 9.2.5).

use super::{
    Error,
    cursor::{Mark, blank, break_or_end},
    scanner::Scanner,
    token::Kind,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomp {
    Strip,
    Clip,
    Keep,
}

impl Scanner<'_> {
    pub(super) fn block_scalar(&mut self, literal: bool) -> Result<(), Error> {
        let start = self.cursor.mark;
        self.cursor.skip();
        let (chomp, increment) = self.block_header(start)?;
        self.cursor.rest_of_line();
        if !break_or_end(self.cursor.peek(0)) {
            return self.problem("did not find expected comment or line break", start);
        }
        self.cursor.line_break();

        let outer = usize::try_from(self.indent).unwrap_or(0);
        let mut indent = increment.map(|increment| outer + increment);
        let mut value = String::new();
        let (mut breaks, mut end) = self.block_breaks(&mut indent, start)?;
        let mut leading_break = None;
        let mut after_indented = false;
        while Some(self.cursor.mark.column) == indent && !self.cursor.at('\0') {
            let indented = blank(self.cursor.peek(0));
            let folds = !literal && !after_indented && !indented && leading_break == Some('\n');
            if !folds {
                value.extend(leading_break);
            } else if breaks.is_empty() {
                value.push(' ');
            }
            value.push_str(&breaks);
            after_indented = indented;
            while !break_or_end(self.cursor.peek(0)) {
                self.cursor.take(&mut value);
            }
            leading_break = self.cursor.line_break();
            (breaks, end) = self.block_breaks(&mut indent, start)?;
        }
        if chomp != Chomp::Strip {
            value.extend(leading_break);
        }
        if chomp == Chomp::Keep {
            value.push_str(&breaks);
        }
        let plain = false;
        self.finish(Kind::Scalar { value, plain }, start, end)
    }

    /// The chomping and indentation indicators, in either order.
    fn block_header(&mut self, start: Mark) -> Result<(Chomp, Option<usize>), Error> {
        let (mut chomp, mut increment) = (None, None);
        for _ in 0..2 {
            match self.cursor.peek(0) {
                '+' if chomp.is_none() => chomp = Some(Chomp::Keep),
                '-' if chomp.is_none() => chomp = Some(Chomp::Strip),
                '0' if increment.is_none() => {
                    return self.problem("found an indentation indicator equal to 0", start);
                }
                digit @ '1'..='9' if increment.is_none() => {
                    increment = digit
                        .to_digit(10)
                        .and_then(|digit| usize::try_from(digit).ok());
                }
                _ => break,
            }
            self.cursor.skip();
        }
        Ok((chomp.unwrap_or(Chomp::Clip), increment))
    }

    /// Indentation and empty lines; the first deeper line sets the indentation when nothing else did.
    fn block_breaks(
        &mut self,
        indent: &mut Option<usize>,
        start: Mark,
    ) -> Result<(String, Mark), Error> {
        let mut breaks = String::new();
        let mut end = self.cursor.mark;
        let mut deepest = 0;
        loop {
            let shallow = |column: usize| indent.is_none_or(|indent| column < indent);
            while shallow(self.cursor.mark.column) && self.cursor.at(' ') {
                self.cursor.skip();
            }
            deepest = deepest.max(self.cursor.mark.column);
            if shallow(self.cursor.mark.column) && self.cursor.at('\t') {
                return self.problem(
                    "found a tab character where an indentation space is expected",
                    start,
                );
            }
            match self.cursor.line_break() {
                Some(character) => breaks.push(character),
                None => break,
            }
            end = self.cursor.mark;
        }
        if indent.is_none() {
            let least = usize::try_from(self.indent + 1).unwrap_or(0);
            *indent = Some(deepest.max(least).max(1));
        }
        Ok((breaks, end))
    }
}
