//! The type checker.
//!
//! Source: <https://github.com/google/cel-spec/blob/master/doc/langdef.md#gradual-type-checking>; the texts are those
//! of cel-go.

use std::collections::HashMap;

use cel::{
    IdedExpr,
    common::ast::{
        CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SelectExpr,
        SourceInfo, StructExpr, operators,
    },
};

use super::{
    declarations::{self, Overload},
    display::Problem,
    names::{literal_string, qualified},
    types::{Bindings, List, Type, most_general},
};

/// What is known of the parts of an expression after it was checked.
pub(super) struct Types(HashMap<u64, Type>);

impl Types {
    /// The type of a part.
    pub(super) fn of(&self, expr: &IdedExpr) -> &Type {
        static UNKNOWN: Type = Type::DYN;
        self.0.get(&expr.id).unwrap_or(&UNKNOWN)
    }
}

/// Finds the types of an expression and of all its parts.
///
/// # Errors
/// The problems in it, in the order of their places.
pub(super) fn check(
    expr: &IdedExpr,
    info: &SourceInfo,
    variables: Vec<(String, Type)>,
) -> Result<Types, Vec<Problem>> {
    let mut checker = Checker {
        info,
        variables,
        types: HashMap::new(),
        bindings: Bindings::default(),
        problems: Vec::new(),
    };
    checker.expr(expr);
    let Checker {
        types,
        bindings,
        mut problems,
        ..
    } = checker;
    if problems.is_empty() {
        let types = types.into_iter();
        return Ok(Types(
            types
                .map(|(id, ty)| (id, bindings.resolve(&ty, true)))
                .collect(),
        ));
    }
    problems.sort_by_key(|problem| (problem.line, problem.column));
    Err(problems)
}

/// A problem at the place of a part.
pub(super) fn problem(info: &SourceInfo, at: &IdedExpr, message: String) -> Problem {
    let offset = info.offset_for(at.id).map_or(0, |(start, _)| start);
    let mut offset = usize::try_from(offset).unwrap_or(0);
    let negative = match &at.expr {
        Expr::Literal(LiteralValue::Int(number)) => *number.inner() < 0,
        Expr::Literal(LiteralValue::Double(number)) => number.inner().is_sign_negative(),
        _ => false,
    };
    if negative && let Some(before) = info.source.get(..=offset) {
        // The sign belongs to the literal.
        offset = before.rfind('-').unwrap_or(offset);
    }
    let (line, column) = position(&info.source, offset);
    Problem {
        line,
        column,
        message,
    }
}

/// Line from 1 and column from 0 of a byte offset.
fn position(source: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(source.len());
    while !source.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &source[..offset];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count())
}

struct Checker<'a> {
    info: &'a SourceInfo,
    variables: Vec<(String, Type)>,
    types: HashMap<u64, Type>,
    bindings: Bindings,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn report(&mut self, at: &IdedExpr, message: String) {
        self.problems.push(problem(self.info, at, message));
    }

    fn mismatch(&mut self, at: &IdedExpr, expected: &Type, found: &Type) {
        self.report(
            at,
            format!("expected type '{expected}' but found '{found}'"),
        );
    }

    fn undeclared(&mut self, at: &IdedExpr, name: &str) -> Type {
        self.report(
            at,
            format!("undeclared reference to '{name}' (in container '')"),
        );
        Type::ERROR
    }

    fn assignable(&mut self, from: &Type, to: &Type) -> bool {
        self.bindings
            .assignable(std::slice::from_ref(from), std::slice::from_ref(to))
    }

    fn expr(&mut self, expr: &IdedExpr) -> Type {
        let ty = match &expr.expr {
            Expr::Literal(literal) => Type::simple(match literal {
                LiteralValue::Boolean(_) => "bool",
                LiteralValue::Bytes(_) => "bytes",
                LiteralValue::Double(_) => "double",
                LiteralValue::Int(_) => "int",
                LiteralValue::Null => "null",
                LiteralValue::String(_) => "string",
                LiteralValue::UInt(_) => "uint",
            }),
            Expr::Ident(name) => match self.lookup(name) {
                Some(ty) => ty,
                None => self.undeclared(expr, name),
            },
            Expr::Select(select) => self.select(expr, select),
            Expr::Call(call) => self.call(expr, call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => self.map(map),
            Expr::Struct(object) => self.object(expr, object),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Unspecified => Type::ERROR,
        };
        self.types.insert(expr.id, ty.clone());
        ty
    }

    fn lookup(&self, name: &str) -> Option<Type> {
        let name = name.trim_start_matches('.');
        let variable = self.variables.iter().rev().find(|(known, _)| known == name);
        variable.map_or_else(|| declarations::type_name(name), |(_, ty)| Some(ty.clone()))
    }

    fn select(&mut self, expr: &IdedExpr, select: &SelectExpr) -> Type {
        if let Some(ty) = qualified(expr).and_then(|name| declarations::type_name(&name)) {
            return ty;
        }
        let ty = self.field(expr, &select.operand, &select.field, false);
        if select.test {
            Type::BOOL
        } else {
            self.bindings.resolve(&ty, false)
        }
    }

    fn field(&mut self, at: &IdedExpr, operand: &IdedExpr, field: &str, optional: bool) -> Type {
        let operand = self.expr(operand);
        let operand = self.bindings.resolve(&operand, false);
        let (of, is_optional) = operand.unwrap_optional();
        let ty = match of {
            Type::Named("map", params) => params[1].clone(),
            Type::Variable(_) => {
                self.assignable(&Type::DYN, of);
                Type::DYN
            }
            of => match declarations::field(of, field) {
                Some(Some(ty)) => ty,
                Some(None) => {
                    self.report(at, format!("undefined field '{field}'"));
                    Type::ERROR
                }
                // Objects too, but nobody declared their fields.
                None if of.name().starts_with("kubernetes.") => {
                    self.report(at, format!("unexpected failed resolution of '{of}'"));
                    Type::ERROR
                }
                None => {
                    if !of.is_dyn() && *of != Type::ERROR {
                        self.report(at, format!("type '{of}' does not support field selection"));
                    }
                    Type::DYN
                }
            },
        };
        if is_optional || optional {
            Type::optional(ty)
        } else {
            ty
        }
    }

    fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Type {
        let name = call.func_name.as_str();
        if let (operators::OPT_SELECT, [operand, field]) = (name, call.args.as_slice()) {
            let field = literal_string(field).unwrap_or_default();
            let ty = self.field(expr, operand, field, true);
            return self.bindings.resolve(&ty, false);
        }
        let mut arguments: Vec<Type> = call.args.iter().map(|arg| self.expr(arg)).collect();
        let Some(target) = &call.target else {
            let plain = name.trim_start_matches('.');
            return match declarations::function(plain) {
                Some(overloads) => {
                    self.resolve(expr, plain, overloads, false, &call.args, &arguments)
                }
                None => self.undeclared(expr, name),
            };
        };
        if let Some(prefix) = qualified(target) {
            let name = format!("{}.{name}", prefix.trim_start_matches('.'));
            if let Some(overloads) = declarations::function(&name) {
                return self.resolve(expr, &name, overloads, false, &call.args, &arguments);
            }
        }
        arguments.insert(0, self.expr(target));
        match declarations::function(name) {
            Some(overloads) => self.resolve(expr, name, overloads, true, &call.args, &arguments),
            None => self.undeclared(expr, name),
        }
    }

    fn resolve(
        &mut self,
        expr: &IdedExpr,
        name: &str,
        overloads: &[Overload],
        method: bool,
        parts: &[IdedExpr],
        arguments: &[Type],
    ) -> Type {
        if matches!(name, operators::LOGICAL_AND | operators::LOGICAL_OR) {
            let mut result = Type::BOOL;
            for (part, ty) in parts.iter().zip(arguments) {
                if !self.assignable(ty, &Type::BOOL) {
                    self.mismatch(part, &Type::BOOL, ty);
                    result = Type::ERROR;
                }
            }
            return result;
        }
        let mut result: Option<Type> = None;
        for overload in overloads
            .iter()
            .filter(|overload| overload.method == method)
        {
            let mut types = vec![&overload.result];
            types.extend(&overload.arguments);
            let types = self.bindings.instantiate(&types);
            if !self.bindings.assignable(arguments, &types[1..]) {
                continue;
            }
            let this = self.bindings.resolve(&types[0], false);
            result = Some(match result {
                None => this,
                Some(before) if before.is_dyn() || before == this => before,
                Some(_) => Type::DYN,
            });
        }
        result.unwrap_or_else(|| {
            let types: Vec<Type> = arguments
                .iter()
                .map(|ty| self.bindings.resolve(ty, true))
                .collect();
            let signature = match types.split_first() {
                Some((target, rest)) if method => format!("{target}.({})", List(rest)),
                _ => format!("({})", List(&types)),
            };
            let message =
                format!("found no matching overload for '{name}' applied to '{signature}'");
            self.report(expr, message);
            Type::ERROR
        })
    }

    /// The type of a part of a literal; of a part after a `?`, what the optional holds.
    fn part(&mut self, part: &IdedExpr, optional: bool) -> Type {
        let ty = self.expr(part);
        if !optional {
            return ty;
        }
        let (inner, is_optional) = ty.unwrap_optional();
        if !is_optional && !inner.is_dyn() {
            self.mismatch(part, &Type::optional(inner.clone()), inner);
        }
        inner.clone()
    }

    fn join(&mut self, before: Option<Type>, ty: Type) -> Type {
        match before {
            None => ty,
            Some(before) if self.assignable(&before, &ty) => most_general(&before, &ty),
            Some(_) => Type::DYN,
        }
    }

    fn list(&mut self, list: &ListExpr) -> Type {
        let mut items = None;
        for (index, item) in list.elements.iter().enumerate() {
            let ty = self.part(item, list.optional_indices.contains(&index));
            items = Some(self.join(items, ty));
        }
        Type::list(items.unwrap_or_else(|| self.bindings.fresh()))
    }

    fn map(&mut self, map: &MapExpr) -> Type {
        let (mut keys, mut values) = (None, None);
        for entry in &map.entries {
            if let EntryExpr::MapEntry(entry) = &entry.expr {
                let key = self.expr(&entry.key);
                keys = Some(self.join(keys, key));
                let value = self.part(&entry.value, entry.optional);
                values = Some(self.join(values, value));
            }
        }
        let keys = keys.unwrap_or_else(|| self.bindings.fresh());
        Type::map(keys, values.unwrap_or_else(|| self.bindings.fresh()))
    }

    /// An object literal. No message types are to be had, so all are wrong.
    fn object(&mut self, expr: &IdedExpr, object: &StructExpr) -> Type {
        let name = object.type_name.trim_start_matches('.');
        match declarations::type_name(name) {
            None => return self.undeclared(expr, name),
            Some(_) => self.report(expr, format!("'{name}' is not a message type")),
        }
        Type::ERROR
    }

    fn comprehension(&mut self, of: &ComprehensionExpr) -> Type {
        let range = self.expr(&of.iter_range);
        let known = self.problems.len();
        let result = self.expr(&of.accu_init);
        if of.accu_var == "@target" {
            // `optMap` asks its target twice, and finds all problems twice.
            self.problems.extend_from_within(known..);
        }
        let range = self.bindings.resolve(&range, false);
        let (first, second) = match &range {
            Type::Named("list", params) if of.iter_var2.is_some() => (Type::INT, params[0].clone()),
            Type::Named("list", params) => (params[0].clone(), Type::DYN),
            Type::Named("map", params) => (params[0].clone(), params[1].clone()),
            Type::Variable(_) | Type::Named("dyn" | "!error!", _) => {
                self.assignable(&Type::DYN, &range);
                (Type::DYN, Type::DYN)
            }
            Type::Named(..) | Type::Object(_) => {
                let message = format!(
                    "expression of type '{range}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.report(&of.iter_range, message);
                (Type::ERROR, Type::ERROR)
            }
        };
        let outer = self.variables.len();
        self.variables.push((of.accu_var.clone(), result.clone()));
        self.variables.push((of.iter_var.clone(), first));
        if let Some(name) = &of.iter_var2 {
            self.variables.push((name.clone(), second));
        }
        for (part, expected) in [(&of.loop_cond, &Type::BOOL), (&of.loop_step, &result)] {
            let found = self.expr(part);
            if !self.assignable(expected, &found) {
                self.mismatch(part, expected, &found);
            }
        }
        self.variables.truncate(outer + 1);
        let ty = self.expr(&of.result);
        self.variables.truncate(outer);
        self.bindings.resolve(&ty, false)
    }
}
