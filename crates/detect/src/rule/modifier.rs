//! One line of a search: `field|modifier|…: values` in, a [`Search`] over items out. Modifiers
//! apply in the order they are written; one that is unknown, or that makes no sense where it
//! stands, refuses the rule, because without it the rule would match something else.

use std::collections::HashMap;

use ipnet::{IpNet, Ipv4Net};
use tocsin_content::Node;

use super::chain::{Chain, Matcher, Transform};
use super::encoded::Encoded;
use super::regex::Source;
use super::value::{self, Token};
use super::{Item, ItemTest, Part, Refusal, Search, refuse};
use crate::number::{Number, Operator};
use crate::pattern::Pattern;

/// Values for placeholders.
pub(crate) type Placeholders = HashMap<String, Vec<String>>;

/// Reads one line of a search. `key` is `field|modifiers`, or empty or `|modifiers` for
/// keywords.
pub(crate) fn line(key: &str, value: &Node, lists: &Placeholders) -> Result<Search, Refusal> {
    let mut parts = key.split('|');
    let field = parts.next().filter(|field| !field.is_empty());
    let modifiers: Vec<&str> = parts.collect();
    let chain = match Chain::parse(&modifiers) {
        Ok(chain) => chain,
        Err(message) => return refuse(value, format!("{key:?}: {message}")),
    };
    if field.is_none() && chain.needs_field() {
        return refuse(value, format!("{key:?}: these modifiers need a field before them"));
    }
    let nodes = match value.as_seq() {
        Some([]) => return refuse(value, format!("{key:?} has an empty list")),
        Some(nodes) => nodes,
        None => std::slice::from_ref(value),
    };
    if chain.all && nodes.len() < 2 {
        return refuse(value, format!("{key:?}: modifier all needs a list of two or more values"));
    }
    if chain.matcher == Matcher::Exists && value.as_seq().is_some() {
        return refuse(value, format!("{key:?}: exists needs true or false, not a list"));
    }
    let line = Line { field, key, chain: &chain, lists };
    let each: Vec<Vec<Search>> =
        nodes.iter().map(|node| line.one(node)).collect::<Result<_, _>>()?;
    let combined = if chain.all {
        one_or(each.into_iter().map(|any| any_of(line.merge(any))).collect(), Search::And)
    } else {
        any_of(line.merge(each.into_iter().flatten().collect()))
    };
    Ok(if chain.neq { Search::Not(Box::new(combined)) } else { combined })
}

fn one_or(mut parts: Vec<Search>, many: fn(Vec<Search>) -> Search) -> Search {
    if parts.len() == 1 { parts.remove(0) } else { many(parts) }
}

fn any_of(parts: Vec<Search>) -> Search {
    one_or(parts, Search::Or)
}

struct Line<'a> {
    field: Option<&'a str>,
    key: &'a str,
    chain: &'a Chain,
    lists: &'a Placeholders,
}

impl Line<'_> {
    fn refuse<T>(&self, node: &Node, message: impl std::fmt::Display) -> Result<T, Refusal> {
        refuse(node, format!("{:?}: {message}", self.key))
    }

    fn item(&self, test: ItemTest) -> Search {
        Search::Item(Item { field: self.field.map(str::to_owned), test })
    }

    /// The alternatives that one value stands for.
    fn one(&self, node: &Node) -> Result<Vec<Search>, Refusal> {
        let Some(text) = node.as_text() else {
            return self.refuse(node, format!("expected a value, found {}", node.describe()));
        };
        if node.is_null() {
            let bare = self.chain.matcher == Matcher::Text && self.chain.transforms.is_empty();
            return if bare && self.field.is_some() && !self.chain.expand {
                Ok(vec![self.item(ItemTest::Null)])
            } else {
                self.refuse(node, "null can only be compared with a field, without modifiers")
            };
        }
        match self.chain.matcher {
            Matcher::Exists => match node.as_bool() {
                Some(true) => Ok(vec![self.item(ItemTest::Exists)]),
                Some(false) => Ok(vec![Search::Not(Box::new(self.item(ItemTest::Exists)))]),
                None => self.refuse(node, "exists needs true or false"),
            },
            Matcher::FieldRef => self.field_ref(node, text),
            Matcher::Compare(operator) => {
                let number = self.number(node, text)?;
                Ok(vec![self.item(ItemTest::Compare(operator, vec![number]))])
            }
            Matcher::Time(part) => {
                let number = self.number(node, text)?;
                let operator = self.chain.compare.unwrap_or(Operator::Eq);
                Ok(vec![self.item(ItemTest::Time(part, operator, vec![number]))])
            }
            Matcher::Cidr => {
                let texts = self.expanded_texts(node, text)?;
                let networks = texts.iter().map(|text| self.network(node, text));
                Ok(vec![self.item(ItemTest::Networks(networks.collect::<Result<_, _>>()?))])
            }
            Matcher::Regex => self.regex(node, text),
            Matcher::Text => self.text(node, text),
        }
    }

    fn number(&self, node: &Node, text: &str) -> Result<Number, Refusal> {
        match Number::of_node(node).or_else(|| Number::parse(text)) {
            Some(number) => Ok(number),
            None => self.refuse(node, format!("needs a number, found {text:?}")),
        }
    }

    fn field_ref(&self, node: &Node, text: &str) -> Result<Vec<Search>, Refusal> {
        if text.is_empty() || text.contains(['*', '?']) {
            return self.refuse(node, "fieldref needs the name of one field");
        }
        let part = match self.chain.transforms.first() {
            Some(Transform::Position(part)) => *part,
            _ => Part::Whole,
        };
        let cased = self.chain.cased;
        Ok(vec![self.item(ItemTest::FieldRef { other: text.to_owned(), part, cased })])
    }

    fn regex(&self, node: &Node, text: &str) -> Result<Vec<Search>, Refusal> {
        let sources: Vec<Source> = self
            .expanded_texts(node, text)?
            .into_iter()
            .map(|pattern| Source {
                pattern: pattern.into(),
                ignore_case: self.chain.ignore_case,
                multi_line: self.chain.multi_line,
                dot_all: self.chain.dot_all,
            })
            .collect();
        for source in &sources {
            if let Err(message) = source.parse() {
                return self.refuse(node, message);
            }
        }
        Ok(vec![self.item(ItemTest::Regexes(sources))])
    }

    fn network(&self, node: &Node, text: &str) -> Result<IpNet, Refusal> {
        let network =
            text.parse::<IpNet>().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from));
        match network.map(canonical) {
            Err(_) => self.refuse(node, format!("{text:?} is not a network like 10.0.0.0/8")),
            Ok(network) if network.trunc() != network => self.refuse(
                node,
                format!("{text:?} has bits set after its prefix; write {}", network.trunc()),
            ),
            Ok(network) => Ok(network),
        }
    }

    /// The texts a value with placeholders stands for, placeholders replaced as they are.
    fn expanded_texts(&self, node: &Node, text: &str) -> Result<Vec<String>, Refusal> {
        if !self.chain.expand {
            return Ok(vec![text.to_owned()]);
        }
        let mut texts = vec![String::new()];
        for piece in value::placeholders(text) {
            match piece {
                value::Piece::Text(part) => texts.iter_mut().for_each(|text| text.push_str(part)),
                value::Piece::Placeholder(name) => {
                    let list = self.list(node, name, texts.len())?;
                    texts = texts
                        .iter()
                        .flat_map(|head| list.iter().map(move |tail| format!("{head}{tail}")))
                        .collect();
                }
            }
        }
        Ok(texts)
    }

    fn list(&self, node: &Node, name: &str, times: usize) -> Result<&[String], Refusal> {
        match self.lists.get(name) {
            None => self.refuse(
                node,
                format!("placeholder %{name}% has no values; set them under detect.placeholders"),
            ),
            Some(list) if list.is_empty() => {
                self.refuse(node, format!("placeholder %{name}% has an empty list"))
            }
            Some(list) if list.len() * times > value::VARIANTS_MAX => self.refuse(
                node,
                format!("placeholders give more than {} values", value::VARIANTS_MAX),
            ),
            Some(list) => Ok(list),
        }
    }

    /// The token strings a value stands for. Placeholder values are plain text: a Windows path
    /// in a list means what it says.
    fn expanded_tokens(&self, node: &Node, text: &str) -> Result<Vec<Vec<Token>>, Refusal> {
        if !self.chain.expand {
            return Ok(vec![value::parse(text)]);
        }
        let mut all = vec![Vec::new()];
        for piece in value::placeholders(text) {
            let tails: Vec<Vec<Token>> = match piece {
                value::Piece::Text(part) => vec![value::parse(part)],
                value::Piece::Placeholder(name) => {
                    let list = self.list(node, name, all.len())?;
                    list.iter().map(|entry| value::literal(entry)).collect()
                }
            };
            all = all
                .iter()
                .flat_map(|head| tails.iter().map(move |tail| [&head[..], &tail[..]].concat()))
                .collect();
        }
        Ok(all)
    }

    fn text(&self, node: &Node, text: &str) -> Result<Vec<Search>, Refusal> {
        let plain = self.chain.transforms.is_empty() && !self.chain.expand;
        let mut out = Vec::new();
        if plain && self.field.is_some() {
            // A number that is not written the way events write it also equals by value.
            let number = Number::of_node(node).filter(|number| number.to_text() != text);
            out.extend(number.map(|number| self.item(ItemTest::Numbers(vec![number]))));
        }
        let mut patterns = Vec::new();
        for tokens in self.expanded_tokens(node, text)? {
            for tokens in self.transformed(node, tokens)? {
                patterns.push(self.pattern(node, &tokens)?);
            }
        }
        out.push(self.item(ItemTest::Texts { patterns, cased: self.chain.cased }));
        Ok(out)
    }

    fn pattern(&self, node: &Node, tokens: &[Token]) -> Result<Pattern, Refusal> {
        if self.field.is_some() {
            return Ok(Pattern::new(tokens, self.chain.cased));
        }
        match Pattern::anywhere(tokens, self.chain.cased) {
            Pattern::Anything => self.refuse(node, "an empty keyword would match every event"),
            pattern => Ok(pattern),
        }
    }

    fn transformed(&self, node: &Node, tokens: Vec<Token>) -> Result<Vec<Vec<Token>>, Refusal> {
        let encodes = |one: &Transform| !matches!(one, Transform::Position(_) | Transform::Windash);
        let mut strings = vec![Encoded::Text(tokens)];
        for transform in &self.chain.transforms {
            if encodes(transform) {
                strings = self.apart(node, strings)?;
            }
            let mut next = Vec::new();
            for string in strings {
                match string.apply(*transform) {
                    Ok(list) => next.extend(list),
                    Err(message) => return self.refuse(node, message),
                }
            }
            strings = next;
        }
        strings
            .into_iter()
            .map(|string| string.into_tokens().or_else(|message| self.refuse(node, message)))
            .collect()
    }

    /// Encodings need each dash for itself.
    fn apart(&self, node: &Node, strings: Vec<Encoded>) -> Result<Vec<Encoded>, Refusal> {
        let mut out = Vec::new();
        for string in strings {
            match string {
                Encoded::Text(tokens) => match value::without_dashes(&tokens) {
                    Some(list) => out.extend(list.into_iter().map(Encoded::Text)),
                    None => return self.refuse(node, "windash gives too many values to encode"),
                },
                bytes @ Encoded::Bytes(_) => out.push(bytes),
            }
        }
        Ok(out)
    }

    /// Joins items that test the same way into one with several values.
    fn merge(&self, parts: Vec<Search>) -> Vec<Search> {
        let mut out: Vec<Search> = Vec::new();
        for part in parts {
            let Search::Item(item) = part else {
                out.push(part);
                continue;
            };
            let joined = out.iter_mut().any(|other| match other {
                Search::Item(other) => join(&mut other.test, &item.test),
                _ => false,
            });
            if !joined {
                out.push(Search::Item(item));
            }
        }
        out
    }
}

/// IPv4 written as IPv6 (`::ffff:10.0.0.0/104`) as IPv4, which events are compared as.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else { return network };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    four.and_then(|(four, prefix)| Ipv4Net::new(four, prefix).ok()).map_or(network, IpNet::V4)
}

/// Adds the values of `more` to `test` when both test alike.
fn join(test: &mut ItemTest, more: &ItemTest) -> bool {
    match (test, more) {
        (
            ItemTest::Texts { patterns, cased },
            ItemTest::Texts { patterns: more, cased: more_cased },
        ) if *cased == *more_cased => patterns.extend_from_slice(more),
        (ItemTest::Numbers(numbers), ItemTest::Numbers(more)) => numbers.extend_from_slice(more),
        (ItemTest::Regexes(sources), ItemTest::Regexes(more)) => sources.extend_from_slice(more),
        (ItemTest::Networks(networks), ItemTest::Networks(more)) => {
            networks.extend_from_slice(more);
        }
        (ItemTest::Compare(left, numbers), ItemTest::Compare(right, more)) if left == right => {
            numbers.extend_from_slice(more);
        }
        (ItemTest::Time(left, by, numbers), ItemTest::Time(right, more_by, more))
            if left == right && by == more_by =>
        {
            numbers.extend_from_slice(more);
        }
        (ItemTest::Null, ItemTest::Null) | (ItemTest::Exists, ItemTest::Exists) => {}
        _ => return false,
    }
    true
}
