//! A channel of a service that content describes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MinSeverity, RateLimit, RouteConfig, TIMEOUT_SECONDS};
use crate::secret::Secret;

/// A service that is told over HTTP as its template says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// With type service: which one, by the name of its file in a pack (`channels/NAME.yml`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Address: the webhook's for slack, discord and teams (it is a secret then), the server's for
    /// alertmanager and an ntfy of your own; else the service's usual one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Secret>,
    /// File that holds the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_file: Option<PathBuf>,
    /// Environment variable that holds the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_env: Option<String>,
    /// Token: the routing key of pagerduty, the API key of opsgenie, the bot's token of telegram,
    /// an access token of ntfy or alertmanager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// File that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Environment variable that holds the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_env: Option<String>,
    /// Whom to tell there: the chat's id of telegram, the topic of ntfy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
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
    /// Rate limit.
    pub rate_limit: RateLimit,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            service: None,
            url: None,
            url_file: None,
            url_env: None,
            token: None,
            token_file: None,
            token_env: None,
            target: None,
            ca_file: None,
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            route: RouteConfig::default(),
            rate_limit: RateLimit::default(),
        }
    }
}
