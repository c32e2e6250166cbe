//! What the names of indices stand for: stored events, and alerts.
//!
//! Alerts are kept in the catalog; a search over them reads them from there and answers as the
//! event store does.

use serde_json::{Map, Value as Json};
use tocsin_catalog::AlertQuery;
use tocsin_engine::Handle;
use tocsin_model::{Event, EventId, FieldId, Timestamp, Value};
use tocsin_store::{
    Evaluator, SearchRequest, SearchResponse, StoreError, in_steps, wildcard_matches,
};

use crate::error::ApiError;

/// Name of the index of events.
pub const EVENTS: &str = "logs-tocsin";
/// Name of the index of alerts.
pub const ALERTS: &str = "alerts-tocsin";
/// The most alerts that a search looks at, the newest.
const ALERTS_MAX: usize = 100_000;
/// Alerts read at once.
const PAGE_ALERTS: usize = 1000;

/// Where to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Stored events.
    Events,
    /// Alerts.
    Alerts,
}

impl Index {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => EVENTS,
            Self::Alerts => ALERTS,
        }
    }
}

/// What a pattern of names stands for; several names have commas between them. `None` where a
/// pattern matches nothing.
///
/// # Errors
/// When a name without `*` is not known: Elasticsearch refuses that, too.
pub fn indices(pattern: &str) -> Result<Option<Index>, String> {
    let (mut events, mut alerts, mut unknown) = (false, false, None);
    for name in pattern.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if name.starts_with('-') {
            continue;
        }
        let all = name == "_all";
        let is = |known: &[&str]| all || known.iter().any(|known| wildcard_matches(name, known));
        let is_events = is(&[EVENTS, "logs", "events"]);
        let is_alerts = is(&[ALERTS, "alerts"]);
        events |= is_events;
        alerts |= is_alerts;
        if !is_events && !is_alerts && !name.contains('*') {
            unknown = Some(name.to_owned());
        }
    }
    if let Some(name) = unknown {
        return Err(name);
    }
    Ok(match (events, alerts, pattern.is_empty()) {
        (true, _, _) | (.., true) => Some(Index::Events),
        (_, true, _) => Some(Index::Alerts),
        _ => None,
    })
}

/// Searches events or alerts.
///
/// # Errors
/// When the request makes no sense, or the store or catalog cannot be read.
pub fn search(
    handle: &Handle,
    index: Index,
    request: &SearchRequest,
) -> Result<SearchResponse, ApiError> {
    match index {
        Index::Events => Ok(handle.store.search(request)?),
        // What takes several questions is asked of the alerts again.
        Index::Alerts => in_steps(request, &mut |request| {
            let mut evaluator = Evaluator::new(request)?;
            let mut goes_on = true;
            let read = each_alert(handle, request, &mut |event| {
                goes_on = goes_on && evaluator.add(event)?;
                Ok(goes_on)
            });
            read.map_err(|error| StoreError::BadRequest(error.message().to_owned()))?;
            evaluator.finish()
        })
        .map_err(ApiError::from),
    }
}

fn each_alert(
    handle: &Handle,
    request: &SearchRequest,
    each: &mut dyn FnMut(&Event) -> Result<bool, ApiError>,
) -> Result<(), ApiError> {
    let mut query = AlertQuery {
        from: request.from,
        to: request.to,
        limit: PAGE_ALERTS,
        ..AlertQuery::default()
    };
    let mut seen = 0;
    loop {
        let page = handle.catalog.alerts(&query)?;
        for alert in &page.alerts {
            if !each(&event_of(&alert.to_json()))? {
                return Ok(());
            }
        }
        seen += page.alerts.len();
        if page.next.is_none() || seen >= ALERTS_MAX {
            return Ok(());
        }
        query.cursor = page.next;
    }
}

/// Nested ECS JSON as an event.
pub fn event_of(json: &Json) -> Event {
    let mut event = Event::default();
    let text = |path: &str| json.pointer(path).and_then(Json::as_str);
    event.set_original(text("/event/original").unwrap_or(""));
    event.id = text("/event/id").and_then(EventId::parse).unwrap_or_default();
    event.time = text("/@timestamp").and_then(Timestamp::parse_rfc3339).unwrap_or_default();
    event.received = event.time;
    if let Some(object) = json.as_object() {
        add(&mut event, "", object);
    }
    event
}

fn add(event: &mut Event, prefix: &str, object: &Map<String, Json>) {
    for (name, value) in object {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if matches!(name.as_str(), "@timestamp" | "event.id" | "event.original") {
            continue;
        }
        if let Json::Object(inner) = value {
            add(event, &name, inner);
            continue;
        }
        let Some(id) = FieldId::intern(&name) else { continue };
        match value {
            Json::Array(items) => event.push_list(id, items.iter().filter_map(scalar)),
            value => {
                if let Some(value) = scalar(value) {
                    event.push(id, value);
                }
            }
        }
    }
}

fn scalar(value: &Json) -> Option<Value<'_>> {
    Some(match value {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::String(text) => Value::Str(text),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::UInt(number),
            _ => Value::Float(number.as_f64()?),
        },
        Json::Array(_) | Json::Object(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_events_and_alerts() {
        let cases = [
            ("logs-*", Ok(Some(Index::Events))),
            ("", Ok(Some(Index::Events))),
            ("_all", Ok(Some(Index::Events))),
            ("logs-tocsin", Ok(Some(Index::Events))),
            ("events", Ok(Some(Index::Events))),
            ("alerts-*", Ok(Some(Index::Alerts))),
            ("alerts*,other-*", Ok(Some(Index::Alerts))),
            ("metrics-*", Ok(None)),
            ("metrics", Err("metrics".to_owned())),
        ];
        for (pattern, expected) in cases {
            assert_eq!(indices(pattern), expected, "{pattern}");
        }
    }
}
