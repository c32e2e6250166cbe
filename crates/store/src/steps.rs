//! Aggregates that take more than one question: filters, buckets of the calendar, the first events
//! of buckets. A request in, simpler requests to whoever answers those, one response out; never
//! looks at events itself, so that every backend has them.

mod paths;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use tocsin_model::Timestamp;

use crate::empty::{empty_results, range_key};
use crate::error::{Result, StoreError};
use crate::filter::{Bound, Filter};
use crate::request::{
    Agg, AggKind, AggResult, Bucket, Every, Order, RangeBucket, SearchRequest, SearchResponse, Sort,
};
use crate::steps::paths::{chain, find, has_auto, merge, place, simple};
use crate::ticks::Ticks;

/// The field of an event's time.
const TIMESTAMP: &str = "@timestamp";
/// The most questions that one request becomes.
const QUESTIONS_MAX: usize = 5000;
/// The most buckets of one histogram of the calendar.
const CALENDAR_BUCKETS_MAX: usize = 2000;
/// Lengths that an automatic histogram chooses from, seconds; then months and years.
const ROUND: [u64; 17] = [
    1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 43_200, 86_400, 604_800, 1_209_600, 2_592_000,
    7_776_000, 31_536_000,
];

/// Answers a request by way of requests whose aggregates are of the simple kinds: all but
/// `Filters`, `Calendar`, `AutoDateHistogram` and `TopHits`.
///
/// # Errors
/// What `ask` says, and when it would take too many questions.
pub fn in_steps(
    request: &SearchRequest,
    ask: &mut dyn FnMut(&SearchRequest) -> Result<SearchResponse>,
) -> Result<SearchResponse> {
    let started = Instant::now();
    let deadline = request.timeout.map(|timeout| started + timeout);
    let mut asker = Asker { ask, deadline, left: QUESTIONS_MAX, seen: Seen::default() };
    let mut response = asker.solve(request)?;
    response.partial |= asker.seen.partial;
    response.archived |= asker.seen.archived;
    response.missing = response.missing.or(asker.seen.missing);
    response.took = started.elapsed();
    Ok(response)
}

/// What any of the answers said.
#[derive(Default)]
struct Seen {
    partial: bool,
    archived: bool,
    missing: Option<String>,
}

struct Asker<'a> {
    ask: &'a mut dyn FnMut(&SearchRequest) -> Result<SearchResponse>,
    deadline: Option<Instant>,
    left: usize,
    seen: Seen,
}

/// A bucket that is a request of its own.
struct Part {
    key: Json,
    text: Option<String>,
    request: SearchRequest,
}

impl Asker<'_> {
    fn ask(&mut self, request: &SearchRequest) -> Result<SearchResponse> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            StoreError::BadRequest(format!(
                "aggregates: takes more than {QUESTIONS_MAX} questions; ask for fewer buckets, or \
                 a longer interval"
            ))
        })?;
        let timeout = self.deadline.map(|end| end.saturating_duration_since(Instant::now()));
        let response = (self.ask)(&SearchRequest { timeout, ..request.clone() })?;
        self.seen.partial |= response.partial;
        self.seen.archived |= response.archived;
        if self.seen.missing.is_none() {
            self.seen.missing.clone_from(&response.missing);
        }
        Ok(response)
    }

    fn solve(&mut self, request: &SearchRequest) -> Result<SearchResponse> {
        let chosen;
        let request = if request.aggs.values().any(has_auto) {
            let mut aggs = request.aggs.clone();
            for agg in aggs.values_mut() {
                self.choose(agg, request)?;
            }
            chosen = SearchRequest { aggs, ..request.clone() };
            &chosen
        } else {
            request
        };
        let base = SearchRequest { aggs: simple(&request.aggs), ..request.clone() };
        let mut response = self.ask(&base)?;
        let mut places = Vec::new();
        find(&request.aggs, &mut Vec::new(), &mut places);
        // Inner buckets are filled after the outer ones are there.
        for (path, name, agg) in places {
            let total = response.total;
            match &agg.kind {
                AggKind::TopHits { size, sort } => {
                    let wanted = (*size, sort);
                    if path.is_empty() {
                        let result = self.hits(request, wanted)?;
                        response.aggs.insert(name, with_total(result, total));
                        continue;
                    }
                    self.hits_within(request, &mut response.aggs, (&path, &name), wanted)?;
                }
                _ => {
                    let parts = self.parts(request, &agg.kind)?;
                    if path.is_empty() {
                        let mut buckets = Vec::with_capacity(parts.len());
                        for part in parts {
                            let inner = SearchRequest { aggs: agg.aggs.clone(), ..part.request };
                            let found = self.solve(&inner)?;
                            let (key, key_as_string) = (part.key, part.text);
                            let (doc_count, aggs) = (found.total, found.aggs);
                            buckets.push(Bucket { key, key_as_string, doc_count, aggs });
                        }
                        response.aggs.insert(name, AggResult::Buckets { buckets, other: 0 });
                        continue;
                    }
                    self.graft(request, &mut response.aggs, (&path, &name), (agg, parts))?;
                }
            }
        }
        Ok(response)
    }

    /// Puts buckets that are requests of their own inside others: each is asked once, with the
    /// outer buckets in it.
    fn graft(
        &mut self,
        request: &SearchRequest,
        results: &mut BTreeMap<String, AggResult>,
        (path, name): (&[String], &str),
        (agg, parts): (&Agg, Vec<Part>),
    ) -> Result<()> {
        place(results, path, name, &AggResult::Buckets { buckets: Vec::new(), other: 0 });
        let mut narrowed = Filter::All;
        let chain = chain(&request.aggs, path, &agg.aggs, results, &mut narrowed);
        for part in parts {
            let filter = part.request.filter.clone().and(narrowed.clone());
            let inner = SearchRequest { aggs: chain.clone(), filter, ..part.request };
            let found = self.solve(&inner)?;
            let empty = empty_results(&agg.aggs);
            let (key, text) = (&part.key, &part.text);
            merge(results, &found.aggs, path, &mut |bucket, other| {
                let Some(AggResult::Buckets { buckets, .. }) = bucket.aggs.get_mut(name) else {
                    return;
                };
                buckets.push(Bucket {
                    key: key.clone(),
                    key_as_string: text.clone(),
                    doc_count: other.map_or(0, |other| other.doc_count),
                    aggs: other.map_or_else(|| empty.clone(), |other| other.aggs.clone()),
                });
            });
        }
        Ok(())
    }

    /// The first events of every bucket on a path.
    fn hits_within(
        &mut self,
        request: &SearchRequest,
        results: &mut BTreeMap<String, AggResult>,
        (path, name): (&[String], &str),
        wanted: (usize, &Sort),
    ) -> Result<()> {
        let Some((first, rest)) = path.split_first() else { return Ok(()) };
        let Some(outer) = request.aggs.get(first) else { return Ok(()) };
        let Some(AggResult::Buckets { buckets, .. }) = results.get_mut(first) else {
            return Ok(());
        };
        for bucket in buckets.iter_mut() {
            let result = AggResult::Hits { total: 0, hits: Vec::new() };
            if bucket.doc_count == 0 {
                place(&mut bucket.aggs, rest, name, &result);
                if rest.is_empty() {
                    bucket.aggs.insert(name.to_owned(), result);
                }
                continue;
            }
            let inner = within(request, &outer.kind, bucket)?;
            let inner = SearchRequest { aggs: outer.aggs.clone(), ..inner };
            if rest.is_empty() {
                let result = self.hits(&inner, wanted)?;
                bucket.aggs.insert(name.to_owned(), with_total(result, bucket.doc_count));
            } else {
                self.hits_within(&inner, &mut bucket.aggs, (rest, name), wanted)?;
            }
        }
        Ok(())
    }

    fn hits(&mut self, request: &SearchRequest, (size, sort): (usize, &Sort)) -> Result<AggResult> {
        let (limit, sort) = (size, sort.clone());
        let aggs = BTreeMap::new();
        let inner = SearchRequest { limit, sort, aggs, cursor: None, ..request.clone() };
        let found = self.ask(&inner)?;
        Ok(AggResult::Hits { total: found.total, hits: found.hits })
    }

    /// The buckets of filters or of a calendar as requests.
    fn parts(&mut self, request: &SearchRequest, kind: &AggKind) -> Result<Vec<Part>> {
        let plain = SearchRequest { limit: 0, cursor: None, ..request.clone() };
        match kind {
            AggKind::Filters { filters } => Ok(filters
                .iter()
                .map(|(name, filter)| {
                    let filter = request.filter.clone().and(filter.clone());
                    let request = SearchRequest { filter, ..plain.clone() };
                    Part { key: json!(name), text: None, request }
                })
                .collect()),
            AggKind::Calendar { field, every, zone } => {
                let ticks = Ticks::new(*every, zone)?;
                let Some((first, last)) = self.span_of(request, field)? else {
                    return Ok(Vec::new());
                };
                let starts = match ticks.between(first, last, CALENDAR_BUCKETS_MAX) {
                    Ok(starts) => starts,
                    // A span of centuries: from the first event to the last.
                    Err(_) => match self.events_span(request, field)? {
                        Some((first, last)) => ticks.between(first, last, CALENDAR_BUCKETS_MAX)?,
                        None => return Ok(Vec::new()),
                    },
                };
                let parts = starts.windows(2).map(|pair| Part {
                    key: json!(pair[0].millis()),
                    text: Some(pair[0].to_string()),
                    request: between(&plain, field, pair[0], pair[1]),
                });
                Ok(parts.collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// From which to which time the events are: as asked for, else as they are.
    fn span_of(
        &mut self,
        request: &SearchRequest,
        field: &str,
    ) -> Result<Option<(Timestamp, Timestamp)>> {
        match (field, request.from, request.to) {
            (TIMESTAMP, Some(from), Some(to)) => {
                Ok(Some((from, Timestamp(to.0.saturating_sub(1).max(from.0)))))
            }
            _ => self.events_span(request, field),
        }
    }

    /// From which to which time there are events.
    fn events_span(
        &mut self,
        request: &SearchRequest,
        field: &str,
    ) -> Result<Option<(Timestamp, Timestamp)>> {
        let first = self.end_of(request, field, Order::Asc)?;
        let last = self.end_of(request, field, Order::Desc)?;
        Ok(first.zip(last))
    }

    fn end_of(
        &mut self,
        request: &SearchRequest,
        field: &str,
        order: Order,
    ) -> Result<Option<Timestamp>> {
        let sort = Sort { field: field.to_owned(), order };
        let aggs = BTreeMap::new();
        let inner = SearchRequest { limit: 1, cursor: None, sort, aggs, ..request.clone() };
        let found = self.ask(&inner)?;
        let value = found.hits.first().map(|hit| field.split('.').fold(hit, |at, part| &at[part]));
        let times = match value {
            Some(Json::Array(all)) => all.iter().filter_map(time_of).collect(),
            Some(one) => time_of(one).into_iter().collect::<Vec<_>>(),
            None => Vec::new(),
        };
        Ok(if order == Order::Asc { times.into_iter().min() } else { times.into_iter().max() })
    }

    /// Automatic histograms become ones of a length.
    fn choose(&mut self, agg: &mut Agg, request: &SearchRequest) -> Result<()> {
        if let AggKind::AutoDateHistogram { field, buckets } = &agg.kind {
            let (field, most) = (field.clone(), (*buckets).max(1) as u64);
            let span = match self.events_span(request, &field)? {
                Some((first, last)) => last.since(first).as_secs() + 1,
                None => 1,
            };
            // One more for the ends, which lie within buckets.
            let fits = |seconds: &&u64| span.div_ceil(**seconds) < most.max(2);
            let every =
                |every| AggKind::Calendar { field: field.clone(), every, zone: "UTC".to_owned() };
            agg.kind = match ROUND.iter().find(fits) {
                Some(2_592_000) => every(Every::Month),
                Some(7_776_000) => every(Every::Quarter),
                Some(31_536_000) | None => every(Every::Year),
                Some(seconds) => {
                    let interval = Duration::from_secs(*seconds);
                    AggKind::DateHistogram { field: field.clone(), interval }
                }
            };
        }
        for inside in agg.aggs.values_mut() {
            self.choose(inside, request)?;
        }
        Ok(())
    }
}

fn time_of(value: &Json) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(value.as_str()?)
}

fn with_total(result: AggResult, total: u64) -> AggResult {
    match result {
        AggResult::Hits { hits, .. } => AggResult::Hits { total, hits },
        other => other,
    }
}

/// A term as a filter has it.
fn term_of(bucket: &Bucket) -> String {
    match (&bucket.key_as_string, &bucket.key) {
        (Some(text), _) | (None, Json::String(text)) => text.clone(),
        (None, other) => other.to_string(),
    }
}

/// The events of one bucket as a request.
fn within(request: &SearchRequest, kind: &AggKind, bucket: &Bucket) -> Result<SearchRequest> {
    let numbers = |field: &str, range: RangeBucket| {
        let lower = range.from.map_or(Bound::Unbounded, |end| Bound::Included(end.to_string()));
        let upper = range.to.map_or(Bound::Unbounded, |end| Bound::Excluded(end.to_string()));
        let filter = Filter::Range { field: field.to_owned(), lower, upper };
        let filter = request.filter.clone().and(filter);
        SearchRequest { filter, ..request.clone() }
    };
    Ok(match kind {
        AggKind::Terms { field, .. } => {
            let filter = request.filter.clone().and(Filter::term(field, term_of(bucket)));
            SearchRequest { filter, ..request.clone() }
        }
        AggKind::DateHistogram { field, interval } => {
            let start = Timestamp::from_millis(bucket.key.as_i64().unwrap_or_default());
            between(request, field, start, start.plus(*interval))
        }
        AggKind::Histogram { field, interval } => {
            let from = bucket.key.as_f64().unwrap_or_default();
            numbers(field, RangeBucket { from: Some(from), to: Some(from + interval) })
        }
        AggKind::Range { field, ranges } => {
            let key = |range: &&RangeBucket| bucket.key.as_str() == Some(range_key(range).as_str());
            match ranges.iter().find(key) {
                Some(range) => numbers(field, range.clone()),
                None => request.clone(),
            }
        }
        _ => request.clone(),
    })
}

/// The events between two times, the second not included.
fn between(
    request: &SearchRequest,
    field: &str,
    start: Timestamp,
    end: Timestamp,
) -> SearchRequest {
    if field == TIMESTAMP {
        let from = Some(request.from.map_or(start, |from| from.max(start)));
        let to = Some(request.to.map_or(end, |to| to.min(end)));
        return SearchRequest { from, to, ..request.clone() };
    }
    let filter = Filter::Range {
        field: field.to_owned(),
        lower: Bound::Included(start.to_string()),
        upper: Bound::Excluded(end.to_string()),
    };
    SearchRequest { filter: request.filter.clone().and(filter), ..request.clone() }
}
