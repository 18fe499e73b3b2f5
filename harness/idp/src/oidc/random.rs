//! Names nobody can guess.

use aws_lc_rs::rand;

/// `N` random bytes.
///
/// # Panics
/// When the operating system gives no randomness: nothing here is safe then.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    #[expect(
        clippy::expect_used,
        reason = "a provider without randomness must not go on"
    )]
    rand::fill(&mut out).expect("the operating system gives random bytes");
    out
}

/// A random identifier of 25 lower-case letters and digits that begins with a letter (about 124 bits): fit for URLs
/// and for names of Kubernetes objects.
pub(crate) fn identifier() -> String {
    letters::<25>()
}

/// The same in 51 characters, for who can guess all day.
pub(crate) fn long_identifier() -> String {
    letters::<51>()
}

fn letters<const N: usize>() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bytes = bytes::<N>();
    bytes
        .iter()
        .enumerate()
        .map(|(position, byte)| {
            let letters = if position == 0 { 26 } else { 32 };
            char::from(ALPHABET[usize::from(*byte) % letters])
        })
        .collect()
}

/// A code for people to type: eight consonants, `BCDF-GHJK` (RFC 8628 section 6.1).
pub(crate) fn user_code() -> String {
    const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
    let mut out = String::with_capacity(9);
    // Bytes from 240 on would favour the first letters.
    let fair = std::iter::repeat_with(|| bytes::<1>()[0]).filter(|byte| *byte < 240);
    for (position, byte) in fair.take(8).enumerate() {
        if position == 4 {
            out.push('-');
        }
        out.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    }
    out
}

/// A random UUID (RFC 9562 version 4).
pub(crate) fn uuid() -> String {
    let mut bytes = bytes::<16>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut out = String::with_capacity(36);
    for (position, byte) in bytes.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_begin_with_a_letter_and_differ() {
        let first = identifier();
        assert_eq!(first.len(), 25);
        assert!(first.starts_with(|c: char| c.is_ascii_lowercase()));
        assert!(
            first
                .bytes()
                .all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
        );
        assert_ne!(first, identifier());
    }

    #[test]
    fn user_codes_have_two_halves_without_vowels() {
        let code = user_code();
        assert_eq!(code.len(), 9);
        assert_eq!(code.find('-'), Some(4));
        assert!(!code.contains(['A', 'E', 'I', 'O', 'U', 'Y']), "{code}");
        assert_ne!(code, user_code());
    }

    #[test]
    fn uuids_say_their_version() {
        let uuid = uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
    }
}
