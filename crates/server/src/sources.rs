//! `GET /sources/unparsed`: what came and was not understood, by input and shape.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::Shared;

/// What came and was not understood.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unparsed {
    /// Lines that look alike, the most frequent first.
    shapes: Vec<UnparsedShape>,
    /// Lines since the start that are no longer listed, because there were too many shapes.
    forgotten: u64,
}

/// Lines that look alike and were not understood since the start.
#[derive(Debug, Serialize, ToSchema)]
struct UnparsedShape {
    /// The input they came by.
    input: String,
    /// The source that took them without knowing the message, or `unparsed`.
    source: String,
    /// The line with `0` for numbers and `*` for what is quoted.
    shape: String,
    count: u64,
    /// Arrival of the first.
    first: String,
    /// Arrival of the last.
    last: String,
    /// Some of them, as they came; try a source on these.
    samples: Vec<String>,
}

/// What came and was not understood, by input and shape.
#[utoipa::path(
    get,
    path = "/sources/unparsed",
    tag = "state",
    operation_id = "list_unparsed",
    responses((status = 200, description = "Lines by shape", body = Unparsed))
)]
pub async fn unparsed(State(app): State<Shared>) -> Json<Unparsed> {
    let (shapes, forgotten) = app.handle.progress.shapes();
    let shapes = shapes.into_iter().map(|known| UnparsedShape {
        input: known.input,
        source: known.source,
        shape: known.shape,
        count: known.count,
        first: known.first.to_string(),
        last: known.last.to_string(),
        samples: known.samples,
    });
    Json(Unparsed { shapes: shapes.collect(), forgotten })
}
