//! What loads but is likely not what was meant: rule files in, warnings out. Looks at the files
//! only; whether a rule can be honoured was said when it was loaded.

mod meta;

use std::collections::{BTreeMap, BTreeSet};

use tocsin_content::yaml::{Place, nearest};
use tocsin_content::{Diagnostic, Node, PackFile, yaml};
use tocsin_model::field::DICTIONARY;

use crate::rule::document::pack_of;

/// Looks through rule files. `filled` are the event fields that sources fill.
pub fn lint(files: &[PackFile], filled: &BTreeSet<&str>) -> Vec<Diagnostic> {
    let documents: Vec<Document> = files
        .iter()
        .flat_map(|file| {
            // A file that is no YAML was reported when it was loaded.
            let nodes = yaml::parse(&file.text()).unwrap_or_default();
            nodes.into_iter().map(|node| Document { path: &file.path, node })
        })
        .collect();
    let fields = Fields::new(filled);
    let mut out = Vec::new();
    untested(&documents, &mut out);
    for document in &documents {
        document.check_fields(&fields, &mut out);
        document.check_keywords(&mut out);
        meta::check(document, &fields, &mut out);
    }
    out.sort_by(|left, right| (&left.path, left.line).cmp(&(&right.path, right.line)));
    out
}

struct Document<'a> {
    path: &'a str,
    node: Node,
}

impl Document<'_> {
    fn warn(&self, place: Place, message: String, out: &mut Vec<Diagnostic>) {
        out.push(Diagnostic::warning(self.path, place.line, place.column, message));
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.node.get(key).and_then(Node::as_text)
    }

    fn is_rule(&self) -> bool {
        self.node.get("detection").is_some() || self.node.get("correlation").is_some()
    }

    /// Rules of one pack are tested or are not; a loose file stands for itself.
    fn home(&self) -> &str {
        match pack_of(self.path) {
            "" => self.path,
            pack => pack,
        }
    }

    /// Names of rules that this correlation silences: without `generate` they raise no alert.
    fn silences(&self) -> Vec<&str> {
        let Some(correlation) = self.node.get("correlation") else { return Vec::new() };
        let generates = [&self.node, correlation].map(|node| node.get("generate"));
        if generates.iter().flatten().any(|node| node.as_bool() == Some(true)) {
            return Vec::new();
        }
        let mut names = texts(correlation.get("rules"));
        let expression = correlation.get("condition").and_then(Node::as_text).unwrap_or("");
        names.extend(expression.split([' ', '\n', '(', ')']));
        names
    }

    fn check_keywords(&self, out: &mut Vec<Diagnostic>) {
        let parts = ["category", "product", "service"];
        let source = self.node.get("logsource");
        let named = |part: &&str| source.and_then(|source| source.get(part)).is_some();
        let Some(detection) = self.node.get("detection").and_then(Node::as_map) else { return };
        if parts.iter().any(named) {
            return;
        }
        let searches = detection.iter().filter(|(key, _)| key.text != "condition");
        if let Some((key, _)) = searches.into_iter().find(|(_, node)| has_keywords(node)) {
            let message = format!(
                "{:?} has keywords and the rule no log source: they are searched in every event \
                 there is",
                key.text
            );
            self.warn(key.place, message, out);
        }
    }

    fn check_fields(&self, fields: &Fields<'_>, out: &mut Vec<Diagnostic>) {
        let mut named: Vec<(&str, Place)> = Vec::new();
        for section in ["detection", "filter"] {
            for (key, node) in self.node.get(section).and_then(Node::as_map).unwrap_or(&[]) {
                if !matches!(key.text.as_str(), "condition" | "rules") {
                    keys(node, &mut named);
                }
            }
        }
        let correlation = self.node.get("correlation");
        let own = self.node.get("tocsin");
        let lists = [
            correlation.and_then(|node| node.get("group-by")),
            correlation.and_then(|node| node.get("condition")?.get("field")),
            own.and_then(|node| node.get("group_by")),
        ];
        for list in lists.into_iter().flatten() {
            named.extend(texts(Some(list)).into_iter().map(|name| (name, list.place)));
        }
        let mut told: Vec<&str> = Vec::new();
        for (name, place) in named {
            if told.contains(&name) {
                continue;
            }
            if let Some(message) = fields.doubt(name) {
                told.push(name);
                self.warn(place, message, out);
            }
        }
    }
}

/// Warns of rules without a firing or a silent test, where others beside them have tests.
fn untested(documents: &[Document<'_>], out: &mut Vec<Diagnostic>) {
    let tested: BTreeSet<&str> = documents
        .iter()
        .filter(|document| document.node.get("tests").is_some())
        .map(Document::home)
        .collect();
    let silent: BTreeSet<&str> = documents.iter().flat_map(Document::silences).collect();
    for document in documents.iter().filter(|one| one.is_rule() && tested.contains(one.home())) {
        let names = [document.text("id"), document.text("name")];
        if names.into_iter().flatten().any(|name| silent.contains(name)) {
            continue;
        }
        let tests = document.node.get("tests").and_then(Node::as_seq).unwrap_or(&[]);
        let quiet = |test: &&Node| {
            let fires = test.get("fires");
            fires.and_then(Node::as_bool) == Some(false) || fires.and_then(Node::as_int) == Some(0)
        };
        let quiet = tests.iter().filter(quiet).count();
        let missing = match (tests.len() - quiet, quiet) {
            (0, 0) => "no tests",
            (0, _) => "no test in which it fires",
            (_, 0) => "no test in which it stays silent",
            _ => continue,
        };
        let title = document.text("title").unwrap_or("");
        document.warn(document.node.place, format!("{title:?} has {missing}"), out);
    }
}

fn texts(node: Option<&Node>) -> Vec<&str> {
    let Some(node) = node else { return Vec::new() };
    let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
    nodes.iter().filter_map(Node::as_text).collect()
}

/// Whether a search has values without a field.
fn has_keywords(node: &Node) -> bool {
    match (node.as_map(), node.as_seq()) {
        (Some(entries), _) => entries.iter().any(|(key, _)| field_of(&key.text).is_empty()),
        (_, Some(items)) => items.iter().any(has_keywords),
        _ => true,
    }
}

/// The fields that a search names.
fn keys<'n>(node: &'n Node, out: &mut Vec<(&'n str, Place)>) {
    for (key, value) in node.as_map().unwrap_or(&[]) {
        let modifiers: Vec<&str> = key.text.split('|').skip(1).collect();
        out.push((field_of(&key.text), key.place));
        if modifiers.contains(&"fieldref") {
            out.extend(texts(Some(value)).into_iter().map(|name| (name, value.place)));
        }
    }
    node.as_seq().unwrap_or(&[]).iter().for_each(|item| keys(item, out));
}

fn field_of(key: &str) -> &str {
    key.split('|').next().unwrap_or("")
}

/// The names that events are known to have, by what stands before their first point.
struct Fields<'f> {
    by_head: BTreeMap<&'f str, BTreeSet<&'f str>>,
}

impl<'f> Fields<'f> {
    fn new(filled: &BTreeSet<&'f str>) -> Self {
        let mut by_head: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for name in DICTIONARY.iter().map(|spec| spec.name).chain(filled.iter().copied()) {
            if let Some((head, _)) = name.split_once('.') {
                by_head.entry(head).or_default().insert(name);
            }
        }
        Self { by_head }
    }

    /// Whether a name is known, stands below a known one, or above.
    fn knows(&self, name: &str) -> bool {
        let head = name.split_once('.').map_or(name, |(head, _)| head);
        let known = DICTIONARY.iter().any(|spec| spec.name == name);
        known || (self.by_head.contains_key(head) && self.doubt(name).is_none())
    }

    /// Why a name is doubtful: it is of a family that is known, and not in it. Names of other
    /// families are those of raw events, of which anything may be true.
    fn doubt(&self, name: &str) -> Option<String> {
        let family = self.by_head.get(name.split_once('.')?.0)?;
        // What is below a known name is free, and a parent of known ones exists.
        let under = |known: &&str| {
            let below = |long: &str, short: &str| {
                long.strip_prefix(short).is_some_and(|rest| rest.starts_with('.'))
            };
            *known == name || below(name, known) || below(known, name)
        };
        if family.iter().any(under) {
            return None;
        }
        let hint = nearest(name, family.iter().copied())
            .map_or_else(String::new, |near| format!(", did you mean {near:?}?"));
        Some(format!("no source fills the field {name:?}{hint}"))
    }
}

#[cfg(test)]
mod tests {
    use tocsin_content::FileKind;

    use super::*;

    fn warnings(path: &str, text: &str) -> Vec<String> {
        let file = PackFile {
            kind: FileKind::Rule,
            path: path.to_owned(),
            inner: path.to_owned(),
            bytes: text.as_bytes().to_vec(),
            built_in: false,
        };
        let filled = BTreeSet::from(["ourapp.level", "user.name"]);
        lint(&[file], &filled).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn doubts_are_told_with_their_place() {
        let table: [(&str, &[&str]); 9] = [
            ("detection: { s: { user.name: a, Image: b, x.y: c }, condition: s }", &[]),
            (
                "detection: { s: { user.nmae: a }, condition: s }",
                &["no source fills the field \"user.nmae\", did you mean \"user.name\"?"],
            ),
            (
                "detection: { s: [{ ourapp.levle|contains: a }], condition: s }",
                &["no source fills the field \"ourapp.levle\", did you mean \"ourapp.level\"?"],
            ),
            (
                "detection: { s: { user.name|fieldref: user.nmae }, condition: s }",
                &["no source fills the field \"user.nmae\", did you mean \"user.name\"?"],
            ),
            (
                "correlation: { rules: [a], group-by: [source.ipp, user.name] }",
                &["no source fills the field \"source.ipp\", did you mean \"source.ip\"?"],
            ),
            ("detection: { k: [a, b], condition: k }", &["they are searched in every event"]),
            ("detection: { k: { '|all': [a, b] }, condition: k }", &["in every event there is"]),
            ("logsource: { product: linux }\ndetection: { k: a, condition: k }", &[]),
            ("logsource: { definition: x }\ndetection: { k: a, condition: k }", &["\"k\" has"]),
        ];
        for (text, expected) in table {
            let got = warnings("a.yml", text);
            assert_eq!(got.len(), expected.len(), "{text}: {got:?}");
            for (got, expected) in got.iter().zip(expected) {
                assert!(got.contains(expected), "{text}: {got}");
                assert!(got.starts_with("a.yml:"), "{got}");
            }
        }
    }

    #[test]
    fn rules_without_tests_are_told_where_others_have_them() {
        let rule = "detection: { s: { x: 1 }, condition: s }";
        let both = "tests: [{ fires: true }, { fires: false }]";
        let text = format!(
            "title: a\nname: a\nlogsource: {{ category: t }}\n{rule}\n---\n\
             title: b\ncorrelation: {{ rules: [a] }}\n---\n\
             title: c\n{rule}\n{both}\n---\n\
             title: d\n{rule}\ntests: [{{ fires: 3 }}]\n---\n\
             title: e\n{rule}\ntests: [{{ fires: 0 }}]\n"
        );
        let got = warnings("content/own/rules/a.yml", &text);
        assert_eq!(
            got,
            [
                "content/own/rules/a.yml:6:1: warning: \"b\" has no tests",
                "content/own/rules/a.yml:13:1: warning: \"d\" has no test in which it stays silent",
                "content/own/rules/a.yml:17:1: warning: \"e\" has no test in which it fires",
            ]
        );
        // Where nothing is tested, nothing is missing.
        assert!(warnings("a.yml", &format!("title: a\n{rule}\n")).is_empty());
    }
}
