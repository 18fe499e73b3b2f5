//! `string.format`, with the locale that the API server always uses.

use cel::{Value, objects::Key};

use super::{string, type_name};
use crate::{
    cel::clause::{self, Clause},
    golang::quote::quote,
};

/// Digits after the point when a clause asks for none.
const PRECISION: usize = 6;

/// Fills a format with arguments.
///
/// # Errors
/// cel-go's text.
pub(super) fn format(format: &str, arguments: &[Value]) -> Result<String, String> {
    let out = std::cell::RefCell::new(String::new());
    clause::each(
        format,
        arguments.len(),
        |text| out.borrow_mut().push_str(text),
        |clause, index| {
            one(clause, &arguments[index])
                .map_err(|error| format!("error during formatting: {error}"))
        },
    )?;
    Ok(out.into_inner())
}

fn one(clause: Clause, value: &Value) -> Result<String, String> {
    clause.accepts(&type_name(value))?;
    Ok(match (clause.letter, value) {
        ('s', Value::List(_) | Value::Map(_)) => nested(value)?,
        ('s', Value::Null) => "null".to_owned(),
        ('s', value) => plain(value)?,
        ('f' | 'e', Value::String(text)) => {
            let number = match text.as_str() {
                "NaN" => f64::NAN,
                "Infinity" => f64::INFINITY,
                "-Infinity" => f64::NEG_INFINITY,
                _ => {
                    let fixed = if clause.letter == 'f' {
                        "fixed-point"
                    } else {
                        "scientific"
                    };
                    return Err(format!(
                        "{fixed} clause can only be used on doubles, was given string"
                    ));
                }
            };
            floating(clause, number)
        }
        ('f' | 'e', Value::Float(number)) => floating(clause, *number),
        ('b', Value::Bool(value)) => u8::from(*value).to_string(),
        ('x', Value::String(text)) => hex(text.as_bytes()),
        ('x', Value::Bytes(bytes)) => hex(bytes),
        ('X', Value::String(text)) => hex(text.as_bytes()).to_uppercase(),
        ('X', Value::Bytes(bytes)) => hex(bytes).to_uppercase(),
        (letter, Value::Int(number)) => {
            let sign = if *number < 0 { "-" } else { "" };
            format!("{sign}{}", integer(letter, number.unsigned_abs()))
        }
        (letter, Value::UInt(number)) => integer(letter, *number),
        (_, other) => return Err(format!("no formatting function for {}", type_name(other))),
    })
}

fn integer(letter: char, number: u64) -> String {
    match letter {
        'b' => format!("{number:b}"),
        'o' => format!("{number:o}"),
        'x' => format!("{number:x}"),
        'X' => format!("{number:X}"),
        _ => number.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn floating(clause: Clause, number: f64) -> String {
    let special = match number {
        number if number.is_nan() => Some("NaN"),
        f64::INFINITY => Some("∞"),
        f64::NEG_INFINITY => Some("-∞"),
        _ => None,
    };
    match (clause.letter, special) {
        ('f', Some(text)) => text.to_owned(),
        // Here the precision is taken for a width, and the default for the precision.
        (_, Some(text)) => format!(
            "{text:>width$}",
            width = clause.precision.unwrap_or(PRECISION)
        ),
        ('f', None) => grouped(number, clause.precision.unwrap_or(PRECISION)),
        (_, None) => {
            let text = format!("{number:.PRECISION$e}");
            let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let sign = if exponent.starts_with('-') { "⁻" } else { "" };
            let digits = format!("{:0>2}", exponent.trim_start_matches('-'));
            let raised: String = digits.chars().map(superscript).collect();
            let text = format!("{mantissa}×10{sign}{raised}");
            format!(
                "{text:>width$}",
                width = clause.precision.unwrap_or(PRECISION)
            )
        }
    }
}

fn superscript(digit: char) -> char {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let index = digit
        .to_digit(10)
        .and_then(|digit| usize::try_from(digit).ok());
    index.map_or(digit, |index| digits[index])
}

/// With commas between the thousands.
fn grouped(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$}");
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.as_str()),
    };
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = sign.to_owned();
    for (index, digit) in whole.char_indices() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

fn plain(value: &Value) -> Result<String, String> {
    let problem = |error| format!("could not convert argument \"{error}\" to string");
    match value {
        Value::String(text) => Ok(text.as_str().to_owned()),
        value => match string(value).map_err(problem)? {
            Value::String(text) => Ok(text.as_str().to_owned()),
            other => Ok(type_name(&other)),
        },
    }
}

/// A value inside of another, as it would be written in an expression.
fn nested(value: &Value) -> Result<String, String> {
    Ok(match value {
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(nested).collect::<Result<_, _>>()?;
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let mut entries = Vec::new();
            for (key, value) in map.map.iter() {
                let key = match key {
                    Key::String(text) => quote(text),
                    other => other.to_string(),
                };
                entries.push((key, nested(value)?));
            }
            entries.sort();
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| format!("{key}:{value}"))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::String(text) => quote(text),
        Value::Bytes(_) => format!("b{}", quote(&plain(value)?)),
        Value::Timestamp(_) => format!("timestamp({})", quote(&plain(value)?)),
        Value::Duration(_) => format!("duration({})", quote(&plain(value)?)),
        Value::Null => "null".to_owned(),
        Value::Float(number) if number.is_finite() => format!("{number:.PRECISION$}"),
        Value::Float(number) if number.is_nan() => "\"NaN\"".to_owned(),
        Value::Float(number) => format!("\"{}Inf\"", if *number > 0.0 { '+' } else { '-' }),
        Value::Opaque(_) => return Err(format!("no formatting function for {}", type_name(value))),
        other => plain(other)?,
    })
}
