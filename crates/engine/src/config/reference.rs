//! The configuration's reference: every key with its documentation and default, as a commented
//! `tocsin.yml`, made from the schema so that it cannot be out of date.

use std::fmt::Write;

use serde_json::Value as Json;

use super::Config;
use super::schema::{alternatives, json_schema, variable_part};

/// Widest line of the reference, characters.
const WIDTH: usize = 96;

/// A whole `tocsin.yml` with every key commented out at its default.
pub fn reference() -> String {
    let schema = json_schema();
    let mut defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    // The default depends on who asks and is told in words.
    if let Some(server) = defaults.get_mut("server").and_then(Json::as_object_mut) {
        server.insert("data_dir".to_owned(), "/var/lib/tocsin".into());
    }
    let mut text = String::from(
        "# Every key of tocsin.yml with its default. Keys may be left out; a key that does not\n\
         # exist is refused. Each can also be set by the environment variable beside it.\n",
    );
    section(&schema, &schema, &defaults, &[], &mut text);
    text
}

fn section(root: &Json, node: &Json, defaults: &Json, path: &[String], text: &mut String) {
    let mut nodes = Vec::new();
    alternatives(root, node, &mut nodes);
    for node in nodes {
        for (key, child) in node.get("properties").and_then(Json::as_object).into_iter().flatten() {
            let mut below = path.to_vec();
            below.push(key.clone());
            entry(root, child, &defaults[key], &below, text);
        }
    }
}

fn entry(root: &Json, child: &Json, default: &Json, path: &[String], text: &mut String) {
    let indent = "  ".repeat(path.len() - 1);
    let key = path.last().map_or("", String::as_str);
    if path.len() == 1 {
        text.push('\n');
    }
    if let Some(about) = description(root, child) {
        comment(&about, &indent, text);
    }
    let is_section = default.as_object().is_some_and(|members| !members.is_empty());
    // Writing to a String cannot fail.
    if is_section {
        let _ = writeln!(text, "{indent}{key}:");
        section(root, child, default, path, text);
        return;
    }
    let parts: Vec<String> = path.iter().map(|part| variable_part(part)).collect();
    let _ = writeln!(text, "{indent}# TOCSIN_{}", parts.join("_"));
    let _ = writeln!(text, "{indent}# {key}: {default}");
    members(root, child, &indent, text);
}

/// What stands inside the elements of a list or a free-form map (files, channels).
fn members(root: &Json, node: &Json, indent: &str, text: &mut String) {
    let mut nodes = Vec::new();
    alternatives(root, node, &mut nodes);
    let inner = nodes.iter().find_map(|node| {
        node.get("items")
            .or_else(|| node.get("additionalProperties"))
            .filter(|inner| inner.is_object())
    });
    let Some(inner) = inner else { return };
    let mut kinds = Vec::new();
    alternatives(root, inner, &mut kinds);
    for kind in kinds {
        let Some(properties) = kind.get("properties").and_then(Json::as_object) else { continue };
        let word = properties.get("type").and_then(|kind| kind.get("const")).and_then(Json::as_str);
        match word {
            Some(word) => {
                let _ = writeln!(text, "{indent}#   with `type: {word}`:");
            }
            None => {
                let _ = writeln!(text, "{indent}#   each with:");
            }
        }
        let mut listed = Vec::new();
        alternatives(root, kind, &mut listed);
        for properties in listed.iter().filter_map(|node| node.get("properties")?.as_object()) {
            for (key, child) in properties.iter().filter(|(key, _)| *key != "type") {
                let about = description(root, child).unwrap_or_default();
                comment(&format!("{key}: {about}"), &format!("{indent}#     "), text);
            }
        }
    }
}

fn description(root: &Json, node: &Json) -> Option<String> {
    let direct = node.get("description").and_then(Json::as_str);
    if let Some(direct) = direct {
        return Some(direct.replace('\n', " "));
    }
    let mut nodes = Vec::new();
    alternatives(root, node, &mut nodes);
    nodes.iter().find_map(|node| Some(node.get("description")?.as_str()?.replace('\n', " ")))
}

/// Wraps a comment.
fn comment(about: &str, indent: &str, text: &mut String) {
    let lead = if indent.contains('#') { indent.to_owned() } else { format!("{indent}# ") };
    let mut line = lead.clone();
    let mut words = 0;
    for word in about.split_whitespace() {
        if words > 0 && line.chars().count() + word.chars().count() + 1 > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line = if indent.contains('#') { format!("{lead}  ") } else { lead.clone() };
            words = 0;
        }
        if words > 0 {
            line.push(' ');
        }
        line.push_str(word);
        words += 1;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_a_valid_configuration_and_names_every_section() {
        let text = reference();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tocsin.yml");
        std::fs::write(&path, &text).unwrap();
        super::super::load(Some(&path), []).unwrap();
        for section in [
            "server:",
            "collect:",
            "content:",
            "geoip:",
            "assets:",
            "intel:",
            "first_seen:",
            "baselines:",
            "detect:",
            "alerts:",
            "silence:",
            "risk:",
            "notify:",
            "respond:",
            "store:",
        ] {
            assert!(text.contains(&format!("\n{section}\n")), "{section}");
        }
    }
}
