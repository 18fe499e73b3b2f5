//! The functions and names that an expression can use: those of an API server of 1.36.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/cel/#cel-options-language-features-and-libraries>.

use std::{collections::BTreeMap, sync::LazyLock};

use super::{
    Scope,
    types::{Type, parse_list},
};

/// A line for each function: its name, then its overloads as `(arguments) -> result`, a method's with the type of its
/// receiver and a dot in front. `#` stands for each of [`ORDERED`] in turn.
const FUNCTIONS: &str = include_str!("functions.txt");

/// The types whose values can be compared with `<`. With nothing known, the first of them is taken.
const ORDERED: [&str; 8] = [
    "int",
    "uint",
    "double",
    "bool",
    "duration",
    "timestamp",
    "string",
    "bytes",
];

/// Names of types, and the types that they stand for.
const TYPES: [(&str, &str); 22] = [
    ("bool", "bool"),
    ("bytes", "bytes"),
    ("double", "double"),
    ("duration", "duration"),
    ("google.protobuf.Any", "any"),
    ("google.protobuf.Duration", "duration"),
    ("google.protobuf.Timestamp", "timestamp"),
    ("int", "int"),
    ("kubernetes.NamedFormat", "kubernetes.NamedFormat"),
    ("kubernetes.Quantity", "kubernetes.Quantity"),
    ("kubernetes.Semver", "kubernetes.Semver"),
    ("kubernetes.URL", "kubernetes.URL"),
    ("list", "list(A)"),
    ("map", "map(A, B)"),
    ("net.CIDR", "net.CIDR"),
    ("net.IP", "net.IP"),
    ("null_type", "null"),
    ("optional_type", "optional_type(A)"),
    ("string", "string"),
    ("timestamp", "timestamp"),
    ("type", "type"),
    ("uint", "uint"),
];

/// The type of `user`.
const USER: &str = "kubernetes.UserInfo";

/// One form of a function.
pub(super) struct Overload {
    /// Whether it is called on its first argument.
    pub(super) method: bool,
    pub(super) arguments: Vec<Type>,
    pub(super) result: Type,
}

/// The overloads of a function.
pub(super) fn function(name: &str) -> Option<&'static [Overload]> {
    static TABLE: LazyLock<BTreeMap<&str, Vec<Overload>>> =
        LazyLock::new(|| FUNCTIONS.lines().filter_map(line).collect());
    TABLE.get(name).map(Vec::as_slice)
}

fn line(text: &'static str) -> Option<(&'static str, Vec<Overload>)> {
    let (name, overloads) = text.split_once(' ')?;
    let mut out = Vec::new();
    for form in overloads.split(" | ") {
        let overload = overload(form)?;
        if form.contains('#') {
            out.extend(ORDERED.map(|of| overload.with(of)));
        } else {
            out.push(overload);
        }
    }
    Some((name, out))
}

fn overload(text: &'static str) -> Option<Overload> {
    let (receiver, rest) = match text.strip_prefix('(') {
        Some(rest) => (None, rest),
        None => text.split_once(".(").map(|(of, rest)| (Some(of), rest))?,
    };
    let (arguments, result) = rest.split_once(") -> ")?;
    let mut types: Vec<Type> = receiver.map(Type::parse).into_iter().collect();
    types.extend(parse_list(arguments));
    Some(Overload {
        method: receiver.is_some(),
        arguments: types,
        result: Type::parse(result),
    })
}

impl Overload {
    /// This one with a type in place of `#`.
    fn with(&self, of: &'static str) -> Self {
        Self {
            method: self.method,
            arguments: self.arguments.iter().map(|ty| fill(ty, of)).collect(),
            result: fill(&self.result, of),
        }
    }
}

fn fill(ty: &Type, of: &'static str) -> Type {
    match ty {
        Type::Named("#", _) => Type::simple(of),
        Type::Named(name, params) => {
            Type::Named(name, params.iter().map(|param| fill(param, of)).collect())
        }
        Type::Object(_) | Type::Variable(_) => ty.clone(),
    }
}

/// The type of the name of a type.
pub(super) fn type_name(name: &str) -> Option<Type> {
    let (_, of) = TYPES.iter().find(|(known, _)| *known == name)?;
    Some(Type::Named("type", vec![Type::parse(of)]))
}

/// The type of the variable of a scope.
pub(super) fn variable(scope: Scope) -> Type {
    match scope {
        Scope::Claims => Type::map(Type::STRING, Type::ANY),
        Scope::User => Type::simple(USER),
    }
}

/// The type of a field of an object, if it has that field; `None` for what is no object.
pub(super) fn field(ty: &Type, name: &str) -> Option<Option<Type>> {
    if let Type::Object(object) = ty {
        return Some(object.fields.get(name).cloned());
    }
    let strings = || Type::list(Type::STRING);
    (ty.name() == USER).then(|| match name {
        "username" | "uid" => Some(Type::STRING),
        "groups" => Some(strings()),
        "extra" => Some(Type::map(Type::STRING, strings())),
        _ => None,
    })
}
