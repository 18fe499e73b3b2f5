//! Comprehensions with two variables as ones with a single variable, which the interpreter knows: over pairs.

use cel::{
    IdedExpr,
    common::ast::{ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators},
};

use super::rewrite::call;

const PAIR: &str = "@entry";

/// Makes the comprehension go over pairs, if it has two variables.
pub(super) fn rewrite(of: &mut ComprehensionExpr) {
    let Some(second) = of.iter_var2.take() else {
        return;
    };
    let id = of.iter_range.id;
    let node = |expr| IdedExpr { id, expr };
    let item = |index: i64| {
        let pair = node(Expr::Ident(PAIR.to_owned()));
        let index = node(Expr::Literal(LiteralValue::Int(index.into())));
        node(call(operators::INDEX, vec![pair, index]))
    };
    let first = std::mem::replace(&mut of.iter_var, PAIR.to_owned());
    let values = [(first, item(0)), (second, item(1))];
    substitute(&mut of.loop_cond, &values);
    substitute(&mut of.loop_step, &values);
    let range = std::mem::take(&mut of.iter_range);
    of.iter_range = node(call("@entries", vec![range]));
}

/// Puts values in the place of names, except where a comprehension inside uses the same name.
fn substitute(expr: &mut IdedExpr, values: &[(String, IdedExpr)]) {
    match &mut expr.expr {
        Expr::Ident(name) => {
            if let Some((_, value)) = values.iter().find(|(variable, _)| variable == name) {
                expr.expr = value.expr.clone();
            }
        }
        Expr::Select(select) => substitute(&mut select.operand, values),
        Expr::Call(call) => {
            let parts = call.target.as_deref_mut().into_iter().chain(&mut call.args);
            parts.for_each(|part| substitute(part, values));
        }
        Expr::List(list) => list
            .elements
            .iter_mut()
            .for_each(|item| substitute(item, values)),
        Expr::Map(map) => map
            .entries
            .iter_mut()
            .for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    substitute(&mut entry.key, values);
                    substitute(&mut entry.value, values);
                }
                EntryExpr::StructField(field) => substitute(&mut field.value, values),
            }),
        Expr::Comprehension(inner) => {
            substitute(&mut inner.iter_range, values);
            substitute(&mut inner.accu_init, values);
            let visible: Vec<_> = values
                .iter()
                .filter(|(name, _)| {
                    *name != inner.iter_var && Some(name) != inner.iter_var2.as_ref()
                })
                .cloned()
                .collect();
            substitute(&mut inner.loop_cond, &visible);
            substitute(&mut inner.loop_step, &visible);
            substitute(&mut inner.result, values);
        }
        Expr::Struct(_) | Expr::Literal(_) | Expr::Unspecified => {}
    }
}
