//! What people write where a list is expected: one value is a list of one.
//!
//! In: the merged tree and the schema. Out: the same tree with lists where the schema has them.
//! Never changes a value that fits already.

use serde_json::Value as Json;
use tocsin_content::yaml::{Key, Kind, Node};

use super::schema;

/// Where a plain path stands for a whole entry, and the key it is the value of.
const PATHS_OF_FILES: (&[&str], &str) = (&["collect", "files"], "paths");

/// Puts single values where lists are expected into lists.
pub(super) fn widen(root: &Json, tree: &mut Node) {
    plain_files(tree);
    below(root, root, tree);
}

fn below(root: &Json, node: &Json, tree: &mut Node) {
    let mut nodes = Vec::new();
    schema::alternatives(root, node, &mut nodes);
    let items = nodes.iter().find_map(|node| node.get("items"));
    let Some(items) = items else {
        let Kind::Map(entries) = &mut tree.kind else { return };
        for (key, value) in entries {
            for node in &nodes {
                let child = node.get("properties").and_then(|all| all.get(&key.text));
                let child = child.or_else(|| node.get("additionalProperties"));
                if let Some(child) = child {
                    below(root, child, value);
                }
            }
        }
        return;
    };
    // An entry that stands alone without its dash, too.
    let alone = !matches!(tree.kind, Kind::Seq(_)) && !tree.is_null();
    if alone {
        tree.kind = Kind::Seq(vec![tree.clone()]);
    }
    if let Kind::Seq(values) = &mut tree.kind {
        values.iter_mut().for_each(|value| below(root, items, value));
    }
}

fn plain_files(tree: &mut Node) {
    let (path, key) = PATHS_OF_FILES;
    let mut at = Some(tree);
    for part in path {
        at = at.and_then(|node| match &mut node.kind {
            Kind::Map(entries) => {
                entries.iter_mut().find(|(key, _)| key.text == *part).map(|(_, value)| value)
            }
            _ => None,
        });
    }
    let Some(files) = at else { return };
    if matches!(files.kind, Kind::Scalar { .. }) && !files.is_null() {
        files.kind = Kind::Seq(vec![files.clone()]);
    }
    let Kind::Seq(entries) = &mut files.kind else { return };
    for entry in entries.iter_mut().filter(|entry| matches!(entry.kind, Kind::Scalar { .. })) {
        let place = entry.place;
        entry.kind = Kind::Map(vec![(Key { text: key.to_owned(), place }, entry.clone())]);
    }
}
