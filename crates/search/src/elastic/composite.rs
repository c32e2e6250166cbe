//! `composite` and `multi_terms`: buckets of several values at once, which are buckets inside
//! buckets to the store.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use tocsin_model::Timestamp;
use tocsin_store::{Agg, AggKind, AggResult, BUCKETS_MAX, Order, TermsOrder};

use crate::elastic::aggs::{Reader, field, number, size};
use crate::elastic::render::{Asked, Keys, Shape, render_aggs};
use crate::elastic::times::date_histogram;
use crate::elastic::{ElasticError, Result, dates};

/// The most values of one bucket.
const SOURCES_MAX: usize = 5;
/// What inner buckets are called.
const INNER: &str = "\u{1}";
/// Buckets when the request does not say.
const SIZE_DEFAULT: usize = 10;

/// What was asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Flat {
    sources: Vec<Source>,
    size: usize,
    /// Of `composite`: the key that the page before ended with.
    after: Option<Map<String, Json>>,
    /// Of `multi_terms`: which come first.
    multi: Option<(TermsOrder, u64)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Source {
    name: String,
    order: Order,
    /// How its times are written.
    times: Option<Keys>,
}

/// `composite`.
pub(crate) fn composite(
    reader: &Reader<'_>,
    options: &Json,
    inside: BTreeMap<String, Agg>,
    path: &str,
) -> Result<(Agg, Shape)> {
    let Some(list) = options.get("sources").and_then(Json::as_array) else {
        return Err(ElasticError::new(path, "needs sources"));
    };
    let (mut sources, mut kinds) = (Vec::new(), Vec::new());
    for one in list {
        let one = one.as_object().filter(|one| one.len() == 1).and_then(|one| one.iter().next());
        let body = one.and_then(|(name, body)| {
            let body = body.as_object().filter(|body| body.len() == 1)?;
            Some((name, body.iter().next()?))
        });
        let Some((name, (kind, options))) = body else {
            let message = "each source must be like {\"name\": {\"terms\": {\"field\": …}}}";
            return Err(ElasticError::new(path, message));
        };
        let path = format!("{path}.sources.{name}.{kind}");
        let (kind, source) = source_of(reader, name, (kind, options), &path)?;
        kinds.push(kind);
        sources.push(source);
    }
    let after = match options.get("after") {
        None | Some(Json::Null) => None,
        Some(Json::Object(after)) if sources.iter().all(|one| after.contains_key(&one.name)) => {
            Some(after.clone())
        }
        Some(_) => {
            let message = "after must have a value for each source: give back after_key";
            return Err(ElasticError::new(path, message));
        }
    };
    let size = size(options, SIZE_DEFAULT, path)?;
    let flat = Flat { sources, size, after, multi: None };
    Ok((nested(kinds, inside, path)?, Shape::Flat(flat)))
}

fn source_of(
    reader: &Reader<'_>,
    name: &str,
    (kind, options): (&str, &Json),
    path: &str,
) -> Result<(AggKind, Source)> {
    let wrong = |message: &str| Err(ElasticError::new(path, message));
    if options.get("missing_bucket").and_then(Json::as_bool) == Some(true) {
        return wrong("missing_bucket is not supported; ask for events without the field apart");
    }
    let order = match options.get("order").and_then(Json::as_str) {
        Some("desc") => Order::Desc,
        _ => Order::Asc,
    };
    let name = name.to_owned();
    match kind {
        "terms" => Ok((whole_terms(field(options, path)?), Source { name, order, times: None })),
        "histogram" => {
            let Some(interval) = options.get("interval").and_then(number) else {
                return wrong("needs an interval");
            };
            let kind = AggKind::Histogram { field: field(options, path)?, interval };
            Ok((kind, Source { name, order, times: None }))
        }
        "date_histogram" => {
            let mut plain = options.clone();
            if let Some(plain) = plain.as_object_mut() {
                plain.remove("order");
            }
            let (kind, shape) = date_histogram(reader, &plain, path)?;
            let times = match shape {
                Shape::Histogram(keys) => Some(keys),
                _ => None,
            };
            Ok((kind, Source { name, order, times }))
        }
        _ => wrong("is no source; known are terms, histogram, date_histogram"),
    }
}

/// `multi_terms`.
pub(crate) fn multi_terms(
    _reader: &Reader<'_>,
    options: &Json,
    inside: BTreeMap<String, Agg>,
    path: &str,
) -> Result<(Agg, Shape)> {
    let list = options.get("terms").and_then(Json::as_array);
    let Some(list) = list.filter(|list| list.len() > 1) else {
        return Err(ElasticError::new(path, "needs two terms or more"));
    };
    let (mut sources, mut kinds) = (Vec::new(), Vec::new());
    for one in list {
        if one.get("missing").is_some() {
            return Err(ElasticError::new(path, "the option \"missing\" is not supported"));
        }
        let field = field(one, path)?;
        sources.push(Source { name: field.clone(), order: Order::Asc, times: None });
        kinds.push(whole_terms(field));
    }
    let order = crate::elastic::aggs::terms_order(options.get("order"), &BTreeMap::new(), path)?;
    if !matches!(order.by.as_str(), "_count" | "_key") {
        return Err(ElasticError::new(path, "can be ordered by _count or _key"));
    }
    let least = options.get("min_doc_count").and_then(number).map_or(1, |least| least as u64);
    let size = size(options, SIZE_DEFAULT, path)?;
    let flat = Flat { sources, size, after: None, multi: Some((order, least)) };
    Ok((nested(kinds, inside, path)?, Shape::Flat(flat)))
}

fn whole_terms(field: String) -> AggKind {
    let order = TermsOrder { by: "_key".to_owned(), order: Order::Asc };
    AggKind::Terms { field, size: BUCKETS_MAX, order }
}

fn nested(kinds: Vec<AggKind>, inside: BTreeMap<String, Agg>, path: &str) -> Result<Agg> {
    if kinds.is_empty() || kinds.len() > SOURCES_MAX {
        return Err(ElasticError::new(path, format!("must have 1 to {SOURCES_MAX} sources")));
    }
    let mut aggs = inside;
    let mut whole = None;
    for kind in kinds.into_iter().rev() {
        if let Some(inner) = whole.take() {
            aggs = [(INNER.to_owned(), inner)].into();
        }
        whole = Some(Agg { kind, aggs: std::mem::take(&mut aggs) });
    }
    whole.ok_or_else(|| ElasticError::new(path, "needs sources"))
}

/// A bucket of several values.
struct One<'r> {
    keys: Vec<Json>,
    texts: Vec<Option<String>>,
    count: u64,
    aggs: &'r BTreeMap<String, AggResult>,
}

pub(crate) fn render(result: &AggResult, flat: &Flat, asked: &Asked) -> Json {
    let mut all = Vec::new();
    gather(result, flat.sources.len(), &mut Vec::new(), &mut all);
    let by_keys = |a: &One<'_>, b: &One<'_>| {
        let orders = flat.sources.iter().map(|source| source.order);
        let mut each = a.keys.iter().zip(&b.keys).zip(orders).map(|((a, b), order)| {
            let by = compare(a, b);
            if order == Order::Desc { by.reverse() } else { by }
        });
        each.find(|by| by.is_ne()).unwrap_or(Ordering::Equal)
    };
    all.sort_by(by_keys);
    match &flat.multi {
        Some((order, least)) => {
            all.retain(|one| one.count >= *least);
            if order.by == "_count" {
                all.sort_by(|a, b| match order.order {
                    Order::Desc => b.count.cmp(&a.count),
                    Order::Asc => a.count.cmp(&b.count),
                });
            } else if order.order == Order::Desc {
                all.reverse();
            }
            multi(&all, flat, asked)
        }
        None => pages(&all, flat, asked),
    }
}

fn multi(all: &[One<'_>], flat: &Flat, asked: &Asked) -> Json {
    let buckets = all.iter().take(flat.size).map(|one| {
        let texts = one.keys.iter().zip(&one.texts).map(|(key, text)| match (text, key) {
            (Some(text), _) | (None, Json::String(text)) => text.clone(),
            (None, key) => key.to_string(),
        });
        let mut bucket = Map::new();
        bucket.insert("key".to_owned(), json!(one.keys));
        let texts: Vec<String> = texts.collect();
        bucket.insert("key_as_string".to_owned(), json!(texts.join("|")));
        bucket.insert("doc_count".to_owned(), json!(one.count));
        bucket.extend(render_aggs(one.aggs, &asked.inside));
        Json::Object(bucket)
    });
    let buckets: Vec<Json> = buckets.collect();
    let other: u64 = all.iter().skip(flat.size).map(|one| one.count).sum();
    json!({ "doc_count_error_upper_bound": 0, "sum_other_doc_count": other, "buckets": buckets })
}

fn pages(all: &[One<'_>], flat: &Flat, asked: &Asked) -> Json {
    let shown = |one: &One<'_>| -> Map<String, Json> {
        let each = flat.sources.iter().zip(one.keys.iter().zip(&one.texts));
        each.map(|(source, (key, text))| {
            let key = match (&source.times, text) {
                (Some(times), _) if times.format.is_some() => {
                    let time = Timestamp::from_millis(key.as_i64().unwrap_or_default());
                    json!(dates::write(time, times.format.as_deref(), &times.zone))
                }
                (None, Some(text)) if matches!(text.as_str(), "true" | "false") => {
                    json!(text == "true")
                }
                _ => key.clone(),
            };
            (source.name.clone(), key)
        })
        .collect()
    };
    let start = match &flat.after {
        None => 0,
        // Where the bucket has gone meanwhile, the first behind its place.
        Some(after) => match all.iter().position(|one| shown(one) == *after) {
            Some(place) => place + 1,
            None => all.partition_point(|one| {
                let mut each = flat.sources.iter().zip(&one.keys).map(|(source, key)| {
                    let by = after.get(&source.name).map_or(Ordering::Less, |a| compare(key, a));
                    if source.order == Order::Desc { by.reverse() } else { by }
                });
                each.find(|by| by.is_ne()).unwrap_or(Ordering::Equal).is_le()
            }),
        },
    };
    let page = all.iter().skip(start).take(flat.size);
    let buckets: Vec<Json> = page
        .map(|one| {
            let mut bucket = Map::new();
            bucket.insert("key".to_owned(), Json::Object(shown(one)));
            bucket.insert("doc_count".to_owned(), json!(one.count));
            bucket.extend(render_aggs(one.aggs, &asked.inside));
            Json::Object(bucket)
        })
        .collect();
    let mut answer = json!({ "buckets": buckets });
    if let Some(last) = answer["buckets"].as_array().and_then(|all| all.last()) {
        answer["after_key"] = last["key"].clone();
    }
    answer
}

fn gather<'r>(
    result: &'r AggResult,
    left: usize,
    before: &mut Vec<(Json, Option<String>)>,
    all: &mut Vec<One<'r>>,
) {
    for bucket in result.buckets().iter().filter(|bucket| bucket.doc_count > 0) {
        before.push((bucket.key.clone(), bucket.key_as_string.clone()));
        if left <= 1 {
            all.push(One {
                keys: before.iter().map(|(key, _)| key.clone()).collect(),
                texts: before.iter().map(|(_, text)| text.clone()).collect(),
                count: bucket.doc_count,
                aggs: &bucket.aggs,
            });
        } else if let Some(inner) = bucket.aggs.get(INNER) {
            gather(inner, left - 1, before, all);
        }
        before.pop();
    }
}

/// Numbers by value, before texts.
fn compare(a: &Json, b: &Json) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.as_str().cmp(&b.as_str()),
    }
}
