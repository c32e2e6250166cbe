//! Hits in Elasticsearch's form: which parts of an event are wanted, its flat fields, what it is
//! sorted by.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use tocsin_model::Timestamp;
use tocsin_store::{Order, Sort, wildcard_matches};

use crate::elastic::dates::{self, Zone};
use crate::elastic::{ElasticError, Result, field_name};

/// Which parts of an event are given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Source {
    /// All.
    #[default]
    All,
    /// None.
    None,
    /// Those that match a pattern.
    Some {
        /// Patterns of names; none are all.
        includes: Vec<String>,
        /// Of these, not those.
        excludes: Vec<String>,
    },
}

/// How hits are given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HitForm {
    /// Name of the index.
    pub index: String,
    /// Parts of the events.
    pub source: Source,
    /// Patterns of fields to give flat beside the event.
    pub fields: Vec<String>,
    /// How times among these are written, by field.
    pub formats: BTreeMap<String, String>,
    /// The field that they are sorted by, where it was said.
    pub sort: Option<Sort>,
}

/// A hit.
pub fn render_hit(hit: &Json, form: &HitForm) -> Json {
    let mut one = Map::new();
    one.insert("_index".to_owned(), json!(form.index));
    one.insert("_id".to_owned(), hit["event"]["id"].clone());
    one.insert("_score".to_owned(), Json::Null);
    match &form.source {
        Source::All => {
            one.insert("_source".to_owned(), hit.clone());
        }
        Source::None => {}
        Source::Some { includes, excludes } => {
            let wanted = |name: &str| {
                let is = |pattern: &String| {
                    wildcard_matches(pattern, name)
                        || name.strip_prefix(pattern.as_str()).is_some_and(|r| r.starts_with('.'))
                };
                (includes.is_empty() || includes.iter().any(is)) && !excludes.iter().any(is)
            };
            one.insert("_source".to_owned(), chosen(hit, "", &wanted).unwrap_or(json!({})));
        }
    }
    if !form.fields.is_empty() {
        let mut flat = BTreeMap::new();
        flatten(hit, "", &mut flat);
        let wanted =
            |name: &str| form.fields.iter().any(|field| wildcard_matches(field_name(field), name));
        flat.retain(|name, _| wanted(name));
        for (name, format) in &form.formats {
            let times = flat.get_mut(field_name(name)).into_iter().flatten();
            for value in times {
                if let Some(time) = value.as_str().and_then(Timestamp::parse_rfc3339) {
                    *value = json!(dates::write(time, Some(format), &Zone::utc()));
                }
            }
        }
        one.insert("fields".to_owned(), json!(flat));
    }
    if let Some(sort) = &form.sort {
        let value = sort.field.split('.').try_fold(hit, |value, part| value.get(part));
        let first = match value {
            Some(Json::String(text)) => match Timestamp::parse_rfc3339(text) {
                Some(time) => json!(time.millis()),
                None => json!(text),
            },
            Some(value) => value.clone(),
            None => Json::Null,
        };
        // Where to go on, exactly, after the value that people read.
        let place = tocsin_store::cursor_after(hit, sort);
        one.insert("sort".to_owned(), Json::Array(vec![first, json!(place)]));
    }
    Json::Object(one)
}

/// The parts of an event that are wanted; `None` when there are none.
fn chosen(value: &Json, name: &str, wanted: &dyn Fn(&str) -> bool) -> Option<Json> {
    let Json::Object(object) = value else {
        return wanted(name).then(|| value.clone());
    };
    let mut kept = Map::new();
    for (key, value) in object {
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        if let Some(value) = chosen(value, &name, wanted) {
            kept.insert(key.clone(), value);
        }
    }
    (!kept.is_empty()).then_some(Json::Object(kept))
}

fn flatten(value: &Json, name: &str, flat: &mut BTreeMap<String, Vec<Json>>) {
    match value {
        Json::Object(object) => {
            for (key, value) in object {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(value, &name, flat);
            }
        }
        Json::Array(items) => {
            flat.insert(name.to_owned(), items.clone());
        }
        value => {
            flat.insert(name.to_owned(), vec![value.clone()]);
        }
    }
}

/// `_source`: what is given of events.
pub fn parse_source(source: Option<&Json>) -> Source {
    match source {
        None | Some(Json::Null | Json::Bool(true)) => Source::All,
        Some(Json::Bool(false)) => Source::None,
        Some(Json::Object(object)) => Source::Some {
            includes: parse_names(object.get("includes").or_else(|| object.get("include"))),
            excludes: parse_names(object.get("excludes").or_else(|| object.get("exclude"))),
        },
        Some(other) => Source::Some { includes: parse_names(Some(other)), excludes: Vec::new() },
    }
}

/// A name or a list of them, each as text or `{"field": name}`.
pub fn parse_names(value: Option<&Json>) -> Vec<String> {
    let one = |value: &Json| {
        let text = value.as_str().or_else(|| value.get("field")?.as_str());
        text.map(str::to_owned)
    };
    match value {
        Some(Json::Array(all)) => all.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The `format`s of fields, by name.
///
/// # Errors
/// When a format is not known.
pub fn parse_formats(value: Option<&Json>) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    for one in value.and_then(Json::as_array).into_iter().flatten() {
        let text = |key: &str| one.get(key).and_then(Json::as_str);
        let (Some(field), Some(format)) = (text("field"), text("format")) else { continue };
        // Of other kinds: as the column is.
        if format == "use_field_mapping" {
            continue;
        }
        if !dates::is_known(format) {
            let message = format!("the format {format:?} is not known");
            return Err(ElasticError::new("fields", message));
        }
        all.insert(field.to_owned(), format.to_owned());
    }
    Ok(all)
}

/// `sort`: one field; what comes after it may only break ties, which the event's id does here.
/// `None` when only the order of the index is asked for.
///
/// # Errors
/// When a second field would count, or an option is not known.
pub fn parse_sort(sort: &Json) -> Result<Option<Sort>> {
    let bad = |message: String| Err(ElasticError::new("sort", message));
    let keys = match sort {
        Json::Array(keys) => keys.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut first: Option<Sort> = None;
    for key in keys {
        let (field, options) = match key {
            Json::String(field) => (field.as_str(), None),
            Json::Object(object) if object.len() == 1 => match object.iter().next() {
                Some((field, options)) => (field.as_str(), Some(options)),
                None => continue,
            },
            _ => return bad("must name fields, one in each object".to_owned()),
        };
        if matches!(field, "_score" | "_doc" | "_shard_doc" | "_id" | "_seq_no" | "event.id") {
            continue;
        }
        for (option, value) in options.and_then(Json::as_object).into_iter().flatten() {
            let known = match option.as_str() {
                "order" | "unmapped_type" | "format" | "numeric_type" => true,
                "missing" => value == "_last",
                "mode" => value.is_null(),
                _ => false,
            };
            if !known {
                return bad(format!("{option:?}: {value} is not supported"));
            }
        }
        let order = options.map(|options| options.get("order").unwrap_or(options));
        let order = match order.and_then(Json::as_str) {
            Some("desc") => Order::Desc,
            // As Elasticsearch: the score falls, all else rises.
            _ => Order::Asc,
        };
        match &first {
            None => first = Some(Sort { field: field_name(field).to_owned(), order }),
            // No two events of one source share a nanosecond often enough to matter.
            Some(first) if first.field == "@timestamp" => {}
            Some(first) => {
                return bad(format!(
                    "only one field is sorted by; {:?} is the first, {field:?} would be a second \
                     (ties go by the id of events)",
                    first.field
                ));
            }
        }
    }
    Ok(first)
}
