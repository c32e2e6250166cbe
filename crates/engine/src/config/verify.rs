//! What a configuration that could be read still has wrong: values that only show to be
//! unusable when they are put to use.
//!
//! In: a [`Loaded`] configuration. Out: every fault, at its place. Never opens, makes or sends
//! anything.

use tocsin_alert::AllowList;
use tocsin_content::Diagnostic;

use super::Loaded;

/// Everything that keeps the configuration from being used, for all of `run` but the address of
/// the page, which the server judges.
pub fn verify(loaded: &Loaded) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let config = &loaded.config;
    for (index, entry) in config.alerts.allow_list.iter().enumerate() {
        if let Err(message) = AllowList::parse(std::slice::from_ref(entry)) {
            let index = index.to_string();
            faults.push(loaded.fault(&["alerts", "allow_list", &index], message));
        }
    }
    for (index, input) in config.collect.files.iter().enumerate() {
        let place = index.to_string();
        if input.paths.is_empty() {
            let message = "needs paths, for example paths: [/var/log/app.log]";
            faults.push(loaded.fault(&["collect", "files", &place], message));
        }
        for (key, patterns) in [("paths", &input.paths), ("exclude", &input.exclude)] {
            for (index, pattern) in patterns.iter().enumerate() {
                if let Err(error) = tocsin_collect::check_pattern(pattern) {
                    let index = index.to_string();
                    let path = ["collect", "files", &place, key, &index];
                    faults.push(loaded.fault(&path, error.to_string()));
                }
            }
        }
    }
    for (path, message) in crate::intel::faults(&config.intel) {
        let path: Vec<&str> =
            std::iter::once("intel").chain(path.iter().map(String::as_str)).collect();
        faults.push(loaded.fault(&path, message));
    }
    let sections =
        [config.silence.check(), config.risk.check(), config.respond.check(), routes(config)];
    for message in sections.into_iter().filter_map(Result::err) {
        let place = message.split([':', ' ', '[']).next().unwrap_or("").to_owned();
        let path: Vec<&str> = place.split('.').collect();
        faults.push(loaded.fault(&path, message));
    }
    for (key, message) in config.server.oidc.faults() {
        faults.push(loaded.fault(&["server", "oidc", key], message));
    }
    for (path, message) in config.store.faults() {
        let path: Vec<&str> = std::iter::once("store").chain(path).collect();
        faults.push(loaded.fault(&path, message));
    }
    for (path, message) in tocsin_collect::faults(&config.collect) {
        let path: Vec<&str> =
            std::iter::once("collect").chain(path.iter().map(String::as_str)).collect();
        faults.push(loaded.fault(&path, message));
    }
    for (channel, message) in tocsin_notify::faults(&config.notify, &config.server.data_dir) {
        // The key that the message is about, when it begins with one.
        let key = message.split([':', ' ']).next().unwrap_or("");
        let message = format!("channel {channel}: {message}");
        faults.push(loaded.fault(&["notify", "channels", &channel, key], message));
    }
    if let Some(message) = tocsin_notify::escalation_fault(&config.notify) {
        let place = message.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
        let place = place.map_or("0", |(place, _)| place).to_owned();
        faults.push(loaded.fault(&["notify", "escalation", &place], message));
    }
    faults
}

/// Whether the conditions of routes that block can be read.
fn routes(config: &super::Config) -> Result<(), String> {
    crate::respond::routes(&config.respond).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_at_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tocsin.yml");
        let text = "alerts:\n  allow_list:\n    - 10.0.0.0/8\n    - 10.0.0.0/99\n    - nobody\n\
                    collect:\n  files:\n    - source: nginx\n    - paths: [\"/a[\"]\n\
                    \x20 senders:\n    web:\n      token: abc\n\
                    store:\n  archive:\n    dir: relative\n\
                    notify:\n  channels:\n    ops:\n      type: webhook\n      url_file: /no/such\n";
        std::fs::write(&path, text).unwrap();
        let loaded = super::super::load(Some(&path), []).unwrap();
        let faults = verify(&loaded);
        let lines: Vec<u32> = faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [4, 5, 8, 9, 15, 12, 20], "{faults:?}");
        assert!(faults[6].message.starts_with("channel ops: url_file: /no/such"), "{faults:?}");
    }
}
