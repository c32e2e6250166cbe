//! Aggregates that take more than one question: filters inside buckets, buckets of the calendar,
//! the first events of buckets.

use std::time::Duration;

use crate::conformance::{corpus, expect, number, told};
use crate::{
    Agg, AggKind, AggResult, Bucket, Evaluator, EventStore, Every, Filter, Order, RangeBucket,
    SearchRequest, SearchResponse, Sort, in_steps,
};

fn calendar(every: Every, zone: &str) -> Agg {
    let (field, zone) = ("@timestamp".to_owned(), zone.to_owned());
    Agg::of(AggKind::Calendar { field, every, zone })
}

fn top(size: usize, field: &str, order: Order) -> Agg {
    Agg::of(AggKind::TopHits { size, sort: Sort { field: field.to_owned(), order } })
}

fn failures() -> Agg {
    let failure = Filter::term("event.outcome", "failure");
    let filters = vec![("bad".to_owned(), failure), ("all".to_owned(), Filter::All)];
    Agg::of(AggKind::Filters { filters })
}

fn asked(agg: Agg) -> SearchRequest {
    let aggs = [("x".to_owned(), agg)].into();
    SearchRequest { limit: 0, aggs, ..SearchRequest::default() }
}

fn ask(store: &dyn EventStore, agg: Agg) -> Result<AggResult, String> {
    let mut response = told("aggregate", store.search(&asked(agg)))?;
    response.aggs.remove("x").ok_or_else(|| "the aggregate is missing".to_owned())
}

/// The same, event by event.
fn evaluated(request: &SearchRequest) -> crate::Result<SearchResponse> {
    in_steps(request, &mut |request| {
        let mut evaluator = Evaluator::new(request)?;
        for event in corpus() {
            evaluator.add(&event)?;
        }
        evaluator.finish()
    })
}

pub(super) fn steps(store: &dyn EventStore) -> Result<(), String> {
    let status = || "http.response.status_code".to_owned();
    let ranges = vec![
        RangeBucket { from: None, to: Some(300.0) },
        RangeBucket { from: Some(400.0), to: Some(500.0) },
    ];
    let users = || Agg::terms("user.name", 3);
    let minutes = || Agg::date_histogram("@timestamp", Duration::from_secs(60));
    let newest = || top(2, "@timestamp", Order::Desc);
    let aggs = [
        failures().with("who", Agg::cardinality("user.name")),
        users().with("how", failures().with("ports", Agg::stats("source.port"))),
        minutes().with("who", users().with("how", failures())).with("n", newest()),
        calendar(Every::Month, "UTC").with("who", users().with("how", failures())),
        calendar(Every::Day, "America/New_York").with("first", top(1, "user.name", Order::Asc)),
        users().with("days", calendar(Every::Hours(1), "+05:30").with("n", newest())),
        users().with("n", newest()),
        Agg::of(AggKind::Range { field: status(), ranges }).with("n", newest()),
        Agg::of(AggKind::Histogram { field: status(), interval: 100.0 }).with("n", newest()),
        newest(),
        failures().with("n", newest()),
        Agg::of(AggKind::AutoDateHistogram { field: "@timestamp".to_owned(), buckets: 10 }),
    ];
    for agg in aggs {
        for filter in [Filter::All, Filter::term("event.outcome", "failure")] {
            let request = SearchRequest { filter, ..asked(agg.clone()) };
            let mut response = told("search", store.search(&request))?;
            let mut own = told("event by event", evaluated(&request))?;
            (response.took, own.took) = Default::default();
            own.archived = response.archived;
            expect(&format!("{agg:?} of {:?}", request.filter), response, own)?;
        }
    }
    numbers(store)?;
    refusals(store)
}

/// Key, events, and what is inside.
fn counts(bucket: &Bucket, name: &str) -> (String, Vec<u64>) {
    let key = bucket.key_as_string.clone().or_else(|| bucket.key.as_str().map(str::to_owned));
    let inside = bucket.aggs.get(name).map_or(&[][..], AggResult::buckets);
    (key.unwrap_or_default(), inside.iter().map(|bucket| bucket.doc_count).collect())
}

fn numbers(store: &dyn EventStore) -> Result<(), String> {
    let by_outcome = Agg::terms("event.outcome", 10).with("how", failures());
    let got = ask(store, by_outcome)?;
    let got: Vec<_> = got.buckets().iter().map(|bucket| counts(bucket, "how")).collect();
    let all = [("failure", vec![3, 3]), ("success", vec![0, 1]), ("unknown", vec![0, 1])];
    expect("filters in terms", got, all.map(|(key, all)| (key.to_owned(), all)).to_vec())?;

    let months = ask(store, calendar(Every::Month, "Europe/Berlin").with("how", failures()))?;
    let got: Vec<_> = months.buckets().iter().map(|bucket| counts(bucket, "how")).collect();
    expect("months", got, vec![("2026-10-31T23:00:00Z".to_owned(), vec![3, 14])])?;

    let hits =
        ask(store, Agg::terms("event.outcome", 1).with("n", top(2, "source.ip", Order::Desc)))?;
    let Some(AggResult::Hits { total, hits }) =
        hits.buckets().first().and_then(|bucket| bucket.aggs.get("n"))
    else {
        return Err(format!("no hits inside: {hits:?}"));
    };
    let got: Vec<u64> = hits.iter().map(number).collect();
    expect("the first of failures", (*total, got.as_slice()), (3, &[3, 1][..]))?;

    // 203 seconds: buckets of half a minute are the shortest that are no more than ten.
    let field = "@timestamp".to_owned();
    let auto = ask(store, Agg::of(AggKind::AutoDateHistogram { field, buckets: 10 }))?;
    expect("automatic buckets", auto.buckets().len(), 7)
}

fn refusals(store: &dyn EventStore) -> Result<(), String> {
    let hours = || "@timestamp".to_owned();
    let cases = [
        ("no time zone", calendar(Every::Day, "Mars/Olympus")),
        ("no hours", calendar(Every::Hours(0), "UTC")),
        ("no date", Agg::of(AggKind::AutoDateHistogram { field: "user.name".into(), buckets: 5 })),
        ("too many", top(101, "@timestamp", Order::Desc)),
        ("no column", top(1, "message", Order::Desc)),
        ("inside hits", top(1, &hours(), Order::Desc).with("x", Agg::cardinality("user.name"))),
    ];
    for (why, agg) in cases {
        match store.search(&asked(agg)) {
            Err(crate::StoreError::BadRequest(_)) => {}
            other => return Err(format!("{why}: expected a refusal, got {other:?}")),
        }
    }
    Ok(())
}
