//! Alerts on standard output.

use std::io::{self, Write};

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

    pub(crate) fn print(&self, messages: &[Message]) -> Result<String, SendError> {
        let mut text = String::new();
        for message in messages {
            text.push_str(&self.line(message));
            text.push('\n');
        }
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| SendError::channel(format!("standard output: {error}")))?;
        Ok("printed".to_owned())
    }

    fn line(&self, message: &Message) -> String {
        match (message, self.format) {
            (Message::Alert(view), StdoutFormat::Json) => view.alert.to_json().to_string(),
            (Message::Alert(view), StdoutFormat::Text) => {
                format!("{} {}: {}", time_text(view.alert.raised), view.title, view.sentence)
            }
            (Message::Summary(view), _) => view.title.clone(),
        }
    }
}
