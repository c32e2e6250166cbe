//! Alerts as syslog messages (RFC 5424) to another collector or SIEM: CEF, or nested ECS JSON; over
//! UDP, or over TCP with counted octets (RFC 6587).

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use tocsin_model::{Alert, Severity, Timestamp};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket, lookup_host};

use super::SendError;
use crate::config::{SyslogConfig, SyslogFormat, SyslogProtocol};
use crate::error::NotifyError;
use crate::view::{Message, clean};

/// Facility 13, log audit.
const FACILITY: u8 = 13;
/// The longest message over UDP, bytes; more does not fit a datagram.
const DATAGRAM_BYTES_MAX: usize = 60_000;
/// The longest text of one extension, characters.
const EXTENSION_CHARS_MAX: usize = 1000;

pub(crate) struct SyslogChannel {
    address: String,
    protocol: SyslogProtocol,
    format: SyslogFormat,
    timeout: Duration,
}

impl SyslogChannel {
    pub(crate) fn new(config: &SyslogConfig) -> Result<Self, NotifyError> {
        let host = config.host.trim();
        if host.is_empty() || host.contains(char::is_whitespace) {
            let message = "host is missing; give the name or address of the collector".to_owned();
            return Err(NotifyError::Config(message));
        }
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        Ok(Self {
            address: format!("{host}:{}", config.port),
            protocol: config.protocol,
            format: config.format,
            timeout: super::timeout(config.timeout_seconds),
        })
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<String, SendError> {
        let text = text(message, self.format);
        match tokio::time::timeout(self.timeout, self.deliver(&text)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(SendError::channel(format!("{}: {error}", self.address))),
            Err(_) => Err(SendError::channel(format!("{}: no answer in time", self.address))),
        }
    }

    async fn deliver(&self, text: &str) -> std::io::Result<String> {
        let to: SocketAddr = lookup_host(&self.address).await?.next().ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address")
        })?;
        let bytes = text.as_bytes();
        match self.protocol {
            SyslogProtocol::Udp => {
                let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any).await?;
                let bytes = &bytes[..text.floor_char_boundary(DATAGRAM_BYTES_MAX)];
                socket.send_to(bytes, to).await?;
                Ok(format!("{} bytes sent to {to}, UDP answers nothing", bytes.len()))
            }
            SyslogProtocol::Tcp => {
                let mut stream = TcpStream::connect(to).await?;
                stream.write_all(format!("{} ", bytes.len()).as_bytes()).await?;
                stream.write_all(bytes).await?;
                stream.shutdown().await?;
                Ok(format!("{} bytes taken by {to}", bytes.len()))
            }
        }
    }
}

/// The whole message.
fn text(message: &Message, format: SyslogFormat) -> String {
    let level = match message.severity() {
        Severity::Informational => 6,
        Severity::Low => 5,
        Severity::Medium => 4,
        Severity::High => 3,
        Severity::Critical => 2,
    };
    let now = Timestamp::from_system(SystemTime::now());
    let time = Timestamp::from_millis(now.millis());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    let host = if host.is_empty() { "-" } else { &host };
    let body = match (message, format) {
        (Message::Alert(view), SyslogFormat::Cef) => cef(&view.alert, &view.sentence),
        (Message::Alert(view), SyslogFormat::Json) => view.alert.to_json().to_string(),
        (Message::Summary(view), SyslogFormat::Cef) => {
            let head = cef_head("summary", &view.title, view.severity);
            format!("{head}cnt={}", view.count)
        }
        (Message::Summary(view), SyslogFormat::Json) => {
            serde_json::json!({"message": view.title, "alerts": view.alerts}).to_string()
        }
    };
    format!("<{}>1 {time} {host} tocsin - alert - {body}", FACILITY * 8 + level)
}

/// The header of CEF, up to the extensions.
fn cef_head(id: &str, name: &str, severity: Severity) -> String {
    let number = match severity {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    };
    let escape = |text: &str| clean(text, 512).replace('\\', "\\\\").replace('|', "\\|");
    let (id, name) = (escape(id), escape(name));
    format!("CEF:0|Tocsin|Tocsin|{}|{id}|{name}|{number}|", env!("CARGO_PKG_VERSION"))
}

fn cef(alert: &Alert, sentence: &str) -> String {
    let mut out = cef_head(&alert.rule.id, &alert.rule.title, alert.severity);
    let mut put = |key: &str, value: &str| {
        if !value.is_empty() {
            let value = clean(value, EXTENSION_CHARS_MAX).replace('\\', "\\\\").replace('=', "\\=");
            out.push_str(&format!("{key}={value} "));
        }
    };
    put("externalId", &alert.id.0);
    put("rt", &alert.raised.millis().to_string());
    put("start", &alert.first_seen.millis().to_string());
    put("end", &alert.last_seen.millis().to_string());
    put("cnt", &alert.count.to_string());
    put("msg", sentence);
    for (key, field) in [
        ("src", "source.ip"),
        ("spt", "source.port"),
        ("suser", "user.name"),
        ("dst", "destination.ip"),
        ("dpt", "destination.port"),
        ("duser", "user.target.name"),
        ("dhost", "host.name"),
        ("sproc", "process.name"),
        ("filePath", "file.path"),
        ("request", "url.original"),
        ("requestMethod", "http.request.method"),
        ("act", "event.action"),
    ] {
        put(key, &alert.field_text(field).unwrap_or_default());
    }
    if !alert.rule.techniques.is_empty() {
        put("cs1Label", "technique");
        put("cs1", &alert.rule.techniques.join(","));
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notifier::test_alert;

    #[test]
    fn cef_cannot_be_broken_by_what_it_holds() {
        let mut alert = test_alert();
        alert.rule.title = "a|b\\c\nCEF:0|x".to_owned();
        alert.fields = vec![
            ("user.name".to_owned(), "root duser=admin\\ \r\nact=x".into()),
            ("source.ip".to_owned(), "192.0.2.1".into()),
        ];
        let line = cef(&alert, "why = this");
        assert!(!line.contains(['\n', '\r']), "{line}");
        let head = "|tocsin-test|a\\|b\\\\c\\\\u{a}CEF:0\\|x|1|externalId=";
        assert!(line.contains(head), "{line}");
        assert!(line.contains("suser=root duser\\=admin"), "{line}");
        assert!(line.contains(" msg=why \\= this src=192.0.2.1 "), "{line}");
    }
}
