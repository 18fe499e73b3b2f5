//! Turns nodes into values: resolves scalars, follows aliases, merges, and finds keys given twice.

use super::{
    Error,
    cursor::Mark,
    gofmt,
    parser::{Content, Document, Id},
    resolve::{Scalar, resolve},
    token::error,
};
use crate::tree::Span;

/// A value whose map keys still are what YAML made of them.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) span: Span,
    pub(super) value: Value,
}

/// What a [`Raw`] is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Scalar(Scalar),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

/// Builds the document's value. An empty stream is null.
///
/// # Errors
/// What the reader cannot make a value of, and when `strict` the list of keys given twice in a map.
pub(super) fn build(document: &Document, strict: bool) -> Result<Raw, Error> {
    let mut builder = Builder {
        document,
        strict,
        twice: Vec::new(),
        open: Vec::new(),
        steps: 0,
        alias_steps: 0,
    };
    let root = match document.root {
        Some(root) => builder.node(root)?,
        None => Raw {
            span: Span::default(),
            value: Value::Scalar(Scalar::Null),
        },
    };
    if builder.twice.is_empty() {
        return Ok(root);
    }
    let first = builder.twice.first().map(|(line, _)| *line);
    let list: Vec<String> = builder.twice.into_iter().map(|(_, text)| text).collect();
    let message = format!("yaml: unmarshal errors:\n  {}", list.join("\n  "));
    Err(Error::new(message, first))
}

struct Builder<'a> {
    document: &'a Document,
    strict: bool,
    /// Keys given twice: line and text.
    twice: Vec<(usize, String)>,
    /// Aliases being followed.
    open: Vec<Id>,
    steps: u64,
    alias_steps: u64,
}

impl Builder<'_> {
    fn node(&mut self, id: Id) -> Result<Raw, Error> {
        self.count()?;
        let node = &self.document.nodes[id];
        let value = match &node.content {
            Content::Alias { anchor, target } => {
                self.enter(id, anchor)?;
                let raw = self.node(*target);
                self.open.pop();
                return raw;
            }
            Content::Scalar { value, plain } => Value::Scalar(resolve(&node.tag, *plain, value)?),
            Content::Sequence(items) => {
                let items = items.iter().map(|item| self.node(*item));
                Value::List(items.collect::<Result<_, _>>()?)
            }
            Content::Mapping(_) => {
                let mut pairs = Vec::new();
                self.mapping(id, &mut pairs)?;
                Value::Map(pairs)
            }
        };
        let span = span(node.start, node.end);
        Ok(Raw { span, value })
    }

    fn enter(&mut self, alias: Id, anchor: &str) -> Result<(), Error> {
        if self.open.contains(&alias) {
            let problem = format!("anchor '{anchor}' value contains itself");
            return Err(error(&problem));
        }
        self.open.push(alias);
        Ok(())
    }

    fn mapping(&mut self, id: Id, out: &mut Vec<(Raw, Raw)>) -> Result<(), Error> {
        let Content::Mapping(pairs) = &self.document.nodes[id].content else {
            return Ok(());
        };
        for (key, value) in pairs {
            if self.is_merge(*key) {
                self.merge(*value, out)?;
                continue;
            }
            let key = self.node(*key)?;
            if !matches!(key.value, Value::Scalar(_)) {
                let key = gofmt::sharp(&key.value);
                return Err(error(&format!("invalid map key: {key}")));
            }
            let line = self.document.nodes[*value].start.line + 1;
            let value = self.node(*value)?;
            let old = out.iter_mut().find(|(old, _)| same_key(old, &key));
            match old {
                Some(_) if self.strict => {
                    let key = gofmt::sharp_interface(&key.value);
                    let text = format!("line {line}: key {key} already set in map");
                    self.twice.push((line, text));
                }
                Some(old) => *old = (key, value),
                None => out.push((key, value)),
            }
        }
        Ok(())
    }

    fn is_merge(&self, key: Id) -> bool {
        let node = &self.document.nodes[key];
        match &node.content {
            Content::Scalar { value, plain } => {
                let tagged = node.tag.strip_prefix(super::resolve::PREFIX) == Some("merge");
                value == "<<" && (*plain || tagged)
            }
            _ => false,
        }
    }

    /// Merges one mapping or several (<https://yaml.org/type/merge.html>), of which earlier ones win.
    fn merge(&mut self, id: Id, out: &mut Vec<(Raw, Raw)>) -> Result<(), Error> {
        match &self.document.nodes[id].content {
            Content::Sequence(items) => {
                for item in items.iter().rev() {
                    if matches!(self.document.nodes[*item].content, Content::Sequence(_)) {
                        return Err(not_a_map());
                    }
                    self.merge(*item, out)?;
                }
                Ok(())
            }
            Content::Mapping(_) => {
                self.count()?;
                self.mapping(id, out)
            }
            Content::Alias { anchor, target } => {
                if !matches!(self.document.nodes[*target].content, Content::Mapping(_)) {
                    return Err(not_a_map());
                }
                self.count()?;
                self.enter(id, anchor)?;
                self.count()?;
                let merged = self.mapping(*target, out);
                self.open.pop();
                merged
            }
            Content::Scalar { .. } => Err(not_a_map()),
        }
    }

    /// Refuses a document that is mostly aliases of aliases.
    fn count(&mut self) -> Result<(), Error> {
        self.steps += 1;
        self.alias_steps += u64::from(!self.open.is_empty());
        if self.alias_steps > 100 && self.steps > 1000 {
            #[expect(clippy::cast_precision_loss, reason = "a ratio of small numbers")]
            let (steps, aliases) = (self.steps as f64, self.alias_steps as f64);
            if aliases / steps > allowed_alias_ratio(steps) {
                return Err(error("document contains excessive aliasing"));
            }
        }
        Ok(())
    }
}

fn not_a_map() -> Error {
    error("map merge requires map or sequence of maps as the value")
}

/// From 99 % in small documents down to 10 % in large ones.
fn allowed_alias_ratio(steps: f64) -> f64 {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    0.99 - 0.89 * ((steps - LOW) / (HIGH - LOW)).clamp(0.0, 1.0)
}

fn same_key(one: &Raw, other: &Raw) -> bool {
    match (&one.value, &other.value) {
        (Value::Scalar(one), Value::Scalar(other)) => one == other,
        _ => false,
    }
}

fn span(start: Mark, end: Mark) -> Span {
    Span {
        start: start.byte,
        end: end.byte.max(start.byte),
        line: start.line + 1,
        column: start.column + 1,
    }
}
