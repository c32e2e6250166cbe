//! The configuration's JSON Schema, and walking it: which keys there are, what they mean, and
//! which one an environment variable names.

use serde_json::Value as Json;

use super::Config;

/// JSON Schema of `tocsin.yml`, for editors.
pub fn json_schema() -> Json {
    schemars::schema_for!(Config).to_value()
}

/// Follows `$ref` and gives every alternative (`oneOf`, `anyOf`, `allOf`) of a schema node.
pub(super) fn alternatives<'s>(root: &'s Json, node: &'s Json, out: &mut Vec<&'s Json>) {
    if out.len() > 64 {
        return;
    }
    if let Some(target) = node.get("$ref").and_then(Json::as_str) {
        let found = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        if let Some(found) = found {
            alternatives(root, found, out);
        }
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        for alternative in node.get(key).and_then(Json::as_array).into_iter().flatten() {
            alternatives(root, alternative, out);
        }
    }
    out.push(node);
}

/// A key that an environment variable names.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    /// Path of the key.
    pub path: Vec<String>,
    /// Whether its value is text, so that `007` and `yes` stay as written.
    pub text: bool,
}

/// The key that `rest` (a variable's name without `TOCSIN_`) names. `existing` gives the keys
/// that a free-form map (such as `notify.channels`) already has.
pub(super) fn find(
    root: &Json,
    node: &Json,
    rest: &str,
    at: &[String],
    existing: &dyn Fn(&[String]) -> Vec<String>,
) -> Option<Named> {
    let mut nodes = Vec::new();
    alternatives(root, node, &mut nodes);
    if rest.is_empty() {
        let text = nodes.iter().any(|node| is_text(node));
        return Some(Named { path: at.to_vec(), text });
    }
    let below = |key: &str| {
        let mut path = at.to_vec();
        path.push(key.to_owned());
        path
    };
    for node in &nodes {
        for (key, child) in node.get("properties").and_then(Json::as_object).into_iter().flatten() {
            let Some(rest) = strip(rest, key) else { continue };
            if let Some(named) = find(root, child, rest, &below(key), existing) {
                return Some(named);
            }
        }
    }
    for node in &nodes {
        let Some(child) = node.get("additionalProperties").filter(|child| child.is_object()) else {
            continue;
        };
        let known = existing(at);
        let known = known.iter().filter_map(|key| Some((key.clone(), strip(rest, key)?)));
        let new =
            rest.match_indices('_').map(|(end, _)| (rest[..end].to_lowercase(), &rest[end + 1..]));
        let whole = [(rest.to_lowercase(), "")];
        for (key, rest) in known.chain(new).chain(whole) {
            if let Some(named) = find(root, child, rest, &below(&key), existing) {
                return Some(named);
            }
        }
    }
    None
}

/// What is left of a variable's name after a key's part of it.
fn strip<'r>(rest: &'r str, key: &str) -> Option<&'r str> {
    let after = rest.strip_prefix(variable_part(key).as_str())?;
    if after.is_empty() { Some(after) } else { after.strip_prefix('_') }
}

/// A key as it stands in a variable's name.
pub(super) fn variable_part(key: &str) -> String {
    key.to_uppercase().replace(['-', '.', ' '], "_")
}

fn is_text(node: &Json) -> bool {
    match node.get("type") {
        Some(Json::String(kind)) => kind == "string",
        Some(Json::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        _ => node.get("const").is_some_and(Json::is_string),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_name_keys() {
        let schema = json_schema();
        let find = |name: &str| {
            let known = |path: &[String]| match path.last().map(String::as_str) {
                Some("channels") => vec!["ops-mail".to_owned()],
                _ => Vec::new(),
            };
            find(&schema, &schema, name, &[], &known).map(|named| named.path.join("."))
        };
        let table = [
            ("SERVER_LISTEN", Some("server.listen")),
            ("SERVER_DATA_DIR", Some("server.data_dir")),
            ("ALERTS_COOLDOWN_SECONDS", Some("alerts.cooldown_seconds")),
            ("DETECT_PLACEHOLDERS_ADMINS", Some("detect.placeholders.admins")),
            ("SERVER_LISTN", None),
            ("NOTHING", None),
        ];
        for (name, expected) in table {
            assert_eq!(find(name).as_deref(), expected, "{name}");
        }
    }
}
