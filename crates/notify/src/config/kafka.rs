//! A channel of Apache Kafka.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MailTls, MinSeverity, RouteConfig, TIMEOUT_SECONDS};
use crate::secret::Secret;

/// Alerts as records of an Apache Kafka topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Brokers to begin with, `kafka-1.example.com:9092`; the others are learned from them. At least
    /// one is needed.
    pub brokers: Vec<String>,
    /// The topic; it has to be there. Needed.
    pub topic: String,
    /// Encryption: `tls` or `none`. Default none, and tls where a user or a certificate is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<MailTls>,
    /// PEM file with certificates to trust beside the usual ones. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// PEM file with the certificate to show to the broker, and those that signed it. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<PathBuf>,
    /// PEM file with its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// User to log in as (SASL). Default none: no login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password to log in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// File that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Environment variable that holds the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_env: Option<String>,
    /// How the user is told to the broker: `plain` (only with tls), `scram-sha-256` or
    /// `scram-sha-512`. Default scram-sha-512.
    pub mechanism: KafkaMechanism,
    /// Seconds that one delivery may take, at most 600. Default 15.
    pub timeout_seconds: u64,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
    /// Which alerts, beside the severity. Default all.
    #[serde(skip_serializing_if = "RouteConfig::is_default")]
    pub route: RouteConfig,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            topic: String::new(),
            tls: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            user: None,
            password: None,
            password_file: None,
            password_env: None,
            mechanism: KafkaMechanism::default(),
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            route: RouteConfig::default(),
        }
    }
}

/// How a broker is told who comes (SASL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KafkaMechanism {
    /// User and password as they are.
    Plain,
    /// A proof that one knows the password, by SHA-256.
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    /// A proof that one knows the password, by SHA-512.
    #[default]
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
}
