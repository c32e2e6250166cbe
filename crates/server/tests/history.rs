//! Questions to stored history: searches with aggregates, fields, backtests, and Elasticsearch's
//! reading API as its clients and Grafana use it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Answer, Rig, alert, login, now};
use serde_json::{Value as Json, json};
use tocsin_model::{FieldId, Severity, Timestamp};

/// Three alerts; six logins and four requests of the last minutes.
async fn busy_rig() -> Rig {
    let rig = Rig::new().await;
    let at = now();
    let ago = |seconds| at.minus(Duration::from_secs(seconds));
    let alerts = [
        alert(1, Severity::High, "192.0.2.1", ago(60)),
        alert(2, Severity::Critical, "192.0.2.1", ago(30)),
        alert(3, Severity::Low, "198.51.100.7", ago(7200)),
    ];
    rig.handle.catalog.save(&alerts, &[]).unwrap();
    let mut events = vec![
        login(1, ago(60), "192.0.2.1", "failure", Some(1)),
        login(2, ago(59), "192.0.2.1", "failure", Some(4)),
        login(3, ago(59), "192.0.2.1", "failure", Some(0)),
        login(4, ago(58), "192.0.2.1", "success", None),
        login(5, ago(57), "203.0.113.9", "failure", None),
        login(6, ago(7200), "198.51.100.7", "failure", None),
    ];
    for (number, status) in [(7, 200), (8, 401), (9, 401), (10, 500)] {
        let mut event = login(number, ago(50), "192.0.2.77", "unknown", None);
        event.push_int(FieldId::intern("http.response.status_code").unwrap(), status);
        event.push_str(FieldId::intern("url.path").unwrap(), "/admin/login");
        events.push(event);
    }
    rig.handle.store.append(&events).unwrap();
    rig.handle.store.commit("{}").unwrap();
    rig
}

async fn post(rig: &Rig, target: &str, body: &Json) -> Answer {
    let body = body.to_string();
    rig.ask("POST", target, &[("content-type", "application/json")], body.as_bytes()).await
}

async fn total(rig: &Rig, query: Json) -> u64 {
    let body = json!({ "query": query, "size": 0 });
    let answer = post(rig, "/logs-*/_search", &body).await;
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()["hits"]["total"]["value"].as_u64().unwrap()
}

/// Queries by field.
fn fields() -> Vec<(Json, u64)> {
    vec![
        (json!({ "match_all": {} }), 10),
        (json!({ "match_none": {} }), 0),
        (json!({ "match": { "http.response.status_code": 401 } }), 2),
        (json!({ "match": { "http.response.status_code": { "query": "401" } } }), 2),
        (json!({ "match": { "event.original": "login nothing" } }), 10),
        (json!({ "match": { "event.original": { "query": "login x", "operator": "and" } } }), 0),
        (json!({ "match_phrase": { "event.original": "a login" } }), 10),
        (json!({ "match_phrase_prefix": { "event.original": "a log" } }), 10),
        (json!({ "multi_match": { "query": "failure", "fields": ["event.outcome^2", "x"] } }), 5),
        (json!({ "term": { "event.outcome": "failure" } }), 5),
        (json!({ "term": { "event.outcome.keyword": { "value": "failure" } } }), 5),
        (
            json!({ "term": { "event.outcome": { "value": "FAILURE", "case_insensitive": true } } }),
            5,
        ),
        (json!({ "term": { "source.ip": "192.0.2.0/24" } }), 8),
        (json!({ "terms": { "event.outcome": ["success", "unknown"] } }), 5),
        (json!({ "terms": { "http.response.status_code": [200, 500] } }), 2),
        (json!({ "range": { "http.response.status_code": { "gte": 401, "lt": 500 } } }), 2),
        (json!({ "range": { "@timestamp": { "gte": "now-1h", "lte": "now" } } }), 9),
        (
            json!({ "range": { "@timestamp": {
                "gte": now().minus(Duration::from_secs(3600)).millis(),
                "lte": now().millis(), "format": "epoch_millis",
            } } }),
            9,
        ),
        (json!({ "exists": { "field": "url.path" } }), 4),
        (json!({ "exists": { "field": "http" } }), 4),
        (json!({ "wildcard": { "url.path": { "value": "/adm*/l?gin" } } }), 4),
        (json!({ "wildcard": { "url.path": "/ADM*" } }), 0),
        (json!({ "wildcard": { "url.path": { "value": "/ADM*", "case_insensitive": true } } }), 4),
        (json!({ "prefix": { "url.path": "/admin" } }), 4),
        (json!({ "regexp": { "url.path": "/[a-z]+/login" } }), 4),
    ]
}

/// Queries of queries, and by id.
fn compounds() -> Vec<(Json, u64)> {
    vec![
        (json!({ "ids": { "values": ["00000000000000010000000000000002", "x"] } }), 1),
        (
            json!({ "bool": {
                "must": [{ "term": { "event.outcome": "failure" } }],
                "must_not": { "term": { "source.ip": "192.0.2.1" } },
                "filter": [{ "exists": { "field": "source.ip" } }],
            } }),
            2,
        ),
        (
            json!({ "bool": { "should": [
                { "term": { "event.outcome": "success" } },
                { "term": { "http.response.status_code": 500 } },
            ] } }),
            2,
        ),
        (
            json!({ "bool": { "minimum_should_match": 2, "should": [
                { "term": { "event.outcome": "failure" } },
                { "term": { "source.ip": "192.0.2.1" } },
                { "term": { "tocsin.attempts": 4 } },
            ] } }),
            3,
        ),
        (json!({ "constant_score": { "filter": { "term": { "event.outcome": "success" } } } }), 1),
    ]
}

/// Queries as people type them.
fn texts() -> Vec<(Json, u64)> {
    let text = |text: &str| json!({ "query_string": { "query": text } });
    vec![
        (text("*"), 10),
        (text("event.outcome:failure AND NOT source.ip:192.0.2.1"), 2),
        (text("event.outcome:(success OR unknown)"), 5),
        (text("event.outcome:success event.outcome:unknown"), 5),
        (text("+event.outcome:failure -source.ip:192.0.2.1"), 2),
        (text("http.response.status_code:[400 TO 499]"), 2),
        (text("http.response.status_code:{200 TO 500}"), 2),
        (text("http.response.status_code:>=401"), 3),
        (text("_exists_:url.path && url.path:\\/admin*"), 4),
        (text("url.path:/.*login/ OR event.outcome:success"), 5),
        (text("\"a login\""), 10),
        (text("nowhere"), 0),
        (text("@timestamp:[now-1h TO now]"), 9),
    ]
}

#[tokio::test]
async fn elasticsearch_queries_find_what_they_mean() {
    let rig = busy_rig().await;
    for (query, expected) in [fields(), compounds(), texts()].concat() {
        assert_eq!(total(&rig, query.clone()).await, expected, "{query}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn elasticsearch_answers_have_its_form() {
    let rig = busy_rig().await;
    let body = json!({
        "query": { "term": { "event.outcome": "failure" } },
        "size": 2, "from": 1, "_source": ["source.*", "event.outcome"],
        "sort": [{ "@timestamp": { "order": "desc", "unmapped_type": "boolean" } }, "_doc"],
        "fields": ["source.ip"], "track_total_hits": true,
    });
    let answer = post(&rig, "/logs-*/_search", &body).await;
    assert_eq!(answer.header("x-elastic-product"), Some("Elasticsearch"));
    let json = answer.json();
    assert_eq!(json["hits"]["total"], json!({ "value": 5, "relation": "eq" }));
    assert_eq!(json["timed_out"], json!(false));
    let hits = json["hits"]["hits"].as_array().unwrap();
    assert_eq!(hits.len(), 2);
    assert_eq!(hits[0]["_index"], "logs-tocsin");
    assert_eq!(
        hits[0]["_source"],
        json!({ "event": { "outcome": "failure" }, "source": { "ip": "192.0.2.1" } })
    );
    assert_eq!(hits[0]["fields"], json!({ "source.ip": ["192.0.2.1"] }));
    let sorted = hits[1]["sort"].as_array().unwrap();
    assert_eq!(sorted.len(), 2);
    let next = json!({ "sort": [{ "@timestamp": "desc" }], "search_after": sorted, "size": 100 });
    let next = post(&rig, "/_search", &next).await.json();
    assert!(next["hits"]["hits"].as_array().unwrap().iter().all(|hit| {
        hit["sort"][0].as_i64() <= sorted[0].as_i64() && hit["sort"] != json!(sorted)
    }));
    let by_address = rig.get("/logs-tocsin/_search?q=event.outcome:success&size=1").await.json();
    assert_eq!(by_address["hits"]["total"]["value"], json!(1));
    let count = post(&rig, "/logs-*/_count", &json!({ "query": { "match_all": {} } })).await;
    assert_eq!(count.json()["count"], json!(10));
    let alerts = json!({
        "query": { "term": { "source.ip": "192.0.2.1" } },
        "aggs": { "rules": { "terms": { "field": "rule.name" } } },
    });
    let alerts = post(&rig, "/alerts-*/_search", &alerts).await.json();
    assert_eq!(alerts["hits"]["total"]["value"], json!(2), "{alerts}");
    assert_eq!(alerts["aggregations"]["rules"]["buckets"][0]["doc_count"], json!(2));
    let caps = rig.get("/logs-*/_field_caps?fields=*").await.json();
    assert_eq!(caps["fields"]["source.ip"]["ip"]["aggregatable"], json!(true));
    let mapping = rig.get("/logs-*/_mapping").await.json();
    let status =
        &mapping["logs-tocsin"]["mappings"]["properties"]["http"]["properties"]["response"];
    assert_eq!(status["properties"]["status_code"]["type"], "long", "{mapping}");
    let indices = rig.get("/_cat/indices?format=json").await.json();
    assert_eq!(indices[0]["docs.count"], "10", "{indices}");
    assert!(rig.get("/_cat/indices?v").await.text().contains("logs-tocsin"));
    rig.stop().await;
}

/// What Grafana's Elasticsearch data source sends for a graph and for logs.
#[tokio::test]
async fn grafana_gets_its_graphs_and_logs() {
    let rig = busy_rig().await;
    let (from, to) = (now().minus(Duration::from_secs(3600)).millis(), now().millis());
    let range = json!({ "range": { "@timestamp": {
        "gte": from, "lte": to, "format": "epoch_millis",
    } } });
    let text = json!({ "query_string": {
        "analyze_wildcard": true, "query": "event.outcome:failure",
    } });
    let graph = json!({
        "size": 0, "query": { "bool": { "filter": [range, text] } },
        "aggs": { "3": {
            "terms": { "field": "source.ip", "size": 10, "order": { "1": "desc" }, "min_doc_count": 1 },
            "aggs": {
                "1": { "avg": { "field": "tocsin.attempts" } },
                "4": { "percentiles": { "field": "tocsin.attempts", "percents": ["50", "99"] } },
                "2": {
                    "date_histogram": {
                        "field": "@timestamp", "min_doc_count": 0, "fixed_interval": "10m",
                        "format": "epoch_millis",
                        "extended_bounds": { "min": from, "max": to },
                    },
                    "aggs": { "1": { "max": { "field": "tocsin.attempts" } } },
                },
            },
        } },
    });
    let logs = json!({
        "size": 500, "query": { "bool": { "filter": [range, { "query_string": { "query": "*" } }] } },
        "sort": [{ "@timestamp": { "order": "desc", "unmapped_type": "boolean" } },
                 { "_doc": { "order": "desc" } }],
        "script_fields": {}, "docvalue_fields": ["@timestamp"],
        "highlight": { "fields": { "*": {} }, "fragment_size": 2147483647 },
    });
    let head = json!({
        "search_type": "query_then_fetch", "ignore_unavailable": true, "index": ["logs-*"],
    });
    let wrong = json!({ "query": { "geo_shape": {} } });
    let lines = format!("{head}\n{graph}\n{head}\n{logs}\n{head}\n{wrong}\n");
    let headers = [("content-type", "application/x-ndjson")];
    let answer =
        rig.ask("POST", "/_msearch?max_concurrent_shard_requests=5", &headers, lines.as_bytes());
    let json = answer.await.json();
    let responses = json["responses"].as_array().unwrap();
    let buckets = responses[0]["aggregations"]["3"]["buckets"].as_array().unwrap();
    assert_eq!(buckets[0]["key"], "192.0.2.1", "{json}");
    assert_eq!(buckets[0]["doc_count"], json!(3));
    assert!((buckets[0]["1"]["value"].as_f64().unwrap() - 5.0 / 3.0).abs() < 1e-9);
    assert!(buckets[0]["4"]["values"]["50.0"].as_f64().is_some(), "{json}");
    let inner = buckets[0]["2"]["buckets"].as_array().unwrap();
    assert_eq!(inner.iter().map(|bucket| bucket["doc_count"].as_u64().unwrap()).sum::<u64>(), 3);
    assert!(inner.iter().any(|bucket| bucket["1"]["value"] == json!(4.0)), "{json}");
    assert_eq!(responses[1]["hits"]["hits"].as_array().unwrap().len(), 9);
    assert_eq!(responses[2]["status"], json!(400));
    assert!(responses[2]["error"]["reason"].as_str().unwrap().contains("geo_shape"));
    rig.stop().await;
}

#[tokio::test]
async fn elasticsearch_refusals_name_what_is_wrong() {
    let rig = busy_rig().await;
    let cases = [
        ("/logs-*/_search", json!({ "query": { "fuzzy": {} } }), 400, "\"fuzzy\" is not supported"),
        ("/logs-*/_search", json!({ "query": { "term": {} } }), 400, "query.term: needs one field"),
        ("/logs-*/_search", json!({ "colour": 1 }), 400, "\"colour\" is not known"),
        ("/logs-*/_search", json!({ "collapse": { "field": "x" } }), 400, "is not supported"),
        (
            "/logs-*/_search",
            json!({ "aggs": { "a": { "rare_terms": {} } } }),
            400,
            "aggs.a.rare_terms",
        ),
        (
            "/logs-*/_search",
            json!({ "aggs": { "a": { "terms": { "field": "message" } } } }),
            400,
            "message: cannot be sorted or counted",
        ),
        (
            "/logs-*/_search",
            json!({ "query": { "query_string": { "query": "a AND (b" } } }),
            400,
            "a parenthesis is not closed (at character 9)",
        ),
        ("/logs-*/_search", json!({ "size": 10_001 }), 400, "search_after"),
        ("/nothing/_search", json!({}), 404, "no such index [nothing]"),
    ];
    for (target, body, status, reason) in cases {
        let answer = post(&rig, target, &body).await;
        let said = answer.json()["error"]["reason"].as_str().unwrap().to_owned();
        assert_eq!(answer.status, status, "{body}: {said}");
        assert!(said.contains(reason), "{body}: {said}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_search_gives_events_pages_and_numbers() {
    let rig = busy_rig().await;
    let body = json!({
        "q": "event.outcome: failure", "last": "1h", "limit": 3, "fields": ["source.ip"],
        "aggs": {
            "when": { "date_histogram": { "field": "@timestamp", "fixed_interval": "1h" } },
            "who": { "filters": { "filters": {
                "one": { "term": { "source.ip": "192.0.2.1" } }, "all": { "match_all": {} },
            } } },
            "tries": { "percentiles": { "field": "tocsin.attempts", "percents": [50] } },
            "last": { "max": { "field": "@timestamp" } },
        },
    });
    let first = post(&rig, "/api/v1/search", &body).await.json();
    assert_eq!(first["total"], json!(4), "{first}");
    assert_eq!(first["events"][0], json!({ "source": { "ip": "203.0.113.9" } }));
    assert_eq!(first["aggregations"]["who"]["buckets"]["one"]["doc_count"], json!(3));
    assert_eq!(first["aggregations"]["who"]["buckets"]["all"]["doc_count"], json!(4));
    assert!(first["aggregations"]["tries"]["values"]["50.0"].as_f64().unwrap() < 1.1);
    // Times are milliseconds, as Elasticsearch writes them.
    let last = &first["aggregations"]["last"];
    let text = last["value_as_string"].as_str().unwrap();
    assert_eq!(last["value"], Timestamp::parse_rfc3339(text).unwrap().millis(), "{last}");
    assert!(now().millis() - last["value"].as_i64().unwrap() < 3_600_000, "{last}");
    let mut next = json!({ "q": "event.outcome: failure", "last": "1h", "limit": 3 });
    next["cursor"] = first["next"].clone();
    let second = post(&rig, "/api/v1/search", &next).await.json();
    assert_eq!(second["events"].as_array().unwrap().len(), 1);
    assert_eq!(second["next"], Json::Null);
    for (body, wanted) in [
        (json!({ "q": "a and" }), "value is missing"),
        (json!({ "limit": 1001 }), "limit"),
        (json!({ "order": "up" }), "asc or desc"),
        (json!({ "colour": 1 }), "colour"),
        (json!({ "aggs": { "a": { "terms": {} } } }), "aggs.a.terms: needs a field"),
    ] {
        let answer = post(&rig, "/api/v1/search", &body).await;
        assert_eq!(answer.status, 400);
        assert!(answer.failure().contains(wanted), "{}", answer.text());
    }
    let fields = rig.get("/api/v1/fields").await.json();
    let outcome =
        fields["fields"].as_array().unwrap().iter().find(|f| f["name"] == "event.outcome");
    assert_eq!(outcome.unwrap()["coverage"], json!(1.0));
    let values = rig.get("/api/v1/fields/event.outcome/values?prefix=f").await.json();
    assert_eq!(values["values"], json!([{ "value": "failure", "events": 5 }]));
    let values = rig.get("/api/v1/fields/source.ip/values?limit=2&last=1h").await.json();
    assert_eq!(values["values"][0]["events"], json!(4), "{values}");
    assert_eq!(rig.get("/api/v1/fields/message/values").await.status, 400);
    rig.stop().await;
}

const RULE: &str = "title: Many failures\nid: 5d5a5f64-8f0f-4a4e-9f3c-111111111111\nlogsource: { category: authentication }\n\
    detection: { s: { event.outcome: failure }, condition: s }\nlevel: high\n";

/// The body of an answer that came in chunks.
fn joined(answer: &Answer) -> String {
    assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    let (mut rest, mut whole) = (&answer.body[..], Vec::new());
    loop {
        let end = rest.windows(2).position(|part| part == b"\r\n").unwrap();
        let size = std::str::from_utf8(&rest[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return String::from_utf8(whole).unwrap();
        }
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + size + 4..];
    }
}

#[tokio::test]
async fn an_export_is_everything_that_a_search_finds() {
    let rig = Rig::new().await;
    let at = now();
    let names = ["=HYPERLINK(\"x\")", "ana", "a,b"];
    let events: Vec<_> = (0..2500_u64)
        .map(|number| {
            let time = at.minus(Duration::from_millis(10 * (number + 1)));
            let mut event = login(number, time, "192.0.2.1", "failure", None);
            let name = names[usize::try_from(number % 3).unwrap()];
            event.push_str(FieldId::intern("user.full_name").unwrap(), name);
            event
        })
        .collect();
    rig.handle.store.append(&events).unwrap();
    rig.handle.store.commit("{}").unwrap();
    let get = async |query: &str| {
        rig.ask("GET", &format!("/api/v1/search/export?{query}"), &[], b"").await
    };
    let answer = get("q=event.outcome%3A%20failure").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/x-ndjson")));
    let text = joined(&answer);
    let ids: std::collections::BTreeSet<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap()["event"]["id"].to_string())
        .collect();
    assert_eq!((text.lines().count(), ids.len()), (2500, 2500), "each once, over all pages");

    let answer = get("format=csv&fields=user.full_name,source.ip&order=asc&last=1h").await;
    assert!(answer.header("content-disposition").unwrap().ends_with(".csv\""), "a file to keep");
    let text = joined(&answer);
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("'@timestamp,user.full_name,source.ip"));
    let rest: Vec<&str> = lines.collect();
    assert_eq!(rest.len(), 2500);
    for (at, part) in [(0, ",\"'=HYPERLINK(\"\"x\"\")\","), (1, ",ana,"), (2, ",\"a,b\",")] {
        // The oldest comes first: number 2499, which has the first name.
        let line = rest[(3 - at) % 3];
        assert!(line.contains(part), "{line} {part}");
    }
    let text = joined(&get("format=csv").await);
    let header = text.lines().next().unwrap();
    assert!(header.starts_with("'@timestamp,") && header.contains("user.full_name"), "{header}");

    for (query, part) in [
        ("format=xml", "ndjson or csv"),
        ("q=foo%20and", "a value is missing"),
        ("last=soon", "last"),
        ("order=up", "asc or desc"),
        ("limit=3", "limit"),
    ] {
        let answer = get(query).await;
        assert!(answer.status == 400 && answer.text().contains(part), "{query}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_backtest_says_what_a_rule_would_have_found() {
    let rig = busy_rig().await;
    let started = post(&rig, "/api/v1/backtests", &json!({ "text": RULE, "last": "1h" })).await;
    assert_eq!(started.status, 202, "{}", started.text());
    let id = started.json()["id"].as_u64().unwrap();
    let done = loop {
        let job = rig.get(&format!("/api/v1/backtests/{id}")).await.json();
        if job["state"] != "running" {
            break job;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!((&done["events_done"], &done["events_total"]), (&json!(9), &json!(9)));
    let rule = &done["report"]["rules"][0];
    assert_eq!((&rule["findings"], &rule["alerts"]), (&json!(4), &json!(2)), "{done}");
    assert_eq!(rule["samples"].as_array().unwrap().len(), 2);
    assert_eq!(rig.get("/api/v1/backtests").await.json()["backtests"][0]["id"], json!(id));
    let path = format!("/api/v1/backtests/{id}");
    assert_eq!(rig.ask("DELETE", &path, &[], b"").await.status, 200);
    for (body, wanted) in [
        (json!({}), "one of rule, text and all_rules"),
        (json!({ "rule": "no such rule" }), "no rule has the id"),
        (json!({ "text": "title: x\ndetection: {}" }), "the rule"),
    ] {
        let answer = post(&rig, "/api/v1/backtests", &body).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.failure().contains(wanted), "{}", answer.text());
    }
    assert_eq!(rig.get("/api/v1/backtests/999999").await.status, 404);
    rig.stop().await;
}
