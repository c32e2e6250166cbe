//! Aggregates by the buckets they are in: which can be asked at once, where the others are, and
//! where their results go.

use std::collections::BTreeMap;

use crate::filter::Filter;
use crate::request::{Agg, AggKind, AggResult, BUCKETS_MAX, Bucket, TermsOrder};
use crate::steps::term_of;

/// Up to so many terms, only these are asked for again.
const TERMS_AGAIN_MAX: usize = 1000;

pub(super) fn has_auto(agg: &Agg) -> bool {
    matches!(agg.kind, AggKind::AutoDateHistogram { .. }) || agg.aggs.values().any(has_auto)
}

fn is_simple(kind: &AggKind) -> bool {
    !matches!(
        kind,
        AggKind::Filters { .. }
            | AggKind::Calendar { .. }
            | AggKind::AutoDateHistogram { .. }
            | AggKind::TopHits { .. }
    )
}

/// What can be asked at once.
pub(super) fn simple(aggs: &BTreeMap<String, Agg>) -> BTreeMap<String, Agg> {
    let kept = aggs.iter().filter(|(_, agg)| is_simple(&agg.kind));
    kept.map(|(name, agg)| (name.clone(), Agg { kind: agg.kind.clone(), aggs: simple(&agg.aggs) }))
        .collect()
}

/// The others: the names of the buckets around, their own, and what.
pub(super) fn find<'a>(
    aggs: &'a BTreeMap<String, Agg>,
    path: &mut Vec<String>,
    places: &mut Vec<(Vec<String>, String, &'a Agg)>,
) {
    for (name, agg) in aggs {
        if is_simple(&agg.kind) {
            path.push(name.clone());
            find(&agg.aggs, path, places);
            path.pop();
        } else {
            places.push((path.clone(), name.clone(), agg));
        }
    }
}

/// The buckets on a path with all of their terms, and `inside` in the innermost. Where there are
/// few terms, `narrowed` asks for events that have one of them.
pub(super) fn chain(
    aggs: &BTreeMap<String, Agg>,
    path: &[String],
    inside: &BTreeMap<String, Agg>,
    results: &BTreeMap<String, AggResult>,
    narrowed: &mut Filter,
) -> BTreeMap<String, Agg> {
    let Some((first, rest)) = path.split_first() else { return inside.clone() };
    let Some(agg) = aggs.get(first) else { return BTreeMap::new() };
    let none = BTreeMap::new();
    let kind = match &agg.kind {
        AggKind::Terms { field, .. } => {
            let buckets = results.get(first).map_or(&[][..], AggResult::buckets);
            if !results.is_empty() && buckets.len() <= TERMS_AGAIN_MAX {
                let values = buckets.iter().map(term_of).collect();
                let terms = Filter::Terms { field: field.clone(), values };
                *narrowed = std::mem::replace(narrowed, Filter::All).and(terms);
            }
            let (field, order) = (field.clone(), TermsOrder::default());
            AggKind::Terms { field, size: BUCKETS_MAX, order }
        }
        kind => kind.clone(),
    };
    let aggs = chain(&agg.aggs, rest, inside, &none, narrowed);
    [(first.clone(), Agg { kind, aggs })].into()
}

/// Puts a result into every bucket at the end of a path.
pub(super) fn place(
    results: &mut BTreeMap<String, AggResult>,
    path: &[String],
    name: &str,
    result: &AggResult,
) {
    let Some((first, rest)) = path.split_first() else { return };
    let Some(AggResult::Buckets { buckets, .. }) = results.get_mut(first) else { return };
    for bucket in buckets {
        if rest.is_empty() {
            bucket.aggs.insert(name.to_owned(), result.clone());
        } else {
            place(&mut bucket.aggs, rest, name, result);
        }
    }
}

/// Goes through the buckets at the end of a path, with those of the same keys elsewhere.
pub(super) fn merge(
    results: &mut BTreeMap<String, AggResult>,
    others: &BTreeMap<String, AggResult>,
    path: &[String],
    each: &mut dyn FnMut(&mut Bucket, Option<&Bucket>),
) {
    let Some((first, rest)) = path.split_first() else { return };
    let Some(AggResult::Buckets { buckets, .. }) = results.get_mut(first) else { return };
    let others = others.get(first).map_or(&[][..], AggResult::buckets);
    let by_key: BTreeMap<String, &Bucket> =
        others.iter().map(|bucket| (bucket.key.to_string(), bucket)).collect();
    let none = BTreeMap::new();
    for bucket in buckets {
        let other = by_key.get(&bucket.key.to_string()).copied();
        if rest.is_empty() {
            each(bucket, other);
        } else {
            merge(&mut bucket.aggs, other.map_or(&none, |other| &other.aggs), rest, each);
        }
    }
}
