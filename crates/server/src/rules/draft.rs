//! A query as a Sigma rule.
//!
//! In: a [`Filter`]. Out: YAML text, and notes about what Sigma says otherwise. Pure.

use std::fmt::Write;

use tocsin_model::Severity;
use tocsin_store::{ANY_TEXT, Bound, Filter, WordsMode};

/// A named search of a rule: lines of YAML.
struct Selection {
    name: String,
    lines: Vec<String>,
}

#[derive(Default)]
struct Draft {
    selections: Vec<Selection>,
    notes: Vec<String>,
}

/// How tightly a piece of a condition holds together.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Holds {
    Or,
    And,
    Alone,
}

/// The rule's text, and what Sigma says otherwise than the query.
pub fn rule(
    filter: &Filter,
    title: &str,
    severity: Severity,
    id: &str,
    query: &str,
) -> (String, Vec<String>) {
    let mut draft = Draft::default();
    let (condition, _) = draft.condition(filter);
    let title = match title.trim() {
        "" => "Untitled",
        title => title,
    };
    let mut text = String::new();
    let _ = writeln!(text, "title: {}", quoted(title));
    let _ = writeln!(text, "id: {id}");
    text.push_str("status: experimental\n");
    let _ = writeln!(text, "description: {}", quoted(&format!("Made of the search: {query}")));
    text.push_str("logsource: {}\ndetection:\n");
    for Selection { name, lines } in &draft.selections {
        let _ = writeln!(text, "  {name}:");
        for line in lines {
            let _ = writeln!(text, "    {line}");
        }
    }
    let _ = writeln!(text, "  condition: {condition}");
    let _ = writeln!(text, "level: {}", severity.as_str());
    draft.notes.sort();
    draft.notes.dedup();
    (text, draft.notes)
}

impl Draft {
    /// The condition that means the filter.
    fn condition(&mut self, filter: &Filter) -> (String, Holds) {
        match filter {
            Filter::All => {
                self.note("an empty query means every event: name a field before you save this");
                (self.select(vec!["'@timestamp|exists': true".to_owned()]), Holds::Alone)
            }
            Filter::And(parts) if !parts.is_empty() => self.all(parts),
            Filter::Or(parts) if !parts.is_empty() => {
                let parts: Vec<String> =
                    parts.iter().map(|part| self.within(part, Holds::Or)).collect();
                (parts.join(" or "), if parts.len() > 1 { Holds::Or } else { Holds::Alone })
            }
            Filter::And(_) => self.condition(&Filter::All),
            Filter::Or(_) => {
                self.note("the query matches nothing");
                let nothing = self.condition(&Filter::All).0;
                (format!("not {nothing}"), Holds::And)
            }
            Filter::Not(inner) => {
                let inner = self.within(inner, Holds::Alone);
                (format!("not {inner}"), Holds::And)
            }
            leaf => {
                let lines = self.leaf(leaf);
                (self.select(lines), Holds::Alone)
            }
        }
    }

    /// Leaves with different keys go together into one search, as people write them.
    fn all(&mut self, parts: &[Filter]) -> (String, Holds) {
        let mut conditions = Vec::new();
        let mut together: Vec<String> = Vec::new();
        let mut place = 0;
        for part in parts {
            if matches!(part, Filter::And(_) | Filter::Or(_) | Filter::Not(_) | Filter::All) {
                conditions.push(self.within(part, Holds::And));
                continue;
            }
            let lines = self.leaf(part);
            let key = |line: &String| line.split_once(':').map(|(key, _)| key.to_owned());
            let is_list = lines.iter().any(|line| line.starts_with('-'));
            let known = |line: &String| together.iter().any(|other| key(other) == key(line));
            if is_list || lines.iter().any(known) {
                conditions.push(self.select(lines));
                continue;
            }
            if together.is_empty() {
                place = conditions.len();
            }
            together.extend(lines);
        }
        if !together.is_empty() {
            let name = self.select(together);
            conditions.insert(place, name);
        }
        let holds = if conditions.len() > 1 { Holds::And } else { Holds::Alone };
        (conditions.join(" and "), holds)
    }

    fn within(&mut self, filter: &Filter, needed: Holds) -> String {
        let (condition, holds) = self.condition(filter);
        if holds < needed { format!("({condition})") } else { condition }
    }

    fn select(&mut self, lines: Vec<String>) -> String {
        let name = match self.selections.len() {
            0 => "selection".to_owned(),
            more => format!("selection_{}", more + 1),
        };
        self.selections.push(Selection { name: name.clone(), lines });
        name
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// A test as lines of a search.
    fn leaf(&mut self, filter: &Filter) -> Vec<String> {
        match filter {
            Filter::Term { field, value } => vec![entry(field, "", &plain(value))],
            Filter::Terms { field, values } => {
                let values: Vec<String> = values.iter().map(|value| plain(value)).collect();
                vec![entry(field, "", &format!("[{}]", values.join(", ")))]
            }
            Filter::Range { field, lower, upper } => self.range(field, lower, upper),
            Filter::Exists { field } => vec![entry(field, "|exists", "true")],
            Filter::Prefix { field, value } if field == ANY_TEXT => {
                vec![format!("- {}", quoted(&escaped(value)))]
            }
            Filter::Prefix { field, value } => {
                vec![entry(field, "|startswith", &quoted(&escaped(value)))]
            }
            Filter::Wildcard { field, pattern } if field == ANY_TEXT => {
                vec![format!("- {}", quoted(pattern))]
            }
            Filter::Wildcard { field, pattern } => vec![entry(field, "", &quoted(pattern))],
            Filter::Regex { field, pattern } if field == ANY_TEXT => {
                self.note("a regular expression over the whole line is looked for in message");
                vec![entry("message", "|re", &quoted(pattern))]
            }
            Filter::Regex { field, pattern } => {
                vec![entry(field, "|re", &quoted(&format!("^(?:{pattern})$")))]
            }
            Filter::Cidr { field, network } => vec![entry(field, "|cidr", &quoted(network))],
            Filter::Words { field, text, mode } => words(field.as_deref(), text, *mode),
            Filter::All | Filter::And(_) | Filter::Or(_) | Filter::Not(_) => Vec::new(),
        }
    }

    fn range(&mut self, field: &str, lower: &Bound, upper: &Bound) -> Vec<String> {
        let mut lines = Vec::new();
        for (bound, with, without) in [(lower, "|gte", "|gt"), (upper, "|lte", "|lt")] {
            let (modifier, value) = match bound {
                Bound::Unbounded => continue,
                Bound::Included(value) => (with, value),
                Bound::Excluded(value) => (without, value),
            };
            if value.parse::<f64>().is_err() {
                let message = format!("Sigma compares numbers only; {field} has {value:?}");
                self.note(&message);
            }
            lines.push(entry(field, modifier, &plain(value)));
        }
        lines
    }
}

/// Words as keywords, or as parts of a field.
fn words(field: Option<&str>, text: &str, mode: WordsMode) -> Vec<String> {
    let each: Vec<&str> = match mode {
        WordsMode::Phrase => vec![text],
        _ => text.split_whitespace().collect(),
    };
    let each: Vec<String> = each.into_iter().map(|word| quoted(&escaped(word))).collect();
    let list = format!("[{}]", each.join(", "));
    match (field, mode) {
        (Some(field), WordsMode::All) => vec![entry(field, "|contains|all", &list)],
        (Some(field), _) => vec![entry(field, "|contains", &list)],
        (None, WordsMode::All) if each.len() > 1 => vec![format!("'|all': {list}")],
        (None, _) => each.iter().map(|word| format!("- {word}")).collect(),
    }
}

fn entry(field: &str, modifier: &str, value: &str) -> String {
    let key = format!("{field}{modifier}");
    let bare = |c: char| c.is_ascii_alphanumeric() || "._-|".contains(c);
    let starts = key.starts_with(|c: char| c.is_ascii_alphabetic());
    if starts && key.chars().all(bare) {
        format!("{key}: {value}")
    } else {
        format!("{}: {value}", quoted(&key))
    }
}

/// A value that is meant as it is: a number, a truth value, or text without wildcards.
fn plain(value: &str) -> String {
    let number = value.parse::<i64>().is_ok_and(|number| number.to_string() == value);
    if number || value == "true" || value == "false" {
        return value.to_owned();
    }
    quoted(&escaped(value))
}

/// Text in which Sigma sees no wildcard.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// As a YAML scalar that is text and nothing else.
fn quoted(text: &str) -> String {
    if text.chars().any(char::is_control) {
        // JSON strings are YAML.
        return serde_json::Value::from(text).to_string();
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use tocsin_model::Timestamp;
    use tocsin_search::{Context, parse_in};

    use super::*;

    /// The part of the rule that is of the query.
    fn drafted(query: &str) -> (String, Vec<String>) {
        let context = Context { now: Timestamp(0), fields: None };
        let filter = parse_in(query, context).unwrap();
        let (text, notes) = rule(&filter, "It's one", Severity::High, "1", query);
        assert!(text.starts_with("title: 'It''s one'\nid: 1\n"), "{text}");
        assert!(text.ends_with("level: high\n"), "{text}");
        let part = text.split_once("detection:\n").unwrap().1;
        (part.replace("level: high\n", ""), notes)
    }

    #[test]
    fn queries_become_rules() {
        let table = [
            ("user.name: root", "  selection:\n    user.name: 'root'\n  condition: selection\n"),
            (
                "event.outcome: failure and source.ip: 192.0.2.0/24 and not user.name: (a or b)",
                "  selection_2:\n",
            ),
            (
                "http.response.status_code >= 400 and http.response.status_code < 500",
                "    http.response.status_code|gte: 400\n    http.response.status_code|lt: 500\n",
            ),
            ("url.path: /admin*", "    url.path|startswith: '/admin'\n"),
            ("url.path: *\\*x*", "    url.path: '*\\*x*'\n"),
            ("user.name: *", "    user.name|exists: true\n"),
            ("source.ip: 10.0.0.0/8", "    source.ip|cidr: '10.0.0.0/8'\n"),
            (r#"url.path ~ "/a.*b""#, "    url.path|re: '^(?:/a.*b)$'\n"),
            (r#""failed password""#, "    - 'failed password'\n"),
            ("user.name: a or host.name: b", "  condition: selection or selection_2\n"),
            (
                "(user.name: a or host.name: b) and event.outcome: failure",
                "  condition: (selection or selection_2) and selection_3\n",
            ),
            (r#"user.name: "a*b\\c""#, "    user.name: 'a\\*b\\\\c'\n"),
        ];
        for (query, expected) in table {
            let (text, notes) = drafted(query);
            assert!(text.contains(expected), "{query}:\n{text}");
            assert!(notes.is_empty(), "{query}: {notes:?}");
        }
        assert!(!drafted("").1.is_empty(), "an empty query is noted");
    }

    #[test]
    fn nothing_breaks_out_of_the_text() {
        let hostile = "x'\nlevel: low\n\u{1b}[31m: - # &a *b";
        let filter = Filter::term("odd: 'field'\n", hostile);
        let (text, _) = rule(&filter, hostile, Severity::Low, "1", hostile);
        let documents = tocsin_content::yaml::parse(&text).unwrap();
        let node = documents.first().unwrap();
        assert_eq!(node.get("title").and_then(|node| node.as_text()), Some(hostile.trim()));
        let search = node.get("detection").and_then(|node| node.get("selection")).unwrap();
        assert!(search.get("odd: 'field'\n").is_some());
    }
}
