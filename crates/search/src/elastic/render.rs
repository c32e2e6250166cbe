//! Results in Elasticsearch's form, as each was asked for.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};
use tocsin_model::Timestamp;
use tocsin_store::{AggResult, Bucket, Order, RangeBucket, Sort, TermsOrder};

use crate::elastic::aggs::number;
use crate::elastic::composite::{self, Flat};
use crate::elastic::dates::{self, Zone};
use crate::elastic::hits::{HitForm, render_hit};
use crate::elastic::numbers::{extended, part_of, text_of, value_at};
use crate::elastic::{ElasticError, Result};

/// What was asked for, to answer in the same form.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    pub(crate) shape: Shape,
    pub(crate) inside: BTreeMap<String, Asked>,
    pub(crate) meta: Option<Json>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Plain,
    /// One part of a stats.
    Part(&'static str),
    /// One part of a stats of times, which are milliseconds there and nanoseconds here.
    TimePart(&'static str),
    /// All of a stats; bounds are so many deviations away.
    Extended {
        sigma: f64,
    },
    /// One bucket.
    Filter,
    /// Buckets by name, or in order.
    Filters {
        named: bool,
    },
    Percentiles {
        keyed: bool,
    },
    Range {
        keyed: bool,
        ranges: Vec<RangeBucket>,
        names: Vec<Option<String>>,
    },
    /// Ranges of times: the ends, as times and as text.
    Dates {
        keyed: bool,
        ends: Vec<(Option<(Timestamp, String)>, Option<(Timestamp, String)>)>,
    },
    Histogram(Keys),
    Terms(Chosen),
    Flat(Flat),
    Hits {
        form: HitForm,
        skip: usize,
    },
    Metrics {
        fields: Vec<String>,
        sort: Sort,
    },
    /// Made of the buckets that are there.
    Pipe(Pipe),
}

/// How the buckets of a histogram are given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Keys {
    /// Buckets below this are left out.
    pub least: u64,
    /// Empty buckets outside of these are left out where `trims`.
    pub bounds: (Option<i64>, Option<i64>),
    /// Buckets outside of these are left out.
    pub hard: (Option<i64>, Option<i64>),
    pub zone: Zone,
    pub format: Option<String>,
    pub order: Option<(bool, Order)>,
    pub keyed: bool,
    /// Keys are numbers rather than times.
    pub numbers: bool,
    /// Empty buckets at the ends are left out.
    pub trims: bool,
}

impl Keys {
    pub(crate) fn of(options: &Json) -> Result<Self> {
        let format = options.get("format").and_then(Json::as_str).map(str::to_owned);
        if let Some(format) = format.as_deref().filter(|format| !dates::is_known(format)) {
            let message = format!("the format {format:?} is not known");
            return Err(ElasticError::new("date_histogram", message));
        }
        let bounds = |key: &str| {
            let end = |end: &str| {
                let value = options.get(key)?.get(end)?;
                let millis = number(value).map(|number| number as i64);
                millis.or_else(|| Some(Timestamp::parse_rfc3339(value.as_str()?)?.millis()))
            };
            (end("min"), end("max"))
        };
        let order = match options.get("order") {
            Some(Json::Array(all)) => all.first(),
            other => other,
        };
        let order = order.and_then(Json::as_object).and_then(|order| order.iter().next());
        let order = order.map(|(by, direction)| {
            let order = if direction == "desc" { Order::Desc } else { Order::Asc };
            (by == "_count", order)
        });
        Ok(Self {
            least: options.get("min_doc_count").and_then(number).map_or(0, |least| least as u64),
            bounds: bounds("extended_bounds"),
            hard: bounds("hard_bounds"),
            zone: Zone::utc(),
            format,
            order,
            keyed: options.get("keyed").and_then(Json::as_bool).unwrap_or(false),
            numbers: false,
            trims: false,
        })
    }
}

/// Which terms are given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen {
    size: usize,
    least: u64,
    include: Option<Pick>,
    exclude: Option<Pick>,
    pub missing: Option<Json>,
    order: TermsOrder,
}

/// Terms by name or by pattern.
#[derive(Debug, Clone, PartialEq)]
enum Pick {
    Exact(Vec<String>),
    Pattern(String),
}

impl Pick {
    fn read(value: &Json, path: &str) -> Result<Self> {
        match value {
            Json::Array(all) => Ok(Self::Exact(all.iter().map(text_of).collect())),
            Json::String(pattern) => {
                let whole = format!("^(?:{pattern})$");
                regex::Regex::new(&whole)
                    .map_err(|error| ElasticError::new(path, format!("{pattern:?}: {error}")))?;
                Ok(Self::Pattern(whole))
            }
            _ => Err(ElasticError::new(path, "include and exclude take a list or a pattern")),
        }
    }

    fn takes(&self) -> Box<dyn Fn(&str) -> bool + '_> {
        match self {
            Self::Exact(all) => Box::new(|term| all.iter().any(|one| one == term)),
            Self::Pattern(pattern) => match regex::Regex::new(pattern) {
                Ok(regex) => Box::new(move |term| regex.is_match(term)),
                Err(_) => Box::new(|_| false),
            },
        }
    }
}

impl Chosen {
    pub(crate) fn new(
        size: usize,
        least: u64,
        (include, exclude): (Option<&Json>, Option<&Json>),
        missing: Option<Json>,
        order: &TermsOrder,
        path: &str,
    ) -> Result<Self> {
        if missing.is_some() && !matches!(order.by.as_str(), "_count" | "_key") {
            let message = "missing is known where terms are in the order of _count or _key";
            return Err(ElasticError::new(path, message));
        }
        let read = |value: Option<&Json>| value.map(|value| Pick::read(value, path)).transpose();
        let (include, exclude) = (read(include)?, read(exclude)?);
        Ok(Self { size, least, include, exclude, missing, order: order.clone() })
    }

    /// Whether all terms must be there to choose from.
    pub(crate) fn narrows(&self) -> bool {
        let frequent = self.order == TermsOrder::default();
        self.include.is_some() || self.exclude.is_some() || (self.least > 1 && !frequent)
    }
}

/// What is made of the buckets around.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pipe {
    /// To the bucket so many before.
    Difference { source: String, lag: usize },
    /// Of all so far.
    Sum { source: String },
}

/// The name of the bucket of events without a value.
pub(crate) fn missing_name(name: &str) -> String {
    format!("{name}\u{1}missing")
}

/// Results in Elasticsearch's form.
pub fn render_aggs(
    results: &BTreeMap<String, AggResult>,
    asked: &BTreeMap<String, Asked>,
) -> Map<String, Json> {
    let each = asked.iter().filter_map(|(name, asked)| {
        let missing = results.get(&missing_name(name));
        let mut one = render(results.get(name)?, missing, asked);
        if let (Some(meta), Some(object)) = (&asked.meta, one.as_object_mut()) {
            object.insert("meta".to_owned(), meta.clone());
        }
        Some((name.clone(), one))
    });
    each.collect()
}

fn render(result: &AggResult, missing: Option<&AggResult>, asked: &Asked) -> Json {
    match (result, &asked.shape) {
        (AggResult::Stats(stats), Shape::Part(part)) => json!({ "value": part_of(stats, part) }),
        (AggResult::Stats(stats), Shape::TimePart(part)) => match part_of(stats, part).as_f64() {
            Some(nanos) => {
                let time = Timestamp(nanos as i64);
                json!({ "value": time.millis(), "value_as_string": time })
            }
            None => json!({ "value": null }),
        },
        (AggResult::Stats(stats), Shape::Extended { sigma }) => extended(stats, *sigma),
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
        (AggResult::Hits { total, hits }, shape) => render_hits(*total, hits, shape),
        (result, Shape::Flat(flat)) => composite::render(result, flat, asked),
        (AggResult::Buckets { buckets, other }, _) => {
            render_buckets((buckets, *other), missing, asked)
        }
    }
}

fn render_hits(total: u64, hits: &[Json], shape: &Shape) -> Json {
    if let Shape::Metrics { fields, sort } = shape {
        let value = |hit: &Json, field: &str| {
            field.split('.').try_fold(hit, |value, part| value.get(part)).cloned()
        };
        let top = hits.iter().map(|hit| {
            let metrics = fields.iter().map(|field| (field.clone(), json!(value(hit, field))));
            let metrics: Map<String, Json> = metrics.collect();
            json!({ "sort": [value(hit, &sort.field)], "metrics": metrics })
        });
        return json!({ "top": top.collect::<Vec<_>>() });
    }
    let plain = HitForm::default();
    let (form, skip) = match shape {
        Shape::Hits { form, skip } => (form, *skip),
        _ => (&plain, 0),
    };
    let hits: Vec<Json> = hits.iter().skip(skip).map(|hit| render_hit(hit, form)).collect();
    json!({ "hits": {
        "total": { "value": total, "relation": "eq" }, "max_score": null, "hits": hits,
    }})
}

fn render_buckets(
    (buckets, other): (&[Bucket], u64),
    missing: Option<&AggResult>,
    asked: &Asked,
) -> Json {
    let unkeyed = |bucket: &Bucket| {
        let mut one = render_bucket(bucket, asked);
        one.remove("key");
        Json::Object(one)
    };
    match &asked.shape {
        Shape::Filter => buckets.first().map_or(json!({ "doc_count": 0 }), unkeyed),
        Shape::Filters { named: false } => {
            json!({ "buckets": buckets.iter().map(unkeyed).collect::<Vec<_>>() })
        }
        Shape::Filters { .. } => {
            let named = buckets.iter().map(|bucket| {
                (bucket.key.as_str().unwrap_or_default().to_owned(), unkeyed(bucket))
            });
            json!({ "buckets": named.collect::<Map<_, _>>() })
        }
        Shape::Range { keyed, ranges, names } => {
            let all = buckets.iter().zip(ranges).zip(names).map(|((bucket, range), name)| {
                let mut one = render_bucket(bucket, asked);
                if let Some(name) = name {
                    one.insert("key".to_owned(), json!(name));
                }
                one.extend(range.from.map(|from| ("from".to_owned(), json!(from))));
                one.extend(range.to.map(|to| ("to".to_owned(), json!(to))));
                one
            });
            keyed_or_not(all.collect(), *keyed)
        }
        Shape::Dates { keyed, ends } => {
            let all = buckets.iter().zip(ends).map(|(bucket, (from, to))| {
                let mut one = render_bucket(bucket, asked);
                for (name, end) in [("from", from), ("to", to)] {
                    if let Some((time, text)) = end {
                        one.insert(name.to_owned(), json!(time.millis()));
                        one.insert(format!("{name}_as_string"), json!(text));
                    }
                }
                one
            });
            keyed_or_not(all.collect(), *keyed)
        }
        Shape::Histogram(keys) => render_histogram(buckets, keys, asked),
        Shape::Terms(chosen) => render_terms((buckets, other), missing, chosen, asked),
        _ => {
            let buckets = buckets.iter().map(|bucket| render_bucket(bucket, asked)).collect();
            let buckets = with_pipes(buckets, asked);
            json!({ "sum_other_doc_count": other, "buckets": buckets })
        }
    }
}

fn keyed_or_not(all: Vec<Map<String, Json>>, keyed: bool) -> Json {
    if !keyed {
        return json!({ "buckets": all });
    }
    let named = all.into_iter().map(|mut one| {
        let key = one.remove("key").unwrap_or_default();
        let key = one.get("key_as_string").cloned().unwrap_or(key);
        (text_of(&key), Json::Object(one))
    });
    json!({ "buckets": named.collect::<Map<_, _>>() })
}

fn render_histogram(buckets: &[Bucket], keys: &Keys, asked: &Asked) -> Json {
    let key = |bucket: &Bucket| bucket.key.as_f64().unwrap_or_default() as i64;
    let within = |bucket: &Bucket, (from, to): (Option<i64>, Option<i64>)| {
        from.is_none_or(|from| key(bucket) >= from) && to.is_none_or(|to| key(bucket) <= to)
    };
    let mut kept: Vec<&Bucket> = buckets.iter().filter(|one| within(one, keys.hard)).collect();
    if keys.trims {
        let (from, to) = keys.bounds;
        let bounds = (from.or(Some(i64::MAX)), to.or(Some(i64::MIN)));
        let counts = |bucket: &&Bucket| bucket.doc_count > 0 || within(bucket, bounds);
        let first = kept.iter().position(counts).unwrap_or(kept.len());
        let last = kept.iter().rposition(counts).map_or(first, |last| last + 1);
        kept = kept.get(first..last).unwrap_or_default().to_vec();
    }
    kept.retain(|bucket| bucket.doc_count >= keys.least);
    match keys.order {
        Some((true, Order::Desc)) => kept.sort_by_key(|bucket| std::cmp::Reverse(bucket.doc_count)),
        Some((true, Order::Asc)) => kept.sort_by_key(|bucket| bucket.doc_count),
        Some((false, Order::Desc)) => kept.reverse(),
        _ => {}
    }
    let rendered = kept.into_iter().map(|bucket| {
        let mut one = render_bucket(bucket, asked);
        if !keys.numbers {
            let time = Timestamp::from_millis(key(bucket));
            let text = dates::write(time, keys.format.as_deref(), &keys.zone);
            one.insert("key_as_string".to_owned(), json!(text));
        }
        one
    });
    keyed_or_not(with_pipes(rendered.collect(), asked), keys.keyed)
}

fn render_terms(
    (buckets, other): (&[Bucket], u64),
    missing: Option<&AggResult>,
    chosen: &Chosen,
    asked: &Asked,
) -> Json {
    let takes = |pick: &Option<Pick>, term: &str, else_: bool| {
        pick.as_ref().map_or(else_, |pick| pick.takes()(term))
    };
    let mut left_out = other;
    let mut kept: Vec<(u64, Map<String, Json>)> = Vec::new();
    for bucket in buckets {
        let term = bucket.key_as_string.clone().unwrap_or_else(|| text_of(&bucket.key));
        let is_wanted = takes(&chosen.include, &term, true)
            && !takes(&chosen.exclude, &term, false)
            && bucket.doc_count >= chosen.least;
        if is_wanted {
            kept.push((bucket.doc_count, render_bucket(bucket, asked)));
        }
    }
    let without = missing.and_then(|missing| missing.buckets().first());
    if let (Some(bucket), Some(key)) = (without, &chosen.missing)
        && bucket.doc_count >= chosen.least.max(1)
    {
        let mut one = render_bucket(bucket, asked);
        one.insert("key".to_owned(), key.clone());
        kept.push((bucket.doc_count, one));
        let key = |one: &Map<String, Json>| one.get("key").map(text_of).unwrap_or_default();
        kept.sort_by(|(a, left), (b, right)| {
            let by = if chosen.order.by == "_key" { key(left).cmp(&key(right)) } else { a.cmp(b) };
            if chosen.order.order == Order::Desc { by.reverse() } else { by }
        });
    }
    left_out += kept.iter().skip(chosen.size).map(|(count, _)| count).sum::<u64>();
    kept.truncate(chosen.size);
    let buckets = with_pipes(kept.into_iter().map(|(_, one)| one).collect(), asked);
    json!({
        "doc_count_error_upper_bound": 0,
        "sum_other_doc_count": left_out,
        "buckets": buckets,
    })
}

/// Adds what is made of the buckets themselves.
fn with_pipes(mut buckets: Vec<Map<String, Json>>, asked: &Asked) -> Vec<Map<String, Json>> {
    let pipes = || {
        let pipe = |(name, asked): (&'_ String, &'_ Asked)| match &asked.shape {
            Shape::Pipe(pipe) => Some((name.clone(), pipe.clone())),
            _ => None,
        };
        asked.inside.iter().filter_map(pipe).collect::<Vec<_>>()
    };
    // One may stand on another: as many rounds as there are.
    for _ in 0..pipes().len() {
        for (name, pipe) in pipes() {
            let (Pipe::Difference { source, .. } | Pipe::Sum { source }) = &pipe;
            let values: Vec<Option<f64>> =
                buckets.iter().map(|bucket| value_at(bucket, source)).collect();
            let mut sum = 0.0;
            for (place, bucket) in buckets.iter_mut().enumerate() {
                let value = match &pipe {
                    Pipe::Sum { .. } => {
                        sum += values.get(place).copied().flatten().unwrap_or(0.0);
                        Some(sum)
                    }
                    Pipe::Difference { lag, .. } => {
                        let at = |place: Option<usize>| values.get(place?).copied().flatten();
                        let before = at(place.checked_sub(*lag));
                        at(Some(place)).zip(before).map(|(now, before)| now - before)
                    }
                };
                if let Some(value) = value {
                    bucket.insert(name.clone(), json!({ "value": value }));
                }
            }
        }
    }
    buckets
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
