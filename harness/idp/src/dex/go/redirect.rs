//! Redirects as Go's `http.Redirect` writes them, to addresses with parameters added.

use axum::{
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::form::Values;
use crate::oidc::html;

/// An answer that sends the client to `location`; a GET gets a short page with the link.
pub(crate) fn redirect(method: &Method, status: StatusCode, location: &str) -> Response {
    let location = ascii(location);
    let Ok(value) = HeaderValue::from_str(&location) else {
        return (StatusCode::BAD_REQUEST, "Invalid redirect URI\n").into_response();
    };
    let mut response = if *method == Method::GET {
        let reason = status.canonical_reason().unwrap_or_default();
        axum::response::Html(format!(
            "<a href=\"{}\">{reason}</a>.\n\n",
            html::escape(&location)
        ))
        .into_response()
    } else {
        ().into_response()
    };
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, value);
    response
}

/// `address` with its query read, changed and written again.
pub(crate) fn with_query(address: &str, change: impl FnOnce(&mut Values)) -> String {
    let (address, fragment) = match address.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (address, String::new()),
    };
    let (address, query) = address.split_once('?').unwrap_or((address, ""));
    let (mut query, _) = Values::parse(query);
    change(&mut query);
    format!("{address}?{}{fragment}", query.encode())
}

/// `address` with the values as its fragment. They are escaped a second time, which is how Dex sends them.
pub(crate) fn with_fragment(address: &str, values: &Values) -> String {
    let address = address
        .split_once('#')
        .map_or(address, |(address, _)| address);
    let mut out = format!("{address}#");
    for byte in values.encode().bytes() {
        match byte {
            b'%' => out.push_str("%25"),
            other => out.push(other.into()),
        }
    }
    out
}

/// Bytes outside of ASCII as escapes.
fn ascii(address: &str) -> String {
    address
        .bytes()
        .map(|byte| match byte {
            0x80.. => format!("%{byte:02X}"),
            other => char::from(other).to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_join_those_that_are_there() {
        let added = |address| with_query(address, |query| query.set("code", "a b"));
        assert_eq!(added("http://localhost:1"), "http://localhost:1?code=a+b");
        assert_eq!(
            added("http://h/cb?x=1&a=2#frag"),
            "http://h/cb?a=2&code=a+b&x=1#frag"
        );
        assert_eq!(added("http://h/cb?code=old"), "http://h/cb?code=a+b");
    }

    #[test]
    fn a_fragment_is_escaped_twice() {
        let mut values = Values::default();
        values.set("state", "a&b c");
        assert_eq!(
            with_fragment("http://h/cb#old", &values),
            "http://h/cb#state=a%2526b+c"
        );
    }

    #[test]
    fn a_redirect_cannot_carry_other_headers() {
        let response = redirect(&Method::POST, StatusCode::SEE_OTHER, "http://h/\r\nx: y");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let response = redirect(&Method::POST, StatusCode::SEE_OTHER, "http://h/é");
        assert_eq!(response.headers()[header::LOCATION], "http://h/%C3%A9");
        assert!(response.headers().get(header::CONTENT_TYPE).is_none());
    }
}
