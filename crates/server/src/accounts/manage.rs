//! What administrators do: `/users`, `/tokens`, `/sessions`, `/audit`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use tocsin_model::Timestamp;
use utoipa::{IntoParams, ToSchema};

use super::door::{Told, is_over};
use super::secrets::{self, check_password};
use super::session::hashed;
use super::{Role, SCOPES, Who};
use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::query::{Params, given, limit, now};
use crate::triage::json;

/// Entries of the audit log at once.
const AUDIT_MAX: usize = 1000;
const AUDIT_DEFAULT: usize = 100;

/// Accounts.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserList {
    users: Vec<UserView>,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
struct UserView {
    name: String,
    /// `viewer`, `analyst` or `admin`.
    role: String,
    /// Whether they sign in with the provider of identities, which gives them the role.
    provided: bool,
    #[schema(value_type = String)]
    created: Timestamp,
    /// When role or password were last changed.
    #[schema(value_type = String)]
    changed: Timestamp,
    /// Open sessions.
    sessions: usize,
}

/// A new account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserBody {
    name: String,
    /// `viewer`, `analyst` or `admin`.
    role: String,
    password: String,
}

/// A change of an account; what is left away stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    role: Option<String>,
    password: Option<String>,
}

/// It is done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    done: bool,
}

/// Tokens.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenList {
    tokens: Vec<TokenView>,
}

/// A token; itself is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
struct TokenView {
    name: String,
    /// `read`, `write`, `admin` or `ingest`.
    scope: String,
    made_by: String,
    #[schema(value_type = String)]
    created: Timestamp,
    #[schema(value_type = Option<String>)]
    used: Option<Timestamp>,
}

/// A new token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    name: String,
    /// `read`, `write`, `admin` or `ingest`.
    scope: String,
}

/// A token as it was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenMade {
    name: String,
    scope: String,
    /// The token itself; it is not shown again.
    token: String,
}

/// Sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionList {
    sessions: Vec<SessionView>,
}

/// An open session.
#[derive(Debug, Serialize, ToSchema)]
struct SessionView {
    user: String,
    role: String,
    address: String,
    #[schema(value_type = String)]
    created: Timestamp,
    #[schema(value_type = String)]
    seen: Timestamp,
    /// Whether it is this one.
    own: bool,
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// Text in name, address or what was done.
    q: Option<String>,
    /// `next` of the page before.
    before: Option<String>,
    /// Entries on one page, at most 1000; default 100.
    limit: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditList {
    /// The newest first.
    entries: Vec<AuditView>,
    /// `before` of the next page; null on the last.
    next: Option<u64>,
}

/// Something that was done or tried.
#[derive(Debug, Serialize, ToSchema)]
struct AuditView {
    seq: u64,
    #[schema(value_type = String)]
    time: Timestamp,
    who: String,
    address: String,
    what: String,
    /// How it was answered, an HTTP status.
    status: u16,
}

/// Everybody who may sign in.
#[utoipa::path(
    get, path = "/users", tag = "accounts", operation_id = "list_users",
    responses((status = 200, description = "All accounts", body = UserList))
)]
pub async fn users(State(app): State<Shared>) -> Result<Json<UserList>, ApiError> {
    blocking(move || {
        let now = now();
        let sessions = app.handle.catalog.sessions()?;
        let open = |name: &str| {
            sessions.iter().filter(|one| one.user == name && !is_over(one, now)).count()
        };
        let users = app.handle.catalog.users()?.into_iter().map(|user| UserView {
            sessions: open(&user.name),
            name: user.name,
            role: user.role,
            provided: user.provided,
            created: user.created,
            changed: user.changed,
        });
        Ok(Json(UserList { users: users.collect() }))
    })
    .await
}

/// Makes an account.
#[utoipa::path(
    post, path = "/users", tag = "accounts", operation_id = "add_user", request_body = UserBody,
    responses(
        (status = 201, description = "It is made", body = Done),
        (status = 400, description = "Name, role or password cannot be one", body = ErrorAnswer),
    )
)]
pub async fn add_user(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Extension<Told>, Json<Done>), ApiError> {
    if !app.accounts.any() {
        return Err(ApiError::bad_request(
            "make the first account with the token for it (POST /setup)",
        ));
    }
    let body: UserBody = json(&headers, &body)?;
    let role: Role = body.role.parse().map_err(ApiError::bad_request)?;
    check_password(&body.password)?;
    let password = hashed(&app, body.password).await?;
    let told = Told(format!("{} as {role}", body.name));
    blocking(move || {
        Ok(app.handle.catalog.add_user(&body.name, role.as_str(), &password, false)?)
    })
    .await?;
    Ok((StatusCode::CREATED, Extension(told), Json(Done { done: true })))
}

/// Changes role or password; that person's sessions end.
#[utoipa::path(
    patch, path = "/users/{name}", tag = "accounts", operation_id = "change_user",
    params(("name" = String, Path, description = "Name of the account")),
    request_body = UserChange,
    responses(
        (status = 200, description = "It is changed", body = Done),
        (status = 400, description = "Role or password cannot be one", body = ErrorAnswer),
        (status = 404, description = "No such account", body = ErrorAnswer),
    )
)]
pub async fn change_user(
    State(app): State<Shared>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(Extension<Told>, Json<Done>), ApiError> {
    let body: UserChange = json(&headers, &body)?;
    let role = body.role.map(|role| role.parse::<Role>()).transpose();
    let role = role.map_err(ApiError::bad_request)?;
    let told = [
        role.map(|role| format!("role {role}")),
        body.password.as_ref().map(|_| "password".to_owned()),
    ];
    let told = Told(told.into_iter().flatten().collect::<Vec<_>>().join(", "));
    let password = match body.password {
        Some(password) => {
            check_password(&password)?;
            Some(hashed(&app, password).await?)
        }
        None => None,
    };
    let changed = blocking(move || {
        let role = role.map(Role::as_str);
        Ok(app.handle.catalog.change_user(&name, role, password.as_deref())?)
    })
    .await?;
    Ok((Extension(told), found(changed)?))
}

/// Removes an account and ends its sessions.
#[utoipa::path(
    delete, path = "/users/{name}", tag = "accounts", operation_id = "remove_user",
    params(("name" = String, Path, description = "Name of the account")),
    responses(
        (status = 200, description = "It is gone", body = Done),
        (status = 400, description = "It is the last administrator", body = ErrorAnswer),
        (status = 404, description = "No such account", body = ErrorAnswer),
    )
)]
pub async fn remove_user(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Done>, ApiError> {
    found(blocking(move || Ok(app.handle.catalog.remove_user(&name)?)).await?)
}

/// Ends all sessions of somebody.
#[utoipa::path(
    delete, path = "/sessions/{user}", tag = "accounts", operation_id = "end_sessions",
    params(("user" = String, Path, description = "Name of the account")),
    responses(
        (status = 200, description = "They are over", body = Done),
        (status = 404, description = "There were none", body = ErrorAnswer),
    )
)]
pub async fn end_sessions(
    State(app): State<Shared>,
    Path(user): Path<String>,
) -> Result<Json<Done>, ApiError> {
    found(blocking(move || Ok(app.handle.catalog.end_sessions("", &user)? > 0)).await?)
}

/// Open sessions, the last used first.
#[utoipa::path(
    get, path = "/sessions", tag = "accounts", operation_id = "list_sessions",
    responses((status = 200, description = "All of them", body = SessionList))
)]
pub async fn sessions(
    State(app): State<Shared>,
    who: Option<Extension<Who>>,
) -> Result<Json<SessionList>, ApiError> {
    let own = who.and_then(|Extension(who)| who.session);
    blocking(move || {
        let now = now();
        let all = app.handle.catalog.sessions()?.into_iter().filter(|one| !is_over(one, now));
        let shown = all.map(|one| SessionView {
            own: own.as_ref() == Some(&one.hash),
            user: one.user,
            role: one.role,
            address: one.address,
            created: one.created,
            seen: one.seen,
        });
        Ok(Json(SessionList { sessions: shown.collect() }))
    })
    .await
}

/// Tokens of programs.
#[utoipa::path(
    get, path = "/tokens", tag = "accounts", operation_id = "list_tokens",
    responses((status = 200, description = "All of them", body = TokenList))
)]
pub async fn tokens(State(app): State<Shared>) -> Result<Json<TokenList>, ApiError> {
    blocking(move || {
        let tokens = app.handle.catalog.tokens()?.into_iter().map(|token| TokenView {
            name: token.name,
            scope: token.scope,
            made_by: token.made_by,
            created: token.created,
            used: token.used,
        });
        Ok(Json(TokenList { tokens: tokens.collect() }))
    })
    .await
}

/// Makes a token for a program.
#[utoipa::path(
    post, path = "/tokens", tag = "accounts", operation_id = "add_token", request_body = TokenBody,
    responses(
        (status = 201, description = "The token; it is not shown again", body = TokenMade),
        (status = 400, description = "Name or scope cannot be one, or there are no accounts", body = ErrorAnswer),
    )
)]
pub async fn add_token(
    State(app): State<Shared>,
    who: Option<Extension<Who>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Extension<Told>, Json<TokenMade>), ApiError> {
    let body: TokenBody = json(&headers, &body)?;
    if !SCOPES.contains(&body.scope.as_str()) {
        let message = format!("unknown scope {:?}, use one of {}", body.scope, SCOPES.join(", "));
        return Err(ApiError::bad_request(message));
    }
    let Some(Extension(who)) = who else {
        return Err(ApiError::bad_request("there are no accounts, so no token is needed"));
    };
    let token = secrets::random()?;
    let made =
        TokenMade { name: body.name.clone(), scope: body.scope.clone(), token: token.clone() };
    let told = Told(format!("{} with {}", body.name, body.scope));
    blocking(move || {
        let hash = secrets::hash(&token);
        Ok(app.handle.catalog.add_token(&body.name, &hash, &body.scope, &who.name)?)
    })
    .await?;
    Ok((StatusCode::CREATED, Extension(told), Json(made)))
}

/// Takes a token back.
#[utoipa::path(
    delete, path = "/tokens/{name}", tag = "accounts", operation_id = "remove_token",
    params(("name" = String, Path, description = "Name of the token")),
    responses(
        (status = 200, description = "It is gone", body = Done),
        (status = 404, description = "No such token", body = ErrorAnswer),
    )
)]
pub async fn remove_token(
    State(app): State<Shared>,
    Path(name): Path<String>,
) -> Result<Json<Done>, ApiError> {
    found(blocking(move || Ok(app.handle.catalog.remove_token(&name)?)).await?)
}

/// What was done, by whom and from where.
#[utoipa::path(
    get, path = "/audit", tag = "accounts", operation_id = "audit", params(AuditParams),
    responses(
        (status = 200, description = "A page, the newest first", body = AuditList),
        (status = 400, description = "A parameter is wrong", body = ErrorAnswer),
    )
)]
pub async fn audit(
    State(app): State<Shared>,
    Params(params): Params<AuditParams>,
) -> Result<Json<AuditList>, ApiError> {
    let limit = limit(&params.limit, AUDIT_DEFAULT, AUDIT_MAX)?.max(1);
    let before = given(&params.before).map(str::parse::<u64>).transpose();
    let before = before.map_err(|_| ApiError::bad_request("before must be a number"))?;
    let text = given(&params.q).unwrap_or("").to_owned();
    blocking(move || {
        let entries = app.handle.catalog.audit(&text, before, limit)?;
        let next = entries.last().filter(|_| entries.len() == limit).map(|entry| entry.seq);
        let entries = entries.into_iter().map(|entry| AuditView {
            seq: entry.seq,
            time: entry.time,
            who: entry.who,
            address: entry.address,
            what: entry.what,
            status: entry.status,
        });
        Ok(Json(AuditList { entries: entries.collect(), next }))
    })
    .await
}

fn found(done: bool) -> Result<Json<Done>, ApiError> {
    match done {
        true => Ok(Json(Done { done })),
        false => Err(ApiError::not_found("there is none of that name")),
    }
}
