//! Reading feeds: plain lists, CSV, JSON, MISP, STIX.
//!
//! In: the text of a feed and how it is meant. Out: indicators one by one, and how many lines or
//! objects were refused and why. A text in which nothing is an indicator is garbage, and an error.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tocsin_model::Timestamp;

use super::Indicator;
use super::pattern;
use super::value::{Kind, normal};
use crate::config::FeedFormat;
use crate::table::{self, Row};

/// How the text of a feed is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Its form.
    pub format: FeedFormat,
    /// What all its values are; `None`: each tells by its looks.
    pub kind: Option<Kind>,
    /// Column or member that holds the value; `None`: one of the usual names.
    pub column: Option<String>,
    /// Confidence of what does not say its own.
    pub confidence: u8,
    /// When what does not say so itself is over.
    pub expires: Option<Timestamp>,
    /// What is over at that time is left out.
    pub now: Timestamp,
}

/// What came of a text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Indicators given out.
    pub taken: u64,
    /// Lines or objects that are no indicator, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// The first that was refused, for people.
    pub first_refused: Option<String>,
}

impl Tally {
    fn refuse(&mut self, why: &'static str, what: &str) {
        *self.refused.entry(why).or_default() += 1;
        if self.first_refused.is_none() {
            let what: String = what.chars().take(80).collect();
            self.first_refused = Some(format!("{:?}: {why}", what));
        }
    }

    /// Takes another's counts.
    pub fn add(&mut self, other: Self) {
        self.taken += other.taken;
        for (why, count) in other.refused {
            *self.refused.entry(why).or_default() += count;
        }
        self.first_refused = self.first_refused.take().or(other.first_refused);
    }

    /// That there is something: what holds nothing but refusals is garbage.
    ///
    /// # Errors
    /// What the first refusal was.
    pub fn sound(self) -> Result<Self, String> {
        match &self.first_refused {
            Some(first) if self.taken == 0 => {
                Err(format!("holds no indicator; the first thing in it is {first}"))
            }
            _ => Ok(self),
        }
    }
}

/// Names of columns that hold values, the likelier first.
const VALUE_COLUMNS: &[&str] = &[
    "indicator",
    "ioc",
    "ioc_value",
    "value",
    "ip",
    "ip_address",
    "ipaddress",
    "dst_ip",
    "src_ip",
    "address",
    "cidr",
    "network",
    "domain",
    "hostname",
    "host",
    "url",
    "sha256",
    "sha256_hash",
    "md5",
    "md5_hash",
    "sha1",
    "sha1_hash",
    "hash",
    "email",
];
const KIND_COLUMNS: &[&str] = &["ioc_type", "indicator_type", "type", "kind"];
const CONFIDENCE_COLUMNS: &[&str] = &["confidence", "confidence_level", "score"];
const EXPIRY_COLUMNS: &[&str] = &["expires", "valid_until", "expiration", "expiration_date"];
const ABOUT_COLUMNS: &[&str] =
    &["description", "about", "malware_printable", "malware", "threat", "comment", "reference"];

/// Reads a feed.
///
/// # Errors
/// When the text is not of that form at all.
pub fn read(text: &str, how: &Reading, out: &mut dyn FnMut(Indicator)) -> Result<Tally, String> {
    let mut tally = Tally::default();
    let mut to = Sink { how, out, tally: &mut tally };
    match how.format {
        FeedFormat::Plain => plain(text, &mut to),
        FeedFormat::Csv => csv(text, &mut to),
        FeedFormat::Json => json(text, &mut to)?,
        FeedFormat::Misp => misp(&parse(text)?, &mut to)?,
        FeedFormat::Stix | FeedFormat::Taxii => stix(&parse(text)?, &mut to)?,
    }
    Ok(tally)
}

struct Sink<'a> {
    how: &'a Reading,
    out: &'a mut dyn FnMut(Indicator),
    tally: &'a mut Tally,
}

impl Sink<'_> {
    fn give(&mut self, found: (Kind, String), said: Said<'_>) {
        let how = self.how;
        let expires = said.expires.or(how.expires);
        if expires.is_some_and(|expires| expires <= how.now) {
            self.tally.refuse("is over", &found.1);
            return;
        }
        let (kind, value) = found;
        let confidence = said.confidence.unwrap_or(how.confidence).min(100);
        self.tally.taken += 1;
        (self.out)(Indicator { kind, value, confidence, expires, about: said.about.to_owned() });
    }

    fn try_text(&mut self, text: &str, kind: Option<Kind>, said: Said<'_>) {
        match normal(text, kind.or(self.how.kind)) {
            Some(found) => self.give(found, said),
            None => self.tally.refuse("is no indicator", text),
        }
    }
}

/// What a feed says of one indicator.
#[derive(Debug, Clone, Copy, Default)]
struct Said<'a> {
    confidence: Option<u8>,
    expires: Option<Timestamp>,
    about: &'a str,
}

fn parse(text: &str) -> Result<Json, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

fn plain(text: &str, to: &mut Sink<'_>) {
    for line in text.lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';', '!']) || line.starts_with("//") {
            continue;
        }
        // `192.0.2.0/24 ; why`, `evil.example # why`
        let (value, about) = match line.find([';', '#']).filter(|at| line[..*at].ends_with(' ')) {
            Some(at) => (&line[..at], line[at + 1..].trim()),
            None => (line, ""),
        };
        let mut words = value.split_whitespace();
        let first = words.next().unwrap_or("");
        // A line of a hosts file.
        let of_hosts = matches!(first, "0.0.0.0" | "127.0.0.1" | "::" | "::1");
        let value = words.next().filter(|_| of_hosts).unwrap_or(first);
        to.try_text(value, None, Said { about, ..Said::default() });
    }
}

fn csv(text: &str, to: &mut Sink<'_>) {
    // Some name their columns in a comment.
    let commented = text.lines().take_while(|line| line.starts_with('#')).filter(|line| {
        let lower = line.to_lowercase();
        line.contains(',') && VALUE_COLUMNS.iter().any(|name| lower.contains(name))
    });
    let head = commented.last().map(|line| line.trim_start_matches(['#', ' ']));
    let mut records = table::records(text).into_iter().peekable();
    let names: Vec<String> = match head {
        Some(head) => table::records(head).pop().map(|(_, cells)| cells).unwrap_or_default(),
        None => {
            let is_head = |cells: &[String]| cells.iter().all(|cell| normal(cell, None).is_none());
            match records.next_if(|(_, cells)| is_head(cells)) {
                Some((_, cells)) => cells,
                None => Vec::new(),
            }
        }
    };
    let names: Vec<String> =
        names.iter().map(|name| name.trim_matches(['"', ' ']).to_lowercase()).collect();
    for (number, cells) in records {
        let named = |at: usize| names.get(at).cloned().unwrap_or_else(|| (at + 1).to_string());
        let cells = cells.into_iter().enumerate().map(|(at, cell)| (named(at), cell)).collect();
        row(&Row { number, cells }, to);
    }
}

/// One row of a table.
fn row(row: &Row, to: &mut Sink<'_>) {
    let kind = row.get(KIND_COLUMNS).and_then(Kind::parse);
    let said = Said {
        confidence: row.get(CONFIDENCE_COLUMNS).and_then(confidence),
        expires: row.get(EXPIRY_COLUMNS).and_then(time),
        about: row.get(ABOUT_COLUMNS).unwrap_or(""),
    };
    if let Some(column) = &to.how.column {
        let column = column.to_lowercase();
        match row.get(&[&column]) {
            Some(text) => to.try_text(text, kind, said),
            None => to.tally.refuse("has no such column", &column),
        }
        return;
    }
    let named = VALUE_COLUMNS.iter().filter_map(|name| row.get(&[name]));
    let any = row.cells.iter().map(|(_, text)| text.as_str());
    let wanted = kind.or(to.how.kind);
    match named.chain(any).find_map(|text| normal(text, wanted)) {
        Some(found) => to.give(found, said),
        None => {
            let cells: Vec<&str> = row.cells.iter().map(|(_, text)| text.as_str()).collect();
            to.tally.refuse("is no indicator", &cells.join(","));
        }
    }
}

fn json(text: &str, to: &mut Sink<'_>) -> Result<(), String> {
    // One document, or one object a line.
    let documents: Vec<Json> = match serde_json::from_str::<Json>(text) {
        Ok(one) => vec![one],
        Err(error) => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            let read: Result<Vec<Json>, _> = lines.map(serde_json::from_str).collect();
            read.map_err(|_| format!("no JSON: {error}"))?
        }
    };
    for document in &documents {
        items(document, to, 0);
    }
    Ok(())
}

/// Objects and texts, however they are nested in lists.
fn items(value: &Json, to: &mut Sink<'_>, depth: u32) {
    const DEPTH_MAX: u32 = 16;
    match value {
        Json::String(text) => to.try_text(text, None, Said::default()),
        Json::Array(list) if depth < DEPTH_MAX => {
            list.iter().for_each(|item| items(item, to, depth + 1));
        }
        Json::Object(members) if depth < DEPTH_MAX => {
            let cells = members.iter().filter_map(|(name, value)| {
                let text = match value {
                    Json::String(text) => text.trim().to_owned(),
                    Json::Number(number) => number.to_string(),
                    _ => return None,
                };
                Some((name.to_lowercase(), text))
            });
            let cells: Vec<(String, String)> = cells.collect();
            let lists =
                members.values().filter(|value| matches!(value, Json::Array(_) | Json::Object(_)));
            let named = |(name, _): &(String, String)| {
                VALUE_COLUMNS.contains(&name.as_str())
                    || to.how.column.as_ref().is_some_and(|column| column.to_lowercase() == *name)
            };
            if cells.iter().any(named) {
                row(&Row { number: 0, cells }, to);
                return;
            }
            lists.for_each(|value| items(value, to, depth + 1));
        }
        _ => {}
    }
}

fn misp(document: &Json, to: &mut Sink<'_>) -> Result<(), String> {
    let response = document.get("response").unwrap_or(document);
    let events: Vec<&Json> = match response {
        Json::Array(events) => events.iter().collect(),
        other => vec![other],
    };
    let mut known = false;
    for event in events {
        let event = event.get("Event").unwrap_or(event);
        let about = event.get("info").and_then(Json::as_str).unwrap_or("");
        let own = event.get("Attribute").and_then(Json::as_array);
        let objects = event.get("Object").and_then(Json::as_array).into_iter().flatten();
        let of_objects = objects.filter_map(|object| object.get("Attribute")?.as_array());
        for attributes in own.into_iter().chain(of_objects) {
            known = true;
            attributes.iter().for_each(|attribute| misp_attribute(attribute, about, to));
        }
        known |= event.get("info").is_some();
    }
    known.then_some(()).ok_or_else(|| "no MISP: no Event and no Attribute in it".to_owned())
}

fn misp_attribute(attribute: &Json, event: &str, to: &mut Sink<'_>) {
    let text = |name: &str| attribute.get(name).and_then(Json::as_str).unwrap_or("");
    let (kind, value) = (text("type"), text("value"));
    if attribute.get("to_ids").and_then(Json::as_bool) == Some(false) {
        to.tally.refuse("is not for detection", value);
        return;
    }
    // `ip-dst|port`, `filename|sha256`, `domain|ip`: both parts of both.
    let comment = text("comment");
    let about = if event.is_empty() { comment } else { event };
    let mut any = false;
    for (kind, value) in kind.split('|').zip(value.split('|')) {
        let wanted = match kind {
            "ip-src" | "ip-dst" | "ip" => Some(Kind::Address),
            "domain" | "hostname" => Some(Kind::Domain),
            "url" | "uri" | "link" => Some(Kind::Url),
            "email" | "email-src" | "email-dst" => Some(Kind::Email),
            _ if kind.starts_with("md5") || kind.starts_with("sha") => Some(Kind::Hash),
            _ => None,
        };
        if let Some(kind) = wanted {
            any = true;
            to.try_text(value, Some(kind), Said { about, ..Said::default() });
        }
    }
    if !any {
        to.tally.refuse("is of a kind that is not looked for", kind);
    }
}

fn stix(document: &Json, to: &mut Sink<'_>) -> Result<(), String> {
    let objects = match document {
        Json::Array(objects) => objects,
        other => match other.get("objects") {
            Some(Json::Array(objects)) => objects,
            // An envelope of nothing.
            None if other.is_object() && other.get("type").is_none() => return Ok(()),
            _ => return Err("no STIX: no objects in it".to_owned()),
        },
    };
    for object in objects {
        let text = |name: &str| object.get(name).and_then(Json::as_str);
        if text("type") != Some("indicator") {
            continue;
        }
        let said = Said {
            confidence: object
                .get("confidence")
                .and_then(Json::as_u64)
                .map(|number| number.min(100) as u8),
            expires: text("valid_until").and_then(Timestamp::parse_rfc3339),
            about: text("name").or(text("description")).unwrap_or(""),
        };
        let written = text("pattern").unwrap_or("");
        if object.get("revoked").and_then(Json::as_bool) == Some(true) {
            to.tally.refuse("is revoked", written);
            continue;
        }
        if text("pattern_type").is_some_and(|kind| kind != "stix") {
            to.tally.refuse("is no STIX pattern", written);
            continue;
        }
        match pattern::values(written) {
            Ok(values) => values.into_iter().for_each(|found| to.give(found, said)),
            Err(why) => to.tally.refuse(why, written),
        }
    }
    Ok(())
}

/// A number from 0 to 100, or a word.
fn confidence(text: &str) -> Option<u8> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(number) if (0.0..=100.0).contains(&number) => Some(number as u8),
        Ok(_) => None,
        Err(_) => match text.to_lowercase().as_str() {
            "low" => Some(15),
            "medium" | "moderate" => Some(50),
            "high" => Some(85),
            _ => None,
        },
    }
}

/// A time as feeds write it.
fn time(text: &str) -> Option<Timestamp> {
    let iso = text.trim().trim_end_matches(" UTC").replacen(' ', "T", 1);
    let with_zone = |text: &str| Timestamp::parse_rfc3339(text);
    with_zone(&iso)
        .or_else(|| with_zone(&format!("{iso}Z")))
        .or_else(|| with_zone(&format!("{iso}T00:00:00Z")))
        .or_else(|| {
            let seconds: i64 = text.trim().parse().ok().filter(|number| *number > 100_000_000)?;
            Some(Timestamp::from_millis(seconds.checked_mul(1000)?))
        })
}

#[cfg(test)]
mod tests;
