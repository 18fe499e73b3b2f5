//! Functions on lists: Kubernetes' own, sets, and what two-variable macros expand to.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use cel::{
    Value,
    objects::{Key, Map},
};

use super::{boolean, list, no_overload, optional, type_name};
use crate::cel::rewrite::unescape;

/// A function by name with its arguments, a method's receiver first; `None` when it is none of these.
pub(super) fn call(name: &str, args: &[Value]) -> Option<Result<Value, String>> {
    Some(match (name, args) {
        ("isSorted", [of]) => is_sorted(name, of),
        ("sum", [of]) => sum(name, of),
        ("min", [of]) => extreme(name, of, Ordering::Less),
        ("max", [of]) => extreme(name, of, Ordering::Greater),
        ("first", [of]) => items(name, of).map(|items| optional(items.first().cloned())),
        ("last", [of]) => items(name, of).map(|items| optional(items.last().cloned())),
        ("indexOf" | "lastIndexOf", [Value::List(of), item]) => Ok(index_of(name, of, item)),
        ("indexOf" | "lastIndexOf", [Value::String(of), Value::String(part), from @ ..]) => {
            string_index_of(name, of, part, from)
        }
        ("lists.range", [Value::Int(end)]) => Ok(list((0..*end).map(Value::Int).collect())),
        ("unwrapOpt" | "optional.unwrap", [of]) => items(name, of).map(|items| {
            let held = items
                .iter()
                .filter_map(|item| <&cel::objects::OptionalValue>::try_from(item).ok());
            list(held.filter_map(|item| item.value().cloned()).collect())
        }),
        ("sets.contains" | "sets.equivalent" | "sets.intersects", [one, other]) => {
            let (Value::List(one_items), Value::List(other_items)) = (one, other) else {
                return Some(Err(no_overload(name, args)));
            };
            let within =
                |part: &[Value], whole: &[Value]| part.iter().all(|item| whole.contains(item));
            Ok(boolean(match name {
                "sets.contains" => within(other_items, one_items),
                "sets.intersects" => one_items.iter().any(|item| other_items.contains(item)),
                _ => within(one_items, other_items) && within(other_items, one_items),
            }))
        }
        ("@entries", [of]) => entries(of),
        ("@insert", [Value::Map(map), key, value]) => insert(map, key, value),
        ("@merge", [Value::Map(map), Value::Map(more)]) => {
            more.map
                .iter()
                .try_fold(Value::Map(map.clone()), |map, (key, value)| match map {
                    Value::Map(map) => insert(&map, &Value::from(key), value),
                    other => Ok(other),
                })
        }
        ("@names", [Value::Map(map)]) => Ok(list(map.map.keys().map(Value::from).collect())),
        ("@claim", [Value::Map(map), Value::String(name)]) => {
            let plain = unescape(name).map_or_else(|| Arc::clone(name), Arc::new);
            let value = map.map.get(&Key::String(plain)).cloned();
            value.ok_or_else(|| format!("no such key: {name}"))
        }
        ("reverse", [Value::List(items)]) => Ok(list(items.iter().rev().cloned().collect())),
        _ => return None,
    })
}

fn items<'a>(name: &str, value: &'a Value) -> Result<&'a [Value], String> {
    match value {
        Value::List(items) => Ok(items),
        other => Err(no_overload(name, std::slice::from_ref(other))),
    }
}

fn is_sorted(name: &str, of: &Value) -> Result<Value, String> {
    let items = items(name, of)?;
    Ok(boolean(items.windows(2).all(|pair| {
        pair[0].partial_cmp(&pair[1]) != Some(Ordering::Greater)
    })))
}

fn sum(name: &str, of: &Value) -> Result<Value, String> {
    let mut total: Option<Value> = None;
    for item in items(name, of)? {
        total = Some(match (total, item) {
            (None, Value::Int(_) | Value::UInt(_) | Value::Float(_) | Value::Duration(_)) => {
                item.clone()
            }
            (Some(Value::Int(one)), Value::Int(other)) => {
                Value::Int(one.checked_add(*other).ok_or("integer overflow")?)
            }
            (Some(Value::UInt(one)), Value::UInt(other)) => {
                Value::UInt(one.checked_add(*other).ok_or("unsigned integer overflow")?)
            }
            (Some(Value::Float(one)), Value::Float(other)) => Value::Float(one + other),
            (Some(Value::Duration(one)), Value::Duration(other)) => Value::Duration(one + *other),
            _ => return Err(no_overload(name, std::slice::from_ref(of))),
        });
    }
    Ok(total.unwrap_or(Value::Int(0)))
}

fn extreme(name: &str, of: &Value, wanted: Ordering) -> Result<Value, String> {
    let mut found: Option<&Value> = None;
    for item in items(name, of)? {
        found = match found {
            Some(best) if item.partial_cmp(best) != Some(wanted) => Some(best),
            _ => Some(item),
        };
    }
    let found = found.cloned();
    found.ok_or_else(|| format!("{name} called on empty list"))
}

fn index_of(name: &str, of: &[Value], item: &Value) -> Value {
    let found = if name == "indexOf" {
        of.iter().position(|other| other == item)
    } else {
        of.iter().rposition(|other| other == item)
    };
    position(found)
}

fn position(found: Option<usize>) -> Value {
    Value::Int(
        found
            .and_then(|found| i64::try_from(found).ok())
            .unwrap_or(-1),
    )
}

/// In characters. An offset beyond the end finds nothing.
fn string_index_of(name: &str, of: &str, part: &str, from: &[Value]) -> Result<Value, String> {
    let of: Vec<char> = of.chars().collect();
    let part: Vec<char> = part.chars().collect();
    let offset = match from {
        [] => None,
        [Value::Int(offset)] => Some(*offset),
        _ => {
            let found = [&[Value::from(""), Value::from("")], from].concat();
            return Err(no_overload(name, &found));
        }
    };
    if let Some(offset) = offset.filter(|offset| *offset < 0) {
        return Err(format!("index out of range: {offset}"));
    }
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    let starts = 0..(of.len() + 1).saturating_sub(part.len());
    let fits = |start: &usize| of[*start..].starts_with(&part);
    let found = if name == "indexOf" {
        starts.skip(offset.unwrap_or(0)).find(fits)
    } else {
        let last = offset.unwrap_or(usize::MAX);
        starts.rev().filter(|start| *start <= last).find(fits)
    };
    Ok(position(found))
}

/// The pairs that a two-variable macro goes through: index and item, or key and value.
fn entries(of: &Value) -> Result<Value, String> {
    let pair = |key: Value, value: &Value| list(vec![key, value.clone()]);
    match of {
        Value::List(items) => Ok(list(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| pair(position(Some(index)), item))
                .collect(),
        )),
        Value::Map(map) => Ok(list(
            map.map
                .iter()
                .map(|(key, value)| pair(Value::from(key), value))
                .collect(),
        )),
        other => Err(format!(
            "unsupported comprehension range type: {}",
            super::values::go_type(other)
        )),
    }
}

fn insert(map: &Map, key: &Value, value: &Value) -> Result<Value, String> {
    let key = match key {
        Value::Int(key) => Key::Int(*key),
        Value::UInt(key) => Key::Uint(*key),
        Value::Bool(key) => Key::Bool(*key),
        Value::String(key) => Key::String(Arc::clone(key)),
        other => return Err(format!("unsupported key type: {}", type_name(other))),
    };
    let mut new: HashMap<Key, Value> = (*map.map).clone();
    if new.insert(key.clone(), value.clone()).is_some() {
        return Err(format!("insert failed: key {key} already exists"));
    }
    Ok(Value::Map(Map { map: Arc::new(new) }))
}
