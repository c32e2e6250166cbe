//! [`Intel`]: indicators that others warn of, looked up in events.
//!
//! In: indicators of feeds ([`formats`] reads them). Out: `threat.indicator.*` on events that hold
//! one. A feed is an [`Index`] of its own: a table of hashes over keys that stand in one piece of
//! memory, some fifty bytes an indicator. Never fetches anything.

pub mod formats;
mod index;
mod pattern;
mod value;

use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use tocsin_model::field::{self, FieldId};
use tocsin_model::{Event, Timestamp, Value};

pub use index::{Builder, Index};
pub use value::{Kind, normal};

use value::{Needle, url_of};

/// The most matches that one event tells of.
pub const MATCHES_MAX: usize = 8;
/// The most names above a domain that are looked up.
const PARENTS_MAX: usize = 8;

/// One thing that somebody warns of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indicator {
    /// What it is.
    pub kind: Kind,
    /// Its value as all are written (see [`normal`]).
    pub value: String,
    /// How sure its source is, 0 to 100.
    pub confidence: u8,
    /// When it is no longer to be believed; `None` is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
}

/// An indicator that an event holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The indicator.
    pub indicator: Indicator,
    /// Name of its feed.
    pub feed: Arc<str>,
    /// The field that held it.
    pub field: FieldId,
    /// What the field holds.
    pub value: String,
}

/// All feeds in force.
#[derive(Debug, Default, Clone)]
pub struct Intel {
    feeds: Vec<(Arc<str>, Arc<Index>)>,
}

/// What a field may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Nothing,
    Address,
    Domain,
    Url,
    Hash,
    Email,
}

/// Fields that are looked at.
const FIELDS: &[(&str, Class)] = &[
    ("source.ip", Class::Address),
    ("destination.ip", Class::Address),
    ("client.ip", Class::Address),
    ("server.ip", Class::Address),
    ("source.nat.ip", Class::Address),
    ("destination.nat.ip", Class::Address),
    ("network.forwarded_ip", Class::Address),
    ("dns.resolved_ip", Class::Address),
    ("dns.question.name", Class::Domain),
    ("url.domain", Class::Domain),
    ("source.domain", Class::Domain),
    ("destination.domain", Class::Domain),
    ("tls.client.server_name", Class::Domain),
    ("url.full", Class::Url),
    ("url.original", Class::Url),
    ("file.hash.md5", Class::Hash),
    ("file.hash.sha1", Class::Hash),
    ("file.hash.sha256", Class::Hash),
    ("process.hash.md5", Class::Hash),
    ("process.hash.sha1", Class::Hash),
    ("process.hash.sha256", Class::Hash),
    ("dll.hash.sha256", Class::Hash),
    ("related.hash", Class::Hash),
    ("tls.client.ja3", Class::Hash),
    ("email.from.address", Class::Email),
    ("email.to.address", Class::Email),
    ("user.email", Class::Email),
];

/// Classes by the numbers of fields.
static CLASSES: LazyLock<Vec<Class>> = LazyLock::new(|| {
    let mut classes = Vec::new();
    for (name, class) in FIELDS {
        let Some(id) = FieldId::intern(name) else { continue };
        if classes.len() <= id.index() {
            classes.resize(id.index() + 1, Class::Nothing);
        }
        classes[id.index()] = *class;
    }
    classes
});

impl Intel {
    /// Of these feeds, by name.
    pub fn new(feeds: Vec<(Arc<str>, Arc<Index>)>) -> Self {
        // Made now rather than with the first event.
        let _ = CLASSES.len();
        Self { feeds }
    }

    /// Whether nothing is warned of.
    pub fn is_empty(&self) -> bool {
        self.feeds.iter().all(|(_, index)| index.is_empty())
    }

    /// The feeds.
    pub fn feeds(&self) -> &[(Arc<str>, Arc<Index>)] {
        &self.feeds
    }

    /// Finds what an event holds that is believed at `now`, the surest first.
    pub fn find(&self, event: &Event, now: Timestamp, found: &mut Vec<Match>) {
        let classes = CLASSES.as_slice();
        for (id, value) in event.iter() {
            let class = classes.get(id.index()).copied().unwrap_or(Class::Nothing);
            if class == Class::Nothing {
                continue;
            }
            value.for_each_scalar(|value| {
                if let Value::Str(text) = value {
                    self.look(event, id, class, text, now, found);
                }
            });
        }
        if found.len() > 1 {
            found.sort_by_key(|one| std::cmp::Reverse(one.indicator.confidence));
        }
    }

    fn look(
        &self,
        event: &Event,
        id: FieldId,
        class: Class,
        text: &str,
        now: Timestamp,
        found: &mut Vec<Match>,
    ) {
        let mut try_one = |needle: &Needle| {
            for (feed, index) in &self.feeds {
                if found.len() >= MATCHES_MAX {
                    return;
                }
                let Some(indicator) = index.get(needle, now) else { continue };
                let known = |one: &Match| one.indicator == indicator && one.feed == *feed;
                if !found.iter().any(known) {
                    let (feed, value) = (feed.clone(), text.to_owned());
                    found.push(Match { indicator, feed, field: id, value });
                }
            }
        };
        match class {
            Class::Nothing => {}
            Class::Address => {
                let Ok(address) = text.parse::<IpAddr>() else { return };
                try_one(&Needle::address(address));
                self.look_around(id, address, text, now, found);
            }
            Class::Domain => {
                let Some(name) = value::domain(text) else { return };
                let mut rest = name.as_ref();
                for _ in 0..PARENTS_MAX {
                    try_one(&Needle::text(Kind::Domain, rest));
                    match rest.split_once('.') {
                        Some((_, parent)) if parent.contains('.') => rest = parent,
                        _ => break,
                    }
                }
            }
            Class::Url => {
                if !self.feeds.iter().any(|(_, index)| index.has(Kind::Url)) {
                    return;
                }
                let Some(url) = url_of(text, event.get_str(field::URL_DOMAIN)) else { return };
                try_one(&Needle::text(Kind::Url, &url));
                if let Some((bare, _)) = url.split_once('?') {
                    try_one(&Needle::text(Kind::Url, bare));
                }
            }
            Class::Hash => {
                if let Some(hash) = value::hash(text) {
                    try_one(&Needle::text(Kind::Hash, &hash));
                }
            }
            Class::Email => {
                if let Some(address) = value::email(text) {
                    try_one(&Needle::text(Kind::Email, &address));
                }
            }
        }
    }

    /// Looks for networks around an address. One that holds private addresses says nothing of
    /// those here.
    fn look_around(
        &self,
        id: FieldId,
        address: IpAddr,
        text: &str,
        now: Timestamp,
        found: &mut Vec<Match>,
    ) {
        if !crate::geo::is_public(address) {
            return;
        }
        for (feed, index) in &self.feeds {
            let Some(indicator) = index.network(address, now) else { continue };
            if found.len() < MATCHES_MAX {
                found.push(Match {
                    indicator,
                    feed: feed.clone(),
                    field: id,
                    value: text.to_owned(),
                });
            }
        }
    }

    /// Adds what it finds to an event; whether there was anything.
    pub fn add(&self, event: &mut Event, now: Timestamp, found: &mut Vec<Match>) -> bool {
        found.clear();
        self.find(event, now, found);
        tell(event, found);
        !found.is_empty()
    }
}

/// Writes matches into an event.
pub fn tell(event: &mut Event, found: &[Match]) {
    let Some(best) = found.first() else { return };
    let Indicator { kind, value, confidence, about, .. } = &best.indicator;
    event.set_str(field::THREAT_INDICATOR_TYPE, kind.of_stix(value));
    event.set_str(field::THREAT_INDICATOR_NAME, value);
    if *kind == Kind::Address {
        event.set_str(field::THREAT_INDICATOR_IP, value);
    }
    if !about.is_empty() {
        event.set_str(field::THREAT_INDICATOR_DESCRIPTION, about);
    }
    event.set_str(field::THREAT_INDICATOR_PROVIDER, &best.feed);
    event.set_str(field::THREAT_INDICATOR_CONFIDENCE, in_words(*confidence));
    event.set(field::TOCSIN_INDICATOR_CONFIDENCE, Value::Int(i64::from(*confidence)));
    event.remove(field::THREAT_MATCHED_ATOMIC);
    event.remove(field::THREAT_MATCHED_FIELD);
    event.push_list(field::THREAT_MATCHED_ATOMIC, found.iter().map(|one| Value::Str(&one.value)));
    event.push_list(
        field::THREAT_MATCHED_FIELD,
        found.iter().map(|one| Value::Str(one.field.name())),
    );
}

/// The words that ECS has for it, by the scale of STIX.
fn in_words(confidence: u8) -> &'static str {
    match confidence {
        0 => "None",
        1..30 => "Low",
        30..70 => "Medium",
        _ => "High",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intel(values: &[&str]) -> Intel {
        let mut builder = Builder::default();
        for text in values {
            let (kind, value) = normal(text, None).unwrap();
            let about = "botnet".to_owned();
            builder.add(&Indicator { kind, value, confidence: 80, expires: None, about });
        }
        Intel::new(vec![("test".into(), Arc::new(builder.finish()))])
    }

    #[test]
    fn values_are_found_in_the_fields_that_hold_them() {
        let intel = intel(&[
            "203.0.113.9",
            "198.51.100.0/24",
            "192.168.0.0/16",
            "2001:db8:bad::/48",
            "Evil.Example.",
            "http://files.example/a/b.exe",
            "d41d8cd98f00b204e9800998ecf8427e",
            "Phish@Example.org",
        ]);
        let table: &[(&[(&str, &str)], Option<&str>)] = &[
            (&[("source.ip", "203.0.113.9")], Some("203.0.113.9")),
            (&[("source.ip", "::ffff:203.0.113.9")], Some("203.0.113.9")),
            (&[("destination.ip", "198.51.100.77")], Some("198.51.100.0/24")),
            (&[("source.ip", "192.168.0.7")], None),
            (&[("source.ip", "203.0.113.10")], None),
            (&[("user.name", "203.0.113.9")], None),
            (&[("source.ip", "2001:db8:bad::7")], Some("2001:db8:bad::/48")),
            (&[("dns.question.name", "a.b.EVIL.example")], Some("evil.example")),
            (&[("dns.question.name", "notevil.example")], None),
            (&[("url.original", "http://FILES.example/a/b.exe#x")], Some("files.example/a/b.exe")),
            (
                &[("url.domain", "files.example"), ("url.original", "/a/b.exe?q=1")],
                Some("files.example/a/b.exe"),
            ),
            (&[("url.original", "/a/b.exe")], None),
            (
                &[("process.hash.md5", "D41D8CD98F00B204E9800998ECF8427E")],
                Some("d41d8cd98f00b204e9800998ecf8427e"),
            ),
            (&[("email.from.address", "<phish@EXAMPLE.org>")], Some("phish@example.org")),
        ];
        for (fields, expected) in table {
            let mut event = Event::default();
            for (name, text) in *fields {
                event.push_str(FieldId::intern(name).unwrap(), text);
            }
            let mut found = Vec::new();
            assert_eq!(intel.add(&mut event, Timestamp(1), &mut found), expected.is_some());
            assert_eq!(event.get_str(field::THREAT_INDICATOR_NAME), *expected, "{fields:?}");
        }
    }

    #[test]
    fn what_is_told_is_ecs() {
        let intel = intel(&["203.0.113.9", "evil.example"]);
        let mut event = Event::default();
        event.push_str(field::SOURCE_IP, "203.0.113.9");
        event.push_str(field::URL_DOMAIN, "www.evil.example");
        intel.add(&mut event, Timestamp(1), &mut Vec::new());
        let shown = event.to_json();
        assert_eq!(
            shown["threat"],
            serde_json::json!({
                "indicator": {
                    "type": "ipv4-addr", "name": "203.0.113.9", "ip": "203.0.113.9",
                    "description": "botnet", "provider": "test", "confidence": "High",
                },
                "enrichments": {"matched": {
                    "atomic": ["203.0.113.9", "www.evil.example"],
                    "field": ["source.ip", "url.domain"],
                }},
            })
        );
    }

    #[test]
    fn what_is_over_is_not_believed() {
        let mut builder = Builder::default();
        let (kind, value) = normal("203.0.113.9", None).unwrap();
        let expires = Timestamp::parse_rfc3339("2026-01-02T00:00:00Z");
        builder.add(&Indicator { kind, value, confidence: 1, expires, about: String::new() });
        let intel = Intel::new(vec![("t".into(), Arc::new(builder.finish()))]);
        let mut event = Event::default();
        event.push_str(field::SOURCE_IP, "203.0.113.9");
        for (now, expected) in [("2026-01-01T23:00:00Z", 1), ("2026-01-02T01:00:00Z", 0)] {
            let mut found = Vec::new();
            intel.find(&event, Timestamp::parse_rfc3339(now).unwrap(), &mut found);
            assert_eq!(found.len(), expected, "{now}");
        }
    }
}
