//! [`RespondConfig`]: the `respond:` section of the configuration.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tocsin_model::Severity;
use tocsin_model::rule::Block;

use crate::firewall::Firewall;
use crate::guard::Guard;

/// Whether addresses are blocked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing is blocked and nothing said.
    Off,
    /// What would be blocked is recorded and shown; the firewall is left alone.
    #[default]
    DryRun,
    /// Addresses are blocked.
    Enforce,
}

impl Mode {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::DryRun => "dry_run",
            Self::Enforce => "enforce",
        }
    }
}

/// What blocks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FirewallKind {
    /// A table of its own in nftables; the kernel lifts bans by itself.
    #[default]
    Nftables,
    /// Sets of ipset with rules of iptables; the kernel lifts bans by itself.
    Ipset,
    /// Rich rules of firewalld with a timeout; firewalld lifts bans by itself.
    Firewalld,
    /// A program of yours, called with `block ADDRESS SECONDS` or `unblock ADDRESS`.
    Script,
    /// Requests to something that blocks elsewhere: Cloudflare, OPNsense, or what a template of
    /// yours describes.
    Webhook,
}

/// What blocks elsewhere, over HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// `cloudflare`, `opnsense`, or the path of a template. Default none.
    pub template: String,
    /// Address of its API, where that is not the same for everybody. Default none.
    pub url: Option<String>,
    /// What the template asks for: `zone` (Cloudflare), `alias` (OPNsense). Default none.
    pub settings: std::collections::BTreeMap<String, String>,
    /// File with the token (OPNsense: `key:secret`). Default none.
    pub token_file: Option<PathBuf>,
    /// Environment variable with it. Default none.
    pub token_env: Option<String>,
    /// PEM file of a certificate authority to trust beside the usual ones. Default none.
    pub ca_file: Option<PathBuf>,
}

/// Alerts that block beside those that their rule says it of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BanRoute {
    /// Which alerts: a condition in the query language.
    pub when: String,
    /// Whom: a field with an address (`source.ip`) or a user (`user.name`). Default source.ip.
    #[serde(default = "source_ip")]
    pub field: String,
    /// Seconds that the ban lasts. Default as `respond.for_seconds`.
    #[serde(default)]
    pub for_seconds: Option<u64>,
}

fn source_ip() -> String {
    "source.ip".to_owned()
}

/// Blocking of attackers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RespondConfig {
    /// `off`, `dry_run` (say what would be blocked) or `enforce`. Default dry_run.
    pub mode: Mode,
    /// What blocks: `nftables`, `ipset`, `firewalld`, `script` or `webhook`. Default nftables.
    pub with: FirewallKind,
    /// What is asked to block, with `webhook`.
    pub webhook: WebhookConfig,
    /// Path of the program, with `script`. Default none.
    pub script: Option<PathBuf>,
    /// Program that disables users, called with `disable USER SECONDS` or `enable USER`; without it
    /// no user is disabled. Default none.
    pub user_script: Option<PathBuf>,
    /// Users that are never disabled, beside root, those of the system (numbers below 1000) and the
    /// one that Tocsin runs as. Default none.
    pub allow_users: Vec<String>,
    /// Alerts that block by a condition, beside those of rules that say `tocsin.block`. Default
    /// none.
    pub routes: Vec<BanRoute>,
    /// Ids or names of rules whose alerts block `source.ip`; empty: those of every rule. Default
    /// empty.
    pub rules: Vec<String>,
    /// The least severity of an alert that blocks: `informational`, `low`, `medium`, `high` or
    /// `critical`. Default high.
    pub severity: String,
    /// Seconds that a ban lasts. An address that was banned in the last 30 days stays out twice as
    /// long each time. Default 3600.
    pub for_seconds: u64,
    /// The longest ban that comes of doubling, seconds. Default 604800 (a week).
    pub for_seconds_max: u64,
    /// Bans that rules may make in an hour; people are not counted. Default 60.
    pub per_hour_max: u32,
    /// Bans that one rule may make in an hour. Default 20.
    pub per_rule_hour_max: u32,
    /// Addresses and networks that are never blocked, beside those of `alerts.allow_list`. This
    /// machine's own addresses, its gateways and name servers and whatever is loopback, link-local
    /// or multicast never are. Default none.
    pub allow: Vec<String>,
    /// Whether addresses of private networks (RFC 1918, unique local IPv6) may be blocked: behind
    /// a proxy that hides its clients one such address may be all of them. Default false.
    pub private: bool,
    /// An address from which somebody logged in well in so many days before the attack is not
    /// blocked by a rule. Default 30.
    pub login_days: u32,
}

impl Default for RespondConfig {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            with: FirewallKind::default(),
            webhook: WebhookConfig::default(),
            script: None,
            user_script: None,
            allow_users: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            severity: "high".to_owned(),
            for_seconds: 3600,
            for_seconds_max: 7 * 86_400,
            per_hour_max: 60,
            per_rule_hour_max: 20,
            allow: Vec::new(),
            private: false,
            login_days: 30,
        }
    }
}

impl RespondConfig {
    /// Whether all of it makes sense.
    ///
    /// # Errors
    /// What does not; begins with the key.
    pub fn check(&self) -> Result<(), String> {
        self.least()?;
        if self.for_seconds == 0 {
            return Err("respond.for_seconds: a ban lasts a second at least".to_owned());
        }
        Guard::new(&self.allow, self.private)?;
        for (place, route) in self.routes.iter().enumerate() {
            let field = route.field.as_str();
            if !Block::ADDRESS_FIELDS.contains(&field) && !Block::USER_FIELDS.contains(&field) {
                return Err(format!(
                    "respond.routes[{place}].field: nobody can be blocked by {field}; use {}",
                    [&Block::ADDRESS_FIELDS[..], &Block::USER_FIELDS[..]].concat().join(", ")
                ));
            }
        }
        if let Some(script) = self.user_script.as_ref().filter(|path| !path.is_file()) {
            return Err(format!("respond.user_script: {} is no file", script.display()));
        }
        Firewall::of(self).map(drop)
    }

    /// The least severity that blocks.
    pub(crate) fn least(&self) -> Result<Severity, String> {
        self.severity.parse().map_err(|_| {
            format!(
                "respond.severity: {:?} is none of informational, low, medium, high, critical",
                self.severity
            )
        })
    }

    /// How long the ban lasts of an address that was banned `before` times.
    pub fn lasts(&self, before: u32) -> Duration {
        self.lasts_first(None, before)
    }

    /// The same, where the first lasts as long as a rule says.
    pub fn lasts_first(&self, first: Option<Duration>, before: u32) -> Duration {
        let first = first.map_or(self.for_seconds, |first| first.as_secs().max(1));
        let factor = 1_u64.checked_shl(before.min(63)).unwrap_or(u64::MAX);
        let doubled = first.saturating_mul(factor);
        Duration::from_secs(doubled.min(self.for_seconds_max.max(first)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bans_double_up_to_a_limit() {
        let config = RespondConfig::default();
        let hours = |before| config.lasts(before).as_secs() / 3600;
        assert_eq!([hours(0), hours(1), hours(3), hours(8), hours(500)], [1, 2, 8, 168, 168]);
        let long = RespondConfig { for_seconds: 10_000_000, ..RespondConfig::default() };
        assert_eq!(long.lasts(5).as_secs(), 10_000_000);
    }
}
