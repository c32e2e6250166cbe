//! Alerts on standard output. Whoever reads it may be slow or stuck: printing has a thread of its
//! own, so that only this channel waits and the process can still end.

use std::io::{self, Write};

use tokio::sync::oneshot;

use super::SendError;
use crate::config::StdoutFormat;
use crate::view::{Message, time_text};

/// Standard output.
#[derive(Debug)]
pub(crate) struct StdoutChannel {
    format: StdoutFormat,
}

impl StdoutChannel {
    pub(crate) fn new(format: StdoutFormat) -> Self {
        Self { format }
    }

    pub(crate) async fn print(&self, messages: &[Message]) -> Result<String, SendError> {
        let mut text = String::new();
        for message in messages {
            text.push_str(&self.line(message));
            text.push('\n');
        }
        let (done, printed) = oneshot::channel();
        let printing = move || {
            let mut out = io::stdout().lock();
            // Nobody listens when everything has stopped meanwhile.
            let _ = done.send(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
        };
        let fail = |error: io::Error| SendError::channel(format!("standard output: {error}"));
        std::thread::Builder::new().name("stdout".to_owned()).spawn(printing).map_err(fail)?;
        match printed.await {
            Ok(result) => result.map(|()| "printed".to_owned()).map_err(fail),
            Err(_) => Err(SendError::channel("standard output: printing broke off")),
        }
    }

    fn line(&self, message: &Message) -> String {
        match (message, self.format) {
            (Message::Alert(view), StdoutFormat::Json) => {
                visible(&view.alert.to_json().to_string())
            }
            (Message::Alert(view), StdoutFormat::Text) => {
                format!("{} {}: {}", time_text(view.alert.raised), view.title, view.sentence)
            }
            (Message::Summary(view), _) => view.title.clone(),
        }
    }
}

/// JSON whose strings hold no control character that a terminal could take as a command.
fn visible(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use tocsin_model::{Notice, NoticeKind};

    use super::*;
    use crate::view::AlertView;

    #[test]
    fn hostile_text_stays_one_harmless_line() {
        let mut alert = crate::notifier::test_alert();
        alert.reason = "a\nb\u{1b}[2J\u{9b}2J\u{7f}".to_owned();
        let notice =
            Notice { channel: "out".to_owned(), kind: NoticeKind::Raised, alert: alert.clone() };
        let message = Message::Alert(Box::new(AlertView::new(&notice, None)));
        for format in [StdoutFormat::Text, StdoutFormat::Json] {
            let line = StdoutChannel::new(format).line(&message);
            assert!(!line.contains(char::is_control), "{line:?}");
        }
        let line = StdoutChannel::new(StdoutFormat::Json).line(&message);
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read, alert.to_json(), "nothing of it is changed");
    }
}
