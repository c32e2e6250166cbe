//! Which events a filter means: the table.

use crate::conformance::{corpus, expect, number, told};
use crate::{Bound, EventStore, Filter, Matcher, SearchRequest, WordsMode};

fn t(field: &str, value: &str) -> Filter {
    Filter::term(field, value)
}

fn r(field: &str, lower: Bound, upper: Bound) -> Filter {
    Filter::Range { field: field.to_owned(), lower, upper }
}

fn at_least(value: &str) -> Bound {
    Bound::Included(value.to_owned())
}

fn above(value: &str) -> Bound {
    Bound::Excluded(value.to_owned())
}

use above as below;
use at_least as at_most;

fn any() -> Bound {
    Bound::Unbounded
}

fn prefix(field: &str, value: &str) -> Filter {
    Filter::Prefix { field: field.to_owned(), value: value.to_owned() }
}

fn like(field: &str, pattern: &str) -> Filter {
    Filter::Wildcard { field: field.to_owned(), pattern: pattern.to_owned() }
}

fn regex(field: &str, pattern: &str) -> Filter {
    Filter::Regex { field: field.to_owned(), pattern: pattern.to_owned() }
}

fn cidr(field: &str, network: &str) -> Filter {
    Filter::Cidr { field: field.to_owned(), network: network.to_owned() }
}

fn words(field: Option<&str>, text: &str, mode: WordsMode) -> Filter {
    Filter::Words { field: field.map(str::to_owned), text: text.to_owned(), mode }
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// Filter and the numbers of the events it means.
type Case = (Filter, &'static [u64]);

fn values() -> Vec<Case> {
    let two = |values: [&str; 2]| values.map(str::to_owned).to_vec();
    vec![
        (t("user.name", "root"), &[0]),
        (t("user.name", "Root"), &[1]),
        (t("user.name", "ROOT"), &[]),
        (t("user.name", "1000"), &[11]),
        (t("event.category", "authentication"), &[0, 1, 2, 3, 4]),
        (t("event.type", "info"), &[0, 1, 2, 3, 4]),
        (Filter::Terms { field: "user.name".into(), values: two(["root", "bob"]) }, &[0, 3]),
        (Filter::Terms { field: "source.port".into(), values: two(["22", "0"]) }, &[0, 2, 4]),
        (Filter::Terms { field: "user.name".into(), values: Vec::new() }, &[]),
        (t("source.port", "22"), &[0, 2]),
        (t("source.port", "22.0"), &[0, 2]),
        (t("source.port", "ssh"), &[11]),
        (t("source.port", "22.5"), &[]),
        (t("destination.port", "443"), &[11]),
        (t("process.pid", "17"), &[11]),
        (t("source.ip", "192.0.2.1"), &[0]),
        (t("source.ip", "::ffff:192.0.2.1"), &[0]),
        (t("source.ip", "198.51.100.7"), &[3]),
        (t("source.ip", "2001:0db8:0::1"), &[2]),
        (t("source.ip", "192.0.2.0/24"), &[0, 1, 5, 6, 7, 8]),
        (t("source.ip", "not-an-address"), &[11]),
        (t("source.address", "::ffff:198.51.100.7"), &[3]),
        (t("source.address", "198.51.100.7"), &[]),
        (t("related.ip", "fe80::1"), &[12]),
        (t("tags", ""), &[12]),
        (t("tags", "x y"), &[12]),
        (t("event.start", "2026-11-20T23:00:00.5Z"), &[11]),
        (t("@timestamp", "2026-11-21T00:00:10Z"), &[1]),
        (t("@timestamp", "2026-11-21T01:00:10+01:00"), &[1]),
        (t("event.id", "00000000000000070000000000000003"), &[3]),
        (t("event.id", "no id"), &[]),
        (t("nobody.has.this", "x"), &[]),
        (t("acme.text", "Blue"), &[9]),
        (t("acme.text", "blue"), &[]),
        (t("acme.text", "green"), &[10]),
        (t("acme.number", "42"), &[9, 10]),
        (t("acme.number", "42.0"), &[9]),
        (t("acme.float", "1.5"), &[9]),
        (t("acme.float", "-3"), &[10]),
        (t("acme.flag", "true"), &[9]),
        (t("acme.flag", "false"), &[]),
        (t("acme.big", "18446744073709551615"), &[9]),
        (t("acme.name with space", "v"), &[13]),
        (t("acme.back\\slash", "w"), &[13]),
        (t(".dot.", "d"), &[13]),
        (t("acme", "x"), &[]),
    ]
}

fn ranges() -> Vec<Case> {
    vec![
        (r("source.port", at_least("22"), any()), &[0, 1, 2, 3]),
        (r("source.port", above("22"), any()), &[1, 3]),
        (r("source.port", above("21.5"), below("22.5")), &[0, 2]),
        (r("source.port", any(), at_most("22")), &[0, 2, 4]),
        (r("source.port", above("22"), below("22")), &[]),
        (r("http.response.body.bytes", at_least("99999999999"), any()), &[8]),
        (r("http.response.status_code", at_least("400"), below("500")), &[6, 8]),
        (r("user.name", at_least("a"), below("c")), &[2, 3]),
        (r("user.name", any(), at_most("Root")), &[1, 11]),
        (r("source.ip", at_least("192.0.2.1"), at_most("192.0.2.2")), &[0, 1]),
        (r("source.ip", above("192.0.2.1"), below("192.0.2.9")), &[1]),
        (r("source.ip", at_least("2001::"), any()), &[2]),
        (r("@timestamp", at_least("2026-11-21T00:00:20Z"), below("2026-11-21T00:00:40Z")), &[2, 3]),
        (r("event.ingested", any(), at_most("2026-11-21T00:01:40.001234567Z")), &[0, 1]),
        (r("acme.number", at_least("42"), any()), &[9]),
        (r("acme.number", above("42"), any()), &[]),
        (r("acme.float", above("-4"), below("1.6")), &[9, 10]),
        (r("acme.big", above("18446744073709551614"), any()), &[9]),
        (r("acme.text", at_least("a"), below("s")), &[10]),
        (r("nobody.has.this", at_least("1"), any()), &[]),
    ]
}

fn patterns() -> Vec<Case> {
    vec![
        (prefix("user.name", "root"), &[0, 4]),
        (prefix("user.name", ""), &[0, 1, 2, 3, 4, 11]),
        (prefix("source.ip", "192.0.2."), &[0, 1, 5, 6, 7, 8]),
        (prefix("source.port", "22"), &[0, 1, 2]),
        (like("user.name", "*oo*"), &[0, 1, 4]),
        (like("user.name", "roo?"), &[0]),
        (like("user.name", "*"), &[0, 1, 2, 3, 4, 11]),
        (like("url.path", "/admin/*.php"), &[6]),
        (like("url.path", "*путь"), &[8]),
        (like("url.query", "*a\\**"), &[6]),
        (like("url.query", "*' OR '*"), &[7]),
        (like("process.command_line", "*\\\\path\\\\\\*"), &[12]),
        (like("source.ip", "192.0.2.?"), &[0, 1, 5, 6, 7, 8]),
        (like("source.ip", "*:*"), &[2]),
        (like("source.port", "*22"), &[0, 1, 2]),
        (like("source.port", "s*"), &[11]),
        (like("acme.text", "?lue"), &[9]),
        (like("acme.number", "4*"), &[9, 10]),
        (like("acme.flag", "t*e"), &[9]),
        (like("message", "fail*"), &[0, 1, 3, 4]),
        (like("message", "FAIL*"), &[0, 1, 3, 4]),
        (like(crate::ANY_TEXT, "htt?"), &[5, 6, 7, 8]),
        (prefix("message", "Acc"), &[2]),
        (regex("user.name", "[rR]oot"), &[0, 1]),
        (regex("user.name", "oo"), &[]),
        (regex("url.path", "/(index|search).*"), &[5, 7]),
        (regex("message", "fail.*"), &[0, 1, 3, 4]),
        (regex("acme.number", r"\d+"), &[9, 10]),
        (cidr("source.ip", "10.0.0.0/8"), &[4]),
        (cidr("source.ip", "192.0.2.0/31"), &[0]),
        (cidr("source.ip", "2001:db8::/32"), &[2]),
        (cidr("source.ip", "0.0.0.0/0"), &[0, 1, 3, 4, 5, 6, 7, 8]),
        (cidr("source.ip", "::/0"), &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (cidr("source.ip", "192.0.2.2"), &[1]),
        (cidr("source.address", "10.0.0.0/8"), &[4]),
        (cidr("acme.address", "10.9.0.0/16"), &[10]),
        (cidr("related.ip", "fe80::/10"), &[12]),
    ]
}

fn texts() -> Vec<Case> {
    use WordsMode::{All, Any, Phrase};
    vec![
        (words(None, "failed", All), &[0, 1, 3, 4]),
        (words(None, "FAILED root", All), &[0, 1]),
        (words(None, "failed accepted", All), &[]),
        (words(None, "failed accepted", Any), &[0, 1, 2, 3, 4]),
        (words(None, "failed password", Phrase), &[0, 1, 3, 4]),
        (words(None, "password failed", Phrase), &[]),
        (words(None, "192.0.2.1", Phrase), &[0]),
        (words(None, "192.0.2.1 failed", All), &[0]),
        (words(None, "192.0.2", All), &[]),
        (words(None, "sshd[42] root", All), &[0, 1]),
        (words(None, "42/sshd", All), &[]),
        (words(None, "42/sshd accepted", Any), &[2]),
        (prefix(crate::ANY_TEXT, "192.0.2."), &[0, 1, 5, 6, 7, 8]),
        (words(None, "sshd[42]: Failed password", Phrase), &[0, 1, 3, 4]),
        (words(None, "vm sshd 42 accepted", Phrase), &[2]),
        (words(None, "Nov 21 00:00:01 vm sshd[42]: Failed password for bob", Phrase), &[3]),
        (words(None, "42 password", Phrase), &[]),
        (words(None, "sshd failed", All), &[0, 1, 3, 4]),
        (words(None, "путь", All), &[8]),
        (words(None, "ünïcode", All), &[8]),
        (words(None, "raw line", Phrase), &[9]),
        (words(None, "middle", All), &[10]),
        (words(None, "message in the middle", Phrase), &[]),
        (words(None, "middle 42", Phrase), &[]),
        (words(None, "{\"message\":\"in the middle\",\"n\":\"42\"}", Phrase), &[10]),
        (words(None, "middle 42", All), &[10]),
        (words(None, "one two", Phrase), &[13]),
        (words(None, "two one", All), &[13]),
        (words(None, ".,;", All), &[]),
        (words(None, "", Phrase), &[]),
        (words(Some("message"), "sshd", All), &[]),
        (words(Some("message"), "failed root", All), &[0, 1]),
        (words(Some("message"), "middle", Phrase), &[10]),
        (words(Some("event.original"), "sshd", All), &[0, 1, 2, 3, 4]),
        (words(Some("user.name"), "root", Phrase), &[0]),
        (words(Some("user.name"), "root bob", Any), &[]),
        (t("message", "failed password"), &[0, 1, 3, 4]),
        (t("message", "no raw line, only a message"), &[9]),
    ]
}

fn trees() -> Vec<Case> {
    let both = |filters: [Filter; 2]| Filter::And(filters.to_vec());
    let exists = |name: &str| Filter::exists(name);
    vec![
        (Filter::All, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        (not(Filter::All), &[]),
        (Filter::And(Vec::new()), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        (Filter::Or(Vec::new()), &[]),
        (both([t("event.outcome", "failure"), t("source.port", "22")]), &[0]),
        (Filter::Or(vec![t("user.name", "bob"), t("user.name", "alice")]), &[2, 3]),
        (not(t("event.category", "authentication")), &[5, 6, 7, 8, 9, 10, 11, 12, 13]),
        (both([t("event.category", "web"), not(t("url.path", "/search"))]), &[5, 6, 8]),
        (not(not(t("user.name", "bob"))), &[3]),
        (both([not(exists("source.ip")), not(exists("acme"))]), &[12]),
        (exists("user.name"), &[0, 1, 2, 3, 4, 11]),
        (exists("url.query"), &[6, 7]),
        (exists("url"), &[5, 6, 7, 8]),
        (exists("acme"), &[9, 10, 13]),
        (exists("acme.nothing"), &[]),
        (exists("acme.none"), &[]),
        (exists("process.title"), &[]),
        (exists("tags"), &[12]),
        (exists("message"), &[0, 1, 2, 3, 4, 9, 10, 13]),
        (exists("event.original"), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13]),
        (exists("@timestamp"), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        (exists("event"), &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        (exists("source.por"), &[]),
        (exists("nobody.has.this"), &[]),
    ]
}

/// Asks the store and the matcher every case.
pub(super) fn all(store: &dyn EventStore) -> Vec<(String, Result<(), String>)> {
    let cases = [values(), ranges(), patterns(), texts(), trees()].concat();
    cases
        .iter()
        .map(|(filter, expected)| (format!("{filter:?}"), one(store, filter, expected)))
        .collect()
}

fn one(store: &dyn EventStore, filter: &Filter, expected: &[u64]) -> Result<(), String> {
    let request = SearchRequest { filter: filter.clone(), limit: 1000, ..Default::default() };
    let response = told("search", store.search(&request))?;
    let mut got: Vec<u64> = response.hits.iter().map(number).collect();
    got.sort_unstable();
    expect("search", got.as_slice(), expected)?;
    expect("total", response.total, expected.len() as u64)?;
    expect("count", told("count", store.count(filter, None, None))?, expected.len() as u64)?;
    let matcher = told("matcher", Matcher::new(filter))?;
    let matched: Vec<u64> = corpus()
        .iter()
        .filter(|event| matcher.matches(event))
        .map(|event| event.id.offset)
        .collect();
    expect("matcher", matched.as_slice(), expected)
}
