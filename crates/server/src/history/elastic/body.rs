//! Bodies of searches → requests to the store.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tocsin_model::Timestamp;
use tocsin_search::elastic::{self, ElasticError, field_name, parse_aggs, parse_query};
use tocsin_store::{Bound, Filter, HITS_MAX, Order, SearchRequest, Sort};

use crate::history::elastic::Params;
use crate::history::elastic::answer::Failure;

/// Hits when the request does not say.
const SIZE_DEFAULT: usize = 10;
/// What a body may say without a meaning here: it changes no result, or only its speed.
const READ_OVER: [&str; 17] = [
    "track_total_hits",
    "track_scores",
    "version",
    "seq_no_primary_term",
    "stored_fields",
    "highlight",
    "explain",
    "profile",
    "min_score",
    "terminate_after",
    "indices_boost",
    "stats",
    "preference",
    "ext",
    "docvalue_fields",
    "_name",
    "pit",
];
/// What changes results, and is not known: refused where it is not empty.
const REFUSED: [&str; 9] = [
    "script_fields",
    "runtime_mappings",
    "collapse",
    "knn",
    "suggest",
    "rescore",
    "post_filter",
    "slice",
    "retriever",
];

/// A search, and how to answer it.
pub struct Asked {
    /// What to ask the store.
    pub request: SearchRequest,
    /// How many hits to leave out first.
    pub skip: usize,
    /// Which parts of the events.
    pub source: Source,
    /// Fields to give flat beside the event.
    pub fields: Vec<String>,
    /// How many keys each hit is sorted by.
    pub sort_keys: usize,
    /// What was said of the aggregates.
    pub aggs: BTreeMap<String, elastic::Asked>,
}

/// Which parts of an event are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    All,
    None,
    Some { includes: Vec<String>, excludes: Vec<String> },
}

/// Reads a search.
pub fn read_search(body: &Json, params: &Params, now: Timestamp) -> Result<Asked, Failure> {
    let Some(object) = body.as_object() else {
        return Err(Failure::bad("the body must be an object".to_owned()));
    };
    check_keys(object)?;
    let mut filter = match object.get("query") {
        None | Some(Json::Null) => Filter::All,
        Some(query) => parse_query(query, now).map_err(wrong)?,
    };
    if let Some(text) = params.q.as_deref().filter(|text| !text.is_empty()) {
        let query = json!({ "query_string": { "query": text } });
        filter = filter.and(parse_query(&query, now).map_err(wrong)?);
    }
    let number = |key: &str, param: &Option<String>, default: usize| -> Result<usize, Failure> {
        let given = match (object.get(key), param) {
            (Some(value), _) => value.as_u64().map(|number| number as usize),
            (None, Some(text)) => text.parse().ok(),
            (None, None) => Some(default),
        };
        given.ok_or_else(|| Failure::bad(format!("{key} must be a whole number")))
    };
    let (size, skip) =
        (number("size", &params.size, SIZE_DEFAULT)?, number("from", &params.from, 0)?);
    if size + skip > HITS_MAX {
        return Err(Failure::bad(format!(
            "from + size is {}, more than {HITS_MAX}; go on with search_after",
            size + skip
        )));
    }
    let (sort, sort_keys) = sort(object.get("sort"), params.sort.as_deref())?;
    if let Some(after) = object.get("search_after") {
        filter = filter.and(after_of(after, &sort)?);
    }
    let (aggs, asked) = match object.get("aggs").or_else(|| object.get("aggregations")) {
        Some(aggs) => parse_aggs(aggs, now).map_err(wrong)?,
        None => Default::default(),
    };
    let limit = if size == 0 { 0 } else { size + skip };
    Ok(Asked {
        request: SearchRequest {
            may_miss: true,
            filter,
            limit,
            sort,
            aggs,
            timeout: timeout(object.get("timeout")),
            ..SearchRequest::default()
        },
        skip,
        source: source(object.get("_source"))?,
        fields: names(object.get("fields")),
        sort_keys,
        aggs: asked,
    })
}

fn wrong(error: ElasticError) -> Failure {
    Failure::bad(error.to_string())
}

fn check_keys(object: &serde_json::Map<String, Json>) -> Result<(), Failure> {
    let known = [
        "query",
        "size",
        "from",
        "sort",
        "search_after",
        "aggs",
        "aggregations",
        "timeout",
        "_source",
        "fields",
    ];
    for (key, value) in object {
        let empty = match value {
            Json::Null => true,
            Json::Object(object) => object.is_empty(),
            Json::Array(items) => items.is_empty(),
            _ => false,
        };
        if known.contains(&key.as_str()) || READ_OVER.contains(&key.as_str()) || empty {
            continue;
        }
        let why = if REFUSED.contains(&key.as_str()) { "is not supported" } else { "is not known" };
        return Err(Failure::bad(format!("{key:?} {why}")));
    }
    Ok(())
}

/// The first key; the others break ties, which the event's id does here.
fn sort(sort: Option<&Json>, param: Option<&str>) -> Result<(Sort, usize), Failure> {
    let given = match (sort, param) {
        (Some(sort), _) => sort.clone(),
        (None, Some(text)) => {
            let keys = text.split(',').map(|key| match key.split_once(':') {
                Some((field, order)) => json!({ field: order }),
                None => json!(key),
            });
            Json::Array(keys.collect())
        }
        (None, None) => return Ok((Sort::default(), 0)),
    };
    let keys = match given {
        Json::Array(keys) => keys,
        one => vec![one],
    };
    for key in &keys {
        let (field, options) = match key {
            Json::String(field) => (field.as_str(), None),
            Json::Object(object) => match object.iter().next() {
                Some((field, options)) => (field.as_str(), Some(options)),
                None => continue,
            },
            _ => return Err(Failure::bad("sort must name fields".to_owned())),
        };
        let order = options.map(|options| options.get("order").unwrap_or(options));
        let order = match order.and_then(Json::as_str) {
            Some("asc") => Order::Asc,
            Some("desc") => Order::Desc,
            // As Elasticsearch: the score falls, all else rises.
            _ => Order::Asc,
        };
        match field {
            "_score" | "_doc" | "_shard_doc" => {}
            field => {
                let field = field_name(field).to_owned();
                return Ok((Sort { field, order }, keys.len()));
            }
        }
    }
    Ok((Sort::default(), keys.len()))
}

/// What comes after a hit: greater (or smaller) values of what is sorted by.
fn after_of(after: &Json, sort: &Sort) -> Result<Filter, Failure> {
    let Some(value) = after.as_array().and_then(|after| after.first()) else {
        return Err(Failure::bad("search_after must be a list of sort values".to_owned()));
    };
    let op = if sort.order == Order::Asc { "gt" } else { "lt" };
    let query = json!({ "range": { sort.field.as_str(): { op: value } } });
    let filter = parse_query(&query, Timestamp::default()).map_err(wrong)?;
    // Milliseconds stand for all of the millisecond, which has been given.
    Ok(match (filter, value.as_i64()) {
        (Filter::Range { field, upper, .. }, Some(millis))
            if sort.order == Order::Asc && field == "@timestamp" =>
        {
            let lower = Bound::Included(Timestamp::from_millis(millis + 1).to_string());
            Filter::Range { field, lower, upper }
        }
        (filter, _) => filter,
    })
}

fn timeout(timeout: Option<&Json>) -> Option<Duration> {
    let text = timeout?.as_str()?;
    let number = text.trim_end_matches(char::is_alphabetic);
    let count: u64 = number.parse().ok()?;
    match &text[number.len()..] {
        "ms" => Some(Duration::from_millis(count)),
        "s" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_secs(count.checked_mul(60)?)),
        _ => None,
    }
}

fn source(source: Option<&Json>) -> Result<Source, Failure> {
    Ok(match source {
        None | Some(Json::Null | Json::Bool(true)) => Source::All,
        Some(Json::Bool(false)) => Source::None,
        Some(Json::Object(object)) => Source::Some {
            includes: names(object.get("includes").or_else(|| object.get("include"))),
            excludes: names(object.get("excludes").or_else(|| object.get("exclude"))),
        },
        Some(other) => Source::Some { includes: names(Some(other)), excludes: Vec::new() },
    })
}

/// A name or a list of them, each as text or `{"field": name}`.
fn names(value: Option<&Json>) -> Vec<String> {
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
