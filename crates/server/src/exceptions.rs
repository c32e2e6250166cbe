//! `/exceptions`: what people do not want to be alerted of, with what each has hidden, and a dry
//! run of one before it is saved.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tocsin_catalog::Exception;
use tocsin_engine::exceptions::{ExceptionError, Preview, Wish};
use tocsin_model::Timestamp;
use utoipa::{IntoParams, ToSchema};

use crate::accounts::doer;
use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::query::{Params, given, now};
use crate::triage::{SOMEBODY, json};

/// An exception to make or try.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptionBody {
    /// Id, name or title of the rule that it is about. With neither `rule` nor `pack` it is about
    /// every rule.
    rule: Option<String>,
    /// The pack that it is about.
    pack: Option<String>,
    /// Which alerts, in the query language; sees what an alert shows.
    #[schema(example = "source.ip: 192.0.2.0/24 and user.name: backup")]
    condition: Option<String>,
    /// In place of a condition: an entry of the allow-list.
    allow: Option<AllowEntry>,
    /// Why; needed to save it.
    #[serde(default)]
    reason: String,
    /// Who answers for it; needed to save it.
    #[serde(default)]
    owner: String,
    /// A time (RFC 3339), a span (`30d`) or `never`; 90 days when left away.
    expires: Option<String>,
    /// Save it although it hides more than 90 % of a rule's alerts.
    #[serde(default)]
    confirm: bool,
    /// Who does it.
    by: Option<String>,
}

/// Whom or what never to alert about.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AllowEntry {
    /// `address`, `network`, `user` or `host`.
    what: String,
    /// For example `192.0.2.7`, `10.0.0.0/8`, `backup`, `web-1`.
    value: String,
}

/// An exception.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExceptionView {
    id: u64,
    /// Id of the rule that it is about; null: any.
    rule: Option<String>,
    rule_title: Option<String>,
    /// The pack that it is about; null: any.
    pack: Option<String>,
    /// Which alerts, in the query language.
    condition: String,
    /// Of an entry of the allow-list.
    allow: Option<AllowEntry>,
    reason: String,
    owner: String,
    #[schema(value_type = String, format = DateTime)]
    created: Timestamp,
    created_by: String,
    /// Null: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<Timestamp>,
    /// `active`, `expired` or `removed`.
    state: &'static str,
    #[schema(value_type = Option<String>, format = DateTime)]
    removed: Option<Timestamp>,
    removed_by: Option<String>,
    /// Alerts that it has hidden; `GET /alerts?exception=` shows them.
    hidden: u64,
    /// When the last of them was raised.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_hidden: Option<Timestamp>,
}

/// The exceptions.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExceptionList {
    /// The oldest first.
    exceptions: Vec<ExceptionView>,
}

/// Which exceptions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// `true`: removed ones too.
    all: Option<String>,
}

/// Who removes one.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RemoveParams {
    /// Who does it.
    by: Option<String>,
}

impl From<Exception> for ExceptionView {
    fn from(exception: Exception) -> Self {
        let Exception { id, what, created, created_by, removed, hidden, last_hidden } = exception;
        let expired = what.expires.is_some_and(|expires| expires <= now());
        let (removed, removed_by) = removed.unzip();
        Self {
            id,
            rule: what.rule_id,
            rule_title: what.rule_title,
            pack: what.pack,
            condition: what.condition,
            allow: what.allow.map(|(what, value)| AllowEntry { what, value }),
            reason: what.reason,
            owner: what.owner,
            created,
            created_by,
            expires: what.expires,
            state: match (removed, expired) {
                (Some(_), _) => "removed",
                (None, true) => "expired",
                (None, false) => "active",
            },
            removed,
            removed_by,
            hidden,
            last_hidden,
        }
    }
}

impl From<ExceptionError> for ApiError {
    fn from(error: ExceptionError) -> Self {
        match error {
            ExceptionError::Condition(error) => error.into(),
            ExceptionError::Bad(message) => Self::bad_request(message),
            ExceptionError::Catalog(error) => error.into(),
            ExceptionError::Confirm(preview) => {
                let because = preview.because.clone().unwrap_or_default();
                let message = format!("{because}; send confirm: true when that is meant");
                Self::new(StatusCode::CONFLICT, message).with_details(&*preview)
            }
        }
    }
}

impl ExceptionBody {
    fn into_wish(self) -> (Wish, bool, String) {
        let who = doer(self.by.filter(|who| !who.is_empty()));
        let who = who.unwrap_or_else(|| SOMEBODY.to_owned());
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        let wish = Wish {
            rule: text(self.rule),
            pack: text(self.pack),
            condition: text(self.condition),
            allow: self.allow.map(|entry| (entry.what, entry.value)),
            reason: self.reason,
            owner: self.owner,
            expires: self.expires,
        };
        (wish, self.confirm, who)
    }
}

/// The exceptions in force or expired, with what each has hidden.
#[utoipa::path(
    get,
    path = "/exceptions",
    tag = "alerts",
    operation_id = "list_exceptions",
    params(ListParams),
    responses((status = 200, description = "The exceptions", body = ExceptionList))
)]
pub async fn list(
    State(app): State<Shared>,
    Params(params): Params<ListParams>,
) -> Result<Json<ExceptionList>, ApiError> {
    let all = match given(&params.all) {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            return Err(ApiError::bad_request(format!("all must be true or false, not {other:?}")));
        }
    };
    blocking(move || {
        // What is shown is in force, whoever saved it.
        app.handle.exceptions.refresh()?;
        let exceptions = app.handle.exceptions.list(all)?;
        let exceptions = exceptions.into_iter().map(ExceptionView::from).collect();
        Ok(Json(ExceptionList { exceptions }))
    })
    .await
}

/// What an exception would have hidden of the last 30 days' alerts. Saves nothing.
#[utoipa::path(
    post,
    path = "/exceptions/preview",
    tag = "alerts",
    operation_id = "preview_exception",
    request_body = ExceptionBody,
    responses(
        (status = 200, description = "condition, days, alerts, hidden, true_positives, rules \
            (rule_id, title, alerts, hidden, true_positives), samples (ids of alerts), \
            needs_confirmation, because", body = Object),
        (status = 400, description = "The exception makes no sense", body = ErrorAnswer),
        (status = 415, description = "The body is not JSON", body = ErrorAnswer),
    )
)]
pub async fn preview(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Preview>, ApiError> {
    let (wish, ..) = json::<ExceptionBody>(&headers, &body)?.into_wish();
    blocking(move || {
        let book = &app.handle.exceptions;
        let wanted = book.read(&wish, &app.handle.in_force.load().rules)?;
        Ok(Json(book.preview(&wanted)?))
    })
    .await
}

/// Makes an exception. One that would have hidden more than 90 % of a rule's alerts is answered
/// with 409 and the figures (`error.details`) unless `confirm` is true.
#[utoipa::path(
    post,
    path = "/exceptions",
    tag = "alerts",
    operation_id = "add_exception",
    request_body = ExceptionBody,
    responses(
        (status = 201, description = "The exception, in force", body = ExceptionView),
        (status = 400, description = "The exception makes no sense", body = ErrorAnswer),
        (status = 409, description = "To be confirmed; details are those of the preview", body = ErrorAnswer),
        (status = 415, description = "The body is not JSON", body = ErrorAnswer),
    )
)]
pub async fn add(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<ExceptionView>), ApiError> {
    let (wish, confirmed, who) = json::<ExceptionBody>(&headers, &body)?.into_wish();
    blocking(move || {
        let book = &app.handle.exceptions;
        let wanted = book.read(&wish, &app.handle.in_force.load().rules)?;
        let saved = book.add(&wanted, confirmed, &who)?;
        Ok((StatusCode::CREATED, Json(saved.into())))
    })
    .await
}

/// Takes an exception back. What it hid stays hidden and can still be seen.
#[utoipa::path(
    delete,
    path = "/exceptions/{id}",
    tag = "alerts",
    operation_id = "remove_exception",
    params(("id" = u64, Path, description = "Its number"), RemoveParams),
    responses(
        (status = 200, description = "The exception, removed", body = ExceptionView),
        (status = 404, description = "No such exception in force", body = ErrorAnswer),
    )
)]
pub async fn remove(
    State(app): State<Shared>,
    Path(id): Path<String>,
    Params(params): Params<RemoveParams>,
) -> Result<Json<ExceptionView>, ApiError> {
    let who = doer(given(&params.by).map(str::to_owned));
    let who = who.unwrap_or_else(|| SOMEBODY.to_owned());
    blocking(move || {
        let number = id.parse().ok();
        let removed = number.map(|id| app.handle.exceptions.remove(id, &who)).transpose()?;
        match removed.flatten() {
            Some(removed) => Ok(Json(removed.into())),
            None => {
                Err(ApiError::not_found(format!("no exception in force has the number {id:?}")))
            }
        }
    })
    .await
}
