//! Numbers of aggregates in Elasticsearch's form.

use serde_json::{Map, Value as Json, json};
use tocsin_store::AggStats;

/// `extended_stats`: with variance and deviation, and what lies so many deviations away.
pub(super) fn extended(stats: &AggStats, sigma: f64) -> Json {
    let squares = stats.sum_of_squares.unwrap_or(0.0);
    let (count, mean) = (stats.count as f64, stats.avg.unwrap_or(0.0));
    let whole = (stats.count > 0).then(|| (squares / count - mean * mean).max(0.0));
    let sample =
        (stats.count > 1).then(|| (squares - count * mean * mean).max(0.0) / (count - 1.0));
    let root = |variance: Option<f64>| variance.map(f64::sqrt);
    let bound = |variance: Option<f64>, side: f64| {
        root(variance).map(|deviation| mean + side * sigma * deviation)
    };
    json!({
        "count": stats.count, "min": stats.min, "max": stats.max, "avg": stats.avg,
        "sum": stats.sum,
        "sum_of_squares": (stats.count > 0).then_some(squares),
        "variance": whole, "variance_population": whole, "variance_sampling": sample,
        "std_deviation": root(whole), "std_deviation_population": root(whole),
        "std_deviation_sampling": root(sample),
        "std_deviation_bounds": {
            "upper": bound(whole, 1.0), "lower": bound(whole, -1.0),
            "upper_population": bound(whole, 1.0), "lower_population": bound(whole, -1.0),
            "upper_sampling": bound(sample, 1.0), "lower_sampling": bound(sample, -1.0),
        },
    })
}

/// `_count`, `name`, `name.avg`, `name[95.0]`.
pub(super) fn value_at(bucket: &Map<String, Json>, path: &str) -> Option<f64> {
    if path == "_count" {
        return bucket.get("doc_count")?.as_f64();
    }
    if let Some((name, percent)) = path.strip_suffix(']').and_then(|path| path.split_once('[')) {
        let percent: f64 = percent.parse().ok()?;
        return bucket.get(name)?.get("values")?.get(format!("{percent:?}"))?.as_f64();
    }
    if let Some(one) = bucket.get(path) {
        return one.get("value")?.as_f64();
    }
    let (name, part) = path.rsplit_once('.')?;
    bucket.get(name)?.get(part)?.as_f64()
}

/// One part of a stats.
pub(super) fn part_of(stats: &AggStats, part: &str) -> Json {
    match part {
        "avg" => json!(stats.avg),
        "min" => json!(stats.min),
        "max" => json!(stats.max),
        "count" => json!(stats.count),
        _ => json!(stats.sum),
    }
}

/// A value as text.
pub(super) fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deviations_are_those_of_the_numbers() {
        // 2, 4, 4, 4, 5, 5, 7, 9.
        let (avg, min, max) = (Some(5.0), Some(2.0), Some(9.0));
        let sum_of_squares = Some(232.0);
        let stats = AggStats { count: 8, min, max, avg, sum: 40.0, sum_of_squares };
        let got = extended(&stats, 3.0);
        assert_eq!((&got["variance"], &got["std_deviation"]), (&json!(4.0), &json!(2.0)));
        assert_eq!(got["std_deviation_bounds"]["lower"], json!(-1.0));
        assert_eq!(got["variance_sampling"], json!(32.0 / 7.0));
        let none = extended(&AggStats::default(), 2.0);
        assert!(none["std_deviation"].is_null() && none["std_deviation_bounds"]["upper"].is_null());
    }
}
