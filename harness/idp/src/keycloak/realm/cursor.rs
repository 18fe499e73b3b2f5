//! Reads the objects of a realm file as Keycloak's JSON reader does: strict about names, easy about types.

use std::collections::BTreeMap;

use authlab_authn::tree::{Kind, Node};

use super::{RealmError, names::Class};

/// An object of the file and the path to it.
#[derive(Clone)]
pub(super) struct Object<'n> {
    pub path: String,
    node: &'n Node,
}

type Result<T> = std::result::Result<T, RealmError>;

impl<'n> Object<'n> {
    /// The object, once its fields are known ones.
    pub(super) fn new(node: &'n Node, path: String, class: Class) -> Result<Self> {
        let object = Self { path, node };
        for (name, span, value) in object.entries()? {
            let named = |list: &str| list.split_whitespace().any(|known| known == name);
            let path = object.at(name);
            if class.fields == "*" || named(class.fields) {
                continue;
            }
            if !named(class.lacking) {
                let known = class
                    .fields
                    .split_whitespace()
                    .chain(class.lacking.split_whitespace());
                return Err(RealmError::unknown(path, name, class.name, known, span));
            }
            if !is_empty(value) {
                return Err(RealmError::lacking(path, span));
            }
        }
        Ok(object)
    }

    pub(super) fn at(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    fn entries(&self) -> Result<Vec<(&'n str, authlab_authn::tree::Span, &'n Node)>> {
        match &self.node.kind {
            Kind::Map(entries) => Ok(entries
                .iter()
                .map(|entry| (entry.key.as_str(), entry.key_span, &entry.value))
                .collect()),
            _ => Err(RealmError::wrong(
                self.path.clone(),
                "an object",
                self.node.span,
            )),
        }
    }

    fn get(&self, name: &str) -> Option<&'n Node> {
        self.node.get(name).filter(|node| node.kind != Kind::Null)
    }

    /// Whether the field is there, with whatever but `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// What to tell of a field that has no effect here; nothing where it is as good as absent.
    pub(super) fn unused(&self, name: &str, told: &str) -> Option<String> {
        let used = self.get(name).is_none_or(is_empty);
        (!used).then(|| format!("{}: {told}", self.at(name)))
    }

    fn wrong<T>(&self, name: &str, wanted: &'static str, node: &Node) -> Result<T> {
        Err(RealmError::wrong(self.at(name), wanted, node.span))
    }

    /// An error about a field.
    pub(super) fn refuse<T>(&self, name: &str, message: impl Into<String>) -> Result<T> {
        let span = self.get(name).map_or(self.node.span, |node| node.span);
        Err(RealmError::new(self.at(name), message.into(), span))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(node) = self.get(name) else {
            return Ok(None);
        };
        match scalar(node) {
            Some(text) => Ok(Some(text)),
            None => self.wrong(name, "a string", node),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>> {
        let Some(node) = self.get(name) else {
            return Ok(None);
        };
        match (&node.kind, scalar(node).as_deref()) {
            (_, Some("true" | "True" | "TRUE")) => Ok(Some(true)),
            (_, Some("false" | "False" | "FALSE")) => Ok(Some(false)),
            (Kind::Number(number), _) => Ok(Some(number != "0")),
            _ => self.wrong(name, "a boolean", node),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<i64>> {
        let Some(node) = self.get(name) else {
            return Ok(None);
        };
        match scalar(node).and_then(|text| text.trim().parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => self.wrong(name, "a whole number", node),
        }
    }

    pub(super) fn object(&self, name: &str, class: Class) -> Result<Option<Self>> {
        self.get(name)
            .map(|node| Self::new(node, self.at(name), class))
            .transpose()
    }

    pub(super) fn objects(&self, name: &str, class: Class) -> Result<Vec<Self>> {
        self.items(name)?
            .into_iter()
            .map(|(path, node)| Self::new(node, path, class))
            .collect()
    }

    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>> {
        self.items(name)?
            .into_iter()
            .map(|(path, node)| {
                scalar(node).ok_or_else(|| RealmError::wrong(path, "a string", node.span))
            })
            .collect()
    }

    /// A map whose names are the writer's, as objects of one class each (or the lists in it).
    pub(super) fn map(&self, name: &str) -> Result<Vec<(String, Self)>> {
        let Some(node) = self.get(name) else {
            return Ok(Vec::new());
        };
        let map = Self {
            path: self.at(name),
            node,
        };
        Ok(map
            .entries()?
            .into_iter()
            .map(|(key, ..)| (key.to_owned(), map.clone()))
            .collect())
    }

    /// A map of strings.
    pub(super) fn strings(&self, name: &str) -> Result<BTreeMap<String, String>> {
        self.map(name)?
            .into_iter()
            .filter_map(|(key, map)| {
                map.text(&key)
                    .map(|text| text.map(|text| (key, text)))
                    .transpose()
            })
            .collect()
    }

    /// A map of lists of strings.
    pub(super) fn lists(&self, name: &str) -> Result<BTreeMap<String, Vec<String>>> {
        self.map(name)?
            .into_iter()
            .map(|(key, map)| map.texts(&key).map(|texts| (key, texts)))
            .collect()
    }

    /// The same where a text may stand for a list of one (`StringListMapDeserializer`).
    pub(super) fn lists_or_texts(&self, name: &str) -> Result<BTreeMap<String, Vec<String>>> {
        let one = |map: &Self, key: &str| match map.get(key).map(|node| &node.kind) {
            Some(Kind::List(_)) | None => map.texts(key),
            Some(_) => Ok(map.text(key)?.into_iter().collect()),
        };
        self.map(name)?
            .into_iter()
            .map(|(key, map)| one(&map, &key).map(|texts| (key, texts)))
            .collect()
    }

    fn items(&self, name: &str) -> Result<Vec<(String, &'n Node)>> {
        let Some(node) = self.get(name) else {
            return Ok(Vec::new());
        };
        let Kind::List(items) = &node.kind else {
            return self.wrong(name, "a list", node);
        };
        let path = self.at(name);
        Ok((0..)
            .zip(items)
            .map(|(index, item): (usize, _)| (format!("{path}[{index}]"), item))
            .collect())
    }
}

fn scalar(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::String(text) | Kind::Number(text) => Some(text.clone()),
        Kind::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// Whether a value is as good as none: exports write every field.
fn is_empty(node: &Node) -> bool {
    match &node.kind {
        Kind::Null | Kind::Bool(false) => true,
        Kind::Bool(true) => false,
        Kind::Number(number) => number == "0",
        Kind::String(text) => text.is_empty(),
        Kind::List(items) => items.is_empty(),
        Kind::Map(entries) => entries.is_empty(),
    }
}
