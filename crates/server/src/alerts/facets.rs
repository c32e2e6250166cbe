//! `GET /alerts/facets`: what a list of alerts is made of, to narrow it down and to group it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tocsin_catalog::{AlertGroup, GroupBy, SeriesBucket, ValueCount};
use utoipa::ToSchema;

use super::{ListParams, read};
use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::query::{Params, given};

/// What a list of alerts is made of.
#[derive(Debug, Serialize, ToSchema)]
pub struct FacetAnswer {
    /// Alerts that match.
    total: u64,
    /// By facet (`severity`, `status`, `disposition`, `owner`, `rule`, `tactic`, `source`, `user`,
    /// `host`) its most frequent values with `count`, as if the query did not ask for that facet;
    /// `-` is none.
    #[schema(value_type = Object)]
    facets: BTreeMap<&'static str, Vec<ValueCount>>,
    /// Titles of rules by id.
    titles: BTreeMap<String, String>,
    /// By time: `time`, `by_severity`; empty buckets are there.
    #[schema(value_type = Vec<Object>)]
    series: Vec<SeriesBucket>,
    /// Width of a bucket, seconds.
    bucket_seconds: u64,
    /// The worst first, then the one with the newest alert: query (what to ask the list for),
    /// title, alerts, open, closed, false_positive, severity, sources, rules, first, last, spark.
    #[schema(value_type = Vec<Object>)]
    groups: Vec<AlertGroup>,
    /// How many groups there are; at most 1000 are told.
    groups_total: u64,
}

/// Counts by severity, status, owner, rule and entity, alerts over time, and groups.
#[utoipa::path(
    get,
    path = "/alerts/facets",
    tag = "alerts",
    operation_id = "alert_facets",
    params(ListParams),
    responses(
        (status = 200, description = "The counts", body = FacetAnswer),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
    )
)]
pub async fn facets(
    State(app): State<Shared>,
    Params(list): Params<ListParams>,
) -> Result<Json<FacetAnswer>, ApiError> {
    let query = read(&list)?;
    let group = given(&list.group).map(group_by).transpose()?;
    blocking(move || {
        let found = app.handle.catalog.facets(&query, group)?;
        Ok(Json(FacetAnswer {
            total: found.total,
            facets: found.facets,
            titles: found.titles,
            series: found.series,
            bucket_seconds: found.bucket_seconds,
            groups: found.groups,
            groups_total: found.groups_total,
        }))
    })
    .await
}

fn group_by(word: &str) -> Result<GroupBy, ApiError> {
    Ok(match word {
        "rule" => GroupBy::Rule,
        "source" => GroupBy::Source,
        "user" => GroupBy::User,
        "host" => GroupBy::Host,
        "incident" => GroupBy::Incident,
        "rule_source" => GroupBy::RuleAndSource,
        _ => {
            return Err(ApiError::bad_request(format!(
                "group must be rule, source, user, host, incident or rule_source, not {word:?}"
            )));
        }
    })
}
