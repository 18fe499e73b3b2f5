//! `base64.RawURLEncoding`: what a token's parts are in. And `base64.StdEncoding`, which certificates are in.

use base64::{
    Engine as _, alphabet,
    engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD},
};

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    NO_PAD.with_decode_allow_trailing_bits(true),
);

/// The bytes of base64url text without padding; line breaks in it do not count.
///
/// # Errors
/// Go's text, which names the place.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let compact: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    ENGINE.decode(compact).map_err(|_| {
        let bad = |byte: u8| !(byte.is_ascii_alphanumeric() || b"-_\r\n".contains(&byte));
        let at = text.bytes().position(bad);
        let at = at.unwrap_or(text.len().saturating_sub(1));
        format!("illegal base64 data at input byte {at}")
    })
}

/// The base64url text of bytes, without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// The bytes of padded base64 text.
///
/// # Errors
/// Go's text, which names the place.
pub(crate) fn decode_standard(text: &str) -> Result<Vec<u8>, String> {
    let compact: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    STANDARD.decode(compact).map_err(|_| {
        let bad = |byte: u8| !(byte.is_ascii_alphanumeric() || b"+/\r\n".contains(&byte));
        let at = text.bytes().position(bad).unwrap_or(text.len());
        format!("illegal base64 data at input byte {at}")
    })
}
