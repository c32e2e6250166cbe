//! `GET /stream`: live messages as server-sent events.
//!
//! One task ([`Hub::run`]) writes each message once for all readers. A reader that is too slow
//! misses messages and is told so (`resync`); it never holds up the pipeline or another reader.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, Stream};
use futures::{StreamExt, future};
use serde::Serialize;
use tocsin_catalog::AlertQuery;
use tocsin_engine::{Handle, Live};
use tocsin_model::{Alert, Timestamp};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::app::Shared;
use crate::error::{ApiError, ErrorAnswer};
use crate::limits::{RETRY_AFTER_S, STREAM_BACKLOG_MAX, STREAMS_MAX, TICK_EVERY};
use crate::query::now;

/// Changes of one alert within this time are one message.
const GATHER: Duration = Duration::from_millis(50);
/// Alerts gathered before they are sent at once.
const GATHERED_MAX: usize = STREAM_BACKLOG_MAX / 2;

/// One heartbeat.
#[derive(Debug, Serialize, ToSchema)]
pub struct Tick {
    /// The time at the server.
    #[schema(value_type = String, format = DateTime)]
    time: Timestamp,
    /// Over the last seconds.
    events_per_second: f64,
    /// Events stored.
    events_total: u64,
    /// Alerts that are there.
    alerts_total: u64,
    /// Records lost or refused.
    dropped_total: u64,
    /// From an event's arrival to its detection, milliseconds.
    lag_ms: u64,
}

/// Writes live messages for all readers.
pub struct Hub {
    handle: Handle,
    messages: broadcast::Sender<Bytes>,
}

impl Hub {
    /// For one engine.
    pub fn new(handle: Handle) -> Self {
        Self { handle, messages: broadcast::channel(STREAM_BACKLOG_MAX).0 }
    }

    /// Writes messages until `stop` is cancelled.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let mut live = self.handle.live.subscribe();
        let mut ticks = interval(TICK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut flush_at = Instant::now();
        let mut gathered: Vec<Arc<Alert>> = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.tick().await,
                () = sleep_until(flush_at), if !gathered.is_empty() => {
                    self.send_alerts(&mut gathered);
                }
                news = live.recv() => match news {
                    Ok(Live::Alert(alert)) => {
                        if gathered.is_empty() {
                            flush_at = Instant::now() + GATHER;
                        }
                        gather(&mut gathered, alert);
                        if gathered.len() >= GATHERED_MAX {
                            self.send_alerts(&mut gathered);
                        }
                    }
                    Err(RecvError::Lagged(missed)) => self.send(resync(missed)),
                    // The engine is gone; ticks go on until the server stops.
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    fn send_alerts(&self, gathered: &mut Vec<Arc<Alert>>) {
        for alert in gathered.drain(..) {
            if self.messages.receiver_count() > 0 {
                self.send(message("alert", &alert.to_json()));
            }
        }
    }

    async fn tick(&self) {
        if self.messages.receiver_count() > 0 {
            self.send(self.heartbeat().await);
        }
    }

    fn send(&self, message: Bytes) {
        // Fails when nobody reads, which is fine.
        let _ = self.messages.send(message);
    }

    /// A tick's message, with the numbers of now.
    async fn heartbeat(&self) -> Bytes {
        let handle = self.handle.clone();
        let count = move || {
            let lost = handle
                .inputs
                .snapshot()
                .iter()
                .map(|input| {
                    let lost = input.dropped.iter().filter(|(reason, _)| reason.loses_records());
                    lost.map(|(_, count)| count).sum::<u64>()
                })
                .sum();
            let none = AlertQuery { limit: 0, ..AlertQuery::default() };
            let progress = &handle.progress;
            message(
                "tick",
                &Tick {
                    time: now(),
                    events_per_second: (progress.per_second() * 10.0).round() / 10.0,
                    events_total: progress.stored.load(Ordering::Relaxed),
                    // The status tells when the catalog has a problem.
                    alerts_total: handle.catalog.alerts(&none).map_or(0, |page| page.total),
                    dropped_total: lost,
                    lag_ms: progress.lag_ms.load(Ordering::Relaxed),
                },
            )
        };
        tokio::task::spawn_blocking(count).await.unwrap_or_default()
    }
}

/// Puts an alert in, in place of its older self.
fn gather(gathered: &mut Vec<Arc<Alert>>, alert: Arc<Alert>) {
    match gathered.iter_mut().find(|old| old.id == alert.id) {
        Some(old) => *old = alert,
        None => gathered.push(alert),
    }
}

/// One message; JSON never contains a line end, so one `data` line holds it.
fn message(event: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    Bytes::from(format!("event: {event}\ndata: {data}\n\n"))
}

/// Tells a reader that it missed messages and should ask for everything again.
fn resync(missed: u64) -> Bytes {
    message("resync", &serde_json::json!({ "missed": missed }))
}

/// Live messages: `tick` every second, `alert` when one is raised or changes, `resync` when some
/// were missed.
#[utoipa::path(
    get,
    path = "/stream",
    tag = "state",
    responses(
        (
            status = 200,
            description = "Server-sent events. `tick`: see Tick; `alert`: the alert as nested \
                ECS; `resync` `{\"missed\":n}`: this reader was too slow, ask for everything again",
            body = Tick,
            content_type = "text/event-stream"
        ),
        (status = 503, description = "Too many streams", body = ErrorAnswer),
    )
)]
pub async fn stream(State(app): State<Shared>) -> Result<Response, ApiError> {
    let Ok(permit) = app.streams.clone().try_acquire_owned() else {
        let message = format!("{STREAMS_MAX} streams are open already; close one");
        return Err(ApiError::busy(message));
    };
    let reader = app.hub.messages.subscribe();
    let hello = Bytes::from(format!("retry: {}\n\n", RETRY_AFTER_S * 1000));
    let first = app.hub.heartbeat().await;
    let messages = stream::iter([hello, first]).chain(read(reader));
    let stop = app.stop.clone();
    let ended =
        future::select(Box::pin(stop.cancelled_owned()), Box::pin(app.accounts.rights_end()));
    let messages = messages.take_until(ended).map(move |message| {
        // Held as long as the stream is.
        let _ = &permit;
        Ok::<_, Infallible>(message)
    });
    let mut response = Response::new(Body::from_stream(messages));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The messages that one reader gets.
fn read(reader: broadcast::Receiver<Bytes>) -> impl Stream<Item = Bytes> {
    stream::unfold(reader, |mut reader| async {
        match reader.recv().await {
            Ok(message) => Some((message, reader)),
            Err(RecvError::Lagged(missed)) => Some((resync(missed), reader)),
            Err(RecvError::Closed) => None,
        }
    })
}
