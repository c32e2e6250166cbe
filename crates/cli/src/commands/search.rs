//! `tocsin search`: stored events that match a query.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use serde_json::{Value as Json, json};
use tocsin_model::{Timestamp, csv};
use tocsin_search::elastic::{parse_aggs, render_aggs};
use tocsin_store::{Embedded, EventStore, Order, ScanRequest, SearchRequest, SearchResponse, Sort};

use crate::common_args::{ConfigArgs, HistoryArgs};
use crate::signals::Signals;
use crate::terminal::safe;

/// Arguments of `search`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    history: HistoryArgs,
    /// Query in KQL: `event.outcome: failure and source.ip: 192.0.2.0/24`; empty is every event.
    #[arg(default_value = "")]
    query: String,
    /// Most events shown, the newest; 0 is all, oldest first.
    #[arg(long, short = 'n', value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Go on showing new events as they are stored.
    #[arg(long, short)]
    follow: bool,
    /// How to print: table, ndjson, csv (default: table on a terminal, else ndjson).
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// Fields to show, separated by commas.
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    fields: Vec<String>,
    /// Count instead: `terms:FIELD[:N]`, `histogram:INTERVAL` (10m, 1d, 1w, 1M, 1y),
    /// `cardinality:FIELD`, `stats:FIELD`, `percentiles:FIELD`, or Elasticsearch's JSON. Again for
    /// buckets inside.
    #[arg(long, value_name = "AGG")]
    agg: Vec<String>,
}

/// How to print events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Ndjson,
    Csv,
}

/// How often new events are looked for.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);
/// Columns of a table when none are asked for.
const COLUMNS: [&str; 4] = ["event.dataset", "host.name", "source.ip", "message"];
/// The most characters of a value in a table.
const CELL_CHARS_MAX: usize = 120;

/// Runs the command.
///
/// # Errors
/// When the store cannot be read or output cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let loaded = match args.config.load() {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let (filter, from, to) = match args.history.load(&args.query) {
        Ok(asked) => asked,
        Err(code) => return Ok(code),
    };
    let store = args.history.open(&loaded.config)?;
    let request = SearchRequest {
        filter,
        from,
        to,
        limit: args.limit,
        may_miss: true,
        ..SearchRequest::default()
    };
    if !args.agg.is_empty() {
        return count(&store, request, &args);
    }
    let mut printer = Printer::new(&args);
    printer.head()?;
    if args.limit == 0 {
        all(&store, &request, &mut printer)?;
    } else {
        let found = store.search(&request)?;
        say_archived(&found);
        for hit in found.hits.iter().rev() {
            printer.event(hit)?;
        }
        if !args.follow && io::stderr().is_terminal() && found.total > found.hits.len() as u64 {
            printer.out.flush()?;
            eprintln!("{} of {} events, the newest", found.hits.len(), found.total);
        }
    }
    printer.out.flush()?;
    if args.follow {
        follow(&store, &request, &mut printer)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Says why it took longer, and what is missing.
fn say_archived(found: &SearchResponse) {
    if let Some(why) = &found.missing {
        eprintln!("tocsin: archived days are missing from this: {why}");
    }
    if found.archived && io::stderr().is_terminal() {
        eprintln!("archived days were looked through, which takes longer");
    }
}

/// Every event, oldest first.
fn all(store: &Embedded, request: &SearchRequest, printer: &mut Printer) -> anyhow::Result<()> {
    let scan = ScanRequest { filter: request.filter.clone(), from: request.from, to: request.to };
    let mut failed = None;
    store.scan(&scan, &mut |scanned| {
        for event in scanned.events {
            if let Err(error) = printer.event(&event.to_json()) {
                failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Shows what is stored from now on, until a signal.
fn follow(store: &Embedded, request: &SearchRequest, printer: &mut Printer) -> anyhow::Result<()> {
    // By arrival, so that an event that happened earlier is shown too.
    let by_arrival = Sort { field: "event.ingested".to_owned(), order: Order::Asc };
    let mut since = Timestamp::from_system(SystemTime::now());
    let mut shown: Vec<String> = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        loop {
            tokio::select! {
                () = signals.wait() => return Ok(()),
                () = tokio::time::sleep(FOLLOW_EVERY) => {}
            }
            store.refresh()?;
            let newer = tocsin_store::Filter::Range {
                field: "event.ingested".to_owned(),
                lower: tocsin_store::Bound::Included(since.to_string()),
                upper: tocsin_store::Bound::Unbounded,
            };
            let request = SearchRequest {
                filter: request.filter.clone().and(newer),
                from: None,
                to: None,
                limit: tocsin_store::HITS_MAX,
                sort: by_arrival.clone(),
                ..SearchRequest::default()
            };
            for hit in store.search(&request)?.hits {
                let id = text_of(&hit, "event.id");
                if shown.contains(&id) {
                    continue;
                }
                printer.event(&hit)?;
                let arrived = Timestamp::parse_rfc3339(&text_of(&hit, "event.ingested"));
                // Others of the same instant may still come.
                if arrived.is_some_and(|arrived| arrived > since) {
                    since = arrived.unwrap_or(since);
                    shown.clear();
                }
                shown.push(id);
            }
            printer.out.flush()?;
        }
    })
}

fn count(store: &Embedded, request: SearchRequest, args: &Args) -> anyhow::Result<ExitCode> {
    let now = Timestamp::from_system(SystemTime::now());
    let asked = match aggs_of(&args.agg) {
        Ok(asked) => asked,
        Err(message) => {
            eprintln!("tocsin: --agg: {}", safe(&message));
            return Ok(ExitCode::from(2));
        }
    };
    let (aggs, asked) = match parse_aggs(&asked, now) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("tocsin: --agg: {}", safe(&error.to_string()));
            return Ok(ExitCode::from(2));
        }
    };
    let found = store.search(&SearchRequest { limit: 0, aggs, ..request })?;
    say_archived(&found);
    let rendered = Json::Object(render_aggs(&found.aggs, &asked));
    let mut out = BufWriter::new(io::stdout());
    let table = args.format.unwrap_or(match io::stdout().is_terminal() {
        true => Format::Table,
        false => Format::Ndjson,
    });
    match table {
        Format::Ndjson => {
            let answer = json!({ "total": found.total, "aggregations": rendered });
            writeln!(out, "{answer}")?;
        }
        Format::Table | Format::Csv => {
            for (_, agg) in rendered.as_object().into_iter().flatten() {
                print_buckets(agg, &mut Vec::new(), table == Format::Csv, &mut out)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// What `--agg` says, as Elasticsearch's JSON: each inside the one before.
fn aggs_of(all: &[String]) -> Result<Json, String> {
    let mut inner: Option<Json> = None;
    for text in all.iter().rev() {
        if text.trim_start().starts_with('{') {
            let json: Json = serde_json::from_str(text).map_err(|error| error.to_string())?;
            inner = Some(json);
            continue;
        }
        let mut agg = one_agg(text)?;
        if let (Some(inside), Some(object)) = (inner.take(), agg.as_object_mut()) {
            object.insert("aggs".to_owned(), inside);
        }
        inner = Some(json!({ text.as_str(): agg }));
    }
    inner.ok_or_else(|| "nothing to count".to_owned())
}

fn one_agg(text: &str) -> Result<Json, String> {
    let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
    let known = "terms:FIELD[:N], histogram:INTERVAL, cardinality:FIELD, stats:FIELD, \
        percentiles:FIELD, or JSON";
    if rest.is_empty() {
        return Err(format!("{text:?} is not one of {known}"));
    }
    match kind {
        "terms" => {
            let (field, size) = match rest.rsplit_once(':') {
                Some((field, size)) => {
                    let size: u64 =
                        size.parse().map_err(|_| format!("{size:?} is no number of buckets"))?;
                    (field, size)
                }
                None => (rest, 10),
            };
            Ok(json!({ "terms": { "field": field, "size": size } }))
        }
        "histogram" => Ok(json!({
            "date_histogram": { "field": "@timestamp", "interval": rest },
        })),
        "cardinality" | "stats" | "percentiles" => Ok(json!({ kind: { "field": rest } })),
        _ => Err(format!("{kind:?} is not one of {known}")),
    }
}

fn print_buckets(
    agg: &Json,
    outer: &mut Vec<String>,
    csv: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(buckets) = agg.get("buckets").and_then(Json::as_array) else {
        let numbers = agg.as_object().into_iter().flatten();
        let numbers: Vec<String> = numbers.map(|(key, value)| format!("{key}={value}")).collect();
        return line(outer, &numbers.join(" "), csv, out);
    };
    for bucket in buckets {
        let key = bucket.get("key_as_string").or_else(|| bucket.get("key"));
        let key = key.map_or(String::new(), |key| match key {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        });
        outer.push(key);
        let inside: Vec<&Json> = bucket
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| !["key", "key_as_string", "doc_count"].contains(&name.as_str()))
            .map(|(_, agg)| agg)
            .collect();
        if inside.is_empty() {
            line(outer, &bucket["doc_count"].to_string(), csv, out)?;
        }
        for agg in inside {
            print_buckets(agg, outer, csv, out)?;
        }
        outer.pop();
    }
    Ok(())
}

fn line(keys: &[String], value: &str, csv: bool, out: &mut impl Write) -> io::Result<()> {
    if csv {
        let cells = keys.iter().map(|key| csv_cell(key)).chain([csv_cell(value)]);
        return writeln!(out, "{}", cells.collect::<Vec<_>>().join(","));
    }
    writeln!(out, "{value:>10}  {}", safe(&keys.join("  ")))
}

struct Printer {
    out: BufWriter<io::Stdout>,
    format: Format,
    fields: Vec<String>,
}

impl Printer {
    fn new(args: &Args) -> Self {
        let default = if io::stdout().is_terminal() { Format::Table } else { Format::Ndjson };
        let format = args.format.unwrap_or(default);
        let mut fields = args.fields.clone();
        if fields.is_empty() && format != Format::Ndjson {
            fields = COLUMNS.iter().map(|name| (*name).to_owned()).collect();
        }
        Self { out: BufWriter::new(io::stdout()), format, fields }
    }

    /// The fields behind the time, which is always there.
    fn shown(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(String::as_str).filter(|field| *field != "@timestamp")
    }

    fn head(&mut self) -> io::Result<()> {
        if self.format == Format::Csv {
            let names: Vec<&str> = ["@timestamp"].into_iter().chain(self.shown()).collect();
            writeln!(self.out, "{}", names.join(","))?;
        }
        Ok(())
    }

    fn event(&mut self, event: &Json) -> io::Result<()> {
        let time = event["@timestamp"].as_str().unwrap_or("");
        match self.format {
            Format::Ndjson if self.fields.is_empty() => {
                serde_json::to_writer(&mut self.out, event)?;
                writeln!(self.out)
            }
            Format::Ndjson => {
                let mut chosen: BTreeMap<&str, &Json> = BTreeMap::new();
                chosen.insert("@timestamp", &event["@timestamp"]);
                for field in &self.fields {
                    chosen.extend(value_at(event, field).map(|value| (field.as_str(), value)));
                }
                serde_json::to_writer(&mut self.out, &chosen)?;
                writeln!(self.out)
            }
            Format::Csv => {
                let cells = self.shown().map(|field| csv_cell(&text_of(event, field)));
                let cells: Vec<String> = [time.to_owned()].into_iter().chain(cells).collect();
                writeln!(self.out, "{}", cells.join(","))
            }
            Format::Table => {
                let cells: Vec<String> = self
                    .shown()
                    .map(|field| {
                        let text = match text_of(event, field) {
                            text if text.is_empty() && field == "message" => {
                                text_of(event, "event.original")
                            }
                            text => text,
                        };
                        safe(&text.chars().take(CELL_CHARS_MAX).collect::<String>())
                    })
                    .collect();
                writeln!(self.out, "{time:<30} {}", cells.join("  "))
            }
        }
    }
}

fn value_at<'j>(event: &'j Json, field: &str) -> Option<&'j Json> {
    field.split('.').try_fold(event, |value, part| value.get(part))
}

fn text_of(event: &Json, field: &str) -> String {
    match value_at(event, field) {
        None => String::new(),
        Some(Json::String(text)) => text.clone(),
        Some(Json::Array(items)) => {
            let texts = items.iter().map(|item| match item {
                Json::String(text) => text.clone(),
                other => other.to_string(),
            });
            texts.collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    }
}

/// A cell of CSV.
fn csv_cell(text: &str) -> String {
    let mut cell = String::new();
    csv::cell(text, &mut cell);
    cell
}
