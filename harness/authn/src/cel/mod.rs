//! CEL expressions of a configuration: compiled, asked about, evaluated.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/cel/> and the CEL specification; error texts as cel-go
//! prints them. What stands behind [`Program`] is the `cel` crate with its interpreter, and a type checker of our own.

mod check;
mod clause;
mod declarations;
mod display;
mod interpreter;
mod library;
mod literals;
mod look;
mod macros;
mod names;
mod pairs;
mod rewrite;
mod rule;
mod syntax;
mod types;
mod value;

#[cfg(test)]
mod tests;

pub use look::{Compared, Part};
pub use rule::{Rule, Shape};
pub use value::Value;

/// The one variable an expression can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `claims`, a map from names to any values.
    Claims,
    /// `user`, with `username`, `uid`, `groups` and `extra`.
    User,
}

impl Scope {
    fn variable(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::User => "user",
        }
    }
}

/// What an expression must evaluate to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Anything; whoever asked for it looks at the value.
    Any,
    /// A boolean, and nothing that only may be one.
    Bool,
    /// A text.
    String,
}

/// Why an expression does not compile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// It is not in order; each problem as `ERROR: <input>:1:1: ...` with the line and a caret below it.
    #[error("compilation failed: {0}")]
    Invalid(String),
    /// Its type is not bool, as it has to be.
    #[error("must evaluate to bool")]
    NotBool,
    /// Its type is not string, as it has to be.
    #[error("must evaluate to a string")]
    NotString,
    /// It is in order, but no program can be made of it.
    #[error("program instantiation failed: {0}")]
    Program(String),
}

/// A compiled expression. This is all that the rest of the crate knows of CEL.
pub trait Program: Send + Sync {
    /// Evaluates the expression with the variable of its scope set to a JSON object. All numbers in it are doubles.
    ///
    /// # Errors
    /// cel-go's text.
    fn evaluate(&self, variable: &serde_json::Value) -> Result<Value, String>;

    /// Whether it selects that field of `claims` by name, as `claims.email` or `claims.?email`.
    fn selects(&self, field: &str) -> bool;

    /// What it reads of its variable, as paths of names in the order written, each once: `claims.a.b` is `[a, b]`.
    fn reads(&self) -> Vec<Vec<String>>;

    /// What `&&` connects at the top of the expression, each part with its value; the whole where nothing does.
    fn parts(&self, variable: &serde_json::Value) -> Vec<Part>;

    /// Comparisons with something written out, with the value that it is compared with.
    fn compared(&self, variable: &serde_json::Value) -> Vec<Compared>;
}

/// Compiles an expression.
///
/// # Errors
/// When the API server would refuse it, with its text.
pub fn compile(
    source: &str,
    scope: Scope,
    output: Output,
) -> Result<Box<dyn Program>, CompileError> {
    interpreter::compile(source, scope, output).map(|program| Box::new(program) as Box<dyn Program>)
}
