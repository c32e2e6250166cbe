//! Tables for `time`.

use super::*;

fn check(text: &str, zone: &str, received: &str, expected: Option<&str>) {
    let zone = TimeZone::get(zone).unwrap();
    let mut last = ZoneMemory::default();
    let received = Timestamp::parse_rfc3339(received).unwrap();
    let mut clock = Clock { received, zone: &zone, last: &mut last };
    let read = any(text.as_bytes(), &mut clock);
    let got = read.map(|read| read.time.to_string());
    assert_eq!(got.as_deref(), expected, "{text}");
    if let Some(read) = read {
        assert_eq!(read.len, text.len(), "{text}");
    }
}

#[test]
fn every_form() {
    let table = [
        ("2026-11-21T00:11:50.095617+00:00", "2026-11-21T00:11:50.095617Z"),
        ("2026-11-21T01:11:50+01:00", "2026-11-21T00:11:50Z"),
        ("2026-11-21T01:11:50+0100", "2026-11-21T00:11:50Z"),
        ("2026-11-21 00:11:50,123", "2026-11-21T00:11:50.123Z"),
        ("2026-11-21 00:11:50 UTC", "2026-11-21T00:11:50Z"),
        ("2026/11/21 00:11:50", "2026-11-21T00:11:50Z"),
        ("Nov 21 00:11:50", "2026-11-21T00:11:50Z"),
        ("Nov  1 00:11:50", "2026-11-01T00:11:50Z"),
        ("Nov 1 00:11:50", "2026-11-01T00:11:50Z"),
        ("Nov 21 00:11:50.123456", "2026-11-21T00:11:50.123456Z"),
        ("Nov 21 2026 00:11:50", "2026-11-21T00:11:50Z"),
        ("Nov 21 00:11:50 2025", "2025-11-21T00:11:50Z"),
        ("Sat Nov 21 00:11:50.123456 2026", "2026-11-21T00:11:50.123456Z"),
        ("Sat 2026-11-21 00:11:50 UTC", "2026-11-21T00:11:50Z"),
        ("Sat, 21 Nov 2026 00:11:50 +0100", "2026-11-20T23:11:50Z"),
        ("21/Nov/2026:00:13:56 +0000", "2026-11-21T00:13:56Z"),
        ("21/Nov/2026:00:13:56.250", "2026-11-21T00:13:56.25Z"),
        ("11/21/2026 01:13:56 PM", "2026-11-21T13:13:56Z"),
        ("11/21/2026 12:13:56 AM", "2026-11-21T00:13:56Z"),
        ("1/2/2026 1:13:56 PM", "2026-01-02T13:13:56Z"),
        ("7/19/2026 9:44:40 AM", "2026-07-19T09:44:40Z"),
        ("20261121T001150Z", "2026-11-21T00:11:50Z"),
        ("1763683910", "2025-11-21T00:11:50Z"),
        ("1763683910.5", "2025-11-21T00:11:50.5Z"),
        ("1763683910123", "2025-11-21T00:11:50.123Z"),
        ("1763683910123456", "2025-11-21T00:11:50.123456Z"),
    ];
    for (text, expected) in table {
        check(text, "UTC", "2026-11-21T00:20:00Z", Some(expected));
    }
    for text in ["Nov 31 00:00:00", "2026-13-01T00:00:00Z", "25:00", "Nov", "x", "", "12"] {
        check(text, "UTC", "2026-11-21T00:20:00Z", None);
    }
}

#[test]
fn the_year_that_is_missing_is_the_last_that_fits() {
    let table = [
        ("Dec 31 23:59:59", "2027-01-01T00:00:05Z", "2026-12-31T23:59:59Z"),
        ("Jan  1 00:00:01", "2026-12-31T23:59:59Z", "2027-01-01T00:00:01Z"),
        ("Feb 29 12:00:00", "2026-03-01T00:00:00Z", "2024-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", "2028-03-01T00:00:00Z", "2028-02-29T12:00:00Z"),
        ("Nov 25 00:00:00", "2026-11-21T00:00:00Z", "2025-11-25T00:00:00Z"),
    ];
    for (text, received, expected) in table {
        check(text, "UTC", received, Some(expected));
    }
}

#[test]
fn the_zone_that_is_missing_is_the_sources() {
    let table = [
        ("Nov 21 00:11:50", "2026-11-20T23:11:50Z"),
        ("Jul 21 00:11:50", "2026-07-20T22:11:50Z"),
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),
    ];
    for (text, expected) in table {
        check(text, "Europe/Berlin", "2026-11-21T00:20:00Z", Some(expected));
    }
}
