//! HTTP as Go's client reports it.

use std::{error::Error, io};

use chrono::{DateTime, SecondsFormat};
use reqwest::{Client, StatusCode, header::CONTENT_TYPE, header::HeaderMap};
use rustls::pki_types::UnixTime;

use crate::{
    golang::{json, quote::quote},
    tree::Node,
};

/// A client that trusts an issuer's authority.
#[derive(Clone)]
pub(super) struct Transport {
    client: Client,
}

impl Transport {
    /// # Errors
    /// When the authority's certificates cannot be read.
    pub(super) fn new(certificate_authority: &str) -> Result<Self, String> {
        match authlab_pki::http::client(certificate_authority) {
            Ok(client) => Ok(Self { client }),
            Err(error) => Err(format!("Failed to read the CA contents: {error}")),
        }
    }

    /// Fetches a URL.
    ///
    /// # Errors
    /// `Get "URL": ...` with the cause.
    pub(super) async fn get(&self, url: &str) -> Result<Response, String> {
        self.get_as(url, "").await
    }

    /// Fetches a URL with a bearer token, unless that is empty.
    ///
    /// # Errors
    /// As [`Transport::get`].
    pub(super) async fn get_as(&self, url: &str, bearer: &str) -> Result<Response, String> {
        let failed = |error: &reqwest::Error| format!("Get {}: {}", quote(url), cause(error));
        let mut request = self.client.get(url);
        if !bearer.is_empty() {
            request = request.bearer_auth(bearer);
        }
        let response = request.send().await.map_err(|error| failed(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response
            .bytes()
            .await
            .map_err(|error| format!("unable to read response body: {}", cause(&error)))?;
        Ok(Response {
            status,
            headers,
            body: body.to_vec(),
        })
    }
}

/// An answer, read to its end.
pub(super) struct Response {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Response {
    pub(super) fn ok(&self) -> bool {
        self.status == StatusCode::OK
    }

    /// Whether the code is of those that Go names, of success: 200 to 226.
    pub(super) fn success(&self) -> bool {
        (200..=226).contains(&self.status.as_u16())
    }

    /// Code and name, as `404 Not Found`.
    pub(super) fn status(&self) -> String {
        self.status.to_string()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// The body as JSON, whatever the content type says.
    ///
    /// # Errors
    /// As [`Response::not_json`].
    pub(super) fn json(&self) -> Result<Node, String> {
        json::parse(&self.text()).map_err(|error| self.not_json(&error))
    }

    /// An error about the body, which the library blames on the content type.
    pub(super) fn not_json(&self, error: &str) -> String {
        let content_type = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") {
            format!("got Content-Type = application/json, but could not unmarshal as JSON: {error}")
        } else {
            let content_type = quote(&content_type);
            format!("expected Content-Type = application/json, got {content_type}: {error}")
        }
    }
}

/// The innermost cause of a failed request in the words of Go's HTTP client, where they are known:
/// `dial tcp 127.0.0.1:1: connect: connection refused`.
#[must_use]
pub fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
            .to_owned();
    }
    let address = error.url().map(|url| {
        let port = url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", url.host_str().unwrap_or_default())
    });
    let address = address.unwrap_or_default();
    if let Some(cause) = known_cause(error, &address) {
        return cause;
    }
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    if text.contains("failed to lookup address") {
        let host = error.url().and_then(reqwest::Url::host_str);
        return format!(
            "dial tcp: lookup {}: no such host",
            host.unwrap_or_default()
        );
    }
    text
}

fn known_cause(error: &(dyn Error + 'static), address: &str) -> Option<String> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls_cause(tls));
    }
    if let Some(io) = error.downcast_ref::<io::Error>() {
        // An I/O error hides what it was made of from its list of sources.
        if let Some(cause) = io.get_ref().and_then(|inner| known_cause(inner, address)) {
            return Some(cause);
        }
        match io.kind() {
            io::ErrorKind::ConnectionRefused => {
                return Some(format!("dial tcp {address}: connect: connection refused"));
            }
            io::ErrorKind::ConnectionReset => {
                return Some("read: connection reset by peer".to_owned());
            }
            io::ErrorKind::UnexpectedEof => return Some("EOF".to_owned()),
            _ => {}
        }
    }
    known_cause(error.source()?, address)
}

fn tls_cause(error: &rustls::Error) -> String {
    use rustls::CertificateError;
    let problem = match error {
        rustls::Error::InvalidCertificate(problem) => match problem {
            CertificateError::UnknownIssuer => {
                "x509: certificate signed by unknown authority".to_owned()
            }
            CertificateError::ExpiredContext { time, not_after } => {
                out_of_date(*time, "after", *not_after)
            }
            CertificateError::NotValidYetContext { time, not_before } => {
                out_of_date(*time, "before", *not_before)
            }
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => {
                let expected = expected.to_str();
                let presented: Vec<&str> = presented
                    .iter()
                    .map(|name| name.split_once('(').map_or(name.as_str(), |(_, name)| name))
                    .map(|name| name.trim_matches(['"', ')']))
                    .collect();
                format!(
                    "x509: certificate is valid for {}, not {expected}",
                    presented.join(", ")
                )
            }
            other => format!("x509: {other}"),
        },
        other => return format!("remote error: {other}"),
    };
    format!("tls: failed to verify certificate: {problem}")
}

/// A certificate that is not valid at the moment (RFC 5280 section 4.1.2.5).
fn out_of_date(now: UnixTime, relation: &str, bound: UnixTime) -> String {
    let time = |time: UnixTime| {
        let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        let time = DateTime::from_timestamp(seconds, 0).unwrap_or_default();
        time.to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    format!(
        "x509: certificate has expired or is not yet valid: current time {} is {relation} {}",
        time(now),
        time(bound)
    )
}
