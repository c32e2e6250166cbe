//! [`Top`]: the first hits in an order that is the same whatever segments there are, and how many
//! there are in all.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Memory};
use std::time::Instant;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::{Cardinality, Column, StrColumn, TermOrdHit};
use tantivy::{COLLECT_BLOCK_BUFFER_LEN, DocId, Score, SegmentOrdinal, SegmentReader};
use tocsin_model::EventId;

use crate::embedded::schema::{OFFSET, STREAM};
use crate::request::{Cancel, Order};

/// A sort value that means the same in every segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// A number or time, as order-preserving bits.
    Bits(u64),
    Address(u128),
    Text(String),
}

/// A hit and its place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hit {
    pub key: Option<Key>,
    pub id: EventId,
    pub segment: SegmentOrdinal,
    pub doc: DocId,
}

/// The order of hits: by key in the direction asked for, those without one last, then by id.
pub(crate) fn compare(
    order: Order,
    a: (&Option<Key>, EventId),
    b: (&Option<Key>, EventId),
) -> Ordering {
    let by_key = match (a.0, b.0) {
        (Some(a), Some(b)) if order == Order::Asc => a.cmp(b),
        (Some(a), Some(b)) => b.cmp(a),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    };
    by_key.then_with(|| match order {
        Order::Asc => a.1.cmp(&b.1),
        Order::Desc => b.1.cmp(&a.1),
    })
}

/// Collects the first hits after a place in the order.
pub(crate) struct Top<'a> {
    pub field: &'a str,
    pub order: Order,
    pub limit: usize,
    pub after: Option<(Option<Key>, EventId)>,
    pub stop: Stop,
}

/// When to stop with what there is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    deadline: Option<Instant>,
    cancel: Option<Cancel>,
    /// Set once it was time.
    late: Arc<AtomicBool>,
}

impl Stop {
    pub(crate) fn new(deadline: Option<Instant>, cancel: Option<Cancel>) -> Self {
        Self { deadline, cancel, late: Arc::default() }
    }

    /// Whether it was time.
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Memory::Relaxed)
    }

    /// Whether it is time now.
    pub(crate) fn is_time(&self) -> bool {
        let time = self.is_late()
            || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
            || self.cancel.as_ref().is_some_and(Cancel::is_cancelled);
        if time {
            self.late.store(true, Memory::Relaxed);
        }
        time
    }
}

/// Collects no more once it is time to stop.
pub(crate) struct Stoppable<C>(pub C, pub Stop);

impl<C: Collector> Collector for Stoppable<C> {
    type Fruit = C::Fruit;
    type Child = StoppableSegment<C::Child>;

    fn for_segment(
        &self,
        segment: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<Self::Child> {
        Ok(StoppableSegment(self.0.for_segment(segment, reader)?, self.1.clone()))
    }

    fn requires_scoring(&self) -> bool {
        self.0.requires_scoring()
    }

    fn merge_fruits(
        &self,
        fruits: Vec<<Self::Child as SegmentCollector>::Fruit>,
    ) -> tantivy::Result<C::Fruit> {
        self.0.merge_fruits(fruits)
    }
}

/// Collects one segment.
pub(crate) struct StoppableSegment<C>(C, Stop);

impl<C: SegmentCollector> SegmentCollector for StoppableSegment<C> {
    type Fruit = C::Fruit;

    fn collect(&mut self, doc: DocId, score: Score) {
        if !self.1.is_late() {
            self.0.collect(doc, score);
        }
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        if !self.1.is_time() {
            self.0.collect_block(docs);
        }
    }

    fn harvest(self) -> C::Fruit {
        self.0.harvest()
    }
}

/// Hits of some segments, in order, and how many match.
pub(crate) struct TopFruit {
    pub hits: Vec<Hit>,
    pub total: u64,
}

impl Collector for Top<'_> {
    type Fruit = TopFruit;
    type Child = TopSegment;

    fn for_segment(
        &self,
        segment: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<TopSegment> {
        let columns = reader.fast_fields();
        let keys = if self.limit == 0 { Keys::None } else { Keys::open(reader, self.field)? };
        let after = match &self.after {
            Some((key, id)) => Some((keys.place_of(key.as_ref())?, *id)),
            None => None,
        };
        Ok(TopSegment {
            keys,
            stream: columns.u64(STREAM)?,
            offset: columns.u64(OFFSET)?,
            order: self.order,
            limit: self.limit,
            after,
            stop: self.stop.clone(),
            segment,
            total: 0,
            best: BinaryHeap::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, fruits: Vec<tantivy::Result<TopFruit>>) -> tantivy::Result<TopFruit> {
        let mut all = TopFruit { hits: Vec::new(), total: 0 };
        for fruit in fruits {
            let fruit = fruit?;
            all.total += fruit.total;
            all.hits.extend(fruit.hits);
        }
        sort_hits(self.order, self.limit, &mut all.hits);
        Ok(all)
    }
}

/// Brings hits into order and keeps the first.
pub(crate) fn sort_hits(order: Order, limit: usize, hits: &mut Vec<Hit>) {
    hits.sort_unstable_by(|a, b| compare(order, (&a.key, a.id), (&b.key, b.id)));
    hits.truncate(limit);
}

/// The sort values of one segment.
enum Keys {
    None,
    Bits(Column<u64>),
    Address(Column<std::net::Ipv6Addr>),
    Text(StrColumn),
}

impl Keys {
    fn open(reader: &SegmentReader, field: &str) -> tantivy::Result<Self> {
        let columns = reader.fast_fields();
        if let Some(texts) = columns.str(field)? {
            return Ok(Self::Text(texts));
        }
        if let Some(addresses) = columns.column_opt::<std::net::Ipv6Addr>(field)? {
            return Ok(Self::Address(addresses));
        }
        Ok(columns.u64_lenient(field)?.map_or(Self::None, |(bits, _)| Self::Bits(bits)))
    }

    /// The value of a document that counts for the order, comparable within the segment. Texts
    /// have odd places, so that a text that is not in the dictionary fits between two.
    fn of(&self, doc: DocId, order: Order) -> Option<u128> {
        fn pick<T: Ord>(values: impl Iterator<Item = T>, order: Order) -> Option<T> {
            if order == Order::Asc { values.min() } else { values.max() }
        }
        match self {
            Self::None => None,
            Self::Bits(column) => pick(column.values_for_doc(doc), order).map(u128::from),
            Self::Address(column) => pick(column.values_for_doc(doc), order).map(u128::from),
            Self::Text(column) => {
                pick(column.term_ords(doc), order).map(|place| u128::from(place) * 2 + 1)
            }
        }
    }

    /// Where a value of another segment would be in this one.
    fn place_of(&self, key: Option<&Key>) -> tantivy::Result<Option<u128>> {
        Ok(match (key, self) {
            (None, _) => None,
            (Some(Key::Bits(bits)), _) => Some(u128::from(*bits)),
            (Some(Key::Address(address)), _) => Some(*address),
            (Some(Key::Text(text)), Self::Text(column)) => {
                Some(match column.dictionary().term_ord_or_next(text)? {
                    TermOrdHit::Exact(place) => u128::from(place) * 2 + 1,
                    // Between the one before and the next.
                    TermOrdHit::Next(place) => u128::from(place) * 2,
                })
            }
            (Some(Key::Text(_)), _) => Some(0),
        })
    }

    /// The value that means the same everywhere.
    fn key(&self, place: u128) -> tantivy::Result<Key> {
        Ok(match self {
            Self::None | Self::Bits(_) => Key::Bits(place as u64),
            Self::Address(_) => Key::Address(place),
            Self::Text(column) => {
                let mut text = String::new();
                column.ord_to_str((place / 2) as u64, &mut text)?;
                Key::Text(text)
            }
        })
    }
}

/// A candidate of one segment; the greatest is the last in the order, so a heap drops it first.
#[derive(PartialEq, Eq)]
struct Candidate {
    order: Order,
    place: Option<u128>,
    id: EventId,
    doc: DocId,
}

impl Candidate {
    fn compare(order: Order, a: (Option<u128>, EventId), b: (Option<u128>, EventId)) -> Ordering {
        let by_place = match (a.0, b.0) {
            (Some(a), Some(b)) if order == Order::Asc => a.cmp(&b),
            (Some(a), Some(b)) => b.cmp(&a),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        by_place.then_with(|| match order {
            Order::Asc => a.1.cmp(&b.1),
            Order::Desc => b.1.cmp(&a.1),
        })
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        Self::compare(self.order, (self.place, self.id), (other.place, other.id))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Collects one segment.
pub(crate) struct TopSegment {
    keys: Keys,
    stream: Column<u64>,
    offset: Column<u64>,
    order: Order,
    limit: usize,
    after: Option<(Option<u128>, EventId)>,
    stop: Stop,
    segment: SegmentOrdinal,
    total: u64,
    best: BinaryHeap<Candidate>,
}

impl TopSegment {
    fn id(&self, doc: DocId) -> EventId {
        EventId {
            stream: self.stream.first(doc).unwrap_or(0),
            offset: self.offset.first(doc).unwrap_or(0),
        }
    }

    /// Whether a place is surely behind the last kept hit, without looking at ids.
    fn is_behind(&self, place: Option<u128>) -> bool {
        if self.best.len() < self.limit {
            return false;
        }
        let Some(last) = self.best.peek() else { return true };
        match (place, last.place) {
            (Some(a), Some(b)) if self.order == Order::Asc => a > b,
            (Some(a), Some(b)) => a < b,
            (None, Some(_)) => true,
            _ => false,
        }
    }

    /// Looks at documents that may be among the best.
    fn consider(&mut self, docs: &[DocId]) {
        let mut bits = [None; COLLECT_BLOCK_BUFFER_LEN];
        if let Keys::Bits(column) = &self.keys
            && column.get_cardinality() != Cardinality::Multivalued
            && docs.len() <= bits.len()
        {
            column.first_vals(docs, &mut bits[..docs.len()]);
            for (doc, bits) in docs.iter().zip(bits) {
                self.consider_one(*doc, bits.map(u128::from));
            }
            return;
        }
        for doc in docs {
            let place = self.keys.of(*doc, self.order);
            self.consider_one(*doc, place);
        }
    }

    fn consider_one(&mut self, doc: DocId, place: Option<u128>) {
        if self.is_behind(place) {
            return;
        }
        let id = self.id(doc);
        if let Some(after) = self.after
            && Candidate::compare(self.order, (place, id), after) != Ordering::Greater
        {
            return;
        }
        let candidate = Candidate { order: self.order, place, id, doc };
        if self.best.len() < self.limit {
            self.best.push(candidate);
        } else if self.best.peek().is_some_and(|last| candidate < *last) {
            self.best.pop();
            self.best.push(candidate);
        }
    }
}

impl SegmentCollector for TopSegment {
    type Fruit = tantivy::Result<TopFruit>;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.collect_block(&[doc]);
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        if self.stop.is_time() {
            return;
        }
        self.total += docs.len() as u64;
        if self.limit > 0 {
            self.consider(docs);
        }
    }

    fn harvest(self) -> tantivy::Result<TopFruit> {
        let mut hits = Vec::with_capacity(self.best.len());
        for candidate in self.best {
            let key = candidate.place.map(|place| self.keys.key(place)).transpose()?;
            let (id, doc) = (candidate.id, candidate.doc);
            hits.push(Hit { key, id, segment: self.segment, doc });
        }
        Ok(TopFruit { hits, total: self.total })
    }
}
