//! The secrets that a lab is known to have: of its files, its state, its kubeconfigs.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::scrub::Scrubber;
use crate::state::State;

/// Members whose text is a secret, in the files of the products and in kubeconfigs; compared in
/// small letters and without `-` and `_`.
const NAMES: [&str; 11] = [
    "password",
    "secret",
    "hash",
    "privatekey",
    "token",
    "bindpw",
    "bindcredential",
    "clientkeydata",
    "secretdata",
    "credentialdata",
    "registrationaccesstoken",
];
/// Of these, the member `value` is one: the credentials of a realm's users.
const CREDENTIALS: &str = "credentials";

static BODY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("PRIVATE KEY-----((?s).*?)-----END").expect("a pattern of this file")
});

/// Secrets, each once.
#[derive(Default)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    /// One that is known.
    pub fn add(&mut self, secret: &str) {
        if secret.is_empty() || secret.starts_with("${") {
            return;
        }
        self.0.insert(secret.to_owned());
        if secret.contains("PRIVATE KEY") {
            self.pem(secret);
        }
    }

    /// Those of a running lab, or of one that has run.
    pub fn state(&mut self, state: &State) {
        for provider in state.identity_providers.values() {
            let client = provider.client.as_ref();
            if let Some(secret) = client.and_then(|client| client.secret.as_ref()) {
                self.add(secret.expose_secret());
            }
            for user in provider.users.values() {
                self.add(user.password.expose_secret());
            }
        }
    }

    /// Those in a file: by the names of members where it is YAML or JSON, and private keys.
    pub fn text(&mut self, text: &str) {
        self.pem(text);
        for document in serde_yaml::Deserializer::from_str(text) {
            match serde::Deserialize::deserialize(document) {
                Ok(value) => self.tree(&value),
                Err(_) => return,
            }
        }
    }

    /// The same of every file in `folder` that configures something, at any depth.
    pub fn folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !super::gather::OPAQUE.contains(&&*name) => {
                    self.folder(&path);
                }
                Ok(kind) if kind.is_file() && !name.ends_with(".log") => {
                    if let Ok(text) = std::fs::read_to_string(&path) {
                        self.text(&text);
                    }
                }
                _ => {}
            }
        }
    }

    /// What takes them out.
    #[must_use]
    pub fn scrubber(&self) -> Scrubber {
        Scrubber::new(self.0.iter().map(String::as_str))
    }

    fn tree(&mut self, value: &Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    let plain: String = name.to_lowercase().split(['-', '_']).collect();
                    let is_secret = NAMES.iter().any(|name| plain.ends_with(name));
                    match value {
                        Value::String(text) if is_secret => self.add(text),
                        Value::Array(items) if is_secret => {
                            items
                                .iter()
                                .filter_map(Value::as_str)
                                .for_each(|text| self.add(text));
                        }
                        Value::Array(items) if name == CREDENTIALS => {
                            let values = items.iter().filter_map(|one| one["value"].as_str());
                            values.for_each(|text| self.add(text));
                        }
                        _ => {}
                    }
                    self.tree(value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.tree(item)),
            // JSON in a text, as a realm's credentials have it.
            Value::String(text) if text.starts_with('{') => {
                if let Ok(value) = serde_json::from_str(text) {
                    self.tree(&value);
                }
            }
            _ => {}
        }
    }

    /// Private keys: their body as one text, and each line of it.
    fn pem(&mut self, text: &str) {
        for found in BODY.captures_iter(text) {
            let body = found[1].replace("\\n", "\n");
            let lines: Vec<&str> = body
                .split_whitespace()
                .filter(|line| line.len() > 16)
                .collect();
            self.0.extend(lines.iter().map(|line| (*line).to_owned()));
            self.0.insert(lines.concat());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scrub::REDACTED;
    use super::*;

    #[test]
    fn a_key_that_a_lab_has_among_its_values_is_a_secret() {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;

        let body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgdLq3";
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
        let folder = tempfile::tempdir().unwrap();
        let state = serde_json::json!({ "values": { "lab.service.dex.key": pem } });
        std::fs::write(folder.path().join("state.json"), state.to_string()).unwrap();
        let mut secrets = Secrets::default();
        secrets.folder(folder.path());
        let scrub = secrets.scrubber();
        // By itself in a log, and as a cluster keeps it in a Secret.
        for said in [body.to_owned(), STANDARD.encode(&pem)] {
            let kept = scrub.text(&format!("I1122 it said {said} and more"));
            assert!(!kept.contains(&said), "{kept}");
            assert!(kept.contains(REDACTED), "{kept}");
        }
        let inside = &STANDARD.encode(&pem)[60..80];
        assert!(!scrub.text(&STANDARD.encode(&pem)).contains(inside));
    }
}
