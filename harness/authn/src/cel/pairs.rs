//! Comprehensions that the interpreter does not know as ones that it knows: those with two variables go over pairs.

use cel::{
    IdedExpr,
    common::ast::{ComprehensionExpr, Expr, LiteralValue, operators},
};

use super::{names::parts_mut, rewrite::call};

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

/// Makes a comprehension that goes through the claims themselves one through their names. What it gets to see are the
/// values, each looked up by its name as if that had been written in an expression.
pub(super) fn of_claims(of: &mut ComprehensionExpr) {
    let id = of.iter_range.id;
    let node = |expr| IdedExpr { id, expr };
    let range = std::mem::take(&mut of.iter_range);
    let name = node(Expr::Ident(PAIR.to_owned()));
    let value = node(call("@claim", vec![range.clone(), name]));
    let variable = std::mem::replace(&mut of.iter_var, PAIR.to_owned());
    let values = [(variable, value)];
    substitute(&mut of.loop_cond, &values);
    substitute(&mut of.loop_step, &values);
    of.iter_range = node(call("@names", vec![range]));
}

/// Puts values in the place of names, except where a comprehension inside uses the same name.
fn substitute(expr: &mut IdedExpr, values: &[(String, IdedExpr)]) {
    match &mut expr.expr {
        Expr::Ident(name) => {
            if let Some((_, value)) = values.iter().find(|(variable, _)| variable == name) {
                expr.expr = value.expr.clone();
            }
        }
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
        _ => parts_mut(expr)
            .into_iter()
            .for_each(|part| substitute(part, values)),
    }
}
