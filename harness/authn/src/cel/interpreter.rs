//! The interpreter of the `cel` crate behind [`Program`].

use std::sync::{Arc, LazyLock};

use cel::{Context, Env, ExecutionError, IdedExpr, extensions, parser::Parser};
use serde_json::Value as Json;

use super::{
    CompileError, Program, Scope, Value, check,
    display::{Problem, display},
    functions,
};

/// The environment: the standard library and the extensions that the API server has too.
fn env() -> &'static Arc<Env> {
    static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
        let mut env = Env::stdlib();
        // Declaring the crate's own extensions on its own standard library cannot conflict.
        let _ = extensions::strings(&mut env);
        let _ = extensions::lists(&mut env);
        Arc::new(env)
    });
    &ENV
}

struct Compiled {
    expr: IdedExpr,
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
    Ok(Compiled { expr, scope })
}

impl Program for Compiled {
    fn evaluate(&self, variable: &Json) -> Result<Value, String> {
        let mut context = Context::with_env(Arc::clone(env()));
        functions::add(&mut context);
        context.add_variable_from_value(self.scope.variable(), from_json(variable));
        let value = cel::Value::resolve(&self.expr, &context).map_err(|error| text(&error))?;
        Ok(to_value(&value))
    }

    fn is_bool(&self) -> bool {
        check::is_bool(&self.expr)
    }

    fn selects(&self, field: &str) -> bool {
        check::selects(&self.expr, Scope::Claims.variable(), field)
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
fn text(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload(overload) => {
            format!("no such overload: {}", overload.function())
        }
        ExecutionError::FunctionError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}
