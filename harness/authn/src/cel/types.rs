//! Types of expressions, and whether one can stand where another is asked for.
//!
//! Source: <https://github.com/google/cel-spec/blob/master/doc/langdef.md#gradual-type-checking>, with the details of
//! cel-go's checker where the specification leaves them open.

use std::{collections::BTreeMap, fmt, sync::Arc};

/// The number of the first variable that is no letter.
const FIRST: u32 = 256;

/// A type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// By its name and, for lists and the like, its parameters.
    Named(&'static str, Vec<Type>),
    /// An object of which all fields are known.
    Object(Arc<Object>),
    /// One that is still to be found out. Small numbers are letters of declared functions.
    Variable(u32),
}

/// The type of an object: how it is called, and the types of its fields.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) fields: BTreeMap<String, Type>,
}

impl Type {
    pub(super) const ANY: Self = Self::simple("any");
    pub(super) const BOOL: Self = Self::simple("bool");
    pub(super) const DYN: Self = Self::simple("dyn");
    pub(super) const ERROR: Self = Self::simple("!error!");
    pub(super) const INT: Self = Self::simple("int");
    pub(super) const STRING: Self = Self::simple("string");

    pub(super) const fn simple(name: &'static str) -> Self {
        Self::Named(name, Vec::new())
    }

    pub(super) fn list(item: Self) -> Self {
        Self::Named("list", vec![item])
    }

    pub(super) fn map(key: Self, value: Self) -> Self {
        Self::Named("map", vec![key, value])
    }

    pub(super) fn optional(inner: Self) -> Self {
        Self::Named("optional_type", vec![inner])
    }

    /// Reads a type as it is displayed; one capital letter is a variable.
    pub(super) fn parse(text: &'static str) -> Self {
        let text = text.trim();
        if let [letter @ b'A'..=b'Z'] = text.as_bytes() {
            return Self::Variable((*letter).into());
        }
        match text.split_once('(') {
            None => Self::simple(text),
            Some((name, rest)) => {
                Self::Named(name, parse_list(rest.strip_suffix(')').unwrap_or(rest)))
            }
        }
    }

    /// The name; none for a variable.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Named(name, _) => name,
            Self::Object(_) | Self::Variable(_) => "",
        }
    }

    pub(super) fn params(&self) -> &[Self] {
        match self {
            Self::Named(_, params) => params,
            Self::Object(_) | Self::Variable(_) => &[],
        }
    }

    /// Whether everything is possible, and only evaluation shows.
    pub(super) fn is_dyn(&self) -> bool {
        matches!(self.name(), "any" | "dyn")
    }

    fn is_dyn_or_error(&self) -> bool {
        self.is_dyn() || *self == Self::ERROR
    }

    /// What an optional holds; any other type as it is.
    pub(super) fn unwrap_optional(&self) -> (&Self, bool) {
        match self {
            Self::Named("optional_type", params) => (&params[0], true),
            other => (other, false),
        }
    }

    fn takes_null(&self) -> bool {
        !matches!(
            self.name(),
            "bool" | "bytes" | "double" | "int" | "list" | "map" | "string" | "type" | "uint"
        )
    }
}

/// Types separated by commas.
pub(super) fn parse_list(text: &'static str) -> Vec<Type> {
    let (mut types, mut depth, mut start) = (Vec::new(), 0, 0);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b',' if depth == 0 => {
                types.push(Type::parse(&text[start..index]));
                start = index + 1;
            }
            _ => {}
        }
    }
    if !text[start..].trim().is_empty() {
        types.push(Type::parse(&text[start..]));
    }
    types
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name, params) if params.is_empty() => f.write_str(name),
            Self::Named(name, params) => write!(f, "{name}({})", List(params)),
            Self::Object(object) => f.write_str(&object.name),
            Self::Variable(number) => match number.checked_sub(FIRST) {
                Some(number) => write!(f, "_var{number}"),
                None => write!(f, "{}", char::from_u32(*number).unwrap_or_default()),
            },
        }
    }
}

/// Types with commas between them.
pub(super) struct List<'a>(pub(super) &'a [Type]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, param) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{param}")?;
        }
        Ok(())
    }
}

/// What has been found out of the variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    bound: BTreeMap<u32, Type>,
    last: u32,
}

impl Bindings {
    /// A new variable.
    pub(super) fn fresh(&mut self) -> Type {
        self.last += 1;
        Type::Variable(FIRST + self.last - 1)
    }

    /// The types with new variables in place of letters, each letter the same in all of them.
    pub(super) fn instantiate(&mut self, types: &[&Type]) -> Vec<Type> {
        let mut letters = Self {
            last: self.last,
            ..Self::default()
        };
        let instances = types.iter().map(|of| letters.instance(of)).collect();
        self.last = letters.last;
        instances
    }

    fn instance(&mut self, of: &Type) -> Type {
        match of {
            Type::Variable(letter) => match self.bound.get(letter) {
                Some(found) => found.clone(),
                None => {
                    let new = self.fresh();
                    self.bound.insert(*letter, new.clone());
                    new
                }
            },
            Type::Object(_) => of.clone(),
            Type::Named(name, params) => Type::Named(
                name,
                params.iter().map(|param| self.instance(param)).collect(),
            ),
        }
    }

    /// The type with all that is known filled in. With `to_dyn`, what is unknown becomes `dyn`.
    pub(super) fn resolve(&self, of: &Type, to_dyn: bool) -> Type {
        match of {
            Type::Variable(number) => match self.bound.get(number) {
                Some(found) => self.resolve(found, to_dyn),
                None if to_dyn => Type::DYN,
                None => of.clone(),
            },
            Type::Object(_) => of.clone(),
            Type::Named(name, params) => Type::Named(
                name,
                params
                    .iter()
                    .map(|param| self.resolve(param, to_dyn))
                    .collect(),
            ),
        }
    }

    /// Whether each of the types can stand where the one at its place is asked for. Variables are bound if so.
    pub(super) fn assignable(&mut self, from: &[Type], to: &[Type]) -> bool {
        let mut trial = self.clone();
        let fits = trial.all_fit(from, to);
        if fits {
            *self = trial;
        }
        fits
    }

    fn all_fit(&mut self, from: &[Type], to: &[Type]) -> bool {
        from.len() == to.len() && from.iter().zip(to).all(|(from, to)| self.fits(from, to))
    }

    fn fits(&mut self, from: &Type, to: &Type) -> bool {
        if let Type::Variable(number) = to {
            let bound = self.bound.contains_key(number) || from == to;
            if self.bind(from, *number) {
                return true;
            }
            if bound {
                return false;
            }
        }
        if let Type::Variable(number) = from {
            return self.bind(to, *number);
        }
        if from.is_dyn_or_error() || to.is_dyn_or_error() {
            return true;
        }
        if let (Type::Object(one), Type::Object(other)) = (from, to) {
            return one == other;
        }
        match (from.name(), to.name()) {
            ("null", "null") => true,
            ("null", _) => to.takes_null(),
            (_, "null") => from.takes_null(),
            ("type", "type") => true,
            (one, other) => one == other && self.all_fit(from.params(), to.params()),
        }
    }

    /// Takes a type for a variable, if that agrees with what is known of it.
    fn bind(&mut self, of: &Type, variable: u32) -> bool {
        if *of == Type::Variable(variable) {
            return true;
        }
        let Some(known) = self.bound.get(&variable).cloned() else {
            let free = !self.occurs(variable, of);
            if free {
                self.bound.insert(variable, of.clone());
            }
            return free;
        };
        if *of == known {
            return true;
        }
        if !self.fits(of, &known) {
            return false;
        }
        let general = most_general(of, &known);
        if !self.occurs(variable, &general) {
            self.bound.insert(variable, general);
        }
        true
    }

    fn occurs(&self, variable: u32, within: &Type) -> bool {
        match within {
            Type::Variable(number) if *number == variable => true,
            Type::Variable(number) => self
                .bound
                .get(number)
                .is_some_and(|found| self.occurs(variable, found)),
            Type::Object(_) => false,
            Type::Named(_, params) => params.iter().any(|param| self.occurs(variable, param)),
        }
    }
}

/// The one of two types that agree which says less.
pub(super) fn most_general(one: &Type, other: &Type) -> Type {
    if less_specific(one, other) {
        one
    } else {
        other
    }
    .clone()
}

fn less_specific(one: &Type, other: &Type) -> bool {
    let open = |of: &Type| of.is_dyn() || matches!(of, Type::Variable(_));
    if open(one) {
        return true;
    }
    if open(other) || one.name() != other.name() {
        return false;
    }
    let (one_params, other_params) = (one.params(), other.params());
    one.name() == "type"
        || one_params.len() == other_params.len()
            && one_params
                .iter()
                .zip(other_params)
                .all(|(one, other)| less_specific(one, other))
}
