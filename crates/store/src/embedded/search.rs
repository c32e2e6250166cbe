//! Questions to partitions.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use serde_json::Value as Json;
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::intermediate_agg_result::IntermediateAggregationResults;
use tantivy::aggregation::{AggregationLimitsGuard, DistributedAggregationCollector};
use tantivy::collector::{Collector, Count, TopDocs};
use tantivy::query::{AllQuery, BooleanQuery, EnableScoring, Query};
use tantivy::{DocAddress, Executor, Searcher, SegmentReader, TantivyError};
use tocsin_model::{EventId, Timestamp};

use crate::embedded::aggs;
use crate::embedded::cold::Cold;
use crate::embedded::cold::ask::{self, ColdRows};
use crate::embedded::compile::Compiler;
use crate::embedded::fault::explain;
use crate::embedded::partition::Partition;
use crate::embedded::schema::{TIMESTAMP, current_fields};
use crate::embedded::top::{Hit, Key, Stop, Stoppable, Top, TopFruit, compare};
use crate::error::{Result, StoreError};
use crate::filter::Filter;
use crate::plan::plan;
use crate::request::{HITS_MAX, Order, SearchRequest, SearchResponse};
use crate::steps::in_steps;
use crate::test::class_of;

/// The most threads that count at once.
const THREADS_MAX: usize = 4;

/// What counts: a thread for each core, segment by segment.
static THREADS: LazyLock<Executor> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Executor::multi_thread(cores.min(THREADS_MAX), "search")
        .unwrap_or_else(|_| Executor::single_thread())
});

/// One event.
pub(crate) fn get(partition: &Partition, id: EventId) -> Result<Option<Json>> {
    let searcher = partition.searcher();
    let query = Compiler { fields: &partition.fields }.id(id);
    let collector = TopDocs::with_limit(1).order_by_score();
    let found =
        searcher.search(&query, &collector).map_err(|error| explain(&partition.path, &error))?;
    found.first().map(|(_, address)| partition.event(&searcher, *address)).transpose()
}

/// How many events match.
pub(crate) fn count(
    partitions: &[Arc<Partition>],
    filter: &Filter,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<u64> {
    plan(filter, &class_of)?;
    let mut total = 0;
    for partition in partitions.iter().filter(|partition| partition.may_have(from, to)) {
        let query = query_of(partition, filter, from, to)?;
        let found = partition
            .searcher()
            .search(&query, &Count)
            .map_err(|error| explain(&partition.path, &error))?;
        total += found as u64;
    }
    Ok(total)
}

/// The events of a partition that match, from `from` (included) to `to` (not).
pub(crate) fn query_of(
    partition: &Partition,
    filter: &Filter,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Box<dyn Query>> {
    let compiler = Compiler { fields: &partition.fields };
    let filter = compiler.query(&plan(filter, &|name| partition.fields.class_of(name))?);
    // Where the whole partition is within the span, its times need not be looked at.
    let span = partition.span();
    let from = from.filter(|from| span.oldest.is_none_or(|oldest| oldest < *from));
    let to = to.filter(|to| span.newest.is_none_or(|newest| newest >= *to));
    if from.is_none() && to.is_none() {
        return Ok(filter);
    }
    let span = compiler.span(from, to);
    if filter.is::<AllQuery>() {
        return Ok(span);
    }
    Ok(Box::new(BooleanQuery::intersection(vec![filter, span])))
}

/// Hits and aggregates over all partitions.
pub(crate) fn search(
    hot: &[Arc<Partition>],
    cold: &[Arc<Cold>],
    request: &SearchRequest,
) -> Result<SearchResponse> {
    aggs::check(&request.aggs, 0)?;
    in_steps(request, &mut |request| {
        let started = Instant::now();
        let deadline = request.timeout.map(|timeout| started + timeout);
        search_once((hot, cold), request, started, deadline)
    })
}

/// Partitions, and those in the archive.
type Parts<'a> = (&'a [Arc<Partition>], &'a [Arc<Cold>]);

fn search_once(
    (partitions, cold): Parts<'_>,
    request: &SearchRequest,
    started: Instant,
    deadline: Option<Instant>,
) -> Result<SearchResponse> {
    // Bad questions are refused even where no partition would be asked.
    if let Some(fields) = current_fields() {
        aggs::compile(&request.aggs, fields)?;
        aggs::column(&request.sort.field, fields)?;
    }
    plan(&request.filter, &class_of)?;
    let mut gathered = Gathered::new(request, deadline)?;
    // Newest first, so that a timeout leaves the newest.
    for partition in partitions.iter().rev() {
        if gathered.stop.is_time() {
            break;
        }
        if partition.may_have(request.from, request.to) {
            gathered.add(partition, request)?;
        }
    }
    for cold in cold.iter().rev() {
        if gathered.stop.is_time() {
            break;
        }
        if cold.may_have(request.from, request.to) {
            match gathered.add_cold(cold, request) {
                // Where archived files are may be away: what is here is answered all the same.
                Err(StoreError::Failed { path, reason }) if request.may_miss => {
                    let path = path.display();
                    gathered.missing.get_or_insert(format!("{path}: {reason}"));
                }
                done => done?,
            }
        }
    }
    gathered.respond(request, started)
}

/// Where a hit is.
enum Origin<'a> {
    Hot(&'a Partition, Searcher),
    Cold(Arc<ColdRows>),
}

impl Origin<'_> {
    fn event(&self, hit: &Hit) -> Result<Json> {
        match self {
            Self::Hot(partition, searcher) => {
                partition.event(searcher, DocAddress::new(hit.segment, hit.doc))
            }
            Self::Cold(rows) => rows.event(hit.doc),
        }
    }
}

/// What the partitions asked so far have given.
struct Gathered<'a> {
    after: Option<(Option<Key>, EventId)>,
    limit: usize,
    stop: Stop,
    total: u64,
    hits: Vec<(Hit, Origin<'a>)>,
    archived: bool,
    missing: Option<String>,
    aggregates: IntermediateAggregationResults,
    aggregations: Aggregations,
    limits: AggregationLimitsGuard,
}

impl<'a> Gathered<'a> {
    fn new(request: &SearchRequest, deadline: Option<Instant>) -> Result<Self> {
        Ok(Self {
            after: request.cursor.as_deref().map(read_cursor).transpose()?,
            limit: request.limit.min(HITS_MAX),
            stop: Stop::new(deadline, request.cancel.clone()),
            total: 0,
            hits: Vec::new(),
            archived: false,
            missing: None,
            aggregates: IntermediateAggregationResults::default(),
            aggregations: Aggregations::default(),
            limits: aggs::limits(),
        })
    }

    fn add(&mut self, partition: &'a Arc<Partition>, request: &SearchRequest) -> Result<()> {
        let query = query_of(partition, &request.filter, request.from, request.to)?;
        let field = aggs::column(&request.sort.field, &partition.fields)?;
        let top = Top {
            field: &field,
            order: request.sort.order,
            // One more tells whether there is a next page.
            limit: if self.limit == 0 { 0 } else { self.limit + 1 },
            after: self.after.clone(),
            stop: self.stop.clone(),
        };
        let fail = |error: TantivyError| explain(&partition.path, &error);
        let searcher = partition.searcher();
        if request.aggs.is_empty() {
            return self.add_segments(partition, &searcher, &*query, &top).map_err(fail);
        }
        self.aggregations = aggs::compile(&request.aggs, &partition.fields)?;
        let collector = DistributedAggregationCollector::from_aggs(
            self.aggregations.clone(),
            aggs::context(self.limits.clone()),
        );
        let collectors = (top, Stoppable(collector, self.stop.clone()));
        let scoring = EnableScoring::disabled_from_searcher(&searcher);
        let found = searcher.search_with_executor(&*query, &collectors, &THREADS, scoring);
        let (fruit, aggregates) = found.map_err(fail)?;
        self.aggregates.merge_fruits(aggregates).map_err(fail)?;
        self.add_fruit(request.sort.order, fruit, || Origin::Hot(partition, searcher.clone()));
        Ok(())
    }

    fn add_cold(&mut self, cold: &Arc<Cold>, request: &SearchRequest) -> Result<()> {
        self.archived = true;
        let Some(fields) = current_fields() else { return Ok(()) };
        let field = aggs::column(&request.sort.field, fields)?;
        let fail = |error: TantivyError| explain(&cold.path, &error);
        let aggregations = aggs::compile_whole(&request.aggs, fields)?;
        if !request.aggs.is_empty() {
            self.aggregations = aggregations.clone();
        }
        let stop = self.stop.clone();
        ask::search(cold, request, &stop, &mut |searcher, rows| {
            let top = Top {
                field: &field,
                order: request.sort.order,
                limit: if self.limit == 0 { 0 } else { self.limit + 1 },
                after: self.after.clone(),
                stop: Stop::default(),
            };
            let (fruit, aggregates) = if request.aggs.is_empty() {
                (searcher.search(&AllQuery, &top).map_err(fail)?, None)
            } else {
                let context = aggs::context(self.limits.clone());
                let collector =
                    DistributedAggregationCollector::from_aggs(aggregations.clone(), context);
                let found = searcher.search(&AllQuery, &(top, collector)).map_err(fail)?;
                (found.0, Some(found.1))
            };
            if let Some(aggregates) = aggregates {
                self.aggregates.merge_fruits(aggregates).map_err(fail)?;
            }
            self.add_fruit(request.sort.order, fruit, || Origin::Cold(Arc::clone(&rows)));
            Ok(())
        })
    }

    /// Asks segment by segment, the likeliest first; those that cannot have a hit any more are
    /// only counted.
    fn add_segments(
        &mut self,
        partition: &'a Partition,
        searcher: &Searcher,
        query: &dyn Query,
        top: &Top<'_>,
    ) -> tantivy::Result<()> {
        let weight = query.weight(EnableScoring::disabled_from_searcher(searcher))?;
        let mut segments = Vec::new();
        for (place, reader) in searcher.segment_readers().iter().enumerate() {
            segments.push((place as u32, reader, KeySpan::of(reader, top.field)?));
        }
        segments.sort_by_key(|(_, _, span)| span.sort_key(top.order));
        for (place, reader, span) in segments {
            if self.stop.is_time() {
                break;
            }
            if self.cannot_add(span, top) {
                self.total += u64::from(weight.count(reader)?);
                continue;
            }
            let fruit = top.collect_segment(&*weight, place, reader)??;
            self.add_fruit(top.order, fruit, || Origin::Hot(partition, searcher.clone()));
        }
        Ok(())
    }

    /// Whether all documents of a segment are behind the hits there are, or before the page.
    fn cannot_add(&self, span: KeySpan, top: &Top<'_>) -> bool {
        if self.limit == 0 {
            return true;
        }
        let KeySpan(Some((low, high))) = span else { return false };
        let worst = match self.hits.last() {
            Some((hit, ..)) if self.hits.len() > self.limit => bits_of(hit.key.as_ref()),
            _ => None,
        };
        let start = self.after.as_ref().and_then(|(key, _)| bits_of(key.as_ref()));
        match top.order {
            Order::Desc => {
                worst.is_some_and(|worst| high < worst) || start.is_some_and(|start| low > start)
            }
            Order::Asc => {
                worst.is_some_and(|worst| low > worst) || start.is_some_and(|start| high < start)
            }
        }
    }

    fn add_fruit(&mut self, order: Order, fruit: TopFruit, origin: impl Fn() -> Origin<'a>) {
        self.total += fruit.total;
        if fruit.hits.is_empty() {
            return;
        }
        self.hits.extend(fruit.hits.into_iter().map(|hit| (hit, origin())));
        self.hits.sort_by(|(a, ..), (b, ..)| compare(order, (&a.key, a.id), (&b.key, b.id)));
        self.hits.truncate(self.limit.saturating_add(1));
    }

    fn respond(self, request: &SearchRequest, started: Instant) -> Result<SearchResponse> {
        let mut response = SearchResponse { total: self.total, ..SearchResponse::default() };
        if self.limit > 0 && self.hits.len() > self.limit {
            let last = self.hits.get(self.limit - 1);
            response.next = last.map(|(hit, ..)| write_cursor(hit.id, hit.key.as_ref()));
        }
        for (hit, origin) in self.hits.iter().take(self.limit) {
            response.hits.push(origin.event(hit)?);
        }
        response.archived = self.archived;
        if !request.aggs.is_empty() {
            let results = self
                .aggregates
                .into_final_result(self.aggregations, self.limits)
                .map_err(|error| StoreError::BadRequest(format!("aggregates: {error}")))?;
            response.aggs = aggs::convert(&results, request)?;
        }
        response.partial = self.stop.is_late() || self.missing.is_some();
        response.missing = self.missing;
        response.took = started.elapsed();
        Ok(response)
    }
}

fn bits_of(key: Option<&Key>) -> Option<u64> {
    match key {
        Some(Key::Bits(bits)) => Some(*bits),
        _ => None,
    }
}

/// Smallest and greatest value of a segment, where every document has one number or time.
#[derive(Clone, Copy)]
struct KeySpan(Option<(u64, u64)>);

impl KeySpan {
    fn of(reader: &SegmentReader, field: &str) -> tantivy::Result<Self> {
        // Other fields may be missing in documents, which then come last.
        if field != TIMESTAMP {
            return Ok(Self(None));
        }
        let column = reader.fast_fields().u64_lenient(field)?;
        Ok(Self(column.map(|(column, _)| (column.min_value(), column.max_value()))))
    }

    /// Segments with the first hits come first.
    fn sort_key(self, order: Order) -> u64 {
        match (self.0, order) {
            (Some((low, _)), Order::Asc) => low,
            (Some((_, high)), Order::Desc) => u64::MAX - high,
            (None, _) => 0,
        }
    }
}

/// A place in the order, as opaque text: id, kind of key, key.
pub(crate) fn write_cursor(id: EventId, key: Option<&Key>) -> String {
    match key {
        None => format!("{id}-"),
        Some(Key::Bits(bits)) => format!("{id}b{bits:x}"),
        Some(Key::Address(address)) => format!("{id}a{address:x}"),
        Some(Key::Text(text)) => format!("{id}t{text}"),
    }
}

/// Whether a text is a cursor.
pub fn is_cursor(text: &str) -> bool {
    read_cursor(text).is_ok()
}

/// Reads it back.
pub(crate) fn read_cursor(cursor: &str) -> Result<(Option<Key>, EventId)> {
    let read = || {
        let id = EventId::parse(cursor.get(..32)?)?;
        let rest = cursor.get(33..)?;
        let key = match cursor.get(32..33)? {
            "-" => None,
            "b" => Some(Key::Bits(u64::from_str_radix(rest, 16).ok()?)),
            "a" => Some(Key::Address(u128::from_str_radix(rest, 16).ok()?)),
            "t" => Some(Key::Text(rest.to_owned())),
            _ => return None,
        };
        Some((key, id))
    };
    read().ok_or_else(|| {
        StoreError::BadRequest(
            "the cursor is not one that a page gave; start from the first page".to_owned(),
        )
    })
}
