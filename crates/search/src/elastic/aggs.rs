//! Aggregates: JSON → [`Agg`]s, and what was said of each, to answer in the same form.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tocsin_model::Timestamp;
use tocsin_store::{Agg, AggKind, BUCKETS_MAX, Filter, HITS_MAX, Order, RangeBucket, TermsOrder};

use crate::elastic::hits::{HitForm, parse_formats, parse_names, parse_sort, parse_source};
use crate::elastic::query::parse_query;
use crate::elastic::render::{Asked, Chosen, Keys, Pipe, Shape, missing_name};
use crate::elastic::times::{date_histogram, date_ranges};
use crate::elastic::{ElasticError, Result, composite, field_name};

/// The field that holds an event's time.
pub(crate) const TIME: &str = "@timestamp";
/// The deepest nesting.
const DEPTH_MAX: usize = 6;
/// Buckets of `terms` when the request does not say.
const TERMS_DEFAULT: usize = 10;
/// Buckets of `auto_date_histogram` when the request does not say.
const AUTO_BUCKETS: u64 = 10;
/// Hits of `top_hits` when the request does not say.
const TOP_HITS_DEFAULT: usize = 3;
/// Percents when the request does not say.
const PERCENTS_DEFAULT: [f64; 7] = [1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0];

const KINDS: &str = "date_histogram, auto_date_histogram, histogram, terms, multi_terms, composite, range, \
    date_range, filters, filter, missing, cardinality, stats, extended_stats, avg, sum, min, max, \
    value_count, percentiles, top_hits, top_metrics, derivative, cumulative_sum, serial_diff";

/// What is known of each kind beside `field`; anything else would change what is meant.
const OPTIONS: &[(&str, &[&str])] = &[
    ("cardinality", &["precision_threshold", "rehash", "execution_hint"]),
    ("stats", &["format"]),
    ("extended_stats", &["format", "sigma"]),
    ("avg", &["format"]),
    ("sum", &["format"]),
    ("min", &["format"]),
    ("max", &["format"]),
    ("value_count", &["format"]),
    ("percentiles", &["percents", "keyed", "tdigest", "hdr", "format"]),
    (
        "terms",
        &[
            "size",
            "shard_size",
            "order",
            "min_doc_count",
            "shard_min_doc_count",
            "include",
            "exclude",
            "missing",
            "show_term_doc_count_error",
            "execution_hint",
            "collect_mode",
            "value_type",
            "format",
        ],
    ),
    (
        "date_histogram",
        &[
            "fixed_interval",
            "calendar_interval",
            "interval",
            "time_zone",
            "offset",
            "format",
            "min_doc_count",
            "order",
            "keyed",
            "extended_bounds",
            "hard_bounds",
        ],
    ),
    ("auto_date_histogram", &["buckets", "format", "minimum_interval"]),
    ("histogram", &["interval", "min_doc_count", "keyed", "order"]),
    ("range", &["ranges", "keyed"]),
    ("date_range", &["ranges", "keyed", "format", "time_zone"]),
    ("filters", &["filters", "other_bucket", "other_bucket_key", "keyed"]),
    ("missing", &[]),
    (
        "top_hits",
        &[
            "size",
            "sort",
            "_source",
            "docvalue_fields",
            "fields",
            "highlight",
            "track_scores",
            "version",
            "explain",
            "seq_no_primary_term",
            "stored_fields",
            "from",
        ],
    ),
    ("top_metrics", &["metrics", "sort", "size"]),
    ("multi_terms", &["terms", "size", "shard_size", "order", "min_doc_count"]),
    ("composite", &["sources", "size", "after"]),
    ("derivative", &["buckets_path", "gap_policy", "format", "unit"]),
    ("cumulative_sum", &["buckets_path", "format"]),
    ("serial_diff", &["buckets_path", "lag", "gap_policy", "format"]),
];

type All = (BTreeMap<String, Agg>, BTreeMap<String, Asked>);

/// Reads `aggs`: what to ask the store, and what to say of its answer.
///
/// # Errors
/// When a kind or option is not known, with its place.
pub fn parse_aggs(aggs: &Json, now: Timestamp) -> Result<All> {
    Reader { now, index: "logs-tocsin", trims: false }.map(aggs, "aggs", 0)
}

/// The same as Elasticsearch has it: a histogram ends with its last event rather than with the
/// span of the search. `index` is the name that top hits are given.
///
/// # Errors
/// When a kind or option is not known, with its place.
pub fn parse_aggs_of(aggs: &Json, now: Timestamp, index: &str) -> Result<All> {
    Reader { now, index, trims: true }.map(aggs, "aggs", 0)
}

pub(crate) struct Reader<'i> {
    pub now: Timestamp,
    index: &'i str,
    pub trims: bool,
}

impl Reader<'_> {
    fn map(&self, aggs: &Json, path: &str, depth: usize) -> Result<All> {
        let Some(object) = aggs.as_object() else {
            return Err(ElasticError::new(path, "must be an object of aggregates by name"));
        };
        if depth >= DEPTH_MAX {
            return Err(ElasticError::new(path, format!("nested more than {DEPTH_MAX} deep")));
        }
        let (mut all, mut asked) = (BTreeMap::new(), BTreeMap::new());
        for (name, body) in object {
            self.agg(name, body, &format!("{path}.{name}"), depth, (&mut all, &mut asked))?;
        }
        Ok((all, asked))
    }

    fn agg(
        &self,
        name: &str,
        body: &Json,
        path: &str,
        depth: usize,
        (all, asked): (&mut BTreeMap<String, Agg>, &mut BTreeMap<String, Asked>),
    ) -> Result<()> {
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
        known_options(kind, options, &path)?;
        let meta = body.get("meta").cloned();
        if let Some(pipe) = pipe(kind, options, &path)? {
            let shape = Shape::Pipe(pipe);
            asked.insert(name.to_owned(), Asked { shape, inside, meta });
            return Ok(());
        }
        let (agg, shape) = match kind.as_str() {
            "composite" if depth > 0 => {
                return Err(ElasticError::new(path, "cannot be inside other buckets"));
            }
            "composite" => composite::composite(self, options, aggs, &path)?,
            "multi_terms" => composite::multi_terms(self, options, aggs, &path)?,
            _ => {
                let (kind, shape) = self.kind(kind, options, &inside, &path)?;
                if let (
                    AggKind::Terms { field, .. },
                    Shape::Terms(Chosen { missing: Some(_), .. }),
                ) = (&kind, &shape)
                {
                    let none = Filter::Not(Box::new(Filter::exists(field.as_str())));
                    let filters = vec![(String::new(), none)];
                    let agg = Agg { kind: AggKind::Filters { filters }, aggs: aggs.clone() };
                    all.insert(missing_name(name), agg);
                }
                (Agg { kind, aggs }, shape)
            }
        };
        all.insert(name.to_owned(), agg);
        asked.insert(name.to_owned(), Asked { shape, inside, meta });
        Ok(())
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
            "stats" => Ok((AggKind::Stats { field: field()? }, Shape::Plain)),
            "extended_stats" => {
                let sigma = options.get("sigma").and_then(number).unwrap_or(2.0);
                Ok((AggKind::ExtendedStats { field: field()? }, Shape::Extended { sigma }))
            }
            "avg" => stats("avg"),
            "sum" => stats("sum"),
            "min" => stats("min"),
            "max" => stats("max"),
            "value_count" => stats("count"),
            "percentiles" => percentiles(options, path),
            "terms" => terms(options, inside, path),
            "date_histogram" => date_histogram(self, options, path),
            "auto_date_histogram" => {
                let buckets = options.get("buckets").map(|n| whole(n, "buckets", path));
                let buckets = buckets.transpose()?.unwrap_or(AUTO_BUCKETS) as usize;
                let shape = Shape::Histogram(Keys { trims: self.trims, ..Keys::of(options)? });
                Ok((AggKind::AutoDateHistogram { field: field()?, buckets }, shape))
            }
            "histogram" => {
                let Some(interval) = options.get("interval").and_then(number) else {
                    return Err(ElasticError::new(path, "needs an interval"));
                };
                let keys = Keys { numbers: true, trims: self.trims, ..Keys::of(options)? };
                Ok((AggKind::Histogram { field: field()?, interval }, Shape::Histogram(keys)))
            }
            "range" => ranges(options, path),
            "date_range" => date_ranges(self, options, path),
            "filter" => {
                let filter = self.filter(options, path)?;
                Ok((AggKind::Filters { filters: vec![(String::new(), filter)] }, Shape::Filter))
            }
            "missing" => {
                let none = Filter::Not(Box::new(Filter::exists(field()?)));
                Ok((AggKind::Filters { filters: vec![(String::new(), none)] }, Shape::Filter))
            }
            "filters" => self.filters(options, path),
            "top_hits" => self.top_hits(options, path),
            "top_metrics" => top_metrics(options, path),
            other => Err(ElasticError::new(
                path,
                format!("the aggregate {other:?} is not supported; known are {KINDS}"),
            )),
        }
    }

    fn filter(&self, query: &Json, path: &str) -> Result<Filter> {
        parse_query(query, self.now)
            .map_err(|error| ElasticError::new(format!("{path}: {}", error.path), error.message))
    }

    fn filters(&self, options: &Json, path: &str) -> Result<(AggKind, Shape)> {
        let (mut filters, named) = match options.get("filters") {
            Some(Json::Object(object)) => {
                let all = object.iter().map(|(name, query)| {
                    let filter = self.filter(query, &format!("{path}.filters.{name}"))?;
                    Ok((name.clone(), filter))
                });
                (all.collect::<Result<Vec<_>>>()?, true)
            }
            Some(Json::Array(list)) => {
                let all = list.iter().enumerate().map(|(place, query)| {
                    let filter = self.filter(query, &format!("{path}.filters[{place}]"))?;
                    Ok((place.to_string(), filter))
                });
                (all.collect::<Result<Vec<_>>>()?, false)
            }
            _ => return Err(ElasticError::new(path, "needs filters by name")),
        };
        let key = options.get("other_bucket_key").and_then(Json::as_str);
        if key.is_some() || options.get("other_bucket").and_then(Json::as_bool) == Some(true) {
            let any = Filter::Or(filters.iter().map(|(_, filter)| filter.clone()).collect());
            filters.push((key.unwrap_or("_other_").to_owned(), Filter::Not(Box::new(any))));
        }
        let named = named && options.get("keyed").and_then(Json::as_bool).unwrap_or(true);
        Ok((AggKind::Filters { filters }, Shape::Filters { named }))
    }

    fn top_hits(&self, options: &Json, path: &str) -> Result<(AggKind, Shape)> {
        let size = options.get("size").map(|size| whole(size, "size", path)).transpose()?;
        let from = options.get("from").map(|from| whole(from, "from", path)).transpose()?;
        let skip = from.unwrap_or(0) as usize;
        let size = size.map_or(TOP_HITS_DEFAULT, |size| size as usize).saturating_add(skip);
        let sort = options.get("sort").map(parse_sort).transpose()?.flatten();
        let mut fields = parse_names(options.get("fields"));
        fields.extend(parse_names(options.get("docvalue_fields")));
        let source = parse_source(options.get("_source"));
        let mut formats = parse_formats(options.get("fields"))?;
        formats.extend(parse_formats(options.get("docvalue_fields"))?);
        let index = self.index.to_owned();
        let form = HitForm { index, source, fields, formats, sort: sort.clone() };
        let sort = sort.unwrap_or_default();
        Ok((AggKind::TopHits { size, sort }, Shape::Hits { form, skip }))
    }
}

/// Refuses what would change the meaning and is not known.
fn known_options(kind: &str, options: &Json, path: &str) -> Result<()> {
    let Some((_, known)) = OPTIONS.iter().find(|(name, _)| *name == kind) else { return Ok(()) };
    for (option, value) in options.as_object().into_iter().flatten() {
        if option == "field" || value.is_null() || known.contains(&option.as_str()) {
            continue;
        }
        let message = match option.as_str() {
            "script" => "scripts are not supported".to_owned(),
            other => format!("the option {other:?} is not supported"),
        };
        return Err(ElasticError::new(path, message));
    }
    Ok(())
}

pub(crate) fn field(options: &Json, path: &str) -> Result<String> {
    match options.get("field").and_then(Json::as_str) {
        Some("_id") => Ok("event.id".to_owned()),
        Some(field) => Ok(field_name(field).to_owned()),
        None => Err(ElasticError::new(path, "needs a field")),
    }
}

pub(crate) fn number(value: &Json) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

pub(crate) fn whole(value: &Json, name: &str, path: &str) -> Result<u64> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| ElasticError::new(path, format!("{name} must be a whole number")))
}

/// Grafana's 0 is "no limit".
pub(crate) fn size(options: &Json, default: usize, path: &str) -> Result<usize> {
    let size = options.get("size").map(|size| whole(size, "size", path)).transpose()?;
    Ok(match size {
        None => default,
        Some(0) => HITS_MAX,
        Some(size) => usize::try_from(size).unwrap_or(usize::MAX),
    })
}

fn terms(options: &Json, inside: &BTreeMap<String, Asked>, path: &str) -> Result<(AggKind, Shape)> {
    let size = size(options, TERMS_DEFAULT, path)?;
    let order = terms_order(options.get("order"), inside, path)?;
    let list = |key: &str| options.get(key).filter(|value| !value.is_null());
    let least = options.get("min_doc_count").and_then(number).map_or(1, |least| least as u64);
    let chosen = Chosen::new(
        size,
        least,
        (list("include"), list("exclude")),
        list("missing").cloned(),
        &order,
        path,
    )?;
    let all = if chosen.narrows() { BUCKETS_MAX } else { size };
    let kind = AggKind::Terms { field: field(options, path)?, size: all, order };
    Ok((kind, Shape::Terms(chosen)))
}

/// `{"_count": "desc"}`, a list of them (the first counts), `_term` for `_key`.
pub(crate) fn terms_order(
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
        by => {
            let by = by.strip_suffix(".value").unwrap_or(by);
            match inside.get(by).map(|asked| &asked.shape) {
                Some(Shape::Part(part) | Shape::TimePart(part)) => format!("{by}.{part}"),
                _ => by.to_owned(),
            }
        }
    };
    Ok(TermsOrder { by, order })
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

/// Values of the first events in an order.
fn top_metrics(options: &Json, path: &str) -> Result<(AggKind, Shape)> {
    let fields = parse_names(options.get("metrics"));
    if fields.is_empty() {
        return Err(ElasticError::new(path, "needs metrics with their fields"));
    }
    let Some(sort) = options.get("sort").map(parse_sort).transpose()?.flatten() else {
        return Err(ElasticError::new(path, "needs a sort"));
    };
    let size = options.get("size").map(|size| whole(size, "size", path)).transpose()?;
    let kind = AggKind::TopHits { size: size.unwrap_or(1) as usize, sort: sort.clone() };
    Ok((kind, Shape::Metrics { fields, sort }))
}

/// What is made of buckets once they are there.
fn pipe(kind: &str, options: &Json, path: &str) -> Result<Option<Pipe>> {
    let of = |what: fn(String, usize) -> Pipe| {
        let Some(source) = options.get("buckets_path").and_then(Json::as_str) else {
            return Err(ElasticError::new(path, "needs a buckets_path"));
        };
        let lag = options.get("lag").map(|lag| whole(lag, "lag", path)).transpose()?;
        Ok(Some(what(source.to_owned(), lag.unwrap_or(1).max(1) as usize)))
    };
    match kind {
        "derivative" => of(|source, _| Pipe::Difference { source, lag: 1 }),
        "serial_diff" => of(|source, lag| Pipe::Difference { source, lag }),
        "cumulative_sum" => of(|source, _| Pipe::Sum { source }),
        _ => Ok(None),
    }
}
