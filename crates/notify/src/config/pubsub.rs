//! A channel of Google Cloud Pub/Sub.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MinSeverity, RouteConfig, TIMEOUT_SECONDS};

/// Alerts as messages of a Google Cloud Pub/Sub topic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PubsubConfig {
    /// The project's id. Needed.
    pub project: String,
    /// The topic's name, without the project. Needed.
    pub topic: String,
    /// File with the key of a service account that may publish (`roles/pubsub.publisher`), JSON.
    /// Default none: the account of the machine that Tocsin runs on, in Google's cloud.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// Address to publish to; an emulator's is `http://127.0.0.1:8085`. Default
    /// https://pubsub.googleapis.com.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// PEM file with certificates to trust beside the usual ones. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Seconds that one delivery may take, at most 600. Default 15.
    pub timeout_seconds: u64,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
    /// Which alerts, beside the severity. Default all.
    #[serde(skip_serializing_if = "RouteConfig::is_default")]
    pub route: RouteConfig,
}

impl Default for PubsubConfig {
    fn default() -> Self {
        Self {
            project: String::new(),
            topic: String::new(),
            key_file: None,
            endpoint: None,
            ca_file: None,
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            route: RouteConfig::default(),
        }
    }
}
