//! [`Item`]: one log entry, and how it looks in a file, in a syslog message and in a batch.

use std::net::Ipv4Addr;

use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};
use tocsin_model::Timestamp;

/// What kind of log an entry belongs to; also the hint of `POST /ingest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// sshd, sudo, su, PAM, useradd and friends.
    Auth,
    /// nginx access log.
    Web,
    /// Packets that the kernel's filter logged.
    Firewall,
    /// JSON events of applications.
    Json,
    /// The rest of the system log.
    Syslog,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Auth, Self::Web, Self::Firewall, Self::Json, Self::Syslog];

    /// The hint of `POST /ingest`.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Web => "web",
            Self::Firewall => "firewall",
            Self::Json => "json",
            Self::Syslog => "syslog",
        }
    }

    /// The usual name of the log file.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Auth => "auth.log",
            Self::Web => "access.log",
            Self::Firewall => "kern.log",
            Self::Json => "app.ndjson",
            Self::Syslog => "syslog",
        }
    }
}

/// How syslog messages are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyslogForm {
    /// `<34>Nov  2 00:11:50 gate sshd[1]: …`, in the machine's own time zone.
    Rfc3164,
    /// `<34>1 2026-11-02T00:11:50.095617Z gate sshd 1 - - …`
    #[default]
    Rfc5424,
}

/// A request in an access log.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Who asked.
    pub source: Ipv4Addr,
    /// Name given by basic authentication.
    pub user: Option<&'static str>,
    /// Method.
    pub method: &'static str,
    /// Path and query.
    pub target: String,
    /// Status of the answer.
    pub status: u16,
    /// Size of the answer.
    pub bytes: u32,
    /// Page that led there; empty for none.
    pub referrer: String,
    /// The browser's name for itself.
    pub agent: &'static str,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// The text after the syslog frame.
    Text(String),
    /// A line of an access log.
    Web(Request),
    /// Keys and values of a JSON event, without its time.
    Json(Vec<(&'static str, Json)>),
}

/// An entry that has no time yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// What kind of log it belongs to.
    pub format: Format,
    /// Host that logs it.
    pub host: &'static str,
    /// Program that logs it.
    pub app: &'static str,
    /// Process that logs it.
    pub pid: Option<u32>,
    /// Syslog facility.
    pub facility: u8,
    /// Syslog severity.
    pub severity: u8,
    /// What it says.
    pub body: Body,
}

impl Draft {
    /// An entry of the authentication log.
    pub fn auth(host: &'static str, app: &'static str, pid: u32, text: String) -> Self {
        let pid = (app != "sudo").then_some(pid);
        let (format, body) = (Format::Auth, Body::Text(text));
        Self { format, host, app, pid, facility: 10, severity: 6, body }
    }

    /// An entry of the system log.
    pub fn syslog(host: &'static str, app: &'static str, pid: u32, text: String) -> Self {
        let (format, body) = (Format::Syslog, Body::Text(text));
        let facility = if app == "CRON" { 9 } else { 3 };
        Self { format, host, app, pid: Some(pid), facility, severity: 6, body }
    }

    /// A packet that the kernel logged.
    pub fn firewall(host: &'static str, text: String) -> Self {
        let (format, body) = (Format::Firewall, Body::Text(text));
        Self { format, host, app: "kernel", pid: None, facility: 0, severity: 4, body }
    }

    /// A request that nginx logged.
    pub fn web(host: &'static str, request: Request) -> Self {
        let (format, body) = (Format::Web, Body::Web(request));
        Self { format, host, app: "nginx", pid: None, facility: 23, severity: 6, body }
    }

    /// An event of an application.
    pub fn json(host: &'static str, app: &'static str, keys: Vec<(&'static str, Json)>) -> Self {
        let (format, body) = (Format::Json, Body::Json(keys));
        Self { format, host, app, pid: None, facility: 16, severity: 6, body }
    }
}

/// One log entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// When it happened.
    pub time: Timestamp,
    /// Which attack it is part of, by the scenario's name; `None` for ordinary traffic.
    pub attack: Option<&'static str>,
    /// The rest.
    pub draft: Draft,
}

impl Item {
    /// What kind of log it belongs to.
    pub fn format(&self) -> Format {
        self.draft.format
    }

    /// The line as a log file would hold it, without a line end.
    pub fn line(&self) -> String {
        let Draft { format, host, app, pid, .. } = &self.draft;
        let message = self.message();
        if matches!(format, Format::Web | Format::Json) {
            return message;
        }
        let time = self.form("%Y-%m-%dT%H:%M:%S.%6f+00:00", TimeZone::UTC);
        match pid {
            Some(pid) => format!("{time} {host} {app}[{pid}]: {message}"),
            None => format!("{time} {host} {app}: {message}"),
        }
    }

    /// The syslog message, without a frame.
    pub fn syslog(&self, form: SyslogForm) -> String {
        let Draft { host, app, pid, facility, severity, .. } = &self.draft;
        let (priority, message) = (u16::from(*facility) * 8 + u16::from(*severity), self.message());
        match (form, pid) {
            (SyslogForm::Rfc5424, pid) => {
                let time = self.form("%Y-%m-%dT%H:%M:%S.%6fZ", TimeZone::UTC);
                let pid = pid.map_or("-".to_owned(), |pid| pid.to_string());
                format!("<{priority}>1 {time} {host} {app} {pid} - - {message}")
            }
            (SyslogForm::Rfc3164, Some(pid)) => {
                let time = self.form("%b %e %H:%M:%S", TimeZone::system());
                format!("<{priority}>{time} {host} {app}[{pid}]: {message}")
            }
            (SyslogForm::Rfc3164, None) => {
                let time = self.form("%b %e %H:%M:%S", TimeZone::system());
                format!("<{priority}>{time} {host} {app}: {message}")
            }
        }
    }

    /// The event as `POST /ingest` takes it.
    pub fn ingest(&self) -> Json {
        match &self.draft.body {
            Body::Json(keys) => self.object(keys),
            _ => json!({"format": self.format().hint(), "raw": self.line()}),
        }
    }

    fn message(&self) -> String {
        match &self.draft.body {
            Body::Text(text) => text.clone(),
            Body::Json(keys) => self.object(keys).to_string(),
            Body::Web(request) => {
                let Request { source, method, target, status, bytes, agent, .. } = request;
                let user = request.user.unwrap_or("-");
                let referrer = Some(request.referrer.as_str()).filter(|text| !text.is_empty());
                let referrer = referrer.unwrap_or("-");
                let time = self.form("%d/%b/%Y:%H:%M:%S +0000", TimeZone::UTC);
                format!(
                    "{source} - {user} [{time}] \"{method} {target} HTTP/1.1\" {status} {bytes} \"{referrer}\" \"{agent}\""
                )
            }
        }
    }

    fn object(&self, keys: &[(&'static str, Json)]) -> Json {
        let mut object = Map::new();
        object.insert("timestamp".into(), json!(self.time));
        object.insert("source".into(), json!(self.draft.app));
        object.insert("host".into(), json!(self.draft.host));
        for (key, value) in keys {
            object.insert((*key).into(), value.clone());
        }
        Json::Object(object)
    }

    fn form(&self, form: &str, zone: TimeZone) -> String {
        let time = jiff::Timestamp::from_nanosecond(i128::from(self.time.0)).unwrap_or_default();
        time.to_zoned(zone).strftime(form).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(draft: Draft) -> Item {
        let time = Timestamp::parse_rfc3339("2026-11-02T00:11:50.0956Z").unwrap();
        Item { time, attack: None, draft }
    }

    #[test]
    fn every_form_of_an_entry() {
        let auth = item(Draft::auth("gate", "sshd", 81, "hello".into()));
        assert_eq!(auth.line(), "2026-11-02T00:11:50.095600+00:00 gate sshd[81]: hello");
        assert_eq!(
            auth.syslog(SyslogForm::Rfc5424),
            "<86>1 2026-11-02T00:11:50.095600Z gate sshd 81 - - hello"
        );
        let local = auth.syslog(SyslogForm::Rfc3164);
        assert!(local.starts_with("<86>") && local.ends_with(" gate sshd[81]: hello"), "{local}");
        assert_eq!(auth.ingest()["format"], "auth");
        assert_eq!(auth.ingest()["raw"], auth.line());

        let web = item(Draft::web(
            "web-1",
            Request {
                source: Ipv4Addr::new(192, 0, 2, 7),
                user: None,
                method: "GET",
                target: "/a?b=c".into(),
                status: 200,
                bytes: 12,
                referrer: String::new(),
                agent: "curl/8.5.0",
            },
        ));
        assert_eq!(
            web.line(),
            r#"192.0.2.7 - - [02/Nov/2026:00:11:50 +0000] "GET /a?b=c HTTP/1.1" 200 12 "-" "curl/8.5.0""#
        );
        assert!(web.syslog(SyslogForm::Rfc5424).contains(" web-1 nginx - - - 192.0.2.7 "));

        let event = item(Draft::json("app-1", "shop", vec![("event_type", json!("order"))]));
        assert_eq!(
            event.line(),
            r#"{"timestamp":"2026-11-02T00:11:50.0956Z","source":"shop","host":"app-1","event_type":"order"}"#
        );
        assert_eq!(event.ingest()["event_type"], "order");
    }
}
