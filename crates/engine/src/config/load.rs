//! Reading the configuration: file under environment, with the origin of every value.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;
use tocsin_content::Diagnostic;
use tocsin_content::yaml::{self, Key, Kind, Node, Place};

use super::Config;
use super::lists;
use super::schema::{self, Named};

/// Lines from here on mean "the n-th environment variable" in [`Place`]s of the merged tree.
const VARIABLE_LINES: u32 = 1 << 30;

/// The most faults of one configuration that are told.
const FAULTS_MAX: usize = 100;

/// Variables that the program reads elsewhere.
const NOT_KEYS: &[&str] = &["TOCSIN_CONFIG", "TOCSIN_LOG"];

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The file, at a line.
    File(u32),
    /// An environment variable.
    Variable(String),
}

/// One value in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Dotted key.
    pub key: String,
    /// Its value; secrets are masked.
    pub value: Json,
    /// Where it came from.
    pub origin: Origin,
}

/// A configuration with the origins of its values.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Every value in force, by key.
    pub settings: Vec<Setting>,
    /// What was written, for the places of faults.
    written: Written,
}

#[derive(Debug, Clone)]
struct Written {
    file: String,
    root: Node,
    variables: Vec<String>,
}

impl Loaded {
    /// An error about a value, at its place or that of the nearest part above it that was
    /// written.
    pub fn fault(&self, path: &[&str], message: impl Into<String>) -> Diagnostic {
        let Written { file, root, variables } = &self.written;
        let mut place = Place::default();
        let mut node = root;
        for part in path {
            let below = match (node.entry(part), node.as_seq()) {
                (Some((key, below)), _) => Some((key.place, below)),
                (None, Some(items)) => part
                    .parse::<usize>()
                    .ok()
                    .and_then(|at| items.get(at))
                    .map(|item| (item.place, item)),
                (None, None) => None,
            };
            let Some(below) = below else { break };
            (place, node) = below;
        }
        locate(&yaml::YamlError { place, message: message.into() }, file, variables)
    }
}

/// Reads the configuration from a file (`None`: no file) and environment variables (only those
/// that begin with `TOCSIN_` are looked at).
///
/// # Errors
/// Diagnostics with file and line, or the variable's name: unreadable file, YAML that is none,
/// unknown keys and variables with the nearest known one, values of the wrong type.
pub fn load(
    path: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Vec<Diagnostic>> {
    match read(path, variables) {
        (loaded, errors) if errors.is_empty() => Ok(loaded),
        (_, errors) => Err(errors),
    }
}

/// Like [`load`], with what is left when everything wrong is left out, so that the rest can be
/// looked at too.
pub fn read(
    path: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> (Loaded, Vec<Diagnostic>) {
    let name = path.map_or_else(String::new, |path| path.display().to_string());
    let mut errors = Vec::new();
    let mut root = match path.map(|path| read_file(path, &name)) {
        Some(Ok(root)) => root,
        Some(Err(error)) => {
            errors.push(error);
            empty()
        }
        None => empty(),
    };
    let mut used = Vec::new();
    let mut variables: Vec<(String, String)> = variables
        .into_iter()
        .filter(|(name, _)| name.starts_with("TOCSIN_") && !NOT_KEYS.contains(&name.as_str()))
        .collect();
    variables.sort();
    let schema = schema::json_schema();
    for (variable, value) in variables {
        match overlay(&schema, &mut root, &variable, &value, VARIABLE_LINES + used.len() as u32) {
            Ok(()) => used.push(variable),
            Err(message) => errors.push(Diagnostic::error(&variable, 0, 0, message)),
        }
    }
    lists::widen(&schema, &mut root);
    let mut config = decode(&mut root, &mut |error| errors.push(locate(&error, &name, &used)));
    let settings = settings(&config, &root, &used);
    config.read_own_rules();
    // Content reads the packs itself; only channels that need them are worth the second look.
    if config.notify.channels.values().any(|channel| channel.needs_services()) {
        config.notify.services = crate::content::services(&config.content);
    }
    let written = Written { file: name, root, variables: used };
    (Loaded { config, settings, written }, errors)
}

fn empty() -> Node {
    Node { place: Place::default(), kind: Kind::Map(Vec::new()) }
}

/// Decodes what can be, and takes out of the tree what cannot.
fn decode(root: &mut Node, wrong: &mut dyn FnMut(yaml::YamlError)) -> Config {
    let mut told: Vec<Place> = Vec::new();
    for _ in 0..FAULTS_MAX {
        match root.decode() {
            Ok(config) => return config,
            Err(error) => {
                let place = error.place;
                // What is said of a map now comes of what was taken out of it.
                if !told.contains(&place) {
                    told.push(place);
                    wrong(error);
                }
                match take_out(root, place) {
                    Some(home) => told.push(home),
                    None => break,
                }
            }
        }
    }
    Config::default()
}

/// Removes the innermost entry that stands at a place; the place of what it was in.
fn take_out(node: &mut Node, place: Place) -> Option<Place> {
    let home = node.place;
    match &mut node.kind {
        Kind::Scalar { .. } => None,
        Kind::Seq(items) => {
            let inside = items.iter_mut().find_map(|item| take_out(item, place));
            inside.or_else(|| {
                let before = items.len();
                items.retain(|item| item.place != place);
                (items.len() < before).then_some(home)
            })
        }
        Kind::Map(entries) => {
            let inside = entries.iter_mut().find_map(|(_, item)| take_out(item, place));
            inside.or_else(|| {
                let before = entries.len();
                entries.retain(|(key, item)| key.place != place && item.place != place);
                (entries.len() < before).then_some(home)
            })
        }
    }
}

fn read_file(path: &Path, name: &str) -> Result<Node, Diagnostic> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Diagnostic::error(name, 0, 0, format!("cannot be read: {error}")))?;
    let mut documents = yaml::parse(&text).map_err(|error| error.at(name))?;
    if documents.len() > 1 {
        return Err(Diagnostic::error(name, 0, 0, "holds more than one document, keep one"));
    }
    match documents.pop() {
        Some(node) if !node.is_null() => Ok(node),
        _ => Ok(Node { place: Place { line: 1, column: 1 }, ..empty() }),
    }
}

fn overlay(
    schema: &Json,
    root: &mut Node,
    variable: &str,
    value: &str,
    line: u32,
) -> Result<(), String> {
    let rest = variable.strip_prefix("TOCSIN_").unwrap_or(variable);
    let named = {
        let existing = |path: &[String]| keys_at(root, path);
        schema::find(schema, schema, rest, &[], &existing)
    };
    let Some(Named { path, text }) = named else {
        let known = known_variables(schema);
        let near = yaml::nearest(variable, known.iter().map(String::as_str));
        return Err(match near {
            Some(near) => format!("unknown environment variable, did you mean {near}?"),
            None => "unknown environment variable, `tocsin config` lists the keys".to_owned(),
        });
    };
    let place = Place { line, column: 1 };
    let node = if text {
        Node { place, kind: Kind::Scalar { text: value.to_owned(), plain: false } }
    } else {
        let parsed = yaml::parse(value).map_err(|error| error.message)?.pop();
        let mut node = parsed
            .unwrap_or(Node { place, kind: Kind::Scalar { text: String::new(), plain: true } });
        // Lists may be written without brackets: `a, b`.
        node = comma_list(node, schema, &path);
        put_places(&mut node, place);
        node
    };
    insert(root, &path, node, place);
    Ok(())
}

fn comma_list(node: Node, schema: &Json, path: &[String]) -> Node {
    let Kind::Scalar { text, .. } = &node.kind else { return node };
    if !is_list(schema, schema, path) {
        return node;
    }
    let items = text
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(|item| Node {
            place: node.place,
            kind: Kind::Scalar { text: item.to_owned(), plain: false },
        })
        .collect();
    Node { place: node.place, kind: Kind::Seq(items) }
}

fn is_list(root: &Json, node: &Json, path: &[String]) -> bool {
    let mut nodes = Vec::new();
    schema::alternatives(root, node, &mut nodes);
    match path.split_first() {
        None => nodes.iter().any(|node| node.get("items").is_some()),
        Some((key, rest)) => nodes.iter().any(|node| {
            let child = node.get("properties").and_then(|properties| properties.get(key));
            let child = child.or_else(|| node.get("additionalProperties"));
            child.is_some_and(|child| is_list(root, child, rest))
        }),
    }
}

fn put_places(node: &mut Node, place: Place) {
    node.place = place;
    match &mut node.kind {
        Kind::Scalar { .. } => {}
        Kind::Seq(items) => items.iter_mut().for_each(|item| put_places(item, place)),
        Kind::Map(entries) => entries.iter_mut().for_each(|(key, item)| {
            key.place = place;
            put_places(item, place);
        }),
    }
}

fn insert(node: &mut Node, path: &[String], value: Node, place: Place) {
    let Some((key, rest)) = path.split_first() else {
        *node = value;
        return;
    };
    if node.as_map().is_none() {
        node.kind = Kind::Map(Vec::new());
    }
    let Kind::Map(entries) = &mut node.kind else { return };
    let at = entries.iter().position(|(known, _)| known.text == *key).unwrap_or_else(|| {
        let empty = Node { place, kind: Kind::Map(Vec::new()) };
        entries.push((Key { text: key.clone(), place }, empty));
        entries.len() - 1
    });
    insert(&mut entries[at].1, rest, value, place);
}

fn keys_at(root: &Node, path: &[String]) -> Vec<String> {
    let node = path.iter().try_fold(root, |node, key| node.get(key));
    let entries = node.and_then(Node::as_map).unwrap_or(&[]);
    entries.iter().map(|(key, _)| key.text.clone()).collect()
}

fn known_variables(schema: &Json) -> Vec<String> {
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let mut names = Vec::new();
    leaves(&defaults, String::new(), &mut |key, _| {
        let parts: Vec<String> = key.split('.').map(schema::variable_part).collect();
        names.push(format!("TOCSIN_{}", parts.join("_")));
    });
    names.retain(|name| {
        let rest = name.strip_prefix("TOCSIN_").unwrap_or(name);
        schema::find(schema, schema, rest, &[], &|_| Vec::new()).is_some()
    });
    names
}

fn locate(error: &yaml::YamlError, name: &str, variables: &[String]) -> Diagnostic {
    match error.place.line.checked_sub(VARIABLE_LINES) {
        Some(index) => {
            let variable = variables.get(index as usize).map_or("environment", String::as_str);
            Diagnostic::error(variable, 0, 0, error.message.clone())
        }
        None if name.is_empty() => Diagnostic::error("configuration", 0, 0, error.message.clone()),
        None => error.at(name),
    }
}

fn settings(config: &Config, root: &Node, variables: &[String]) -> Vec<Setting> {
    let values = serde_json::to_value(config).unwrap_or_default();
    let mut settings = BTreeMap::new();
    leaves(&values, String::new(), &mut |key, value| {
        let mut node = Some(root);
        for part in key.split('.') {
            node = node.and_then(|node| node.get(part));
        }
        let origin = match node.map(|node| node.place.line) {
            None => Origin::Default,
            Some(line) => match line.checked_sub(VARIABLE_LINES) {
                Some(index) => {
                    Origin::Variable(variables.get(index as usize).cloned().unwrap_or_default())
                }
                None => Origin::File(line),
            },
        };
        settings.insert(key.clone(), Setting { key, value: value.clone(), origin });
    });
    settings.into_values().collect()
}

fn leaves(value: &Json, key: String, each: &mut dyn FnMut(String, &Json)) {
    match value {
        Json::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                leaves(member, key, each);
            }
        }
        _ => each(key, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tocsin.yml");
        std::fs::write(&path, text).unwrap();
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load(Some(&path), variables).map_err(|errors| {
            let place = format!("{}/", dir.path().display());
            errors.iter().map(|error| error.to_string().replace(&place, "")).collect()
        })
    }

    #[test]
    fn environment_over_file_over_default() {
        let text = "server:\n  listen: 127.0.0.1:8000\nalerts:\n  cooldown_seconds: 5\n";
        let variables = [
            ("TOCSIN_SERVER_LISTEN", "127.0.0.1:9000"),
            ("TOCSIN_ALERTS_ALLOW_LIST", "10.0.0.0/8, 192.0.2.1"),
            ("TOCSIN_LOG", "debug"),
            ("PATH", "/bin"),
        ];
        let loaded = load_text(text, &variables).unwrap();
        assert_eq!(loaded.config.server.listen, "127.0.0.1:9000");
        assert_eq!(loaded.config.alerts.allow_list, ["10.0.0.0/8", "192.0.2.1"]);
        assert_eq!(loaded.config.alerts.cooldown_seconds, 5);
        let origin = |key: &str| {
            loaded.settings.iter().find(|setting| setting.key == key).unwrap().origin.clone()
        };
        assert_eq!(origin("server.listen"), Origin::Variable("TOCSIN_SERVER_LISTEN".into()));
        assert_eq!(origin("alerts.cooldown_seconds"), Origin::File(4));
        assert_eq!(origin("store.commit_ms"), Origin::Default);
    }

    #[test]
    fn mistakes_name_place_and_remedy() {
        let table: &[(&str, &[(&str, &str)], &str)] = &[
            (
                "sever:\n  listen: x\n",
                &[],
                "tocsin.yml:1:1: error: unknown key \"sever\", did you mean \"server\"?",
            ),
            (
                "server:\n  lisen: x\n",
                &[],
                "tocsin.yml:2:3: error: unknown key \"lisen\", did you mean \"listen\"?",
            ),
            (
                "alerts:\n  open_max: many\n",
                &[],
                "tocsin.yml:2:13: error: invalid type: string \"many\", expected usize",
            ),
            (
                "",
                &[("TOCSIN_SERVER_LISTN", "x")],
                "TOCSIN_SERVER_LISTN: error: unknown environment variable, did you mean TOCSIN_SERVER_LISTEN?",
            ),
            (
                "",
                &[("TOCSIN_ALERTS_OPEN_MAX", "many")],
                "TOCSIN_ALERTS_OPEN_MAX: error: invalid type: string \"many\", expected usize",
            ),
            ("a: [", &[], "tocsin.yml:"),
        ];
        for (text, variables, expected) in table {
            let error = load_text(text, variables).unwrap_err();
            assert!(error.starts_with(expected), "{text:?} gave {error}");
        }
    }

    #[test]
    fn all_mistakes_are_told_and_the_rest_is_read() {
        let text = "sever: {}\nalerts:\n  open_max: many\n  colour: red\n  cooldown_seconds: 5\n\
                    notify:\n  channels:\n    a: { type: emial }\n    b: { type: webhook, ulr: x }\n";
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tocsin.yml");
        std::fs::write(&path, text).unwrap();
        let (loaded, errors) = read(Some(&path), [("TOCSIN_SERVR".to_owned(), "x".to_owned())]);
        let mut lines: Vec<u32> = errors.iter().map(|error| error.line).collect();
        lines.sort_unstable();
        assert_eq!(lines, [0, 1, 3, 4, 8, 9], "{errors:?}");
        assert_eq!(loaded.config.alerts.cooldown_seconds, 5);
        let place = |path: &[&str]| loaded.fault(path, "").line;
        assert_eq!(place(&["alerts", "cooldown_seconds"]), 5);
        assert_eq!(place(&["alerts", "allow_list", "0"]), 2, "the nearest part above");
    }

    #[test]
    fn one_value_is_a_list_of_one() {
        let table = [
            "collect: { files: [ { paths: /var/log/x.log } ] }",
            "collect: { files: [ { paths: [/var/log/x.log] } ] }",
            "collect: { files: { paths: /var/log/x.log } }",
            "collect: { files: [ /var/log/x.log ] }",
            "collect: { files: /var/log/x.log }",
        ];
        for text in table {
            let config = load_text(text, &[]).unwrap().config;
            assert_eq!(config.collect.files[0].paths, ["/var/log/x.log"], "{text}");
        }
        let config = load_text("alerts: { allow_list: 10.0.0.0/8 }", &[]).unwrap().config;
        assert_eq!(config.alerts.allow_list, ["10.0.0.0/8"]);
        let text = "notify: { channels: { a: { type: email, host: h, from: a@b.c, to: d@b.c } } }";
        assert!(load_text(text, &[]).is_ok());
    }

    #[test]
    fn an_empty_file_and_no_file_are_defaults() {
        assert!(load_text("", &[]).is_ok());
        assert!(load_text("# nothing\n", &[]).is_ok());
        assert!(load(None, []).is_ok());
    }
}
