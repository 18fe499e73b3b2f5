//! Making what was seen fit to be kept: secrets out, and for comparison this lab's own values back
//! to their placeholders.

use std::sync::LazyLock;

use authlab_lab::bundle::{REDACTED, is_common_word};
use authlab_lab::render::Values;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use regex::Regex;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::report::StepReport;

/// Knows every secret of a scenario and removes it from texts: the last line of defence behind
/// types that cannot be printed.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    secrets: Vec<SecretString>,
}

impl Redactor {
    /// A secret that must appear nowhere. Common words, and texts of fewer than 6 characters, cannot
    /// be told apart from others.
    pub fn learn(&mut self, secret: &SecretString) {
        let text = secret.expose_secret();
        if text.len() < 6
            || is_common_word(text)
            || self
                .secrets
                .iter()
                .any(|known| known.expose_secret() == text)
        {
            return;
        }
        self.secrets.push(secret.clone());
        // A token within another one must not leave the longer one's rest behind.
        self.secrets
            .sort_by_key(|known| std::cmp::Reverse(known.expose_secret().len()));
    }

    /// `text` without secrets.
    pub fn clean(&self, text: &mut String) {
        for secret in &self.secrets {
            if text.contains(secret.expose_secret()) {
                *text = text.replace(secret.expose_secret(), REDACTED);
            }
        }
    }

    /// A report without secrets.
    pub fn clean_step(&self, step: &mut StepReport) {
        self.clean(&mut step.summary);
        for row in &mut step.rows {
            self.clean(&mut row.what);
            self.clean(&mut row.expected);
            self.clean(&mut row.seen);
        }
        let texts = [
            &mut step.reason,
            &mut step.nearest,
            &mut step.reproduce,
            &mut step.fault,
        ];
        for text in texts.into_iter().flatten() {
            self.clean(text);
        }
        each_text(&mut step.seen, &|text| self.clean(text));
    }
}

fn each_text(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(map) => {
            for (mut key, mut item) in std::mem::take(map) {
                change(&mut key);
                each_text(&mut item, change);
                map.insert(key, item);
            }
        }
        _ => {}
    }
}

/// Random ids, times, and hashes of credentials, which differ from run to run.
static VOLATILE: LazyLock<[(Regex, &str); 3]> = LazyLock::new(|| {
    let regex = |pattern| Regex::new(pattern).expect("a constant pattern compiles");
    [
        (
            regex(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
            "<uuid>",
        ),
        (
            regex(
                r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d| [+-]\d{4} [A-Z]{3,4}| [+-]\d{4} [+-]\d{2,4})?( m=[+-][\d.]+)?",
            ),
            "<time>",
        ),
        (regex(r"\b(JTI|X509SHA256)=\S+"), "$1=<id>"),
    ]
});

/// Members that differ from run to run or from build to build, whatever they hold: times and hashes
/// in claims, a store's counters, a binary's origin.
const VOLATILE_MEMBERS: [&str; 13] = [
    "at_hash",
    "auth_time",
    "c_hash",
    "exp",
    "iat",
    "nbf",
    "nonce",
    "resourceVersion",
    "buildDate",
    "compiler",
    "gitCommit",
    "goVersion",
    "platform",
];

/// Members that say who wrote what and when, not what was decided.
const BOOKKEEPING: &str = "managedFields";

/// Lists, and words of a text, whose order means nothing, and is another one at each call of a real
/// server, or in each realm of Keycloak.
const UNORDERED_MEMBERS: [&str; 7] = [
    "aud",
    "got",
    "groups",
    "nonResourceRules",
    "resourceRules",
    "roles",
    "scope",
];

/// The member that holds those of a token: their lists are sets, which servers write as they come.
const CLAIMS: &str = "claims";

fn sort_lists(value: &mut Value) {
    match value {
        Value::Array(_) => sort(value),
        Value::Object(map) => map.values_mut().for_each(sort_lists),
        _ => {}
    }
}

fn sort(value: &mut Value) {
    match value {
        Value::Array(items) => items.sort_by_key(Value::to_string),
        Value::String(words) => {
            let mut sorted: Vec<&str> = words.split(' ').collect();
            sorted.sort_unstable();
            *words = sorted.join(" ");
        }
        _ => {}
    }
}

fn blank_members(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(blank_members),
        Value::Object(map) => {
            map.remove(BOOKKEEPING);
            for (key, item) in map.iter_mut() {
                if UNORDERED_MEMBERS.contains(&key.as_str()) {
                    sort(item);
                }
                if key == CLAIMS {
                    sort_lists(item);
                }
                if VOLATILE_MEMBERS.contains(&key.as_str()) {
                    *item = Value::from("<varies>");
                } else {
                    blank_members(item);
                }
            }
        }
        _ => {}
    }
}

/// The text in a base64url text that holds what differs from run to run: this scenario's namespace,
/// or the random id of a user.
fn decoded(text: &str, namespace: Option<&str>) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let decoded = String::from_utf8_lossy(&bytes);
    let namespace = namespace.filter(|name| !name.is_empty());
    let holds = namespace.is_some_and(|name| decoded.contains(name));
    let [(random, _), ..] = &*VOLATILE;
    (holds || random.is_match(&decoded)).then(|| format!("base64: {decoded}"))
}

/// The audience in the API server's words `got ["a" "b"]`, sorted.
fn sort_audience(text: &mut String) {
    const BEFORE: &str = " got [";
    let Some(start) = text.find(BEFORE).map(|at| at + BEFORE.len()) else {
        return;
    };
    let Some(end) = text[start..].find(']').map(|at| start + at) else {
        return;
    };
    let mut names: Vec<&str> = text[start..end].split(' ').collect();
    names.sort_unstable();
    let sorted = names.join(" ");
    text.replace_range(start..end, &sorted);
}

/// `data` as it would be in any lab: this lab's addresses and files by their placeholders, volatile
/// parts blanked.
pub(crate) fn portable(mut data: Value, values: &Values) -> Value {
    let mut known: Vec<(&String, &String)> = values
        .iter()
        .filter(|(_, value)| value.len() >= 6)
        .collect();
    known.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    blank_members(&mut data);
    let namespace = values.get("lab.namespace").map(String::as_str);
    each_text(&mut data, &|text| {
        // Dex makes a subject of the user's name or id, in base64.
        if let Some(decoded) = decoded(text, namespace) {
            *text = decoded;
        }
        for (name, value) in &known {
            if text.contains(value.as_str()) {
                *text = text.replace(value.as_str(), &format!("${{{name}}}"));
            }
        }
        for (pattern, blank) in VOLATILE.iter() {
            if pattern.is_match(text) {
                *text = pattern.replace_all(text, *blank).into_owned();
            }
        }
        sort_audience(text);
    });
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_lab_is_not_to_be_seen_in_what_is_compared() {
        let values = Values::from([
            (
                "lab.apiserver.url".to_owned(),
                "https://127.0.0.1:4".to_owned(),
            ),
            (
                "lab.idp.dex.issuer".to_owned(),
                "https://127.0.0.1:45/dex".to_owned(),
            ),
        ]);
        let data = json!({
            "username": "https://127.0.0.1:45/dex#jane",
            "extra": {"authentication.kubernetes.io/credential-id": ["JTI=abc-def"]},
            "error": "token is expired (Token Expiry: 2026-01-02 03:04:05 +0000 UTC)",
            "uid": "0d3b2f4e-0000-4000-8000-123456789abc",
            "claims": {"exp": 1_795_341_444, "sub": "jane"},
            "metadata": {"name": "a", "managedFields": [{"manager": "authlab"}]},
            "resourceRules": [{"verbs": ["list"]}, {"verbs": ["get"]}],
        });
        insta::assert_json_snapshot!(portable(data, &values), @r#"
        {
          "claims": {
            "exp": "<varies>",
            "sub": "jane"
          },
          "error": "token is expired (Token Expiry: <time>)",
          "extra": {
            "authentication.kubernetes.io/credential-id": [
              "JTI=<id>"
            ]
          },
          "metadata": {
            "name": "a"
          },
          "resourceRules": [
            {
              "verbs": [
                "get"
              ]
            },
            {
              "verbs": [
                "list"
              ]
            }
          ],
          "uid": "<uuid>",
          "username": "${lab.idp.dex.issuer}#jane"
        }
        "#);
    }

    #[test]
    fn sets_are_compared_without_their_order() {
        let said = |one: &str, two: &str| {
            json!({
                "claims": {"aud": [one, two], "api": [one, two], "realm_access": {"roles": [two, one]}},
                "message": format!("oidc: expected audience \"k\" got [\"{one}\" \"{two}\"]"),
                "list": ["b", "a"],
            })
        };
        let [one, other] = [said("a", "b"), said("b", "a")];
        assert_ne!(one, other);
        let values = Values::new();
        assert_eq!(portable(one, &values), portable(other, &values));
        let list = portable(json!({"list": ["b", "a"]}), &values);
        assert_eq!(list["list"], json!(["b", "a"]));
    }

    #[test]
    fn secrets_are_removed_wherever_they_stand() {
        let mut redactor = Redactor::default();
        redactor.learn(&"s3cret-token".into());
        redactor.learn(&"s3cret-token.longer".into());
        let mut text = "a s3cret-token.longer b s3cret-token c".to_owned();
        redactor.clean(&mut text);
        assert_eq!(text, "a [redacted] b [redacted] c");
    }

    #[test]
    fn a_login_by_password_is_said_so_where_that_is_the_password_too() {
        let mut redactor = Redactor::default();
        redactor.learn(&"password".into());
        let mut text = "login admin at dex by password".to_owned();
        redactor.clean(&mut text);
        assert_eq!(text, "login admin at dex by password");
    }
}
