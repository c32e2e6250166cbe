//! As much of JSON Schema as the schemas here use. A keyword that it does not know fails the test:
//! nothing is passed over.

use serde_json::Value as Json;

/// What of `value` the schema refuses, with the place; empty when nothing.
pub fn faults(schema: &Json, value: &Json) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, value, "$", &mut faults);
    faults
}

fn check(schema: &Json, value: &Json, at: &str, faults: &mut Vec<String>) {
    for (keyword, wanted) in schema.as_object().unwrap() {
        let good = match keyword.as_str() {
            "$schema" | "title" => true,
            "properties" | "additionalProperties" => {
                members(schema, value, at, faults);
                true
            }
            "type" => is_of_type(value, wanted.as_str().unwrap()),
            "const" => value == wanted,
            "enum" => wanted.as_array().unwrap().contains(value),
            "required" => wanted.as_array().unwrap().iter().all(|key| {
                value.as_object().is_none_or(|object| object.contains_key(key.as_str().unwrap()))
            }),
            "maxLength" => length(value).is_none_or(|length| length <= number(wanted)),
            "minLength" => length(value).is_none_or(|length| length >= number(wanted)),
            "maxItems" => value.as_array().is_none_or(|items| items.len() <= number(wanted)),
            "minItems" => value.as_array().is_none_or(|items| items.len() >= number(wanted)),
            "minimum" => value.as_i64().is_none_or(|value| value >= wanted.as_i64().unwrap()),
            "maximum" => value.as_i64().is_none_or(|value| value <= wanted.as_i64().unwrap()),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(wanted, item, &format!("{at}[{index}]"), faults);
                }
                true
            }
            "anyOf" => {
                wanted.as_array().unwrap().iter().any(|one| self::faults(one, value).is_empty())
            }
            other => panic!("the schema uses {other}, which is not known here"),
        };
        if !good {
            let shown: String = value.to_string().chars().take(200).collect();
            faults.push(format!("{at}: {keyword} {wanted}: {shown}"));
        }
    }
}

fn members(schema: &Json, value: &Json, at: &str, faults: &mut Vec<String>) {
    let Some(object) = value.as_object() else { return };
    for (key, member) in object {
        let at = format!("{at}.{key}");
        match (schema["properties"].get(key), &schema["additionalProperties"]) {
            (Some(schema), _) => check(schema, member, &at, faults),
            (None, Json::Bool(false)) => faults.push(format!("{at}: no such key")),
            (None, rest @ Json::Object(_)) => check(rest, member, &at, faults),
            (None, _) => {}
        }
    }
}

fn is_of_type(value: &Json, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the schema uses the type {other}"),
    }
}

/// As the services' languages count.
fn length(value: &Json) -> Option<usize> {
    value.as_str().map(|text| text.encode_utf16().count())
}

fn number(wanted: &Json) -> usize {
    usize::try_from(wanted.as_u64().unwrap()).unwrap()
}
