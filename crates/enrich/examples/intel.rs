//! What a million indicators cost, in memory and for an event, and what enriching costs in all:
//! `cargo xtask bench intel`. With an argument, that MMDB file is used for places.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement")]

use std::net::Ipv4Addr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tocsin_enrich::config::{BaselineConfig, EnrichConfig, FirstSeenConfig};
use tocsin_enrich::geo::{Database, Geo};
use tocsin_enrich::intel::{Builder, Index, Indicator, Intel, normal};
use tocsin_enrich::memory::Memory;
use tocsin_enrich::{Context, Enricher};
use tocsin_model::{Event, FieldId, Timestamp};

const INDICATORS: u32 = 1_000_000;
const EVENTS: u32 = 2_000_000;

/// Memory of this process, bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or("");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    kib * 1024
}

/// Time that this process has had a processor, ns: whatever else runs does not count.
fn processor() -> u64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Nanoseconds for each of so many since then.
fn each(since: u64, count: usize) -> f64 {
    processor().saturating_sub(since) as f64 / count as f64
}

/// Scattered, the same each time.
fn scatter(number: u32) -> u32 {
    number.wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519)
}

fn indicators() -> Index {
    let mut builder = Builder::default();
    for number in 0..INDICATORS {
        let random = scatter(number);
        let text = match number % 10 {
            0..4 => Ipv4Addr::from(random).to_string(),
            4 => format!("{}/24", Ipv4Addr::from(random & 0xffff_ff00)),
            5..7 => format!("host{random:08x}.example{}.com", number % 1000),
            7 => format!("http://host{random:08x}.example.net/path/{number}"),
            8 => format!("{random:08x}{number:08x}{:048x}", u64::from(random) * 31),
            _ => format!("user{random:08x}@example.org"),
        };
        let (kind, value) = normal(&text, None).expect("an indicator");
        let about = format!("campaign {}", number % 500);
        builder.add(&Indicator { kind, value, confidence: 70, expires: None, about });
    }
    builder.finish()
}

/// Events as they mostly are: a login, a web request, a name that was asked for.
fn events() -> Vec<Event> {
    let event = |number: u32| {
        // One of a thousand is warned of.
        let others = if number.is_multiple_of(1000) { 0 } else { 7 * INDICATORS };
        let random = scatter(number + others);
        let mut event = Event::default();
        event.time = Timestamp::from_millis(1_790_000_000_000 + i64::from(number) * 10);
        event.received = event.time;
        let mut put = |name: &str, text: &str| event.push_str(FieldId::intern(name).unwrap(), text);
        let address = Ipv4Addr::from(random).to_string();
        put("host.name", ["web-1", "web-2", "db-1"][number as usize % 3]);
        match number % 3 {
            0 => {
                put("event.category", "authentication");
                put("event.outcome", if number.is_multiple_of(2) { "failure" } else { "success" });
                put("user.name", ["root", "ana", "bo"][number as usize % 7 % 3]);
                put("source.ip", &address);
            }
            1 => {
                put("event.category", "web");
                put("event.outcome", "success");
                put("source.ip", &address);
                put("url.domain", "www.example.com");
                put("url.original", &format!("/articles/{random}?page=2"));
            }
            _ => {
                put("event.category", "network");
                put("source.ip", "10.0.0.7");
                put("destination.ip", &address);
                put("dns.question.name", &format!("cdn{}.assets.example.org", random % 5000));
            }
        }
        event
    };
    (0..60_000).map(event).collect()
}

fn main() {
    let before = memory();
    let start = processor();
    let index = indicators();
    let built = each(start, 1) / 1e9;
    let grown = memory().saturating_sub(before);
    println!(
        "{} indicators: {:.1} MB in the index, {:.1} MB more of the process, {built:.2} s to build",
        index.len(),
        index.bytes() as f64 / 1e6,
        grown as f64 / 1e6
    );
    let events = events();
    let index = Arc::new(index);
    let intel = Arc::new(Intel::new(vec![("bench".into(), index)]));
    let rounds = EVENTS as usize / events.len();
    let mut found = Vec::new();
    let mut matched = 0;
    let start = processor();
    for _ in 0..rounds {
        for event in &events {
            found.clear();
            intel.find(event, event.received, &mut found);
            matched += usize::from(!found.is_empty());
        }
    }
    let count = rounds * events.len();
    println!("looking an event up: {:.0} ns ({matched} of {count} matched)", each(start, count));

    let geo = std::env::args().nth(1).map(|path| {
        let bytes = std::fs::read(&path).expect("the MMDB file");
        Arc::new(Geo::new(vec![Arc::new(Database::new(&path, bytes).expect("an MMDB file"))]))
    });
    let geo = geo.unwrap_or_default();
    let config = EnrichConfig::default();
    let remember = || Memory::new(&FirstSeenConfig::default(), &BaselineConfig::default());
    let nothing = Context::default();
    let cases = [
        ("copying the event", None, false),
        ("nothing configured", Some(nothing.clone()), false),
        ("first sights and baselines", Some(nothing.clone()), true),
        ("indicators", Some(Context { intel: intel.clone(), ..nothing.clone() }), false),
        ("places", Some(Context { geo: geo.clone(), ..nothing.clone() }), false),
        ("all of them", Some(Context { geo, intel, ..nothing }), true),
    ];
    for (name, context, remembers) in cases {
        let shared = Arc::new(ArcSwap::from_pointee(context.clone().unwrap_or_default()));
        let mut enricher = Enricher::new(shared, &config);
        if remembers {
            enricher.remember(remember());
        }
        let mut event = Event::default();
        let start = processor();
        for _ in 0..rounds {
            for one in &events {
                event.clone_from(one);
                if context.is_some() {
                    enricher.enrich(&mut event);
                }
            }
        }
        let each = each(start, count);
        println!("{name:<28} {each:>6.0} ns an event, the copy included");
    }
}
