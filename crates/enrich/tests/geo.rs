//! Real MMDB bytes through the enricher: fields of source and destination, garbage refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

#[path = "support/mmdb.rs"]
mod mmdb;

use std::sync::Arc;

use arc_swap::ArcSwap;
use proptest::prelude::*;
use serde_json::json;
use tocsin_enrich::config::EnrichConfig;
use tocsin_enrich::geo::{Database, Geo};
use tocsin_enrich::{Context, Enricher};
use tocsin_model::{Event, field};

fn cities() -> Vec<u8> {
    let bern = json!({"city": "Bern", "country_code": "CH", "latitude": 46.9, "longitude": 7.4});
    let berlin = json!({"city": {"names": {"en": "Berlin"}},
                        "country": {"iso_code": "DE", "names": {"en": "Germany"}}});
    mmdb::mmdb("city", &[("192.0.2.0/24", bern), ("198.51.100.0/25", berlin)])
}

fn systems() -> Vec<u8> {
    let record = json!({"autonomous_system_number": 64500,
                        "autonomous_system_organization": "Example Net"});
    mmdb::mmdb("asn", &[("192.0.2.0/24", record)])
}

#[test]
fn both_ends_of_an_event_get_their_place() {
    let databases = [("city", cities()), ("asn", systems())];
    let databases =
        databases.map(|(name, bytes)| Arc::new(Database::new(name, bytes).unwrap())).to_vec();
    let context = Context { geo: Arc::new(Geo::new(databases)), ..Context::default() };
    let shared = Arc::new(ArcSwap::from_pointee(context));
    let mut enricher = Enricher::new(shared.clone(), &EnrichConfig::default());
    // Twice: found, and remembered.
    for _ in 0..2 {
        let mut event = Event::default();
        event.push_str(field::SOURCE_IP, "192.0.2.7");
        event.push_str(field::DESTINATION_IP, "198.51.100.9");
        enricher.enrich(&mut event);
        let shown = event.to_json();
        assert_eq!(
            shown["source"],
            json!({
                "ip": "192.0.2.7",
                "geo": {
                    "country_iso_code": "CH", "country_name": "Switzerland", "city_name": "Bern",
                    "location": {"lat": 46.9, "lon": 7.4},
                },
                "as": {"number": 64500, "organization": {"name": "Example Net"}},
            })
        );
        let geo =
            json!({"country_iso_code": "DE", "country_name": "Germany", "city_name": "Berlin"});
        assert_eq!(shown["destination"]["geo"], geo);
    }
    let unknown = ["198.51.100.200", "10.0.0.1", "fe80::1", "2001:db8::1", "nobody"];
    for address in unknown {
        let mut event = Event::default();
        event.push_str(field::SOURCE_IP, address);
        enricher.enrich(&mut event);
        assert_eq!(event.len(), 1, "{address}");
    }
    // What the sender knows itself stays.
    let mut event = Event::default();
    event.push_str(field::SOURCE_IP, "192.0.2.7");
    event.push_str(field::SOURCE_GEO_COUNTRY_ISO_CODE, "LI");
    enricher.enrich(&mut event);
    assert_eq!(event.len(), 2);
    // Other databases are taken over.
    shared.store(Arc::new(Context::default()));
    let mut event = Event::default();
    event.push_str(field::SOURCE_IP, "192.0.2.7");
    enricher.enrich(&mut event);
    assert_eq!(event.len(), 1);
}

#[test]
fn garbage_is_refused_by_name() {
    for bytes in [Vec::new(), b"<html>not found</html>".to_vec(), cities()[..200].to_vec()] {
        let error = Database::new("x.mmdb", bytes).unwrap_err();
        assert!(error.starts_with("x.mmdb: no MMDB: "), "{error}");
    }
}

proptest! {
    #[test]
    fn damaged_files_never_panic(place in 0_usize..600, byte: u8, address: u32) {
        let mut bytes = cities();
        let place = place % bytes.len();
        bytes[place] = byte;
        if let Ok(database) = Database::new("x", bytes) {
            let geo = Geo::new(vec![Arc::new(database)]);
            geo.find(std::net::Ipv4Addr::from(address).into());
            geo.find([192, 0, 2, 1].into());
        }
    }
}
