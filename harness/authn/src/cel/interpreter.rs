//! The interpreter of the `cel` crate behind [`Program`].

use std::sync::{Arc, LazyLock};

use cel::{
    Context, Env, ExecutionError, IdedExpr,
    common::ast::{Expr, LiteralValue, SourceInfo, operators},
    extensions,
    objects::OptionalValue,
    parser::Parser,
};
use serde_json::Value as Json;

use super::{
    CompileError, Output, Program, Scope, Value, check, declarations,
    display::{Problem, display},
    library, literals,
    look::{self, Compared, Part},
    macros, names, rewrite, syntax,
    types::Type,
};

/// The environment: the standard library and the extensions that the API server has too.
fn env() -> &'static Arc<Env> {
    static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        // Declaring the crate's own extensions on its own standard library cannot conflict.
        let _ = extensions::strings(&mut env);
        let _ = extensions::lists(&mut env);
        let _ = macros::add(&mut env);
        Arc::new(env)
    });
    &ENV
}

struct Compiled {
    /// As it was written.
    expr: IdedExpr,
    /// As it is evaluated.
    program: IdedExpr,
    scope: Scope,
    /// Where its parts stand.
    info: SourceInfo,
}

/// An expression in order.
pub(super) struct Prepared {
    /// As it was written.
    pub(super) expr: IdedExpr,
    /// As it is evaluated.
    pub(super) program: IdedExpr,
    info: SourceInfo,
}

/// Parses and checks an expression about these variables.
pub(super) fn prepare(
    source: &str,
    variables: Vec<(String, Type)>,
    claims: bool,
    output: Output,
) -> Result<Prepared, CompileError> {
    let parser: Parser = env().parser();
    let invalid = |problems: &[Problem]| CompileError::Invalid(display(source, problems));
    let (expr, info) = parser
        .parse_with_source_info(source)
        .map_err(|errors| invalid(&syntax::problems(source, errors)))?;
    let types = check::check(&expr, &info, variables).map_err(|problems| invalid(&problems))?;
    literals::check(&expr, &info, &types).map_err(|problems| invalid(&problems))?;
    match output {
        Output::Bool if *types.of(&expr) != Type::BOOL => return Err(CompileError::NotBool),
        Output::String if *types.of(&expr) != Type::STRING => return Err(CompileError::NotString),
        _ => {}
    }
    literals::fold(&expr).map_err(CompileError::Program)?;
    let program = rewrite::rewrite(expr.clone(), claims);
    Ok(Prepared {
        expr,
        program,
        info,
    })
}

pub(super) fn compile(
    source: &str,
    scope: Scope,
    output: Output,
) -> Result<impl Program + use<>, CompileError> {
    let variable = (scope.variable().to_owned(), declarations::variable(scope));
    let prepared = prepare(source, vec![variable], scope == Scope::Claims, output)?;
    Ok(Compiled {
        expr: prepared.expr,
        program: prepared.program,
        scope,
        info: prepared.info,
    })
}

/// Evaluates an expression that needs no variable.
///
/// # Errors
/// cel-go's text.
pub(super) fn constant(expr: &IdedExpr) -> Result<(), String> {
    let expr = rewrite::rewrite(expr.clone(), true);
    evaluate(&expr, Vec::new()).map(|_| ())
}

/// Evaluates an expression with its variables.
///
/// # Errors
/// cel-go's text.
pub(super) fn evaluate(
    program: &IdedExpr,
    variables: Vec<(&str, cel::Value)>,
) -> Result<Value, String> {
    let mut context = Context::with_env(Arc::clone(env()));
    library::add(&mut context);
    for (name, value) in variables {
        context.add_variable_from_value(name, value);
    }
    resolve(program, &context)
}

/// What `duration` makes of a text.
pub(super) fn duration(text: &str) -> Option<cel::Value> {
    let literal = IdedExpr {
        id: 0,
        expr: Expr::Literal(LiteralValue::String(text.to_owned().into())),
    };
    let call = IdedExpr {
        id: 0,
        expr: rewrite::call("duration", vec![literal]),
    };
    let context = Context::with_env(Arc::clone(env()));
    let value = cel::Value::resolve_val(&call, &context).ok()?;
    cel::Value::try_from(value.as_ref()).ok()
}

impl Compiled {
    /// The value of the expression, or of a part of it, as it is to be evaluated.
    fn value(&self, program: &IdedExpr, variable: &Json) -> Result<Value, String> {
        let variable = (self.scope.variable(), from_json(variable));
        let value = evaluate(program, vec![variable])?;
        // A list of strings in Go's own form is none that a mapping takes.
        Ok(match value {
            Value::List(_) if native_list(program) => Value::Other("list".to_owned()),
            value => value,
        })
    }

    /// The value of a part as it was written.
    fn written(&self, part: &IdedExpr, variable: &Json) -> Result<Value, String> {
        let claims = self.scope == Scope::Claims;
        self.value(&rewrite::rewrite(part.clone(), claims), variable)
    }
}

impl Program for Compiled {
    fn evaluate(&self, variable: &Json) -> Result<Value, String> {
        self.value(&self.program, variable)
    }

    fn reads(&self) -> Vec<Vec<String>> {
        look::reads(&self.expr, self.scope.variable())
    }

    fn parts(&self, variable: &Json) -> Vec<Part> {
        look::parts(&self.expr, &self.info, |part| self.written(part, variable))
    }

    fn compared(&self, variable: &Json) -> Vec<Compared> {
        look::compared(&self.expr, &self.info, |part| self.written(part, variable))
    }

    fn selects(&self, field: &str) -> bool {
        names::selects(&self.expr, Scope::Claims.variable(), field)
    }
}

/// Evaluates an expression. Its logical operators are ours: of two errors the interpreter reports the second, cel-go
/// the first.
fn resolve(expr: &IdedExpr, context: &Context<'_, '_>) -> Result<Value, String> {
    if let Expr::Call(call) = &expr.expr {
        let short = match call.func_name.as_str() {
            operators::LOGICAL_OR => Some(true),
            operators::LOGICAL_AND => Some(false),
            _ => None,
        };
        if let (Some(short), [left, right]) = (short, call.args.as_slice()) {
            let left = resolve(left, context);
            if left == Ok(Value::Bool(short)) {
                return left;
            }
            let right = resolve(right, context);
            return match (left, right) {
                (_, Ok(Value::Bool(value))) if value == short => Ok(Value::Bool(short)),
                (Ok(Value::Bool(_)), Ok(Value::Bool(_))) => Ok(Value::Bool(!short)),
                (Err(error), _) | (Ok(Value::Bool(_)), Err(error)) => Err(error),
                _ => Err("no such overload".to_owned()),
            };
        }
    }
    let value = cel::Value::resolve_val(expr, context).map_err(|error| text(&error))?;
    if value.get_type().name() == "type" {
        return Ok(Value::Other("type".to_owned()));
    }
    match cel::Value::try_from(value.as_ref()) {
        Ok(value) => Ok(to_value(&value)),
        Err(error) => Err(text(&error)),
    }
}

/// Whether the expression is a call whose list is one of Go strings: the result of `split`, `findAll` and the like,
/// untouched or only added to.
fn native_list(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Call(call) => match call.func_name.as_str() {
            "split" | "@findAll" => true,
            "dyn" | operators::ADD => call.args.iter().any(native_list),
            operators::CONDITIONAL => call.args.iter().skip(1).any(native_list),
            _ => false,
        },
        _ => false,
    }
}

fn from_json(json: &Json) -> cel::Value {
    match json {
        Json::Null => cel::Value::Null,
        Json::Bool(value) => cel::Value::Bool(*value),
        Json::Number(number) => cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => cel::Value::String(Arc::new(text.clone())),
        Json::Array(items) => cel::Value::List(Arc::new(items.iter().map(from_json).collect())),
        Json::Object(entries) => {
            let entries: std::collections::HashMap<String, cel::Value> = entries
                .iter()
                .map(|(key, value)| (key.clone(), from_json(value)))
                .collect();
            entries.into()
        }
    }
}

fn to_value(value: &cel::Value) -> Value {
    match value {
        cel::Value::Null => Value::Null,
        cel::Value::Bool(value) => Value::Bool(*value),
        cel::Value::Int(number) => Value::Int(*number),
        cel::Value::UInt(number) => Value::Uint(*number),
        cel::Value::Float(number) => Value::Double(*number),
        cel::Value::String(text) => Value::String(text.as_str().to_owned()),
        cel::Value::List(items) => Value::List(items.iter().map(to_value).collect()),
        cel::Value::Map(map) => Value::Map(
            map.map
                .iter()
                .map(|(key, value)| (key.to_string(), to_value(value)))
                .collect(),
        ),
        other => match <&OptionalValue>::try_from(other) {
            Ok(held) => Value::Optional(held.value().map(|value| Box::new(to_value(value)))),
            Err(_) => Value::Other(library::type_name(other)),
        },
    }
}

/// cel-go's words for an error.
fn text(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(overload) => {
            no_overload(overload.function(), overload.argument_types())
        }
        ExecutionError::FunctionError { function, message } => function_error(function, message),
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(_, cel::Value::UInt(_), _) => {
            "unsigned integer overflow".to_owned()
        }
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            let name = match *operator {
                "add" => "_+_",
                "sub" => "_-_",
                "mul" => "_*_",
                "div" => "_/_",
                _ => "_%_",
            };
            no_overload(name, &[left, right].map(library::type_name))
        }
        ExecutionError::UnexpectedType { got, want } if want == "iterable" => {
            let go_type = match got.as_str() {
                "null_type" => "types.Null",
                "bool" => "types.Bool",
                "double" => "types.Double",
                "int" => "types.Int",
                "string" => "types.String",
                "optional_type" => "*types.Optional",
                other => other,
            };
            format!("got '{go_type}', expected iterable type")
        }
        ExecutionError::UnexpectedType { .. } => "no such overload".to_owned(),
        other => other.to_string(),
    }
}

/// A call with the wrong types. An operator is named when its first operand is of a type that has nothing like it, a
/// function with all the types that it got.
fn no_overload(name: &str, types: &[String]) -> String {
    let first = types.first().map_or("", String::as_str);
    let calculates: &[&str] = match name {
        "_+_" => &["bytes", "double", "int", "list", "uint"],
        "_-_" | "_*_" | "_/_" => &["double", "int", "uint"],
        "-_" => &["bool", "double", "int"],
        "_%_" => &["int", "uint"],
        "_<_" | "_<=_" | "_>_" | "_>=_" => &["bool", "bytes", "double", "int", "uint"],
        "matches" | "size" | "sort" => &[],
        "contains" | "endsWith" | "startsWith" => return "no such overload".to_owned(),
        name if name.starts_with(|c: char| c.is_ascii_alphabetic()) => {
            return format!("no such overload: {name}({})", types.join(", "));
        }
        _ => return "no such overload".to_owned(),
    };
    // These hand on what they do not know, and then nobody knows the name any more.
    let hands_on = matches!(
        first,
        "string" | "google.protobuf.Duration" | "google.protobuf.Timestamp"
    ) && name != "size";
    if hands_on || calculates.contains(&first) {
        "no such overload".to_owned()
    } else {
        format!("no such overload: {name}")
    }
}

/// The messages of conversions name both types, whatever was wrong.
fn function_error(function: &str, message: &str) -> String {
    let target = match function {
        "timestamp" => "google.protobuf.Timestamp",
        "duration" => "google.protobuf.Duration",
        "bool" | "double" | "int" | "uint" => function,
        _ => return message.to_owned(),
    };
    if message.contains("overflow") || message.contains("range") {
        return message.to_owned();
    }
    format!("type conversion error from 'string' to '{target}'")
}
