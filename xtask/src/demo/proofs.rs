//! Where an alert must have arrived, and how that is seen.

use std::path::{Path, PathBuf};

use crate::http;

/// The places that are looked at.
pub struct Places {
    /// Address and port of the API.
    pub address: String,
    /// The alert log.
    pub alert_log: PathBuf,
    /// Where the catcher keeps mails and webhooks.
    pub caught: PathBuf,
}

/// One place.
pub struct Proof {
    /// What people call it.
    pub place: &'static str,
    /// What is there, once something is.
    pub look: fn(&Places) -> Option<String>,
}

/// Every place, in the order in which an alert gets there.
pub const PROOFS: &[Proof] = &[
    Proof { place: "GET /alerts", look: api },
    Proof { place: "page", look: page },
    Proof { place: "alert log", look: alert_log },
    Proof { place: "caught webhook", look: webhook },
    Proof { place: "caught mail", look: mail },
];

fn api(places: &Places) -> Option<String> {
    let answer = http::get(&places.address, "/alerts?limit=50").ok()?;
    let answer: serde_json::Value = serde_json::from_str(&answer).ok()?;
    let alerts = answer.as_array().or_else(|| answer.get("alerts")?.as_array())?;
    let newest = alerts.first()?;
    let title = newest.pointer("/rule/name").and_then(|name| name.as_str()).unwrap_or("?");
    Some(format!("{} alerts, newest: {title}", alerts.len()))
}

fn page(places: &Places) -> Option<String> {
    let html = http::get_as(&places.address, "/", "text/html").ok()?;
    html.contains("<script").then(|| format!("{} bytes of HTML", html.len()))
}

fn alert_log(places: &Places) -> Option<String> {
    let text = std::fs::read_to_string(&places.alert_log).ok()?;
    let lines = text.lines().filter(|line| line.ends_with('}')).count();
    (lines > 0).then(|| format!("{lines} lines"))
}

fn webhook(places: &Places) -> Option<String> {
    counted(&places.caught, "http-", "requests")
}

fn mail(places: &Places) -> Option<String> {
    counted(&places.caught, "mail-", "mails")
}

fn counted(dir: &Path, prefix: &str, what: &str) -> Option<String> {
    let names = std::fs::read_dir(dir).ok()?.flatten();
    let count =
        names.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix)).count();
    (count > 0).then(|| format!("{count} {what}"))
}
