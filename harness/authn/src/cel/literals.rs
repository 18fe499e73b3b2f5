//! Checks of what is written out in an expression: formats, patterns, times, and that the parts of a list have one type.
//!
//! Source: the validators that the API server has switched on since 1.29,
//! <https://kubernetes.io/docs/reference/using-api/cel/>; the texts are those of cel-go.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, SourceInfo, operators},
};

use super::{
    check::{Types, problem},
    clause::{self, Clause},
    display::Problem,
    interpreter,
    names::{literal_string, parts},
    types::Type,
};
use crate::golang::regexp;

/// Functions that are called when a program is made of an expression, if all that they need is there.
const CONVERSIONS: [&str; 10] = [
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "int",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// Checks an expression whose types are in order.
///
/// # Errors
/// The problems in it, in the order of their places.
pub(super) fn check(expr: &IdedExpr, info: &SourceInfo, types: &Types) -> Result<(), Vec<Problem>> {
    let mut literals = Literals {
        info,
        types,
        problems: Vec::new(),
    };
    literals.expr(expr, false);
    literals
        .problems
        .sort_by_key(|problem| (problem.line, problem.column));
    if literals.problems.is_empty() {
        Ok(())
    } else {
        Err(literals.problems)
    }
}

/// Evaluates what needs nothing else, as making a program of the expression does.
///
/// # Errors
/// What went wrong first.
pub(super) fn fold(expr: &IdedExpr) -> Result<(), String> {
    for part in parts(expr) {
        fold(part)?;
    }
    let call = match &expr.expr {
        Expr::Call(call) => call,
        // Names of types to the checker, but not to what comes after it.
        Expr::Ident(name) if matches!(name.as_str(), "duration" | "timestamp") => {
            return Err(format!("reference to undefined type: {name}"));
        }
        _ => return Ok(()),
    };
    if matches!(
        call.func_name.as_str(),
        operators::INDEX | operators::OPT_INDEX
    ) && let Some(Expr::Literal(LiteralValue::Null)) = call.args.get(1).map(|key| &key.expr)
    {
        return Err("invalid qualifier type: types.Null".to_owned());
    }
    if matches!(call.func_name.as_str(), "find" | "findAll")
        && let Some(pattern) = call.args.first().and_then(literal_string)
    {
        return regexp::check(pattern);
    }
    if is_constant(expr) && !matches!(expr.expr, Expr::Literal(_)) {
        interpreter::constant(expr)?;
    }
    Ok(())
}

fn is_constant(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Literal(_) => true,
        Expr::Call(call) => {
            call.target.is_none()
                && CONVERSIONS.contains(&call.func_name.as_str())
                && call.args.iter().all(is_constant)
        }
        _ => false,
    }
}

struct Literals<'a> {
    info: &'a SourceInfo,
    types: &'a Types,
    problems: Vec<Problem>,
}

impl Literals<'_> {
    fn report(&mut self, at: &IdedExpr, message: String) {
        self.problems.push(problem(self.info, at, message));
    }

    /// `mixed` is set inside of a call of `format`, whose arguments can have any types.
    fn expr(&mut self, expr: &IdedExpr, mixed: bool) {
        let mut inner_mixed = mixed;
        match &expr.expr {
            Expr::Call(call) => {
                self.call(expr, call);
                inner_mixed |= call.func_name == "format";
            }
            Expr::List(list) if !mixed => {
                let optional = |index| list.optional_indices.contains(&index);
                let items = list.elements.iter().enumerate();
                self.same(items.map(|(index, item)| (item, optional(index))), true);
            }
            Expr::Map(map) if !mixed => {
                let entries = || {
                    map.entries.iter().filter_map(|entry| match &entry.expr {
                        EntryExpr::MapEntry(entry) => Some(entry),
                        EntryExpr::StructField(_) => None,
                    })
                };
                self.same(entries().map(|entry| (&entry.key, false)), false);
                self.same(entries().map(|entry| (&entry.value, entry.optional)), false);
            }
            _ => {}
        }
        for part in parts(expr) {
            self.expr(part, inner_mixed);
        }
    }

    /// Reports parts whose type is another than that of the first.
    fn same<'e>(&mut self, items: impl Iterator<Item = (&'e IdedExpr, bool)>, only_first: bool) {
        let types = self.types;
        let mut expected: Option<&Type> = None;
        for (item, optional) in items {
            let ty = types.of(item);
            let ty = if optional { ty.unwrap_optional().0 } else { ty };
            match expected {
                None => expected = Some(ty),
                Some(expected) if expected == ty => {}
                Some(expected) => {
                    self.report(item, format!("expected type '{expected}' but found '{ty}'"));
                    if only_first {
                        return;
                    }
                }
            }
        }
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) {
        let name = call.func_name.as_str();
        let (Some(first), target) = (call.args.first(), call.target.as_deref()) else {
            return;
        };
        if let ("format", Expr::List(list), Some(text)) =
            (name, &first.expr, target.and_then(literal_string))
        {
            self.format(expr, text, &list.elements);
        }
        let valid = match (name, &first.expr) {
            ("duration" | "timestamp", Expr::Literal(_)) => interpreter::constant(expr).is_ok(),
            ("matches", Expr::Literal(LiteralValue::String(pattern))) => {
                regexp::check(pattern.inner()).is_ok()
            }
            _ => true,
        };
        if !valid {
            self.report(first, format!("invalid {name} argument"));
        }
    }

    fn format(&mut self, call: &IdedExpr, text: &str, arguments: &[IdedExpr]) {
        let used = clause::each(
            text,
            arguments.len(),
            |_| {},
            |clause, index| self.fits(clause, &arguments[index]).map(|()| String::new()),
        );
        let (at, message) = match used {
            Err(problem) => (problem.at.unwrap_or(call), problem.message),
            Ok(used) if arguments.len() > used => {
                let given = arguments.len();
                let message = format!(
                    "too many arguments supplied to string.format (expected {used}, got {given})"
                );
                (call, message)
            }
            Ok(_) => return,
        };
        self.report(at, message);
    }

    fn fits<'e>(&self, clause: Clause, argument: &'e IdedExpr) -> Result<(), FormatProblem<'e>> {
        let name = match self.types.of(argument).name() {
            "dyn" => return Ok(()),
            "any" => "google.protobuf.Any",
            "duration" => "google.protobuf.Duration",
            "null" => "null_type",
            "timestamp" => "google.protobuf.Timestamp",
            other => other,
        };
        if let Err(error) = clause.accepts(name) {
            return Err(FormatProblem {
                at: Some(argument),
                message: format!("error during formatting: {error}"),
            });
        }
        if clause.letter == 's' && matches!(argument.expr, Expr::List(_) | Expr::Map(_)) {
            for part in parts(argument) {
                self.fits(clause, part)?;
            }
        }
        Ok(())
    }
}

/// A problem of a format, at one of its arguments or at the call itself.
struct FormatProblem<'e> {
    at: Option<&'e IdedExpr>,
    message: String,
}

impl From<String> for FormatProblem<'_> {
    fn from(message: String) -> Self {
        Self { at: None, message }
    }
}
