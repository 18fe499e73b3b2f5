//! `pem.Decode`: which blocks of a text count.

use base64::{
    Engine as _, alphabet,
    engine::general_purpose::{GeneralPurpose, PAD},
};

/// `base64.StdEncoding`, which does not mind what is left over in the last byte.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    PAD.with_decode_allow_trailing_bits(true),
);

/// A block of RFC 1421 form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// What stands behind `BEGIN`.
    pub(crate) label: String,
    /// Whether it has headers before its content.
    pub(crate) headers: bool,
    /// The decoded content.
    pub(crate) bytes: Vec<u8>,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "\n-----END ";
const DASHES: &str = "-----";

/// The next well-formed block and the text behind it. What is not well-formed is passed over.
pub(crate) fn decode(text: &str) -> Option<(Block, &str)> {
    let mut rest = text;
    loop {
        let end = rest.find(END)?;
        let trailer = &rest[end + END.len()..];
        // The last BEGIN before the END counts: one without an END of its own is passed over.
        let block = rest[..end]
            .rfind(BEGIN)
            .filter(|begin| *begin == 0 || rest[..*begin].ends_with('\n'))
            .and_then(|begin| block(&rest[begin + BEGIN.len()..=end], trailer));
        match block {
            Some(block) => return Some((block, line(trailer).1)),
            None => rest = trailer,
        }
    }
}

/// All blocks.
pub(crate) fn blocks(mut text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    while let Some((block, rest)) = decode(text) {
        blocks.push(block);
        text = rest;
    }
    blocks
}

fn block(from_label: &str, trailer: &str) -> Option<Block> {
    let (first, mut content) = line(from_label);
    let label = first.strip_suffix(DASHES)?;
    let mut headers = false;
    while let (header, rest) = line(content)
        && header.contains(':')
    {
        (headers, content) = (true, rest);
    }
    let closing = trailer.strip_prefix(label)?.strip_prefix(DASHES)?;
    if !line(closing).0.is_empty() {
        return None;
    }
    let base64: String = content
        .chars()
        .filter(|character| !matches!(character, ' ' | '\t' | '\r' | '\n'))
        .collect();
    Some(Block {
        label: label.to_owned(),
        headers,
        bytes: BASE64.decode(base64).ok()?,
    })
}

/// The first line without trailing blanks, and what follows it.
fn line(text: &str) -> (&str, &str) {
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    let line = line.strip_suffix('\r').unwrap_or(line);
    (line.trim_end_matches([' ', '\t']), rest)
}
