//! Queries and form bodies as Go's `net/http` reads and writes them.

use std::{collections::BTreeMap, fmt};

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, Uri, header},
};

/// The values of a query or a form body by name, each name's in the order in which they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Values(BTreeMap<String, Vec<String>>);

/// A part of a query or body could not be read; the rest was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl Values {
    /// Reads `a=b&c=d`. What can be read is read, even beside what cannot.
    pub(crate) fn parse(text: &str) -> (Self, Option<Malformed>) {
        let mut values = Self::default();
        let mut malformed = None;
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (pair.contains(';'), unescape(name), unescape(value)) {
                (false, Some(name), Some(value)) => values.add(name, value),
                _ => malformed = Some(Malformed),
            }
        }
        (values, malformed)
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.entry(name.into()).or_default().push(value.into());
    }

    /// Replaces whatever is there under the name.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), vec![value.into()]);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// The first value, or nothing.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0
            .get(name)
            .and_then(|values| values.first())
            .map_or("", String::as_str)
    }

    /// Whether the name is there, with a value or without.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes `a=b&c=d`, sorted by name.
    pub(crate) fn encode(&self) -> String {
        let pairs = self.0.iter().flat_map(|(name, values)| {
            let name = escape(name);
            values
                .iter()
                .map(move |value| format!("{name}={}", escape(value)))
        });
        pairs.collect::<Vec<_>>().join("&")
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords and secrets come as values.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A request with its query and form body read.
pub(crate) struct Call {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    /// The query alone.
    pub query: Values,
    /// The form body alone.
    pub body: Values,
    /// Whether any of both could not be read.
    pub malformed: bool,
}

impl Call {
    pub(crate) fn new(method: Method, uri: Uri, headers: HeaderMap, body: &Bytes) -> Self {
        let (query, query_malformed) = Values::parse(uri.query().unwrap_or_default());
        let has_form = matches!(method, Method::POST | Method::PUT | Method::PATCH)
            && headers
                .get(header::CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.split(';').next())
                .is_some_and(|kind| {
                    kind.trim()
                        .eq_ignore_ascii_case("application/x-www-form-urlencoded")
                });
        let (body, body_malformed) = if has_form {
            Values::parse(&String::from_utf8_lossy(body))
        } else {
            (Values::default(), None)
        };
        Self {
            method,
            uri,
            headers,
            query,
            body,
            malformed: query_malformed.or(body_malformed).is_some(),
        }
    }

    /// A value of the body or else of the query.
    pub(crate) fn value(&self, name: &str) -> &str {
        if self.body.0.contains_key(name) {
            self.body.get(name)
        } else {
            self.query.get(name)
        }
    }

    /// Body and query together, the body's values first.
    pub(crate) fn all(&self) -> Values {
        let mut all = self.body.clone();
        for (name, values) in &self.query.0 {
            all.0
                .entry(name.clone())
                .or_default()
                .extend(values.iter().cloned());
        }
        all
    }
}

/// A query component with everything but letters, digits and `-_.~` escaped, a space as `+`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(byte.into());
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// The text of a query component; none when an escape is broken. What is not UTF-8 is replaced.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(*rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' => out.push(b' '),
            other => out.push(*other),
        }
    }
    Some(match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_it_can() {
        let (values, malformed) = Values::parse("b=2&a=%20+&a=3&&bad=%zz&c;d=1&e");
        assert_eq!(malformed, Some(Malformed));
        assert_eq!(values.get("a"), "  ");
        assert_eq!(values.get("bad"), "");
        assert_eq!(values.encode(), "a=++&a=3&b=2&e=");
        assert_eq!(format!("{values:?}"), r#"{"a", "b", "e"}"#);
    }

    #[test]
    fn the_body_comes_before_the_query() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            "application/x-www-form-urlencoded; charset=utf-8"
                .parse()
                .unwrap(),
        );
        let uri: Uri = "/token?a=query&b=query".parse().unwrap();
        let call = Call::new(
            Method::POST,
            uri.clone(),
            headers.clone(),
            &Bytes::from_static(b"a=body"),
        );
        assert_eq!(
            (call.value("a"), call.value("b"), call.body.get("b")),
            ("body", "query", "")
        );
        assert_eq!(call.all().encode(), "a=body&a=query&b=query");
        let call = Call::new(Method::GET, uri, headers, &Bytes::from_static(b"a=body"));
        assert_eq!(call.value("a"), "query", "a GET has no form");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(pairs in proptest::collection::vec((".*", ".*"), 0..5)) {
            let mut values = Values::default();
            for (name, value) in pairs {
                values.add(name, value);
            }
            prop_assert_eq!(Values::parse(&values.encode()), (values, None));
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = Values::parse(&text);
        }
    }
}
