//! Apache Kafka: one record a notice, taken by all replicas that are in sync before it counts as
//! delivered. The value is the JSON that the webhook sends; the key is what the alert is about, so
//! that everything about it stands in one partition, in order.

mod partition;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::client::error::{Error as KafkaError, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use rustls::ClientConfig;
use tokio::sync::Mutex;

use super::webhook::body;
use super::{Failure, SendError, redact, tls};
use crate::config::{KafkaConfig, KafkaMechanism, MailTls};
use crate::error::NotifyError;
use crate::secret::Secret;
use crate::view::{Message, clean};

/// The port of a broker that is named without one.
const PORT: u16 = 9092;
/// The longest name of a topic, characters.
const TOPIC_CHARS_MAX: usize = 249;
/// The longest key, characters.
const KEY_CHARS_MAX: usize = 1000;
/// The most of an answer that is shown, characters.
const ANSWER_CHARS_MAX: usize = 300;
/// The largest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The client gives up at the first failure: when to try again is the outbox' business.
const ONCE: Duration = Duration::from_millis(1);

pub(crate) struct KafkaChannel {
    name: String,
    brokers: Vec<String>,
    topic: String,
    tls: Option<Arc<ClientConfig>>,
    sasl: Option<SaslConfig>,
    /// What must not be seen in answers.
    secrets: Vec<String>,
    timeout: Duration,
    connected: Mutex<Option<Connected>>,
}

/// What is known of the cluster, and the connections that are open.
struct Connected {
    client: Client,
    partitions: Vec<i32>,
    open: BTreeMap<i32, PartitionClient>,
}

impl KafkaChannel {
    pub(crate) fn new(name: &str, config: &KafkaConfig) -> Result<Self, NotifyError> {
        let wrong = |why: String| NotifyError::Config(why);
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let topic = config.topic.trim();
        if topic.is_empty() || topic.len() > TOPIC_CHARS_MAX || !topic.chars().all(allowed) {
            return Err(wrong(format!("topic: give the name of a topic, not {topic:?}")));
        }
        let brokers = config.brokers.iter().map(|broker| address(broker).map_err(wrong));
        let brokers = brokers.collect::<Result<Vec<_>, _>>()?;
        if brokers.is_empty() {
            return Err(wrong("brokers: give at least one, as kafka.example.com:9092".to_owned()));
        }
        let password = Secret::resolve(
            "password",
            config.password.as_ref(),
            config.password_file.as_ref(),
            config.password_env.as_deref(),
        )?;
        let identity = identity(config).map_err(wrong)?;
        let encrypted = match config.tls {
            Some(MailTls::Tls) => true,
            None => config.user.is_some() || identity.is_some(),
            Some(MailTls::None) if identity.is_some() => {
                let why = "certificate_file: a certificate is shown over TLS only; set tls: tls";
                return Err(wrong(why.to_owned()));
            }
            Some(MailTls::None) => false,
            Some(MailTls::Starttls) => {
                return Err(wrong("tls: Kafka knows no starttls; give tls or none".to_owned()));
            }
        };
        let tls = match encrypted {
            true => {
                let config = tls::client_config_as(config.ca_file.as_deref(), identity)?;
                Some(Arc::new(config))
            }
            false => None,
        };
        let secrets = password.iter().map(|secret| secret.reveal().to_owned()).collect();
        let sasl = login(config, password, encrypted)?;
        let (name, topic) = (name.to_owned(), topic.to_owned());
        let timeout = super::timeout(config.timeout_seconds);
        Ok(Self { name, brokers, topic, tls, sasl, secrets, timeout, connected: Mutex::default() })
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        let mut connected = self.connected.lock().await;
        let was_open = connected.is_some();
        let mut outcome = self.within_time(&mut connected, message).await;
        // A connection that was open may have been closed long ago without our seeing it.
        if was_open && outcome.as_ref().is_err_and(|error| error.kind == Failure::Channel) {
            outcome = self.within_time(&mut connected, message).await;
        }
        outcome
    }

    /// One try; what failed is not used again.
    async fn within_time(
        &self,
        connected: &mut Option<Connected>,
        message: &Message,
    ) -> Result<String, SendError> {
        let outcome =
            match tokio::time::timeout(self.timeout, self.produce(connected, message)).await {
                Ok(outcome) => outcome,
                Err(_) => {
                    let seconds = self.timeout.as_secs();
                    Err(SendError::channel(format!("no answer within {seconds} seconds")))
                }
            };
        if outcome.is_err() {
            *connected = None;
        }
        outcome
    }

    async fn produce(
        &self,
        connected: &mut Option<Connected>,
        message: &Message,
    ) -> Result<String, SendError> {
        if connected.is_none() {
            *connected = Some(self.connect().await?);
        }
        let Some(Connected { client, partitions, open }) = connected else {
            return Err(SendError::channel("not connected"));
        };
        let key = key(message);
        let number = partition::of(key.as_bytes(), partitions);
        let failed = |error: KafkaError| self.failed(&error);
        let partition = match open.entry(number) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let unknown = UnknownTopicHandling::Error;
                let client = client.partition_client(&self.topic, number, unknown).await;
                place.insert(client.map_err(failed)?)
            }
        };
        let record = Record {
            key: Some(key.into_bytes()),
            value: Some(body(&self.name, message).to_string().into_bytes()),
            headers: headers(message),
            timestamp: rskafka::chrono::Utc::now(),
        };
        let offsets = partition.produce(vec![record], Compression::NoCompression).await;
        let offset = offsets.map_err(failed)?.first().copied().unwrap_or_default();
        Ok(format!("taken by {}, partition {number}, offset {offset}", self.topic))
    }

    async fn connect(&self) -> Result<Connected, SendError> {
        let once = BackoffConfig {
            init_backoff: ONCE,
            max_backoff: ONCE,
            deadline: Some(ONCE),
            ..BackoffConfig::default()
        };
        let mut builder = ClientBuilder::new(self.brokers.clone())
            .client_id("tocsin")
            .max_message_size(ANSWER_BYTES_MAX)
            .backoff_config(once);
        if let Some(tls) = &self.tls {
            builder = builder.tls_config(tls.clone());
        }
        if let Some(sasl) = &self.sasl {
            builder = builder.sasl_config(sasl.clone());
        }
        let client = builder.build().await.map_err(|error| self.failed(&error))?;
        let topics = client.list_topics().await.map_err(|error| self.failed(&error))?;
        let Some(topic) = topics.into_iter().find(|topic| topic.name == self.topic) else {
            let answer = format!(
                "there is no topic {}, or this user may not see it; create it and allow writing",
                self.topic
            );
            return Err(SendError::channel(answer));
        };
        let partitions = topic.partitions.into_iter().collect();
        Ok(Connected { client, partitions, open: BTreeMap::new() })
    }

    fn failed(&self, error: &KafkaError) -> SendError {
        let kind = match error {
            KafkaError::ServerError {
                protocol_error:
                    ProtocolError::MessageTooLarge
                    | ProtocolError::RecordListTooLarge
                    | ProtocolError::InvalidRecord
                    | ProtocolError::InvalidTimestamp,
                ..
            } => Failure::Message,
            _ => Failure::Channel,
        };
        let text = match error {
            KafkaError::ServerError { protocol_error, error_message, .. } => {
                let more = error_message.as_deref().unwrap_or_default();
                format!("{}: the broker answers {protocol_error:?} {more}", self.topic)
            }
            other => other.to_string(),
        };
        // What retried says before what happened tells nobody anything.
        let text = text.rsplit_once("Source: ").map_or(text.as_str(), |(_, cause)| cause);
        let text = match text {
            text if text.contains("SaslAuthenticationFailed") => {
                "the broker refuses this user or password (SaslAuthenticationFailed)"
            }
            text if text.contains("UnsupportedSaslMechanism") => {
                "the broker does not take this mechanism (UnsupportedSaslMechanism)"
            }
            text => text,
        };
        let text = clean(&redact(text, &self.secrets), ANSWER_CHARS_MAX);
        SendError { kind, answer: text }
    }
}

/// `host:port`, with the usual port where none is given.
fn address(broker: &str) -> Result<String, String> {
    let broker = broker.trim();
    let (host, port) = broker.split_once(':').unwrap_or((broker, ""));
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/@[]".contains(c);
    if host.is_empty() || host.contains(odd) {
        return Err(format!("brokers: {broker:?} is none; give kafka.example.com:9092"));
    }
    match port {
        "" => Ok(format!("{host}:{PORT}")),
        port if port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(format!("{host}:{port}")),
        port => Err(format!("brokers: {broker:?}: {port:?} is no port")),
    }
}

/// The files of the certificate that is shown to the broker, and of its key.
fn identity(config: &KafkaConfig) -> Result<Option<(&Path, &Path)>, String> {
    match (config.certificate_file.as_deref(), config.key_file.as_deref()) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (Some(_), None) => Err("key_file is missing: the key of certificate_file".to_owned()),
        (None, Some(_)) => Err("certificate_file is missing: the one of key_file".to_owned()),
    }
}

fn login(
    config: &KafkaConfig,
    password: Option<Secret>,
    encrypted: bool,
) -> Result<Option<SaslConfig>, NotifyError> {
    let wrong = |why: &str| NotifyError::Config(why.to_owned());
    let (user, password) = match (&config.user, password) {
        (None, None) => return Ok(None),
        (Some(user), Some(password)) => (user.clone(), password.reveal().to_owned()),
        (Some(_), None) => return Err(wrong("user is given but no password")),
        (None, Some(_)) => return Err(wrong("password is given but no user")),
    };
    let who = Credentials::new(user, password);
    match config.mechanism {
        KafkaMechanism::Plain if !encrypted => {
            Err(wrong("mechanism plain would send the password as it is; set tls: tls"))
        }
        KafkaMechanism::Plain => Ok(Some(SaslConfig::Plain(who))),
        KafkaMechanism::ScramSha256 => Ok(Some(SaslConfig::ScramSha256(who))),
        KafkaMechanism::ScramSha512 => Ok(Some(SaslConfig::ScramSha512(who))),
    }
}

/// What the alert is about: its group, else its rule.
fn key(message: &Message) -> String {
    let text = match message {
        Message::Alert(view) if !view.alert.group.is_empty() => {
            let parts = view.alert.group.iter().map(|(field, value)| format!("{field}={value}"));
            parts.collect::<Vec<_>>().join(",")
        }
        Message::Alert(view) => view.alert.rule.id.clone(),
        Message::Summary(_) => "summary".to_owned(),
    };
    clean(&text, KEY_CHARS_MAX)
}

fn headers(message: &Message) -> BTreeMap<String, Vec<u8>> {
    let mut headers: Vec<(&str, &str)> = vec![
        ("key", message.key()),
        ("severity", message.severity().as_str()),
        ("source", "tocsin"),
    ];
    if let Message::Alert(view) = message {
        headers.push(("kind", view.kind.as_str()));
        headers.push(("rule", &view.alert.rule.id));
    }
    headers.into_iter().map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect()
}
