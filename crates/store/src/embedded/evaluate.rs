//! [`Evaluator`]: answers a [`SearchRequest`] over events that come one by one, without an index.
//! For what is kept elsewhere (the archive, alerts); gives what the index gives.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use serde_json::{Value as Json, json};
use tocsin_model::{Event, EventId, Timestamp};

use crate::embedded::aggs::{check, column, fill};
use crate::embedded::columns::{key_of, numbers, values};
use crate::embedded::schema::{Fields, current_fields};
use crate::embedded::search::{read_cursor, write_cursor};
use crate::embedded::top::{Key, Stop, compare};
use crate::empty::{empty, range_key};
use crate::error::{Result, StoreError};
use crate::matcher::Matcher;
use crate::request::{
    Agg, AggKind, AggResult, AggStats, BUCKETS_MAX, Bucket, HITS_MAX, Order, SearchRequest,
    SearchResponse,
};
use crate::test::{Canon, ip_text};

/// The most numbers that the percentiles of one request are taken of.
const NUMBERS_MAX: usize = 10_000_000;

/// Takes events, gives the response; of the aggregates those that take one question
/// ([`in_steps`](crate::in_steps) makes such requests of the others).
pub struct Evaluator<'r> {
    request: &'r SearchRequest,
    started: Instant,
    matcher: Matcher,
    after: Option<(Option<Key>, EventId)>,
    limit: usize,
    stop: Stop,
    total: u64,
    hits: Vec<(Option<Key>, EventId, Json)>,
    aggs: BTreeMap<String, Gatherer>,
    room: Room,
}

/// What may still be kept.
struct Room {
    buckets: usize,
    numbers: usize,
}

impl<'r> Evaluator<'r> {
    /// Ready to take events; refuses what the index refuses.
    pub fn new(request: &'r SearchRequest) -> Result<Self> {
        check(&request.aggs, 0)?;
        if let Some(fields) = current_fields() {
            column(&request.sort.field, fields)?;
            check_fields(&request.aggs, fields)?;
        }
        let started = Instant::now();
        let deadline = request.timeout.map(|timeout| started + timeout);
        Ok(Self {
            request,
            started,
            matcher: Matcher::new(&request.filter)?,
            after: request.cursor.as_deref().map(read_cursor).transpose()?,
            limit: request.limit.min(HITS_MAX),
            stop: Stop::new(deadline, request.cancel.clone()),
            total: 0,
            hits: Vec::new(),
            aggs: gatherers(&request.aggs)?,
            room: Room { buckets: BUCKETS_MAX, numbers: NUMBERS_MAX },
        })
    }

    /// Takes an event; `false` when it is time to stop.
    pub fn add(&mut self, event: &Event) -> Result<bool> {
        if self.stop.is_time() {
            return Ok(false);
        }
        let (from, to) = (self.request.from, self.request.to);
        let in_span =
            from.is_none_or(|from| event.time >= from) && to.is_none_or(|to| event.time < to);
        if !in_span || !self.matcher.matches(event) {
            return Ok(true);
        }
        self.total += 1;
        for gatherer in self.aggs.values_mut() {
            gatherer.add(event, &mut self.room)?;
        }
        if self.limit > 0 {
            self.keep(event);
        }
        Ok(true)
    }

    fn keep(&mut self, event: &Event) {
        let order = self.request.sort.order;
        let key = key_of(event, &self.request.sort.field, order);
        if let Some((after, id)) = &self.after
            && compare(order, (&key, event.id), (after, *id)).is_le()
        {
            return;
        }
        let place = self.hits.partition_point(|(other, id, _)| {
            compare(order, (other, *id), (&key, event.id)).is_le()
        });
        // One more tells whether there is a next page.
        if place <= self.limit {
            self.hits.insert(place, (key, event.id, event.to_json()));
            self.hits.truncate(self.limit + 1);
        }
    }

    /// The response.
    pub fn finish(self) -> Result<SearchResponse> {
        let mut response = SearchResponse { total: self.total, ..SearchResponse::default() };
        if self.limit > 0 && self.hits.len() > self.limit {
            let last = self.hits.get(self.limit - 1);
            response.next = last.map(|(key, id, _)| write_cursor(*id, key.as_ref()));
        }
        response.hits = self.hits.into_iter().take(self.limit).map(|(.., hit)| hit).collect();
        let span = (self.request.from, self.request.to);
        response.aggs = finish_map(self.aggs, &self.request.aggs, span)?;
        response.partial = self.stop.is_late();
        response.took = self.started.elapsed();
        Ok(response)
    }
}

fn check_fields(aggs: &BTreeMap<String, Agg>, fields: &Fields) -> Result<()> {
    for agg in aggs.values() {
        if let Some(field) = field_of(&agg.kind) {
            column(field, fields)?;
        }
        check_fields(&agg.aggs, fields)?;
    }
    Ok(())
}

fn field_of(kind: &AggKind) -> Option<&str> {
    match kind {
        AggKind::DateHistogram { field, .. }
        | AggKind::Terms { field, .. }
        | AggKind::Histogram { field, .. }
        | AggKind::Percentiles { field, .. }
        | AggKind::Cardinality { field }
        | AggKind::Range { field, .. }
        | AggKind::Stats { field }
        | AggKind::ExtendedStats { field } => Some(field),
        AggKind::Filters { .. }
        | AggKind::Calendar { .. }
        | AggKind::AutoDateHistogram { .. }
        | AggKind::TopHits { .. } => None,
    }
}

/// Events of a bucket.
struct Slot {
    key: Json,
    text: Option<String>,
    count: u64,
    aggs: BTreeMap<String, Gatherer>,
}

impl Slot {
    fn new(
        key: Json,
        text: Option<String>,
        inside: &BTreeMap<String, Agg>,
        room: &mut Room,
    ) -> Result<Self> {
        room.buckets = room.buckets.checked_sub(1).ok_or_else(|| {
            StoreError::BadRequest(format!("aggregates: more than {BUCKETS_MAX} buckets"))
        })?;
        Ok(Self { key, text, count: 0, aggs: gatherers(inside)? })
    }

    fn add(&mut self, event: &Event, room: &mut Room) -> Result<()> {
        self.count += 1;
        self.aggs.values_mut().try_for_each(|gatherer| gatherer.add(event, room))
    }
}

/// One aggregate while it is gathered.
struct Gatherer {
    agg: Agg,
    state: State,
}

enum State {
    /// By text of the value.
    Slots(HashMap<String, Slot>),
    Filters(Vec<(Matcher, Slot)>),
    Distinct(std::collections::HashSet<String>),
    Stats(AggStats),
    Numbers(Vec<f64>),
}

fn gatherers(aggs: &BTreeMap<String, Agg>) -> Result<BTreeMap<String, Gatherer>> {
    let mut all = BTreeMap::new();
    for (name, agg) in aggs {
        let state = match &agg.kind {
            AggKind::Cardinality { .. } => State::Distinct(Default::default()),
            AggKind::Stats { .. } => State::Stats(AggStats::default()),
            AggKind::ExtendedStats { .. } => {
                State::Stats(AggStats { sum_of_squares: Some(0.0), ..AggStats::default() })
            }
            AggKind::Percentiles { .. } => State::Numbers(Vec::new()),
            AggKind::Filters { filters } => {
                let slots = filters.iter().map(|(name, filter)| {
                    let aggs = gatherers(&agg.aggs)?;
                    let slot = Slot { key: json!(name), text: None, count: 0, aggs };
                    Ok((Matcher::new(filter)?, slot))
                });
                State::Filters(slots.collect::<Result<_>>()?)
            }
            AggKind::Calendar { .. }
            | AggKind::AutoDateHistogram { .. }
            | AggKind::TopHits { .. } => {
                let reason = format!("aggregate {name}: takes more than one question");
                return Err(StoreError::BadRequest(reason));
            }
            _ => State::Slots(HashMap::new()),
        };
        all.insert(name.clone(), Gatherer { agg: agg.clone(), state });
    }
    Ok(all)
}

impl Gatherer {
    fn add(&mut self, event: &Event, room: &mut Room) -> Result<()> {
        let field = field_of(&self.agg.kind).unwrap_or_default();
        match &mut self.state {
            State::Slots(slots) => {
                // An event is in a bucket once, whatever values it has.
                let mut keys: Vec<(String, Json, Option<String>)> = Vec::new();
                bucket_keys(&self.agg.kind, event, &mut |name, key, text| {
                    if keys.iter().all(|(known, ..)| *known != name) {
                        keys.push((name, key, text));
                    }
                });
                for (name, key, text) in keys {
                    let slot = match slots.entry(name) {
                        std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                        std::collections::hash_map::Entry::Vacant(entry) => {
                            entry.insert(Slot::new(key, text, &self.agg.aggs, room)?)
                        }
                    };
                    slot.add(event, room)?;
                }
            }
            State::Filters(slots) => {
                for (matcher, slot) in slots {
                    if matcher.matches(event) {
                        slot.add(event, room)?;
                    }
                }
            }
            State::Distinct(distinct) => values(event, field, &mut |value| {
                distinct.insert(value.text().into_owned());
            }),
            State::Stats(stats) => numbers(event, field, &mut |number| {
                stats.count += 1;
                stats.sum += number;
                stats.sum_of_squares = stats.sum_of_squares.map(|sum| sum + number * number);
                stats.min = Some(stats.min.map_or(number, |min| min.min(number)));
                stats.max = Some(stats.max.map_or(number, |max| max.max(number)));
            }),
            State::Numbers(all) => {
                let before = all.len();
                numbers(event, field, &mut |number| all.push(number));
                let added = all.len() - before;
                room.numbers = room.numbers.checked_sub(added).ok_or_else(|| {
                    StoreError::BadRequest(format!(
                        "percentiles: more than {NUMBERS_MAX} numbers; ask for less"
                    ))
                })?;
            }
        }
        Ok(())
    }

    fn finish(self, span: Option<(Option<Timestamp>, Option<Timestamp>)>) -> Result<AggResult> {
        let agg = self.agg;
        Ok(match self.state {
            State::Slots(slots) => {
                let buckets = slots.into_values().map(|slot| slot.finish(&agg.aggs));
                let buckets = buckets.collect::<Result<Vec<Bucket>>>()?;
                arrange(&agg, buckets, span.unwrap_or_default())?
            }
            State::Filters(slots) => {
                let mut buckets = Vec::new();
                for (_, slot) in slots {
                    let key = slot.key.clone();
                    let outer = span.unwrap_or_default();
                    let aggs = finish_map(slot.aggs, &agg.aggs, outer)?;
                    let doc_count = slot.count;
                    buckets.push(Bucket { key, key_as_string: None, doc_count, aggs });
                }
                AggResult::Buckets { buckets, other: 0 }
            }
            State::Distinct(distinct) => AggResult::Value { value: distinct.len() as u64 },
            State::Stats(mut stats) => {
                stats.avg = (stats.count > 0).then(|| stats.sum / stats.count as f64);
                AggResult::Stats(stats)
            }
            State::Numbers(mut numbers) => {
                let AggKind::Percentiles { percents, .. } = &agg.kind else {
                    return Ok(empty(&agg));
                };
                numbers.sort_unstable_by(f64::total_cmp);
                let value = |percent: f64| {
                    let place = percent / 100.0 * numbers.len().saturating_sub(1) as f64;
                    numbers.get(place.round() as usize).copied()
                };
                let values = percents.iter().map(|percent| (*percent, value(*percent)));
                AggResult::Percentiles { values: values.collect() }
            }
        })
    }
}

impl Slot {
    fn finish(self, inside: &BTreeMap<String, Agg>) -> Result<Bucket> {
        let mut aggs = BTreeMap::new();
        for (name, gatherer) in self.aggs {
            aggs.insert(name, gatherer.finish(None)?);
        }
        for (name, agg) in inside {
            aggs.entry(name.clone()).or_insert_with(|| empty(agg));
        }
        Ok(Bucket { key: self.key, key_as_string: self.text, doc_count: self.count, aggs })
    }
}

fn finish_map(
    gathered: BTreeMap<String, Gatherer>,
    aggs: &BTreeMap<String, Agg>,
    span: (Option<Timestamp>, Option<Timestamp>),
) -> Result<BTreeMap<String, AggResult>> {
    let mut all = BTreeMap::new();
    for (name, gatherer) in gathered {
        all.insert(name, gatherer.finish(Some(span))?);
    }
    for (name, agg) in aggs {
        all.entry(name.clone()).or_insert_with(|| empty(agg));
    }
    Ok(all)
}

/// The buckets that an event is in: name, key, key for people.
fn bucket_keys(kind: &AggKind, event: &Event, each: &mut dyn FnMut(String, Json, Option<String>)) {
    match kind {
        AggKind::DateHistogram { field, interval } => {
            let width = i64::try_from(interval.as_millis()).unwrap_or(i64::MAX).max(1);
            values(event, field, &mut |canon| {
                if let Canon::Time(time) = canon {
                    let millis = time.div_euclid(1_000_000).div_euclid(width) * width;
                    let text = Timestamp::from_millis(millis).to_string();
                    each(text.clone(), json!(millis), Some(text));
                }
            });
        }
        AggKind::Histogram { field, interval } => numbers(event, field, &mut |number| {
            let key = (number / interval).floor() * interval;
            each(key.to_string(), json!(key), None);
        }),
        AggKind::Range { field, ranges } => numbers(event, field, &mut |number| {
            for range in ranges {
                let above = range.from.is_none_or(|from| number >= from);
                if above && range.to.is_none_or(|to| number < to) {
                    let key = range_key(range);
                    each(key.clone(), json!(key), None);
                }
            }
        }),
        AggKind::Terms { field, .. } => values(event, field, &mut |canon| {
            let (key, text) = match &canon {
                Canon::Text(text) => (json!(text), None),
                Canon::Ip(address) => (json!(ip_text(*address)), None),
                Canon::Bool(flag) => (json!(u8::from(*flag)), Some(flag.to_string())),
                Canon::Float(number) => (json!(number), None),
                Canon::Int(number) => match i64::try_from(*number) {
                    Ok(number) => (json!(number), None),
                    Err(_) => (json!(*number as f64), None),
                },
                Canon::Time(time) => {
                    let time = Timestamp(*time);
                    (json!(time.millis()), Some(time.to_string()))
                }
            };
            each(canon.text().into_owned(), key, text);
        }),
        _ => {}
    }
}

/// Buckets in the order asked for.
fn arrange(
    agg: &Agg,
    mut buckets: Vec<Bucket>,
    span: (Option<Timestamp>, Option<Timestamp>),
) -> Result<AggResult> {
    let number = |bucket: &Bucket| bucket.key.as_f64().unwrap_or(0.0);
    match &agg.kind {
        AggKind::DateHistogram { field, interval } => {
            buckets.sort_by(|a, b| number(a).total_cmp(&number(b)));
            let span = if field == "@timestamp" { span } else { (None, None) };
            fill(buckets, *interval, span, &agg.aggs)
        }
        AggKind::Range { ranges, .. } => {
            let AggResult::Buckets { buckets: mut all, .. } = empty(agg) else {
                return Ok(empty(agg));
            };
            for (range, place) in ranges.iter().zip(&mut all) {
                let key = json!(range_key(range));
                if let Some(found) = buckets.iter().find(|bucket| bucket.key == key) {
                    *place = found.clone();
                }
            }
            Ok(AggResult::Buckets { buckets: all, other: 0 })
        }
        AggKind::Terms { size, order, .. } => {
            buckets.sort_by(|a, b| {
                let by = match order.by.as_str() {
                    "_count" => a.doc_count.cmp(&b.doc_count),
                    "_key" => by_key(a, b),
                    by => order_value(a, by).total_cmp(&order_value(b, by)),
                };
                let by = if order.order == Order::Desc { by.reverse() } else { by };
                by.then_with(|| by_key(a, b))
            });
            let other = buckets.iter().skip(*size).map(|bucket| bucket.doc_count).sum();
            buckets.truncate(*size);
            Ok(AggResult::Buckets { buckets, other })
        }
        _ => {
            buckets.sort_by(|a, b| number(a).total_cmp(&number(b)));
            Ok(AggResult::Buckets { buckets, other: 0 })
        }
    }
}

fn by_key(a: &Bucket, b: &Bucket) -> std::cmp::Ordering {
    match (a.key.as_f64(), b.key.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.key.as_str().cmp(&b.key.as_str()),
    }
}

/// What a bucket is ordered by: a number inside.
fn order_value(bucket: &Bucket, by: &str) -> f64 {
    let (name, part) = by.split_once('.').unwrap_or((by, ""));
    let value = match bucket.aggs.get(name) {
        Some(AggResult::Value { value }) => Some(*value as f64),
        Some(AggResult::Stats(stats)) => match part {
            "count" => Some(stats.count as f64),
            "min" => stats.min,
            "max" => stats.max,
            "avg" => stats.avg,
            _ => Some(stats.sum),
        },
        _ => None,
    };
    value.unwrap_or(f64::NEG_INFINITY)
}
