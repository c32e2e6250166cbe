//! A channel of syslog messages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MinSeverity, RouteConfig, TIMEOUT_SECONDS};

/// Alerts as syslog messages to another collector or SIEM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SyslogConfig {
    /// Name or address of the collector. Needed.
    pub host: String,
    /// Its port. Default 514.
    pub port: u16,
    /// `udp`, or `tcp` with counted octets. Default udp.
    pub protocol: SyslogProtocol,
    /// `cef` or `json` (nested ECS). Default cef.
    pub format: SyslogFormat,
    /// Seconds that one delivery may take, at most 600. Default 15.
    pub timeout_seconds: u64,
    /// Least severity: informational, low, medium, high or critical. Default low.
    pub min_severity: MinSeverity,
    /// Which alerts, beside the severity. Default all.
    #[serde(skip_serializing_if = "RouteConfig::is_default")]
    pub route: RouteConfig,
}

impl Default for SyslogConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 514,
            protocol: SyslogProtocol::default(),
            format: SyslogFormat::default(),
            timeout_seconds: TIMEOUT_SECONDS,
            min_severity: MinSeverity::default(),
            route: RouteConfig::default(),
        }
    }
}

/// How syslog messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyslogProtocol {
    /// One datagram each; nothing tells whether it arrived.
    #[default]
    Udp,
    /// With counted octets.
    Tcp,
}

/// What a syslog message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SyslogFormat {
    /// ArcSight's common event format.
    #[default]
    Cef,
    /// Nested ECS JSON.
    Json,
}
