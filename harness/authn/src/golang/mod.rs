//! What of Go's standard library can be seen in the API server's messages: quoted strings, numbers and times as text,
//! JSON and URL errors.
//!
//! Source of every rule here: the package documentation of `strconv`, `fmt`, `time`, `encoding/json`, `net/url`,
//! `net/netip` and `encoding/pem`, and what the server was seen to answer.

pub(crate) mod base64url;
pub(crate) mod decode;
pub(crate) mod ip;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod pem;
pub(crate) mod quote;
pub(crate) mod regexp;
pub(crate) mod time;
pub(crate) mod url;

#[cfg(test)]
pub(crate) mod tests;
