//! Parts in something else than base64url without padding, cut, or with white space in them.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::smith::Smith;

const PARTS: [&str; 3] = ["header", "payload", "signature"];

pub(super) fn forge(smith: &mut Smith) {
    let Ok(parts) = smith.parts() else {
        return;
    };
    cut(smith, &parts);
    alphabets(smith, &parts);
    white_space(smith, &parts);
    let honest = parts.join(".");
    smith.keep("encoding/all in capitals", honest.to_uppercase());
    smith.keep("encoding/all in small letters", honest.to_lowercase());
    smith.keep(
        "encoding/backwards",
        honest.chars().rev().collect::<String>(),
    );
    smith.keep("encoding/all of it again", STANDARD.encode(&honest));
}

/// The token with another text for one of its parts.
fn with(parts: &[String; 3], index: usize, text: String) -> String {
    let mut parts = parts.clone();
    parts[index] = text;
    parts.join(".")
}

fn cut(smith: &mut Smith, parts: &[String; 3]) {
    for (index, name) in PARTS.iter().enumerate() {
        let part = &parts[index];
        for gone in 1..=4 {
            let token = with(parts, index, part[..part.len() - gone].to_owned());
            smith.keep(format!("cut/{name} by {gone}"), token);
        }
        // Of a signature one letter less: at its very half the spare bits of the last may be those of the bytes' half.
        let half = part.len() / 2 - usize::from(index == 2);
        let token = with(parts, index, part[..half].to_owned());
        smith.keep(format!("cut/{name} in half"), token);
        let token = with(parts, index, part[1..].to_owned());
        smith.keep(format!("cut/{name} at its beginning"), token);
    }
}

fn alphabets(smith: &mut Smith, parts: &[String; 3]) {
    for (index, name) in PARTS.iter().enumerate() {
        let part = &parts[index];
        let put = |letter: &str| format!("{}{letter}{}", &part[..5], &part[6..]);
        let hex: String = part.bytes().map(|byte| format!("{byte:02x}")).collect();
        let texts = [
            ("with a plus", put("+")),
            ("with a slash", put("/")),
            ("with a star", put("*")),
            ("with an equals sign in it", put("=")),
            ("with a letter that is none", put("\u{e9}")),
            ("padded by one", format!("{part}=")),
            ("padded by two", format!("{part}==")),
            (
                "percent-encoded",
                format!("%{:02X}{}", part.as_bytes()[0], &part[1..]),
            ),
            ("in hexadecimal", hex),
            ("again", STANDARD.encode(part).replace('=', "")),
            ("with other spare bits", spare(part)),
        ];
        for (label, text) in texts {
            smith.keep(format!("encoding/{name} {label}"), with(parts, index, text));
        }
    }
}

/// The same bytes in other letters, where the last letter has bits that stand for nothing; else another last letter.
fn spare(part: &str) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = part.chars().next_back().unwrap_or('A');
    let value = LETTERS.find(last).unwrap_or_default() ^ 1;
    format!("{}{}", &part[..part.len() - 1], &LETTERS[value..=value])
}

fn white_space(smith: &mut Smith, parts: &[String; 3]) {
    let [header, payload, signature] = parts;
    let split = |part: &str, by: &str| format!("{}{by}{}", &part[..4], &part[4..]);
    for (name, by) in [
        ("a space", " "),
        ("a tab", "\t"),
        ("a line break", "\n"),
        ("CR and LF", "\r\n"),
        ("NUL", "\0"),
        ("a no-break space", "\u{a0}"),
        ("a zero-width space", "\u{200b}"),
    ] {
        for (place, token) in [
            ("before", format!("{by}{header}.{payload}.{signature}")),
            (
                "in the header",
                format!("{}.{payload}.{signature}", split(header, by)),
            ),
            (
                "behind the header",
                format!("{header}{by}.{payload}.{signature}"),
            ),
            (
                "in the payload",
                format!("{header}.{}.{signature}", split(payload, by)),
            ),
            (
                "behind the payload",
                format!("{header}.{payload}{by}.{signature}"),
            ),
            (
                "in the signature",
                format!("{header}.{payload}.{}", split(signature, by)),
            ),
            ("behind", format!("{header}.{payload}.{signature}{by}")),
        ] {
            smith.keep(format!("space/{name} {place}"), token);
        }
    }
}
