//! Bodies of searches → requests to the store.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tocsin_model::Timestamp;
use tocsin_search::elastic::{
    self, ElasticError, HitForm, Source, parse_aggs_of, parse_formats, parse_names, parse_query,
    parse_sort, parse_source,
};
use tocsin_store::{Bound, Filter, HITS_MAX, Order, SearchRequest, Sort, is_cursor};

use crate::history::documents::Index;
use crate::history::elastic::Params;
use crate::history::elastic::answer::Failure;

/// Hits when the request does not say.
const SIZE_DEFAULT: usize = 10;
/// What a body may say without a meaning here: it changes no result, or only its speed.
const READ_OVER: [&str; 15] = [
    "track_total_hits",
    "track_scores",
    "version",
    "seq_no_primary_term",
    "stored_fields",
    "highlight",
    "explain",
    "profile",
    "terminate_after",
    "indices_boost",
    "stats",
    "preference",
    "ext",
    "_name",
    "pit",
];
/// What changes results, and is not known: refused where it is not empty.
const REFUSED: [&str; 10] = [
    "min_score",
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
    /// How hits are given.
    pub form: HitForm,
    /// What was said of the aggregates.
    pub aggs: BTreeMap<String, elastic::Asked>,
    /// The point in time, to be given back.
    pub pit: Option<String>,
    /// Whether the total is a number, as it was in version 6.
    pub plain_total: bool,
}

/// Reads a search.
pub fn read_search(
    body: &Json,
    params: &Params,
    index: Index,
    now: Timestamp,
) -> Result<Asked, Failure> {
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
    let sort = sort(object.get("sort"), params.sort.as_deref())?;
    let (aggs, said) = match object.get("aggs").or_else(|| object.get("aggregations")) {
        Some(aggs) => parse_aggs_of(aggs, now, index.name()).map_err(wrong)?,
        None => Default::default(),
    };
    let mut fields = parse_names(object.get("fields"));
    fields.extend(parse_names(object.get("docvalue_fields")));
    let mut formats = parse_formats(object.get("fields")).map_err(wrong)?;
    formats.extend(parse_formats(object.get("docvalue_fields")).map_err(wrong)?);
    let source = source(object.get("_source"), params);
    let index = index.name().to_owned();
    let (from, to) = span_of(&filter);
    let limit = if size == 0 { 0 } else { size + skip };
    let mut asked = Asked {
        form: HitForm { index, source, fields, formats, sort: sort.clone() },
        request: SearchRequest {
            may_miss: true,
            filter,
            from,
            to,
            limit,
            sort: sort.unwrap_or_default(),
            aggs,
            timeout: timeout(object.get("timeout")),
            ..SearchRequest::default()
        },
        skip,
        aggs: said,
        pit: None,
        plain_total: params.rest_total_hits_as_int.as_deref() == Some("true"),
    };
    if let Some(after) = object.get("search_after").filter(|after| !after.is_null()) {
        go_on(after, &mut asked)?;
    }
    Ok(asked)
}

/// The span of time that a filter leaves, so that other days are not looked through.
fn span_of(filter: &Filter) -> (Option<Timestamp>, Option<Timestamp>) {
    let time = |text: &str| Timestamp::parse_rfc3339(text);
    let after = |time: Timestamp| Timestamp(time.0.saturating_add(1));
    match filter {
        Filter::Range { field, lower, upper } if field == "@timestamp" => {
            let from = match lower {
                Bound::Unbounded => None,
                Bound::Included(text) => time(text),
                Bound::Excluded(text) => time(text).map(after),
            };
            let to = match upper {
                Bound::Unbounded => None,
                Bound::Included(text) => time(text).map(after),
                Bound::Excluded(text) => time(text),
            };
            (from, to)
        }
        Filter::And(all) => all.iter().map(span_of).fold((None, None), |(from, to), one| {
            let to = match (to, one.1) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
            // `None` is the smallest.
            (from.max(one.0), to)
        }),
        _ => (None, None),
    }
}

/// `_source` of the body, narrowed by what the address says.
fn source(body: Option<&Json>, params: &Params) -> Source {
    let list = |text: &Option<String>| -> Vec<String> {
        let names = text.iter().flat_map(|text| text.split(','));
        names.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    let (includes, excludes) = (list(&params.source_includes), list(&params.source_excludes));
    if !includes.is_empty() || !excludes.is_empty() {
        return Source::Some { includes, excludes };
    }
    match (body, params.source.as_deref()) {
        (None, Some("false")) => Source::None,
        (None, Some(names)) if names != "true" => {
            Source::Some { includes: list(&Some(names.to_owned())), excludes: Vec::new() }
        }
        (body, _) => parse_source(body),
    }
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
        "docvalue_fields",
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

/// `sort` of the body, or of the address: `@timestamp:desc,…`.
fn sort(sort: Option<&Json>, param: Option<&str>) -> Result<Option<Sort>, Failure> {
    let given = match (sort, param) {
        (Some(sort), _) => sort.clone(),
        (None, Some(text)) => {
            let keys = text.split(',').map(|key| match key.split_once(':') {
                Some((field, order)) => json!({ field: order }),
                None => json!(key),
            });
            Json::Array(keys.collect())
        }
        (None, None) => return Ok(None),
    };
    // Whoever sorts at all gets the places to go on from.
    Ok(Some(parse_sort(&given).map_err(wrong)?.unwrap_or_default()))
}

/// Goes on after a hit: at the very place that it gave, or else after its value.
fn go_on(after: &Json, asked: &mut Asked) -> Result<(), Failure> {
    let Some(values) = after.as_array().filter(|values| !values.is_empty()) else {
        return Err(Failure::bad("search_after must be a list of sort values".to_owned()));
    };
    let request = &mut asked.request;
    let place = values.last().and_then(Json::as_str);
    if let Some(place) = place.filter(|place| values.len() > 1 && is_cursor(place)) {
        request.cursor = Some(place.to_owned());
        return Ok(());
    }
    let filter = after_of(values.first().unwrap_or(&Json::Null), &request.sort)?;
    request.filter = std::mem::replace(&mut request.filter, Filter::All).and(filter);
    Ok(())
}

/// What comes after a hit: greater (or smaller) values of what is sorted by.
fn after_of(value: &Json, sort: &Sort) -> Result<Filter, Failure> {
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
