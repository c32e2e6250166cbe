//! What a configuration says that content does not bear out: in go both, out come warnings.
//! Nothing here keeps anything from running.

use std::path::Path;

use tocsin_content::yaml::nearest;
use tocsin_content::{Diagnostic, Level};
use tocsin_engine::config::Loaded;
use tocsin_engine::content::Content;

/// Names in the configuration that mean nothing, and directories that hold nothing.
pub fn doubts(loaded: &Loaded, content: &Content) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let config = &loaded.config;
    for (index, wanted) in config.alerts.disabled_rules.iter().enumerate() {
        if let Some(message) = unknown_rule(wanted, content) {
            let index = index.to_string();
            out.push(warning(loaded.fault(&["alerts", "disabled_rules", &index], message)));
        }
    }
    for (index, input) in config.collect.files.iter().enumerate() {
        let Some(source) = &input.source else { continue };
        if let Some(message) = unknown_source(source, content) {
            let index = index.to_string();
            let fault = loaded.fault(&["collect", "files", &index, "source"], message);
            out.push(warning(fault));
        }
    }
    for (key, paths) in [("packs", &config.content.packs), ("rules", &config.content.rules)] {
        for (index, path) in paths.iter().enumerate() {
            // The directory of rules saved on the page is there before the first is.
            let is_own = *path == config.own_rules();
            if let Some(message) = empty(path, content).filter(|_| !is_own) {
                let index = index.to_string();
                out.push(warning(loaded.fault(&["content", key, &index], message)));
            }
        }
    }
    out
}

fn warning(fault: Diagnostic) -> Diagnostic {
    Diagnostic { level: Level::Warning, ..fault }
}

fn unknown_rule(wanted: &str, content: &Content) -> Option<String> {
    let rules = content.rules.rules();
    if rules.iter().any(|rule| rule.id == wanted || rule.name.as_deref() == Some(wanted)) {
        return None;
    }
    let titled = rules.iter().find(|rule| rule.title == wanted);
    let names = rules.iter().flat_map(|rule| rule.name.as_deref().into_iter().chain([&*rule.id]));
    let hint = match (titled, nearest(wanted, names)) {
        (Some(rule), _) => {
            format!("that is a title, write {:?}", rule.name.as_ref().unwrap_or(&rule.id))
        }
        (None, Some(near)) => format!("did you mean {near:?}?"),
        (None, None) => "`tocsin rules list` lists them".to_owned(),
    };
    Some(format!("no rule {wanted:?}; {hint}"))
}

/// Why a name is no source, with the nearest one.
pub fn unknown_source(wanted: &str, content: &Content) -> Option<String> {
    if content.parser.source(wanted).is_some() {
        return None;
    }
    let sources = content.parser.sources().iter();
    let names = sources.flat_map(|source| {
        let hints = source.hints.iter().map(|hint| &**hint);
        hints.chain([&*source.name])
    });
    let hint = match nearest(wanted, names) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "`tocsin check --list` lists them".to_owned(),
    };
    Some(format!("{wanted:?} is no source; {hint}"))
}

/// Why a directory gives nothing.
pub fn empty(path: &Path, content: &Content) -> Option<String> {
    let packs = content.packs.iter().flat_map(|pack| &pack.files);
    let mut all = packs.chain(&content.rule_files);
    let holds_any = all.any(|file| Path::new(&file.path).starts_with(path));
    (path.is_dir() && !holds_any).then(|| "there is neither a rule nor a pack".to_owned())
}
