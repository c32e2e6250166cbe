//! First sights and rates: silent while learning, told once, the same after a restart.

use tocsin_model::{Event, FieldId, Timestamp, Value, field};

use super::*;
use crate::config::{FactConfig, RateConfig};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// A Monday.
const START: i64 = 1_790_553_600 - 1_790_553_600 % DAY;

fn event(seconds: i64, fields: &[(&str, &str)]) -> Event {
    let mut event = Event::default();
    event.time = Timestamp::from_millis(seconds * 1000);
    event.received = event.time;
    for (name, text) in fields {
        event.push_str(FieldId::intern(name).unwrap(), text);
    }
    event
}

fn login(seconds: i64, user: &str, country: &str) -> Event {
    event(
        seconds,
        &[
            ("event.category", "authentication"),
            ("event.outcome", "success"),
            ("user.name", user),
            ("source.geo.country_iso_code", country),
        ],
    )
}

fn memory() -> Memory {
    Memory::new(&FirstSeenConfig::default(), &BaselineConfig::default())
}

fn news(memory: &mut Memory, mut event: Event) -> Vec<String> {
    memory.see(&mut event);
    let Some(Value::List(list)) = event.get(field::TOCSIN_FIRST_SEEN) else { return Vec::new() };
    list.iter().filter_map(|value| Some(value.as_str()?.to_owned())).collect()
}

#[test]
fn a_fact_is_news_once_and_only_of_what_is_known() {
    let mut memory = memory();
    assert!(news(&mut memory, login(START, "ana", "CH")).is_empty(), "learning");
    assert!(news(&mut memory, login(START + DAY, "ana", "DE")).is_empty(), "learning");
    let later = START + 8 * DAY;
    assert!(news(&mut memory, login(later, "ana", "CH")).is_empty(), "known");
    assert_eq!(news(&mut memory, login(later, "ana", "BR")), ["user_country"]);
    assert!(news(&mut memory, login(later + 1, "ana", "BR")).is_empty(), "told");
    assert!(news(&mut memory, login(later, "bo", "BR")).is_empty(), "nobody knows bo");
    assert!(news(&mut memory, login(later + 6 * DAY, "bo", "CH")).is_empty(), "not yet");
    assert_eq!(news(&mut memory, login(later + 8 * DAY, "bo", "DE")), ["user_country"]);
    let mut failed = login(later, "ana", "RU");
    failed.set_str(field::EVENT_OUTCOME, "failure");
    assert!(news(&mut memory, failed).is_empty(), "nobody came in");
    // What claims to be of the future ends no learning.
    let mut future = login(later + 400 * DAY, "cy", "CH");
    future.received = Timestamp::from_millis(later * 1000);
    memory.see(&mut future);
    assert!(news(&mut memory, login(later + DAY, "cy", "BR")).is_empty());
}

#[test]
fn facts_are_bounded_and_the_oldest_go_first() {
    let facts_max = 1000;
    let config = FirstSeenConfig { facts_max, ..FirstSeenConfig::default() };
    let mut memory = Memory::new(&config, &BaselineConfig::default());
    for number in 0..5000 {
        memory.see(&mut login(START + number * 600, &format!("user{number}"), "CH"));
    }
    let counts = memory.counts();
    assert!(counts.facts <= facts_max && counts.facts_let_go > 5000, "{counts:?}");
}

/// So many failed logins on a host within an hour; what was told.
fn hour(memory: &mut Memory, hour: i64, host: &str, count: u32) -> Vec<String> {
    let mut told = Vec::new();
    for number in 0..count {
        let at = hour * HOUR + START + i64::from(number) * HOUR / i64::from(count.max(1));
        let fields = [
            ("event.category", "authentication"),
            ("event.outcome", "failure"),
            ("host.name", host),
        ];
        let mut event = event(at, &fields);
        memory.see(&mut event);
        told.extend(event.get_str(field::TOCSIN_BASELINE_TEXT).map(str::to_owned));
    }
    told
}

/// What is usual: more by day, less at weekends, and never quite the same.
fn usual(hour: i64) -> u32 {
    let noise = (hour * 7919 % 11) as u32;
    match (hour / 24 % 7 >= 5, hour % 24) {
        (false, 8..18) => 40 + noise,
        (false, _) => 8 + noise / 2,
        (true, _) => 4 + noise / 3,
    }
}

#[test]
fn a_rate_is_unusual_by_its_own_measure_and_hour() {
    let mut memory = memory();
    for at in 0..14 * 24 {
        assert!(hour(&mut memory, at, "web", usual(at)).is_empty(), "hour {at}");
    }
    // Wednesday, three at night: what is usual by day is not then.
    let night = 14 * 24 + 2 * 24 + 3;
    for at in 14 * 24..night {
        assert!(hour(&mut memory, at, "web", usual(at)).is_empty(), "hour {at}");
    }
    let told = hour(&mut memory, night, "web", 100);
    assert!(
        told[0].contains(" against a usual ") && told[0].ends_with(" at this hour"),
        "{told:?}"
    );
    assert!(told.len() <= 3, "{told:?}");
    // Another host is only learned.
    assert!(hour(&mut memory, night, "new", 500).is_empty());
    assert!(hour(&mut memory, night + 1, "web", usual(night + 1)).is_empty());
}

#[test]
fn pieces_come_to_the_same_as_the_whole() {
    let mut memory = memory();
    let mut copy = self::memory();
    for at in 0..9 * 24 {
        hour(&mut memory, at, "web", usual(at));
        memory.see(&mut login(START + at * HOUR, "ana", if at % 50 == 0 { "DE" } else { "CH" }));
        if at % 3 == 0 {
            let piece = memory.take_changes().unwrap();
            copy.apply(&piece).unwrap();
        }
    }
    copy.apply(&memory.take_changes().unwrap()).unwrap();
    assert!(memory.take_changes().is_none());
    let mut whole = self::memory();
    whole.apply(&memory.snapshot()).unwrap();
    assert_eq!(copy.counts(), memory.counts());
    assert_eq!(whole.counts(), memory.counts());
    let at = 9 * 24 + 3;
    let expected = hour(&mut memory, at, "web", 300);
    assert!(!expected.is_empty());
    assert_eq!(hour(&mut copy, at, "web", 300), expected);
    assert_eq!(hour(&mut whole, at, "web", 300), expected);
    for memory in [&mut memory, &mut copy, &mut whole] {
        assert_eq!(news(memory, login(START + at * HOUR, "ana", "BR")), ["user_country"]);
    }
    assert!(memory.apply(&[9, 9]).is_err());
    assert!(memory.apply(&[]).is_err());
    let cut = memory.snapshot();
    assert!(self::memory().apply(&cut[..cut.len() - 1]).is_err());
}

#[test]
fn both_can_be_made_ones_own_or_switched_off() {
    let mut facts = FirstSeenConfig { learning_days: 0.0, ..FirstSeenConfig::default() };
    let fields = vec!["user.name".to_owned()];
    facts.facts.insert("user".to_owned(), FactConfig { fields, ..FactConfig::default() });
    facts.facts.insert("user_country".to_owned(), FactConfig::default());
    let mut rates = BaselineConfig { enabled: false, ..BaselineConfig::default() };
    rates.rates.insert(
        "x".to_owned(),
        RateConfig { by: vec!["user.name".to_owned()], ..RateConfig::default() },
    );
    let mut memory = Memory::new(&facts, &rates);
    assert_eq!(news(&mut memory, login(START, "ana", "CH")), ["user"]);
    assert!(news(&mut memory, login(START, "ana", "DE")).is_empty());
    assert_eq!(memory.counts().things, 0);
}

mod damage {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_are_taken_or_refused(bytes: Vec<u8>) {
            let _ = super::memory().apply(&bytes);
            let with_version: Vec<u8> = [1].into_iter().chain(bytes).collect();
            let _ = super::memory().apply(&with_version);
        }
    }
}
