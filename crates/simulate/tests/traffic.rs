//! The traffic: the same for the same seed, complete attacks, and ordinary entries that keep
//! below what any rule counts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use proptest::prelude::*;
use tocsin_model::Timestamp;
use tocsin_simulate::traffic::{
    Attack, Body, Format, Item, Scenario, SyslogForm, Traffic, TrafficOptions,
};

fn options(scenario: Scenario, seed: u64, rate: f64) -> TrafficOptions {
    let start = Timestamp::parse_rfc3339("2026-11-02T08:00:00Z").unwrap();
    TrafficOptions { scenario, seed, start, rate }
}

fn entries(scenario: Scenario, seed: u64, rate: f64, count: usize) -> Vec<Item> {
    Traffic::new(&options(scenario, seed, rate)).take(count).collect()
}

fn only(attack: Attack) -> Scenario {
    Scenario { attacks: vec![attack] }
}

#[test]
fn the_seed_decides_everything() {
    let lines = |seed| -> Vec<String> {
        entries(Scenario::all(), seed, 50.0, 3_000).iter().map(Item::line).collect()
    };
    assert_eq!(lines(4), lines(4));
    assert_ne!(lines(4), lines(5));
}

#[test]
fn times_follow_the_rate_and_pauses() {
    let mut traffic = Traffic::new(&options(Scenario::quiet(), 1, 4.0));
    let start = traffic.next_time();
    let after: Vec<Duration> =
        traffic.by_ref().take(3).map(|item| item.time.since(start)).collect();
    assert_eq!(after, [0, 250, 500].map(Duration::from_millis));
    traffic.pause(Duration::from_secs(60));
    assert_eq!(traffic.next().unwrap().time.since(start), Duration::from_millis(60_750));
}

/// What an attack must have said within its first seconds.
fn marks(attack: Attack) -> &'static [(&'static str, usize)] {
    match attack {
        Attack::SshBruteForce => {
            &[("Failed password for", 13), ("Accepted password for backup", 1)]
        }
        Attack::CredentialStuffing => &[("\"POST /api/login HTTP/1.1\" 401", 14), (" anna [", 7)],
        Attack::SqlInjection => &[("UNION", 3), ("information_schema", 1)],
        Attack::PortScan => &[("SYN URGP=0", 32)],
        Attack::PrivilegeEscalation => {
            &[("NOT in sudoers", 1), ("FAILED SU (to root)", 3), ("new user:", 1), ("'sudo'", 2)]
        }
        Attack::Malware => &[("\"event_type\":\"malware_execution\"", 1)],
        Attack::WebScanner => &[("Nikto", 31), ("\" 403 ", 6)],
        Attack::RequestFlood => &[("GET /search?q=", 90)],
        Attack::PathTraversal => &[("etc", 5), ("/proc", 0), ("%c0%af", 1)],
        Attack::PasswordSpraying => &[("Failed password for", 14)],
    }
}

#[test]
fn each_attack_begins_at_once_and_is_complete() {
    for attack in Attack::ALL {
        for seed in 0..5 {
            let all = entries(only(attack), seed, 50.0, 50 * 20);
            let mine: Vec<&Item> = all.iter().filter(|item| item.attack.is_some()).collect();
            let name = attack.name();
            assert!(mine.iter().all(|item| item.attack == Some(name)), "{name}");
            let begin = mine[0].time.since(all[0].time);
            assert!(begin < Duration::from_secs(2), "{name} begins after {begin:?}");
            for (mark, count) in marks(attack) {
                let said = mine.iter().filter(|item| item.line().contains(mark)).count();
                assert!(said >= *count, "{name}: {mark:?} {said} times");
            }
            assert!(all.iter().any(|item| item.attack.is_none()), "{name}: nothing ordinary");
        }
    }
}

#[test]
fn with_all_of_them_each_has_begun_after_eight_seconds() {
    for seed in 0..10 {
        let all = entries(Scenario::all(), seed, 50.0, 50 * 8);
        let begun: BTreeSet<_> = all.iter().filter_map(|item| item.attack).collect();
        assert_eq!(begun.len(), Attack::ALL.len(), "seed {seed}: {begun:?}");
    }
}

#[test]
fn attacks_come_again_from_elsewhere() {
    let all = entries(only(Attack::PortScan), 3, 20.0, 20 * 60 * 15);
    let mut sources = BTreeSet::new();
    for item in all.iter().filter(|item| item.attack.is_some()) {
        let line = item.line();
        let source = line.split_once("SRC=").unwrap().1.split(' ').next().unwrap().to_owned();
        assert!(
            ["192.0.2.", "198.51.100.", "203.0.113."].iter().any(|net| source.starts_with(net)),
            "{source}"
        );
        sources.insert(source);
    }
    assert!((4..=8).contains(&sources.len()), "{sources:?}");
}

#[test]
fn every_kind_of_log_is_there_and_every_entry_is_one_line() {
    let mut formats: BTreeMap<Format, usize> = BTreeMap::new();
    for item in entries(Scenario::all(), 8, 50.0, 20_000) {
        *formats.entry(item.format()).or_default() += 1;
        for text in [
            item.line(),
            item.syslog(SyslogForm::Rfc3164),
            item.syslog(SyslogForm::Rfc5424),
            item.ingest().to_string(),
        ] {
            assert!(!text.contains(['\n', '\r', '\0']) && text.len() < 2_000, "{text:?}");
        }
    }
    assert_eq!(formats.len(), Format::ALL.len(), "{formats:?}");
    assert!(formats.values().all(|count| *count >= 100), "{formats:?}");
}

/// The most that fell into any span of time, by key; entries come in order of time.
#[derive(Default)]
struct Windows {
    times: HashMap<String, Vec<(Timestamp, String)>>,
}

impl Windows {
    fn add(&mut self, key: impl Into<String>, time: Timestamp, what: impl Into<String>) {
        self.times.entry(key.into()).or_default().push((time, what.into()));
    }

    /// The most entries, and the most different ones, of one key within `span`.
    fn most(&self, span: Duration) -> (usize, usize) {
        let mut most = (0, 0);
        for times in self.times.values() {
            let mut first = 0;
            for at in 0..times.len() {
                while times[at].0.since(times[first].0) > span {
                    first += 1;
                }
                let different: BTreeSet<&str> =
                    times[first..=at].iter().map(|(_, what)| what.as_str()).collect();
                most = (most.0.max(at - first + 1), most.1.max(different.len()));
            }
        }
        most
    }
}

fn after<'l>(line: &'l str, mark: &str) -> Option<&'l str> {
    line.split_once(mark)?.1.split([' ', '"']).next()
}

fn check_quiet(seed: u64, rate: f64) {
    let (mut logins, mut requests, mut missing, mut ports) =
        (Windows::default(), Windows::default(), Windows::default(), Windows::default());
    for item in entries(Scenario::quiet(), seed, rate, 10_000) {
        assert_eq!(item.attack, None);
        let line = item.line();
        match &item.draft.body {
            Body::Web(request) => {
                let source = request.source.to_string();
                requests.add(source.as_str(), item.time, "");
                if request.status == 404 {
                    missing.add(source.as_str(), item.time, request.target.as_str());
                }
                if request.status == 401 {
                    logins.add(source.as_str(), item.time, "");
                }
                assert_ne!(request.status, 403, "{line}");
            }
            Body::Json(_) if line.contains("login_failed") => {
                logins.add(after(&line, "\"src_ip\":\"").unwrap(), item.time, "");
            }
            Body::Text(_) if item.format() == Format::Firewall => {
                ports.add(after(&line, "SRC=").unwrap(), item.time, after(&line, "DPT=").unwrap());
            }
            _ if line.contains("Failed password") => {
                let user = after(&line, "Failed password for ").unwrap();
                logins.add(after(&line, " from ").unwrap(), item.time, user);
            }
            _ => {}
        }
        for word in ["NOT in sudoers", "FAILED SU", "useradd", "usermod", "malware", "/admin"] {
            assert!(!line.contains(word), "{line}");
        }
    }
    assert!(logins.most(Duration::from_secs(60)).0 < 3, "seed {seed}, rate {rate}: logins");
    assert!(requests.most(Duration::from_secs(30)).0 < 50, "seed {seed}, rate {rate}: requests");
    assert!(missing.most(Duration::from_secs(60)).1 < 5, "seed {seed}, rate {rate}: misses");
    assert!(ports.most(Duration::from_secs(30)).1 < 3, "seed {seed}, rate {rate}: ports");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 15, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ordinary_traffic_keeps_below_what_rules_count(
        seed: u64,
        rate in prop::sample::select(vec![0.5, 5.0, 50.0, 500.0, 20_000.0]),
    ) {
        check_quiet(seed, rate);
    }
}
