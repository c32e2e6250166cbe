//! Where events live: [`Event`](tocsin_model::Event)s in, nested ECS JSON and aggregates out.
//!
//! [`EventStore`] is what the rest of Tocsin knows; [`Embedded`] is the backend that needs
//! nothing installed. A [`Filter`] says which events are meant; [`Matcher`] answers the same
//! question about one event in memory, and every backend must agree with it ([`conformance`] is how that is checked). Never parses query
//! text: `search` does.

mod archive;
mod empty;
mod error;
mod filter;
mod request;

mod matcher;
mod pattern;
mod plan;
mod scan;
mod steps;
mod test;
mod ticks;
mod words;

pub mod conformance;
mod embedded;

pub use archive::shelf::{Directory, Shelf, Source};
pub use archive::{RowWriter, Rows};
pub use embedded::document::DYNAMIC_NAMES_MAX;
pub use embedded::seal::{PartitionState, Verified, verify, verify_with};
pub use embedded::{Embedded, Evaluator, Options, cursor_after, is_cursor};
pub use error::{Result, StoreError};
pub use filter::{ANY_TEXT, Bound, Filter, WordsMode};
pub use matcher::Matcher;
pub use pattern::wildcard_matches;
pub use request::{
    Agg, AggKind, AggResult, AggStats, BUCKETS_MAX, Bucket, Cancel, Every, FieldInfo, HITS_MAX,
    Order, RangeBucket, SearchRequest, SearchResponse, Sort, StoreStats, TOP_HITS_MAX, TermsOrder,
};
pub use scan::{ScanRequest, ScanSink, Scanned};
pub use steps::in_steps;
pub use ticks::time_zone;

use std::collections::HashSet;

use serde_json::Value as Json;
use tocsin_model::{Event, EventId, Timestamp};

/// A place that keeps events. One writer (calls of `append` and `commit` are serialised inside),
/// any number of readers.
///
/// What was appended becomes durable and visible together with its payload by `commit`, or not
/// at all. **After an error of `append` or `commit` the store has forgotten everything appended
/// since the last good commit**: the caller appends that again and commits again.
pub trait EventStore: Send + Sync {
    /// Takes events; they are neither durable nor visible before [`EventStore::commit`].
    fn append(&self, events: &[Event]) -> Result<()> {
        self.append_each(&mut events.iter())
    }

    /// The same for events wherever they stand.
    fn append_each(&self, events: &mut dyn Iterator<Item = &Event>) -> Result<()>;

    /// Makes everything appended durable and visible, atomically with `payload` (opaque: the
    /// positions of the inputs). With nothing appended it still stores the payload.
    fn commit(&self, payload: &str) -> Result<()>;

    /// The payload of the last commit; `None` before the first.
    fn payload(&self) -> Result<Option<String>>;

    /// One event as nested ECS JSON, as [`Event::to_json`] gave it.
    fn get(&self, id: EventId) -> Result<Option<Json>>;

    /// The events of these ids as they were appended, in any order; those that arrived before
    /// `since` may be left out.
    fn events(&self, ids: &HashSet<EventId>, since: Timestamp) -> Result<Vec<Event>>;

    /// Events and aggregates.
    fn search(&self, request: &SearchRequest) -> Result<SearchResponse>;

    /// Gives every event that matched when the scan began to `sink`, oldest first (events of one
    /// time in any order), as it was appended; how many were given.
    fn scan(&self, request: &ScanRequest, sink: &mut ScanSink<'_>) -> Result<u64>;

    /// How many events match, `from` included, `to` not.
    fn count(&self, filter: &Filter, from: Option<Timestamp>, to: Option<Timestamp>)
    -> Result<u64>;

    /// Fields that stored events have, with how many events have them, by name.
    fn fields(&self) -> Result<Vec<FieldInfo>>;

    /// Size and span.
    fn stats(&self) -> Result<StoreStats>;

    /// Deletes whole partitions all of whose events are older than `time`; the number of events
    /// deleted. The partition being written stays.
    fn delete_before(&self, time: Timestamp) -> Result<u64>;

    /// Deletes whole partitions, the oldest first, until all of them take no more than this many
    /// bytes; the number of events deleted. The partition being written stays.
    fn shrink_to(&self, bytes_max: u64) -> Result<u64>;

    /// Moves closed partitions, all of whose events arrived before `time`, to the archive, until
    /// somebody cancels; the number of events moved. They are found as before, only slower. A
    /// backend that has no archive moves none.
    fn archive_before(&self, _time: Timestamp, _cancel: &Cancel) -> Result<u64> {
        Ok(0)
    }

    /// Deletes the events of one pack (`event.module`), whole days of it: those of partitions all
    /// of whose events of it are older than `before`, and the oldest ones until no more than
    /// `bytes_max` are left; the number of events deleted. Where a partition cannot lose a part,
    /// it is archived first, until somebody cancels; the partition being written stays.
    fn trim_pack(
        &self,
        _pack: &str,
        _before: Timestamp,
        _bytes_max: u64,
        _cancel: &Cancel,
    ) -> Result<u64> {
        Ok(0)
    }
}
