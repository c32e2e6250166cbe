//! Channels judged and tried out one by one, beside a running Tocsin.
//!
//! In: the `notify:` section. Out: what is wrong with each channel, or a service's real answer.
//! Never opens the outbox, never writes a line into the alert log.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use tocsin_model::{Notice, NoticeKind};

use crate::LOG_CHANNEL;
use crate::channel::Channel;
use crate::channel::log::LogChannel;
use crate::config::{ChannelConfig, LogConfig, NotifyConfig};
use crate::error::NotifyError;
use crate::escalation::Escalation;
use crate::notifier::{check_name, test_alert};
use crate::route::Route;
use crate::view::{AlertView, Message};

/// What keeps channels from being used, with the name of each. Nothing is made or sent.
pub fn faults(config: &NotifyConfig, data_dir: &Path) -> Vec<(String, String)> {
    let mut faults = Vec::new();
    let mut logs: HashMap<PathBuf, &str> = HashMap::new();
    if !matches!(config.channels.get(LOG_CHANNEL), Some(ChannelConfig::Log(_))) {
        logs.insert(log_path(LOG_CHANNEL, &LogConfig::default(), data_dir), LOG_CHANNEL);
    }
    for (name, channel) in &config.channels {
        let mut fault = check_name(name, channel).err().map(message);
        fault = fault.or_else(|| Route::new(channel.route()).err().map(message));
        if let ChannelConfig::Email(mail) = channel {
            fault = fault.or_else(|| mail.digest()?.err().map(message));
        }
        match channel {
            ChannelConfig::Log(log) => {
                let path = log_path(name, log, data_dir);
                fault = fault.or_else(|| unusable(&path, data_dir));
                if let Some(other) = logs.insert(path, name) {
                    let same = format!("writes to the same file as channel {other}; change path");
                    fault.get_or_insert(same);
                }
            }
            _ => {
                let built = Channel::build(name, channel, config, data_dir);
                fault = fault.or_else(|| built.err().map(message));
            }
        }
        faults.extend(fault.map(|fault| (name.clone(), fault)));
    }
    faults
}

/// What keeps the steps of escalation from being used.
pub fn escalation_fault(config: &NotifyConfig) -> Option<String> {
    let mut known: Vec<&str> = config.channels.keys().map(String::as_str).collect();
    known.push(LOG_CHANNEL);
    Escalation::new(&config.escalation, &known).err().map(message)
}

/// Sends a test notice to one channel and gives the real answer. Other channels may be broken.
///
/// # Errors
/// When there is no such channel, it cannot be made, or the service refuses: its answer.
pub async fn try_out(
    config: &NotifyConfig,
    name: &str,
    data_dir: &Path,
) -> Result<String, NotifyError> {
    let implied = ChannelConfig::Log(LogConfig::default());
    let channel = match config.channels.get(name) {
        Some(channel) => channel,
        None if name == LOG_CHANNEL => &implied,
        None => {
            let mut known: Vec<&str> = config.channels.keys().map(String::as_str).collect();
            known.push(LOG_CHANNEL);
            let (wanted, known) = (name.to_owned(), known.join(", "));
            return Err(NotifyError::UnknownChannel { wanted, known });
        }
    };
    check_name(name, channel).map_err(|error| error.in_channel(name))?;
    let refused = |answer| NotifyError::Delivery { channel: name.to_owned(), answer };
    if let ChannelConfig::Log(log) = channel {
        // A running Tocsin may be in the middle of a line.
        let log = LogChannel::unread(log_path(name, log, data_dir));
        return log.append(&[]).map_err(|error| refused(error.answer));
    }
    let built = Channel::build(name, channel, config, data_dir)?;
    let notice = Notice { channel: name.to_owned(), kind: NoticeKind::Test, alert: test_alert() };
    let view = AlertView::new(&notice, config.page_url.as_deref());
    let sent = built.send(&Message::Alert(Box::new(view))).await;
    sent.map_err(|error| refused(error.answer))
}

/// The file of a log channel.
pub(crate) fn log_path(name: &str, config: &LogConfig, data_dir: &Path) -> PathBuf {
    let default = if name == LOG_CHANNEL { "alerts" } else { name };
    config.path.clone().unwrap_or_else(|| data_dir.join(format!("{default}.ndjson")))
}

/// Why no log can be written there, as far as can be told without writing. The data directory
/// itself is made at the start.
fn unusable(path: &Path, data_dir: &Path) -> Option<String> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match parent {
        _ if path.is_dir() => {
            Some(format!("path: {} is a directory; give the path of a file", path.display()))
        }
        Some(parent) if parent != data_dir && !parent.is_dir() => {
            Some(format!("path: the directory {} does not exist; make it", parent.display()))
        }
        _ => None,
    }
}

/// The message without the channel's name.
fn message(error: NotifyError) -> String {
    match error {
        NotifyError::Channel { message, .. } => message,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> NotifyConfig {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_broken_channel_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(
            r#"{"channels": {
                "a": {"type": "webhook", "url_file": "/does/not/exist"},
                "b": {"type": "webhook", "url_env": "TOCSIN_TEST_NOT_SET"},
                "c": {"type": "webhook", "url": "ftp://example.com/"},
                "d": {"type": "log", "path": "/does/not/exist/a.ndjson"},
                "e": {"type": "log"},
                "f": {"type": "stdout"},
                "alerts": {"type": "log"}
            }}"#,
        );
        let faults = faults(&config, dir.path());
        let names: Vec<&str> = faults.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "alerts", "b", "c", "d"], "{faults:?}");
        assert!(faults[1].1.contains("same file as channel log"), "{faults:?}");
        assert!(faults[2].1.contains("TOCSIN_TEST_NOT_SET"), "{faults:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is made");
    }

    #[tokio::test]
    async fn one_channel_is_tried_whatever_the_others_are() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(r#"{"channels": {"a": {"type": "webhook"}}}"#);
        let log = dir.path().join("alerts.ndjson");
        std::fs::write(&log, "half a li").unwrap();
        let answer = try_out(&config, LOG_CHANNEL, dir.path()).await.unwrap();
        assert!(answer.contains("alerts.ndjson"), "{answer}");
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "half a li");
        let broken = try_out(&config, "a", dir.path()).await.unwrap_err().to_string();
        assert!(broken.starts_with("channel a: ") && broken.contains("url"), "{broken}");
        let unknown = try_out(&config, "b", dir.path()).await.unwrap_err().to_string();
        assert_eq!(unknown, "there is no channel \"b\", there are: a, log");
    }
}
