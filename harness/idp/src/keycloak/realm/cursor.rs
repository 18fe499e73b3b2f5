//! Reads the objects of a realm file as Keycloak's JSON reader does: strict about names, easy about types. What is
//! wrong is written down, and reading goes on: whoever mends a file wants to know all of it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use authlab_authn::tree::{Kind, Node, Span};

use super::{RealmError, error::Ground, names::Class};

/// What is wrong with a file, as far as it has been read.
pub(super) type Found = RefCell<Vec<RealmError>>;

/// An object of the file and the path to it.
#[derive(Clone)]
pub(super) struct Object<'n> {
    pub path: String,
    node: &'n Node,
    found: &'n Found,
}

impl<'n> Object<'n> {
    /// The object, its fields held against those that are known.
    pub(super) fn new(node: &'n Node, path: String, class: Class, found: &'n Found) -> Self {
        let object = Self { path, node, found };
        for (name, span, value) in object.entries() {
            let path = object.at(name);
            if class.fields == "*" || class.fields.split_whitespace().any(|known| known == name) {
                continue;
            }
            let lacking = class.lacking.iter().find(|(known, _)| *known == name);
            match lacking {
                Some((_, instead)) if !is_empty(value) => {
                    let message = "the embedded Keycloak does not have this; the real one does";
                    object.found(RealmError::lacking(path, message.to_owned(), instead, span));
                }
                Some(_) => {}
                None => {
                    let known = class.fields.split_whitespace();
                    let known = known.chain(class.lacking.iter().map(|(known, _)| *known));
                    object.found(RealmError::unknown(path, name, class.name, known, span));
                }
            }
        }
        object
    }

    pub(super) fn at(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    fn found(&self, error: RealmError) {
        self.found.borrow_mut().push(error);
    }

    fn entries(&self) -> Vec<(&'n str, Span, &'n Node)> {
        match &self.node.kind {
            Kind::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.as_str(), entry.key_span, &entry.value))
                .collect(),
            _ => {
                self.wrong(self.path.clone(), "an object", self.node);
                Vec::new()
            }
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
        self.says(name)
            .then(|| format!("{}: {told}", self.at(name)))
    }

    /// Whether the field is there, and not as good as absent.
    pub(super) fn says(&self, name: &str) -> bool {
        !self.get(name).is_none_or(is_empty)
    }

    fn wrong(&self, path: String, wanted: &str, node: &Node) {
        self.found(RealmError {
            ground: Ground::Form,
            ..RealmError::new(path, format!("not {wanted}"), node.span)
        });
    }

    fn span(&self, name: &str) -> Span {
        self.get(name).map_or(self.node.span, |node| node.span)
    }

    /// Something that Keycloak refuses about a field.
    pub(super) fn refuse(&self, name: &str, message: impl Into<String>) {
        let (path, span) = (self.at(name), self.span(name));
        self.found(RealmError::new(path, message.into(), span));
    }

    /// The same, with what may stand there.
    pub(super) fn refuse_with(&self, name: &str, message: impl Into<String>, help: &str) {
        let (path, span) = (self.at(name), self.span(name));
        let error = RealmError::new(path, message.into(), span);
        self.found(RealmError {
            help: Some(help.to_owned()),
            ..error
        });
    }

    /// That the field, of a `what`, has the value of another in the file.
    pub(super) fn twice(&self, name: &str, what: &str, value: &str) {
        let message = format!("the {what} {value:?} stands here twice");
        self.found(RealmError {
            ground: Ground::Twice(value.to_owned()),
            ..RealmError::new(self.at(name), message, self.span(name))
        });
    }

    /// Something about a field that Keycloak does and this does not.
    pub(super) fn lack(&self, name: &str, message: impl Into<String>, instead: &str) {
        let (path, span) = (self.at(name), self.span(name));
        self.found(RealmError::lacking(path, message.into(), instead, span));
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        let node = self.get(name)?;
        let text = scalar(node);
        if text.is_none() {
            self.wrong(self.at(name), "a string", node);
        }
        text
    }

    /// A text that must not be missing; `message` where it is.
    pub(super) fn needed(&self, name: &str, message: &str) -> Option<String> {
        let blank = |node: &Node| scalar(node).is_some_and(|text| text.trim().is_empty());
        if self.get(name).is_none_or(blank) {
            self.refuse(name, message);
            return None;
        }
        self.text(name)
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let node = self.get(name)?;
        match (&node.kind, scalar(node).as_deref()) {
            (_, Some("true" | "True" | "TRUE")) => Some(true),
            (_, Some("false" | "False" | "FALSE")) => Some(false),
            (Kind::Number(number), _) => Some(number != "0"),
            _ => {
                self.wrong(self.at(name), "a boolean", node);
                None
            }
        }
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        let node = self.get(name)?;
        let number = scalar(node).and_then(|text| text.trim().parse().ok());
        if number.is_none() {
            self.wrong(self.at(name), "a whole number", node);
        }
        number
    }

    pub(super) fn object(&self, name: &str, class: Class) -> Option<Self> {
        let node = self.get(name)?;
        Some(Self::new(node, self.at(name), class, self.found))
    }

    pub(super) fn objects(&self, name: &str, class: Class) -> Vec<Self> {
        let items = self.items(name).into_iter();
        items
            .map(|(path, node)| Self::new(node, path, class, self.found))
            .collect()
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let text = |(path, node): (String, &Node)| {
            let text = scalar(node);
            if text.is_none() {
                self.wrong(path, "a string", node);
            }
            text
        };
        self.items(name).into_iter().filter_map(text).collect()
    }

    /// A map whose names are the writer's, as objects of one class each (or the lists in it).
    pub(super) fn map(&self, name: &str) -> Vec<(String, Self)> {
        let Some(node) = self.get(name) else {
            return Vec::new();
        };
        let map = Self {
            path: self.at(name),
            node,
            found: self.found,
        };
        let entries = map.entries().into_iter();
        entries
            .map(|(key, ..)| (key.to_owned(), map.clone()))
            .collect()
    }

    /// A map of strings.
    pub(super) fn strings(&self, name: &str) -> BTreeMap<String, String> {
        let entries = self.map(name).into_iter();
        entries
            .filter_map(|(key, map)| map.text(&key).map(|text| (key, text)))
            .collect()
    }

    /// A map of lists of strings.
    pub(super) fn lists(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        let entries = self.map(name).into_iter();
        entries
            .map(|(key, map)| {
                let texts = map.texts(&key);
                (key, texts)
            })
            .collect()
    }

    /// The same where a text may stand for a list of one (`StringListMapDeserializer`).
    pub(super) fn lists_or_texts(&self, name: &str) -> BTreeMap<String, Vec<String>> {
        let one = |map: &Self, key: &str| match map.get(key).map(|node| &node.kind) {
            Some(Kind::List(_)) | None => map.texts(key),
            Some(_) => map.text(key).into_iter().collect(),
        };
        let entries = self.map(name).into_iter();
        entries
            .map(|(key, map)| {
                let texts = one(&map, &key);
                (key, texts)
            })
            .collect()
    }

    fn items(&self, name: &str) -> Vec<(String, &'n Node)> {
        let Some(node) = self.get(name) else {
            return Vec::new();
        };
        let path = self.at(name);
        let Kind::List(items) = &node.kind else {
            self.wrong(path, "a list", node);
            return Vec::new();
        };
        (0..)
            .zip(items)
            .map(|(index, item): (usize, _)| (format!("{path}[{index}]"), item))
            .collect()
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
