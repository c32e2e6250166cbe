//! Templates: the body of a request.
//!
//! In: a template (Jinja that gives JSON) and a [`Message`]. Out: the body of a request. Every
//! `{{ … }}` is written as a JSON value, so that no text of an alert can change the shape of a
//! body; a template that has an error is refused before anything is sent.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};
use serde_json::{Value as Json, json};
use tocsin_model::{Alert, Notice, NoticeKind, Severity};

use crate::error::NotifyError;
use crate::notifier::test_alert;
use crate::view::{AlertView, Message, ROWS_MAX, SummaryView, escape_within};

/// Steps that writing one body may take.
const FUEL_MAX: u64 = 200_000;
/// The largest template, bytes.
pub(crate) const TEMPLATE_BYTES_MAX: u64 = 256 * 1024;
/// Names of the parts of a template, as errors show them.
const BODY: &str = "body.json";
pub(crate) const PLAIN: &str = "text";

/// What a channel gives to its template.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) channel: String,
    pub(crate) token: String,
    pub(crate) target: String,
}

impl Settings {
    /// Those of no channel, to try a template with.
    pub(crate) fn example() -> Self {
        let [channel, token, target] = ["ops", "token", "target"].map(str::to_owned);
        Self { channel, token, target }
    }
}

/// A template, ready to write.
pub(crate) struct Template {
    environment: Environment<'static>,
    settings: Settings,
}

impl Template {
    /// Compiles a body and tries it with an alert and a summary.
    ///
    /// # Errors
    /// What is wrong with it, with the line.
    pub(crate) fn new(body: &str, settings: Settings) -> Result<Self, NotifyError> {
        let wrong = |why: String| NotifyError::Config(format!("template: {why}"));
        let mut environment = environment();
        environment
            .add_template_owned(BODY, body.to_owned())
            .map_err(|error| wrong(error.to_string()))?;
        let template = Self { environment, settings };
        for message in samples() {
            template.render(&message).map_err(wrong)?;
        }
        Ok(template)
    }

    /// The body of a message.
    pub(crate) fn render(&self, message: &Message) -> Result<Json, String> {
        let context = Value::from(Serde(context(message, &self.settings)));
        let template = self.environment.get_template(BODY).map_err(|error| error.to_string())?;
        let text = template.render(context).map_err(|error| error.to_string())?;
        serde_json::from_str(&text).map_err(|error| {
            let (at, near) = (error.line(), text.lines().nth(error.line().saturating_sub(1)));
            let near = crate::view::clean(near.unwrap_or(""), 80);
            format!("what comes out is not JSON: {error}; line {at} of it is {near:?}")
        })
    }
}

pub(crate) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL_MAX));
    environment.set_auto_escape_callback(|name| match name {
        BODY => AutoEscape::Json,
        _ => AutoEscape::None,
    });
    for (name, escape) in FILTERS {
        let filter = move |text: String, chars_max: usize| escape_within(&text, chars_max, escape);
        environment.add_filter(name, filter);
    }
    environment
}

type Escape = fn(char, &mut String);

/// Filters: each cuts a text at so many characters and takes the power from characters that have
/// a meaning to a service.
const FILTERS: [(&str, Escape); 8] = [
    ("plain", |c, out| out.push(if c.is_control() { ' ' } else { c })),
    ("lines", |c, out| out.push(if c.is_control() && c != '\n' { ' ' } else { c })),
    ("slack", slack),
    ("slack_code", |c, out| match c {
        '`' => out.push('ˋ'),
        other => slack(other, out),
    }),
    ("discord", discord),
    ("discord_code", |c, out| match c {
        '`' => out.push('ˋ'),
        '@' => out.push_str("@\u{200b}"),
        other => out.push(other),
    }),
    ("markdown", |c, out| {
        if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | ':' | '/' | '=' | '%' | '"' | '\'')
        {
            out.push('\\');
        }
        out.push(c);
    }),
    ("html", |c, out| match c {
        '"' => out.push_str("&quot;"),
        other => slack(other, out),
    }),
];

fn slack(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        other => out.push(other),
    }
}

fn discord(c: char, out: &mut String) {
    match c {
        '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '<' | '#' | '[' | ']' | '(' | ')' | '-'
        | ':' => {
            out.push('\\');
            out.push(c);
        }
        // Breaks @everyone and @here for people who copy the text elsewhere, too.
        '@' => out.push_str("@\u{200b}"),
        other => out.push(other),
    }
}

/// What templates can say.
fn context(message: &Message, settings: &Settings) -> Json {
    let severity = message.severity();
    let mut context = json!({
        "channel": settings.channel, "token": settings.token, "target": settings.target,
        "key": message.key(), "thread": message.key(),
        "title": message.title(),
        "severity": severity.as_str(), "severity_number": severity.number(),
        "link": null, "incident": null, "alert": null, "facts": [], "rows": [], "alerts": [],
    });
    let rest = match message {
        Message::Alert(view) => of_alert(view),
        Message::Summary(view) => of_summary(view),
    };
    if let (Some(all), Json::Object(rest)) = (context.as_object_mut(), rest) {
        all.extend(rest);
    }
    context
}

fn of_alert(view: &AlertView) -> Json {
    let facts = view.facts.iter().filter(|(_, value)| !value.is_empty()).take(ROWS_MAX);
    let facts: Vec<Json> =
        facts.map(|(label, value)| json!({"label": label, "value": value})).collect();
    let alert = &view.alert;
    let entity = ["host.name", "source.ip", "user.name"]
        .iter()
        .find_map(|name| alert.field_text(name).filter(|text| !text.trim().is_empty()));
    let entity = entity.map_or_else(|| "tocsin".to_owned(), |text| crate::view::clean(&text, 200));
    json!({
        "kind": view.kind.as_str(), "sentence": view.sentence, "facts": facts,
        "rows": view.lines, "link": view.link.as_deref().map(link), "thread": thread(alert), "incident": alert.triage.incident,
        "entity": entity, "count": alert.count,
        "time": alert.raised.to_string(), "timestamp": alert.raised.millis().div_euclid(1000),
        "rule": filled(&crate::view::clean(&alert.rule.title, 200)), "rule_id": alert.rule.id,
        "alert": alert.to_json(), "alerts": [alert.id.0],
    })
}

fn of_summary(view: &SummaryView) -> Json {
    let rules = view.rules.iter().take(ROWS_MAX);
    let rows = rules.map(|(rule, severity, count)| format!("{count} × [{severity}] {rule}"));
    let rows: Vec<String> = rows.chain(view.titles.iter().cloned()).collect();
    let now = tocsin_model::Timestamp::from_system(std::time::SystemTime::now());
    json!({
        "kind": "summary", "sentence": "", "rows": rows, "link": view.link.as_deref().map(link),
        "entity": "tocsin", "count": view.count, "rule": "Summary",
        "time": now.to_string(), "timestamp": now.millis().div_euclid(1000),
        "rule_id": "", "alerts": view.alerts,
    })
}

/// What keeps notices together that belong together.
fn thread(alert: &Alert) -> String {
    match alert.triage.incident {
        Some(incident) => format!("tocsin-incident-{incident}"),
        None => alert.id.0.clone(),
    }
}

/// The address comes from the configuration and an alert's id.
fn link(url: &str) -> String {
    url.replace(['|', '>', '<', '"', ' '], "")
}

fn filled(text: &str) -> &str {
    if text.is_empty() { "unnamed rule" } else { text }
}

/// A message of each kind, with and without what may be left away.
fn samples() -> [Message; 3] {
    let alert = |page: Option<&str>| {
        let notice =
            Notice { channel: "ops".to_owned(), kind: NoticeKind::Test, alert: test_alert() };
        Message::Alert(Box::new(AlertView::new(&notice, page)))
    };
    let summary = Message::Summary(SummaryView {
        key: "summary".to_owned(),
        title: "2 more alerts".to_owned(),
        count: 2,
        severity: Severity::High,
        rules: vec![("Port scan".to_owned(), Severity::High, 2)],
        titles: vec!["[high] Port scan from 192.0.2.1".to_owned()],
        alerts: vec!["0".repeat(32)],
        link: None,
    });
    [alert(None), alert(Some("https://tocsin.example")), summary]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_with_an_error_is_refused_with_its_line() {
        let table = [
            ("{\"a\":\n {{ titel }} }", "undefined value", "body.json:2"),
            ("{\"a\":\n\n {{ title | shout }} }", "unknown filter", "body.json:3"),
            ("{\"a\": {{ title }", "syntax error", "body.json:1"),
            ("{\"a\": {{ title }},}", "not JSON", "trailing comma"),
            ("{% if link %}{\"a\": 1}{% endif %}", "not JSON", "EOF"),
            (
                "{% for x in range(9000) %}{% for y in range(9000) %}{% endfor %}{% endfor %}",
                "fuel",
                "",
            ),
        ];
        for (body, what, place) in table {
            let Err(error) = Template::new(body, Settings::default()) else { panic!("{body}") };
            let error = error.to_string();
            assert!(error.contains(what) && error.contains(place), "{body}: {error}");
        }
    }

    #[test]
    fn no_text_changes_the_shape_of_a_body() {
        let body =
            "{\"a\": {{ title }}, \"b\": [{{ alert.event.kind if alert else none }}, {{ count }}]}";
        let template = Template::new(body, Settings::default()).unwrap();
        let mut alert = test_alert();
        alert.rule.title = "\"}, \"x\": {{ token }} \\ </script>\n".to_owned();
        let notice = Notice { channel: "ops".to_owned(), kind: NoticeKind::Raised, alert };
        let view = Message::Alert(Box::new(AlertView::new(&notice, None)));
        let out = template.render(&view).unwrap();
        assert_eq!(out.as_object().unwrap().len(), 2);
        assert!(out["a"].as_str().unwrap().contains("{{ token }} \\ </script>"), "{out}");
        assert_eq!(out["b"][0], "alert");
    }
}
