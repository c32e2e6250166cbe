//! `GET /metrics`: the status in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::app::{App, Shared};
use crate::error::ApiError;
use crate::limits::STREAMS_MAX;
use crate::status::{self, Status};

/// The format's media type.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counters and gauges for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "state",
    responses((status = 200, description = "Prometheus text format 0.0.4", body = String, content_type = "text/plain"))
)]
pub async fn metrics(State(app): State<Shared>) -> Result<Response, ApiError> {
    let status = status::current(&app).await?;
    let mut page = Page::default();
    page.events(&status);
    page.alerts(&status, &app);
    page.channels(&status);
    page.state(&status, &app);
    page.detection(&app);
    Ok(([(CONTENT_TYPE, TEXT)], page.text).into_response())
}

/// Text in the making.
#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// Begins a family.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.text.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let open = if place == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{}\"", escape(text));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// A family of one sample without labels.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    fn events(&mut self, status: &Status) {
        let name = "tocsin_events_received_total";
        self.family(name, "counter", "Records that arrived, by input.");
        for input in &status.inputs {
            self.sample(name, &[("input", &input.name)], input.received);
        }
        let name = "tocsin_events_received_bytes_total";
        self.family(name, "counter", "Bytes of records that arrived, by input.");
        for input in &status.inputs {
            self.sample(name, &[("input", &input.name)], input.received_bytes);
        }
        let name = "tocsin_events_stored_total";
        self.family(name, "counter", "Events stored, by input.");
        for input in &status.inputs {
            self.sample(name, &[("input", &input.name)], input.stored);
        }
        let name = "tocsin_events_dropped_total";
        self.family(name, "counter", "What was not taken, by input and reason.");
        for input in &status.inputs {
            for (reason, count) in &input.dropped {
                self.sample(name, &[("input", &input.name), ("reason", reason)], count);
            }
        }
        let name = "tocsin_events_under_way";
        self.family(name, "gauge", "Records neither stored nor lost yet, by input.");
        for input in &status.inputs {
            self.sample(name, &[("input", &input.name)], input.under_way);
        }
        let name = "tocsin_ledger_balanced";
        self.family(name, "gauge", "1 while received = stored + lost + under way, by input.");
        for input in &status.inputs {
            self.sample(name, &[("input", &input.name)], u8::from(input.balanced));
        }
        let name = "tocsin_input_lag_bytes";
        self.family(name, "gauge", "Bytes that are there but not read yet, by input.");
        for input in &status.inputs {
            self.sample(name, &[("input", &input.name)], input.lag_bytes);
        }
        let name = "tocsin_input_problem";
        self.family(name, "gauge", "1 while something is wrong with the input.");
        for input in &status.inputs {
            let problem = u8::from(input.problem.is_some());
            self.sample(name, &[("input", &input.name)], problem);
        }
        let help = "Records that no parser understood since the start.";
        self.single("tocsin_events_unparsed_total", "counter", help, status.events.unparsed);
        let help = "Events per second over the last seconds.";
        self.single("tocsin_events_per_second", "gauge", help, status.events.per_second);
        let lag = status.events.lag_ms as f64 / 1000.0;
        let help = "From an event's arrival to its detection.";
        self.single("tocsin_lag_seconds", "gauge", help, lag);
    }

    fn alerts(&mut self, status: &Status, app: &App) {
        let name = "tocsin_alerts_total";
        self.family(name, "counter", "Alerts raised, by rule and the rule's severity.");
        let in_force = app.handle.in_force.load();
        for row in &status.alerts.by_rule_id {
            let rule = in_force.rules.iter().find(|rule| rule.id == row.rule_id);
            let severity = rule.map_or("unknown", |rule| rule.severity.as_str());
            let labels =
                [("rule", &*row.title), ("rule_id", &*row.rule_id), ("severity", severity)];
            self.sample(name, &labels, row.count);
        }
    }

    fn channels(&mut self, status: &Status) {
        let name = "tocsin_notices";
        self.family(name, "gauge", "Notices by channel and state.");
        for channel in &status.channels {
            let states = [
                ("pending", channel.pending),
                ("delivered", channel.delivered),
                ("failed", channel.failed),
            ];
            for (state, count) in states {
                self.sample(name, &[("channel", &channel.name), ("state", state)], count);
            }
        }
        let name = "tocsin_notice_failed_tries_total";
        self.family(name, "counter", "Deliveries that failed since the start, by channel.");
        for channel in &status.channels {
            self.sample(name, &[("channel", &channel.name)], channel.failed_tries);
        }
        let name = "tocsin_channel_problem";
        self.family(name, "gauge", "1 while nothing goes out by the channel.");
        for channel in &status.channels {
            let problem = u8::from(channel.problem.is_some());
            self.sample(name, &[("channel", &channel.name)], problem);
        }
    }

    fn state(&mut self, status: &Status, app: &App) {
        let up = u8::from(status.problem.is_none());
        self.single("tocsin_healthy", "gauge", "1 while nothing is wrong.", up);
        self.single(
            "tocsin_uptime_seconds",
            "gauge",
            "Time since the start.",
            status.uptime_seconds,
        );
        self.family("tocsin_build_info", "gauge", "The version, as a label.");
        self.sample("tocsin_build_info", &[("version", status.version)], 1);
        let store = &status.store;
        self.single("tocsin_store_events", "gauge", "Events in the store.", store.documents);
        let help = "Of these, events in the archive.";
        self.single("tocsin_store_archived_events", "gauge", help, store.archived_documents);
        let help = "Bytes of the archive, beside tocsin_store_bytes.";
        self.single("tocsin_store_archived_bytes", "gauge", help, store.archived_bytes);
        let help = "Values that are stored and not searchable, because of a limit.";
        let unindexed = store.unindexed_values;
        self.single("tocsin_store_unindexed_values_total", "counter", help, unindexed);
        let help = "Bytes on disk, alerts included.";
        self.single("tocsin_store_bytes", "gauge", help, store.disk_bytes);
        let help = "Bytes that wait in the journal to be stored.";
        self.single("tocsin_journal_bytes", "gauge", help, store.journal_bytes);
        self.single("tocsin_rules_loaded", "gauge", "Rules in force.", status.rules.loaded);
        let help = "Refusals in packs and rule files.";
        self.single("tocsin_rules_refused", "gauge", help, status.rules.refused);
        let open = STREAMS_MAX.saturating_sub(app.streams.available_permits());
        self.single("tocsin_streams_open", "gauge", "Streams of live messages open.", open);
    }

    fn detection(&mut self, app: &App) {
        let progress = &app.handle.progress;
        let findings = progress.findings.load(Ordering::Relaxed);
        let allowed = progress.allowed.load(Ordering::Relaxed);
        let counters = progress.detect();
        let help = "Matches of rules since the start, before they are grouped to alerts.";
        self.single("tocsin_findings_total", "counter", help, findings);
        let help = "Matches dropped by the allow-list since the start.";
        self.single("tocsin_findings_allowed_total", "counter", help, allowed);
        let help = "Groups that correlations remember.";
        self.single("tocsin_correlation_groups", "gauge", help, counters.groups);
        let help = "Memory of correlations, roughly.";
        self.single("tocsin_correlation_bytes", "gauge", help, counters.state_bytes);
        let help = "Groups given up because of a limit since the start.";
        self.single("tocsin_correlation_evicted_total", "counter", help, counters.groups_evicted);
        let help = "Matched events later than the lateness bound since the start.";
        self.single("tocsin_correlation_late_total", "counter", help, counters.late);
    }
}

/// A label's value as the format wants it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            // Some readers end lines there.
            '\r' => escaped.push_str("\\\\r"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut page = Page::default();
        page.family("x_total", "counter", "Help.");
        page.sample("x_total", &[("a", "C:\\\"x\"\n}"), ("b", "ä")], 1);
        page.sample("x_total", &[], 2.5);
        let wanted = "# HELP x_total Help.\n# TYPE x_total counter\n\
            x_total{a=\"C:\\\\\\\"x\\\"\\n}\",b=\"ä\"} 1\nx_total 2.5\n";
        assert_eq!(page.text, wanted);
    }
}
