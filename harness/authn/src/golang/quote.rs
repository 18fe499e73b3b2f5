//! `strconv.Quote`, which is also `%q`.

use authlab_pki::quote::quote_char;
pub(crate) use authlab_pki::quote::{quote, quote_list};

/// A character in single quotes, as JSON syntax errors name the byte that they did not expect.
pub(crate) fn quote_byte(byte: u8) -> String {
    match char::from(byte) {
        '"' => "'\"'".to_owned(),
        character => quote_char(character),
    }
}
