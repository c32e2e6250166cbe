//! [`Assets`]: whose host, user or network something is, and how much it matters.
//!
//! In: tables that people keep (host, user, address, network; owner, criticality). Out: the fields
//! `host.asset.*`, `user.asset.*`, `source.asset.*`, `destination.asset.*`, and
//! `tocsin.severity.change` where an alert of it shall weigh more or less.

use std::net::IpAddr;
use std::sync::Arc;

use ahash::AHashMap;
use ipnet::IpNet;
use tocsin_model::field::{self, FieldId};
use tocsin_model::{Event, Value};

use crate::config::{AssetConfig, Criticality};
use crate::networks::Networks;
use crate::table::{self, Row};

/// The most rows of all tables.
pub const ASSETS_MAX: usize = 1_000_000;

/// What is known of a host, a user or a network.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asset {
    /// What people call it.
    pub name: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// How much it matters.
    pub criticality: Option<Criticality>,
}

/// Everything that tables say.
#[derive(Debug, Default)]
pub struct Assets {
    hosts: AHashMap<String, Arc<Asset>>,
    users: AHashMap<String, Arc<Asset>>,
    networks: Networks<Arc<Asset>>,
    raise: Vec<Criticality>,
    lower: Vec<Criticality>,
    rows: usize,
}

/// Where an asset's fields go: owner, criticality, name.
type Fields = [FieldId; 3];
const HOST: Fields =
    [field::HOST_ASSET_OWNER, field::HOST_ASSET_CRITICALITY, field::HOST_ASSET_NAME];
const USER: Fields =
    [field::USER_ASSET_OWNER, field::USER_ASSET_CRITICALITY, field::USER_ASSET_NAME];
const SOURCE: Fields =
    [field::SOURCE_ASSET_OWNER, field::SOURCE_ASSET_CRITICALITY, field::SOURCE_ASSET_NAME];
const DESTINATION: Fields = [
    field::DESTINATION_ASSET_OWNER,
    field::DESTINATION_ASSET_CRITICALITY,
    field::DESTINATION_ASSET_NAME,
];

impl Assets {
    /// Without any table.
    pub fn new(config: &AssetConfig) -> Self {
        let (raise, lower) = (config.raise.clone(), config.lower.clone());
        Self { raise, lower, ..Self::default() }
    }

    /// Adds a table; of two rows about the same, the later one holds. How many rows it has.
    ///
    /// # Errors
    /// What is wrong, with the line; rows before it may have been added.
    pub fn add_table(&mut self, text: &str) -> Result<usize, String> {
        let rows = table::read(text)?;
        if self.rows + rows.len() > ASSETS_MAX {
            return Err(format!("more than {ASSETS_MAX} rows in all"));
        }
        for row in &rows {
            self.add_row(row).map_err(|why| format!("line {}: {why}", row.number))?;
        }
        self.rows += rows.len();
        Ok(rows.len())
    }

    fn add_row(&mut self, row: &Row) -> Result<(), String> {
        let owned = |names: &[&str]| row.get(names).map(str::to_owned);
        let criticality = row
            .get(&["criticality", "importance", "tier"])
            .map(|word| {
                Criticality::parse(word).ok_or_else(|| {
                    format!("criticality {word:?} is none of low, medium, high, critical")
                })
            })
            .transpose()?;
        let asset = Arc::new(Asset {
            name: owned(&["name", "title", "description"]),
            owner: owned(&["owner", "team", "contact"]),
            criticality,
        });
        let mut names = 0;
        if let Some(host) = row.get(&["host", "hostname", "host.name", "fqdn"]) {
            self.hosts.insert(host.to_lowercase(), asset.clone());
            names += 1;
        }
        if let Some(user) = row.get(&["user", "username", "user.name", "account"]) {
            self.users.insert(user.to_lowercase(), asset.clone());
            names += 1;
        }
        let addresses = [&["address", "ip", "host.ip"][..], &["network", "subnet", "cidr"]];
        for text in addresses.iter().filter_map(|names| row.get(names)) {
            for part in text.split([' ', ',', ';']).filter(|part| !part.is_empty()) {
                let network = part
                    .parse::<IpNet>()
                    .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| format!("{part:?} is no address and no network"))?;
                self.networks.insert(network, asset.clone());
                names += 1;
            }
        }
        match names {
            0 => Err("names no host, user, address or network".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Hosts, users, and addresses with networks.
    pub fn counts(&self) -> [usize; 3] {
        [self.hosts.len(), self.users.len(), self.networks.len()]
    }

    /// Adds what is known of an event's host, user and addresses.
    pub fn add(&self, event: &mut Event) {
        if self.is_empty() {
            return;
        }
        let mut change = Change::default();
        let host = self.host(event, field::HOST_NAME);
        let host = host.or_else(|| self.host(event, field::HOST_HOSTNAME));
        self.put(event, host, HOST, &mut change);
        let user = event.get_str(field::USER_TARGET_NAME).and_then(|name| self.user(name));
        let user =
            user.or_else(|| event.get_str(field::USER_NAME).and_then(|name| self.user(name)));
        self.put(event, user, USER, &mut change);
        for (from, to) in [(field::SOURCE_IP, SOURCE), (field::DESTINATION_IP, DESTINATION)] {
            let address = event.get_str(from).and_then(|text| text.parse().ok());
            let asset = address.and_then(|address| self.networks.find(address)).cloned();
            self.put(event, asset, to, &mut change);
        }
        if let Some(change) = change.of() {
            event.set(field::TOCSIN_SEVERITY_CHANGE, Value::Int(change));
        }
    }

    fn user(&self, name: &str) -> Option<Arc<Asset>> {
        if self.users.is_empty() {
            return None;
        }
        self.users.get(&name.to_lowercase()).cloned()
    }

    /// By its name, or the first part of it.
    fn host(&self, event: &Event, from: FieldId) -> Option<Arc<Asset>> {
        if self.hosts.is_empty() {
            return None;
        }
        let name = event.get_str(from)?.to_lowercase();
        let short = name.split('.').next().unwrap_or("");
        self.hosts.get(&name).or_else(|| self.hosts.get(short)).cloned()
    }

    fn put(&self, event: &mut Event, asset: Option<Arc<Asset>>, to: Fields, change: &mut Change) {
        let Some(asset) = asset else { return };
        let criticality = asset.criticality.map(Criticality::as_str);
        let values = [asset.owner.as_deref(), criticality, asset.name.as_deref()];
        for (id, value) in to.into_iter().zip(values) {
            if let Some(value) = value.filter(|_| !event.has(id)) {
                event.push_str(id, value);
            }
        }
        if let Some(criticality) = asset.criticality {
            change.known = true;
            change.raise |= self.raise.contains(&criticality);
            change.keep |= !self.lower.contains(&criticality);
        }
    }
}

/// What the things of one event make of its severity: one that matters raises it, and only when
/// all that are known matter little is it lowered.
#[derive(Default)]
struct Change {
    known: bool,
    raise: bool,
    keep: bool,
}

impl Change {
    fn of(&self) -> Option<i64> {
        match self {
            Self { raise: true, .. } => Some(1),
            Self { known: true, keep: false, .. } => Some(-1),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(fields: &[(FieldId, &str)]) -> Event {
        let mut event = Event::default();
        for (id, text) in fields {
            event.push_str(*id, text);
        }
        event
    }

    #[test]
    fn what_is_known_goes_to_its_fields_and_weighs() {
        let mut assets = Assets::new(&AssetConfig::default());
        let text = "host,user,network,owner,criticality,name\n\
                    db-1,,,ana,critical,Ledger\n\
                    lab-1,,,bo,low,\n\
                    ,root,,ops,high,\n\
                    ,,10.7.0.0/16,cy,medium,Office\n";
        assert_eq!(assets.add_table(text), Ok(4));
        assert_eq!(assets.counts(), [2, 1, 1]);
        let change = |event: &Event| match event.get(field::TOCSIN_SEVERITY_CHANGE) {
            Some(Value::Int(change)) => change,
            _ => 0,
        };
        let mut one = event(&[(field::HOST_NAME, "DB-1.corp.example"), (field::USER_NAME, "x")]);
        assets.add(&mut one);
        assert_eq!(one.get_str(field::HOST_ASSET_OWNER), Some("ana"));
        assert_eq!(one.get_str(field::HOST_ASSET_CRITICALITY), Some("critical"));
        assert_eq!(one.get_str(field::HOST_ASSET_NAME), Some("Ledger"));
        assert_eq!(change(&one), 1);
        let table: [(&[(FieldId, &str)], i64); 5] = [
            (&[(field::HOST_NAME, "lab-1")], -1),
            (&[(field::HOST_NAME, "lab-1"), (field::USER_NAME, "root")], 0),
            (&[(field::HOST_NAME, "other")], 0),
            (&[(field::SOURCE_IP, "10.7.1.1")], 0),
            (&[(field::DESTINATION_IP, "10.7.1.1"), (field::HOST_NAME, "db-1")], 1),
        ];
        for (fields, expected) in table {
            let mut event = event(fields);
            assets.add(&mut event);
            assert_eq!(change(&event), expected, "{fields:?}");
        }
    }

    #[test]
    fn rows_that_make_no_sense_are_named() {
        for (text, why) in [
            ("host,criticality\na,huge\n", "line 2: criticality \"huge\""),
            ("owner\nana\n", "line 2: names no host"),
            ("address\n10.0.0.300\n", "line 2: \"10.0.0.300\" is no address"),
        ] {
            let error = Assets::new(&AssetConfig::default()).add_table(text).unwrap_err();
            assert!(error.starts_with(why), "{error}");
        }
    }
}
