//! Answers as text in which whatever is random has a name, so that two servers can be compared.

use std::sync::LazyLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use regex::{Captures, Regex};
use reqwest::Response;
use scraper::{ElementRef, Html, Selector};
use serde_json::{Map, Value};

/// Headers that a client may look at.
const HEADERS: [&str; 6] = [
    "content-type",
    "location",
    "cache-control",
    "www-authenticate",
    "access-control-allow-origin",
    "x-frame-options",
];

/// The record of a conversation with one server.
pub struct Transcript {
    issuer: String,
    text: String,
}

impl Transcript {
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            text: String::new(),
        }
    }

    pub fn finish(&self) -> String {
        self.text.clone()
    }

    /// Writes an answer down under a title, and gives its location and body.
    pub async fn note(&mut self, title: &str, response: Response) -> (Option<String>, String) {
        self.line(&format!("## {title}\n{}", response.status().as_u16()));
        for name in HEADERS {
            let html = response
                .headers()
                .get("content-type")
                .is_some_and(|v| v.to_str().unwrap().contains("html"));
            if name == "x-frame-options" && !html {
                continue;
            }
            for value in response.headers().get_all(name) {
                let value = self.plain(value.to_str().unwrap());
                self.line(&format!("{name}: {value}"));
            }
        }
        let mut cookies: Vec<_> = response
            .headers()
            .get_all("set-cookie")
            .iter()
            // Whether Keycloak takes this one away again differs from time to time.
            .filter(|cookie| !cookie.to_str().unwrap().starts_with("KC_RESTART"))
            .map(|cookie| self.cookie(cookie.to_str().unwrap()))
            .collect();
        cookies.sort();
        cookies.iter().for_each(|cookie| self.line(cookie));
        let header = |name| {
            response
                .headers()
                .get(name)
                .map(|v| v.to_str().unwrap().to_owned())
        };
        let (kind, location) = (header("content-type"), header("location"));
        let body = response.text().await.unwrap();
        let shown = match kind.unwrap_or_default() {
            kind if kind.starts_with("text/html") => self.plain(&page(&body)),
            kind if kind.starts_with("application/json") => {
                let value: Value = serde_json::from_str(&body).unwrap();
                serde_json::to_string_pretty(&self.value(&value)).unwrap()
            }
            _ => self.plain(&body),
        };
        self.line(&format!("{shown}\n"));
        (location, body)
    }

    /// Writes something down that was seen besides.
    pub fn remark(&mut self, title: &str, text: &str) {
        self.line(&format!("## {title}\n{text}\n"));
    }

    fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Name and attributes of a cookie, without the value.
    fn cookie(&self, text: &str) -> String {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let gone = if value.is_empty() { "gone" } else { "VALUE" };
        let mut rest: Vec<_> = parts
            .map(|part| part.to_ascii_lowercase())
            .filter(|part| !part.starts_with("version") && !part.starts_with("expires"))
            .collect();
        rest.sort();
        format!("set-cookie: {name}={gone} {}", rest.join(" "))
    }

    /// JSON in which tokens are read, lists sorted, and random and passing things named.
    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match claims(text) {
                Some((header, claims)) => {
                    let mut shown = Map::new();
                    shown.insert("header".to_owned(), self.value(&header));
                    shown.insert("claims".to_owned(), self.claims(&claims));
                    Value::Object(shown)
                }
                None => self.plain(text).into(),
            },
            Value::Array(items) => {
                let mut items: Vec<_> = items.iter().map(|item| self.value(item)).collect();
                items.sort_by_key(ToString::to_string);
                items.into()
            }
            Value::Object(members) if members.contains_key("iat") => self.claims(value),
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), self.member(name, value)))
                .collect(),
            other => other.clone(),
        }
    }

    fn member(&self, name: &str, value: &Value) -> Value {
        match (name, value.as_i64()) {
            // A second may pass between the token and the answer.
            ("expires_in" | "refresh_expires_in", Some(seconds)) => {
                ((seconds + 59) / 60 * 60).into()
            }
            ("scope", _) if value.is_string() => {
                let mut words: Vec<_> = value.as_str().unwrap().split(' ').collect();
                words.sort_unstable();
                words.join(" ").into()
            }
            (
                "device_code" | "user_code" | "kid" | "public_key" | "at_hash" | "n" | "x5t"
                | "x5t#S256",
                _,
            ) => name.to_uppercase().into(),
            ("x5c", _) => "CERTIFICATE".into(),
            _ => self.value(value),
        }
    }

    fn claims(&self, claims: &Value) -> Value {
        let issued = claims["iat"].as_i64().unwrap();
        let near = |seconds: i64| match seconds {
            0..=2 => "now".to_owned(),
            other => format!("iat+{}", (other + 59) / 60 * 60),
        };
        let shown = claims.as_object().unwrap().iter().map(|(name, value)| {
            let shown = match (name.as_str(), value.as_i64()) {
                ("iat" | "auth_time", Some(_)) => "now".into(),
                ("exp" | "nbf", Some(time)) => near(time - issued).into(),
                _ => self.member(name, value),
            };
            (name.clone(), shown)
        });
        Value::Object(shown.collect())
    }

    /// The text without ports, random names and proofs.
    fn plain(&self, text: &str) -> String {
        static RANDOM: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r##"(?x)
                \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-(?P<tail>[0-9a-f]{12})\b
                | \b(?P<name> session_code | execution | tab_id | client_data | code | session_state | auth_session_id | user_code )
                  (?P<mid>=)[A-Za-z0-9_.%-]+
                | /resources/[a-z0-9]+/
            "##,
            )
            .unwrap()
        });
        let base = self.issuer.split("/realms/").next().unwrap();
        let text = text.replace(&self.issuer, "ISSUER").replace(base, "BASE");
        let escaped = self.issuer.replace(':', "%3A").replace('/', "%2F");
        let text = text.replace(&escaped, "ISSUER");
        RANDOM
            .replace_all(&text, |found: &Captures| match found.name("name") {
                Some(name) => format!("{}=RANDOM", name.as_str()),
                None if found[0].starts_with('/') => "/resources/VERSION/".to_owned(),
                None if found["tail"].starts_with("00000000") => found[0].to_owned(),
                None => "UUID".to_owned(),
            })
            .into_owned()
    }
}

/// Header and claims of a token.
fn claims(text: &str) -> Option<(Value, Value)> {
    let mut parts = text.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok()
    });
    Some((parts.next()??, parts.next()??)).filter(|(_, claims)| claims["iat"].is_i64())
}

/// What of a page matters to whoever drives it: forms and their fields, what it says is wrong.
fn page(body: &str) -> String {
    let document = Html::parse_document(body);
    let selector = Selector::parse(
        "title, form, form input, form button, #input-error, .pf-v5-c-alert__title, .kc-feedback-text, \
         #kc-error-message p, #input-error-username",
    )
    .unwrap();
    let parts: Vec<_> = document.select(&selector).map(describe).collect();
    parts.join("\n")
}

fn describe(element: ElementRef) -> String {
    let value = element.value();
    let mut out = value.name().to_owned();
    for name in ["method", "action", "href", "type", "name", "value", "id"] {
        let secret = matches!(value.attr("name"), Some("session_code" | "code")) && name == "value";
        if let Some(value) = value.attr(name) {
            let value = if secret { "RANDOM" } else { value };
            out.push_str(&format!(" {name}={value:?}"));
        }
    }
    if matches!(value.name(), "p" | "div" | "span" | "title") {
        let words: Vec<_> = element.text().flat_map(str::split_whitespace).collect();
        out = format!("{}: {}", value.name(), words.join(" "));
    }
    out
}
