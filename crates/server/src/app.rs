//! [`App`]: what handlers share, and how the routes hang together.
//!
//! Resources live under `/api/v1` and are described by OpenAPI; some answer at the root too.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tocsin_collect::Senders;
use tocsin_engine::Handle;
use tokio::sync::{Mutex, Semaphore};
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa::openapi::OpenApi as Document;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::{Accounts, door, manage, oidc, session};
use crate::error::ApiError;
use crate::guard::Hosts;
use crate::known::Known;
use crate::limits::{
    EXPORTS_MAX, INGEST_MEMORY_KIB_MAX, INGEST_REQUESTS_MAX, INGEST_WAIT_MAX, REQUESTS_MAX,
    STREAMS_MAX,
};
use crate::memory::Memory;
use crate::query::Params;
use crate::stream::Hub;
use crate::{
    alerts, bans, context, dashboards, docs, elastic, error, events, exceptions, guard, history,
    incidents, ingest, limit, metrics, overview, page, rules, sources,
};
use crate::{intel, loki, notices, otlp, searches, splunk, status, stream, triage, watch};

/// Shared by all handlers.
pub struct App {
    /// The engine.
    pub handle: Handle,
    /// Live messages.
    pub hub: Arc<Hub>,
    /// Changes of many alerts that can be taken back.
    pub undos: triage::Undos,
    /// The overview of each range.
    pub overviews: [Cache<overview::Overview>; overview::RANGES.len()],
    /// The status.
    pub status: Cache<status::Status>,
    /// Accounts, sessions, tokens.
    pub accounts: Accounts,
    /// Content with its files, and what rules read.
    pub known: Known,
    /// What rules that are off would have raised.
    pub foresight: rules::foresight::Foresight,
    /// Memory for ingest bodies.
    pub ingest_memory: Memory,
    /// Who may send events.
    pub senders: Senders,
    /// The next acknowledgement of the HTTP event collector.
    pub acknowledged: AtomicU64,
    /// Streams that may still be opened.
    pub streams: Arc<Semaphore>,
    /// Exports that may still be begun.
    pub exports: Arc<Semaphore>,
    /// Cancelled when the server stops.
    pub stop: CancellationToken,
}

/// What handlers get.
pub type Shared = Arc<App>;

impl App {
    /// For one engine; `open` when other machines reach the page.
    pub fn new(handle: Handle, senders: Senders, open: bool, stop: CancellationToken) -> Self {
        // Shown from the start, not from the first event.
        handle.inputs.input(ingest::INPUT);
        Self {
            hub: Arc::new(Hub::new(handle.clone())),
            senders,
            undos: triage::Undos::default(),
            overviews: Default::default(),
            status: Cache::default(),
            accounts: Accounts::new(&handle, open),
            known: Known::default(),
            foresight: rules::foresight::Foresight::default(),
            handle,
            ingest_memory: Memory::new(INGEST_MEMORY_KIB_MAX, INGEST_WAIT_MAX),
            acknowledged: AtomicU64::new(0),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            exports: Arc::new(Semaphore::new(EXPORTS_MAX)),
            stop,
        }
    }
}

/// An answer that is given again for a short while.
pub struct Cache<T>(Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T: Send + Sync + 'static> Cache<T> {
    /// The answer, computed when there is none younger than `fresh`; those who ask meanwhile
    /// wait for it.
    pub async fn get(
        &self,
        fresh: Duration,
        compute: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<Arc<T>, ApiError> {
        let mut held = self.0.lock().await;
        if let Some((_, answer)) = held.as_ref().filter(|(at, _)| at.elapsed() < fresh) {
            return Ok(answer.clone());
        }
        let answer = Arc::new(blocking(compute).await?);
        *held = Some((Instant::now(), answer.clone()));
        Ok(answer)
    }
}

/// Does work that blocks on disk or computes for long.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        // The task is never aborted: go on panicking, the request's catcher answers.
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(ApiError::busy("tocsin is stopping")),
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tocsin",
        description = "Alerts, events and state of one Tocsin. Alerts and events are nested ECS \
            JSON. `GET /alerts`, `GET /alerts/{id}`, `GET /status`, `GET /health` and \
            `POST /ingest` answer at the root too; a browser that asks for HTML there gets the \
            page. Every failure is `{\"error\":{\"message\",\"request_id\"}}`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "alerts", description = "What was detected"),
        (name = "events", description = "What was collected"),
        (name = "response", description = "What was done about it"),
        (name = "state", description = "How Tocsin is doing"),
        (name = "accounts", description = "Who may do what"),
    )
)]
struct ApiDoc;

/// The description of the API.
pub fn document() -> Document {
    described().1
}

/// Everything the server answers.
pub fn router(app: Shared, hosts: Hosts) -> Router {
    let slots = Arc::new(Semaphore::new(REQUESTS_MAX));
    let ingest_slots = Arc::new(Semaphore::new(INGEST_REQUESTS_MAX));
    let (api, document) = described();
    let document = Arc::new(document);
    let document_page = move || docs::openapi(document.clone());
    let answers = Router::new()
        .merge(api)
        .merge(history::elastic::routes())
        .route("/api/openapi.json", get(document_page))
        .route("/docs", get(docs::html))
        .route("/docs/{file}", get(docs::file))
        .route("/alerts", get(root_alerts))
        .route("/alerts/{id}", get(root_alert))
        .route("/status", get(status::status))
        .route("/health", get(status::health))
        .route("/", get(root))
        .fallback(page::page)
        .layer(from_fn_with_state(app.clone(), door::check))
        .layer(from_fn_with_state(slots, limit::at_once));
    let ingest = intake(ingest_slots).layer(from_fn_with_state(app.clone(), door::check_sender));
    // The last layer is the outermost.
    answers
        .merge(ingest)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(Arc::new(hosts), guard::check))
        .layer(from_fn(limit::in_time))
        .layer(from_fn(error::answer_errors))
        .layer(from_fn(guard::add_headers))
        .with_state(app)
}

/// What senders speak to.
fn intake(slots: Arc<Semaphore>) -> Router<Shared> {
    Router::new()
        .route("/ingest", post(ingest::ingest))
        .route("/api/v1/ingest", post(ingest::ingest))
        .merge(elastic::routes())
        .merge(splunk::routes())
        .merge(loki::routes())
        .merge(otlp::routes())
        .layer(from_fn_with_state(slots, limit::at_once))
}

/// Only what senders speak to, for a listener of their own. `hosts` are the names that requests
/// may be addressed to; where tokens are needed, any.
pub fn senders_router(app: Shared, hosts: Option<Hosts>) -> Router {
    let routes = intake(Arc::new(Semaphore::new(INGEST_REQUESTS_MAX)))
        .route("/", get(async || elastic::about()))
        .fallback(async || ApiError::not_found("events can be sent here, and nothing else"))
        .method_not_allowed_fallback(wrong_method);
    let routes = match hosts {
        Some(hosts) => routes.layer(from_fn_with_state(Arc::new(hosts), guard::check)),
        None => routes,
    };
    routes
        .layer(from_fn(limit::in_time))
        .layer(from_fn(error::answer_errors))
        .layer(from_fn(guard::add_headers))
        .with_state(app)
}

/// Calls over gRPC.
pub fn grpc_router(app: Shared) -> Router {
    let slots = Arc::new(Semaphore::new(INGEST_REQUESTS_MAX));
    otlp::grpc::routes().layer(from_fn_with_state(slots, limit::at_once)).with_state(app)
}

/// Who may do what.
fn of_accounts() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(session::me))
        .routes(routes!(session::setup))
        .routes(routes!(session::sign_in, session::sign_out))
        .routes(routes!(oidc::start, oidc::back))
        .routes(routes!(session::change_password))
        .routes(routes!(manage::users, manage::add_user))
        .routes(routes!(manage::change_user, manage::remove_user))
        .routes(routes!(manage::sessions))
        .routes(routes!(manage::end_sessions))
        .routes(routes!(manage::tokens, manage::add_token))
        .routes(routes!(manage::remove_token))
        .routes(routes!(manage::audit))
}

/// The routes that are described, and their description.
fn described() -> (Router<Shared>, Document) {
    let resources = OpenApiRouter::new()
        .routes(routes!(overview::overview))
        .routes(routes!(dashboards::list))
        .routes(routes!(alerts::list))
        .routes(routes!(alerts::one, triage::change))
        .routes(routes!(alerts::facets::facets))
        .routes(routes!(alerts::why::why))
        .routes(routes!(triage::change_many))
        .routes(routes!(triage::undo))
        .routes(routes!(triage::activity))
        .routes(routes!(bans::list, bans::add))
        .routes(routes!(bans::lift))
        .routes(routes!(bans::activity))
        .routes(routes!(context::about))
        .routes(routes!(context::place))
        .routes(routes!(intel::about))
        .routes(routes!(intel::look_up, intel::add, intel::remove))
        .routes(routes!(intel::fetch))
        .routes(routes!(intel::hunts, intel::hunt))
        .routes(routes!(exceptions::list, exceptions::add))
        .routes(routes!(exceptions::preview))
        .routes(routes!(exceptions::remove))
        .routes(routes!(notices::dead))
        .routes(routes!(notices::retry))
        .routes(routes!(notices::test))
        .routes(routes!(events::search))
        .routes(routes!(events::one))
        .routes(routes!(history::search::search))
        .routes(routes!(history::export::export))
        .routes(routes!(searches::list, searches::save))
        .routes(routes!(searches::remove))
        .routes(routes!(history::fields::list))
        .routes(routes!(history::fields::values))
        .routes(routes!(history::backtests::list, history::backtests::start))
        .routes(routes!(history::backtests::one, history::backtests::cancel))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::one))
        .routes(routes!(incidents::noise))
        .routes(routes!(watch::silence))
        .routes(routes!(watch::forget))
        .routes(routes!(watch::risks))
        .routes(routes!(watch::risk))
        .routes(routes!(rules::list, rules::own::save))
        .routes(routes!(rules::foresight::foresight))
        .routes(routes!(rules::one, rules::switch, rules::own::remove))
        .routes(routes!(rules::own::draft))
        .routes(routes!(rules::own::check))
        .routes(routes!(sources::list))
        .routes(routes!(sources::unparsed))
        .routes(routes!(sources::parse))
        .routes(routes!(status::status))
        .routes(routes!(status::health))
        .routes(routes!(stream::stream))
        .merge(of_accounts());
    // Ingest has slots of its own, so it is only described here.
    let ingest = OpenApiRouter::<Shared>::new().routes(routes!(ingest::ingest)).into_openapi();
    let described = ApiDoc::openapi().nest("/api/v1", ingest);
    OpenApiRouter::with_openapi(described)
        .nest("/api/v1", resources)
        .routes(routes!(metrics::metrics))
        .split_for_parts()
}

/// `/alerts` is a page for browsers and a resource for programs.
async fn root_alerts(
    State(app): State<Shared>,
    headers: HeaderMap,
    params: Result<Params<alerts::ListParams>, ApiError>,
) -> Response {
    if page::wants_html(&headers) {
        return page::index(&headers);
    }
    let answer = match params {
        Ok(params) => alerts::list(State(app), params).await,
        Err(error) => Err(error),
    };
    page::vary_by_accept(answer.into_response())
}

/// `/` is the page, except for what looks for an Elasticsearch there.
async fn root(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if elastic::is_client(&headers) {
        return page::vary_by_accept(elastic::about());
    }
    page::page(method, uri, headers).await
}

/// `/alerts/{id}` likewise.
async fn root_alert(
    State(app): State<Shared>,
    headers: HeaderMap,
    id: axum::extract::Path<String>,
) -> Response {
    if page::wants_html(&headers) {
        return page::index(&headers);
    }
    page::vary_by_accept(alerts::one(State(app), id).await.into_response())
}

async fn wrong_method() -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not take that method")
}
