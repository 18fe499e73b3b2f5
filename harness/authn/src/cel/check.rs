//! What can be told of an expression without a type checker: names that nobody declared, whether it is a boolean, which
//! claims it looks at.

use cel::{
    IdedExpr,
    common::ast::{EntryExpr, Expr, LiteralValue, SourceInfo, operators},
};

use super::{Scope, display::Problem};

/// Global functions and namespaces of the environment of 1.36.
const GLOBALS: &[&str] = &[
    "bool",
    "bytes",
    "cidr",
    "double",
    "duration",
    "dyn",
    "int",
    "ip",
    "isCIDR",
    "isIP",
    "isQuantity",
    "isSemver",
    "isURL",
    "list",
    "map",
    "matches",
    "quantity",
    "semver",
    "size",
    "string",
    "timestamp",
    "type",
    "uint",
    "url",
];

/// Type names that stand for themselves.
const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
    "optional_type",
];

/// Namespaces of functions, with their functions.
const NAMESPACED: &[(&str, &[&str])] = &[
    ("optional", &["none", "of", "ofNonZeroValue", "unwrap"]),
    ("sets", &["contains", "equivalent", "intersects"]),
    ("strings", &["quote"]),
    ("lists", &["range"]),
    ("ip", &["isCanonical"]),
    (
        "format",
        &[
            "byte",
            "date",
            "datetime",
            "dns1035Label",
            "dns1035LabelPrefix",
            "dns1123Label",
            "dns1123LabelPrefix",
            "dns1123Subdomain",
            "dns1123SubdomainPrefix",
            "labelValue",
            "named",
            "qualifiedName",
            "uri",
            "uuid",
        ],
    ),
];

/// Methods that some type has.
const METHODS: &[&str] = &[
    "add",
    "allowed",
    "asApproximateFloat",
    "asInteger",
    "charAt",
    "check",
    "compareTo",
    "contains",
    "containsCIDR",
    "containsIP",
    "decision",
    "distinct",
    "endsWith",
    "error",
    "errored",
    "family",
    "fieldSelector",
    "find",
    "findAll",
    "first",
    "flatten",
    "format",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getEscapedPath",
    "getFullYear",
    "getHost",
    "getHostname",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getPort",
    "getQuery",
    "getScheme",
    "getSeconds",
    "group",
    "hasValue",
    "indexOf",
    "ip",
    "isGlobalUnicast",
    "isGreaterThan",
    "isInteger",
    "isLessThan",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isLoopback",
    "isSorted",
    "isUnspecified",
    "join",
    "labelSelector",
    "last",
    "lastIndexOf",
    "lowerAscii",
    "major",
    "masked",
    "matches",
    "max",
    "min",
    "minor",
    "name",
    "namespace",
    "or",
    "orValue",
    "patch",
    "path",
    "prefixLength",
    "reason",
    "replace",
    "resource",
    "reverse",
    "serviceAccount",
    "sign",
    "size",
    "slice",
    "sort",
    "split",
    "startsWith",
    "string",
    "sub",
    "subresource",
    "substring",
    "sum",
    "trim",
    "unwrapOpt",
    "upperAscii",
    "validate",
    "value",
];

/// Finds names that are not declared.
pub(super) fn undeclared(expr: &IdedExpr, info: &SourceInfo, scope: Scope) -> Vec<Problem> {
    let mut checker = Checker {
        info,
        variables: vec![scope.variable().to_owned()],
        problems: Vec::new(),
    };
    checker.expr(expr);
    checker.problems.sort();
    checker.problems
}

struct Checker<'a> {
    info: &'a SourceInfo,
    variables: Vec<String>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, at: &IdedExpr, name: &str) {
        let offset = self.info.offset_for(at.id).map_or(0, |(start, _)| start);
        let (line, column) = position(&self.info.source, usize::try_from(offset).unwrap_or(0));
        self.problems.push(Problem {
            line,
            column,
            message: format!("undeclared reference to '{name}' (in container '')"),
        });
    }

    fn expr(&mut self, expr: &IdedExpr) {
        match &expr.expr {
            Expr::Ident(name) => {
                let known = self.variables.iter().any(|variable| variable == name)
                    || TYPES.contains(&name.as_str())
                    || name.starts_with('@');
                if !known {
                    self.report(expr, name);
                }
            }
            Expr::Select(select) => {
                // The names of well-known types.
                if !is_path(expr, &["google", "protobuf"]) {
                    self.expr(&select.operand);
                }
            }
            Expr::Call(call) => {
                match &call.target {
                    Some(target) => {
                        if !namespaced(target, &call.func_name) {
                            self.expr(target);
                            if !METHODS.contains(&call.func_name.as_str())
                                && !call.func_name.starts_with('@')
                            {
                                self.report(expr, &call.func_name);
                            }
                        }
                    }
                    None => {
                        let name = call.func_name.as_str();
                        let operator = name.contains(['_', '@', '?']) || name == "!";
                        if !operator && !GLOBALS.contains(&name) {
                            self.report(expr, name);
                        }
                    }
                }
                for argument in &call.args {
                    self.expr(argument);
                }
            }
            Expr::List(list) => list.elements.iter().for_each(|item| self.expr(item)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expr(&entry.key);
                    self.expr(&entry.value);
                }
                EntryExpr::StructField(field) => self.expr(&field.value),
            }),
            Expr::Struct(object) => {
                self.report(expr, &object.type_name);
            }
            Expr::Comprehension(comprehension) => {
                self.expr(&comprehension.iter_range);
                self.expr(&comprehension.accu_init);
                let outer = self.variables.len();
                self.variables.push(comprehension.accu_var.clone());
                self.variables.push(comprehension.iter_var.clone());
                self.variables.extend(comprehension.iter_var2.clone());
                self.expr(&comprehension.loop_cond);
                self.expr(&comprehension.loop_step);
                self.variables.truncate(outer + 1);
                self.expr(&comprehension.result);
                self.variables.truncate(outer);
            }
            Expr::Literal(_) | Expr::Unspecified => {}
        }
    }
}

fn is_path(expr: &IdedExpr, prefix: &[&str]) -> bool {
    let mut names = Vec::new();
    let mut expr = expr;
    while let Expr::Select(select) = &expr.expr {
        names.push(select.field.as_str());
        expr = &select.operand;
    }
    if let Expr::Ident(name) = &expr.expr {
        names.push(name.as_str());
    }
    names.reverse();
    names.starts_with(prefix) && names.len() > prefix.len()
}

fn namespaced(target: &IdedExpr, function: &str) -> bool {
    let Expr::Ident(namespace) = &target.expr else {
        return false;
    };
    NAMESPACED
        .iter()
        .any(|(name, functions)| name == namespace && functions.contains(&function))
}

/// Line from 1 and column from 0 of a byte offset.
pub(super) fn position(source: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &source[..offset];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count())
}

/// Whether the type is bool for sure.
pub(super) fn is_bool(expr: &IdedExpr) -> bool {
    match &expr.expr {
        Expr::Literal(LiteralValue::Boolean(_)) => true,
        Expr::Select(select) => select.test,
        Expr::Call(call) => match call.func_name.as_str() {
            operators::CONDITIONAL => call.args.iter().skip(1).all(is_bool),
            operators::EQUALS
            | operators::NOT_EQUALS
            | operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS
            | operators::IN
            | operators::LOGICAL_AND
            | operators::LOGICAL_OR
            | operators::LOGICAL_NOT => true,
            "bool"
            | "contains"
            | "containsCIDR"
            | "containsIP"
            | "endsWith"
            | "equivalent"
            | "hasValue"
            | "intersects"
            | "isCIDR"
            | "isCanonical"
            | "isGlobalUnicast"
            | "isGreaterThan"
            | "isIP"
            | "isInteger"
            | "isLessThan"
            | "isLinkLocalMulticast"
            | "isLinkLocalUnicast"
            | "isLoopback"
            | "isQuantity"
            | "isSemver"
            | "isSorted"
            | "isURL"
            | "isUnspecified"
            | "matches"
            | "startsWith" => true,
            "orValue" => call.args.iter().all(is_bool),
            _ => false,
        },
        Expr::Comprehension(comprehension) => {
            let init = is_bool(&comprehension.accu_init);
            // A bound value or the count of `exists_one` has another type than its result.
            init || is_bool(&comprehension.result)
        }
        _ => false,
    }
}

/// Whether the expression selects a field of a variable: the rule that `claims.email` asks for
/// `claims.email_verified` looks for exactly this form.
pub(super) fn selects(expr: &IdedExpr, variable: &str, field: &str) -> bool {
    let is_variable = |expr: &IdedExpr| matches!(&expr.expr, Expr::Ident(name) if name == variable);
    let inner = |expr: &IdedExpr| selects(expr, variable, field);
    match &expr.expr {
        Expr::Select(select) => {
            is_variable(&select.operand) && select.field == field || inner(&select.operand)
        }
        Expr::Call(call) => {
            let optional = call.target.is_none() && call.func_name == operators::OPT_SELECT;
            let named = |expr: &IdedExpr| match &expr.expr {
                Expr::Literal(LiteralValue::String(name)) => name.inner() == field,
                _ => false,
            };
            optional && matches!(call.args.as_slice(), [of, name] if is_variable(of) && named(name))
                || call.args.iter().any(inner)
                || call.target.as_deref().is_some_and(inner)
        }
        Expr::List(list) => list.elements.iter().any(inner),
        Expr::Map(map) => map.entries.iter().any(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => inner(&entry.key) || inner(&entry.value),
            EntryExpr::StructField(field) => inner(&field.value),
        }),
        Expr::Struct(object) => object.entries.iter().any(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => inner(&entry.key) || inner(&entry.value),
            EntryExpr::StructField(field) => inner(&field.value),
        }),
        Expr::Comprehension(comprehension) => [
            &comprehension.iter_range,
            &comprehension.accu_init,
            &comprehension.loop_cond,
            &comprehension.loop_step,
            &comprehension.result,
        ]
        .into_iter()
        .any(inner),
        Expr::Literal(_) | Expr::Ident(_) | Expr::Unspecified => false,
    }
}
