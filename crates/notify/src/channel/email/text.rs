//! The two bodies of a mail.

use std::fmt::Write as _;

use crate::view::{AlertView, Message, ROWS_MAX, SummaryView};

/// Plain text.
pub(super) fn plain(message: &Message) -> String {
    match message {
        Message::Alert(view) => plain_alert(view),
        Message::Summary(view) => plain_summary(view),
    }
}

fn plain_alert(view: &AlertView) -> String {
    let mut out = format!("{}\n\n", view.sentence);
    for (label, value) in &view.facts {
        let _ = writeln!(out, "{:<12}{value}", format!("{label}:"));
    }
    if !view.lines.is_empty() {
        out.push('\n');
        for line in &view.lines {
            let _ = writeln!(out, "  {line}");
        }
    }
    if let Some(link) = &view.link {
        let _ = writeln!(out, "\n{link}");
    }
    out
}

fn plain_summary(view: &SummaryView) -> String {
    let mut out = format!("{}\n\n", view.title);
    for (rule, severity, count) in view.rules.iter().take(ROWS_MAX) {
        let _ = writeln!(out, "{count:>6} × [{severity}] {rule}");
    }
    out.push('\n');
    for title in &view.titles {
        let _ = writeln!(out, "  {title}");
    }
    if let Some(link) = &view.link {
        let _ = writeln!(out, "\n{link}");
    }
    out
}

/// HTML without images, scripts or anything from outside.
pub(super) fn html(message: &Message) -> String {
    let title = escape(message.title());
    let body = match message {
        Message::Alert(view) => html_alert(view),
        Message::Summary(view) => html_summary(view),
    };
    format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"><title>{title}</title></head>\
         <body style=\"font-family:sans-serif;font-size:14px;color:#1a1a1a\">\
         <h2 style=\"font-size:17px\">{title}</h2>{body}</body></html>\n"
    )
}

fn html_alert(view: &AlertView) -> String {
    let mut out = format!("<p>{}</p>\n<table>", escape(&view.sentence));
    for (label, value) in &view.facts {
        let _ = writeln!(
            out,
            "<tr><td style=\"color:#666;padding-right:1em\">{}</td><td>{}</td></tr>",
            escape(label),
            escape(value)
        );
    }
    out.push_str("</table>\n");
    html_block(&mut out, &view.lines);
    html_link(&mut out, view.link.as_deref());
    out
}

fn html_summary(view: &SummaryView) -> String {
    let rules = view.rules.iter().take(ROWS_MAX);
    let rows: Vec<String> =
        rules.map(|(rule, severity, count)| format!("{count} × [{severity}] {rule}")).collect();
    let mut out = String::new();
    html_block(&mut out, &rows);
    html_block(&mut out, &view.titles);
    html_link(&mut out, view.link.as_deref());
    out
}

fn html_block(out: &mut String, lines: &[String]) {
    if !lines.is_empty() {
        let lines = escape(&lines.join("\n"));
        let _ = writeln!(
            out,
            "<pre style=\"background:#f4f4f4;padding:8px;white-space:pre-wrap\">{lines}</pre>"
        );
    }
}

fn html_link(out: &mut String, link: Option<&str>) {
    if let Some(link) = link {
        let _ = writeln!(out, "<p><a href=\"{}\">Open in Tocsin</a></p>", escape(link));
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
