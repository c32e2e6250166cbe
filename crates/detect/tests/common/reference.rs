//! A slow, plain evaluator of detection rules: the YAML of a rule and a JSON event in, yes or no
//! out. It reads the specification word by word, one value after the other, and shares nothing
//! with the engine but the reader of YAML. What it cannot read it refuses by panicking, so the
//! rules it is given must be ones that the engine loads.

use std::net::IpAddr;

use serde_json::Value as Json;
use tocsin_content::Node;

use super::encodings;

/// Values of placeholders.
pub type Lists = [(&'static str, &'static [&'static str])];

/// Whether the `detection` of a rule holds for an event, whatever the log source.
pub fn matches(rule: &Node, event: &Json, lists: &Lists) -> bool {
    detection(rule.get("detection").unwrap(), event, lists)
}

/// Whether a section of searches with its `condition` holds.
pub fn detection(section: &Node, event: &Json, lists: &Lists) -> bool {
    let condition = section.get("condition").unwrap();
    let conditions = condition.as_seq().unwrap_or(std::slice::from_ref(condition));
    let searches: Vec<(&str, bool)> = section
        .as_map()
        .unwrap()
        .iter()
        .filter(|(key, _)| !matches!(key.text.as_str(), "condition" | "rules"))
        .map(|(key, node)| (key.text.as_str(), search(node, event, lists)))
        .collect();
    conditions.iter().any(|one| condition_holds(one.as_text().unwrap(), &searches))
}

fn search(node: &Node, event: &Json, lists: &Lists) -> bool {
    if let Some(entries) = node.as_map() {
        return entries.iter().all(|(key, value)| line(&key.text, value, event, lists));
    }
    match node.as_seq() {
        Some(items) => items.iter().any(|item| search(item, event, lists)),
        None => line("", node, event, lists),
    }
}

/// What stands at one name of an event.
enum Found {
    Absent,
    /// Scalars; those of lists one by one. Objects have none.
    Values(Vec<Json>),
}

/// One `field|modifiers: values`.
fn line(key: &str, value: &Node, event: &Json, lists: &Lists) -> bool {
    let mut parts = key.split('|');
    let field = parts.next().unwrap();
    let modifiers: Vec<&str> = parts.collect();
    let has = |name: &str| modifiers.contains(&name);
    let nodes = value.as_seq().unwrap_or(std::slice::from_ref(value));
    let found = if field.is_empty() {
        let mut all = Vec::new();
        scalars(event, true, &mut all);
        Found::Values(all)
    } else {
        lookup(event, field)
    };
    let test = |node: &Node| one(&modifiers, field.is_empty(), node, &found, event, lists);
    let holds = if has("all") { nodes.iter().all(test) } else { nodes.iter().any(test) };
    holds != has("neq")
}

/// Whether the field holds one of the rule's values.
fn one(
    modifiers: &[&str],
    keyword: bool,
    node: &Node,
    found: &Found,
    event: &Json,
    lists: &Lists,
) -> bool {
    let has = |name: &str| modifiers.contains(&name);
    if has("exists") {
        return (node.as_text() == Some("true")) == matches!(found, Found::Values(_));
    }
    if node.is_null() {
        return match found {
            Found::Absent => true,
            Found::Values(values) => values.iter().any(Json::is_null),
        };
    }
    let Found::Values(values) = found else { return false };
    let text = node.as_text().unwrap();
    values.iter().any(|value| {
        if has("fieldref") {
            return field_ref(modifiers, value, text, event);
        }
        for (name, operator) in [("lt", -2), ("lte", -1), ("gte", 1), ("gt", 2)] {
            if has(name) {
                return compare(value, text, operator);
            }
        }
        let Some(seen) = as_text(value) else { return false };
        if has("re") {
            return expression(modifiers, text).is_match(&seen);
        }
        if has("cidr") {
            return within(&seen, text);
        }
        let same_number = !modifiers.iter().any(|one| !matches!(*one, "cased" | "neq" | "all"))
            && !keyword
            && value.is_number()
            && (node.as_int().is_some() || node.as_float().is_some())
            && billionths(text).is_some()
            && billionths(text) == billionths(&seen);
        let seen: Vec<char> = seen.chars().collect();
        let variants = variants(modifiers, keyword, text, lists);
        same_number || variants.iter().any(|want| like(want, &seen, has("cased")))
    })
}

/// A piece of a Sigma string.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Piece {
    Char(char),
    Star,
    Question,
    Dash,
}

/// The patterns that one value of a rule stands for, after all modifiers.
fn variants(modifiers: &[&str], keyword: bool, text: &str, lists: &Lists) -> Vec<Vec<Piece>> {
    let mut all: Vec<Vec<Piece>> = if modifiers.contains(&"expand") {
        encodings::expand(text, lists, sigma)
    } else {
        vec![sigma(text)]
    };
    let mut bytes: Option<Vec<u8>> = None;
    for modifier in modifiers {
        match *modifier {
            "windash" => all.iter_mut().for_each(|one| encodings::windash(one)),
            "wide" | "utf16le" | "utf16be" | "utf16" => {
                bytes = Some(encodings::utf16(&encodings::plain(&all[0]), modifier));
            }
            "base64" | "base64offset" => {
                let source = bytes.take();
                all = all
                    .iter()
                    .flat_map(|one| {
                        let own = || encodings::plain(one).into_bytes();
                        let bytes = source.clone().unwrap_or_else(own);
                        encodings::base64(&bytes, *modifier == "base64offset")
                    })
                    .map(|text| text.chars().map(Piece::Char).collect())
                    .collect();
            }
            "contains" => all.iter_mut().for_each(|one| open(one, true, true)),
            "startswith" => all.iter_mut().for_each(|one| open(one, false, true)),
            "endswith" => all.iter_mut().for_each(|one| open(one, true, false)),
            _ => {}
        }
    }
    if keyword {
        all.iter_mut().for_each(|one| open(one, true, true));
    }
    all
}

fn open(pattern: &mut Vec<Piece>, start: bool, end: bool) {
    if start {
        pattern.insert(0, Piece::Star);
    }
    if end {
        pattern.push(Piece::Star);
    }
}

/// Reads wildcards and escapes, character by character.
fn sigma(text: &str) -> Vec<Piece> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let next = chars.get(at + 1).copied();
        if chars[at] == '\\' && matches!(next, Some('*' | '?' | '\\')) {
            out.push(Piece::Char(next.unwrap()));
            at += 2;
            continue;
        }
        out.push(match chars[at] {
            '*' => Piece::Star,
            '?' => Piece::Question,
            c => Piece::Char(c),
        });
        at += 1;
    }
    out
}

/// Whether the whole text is as the pattern says, by trying everything.
fn like(pattern: &[Piece], text: &[char], cased: bool) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return text.is_empty() };
    if *first == Piece::Star {
        let rest = if rest.first() == Some(&Piece::Star) { &rest[1..] } else { rest };
        if rest.is_empty() {
            return true;
        }
        return (0..=text.len()).any(|at| like(rest, &text[at..], cased));
    }
    let Some((c, tail)) = text.split_first() else { return false };
    let same = match first {
        Piece::Char(want) => want == c || !cased && encodings::same_letter(*want, *c),
        Piece::Dash => "-/–—―".contains(*c),
        _ => true,
    };
    same && like(rest, tail, cased)
}

fn field_ref(modifiers: &[&str], value: &Json, other: &str, event: &Json) -> bool {
    let Found::Values(others) = lookup(event, other) else { return false };
    let pattern = |text: &str| -> Vec<Piece> {
        let mut pattern: Vec<Piece> = text.chars().map(Piece::Char).collect();
        let has = |name: &str| modifiers.contains(&name);
        open(
            &mut pattern,
            has("contains") || has("endswith"),
            has("contains") || has("startswith"),
        );
        pattern
    };
    let Some(seen) = as_text(value) else { return false };
    let seen: Vec<char> = seen.chars().collect();
    let cased = modifiers.contains(&"cased");
    others.iter().filter_map(as_text).any(|text| like(&pattern(&text), &seen, cased))
}

/// -2 is less, -1 at most, 1 at least, 2 more.
fn compare(value: &Json, limit: &str, operator: i32) -> bool {
    let number = if value.is_boolean() { None } else { as_text(value) };
    let Some(number) = number.and_then(|text| billionths(&text)) else { return false };
    let limit = billionths(limit).unwrap();
    match operator {
        -2 => number < limit,
        -1 => number <= limit,
        1 => number >= limit,
        _ => number > limit,
    }
}

/// A decimal number with up to nine digits behind its point, as a whole number.
fn billionths(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(part) || whole.len() + part.len() == 0 || part.len() > 9 {
        return None;
    }
    let number: i128 = format!("{whole}{part:0<9}").parse().ok()?;
    Some(sign * number)
}

fn expression(modifiers: &[&str], pattern: &str) -> regex::Regex {
    let has = |short: &str, long: &str| modifiers.contains(&short) || modifiers.contains(&long);
    regex::RegexBuilder::new(pattern)
        .case_insensitive(has("i", "ignorecase"))
        .multi_line(has("m", "multiline"))
        .dot_matches_new_line(has("s", "dotall"))
        .build()
        .unwrap()
}

fn within(text: &str, network: &str) -> bool {
    let Ok(address) = text.parse::<IpAddr>() else { return false };
    let (base, prefix) = network.split_once('/').unwrap();
    let bits = |address: IpAddr| -> String {
        match address.to_canonical() {
            IpAddr::V4(four) => format!("4{:032b}", u32::from(four)),
            IpAddr::V6(six) => format!("6{:0128b}", u128::from(six)),
        }
    };
    let (address, base) = (bits(address), bits(base.parse().unwrap()));
    let len = 1 + prefix.parse::<usize>().unwrap();
    address[..len] == base[..len]
}

/// A scalar as text; nothing for null.
pub fn as_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(match number.as_f64() {
            Some(float) if number.is_f64() => float.to_string(),
            _ => number.to_string(),
        }),
        Json::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// What an event has at a name: a key of exactly that name, else the path.
fn lookup(event: &Json, name: &str) -> Found {
    let Some(value) = at(event, name) else { return Found::Absent };
    let mut values = Vec::new();
    scalars(&value, false, &mut values);
    Found::Values(values)
}

fn at(node: &Json, name: &str) -> Option<Json> {
    if let Json::Array(items) = node {
        let found: Vec<Json> = items.iter().filter_map(|item| at(item, name)).collect();
        return if found.is_empty() { None } else { Some(Json::Array(found)) };
    }
    if let Some(value) = node.get(name) {
        return Some(value.clone());
    }
    let (head, tail) = name.split_once('.')?;
    at(node.get(head)?, tail)
}

/// The scalars of a value, lists flattened; of objects only when `deep`.
fn scalars(value: &Json, deep: bool, out: &mut Vec<Json>) {
    match value {
        Json::Array(items) => {
            for item in items {
                scalars(item, deep, out);
            }
        }
        Json::Object(members) if deep => {
            members.values().for_each(|member| scalars(member, deep, out));
        }
        Json::Object(_) => {}
        scalar => out.push(scalar.clone()),
    }
}

/// Whether a condition holds, given what each search comes to.
pub fn condition_holds(text: &str, searches: &[(&str, bool)]) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let holds = any_of(&words, &mut at, searches);
    assert_eq!(at, words.len(), "{text}");
    holds
}

fn any_of(words: &[&str], at: &mut usize, searches: &[(&str, bool)]) -> bool {
    let mut holds = all_of(words, at, searches);
    while words.get(*at) == Some(&"or") {
        *at += 1;
        holds |= all_of(words, at, searches);
    }
    holds
}

fn all_of(words: &[&str], at: &mut usize, searches: &[(&str, bool)]) -> bool {
    let mut holds = single(words, at, searches);
    while words.get(*at) == Some(&"and") {
        *at += 1;
        holds &= single(words, at, searches);
    }
    holds
}

fn single(words: &[&str], at: &mut usize, searches: &[(&str, bool)]) -> bool {
    let word = words[*at];
    *at += 1;
    match word {
        "not" => !single(words, at, searches),
        "(" => {
            let holds = any_of(words, at, searches);
            *at += 1;
            holds
        }
        "1" | "any" | "all" if words.get(*at) == Some(&"of") => {
            let pattern = words[*at + 1];
            *at += 2;
            let mut chosen = searches.iter().filter(|(name, _)| selects(pattern, name));
            if word == "all" { chosen.all(|one| one.1) } else { chosen.any(|one| one.1) }
        }
        name => searches.iter().find(|(known, _)| *known == name).unwrap().1,
    }
}

fn selects(pattern: &str, name: &str) -> bool {
    if name.starts_with('_') && !pattern.starts_with('_') {
        return false;
    }
    let name: Vec<char> = name.chars().collect();
    pattern == "them" || like(&sigma(pattern), &name, true)
}
