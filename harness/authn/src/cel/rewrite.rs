//! Rewrites a parsed expression where the API server's semantics differ from the interpreter's.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators},
};

use super::Scope;

/// Words that cannot be names in CEL; as a whole name they are escaped with `__` on both sides.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
];

/// Methods and functions that have to be ours, by the names they get.
const RENAMED: &[(&str, &str)] = &[("indexOf", "@indexOf"), ("lastIndexOf", "@lastIndexOf")];

/// The expression as it is to be evaluated.
pub(super) fn rewrite(mut expr: IdedExpr, scope: Scope) -> IdedExpr {
    walk(&mut expr, scope);
    expr
}

fn walk(expr: &mut IdedExpr, scope: Scope) {
    match &mut expr.expr {
        Expr::Select(select) => {
            walk(&mut select.operand, scope);
            if rooted(&select.operand)
                && let Some(name) = unescape(&select.field)
            {
                select.field = name;
            }
            if !select.test && optional_chain(&select.operand) {
                let operand = std::mem::take(&mut *select.operand);
                let field = IdedExpr {
                    id: expr.id,
                    expr: Expr::Literal(LiteralValue::String(
                        std::mem::take(&mut select.field).into(),
                    )),
                };
                expr.expr = call(operators::OPT_SELECT, vec![operand, field]);
            }
        }
        Expr::Call(_) => walk_call(expr, scope),
        Expr::List(list) => list.elements.iter_mut().for_each(|item| walk(item, scope)),
        Expr::Map(map) => map
            .entries
            .iter_mut()
            .for_each(|entry| match &mut entry.expr {
                EntryExpr::MapEntry(entry) => {
                    walk(&mut entry.key, scope);
                    walk(&mut entry.value, scope);
                }
                EntryExpr::StructField(field) => walk(&mut field.value, scope),
            }),
        Expr::Comprehension(comprehension) => {
            for part in [
                &mut comprehension.iter_range,
                &mut comprehension.accu_init,
                &mut comprehension.loop_cond,
                &mut comprehension.loop_step,
                &mut comprehension.result,
            ] {
                walk(part, scope);
            }
            // Going through the claims themselves yields their values, not their names.
            if is_variable(&comprehension.iter_range, Scope::Claims) && scope == Scope::Claims {
                let range = std::mem::take(&mut comprehension.iter_range);
                comprehension.iter_range = IdedExpr {
                    id: range.id,
                    expr: call("@values", vec![range]),
                };
            }
        }
        Expr::Struct(_) | Expr::Literal(_) | Expr::Ident(_) | Expr::Unspecified => {}
    }
}

fn walk_call(expr: &mut IdedExpr, scope: Scope) {
    let Expr::Call(call_expr) = &mut expr.expr else {
        return;
    };
    if let Some(target) = &mut call_expr.target {
        walk(target, scope);
    }
    call_expr
        .args
        .iter_mut()
        .for_each(|argument| walk(argument, scope));

    let claims = |expr: Option<&IdedExpr>| {
        scope == Scope::Claims && expr.is_some_and(|expr| is_variable(expr, Scope::Claims))
    };
    let name = call_expr.func_name.clone();
    let fails = match name.as_str() {
        operators::IN if claims(call_expr.args.get(1)) => Some("no such overload"),
        "size" if claims(call_expr.args.first()) || claims(call_expr.target.as_deref()) => {
            Some("no such overload: size")
        }
        _ => None,
    };
    if let Some(text) = fails {
        let text = Expr::Literal(LiteralValue::String(text.to_owned().into()));
        expr.expr = call(
            "@fail",
            vec![IdedExpr {
                id: expr.id,
                expr: text,
            }],
        );
        return;
    }
    match name.as_str() {
        operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT => {
            let rooted = call_expr.args.first().is_some_and(rooted);
            if let Some(Expr::Literal(LiteralValue::String(key))) =
                call_expr.args.get_mut(1).map(|key| &mut key.expr)
                && rooted
                && let Some(name) = unescape(key.inner())
            {
                *key = name.into();
            }
            if name == operators::INDEX && call_expr.args.first().is_some_and(optional_chain) {
                operators::OPT_INDEX.clone_into(&mut call_expr.func_name);
            }
        }
        "string" if call_expr.target.is_none() => "@string".clone_into(&mut call_expr.func_name),
        "range" if is_ident(call_expr.target.as_deref(), "lists") => {
            call_expr.target = None;
            "@range".clone_into(&mut call_expr.func_name);
        }
        _ => {
            let renamed = RENAMED.iter().find(|(old, _)| *old == name);
            if let Some((_, new)) = renamed.filter(|_| call_expr.target.is_some()) {
                (*new).clone_into(&mut call_expr.func_name);
            }
        }
    }
}

pub(super) fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr {
        func_name: name.to_owned(),
        target: None,
        args,
    })
}

fn is_ident(expr: Option<&IdedExpr>, name: &str) -> bool {
    matches!(expr.map(|expr| &expr.expr), Some(Expr::Ident(ident)) if ident == name)
}

fn is_variable(expr: &IdedExpr, scope: Scope) -> bool {
    is_ident(Some(expr), scope.variable())
}

/// Whether selecting leads back to a name: the values behind names come from a token, where keys can be anything and
/// are escaped in expressions.
fn rooted(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Ident(_) => true,
        Expr::Select(select) => rooted(&select.operand),
        Expr::Call(call) => match call.func_name.as_str() {
            operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT | "dyn" => {
                call.args.first().is_some_and(rooted)
            }
            "value" | "orValue" | "first" | "last" => call.target.as_deref().is_some_and(rooted),
            _ => false,
        },
        _ => false,
    }
}

/// Whether a selection before made this one optional too.
fn optional_chain(expr: &IdedExpr) -> bool {
    matches!(&expr.expr, Expr::Call(call)
        if matches!(call.func_name.as_str(), operators::OPT_INDEX | operators::OPT_SELECT))
}

/// The name that an escaped one stands for (<https://kubernetes.io/docs/reference/using-api/cel/#escaping>); `None`
/// when there is nothing to escape, or the escapes are wrong.
fn unescape(name: &str) -> Option<String> {
    let (mut out, mut rest, mut found) = (String::new(), name, false);
    while let Some(start) = rest.find("__") {
        let inner = &rest[start + 2..];
        let word = inner.find('_').map(|end| (&inner[..end], &inner[end..]));
        let Some((word, after)) =
            word.filter(|(word, after)| !word.is_empty() && after.starts_with("__"))
        else {
            out.push_str(&rest[..=start]);
            rest = &rest[start + 1..];
            continue;
        };
        out.push_str(&rest[..start]);
        match word {
            "underscores" => out.push_str("__"),
            "dot" => out.push('.'),
            "dash" => out.push('-'),
            "slash" => out.push('/'),
            word if RESERVED.contains(&word) && word.len() + 4 == name.len() => out.push_str(word),
            _ => return None,
        }
        rest = &after[2..];
        found = true;
    }
    out.push_str(rest);
    found.then_some(out)
}
