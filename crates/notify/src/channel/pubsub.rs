//! Google Cloud Pub/Sub: one call of `Publish` over gRPC, with a token of a service account or of
//! the machine. The message is the JSON that the webhook sends.

mod token;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Uri};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::webhook::body;
use super::{Failure, SendError, redact, tls};
use crate::config::PubsubConfig;
use crate::error::NotifyError;
use crate::view::{Message, clean};

use token::Tokens;

const ENDPOINT: &str = "https://pubsub.googleapis.com";
const METHOD: &str = "/google.pubsub.v1.Publisher/Publish";
/// The most of an answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The most of an answer that is shown, characters.
const ANSWER_CHARS_MAX: usize = 300;
/// gRPC's word for what is wrong with the message itself.
const INVALID_ARGUMENT: &str = "3";

pub(crate) struct PubsubChannel {
    name: String,
    topic: String,
    uri: Uri,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// None for an emulator, which asks nobody who he is.
    tokens: Option<Tokens>,
    timeout: Duration,
}

/// An answer of gRPC that is no success.
struct Refused {
    status: String,
    message: String,
}

impl PubsubChannel {
    pub(crate) fn new(name: &str, config: &PubsubConfig) -> Result<Self, NotifyError> {
        let wrong = |why: String| NotifyError::Config(why);
        for (key, value) in [("project", &config.project), ("topic", &config.topic)] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~+%:".contains(c);
            if value.is_empty() || !value.chars().all(plain) {
                return Err(wrong(format!(
                    "{key}: give its id, as in projects/PROJECT/topics/TOPIC, not {value:?}"
                )));
            }
        }
        let base = config.endpoint.as_deref().unwrap_or(ENDPOINT).trim_end_matches('/');
        let uri: Uri = format!("{base}{METHOD}")
            .parse()
            .map_err(|error| wrong(format!("endpoint: {base:?} is no address: {error}")))?;
        let host = uri.host().unwrap_or("").trim_matches(['[', ']']).to_owned();
        let loopback = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let encrypted = uri.scheme_str() == Some("https");
        let emulator = uri.scheme_str() == Some("http") && loopback;
        if !encrypted && !emulator {
            let message =
                "endpoint: must begin with https:// (http:// for an emulator on loopback)";
            return Err(wrong(message.to_owned()));
        }
        let tls = if encrypted {
            let mut client = tls::client_config(config.ca_file.as_deref())?;
            client.alpn_protocols = vec![b"h2".to_vec()];
            let server = ServerName::try_from(host.clone())
                .map_err(|error| wrong(format!("endpoint: {host:?}: {error}")))?;
            Some((TlsConnector::from(Arc::new(client)), server))
        } else {
            None
        };
        let tokens = match &config.key_file {
            None if !encrypted => None,
            key_file => Some(Tokens::new(key_file.as_deref(), config.ca_file.as_deref())?),
        };
        Ok(Self {
            name: name.to_owned(),
            topic: format!("projects/{}/topics/{}", config.project, config.topic),
            uri,
            tls,
            tokens,
            timeout: super::timeout(config.timeout_seconds),
        })
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        let data = body(&self.name, message).to_string();
        let severity = message.severity().as_str();
        let mut attributes =
            vec![("key", message.key()), ("severity", severity), ("source", "tocsin")];
        if let Message::Alert(view) = message {
            attributes.push(("kind", view.kind.as_str()));
            attributes.push(("rule", &view.alert.rule.id));
        }
        let frame = wire::publish(&self.topic, data.as_bytes(), &attributes);
        match tokio::time::timeout(self.timeout, self.publish(frame)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let seconds = self.timeout.as_secs();
                Err(SendError::channel(format!("no answer within {seconds} seconds")))
            }
        }
    }

    async fn publish(&self, frame: Bytes) -> Result<String, SendError> {
        let token = match &self.tokens {
            Some(tokens) => Some(tokens.token().await.map_err(SendError::channel)?),
            None => None,
        };
        let secrets: Vec<String> = token.iter().cloned().collect();
        let shown = |text: &str| clean(&redact(text, &secrets), ANSWER_CHARS_MAX);
        let host = self.uri.host().unwrap_or("").trim_matches(['[', ']']);
        let port = self.uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((host, port))
            .await
            .map_err(|error| SendError::channel(format!("{host}:{port}: {error}")))?;
        let answer = match &self.tls {
            None => self.call(stream, frame, token.as_deref()).await,
            Some((connector, server)) => {
                let stream = connector.connect(server.clone(), stream).await;
                let stream = stream
                    .map_err(|error| SendError::channel(format!("tls with {host}: {error}")))?;
                self.call(stream, frame, token.as_deref()).await
            }
        };
        match answer {
            Ok(Ok(answer)) => {
                let ids = wire::message_ids(&answer);
                let first = ids.first().map_or("none", String::as_str);
                Ok(shown(&format!("published to {} as message {first}", self.topic)))
            }
            Ok(Err(Refused { status, message })) => {
                if status == "16"
                    && let Some(tokens) = &self.tokens
                {
                    tokens.forget();
                }
                let kind = match status.as_str() {
                    INVALID_ARGUMENT => Failure::Message,
                    _ => Failure::Channel,
                };
                let answer = shown(&format!("{}: gRPC status {status}: {message}", self.topic));
                Err(SendError { kind, answer })
            }
            Err(error) => Err(SendError::channel(shown(&format!("{host}:{port}: {error}")))),
        }
    }

    /// One call; the outer failure is of the connection.
    async fn call<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        frame: Bytes,
        token: Option<&str>,
    ) -> Result<Result<Bytes, Refused>, h2::Error> {
        let (client, connection) = h2::client::handshake(stream).await?;
        let driver = tokio::spawn(connection);
        let mut request = Request::post(self.uri.clone())
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("user-agent", concat!("tocsin/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = match request.body(()) {
            Ok(request) => exchange(client, request, frame).await,
            Err(error) => Ok(Err(Refused { status: "?".into(), message: error.to_string() })),
        };
        driver.abort();
        answer
    }
}

async fn exchange(
    client: h2::client::SendRequest<Bytes>,
    request: Request<()>,
    frame: Bytes,
) -> Result<Result<Bytes, Refused>, h2::Error> {
    let mut client = client.ready().await?;
    let (response, mut sending) = client.send_request(request, false)?;
    sending.send_data(frame, true)?;
    let response = response.await?;
    let (head, mut body) = response.into_parts();
    let mut answer = BytesMut::new();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        // A window that is full would never be read on.
        let _ = body.flow_control().release_capacity(chunk.len());
        if answer.len() + chunk.len() <= ANSWER_BYTES_MAX {
            answer.extend_from_slice(&chunk);
        }
    }
    let trailers = body.trailers().await?.unwrap_or_default();
    let word = |name: &str| {
        let value = trailers.get(name).or_else(|| head.headers.get(name))?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    match word("grpc-status").as_deref() {
        Some("0") => Ok(Ok(answer.freeze())),
        Some(status) => {
            let message = word("grpc-message").unwrap_or_default();
            Ok(Err(Refused { status: status.to_owned(), message: message.replace("%20", " ") }))
        }
        None => {
            let message = format!("no gRPC there: HTTP {}", head.status);
            Ok(Err(Refused { status: "none".to_owned(), message }))
        }
    }
}
