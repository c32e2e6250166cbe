//! `GET /overview`: what the first page shows, summed up over one range of time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use tocsin_catalog::AlertQuery;
use tocsin_engine::Handle;
use tocsin_model::{Severity, Timestamp};
use tocsin_store::{Agg, AggResult, Bucket, Filter, SearchRequest};
use utoipa::{IntoParams, ToSchema};

use crate::app::Shared;
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{OVERVIEW_CACHE_TIME, SEARCH_TIME_MAX};
use crate::query::{Params, given, now};

/// The ranges with their length and the width of a bucket.
pub const RANGES: [(&str, Duration, Duration); 4] = [
    ("15m", Duration::from_secs(900), Duration::from_secs(15)),
    ("1h", Duration::from_secs(3600), Duration::from_secs(60)),
    ("24h", Duration::from_secs(86_400), Duration::from_secs(900)),
    ("7d", Duration::from_secs(604_800), Duration::from_secs(7200)),
];
/// The range when the request names none.
const RANGE_DEFAULT: &str = "24h";
/// Addresses listed.
const TOP_SOURCES_MAX: usize = 10;
/// Addresses whose alerts are counted.
const ALERT_SOURCES_MAX: usize = 1000;
/// Alerts listed.
const NEWEST_MAX: usize = 20;

/// What the overview is of.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OverviewParams {
    /// `15m`, `1h`, `24h` (default) or `7d`.
    #[param(example = "24h")]
    last: Option<String>,
}

/// The overview.
#[derive(Debug, Serialize, ToSchema)]
pub struct Overview {
    range: Range,
    events: EventSums,
    alerts: AlertSums,
    logins: Logins,
    /// Source addresses with the most events.
    top_sources: Vec<Source>,
    /// The newest alerts as nested ECS, without their contributing events.
    #[schema(value_type = Vec<Object>)]
    newest_alerts: Vec<JsonValue>,
}

/// The range that was summed up.
#[derive(Debug, Serialize, ToSchema)]
struct Range {
    /// Start, included.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// End.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Width of the buckets of every series, seconds.
    bucket_seconds: u64,
}

/// Events of the range.
#[derive(Debug, Serialize, ToSchema)]
struct EventSums {
    total: u64,
    /// By time; buckets without events are there.
    series: Vec<EventPoint>,
}

/// Events of one bucket.
#[derive(Debug, Serialize, ToSchema)]
struct EventPoint {
    /// Start of the bucket.
    #[schema(value_type = String, format = DateTime)]
    t: Timestamp,
    count: u64,
}

/// Alerts raised in the range.
#[derive(Debug, Serialize, ToSchema)]
struct AlertSums {
    total: u64,
    by_severity: BySeverity,
    /// The most frequent first.
    by_rule: Vec<RuleSum>,
    /// By time; buckets without alerts are there.
    series: Vec<AlertPoint>,
}

/// Alerts of one rule.
#[derive(Debug, Serialize, ToSchema)]
struct RuleSum {
    rule_id: String,
    title: String,
    count: u64,
}

/// Numbers of alerts by severity.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct BySeverity {
    critical: u64,
    high: u64,
    medium: u64,
    low: u64,
    informational: u64,
}

impl From<&BTreeMap<Severity, u64>> for BySeverity {
    fn from(counts: &BTreeMap<Severity, u64>) -> Self {
        let of = |severity| counts.get(&severity).copied().unwrap_or(0);
        Self {
            critical: of(Severity::Critical),
            high: of(Severity::High),
            medium: of(Severity::Medium),
            low: of(Severity::Low),
            informational: of(Severity::Informational),
        }
    }
}

/// Alerts of one bucket.
#[derive(Debug, Serialize, ToSchema)]
struct AlertPoint {
    /// Start of the bucket.
    #[schema(value_type = String, format = DateTime)]
    t: Timestamp,
    #[serde(flatten)]
    by_severity: BySeverity,
}

/// Attempts to log in.
#[derive(Debug, Serialize, ToSchema)]
struct Logins {
    /// By time; empty buckets are there.
    series: Vec<LoginPoint>,
}

/// Attempts of one bucket.
#[derive(Debug, Serialize, ToSchema)]
struct LoginPoint {
    /// Start of the bucket.
    #[schema(value_type = String, format = DateTime)]
    t: Timestamp,
    failed: u64,
    succeeded: u64,
}

/// A source address.
#[derive(Debug, Serialize, ToSchema)]
struct Source {
    /// The address.
    value: String,
    events: u64,
    alerts: u64,
}

/// Sums over a range: events, alerts, logins, source addresses, newest alerts.
#[utoipa::path(
    get,
    path = "/overview",
    tag = "state",
    params(OverviewParams),
    responses(
        (status = 200, description = "The sums; at most a second old", body = Overview),
        (status = 400, description = "Unknown range", body = ErrorAnswer),
    )
)]
pub async fn overview(
    State(app): State<Shared>,
    Params(params): Params<OverviewParams>,
) -> Result<Json<Arc<Overview>>, ApiError> {
    let last = given(&params.last).unwrap_or(RANGE_DEFAULT);
    let Some(place) = RANGES.iter().position(|(name, ..)| *name == last) else {
        let message = format!("last must be 15m, 1h, 24h or 7d, not {last:?}");
        return Err(ApiError::bad_request(message));
    };
    let handle = app.handle.clone();
    let (_, length, width) = RANGES[place];
    let compute = move || Window::new(now(), length, width).overview(&handle);
    app.overviews[place].get(OVERVIEW_CACHE_TIME, compute).await.map(Json)
}

/// A range cut into buckets.
struct Window {
    from: Timestamp,
    to: Timestamp,
    width: Duration,
    starts: Vec<Timestamp>,
}

impl Window {
    /// The buckets up to the one that `now` is in; they start at multiples of their width.
    fn new(now: Timestamp, length: Duration, width: Duration) -> Self {
        let nanos = i64::try_from(width.as_nanos()).unwrap_or(i64::MAX).max(1);
        let newest = Timestamp(now.0.div_euclid(nanos) * nanos);
        let count = (length.as_nanos() / width.as_nanos().max(1)).max(1) as u32;
        let starts: Vec<_> = (0..count).rev().map(|back| newest.minus(width * back)).collect();
        let from = starts.first().copied().unwrap_or(newest);
        // What happens in this very moment belongs in.
        Self { from, to: Timestamp(now.0.saturating_add(1)), width, starts }
    }

    fn overview(&self, handle: &Handle) -> Result<Overview, ApiError> {
        let (from, to) = (Some(self.from), Some(self.to));
        let sums = handle.store.search(&SearchRequest {
            may_miss: true,
            aggs: BTreeMap::from([
                ("time".to_owned(), Agg::date_histogram("@timestamp", self.width)),
                ("sources".to_owned(), Agg::terms("source.ip", TOP_SOURCES_MAX)),
            ]),
            ..self.sums(Filter::All)
        })?;
        let events = self.counts(sums.aggs.get("time"), |bucket| bucket.doc_count);
        let counts = handle.catalog.alert_counts(from, to)?;
        let series = handle.catalog.alert_series(self.from, self.to, self.width)?;
        let newest = handle.catalog.alerts(&AlertQuery {
            from,
            to,
            limit: NEWEST_MAX,
            ..AlertQuery::default()
        })?;
        let to_millis = Timestamp::from_millis(self.to.millis());
        let range = Range { from: self.from, to: to_millis, bucket_seconds: self.width.as_secs() };
        let rule_sum = |rule: tocsin_catalog::RuleCount| RuleSum {
            rule_id: rule.rule_id,
            title: rule.title,
            count: rule.count,
        };
        Ok(Overview {
            range,
            events: EventSums {
                total: sums.total,
                series: self.points(&events, |t, count| EventPoint { t, count }),
            },
            alerts: AlertSums {
                total: counts.total,
                by_severity: BySeverity::from(&counts.by_severity),
                by_rule: counts.by_rule.into_iter().map(rule_sum).collect(),
                series: series
                    .iter()
                    .map(|bucket| AlertPoint {
                        t: bucket.time,
                        by_severity: BySeverity::from(&bucket.by_severity),
                    })
                    .collect(),
            },
            logins: self.logins(handle)?,
            top_sources: self.sources(handle, sums.aggs.get("sources"))?,
            newest_alerts: newest
                .alerts
                .into_iter()
                .map(|mut alert| {
                    alert.events.clear();
                    alert.to_json()
                })
                .collect(),
        })
    }

    fn logins(&self, handle: &Handle) -> Result<Logins, ApiError> {
        let attempts = |outcome: &str| -> Result<BTreeMap<i64, u64>, ApiError> {
            let logins = Filter::term("event.category", "authentication")
                .and(Filter::Not(Box::new(Filter::term("event.type", "end"))))
                .and(Filter::term("event.outcome", outcome));
            let histogram = Agg::date_histogram("@timestamp", self.width)
                .with("attempts", Agg::stats("tocsin.attempts"));
            let answer = handle.store.search(&SearchRequest {
                may_miss: true,
                aggs: BTreeMap::from([("time".to_owned(), histogram)]),
                ..self.sums(logins)
            })?;
            Ok(self.counts(answer.aggs.get("time"), attempts_of))
        };
        let (failed, succeeded) = (attempts("failure")?, attempts("success")?);
        let point = |t: Timestamp, failed: u64| LoginPoint {
            t,
            failed,
            succeeded: succeeded.get(&t.millis()).copied().unwrap_or(0),
        };
        Ok(Logins { series: self.points(&failed, point) })
    }

    fn sources(&self, handle: &Handle, terms: Option<&AggResult>) -> Result<Vec<Source>, ApiError> {
        let (from, to) = (Some(self.from), Some(self.to));
        let alerts = handle.catalog.alert_values("source.ip", from, to, ALERT_SOURCES_MAX)?;
        let alerts: BTreeMap<String, u64> =
            alerts.into_iter().map(|row| (row.value, row.count)).collect();
        let source = |bucket: &Bucket| {
            let value = match &bucket.key {
                JsonValue::String(text) => text.clone(),
                other => other.to_string(),
            };
            let alerts = alerts.get(&value).copied().unwrap_or(0);
            Source { value, events: bucket.doc_count, alerts }
        };
        Ok(terms.map_or_else(Vec::new, |terms| terms.buckets().iter().map(source).collect()))
    }

    /// A request for sums only.
    fn sums(&self, filter: Filter) -> SearchRequest {
        SearchRequest {
            may_miss: true,
            filter,
            from: Some(self.from),
            to: Some(self.to),
            limit: 0,
            timeout: Some(SEARCH_TIME_MAX),
            ..SearchRequest::default()
        }
    }

    /// Numbers by start of their bucket, milliseconds.
    fn counts(
        &self,
        result: Option<&AggResult>,
        count: impl Fn(&Bucket) -> u64,
    ) -> BTreeMap<i64, u64> {
        let buckets = result.map_or(&[][..], AggResult::buckets);
        buckets.iter().filter_map(|bucket| Some((millis(&bucket.key)?, count(bucket)))).collect()
    }

    fn points<P>(
        &self,
        counts: &BTreeMap<i64, u64>,
        point: impl Fn(Timestamp, u64) -> P,
    ) -> Vec<P> {
        let count = |start: &Timestamp| counts.get(&start.millis()).copied().unwrap_or(0);
        self.starts.iter().map(|start| point(*start, count(start))).collect()
    }
}

fn millis(key: &JsonValue) -> Option<i64> {
    key.as_i64().or_else(|| key.as_f64().map(|number| number as i64))
}

/// Attempts that the events of a bucket stand for: what they say, else one each.
fn attempts_of(bucket: &Bucket) -> u64 {
    match bucket.aggs.get("attempts").and_then(AggResult::stats) {
        Some(stats) => bucket.doc_count.saturating_sub(stats.count) + stats.sum.max(0.0) as u64,
        None => bucket.doc_count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_end_now_and_start_at_a_multiple_of_the_width() {
        for (name, length, width) in RANGES {
            let now = Timestamp::parse_rfc3339("2026-11-21T03:17:25.5Z").unwrap();
            let window = Window::new(now, length, width);
            assert_eq!(window.from, window.starts[0], "{name}");
            assert_eq!(window.from.0 % width.as_nanos() as i64, 0, "{name}");
            assert!(window.to > now && window.starts.last().unwrap() <= &now, "{name}");
            assert_eq!(window.starts.len() as u64, length.as_secs() / width.as_secs(), "{name}");
        }
    }
}
