//! `/rules`: the rules in force, each with how often it fired and whether it has anything to read.

pub mod draft;
pub mod own;

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use tocsin_engine::backtest::text_of;
use tocsin_model::{RuleMeta, Severity, Timestamp};
use utoipa::ToSchema;

use crate::app::{App, Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::known::Alive;
use crate::query::now;
use crate::rules::own::{TestOutcome, is_own, run_tests};

/// Alerts are counted over so many days.
const FIRED_DAYS: i64 = 30;

/// The rules.
#[derive(Debug, Serialize, ToSchema)]
pub struct RuleList {
    rules: Vec<Rule>,
    total: usize,
    /// What is wrong in packs and rule files, with file and line.
    problems: Vec<String>,
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
    /// (`alerts.disabled_rules`) do not.
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
        let rules: Vec<Rule> =
            in_force.rules.iter().map(|rule| shown(&app, rule, &records, &alive)).collect();
        let problems = in_force.diagnostics.iter().map(ToString::to_string).collect();
        Ok(Json(RuleList { total: rules.len(), rules, problems }))
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
        let rule = shown(&app, &meta, &records(&app)?, &*app.known.alive(&app.handle)?);
        let texts = files
            .iter()
            .map(|file| RuleText { path: file.path.clone(), text: file.text().into_owned() });
        Ok(Json(RuleDetail { rule, texts: texts.collect(), tests }))
    })
    .await
}

fn shown(app: &App, rule: &RuleMeta, records: &HashMap<String, Record>, alive: &Alive) -> Rule {
    let record = records.get(&rule.id).cloned().unwrap_or_default();
    let source = alive.get(&rule.id);
    let disabled = &app.handle.config.alerts.disabled_rules;
    let named = |word: &String| *word == rule.id || Some(word) == rule.name.as_ref();
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
        enabled: !disabled.iter().any(named),
        own: is_own(app, &rule.path),
        fired: record.fired,
        last_fired: record.last,
        false_positive: record.false_positive,
        closed: record.closed,
        log_source: source.map_or_else(String::new, |source| source.log_source.clone()),
        source_seen: source.is_some_and(|source| source.seen),
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
