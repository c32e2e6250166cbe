//! What a configuration of inputs has wrong that only shows when it is put to use.
//!
//! In: [`CollectConfig`]. Out: each fault, with the path of its key below `collect`. Reads the
//! files that it names, opens no socket, makes nothing.

use std::net::SocketAddr;

use crate::config::CollectConfig;
use crate::senders::Senders;
use crate::{network, tls};

/// A fault: the path of the key, and what is wrong.
pub type Fault = (Vec<String>, String);

/// Everything that keeps a part of the configuration from being used.
pub fn faults(config: &CollectConfig) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut fault = |path: &[&str], message: String| {
        faults.push((path.iter().map(|part| (*part).to_owned()).collect(), message));
    };
    for (sender, message) in Senders::new(&config.senders).err().into_iter().flatten() {
        // The key that the message is about, when it begins with one.
        let key = message.split([':', ' ']).next().unwrap_or_default().to_owned();
        fault(&["senders", &sender, &key], format!("sender {sender}: {message}"));
    }
    for (path, address) in
        [(["http", "listen"], config.http.listen), (["otlp", "grpc"], config.otlp.grpc)]
    {
        if let Some(address) = address.filter(|address| !is_own(*address))
            && config.senders.is_empty()
        {
            let message = format!(
                "{address} can be reached from other machines; name the senders and their tokens in collect.senders, or use a loopback address"
            );
            fault(&path, message);
        }
    }
    if let Some(error) = tls::check(&config.tls) {
        fault(&["tls"], error.to_string());
    }
    if let Err(message) = network::fluent_key(config) {
        fault(&["fluent", "shared_key_file"], message);
    }
    faults
}

/// Whether only this machine reaches an address.
fn is_own(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_is_told_with_its_key() {
        let text = r#"{
            "senders": {"a": {"token": "x"}},
            "http": {"listen": "127.0.0.1:1"},
            "otlp": {"grpc": "0.0.0.0:1"},
            "tls": {"key_file": "/no/such"},
            "fluent": {"shared_key_file": "/no/such"}
        }"#;
        let mut config: CollectConfig = serde_json::from_str(text).unwrap();
        let paths = |config: &CollectConfig| -> Vec<String> {
            faults(config).iter().map(|(path, _)| path.join(".")).collect()
        };
        assert_eq!(paths(&config), ["senders.a.token", "tls", "fluent.shared_key_file"]);
        config.senders.clear();
        assert_eq!(paths(&config), ["otlp.grpc", "tls", "fluent.shared_key_file"]);
        assert_eq!(paths(&CollectConfig::default()), [""; 0]);
    }
}
