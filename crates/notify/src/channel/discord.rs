//! Discord webhooks: one embed, nobody mentioned, all Markdown escaped.

use reqwest::header::HeaderMap;
use serde_json::{Value as Json, json};
use tocsin_model::Severity;

use super::SendError;
use super::http::{HttpPost, PlainHttp};
use crate::config::DiscordConfig;
use crate::error::NotifyError;
use crate::secret::Secret;
use crate::view::{AlertView, Message, ROWS_MAX, SummaryView, escape_within};

/// Discord's limits, in characters. All texts of an embed together may have 6000.
const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 2000;
const LINES_MAX: usize = 1000;
const FIELD_MAX: usize = 250;

pub(crate) struct DiscordChannel {
    post: HttpPost,
}

impl DiscordChannel {
    pub(crate) fn new(config: &DiscordConfig) -> Result<Self, NotifyError> {
        let url = Secret::resolve(
            "url",
            config.url.as_ref(),
            config.url_file.as_ref(),
            config.url_env.as_deref(),
        )?;
        let mut post = HttpPost::new(
            url,
            PlainHttp::Loopback,
            HeaderMap::new(),
            config.ca_file.as_deref(),
            config.timeout_seconds,
        )?;
        // Without this Discord answers before it has looked at the message.
        let url = post.url_mut();
        if !url.query_pairs().any(|(name, _)| name == "wait") {
            url.query_pairs_mut().append_pair("wait", "true");
        }
        Ok(Self { post })
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        self.post.post(payload(message).to_string().into_bytes(), HeaderMap::new()).await
    }
}

/// The body of a message.
pub fn payload(message: &Message) -> Json {
    let mut embed = match message {
        Message::Alert(view) => alert_embed(view),
        Message::Summary(view) => summary_embed(view),
    };
    embed["title"] = json!(escape(message.title(), TITLE_MAX));
    embed["color"] = json!(color(message.severity()));
    json!({
        "username": "Tocsin",
        "allowed_mentions": {"parse": []},
        "embeds": [embed],
    })
}

fn alert_embed(view: &AlertView) -> Json {
    // Discord refuses fields without text.
    let facts = view.facts.iter().filter(|(_, value)| !value.is_empty()).take(ROWS_MAX);
    let fields: Vec<Json> = facts
        .map(|(label, value)| json!({"name": label, "value": escape(value, FIELD_MAX), "inline": true}))
        .collect();
    let mut description = escape(&view.sentence, DESCRIPTION_MAX);
    if !view.lines.is_empty() {
        description.push_str(&code(&view.lines));
    }
    let mut embed = json!({"description": description, "fields": fields});
    if let Some(link) = &view.link {
        embed["url"] = json!(link);
    }
    embed
}

fn summary_embed(view: &SummaryView) -> Json {
    let rules = view.rules.iter().take(ROWS_MAX);
    let rows = rules.map(|(rule, severity, count)| format!("{count} × [{severity}] {rule}"));
    let rows: Vec<String> = rows.chain(view.titles.iter().cloned()).collect();
    let mut embed = json!({"description": code(&rows)});
    if let Some(link) = &view.link {
        embed["url"] = json!(link);
    }
    embed
}

/// A code block; only its own mark has a meaning in it.
fn code(lines: &[String]) -> String {
    let text = escape_within(&lines.join("\n"), LINES_MAX, |c, out| match c {
        '`' => out.push('ˋ'),
        '@' => out.push_str("@\u{200b}"),
        other => out.push(other),
    });
    format!("\n```\n{text}\n```")
}

fn escape(text: &str, chars_max: usize) -> String {
    escape_within(text, chars_max, |c, out| match c {
        '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '[' | ']' | '(' | ')' | '-'
        | ':' => {
            out.push('\\');
            out.push(c);
        }
        // Breaks @everyone and @here for people who copy the text elsewhere, too.
        '@' => out.push_str("@\u{200b}"),
        other => out.push(other),
    })
}

fn color(severity: Severity) -> u32 {
    match severity {
        Severity::Informational => 0x8a_94a6,
        Severity::Low => 0x3b_82f6,
        Severity::Medium => 0xea_b308,
        Severity::High => 0xf9_7316,
        Severity::Critical => 0xdc_2626,
    }
}
