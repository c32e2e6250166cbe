//! `/rules`: the rules in force, each with how often it fired and whether it has anything to read.

pub mod draft;
pub mod foresight;
pub mod own;

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tocsin_engine::backtest::text_of;
use tocsin_engine::cost::{CostTable, RuleCost};
use tocsin_model::{RuleMeta, Severity, Timestamp};
use utoipa::ToSchema;

use crate::accounts::doer;
use crate::accounts::door::Told;
use crate::app::{App, Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::known::Alive;
use crate::query::now;
use crate::rules::own::{TestOutcome, is_own, run_tests};
use crate::triage::SOMEBODY;

/// Alerts are counted over so many days.
const FIRED_DAYS: i64 = 30;

/// The rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleList {
    rules: Vec<Rule>,
    total: usize,
    /// What is wrong in packs and rule files, with file and line.
    problems: Vec<String>,
    /// Events over which costs were measured, since the rules were last read; 0 when too few were.
    measured_events: u64,
    /// Nanoseconds that detection takes of an event, all rules together.
    nanos_per_event: f64,
}

/// A rule in force.
#[derive(Debug, Serialize, ToSchema)]
pub struct Rule {
    id: String,
    /// What correlations and people call it.
    name: Option<String>,
    title: String,
    #[schema(value_type = String)]
    severity: Severity,
    /// The pack it is in; empty for loose files.
    pack: String,
    /// ATT&CK techniques.
    techniques: Vec<String>,
    /// ATT&CK tactics.
    tactics: Vec<String>,
    description: String,
    false_positives: Vec<String>,
    references: Vec<String>,
    /// Whether it correlates several events.
    correlation: bool,
    /// Whether its findings become alerts; informational rules and those that are switched off
    /// (on the page or in `alerts.disabled_rules`) do not.
    enabled: bool,
    /// Whether it was saved on the page and can be changed there.
    own: bool,
    /// Alerts of the last 30 days.
    fired: u64,
    /// The last alert of these.
    #[schema(value_type = Option<String>)]
    last_fired: Option<Timestamp>,
    /// Of them closed as a false positive.
    false_positive: u64,
    /// Of them closed in any way.
    closed: u64,
    /// The log source it reads, as Sigma writes it.
    log_source: String,
    /// Whether events of that log source came in the last 7 days.
    source_seen: bool,
    /// What it costs: `nanos_per_event`, `looked_at` (share of events for which its condition is
    /// looked at), `share` (of all the time of detection); null after few events.
    #[schema(value_type = Option<Object>)]
    cost: Option<RuleCost>,
}

/// Whether a rule is to alert.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchBody {
    /// Null is as `alerts.disabled_rules` has it.
    enabled: Option<bool>,
}

/// How a rule is now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Switched {
    id: String,
    enabled: bool,
}

/// Figures about the alerts of a rule.
#[derive(Debug, Default, Clone)]
struct Record {
    fired: u64,
    last: Option<Timestamp>,
    false_positive: u64,
    closed: u64,
}

/// A rule with its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleDetail {
    #[serde(flatten)]
    rule: Rule,
    /// Its text, then that of the rules it refers to.
    texts: Vec<RuleText>,
    /// Its tests and how they end now.
    tests: Vec<TestOutcome>,
}

/// Text of a rule.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleText {
    /// The file it is in.
    path: String,
    /// YAML.
    text: String,
}

/// The rules in force.
#[utoipa::path(
    get,
    path = "/rules",
    tag = "state",
    operation_id = "list_rules",
    responses((status = 200, description = "All rules", body = RuleList))
)]
pub async fn list(State(app): State<Shared>) -> Result<Json<RuleList>, ApiError> {
    blocking(move || {
        let records = records(&app)?;
        let alive = app.known.alive(&app.handle)?;
        let in_force = app.handle.in_force.load();
        let costs = CostTable::of(&in_force.compiled.costs());
        let rules: Vec<Rule> =
            in_force.rules.iter().map(|rule| shown(&app, rule, &records, &alive, &costs)).collect();
        let problems = in_force.diagnostics.iter().map(ToString::to_string).collect();
        let (measured_events, nanos_per_event) = (costs.events, costs.nanos_per_event);
        let total = rules.len();
        Ok(Json(RuleList { total, rules, problems, measured_events, nanos_per_event }))
    })
    .await
}

/// One rule with its text and tests.
#[utoipa::path(
    get,
    path = "/rules/{id}",
    tag = "state",
    operation_id = "get_rule",
    params(("id" = String, Path, description = "Its id or name")),
    responses(
        (status = 200, description = "The rule", body = RuleDetail),
        (status = 404, description = "No such rule", body = ErrorAnswer),
    )
)]
pub async fn one(
    State(app): State<Shared>,
    Path(id): Path<String>,
) -> Result<Json<RuleDetail>, ApiError> {
    blocking(move || {
        let content = app.known.content(&app.handle);
        let Some(meta) = content.rules.get(&id) else {
            return Err(ApiError::not_found(format!("no rule in force has the id {id:?}")));
        };
        let files = text_of(&content, &meta);
        let tests = run_tests(&content, &files, &meta.title);
        let costs = CostTable::of(&app.handle.in_force.load().compiled.costs());
        let rule = shown(&app, &meta, &records(&app)?, &*app.known.alive(&app.handle)?, &costs);
        let texts = files
            .iter()
            .map(|file| RuleText { path: file.path.clone(), text: file.text().into_owned() });
        Ok(Json(RuleDetail { rule, texts: texts.collect(), tests }))
    })
    .await
}

/// Switches a rule on or off, from now on; correlations built on it still work.
#[utoipa::path(
    patch,
    path = "/rules/{id}",
    tag = "state",
    operation_id = "switch_rule",
    params(("id" = String, Path, description = "Its id or name")),
    request_body = SwitchBody,
    responses(
        (status = 200, description = "How it is now", body = Switched),
        (status = 404, description = "No such rule", body = ErrorAnswer),
    )
)]
pub async fn switch(
    State(app): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<(Extension<Told>, Json<Switched>), ApiError> {
    let body: SwitchBody = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body: {error}")))?;
    let who = doer(None).unwrap_or_else(|| SOMEBODY.to_owned());
    blocking(move || {
        let in_force = app.handle.in_force.load();
        let named = |rule: &&Arc<RuleMeta>| rule.id == id || rule.name.as_ref() == Some(&id);
        let Some(rule) = in_force.rules.iter().find(named) else {
            return Err(ApiError::not_found(format!("no rule in force has the id {id:?}")));
        };
        app.handle.exceptions.switch(&rule.id, body.enabled, &who)?;
        let enabled = !is_off(&app, rule);
        tracing::info!(rule = rule.id, enabled, who, "a rule was switched");
        let told = Told(if enabled { "on" } else { "off" }.to_owned());
        Ok((Extension(told), Json(Switched { id: rule.id.clone(), enabled })))
    })
    .await
}

/// Whether a rule never alerts.
fn is_off(app: &App, rule: &RuleMeta) -> bool {
    app.handle.exceptions.current().is_off(rule)
}

fn shown(
    app: &App,
    rule: &RuleMeta,
    records: &HashMap<String, Record>,
    alive: &Alive,
    costs: &CostTable,
) -> Rule {
    let record = records.get(&rule.id).cloned().unwrap_or_default();
    let source = alive.get(&rule.id);
    Rule {
        id: rule.id.clone(),
        name: rule.name.clone(),
        title: rule.title.clone(),
        severity: rule.severity,
        pack: rule.pack.clone(),
        techniques: rule.techniques.clone(),
        tactics: rule.tactics.clone(),
        description: rule.description.clone(),
        false_positives: rule.false_positives.clone(),
        references: rule.references.clone(),
        correlation: rule.correlation,
        enabled: !is_off(app, rule),
        own: is_own(app, &rule.path),
        fired: record.fired,
        last_fired: record.last,
        false_positive: record.false_positive,
        closed: record.closed,
        log_source: source.map_or_else(String::new, |source| source.log_source.clone()),
        source_seen: source.is_some_and(|source| source.seen),
        cost: costs.rules.get(&rule.id).copied(),
    }
}

/// What became of each rule's alerts of the last days.
fn records(app: &App) -> Result<HashMap<String, Record>, ApiError> {
    let from = Some(Timestamp(now().0 - FIRED_DAYS * 86_400 * 1_000_000_000));
    let found = app.handle.catalog.rule_records(from)?;
    let records = found.into_iter().map(|row| {
        let record = Record {
            fired: row.fired,
            last: Some(row.last),
            false_positive: row.false_positive,
            closed: row.closed,
        };
        (row.rule_id, record)
    });
    Ok(records.collect())
}
