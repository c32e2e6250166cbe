//! Signing in and out: `/me`, `/setup`, `/session`, `/password`.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tocsin_model::Timestamp;
use utoipa::ToSchema;

use super::door::{SESSION_IDLE_MAX, SESSION_MAX, address, note};
use super::secrets::{self, check_password};
use super::{Role, Who};
use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::query::now;
use crate::triage::json;

/// The longest body of these, bytes.
const BODY_BYTES_MAX: usize = 8 * 1024;

/// Who one is here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// Whether one has to sign in.
    accounts: bool,
    /// Whether the first account is still to be made.
    setup: bool,
    /// Name of who is signed in.
    name: Option<String>,
    /// `viewer`, `analyst` or `admin`; of everybody where there are no accounts.
    #[schema(value_type = Option<String>)]
    role: Option<&'static str>,
    /// What the provider of identities is called that one can sign in with.
    provider: Option<String>,
}

impl Me {
    fn new(app: &Shared, name: Option<String>, role: Option<Role>) -> Self {
        Self {
            accounts: app.accounts.active(),
            setup: !app.accounts.any(),
            name,
            role: role.map(Role::as_str),
            provider: app.accounts.oidc.as_ref().map(|oidc| oidc.label().to_owned()),
        }
    }
}

/// The first account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetupBody {
    /// The token that was printed at the start, and is in `<data_dir>/setup-token`.
    token: String,
    name: String,
    password: String,
}

/// Name and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInBody {
    name: String,
    password: String,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// The one until now.
    old: String,
    new: String,
}

/// Says who one is here.
#[utoipa::path(
    get,
    path = "/me",
    tag = "accounts",
    operation_id = "me",
    responses((status = 200, description = "Name and role", body = Me))
)]
pub async fn me(State(app): State<Shared>, who: Option<Extension<Who>>) -> Json<Me> {
    let accounts = app.accounts.active();
    let who = who.map(|Extension(who)| who);
    let role = match (&who, accounts) {
        (Some(who), _) => Some(who.role),
        (None, false) => Some(Role::Admin),
        (None, true) => None,
    };
    Json(Me::new(&app, who.map(|who| who.name), role))
}

/// Makes the first account, an administrator, and signs it in.
#[utoipa::path(
    post,
    path = "/setup",
    tag = "accounts",
    operation_id = "setup",
    request_body = SetupBody,
    responses(
        (status = 201, description = "It is made and signed in", body = Me),
        (status = 400, description = "Name or password cannot be one, or there are accounts", body = ErrorAnswer),
        (status = 403, description = "Not the token", body = ErrorAnswer),
        (status = 429, description = "Too many tries", body = ErrorAnswer),
    )
)]
pub async fn setup(State(app): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (from, body) = body::<SetupBody>(request).await?;
    let keys = [format!("from {from}")];
    if let Some(refused) = delayed(&app, &keys) {
        return Ok(refused);
    }
    if app.accounts.any() {
        return Err(ApiError::bad_request("the first account has been made already; sign in"));
    }
    if !app.accounts.setup_fits(&body.token)? {
        app.accounts.throttle.failed(&keys, Instant::now());
        note(&app, "nobody", &from, "setup with a wrong token".to_owned(), StatusCode::FORBIDDEN)
            .await;
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "this is not the token for the first account",
        ));
    }
    check_password(&body.password)?;
    let password = hashed(&app, body.password).await?;
    let (shared, name) = (Arc::clone(&app), body.name.clone());
    blocking(move || {
        Ok(shared.handle.catalog.add_user(&name, Role::Admin.as_str(), &password, true)?)
    })
    .await?;
    app.accounts.begun();
    note(&app, &body.name, &from, "setup: first account".to_owned(), StatusCode::CREATED).await;
    enter(&app, &body.name, Role::Admin, &from, StatusCode::CREATED).await
}

/// Signs in; the answer sets a cookie.
#[utoipa::path(
    post,
    path = "/session",
    tag = "accounts",
    operation_id = "sign_in",
    request_body = SignInBody,
    responses(
        (status = 200, description = "Signed in", body = Me),
        (status = 401, description = "Name or password is wrong", body = ErrorAnswer),
        (status = 429, description = "Too many tries; see retry-after", body = ErrorAnswer),
    )
)]
pub async fn sign_in(State(app): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (from, body) = body::<SignInBody>(request).await?;
    let keys = [format!("user {}", body.name), format!("from {from}")];
    if let Some(refused) = delayed(&app, &keys) {
        return Ok(refused);
    }
    let (shared, name) = (Arc::clone(&app), body.name.clone());
    let user = blocking(move || Ok(shared.handle.catalog.user(&name)?)).await?;
    // Who signs in with the provider has none, which must take as long as a wrong one.
    let hash = user.as_ref().filter(|user| !user.provided).map(|user| user.password.clone());
    let fits = fits(&app, body.password, hash).await?;
    let Some(user) = user.filter(|_| fits) else {
        app.accounts.throttle.failed(&keys, Instant::now());
        let said: String = body.name.chars().filter(|c| !c.is_control()).take(64).collect();
        note(&app, &said, &from, "sign in".to_owned(), StatusCode::UNAUTHORIZED).await;
        tracing::warn!(user = said, from, "sign in failed");
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "name or password is wrong"));
    };
    app.accounts.throttle.succeeded(&keys[0]);
    app.accounts.throttle.succeeded(&keys[1]);
    note(&app, &user.name, &from, "sign in".to_owned(), StatusCode::OK).await;
    let role = user.role.parse().map_err(ApiError::busy)?;
    enter(&app, &user.name, role, &from, StatusCode::OK).await
}

/// Signs out.
#[utoipa::path(
    delete,
    path = "/session",
    tag = "accounts",
    operation_id = "sign_out",
    responses((status = 200, description = "Signed out", body = Me))
)]
pub async fn sign_out(State(app): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let from = address(&request);
    if let Some(Who { name, session: Some(hash), .. }) = request.extensions().get::<Who>().cloned()
    {
        let shared = Arc::clone(&app);
        blocking(move || Ok(shared.handle.catalog.end_sessions(&hash, "")?)).await?;
        note(&app, &name, &from, "sign out".to_owned(), StatusCode::OK).await;
    }
    let me = Me::new(&app, None, None);
    let mut response = Json(me).into_response();
    set_cookie(&app, &mut response, Cookie::session(&app, "", 0));
    Ok(response)
}

/// Changes one's own password; other sessions end.
#[utoipa::path(
    post,
    path = "/password",
    tag = "accounts",
    operation_id = "change_password",
    request_body = PasswordBody,
    responses(
        (status = 200, description = "Changed, and signed in anew", body = Me),
        (status = 400, description = "The new one cannot be one", body = ErrorAnswer),
        (status = 403, description = "The old one is wrong", body = ErrorAnswer),
        (status = 429, description = "Too many tries", body = ErrorAnswer),
    )
)]
pub async fn change_password(
    State(app): State<Shared>,
    request: Request,
) -> Result<Response, ApiError> {
    let who = request.extensions().get::<Who>().cloned();
    let Some(Who { name, role, session: Some(_) }) = who else {
        return Err(ApiError::bad_request("sign in on the page to change your password"));
    };
    let (from, body) = body::<PasswordBody>(request).await?;
    let keys = [format!("user {name}"), format!("from {from}")];
    if let Some(refused) = delayed(&app, &keys) {
        return Ok(refused);
    }
    let (shared, of) = (Arc::clone(&app), name.clone());
    let user = blocking(move || Ok(shared.handle.catalog.user(&of)?)).await?;
    if !fits(&app, body.old, user.map(|user| user.password)).await? {
        app.accounts.throttle.failed(&keys, Instant::now());
        return Err(ApiError::new(StatusCode::FORBIDDEN, "the old password is wrong"));
    }
    check_password(&body.new)?;
    let password = hashed(&app, body.new).await?;
    let (shared, of) = (Arc::clone(&app), name.clone());
    blocking(move || Ok(shared.handle.catalog.change_user(&of, None, Some(&password))?)).await?;
    note(&app, &name, &from, "password changed".to_owned(), StatusCode::OK).await;
    enter(&app, &name, role, &from, StatusCode::OK).await
}

/// Opens a session and answers with its cookie.
async fn enter(
    app: &Shared,
    name: &str,
    role: Role,
    from: &str,
    status: StatusCode,
) -> Result<Response, ApiError> {
    let me = Me::new(app, Some(name.to_owned()), Some(role));
    let mut response = (status, Json(me)).into_response();
    open(app, &mut response, name, from).await?;
    Ok(response)
}

/// Opens a session and puts its cookie into an answer.
pub async fn open(
    app: &Shared,
    response: &mut Response,
    name: &str,
    from: &str,
) -> Result<(), ApiError> {
    let id = secrets::random()?;
    let hash = secrets::hash(&id);
    let (shared, user, from) = (Arc::clone(app), name.to_owned(), from.to_owned());
    blocking(move || {
        let now = now();
        let before = |time: std::time::Duration| {
            Timestamp(now.0 - i64::try_from(time.as_nanos()).unwrap_or(0))
        };
        let (oldest, unused) = (before(SESSION_MAX), before(SESSION_IDLE_MAX));
        Ok(shared.handle.catalog.add_session(&hash, &user, &from, oldest, unused)?)
    })
    .await?;
    set_cookie(app, response, Cookie::session(app, &id, SESSION_MAX.as_secs()));
    Ok(())
}

/// What a browser is asked to keep.
pub struct Cookie<'a> {
    pub name: &'a str,
    pub value: &'a str,
    /// `Strict`, or `Lax` where another site sends the browser back.
    pub same_site: &'a str,
    /// How long, seconds; 0 to forget it.
    pub seconds: u64,
}

impl<'a> Cookie<'a> {
    fn session(app: &Shared, id: &'a str, seconds: u64) -> Self {
        Self { name: app.accounts.cookie(), value: id, same_site: "Strict", seconds }
    }
}

/// Puts a cookie into an answer, for this site and no script.
pub fn set_cookie(app: &Shared, response: &mut Response, cookie: Cookie<'_>) {
    let Cookie { name, value, same_site, seconds } = cookie;
    let secure = if app.accounts.tls { "; Secure" } else { "" };
    let cookie = format!(
        "{name}={value}; Path=/; HttpOnly; SameSite={same_site}; Max-Age={seconds}{secure}"
    );
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// The refusal of those who have to wait.
pub fn delayed(app: &Shared, keys: &[String]) -> Option<Response> {
    let wait = app.accounts.throttle.wait(keys, Instant::now());
    if wait.is_zero() {
        return None;
    }
    let seconds = wait.as_secs() + 1;
    let message = format!("too many tries; wait {seconds} s");
    let error = serde_json::json!({ "error": { "message": message, "request_id": "" } });
    let mut response = (StatusCode::TOO_MANY_REQUESTS, Json(error)).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    Some(response)
}

/// Address of the sender, and the body. JSON only: a form of another site cannot be one.
pub async fn body<T: for<'de> Deserialize<'de>>(request: Request) -> Result<(String, T), ApiError> {
    let from = address(&request);
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| ApiError::bad_request(format!("the body has over {BODY_BYTES_MAX} bytes")))?;
    Ok((from, json(&parts.headers, &bytes)?))
}

/// A password's hash; few at a time, for each takes memory.
pub async fn hashed(app: &Shared, password: String) -> Result<String, ApiError> {
    let _one = app.accounts.passwords.acquire().await;
    blocking(move || secrets::password_hash(&password)).await
}

async fn fits(app: &Shared, password: String, hash: Option<String>) -> Result<bool, ApiError> {
    let _one = app.accounts.passwords.acquire().await;
    blocking(move || Ok(secrets::password_fits(&password, hash.as_deref()))).await
}
