//! `AnyValue` of OTLP as JSON.

use serde_json::{Map, Value as Json, json};

use super::super::protobuf::{Broken, Field, Fields};

/// How deep values may stand in each other; what is deeper is left out.
pub(super) const DEPTH_MAX: usize = 16;

/// Reads a protobuf `AnyValue`.
pub(super) fn any_value(bytes: &[u8], depth: usize) -> Result<Json, Broken> {
    let mut value = Json::Null;
    if depth > DEPTH_MAX {
        return Ok(value);
    }
    for field in Fields::new(bytes) {
        value = match field? {
            (1, Field::Bytes(text)) => String::from_utf8_lossy(text).into(),
            (2, Field::Number(number)) => (number != 0).into(),
            (3, Field::Number(number)) => (number as i64).into(),
            (4, Field::Fixed64(bits)) => json!(f64::from_bits(bits)),
            (5, Field::Bytes(list)) => {
                let mut values = Vec::new();
                for field in Fields::new(list) {
                    if let (1, Field::Bytes(value)) = field? {
                        values.push(any_value(value, depth + 1)?);
                    }
                }
                Json::Array(values)
            }
            (6, Field::Bytes(list)) => {
                let mut members = Map::new();
                for field in Fields::new(list) {
                    if let (1, Field::Bytes(pair)) = field? {
                        let (key, value) = key_value(pair, depth + 1)?;
                        members.insert(key, value);
                    }
                }
                Json::Object(members)
            }
            (7, Field::Bytes(bytes)) => bytes_value(bytes),
            _ => value,
        };
    }
    Ok(value)
}

/// Reads a protobuf `KeyValue`.
pub(super) fn key_value(pair: &[u8], depth: usize) -> Result<(String, Json), Broken> {
    let (mut key, mut value) = (String::new(), Json::Null);
    for field in Fields::new(pair) {
        match field? {
            (1, Field::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
            (2, Field::Bytes(bytes)) => value = any_value(bytes, depth)?,
            _ => {}
        }
    }
    Ok((key, value))
}

/// Bytes are text where they are, else hexadecimal.
fn bytes_value(bytes: &[u8]) -> Json {
    std::str::from_utf8(bytes).map_or_else(|_| hex(bytes).into(), Into::into)
}

/// Two digits a byte.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Reads an `AnyValue` of the JSON encoding.
pub(super) fn any_value_of_json(value: &Json, depth: usize) -> Json {
    let member = value.as_object().and_then(|members| members.iter().next());
    let Some((kind, value)) = member.filter(|_| depth <= DEPTH_MAX) else { return Json::Null };
    let values = || value.get("values").and_then(Json::as_array).into_iter().flatten();
    match kind.as_str() {
        // Numbers of 64 bits are texts, since JSON has none.
        "intValue" => {
            let number = value.as_str().and_then(|text| text.parse::<i64>().ok());
            number.map_or_else(|| value.clone(), Into::into)
        }
        "arrayValue" => values().map(|value| any_value_of_json(value, depth + 1)).collect(),
        "kvlistValue" => values()
            .filter_map(|pair| key_value_of_json(pair, depth + 1))
            .collect::<Map<_, _>>()
            .into(),
        "stringValue" | "boolValue" | "doubleValue" | "bytesValue" => value.clone(),
        _ => Json::Null,
    }
}

/// Reads a `KeyValue` of the JSON encoding.
pub(super) fn key_value_of_json(pair: &Json, depth: usize) -> Option<(String, Json)> {
    let key = pair.get("key")?.as_str()?.to_owned();
    Some((key, any_value_of_json(pair.get("value").unwrap_or(&Json::Null), depth)))
}
