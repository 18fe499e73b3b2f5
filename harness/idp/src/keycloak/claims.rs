//! Claims in the making: an audience that grows, dotted names that nest, types that a file writes as text.

use serde_json::{Map, Value};

use super::realm::Mapper;

/// Claims that only the server writes (`OIDCAttributeMapperHelper`).
const RESERVED: [&str; 8] = [
    "jti",
    "typ",
    "iat",
    "exp",
    "iss",
    "scope",
    "nonce",
    "session_state",
];

/// A token's claims.
#[derive(Default)]
pub(super) struct Claims {
    members: Map<String, Value>,
    audience: Vec<String>,
}

impl Claims {
    /// The claims of a token, to be added to.
    pub(super) fn of(mut members: Map<String, Value>) -> Self {
        let audience = match members.remove("aud") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(all)) => all
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        };
        Self { members, audience }
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.members.insert(name.to_owned(), value.into());
    }

    pub(super) fn add_audience(&mut self, audience: &str) {
        if !self.audience.iter().any(|known| known == audience) {
            self.audience.push(audience.to_owned());
        }
    }

    /// Leaves of the audience what is in `wanted`, and of the clients' roles those of the rest
    /// (`TokenManager.restrictRequestedAudience`).
    pub(super) fn restrict(&mut self, wanted: &[&str]) {
        if self.audience.is_empty() {
            return;
        }
        self.audience.retain(|name| wanted.contains(&name.as_str()));
        if let Some(Value::Object(clients)) = self.members.get_mut("resource_access") {
            clients.retain(|client, _| self.audience.contains(client));
        }
    }

    /// What of `wanted` is not in the audience.
    pub(super) fn lacks<'w>(&self, wanted: &[&'w str]) -> Vec<&'w str> {
        let there = |name: &&&str| self.audience.iter().any(|known| known == **name);
        wanted.iter().filter(|name| !there(name)).copied().collect()
    }

    /// The finished claims: one audience stands alone, none is left out.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        let mut audience = std::mem::take(&mut self.audience);
        match audience.len() {
            0 => {}
            1 => self.set("aud", audience.remove(0)),
            _ => self.set("aud", audience),
        }
        self.members
    }

    /// Puts a value under the claim that the mapper names, as the type that it names.
    pub(super) fn map(&mut self, mapper: &Mapper, value: Source) {
        let many = mapper.is("multivalued");
        let label = mapper.get("jsonType.label");
        let value = match value {
            Source::One(text) => typed(label, &text),
            Source::Many(texts) if many => texts
                .iter()
                .map(|text| typed(label, text))
                .collect::<Option<_>>(),
            Source::Many(texts) => texts.first().and_then(|text| typed(label, text)),
        };
        // Keycloak answers with an error 500 where a text is not of its type; here the claim is missing.
        if let Some(value) = value.filter(|value| !value.as_array().is_some_and(Vec::is_empty)) {
            self.put(&split(mapper.get("claim.name")), value, many);
        }
    }

    /// Puts a value under a nested name; lists of several mappers are joined where `join` says so.
    pub(super) fn put(&mut self, path: &[String], value: Value, join: bool) {
        match path {
            [] => {}
            [first, ..] if RESERVED.contains(&first.as_str()) => {}
            [first] if first == "aud" => {
                self.audience = match &value {
                    Value::Array(all) => all.iter().map(plain).collect(),
                    one => vec![plain(one)],
                };
            }
            [first] if matches!(first.as_str(), "sub" | "azp" | "acr") => {
                self.set(first, plain(&value));
            }
            [first] if first == "auth_time" => {
                if let Ok(time) = plain(&value).parse::<i64>() {
                    self.set(first, time);
                }
            }
            path => nest(&mut self.members, path, value, join),
        }
    }
}

/// What a mapper found.
pub(super) enum Source {
    One(String),
    Many(Vec<String>),
}

fn nest(members: &mut Map<String, Value>, path: &[String], value: Value, join: bool) {
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    if !rest.is_empty() {
        let inner = members
            .entry(name.clone())
            .or_insert_with(|| Map::new().into());
        if let Value::Object(inner) = inner {
            nest(inner, rest, value, join);
        }
        return;
    }
    match (members.get_mut(name), value) {
        (Some(Value::Array(known)), Value::Array(more)) if join => {
            for item in more {
                if !known.contains(&item) {
                    known.push(item);
                }
            }
        }
        (_, value) => {
            members.insert(name.clone(), value);
        }
    }
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A text as a value of the type in `jsonType.label`; none when it is not of that type.
fn typed(label: &str, text: &str) -> Option<Value> {
    match label {
        "boolean" => Some(text.eq_ignore_ascii_case("true").into()),
        "long" => text.trim().parse::<i64>().ok().map(Value::from),
        "int" => text.trim().parse::<i32>().ok().map(Value::from),
        "JSON" => serde_json::from_str(text).ok(),
        _ => Some(text.into()),
    }
}

/// The steps of a claim's name: dots separate, `\.` is a dot.
pub(super) fn split(name: &str) -> Vec<String> {
    let mut steps = vec![String::new()];
    let mut characters = name.chars();
    while let Some(character) = characters.next() {
        match (character, steps.last_mut()) {
            ('\\', Some(last)) => last.extend(characters.next()),
            ('.', _) => steps.push(String::new()),
            (other, Some(last)) => last.push(other),
            (_, None) => {}
        }
    }
    steps.retain(|step| !step.is_empty());
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapper(config: &[(&str, &str)]) -> Mapper {
        let config = config
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Mapper {
            kind: String::new(),
            config: config.collect(),
        }
    }

    #[test]
    fn names_nest_at_their_dots() {
        assert_eq!(split(r"a.b\.c.d"), ["a", "b.c", "d"]);
        assert_eq!(split(""), Vec::<String>::new());
    }

    #[test]
    fn types_are_kept_to() {
        let of = |label, text: &str| {
            let mut claims = Claims::default();
            claims.map(
                &mapper(&[("claim.name", "x"), ("jsonType.label", label)]),
                Source::One(text.to_owned()),
            );
            claims.finish().remove("x")
        };
        assert_eq!(of("int", "7"), Some(7.into()));
        assert_eq!(of("int", "seven"), None);
        assert_eq!(of("boolean", "TRUE"), Some(true.into()));
        assert_eq!(of("JSON", "[1]"), Some(serde_json::json!([1])));
        assert_eq!(of("String", "7"), Some("7".into()));
    }

    #[test]
    fn what_the_server_writes_stays() {
        let mut claims = Claims::default();
        for name in RESERVED {
            claims.map(
                &mapper(&[("claim.name", name)]),
                Source::One("x".to_owned()),
            );
        }
        claims.map(
            &mapper(&[("claim.name", "aud")]),
            Source::One("a".to_owned()),
        );
        claims.add_audience("b");
        assert_eq!(
            serde_json::json!(claims.finish()),
            serde_json::json!({"aud": ["a", "b"]})
        );
    }
}
