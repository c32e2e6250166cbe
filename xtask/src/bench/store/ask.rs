//! Questions that people ask, over HTTP, warm.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value as Json;

use super::serve::Serving;
use super::{Asked, Line};
use crate::bench::mixed::NEEDLE;
use crate::http;

/// How often each is asked; the middle one counts.
const TIMES: usize = 9;
/// How long one may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Name, the most milliseconds, and the body of each.
fn questions() -> Vec<(&'static str, f64, Json)> {
    let (from, to) = ("2026-01-15T00:00:00Z", "2026-01-16T00:00:00Z");
    let ask = |q: String, limit: u32, aggs: Json| serde_json::json!({"q": q, "from": from, "to": to, "limit": limit, "aggs": aggs});
    let histogram = serde_json::json!({"time": {
        "date_histogram": {"field": "@timestamp", "fixed_interval": "1m"},
        "aggs": {"category": {"terms": {"field": "event.category"}}},
    }});
    let top = serde_json::json!({"top": {"terms": {"field": "source.ip", "size": 10}}});
    let none = Json::Object(serde_json::Map::new());
    let failures = "event.category: authentication and event.outcome: failure";
    vec![
        ("needle", 5.0, ask(format!("source.ip: {NEEDLE}"), 50, none.clone())),
        ("a day's minutes by category", 50.0, ask(String::new(), 0, histogram)),
        ("top 10 addresses", 30.0, ask(String::new(), 0, top.clone())),
        ("top 10 addresses of failed logins", 30.0, ask(failures.to_owned(), 0, top)),
        (
            "wildcard on command lines",
            300.0,
            ask("process.command_line: *Letter77*".to_owned(), 50, none.clone()),
        ),
        ("a word in any line, newest 50", 300.0, ask("postgres".to_owned(), 50, none)),
    ]
}

/// Asks.
pub fn run(serving: &Serving) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (name, most, question) in questions() {
        let body = question.to_string();
        let mut times = Vec::new();
        let mut total = 0;
        for _ in 0..TIMES {
            let begin = Instant::now();
            let answer = http::post(&serving.api, "/api/v1/search", &body, TIMEOUT)?;
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
            let answer: Json = serde_json::from_str(&answer)?;
            total = answer["total"].as_u64().context("an answer without total")?;
            ensure!(answer["partial"] != true, "{name}: not answered in time");
        }
        times.sort_by(f64::total_cmp);
        let name = format!("{name} ({total} found)");
        lines.push(Line::new(name, times[TIMES / 2], "ms", Asked::AtMost(most)));
    }
    Ok(lines)
}
