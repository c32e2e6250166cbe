//! Slack incoming webhooks: Block Kit, with every character that Slack gives a meaning escaped
//! and no text parsed for links or names.

use reqwest::header::HeaderMap;
use serde_json::{Value as Json, json};

use super::SendError;
use super::http::{HttpPost, PlainHttp};
use crate::config::SlackConfig;
use crate::error::NotifyError;
use crate::secret::Secret;
use crate::view::{AlertView, Message, ROWS_MAX, SummaryView, escape_within};

/// Slack's limits, in characters.
const HEADER_MAX: usize = 150;
const SECTION_MAX: usize = 3000;
const FIELD_MAX: usize = 2000;

pub(crate) struct SlackChannel {
    post: HttpPost,
}

impl SlackChannel {
    pub(crate) fn new(config: &SlackConfig) -> Result<Self, NotifyError> {
        let url = Secret::resolve(
            "url",
            config.url.as_ref(),
            config.url_file.as_ref(),
            config.url_env.as_deref(),
        )?;
        let post = HttpPost::new(
            url,
            PlainHttp::Loopback,
            HeaderMap::new(),
            config.ca_file.as_deref(),
            config.timeout_seconds,
        )?;
        Ok(Self { post })
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        self.post.post(payload(message).to_string().into_bytes(), HeaderMap::new()).await
    }
}

/// The body of a message.
pub fn payload(message: &Message) -> Json {
    let blocks = match message {
        Message::Alert(view) => alert_blocks(view),
        Message::Summary(view) => summary_blocks(view),
    };
    json!({
        "text": escape(message.title(), SECTION_MAX),
        "unfurl_links": false,
        "unfurl_media": false,
        "blocks": blocks,
    })
}

fn alert_blocks(view: &AlertView) -> Vec<Json> {
    let mut blocks = vec![header(&view.title)];
    if !view.sentence.is_empty() {
        blocks.push(json!({"type": "section", "text": plain(&view.sentence, SECTION_MAX)}));
    }
    let facts = view.facts.iter().filter(|(_, value)| !value.is_empty()).take(ROWS_MAX);
    let fields: Vec<Json> = facts
        .map(|(label, value)| {
            let (label, value) = (escape(label, 100), escape(value, FIELD_MAX - 200));
            // The value is in code marks, which stop all formatting but the mark itself.
            marked(format!("*{label}*\n`{}`", value.replace('`', "ˋ")))
        })
        .collect();
    blocks.push(json!({"type": "section", "fields": fields}));
    if !view.lines.is_empty() {
        let lines = escape(&view.lines.join("\n"), SECTION_MAX - 100).replace('`', "ˋ");
        blocks.push(json!({"type": "section", "text": marked(format!("```\n{lines}\n```"))}));
    }
    blocks.extend(view.link.as_deref().map(link));
    blocks
}

fn summary_blocks(view: &SummaryView) -> Vec<Json> {
    let mut blocks = vec![header(&view.title)];
    let rules = view.rules.iter().take(ROWS_MAX);
    let rows = rules.map(|(rule, severity, count)| format!("{count} × [{severity}] {rule}"));
    let rows: Vec<String> = rows.chain(view.titles.iter().cloned()).collect();
    let rows = escape(&rows.join("\n"), SECTION_MAX - 100).replace('`', "ˋ");
    blocks.push(json!({"type": "section", "text": marked(format!("```\n{rows}\n```"))}));
    blocks.extend(view.link.as_deref().map(link));
    blocks
}

fn header(title: &str) -> Json {
    json!({"type": "header", "text": plain(title, HEADER_MAX)})
}

fn plain(text: &str, chars_max: usize) -> Json {
    json!({"type": "plain_text", "text": escape(text, chars_max), "emoji": false})
}

fn marked(text: String) -> Json {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

fn link(url: &str) -> Json {
    // The address comes from the configuration and an alert's id.
    let url = escape(&url.replace(['|', '>', ' '], ""), FIELD_MAX);
    json!({"type": "context", "elements": [marked(format!("<{url}|Open in Tocsin>"))]})
}

fn escape(text: &str, chars_max: usize) -> String {
    escape_within(text, chars_max, |c, out| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    })
}
