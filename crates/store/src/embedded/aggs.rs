//! Aggregates: our request → Tantivy's, and its answer → ours.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::agg_result::{
    AggregationResult, AggregationResults, BucketEntries, BucketEntry, BucketResult, MetricResult,
    RangeBucketEntry,
};
use tantivy::aggregation::metric::PercentileValues;
use tantivy::aggregation::{AggContextParams, AggregationLimitsGuard, Key};
use tocsin_model::Timestamp;

use crate::embedded::schema::{Fields, dynamic_column, tokenizers};
use crate::empty::{empty, empty_bucket, empty_range, range_key};
use crate::error::{Result, StoreError};
use crate::request::{
    Agg, AggKind, AggResult, AggStats, BUCKETS_MAX, Bucket, SearchRequest, TOP_HITS_MAX, TermsOrder,
};
use crate::test::{Class, class_of};
use crate::ticks::Ticks;

/// The most memory that the aggregates of one request may take, bytes.
const AGG_BYTES_MAX: u64 = 200 * 1024 * 1024;
/// How deep aggregates nest.
const AGG_DEPTH_MAX: usize = 6;
/// The most filters of one aggregate.
const FILTERS_MAX: usize = 100;

/// Limits of one request.
pub(crate) fn limits() -> AggregationLimitsGuard {
    AggregationLimitsGuard::new(Some(AGG_BYTES_MAX), Some(BUCKETS_MAX as u32))
}

/// What Tantivy needs to collect.
pub(crate) fn context(limits: AggregationLimitsGuard) -> AggContextParams {
    AggContextParams::new(limits, tokenizers())
}

/// Checks what can be checked without an index.
pub(crate) fn check(aggs: &BTreeMap<String, Agg>, depth: usize) -> Result<()> {
    for (name, agg) in aggs {
        let bad =
            |reason: String| Err(StoreError::BadRequest(format!("aggregate {name}: {reason}")));
        if depth >= AGG_DEPTH_MAX {
            return bad(format!("nested more than {AGG_DEPTH_MAX} deep"));
        }
        match &agg.kind {
            AggKind::DateHistogram { interval, .. } if interval.as_millis() == 0 => {
                return bad("the interval must be at least a millisecond".to_owned());
            }
            AggKind::Terms { size, .. } if *size == 0 || *size > BUCKETS_MAX => {
                return bad(format!("size must be from 1 to {BUCKETS_MAX}"));
            }
            AggKind::Range { ranges, .. } if ranges.is_empty() => {
                return bad("needs at least one range".to_owned());
            }
            AggKind::Histogram { interval, .. } if !(interval.is_finite() && *interval > 0.0) => {
                return bad("the interval must be above 0".to_owned());
            }
            AggKind::Percentiles { percents, .. }
                if percents.iter().any(|percent| !(0.0..=100.0).contains(percent)) =>
            {
                return bad("percents are from 0 to 100".to_owned());
            }
            AggKind::Filters { filters } if filters.len() > FILTERS_MAX => {
                return bad(format!("has more than {FILTERS_MAX} filters"));
            }
            AggKind::Cardinality { .. }
            | AggKind::Stats { .. }
            | AggKind::ExtendedStats { .. }
            | AggKind::Percentiles { .. }
            | AggKind::TopHits { .. }
                if !agg.aggs.is_empty() =>
            {
                return bad("has no buckets for aggregates inside".to_owned());
            }
            AggKind::TopHits { size, .. } if *size > TOP_HITS_MAX => {
                return bad(format!("gives at most {TOP_HITS_MAX} events of a bucket"));
            }
            AggKind::Calendar { field, .. } | AggKind::AutoDateHistogram { field, .. }
                if !matches!(class_of(field), Class::Time | Class::Ingested | Class::Date) =>
            {
                return bad(format!("{field} is no date"));
            }
            kind => {
                if let AggKind::Calendar { every, zone, .. } = kind {
                    Ticks::new(*every, zone)?;
                }
                if let AggKind::Terms { order, .. } = kind {
                    check_order(order, &agg.aggs).or_else(bad)?;
                }
                check(&agg.aggs, depth + 1)?;
            }
        }
    }
    Ok(())
}

/// Terms can be in the order of their number, themselves, or a number inside.
fn check_order(order: &TermsOrder, inside: &BTreeMap<String, Agg>) -> Result<(), String> {
    let by = order.by.as_str();
    if matches!(by, "_count" | "_key") {
        return Ok(());
    }
    let (name, part) = by.split_once('.').unwrap_or((by, ""));
    match inside.get(name).map(|agg| &agg.kind) {
        Some(AggKind::Cardinality { .. }) if part.is_empty() => Ok(()),
        Some(AggKind::Stats { .. } | AggKind::ExtendedStats { .. })
            if matches!(part, "count" | "min" | "max" | "avg" | "sum") =>
        {
            Ok(())
        }
        _ => Err(format!(
            "cannot be ordered by {by:?}; use _count, _key, the name of a cardinality inside, or \
             <name of a stats inside>.avg (min, max, sum, count)"
        )),
    }
}

/// The request for one index.
pub(crate) fn compile(aggs: &BTreeMap<String, Agg>, fields: &Fields) -> Result<Aggregations> {
    let request = Json::Object(compile_map(aggs, fields)?);
    serde_json::from_value(request)
        .map_err(|error| StoreError::BadRequest(format!("aggregates: {error}")))
}

/// The same for one of many small indexes, each of which gives all that it has.
pub(crate) fn compile_whole(aggs: &BTreeMap<String, Agg>, fields: &Fields) -> Result<Aggregations> {
    let mut request = Json::Object(compile_map(aggs, fields)?);
    keep_all(&mut request);
    serde_json::from_value(request)
        .map_err(|error| StoreError::BadRequest(format!("aggregates: {error}")))
}

/// Cuts no list of terms short before all are together.
fn keep_all(aggs: &mut Json) {
    for agg in aggs.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Some(terms) = agg.get_mut("terms").and_then(Json::as_object_mut) {
            terms.insert("segment_size".to_owned(), json!(BUCKETS_MAX));
        }
        if let Some(inside) = agg.get_mut("aggs") {
            keep_all(inside);
        }
    }
}

fn compile_map(aggs: &BTreeMap<String, Agg>, fields: &Fields) -> Result<Map<String, Json>> {
    let mut all = Map::new();
    for (name, agg) in aggs {
        let (kind, body) = match &agg.kind {
            AggKind::DateHistogram { field, interval } => (
                "date_histogram",
                json!({
                    "field": column(field, fields)?,
                    "fixed_interval": format!("{}ms", interval.as_millis()),
                    "min_doc_count": 1,
                }),
            ),
            AggKind::Terms { field, size, order } => {
                let (by, order) = (order.by.clone(), order.order);
                let order = Json::Object([(by, json!(order))].into_iter().collect());
                let field = column(field, fields)?;
                ("terms", json!({ "field": field, "size": size, "order": order }))
            }
            AggKind::Histogram { field, interval } => {
                let field = column(field, fields)?;
                ("histogram", json!({ "field": field, "interval": interval, "min_doc_count": 1 }))
            }
            AggKind::Percentiles { field, percents } => {
                let field = column(field, fields)?;
                let body = json!({ "field": field, "percents": percents, "keyed": false });
                ("percentiles", body)
            }
            // Asked in steps.
            AggKind::Filters { .. }
            | AggKind::Calendar { .. }
            | AggKind::AutoDateHistogram { .. }
            | AggKind::TopHits { .. } => continue,
            AggKind::Cardinality { field } => {
                ("cardinality", json!({ "field": column(field, fields)? }))
            }
            AggKind::Stats { field } => ("stats", json!({ "field": column(field, fields)? })),
            AggKind::ExtendedStats { field } => {
                ("extended_stats", json!({ "field": column(field, fields)? }))
            }
            AggKind::Range { field, ranges } => {
                let ranges: Vec<Json> = ranges
                    .iter()
                    .map(|range| {
                        let mut ends = Map::new();
                        ends.extend(range.from.map(|end| ("from".to_owned(), json!(end))));
                        ends.extend(range.to.map(|end| ("to".to_owned(), json!(end))));
                        Json::Object(ends)
                    })
                    .collect();
                ("range", json!({ "field": column(field, fields)?, "ranges": ranges }))
            }
        };
        let mut one = Map::new();
        one.insert(kind.to_owned(), body);
        if !agg.aggs.is_empty() {
            one.insert("aggs".to_owned(), Json::Object(compile_map(&agg.aggs, fields)?));
        }
        all.insert(name.clone(), Json::Object(one));
    }
    Ok(all)
}

/// The column of a field.
pub(crate) fn column(name: &str, fields: &Fields) -> Result<String> {
    match fields.class_of(name) {
        Class::Dynamic => Ok(dynamic_column(name)),
        Class::Id | Class::Text | Class::AnyText => Err(no_column(name)),
        _ => match fields.typed(name) {
            Some(field) if fields.is_fast(field) => Ok(name.to_owned()),
            _ => Err(no_column(name)),
        },
    }
}

fn no_column(name: &str) -> StoreError {
    StoreError::BadRequest(format!(
        "{name}: cannot be sorted or counted by its values; use a keyword, number, address or \
         date field"
    ))
}

/// The answer, in our form.
pub(crate) fn convert(
    results: &AggregationResults,
    request: &SearchRequest,
) -> Result<BTreeMap<String, AggResult>> {
    convert_map(results, &request.aggs, request, true)
}

fn convert_map(
    results: &AggregationResults,
    aggs: &BTreeMap<String, Agg>,
    request: &SearchRequest,
    outermost: bool,
) -> Result<BTreeMap<String, AggResult>> {
    let mut all = BTreeMap::new();
    for (name, agg) in aggs {
        let result = match results.0.get(name) {
            Some(result) => convert_one(result, agg, request)?,
            None => empty(agg),
        };
        let result = match (&agg.kind, result) {
            (AggKind::DateHistogram { field, interval }, AggResult::Buckets { buckets, .. }) => {
                let whole = outermost && field == "@timestamp";
                let span = if whole { (request.from, request.to) } else { (None, None) };
                fill(buckets, *interval, span, &agg.aggs)?
            }
            (_, result) => result,
        };
        all.insert(name.clone(), result);
    }
    Ok(all)
}

fn convert_one(
    result: &AggregationResult,
    agg: &Agg,
    request: &SearchRequest,
) -> Result<AggResult> {
    let bucket = |entry: &BucketEntry, key: Json, text: Option<String>| {
        Ok::<_, StoreError>(Bucket {
            key,
            key_as_string: text,
            doc_count: entry.doc_count,
            aggs: convert_map(&entry.sub_aggregation, &agg.aggs, request, false)?,
        })
    };
    Ok(match result {
        AggregationResult::BucketResult(BucketResult::Histogram { buckets }) => {
            let of_numbers = matches!(agg.kind, AggKind::Histogram { .. });
            let times = entries(buckets).into_iter().map(|entry| {
                if of_numbers {
                    return bucket(entry, key_json(&entry.key), None);
                }
                let millis = key_number(&entry.key) as i64;
                let text = Timestamp::from_millis(millis).to_string();
                bucket(entry, json!(millis), Some(text))
            });
            AggResult::Buckets { buckets: times.collect::<Result<_>>()?, other: 0 }
        }
        AggregationResult::BucketResult(BucketResult::Terms {
            buckets,
            sum_other_doc_count,
            ..
        }) => {
            let terms = buckets.iter().map(|entry| {
                let (key, text) = term_key(entry);
                bucket(entry, key, text)
            });
            let buckets = terms.collect::<Result<_>>()?;
            AggResult::Buckets { buckets, other: *sum_other_doc_count }
        }
        AggregationResult::BucketResult(BucketResult::Range { buckets }) => {
            convert_ranges(buckets, agg, request)?
        }
        AggregationResult::MetricResult(MetricResult::Percentiles(found)) => {
            let values = match &found.values {
                PercentileValues::Vec(values) => values
                    .iter()
                    .map(|v| (v.key, Some(v.value).filter(|v| v.is_finite())))
                    .collect(),
                PercentileValues::HashMap(_) => Vec::new(),
            };
            AggResult::Percentiles { values }
        }
        AggregationResult::MetricResult(MetricResult::Cardinality(value)) => {
            AggResult::Value { value: value.value.unwrap_or(0.0).round() as u64 }
        }
        AggregationResult::MetricResult(result) => convert_stats(result, agg),
        _ => empty(agg),
    })
}

fn convert_stats(result: &MetricResult, agg: &Agg) -> AggResult {
    let (count, sum) = match result {
        MetricResult::Stats(stats) => (stats.count, stats.sum),
        MetricResult::ExtendedStats(stats) => (stats.count, stats.sum),
        _ => return empty(agg),
    };
    let (min, max, avg) = match result {
        MetricResult::ExtendedStats(stats) => (stats.min, stats.max, stats.avg),
        MetricResult::Stats(stats) => (stats.min, stats.max, stats.avg),
        _ => (None, None, None),
    };
    let sum_of_squares = match result {
        MetricResult::ExtendedStats(stats) => Some(stats.sum_of_squares.unwrap_or(0.0)),
        _ => None,
    };
    AggResult::Stats(AggStats { count, min, max, avg, sum, sum_of_squares })
}

fn convert_ranges(
    buckets: &BucketEntries<RangeBucketEntry>,
    agg: &Agg,
    request: &SearchRequest,
) -> Result<AggResult> {
    let AggKind::Range { ranges, .. } = &agg.kind else { return Ok(empty(agg)) };
    let found = range_entries(buckets);
    let ranges = ranges.iter().map(|range| {
        // The index also counts what is between the ranges.
        let entry = found.iter().find(|e| e.from == range.from && e.to == range.to);
        let Some(entry) = entry else { return Ok(empty_range(range, &agg.aggs)) };
        Ok(Bucket {
            key: json!(range_key(range)),
            key_as_string: None,
            doc_count: entry.doc_count,
            aggs: convert_map(&entry.sub_aggregation, &agg.aggs, request, false)?,
        })
    });
    Ok(AggResult::Buckets { buckets: ranges.collect::<Result<_>>()?, other: 0 })
}

fn entries(buckets: &BucketEntries<BucketEntry>) -> Vec<&BucketEntry> {
    buckets.iter().collect()
}

fn range_entries(buckets: &BucketEntries<RangeBucketEntry>) -> Vec<&RangeBucketEntry> {
    buckets.iter().collect()
}

fn key_number(key: &Key) -> f64 {
    match key {
        Key::F64(number) => *number,
        Key::I64(number) => *number as f64,
        Key::U64(number) => *number as f64,
        Key::Str(_) => 0.0,
    }
}

fn key_json(key: &Key) -> Json {
    match key {
        Key::Str(text) => json!(text),
        Key::I64(number) => json!(number),
        Key::U64(number) => json!(number),
        Key::F64(number) => json!(number),
    }
}

/// The key of a term: addresses that were IPv4 read as IPv4.
fn term_key(entry: &BucketEntry) -> (Json, Option<String>) {
    let key = match &entry.key {
        Key::Str(text) => match text.strip_prefix("::ffff:") {
            Some(_) => {
                json!(crate::test::parse_ip(text).map_or(text.clone(), crate::test::ip_text))
            }
            None => json!(text),
        },
        other => key_json(other),
    };
    (key, entry.key_as_string.clone())
}

/// Puts the empty buckets in: from the first to the last, or over the whole span asked for.
pub(crate) fn fill(
    buckets: Vec<Bucket>,
    interval: Duration,
    span: (Option<Timestamp>, Option<Timestamp>),
    inside: &BTreeMap<String, Agg>,
) -> Result<AggResult> {
    let width = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX);
    let place = |millis: i64| millis.div_euclid(width);
    let key = |bucket: &Bucket| place(bucket.key.as_i64().unwrap_or(0));
    let ends = buckets.first().map(key).zip(buckets.last().map(key));
    let from = span.0.map(|from| place(from.millis()));
    let to = span.1.map(|to| place(Timestamp(to.0.saturating_sub(1)).millis()));
    let (Some(mut first), Some(mut last)) = (
        from.into_iter().chain(ends.map(|(first, _)| first)).min(),
        to.into_iter().chain(ends.map(|(_, last)| last)).max(),
    ) else {
        return Ok(AggResult::Buckets { buckets, other: 0 });
    };
    let are_too_many = |first: i64, last: i64| last.saturating_sub(first) >= BUCKETS_MAX as i64;
    // A span of years and an interval of seconds: from the first event to the last.
    if let Some(ends) = ends.filter(|_| are_too_many(first, last)) {
        (first, last) = ends;
    }
    if are_too_many(first, last) {
        return Err(StoreError::BadRequest(format!(
            "the histogram would have more than {BUCKETS_MAX} buckets; use a longer interval"
        )));
    }
    let mut found = buckets.into_iter().peekable();
    let mut all = Vec::new();
    for at in first..=last {
        if let Some(bucket) = found.next_if(|bucket| key(bucket) == at) {
            all.push(bucket);
            continue;
        }
        let millis = at.saturating_mul(width);
        let text = Timestamp::from_millis(millis).to_string();
        all.push(Bucket { key_as_string: Some(text), ..empty_bucket(json!(millis), inside) });
    }
    Ok(AggResult::Buckets { buckets: all, other: 0 })
}
