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
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bytes = bytes::<25>();
    bytes
        .iter()
        .enumerate()
        .map(|(position, byte)| {
            let letters = if position == 0 { 26 } else { 32 };
            char::from(ALPHABET[usize::from(*byte) % letters])
        })
        .collect()
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
    fn uuids_say_their_version() {
        let uuid = uuid();
        assert_eq!(uuid.len(), 36);
        assert_eq!(&uuid[14..15], "4");
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
    }
}
