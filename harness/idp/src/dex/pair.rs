//! Two strings as one opaque text: Dex's subjects and refresh tokens.
//!
//! Both are protocol buffer messages with the strings in fields 1 and 2, in base64url without padding
//! (`server/internal/types.proto` of Dex; encoding as in <https://protobuf.dev/programming-guides/encoding/>).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The message's text. An empty string is left out, as proto3 does.
pub(crate) fn encode(first: &str, second: &str) -> String {
    let mut message = Vec::new();
    for (field, text) in [(1_u8, first), (2, second)] {
        if !text.is_empty() {
            message.push(field << 3 | 2);
            write_varint(&mut message, text.len() as u64);
            message.extend_from_slice(text.as_bytes());
        }
    }
    URL_SAFE_NO_PAD.encode(message)
}

/// The two strings; none when the text is no such message. Other fields are skipped.
pub(crate) fn decode(text: &str) -> Option<(String, String)> {
    let message = URL_SAFE_NO_PAD.decode(text).ok()?;
    let mut rest = message.as_slice();
    let (mut first, mut second) = (String::new(), String::new());
    while !rest.is_empty() {
        let tag = read_varint(&mut rest)?;
        match (tag >> 3, tag & 7) {
            (0, _) => return None,
            (field, 2) => {
                let length = usize::try_from(read_varint(&mut rest)?).ok()?;
                let (content, after) = rest.split_at_checked(length)?;
                rest = after;
                let target = match field {
                    1 => &mut first,
                    2 => &mut second,
                    _ => continue,
                };
                *target = String::from_utf8(content.to_vec()).ok()?;
            }
            (_, 0) => {
                read_varint(&mut rest)?;
            }
            (_, 1) => rest = rest.get(8..)?,
            (_, 5) => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some((first, second))
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn read_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_what_dex_writes() {
        assert_eq!(encode("foo", "bar"), "CgNmb28SA2Jhcg");
        assert_eq!(encode("1234", "local"), "CgQxMjM0EgVsb2NhbA");
        assert_eq!(encode("", "local"), "EgVsb2NhbA");
    }

    #[test]
    fn skips_what_it_does_not_know() {
        // Field 3 as a varint, a fixed 64, a fixed 32 and text, then field 1.
        let message = b"\x18\x96\x01\x19\0\0\0\0\0\0\0\0\x1d\0\0\0\0\x1a\x01x\x0a\x01a";
        assert_eq!(
            decode(&URL_SAFE_NO_PAD.encode(message)),
            Some(("a".to_owned(), String::new()))
        );
    }

    proptest! {
        #[test]
        fn comes_back(first in ".*", second in ".{0,300}") {
            prop_assert_eq!(decode(&encode(&first, &second)), Some((first, second)));
        }

        #[test]
        fn never_panics(text in ".*", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&text);
            let _ = decode(&URL_SAFE_NO_PAD.encode(bytes));
        }
    }
}
