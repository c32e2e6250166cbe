//! Doubts about what a rule says of itself: id, status and the sentence of its alerts.

use tocsin_content::yaml::nearest;
use tocsin_content::{Diagnostic, Node};

use super::{Document, Fields, texts};

/// The words that `status` may be.
const STATUSES: [&str; 5] = ["stable", "test", "experimental", "deprecated", "unsupported"];
/// What stands in a reason beside fields.
const WORDS: [&str; 4] = ["count", "window", "severity", "title"];
/// Lengths of the parts of a UUID.
const UUID_PARTS: [usize; 5] = [8, 4, 4, 4, 12];

pub(super) fn check(document: &Document<'_>, fields: &Fields<'_>, out: &mut Vec<Diagnostic>) {
    let node = &document.node;
    if let Some(id) = node.get("id")
        && let Some(text) = id.as_text()
        && !is_uuid(text)
    {
        document.warn(id.place, format!("id {text:?} is not a UUID; `uuidgen` makes one"), out);
    }
    if let Some(status) = node.get("status")
        && let Some(text) = status.as_text()
        && !STATUSES.contains(&text)
    {
        let hint = match nearest(text, STATUSES) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("use one of {}", STATUSES.join(", ")),
        };
        document.warn(status.place, format!("unknown status {text:?}, {hint}"), out);
    }
    if let Some(reason) = node.get("tocsin").and_then(|own| own.get("reason")) {
        check_reason(document, reason, fields, out);
    }
}

fn check_reason(
    document: &Document<'_>,
    reason: &Node,
    fields: &Fields<'_>,
    out: &mut Vec<Diagnostic>,
) {
    let own = own_names(&document.node);
    let mut rest = reason.as_text().unwrap_or("");
    while let Some((_, after)) = rest.split_once('{') {
        if let Some(after) = after.strip_prefix('{') {
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}').filter(|(name, _)| !name.contains('{'))
        else {
            let message = "reason has a { that is not closed; write {{ for the character itself";
            let place = reason.place;
            out.push(Diagnostic::error(document.path, place.line, place.column, message));
            return;
        };
        rest = after;
        if WORDS.contains(&name) || own.contains(&name) || fields.knows(name) {
            continue;
        }
        let all = fields.by_head.values().flatten().copied().chain(WORDS);
        let hint =
            nearest(name, all).map_or_else(String::new, |near| format!(", did you mean {near:?}?"));
        let message = format!("reason: no source fills the field {name:?}{hint}");
        document.warn(reason.place, message, out);
    }
}

/// Names that the rule itself gives to what it groups by.
fn own_names(node: &Node) -> Vec<&str> {
    let correlation = node.get("correlation");
    let mut names = texts(correlation.and_then(|node| node.get("group-by")));
    names.extend(texts(node.get("tocsin").and_then(|own| own.get("group_by"))));
    names
}

fn is_uuid(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    lengths == UUID_PARTS && parts.iter().all(hex)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tocsin_content::{FileKind, PackFile};

    #[test]
    fn ids_statuses_and_reasons() {
        let table: [(&str, &[&str]); 9] = [
            ("id: 2f5fcd03-5a4e-4b1c-8d3c-0e6a6f0c9d10\nstatus: stable", &[]),
            ("id: shop-1", &["warning: id \"shop-1\" is not a UUID"]),
            ("status: stabel", &["warning: unknown status \"stabel\", did you mean \"stable\"?"]),
            ("tocsin: { reason: '{count} in {window} by {user.name}, {{x}} {title}' }", &[]),
            ("tocsin: { reason: 'by {user.name' }", &["error: reason has a { that is not closed"]),
            ("tocsin: { reason: 'by {user.name and {x}' }", &["error: reason has a {"]),
            ("tocsin: { reason: '{user.nmae}' }", &["\"user.nmae\", did you mean \"user.name\"?"]),
            ("tocsin: { reason: '{shop.cart}' }", &["no source fills the field \"shop.cart\""]),
            ("tocsin: { reason: '{shop.cart}', group_by: [shop.cart] }", &[]),
        ];
        for (text, expected) in table {
            let file = PackFile {
                kind: FileKind::Rule,
                path: "a.yml".to_owned(),
                inner: "a.yml".to_owned(),
                bytes: text.as_bytes().to_vec(),
                built_in: false,
            };
            let got = super::super::lint(&[file], &BTreeSet::from(["user.name"]));
            assert_eq!(got.len(), expected.len(), "{text}: {got:?}");
            for (got, expected) in got.iter().zip(expected) {
                assert!(got.to_string().contains(expected), "{text}: {got}");
            }
        }
    }
}
