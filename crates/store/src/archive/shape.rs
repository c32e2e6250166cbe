//! The shape of an event: which fields it has, in which order, of which types, and whether a
//! column or `_rest` holds each. Events of one kind have the same shape, so that it costs nothing.
//! Also the exact form of the few events that columns cannot hold.

use serde_json::{Value as Json, json};
use tocsin_model::field::FieldKind;
use tocsin_model::{Event, FieldId, Value};

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the column of its field, or nowhere: null needs none.
    Column,
    /// In `_rest`.
    Rest,
}

/// One field of a shape.
#[derive(Debug, Clone)]
pub(super) struct Shaped {
    pub(super) name: Box<str>,
    pub(super) id: Option<FieldId>,
    pub(super) place: Place,
    /// Type of the value; for a list those of its elements.
    pub(super) tags: Box<str>,
}

/// Whether a column holds this value, as a number or a text.
pub(super) fn fits(kind: FieldKind, value: Value<'_>) -> bool {
    kind != FieldKind::Long || number_of(value).is_some()
}

/// The number that a column of numbers holds.
pub(super) fn number_of(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Int(number) => Some(number),
        Value::Str(text) => text.parse().ok(),
        _ => None,
    }
}

/// The text that a column of texts holds.
pub(super) fn text_of(value: Value<'_>) -> Option<String> {
    match value {
        Value::Null | Value::Object => None,
        Value::List(list) if list.len() == 1 => list.iter().next().and_then(text_of),
        Value::List(_) => Some(value.to_json().to_string()),
        value => value.to_text().map(std::borrow::Cow::into_owned),
    }
}

/// Writes the shape of an event; `false` when columns cannot give it back exactly. `has` says
/// which fields have a column.
pub(super) fn write(event: &Event, has: &dyn Fn(FieldId) -> bool, out: &mut String) -> bool {
    out.clear();
    for (place, (id, value)) in event.iter().enumerate() {
        let name = id.name();
        let earlier = event.iter().take(place).any(|(other, _)| other == id);
        if earlier || name.is_empty() || name.contains('\n') {
            return false;
        }
        let kind = id.spec().filter(|_| has(id)).map(|spec| spec.kind);
        let in_column = kind.is_some_and(|kind| fits(kind, value));
        out.push(if in_column { 'c' } else { 'r' });
        if !write_tags(value, in_column && kind == Some(FieldKind::Long), !in_column, out) {
            return false;
        }
        out.push(' ');
        out.push_str(name);
        out.push('\n');
    }
    true
}

fn write_tags(value: Value<'_>, as_number: bool, as_json: bool, out: &mut String) -> bool {
    let (tag, exact) = match value {
        Value::Null => ('n', true),
        Value::Object => ('o', true),
        Value::Bool(_) => ('b', true),
        Value::Int(_) => ('i', true),
        Value::UInt(_) => ('u', true),
        Value::Float(number) => ('f', survives(number, as_json)),
        Value::Str(text) => {
            let same = |number: i64| number.to_string() == text;
            ('s', !as_number || number_of(value).is_some_and(same))
        }
        Value::List(list) => {
            out.push('l');
            let as_json = as_json || list.len() != 1;
            return list.iter().all(|item| {
                let deep = matches!(item, Value::List(_) | Value::Object);
                let alone = !as_json && matches!(item, Value::Null);
                !deep && !alone && write_tags(item, false, as_json, out)
            });
        }
    };
    out.push(tag);
    exact
}

/// Whether the text of a number reads back as the same: JSON may miss the last bit.
fn survives(number: f64, as_json: bool) -> bool {
    let back = match as_json {
        true => serde_json::from_str::<f64>(&json!(number).to_string()).ok(),
        false => number.to_string().parse::<f64>().ok(),
    };
    back.is_some_and(|back| back.to_bits() == number.to_bits())
}

/// Reads a shape; `None` when it is none.
pub(super) fn read(text: &str) -> Option<Vec<Shaped>> {
    let mut all = Vec::new();
    for line in text.lines() {
        let (about, name) = line.split_once(' ')?;
        let place = match about.get(..1)? {
            "c" => Place::Column,
            "r" => Place::Rest,
            _ => return None,
        };
        let tags = about.get(1..)?;
        all.push(Shaped { name: name.into(), id: FieldId::intern(name), place, tags: tags.into() });
    }
    Some(all)
}

/// A scalar or list from the text of its column.
pub(super) fn push_text(event: &mut Event, id: FieldId, tags: &str, text: &str) -> Option<()> {
    let Some(items) = tags.strip_prefix('l') else {
        event.push(id, scalar(tags, text)?);
        return Some(());
    };
    if items.len() == 1 {
        event.push_list(id, [scalar(items, text)?]);
        return Some(());
    }
    push_json(event, id, tags, &serde_json::from_str(text).ok()?)
}

/// A value that needs no column.
pub(super) fn push_nothing(event: &mut Event, id: FieldId, tags: &str) -> Option<()> {
    match tags {
        "n" => event.push(id, Value::Null),
        "o" => event.push(id, Value::Object),
        "l" => event.push_list(id, []),
        _ => return None,
    }
    Some(())
}

/// A number from the column of numbers.
pub(super) fn push_number(event: &mut Event, id: FieldId, tags: &str, number: i64) -> Option<()> {
    match tags {
        "i" => event.push_int(id, number),
        "s" => event.push_str(id, &number.to_string()),
        _ => return None,
    }
    Some(())
}

/// A value from `_rest`.
pub(super) fn push_json(event: &mut Event, id: FieldId, tags: &str, value: &Json) -> Option<()> {
    let Some(items) = tags.strip_prefix('l') else {
        event.push(id, of_json(tags, value)?);
        return Some(());
    };
    let list = value.as_array().filter(|list| list.len() == items.len())?;
    let values =
        items.char_indices().zip(list).map(|((at, _), value)| of_json(items.get(at..=at)?, value));
    let values: Vec<Value<'_>> = values.collect::<Option<_>>()?;
    event.push_list(id, values);
    Some(())
}

fn scalar<'t>(tag: &str, text: &'t str) -> Option<Value<'t>> {
    Some(match tag {
        "s" => Value::Str(text),
        "i" => Value::Int(text.parse().ok()?),
        "u" => Value::UInt(text.parse().ok()?),
        "f" => Value::Float(text.parse().ok()?),
        "b" => Value::Bool(text == "true"),
        _ => return None,
    })
}

fn of_json<'j>(tag: &str, value: &'j Json) -> Option<Value<'j>> {
    Some(match tag {
        "n" => Value::Null,
        "o" => Value::Object,
        "s" => Value::Str(value.as_str()?),
        "i" => Value::Int(value.as_i64()?),
        "u" => Value::UInt(value.as_u64()?),
        "f" => Value::Float(value.as_f64()?),
        "b" => Value::Bool(value.as_bool()?),
        _ => return None,
    })
}

/// All fields of an event, exactly, as JSON: name, type and value of each.
pub(super) fn exact(event: &Event) -> String {
    let fields = event.iter().map(|(id, value)| json!([id.name(), exact_value(value)]));
    Json::Array(fields.collect()).to_string()
}

fn exact_value(value: Value<'_>) -> Json {
    match value {
        Value::Null => json!({"n": null}),
        Value::Object => json!({"o": null}),
        Value::Bool(flag) => json!({"b": flag}),
        Value::Int(number) => json!({"i": number}),
        Value::UInt(number) => json!({"u": number}),
        Value::Float(number) => json!({"f": number.to_bits()}),
        Value::Str(text) => json!({"s": text}),
        Value::List(list) => json!({"l": list.iter().map(exact_value).collect::<Vec<_>>()}),
    }
}

/// Reads the exact form into an event.
pub(super) fn push_exact(event: &mut Event, text: &str) -> Option<()> {
    let Json::Array(fields) = serde_json::from_str(text).ok()? else { return None };
    for field in &fields {
        let (name, value) = (field.get(0)?.as_str()?, field.get(1)?);
        let Some(id) = FieldId::intern(name) else { continue };
        match value.get("l").and_then(Json::as_array) {
            Some(list) => {
                let items: Vec<Value<'_>> = list.iter().map(exactly).collect::<Option<_>>()?;
                event.push_list(id, items);
            }
            None => event.push(id, exactly(value)?),
        }
    }
    Some(())
}

fn exactly(value: &Json) -> Option<Value<'_>> {
    let (tag, value) = value.as_object()?.iter().next()?;
    match tag.as_str() {
        "f" => Some(Value::Float(f64::from_bits(value.as_u64()?))),
        tag => of_json(tag, value),
    }
}
