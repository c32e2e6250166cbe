//! [`SearchRequest`] and [`SearchResponse`]: what a store is asked and what it answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tocsin_model::Timestamp;

use crate::filter::Filter;

/// The most hits of one page.
pub const HITS_MAX: usize = 10_000;
/// The most buckets that one aggregation gives back.
pub const BUCKETS_MAX: usize = 65_536;
/// The most events that one `TopHits` gives for a bucket.
pub const TOP_HITS_MAX: usize = 100;

/// A question: which events, how many, sorted how, summed up how.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// Which events.
    pub filter: Filter,
    /// Not before this time.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
    /// Hits wanted, at most [`HITS_MAX`]; 0 for aggregates only.
    pub limit: usize,
    /// Order; ties go by event id, so paging is exact.
    pub sort: Sort,
    /// [`SearchResponse::next`] of the page before.
    pub cursor: Option<String>,
    /// Aggregates by name.
    pub aggs: BTreeMap<String, Agg>,
    /// Stop after this long with what there is ([`SearchResponse::partial`]).
    pub timeout: Option<Duration>,
    /// Stop when this says so, likewise.
    pub cancel: Option<Cancel>,
    /// Whether an answer without archived events that cannot be read now will do
    /// ([`SearchResponse::missing`]); else there is none.
    pub may_miss: bool,
}

/// Asks a search to stop; shared with it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The same one.
impl PartialEq for Cancel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            filter: Filter::All,
            from: None,
            to: None,
            limit: 50,
            sort: Sort::default(),
            cursor: None,
            aggs: BTreeMap::new(),
            timeout: None,
            cancel: None,
            may_miss: false,
        }
    }
}

/// What hits are sorted by. Events without the field come last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sort {
    /// A date, number, address or keyword field.
    pub field: String,
    /// Which end first.
    pub order: Order,
}

/// Newest first.
impl Default for Sort {
    fn default() -> Self {
        Self { field: "@timestamp".to_owned(), order: Order::Desc }
    }
}

/// Direction of a sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Smallest first.
    Asc,
    /// Greatest first.
    Desc,
}

/// An aggregate, with aggregates inside each of its buckets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agg {
    /// What.
    pub kind: AggKind,
    /// Aggregates inside each bucket; none where there are no buckets.
    #[serde(default)]
    pub aggs: BTreeMap<String, Agg>,
}

impl Agg {
    /// Events by time; empty buckets between the first and the last (or between `from` and `to`
    /// of the request where given) are there too.
    pub fn date_histogram(field: impl Into<String>, interval: Duration) -> Self {
        Self::of(AggKind::DateHistogram { field: field.into(), interval })
    }

    /// The most frequent values.
    pub fn terms(field: impl Into<String>, size: usize) -> Self {
        Self::of(AggKind::Terms { field: field.into(), size, order: TermsOrder::default() })
    }

    /// How many distinct values, approximately above some thousands.
    pub fn cardinality(field: impl Into<String>) -> Self {
        Self::of(AggKind::Cardinality { field: field.into() })
    }

    /// Count, smallest, greatest, sum and mean of a number.
    pub fn stats(field: impl Into<String>) -> Self {
        Self::of(AggKind::Stats { field: field.into() })
    }

    /// Any kind without aggregates inside.
    pub fn of(kind: AggKind) -> Self {
        Self { kind, aggs: BTreeMap::new() }
    }

    /// With another aggregate in each bucket.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, agg: Agg) -> Self {
        self.aggs.insert(name.into(), agg);
        self
    }
}

/// Kinds of aggregates, with the names of Elasticsearch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AggKind {
    /// Events by time.
    DateHistogram {
        /// A date field.
        field: String,
        /// Width of a bucket; buckets start at multiples of it since 1970 UTC.
        interval: Duration,
    },
    /// The most frequent values.
    Terms {
        /// The field.
        field: String,
        /// How many buckets.
        size: usize,
        /// Which ones, and their order.
        #[serde(default)]
        order: TermsOrder,
    },
    /// Events by a number.
    Histogram {
        /// A number field.
        field: String,
        /// Width of a bucket; buckets start at multiples of it.
        interval: f64,
    },
    /// Events by days, months and the like of a place, which are not all of one length; empty
    /// buckets as for `DateHistogram`.
    Calendar {
        /// A date field.
        field: String,
        /// Width of a bucket.
        every: Every,
        /// IANA name of the time zone (`Europe/Berlin`), or an offset (`+01:00`).
        zone: String,
    },
    /// Events by time, in the shortest buckets of a round length of which there are not more
    /// than so many.
    AutoDateHistogram {
        /// A date field.
        field: String,
        /// At most so many buckets.
        buckets: usize,
    },
    /// The first events of a bucket.
    TopHits {
        /// How many, at most [`TOP_HITS_MAX`].
        size: usize,
        /// Which come first.
        sort: Sort,
    },
    /// Events by filters.
    Filters {
        /// Name and filter of each bucket.
        filters: Vec<(String, Filter)>,
    },
    /// Values below which so many percent of the values are, approximately.
    Percentiles {
        /// A number field.
        field: String,
        /// Percents, 0 to 100.
        percents: Vec<f64>,
    },
    /// Number of distinct values.
    Cardinality {
        /// The field.
        field: String,
    },
    /// Events by ranges of a number.
    Range {
        /// A number field.
        field: String,
        /// The ranges.
        ranges: Vec<RangeBucket>,
    },
    /// Count, smallest, greatest, sum and mean.
    Stats {
        /// A number field.
        field: String,
    },
    /// The same, with the sum of squares.
    ExtendedStats {
        /// A number field.
        field: String,
    },
}

/// Width of a bucket of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// So many hours, counted from midnight of the first of January 1970 of the zone.
    Hours(u32),
    /// A day, which has 23 to 25 hours.
    Day,
    /// From Monday to Sunday.
    Week,
    /// A month.
    Month,
    /// Three months, from January.
    Quarter,
    /// A year.
    Year,
}

/// The order of terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermsOrder {
    /// `_count`, `_key`, or an aggregate inside: `name` of a cardinality, `name.avg` (`min`,
    /// `max`, `sum`, `count`) of a stats.
    pub by: String,
    /// Which end first.
    pub order: Order,
}

/// The most frequent first.
impl Default for TermsOrder {
    fn default() -> Self {
        Self { by: "_count".to_owned(), order: Order::Desc }
    }
}

/// A range: `from` included, `to` not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeBucket {
    /// Start; open when absent.
    pub from: Option<f64>,
    /// End; open when absent.
    pub to: Option<f64>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchResponse {
    /// Hits as nested ECS JSON.
    pub hits: Vec<Json>,
    /// How many events match in all.
    pub total: u64,
    /// How long it took.
    pub took: Duration,
    /// Give it back as [`SearchRequest::cursor`] for the next page; `None` on the last.
    pub next: Option<String>,
    /// Aggregates by name.
    pub aggs: BTreeMap<String, AggResult>,
    /// The timeout came first, or archived events could not be read: hits, total and aggregates
    /// miss something.
    pub partial: bool,
    /// Why archived events that may match could not be looked through.
    pub missing: Option<String>,
    /// Archived events were looked through, which takes longer.
    pub archived: bool,
}

/// Result of one aggregate; as JSON it has Elasticsearch's form.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AggResult {
    /// Kinds with buckets.
    Buckets {
        /// By time, by frequency, or as asked for.
        buckets: Vec<Bucket>,
        /// Events in buckets beyond `size` (terms).
        #[serde(rename = "sum_other_doc_count")]
        other: u64,
    },
    /// The first events.
    Hits {
        /// Events in the bucket.
        total: u64,
        /// The first of them, as nested ECS JSON.
        hits: Vec<Json>,
    },
    /// cardinality.
    Value {
        /// The number.
        value: u64,
    },
    /// stats.
    Stats(AggStats),
    /// percentiles.
    Percentiles {
        /// Percent and value; `None` without values.
        values: Vec<(f64, Option<f64>)>,
    },
}

impl AggResult {
    /// The buckets; none when it has none.
    pub fn buckets(&self) -> &[Bucket] {
        match self {
            Self::Buckets { buckets, .. } => buckets,
            _ => &[],
        }
    }

    /// The number of a cardinality.
    pub fn value(&self) -> Option<u64> {
        match self {
            Self::Value { value } => Some(*value),
            _ => None,
        }
    }

    /// The numbers of a stats.
    pub fn stats(&self) -> Option<&AggStats> {
        match self {
            Self::Stats(stats) => Some(stats),
            _ => None,
        }
    }
}

/// One bucket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bucket {
    /// Term; milliseconds since 1970 for date_histogram; `200.0-300.0` or `*-200.0` for range; name
    /// for filters.
    pub key: Json,
    /// The key for people where it differs: RFC 3339 for date_histogram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_as_string: Option<String>,
    /// Events in it.
    pub doc_count: u64,
    /// Aggregates inside.
    #[serde(flatten)]
    pub aggs: BTreeMap<String, AggResult>,
}

/// Numbers of a stats aggregate; `min`, `max` and `avg` are `None` without values.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct AggStats {
    /// Values seen.
    pub count: u64,
    /// Smallest.
    pub min: Option<f64>,
    /// Greatest.
    pub max: Option<f64>,
    /// Mean.
    pub avg: Option<f64>,
    /// Sum.
    pub sum: f64,
    /// Sum of squares, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum_of_squares: Option<f64>,
}

/// A field that stored events have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldInfo {
    /// Dotted ECS name.
    pub name: String,
    /// `keyword`, `wildcard`, `text`, `long`, `ip`, `date`, `flattened`, `object`, or `dynamic`
    /// for a field that the dictionary does not know.
    pub kind: &'static str,
    /// How many events have it.
    pub documents: u64,
}

/// Size and span of a store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct StoreStats {
    /// Events visible.
    pub documents: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Of these, events in the archive.
    pub archived_documents: u64,
    /// Bytes of the archive, which are no part of `disk_bytes`.
    pub archived_bytes: u64,
    /// Partitions, those in the archive included.
    pub partitions: u64,
    /// Index segments in all partitions.
    pub segments: u64,
    /// Time of the oldest event.
    pub oldest: Option<Timestamp>,
    /// Time of the newest event.
    pub newest: Option<Timestamp>,
    /// Fields or values that were kept in the event but not indexed, because of a limit, since
    /// this process started.
    pub unindexed_values: u64,
}
