//! The `detection` of a rule or the body of a filter: YAML in, named searches and conditions out.

use tocsin_content::Node;
use tocsin_content::yaml::Key;

use super::condition::{self, Condition, Names};
use super::modifier::{self, Placeholders};
use super::{Detection, Refusal, Search, refuse, refuse_at};

/// The most search identifiers of one rule.
const SEARCHES_MAX: usize = 10_000;

/// Reads searches and `condition`. `skip` are keys that are neither.
pub(crate) fn parse(
    node: &Node,
    skip: &[&str],
    lists: &Placeholders,
) -> Result<Detection, Refusal> {
    let Some(entries) = node.as_map() else {
        return refuse(node, format!("expected a map of searches, found {}", node.describe()));
    };
    let entries: Vec<&(Key, Node)> =
        entries.iter().filter(|(key, _)| !skip.contains(&key.text.as_str())).collect();
    if entries.len() > SEARCHES_MAX {
        return refuse(node, format!("more than {SEARCHES_MAX} search identifiers"));
    }
    let mut searches = Vec::new();
    let mut written = None;
    for (key, value) in entries {
        match key.text.as_str() {
            "condition" => written = Some(value),
            "timeframe" => {
                return refuse_at(
                    key.place,
                    "timeframe belongs to Sigma version 1; write a correlation rule instead",
                );
            }
            name => searches.push((name.to_owned(), search(value, lists)?)),
        }
    }
    if searches.is_empty() {
        return refuse(node, "there is no search identifier");
    }
    let Some(written) = written else {
        return refuse(node, "condition is missing");
    };
    let conditions = conditions(written, &searches)?;
    Ok(Detection { searches, conditions })
}

fn conditions(node: &Node, searches: &[(String, Search)]) -> Result<Vec<Condition>, Refusal> {
    let names: Vec<&str> = searches.iter().map(|(name, _)| name.as_str()).collect();
    let nodes = node.as_seq().unwrap_or(std::slice::from_ref(node));
    if nodes.is_empty() {
        return refuse(node, "condition is empty");
    }
    nodes
        .iter()
        .map(|node| {
            let Some(text) = node.as_text() else {
                return refuse(node, format!("condition must be text, not {}", node.describe()));
            };
            condition::parse(text, Names { names: &names, selectors: true })
                .or_else(|message| refuse(node, message))
        })
        .collect()
}

/// Reads what stands under a search identifier.
pub(crate) fn search(node: &Node, lists: &Placeholders) -> Result<Search, Refusal> {
    if node.as_map().is_some() {
        return map(node, lists);
    }
    let Some(items) = node.as_seq() else {
        return modifier::line("", node, lists);
    };
    if items.is_empty() {
        return refuse(node, "an empty list matches nothing");
    }
    if items.iter().all(|item| item.as_text().is_some()) {
        return modifier::line("", node, lists);
    }
    let parts = items.iter().map(|item| match (item.as_map(), item.as_seq()) {
        (Some(_), _) => map(item, lists),
        (_, Some(_)) => refuse(item, "a list directly inside a list means nothing"),
        _ => modifier::line("", item, lists),
    });
    let mut parts: Vec<Search> = parts.collect::<Result<_, _>>()?;
    Ok(if parts.len() == 1 { parts.remove(0) } else { Search::Or(parts) })
}

fn map(node: &Node, lists: &Placeholders) -> Result<Search, Refusal> {
    let entries = node.as_map().unwrap_or(&[]);
    if entries.is_empty() {
        return refuse(node, "an empty map would match every event");
    }
    let parts = entries.iter().map(|(key, value)| {
        if value.as_map().is_some() {
            return refuse(value, format!("{:?} has a map where values are due", key.text));
        }
        modifier::line(&key.text, value, lists)
    });
    let mut parts: Vec<Search> = parts.collect::<Result<_, _>>()?;
    Ok(if parts.len() == 1 { parts.remove(0) } else { Search::And(parts) })
}
