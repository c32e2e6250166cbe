//! Answers in Elasticsearch's form.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use tocsin_search::elastic::{render_aggs, render_hit};
use tocsin_store::{FieldInfo, SearchResponse, wildcard_matches};

use crate::error::ApiError;
use crate::history::documents::Index;
use crate::history::elastic::body::Asked;

/// A refusal or failure.
#[derive(Debug, Clone)]
pub struct Failure {
    pub status: u16,
    kind: &'static str,
    reason: String,
}

impl Failure {
    /// The request is wrong.
    pub fn bad(reason: String) -> Self {
        Self { status: 400, kind: "illegal_argument_exception", reason }
    }

    /// There is no such index.
    pub fn no_index(name: &str) -> Self {
        let reason = format!("no such index [{name}]; there are logs-* (events) and alerts-*");
        Self { status: 404, kind: "index_not_found_exception", reason }
    }

    /// What the server says.
    pub fn of(error: &ApiError) -> Self {
        let status = error.status().as_u16();
        let kind = match status {
            400 => "illegal_argument_exception",
            _ => "search_phase_execution_exception",
        };
        Self { status, kind, reason: error.message().to_owned() }
    }

    /// In their form.
    pub fn body(&self) -> Json {
        let cause = json!({ "type": self.kind, "reason": self.reason });
        json!({
            "error": { "root_cause": [cause], "type": self.kind, "reason": self.reason },
            "status": self.status,
        })
    }
}

/// The answer to a search or a count.
pub fn search_answer(found: &SearchResponse, asked: &Asked, counts: bool) -> Json {
    let shards = json!({ "total": 1, "successful": 1, "skipped": 0, "failed": 0 });
    if counts {
        return json!({ "count": found.total, "_shards": shards });
    }
    let hits: Vec<Json> =
        found.hits.iter().skip(asked.skip).map(|hit| render_hit(hit, &asked.form)).collect();
    let mut answer = json!({
        "took": u64::try_from(found.took.as_millis()).unwrap_or(u64::MAX),
        "timed_out": found.partial,
        "_shards": shards,
        "hits": {
            "total": { "value": found.total, "relation": if found.partial { "gte" } else { "eq" } },
            "max_score": null,
            "hits": hits,
        },
    });
    if asked.plain_total {
        answer["hits"]["total"] = json!(found.total);
    }
    if let Some(pit) = &asked.pit {
        answer["pit_id"] = json!(pit);
    }
    if found.archived {
        // Not of Elasticsearch: archived days were looked through, which takes longer.
        answer["archived"] = json!(true);
    }
    if let Some(why) = &found.missing {
        answer["missing"] = json!(why);
    }
    if !asked.aggs.is_empty() {
        let aggs = Json::Object(render_aggs(&found.aggs, &asked.aggs));
        if let Some(object) = answer.as_object_mut() {
            object.insert("aggregations".to_owned(), aggs);
        }
    }
    answer
}

/// The kind of a field in Elasticsearch's words.
fn kind_of(kind: &str) -> &str {
    match kind {
        "dynamic" | "object" | "flattened" => "keyword",
        kind => kind,
    }
}

/// Every stored field, with those that every event has.
fn all_fields(fields: &[FieldInfo]) -> BTreeMap<&str, &str> {
    let mut all: BTreeMap<&str, &str> =
        fields.iter().map(|field| (field.name.as_str(), kind_of(field.kind))).collect();
    all.insert("@timestamp", "date");
    all.insert("event.ingested", "date");
    all.insert("event.id", "keyword");
    all
}

/// `_field_caps`.
pub fn field_caps(index: Index, fields: &[FieldInfo], patterns: &str) -> Json {
    let wanted =
        |name: &str| patterns.split(',').any(|pattern| wildcard_matches(pattern.trim(), name));
    let mut all = Map::new();
    for (name, kind) in all_fields(fields) {
        if wanted(name) {
            let aggregates = kind != "text" && name != "event.id";
            all.insert(
                name.to_owned(),
                json!({ kind: {
                    "type": kind, "metadata_field": false, "searchable": true,
                    "aggregatable": aggregates,
                } }),
            );
        }
    }
    json!({ "indices": [index.name()], "fields": all })
}

/// `_mapping`.
pub fn mapping(index: Index, fields: &[FieldInfo]) -> Json {
    let mut root = Map::new();
    for (name, kind) in all_fields(fields) {
        put(&mut root, name, kind);
    }
    json!({ index.name(): { "mappings": { "properties": root } } })
}

fn put(properties: &mut Map<String, Json>, name: &str, kind: &str) {
    let Some((first, rest)) = name.split_once('.') else {
        let known = properties.entry(name.to_owned()).or_insert_with(|| json!({}));
        if let Some(known) = known.as_object_mut()
            && !known.contains_key("properties")
        {
            known.insert("type".to_owned(), json!(kind));
        }
        return;
    };
    let inner = properties.entry(first.to_owned()).or_insert_with(|| json!({}));
    let Some(inner) = inner.as_object_mut() else { return };
    inner.remove("type");
    let below = inner.entry("properties").or_insert_with(|| json!({}));
    if let Some(below) = below.as_object_mut() {
        put(below, rest, kind);
    }
}

/// A row of `_cat/indices`.
pub fn cat_row(index: Index, documents: u64, bytes: u64) -> Json {
    let size = format!("{bytes}b");
    json!({
        "health": "green", "status": "open", "index": index.name(), "uuid": index.name(),
        "pri": "1", "rep": "0", "docs.count": documents.to_string(), "docs.deleted": "0",
        "store.size": size, "pri.store.size": size,
    })
}
