//! The configuration: one file, every key also by environment, each with its documentation.
//!
//! In: `tocsin.yml` text and `TOCSIN_…` variables. Out: a [`Config`] and where each value came
//! from. Each stage owns its section; this module only composes them.

mod lists;
mod load;
mod oidc;
mod reference;
mod schema;
mod store;
mod verify;

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tocsin_alert::{AlertConfig, RiskConfig, SilenceConfig};
use tocsin_collect::CollectConfig;
use tocsin_enrich::config::{
    AssetConfig, BaselineConfig, EnrichConfig, FirstSeenConfig, GeoConfig, IntelConfig,
};
use tocsin_notify::NotifyConfig;
use tocsin_respond::RespondConfig;

pub use load::{Loaded, Origin, Setting, load, read};
pub use oidc::{OidcConfig, OidcRole, OidcRoles};
pub use reference::reference;
pub use schema::json_schema;
pub use store::{ArchiveConfig, PackConfig, S3Config, StoreConfig};
pub use verify::verify;

/// The whole configuration (`tocsin.yml`). Every section and key may be left out.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where Tocsin keeps its data, and its web address.
    pub server: ServerConfig,
    /// What is collected: files, syslog, journald, stdin.
    pub collect: CollectConfig,
    /// Packs and rules.
    pub content: ContentConfig,
    /// Where addresses are and whose they are.
    pub geoip: GeoConfig,
    /// Whose hosts, users and networks they are, and how much they matter.
    pub assets: AssetConfig,
    /// What others warn of: feeds of addresses, domains, hashes.
    pub intel: IntelConfig,
    /// What is noticed the first time.
    pub first_seen: FirstSeenConfig,
    /// Rates that are learned.
    pub baselines: BaselineConfig,
    /// Matching of rules.
    pub detect: DetectConfig,
    /// When matches become alerts.
    pub alerts: AlertConfig,
    /// Sources that stop sending.
    pub silence: SilenceConfig,
    /// What alerts add up to, by address, user and host.
    pub risk: RiskConfig,
    /// Who is told, and how.
    pub notify: NotifyConfig,
    /// Blocking of attackers.
    pub respond: RespondConfig,
    /// How events are kept.
    pub store: StoreConfig,
}

/// Directory of rules saved on the page, inside the data directory.
const OWN_RULES: &str = "rules";

impl Config {
    /// Where rules that are saved on the page are kept; read like `content.rules`.
    pub fn own_rules(&self) -> PathBuf {
        self.server.data_dir.join(OWN_RULES)
    }

    /// The sections about what is known of events beyond their lines.
    pub fn enrich(&self) -> EnrichConfig {
        EnrichConfig {
            geoip: self.geoip.clone(),
            assets: self.assets.clone(),
            intel: self.intel.clone(),
            first_seen: self.first_seen.clone(),
            baselines: self.baselines.clone(),
        }
    }

    /// Adds the directory of rules saved on the page to those that are read, once it is there.
    pub(crate) fn read_own_rules(&mut self) {
        let own = self.own_rules();
        if own.is_dir() && !self.content.rules.contains(&own) {
            self.content.rules.push(own);
        }
    }
}

/// Data directory and web address.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Data directory. Default: /var/lib/tocsin for root, else ~/.local/share/tocsin.
    pub data_dir: PathBuf,
    /// Address of the page and the API. On one that other machines reach it speaks TLS
    /// (`collect.tls`) and wants accounts. Default 127.0.0.1:7514.
    pub listen: String,
    /// Seconds a stop may take to drain what was received. Default 5.
    pub stop_seconds_max: u64,
    /// Host names, beside the loopback ones, that requests may be addressed to (protection
    /// against DNS rebinding). Default none.
    pub allowed_hosts: Vec<String>,
    /// Sign-in by a provider of identities (OpenID Connect), beside accounts with passwords.
    pub oidc: OidcConfig,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            data_dir: default_data_dir(),
            listen: "127.0.0.1:7514".to_owned(),
            stop_seconds_max: 5,
            allowed_hosts: Vec::new(),
            oidc: OidcConfig::default(),
        }
    }
}

/// Packs and rules.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ContentConfig {
    /// Whether the packs in the binary are used. Default true.
    pub builtin: bool,
    /// Directories with packs of your own. Default none.
    pub packs: Vec<PathBuf>,
    /// Sigma rule files, or directories searched for them. Default none.
    pub rules: Vec<PathBuf>,
}

impl Default for ContentConfig {
    fn default() -> Self {
        Self { builtin: true, packs: Vec::new(), rules: Vec::new() }
    }
}

/// Matching of rules.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DetectConfig {
    /// Seconds by which events may arrive out of order and still be correlated. Default 30.
    pub lateness_seconds: u64,
    /// The most groups (addresses, users, …) that correlations remember. Default 200000.
    pub groups_max: usize,
    /// The most memory that correlations use, bytes. Default 64 MiB.
    pub state_bytes_max: usize,
    /// Values for `%placeholder%`s in rules (`expand`): name to list. Default none.
    pub placeholders: std::collections::BTreeMap<String, Vec<String>>,
    /// Time zone of log lines that do not say theirs, as an IANA name. Default the machine's.
    pub zone: Option<String>,
}

impl Default for DetectConfig {
    fn default() -> Self {
        Self {
            lateness_seconds: 30,
            groups_max: 200_000,
            state_bytes_max: 64 * 1024 * 1024,
            placeholders: std::collections::BTreeMap::new(),
            zone: None,
        }
    }
}

fn default_data_dir() -> PathBuf {
    use std::os::unix::fs::MetadataExt;
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|about| about.uid() == 0);
    match std::env::var_os("HOME").map(PathBuf::from) {
        Some(home) if !is_root && home.is_dir() => home.join(".local/share/tocsin"),
        _ => PathBuf::from("/var/lib/tocsin"),
    }
}
