//! `GET /rules`: the rules in force, and what is wrong with content.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tocsin_model::{RuleMeta, Severity};
use utoipa::ToSchema;

use crate::app::Shared;

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
struct Rule {
    id: String,
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
}

impl From<&RuleMeta> for Rule {
    fn from(rule: &RuleMeta) -> Self {
        Self {
            id: rule.id.clone(),
            title: rule.title.clone(),
            severity: rule.severity,
            pack: rule.pack.clone(),
            techniques: rule.techniques.clone(),
            tactics: rule.tactics.clone(),
            description: rule.description.clone(),
            false_positives: rule.false_positives.clone(),
            references: rule.references.clone(),
            correlation: rule.correlation,
        }
    }
}

/// The rules in force.
#[utoipa::path(
    get,
    path = "/rules",
    tag = "state",
    operation_id = "list_rules",
    responses((status = 200, description = "All rules", body = RuleList))
)]
pub async fn list(State(app): State<Shared>) -> Json<RuleList> {
    let in_force = app.handle.in_force.load();
    let rules: Vec<Rule> = in_force.rules.iter().map(|rule| Rule::from(&**rule)).collect();
    let problems = in_force.diagnostics.iter().map(ToString::to_string).collect();
    Json(RuleList { total: rules.len(), rules, problems })
}
