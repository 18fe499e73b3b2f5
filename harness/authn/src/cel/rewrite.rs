//! Rewrites a parsed expression where the API server's semantics differ from the interpreter's.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, operators},
};

use super::{
    Scope, declarations, library,
    names::{literal_string, parts_mut, qualified},
    pairs,
};

/// Words that cannot be names in CEL; as a whole name they are escaped with `__` on both sides.
pub(super) const RESERVED: &[&str] = &[
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

/// The expression as it is to be evaluated, one about claims or another.
pub(super) fn rewrite(mut expr: IdedExpr, claims: bool) -> IdedExpr {
    relative(&mut expr);
    walk(&mut expr, claims);
    expr
}

/// Takes away the dots that names can begin with: there is but one container to look in.
fn relative(expr: &mut IdedExpr) {
    let name = match &mut expr.expr {
        Expr::Ident(name) => Some(name),
        Expr::Call(call) => Some(&mut call.func_name),
        _ => None,
    };
    if let Some(name) = name
        && let Some(plain) = name.strip_prefix('.')
    {
        *name = plain.to_owned();
    }
    parts_mut(expr).into_iter().for_each(relative);
}

fn walk(expr: &mut IdedExpr, claims: bool) {
    match &mut expr.expr {
        Expr::Select(_) => return walk_select(expr, claims),
        Expr::Call(_) => return walk_call(expr, claims),
        Expr::Comprehension(comprehension) => {
            pairs::rewrite(comprehension);
            // Going through the claims themselves yields their values, not their names.
            if claims && is_variable(&comprehension.iter_range, Scope::Claims) {
                pairs::of_claims(comprehension);
            }
        }
        _ => {}
    }
    parts_mut(expr)
        .into_iter()
        .for_each(|part| walk(part, claims));
}

fn walk_select(expr: &mut IdedExpr, claims: bool) {
    let type_name = qualified(expr).and_then(|name| declarations::type_name(&name));
    let Expr::Select(select) = &mut expr.expr else {
        return;
    };
    if type_name.is_some() {
        return;
    }
    walk(&mut select.operand, claims);
    let name = if select.test { "@has" } else { "@select" };
    let operand = std::mem::take(&mut *select.operand);
    let field = std::mem::take(&mut select.field);
    expr.expr = access(name, operand, text(expr.id, &field));
}

/// An access to a part. Names in a token can be anything, and are written with escapes.
fn access(name: &str, operand: IdedExpr, key: IdedExpr) -> Expr {
    let plain = literal_string(&key)
        .and_then(unescape)
        .filter(|_| rooted(&operand));
    let args = match plain {
        Some(plain) => vec![operand, text(key.id, &plain), key],
        None => vec![operand, key],
    };
    call(name, args)
}

fn text(id: u64, text: &str) -> IdedExpr {
    IdedExpr {
        id,
        expr: Expr::Literal(LiteralValue::String(text.to_owned().into())),
    }
}

fn walk_call(expr: &mut IdedExpr, claims: bool) {
    let id = expr.id;
    let Expr::Call(of) = &mut expr.expr else {
        return;
    };
    let namespaced = of.target.as_deref().and_then(qualified);
    let namespaced = namespaced
        .map(|prefix| format!("{prefix}.{}", of.func_name))
        .filter(|name| declarations::function(name).is_some());
    if let (Some(target), None) = (&mut of.target, &namespaced) {
        walk(target, claims);
    }
    of.args
        .iter_mut()
        .for_each(|argument| walk(argument, claims));

    let claims = |expr: Option<&IdedExpr>| {
        claims && expr.is_some_and(|expr| is_variable(expr, Scope::Claims))
    };
    let fails = match of.func_name.as_str() {
        operators::IN if claims(of.args.get(1)) => Some("no such overload"),
        "size" if claims(of.args.first()) || claims(of.target.as_deref()) => {
            Some("no such overload: size")
        }
        _ => None,
    };
    if let Some(problem) = fails {
        expr.expr = call("@fail", vec![text(id, problem)]);
        return;
    }
    let accessor = match of.func_name.as_str() {
        operators::INDEX => Some("@index"),
        operators::OPT_INDEX | operators::OPT_SELECT => Some("@optional"),
        _ => None,
    };
    if let Some(name) = accessor {
        if let (Some(key), Some(operand)) = (of.args.pop(), of.args.pop()) {
            expr.expr = access(name, operand, key);
        }
        return;
    }
    if of.func_name == "cel.@mapInsert" {
        let name = if of.args.len() == 3 {
            "@insert"
        } else {
            "@merge"
        };
        name.clone_into(&mut of.func_name);
        return;
    }
    if let ("orValue", Some(target)) = (of.func_name.as_str(), &mut of.target) {
        // A value that is no optional is there.
        target.expr = call("@opt", vec![std::mem::take(&mut **target)]);
        return;
    }
    let method = namespaced.is_none();
    let name = namespaced.unwrap_or_else(|| of.func_name.clone());
    if library::owns(&name) {
        of.func_name = format!("@{name}");
        if let Some(target) = of.target.take().filter(|_| method) {
            of.args.insert(0, *target);
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

/// Whether it is the variable, be it hidden behind `dyn`.
fn is_variable(expr: &IdedExpr, scope: Scope) -> bool {
    match &expr.expr {
        Expr::Ident(name) => name == scope.variable(),
        Expr::Call(call) if call.func_name == "dyn" => {
            call.args.iter().all(|inner| is_variable(inner, scope))
        }
        _ => false,
    }
}

/// Whether an access leads back to a name: the values behind names come from a token.
fn rooted(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Ident(_) => true,
        Expr::Call(call) => match call.func_name.as_str() {
            "@claim" | "@index" | "@opt" | "@optional" | "@select" | "@first" | "@last" | "dyn" => {
                call.args.first().is_some_and(rooted)
            }
            "value" | "orValue" => call.target.as_deref().is_some_and(rooted),
            _ => false,
        },
        _ => false,
    }
}

/// The name that an escaped one stands for (<https://kubernetes.io/docs/reference/using-api/cel/#escaping>); `None`
/// when there is nothing to escape, or the escapes are wrong.
pub(super) fn unescape(name: &str) -> Option<String> {
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
