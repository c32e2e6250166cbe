//! `/searches`: searches that people keep. Everybody keeps their own; sharing one with everybody
//! takes an analyst. Never runs a search.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use tocsin_catalog::{SavedSearch, SearchWhat};
use tocsin_model::Timestamp;
use tocsin_search::{Context, parse_in};
use utoipa::ToSchema;

use crate::accounts::{Role, Who, doer};
use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::QUERY_BYTES_MAX;
use crate::query::{now, span};

/// The most columns of one.
const COLUMNS_MAX: usize = 50;

/// A search to keep.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SearchBody {
    /// What to call it; one of yours with this name is replaced.
    name: String,
    /// Whether everybody sees it; takes an analyst.
    shared: bool,
    /// The query (KQL); empty is every event.
    q: String,
    /// Of the last …: `24h`.
    last: String,
    /// At or after this time, RFC 3339.
    from: String,
    /// Before this time, RFC 3339.
    to: String,
    /// `asc` or `desc`.
    order: String,
    /// Fields shown as columns.
    columns: Vec<String>,
}

/// A search that somebody keeps.
#[derive(Debug, Serialize, ToSchema)]
pub struct Kept {
    /// Its number.
    id: u64,
    name: String,
    /// Whose it is; empty where nobody signs in.
    owner: String,
    shared: bool,
    /// Whether you may remove it.
    yours: bool,
    q: String,
    last: String,
    from: String,
    to: String,
    order: String,
    columns: Vec<String>,
    /// When it was saved.
    #[schema(value_type = String)]
    changed: Timestamp,
}

/// Searches that you see.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchList {
    searches: Vec<Kept>,
}

/// Somebody who signed in, and what they may.
type Asker = Option<Extension<Who>>;

fn role(who: &Asker) -> Role {
    // Where nobody signs in, everybody may do everything.
    who.as_ref().map_or(Role::Admin, |Extension(who)| who.role)
}

fn shown(search: SavedSearch, who: &str, role: Role) -> Kept {
    let SearchWhat { q, last, from, to, order, columns } = search.what;
    let yours = search.owner == who || search.owner.is_empty() || role == Role::Admin;
    let SavedSearch { id, owner, name, shared, changed, .. } = search;
    Kept { id, name, owner, shared, yours, q, last, from, to, order, columns, changed }
}

/// Searches that you or, shared, others keep.
#[utoipa::path(
    get,
    path = "/searches",
    tag = "events",
    operation_id = "list_searches",
    responses((status = 200, description = "By name", body = SearchList))
)]
pub async fn list(State(app): State<Shared>, who: Asker) -> Result<Json<SearchList>, ApiError> {
    let (name, role) = (doer(None), role(&who));
    blocking(move || {
        let found = app.handle.catalog.searches(name.as_deref())?;
        let name = name.unwrap_or_default();
        let searches = found.into_iter().map(|one| shown(one, &name, role)).collect();
        Ok(Json(SearchList { searches }))
    })
    .await
}

/// Keeps a search.
#[utoipa::path(
    post,
    path = "/searches",
    tag = "events",
    operation_id = "save_search",
    request_body = SearchBody,
    responses(
        (status = 201, description = "It is kept", body = Kept),
        (status = 400, description = "Something is wrong; for `q` with the place", body = ErrorAnswer),
        (status = 403, description = "Sharing takes an analyst", body = ErrorAnswer),
    )
)]
pub async fn save(
    State(app): State<Shared>,
    who: Asker,
    body: Bytes,
) -> Result<(StatusCode, Json<Kept>), ApiError> {
    let body: SearchBody = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body: {error}")))?;
    let (name, role) = (doer(None).unwrap_or_default(), role(&who));
    if body.shared && role < Role::Analyst {
        let message =
            "sharing a search with everybody takes the role analyst; keep it for yourself";
        return Err(ApiError::new(StatusCode::FORBIDDEN, message));
    }
    let (title, shared) = (body.name.clone(), body.shared);
    let what = checked(body)?;
    blocking(move || {
        let kept = app.handle.catalog.save_search(&name, &title, shared, &what)?;
        Ok((StatusCode::CREATED, Json(shown(kept, &name, role))))
    })
    .await
}

fn checked(body: SearchBody) -> Result<SearchWhat, ApiError> {
    if body.q.len() > QUERY_BYTES_MAX {
        return Err(ApiError::bad_request(format!("q is longer than {QUERY_BYTES_MAX} bytes")));
    }
    parse_in(&body.q, Context { now: now(), fields: None })?;
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    span(&given(&body.last), &given(&body.from), &given(&body.to), now())?;
    if !["", "asc", "desc"].contains(&body.order.as_str()) {
        return Err(ApiError::bad_request(format!(
            "order must be asc or desc, not {:?}",
            body.order
        )));
    }
    if body.columns.len() > COLUMNS_MAX {
        return Err(ApiError::bad_request(format!("columns: at most {COLUMNS_MAX}")));
    }
    let SearchBody { q, last, from, to, order, columns, .. } = body;
    Ok(SearchWhat { q, last, from, to, order, columns })
}

/// Removes a search: yours, or as an administrator anybody's.
#[utoipa::path(
    delete,
    path = "/searches/{id}",
    tag = "events",
    operation_id = "remove_search",
    params(("id" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "It is removed; what it was", body = Kept),
        (status = 404, description = "You have no such search", body = ErrorAnswer),
    )
)]
pub async fn remove(
    State(app): State<Shared>,
    who: Asker,
    Path(id): Path<String>,
) -> Result<Json<Kept>, ApiError> {
    let (name, role) = (doer(None).unwrap_or_default(), role(&who));
    blocking(move || {
        let owner = (role < Role::Admin).then_some(name.as_str());
        let number = id.parse().ok();
        let gone = number.map(|number| app.handle.catalog.remove_search(number, owner));
        match gone.transpose()?.flatten() {
            Some(gone) => Ok(Json(shown(gone, &name, role))),
            None => Err(ApiError::not_found(format!("you keep no search with the number {id:?}"))),
        }
    })
    .await
}
