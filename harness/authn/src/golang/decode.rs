//! How `encoding/json` (and the strict fork that the API machinery uses) lays a document out over Go types: which
//! error it reports, which it only collects, and in which words.

use serde_json::{Map, Value};

use super::quote::quote;
use crate::tree::{Entry, Kind, Node};

/// A Go type as far as decoding sees it. A pointer is the type that it points to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Type {
    /// `bool`.
    Bool,
    /// A string type by its name.
    String(&'static str),
    /// A struct.
    Struct(&'static Struct),
    /// A slice.
    List(&'static Type),
    /// A map with string keys.
    Map(&'static Type),
    /// A type that unmarshals itself: what it makes of a value, or the error with which decoding stops at once.
    Own(fn(&Node) -> Result<Value, OwnError>),
    /// `interface{}` or raw JSON: anything goes.
    Any,
}

/// A struct type.
#[derive(Debug)]
pub(crate) struct Struct {
    /// Its package, as type names are printed; `v1` stands for the version decoded.
    pub(crate) package: &'static str,
    /// Its name; empty for an anonymous one.
    pub(crate) name: &'static str,
    /// Its fields by JSON name.
    pub(crate) fields: &'static [(&'static str, Type)],
    /// The name of the embedded struct whose fields are these, for the path in type errors.
    pub(crate) embedded: &'static [(&'static str, &'static str)],
}

/// The error of a type that unmarshals itself.
pub(crate) enum OwnError {
    /// A type error: the field is added.
    Type {
        /// What was found.
        found: String,
        /// The name of the type it should have been.
        wanted: &'static str,
    },
    /// A string that should hold a number does not: its JSON text is quoted.
    NotANumber,
    /// Any other, reported as it is.
    Text(String),
}

/// How to decode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options<'a> {
    /// Keys must match exactly; else a key that differs only in case counts too.
    pub(crate) case_sensitive: bool,
    /// Unknown and duplicate fields are collected.
    pub(crate) strict: bool,
    /// What `v1` is called in type names.
    pub(crate) version: &'static str,
    /// The text that was parsed; some messages quote from it.
    pub(crate) text: &'a str,
}

impl<'a> Options<'a> {
    /// `json.Unmarshal`.
    pub(crate) fn plain(text: &'a str) -> Self {
        Self {
            case_sensitive: false,
            strict: false,
            version: "v1",
            text,
        }
    }
}

/// What decoding yields when no error ended it.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// The known fields with values of their types; absent and null ones left out.
    pub(crate) value: Value,
    /// Unknown and duplicate fields, in the order found.
    pub(crate) strict: Vec<String>,
}

/// Decodes a document as a type.
///
/// # Errors
/// The text of the error that `json.Unmarshal` returns.
pub(crate) fn decode(node: &Node, ty: Type, options: Options<'_>) -> Result<Decoded, String> {
    let mut decoder = Decoder {
        options,
        saved: None,
        strict: Vec::new(),
    };
    let value = decoder.value(node, ty, &Context::default())?;
    match decoder.saved {
        Some(error) => Err(error),
        None => Ok(Decoded {
            value: value.unwrap_or(Value::Null),
            strict: decoder.strict,
        }),
    }
}

#[derive(Clone, Default)]
struct Context {
    /// The struct that holds the field being decoded.
    holder: Option<&'static Struct>,
    /// The names on the way, for type errors.
    fields: Vec<&'static str>,
    /// The path, for strict errors.
    path: String,
}

struct Decoder<'a> {
    options: Options<'a>,
    saved: Option<String>,
    strict: Vec<String>,
}

impl Decoder<'_> {
    /// The value, `None` for null or what did not fit. An error is one that ends decoding at once.
    fn value(&mut self, node: &Node, ty: Type, context: &Context) -> Result<Option<Value>, String> {
        if let Type::Own(unmarshal) = ty {
            return match unmarshal(node) {
                Ok(value) => Ok(Some(value)),
                Err(OwnError::Text(text)) => Err(text),
                Err(OwnError::NotANumber) => {
                    let json = self.options.text.get(node.span.start..node.span.end);
                    let json = quote(json.unwrap_or_default());
                    Err(format!(
                        "json: invalid number literal, trying to unmarshal {json} into Number"
                    ))
                }
                Err(OwnError::Type { found, wanted }) => Err(type_error(&found, wanted, context)),
            };
        }
        Ok(match (&node.kind, ty) {
            (Kind::Null, _) => None,
            (_, Type::Any) => Some(node.to_json()),
            (Kind::Bool(value), Type::Bool) => Some(Value::Bool(*value)),
            (Kind::String(text), Type::String(_)) => Some(Value::String(text.clone())),
            (Kind::List(items), Type::List(item)) => Some(self.list(items, *item, context)?),
            (Kind::Map(entries), Type::Map(item)) => Some(self.map(entries, *item, context)?),
            (Kind::Map(entries), Type::Struct(ty)) => Some(self.object(entries, ty, context)?),
            _ => {
                if self.saved.is_none() {
                    let wanted = self.name(ty);
                    self.saved = Some(type_error(node.noun(), &wanted, context));
                }
                None
            }
        })
    }

    fn list(&mut self, items: &[Node], ty: Type, context: &Context) -> Result<Value, String> {
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let mut inner = context.clone();
            inner.path = format!("{}[{index}]", context.path);
            values.push(self.value(item, ty, &inner)?.unwrap_or_else(|| zero(ty)));
        }
        Ok(Value::Array(values))
    }

    fn map(&mut self, entries: &[Entry], ty: Type, context: &Context) -> Result<Value, String> {
        let mut map = Map::new();
        for entry in entries {
            let value = self.value(&entry.value, ty, context)?;
            map.insert(entry.key.clone(), value.unwrap_or_else(|| zero(ty)));
        }
        Ok(Value::Object(map))
    }

    fn object(
        &mut self,
        entries: &[Entry],
        ty: &'static Struct,
        context: &Context,
    ) -> Result<Value, String> {
        let mut map = Map::new();
        let mut seen = Vec::new();
        for entry in entries {
            let Some(&(name, field)) = self.field(ty, &entry.key) else {
                self.collect("unknown field", &join(&context.path, &entry.key));
                continue;
            };
            if seen.contains(&name) {
                self.collect("duplicate field", &join(&context.path, name));
            }
            seen.push(name);
            let mut inner = context.clone();
            inner.holder = Some(ty);
            inner.path = join(&context.path, name);
            let embedded = ty.embedded.iter().find(|(field, _)| *field == name);
            inner.fields.extend(embedded.map(|(_, holder)| *holder));
            inner.fields.push(name);
            if let Some(value) = self.value(&entry.value, field, &inner)? {
                map.insert(name.to_owned(), value);
            }
        }
        Ok(Value::Object(map))
    }

    fn field(&self, ty: &'static Struct, key: &str) -> Option<&'static (&'static str, Type)> {
        let exact = ty.fields.iter().find(|(name, _)| *name == key);
        exact.or_else(|| {
            let folded = fold(key);
            ty.fields
                .iter()
                .find(|(name, _)| !self.options.case_sensitive && fold(name) == folded)
        })
    }

    fn collect(&mut self, what: &str, path: &str) {
        let error = format!("{what} {}", quote(path));
        if self.options.strict && self.strict.len() < 100 && !self.strict.contains(&error) {
            self.strict.push(error);
        }
    }

    fn name(&self, ty: Type) -> String {
        let package = |package: &'static str| match package {
            "v1" => self.options.version,
            package => package,
        };
        match ty {
            Type::Bool => "bool".to_owned(),
            Type::String(name) => match name.strip_prefix("v1.") {
                Some(name) => format!("{}.{name}", package("v1")),
                None => name.to_owned(),
            },
            Type::Struct(ty) if ty.name.is_empty() => ty.package.to_owned(),
            Type::Struct(ty) => format!("{}.{}", package(ty.package), ty.name),
            Type::List(item) => format!("[]{}", self.name(*item)),
            Type::Map(item) => format!("map[string]{}", self.name(*item)),
            Type::Own(_) | Type::Any => "interface {}".to_owned(),
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn type_error(found: &str, wanted: &str, context: &Context) -> String {
    match context.holder {
        Some(holder) => {
            let (holder, field) = (holder.name, context.fields.join("."));
            format!(
                "json: cannot unmarshal {found} into Go struct field {holder}.{field} of type {wanted}"
            )
        }
        None => format!("json: cannot unmarshal {found} into Go value of type {wanted}"),
    }
}

/// The zero value, which null leaves in a list or a map.
fn zero(ty: Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::String(_) => Value::String(String::new()),
        Type::Struct(_) => Value::Object(Map::new()),
        Type::List(_) | Type::Map(_) | Type::Own(_) | Type::Any => Value::Null,
    }
}

/// Simple case folding as field names need it: ASCII, and the two letters outside it that fold into it.
fn fold(name: &str) -> String {
    name.chars()
        .map(|character| match character {
            '\u{17f}' => 'S',
            '\u{212a}' => 'K',
            other => other.to_ascii_uppercase(),
        })
        .collect()
}
