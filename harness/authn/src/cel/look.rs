//! What a person wants to know of an expression: what it reads, its parts, and what they are.

use std::ops::Range;

use cel::{
    IdedExpr,
    common::ast::{Expr, LiteralValue, SourceInfo, operators},
};

use super::{
    Value,
    names::{self, literal_string},
};

/// A part of an expression and what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// As it is written.
    pub text: String,
    /// Its value, or cel-go's text of an error.
    pub value: Result<Value, String>,
}

/// A comparison with something written out.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// `==`, `<=` and so on, with the value on its left; `in` for a list that is written out.
    pub operator: &'static str,
    /// Where the literal stands, in bytes of the expression; for `in`, the place behind the last item.
    pub at: Range<usize>,
    /// What is compared with it.
    pub value: Value,
}

/// Evaluates a part of an expression.
type Evaluate<'a> = &'a dyn Fn(&IdedExpr) -> Result<Value, String>;

pub(super) fn reads(expr: &IdedExpr, variable: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    collect(expr, variable, &mut found);
    found
}

fn collect(expr: &IdedExpr, variable: &str, found: &mut Vec<Vec<String>>) {
    if let Some(path) = path(expr, variable) {
        if !path.is_empty() && !found.contains(&path) {
            found.push(path);
        }
        return;
    }
    for part in names::parts(expr) {
        collect(part, variable, found);
    }
}

/// The path that an expression selects of the variable, tested for or not, optional or not.
fn path(expr: &IdedExpr, variable: &str) -> Option<Vec<String>> {
    let (of, name) = match &expr.expr {
        Expr::Ident(name) => return (name == variable).then(Vec::new),
        Expr::Select(select) => (select.operand.as_ref(), plain(&select.field)),
        Expr::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::OPT_SELECT | operators::INDEX | operators::OPT_INDEX, [of, name])
                if call.target.is_none() =>
            {
                (of, literal_string(name)?.to_owned())
            }
            _ => return None,
        },
        _ => return None,
    };
    let mut path = path(of, variable)?;
    path.push(name);
    Some(path)
}

/// A name without the escapes that CEL needs for some characters.
fn plain(name: &str) -> String {
    let mut name = name.to_owned();
    for (escape, character) in [
        ("__dot__", "."),
        ("__dash__", "-"),
        ("__slash__", "/"),
        ("__underscores__", "__"),
    ] {
        name = name.replace(escape, character);
    }
    name
}

pub(super) fn parts(
    expr: &IdedExpr,
    info: &SourceInfo,
    evaluate: impl Fn(&IdedExpr) -> Result<Value, String>,
) -> Vec<Part> {
    let mut operands = Vec::new();
    conjuncts(expr, &mut operands);
    operands
        .into_iter()
        .map(|operand| Part {
            text: text(operand, info).to_owned(),
            value: evaluate(operand),
        })
        .collect()
}

fn conjuncts<'a>(expr: &'a IdedExpr, out: &mut Vec<&'a IdedExpr>) {
    match &expr.expr {
        Expr::Call(call) if call.func_name == operators::LOGICAL_AND => {
            call.args.iter().for_each(|part| conjuncts(part, out));
        }
        _ => out.push(expr),
    }
}

pub(super) fn compared(
    expr: &IdedExpr,
    info: &SourceInfo,
    evaluate: impl Fn(&IdedExpr) -> Result<Value, String>,
) -> Vec<Compared> {
    let mut out = Vec::new();
    comparisons(expr, info, &evaluate, &mut out);
    out
}

fn comparisons(
    expr: &IdedExpr,
    info: &SourceInfo,
    evaluate: Evaluate<'_>,
    out: &mut Vec<Compared>,
) {
    if let Expr::Call(call) = &expr.expr
        && let [left, right] = call.args.as_slice()
    {
        let name = call.func_name.as_str();
        let literal = |expr: &IdedExpr| matches!(&expr.expr, Expr::Literal(_));
        let found = match (literal(left), literal(right)) {
            (false, true) => operator(name).map(|operator| (operator, left, right)),
            (true, false) => operator(name).map(|operator| (mirrored(operator), right, left)),
            _ => None,
        };
        if let Some((operator, value, literal)) = found
            && let Some(at) = literal_range(literal, info)
            && let Ok(value) = evaluate(value)
        {
            out.push(Compared {
                operator,
                at,
                value,
            });
        }
        if let (operators::IN, Expr::List(list)) = (name, &right.expr)
            && let Some(last) = list.elements.last()
            && let Some(at) = literal_range(last, info)
            && let Ok(value) = evaluate(left)
        {
            out.push(Compared {
                operator: "in",
                at: at.end..at.end,
                value,
            });
        }
    }
    for part in names::parts(expr) {
        comparisons(part, info, evaluate, out);
    }
}

fn operator(name: &str) -> Option<&'static str> {
    Some(match name {
        operators::EQUALS => "==",
        operators::NOT_EQUALS => "!=",
        operators::LESS => "<",
        operators::LESS_EQUALS => "<=",
        operators::GREATER => ">",
        operators::GREATER_EQUALS => ">=",
        _ => return None,
    })
}

fn mirrored(operator: &'static str) -> &'static str {
    match operator {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        same => same,
    }
}

/// Where a literal stands; `None` for what may not be exchanged.
fn literal_range(expr: &IdedExpr, info: &SourceInfo) -> Option<Range<usize>> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(_) | LiteralValue::Int(_) | LiteralValue::Double(_)) => {
            let range = place(expr, info)?;
            let negative = info.source.get(..range.start)?.ends_with('-');
            (!negative).then_some(range)
        }
        _ => None,
    }
}

fn place(expr: &IdedExpr, info: &SourceInfo) -> Option<Range<usize>> {
    let (start, stop) = info.offset_for(expr.id)?;
    let range = usize::try_from(start).ok()?..usize::try_from(stop).ok()? + 1;
    info.source.get(range.clone()).map(|_| range)
}

/// The text of a part: from its first word to its last, and the brackets that belong to them.
fn text<'a>(expr: &IdedExpr, info: &'a SourceInfo) -> &'a str {
    let mut range: Option<Range<usize>> = None;
    extent(expr, info, &mut range);
    let Some(range) = range else {
        return &info.source;
    };
    let source = info.source.as_str();
    let (mut open, mut lacking) = (0_usize, 0_usize);
    let mut quote = None;
    for character in source[range.clone()].chars() {
        match (quote, character) {
            (Some(end), _) if end == character => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, '(' | '[' | '{') => open += 1,
            (None, ')' | ']' | '}') if open == 0 => lacking += 1,
            (None, ')' | ']' | '}') => open -= 1,
            _ => {}
        }
    }
    let end = match open {
        0 => range.end,
        open => nth(&source[range.end..], [')', ']', '}'], open)
            .map_or(range.end, |offset| range.end + offset + 1),
    };
    let start = match lacking {
        0 => range.start,
        lacking => {
            let before: String = source[..range.start].chars().rev().collect();
            nth(&before, ['(', '[', '{'], lacking)
                .map_or(range.start, |offset| range.start.saturating_sub(offset + 1))
        }
    };
    source.get(start..end).unwrap_or(source).trim()
}

/// The offset of the n-th of these characters.
fn nth(text: &str, characters: [char; 3], n: usize) -> Option<usize> {
    let mut found = text.char_indices().filter(|(_, c)| characters.contains(c));
    found.nth(n - 1).map(|(offset, _)| offset)
}

fn extent(expr: &IdedExpr, info: &SourceInfo, range: &mut Option<Range<usize>>) {
    if let Some(here) = place(expr, info) {
        *range = Some(match range.take() {
            None => here,
            Some(range) => range.start.min(here.start)..range.end.max(here.end),
        });
    }
    for part in names::parts(expr) {
        extent(part, info, range);
    }
}
