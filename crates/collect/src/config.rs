//! What to collect: the `collect:` part of `tocsin.yml`.
//!
//! In: YAML (through serde). Out: plain structs with every default filled in. Never touches the
//! disk or the network.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::senders::{SenderConfig, Token};

/// Port of the syslog listeners.
pub const SYSLOG_PORT: u16 = 5514;
/// How many days `start: recent` reads back.
pub const RECENT_DAYS: u64 = 7;

/// What Tocsin collects and how much it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CollectConfig {
    /// Log files to follow, beside those that `discover` finds. Default: none.
    pub files: Vec<FileInput>,
    /// Find this machine's usual logs (auth.log, syslog, nginx, Apache, audit.log, …) and follow
    /// them. Default: true.
    pub discover: bool,
    /// Listeners for syslog over the network.
    pub syslog: SyslogConfig,
    /// The systemd journal of this machine.
    pub journald: JournaldConfig,
    /// Read lines from standard input until it ends. Default: false.
    pub stdin: bool,
    /// Limits on single records, connections and reading back.
    pub limits: Limits,
    /// Who may send over HTTP (`/ingest`, Elasticsearch, Splunk HEC, Loki, OTLP): a name, and its
    /// token. As soon as one is named, nobody else may. Default: none, everybody who reaches the
    /// address may.
    pub senders: BTreeMap<String, SenderConfig>,
    /// GELF, as Graylog takes it.
    pub gelf: GelfConfig,
    /// Lumberjack 2, as Beats and Logstash send it.
    pub lumberjack: LumberjackConfig,
    /// Fluent's forward protocol, as Fluentd and Fluent Bit send it.
    pub fluent: FluentConfig,
    /// A listener of its own for senders on other machines.
    pub http: HttpConfig,
    /// OTLP logs over gRPC.
    pub otlp: OtlpConfig,
    /// The certificate of listeners with TLS.
    pub tls: TlsConfig,
    /// Limits on batches sent over HTTP.
    pub ingest: IngestLimits,
    /// Limits of the local journal, which holds what came over the network until it is stored.
    pub journal: JournalLimits,
}

impl Default for CollectConfig {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            discover: true,
            syslog: SyslogConfig::default(),
            journald: JournaldConfig::default(),
            stdin: false,
            senders: BTreeMap::new(),
            gelf: GelfConfig::default(),
            lumberjack: LumberjackConfig::default(),
            fluent: FluentConfig::default(),
            http: HttpConfig::default(),
            otlp: OtlpConfig::default(),
            tls: TlsConfig::default(),
            limits: Limits::default(),
            ingest: IngestLimits::default(),
            journal: JournalLimits::default(),
        }
    }
}

/// Log files to follow. Rotation (by renaming or by copying and truncating) is handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FileInput {
    /// Paths, with `*`, `?`, `[…]` and `**`. Files and directories that appear later are followed
    /// too. Required.
    pub paths: Vec<String>,
    /// Name of the source that understands these lines (`openssh.sshd`), or a hint (`auth`,
    /// `syslog`, `nginx`, `apache`, `json`). Default: found line by line.
    pub source: Option<String>,
    /// Where to start in a file that was never seen before. Default: recent.
    pub start: Start,
    /// Patterns of files to leave out: of the whole path when they contain a `/`, else of the
    /// file name. Default: compressed files.
    pub exclude: Vec<String>,
}

impl Default for FileInput {
    fn default() -> Self {
        let compressed = ["*.gz", "*.xz", "*.zst", "*.bz2", "*.lz4", "*.zip"];
        Self {
            paths: Vec::new(),
            source: None,
            start: Start::default(),
            exclude: compressed.map(String::from).to_vec(),
        }
    }
}

/// Where to start in a file that was never seen before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Only lines written from now on.
    End,
    /// Every line of the file.
    Beginning,
    /// What is there from the last days (`limits.recent_days`), rotated files (`auth.log.1`,
    /// `auth.log.2.gz`) included. It counts as history: alerts about it notify nobody.
    #[default]
    Recent,
}

/// Syslog over the network, RFC 3164 and RFC 5424.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyslogConfig {
    /// Address and port for UDP, or `off`. Default: 127.0.0.1:5514.
    #[serde(deserialize_with = "address_or_off")]
    pub udp: Option<SocketAddr>,
    /// Address and port for TCP (newline and octet-counted framing), or `off`. Default:
    /// 127.0.0.1:5514.
    #[serde(deserialize_with = "address_or_off")]
    pub tcp: Option<SocketAddr>,
    /// Address and port for TCP with TLS (RFC 5425; the usual port is 6514), or `off`. Default:
    /// off.
    #[serde(deserialize_with = "address_or_off")]
    pub tls: Option<SocketAddr>,
}

impl Default for SyslogConfig {
    fn default() -> Self {
        let local = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, SYSLOG_PORT));
        Self { udp: Some(local), tcp: Some(local), tls: None }
    }
}

/// GELF: over UDP in chunks and packed, over TCP with a zero byte or a line end after each
/// message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GelfConfig {
    /// Address and port for UDP, usually 127.0.0.1:12201, or `off`. Default: off.
    #[serde(deserialize_with = "address_or_off")]
    pub udp: Option<SocketAddr>,
    /// Address and port for TCP, usually 127.0.0.1:12201, or `off`. Default: off.
    #[serde(deserialize_with = "address_or_off")]
    pub tcp: Option<SocketAddr>,
    /// Whether senders over TCP must use TLS. Default: false.
    pub tls: bool,
}

/// Lumberjack 2: the `output.logstash` of Beats.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LumberjackConfig {
    /// Address and port, usually 127.0.0.1:5044, or `off`. Default: off.
    #[serde(deserialize_with = "address_or_off")]
    pub tcp: Option<SocketAddr>,
    /// Whether senders must use TLS. Default: false.
    pub tls: bool,
}

/// Fluent's forward protocol.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FluentConfig {
    /// Address and port, usually 127.0.0.1:24224, or `off`. Default: off.
    #[serde(deserialize_with = "address_or_off")]
    pub tcp: Option<SocketAddr>,
    /// Whether senders must use TLS. Default: false.
    pub tls: bool,
    /// The key that senders must know (`shared_key`). Better: `shared_key_file`. Default: none.
    pub shared_key: Option<Token>,
    /// A file that holds the key.
    pub shared_key_file: Option<PathBuf>,
}

/// A listener for senders on other machines. It takes what `server.listen` takes of senders
/// (`/ingest`, Elasticsearch, Splunk HEC, Loki, OTLP), and shows nothing: no page, no API.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpConfig {
    /// Address and port, or `off`. An address that other machines reach needs `senders`.
    /// Default: off.
    #[serde(deserialize_with = "address_or_off")]
    pub listen: Option<SocketAddr>,
    /// Whether senders must use TLS (https). Default: false.
    pub tls: bool,
}

/// OTLP logs over gRPC; over HTTP they are taken at `/v1/logs` of `server.listen`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OtlpConfig {
    /// Address and port for gRPC, usually 127.0.0.1:4317, or `off`. An address that other
    /// machines reach needs `senders`. Default: off.
    #[serde(deserialize_with = "address_or_off")]
    pub grpc: Option<SocketAddr>,
    /// Whether senders must use TLS. Default: false.
    pub tls: bool,
}

/// The certificate that listeners with TLS show, and who may connect to them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// The certificate and those that vouch for it, PEM. Default: one made at the first start,
    /// `tls/certificate.pem` in the data directory, which senders have to be given.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, PEM. Default: `tls/key.pem` in the data directory.
    pub key_file: Option<PathBuf>,
    /// Certificates, PEM, of which one must have signed a sender's own. Default: senders need
    /// none.
    pub client_ca_file: Option<PathBuf>,
    /// Names and addresses in the certificate that is made. Default: this machine's name,
    /// localhost, 127.0.0.1 and ::1.
    pub names: Vec<String>,
}

/// The systemd journal of this machine, read through `journalctl`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JournaldConfig {
    /// Whether to follow the journal. Default: auto.
    pub mode: JournaldMode,
}

/// Whether to follow the systemd journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum JournaldMode {
    /// When `discover` is on, there is a journal, and no syslog daemon writes the same messages
    /// to files.
    #[default]
    Auto,
    /// Always; a machine without a journal is reported as a problem.
    On,
    /// Never.
    Off,
}

/// Limits on single records, connections and reading back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Longest line of a file or of stdin, in bytes; the rest of a longer line is cut off and
    /// counted. Default: 1048576.
    pub line_bytes_max: usize,
    /// Longest message of syslog or GELF, in bytes; the rest of a longer one is cut off (of GELF,
    /// all of it) and counted.
    /// Default: 1048576.
    pub frame_bytes_max: usize,
    /// Most connections of each listener at the same time; further ones are closed at once and counted.
    /// Default: 512.
    pub connections_max: usize,
    /// A connection that is silent for so long is closed, in seconds. Default: 3600.
    pub idle_s: u64,
    /// How far back `start: recent` reads, in days. Default: 7.
    pub recent_days: u64,
    /// The most that `start: recent` reads back of one file, in bytes (the newest part).
    /// Default: 1073741824.
    pub recent_bytes_max: u64,
    /// Most files followed at the same time; further ones are reported and counted.
    /// Default: 4096.
    pub files_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            line_bytes_max: 1 << 20,
            frame_bytes_max: 1 << 20,
            connections_max: 512,
            idle_s: 3600,
            recent_days: RECENT_DAYS,
            recent_bytes_max: 1 << 30,
            files_max: 4096,
        }
    }
}

/// Limits on batches sent over HTTP, whatever the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IngestLimits {
    /// Largest body of one request, in bytes, as sent and when unpacked. Default: 16777216.
    pub body_bytes_max: usize,
    /// Most events in one request; further ones are refused. Default: 100000.
    pub events_max: usize,
    /// Largest single event, in bytes; a larger one is refused. Default: 1048576.
    pub event_bytes_max: usize,
}

impl Default for IngestLimits {
    fn default() -> Self {
        Self { body_bytes_max: 16 << 20, events_max: 100_000, event_bytes_max: 1 << 20 }
    }
}

/// Limits of the local journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JournalLimits {
    /// Size at which a new segment file is started, in bytes. Default: 67108864.
    pub segment_bytes: u64,
    /// Most that the journal takes on disk, in bytes; when it is full, TCP and HTTP senders wait
    /// or are told to, and UDP messages are dropped and counted. Default: 1073741824.
    pub total_bytes_max: u64,
}

impl Default for JournalLimits {
    fn default() -> Self {
        Self { segment_bytes: 64 << 20, total_bytes_max: 1 << 30 }
    }
}

/// An address, or nothing for `off`, an empty text or null.
fn address_or_off<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else { return Ok(None) };
    match text.as_str() {
        "off" | "none" | "" => Ok(None),
        address => address.parse().map(Some).map_err(|_| {
            serde::de::Error::custom(format!(
                "not an address and port: {address:?}; write for example \"127.0.0.1:5514\", or \"off\""
            ))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_can_be_moved_and_switched_off() {
        let parse = |text: &str| serde_json::from_str::<SyslogConfig>(text);
        assert_eq!(parse("{}").unwrap(), SyslogConfig::default());
        let moved = parse(r#"{"udp": "0.0.0.0:514", "tcp": "off"}"#).unwrap();
        assert_eq!((moved.udp.unwrap().port(), moved.tcp), (514, None));
        assert_eq!(parse(r#"{"udp": null}"#).unwrap().udp, None);
        let wrong = parse(r#"{"udp": "localhost"}"#).unwrap_err().to_string();
        assert!(wrong.contains("\"localhost\"") && wrong.contains("127.0.0.1:5514"), "{wrong}");
        assert!(parse(r#"{"upd": null}"#).is_err());
    }

    #[test]
    fn the_schema_describes_every_key() {
        let schema = serde_json::to_value(schemars::schema_for!(CollectConfig)).unwrap();
        for definition in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
            let Some(properties) = definition["properties"].as_object() else { continue };
            for (key, property) in properties {
                assert!(property["description"].is_string(), "{key} has no description");
            }
        }
    }
}
