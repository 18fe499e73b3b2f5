//! Which names an expression looks at.

use cel::{
    IdedExpr,
    common::ast::{EntryExpr, Expr, LiteralValue, operators},
};

/// The direct parts of an expression, in the order in which they are written.
pub(super) fn parts(expr: &IdedExpr) -> Vec<&IdedExpr> {
    match &expr.expr {
        Expr::Select(select) => vec![&select.operand],
        Expr::Call(call) => call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect(),
        Expr::List(list) => list.elements.iter().collect(),
        Expr::Map(map) => map
            .entries
            .iter()
            .flat_map(|entry| entry_parts(&entry.expr))
            .collect(),
        Expr::Struct(object) => {
            let entries = object.entries.iter();
            entries.flat_map(|entry| entry_parts(&entry.expr)).collect()
        }
        Expr::Comprehension(comprehension) => vec![
            &comprehension.iter_range,
            &comprehension.accu_init,
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ],
        Expr::Literal(_) | Expr::Ident(_) | Expr::Unspecified => Vec::new(),
    }
}

fn entry_parts(entry: &EntryExpr) -> Vec<&IdedExpr> {
    match entry {
        EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
        EntryExpr::StructField(field) => vec![&field.value],
    }
}

/// The same to be changed.
pub(super) fn parts_mut(expr: &mut IdedExpr) -> Vec<&mut IdedExpr> {
    match &mut expr.expr {
        Expr::Select(select) => vec![&mut select.operand],
        Expr::Call(call) => {
            let target = call.target.as_deref_mut();
            target.into_iter().chain(&mut call.args).collect()
        }
        Expr::List(list) => list.elements.iter_mut().collect(),
        Expr::Map(map) => {
            let entries = map.entries.iter_mut();
            entries
                .flat_map(|entry| entry_parts_mut(&mut entry.expr))
                .collect()
        }
        Expr::Struct(object) => {
            let entries = object.entries.iter_mut();
            entries
                .flat_map(|entry| entry_parts_mut(&mut entry.expr))
                .collect()
        }
        Expr::Comprehension(comprehension) => vec![
            &mut comprehension.iter_range,
            &mut comprehension.accu_init,
            &mut comprehension.loop_cond,
            &mut comprehension.loop_step,
            &mut comprehension.result,
        ],
        Expr::Literal(_) | Expr::Ident(_) | Expr::Unspecified => Vec::new(),
    }
}

fn entry_parts_mut(entry: &mut EntryExpr) -> Vec<&mut IdedExpr> {
    match entry {
        EntryExpr::MapEntry(entry) => vec![&mut entry.key, &mut entry.value],
        EntryExpr::StructField(field) => vec![&mut field.value],
    }
}

/// The name that an expression spells, as `a` or `a.b.c`.
pub(super) fn qualified(expr: &IdedExpr) -> Option<String> {
    match &expr.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => {
            Some(format!("{}.{}", qualified(&select.operand)?, select.field))
        }
        _ => None,
    }
}

/// The text of a string literal.
pub(super) fn literal_string(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Whether the expression selects a field of a variable: the rule that `claims.email` asks for
/// `claims.email_verified` looks for exactly this form.
pub(super) fn selects(expr: &IdedExpr, variable: &str, field: &str) -> bool {
    let is_variable = |expr: &IdedExpr| matches!(&expr.expr, Expr::Ident(name) if name == variable);
    let found = match &expr.expr {
        Expr::Select(select) => is_variable(&select.operand) && select.field == field,
        Expr::Call(call) if call.target.is_none() && call.func_name == operators::OPT_SELECT => {
            matches!(call.args.as_slice(), [of, name]
                if is_variable(of) && literal_string(name) == Some(field))
        }
        _ => false,
    };
    found
        || parts(expr)
            .into_iter()
            .any(|part| selects(part, variable, field))
}

/// Whether the expression looks at a variable.
pub(super) fn mentions(expr: &IdedExpr, variable: &str) -> bool {
    matches!(&expr.expr, Expr::Ident(name) if name.trim_start_matches('.') == variable)
        || parts(expr).into_iter().any(|part| mentions(part, variable))
}
