//! What an expression evaluates to.

use std::collections::BTreeMap;

/// A value. Types that no mapping can use are only named.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// An unsigned integer.
    Uint(u64),
    /// A double; every number of a token is one.
    Double(f64),
    /// A string.
    String(String),
    /// A list.
    List(Vec<Value>),
    /// A map with string keys.
    Map(BTreeMap<String, Value>),
    /// An optional.
    Optional(Option<Box<Value>>),
    /// Any other, by the name of its type.
    Other(String),
}
