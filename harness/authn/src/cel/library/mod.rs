//! Functions that the API server's environment has and the `cel` crate's does not.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/cel/#cel-options-language-features-and-libraries>, and for
//! lists, sets and optionals the extension libraries of cel-go.

mod access;
mod format;
mod lists;
mod net;
mod printf;
mod quantity;
mod semver;
mod values;

use std::{collections::HashMap, net::IpAddr};

use cel::{Context, ExecutionError, Value, extractors::Arguments, objects::Opaque};
use regex::Regex;

pub(super) use self::values::type_name;
use self::{
    net::Cidr,
    quantity::Quantity,
    semver::Semver,
    values::{as_object, boolean, list, no_overload, object, optional, string, string_value},
};
use crate::golang::{regexp, url};

/// A value of a type of these libraries.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Object {
    Ip(IpAddr),
    Cidr(Cidr),
    Quantity(Quantity),
    Semver(Semver),
    Url(url::Url),
    Format(&'static str),
}

impl Opaque for Object {
    fn runtime_type_name(&self) -> &str {
        match self {
            Self::Ip(_) => "net.IP",
            Self::Cidr(_) => "net.CIDR",
            Self::Quantity(_) => "kubernetes.Quantity",
            Self::Semver(_) => "kubernetes.Semver",
            Self::Url(_) => "kubernetes.URL",
            Self::Format(_) => "kubernetes.NamedFormat",
        }
    }
}

/// What expressions are rewritten to besides functions that can be written.
const INTERNAL: &[&str] = &[
    "@claim",
    "@entries",
    "@fail",
    "@has",
    "@index",
    "@insert",
    "@merge",
    "@names",
    "@opt",
    "@optional",
    "@select",
];

/// Functions and methods that are evaluated here. Those of an authorizer are declared, but there is none to call them on.
const FUNCTIONS: &[&str] = &[
    "add",
    "allowed",
    "asApproximateFloat",
    "asInteger",
    "check",
    "cidr",
    "compareTo",
    "containsCIDR",
    "containsIP",
    "error",
    "errored",
    "family",
    "fieldSelector",
    "find",
    "findAll",
    "first",
    "format",
    "format.named",
    "getEscapedPath",
    "getHost",
    "getHostname",
    "getPort",
    "getQuery",
    "getScheme",
    "group",
    "indexOf",
    "ip",
    "ip.isCanonical",
    "isCIDR",
    "isGlobalUnicast",
    "isGreaterThan",
    "isIP",
    "isInteger",
    "isLessThan",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isLoopback",
    "isQuantity",
    "isSemver",
    "isSorted",
    "isURL",
    "isUnspecified",
    "labelSelector",
    "last",
    "lastIndexOf",
    "lists.range",
    "major",
    "masked",
    "max",
    "min",
    "minor",
    "name",
    "namespace",
    "optional.unwrap",
    "patch",
    "path",
    "prefixLength",
    "quantity",
    "reason",
    "resource",
    "reverse",
    "semver",
    "serviceAccount",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "sign",
    "string",
    "sub",
    "subresource",
    "sum",
    "unwrapOpt",
    "url",
    "validate",
];

/// Whether a function is evaluated here. Calls are then to be rewritten to one of the name with an `@` in front, and
/// with the receiver as first argument.
pub(super) fn owns(name: &str) -> bool {
    FUNCTIONS.contains(&name) || name.strip_prefix("format.").is_some()
}

/// Adds the functions to a context.
pub(super) fn add(context: &mut Context<'_, '_>) {
    let formats = format::NAMES.iter().map(|name| format!("format.{name}"));
    let functions = FUNCTIONS
        .iter()
        .map(|name| (*name).to_owned())
        .chain(formats);
    let internal = INTERNAL.iter().map(|name| (*name).to_owned());
    let named = functions.map(|name| (format!("@{name}"), name));
    for (registered, name) in named.chain(internal.map(|name| (name.clone(), name))) {
        // A name that the crate declares itself would be refused; none starts with an `@`.
        let _ = context.add_function(&registered, move |Arguments(args): Arguments| {
            call(&name, &args).map_err(|message| ExecutionError::function_error(&name, message))
        });
    }
}

fn call(name: &str, args: &[Value]) -> Result<Value, String> {
    if let Some(result) = access::call(name, args).or_else(|| lists::call(name, args)) {
        return result;
    }
    let found = match args {
        [Value::String(text), rest @ ..] => of_string(name, text, rest),
        [value, rest @ ..] => match as_object(value) {
            Some(object) => of_object(name, object, rest),
            None if name == "string" => Some(string(value)),
            None => None,
        },
        [] => {
            let format = name.strip_prefix("format.");
            let known = format.and_then(|name| format::NAMES.iter().find(|known| **known == name));
            known.map(|name| Ok(object(Object::Format(name))))
        }
    };
    found.unwrap_or_else(|| Err(no_overload(name, args)))
}

fn of_string(name: &str, text: &str, rest: &[Value]) -> Option<Result<Value, String>> {
    let lax = match rest {
        [] => Some(false),
        [Value::Bool(lax)] => Some(*lax),
        _ => None,
    };
    Some(match (name, rest) {
        ("@fail", []) => Err(text.to_owned()),
        ("string", []) => Ok(string_value(text)),
        ("ip", []) => net::parse_ip(text).map(|address| object(Object::Ip(address))),
        ("isIP", []) => Ok(boolean(net::parse_ip(text).is_ok())),
        ("ip.isCanonical", []) => {
            net::parse_ip(text).map(|address| boolean(address.to_string() == text))
        }
        ("cidr", []) => net::parse_cidr(text).map(|cidr| object(Object::Cidr(cidr))),
        ("isCIDR", []) => Ok(boolean(net::parse_cidr(text).is_ok())),
        ("quantity", []) => {
            Quantity::parse(text).map(|quantity| object(Object::Quantity(quantity)))
        }
        ("isQuantity", []) => Ok(boolean(Quantity::parse(text).is_ok())),
        ("semver", _) => semver::parse(text, lax?).map(|version| object(Object::Semver(version))),
        ("isSemver", _) => Ok(boolean(semver::parse(text, lax?).is_ok())),
        ("url", []) => url::parse_request(text)
            .and_then(|_| url::parse(text))
            .map(|url| object(Object::Url(url)))
            .map_err(|error| format!("URL parse error during conversion from string: {error}")),
        ("isURL", []) => Ok(boolean(url::parse_request(text).is_ok())),
        ("format.named", []) => {
            let format = format::NAMES.iter().find(|name| **name == text);
            Ok(optional(format.map(|name| object(Object::Format(name)))))
        }
        ("format", [Value::List(arguments)]) => {
            printf::format(text, arguments).map(|text| string_value(&text))
        }
        ("find", [Value::String(pattern)]) => regex(pattern)
            .map(|regex| string_value(regex.find(text).map_or("", |found| found.as_str()))),
        ("findAll", [Value::String(pattern), limit @ ..]) => {
            let limit = match limit {
                [] => None,
                [Value::Int(limit)] => usize::try_from(*limit).ok(),
                _ => return None,
            };
            regex(pattern).map(|regex| {
                let found = regex.find_iter(text).take(limit.unwrap_or(usize::MAX));
                list(found.map(|found| string_value(found.as_str())).collect())
            })
        }
        _ => return None,
    })
}

fn regex(pattern: &str) -> Result<Regex, String> {
    regexp::check(pattern).map_err(|error| format!("Illegal regex: {error}"))?;
    Regex::new(pattern).map_err(|error| format!("Illegal regex: {error}"))
}

fn of_object(name: &str, object_value: &Object, rest: &[Value]) -> Option<Result<Value, String>> {
    use Object as O;
    let other = rest.first().and_then(as_object);
    let text = rest.first().and_then(|value| match value {
        Value::String(text) => Some(text.as_str()),
        _ => None,
    });
    let version = |index: usize, version: &Semver| {
        Ok(Value::Int(
            i64::try_from(version.numbers[index]).unwrap_or(i64::MAX),
        ))
    };
    let ordering = |ordering: std::cmp::Ordering| {
        Some(Ok(match name {
            "isGreaterThan" => boolean(ordering.is_gt()),
            "isLessThan" => boolean(ordering.is_lt()),
            "compareTo" => Value::Int(ordering as i64),
            _ => return None,
        }))
    };
    Some(match (object_value, name, other) {
        (O::Ip(address), "family", _) => Ok(Value::Int(if address.is_ipv4() { 4 } else { 6 })),
        (O::Ip(address), "isUnspecified", _) => Ok(boolean(address.is_unspecified())),
        (O::Ip(address), "isLoopback", _) => Ok(boolean(address.is_loopback())),
        (O::Ip(address), "isLinkLocalMulticast", _) => {
            Ok(boolean(net::is_link_local_multicast(*address)))
        }
        (O::Ip(address), "isLinkLocalUnicast", _) => {
            Ok(boolean(net::is_link_local_unicast(*address)))
        }
        (O::Ip(address), "isGlobalUnicast", _) => Ok(boolean(net::is_global_unicast(*address))),
        (O::Ip(address), "string", _) => Ok(string_value(&address.to_string())),
        (O::Cidr(cidr), "containsIP", Some(O::Ip(address))) => Ok(boolean(cidr.contains(*address))),
        (O::Cidr(cidr), "containsIP", _) => {
            net::parse_ip(text?).map(|address| boolean(cidr.contains(address)))
        }
        (O::Cidr(cidr), "containsCIDR", Some(O::Cidr(other))) => {
            Ok(boolean(cidr.contains_cidr(*other)))
        }
        (O::Cidr(cidr), "containsCIDR", _) => {
            net::parse_cidr(text?).map(|other| boolean(cidr.contains_cidr(other)))
        }
        (O::Cidr(cidr), "ip", _) => Ok(object(O::Ip(cidr.address))),
        (O::Cidr(cidr), "prefixLength", _) => Ok(Value::Int(cidr.length.into())),
        (O::Cidr(cidr), "masked", _) => Ok(object(O::Cidr(cidr.masked()))),
        (O::Cidr(cidr), "string", _) => Ok(string_value(&cidr.text())),
        (O::Quantity(quantity), "sign", _) => Ok(Value::Int(quantity.sign())),
        (O::Quantity(quantity), "isInteger", _) => Ok(boolean(quantity.integer().is_some())),
        (O::Quantity(quantity), "asInteger", _) => quantity
            .integer()
            .map(Value::Int)
            .ok_or_else(|| "cannot convert value to integer".to_owned()),
        (O::Quantity(quantity), "asApproximateFloat", _) => Ok(Value::Float(quantity.float())),
        (O::Quantity(one), "add" | "sub", _) => {
            let other = match (other, rest.first()) {
                (Some(O::Quantity(other)), _) => *other,
                (_, Some(Value::Int(other))) => Quantity::from(*other),
                _ => return None,
            };
            let result = if name == "add" {
                one.plus(other)
            } else {
                one.minus(other)
            };
            Ok(object(O::Quantity(result)))
        }
        (O::Quantity(one), _, Some(O::Quantity(other))) => return ordering(one.cmp(other)),
        (O::Semver(one), "major", _) => version(0, one),
        (O::Semver(one), "minor", _) => version(1, one),
        (O::Semver(one), "patch", _) => version(2, one),
        (O::Semver(one), _, Some(O::Semver(other))) => return ordering(one.cmp(other)),
        (O::Url(url), _, _) => return of_url(name, url),
        (O::Format(format), "validate", _) => {
            let problems = format::validate(format, text?);
            let problems: Vec<Value> = problems
                .iter()
                .map(|problem| string_value(problem))
                .collect();
            Ok(optional((!problems.is_empty()).then(|| list(problems))))
        }
        _ => return None,
    })
}

fn of_url(name: &str, url: &url::Url) -> Option<Result<Value, String>> {
    let bracket = url.host.rfind(']').map_or(0, |bracket| bracket + 1);
    let (hostname, port) = match url.host[bracket..].split_once(':') {
        Some((rest, port)) => (&url.host[..bracket + rest.len()], port),
        None => (url.host.as_str(), ""),
    };
    let hostname = hostname.trim_start_matches('[').trim_end_matches(']');
    Some(Ok(match name {
        "getScheme" => string_value(&url.scheme),
        "getHost" => string_value(&url.host),
        "getHostname" => string_value(hostname),
        "getPort" => string_value(port),
        "getEscapedPath" => string_value(&url.path),
        "getQuery" => {
            let mut query: HashMap<String, Vec<Value>> = HashMap::new();
            for pair in url
                .query
                .split('&')
                .filter(|pair| !pair.is_empty() && !pair.contains(';'))
            {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                let plain = |text: &str| url::unescape(&text.replace('+', " "));
                query
                    .entry(plain(key))
                    .or_default()
                    .push(string_value(&plain(value)));
            }
            let query: HashMap<String, Value> = query
                .into_iter()
                .map(|(key, values)| (key, list(values)))
                .collect();
            query.into()
        }
        _ => return None,
    }))
}
