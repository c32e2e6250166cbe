//! What comes back: documents, order, pages, aggregates, errors.

use std::ops::ControlFlow;
use std::time::Duration;

use tocsin_model::{Event, EventId, Timestamp};

use crate::conformance::{corpus, expect, number, told};
use crate::{
    Agg, AggKind, AggResult, Bound, Evaluator, EventStore, Filter, Matcher, Order, RangeBucket,
    ScanRequest, SearchRequest, Sort, TermsOrder, cursor_after,
};

/// How many events there are.
const EVENTS: u64 = 14;

pub(super) fn empty(store: &dyn EventStore) -> Result<(), String> {
    let request = SearchRequest {
        aggs: [("users".to_owned(), Agg::terms("user.name", 10))].into(),
        ..SearchRequest::default()
    };
    let response = told("search", store.search(&request))?;
    expect("total", response.total, 0)?;
    expect("buckets", response.aggs.get("users").map(|agg| agg.buckets().len()), Some(0))?;
    expect("payload", told("payload", store.payload())?, None)?;
    expect("get", told("get", store.get(EventId::default()))?, None)?;
    expect("documents", told("stats", store.stats())?.documents, 0)?;
    expect("delete", told("delete", store.delete_before(Timestamp(i64::MAX)))?, 0)
}

/// Appending shows nothing; committing shows all, with its payload.
pub(super) fn commit(store: &dyn EventStore) -> Result<(), String> {
    let events = corpus();
    told("commit nothing", store.commit("first"))?;
    expect("payload", told("payload", store.payload())?.as_deref(), Some("first"))?;
    told("append", store.append(&events[..2]))?;
    expect("before", told("count", store.count(&Filter::All, None, None))?, 0)?;
    told("commit", store.commit("{\"second\":[1,\"\u{1F512}\"]}"))?;
    expect("after", told("count", store.count(&Filter::All, None, None))?, 2)?;
    let payload = told("payload", store.payload())?;
    expect("payload", payload.as_deref(), Some("{\"second\":[1,\"\u{1F512}\"]}"))?;
    told("append none", store.append(&[]))?;
    told("commit the same", store.commit("{\"second\":[1,\"\u{1F512}\"]}"))?;
    expect("still", told("count", store.count(&Filter::All, None, None))?, 2)
}

pub(super) fn read_back(store: &dyn EventStore) -> Result<(), String> {
    for event in corpus() {
        let got = told("get", store.get(event.id))?;
        expect("event", got, Some(event.to_json()))?;
    }
    let mut wanted: Vec<Event> = corpus().into_iter().step_by(3).collect();
    let ids = wanted.iter().map(|event| event.id).chain([EventId { stream: 8, offset: 0 }]);
    let mut got = told("events", store.events(&ids.collect(), Timestamp(0)))?;
    wanted.sort_by_key(|event| event.id);
    got.sort_by_key(|event| event.id);
    let json = |events: &[Event]| events.iter().map(Event::to_json).collect::<Vec<_>>();
    expect("events by id", json(&got), json(&wanted))?;
    expect("no such", told("get", store.get(EventId { stream: 7, offset: 99 }))?, None)?;
    expect("no such", told("get", store.get(EventId { stream: 8, offset: 0 }))?, None)
}

fn sorted(field: &str, order: Order) -> SearchRequest {
    let sort = Sort { field: field.to_owned(), order };
    SearchRequest { sort, limit: 1000, ..SearchRequest::default() }
}

/// Field, order, expected numbers; events without the field come last, ties go by id.
pub(super) fn sorting(store: &dyn EventStore) -> Result<(), String> {
    let cases: [(&str, Order, &[u64]); 7] = [
        ("@timestamp", Order::Desc, &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ("@timestamp", Order::Asc, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        ("source.port", Order::Asc, &[4, 0, 2, 1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
        ("source.port", Order::Desc, &[3, 1, 2, 0, 4, 13, 12, 11, 10, 9, 8, 7, 6, 5]),
        ("user.name", Order::Asc, &[11, 1, 2, 3, 0, 4, 5, 6, 7, 8, 9, 10, 12, 13]),
        ("source.ip", Order::Desc, &[2, 3, 8, 7, 6, 5, 1, 0, 4, 13, 12, 11, 10, 9]),
        ("event.category", Order::Asc, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]),
    ];
    for (field, order, expected) in cases {
        let response = told(field, store.search(&sorted(field, order)))?;
        let got: Vec<u64> = response.hits.iter().map(number).collect();
        expect(&format!("{field} {order:?}"), got.as_slice(), expected)?;
    }
    Ok(())
}

/// Pages of every size, in every order, give what one page gives.
pub(super) fn paging(store: &dyn EventStore) -> Result<(), String> {
    for field in ["@timestamp", "source.port", "user.name", "source.ip"] {
        for order in [Order::Asc, Order::Desc] {
            let whole = told(field, store.search(&sorted(field, order)))?;
            expect("no next page", whole.next, None)?;
            for size in [1, 3, 7, 14] {
                let mut request = SearchRequest { limit: size, ..sorted(field, order) };
                let mut hits = Vec::new();
                loop {
                    let page = told(field, store.search(&request))?;
                    expect("total of a page", page.total, EVENTS)?;
                    let last = page.hits.last().map(|hit| cursor_after(hit, &request.sort));
                    expect("cursor of a hit", page.next.is_none() || page.next == last, true)?;
                    hits.extend(page.hits);
                    request.cursor = page.next;
                    if request.cursor.is_none() || hits.len() > EVENTS as usize {
                        break;
                    }
                }
                expect(&format!("{field} {order:?} by {size}"), &hits, &whole.hits)?;
            }
        }
    }
    let none = SearchRequest { limit: 0, ..SearchRequest::default() };
    let response = told("limit 0", store.search(&none))?;
    expect("limit 0", (response.hits.len(), response.total, response.next), (0, EVENTS, None))?;
    span(store)
}

/// A scan gives every event that matches as it was appended, oldest first, and ends when asked.
pub(super) fn scanning(store: &dyn EventStore) -> Result<(), String> {
    let cases = [
        ScanRequest::default(),
        ScanRequest { filter: Filter::term("event.outcome", "failure"), ..ScanRequest::default() },
        ScanRequest {
            from: Timestamp::parse_rfc3339("2026-11-21T00:00:10Z"),
            to: Timestamp::parse_rfc3339("2026-11-21T00:00:30Z"),
            ..ScanRequest::default()
        },
    ];
    for request in cases {
        let matcher = told("matcher", Matcher::new(&request.filter))?;
        let wanted = |event: &Event| {
            matcher.matches(event)
                && request.from.is_none_or(|from| event.time >= from)
                && request.to.is_none_or(|to| event.time < to)
        };
        let mut expected: Vec<Event> = corpus().into_iter().filter(wanted).collect();
        expected.sort_by_key(|event| (event.time, event.id));
        let mut got: Vec<Event> = Vec::new();
        let mut totals = Vec::new();
        let given = store.scan(&request, &mut |scanned| {
            got.extend_from_slice(scanned.events);
            totals.push((scanned.done, scanned.total));
            ControlFlow::Continue(())
        });
        expect("events given", told("scan", given)?, expected.len() as u64)?;
        expect("order", got.is_sorted_by_key(|event| event.time), true)?;
        got.sort_by_key(|event| (event.time, event.id));
        let json = |events: &[Event]| events.iter().map(Event::to_json).collect::<Vec<_>>();
        expect("events", json(&got), json(&expected))?;
        let all = expected.len() as u64;
        expect("progress", totals.last().copied(), Some((all, all)))?;
    }
    let mut calls = 0;
    let ended = store.scan(&ScanRequest::default(), &mut |_| {
        calls += 1;
        ControlFlow::Break(())
    });
    told("scan that is ended", ended)?;
    expect("calls after the end", calls, 1)
}

/// `from` is included, `to` is not.
fn span(store: &dyn EventStore) -> Result<(), String> {
    let time = |text: &str| Timestamp::parse_rfc3339(text);
    let cases = [
        (time("2026-11-21T00:00:10Z"), time("2026-11-21T00:00:30Z"), 2),
        (time("2026-11-21T00:00:30Z"), None, 11),
        (None, time("2026-11-21T00:00:30Z"), 3),
        (time("2027-01-01T00:00:00Z"), None, 0),
        (None, time("2026-01-01T00:00:00Z"), 0),
        (time("2026-11-21T00:00:30Z"), time("2026-11-21T00:00:10Z"), 0),
    ];
    for (from, to, expected) in cases {
        let request = SearchRequest { from, to, limit: 0, ..SearchRequest::default() };
        let total = told("span", store.search(&request))?.total;
        expect(&format!("search {from:?} {to:?}"), total, expected)?;
        let count = told("span", store.count(&Filter::All, from, to))?;
        expect(&format!("count {from:?} {to:?}"), count, expected)?;
    }
    Ok(())
}

fn ask(store: &dyn EventStore, agg: Agg) -> Result<AggResult, String> {
    let request = SearchRequest {
        limit: 0,
        aggs: [("x".to_owned(), agg)].into(),
        ..SearchRequest::default()
    };
    let mut response = told("aggregate", store.search(&request))?;
    response.aggs.remove("x").ok_or_else(|| "the aggregate is missing".to_owned())
}

fn pairs(result: &AggResult) -> Vec<(String, u64)> {
    let text = |key: &serde_json::Value| key.as_str().map_or(key.to_string(), str::to_owned);
    result.buckets().iter().map(|bucket| (text(&bucket.key), bucket.doc_count)).collect()
}

fn named(expected: &[(&str, u64)]) -> Vec<(String, u64)> {
    expected.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
}

pub(super) fn aggregates(store: &dyn EventStore) -> Result<(), String> {
    let terms = |field: &str| ask(store, Agg::terms(field, 10));
    let outcomes = terms("event.outcome")?;
    let expected = named(&[("failure", 3), ("success", 1), ("unknown", 1)]);
    expect("terms of a keyword", pairs(&outcomes), expected)?;
    let top = ask(store, Agg::terms("source.ip", 1))?;
    expect("terms of addresses", pairs(&top), named(&[("192.0.2.9", 4)]))?;
    let AggResult::Buckets { other, .. } = top else { return Err("no buckets".to_owned()) };
    expect("events in other buckets", other, 5)?;
    let mut ports = pairs(&terms("source.port")?);
    ports.sort();
    let expected = named(&[("0", 1), ("22", 2), ("2222", 1), ("65535", 1)]);
    expect("terms of a number", ports, expected)?;
    let mut colours = pairs(&terms("acme.text")?);
    colours.sort();
    let expected = named(&[("Blue", 1), ("green", 1), ("red", 1)]);
    expect("terms of an unknown field", colours, expected)?;
    expect("terms of nothing", pairs(&terms("nobody.has.this")?), Vec::new())?;
    let users = ask(store, Agg::cardinality("user.name"))?;
    expect("cardinality", users.value(), Some(6))?;
    let addresses = ask(store, Agg::cardinality("source.ip"))?;
    expect("cardinality of addresses", addresses.value(), Some(6))?;
    let none = ask(store, Agg::cardinality("file.name"))?;
    expect("cardinality of nothing", none.value(), Some(0))?;
    let stats = ask(store, Agg::stats("http.response.status_code"))?;
    let stats = stats.stats().map(|s| (s.count, s.min, s.max, s.sum, s.avg));
    expect("stats", stats, Some((4, Some(200.0), Some(500.0), 1505.0, Some(376.25))))?;
    let none = ask(store, Agg::stats("file.size"))?;
    let none = none.stats().map(|s| (s.count, s.min, s.avg, s.sum));
    expect("stats of nothing", none, Some((0, None, None, 0.0)))?;
    buckets_of_ranges_and_times(store)
}

/// What is gathered event by event is what the backend answers.
pub(super) fn evaluator(store: &dyn EventStore) -> Result<(), String> {
    let inside = |agg: Agg| agg.with("who", Agg::cardinality("user.name"));
    let ranges = vec![
        RangeBucket { from: None, to: Some(300.0) },
        RangeBucket { from: Some(300.0), to: Some(500.0) },
        RangeBucket { from: Some(500.0), to: None },
    ];
    let status = || "http.response.status_code".to_owned();
    let failures = Filter::term("event.outcome", "failure");
    let filters = vec![("bad".to_owned(), failures.clone()), ("all".to_owned(), Filter::All)];
    let by_key = TermsOrder { by: "_key".to_owned(), order: Order::Asc };
    let aggs = [
        inside(Agg::terms("event.outcome", 10)),
        Agg::of(AggKind::Terms { field: "user.name".to_owned(), size: 3, order: by_key }),
        inside(Agg::date_histogram("@timestamp", Duration::from_secs(20))),
        Agg::of(AggKind::Range { field: status(), ranges }),
        Agg::of(AggKind::Histogram { field: status(), interval: 100.0 }),
        inside(Agg::of(AggKind::Filters { filters })),
        Agg::stats(status()),
        Agg::of(AggKind::ExtendedStats { field: status() }),
        Agg::terms("event.outcome", 10)
            .with("x", Agg::of(AggKind::ExtendedStats { field: status() })),
        Agg::cardinality("source.ip"),
    ];
    for agg in aggs {
        for filter in [Filter::All, failures.clone()] {
            for field in ["@timestamp", "source.ip", "user.name"] {
                let request = SearchRequest {
                    filter: filter.clone(),
                    limit: 5,
                    sort: Sort { field: field.to_owned(), order: Order::Asc },
                    aggs: [("x".to_owned(), agg.clone())].into(),
                    ..SearchRequest::default()
                };
                let mut response = told("search", store.search(&request))?;
                let mut evaluator = told("evaluator", Evaluator::new(&request))?;
                for event in corpus() {
                    told("event", evaluator.add(&event))?;
                }
                let mut own = told("evaluator", evaluator.finish())?;
                (response.took, own.took) = Default::default();
                // A backend may have some of it in an archive.
                own.archived = response.archived;
                expect(&format!("{agg:?} of {filter:?} by {field}"), own, response)?;
            }
        }
    }
    Ok(())
}

fn buckets_of_ranges_and_times(store: &dyn EventStore) -> Result<(), String> {
    let range = |from, to| RangeBucket { from, to };
    let ranges = ask(
        store,
        Agg::of(AggKind::Range {
            field: "http.response.status_code".to_owned(),
            ranges: vec![
                range(Some(200.0), Some(300.0)),
                range(Some(400.0), Some(500.0)),
                range(Some(500.0), None),
            ],
        }),
    )?;
    let counts: Vec<u64> = ranges
        .buckets()
        .iter()
        .filter(|bucket| bucket.doc_count > 0)
        .map(|bucket| bucket.doc_count)
        .collect();
    expect("ranges", counts, vec![1, 2, 1])?;
    let agg = Agg::date_histogram("@timestamp", Duration::from_secs(20))
        .with("outcomes", Agg::terms("event.outcome", 5))
        .with("users", Agg::cardinality("user.name"));
    let histogram = ask(store, agg)?;
    let counts: Vec<u64> = histogram.buckets().iter().map(|bucket| bucket.doc_count).collect();
    expect("histogram", counts, vec![2, 2, 1, 0, 3, 1, 0, 0, 0, 0, 5])?;
    let first = histogram.buckets().first().ok_or("no first bucket")?;
    let start = "2026-11-21T00:00:00Z";
    expect("key", first.key_as_string.as_deref(), Some(start))?;
    let millis = Timestamp::parse_rfc3339(start).map(Timestamp::millis);
    expect("key in milliseconds", first.key.as_i64(), millis)?;
    let outcomes = first.aggs.get("outcomes").map(pairs);
    expect("terms inside", outcomes, Some(named(&[("failure", 2)])))?;
    let users = first.aggs.get("users").and_then(AggResult::value);
    expect("cardinality inside", users, Some(2))?;
    let request = SearchRequest {
        from: Timestamp::parse_rfc3339("2026-11-21T00:00:00Z"),
        to: Timestamp::parse_rfc3339("2026-11-21T01:00:00Z"),
        filter: Filter::term("user.name", "alice"),
        aggs: [("times".to_owned(), Agg::date_histogram("@timestamp", Duration::from_secs(600)))]
            .into(),
        ..SearchRequest::default()
    };
    let response = told("histogram over a span", store.search(&request))?;
    let counts: Option<Vec<u64>> =
        response.aggs.get("times").map(|t| t.buckets().iter().map(|b| b.doc_count).collect());
    expect("histogram over a span", counts, Some(vec![1, 0, 0, 0, 0, 0]))?;
    expect("hits beside it", response.hits.len(), 1)
}

/// What makes no sense is refused, with the field's name in the message.
pub(super) fn bad_requests(store: &dyn EventStore) -> Result<(), String> {
    let range = |field: &str, value: &str| Filter::Range {
        field: field.to_owned(),
        lower: Bound::Included(value.to_owned()),
        upper: Bound::Unbounded,
    };
    let filters = [
        ("source.port", range("source.port", "ssh")),
        ("source.ip", range("source.ip", "everywhere")),
        ("@timestamp", range("@timestamp", "yesterday")),
        ("message", range("message", "a")),
        ("user.name", Filter::Regex { field: "user.name".into(), pattern: "(".into() }),
        ("user.name", Filter::Regex { field: "user.name".into(), pattern: "a)|(b".into() }),
        ("source.ip", Filter::Cidr { field: "source.ip".into(), network: "10.0.0.0/33".into() }),
        ("source.port", Filter::Cidr { field: "source.port".into(), network: "10.0.0.0/8".into() }),
        ("event.id", Filter::Prefix { field: "event.id".into(), value: "00".into() }),
    ];
    for (field, filter) in filters {
        let request = SearchRequest { filter: filter.clone(), ..SearchRequest::default() };
        match store.search(&request) {
            Err(crate::StoreError::BadRequest(message)) if message.contains(field) => {}
            other => return Err(format!("{filter:?}: expected a refusal, got {other:?}")),
        }
    }
    let mut requests = vec![
        SearchRequest { cursor: Some("nonsense é".to_owned()), ..SearchRequest::default() },
        sorted("message", Order::Asc),
    ];
    for agg in [
        Agg::terms("message", 10),
        Agg::terms("user.name", 0),
        Agg::date_histogram("@timestamp", Duration::ZERO),
        Agg::cardinality("user.name").with("x", Agg::stats("source.port")),
    ] {
        let aggs = [("x".to_owned(), agg)].into();
        requests.push(SearchRequest { aggs, ..SearchRequest::default() });
    }
    for request in requests {
        match store.search(&request) {
            Err(crate::StoreError::BadRequest(_)) => {}
            other => return Err(format!("{request:?}: expected a refusal, got {other:?}")),
        }
    }
    Ok(())
}

pub(super) fn fields(store: &dyn EventStore) -> Result<(), String> {
    let fields = told("fields", store.fields())?;
    let find = |name: &str| {
        fields.iter().find(|field| field.name == name).map(|field| (field.kind, field.documents))
    };
    expect("user.name", find("user.name"), Some(("keyword", 6)))?;
    expect("source.ip", find("source.ip"), Some(("ip", 10)))?;
    expect("message", find("message"), Some(("text", 8)))?;
    expect("url.path", find("url.path"), Some(("wildcard", 4)))?;
    expect("acme.number", find("acme.number"), Some(("dynamic", 2)))?;
    expect("acme.nothing", find("acme.nothing"), None)?;
    expect("event.original", find("event.original"), Some(("text", 13)))
}

/// Only whole partitions go, never the newest; what is left is still found.
pub(super) fn retention(store: &dyn EventStore) -> Result<(), String> {
    expect("too early", told("delete", store.delete_before(Timestamp(0)))?, 0)?;
    let before = told("count", store.count(&Filter::All, None, None))?;
    expect("large enough", told("shrink", store.shrink_to(u64::MAX))?, 0)?;
    let shrunk = told("shrink", store.shrink_to(0))?;
    let deleted = shrunk + told("delete", store.delete_before(Timestamp(i64::MAX)))?;
    let after = told("count", store.count(&Filter::All, None, None))?;
    expect("what is left", after, before - deleted)?;
    let payload = told("payload", store.payload())?;
    expect("payload", payload.as_deref(), Some("{\"round\":2}"))
}
