//! Comprehensions with two variables (cel-go's library of that name): index and item of a list, key and value of a map.

use cel::{
    DeclarationError, Env, IdedExpr, ParseError,
    common::ast::{CallExpr, ComprehensionExpr, Expr, ListExpr, LiteralValue, MapExpr, operators},
    parser::{Macro, MacroExprHelper},
};

const RESULT: &str = "@result";
const INSERT: &str = "cel.@mapInsert";

type Shape = fn(&mut Builder<'_, '_>) -> (IdedExpr, IdedExpr, IdedExpr);

/// Adds the macros to an environment.
pub(super) fn add(env: &mut Env) -> Result<(), DeclarationError> {
    let macros: [(&str, usize, Shape); 10] = [
        ("all", 3, |b| {
            let (init, result) = (b.boolean(true), b.result());
            (init, b.operator(operators::LOGICAL_AND), result)
        }),
        ("exists", 3, |b| {
            let (init, result) = (b.boolean(false), b.result());
            (init, b.operator(operators::LOGICAL_OR), result)
        }),
        ("existsOne", 3, exists_one),
        ("exists_one", 3, exists_one),
        ("transformList", 3, transform_list),
        ("transformList", 4, transform_list),
        ("transformMap", 3, transform_map),
        ("transformMap", 4, transform_map),
        ("transformMapEntry", 3, transform_map_entry),
        ("transformMapEntry", 4, transform_map_entry),
    ];
    for (name, arguments, shape) in macros {
        env.add_macro(Macro::receiver(
            name,
            arguments,
            move |helper, target, args| expand(helper, target, args, shape).map(Some),
        ))?;
    }
    Ok(())
}

struct Builder<'a, 'h> {
    helper: &'a mut MacroExprHelper<'h>,
    /// The last argument.
    body: IdedExpr,
    /// The one before it, when there are four.
    filter: Option<IdedExpr>,
    /// The name of the first variable.
    key: String,
}

fn expand(
    helper: &mut MacroExprHelper<'_>,
    target: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
    shape: Shape,
) -> Result<IdedExpr, ParseError> {
    let body = args.pop().unwrap_or_default();
    let filter = (args.len() == 3).then(|| args.pop().unwrap_or_default());
    let mut names = Vec::new();
    for argument in args.iter() {
        match &argument.expr {
            Expr::Ident(name) if names.contains(name) => {
                let message = format!("duplicate variable name: {name}");
                return Err(helper.new_error(argument.id, message));
            }
            Expr::Ident(name) => names.push(name.clone()),
            _ => return Err(helper.new_error(argument.id, "argument must be a simple name")),
        }
    }
    let second = names.pop();
    let first = names.pop().unwrap_or_default();
    let mut builder = Builder {
        body,
        filter,
        key: first.clone(),
        helper,
    };
    let (accu_init, loop_step, result) = shape(&mut builder);
    let loop_cond = builder.boolean(true);
    let helper = builder.helper;
    Ok(
        helper.next_expr(Expr::Comprehension(Box::new(ComprehensionExpr {
            iter_range: target.take().unwrap_or_default(),
            iter_var: first,
            iter_var2: second,
            accu_var: RESULT.to_owned(),
            accu_init,
            loop_cond,
            loop_step,
            result,
        }))),
    )
}

impl Builder<'_, '_> {
    fn boolean(&mut self, value: bool) -> IdedExpr {
        self.helper
            .next_expr(Expr::Literal(LiteralValue::Boolean(value.into())))
    }

    fn int(&mut self, value: i64) -> IdedExpr {
        self.helper
            .next_expr(Expr::Literal(LiteralValue::Int(value.into())))
    }

    fn result(&mut self) -> IdedExpr {
        self.helper.next_expr(Expr::Ident(RESULT.to_owned()))
    }

    fn call(&mut self, name: &str, args: Vec<IdedExpr>) -> IdedExpr {
        self.helper.next_expr(Expr::Call(CallExpr {
            func_name: name.to_owned(),
            target: None,
            args,
        }))
    }

    /// The result so far combined with the body.
    fn operator(&mut self, operator: &str) -> IdedExpr {
        let args = vec![self.result(), self.body.clone()];
        self.call(operator, args)
    }

    /// A step that is only taken where the filter lets it.
    fn filtered(&mut self, step: IdedExpr) -> IdedExpr {
        match self.filter.take() {
            None => step,
            Some(filter) => {
                let args = vec![filter, step, self.result()];
                self.call(operators::CONDITIONAL, args)
            }
        }
    }

    fn step(&mut self, function: &str, more: Vec<IdedExpr>) -> IdedExpr {
        let mut args = vec![self.result()];
        args.extend(more);
        let step = self.call(function, args);
        self.filtered(step)
    }
}

fn exists_one(b: &mut Builder<'_, '_>) -> (IdedExpr, IdedExpr, IdedExpr) {
    let one = b.int(1);
    b.filter = Some(b.body.clone());
    let step = b.step(operators::ADD, vec![one.clone()]);
    let args = vec![b.result(), one];
    (b.int(0), step, b.call(operators::EQUALS, args))
}

fn transform_list(b: &mut Builder<'_, '_>) -> (IdedExpr, IdedExpr, IdedExpr) {
    let item = Expr::List(ListExpr::new(vec![b.body.clone()]));
    let item = b.helper.next_expr(item);
    let step = b.step(operators::ADD, vec![item]);
    let init = b.helper.next_expr(Expr::List(ListExpr::new(Vec::new())));
    (init, step, b.result())
}

fn transform_map(b: &mut Builder<'_, '_>) -> (IdedExpr, IdedExpr, IdedExpr) {
    let key = Expr::Ident(b.key.clone());
    let args = vec![b.helper.next_expr(key), b.body.clone()];
    let step = b.step(INSERT, args);
    let init = b.helper.next_expr(Expr::Map(MapExpr::default()));
    (init, step, b.result())
}

fn transform_map_entry(b: &mut Builder<'_, '_>) -> (IdedExpr, IdedExpr, IdedExpr) {
    let args = vec![b.body.clone()];
    let step = b.step(INSERT, args);
    let init = b.helper.next_expr(Expr::Map(MapExpr::default()));
    (init, step, b.result())
}
