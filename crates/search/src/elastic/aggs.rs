//! Aggregates: JSON → [`Agg`], and results in Elasticsearch's form.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};
use tocsin_model::Timestamp;
use tocsin_store::{Agg, AggKind, AggResult, AggStats, Bucket, Order, RangeBucket, TermsOrder};

use crate::elastic::query::parse_query;
use crate::elastic::{ElasticError, Result, field_name};

/// The field that holds an event's time.
const TIME: &str = "@timestamp";
/// The deepest nesting.
const DEPTH_MAX: usize = 6;
/// Buckets of `terms` when the request does not say.
const TERMS_DEFAULT: usize = 10;
/// About how many buckets a histogram has when only a number of them is asked for.
const AUTO_BUCKETS: u64 = 100;
/// Percents when the request does not say.
const PERCENTS_DEFAULT: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];

const KINDS: &str = "date_histogram, histogram, terms, range, filters, filter, cardinality, \
    stats, extended_stats, avg, sum, min, max, value_count, percentiles";

/// What was asked for, to answer in the same form.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    shape: Shape,
    inside: BTreeMap<String, Asked>,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Plain,
    /// One part of a stats.
    Part(&'static str),
    /// One part of a stats of times, which are milliseconds there and nanoseconds here.
    TimePart(&'static str),
    /// One bucket.
    Filter,
    /// Buckets by name.
    Filters,
    Percentiles {
        keyed: bool,
    },
    Range {
        keyed: bool,
        ranges: Vec<RangeBucket>,
        names: Vec<Option<String>>,
    },
    /// Buckets below this are left out.
    Histogram {
        least: u64,
    },
}

/// Reads `aggs`: what to ask the store, and what to say of its answer.
///
/// # Errors
/// When a kind or option is not known, with its place.
pub fn parse_aggs(
    aggs: &Json,
    now: Timestamp,
) -> Result<(BTreeMap<String, Agg>, BTreeMap<String, Asked>)> {
    Reader { now }.map(aggs, "aggs", 0)
}

struct Reader {
    now: Timestamp,
}

impl Reader {
    fn map(
        &self,
        aggs: &Json,
        path: &str,
        depth: usize,
    ) -> Result<(BTreeMap<String, Agg>, BTreeMap<String, Asked>)> {
        let Some(object) = aggs.as_object() else {
            return Err(ElasticError::new(path, "must be an object of aggregates by name"));
        };
        if depth >= DEPTH_MAX {
            return Err(ElasticError::new(path, format!("nested more than {DEPTH_MAX} deep")));
        }
        let (mut all, mut asked) = (BTreeMap::new(), BTreeMap::new());
        for (name, body) in object {
            let (agg, shape) = self.agg(body, &format!("{path}.{name}"), depth)?;
            all.insert(name.clone(), agg);
            asked.insert(name.clone(), shape);
        }
        Ok((all, asked))
    }

    fn agg(&self, body: &Json, path: &str, depth: usize) -> Result<(Agg, Asked)> {
        let object = body.as_object();
        let mut kinds = object
            .into_iter()
            .flatten()
            .filter(|(key, _)| !matches!(key.as_str(), "aggs" | "aggregations" | "meta"));
        let (Some((kind, options)), None) = (kinds.next(), kinds.next()) else {
            return Err(ElasticError::new(path, "must name one kind of aggregate"));
        };
        let inside = body.get("aggs").or_else(|| body.get("aggregations"));
        let (aggs, inside) = match inside {
            Some(inside) => self.map(inside, path, depth + 1)?,
            None => Default::default(),
        };
        let path = format!("{path}.{kind}");
        let (kind, shape) = self.kind(kind, options, &inside, &path)?;
        Ok((Agg { kind, aggs }, Asked { shape, inside }))
    }

    fn kind(
        &self,
        kind: &str,
        options: &Json,
        inside: &BTreeMap<String, Asked>,
        path: &str,
    ) -> Result<(AggKind, Shape)> {
        let field = || field(options, path);
        let stats = |part| {
            let field = field()?;
            let is_time = field == TIME && matches!(part, "min" | "max" | "avg");
            let shape = if is_time { Shape::TimePart(part) } else { Shape::Part(part) };
            Ok((AggKind::Stats { field }, shape))
        };
        match kind {
            "cardinality" => Ok((AggKind::Cardinality { field: field()? }, Shape::Plain)),
            "stats" | "extended_stats" => Ok((AggKind::Stats { field: field()? }, Shape::Plain)),
            "avg" => stats("avg"),
            "sum" => stats("sum"),
            "min" => stats("min"),
            "max" => stats("max"),
            "value_count" => stats("count"),
            "percentiles" => percentiles(options, path),
            "terms" => {
                let size = options.get("size").map(|size| whole(size, "size", path)).transpose()?;
                let size = match size {
                    None => TERMS_DEFAULT,
                    // Grafana's "no limit".
                    Some(0) => tocsin_store::HITS_MAX,
                    Some(size) => usize::try_from(size).unwrap_or(usize::MAX),
                };
                let order = terms_order(options.get("order"), inside, path)?;
                Ok((AggKind::Terms { field: field()?, size, order }, Shape::Plain))
            }
            "date_histogram" => date_histogram(options, path),
            "auto_date_histogram" => Err(ElasticError::new(
                path,
                format!(
                    "is not supported; use date_histogram with fixed_interval (about \
                         {AUTO_BUCKETS} buckets read well)"
                ),
            )),
            "histogram" => {
                let Some(interval) = options.get("interval").and_then(number) else {
                    return Err(ElasticError::new(path, "needs an interval"));
                };
                let least = least(options);
                Ok((AggKind::Histogram { field: field()?, interval }, Shape::Histogram { least }))
            }
            "range" => ranges(options, path),
            "filter" => {
                let filter = parse_query(options, self.now).map_err(|error| {
                    ElasticError::new(format!("{path}: {}", error.path), error.message)
                })?;
                Ok((AggKind::Filters { filters: vec![(String::new(), filter)] }, Shape::Filter))
            }
            "filters" => self.filters(options, path),
            other => Err(ElasticError::new(
                path,
                format!("the aggregate {other:?} is not supported; known are {KINDS}"),
            )),
        }
    }

    fn filters(&self, options: &Json, path: &str) -> Result<(AggKind, Shape)> {
        let Some(object) = options.get("filters").and_then(Json::as_object) else {
            return Err(ElasticError::new(path, "needs filters by name"));
        };
        let mut filters = Vec::new();
        for (name, query) in object {
            let filter = parse_query(query, self.now).map_err(|error| {
                ElasticError::new(format!("{path}.filters.{name}: {}", error.path), error.message)
            })?;
            filters.push((name.clone(), filter));
        }
        Ok((AggKind::Filters { filters }, Shape::Filters))
    }
}

fn field(options: &Json, path: &str) -> Result<String> {
    if options.get("script").is_some() {
        return Err(ElasticError::new(path, "scripts are not supported"));
    }
    match options.get("field").and_then(Json::as_str) {
        Some("_id") => Ok("event.id".to_owned()),
        Some(field) => Ok(field_name(field).to_owned()),
        None => Err(ElasticError::new(path, "needs a field")),
    }
}

fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn whole(value: &Json, name: &str, path: &str) -> Result<u64> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| ElasticError::new(path, format!("{name} must be a whole number")))
}

fn least(options: &Json) -> u64 {
    options.get("min_doc_count").and_then(number).map_or(0, |number| number as u64)
}

/// `{"_count": "desc"}`, a list of them (the first counts), `_term` for `_key`.
fn terms_order(
    order: Option<&Json>,
    inside: &BTreeMap<String, Asked>,
    path: &str,
) -> Result<TermsOrder> {
    let order = match order {
        None => return Ok(TermsOrder::default()),
        Some(Json::Array(all)) => all.first(),
        Some(one) => Some(one),
    };
    let entry = order.and_then(Json::as_object).and_then(|order| order.iter().next());
    let Some((by, direction)) = entry else {
        return Err(ElasticError::new(path, "order must be like {\"_count\": \"desc\"}"));
    };
    let order = match direction.as_str() {
        Some("asc") => Order::Asc,
        _ => Order::Desc,
    };
    let by = match by.as_str() {
        "_term" => "_key".to_owned(),
        by => match inside.get(by).map(|asked| &asked.shape) {
            Some(Shape::Part(part) | Shape::TimePart(part)) => format!("{by}.{part}"),
            _ => by.to_owned(),
        },
    };
    Ok(TermsOrder { by, order })
}

fn date_histogram(options: &Json, path: &str) -> Result<(AggKind, Shape)> {
    let interval = ["fixed_interval", "calendar_interval", "interval"]
        .into_iter()
        .find_map(|key| options.get(key).and_then(Json::as_str));
    let Some(text) = interval else {
        return Err(ElasticError::new(path, "needs fixed_interval, for example \"1m\""));
    };
    let Some(interval) = interval_of(text) else {
        let message = format!(
            "{text:?} is no interval; use 30s, 1m, 3h, 1d, 1w (months and years are not supported)"
        );
        return Err(ElasticError::new(path, message));
    };
    let zone = options.get("time_zone").and_then(Json::as_str).unwrap_or("UTC");
    if !["UTC", "utc", "Z", "+00:00", "Etc/UTC"].contains(&zone) {
        return Err(ElasticError::new(path, "time_zone must be UTC"));
    }
    let kind = AggKind::DateHistogram { field: field(options, path)?, interval };
    Ok((kind, Shape::Histogram { least: least(options) }))
}

fn interval_of(text: &str) -> Option<Duration> {
    let words = [("second", 1), ("minute", 60), ("hour", 3600), ("day", 86_400), ("week", 604_800)];
    if let Some((_, seconds)) = words.iter().find(|(word, _)| *word == text) {
        return Some(Duration::from_secs(*seconds));
    }
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let count: u64 = text[..text.len() - unit.len()].parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 604_800_000,
        _ => return None,
    };
    Some(Duration::from_millis(count.checked_mul(millis)?)).filter(|interval| !interval.is_zero())
}

fn percentiles(options: &Json, path: &str) -> Result<(AggKind, Shape)> {
    let percents = match options.get("percents") {
        None => PERCENTS_DEFAULT.to_vec(),
        Some(Json::Array(all)) => {
            let numbers: Option<Vec<f64>> = all.iter().map(number).collect();
            numbers.ok_or_else(|| ElasticError::new(path, "percents must be numbers"))?
        }
        Some(_) => return Err(ElasticError::new(path, "percents must be a list")),
    };
    let keyed = options.get("keyed").and_then(Json::as_bool).unwrap_or(true);
    let kind = AggKind::Percentiles { field: field(options, path)?, percents };
    Ok((kind, Shape::Percentiles { keyed }))
}

fn ranges(options: &Json, path: &str) -> Result<(AggKind, Shape)> {
    let Some(list) = options.get("ranges").and_then(Json::as_array) else {
        return Err(ElasticError::new(path, "needs ranges"));
    };
    let end = |range: &Json, key: &str| range.get(key).and_then(number);
    let ranges: Vec<RangeBucket> = list
        .iter()
        .map(|range| RangeBucket { from: end(range, "from"), to: end(range, "to") })
        .collect();
    let name = |range: &Json| range.get("key").and_then(Json::as_str).map(str::to_owned);
    let shape = Shape::Range {
        keyed: options.get("keyed").and_then(Json::as_bool).unwrap_or(false),
        ranges: ranges.clone(),
        names: list.iter().map(name).collect(),
    };
    Ok((AggKind::Range { field: field(options, path)?, ranges }, shape))
}

/// Results in Elasticsearch's form.
pub fn render_aggs(
    results: &BTreeMap<String, AggResult>,
    asked: &BTreeMap<String, Asked>,
) -> Map<String, Json> {
    let plain = Asked { shape: Shape::Plain, inside: BTreeMap::new() };
    results
        .iter()
        .map(|(name, result)| (name.clone(), render(result, asked.get(name).unwrap_or(&plain))))
        .collect()
}

fn render(result: &AggResult, asked: &Asked) -> Json {
    match (result, &asked.shape) {
        (AggResult::Stats(stats), Shape::Part(part)) => json!({ "value": part_of(stats, part) }),
        (AggResult::Stats(stats), Shape::TimePart(part)) => match part_of(stats, part).as_f64() {
            Some(nanos) => {
                let time = Timestamp(nanos as i64);
                json!({ "value": time.millis(), "value_as_string": time })
            }
            None => json!({ "value": null }),
        },
        (AggResult::Stats(stats), _) => json!(stats),
        (AggResult::Value { value }, _) => json!({ "value": value }),
        (AggResult::Percentiles { values }, Shape::Percentiles { keyed: false }) => {
            let values: Vec<Json> =
                values.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
            json!({ "values": values })
        }
        (AggResult::Percentiles { values }, _) => {
            let values: Map<String, Json> =
                values.iter().map(|(key, value)| (format!("{key:?}"), json!(value))).collect();
            json!({ "values": values })
        }
        (AggResult::Buckets { buckets, .. }, Shape::Filter) => match buckets.first() {
            Some(bucket) => {
                let mut one = render_bucket(bucket, asked);
                one.remove("key");
                Json::Object(one)
            }
            None => json!({ "doc_count": 0 }),
        },
        (AggResult::Buckets { buckets, .. }, Shape::Filters) => {
            let named = buckets.iter().map(|bucket| {
                let mut one = render_bucket(bucket, asked);
                one.remove("key");
                (bucket.key.as_str().unwrap_or_default().to_owned(), Json::Object(one))
            });
            json!({ "buckets": named.collect::<Map<_, _>>() })
        }
        (AggResult::Buckets { buckets, .. }, Shape::Range { keyed, ranges, names }) => {
            render_ranges(buckets, asked, *keyed, (ranges, names))
        }
        (AggResult::Buckets { buckets, .. }, Shape::Histogram { least }) => {
            let kept = buckets.iter().filter(|bucket| bucket.doc_count >= *least);
            let buckets: Vec<Json> =
                kept.map(|bucket| Json::Object(render_bucket(bucket, asked))).collect();
            json!({ "buckets": buckets })
        }
        (AggResult::Buckets { buckets, other }, _) => {
            let buckets: Vec<Json> =
                buckets.iter().map(|bucket| Json::Object(render_bucket(bucket, asked))).collect();
            json!({
                "doc_count_error_upper_bound": 0,
                "sum_other_doc_count": other,
                "buckets": buckets,
            })
        }
    }
}

fn render_ranges(
    buckets: &[Bucket],
    asked: &Asked,
    keyed: bool,
    (ranges, names): (&[RangeBucket], &[Option<String>]),
) -> Json {
    let mut all = Vec::new();
    for ((bucket, range), name) in buckets.iter().zip(ranges).zip(names) {
        let mut one = render_bucket(bucket, asked);
        if let Some(name) = name {
            one.insert("key".to_owned(), json!(name));
        }
        if let Some(from) = range.from {
            one.insert("from".to_owned(), json!(from));
        }
        if let Some(to) = range.to {
            one.insert("to".to_owned(), json!(to));
        }
        all.push(one);
    }
    if !keyed {
        return json!({ "buckets": all });
    }
    let named: Map<String, Json> = all
        .into_iter()
        .map(|mut one| {
            let key = one.remove("key").unwrap_or_default();
            (key.as_str().unwrap_or_default().to_owned(), Json::Object(one))
        })
        .collect();
    json!({ "buckets": named })
}

fn render_bucket(bucket: &Bucket, asked: &Asked) -> Map<String, Json> {
    let mut one = Map::new();
    if let Some(text) = &bucket.key_as_string {
        one.insert("key_as_string".to_owned(), json!(text));
    }
    one.insert("key".to_owned(), bucket.key.clone());
    one.insert("doc_count".to_owned(), json!(bucket.doc_count));
    one.extend(render_aggs(&bucket.aggs, &asked.inside));
    one
}

fn part_of(stats: &AggStats, part: &str) -> Json {
    match part {
        "avg" => json!(stats.avg),
        "min" => json!(stats.min),
        "max" => json!(stats.max),
        "count" => json!(stats.count),
        _ => json!(stats.sum),
    }
}
