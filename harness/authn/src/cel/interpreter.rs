//! The interpreter of the `cel` crate behind [`Program`].

use std::sync::{Arc, LazyLock};

use cel::{
    Context, Env, ExecutionError, IdedExpr,
    common::ast::{Expr, operators},
    extensions,
    parser::Parser,
};
use serde_json::Value as Json;

use super::{
    CompileError, Program, Scope, Value, check,
    display::{Problem, display},
    library, macros, rewrite,
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
}

pub(super) fn compile(source: &str, scope: Scope) -> Result<impl Program + use<>, CompileError> {
    let parser: Parser = env().parser();
    let invalid = |problems: &[Problem]| CompileError::Invalid(display(source, problems));
    let (expr, info) = parser.parse_with_source_info(source).map_err(|errors| {
        let problems: Vec<Problem> = errors
            .errors
            .into_iter()
            .map(|error| Problem {
                line: usize::try_from(error.pos.0).unwrap_or(1),
                column: usize::try_from(error.pos.1).unwrap_or(1).saturating_sub(1),
                message: error.msg,
            })
            .collect();
        invalid(&problems)
    })?;
    let problems = check::undeclared(&expr, &info, scope);
    if !problems.is_empty() {
        return Err(invalid(&problems));
    }
    let program = rewrite::rewrite(expr.clone(), scope);
    Ok(Compiled {
        expr,
        program,
        scope,
    })
}

impl Program for Compiled {
    fn evaluate(&self, variable: &Json) -> Result<Value, String> {
        let mut context = Context::with_env(Arc::clone(env()));
        library::add(&mut context);
        context.add_variable_from_value(self.scope.variable(), from_json(variable));
        let value = resolve(&self.program, &context)?;
        // A list of strings in Go's own form is none that a mapping takes.
        Ok(match value {
            Value::List(_) if native_list(&self.program) => Value::Other("list".to_owned()),
            value => value,
        })
    }

    fn is_bool(&self) -> bool {
        check::is_bool(&self.expr)
    }

    fn selects(&self, field: &str) -> bool {
        check::selects(&self.expr, Scope::Claims.variable(), field)
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
                (Err(error), _) | (Ok(_), Err(error)) => Err(error),
                _ => Err("no such overload".to_owned()),
            };
        }
    }
    let value = cel::Value::resolve_val(expr, context).map_err(|error| text(&error, expr))?;
    if value.get_type().name() == "type" {
        return Ok(Value::Other("type".to_owned()));
    }
    match cel::Value::try_from(value.as_ref()) {
        Ok(value) => Ok(to_value(&value)),
        Err(error) => Err(text(&error, expr)),
    }
}

/// Whether the expression is a call whose list is one of Go strings: the result of `split`, `findAll` and the like,
/// untouched or only added to.
fn native_list(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Call(call) => match call.func_name.as_str() {
            "split" | "findAll" => true,
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
        other => Value::Other(format!("{:?}", other.type_of())),
    }
}

/// cel-go's words for an error.
fn text(error: &ExecutionError, expr: &IdedExpr) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload(overload) => match overload.function() {
            "_._" => match last_field(expr) {
                Some(field) => format!("no such key: {field}"),
                None => "no such overload".to_owned(),
            },
            "_[_]" => match overload.argument_types() {
                [list, index] if list == "list" => {
                    format!("unsupported index type '{index}' in list")
                }
                _ => "no such overload".to_owned(),
            },
            name @ ("_<_" | "_<=_" | "_>_" | "_>=_" | "size") => {
                format!("no such overload: {name}")
            }
            name @ ("bool" | "bytes" | "double" | "duration" | "int" | "timestamp" | "uint") => {
                let found = overload.argument_types().first();
                let found = found.map_or("", String::as_str);
                format!("no such overload: {name}({found})")
            }
            _ => "no such overload".to_owned(),
        },
        ExecutionError::FunctionError { function, message } => function_error(function, message),
        ExecutionError::IndexOutOfBounds(cel::Value::Int(index)) => {
            format!("index out of bounds: {index}")
        }
        ExecutionError::DivisionByZero(_) => "division by zero".to_owned(),
        ExecutionError::RemainderByZero(_) => "modulus by zero".to_owned(),
        ExecutionError::Overflow(_, cel::Value::UInt(_), _) => {
            "unsigned integer overflow".to_owned()
        }
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::UnsupportedBinaryOperator(..) => "no such overload".to_owned(),
        ExecutionError::UnexpectedType { got, want } if want == "iterable" => {
            let go_type = match got.as_str() {
                "null_type" => "types.Null",
                "bool" => "types.Bool",
                "double" => "types.Double",
                "int" => "types.Int",
                "string" => "types.String",
                other => other,
            };
            format!("got '{go_type}', expected iterable type")
        }
        other => other.to_string(),
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

/// The last field of the first chain of selections.
fn last_field(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Select(select) => Some(&select.field),
        Expr::Call(call) => {
            let parts = call.target.as_deref().into_iter().chain(&call.args);
            parts.filter_map(last_field).next()
        }
        _ => None,
    }
}
