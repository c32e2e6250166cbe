//! What every request passes: who sent it, whether they may, and a note of what they did.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tocsin_catalog::Session;
use tocsin_model::Timestamp;

use super::need::{is_noted, need};
use super::{NAME, Role, Who, scope_role, secrets};
use crate::app::{App, Shared, blocking};
use crate::error::ApiError;
use crate::origin::Peer;
use crate::page::wants_html;
use crate::query::now;

/// A session ends after this time, used or not.
pub const SESSION_MAX: Duration = Duration::from_secs(12 * 3600);
/// A session ends when it is not used for so long.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(3600);
/// It is noted no more often than this that a session or token was used.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// What a page of ours sends with everything that changes something, and no form can.
const PAGE_HEADER: HeaderName = HeaderName::from_static("x-tocsin-page");

/// Said of what was done, beside method and path.
#[derive(Debug, Clone)]
pub struct Told(pub String);

/// Where sessions, accounts and tokens end: streams that are open are cut, whoever still may opens
/// his anew.
const ENDING: [&str; 4] =
    ["/api/v1/session", "/api/v1/users", "/api/v1/tokens", "/api/v1/password"];

/// Where a session begins.
const SESSION: &str = "/api/v1/session";

/// Lets those in who may.
pub async fn check(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let html = wants_html(request.headers());
    let needed = need(request.method(), request.uri().path(), html);
    if !app.accounts.active() {
        return next.run(request).await;
    }
    let who = match who(&app, request.headers()).await {
        Ok(who) => who,
        Err(error) => return error.into_response(),
    };
    let changes = !request.method().is_safe();
    let checked = allowed(&app, who.as_ref(), needed).and_then(|()| match &who {
        Some(who) if who.session.is_some() && changes => from_our_page(request.headers()),
        _ => Ok(()),
    });
    let path = request.uri().path();
    let begins = request.method() == Method::POST && (path == SESSION || path == super::oidc::BACK);
    let ends = changes && !begins && ENDING.iter().any(|start| path.starts_with(start));
    let noted = changes && is_noted(path, needed);
    let what = format!("{} {path}", request.method());
    let address = address(&request);
    let name = who.as_ref().map(|who| who.name.clone());
    if let Some(who) = who {
        request.extensions_mut().insert(who);
    }
    let response = match checked {
        Ok(()) => NAME.scope(name.clone(), next.run(request)).await,
        Err(error) => error.into_response(),
    };
    if ends && response.status().is_success() {
        app.accounts.cut_streams();
    }
    if noted {
        let told = response.extensions().get::<Told>().map(|Told(text)| format!(": {text}"));
        let what = format!("{what}{}", told.unwrap_or_default());
        note(&app, name.as_deref().unwrap_or("nobody"), &address, what, response.status()).await;
    }
    response
}

/// Lets events in: from this machine as ever, from others with a token.
pub async fn check_sender(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let local = request
        .extensions()
        .get::<Peer>()
        .is_none_or(|Peer(peer)| peer.ip().to_canonical().is_loopback());
    if local || !app.accounts.active() || !app.senders.is_empty() {
        return next.run(request).await;
    }
    let token = bearer(request.headers()).map(str::to_owned);
    match token_scope(&app, token).await {
        Ok(Some((_, scope))) if scope == "ingest" || scope == "admin" => next.run(request).await,
        Ok(_) => ApiError::new(
            StatusCode::UNAUTHORIZED,
            "a token is needed to send events: one of collect.senders, or one with the scope ingest",
        )
        .into_response(),
        Err(error) => error.into_response(),
    }
}

/// Writes down what was done; a full disk must not keep anybody from working.
pub async fn note(app: &Shared, who: &str, address: &str, what: String, status: StatusCode) {
    let (app, who, address) = (Arc::clone(app), who.to_owned(), address.to_owned());
    let noted = blocking(move || {
        Ok(app.handle.catalog.add_audit(&who, &address, &what, status.as_u16())?)
    });
    if let Err(error) = noted.await {
        tracing::error!("the audit log cannot be written: {}", error.message());
    }
}

/// Where a request came from.
pub fn address(request: &Request) -> String {
    let peer = request.extensions().get::<Peer>();
    peer.map_or_else(String::new, |Peer(peer)| peer.ip().to_canonical().to_string())
}

fn allowed(app: &App, who: Option<&Who>, needed: Option<Role>) -> Result<(), ApiError> {
    let Some(needed) = needed else { return Ok(()) };
    match who {
        Some(who) if who.role >= needed => Ok(()),
        Some(who) => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            format!("this needs the role {needed}; {} has {}", who.name, who.role),
        )),
        None if app.accounts.any() => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "sign in on the page, or send a token as Authorization: Bearer",
        )),
        None => Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "there is no account yet; make the first one on the page",
        )),
    }
}

/// A page of another site can neither set this header nor send JSON without being asked about.
fn from_our_page(headers: &HeaderMap) -> Result<(), ApiError> {
    let refuse = |message: &str| Err(ApiError::new(StatusCode::FORBIDDEN, message));
    if !headers.contains_key(PAGE_HEADER) {
        return refuse("the header x-tocsin-page is missing; programs use a token");
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
    let empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    if !empty && kind.split(';').next().unwrap_or("").trim() != "application/json" {
        return refuse("the body must be JSON, with content-type: application/json");
    }
    Ok(())
}

async fn who(app: &Shared, headers: &HeaderMap) -> Result<Option<Who>, ApiError> {
    if let Some(token) = bearer(headers) {
        let found = token_scope(app, Some(token.to_owned())).await?;
        let role = found.as_ref().and_then(|(_, scope)| scope_role(scope));
        return Ok(found.zip(role).map(|((name, _), role)| Who {
            name: format!("token {name}"),
            role,
            session: None,
        }));
    }
    let Some(id) = cookie(headers, app.accounts.cookie()) else { return Ok(None) };
    let (app, hash) = (Arc::clone(app), secrets::hash(id));
    blocking(move || {
        let Some(session) = app.handle.catalog.session(&hash)? else { return Ok(None) };
        let now = now();
        if is_over(&session, now) {
            app.handle.catalog.end_sessions(&hash, "")?;
            return Ok(None);
        }
        if age(session.seen, now) > TOUCH_EVERY {
            app.handle.catalog.touch_session(&hash)?;
        }
        let role = session.role.parse().map_err(ApiError::busy)?;
        Ok(Some(Who { name: session.user, role, session: Some(hash) }))
    })
    .await
}

fn age(since: Timestamp, now: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(now.0 - since.0).unwrap_or(0))
}

/// Whether a session has ended by its age.
pub fn is_over(session: &Session, now: Timestamp) -> bool {
    age(session.created, now) > SESSION_MAX || age(session.seen, now) > SESSION_IDLE_MAX
}

/// Name and scope of a token.
async fn token_scope(
    app: &Shared,
    token: Option<String>,
) -> Result<Option<(String, String)>, ApiError> {
    let Some(token) = token else { return Ok(None) };
    let app = Arc::clone(app);
    blocking(move || {
        let Some(found) = app.handle.catalog.token(&secrets::hash(&token))? else {
            return Ok(None);
        };
        if found.used.is_none_or(|used| age(used, now()) > TOUCH_EVERY) {
            app.handle.catalog.touch_token(&found.name)?;
        }
        Ok(Some((found.name, found.scope)))
    })
    .await
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// The value of a cookie; of several of that name none.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    let first = found.next();
    if found.next().is_some() { None } else { first }
}
