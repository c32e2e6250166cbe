//! Feeds of every form, and garbage.

use super::*;

fn read_all(format: FeedFormat, text: &str) -> Result<(Vec<String>, Tally), String> {
    let how = Reading {
        format,
        kind: None,
        column: None,
        confidence: 40,
        expires: None,
        now: Timestamp::parse_rfc3339("2026-11-01T00:00:00Z").unwrap(),
    };
    let mut found = Vec::new();
    let tally = read(text, &how, &mut |one| {
        let expires = one.expires.map(|time| format!(" until {time}")).unwrap_or_default();
        let (kind, value) = (one.kind.as_str(), one.value);
        found.push(format!("{kind} {value} {} {}{expires}", one.confidence, one.about));
    })?;
    Ok((found, tally.sound()?))
}

/// Form, text, indicators, how many things were refused.
type Case<'a> = (FeedFormat, &'a str, &'a [&'a str], u64);

fn check(table: &[Case]) {
    for (format, text, expected, refused) in table {
        let (found, tally) = read_all(*format, text).unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(&found, expected, "{text}");
        assert_eq!(tally.refused.values().sum::<u64>(), *refused, "{text}: {tally:?}");
    }
}

#[test]
fn every_form_is_read() {
    let table: &[Case] = &[
        (
            FeedFormat::Plain,
            "# a list\n192.0.2.1\n198.51.100.0/24 ; SB123\n0.0.0.0 bad.example\nnot one\n",
            &[
                "address 192.0.2.1 40 ",
                "network 198.51.100.0/24 40 SB123",
                "domain bad.example 40 ",
            ],
            1,
        ),
        (
            FeedFormat::Csv,
            "# \"first_seen_utc\",\"dst_ip\",\"dst_port\",\"malware\"\n\"2026-10-01\",\"192.0.2.1\",\"443\",\"Bot\"\n",
            &["address 192.0.2.1 40 Bot"],
            0,
        ),
        (
            FeedFormat::Csv,
            "type,value,confidence,expires,description\ndomain,a.example,90,2027-01-01,C2\nip,192.0.2.2,,2026-01-01,old\n",
            &["domain a.example 90 C2 until 2027-01-01T00:00:00Z"],
            1,
        ),
        (
            FeedFormat::Csv,
            "1,192.0.2.9,x\n2,192.0.2.8,y\n",
            &["address 192.0.2.9 40 ", "address 192.0.2.8 40 "],
            0,
        ),
        (
            FeedFormat::Json,
            r#"{"data":[{"ioc":"http://a.example/x","confidence_level":100,"malware":"M"},{"ioc":"?"}]}"#,
            &["url a.example/x 100 M"],
            1,
        ),
        (
            FeedFormat::Json,
            "[\"192.0.2.1\",\"b.example\"]",
            &["address 192.0.2.1 40 ", "domain b.example 40 "],
            0,
        ),
        (
            FeedFormat::Json,
            "{\"ip\":\"192.0.2.1\"}\n{\"ip\":\"192.0.2.2\"}\n",
            &["address 192.0.2.1 40 ", "address 192.0.2.2 40 "],
            0,
        ),
    ];
    check(table);
}

#[test]
fn events_and_bundles_are_read() {
    let table: &[Case] = &[
        (
            FeedFormat::Misp,
            r#"{"Event":{"info":"Op X","Attribute":[
                {"type":"ip-dst|port","value":"192.0.2.1|443","to_ids":true},
                {"type":"domain","value":"c.example","to_ids":false},
                {"type":"comment","value":"hello","to_ids":true}],
               "Object":[{"Attribute":[{"type":"filename|md5","value":"x.exe|d41d8cd98f00b204e9800998ecf8427e"}]}]}}"#,
            &["address 192.0.2.1 40 Op X", "hash d41d8cd98f00b204e9800998ecf8427e 40 Op X"],
            2,
        ),
        (
            FeedFormat::Stix,
            r#"{"type":"bundle","objects":[{"type":"identity"},
                {"type":"indicator","name":"Bad","confidence":70,"pattern_type":"stix","valid_until":"2027-01-01T00:00:00Z",
                 "pattern":"[ipv4-addr:value = '192.0.2.1' OR domain-name:value = 'd.example']"},
                {"type":"indicator","revoked":true,"pattern":"[ipv4-addr:value = '192.0.2.2']"},
                {"type":"indicator","pattern_type":"yara","pattern":"rule x {}"}]}"#,
            &[
                "address 192.0.2.1 70 Bad until 2027-01-01T00:00:00Z",
                "domain d.example 70 Bad until 2027-01-01T00:00:00Z",
            ],
            2,
        ),
        (FeedFormat::Stix, "{}", &[], 0),
    ];
    check(table);
}

#[test]
fn garbage_is_an_error_that_says_what_it_is() {
    let page = "<!DOCTYPE html><html><body>404 not found</body></html>\n";
    let table = [
        (FeedFormat::Plain, page, "holds no indicator; the first thing in it is \"<!DOCTYPE\""),
        (FeedFormat::Csv, "a,b\nc,d\n", "holds no indicator; the first thing in it is \"c,d\""),
        (FeedFormat::Json, page, "no JSON"),
        (FeedFormat::Misp, page, "no JSON"),
        (FeedFormat::Misp, "[{\"x\":1}]", "no MISP"),
        (FeedFormat::Stix, "{\"type\":\"bundle\"}", "no STIX"),
        (FeedFormat::Taxii, "\u{0}\u{1}", "no JSON"),
    ];
    for (format, text, expected) in table {
        let error = read_all(format, text).unwrap_err();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}
