//! Results of aggregates where there is no event, and the names of ranges: the same for every
//! backend.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::request::{Agg, AggKind, AggResult, AggStats, Bucket, RangeBucket};

/// The result when no event is there.
pub(crate) fn empty(agg: &Agg) -> AggResult {
    match &agg.kind {
        AggKind::Cardinality { .. } => AggResult::Value { value: 0 },
        AggKind::TopHits { .. } => AggResult::Hits { total: 0, hits: Vec::new() },
        AggKind::Stats { .. } => AggResult::Stats(AggStats::default()),
        AggKind::ExtendedStats { .. } => {
            AggResult::Stats(AggStats { sum_of_squares: Some(0.0), ..AggStats::default() })
        }
        AggKind::Percentiles { percents, .. } => AggResult::Percentiles {
            values: percents.iter().map(|percent| (*percent, None)).collect(),
        },
        AggKind::Range { ranges, .. } => {
            let ranges = ranges.iter().map(|range| empty_range(range, &agg.aggs));
            AggResult::Buckets { buckets: ranges.collect(), other: 0 }
        }
        AggKind::Filters { filters } => {
            let buckets = filters.iter().map(|(name, _)| empty_bucket(json!(name), &agg.aggs));
            AggResult::Buckets { buckets: buckets.collect(), other: 0 }
        }
        _ => AggResult::Buckets { buckets: Vec::new(), other: 0 },
    }
}

/// The results where no event is there.
pub(crate) fn empty_results(aggs: &BTreeMap<String, Agg>) -> BTreeMap<String, AggResult> {
    aggs.iter().map(|(name, agg)| (name.clone(), empty(agg))).collect()
}

/// A bucket that no event is in.
pub(crate) fn empty_bucket(key: Json, inside: &BTreeMap<String, Agg>) -> Bucket {
    Bucket { key, key_as_string: None, doc_count: 0, aggs: empty_results(inside) }
}

/// A range that no event is in.
pub(crate) fn empty_range(range: &RangeBucket, inside: &BTreeMap<String, Agg>) -> Bucket {
    empty_bucket(json!(range_key(range)), inside)
}

/// What a range is called: `200.0-300.0`, `*-200.0`.
pub(crate) fn range_key(range: &RangeBucket) -> String {
    let end = |end: Option<f64>| end.map_or("*".to_owned(), |end| format!("{end:?}"));
    format!("{}-{}", end(range.from), end(range.to))
}
