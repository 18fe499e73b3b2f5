//! Answers as text in which whatever is random has a name, so that two servers can be compared.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use regex::{Captures, Regex};
use reqwest::{Response, header::HeaderMap};
use scraper::{ElementRef, Html, Selector};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Headers that a client of Dex may look at.
const HEADERS: [&str; 10] = [
    "content-type",
    "location",
    "cache-control",
    "pragma",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
    "access-control-allow-origin",
    "access-control-allow-headers",
    "vary",
];

/// The record of a conversation with one server.
pub struct Transcript {
    issuer: String,
    /// Other addresses, and what they are called.
    names: Vec<(String, &'static str)>,
    text: String,
}

impl Transcript {
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            names: Vec::new(),
            text: String::new(),
        }
    }

    /// Calls another address by a name.
    pub fn call(&mut self, address: &str, name: &'static str) {
        self.names.push((address.to_owned(), name));
    }

    pub fn so_far(&self) -> &str {
        &self.text
    }

    pub fn finish(self) -> String {
        self.text
    }

    /// Writes an answer down under a title, and gives its headers and body.
    pub async fn note(&mut self, title: &str, response: Response) -> (HeaderMap, String) {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.text().await.unwrap();
        self.line(&format!("## {title}\n{status}"));
        for name in HEADERS {
            for value in headers.get_all(name) {
                let value = self.plain(value.to_str().unwrap());
                self.line(&format!("{name}: {value}"));
            }
        }
        let kind = headers
            .get("content-type")
            .map_or("", |value| value.to_str().unwrap());
        let shown = match kind {
            "application/json" => json(&body, &self.plain(&body)),
            "text/html; charset=utf-8" if !(300..400).contains(&status) => {
                page(status, &self.plain(&body))
            }
            _ => self.plain(&body),
        };
        self.line(&format!("{shown}\n"));
        (headers, body)
    }

    /// Writes something down that was seen besides.
    pub fn remark(&mut self, text: &str) {
        self.line(&format!("{text}\n"));
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// The text without ports, random names and proofs.
    pub fn plain(&self, text: &str) -> String {
        static RANDOM: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r##"(?x)
                (?P<token> ey[A-Za-z0-9_-]+\.ey[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+ )
                | \b[a-z][a-z2-7]{24}(?:[a-z2-7]{26})?\b
                | (?P<name> hmac | refresh_token | jti )(?P<mid> = | ":\x20?" )[A-Za-z0-9_-]{36,}
                | \b[0-9a-f]{40}\b
                | (?P<left> expires_in (?: = | ": ) ) 35[0-9]{2}\b
                | (?P<pkce> code_(?:challenge|verifier)= )[A-Za-z0-9_-]{43}
                | (?P<user> \b[B-Z]{4}-[B-Z]{4}\b )
                | "n":\x20"[A-Za-z0-9_-]{342}"
            "##,
            )
            .unwrap()
        });
        let mut text = text.to_owned();
        let names = self.names.iter().map(|(address, name)| (address, *name));
        for (address, name) in std::iter::once((&self.issuer, "ISSUER")).chain(names) {
            let escaped = address.replace(':', "%3A").replace('/', "%2F");
            text = text.replace(address, name).replace(&escaped, name);
        }
        RANDOM
            .replace_all(&text, |found: &Captures| {
                match (found.name("token"), found.name("name")) {
                    (Some(token), _) => format!("<{}>", jwt(token.as_str(), &self.issuer)),
                    (_, Some(name)) => format!("{}{}RANDOM", name.as_str(), &found["mid"]),
                    _ if found.name("left").is_some() => format!("{}NEARLY-3600", &found["left"]),
                    _ if found.name("pkce").is_some() => format!("{}RANDOM", &found["pkce"]),
                    _ if found.name("user").is_some() => "USER-CODE".to_owned(),
                    _ if found[0].starts_with('"') => "\"n\": \"MODULUS\"".to_owned(),
                    _ if found[0].len() == 40 => "KID".to_owned(),
                    _ => "ID".to_owned(),
                }
            })
            .into_owned()
    }
}

/// Header and claims of a token, in their order, with times told relative to each other.
fn jwt(token: &str, issuer: &str) -> String {
    let part = |number: usize| {
        let part = token.split('.').nth(number).unwrap();
        String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    static CHANGING: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#""(?P<name>kid|jti|exp|iat|auth_time|at_hash|c_hash)":("[^"]*"|\d+)"#).unwrap()
    });
    let claims: Value = serde_json::from_str(&part(1)).unwrap();
    let issued = claims["iat"].as_i64().unwrap();
    let named = |text: &str| {
        let text = text.replace(issuer, "ISSUER");
        CHANGING
            .replace_all(&text, |found: &Captures| {
                let name = &found["name"];
                let value = match name {
                    "exp" => format!("iat+{}", claims["exp"].as_i64().unwrap() - issued),
                    "auth_time" => format!(
                        "recent={}",
                        issued - claims["auth_time"].as_i64().unwrap() < 60
                    ),
                    other => other.to_uppercase(),
                };
                format!("\"{name}\":{value}")
            })
            .into_owned()
    };
    format!("{} {}", named(&part(0)), named(&part(1)))
}

/// JSON as it stands, `expires_in` aside; for ID tokens, whether they are bound to what came with them.
fn json(body: &str, plain: &str) -> String {
    let value: Value = serde_json::from_str(body).unwrap();
    let mut shown = plain.to_owned();
    if let (Some(id), Some(access)) = (value["id_token"].as_str(), value["access_token"].as_str()) {
        let payload = URL_SAFE_NO_PAD
            .decode(id.split('.').nth(1).unwrap())
            .unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        let bound = claims["at_hash"] == left_half(access);
        shown.push_str(&format!("\nat_hash fits: {bound}"));
    }
    shown
}

/// `at_hash` and `c_hash` of a text (OpenID Connect Core 1.0 section 3.1.3.6).
pub fn left_half(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(text.as_bytes())[..16])
}

/// What of a page matters to whoever drives it: forms and their fields, links, what it says is wrong.
fn page(status: u16, body: &str) -> String {
    let document = Html::parse_document(body);
    let all = |selector: &str| {
        let selector = Selector::parse(selector).unwrap();
        document.select(&selector).map(describe).collect::<Vec<_>>()
    };
    let mut parts = all("form, input, button, body a, #login-error");
    if status >= 400 && !body.contains("<form") {
        parts.extend(all("body p"));
    }
    parts.join("\n")
}

fn describe(element: ElementRef) -> String {
    let value = element.value();
    let mut out = value.name().to_owned();
    for name in ["method", "action", "href", "type", "name", "value", "id"] {
        if let Some(value) = value.attr(name) {
            out.push_str(&format!(" {name}={value:?}"));
        }
    }
    if matches!(value.name(), "p" | "div") {
        out = format!("says: {}", element.text().collect::<String>().trim());
    }
    out
}
