//! Decoding as Go's `encoding/json` does it into Dex's structures: names match without regard to case, unknown ones are
//! skipped (here with a warning), and of several mismatched types the first is reported at the end.

use super::{
    ConfigError, Warning,
    tree::{self, Entry, Kind, Node},
};

/// Where in Dex's structures a value belongs.
#[derive(Clone, Default)]
pub(super) struct At {
    /// The Go structure whose field this is; empty outside of any.
    holder: &'static str,
    /// The fields on the way here, without list positions, as Go prints them.
    fields: String,
    /// The same as a person writes it, with list positions.
    path: String,
}

impl At {
    /// A field Go calls `name` and the file calls `key`.
    fn child(&self, holder: &'static str, name: &str, key: &str) -> Self {
        let join = |path: &str, last: &str| match path {
            "" => last.to_owned(),
            _ => format!("{path}.{last}"),
        };
        Self {
            holder,
            fields: join(&self.fields, name),
            path: join(&self.path, key),
        }
    }

    /// An element of the list that stands here.
    pub(super) fn element(&self, position: usize) -> Self {
        Self {
            path: format!("{}[{position}]", self.path),
            ..self.clone()
        }
    }

    /// As a person writes it: `staticClients[0].secret`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Forgets the way here, as a decoder does that Dex starts anew for a part.
    pub(super) fn anew(&self) -> Self {
        Self {
            holder: "",
            fields: String::new(),
            path: self.path.clone(),
        }
    }
}

/// One field of an object that has been asked for.
pub(super) struct Field<'n> {
    pub name: &'static str,
    pub node: &'n Node,
    pub at: At,
}

/// Decodes, and remembers what was wrong on the way.
#[derive(Default)]
pub(super) struct Reader {
    mismatch: Option<ConfigError>,
    warnings: Vec<Warning>,
}

impl Reader {
    /// The first mismatch, or the warnings in the order of the text.
    pub(super) fn finish(mut self) -> Result<Vec<Warning>, ConfigError> {
        self.warnings.sort_by_key(|warning| warning.place);
        self.mismatch.map_or(Ok(self.warnings), Err)
    }

    /// Decodes a part for which Dex starts its decoder anew: a mismatch in it ends everything.
    pub(super) fn part<T>(
        &mut self,
        decode: impl FnOnce(&mut Self) -> T,
    ) -> Result<T, ConfigError> {
        let mut part = Self::default();
        let value = decode(&mut part);
        self.warnings.extend(part.finish()?);
        Ok(value)
    }

    pub(super) fn warn(&mut self, warning: Warning) {
        self.warnings.push(warning);
    }

    /// The fields of an object in the order in which Dex reads them. `holder` is the Go structure's name, `go_type`
    /// what Go calls its type.
    pub(super) fn fields<'n>(
        &mut self,
        node: &'n Node,
        at: &At,
        (holder, go_type): (&'static str, &str),
        names: &'static [&'static str],
    ) -> Vec<Field<'n>> {
        let map = match &node.kind {
            Kind::Map(map) => map,
            Kind::Null => return Vec::new(),
            _ => {
                self.mismatched(node, at, go_type);
                return Vec::new();
            }
        };
        let mut fields = Vec::new();
        for entry in map {
            let key = &entry.key;
            let name = names
                .iter()
                .find(|name| *name == key)
                .or_else(|| names.iter().find(|name| name.eq_ignore_ascii_case(key)));
            match name {
                Some(name) => {
                    fields.push(Field {
                        name,
                        node: &entry.value,
                        at: at.child(holder, name, key),
                    });
                }
                None => self.unknown(at, key, entry, names),
            }
        }
        fields
    }

    /// A string; empty for null.
    pub(super) fn text(&mut self, field: &Field<'_>) -> String {
        self.string(field.node, &field.at)
    }

    fn string(&mut self, node: &Node, at: &At) -> String {
        match &node.kind {
            Kind::String(text) => return text.clone(),
            Kind::Null => {}
            _ => self.mismatched(node, at, "string"),
        }
        String::new()
    }

    /// A boolean; false for null.
    pub(super) fn flag(&mut self, field: &Field<'_>) -> bool {
        match field.node.kind {
            Kind::Bool(flag) => return flag,
            Kind::Null => {}
            _ => self.mismatched(field.node, &field.at, "bool"),
        }
        false
    }

    /// A boolean that may be absent.
    pub(super) fn optional_flag(&mut self, field: &Field<'_>) -> Option<bool> {
        (!matches!(field.node.kind, Kind::Null)).then(|| self.flag(field))
    }

    /// A list of strings.
    pub(super) fn texts(&mut self, field: &Field<'_>) -> Vec<String> {
        let items = self.items(field, "[]string");
        items
            .iter()
            .map(|(node, at)| self.string(node, at))
            .collect()
    }

    /// The elements of a list; none for null.
    pub(super) fn items<'n>(&mut self, field: &Field<'n>, go_type: &str) -> Vec<(&'n Node, At)> {
        match &field.node.kind {
            Kind::List(items) => {
                let positions = (0..items.len()).map(|position| field.at.element(position));
                return items.iter().zip(positions).collect();
            }
            Kind::Null => {}
            _ => self.mismatched(field.node, &field.at, go_type),
        }
        Vec::new()
    }

    /// Notes a value of another type than the field's.
    pub(super) fn mismatched(&mut self, node: &Node, at: &At, go_type: &str) {
        let kind = tree::noun(node);
        let target = if at.fields.is_empty() && at.holder.is_empty() {
            "Go value".to_owned()
        } else {
            format!("Go struct field {}.{}", at.holder, at.fields)
        };
        let error = ConfigError::new(
            format!("json: cannot unmarshal {kind} into {target} of type {go_type}"),
            Some(tree::place(node.span)),
        );
        let hint = match (&node.kind, go_type) {
            (Kind::Bool(_) | Kind::Number(_), "string") => Some("write the value in quotes"),
            (Kind::String(_), "bool") => Some("write true or false, without quotes"),
            _ => None,
        };
        self.mismatch
            .get_or_insert(error.about(at.path()).with_hint(hint.map(str::to_owned)));
    }

    fn unknown(&mut self, at: &At, key: &str, entry: &Entry, names: &[&str]) {
        let path = at.child("", key, key).path;
        let hint =
            nearest(key, names).map_or(String::new(), |name| format!("; did you mean {name:?}?"));
        self.warn(Warning {
            message: format!("{path}: unknown key, ignored as Dex ignores it{hint}"),
            path,
            place: tree::place(entry.key_span),
        });
    }
}

/// The name most like `key`, if one is like it.
fn nearest<'n>(key: &str, names: &[&'n str]) -> Option<&'n str> {
    let lower = key.to_ascii_lowercase();
    names
        .iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&lower, &name.to_ascii_lowercase()),
                *name,
            )
        })
        .filter(|(distance, name)| *distance <= name.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
