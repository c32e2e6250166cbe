//! Batches by `POST /ingest`, over one connection that is kept.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value as Json, json};
use tokio::time::{sleep, timeout};

use super::peer::Dialer;
use super::{SendError, Taken};
use crate::traffic::Item;

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Pause where the answer does not say how long to wait, and the longest that is waited.
const COME_BACK: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

/// An answer.
struct Answer {
    status: StatusCode,
    come_back: Option<Duration>,
    body: Json,
}

/// The sender of batches.
pub(super) struct Http {
    dialer: Dialer,
    address: String,
    path: String,
    notice: fn(&str),
    /// Whether a refusal has been told.
    told: bool,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Http {
    pub(super) fn new(address: &str, path: &str, notice: fn(&str)) -> Self {
        let dialer = Dialer::new(format!("http://{address}{path}"), address, notice);
        let (address, path) = (address.to_owned(), path.to_owned());
        Self { dialer, address, path, notice, told: false, connection: None }
    }

    /// Posts a batch until it is answered with something else than "come back later".
    pub(super) async fn send(&mut self, batch: &[Item]) -> Result<Taken, SendError> {
        let events: Vec<Json> = batch.iter().map(Item::ingest).collect();
        let body = Bytes::from(json!({ "events": events }).to_string());
        let mut waiting = false;
        loop {
            let answer = match self.post(body.clone()).await? {
                Ok(answer) => answer,
                Err(why) => {
                    self.connection = None;
                    (self.notice)(&format!("{} broke off: {why}", self.dialer.name));
                    sleep(COME_BACK.0).await;
                    continue;
                }
            };
            let busy = answer.status == StatusCode::TOO_MANY_REQUESTS;
            if busy || answer.status.is_server_error() {
                if !waiting {
                    (self.notice)(&format!("{} answers {}", self.dialer.name, answer.status));
                    waiting = true;
                }
                sleep(answer.come_back.unwrap_or(COME_BACK.0).min(COME_BACK.1)).await;
                continue;
            }
            return Ok(self.taken(batch.len() as u64, &answer));
        }
    }

    fn taken(&mut self, count: u64, answer: &Answer) -> Taken {
        let told = answer.body.get("refused_total").and_then(Json::as_u64);
        let refused = if answer.status.is_success() {
            told.unwrap_or(0).min(count)
        } else {
            // Nothing of the batch was taken.
            count
        };
        if refused > 0 && !self.told {
            self.told = true;
            let reason = answer.body.pointer("/refused/0/reason").and_then(Json::as_str);
            let reason = reason.or_else(|| answer.body.get("error")?.as_str()).unwrap_or("?");
            (self.notice)(&format!("{} refuses: {} ({reason})", self.dialer.name, answer.status));
        }
        Taken { sent: count - refused, refused }
    }

    /// One request. The inner error is one that another try may mend.
    async fn post(&mut self, body: Bytes) -> Result<Result<Answer, String>, SendError> {
        let mut connection = match self.connection.take().filter(|held| !held.is_closed()) {
            Some(connection) => connection,
            None => {
                let stream = self.dialer.connect().await?;
                match handshake(TokioIo::new(stream)).await {
                    Ok((connection, driver)) => {
                        // Its errors are those of the requests.
                        tokio::spawn(driver);
                        connection
                    }
                    Err(error) => return Ok(Err(error.to_string())),
                }
            }
        };
        let request = Request::post(&self.path)
            .header(HOST, &self.address)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body));
        let request = match request {
            Ok(request) => request,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let asking = async {
            connection.ready().await.map_err(|error| error.to_string())?;
            let response = connection.send_request(request).await;
            read(response.map_err(|error| error.to_string())?).await
        };
        let answer = match timeout(ANSWER_MAX, asking).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", ANSWER_MAX.as_secs())),
        };
        if answer.is_ok() {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

async fn read(response: Response<hyper::body::Incoming>) -> Result<Answer, String> {
    let status = response.status();
    let come_back = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let come_back = come_back.and_then(|value| value.parse().ok()).map(Duration::from_secs);
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    let body = serde_json::from_slice(&body.to_bytes()).unwrap_or(Json::Null);
    Ok(Answer { status, come_back, body })
}
