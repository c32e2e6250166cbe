//! What `tocsin run` says at its start: what is watched, with which rules, and what is not and
//! why. In: a running engine. Out: lines on standard error.

use tocsin_content::Level;
use tocsin_engine::Handle;
use tocsin_engine::content::Content;
use tocsin_model::Severity;

use crate::terminal::{counted, safe};

/// Rules, sources and packs in a sentence.
pub fn about_rules(content: &Content) -> String {
    let rules = content.rules.rules();
    let mut worst_first = Severity::ALL;
    worst_first.reverse();
    let by_severity: Vec<String> = worst_first
        .into_iter()
        .map(|severity| (rules.iter().filter(|rule| rule.severity == severity).count(), severity))
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| format!("{count} {severity}"))
        .collect();
    let mut text = counted(rules.len(), "rule");
    if !by_severity.is_empty() {
        text.push_str(&format!(" ({})", by_severity.join(", ")));
    }
    let sources = counted(content.parser.sources().len(), "source");
    let packs = counted(content.packs.len(), "pack");
    text.push_str(&format!(" and {sources} from {packs}"));
    let refused = content.diagnostics.iter().filter(|found| found.level == Level::Error).count();
    if refused > 0 {
        text.push_str(&format!("; {refused} files or rules refused, see above"));
    }
    text
}

/// Says on standard error what is watched, with which rules, and what is not and why.
pub fn announce(handle: &Handle, page: &str, file: Option<&str>, about_rules: &str) {
    let file = file.unwrap_or("none, all defaults (`tocsin config` shows them)");
    eprintln!("tocsin {} is watching", env!("CARGO_PKG_VERSION"));
    eprintln!("  page and API   {page}/");
    eprintln!("  configuration  {}", safe(file));
    eprintln!("  data           {}", handle.config.server.data_dir.display());
    let exceptions = handle.exceptions.current();
    let off = handle.in_force.load().rules.iter().filter(|rule| exceptions.is_off(rule)).count();
    let off = if off > 0 { format!("; {off} of the rules never alert") } else { String::new() };
    eprintln!("  detection      {}{off}", safe(about_rules));
    let watching = handle.collector.watching();
    let (well, ill): (Vec<_>, Vec<_>) =
        watching.iter().partition(|watched| watched.problem.is_none());
    for watched in well {
        let source = watched.source.as_deref().unwrap_or("found line by line");
        eprintln!("  reading        {} ({})", safe(&watched.what), safe(source));
    }
    for watched in ill {
        let problem = watched.problem.as_deref().unwrap_or("");
        eprintln!("  NOT reading    {}: {}", safe(&watched.what), safe(problem));
    }
    if handle.config.collect.discover {
        let inputs: Vec<&str> = watching.iter().map(|watched| watched.input.as_str()).collect();
        let absent = absent(&inputs);
        if !absent.is_empty() {
            eprintln!("  not found      {}", absent.join(", "));
        }
    }
    for (name, channel) in &handle.config.notify.channels {
        let least = Severity::from(channel.min_severity());
        eprintln!("  telling        {} ({}, from {least})", safe(name), channel.kind());
    }
}

/// The usual logs of which this machine has none: what to call them, and what their inputs are
/// called. The journal holds what `auth.log` and `syslog` would, and the other way around.
const USUAL: [(&str, &[&str]); 5] = [
    ("auth.log/secure", &["/auth.log", "/secure", "journald"]),
    ("syslog/messages", &["/syslog", "/messages", "journald"]),
    ("audit.log", &["/audit.log"]),
    ("journald", &["journald", "/auth.log", "/secure", "/syslog", "/messages"]),
    ("web server logs (nginx, apache2, httpd)", &["/nginx/", "/apache2/", "/httpd/"]),
];

fn absent(inputs: &[&str]) -> Vec<&'static str> {
    let is = |input: &str, part: &str| match part.ends_with('/') {
        true => input.contains(part),
        false if part.starts_with('/') => input.ends_with(part),
        false => input.starts_with(part),
    };
    let there =
        |parts: &&[&str]| inputs.iter().any(|input| parts.iter().any(|part| is(input, part)));
    USUAL.iter().filter(|(_, parts)| !there(parts)).map(|(name, _)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_logs_that_are_not_there_are_named() {
        let web = "web server logs (nginx, apache2, httpd)";
        let table: [(&[&str], &[&str]); 3] = [
            (&[], &["auth.log/secure", "syslog/messages", "audit.log", "journald", web]),
            (&["file:/var/log/auth.log"], &["syslog/messages", "audit.log", web]),
            (&["journald", "file:/var/log/nginx/access.log"], &["audit.log"]),
        ];
        for (inputs, expected) in table {
            assert_eq!(absent(inputs), expected, "{inputs:?}");
        }
    }
}
