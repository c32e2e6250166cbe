//! `GET /alerts/{id}/why`: the conditions of an alert's rule with the values that its events had.
//!
//! In: the alert, its events as they are stored, the rules as they are in force. Out: for each rule
//! that contributed one event of it and the tree of conditions; what had to come together, and what
//! did. Never guesses: what is no longer stored or in force is said to be so.

use std::collections::HashSet;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use serde_json::Value as JsonValue;
use tocsin_content::yaml;
use tocsin_engine::Content;
use tocsin_engine::backtest::text_of;
use tocsin_engine::content::{Explanation, Takes};
use tocsin_model::{Alert, AlertId, Contribution, Event, FieldId, Timestamp};
use utoipa::ToSchema;

use crate::app::{App, Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};

/// Rules of which one event is explained.
const PARTS_MAX: usize = 8;
/// An event is looked for among those that arrived so long before it happened, seconds: clocks.
const EARLIER_S: u64 = 86_400;

/// Why an alert was raised.
#[derive(Debug, Serialize, ToSchema)]
pub struct Why {
    /// The rule's id.
    rule_id: String,
    /// Whether that rule is in force now; the conditions are those it has now.
    in_force: bool,
    /// What a correlation takes: kind, tests, within, by, rules.
    #[schema(value_type = Option<Object>)]
    takes: Option<Takes>,
    /// What came together: what is counted, as far as it is known.
    counted: Option<f64>,
    /// The field whose values are counted or added up.
    field: Option<String>,
    /// For each rule that contributed, one of its events.
    parts: Vec<Part>,
}

/// One event, and why a rule matched it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Part {
    /// The rule that it matched.
    rule_id: String,
    /// Events of the alert that matched it.
    events: u64,
    /// The event.
    event_id: String,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Whether the event is still stored.
    stored: bool,
    /// The tree: rule_id, title, matched, log_source, condition; each part has what, matched,
    /// wanted, found, parts. Null when event or rule are gone.
    #[schema(value_type = Option<Object>)]
    explanation: Option<Explanation>,
}

/// Why an alert was raised: the conditions with the values that met them.
#[utoipa::path(
    get,
    path = "/alerts/{id}/why",
    tag = "alerts",
    operation_id = "alert_why",
    params(("id" = String, Path, description = "32 hexadecimal digits")),
    responses(
        (status = 200, description = "The conditions", body = Why),
        (status = 404, description = "No such alert", body = ErrorAnswer),
    )
)]
pub async fn why(State(app): State<Shared>, Path(id): Path<String>) -> Result<Json<Why>, ApiError> {
    blocking(move || {
        let Some(alert) = app.handle.catalog.alert(&AlertId(id.clone()))? else {
            return Err(ApiError::not_found(format!("no alert has the id {id:?}")));
        };
        Ok(Json(explained(&app, &alert)?))
    })
    .await
}

fn explained(app: &App, alert: &Alert) -> Result<Why, ApiError> {
    let content = app.known.content(&app.handle);
    let wanted: HashSet<_> = alert.events.iter().map(|event| event.event_id).collect();
    let since = alert.first_seen.minus(std::time::Duration::from_secs(EARLIER_S));
    let events = app.handle.store.events(&wanted, since)?;
    let takes =
        content.explain(&alert.rule.id, &Event::default()).map(|explanation| explanation.takes);
    let (in_force, takes) = (takes.is_some(), takes.flatten());
    let field = takes.as_ref().and_then(|_| counted_field(&content, alert));
    let counted = takes.as_ref().and_then(|takes| counted(takes, field.as_deref(), alert, &events));
    let mut parts: Vec<Part> = Vec::new();
    for contribution in &alert.events {
        let full = parts.len() >= PARTS_MAX;
        match parts.iter_mut().find(|part| *part.rule_id == *contribution.rule_id) {
            Some(part) => part.events += 1,
            None if full => {}
            None => parts.push(part(&content, contribution, &events)),
        }
    }
    Ok(Why { rule_id: alert.rule.id.clone(), in_force, takes, counted, field, parts })
}

fn part(content: &Content, contribution: &Contribution, events: &[Event]) -> Part {
    let event = events.iter().find(|event| event.id == contribution.event_id);
    let explanation = event.and_then(|event| content.explain(&contribution.rule_id, event));
    Part {
        rule_id: contribution.rule_id.to_string(),
        events: 1,
        event_id: contribution.event_id.to_string(),
        time: contribution.time,
        stored: event.is_some(),
        explanation,
    }
}

/// The field whose values a correlation counts, as its text says it.
fn counted_field(content: &Content, alert: &Alert) -> Option<String> {
    let file = text_of(content, &alert.rule).into_iter().next()?;
    let documents = yaml::parse(&file.text()).ok()?;
    documents.iter().find_map(|document| {
        let condition = document.get("correlation")?.get("condition")?;
        condition.get("field")?.as_text().map(str::to_owned)
    })
}

/// The number that a correlation compares, where it follows from the alert.
fn counted(takes: &Takes, field: Option<&str>, alert: &Alert, events: &[Event]) -> Option<f64> {
    match takes.kind.as_str() {
        "event_count" | "value_sum" => Some(alert.count as f64),
        "value_count" => {
            let field = FieldId::lookup(field?)?;
            let values: HashSet<JsonValue> =
                events.iter().filter_map(|event| Some(event.get(field)?.to_json())).collect();
            Some(values.len() as f64).filter(|count| *count > 0.0)
        }
        _ => None,
    }
}
