//! The `geoip:`, `assets:` and `intel:`, `first_seen:` and `baselines:` sections of the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::intel::Kind;

/// All sections of this stage together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EnrichConfig {
    /// Places of addresses.
    pub geoip: GeoConfig,
    /// Hosts, users and networks of one's own.
    pub assets: AssetConfig,
    /// What others warn of.
    pub intel: IntelConfig,
    /// What is noticed the first time.
    pub first_seen: FirstSeenConfig,
    /// Rates that are learned.
    pub baselines: BaselineConfig,
}

/// Where addresses are and whose they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GeoConfig {
    /// MMDB files (MaxMind's, IPinfo's, DB-IP's or others), beside those that `tocsin geoip
    /// update` puts into `<data_dir>/geoip`; of two that know an address, the first one is
    /// believed. Read again when they change. Default none.
    pub files: Vec<PathBuf>,
    /// Whether every event has the fields; where not, alerts still do. Default true.
    pub events: bool,
    /// Registry that `tocsin geoip update` fetches the free databases from. Default the npm
    /// registry.
    pub registry: String,
}

impl Default for GeoConfig {
    fn default() -> Self {
        Self { files: Vec::new(), events: true, registry: "https://registry.npmjs.org".to_owned() }
    }
}

/// Whose hosts, users and networks they are, and how much they matter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AssetConfig {
    /// Tables of hosts, users, addresses and networks, as CSV, JSON list or JSON lines, with the
    /// columns `host`, `user`, `address`, `network`, `name`, `owner`, `criticality`
    /// (docs/intelligence.md). Read again when they change. Default none.
    pub files: Vec<PathBuf>,
    /// Criticalities that raise the severity of an alert by one. Default critical.
    pub raise: Vec<Criticality>,
    /// Criticalities that lower it by one. Default low.
    pub lower: Vec<Criticality>,
}

impl Default for AssetConfig {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            raise: vec![Criticality::Critical],
            lower: vec![Criticality::Low],
        }
    }
}

/// How much something matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Nobody would miss it for a while.
    Low,
    /// As most.
    Medium,
    /// Important.
    High,
    /// Everything depends on it.
    Critical,
}

impl Criticality {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// What a word means; those that other inventories use, too.
    pub fn parse(word: &str) -> Option<Self> {
        match word.to_lowercase().as_str() {
            "low" | "low_impact" | "minor" | "1" => Some(Self::Low),
            "medium" | "medium_impact" | "normal" | "2" => Some(Self::Medium),
            "high" | "high_impact" | "3" => Some(Self::High),
            "critical" | "extreme_impact" | "4" => Some(Self::Critical),
            _ => None,
        }
    }
}

/// Indicators that others warn of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IntelConfig {
    /// Feeds by name. Default none.
    pub feeds: BTreeMap<String, FeedConfig>,
    /// Days of stored history in which an indicator that arrives is looked for; 0 looks at none.
    /// Default 30.
    pub hunt_days: u32,
}

impl Default for IntelConfig {
    fn default() -> Self {
        Self { feeds: BTreeMap::new(), hunt_days: 30 }
    }
}

/// The form of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FeedFormat {
    /// One value a line; comments after `#` and `;`; lines of hosts files.
    #[default]
    Plain,
    /// Columns, with or without a line of names.
    Csv,
    /// A list of texts or objects, or one object a line.
    Json,
    /// A MISP event or export, or the address of a MISP feed (with its manifest).
    Misp,
    /// A STIX 2 bundle.
    Stix,
    /// A collection of a TAXII 2.1 server.
    Taxii,
}

/// One feed of indicators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeedConfig {
    /// Its form: plain, csv, json, misp, stix, taxii. Default plain.
    pub format: FeedFormat,
    /// Where it is fetched: http(s) address; of `taxii` that of the collection
    /// (`https://host/api/collections/ID/`).
    pub url: Option<String>,
    /// A file instead, read again when due.
    pub file: Option<PathBuf>,
    /// What all its values are: address, network, domain, url, hash, email. Default: by their
    /// looks.
    pub kind: Option<Kind>,
    /// Column (csv) or member (json) with the value. Default: one of the usual names.
    pub column: Option<String>,
    /// Confidence of what does not say its own, 0 to 100. Default 50.
    pub confidence: u8,
    /// Days that an indicator without an expiry of its own is believed after it was last in the
    /// feed; 0 is as long as the feed has it. Default 0.
    pub expires_days: u32,
    /// Hours between two fetches. Default 6.
    pub every_hours: f64,
    /// User for basic authentication.
    pub username: Option<String>,
    /// File with the password for basic authentication.
    pub password_file: Option<PathBuf>,
    /// File with a token, sent as `Authorization: Bearer`.
    pub token_file: Option<PathBuf>,
    /// Headers to send too, for example an API key. Masked where the configuration is shown.
    #[serde(skip_serializing)]
    pub headers: BTreeMap<String, String>,
    /// Certificates to trust beside the usual ones.
    pub ca_file: Option<PathBuf>,
}

impl Default for FeedConfig {
    fn default() -> Self {
        Self {
            format: FeedFormat::Plain,
            url: None,
            file: None,
            kind: None,
            column: None,
            confidence: 50,
            expires_days: 0,
            every_hours: 6.0,
            username: None,
            password_file: None,
            token_file: None,
            headers: BTreeMap::new(),
            ca_file: None,
        }
    }
}

/// Facts that are noticed the first time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FirstSeenConfig {
    /// Whether facts are remembered. Default true.
    pub enabled: bool,
    /// Days in which a fact, and each thing that it is about, is only learned. Default 7.
    pub learning_days: f64,
    /// The most facts that are remembered; those not seen for longest go first. Default 500000.
    pub facts_max: usize,
    /// Facts by name (docs/baselines.md). One of the name of a built-in one takes its place; one
    /// without fields switches it off. Default: user_country, user_host, host_process,
    /// address_port.
    pub facts: BTreeMap<String, FactConfig>,
}

/// One kind of fact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FactConfig {
    /// Fields that make it; the first is the thing that it is about.
    pub fields: Vec<String>,
    /// What events must hold: field to values, of which one is enough.
    #[serde(rename = "where")]
    pub holds: BTreeMap<String, Vec<String>>,
}

impl FactConfig {
    fn of(fields: &[&str], holds: &[(&str, &[&str])]) -> Self {
        Self { fields: texts(fields), holds: conditions(holds) }
    }
}

fn texts(all: &[&str]) -> Vec<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

fn conditions(all: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    all.iter().map(|(field, values)| ((*field).to_owned(), texts(values))).collect()
}

const LOGINS: (&str, &[&str]) = ("event.category", &["authentication"]);
const SUCCESS: (&str, &[&str]) = ("event.outcome", &["success"]);
const FAILURE: (&str, &[&str]) = ("event.outcome", &["failure"]);

impl FirstSeenConfig {
    /// The facts in force.
    pub fn in_force(&self) -> BTreeMap<String, FactConfig> {
        let mut facts = BTreeMap::new();
        let mut add = |name: &str, fact| facts.insert(name.to_owned(), fact);
        let country = ["user.name", "source.geo.country_iso_code"];
        add("user_country", FactConfig::of(&country, &[LOGINS, SUCCESS]));
        add("user_host", FactConfig::of(&["user.name", "host.name"], &[LOGINS, SUCCESS]));
        let started: (&str, &[&str]) = ("event.category", &["process"]);
        add("host_process", FactConfig::of(&["host.name", "process.executable"], &[started]));
        let ports = ["source.ip", "destination.ip", "destination.port"];
        let allowed: (&str, &[&str]) = ("event.type", &["allowed", "connection", "start"]);
        let network: (&str, &[&str]) = ("event.category", &["network"]);
        add("address_port", FactConfig::of(&ports, &[network, allowed]));
        facts.extend(self.facts.clone());
        facts.retain(|_, fact| !fact.fields.is_empty());
        facts
    }
}

impl Default for FirstSeenConfig {
    fn default() -> Self {
        Self { enabled: true, learning_days: 7.0, facts_max: 500_000, facts: BTreeMap::new() }
    }
}

/// Rates that are learned by the hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BaselineConfig {
    /// Whether rates are learned. Default true.
    pub enabled: bool,
    /// Days in which the rate of a thing is only learned. Default 7.
    pub learning_days: f64,
    /// How far a rate must be above the usual one, in standard deviations. Default 6.
    pub deviations: f64,
    /// The most things whose rates are remembered, all rates together. Default 20000.
    pub things_max: usize,
    /// Rates by name (docs/baselines.md). One of the name of a built-in one takes its place; one
    /// without `by` switches it off. Default: failed_logins, logins, denied_connections,
    /// web_requests, web_errors, admin_commands.
    pub rates: BTreeMap<String, RateConfig>,
}

/// One kind of rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateConfig {
    /// Fields that make the thing whose rate it is.
    pub by: Vec<String>,
    /// What events must hold: field to values, of which one is enough.
    #[serde(rename = "where")]
    pub holds: BTreeMap<String, Vec<String>>,
    /// Fewer than this in an hour are never unusual. Default 20.
    pub least: u32,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self { by: Vec::new(), holds: BTreeMap::new(), least: 20 }
    }
}

impl BaselineConfig {
    /// The rates in force.
    pub fn in_force(&self) -> BTreeMap<String, RateConfig> {
        let mut rates = BTreeMap::new();
        let mut add = |name: &str, by: &[&str], holds: &[(&str, &[&str])]| {
            let rate =
                RateConfig { by: texts(by), holds: conditions(holds), ..RateConfig::default() };
            rates.insert(name.to_owned(), rate);
        };
        let web: (&str, &[&str]) = ("event.category", &["web"]);
        add("failed_logins", &["host.name"], &[LOGINS, FAILURE]);
        add("logins", &["user.name"], &[LOGINS, SUCCESS]);
        add("denied_connections", &["host.name"], &[("event.type", &["denied"])]);
        add("web_requests", &["host.name"], &[web]);
        add("web_errors", &["host.name"], &[web, FAILURE]);
        add("admin_commands", &["user.name"], &[("event.action", &["sudo_command"])]);
        rates.extend(self.rates.clone());
        rates.retain(|_, rate| !rate.by.is_empty());
        rates
    }
}

impl Default for BaselineConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            learning_days: 7.0,
            deviations: 6.0,
            things_max: 20_000,
            rates: BTreeMap::new(),
        }
    }
}
