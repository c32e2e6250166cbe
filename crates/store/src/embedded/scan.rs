//! Going through all events that match, oldest first.
//!
//! The span of time is halved until a part has few enough events to be put in order by their
//! times alone; then they are read in that order, some thousand at a time, by a thread for each
//! core, while the caller works on those before.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tantivy::columnar::Column;
use tantivy::query::EnableScoring;
use tantivy::schema::Field;
use tantivy::schema::document::{
    DeserializeError, DocumentDeserialize, DocumentDeserializer, ValueDeserialize,
    ValueDeserializer,
};
use tantivy::store::StoreReader;
use tantivy::{DateTime, DocId, Searcher, TantivyError};
use tocsin_model::{Event, EventId, Timestamp};

use crate::embedded::fault::explain;
use crate::embedded::partition::Partition;
use crate::embedded::schema::{INGESTED, OFFSET, STREAM, TIMESTAMP};
use crate::embedded::search::query_of;
use crate::embedded::source::{Head, Shapes, decode_event};
use crate::error::{Result, StoreError};
use crate::plan::plan;
use crate::scan::{ScanRequest, ScanSink, Scanned};
use crate::test::class_of;

/// The most events that are put in order at once; each takes 16 bytes.
const ORDERED_MAX: u64 = 1_000_000;
/// Events that are read and given together.
const CHUNK_EVENTS: usize = 4096;
/// The most threads that read.
const READERS_MAX: usize = 4;

/// Gives every event that matches to `sink`.
pub(crate) fn scan(
    partitions: &[Arc<Partition>],
    request: &ScanRequest,
    sink: &mut ScanSink<'_>,
) -> Result<u64> {
    plan(&request.filter, &class_of)?;
    // What is committed from now on is no part of it.
    let held: Vec<Held<'_>> = partitions
        .iter()
        .filter(|partition| partition.may_have(request.from, request.to))
        .map(|partition| Held { partition, searcher: partition.searcher() })
        .collect();
    let Some(whole) = span_of(&held, request) else { return Ok(0) };
    let mut going = Going { held: &held, request, sink, done: 0, total: 0 };
    going.total = going.count(whole)?;
    // The oldest part is on top.
    let mut parts = vec![whole];
    while let Some((low, high)) = parts.pop() {
        let events = going.count((low, high))?;
        if events == 0 {
            continue;
        }
        if events > ORDERED_MAX && high - low > 1 {
            let middle = low + (high - low) / 2;
            parts.push((middle, high));
            parts.push((low, middle));
            continue;
        }
        if going.part((low, high))?.is_break() {
            break;
        }
    }
    Ok(going.done)
}

/// A partition as it was when the scan began.
pub(super) struct Held<'a> {
    pub(super) partition: &'a Partition,
    pub(super) searcher: Searcher,
}

/// From the first time (included) to the last (not), nanoseconds.
fn span_of(held: &[Held<'_>], request: &ScanRequest) -> Option<(i64, i64)> {
    let spans = held.iter().map(|held| held.partition.span());
    let (mut low, mut high) = (i64::MAX, i64::MIN);
    for span in spans {
        low = low.min(span.oldest?.0);
        high = high.max(span.newest?.0.saturating_add(1));
    }
    let low = request.from.map_or(low, |from| from.0.max(low));
    let high = request.to.map_or(high, |to| to.0.min(high));
    // Halves of the whole range of numbers would not fit in one.
    (low < high).then_some((low.max(i64::MIN / 4), high.min(i64::MAX / 4)))
}

/// Where an event is: time, segment over all partitions, document.
pub(super) type Place = (i64, u32, DocId);

struct Going<'a, 'r> {
    held: &'a [Held<'a>],
    request: &'r ScanRequest,
    sink: &'r mut ScanSink<'r>,
    done: u64,
    total: u64,
}

impl Going<'_, '_> {
    fn count(&self, (low, high): (i64, i64)) -> Result<u64> {
        let mut total = 0;
        for held in self.held {
            let (from, to) = (Some(Timestamp(low)), Some(Timestamp(high)));
            if held.partition.may_have(from, to) {
                let query = query_of(held.partition, &self.request.filter, from, to)?;
                let found = held.searcher.search(&query, &tantivy::collector::Count);
                total += found.map_err(|error| explain(&held.partition.path, &error))? as u64;
            }
        }
        Ok(total)
    }

    /// All events of a part of the time, in order.
    fn part(&mut self, span: (i64, i64)) -> Result<ControlFlow<()>> {
        let mut places = Vec::new();
        let mut segments = 0;
        for held in self.held {
            self.places_in(held, span, segments, &mut places)
                .map_err(|error| error.at(held.partition))?;
            segments += held.searcher.segment_readers().len() as u32;
        }
        places.sort_unstable();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let readers = cores.clamp(1, READERS_MAX).min(places.len().div_ceil(CHUNK_EVENTS)).max(1);
        let (held, places) = (self.held, places.as_slice());
        std::thread::scope(|scope| {
            let mut channels: Vec<Receiver<Result<Vec<Event>>>> = Vec::new();
            for reader in 0..readers {
                let (sender, receiver) = sync_channel(1);
                channels.push(receiver);
                scope.spawn(move || read_chunks(held, places, (reader, readers), &sender));
            }
            for chunk in 0..places.len().div_ceil(CHUNK_EVENTS) {
                let Ok(events) = channels[chunk % readers].recv() else {
                    return Err(StoreError::Failed {
                        path: self.held[0].partition.path.clone(),
                        reason: "a thread that reads events ended early".to_owned(),
                    });
                };
                let events = events?;
                self.done += events.len() as u64;
                let scanned = Scanned { events: &events, done: self.done, total: self.total };
                if (self.sink)(scanned).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn places_in(
        &self,
        held: &Held<'_>,
        (low, high): (i64, i64),
        first_segment: u32,
        places: &mut Vec<Place>,
    ) -> std::result::Result<(), Fault> {
        let (from, to) = (Some(Timestamp(low)), Some(Timestamp(high)));
        if !held.partition.may_have(from, to) {
            return Ok(());
        }
        let query = query_of(held.partition, &self.request.filter, from, to)?;
        let weight = query.weight(EnableScoring::disabled_from_searcher(&held.searcher))?;
        for (at, segment) in held.searcher.segment_readers().iter().enumerate() {
            let times = segment.fast_fields().date(TIMESTAMP)?;
            weight.for_each_no_score(segment, &mut |docs| {
                places.extend(docs.iter().map(|doc| {
                    let time = times.first(*doc).map_or(0, DateTime::into_timestamp_nanos);
                    (time, first_segment + at as u32, *doc)
                }));
            })?;
        }
        Ok(())
    }
}

/// What went wrong, before it is known where.
enum Fault {
    Index(TantivyError),
    Store(StoreError),
}

impl From<TantivyError> for Fault {
    fn from(error: TantivyError) -> Self {
        Self::Index(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Index(error.into())
    }
}

impl Fault {
    fn at(self, partition: &Partition) -> StoreError {
        match self {
            Self::Index(error) => explain(&partition.path, &error),
            Self::Store(error) => error,
        }
    }
}

/// Reads every `readers`th chunk, until nobody wants more.
fn read_chunks(
    held: &[Held<'_>],
    places: &[Place],
    (reader, readers): (usize, usize),
    sender: &SyncSender<Result<Vec<Event>>>,
) {
    let mut opened = Opened::new(held);
    for chunk in places.chunks(CHUNK_EVENTS).skip(reader).step_by(readers) {
        if sender.send(opened.read(chunk)).is_err() {
            return;
        }
    }
}

/// Segments that one thread has open.
pub(super) struct Opened<'a> {
    held: &'a [Held<'a>],
    segments: BTreeMap<u32, Segment<'a>>,
}

struct Segment<'a> {
    partition: &'a Partition,
    source: Field,
    store: StoreReader,
    shapes: Shapes,
    stream: Column<u64>,
    offset: Column<u64>,
    received: Column<DateTime>,
}

impl<'a> Opened<'a> {
    pub(super) fn new(held: &'a [Held<'a>]) -> Self {
        Self { held, segments: BTreeMap::new() }
    }

    /// The events of a chunk, in its order. Each block of a segment is unpacked once.
    pub(super) fn read(&mut self, chunk: &[Place]) -> Result<Vec<Event>> {
        let mut order: Vec<usize> = (0..chunk.len()).collect();
        order.sort_unstable_by_key(|at| (chunk[*at].1, chunk[*at].2));
        let mut events = vec![Event::default(); chunk.len()];
        for at in order {
            let (time, segment, doc) = chunk[at];
            self.read_one(segment, doc, Timestamp(time), &mut events[at])?;
        }
        Ok(events)
    }

    fn read_one(
        &mut self,
        number: u32,
        doc: DocId,
        time: Timestamp,
        event: &mut Event,
    ) -> Result<()> {
        let Self { held, segments } = self;
        let segment = match segments.entry(number) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => entry.insert(open(held, number)?),
        };
        let partition = segment.partition;
        let bytes: SourceBytes =
            segment.store.get(doc).map_err(|error| explain(&partition.path, &error))?;
        let id = EventId {
            stream: segment.stream.first(doc).unwrap_or(0),
            offset: segment.offset.first(doc).unwrap_or(0),
        };
        let received = segment.received.first(doc).map_or(0, DateTime::into_timestamp_nanos);
        let head = Head { id, time, received: Timestamp(received) };
        let source = bytes.0.iter().find(|(field, _)| *field == segment.source);
        source
            .and_then(|(_, bytes)| {
                decode_event(head, bytes, &mut segment.shapes, &partition.fields, event)
            })
            .ok_or_else(|| StoreError::Damaged {
                path: partition.path.clone(),
                reason: "a stored event cannot be read".to_owned(),
            })
    }
}

fn open<'a>(held: &'a [Held<'a>], number: u32) -> Result<Segment<'a>> {
    let mut at = number as usize;
    for held in held {
        let segments = held.searcher.segment_readers();
        let Some(segment) = segments.get(at) else {
            at -= segments.len();
            continue;
        };
        let partition = held.partition;
        let open = || {
            let columns = segment.fast_fields();
            Ok::<_, TantivyError>(Segment {
                partition,
                source: partition.fields.source,
                store: segment.get_store_reader(1)?,
                shapes: Shapes::default(),
                stream: columns.u64(STREAM)?,
                offset: columns.u64(OFFSET)?,
                received: columns.date(INGESTED)?,
            })
        };
        return open().map_err(|error| explain(&partition.path, &error));
    }
    Err(StoreError::BadRequest("there is no such segment".to_owned()))
}

/// A stored document: only what is kept of it.
struct SourceBytes(Vec<(Field, Vec<u8>)>);

impl DocumentDeserialize for SourceBytes {
    fn deserialize<'de, D>(mut document: D) -> std::result::Result<Self, DeserializeError>
    where
        D: DocumentDeserializer<'de>,
    {
        let mut all = Vec::with_capacity(1);
        while let Some((field, Blob(bytes))) = document.next_field::<Blob>()? {
            all.push((field, bytes));
        }
        Ok(Self(all))
    }
}

struct Blob(Vec<u8>);

impl ValueDeserialize for Blob {
    fn deserialize<'de, D>(value: D) -> std::result::Result<Self, DeserializeError>
    where
        D: ValueDeserializer<'de>,
    {
        value.deserialize_bytes().map(Self)
    }
}
