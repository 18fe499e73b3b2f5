//! What a provider does wrong, on purpose, until it is mended.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One fault of a provider. A forge can have each of them; of the products, embedded or real, only [`Fault::Down`] can
/// be asked, since they have no switch for the others.
///
/// A fault takes the place of the one before it. Whoever is connected when it begins or ends is disconnected, so that
/// nobody goes on over a connection of the time before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// The discovery document is not what it should be (OpenID Connect Discovery 1.0 section 4).
    Discovery(DiscoveryFault),
    /// The key set is not what it should be (RFC 7517 section 5).
    Jwks(JwksFault),
    /// The certificate is not what it should be (RFC 5280 section 6.1).
    Tls(TlsFault),
    /// Nobody listens: connections are refused. The port stays the provider's own.
    Down,
}

/// What is wrong with the discovery document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum DiscoveryFault {
    /// Answered with this status and a line of text.
    Status(HttpStatus),
    /// Not answered before the fault is mended. The API server's client gives up after 30 seconds.
    Slow,
    /// A right document of 4 MiB. The API server reads whatever an issuer sends within its 30 seconds.
    Huge,
    /// A right document of another issuer: this one's with `/other` behind it.
    WrongIssuer,
    /// Redirected to a page for people, as a login proxy in front of the provider does.
    Redirect,
}

/// What is wrong with the key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum JwksFault {
    /// Answered with this status and a line of text.
    Status(HttpStatus),
    /// Not answered before the fault is mended.
    Slow,
    /// There is no key in it.
    Empty,
    /// The right keys under names (`kid`) that no token has.
    WrongKid,
}

/// What is wrong with the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum TlsFault {
    /// Signed by an authority that the lab does not trust, `${lab.ca.other}`.
    OtherAuthority,
    /// Signed by the right authority, for yesterday.
    Expired,
}

/// The status of an answer that is no success: 300 to 599 (RFC 9110 section 15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u16", into = "u16")]
pub struct HttpStatus(#[schemars(range(min = 300, max = 599))] u16);

impl HttpStatus {
    /// The number.
    #[must_use]
    pub fn code(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for HttpStatus {
    type Error = String;

    fn try_from(code: u16) -> Result<Self, String> {
        match code {
            300..=599 => Ok(Self(code)),
            _ => Err(format!("{code} is no status of a failure: 300 to 599")),
        }
    }
}

impl From<HttpStatus> for u16 {
    fn from(status: HttpStatus) -> Self {
        status.0
    }
}

impl std::fmt::Display for Fault {
    /// As it is written in a scenario: `discovery: slow`, `jwks: status 500`, `down`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = |status: &HttpStatus| format!("status {}", status.0);
        match self {
            Self::Discovery(fault) => match fault {
                DiscoveryFault::Status(code) => write!(f, "discovery: {}", status(code)),
                DiscoveryFault::Slow => f.write_str("discovery: slow"),
                DiscoveryFault::Huge => f.write_str("discovery: huge"),
                DiscoveryFault::WrongIssuer => f.write_str("discovery: wrongIssuer"),
                DiscoveryFault::Redirect => f.write_str("discovery: redirect"),
            },
            Self::Jwks(fault) => match fault {
                JwksFault::Status(code) => write!(f, "jwks: {}", status(code)),
                JwksFault::Slow => f.write_str("jwks: slow"),
                JwksFault::Empty => f.write_str("jwks: empty"),
                JwksFault::WrongKid => f.write_str("jwks: wrongKid"),
            },
            Self::Tls(TlsFault::OtherAuthority) => f.write_str("tls: otherAuthority"),
            Self::Tls(TlsFault::Expired) => f.write_str("tls: expired"),
            Self::Down => f.write_str("down"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_written_in_few_words() {
        for (text, shown) in [
            (r#"{"discovery":{"status":500}}"#, "discovery: status 500"),
            (r#"{"discovery":"slow"}"#, "discovery: slow"),
            (r#"{"discovery":"huge"}"#, "discovery: huge"),
            (r#"{"discovery":"wrongIssuer"}"#, "discovery: wrongIssuer"),
            (r#"{"discovery":"redirect"}"#, "discovery: redirect"),
            (r#"{"jwks":{"status":503}}"#, "jwks: status 503"),
            (r#"{"jwks":"slow"}"#, "jwks: slow"),
            (r#"{"jwks":"empty"}"#, "jwks: empty"),
            (r#"{"jwks":"wrongKid"}"#, "jwks: wrongKid"),
            (r#"{"tls":"otherAuthority"}"#, "tls: otherAuthority"),
            (r#"{"tls":"expired"}"#, "tls: expired"),
            (r#""down""#, "down"),
        ] {
            let fault: Fault = serde_json::from_str(text).unwrap();
            assert_eq!(fault.to_string(), shown);
            assert_eq!(serde_json::to_string(&fault).unwrap(), text);
        }
        for (text, why) in [
            (r#"{"discovery":"gone"}"#, "unknown variant `gone`"),
            (r#"{"keys":"empty"}"#, "unknown variant `keys`"),
            (
                r#"{"jwks":{"status":200}}"#,
                "200 is no status of a failure",
            ),
        ] {
            let refused = serde_json::from_str::<Fault>(text).unwrap_err().to_string();
            assert!(refused.starts_with(why), "{refused}");
        }
    }
}
