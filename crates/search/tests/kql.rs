//! Queries as people write them: what they mean, what is refused and where.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use tocsin_model::Timestamp;
use tocsin_search::{Context, parse_in, parse_time_range, print};
use tocsin_store::{Bound, Filter, Matcher, WordsMode};

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-21T10:30:15.5Z").unwrap()
}

fn context() -> Context<'static> {
    Context { now: now(), fields: None }
}

fn term(field: &str, value: &str) -> Filter {
    Filter::term(field, value)
}

fn terms(field: &str, values: &[&str]) -> Filter {
    Filter::Terms {
        field: field.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

fn words(field: Option<&str>, text: &str, mode: WordsMode) -> Filter {
    Filter::Words { field: field.map(str::to_owned), text: text.to_owned(), mode }
}

fn free(text: &str) -> Filter {
    words(None, text, WordsMode::All)
}

fn prefix(field: &str, value: &str) -> Filter {
    Filter::Prefix { field: field.to_owned(), value: value.to_owned() }
}

fn like(field: &str, pattern: &str) -> Filter {
    Filter::Wildcard { field: field.to_owned(), pattern: pattern.to_owned() }
}

fn cidr(field: &str, network: &str) -> Filter {
    Filter::Cidr { field: field.to_owned(), network: network.to_owned() }
}

fn range(field: &str, lower: Bound, upper: Bound) -> Filter {
    Filter::Range { field: field.to_owned(), lower, upper }
}

fn from(value: &str) -> Bound {
    Bound::Included(value.to_owned())
}

fn beyond(value: &str) -> Bound {
    Bound::Excluded(value.to_owned())
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

fn check(cases: Vec<(&str, Filter)>) {
    for (query, expected) in cases {
        let got = parse_in(query, context()).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(got, expected, "{query}");
        let printed = print(&got);
        let again = parse_in(&printed, context())
            .unwrap_or_else(|error| panic!("{query} printed as {printed}: {error}"));
        assert_eq!(again, got, "{query} printed as {printed}");
    }
}

#[test]
fn values_mean_what_their_fields_hold() {
    check(vec![
        ("", Filter::All),
        ("  ", Filter::All),
        ("*", Filter::All),
        ("user.name: root", term("user.name", "root")),
        ("user.name:root", term("user.name", "root")),
        ("user.name : \"root\"", term("user.name", "root")),
        ("user.name: John Smith ", term("user.name", "John Smith")),
        ("url.original: /a?b=1", term("url.original", "/a?b=1")),
        ("user.name: \"say \\\"hi\\\" \\\\\"", term("user.name", "say \"hi\" \\")),
        ("process.executable: C\\:\\\\x.exe", term("process.executable", "C:\\x.exe")),
        ("user.name: a\\*b", term("user.name", "a*b")),
        ("user.name: \"a*b\"", term("user.name", "a*b")),
        ("url.full: http://x.example/y", term("url.full", "http://x.example/y")),
        ("user.name: *", Filter::exists("user.name")),
        ("user: *", Filter::exists("user")),
        ("user.name: ro*", prefix("user.name", "ro")),
        ("user.name: *oo*", like("user.name", "*oo*")),
        ("url.original: */a?b*", like("url.original", "*/a\\?b*")),
        ("http.response.status_code: 401", term("http.response.status_code", "401")),
        ("source.port: 4*", prefix("source.port", "4")),
        ("source.ip: 192.0.2.1", term("source.ip", "192.0.2.1")),
        ("source.ip: 2001:db8::1", term("source.ip", "2001:db8::1")),
        ("source.ip: 10.0.0.0/8", cidr("source.ip", "10.0.0.0/8")),
        ("source.ip: \"2001:db8::/32\"", cidr("source.ip", "2001:db8::/32")),
        ("source.address: 10.0.0.0/8", cidr("source.address", "10.0.0.0/8")),
        ("source.address: \"10.0.0.0/8\"", term("source.address", "10.0.0.0/8")),
        ("url.path: /etc/8", term("url.path", "/etc/8")),
        ("acme.widget: blue", term("acme.widget", "blue")),
        ("\"acme widget\": blue", term("acme widget", "blue")),
        ("\"user.nam\": x", term("user.nam", "x")),
        (
            "event.id: 00000000000000070000000000000003",
            term("event.id", "00000000000000070000000000000003"),
        ),
        (
            "url.path ~ \"/adm\\d.*\"",
            Filter::Regex { field: "url.path".into(), pattern: "/adm\\d.*".into() },
        ),
    ]);
}

#[test]
fn braces_hold_clauses_about_parts_of_a_field() {
    let alice = || Filter::And(vec![term("user.first", "Alice"), term("user.last", "White")]);
    check(vec![
        ("user:{ first: \"Alice\" and last: \"White\" }", alice()),
        ("user: {first: Alice and last: White}", alice()),
        ("user.name: {x: a} or acme: { y: b }", {
            Filter::Or(vec![term("user.name.x", "a"), term("acme.y", "b")])
        }),
        ("acme: { in: { ner: (a or b) } and not x: c }", {
            Filter::And(vec![terms("acme.in.ner", &["a", "b"]), not(term("acme.x", "c"))])
        }),
        ("source: { ip: 10.0.0.0/8 and port >= 1024 }", {
            let port = range("source.port", from("1024"), Bound::Unbounded);
            Filter::And(vec![cidr("source.ip", "10.0.0.0/8"), port])
        }),
        ("user.name: a{b}c", term("user.name", "a{b}c")),
        ("user.name: \"{a}\"", term("user.name", "{a}")),
    ]);
}

#[test]
fn words_are_looked_for_in_text() {
    use WordsMode::{Any, Phrase};
    check(vec![
        ("failed", free("failed")),
        ("Failed  password", free("Failed password")),
        ("\"failed password\"", words(None, "failed password", Phrase)),
        ("192.0.2.1", free("192.0.2.1")),
        ("message: failed password", words(Some("message"), "failed password", Any)),
        ("message: \"failed password\"", words(Some("message"), "failed password", Phrase)),
        ("event.original: sshd", words(Some("event.original"), "sshd", Any)),
        ("fail*", prefix("_text", "fail")),
        ("*.exe", free("exe")),
        ("192.0.2.*", prefix("_text", "192.0.2.")),
        ("*a.b*", Filter::And(vec![like("_text", "*a"), prefix("_text", "b")])),
        ("failed pass*", Filter::And(vec![free("failed"), prefix("_text", "pass")])),
        ("message: fail*", prefix("message", "fail")),
        ("message: *", Filter::exists("message")),
        ("candy", free("candy")),
        ("\\and", free("and")),
        ("say \\or die", free("say or die")),
        ("notable", free("notable")),
        ("not able", not(free("able"))),
    ]);
}

#[test]
fn operators_bind_as_in_kibana() {
    let (a, b, c) = (term("user.name", "a"), term("host.name", "b"), term("group.name", "c"));
    check(vec![
        (
            "user.name: a and host.name: b or group.name: c",
            Filter::Or(vec![Filter::And(vec![a.clone(), b.clone()]), c.clone()]),
        ),
        (
            "user.name: a AND (host.name: b OR group.name: c)",
            Filter::And(vec![a.clone(), Filter::Or(vec![b.clone(), c.clone()])]),
        ),
        ("not user.name: a and host.name: b", Filter::And(vec![not(a.clone()), b.clone()])),
        ("not (user.name: a and host.name: b)", not(Filter::And(vec![a.clone(), b.clone()]))),
        ("not not user.name: a", not(not(a.clone()))),
        ("((user.name: a))", a.clone()),
        ("user.name: (a or b or \"c d\")", terms("user.name", &["a", "b", "c d"])),
        ("user.name: (a and not b)", Filter::And(vec![a, not(term("user.name", "b"))])),
        (
            "user.name: (a or b*)",
            Filter::Or(vec![term("user.name", "a"), prefix("user.name", "b")]),
        ),
        (
            "source.ip: (192.0.2.1 or 10.0.0.0/8)",
            Filter::Or(vec![term("source.ip", "192.0.2.1"), cidr("source.ip", "10.0.0.0/8")]),
        ),
        ("process.pe.p*: x", term("process.pe.product", "x")),
        (
            "failed and user.name: root",
            Filter::And(vec![free("failed"), term("user.name", "root")]),
        ),
    ]);
}

#[test]
fn ranges_know_numbers_and_times() {
    let open = || Bound::Unbounded;
    let time = "@timestamp";
    check(vec![
        ("source.port >= 1024", range("source.port", from("1024"), open())),
        ("source.port<1024", range("source.port", open(), beyond("1024"))),
        ("source.port: > 22", range("source.port", beyond("22"), open())),
        ("source.ip <= 10.0.0.255", range("source.ip", open(), from("10.0.0.255"))),
        ("@timestamp >= now-15m", range(time, from("2026-11-21T10:15:15.5Z"), open())),
        ("@timestamp < now/d", range(time, open(), beyond("2026-11-21T00:00:00Z"))),
        ("@timestamp > 2026-11-20", range(time, from("2026-11-21T00:00:00Z"), open())),
        ("@timestamp <= \"2026-11-20\"", range(time, open(), beyond("2026-11-21T00:00:00Z"))),
        ("@timestamp >= 2026-11-21T10:00:00Z", range(time, from("2026-11-21T10:00:00Z"), open())),
    ]);
    let day = range(time, from("2026-11-20T00:00:00Z"), beyond("2026-11-21T00:00:00Z"));
    assert_eq!(parse_in("@timestamp: 2026-11-20", context()), Ok(day));
}

#[test]
fn errors_point_at_the_place_and_say_what_to_write() {
    let long = "(".repeat(60);
    let cases = [
        ("user.name:", 10..10, "missing"),
        ("user.name: root source.ip: 1.2.3.4", 25..26, "\"and\""),
        ("\"a\" \"b\"", 4..5, "\"and\""),
        ("(user.name: a", 0..1, "never closed"),
        ("user.name: a)", 12..13, "closes nothing"),
        ("and x", 0..3, "nothing before \"and\""),
        ("x and", 5..5, "missing"),
        ("user.name: \"a", 11..13, "never closed"),
        ("user.nmae: a", 0..9, "did you mean user.name?"),
        ("x and sorce.ip: 192.0.2.1", 6..14, "did you mean source.ip?"),
        ("source.ip: 10.0.0.0/33", 11..22, "holds addresses"),
        ("source.port: ssh", 13..16, "holds numbers"),
        ("source.port > ssh", 14..17, "not a number"),
        ("@timestamp: soon", 12..16, "holds times"),
        ("@timestamp > soon", 13..17, "no time"),
        ("message > a", 10..11, "has no order"),
        ("user.name ~ \"(\"", 12..15, "regular expression"),
        ("user.name ~ a.*", 12..15, "in quotes"),
        ("zzz*: x", 0..4, "no field"),
        ("user: {root}", 7..8, "name a field"),
        ("user: {name: root", 6..7, "never closed"),
        ("user: {name: root} }", 19..20, "closes nothing"),
        ("user: {nmae: root}", 7..11, "did you mean user.name?"),
        ("us*: {name: root}", 0..3, "no *"),
        ("user.name: }", 11..12, "brace"),
        ("...", 0..3, "no word"),
        ("event.id: 7", 10..11, "32 hexadecimal"),
        (long.as_str(), 51..52, "nested more than"),
    ];
    for (query, place, part) in cases {
        let error = parse_in(query, context()).expect_err(query);
        assert_eq!(error.start..error.end, place, "{query}: {error}");
        assert!(error.message.contains(part), "{query}: {error}");
    }
    assert!(parse_in(&"x".repeat(70_000), context()).is_err());
}

#[test]
fn names_of_stored_events_are_known_too() {
    let stored = vec!["acme.widget".to_owned(), "user.nam".to_owned()];
    let context = Context { now: now(), fields: Some(&stored) };
    assert!(parse_in("acme.widget: x and user.nam: y and acme: *", context).is_ok());
    let error = parse_in("acme.widgt: x", context).unwrap_err();
    assert!(error.message.contains("did you mean acme.widget?"), "{error}");
    let error = parse_in("nothing.like.it: x", context).unwrap_err();
    assert!(error.message.contains("no event has a field"), "{error}");
    assert!(parse_in("\"nothing.like.it\": x", context).is_ok());
}

#[test]
fn time_ranges_are_read() {
    let cases = [
        ("", None, None),
        ("all", None, None),
        ("15m", Some("2026-11-21T10:15:15.5Z"), None),
        ("last 24h", Some("2026-11-20T10:30:15.5Z"), None),
        ("7d", Some("2026-11-14T10:30:15.5Z"), None),
        ("1M", Some("2026-10-21T10:30:15.5Z"), None),
        ("2026-11-20", Some("2026-11-20T00:00:00Z"), Some("2026-11-21T00:00:00Z")),
        ("2026-02", Some("2026-02-01T00:00:00Z"), Some("2026-03-01T00:00:00Z")),
        ("2026-11-20T10:30", Some("2026-11-20T10:30:00Z"), Some("2026-11-20T10:31:00Z")),
        ("2026-11-20T10:30:00+01:00", Some("2026-11-20T09:30:00Z"), None),
        ("now-1h", Some("2026-11-21T09:30:15.5Z"), None),
        ("now-1h..now", Some("2026-11-21T09:30:15.5Z"), Some("2026-11-21T10:30:15.5Z")),
        ("now/d..", Some("2026-11-21T00:00:00Z"), None),
        ("..2026-11-20", None, Some("2026-11-21T00:00:00Z")),
        (
            "2026-11-19T00:00:00Z/2026-11-20T00:00:00Z",
            Some("2026-11-19T00:00:00Z"),
            Some("2026-11-20T00:00:00Z"),
        ),
        ("now-1w/w..now/w", Some("2026-11-09T00:00:00Z"), Some("2026-11-23T00:00:00Z")),
    ];
    for (text, from, to) in cases {
        let range = parse_time_range(text, now()).unwrap_or_else(|error| panic!("{error}"));
        let show = |time: Option<Timestamp>| time.map(|time| time.to_string());
        assert_eq!(show(range.from).as_deref(), from, "{text}");
        assert_eq!(show(range.to).as_deref(), to, "{text}");
    }
    for bad in ["soon", "15", "m", "2026-13", "2026-11-31", "now-", "now-1", "b..a", "now..now-1h"]
    {
        assert!(parse_time_range(bad, now()).is_err(), "{bad}");
    }
}

/// Pieces that queries are made of, to be put together at random.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("user.name".to_owned()),
        Just("source.ip".to_owned()),
        Just("source.port".to_owned()),
        Just("message".to_owned()),
        Just("@timestamp".to_owned()),
        Just("acme.x".to_owned()),
        Just(": ".to_owned()),
        Just(":".to_owned()),
        Just(" >= ".to_owned()),
        Just(" < ".to_owned()),
        Just(" ~ ".to_owned()),
        Just(" and ".to_owned()),
        Just(" or ".to_owned()),
        Just(" not ".to_owned()),
        Just("(".to_owned()),
        Just(")".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("*".to_owned()),
        Just(" ".to_owned()),
        Just("root".to_owned()),
        Just("10.0.0.0/8".to_owned()),
        Just("22".to_owned()),
        Just("now-1h".to_owned()),
        Just("2026-11-21".to_owned()),
        Just("And".to_owned()),
        Just("é?".to_owned()),
        "[a-z\"\\\\*?:<>(){}~/ .\\n]{1,6}",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_prints_as_what_reads_the_same(query in pieces()) {
        match parse_in(&query, context()) {
            Ok(filter) => {
                let printed = print(&filter);
                let again = parse_in(&printed, context());
                // Two-sided ranges come from whole days only and print as two.
                if !printed.contains("@timestamp >= ") || !printed.contains("@timestamp < ") {
                    prop_assert_eq!(again.as_ref(), Ok(&filter), "printed as {}", printed);
                }
                prop_assert!(again.is_ok(), "printed as {}", printed);
                prop_assert!(Matcher::new(&filter).is_ok(), "{:?}", filter);
            }
            Err(error) => {
                prop_assert!(error.start <= error.end && error.end <= query.len());
                prop_assert!(query.is_char_boundary(error.start));
                prop_assert!(query.is_char_boundary(error.end));
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(query in ".{0,60}") {
        let _ = parse_in(&query, context());
        let _ = parse_time_range(&query, now());
    }
}
