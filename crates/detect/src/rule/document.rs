//! Rule files: text in, [`Document`]s and diagnostics out. One file may hold several documents;
//! a broken one does not take the others with it.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tocsin_content::yaml::{Place, nearest};
use tocsin_content::{Diagnostic, Node, PackFile, yaml};
use tocsin_model::rule::Block;
use tocsin_model::{AlertId, RuleMeta, Severity};

use super::correlation::{self, texts};
use super::detection;
use super::modifier::Placeholders;
use super::{Document, FilterDoc, FilterTarget, LogSource, Refusal, RuleDoc, refuse, refuse_at};
use crate::fold::fold;

/// Reads every document of a file.
pub(crate) fn parse_file(
    file: &PackFile,
    lists: &Placeholders,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Document> {
    let nodes = match yaml::parse(&file.text()) {
        Ok(nodes) => nodes,
        Err(error) => {
            diagnostics.push(error.at(&file.path));
            return Vec::new();
        }
    };
    let mut documents = Vec::new();
    for (number, node) in nodes.iter().enumerate() {
        if node.is_null() {
            continue;
        }
        let mut warn = |place: Place, message: String| {
            diagnostics.push(Diagnostic::warning(&file.path, place.line, place.column, message));
        };
        let context = Context { path: &file.path, number, lists };
        match context.document(node, &mut warn) {
            Ok(document) => documents.push(document),
            Err(refusal) => diagnostics.push(Diagnostic::error(
                &file.path,
                refusal.place.line,
                refusal.place.column,
                refusal.message,
            )),
        }
    }
    documents
}

/// The pack a file is in: what stands after `content/` in its path.
pub(crate) fn pack_of(path: &str) -> &str {
    let mut rest = path;
    while let Some(at) = rest.find("content/") {
        let starts = at == 0 || rest.as_bytes()[at - 1] == b'/';
        let after = &rest[at + "content/".len()..];
        if starts && let Some((pack, _)) = after.split_once('/') {
            return pack;
        }
        rest = after;
    }
    ""
}

struct Context<'a> {
    path: &'a str,
    number: usize,
    lists: &'a Placeholders,
}

type Warn<'a> = dyn FnMut(Place, String) + 'a;

/// Our own keys, under `tocsin:`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Own {
    cooldown: Option<String>,
    reason: Option<String>,
    group_by: Vec<String>,
    alert_as: Option<String>,
    reset_by: Option<OneOrMany>,
    block: Option<OwnBlock>,
}

/// `block: true`, `block: false`, or whom and for how long.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OwnBlock {
    Whether(bool),
    Whom {
        #[serde(default)]
        field: Option<String>,
        #[serde(default, rename = "for")]
        lasts: Option<String>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Context<'_> {
    fn document(&self, node: &Node, warn: &mut Warn<'_>) -> Result<Document, Refusal> {
        if node.as_map().is_none() {
            return refuse(node, format!("expected a rule, found {}", node.describe()));
        }
        if let Some((key, _)) = node.entry("action") {
            return refuse_at(
                key.place,
                "action: global/repeat/reset belongs to Sigma version 1; write the rules out",
            );
        }
        if let Some(taxonomy) = node.get("taxonomy")
            && !matches!(taxonomy.as_text(), Some("sigma" | "ecs"))
        {
            return refuse(taxonomy, "only the taxonomies sigma and ecs are understood");
        }
        let sections = ["detection", "correlation", "filter"];
        let present: Vec<&str> =
            sections.into_iter().filter(|section| node.get(section).is_some()).collect();
        match present[..] {
            ["detection"] => self.rule(node, warn),
            ["correlation"] => self.correlation(node, warn),
            ["filter"] => self.filter(node, warn),
            [] => refuse(node, "there is neither detection, correlation nor filter"),
            _ => refuse(node, format!("{} cannot stand in one document", present.join(" and "))),
        }
    }

    fn rule(&self, node: &Node, warn: &mut Warn<'_>) -> Result<Document, Refusal> {
        let (meta, reset_by) = self.meta(node, false, warn)?;
        if let Some((_, place)) = reset_by.first() {
            return refuse_at(*place, "reset_by is for correlations; this rule keeps no window");
        }
        let log_source = log_source(node, warn)?;
        let Some(section) = node.get("detection") else { return refuse(node, "no detection") };
        let detection = detection::parse(section, &[], self.lists)?;
        Ok(Document::Rule(Box::new(RuleDoc {
            meta: Arc::new(meta),
            place: node.place,
            log_source,
            detection,
        })))
    }

    fn correlation(&self, node: &Node, warn: &mut Warn<'_>) -> Result<Document, Refusal> {
        let (meta, reset_by) = self.meta(node, true, warn)?;
        let Some(section) = node.get("correlation") else { return refuse(node, "no correlation") };
        let meta = Arc::new(meta);
        let mut doc = correlation::parse(section, meta, node.place, reset_by, warn)?;
        // The specification has it beside `correlation`, other tools within.
        if let Some(outer) = node.get("generate") {
            let generate = correlation::generate(outer)?;
            if generate != doc.generate && section.get("generate").is_some() {
                return refuse(outer, "generate stands twice and says different things");
            }
            doc.generate = generate;
        }
        Ok(Document::Correlation(Box::new(doc)))
    }

    fn filter(&self, node: &Node, warn: &mut Warn<'_>) -> Result<Document, Refusal> {
        let title = title(node)?;
        let log_source = log_source(node, warn)?;
        let Some(section) = node.get("filter") else { return refuse(node, "no filter") };
        let target = match section.get("rules") {
            None => return refuse(section, "rules is missing; name the rules or write any"),
            Some(rules) if rules.as_text() == Some("any") => FilterTarget::Any,
            Some(rules) if rules.as_seq().is_some_and(<[Node]>::is_empty) => FilterTarget::Any,
            Some(rules) => FilterTarget::Rules(texts(rules, "rules")?),
        };
        let detection = detection::parse(section, &["rules"], self.lists)?;
        if detection.conditions.iter().any(positive) {
            let place = section.get("condition").map_or(section.place, |node| node.place);
            warn(
                place,
                "this filter keeps only what its condition selects; to leave that out, write \
                 'not …'"
                    .to_owned(),
            );
        }
        let path = Arc::from(self.path);
        Ok(Document::Filter(Box::new(FilterDoc { title, path, log_source, target, detection })))
    }

    fn meta(
        &self,
        node: &Node,
        correlation: bool,
        warn: &mut Warn<'_>,
    ) -> Result<(RuleMeta, Vec<(String, Place)>), Refusal> {
        let title = title(node)?;
        let text = |key: &str| {
            node.get(key).filter(|node| !node.is_null()).and_then(Node::as_text).map(str::to_owned)
        };
        let pack = pack_of(self.path).to_owned();
        let id = text("id").filter(|id| !id.is_empty());
        let tags = list(node, "tags");
        let (techniques, tactics) = attack(&tags);
        let mut meta = RuleMeta {
            id: id.unwrap_or_else(|| self.derived_id(&pack, &title)),
            name: text("name").filter(|name| !name.is_empty()),
            title,
            description: text("description").unwrap_or_default(),
            severity: Severity::default(),
            techniques,
            tactics,
            tags,
            false_positives: list(node, "falsepositives"),
            references: list(node, "references"),
            pack,
            path: self.path.to_owned(),
            correlation,
            ..RuleMeta::default()
        };
        if let Some(level) = node.get("level").filter(|level| !level.is_null()) {
            match level.as_text().unwrap_or("").parse() {
                Ok(severity) => meta.severity = severity,
                Err(error) => warn(level.place, format!("{error}; taken as medium")),
            }
        }
        let reset_by = own(node, &mut meta)?;
        Ok((meta, reset_by))
    }

    /// An id for a rule without one: the same as long as pack, file and title stay the same.
    fn derived_id(&self, pack: &str, title: &str) -> String {
        let file = self.path.rsplit(['/', '\\']).next().unwrap_or(self.path);
        let place = [(pack.to_owned(), file.to_owned())];
        let hex = AlertId::derive("rule", &place, &format!("{}:{title}", self.number)).0;
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("");
        [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
    }
}

fn title(node: &Node) -> Result<String, Refusal> {
    match node.get("title").and_then(Node::as_text).map(str::trim) {
        Some(title) if !title.is_empty() => Ok(title.to_owned()),
        _ => refuse(node, "title is missing"),
    }
}

/// A list of texts, or one text; anything else in it is left out, this is only for people.
fn list(node: &Node, key: &str) -> Vec<String> {
    let Some(value) = node.get(key) else { return Vec::new() };
    let items = value.as_seq().unwrap_or(std::slice::from_ref(value));
    let texts = items.iter().filter(|item| !item.is_null()).filter_map(Node::as_text);
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// ATT&CK techniques and tactics in tags.
fn attack(tags: &[String]) -> (Vec<String>, Vec<String>) {
    let mut techniques: Vec<String> = Vec::new();
    let mut tactics: Vec<String> = Vec::new();
    for tag in tags {
        let lower = tag.to_ascii_lowercase();
        let Some(word) = lower.strip_prefix("attack.") else { continue };
        let numbered = |letter: char| {
            word.strip_prefix(letter)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let (list, word) = if numbered('t') {
            (&mut techniques, word.to_ascii_uppercase())
        } else if numbered('g') || numbered('s') || word.is_empty() {
            continue;
        } else {
            (&mut tactics, word.replace('_', "-"))
        };
        if !list.contains(&word) {
            list.push(word);
        }
    }
    (techniques, tactics)
}

fn log_source(node: &Node, warn: &mut Warn<'_>) -> Result<LogSource, Refusal> {
    let Some(section) = node.get("logsource") else {
        return refuse(node, "logsource is missing");
    };
    let Some(entries) = section.as_map() else {
        return refuse(section, format!("logsource must be a map, not {}", section.describe()));
    };
    let mut source = LogSource::default();
    for (key, value) in entries {
        let slot = match key.text.as_str() {
            "category" => &mut source.category,
            "product" => &mut source.product,
            "service" => &mut source.service,
            "definition" => continue,
            other => {
                if let Some(near) = nearest(other, ["category", "product", "service"]) {
                    let message =
                        format!("unknown logsource key {other:?}, did you mean {near:?}?");
                    warn(key.place, message);
                }
                continue;
            }
        };
        match value.as_text() {
            _ if value.is_null() => {}
            Some(text) if !text.is_empty() => *slot = Some(fold(text)),
            _ => return refuse(value, format!("{} must be a word", key.text)),
        }
    }
    Ok(source)
}

/// Reads the `tocsin:` section into `meta`; returns `reset_by`.
fn own(node: &Node, meta: &mut RuleMeta) -> Result<Vec<(String, Place)>, Refusal> {
    let Some(section) = node.get("tocsin") else { return Ok(Vec::new()) };
    let own: Own = section.decode().map_err(|error| Refusal {
        place: error.place,
        message: format!("tocsin: {}", error.message),
    })?;
    if own.cooldown.is_some() {
        let place = section.get("cooldown").unwrap_or(section);
        meta.cooldown = Some(cooldown(place)?);
    }
    meta.reason = own.reason;
    meta.group_by = own.group_by;
    meta.alert_as = own.alert_as;
    meta.block = own.block.map(|block| whom(block, section)).transpose()?;
    let place = section.get("reset_by").map_or(section.place, |node| node.place);
    let names = match own.reset_by {
        None => Vec::new(),
        Some(OneOrMany::One(name)) => vec![name],
        Some(OneOrMany::Many(names)) => names,
    };
    Ok(names.into_iter().map(|name| (name, place)).collect())
}

/// Whom a rule blocks.
fn whom(block: OwnBlock, section: &Node) -> Result<Block, Refusal> {
    let place = section.get("block").unwrap_or(section);
    if let Some((key, _)) = place
        .as_map()
        .into_iter()
        .flatten()
        .find(|(key, _)| !matches!(key.text.as_str(), "field" | "for"))
    {
        return refuse_at(key.place, format!("tocsin.block: unknown key {:?}", key.text));
    }
    let (field, lasts) = match block {
        OwnBlock::Whether(false) => return Ok(Block::Never),
        OwnBlock::Whether(true) => (None, None),
        OwnBlock::Whom { field, lasts } => (field, lasts),
    };
    let field = field.unwrap_or_else(|| "source.ip".to_owned());
    let (addresses, users) = (Block::ADDRESS_FIELDS, Block::USER_FIELDS);
    if !addresses.contains(&field.as_str()) && !users.contains(&field.as_str()) {
        let message = format!(
            "tocsin.block: nobody can be blocked by {field}; use one of {}, {}",
            addresses.join(", "),
            users.join(", ")
        );
        return refuse(place.get("field").unwrap_or(place), message);
    }
    let lasts = match lasts {
        None => None,
        Some(_) => Some(correlation::parse_timespan(place.get("for").unwrap_or(place))?),
    };
    Ok(Block::Whom { field, lasts })
}

fn cooldown(node: &Node) -> Result<Duration, Refusal> {
    if matches!(node.as_text(), Some("0" | "0s")) {
        return Ok(Duration::ZERO);
    }
    correlation::parse_timespan(node)
}

/// Whether a filter's condition can be true without any `not`.
fn positive(condition: &super::condition::Condition) -> bool {
    use super::condition::Condition;
    match condition {
        Condition::Search(_) => true,
        Condition::Not(_) => false,
        Condition::And(parts) => parts.iter().all(positive),
        Condition::Or(parts) => parts.iter().any(positive),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_are_told_by_path() {
        let table = [
            ("content/openssh/rules/a.yml", "openssh"),
            ("/etc/tocsin/content/own/rules/a.yml", "own"),
            ("mycontent/own/a.yml", ""),
            ("rules/a.yml", ""),
            ("content/a.yml", ""),
        ];
        for (path, pack) in table {
            assert_eq!(pack_of(path), pack, "{path}");
        }
    }

    #[test]
    fn attack_tags_become_techniques_and_tactics() {
        let tags = ["attack.t1110.001", "attack.credential_access", "attack.g0016", "cve.2021-1"];
        let tags: Vec<String> = tags.map(str::to_owned).to_vec();
        let (techniques, tactics) = attack(&tags);
        assert_eq!(techniques, ["T1110.001"]);
        assert_eq!(tactics, ["credential-access"]);
    }
}
