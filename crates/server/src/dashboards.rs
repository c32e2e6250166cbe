//! `GET /dashboards`: the panels that packs bring for the overview.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tocsin_engine::dashboards::Dashboard;
use utoipa::ToSchema;

use crate::app::{Shared, blocking};
use crate::error::ApiError;

/// Panels of packs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dashboards {
    /// By pack: pack, title, panels with title, kind (`top`, `time`, `figure`), query (KQL), field
    /// and sum.
    #[schema(value_type = Vec<Object>)]
    dashboards: Vec<Dashboard>,
}

/// The panels that packs bring.
#[utoipa::path(
    get,
    path = "/dashboards",
    tag = "state",
    operation_id = "list_dashboards",
    responses((status = 200, description = "Panels by pack", body = Dashboards))
)]
pub async fn list(State(app): State<Shared>) -> Result<Json<Dashboards>, ApiError> {
    blocking(move || {
        let content = app.known.content(&app.handle);
        Ok(Json(Dashboards { dashboards: content.dashboards.clone() }))
    })
    .await
}
