//! Signing in with a provider of identities: OpenID Connect, by authorization code with PKCE.
//!
//! In: the page's wish to sign in; the browser that comes back from the provider. Out: the
//! provider's address to go to; a session like any other, or the page with a word about why not.
//! The account is made at the first sign-in and gets its role from the provider's groups each time.
//! Never takes an account with a password for somebody of the provider, and never lets the provider
//! be the only one that can sign in: the first account has a password.

mod pending;
mod provider;
mod token;

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{LOCATION, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tocsin_engine::config::{OidcConfig, OidcRole};
use utoipa::{IntoParams, ToSchema};

use super::door::{address, cookie, note};
use super::session::{Cookie, body, delayed, open, set_cookie};
use super::{Role, secrets};
use crate::app::{Shared, blocking};
use crate::error::{ApiError, ErrorAnswer};
use crate::query::{Params, now};
use pending::{PENDING_TIME_MAX, Pending, PendingBook};
use provider::{Provider, form};
use token::{Expected, claims};

/// Where the provider sends the browser back to.
pub const BACK: &str = "/api/v1/session/oidc";
/// Screen that is shown when somebody could not sign in.
const DOOR: &str = "/overview";
/// The longest address on the page that one comes back to, bytes.
const TO_BYTES_MAX: usize = 2048;
/// The longest name that is made of a claim, characters.
const NAME_CHARS_MAX: usize = 48;

/// Signing in with a provider: its part of [`super::Accounts`].
pub struct Oidc {
    provider: Provider,
    pending: PendingBook,
}

impl Oidc {
    /// Of the configuration; none when there is none, or when it cannot be used.
    pub fn new(config: &OidcConfig) -> Option<Self> {
        match Provider::new(config) {
            Ok(provider) => {
                provider.map(|provider| Self { provider, pending: PendingBook::default() })
            }
            Err(error) => {
                tracing::error!("nobody can sign in with {}: {error}", config.label);
                None
            }
        }
    }

    /// What the button says.
    pub fn label(&self) -> &str {
        &self.provider.config().label
    }
}

/// Where on the page one comes back to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcBody {
    /// A path of the page, for example `/alerts/…`; without one the overview.
    to: Option<String>,
}

/// Where the browser has to go.
#[derive(Debug, Serialize, ToSchema)]
pub struct OidcStart {
    /// The provider's page.
    url: String,
}

/// What the provider sends back.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OidcBack {
    /// The code that tokens are given for.
    code: Option<String>,
    /// As it was sent.
    state: Option<String>,
    /// Why there is no code.
    error: Option<String>,
    /// Who sends it (RFC 9207).
    iss: Option<String>,
}

/// Why somebody could not sign in: a word for the page, and words for the log.
struct Refusal {
    word: &'static str,
    who: String,
    why: String,
}

impl Refusal {
    fn new(word: &'static str, why: impl Into<String>) -> Self {
        Self { word, who: "nobody".to_owned(), why: why.into() }
    }

    fn of(mut self, who: &str) -> Self {
        self.who = format!("provider's {who}");
        self
    }
}

/// What is known of somebody who has signed in there.
struct Person {
    subject: String,
    name: String,
    role: Option<Role>,
}

/// Begins to sign in with the provider; the browser has to go to the address in the answer.
#[utoipa::path(
    post,
    path = "/session/oidc",
    tag = "accounts",
    operation_id = "oidc_start",
    request_body = OidcBody,
    responses(
        (status = 200, description = "Where to go", body = OidcStart),
        (status = 400, description = "There is no provider, or no account with a password yet", body = ErrorAnswer),
        (status = 429, description = "Too many tries", body = ErrorAnswer),
        (status = 503, description = "The provider does not answer", body = ErrorAnswer),
    )
)]
pub async fn start(State(app): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let origin = request.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let origin = origin.map(str::to_owned);
    let (from, body) = body::<OidcBody>(request).await?;
    let oidc = app.accounts.oidc.as_ref().filter(|_| app.accounts.any()).ok_or_else(|| {
        ApiError::bad_request("nobody signs in this way here, or not before the first account")
    })?;
    // The browser's own word for where it is: right behind a proxy, too. The guard has compared it.
    let origin =
        origin.ok_or_else(|| ApiError::bad_request("this is for the page in a browser"))?;
    if let Some(refused) = delayed(&app, &[format!("from {from}")]) {
        return Ok(refused);
    }
    let parts = oidc.provider.parts().await.map_err(|why| {
        tracing::warn!("the provider of server.oidc does not answer: {why}");
        ApiError::busy("the sign-in service does not answer; try again, or use a password")
    })?;
    let pending = Pending {
        nonce: secrets::random()?,
        verifier: secrets::random()?,
        browser: String::new(),
        redirect: format!("{origin}{BACK}"),
        to: body.to.filter(|to| is_of_page(to)).unwrap_or_else(|| DOOR.to_owned()),
        from,
    };
    let (state, browser) = (secrets::random()?, secrets::random()?);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(pending.verifier.as_bytes()));
    let query = form(&[
        ("response_type", "code"),
        ("client_id", &oidc.provider.config().client_id),
        ("redirect_uri", &pending.redirect),
        ("scope", &oidc.provider.config().scope()),
        ("state", &state),
        ("nonce", &pending.nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let place = &parts.authorization_endpoint;
    let url = format!("{place}{}{query}", if place.contains('?') { '&' } else { '?' });
    let pending = Pending { browser: secrets::hash(&browser), ..pending };
    oidc.pending.add(secrets::hash(&state), pending, Instant::now());
    let mut response = Json(OidcStart { url }).into_response();
    set_browser(&app, &mut response, &browser, PENDING_TIME_MAX.as_secs());
    Ok(response)
}

/// Where the provider sends the browser back to: signs in and goes on to the page.
#[utoipa::path(
    get,
    path = "/session/oidc",
    tag = "accounts",
    operation_id = "oidc_back",
    params(OidcBack),
    responses((status = 303, description = "To the page, signed in or with a word about why not"))
)]
pub async fn back(
    State(app): State<Shared>,
    Params(said): Params<OidcBack>,
    request: Request,
) -> Response {
    let from = address(&request);
    let done = finish(&app, request.headers(), said, &from).await;
    let mut response = match done {
        Ok(response) => response,
        Err(refusal) => {
            let Refusal { word, who, why } = refusal;
            tracing::warn!(from, who, "sign in with the provider failed: {why}");
            // Being sent away by a provider that is down is nobody's guess.
            if word == "refused" || word == "expired" {
                app.accounts.throttle.failed(&[format!("from {from}")], Instant::now());
            }
            let what = format!("sign in with the provider: {why}");
            note(&app, &who, &from, what, StatusCode::UNAUTHORIZED).await;
            to_page(&format!("{DOOR}?signin={word}"))
        }
    };
    set_browser(&app, &mut response, "", 0);
    response
}

async fn finish(
    app: &Shared,
    headers: &HeaderMap,
    said: OidcBack,
    from: &str,
) -> Result<Response, Refusal> {
    let oidc = app.accounts.oidc.as_ref().filter(|_| app.accounts.any());
    let oidc = oidc.ok_or_else(|| Refusal::new("refused", "no provider is configured"))?;
    let pending = pending_of(app, oidc, headers, &said)?;
    let issuer = oidc.provider.issuer();
    if said.iss.as_deref().is_some_and(|iss| iss != issuer) {
        return Err(Refusal::new("refused", "another provider has answered"));
    }
    if let Some(error) = said.error {
        let error: String = error.chars().filter(|c| !c.is_control()).take(64).collect();
        let word = if error == "access_denied" { "cancelled" } else { "provider" };
        return Err(Refusal::new(word, format!("the provider says {error}")));
    }
    let code = said.code.ok_or_else(|| Refusal::new("refused", "there is no code"))?;
    let person = person(&oidc.provider, &pending, &code).await?;
    let Some(role) = person.role else {
        let (shared, issuer) = (Arc::clone(app), issuer.to_owned());
        let subject = person.subject.clone();
        let ended =
            blocking(move || Ok(shared.handle.catalog.leave_provider(&issuer, &subject)?)).await;
        match ended {
            Ok(0) => {}
            Ok(_) => app.accounts.cut_streams(),
            Err(error) => tracing::error!("sessions cannot be ended: {}", error.message()),
        }
        let why = "none of their groups gives a role, and there is no default_role";
        return Err(Refusal::new("role", why).of(&person.name));
    };
    admit(app, issuer, &person, role, from, &pending.to).await
}

/// The sign-in that comes back here; it is good once.
fn pending_of(
    app: &Shared,
    oidc: &Oidc,
    headers: &HeaderMap,
    said: &OidcBack,
) -> Result<Pending, Refusal> {
    let state = secrets::hash(said.state.as_deref().unwrap_or(""));
    let pending = oidc.pending.take(&state, Instant::now());
    let Some(pending) = pending else {
        return Err(Refusal::new("expired", "this sign-in was not begun here, or too long ago"));
    };
    // Somebody else's answer, put before this browser, must not sign it in as that somebody.
    let browser = cookie(headers, browser_cookie(app)).map(secrets::hash);
    if browser.as_deref() != Some(pending.browser.as_str()) {
        return Err(Refusal::new("refused", "this sign-in was begun in another browser"));
    }
    Ok(pending)
}

/// Who it is, by the provider's word.
async fn person(provider: &Provider, pending: &Pending, code: &str) -> Result<Person, Refusal> {
    let away = |why: String| Refusal::new("provider", why);
    let config = provider.config();
    let parts = provider.parts().await.map_err(away)?;
    let tokens = provider.tokens(&parts, code, &pending.verifier, &pending.redirect).await;
    let tokens = tokens.map_err(away)?;
    let keys = provider.keys(&parts).await.map_err(away)?;
    let expected = Expected {
        issuer: provider.issuer(),
        client_id: &config.client_id,
        nonce: &pending.nonce,
        now: now().0 / 1_000_000_000,
    };
    let claims =
        claims(&tokens.id_token, &keys, &expected).map_err(|why| Refusal::new("refused", why))?;
    let subject = claims["sub"].as_str().unwrap_or("").to_owned();
    let mut said = vec![claims];
    let lacks = |said: &[Value], name: &str| said.iter().all(|said| inside(said, name).is_null());
    if lacks(&said, &config.name_claim) || lacks(&said, &config.groups_claim) {
        let more = provider.more(&parts, &tokens).await.map_err(away)?;
        match more {
            Some(more) if more["sub"].as_str() == Some(&subject) => said.push(more),
            Some(_) => return Err(Refusal::new("refused", "the userinfo is of somebody else")),
            None => {}
        }
    }
    let of = |name: &str| said.iter().map(|said| inside(said, name)).find(|value| !value.is_null());
    let names = [config.name_claim.as_str(), "preferred_username", "email", "sub"];
    let name = names.into_iter().filter_map(|name| of(name)?.as_str()).map(account_name);
    let name = name.into_iter().find(|name| !name.is_empty()).unwrap_or_default();
    let groups = of(&config.groups_claim).map(groups).unwrap_or_default();
    let role = config.role(&groups).map(|role| match role {
        OidcRole::Viewer => Role::Viewer,
        OidcRole::Analyst => Role::Analyst,
        OidcRole::Admin => Role::Admin,
    });
    Ok(Person { subject, name, role })
}

/// Opens the session; makes the account or changes its role where needed.
async fn admit(
    app: &Shared,
    issuer: &str,
    person: &Person,
    role: Role,
    from: &str,
    to: &str,
) -> Result<Response, Refusal> {
    let (shared, issuer) = (Arc::clone(app), issuer.to_owned());
    let (subject, wanted) = (person.subject.clone(), person.name.clone());
    let entered = blocking(move || {
        let catalog = &shared.handle.catalog;
        Ok(catalog.enter_by_provider(&issuer, &subject, &wanted, role.as_str())?)
    })
    .await
    .map_err(|error| Refusal::new("name", error.message()).of(&person.name))?;
    let how = match (entered.made, entered.role_changed) {
        (true, _) => format!("sign in with the provider: account made as {role}"),
        (_, true) => format!("sign in with the provider: role is {role} now"),
        _ => "sign in with the provider".to_owned(),
    };
    if entered.role_changed {
        app.accounts.cut_streams();
    }
    app.accounts.throttle.succeeded(&format!("from {from}"));
    note(app, &entered.name, from, how, StatusCode::OK).await;
    let mut response = to_page(to);
    let busy = |error: ApiError| Refusal::new("provider", error.message()).of(&person.name);
    open(app, &mut response, &entered.name, from).await.map_err(busy)?;
    Ok(response)
}

/// A path on this page, and nowhere else.
fn is_of_page(to: &str) -> bool {
    to.starts_with('/')
        && !to.starts_with("//")
        && !to.starts_with("/api/")
        && to.len() <= TO_BYTES_MAX
        && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn to_page(to: &str) -> Response {
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static(DOOR));
    (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()
}

/// A claim; `a.b` is `b` inside `a` unless there is a claim of that whole name.
fn inside<'a>(claims: &'a Value, name: &str) -> &'a Value {
    match claims.get(name) {
        Some(value) => value,
        None => name.split('.').fold(claims, |value, part| &value[part]),
    }
}

/// Names of groups: a list, or one text.
fn groups(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

/// A claim as the name of an account.
fn account_name(claim: &str) -> String {
    let fits = |c: char| if c.is_alphanumeric() || "._-@".contains(c) { c } else { '-' };
    let mut name: String = claim.trim().chars().take(NAME_CHARS_MAX).map(fits).collect();
    while name.len() > tocsin_catalog::NAME_BYTES_MAX {
        name.pop();
    }
    name
}

/// The cookie that says in which browser a sign-in was begun. The provider's site sends the
/// browser back, so it cannot be as strict as that of a session.
fn browser_cookie(app: &Shared) -> &'static str {
    if app.accounts.tls { "__Host-tocsin-sign-in" } else { "tocsin-sign-in" }
}

fn set_browser(app: &Shared, response: &mut Response, id: &str, seconds: u64) {
    let name = browser_cookie(app);
    set_cookie(app, response, Cookie { name, value: id, same_site: "Lax", seconds });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for good in ["/overview", "/alerts/1?q=a%20b", "/"] {
            assert!(is_of_page(good), "{good}");
        }
        for bad in
            ["", "x", "//evil.example", "/\\evil.example", "https://e", "/a\nb", "/api/v1/me"]
        {
            assert!(!is_of_page(bad), "{bad}");
        }
    }

    #[test]
    fn names_and_groups_are_found_where_providers_put_them() {
        let claims = json!({ "a": { "b": ["x", 1, "y"] }, "a.c": "z", "d": 5 });
        assert_eq!(groups(inside(&claims, "a.b")), ["x", "y"]);
        assert_eq!(groups(inside(&claims, "a.c")), ["z"]);
        assert!(groups(inside(&claims, "a.d")).is_empty());
        assert!(groups(inside(&claims, "d")).is_empty());
        assert_eq!(account_name(" Ann Lee <ann@example.org>"), "Ann-Lee--ann@example.org-");
        assert_eq!(account_name("äöü"), "äöü");
        assert!(account_name(&"ü".repeat(100)).len() <= 64);
        assert_eq!(account_name("  "), "");
    }
}
