//! The one document of OpenAPI v2: the schemas in the older form, as JSON and in the encoding that
//! client-go asks for.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde_json::{Map, Value, json};

use super::{info, models};
use crate::call::Call;
use crate::negotiate;

const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

pub(super) fn serve(call: &Call) -> Response {
    let mut definitions = models::schemas(call.cluster.kinds().all().iter());
    definitions.values_mut().for_each(older);
    if call.header(header::ACCEPT).contains("protobuf") {
        return ([(header::CONTENT_TYPE, PROTOBUF)], document(&definitions)).into_response();
    }
    let document =
        json!({"swagger": "2.0", "info": info(), "paths": {}, "definitions": definitions});
    negotiate::json(call, StatusCode::OK, &document)
}

/// Rewrites a schema of v3: references stand elsewhere and beside other words.
fn older(schema: &mut Value) {
    let reference = schema["allOf"][0]["$ref"].as_str().map(str::to_owned);
    if let Some(reference) = reference {
        schema["$ref"] = json!(reference);
        let _ = schema.as_object_mut().and_then(|all| all.remove("allOf"));
    }
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "$ref" => {
                        *text = text.replace(models::PLACE, "#/definitions/");
                    }
                    _ => older(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(older),
        _ => {}
    }
}

/// The document as a message (github.com/google/gnostic-models, `OpenAPIv2.proto`).
fn document(definitions: &Map<String, Value>) -> Vec<u8> {
    let info = info();
    let mut inner = Vec::new();
    for (number, field) in [(1, "title"), (2, "version")] {
        text(&mut inner, number, &info[field]);
    }
    let mut out = Vec::new();
    text(&mut out, 1, &json!("2.0"));
    bytes(&mut out, 2, &inner);
    bytes(&mut out, 8, &[]);
    bytes(&mut out, 9, &named(definitions));
    out
}

/// Schemas by name.
fn named(schemas: &Map<String, Value>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in schemas {
        let mut one = Vec::new();
        bytes(&mut one, 1, name.as_bytes());
        bytes(&mut one, 2, &schema(value));
        bytes(&mut out, 1, &one);
    }
    out
}

/// A schema. Bounds of values, which nobody reads there, are left out.
fn schema(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    let words = [
        (1, "$ref"),
        (2, "format"),
        (3, "title"),
        (4, "description"),
        (13, "pattern"),
    ];
    for (number, field) in words {
        text(&mut out, number, &value[field]);
    }
    let list = |field: &str| value[field].as_array().into_iter().flatten();
    list("required").for_each(|field| text(&mut out, 19, field));
    for one in list("enum") {
        bytes(&mut out, 20, &any(one));
    }
    match &value["additionalProperties"] {
        Value::Bool(free) => bytes(&mut out, 21, &[2 << 3, u8::from(*free)]),
        inner @ Value::Object(_) => bytes(&mut out, 21, &one(&schema(inner))),
        _ => {}
    }
    if let Some(kind) = value["type"].as_str() {
        bytes(&mut out, 22, &one(kind.as_bytes()));
    }
    if value["items"].is_object() {
        bytes(&mut out, 23, &one(&schema(&value["items"])));
    }
    if let Some(properties) = value["properties"].as_object() {
        bytes(&mut out, 25, &named(properties));
    }
    let all = value.as_object().into_iter().flatten();
    for (key, value) in all.filter(|(key, _)| key.starts_with("x-")) {
        let mut extension = Vec::new();
        bytes(&mut extension, 1, key.as_bytes());
        bytes(&mut extension, 2, &any(value));
        bytes(&mut out, 31, &extension);
    }
    out
}

/// A message with nothing but its first field.
fn one(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(&mut out, 1, content);
    out
}

/// Any value: as YAML, of which JSON is a part.
fn any(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    bytes(&mut out, 2, value.to_string().as_bytes());
    out
}

fn text(out: &mut Vec<u8>, number: usize, value: &Value) {
    if let Some(text) = value.as_str() {
        bytes(out, number, text.as_bytes());
    }
}

/// A field with a length: its number with wire type 2, then how long it is, then what it is.
fn bytes(out: &mut Vec<u8>, number: usize, content: &[u8]) {
    for mut number in [number << 3 | 2, content.len()] {
        while number > 0x7f {
            out.push(u8::try_from(number & 0x7f).unwrap_or_default() | 0x80);
            number >>= 7;
        }
        out.push(u8::try_from(number).unwrap_or_default());
    }
    out.extend_from_slice(content);
}
