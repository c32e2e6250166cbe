//! YAML 1.2 with places: text → [`Node`] tree → serde types.
//!
//! Scalars keep their text as written and whether they were quoted, so that nobody turns `0755`,
//! `yes` or a 20-digit number into something else before its meaning is known. Bounded against
//! hostile files: [`DEPTH_MAX`], [`NODES_MAX`] (which also stops alias bombs).

mod decode;

use std::collections::HashMap;
use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle};

/// The deepest nesting accepted.
pub const DEPTH_MAX: usize = 64;
/// The most nodes of one file, aliases expanded.
pub const NODES_MAX: usize = 1_000_000;

/// A place in a file: line and column from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
}

/// A YAML node with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it starts.
    pub place: Place,
    /// What it is.
    pub kind: Kind,
}

impl Default for Node {
    /// Nothing, nowhere.
    fn default() -> Self {
        Self { place: Place::default(), kind: Kind::Map(Vec::new()) }
    }
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A scalar: its text and whether it was plain (unquoted, so that `null`, `true`, `1` mean
    /// what they say).
    Scalar {
        /// The text, quotes and escapes resolved.
        text: String,
        /// Whether it was written without quotes and is no block.
        plain: bool,
    },
    /// A list.
    Seq(Vec<Node>),
    /// A map, in order; keys are scalars.
    Map(Vec<(Key, Node)>),
}

/// The key of a map's entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// Its text.
    pub text: String,
    /// Where it is.
    pub place: Place,
}

/// An error at a place.
#[derive(Debug, Clone, PartialEq)]
pub struct YamlError {
    /// Where.
    pub place: Place,
    /// What, lower case.
    pub message: String,
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place.line, self.place.column, self.message)
    }
}

impl std::error::Error for YamlError {}

impl YamlError {
    /// As a diagnostic of `path`.
    pub fn at(&self, path: &str) -> crate::Diagnostic {
        crate::Diagnostic::error(path, self.place.line, self.place.column, self.message.clone())
    }
}

/// Parses every document of a file. An empty document is a plain empty scalar.
pub fn parse(text: &str) -> Result<Vec<Node>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader =
        Reader { parser: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let mut documents = Vec::new();
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(documents),
            (Event::DocumentStart(_), _) => {
                reader.anchors.clear();
                let (event, place) = reader.next()?;
                documents.push(reader.node(event, place, 0)?);
            }
            _ => {}
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Place), YamlError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let place =
                    Place { line: span.start.line() as u32, column: span.start.col() as u32 + 1 };
                Ok((event, place))
            }
            Some(Err(error)) => {
                let place = Place {
                    line: error.marker().line() as u32,
                    column: error.marker().col() as u32 + 1,
                };
                Err(YamlError { place, message: format!("not valid yaml: {}", error.info()) })
            }
            None => Ok((Event::StreamEnd, Place::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, place: Place, depth: usize) -> Result<Node, YamlError> {
        let error = |message: String| YamlError { place, message };
        if depth > DEPTH_MAX {
            return Err(error(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.count(1, place)?;
        let (kind, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let as_text = tag.is_some_and(|tag| tag.suffix == "str");
                let plain = style == ScalarStyle::Plain && !as_text;
                (Kind::Scalar { text: text.into_owned(), plain }, anchor)
            }
            Event::SequenceStart(anchor, _) => (self.seq(depth)?, anchor),
            Event::MappingStart(anchor, _) => (self.map(depth)?, anchor),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(error("alias without an anchor before it".to_owned()));
                };
                self.count(node.size(), place)?;
                return Ok(node);
            }
            _ => (Kind::Scalar { text: String::new(), plain: true }, 0),
        };
        let node = Node { place, kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn count(&mut self, nodes: usize, place: Place) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > NODES_MAX {
            let message = format!("more than {NODES_MAX} nodes, aliases counted");
            return Err(YamlError { place, message });
        }
        Ok(())
    }

    fn seq(&mut self, depth: usize) -> Result<Kind, YamlError> {
        let mut items = Vec::new();
        loop {
            let (event, place) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(Kind::Seq(items));
            }
            items.push(self.node(event, place, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Kind, YamlError> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        loop {
            let (event, place) = self.next()?;
            let text = match event {
                Event::MappingEnd => return Ok(Kind::Map(entries)),
                Event::Scalar(text, ..) => text.into_owned(),
                _ => {
                    let message = "a map's key must be plain text".to_owned();
                    return Err(YamlError { place, message });
                }
            };
            if entries.iter().any(|(key, _)| key.text == text) {
                let message = format!("key {text:?} stands twice in this map");
                return Err(YamlError { place, message });
            }
            let (event, value_place) = self.next()?;
            let value = self.node(event, value_place, depth + 1)?;
            entries.push((Key { text, place }, value));
        }
    }
}

impl Node {
    /// The entry of a map; `None` when this is no map or has no such key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, node)| node)
    }

    /// The entry of a map with its key's place.
    pub fn entry(&self, key: &str) -> Option<(&Key, &Node)> {
        let entry = self.as_map()?.iter().find(|(name, _)| name.text == key)?;
        Some((&entry.0, &entry.1))
    }

    /// The entries, when this is a map.
    pub fn as_map(&self) -> Option<&[(Key, Node)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The elements, when this is a list.
    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Seq(items) => Some(items),
            _ => None,
        }
    }

    /// The text as written, when this is a scalar of any type.
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether this is a plain `null`, `~` or nothing (YAML 1.2 core schema).
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// A plain `true` or `false` (YAML 1.2: not `yes` or `on`).
    pub fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            Kind::Scalar { text, plain: true } => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// A plain whole number in decimal, `0x` or `0o`.
    pub fn as_int(&self) -> Option<i128> {
        let Kind::Scalar { text, plain: true } = &self.kind else { return None };
        if let Some(hex) = text.strip_prefix("0x") {
            return i128::from_str_radix(hex, 16).ok();
        }
        if let Some(octal) = text.strip_prefix("0o") {
            return i128::from_str_radix(octal, 8).ok();
        }
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        text.parse().ok()
    }

    /// A plain number with a point or an exponent.
    pub fn as_float(&self) -> Option<f64> {
        let Kind::Scalar { text, plain: true } = &self.kind else { return None };
        match text.as_str() {
            ".inf" | "+.inf" => return Some(f64::INFINITY),
            "-.inf" => return Some(f64::NEG_INFINITY),
            ".nan" => return Some(f64::NAN),
            _ => {}
        }
        let looks_numeric = text.bytes().any(|byte| byte.is_ascii_digit())
            && text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        if looks_numeric { text.parse().ok() } else { None }
    }

    /// Number of nodes, this one included.
    pub fn size(&self) -> usize {
        match &self.kind {
            Kind::Scalar { .. } => 1,
            Kind::Seq(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Kind::Map(entries) => 1 + entries.iter().map(|(_, node)| node.size()).sum::<usize>(),
        }
    }

    /// What it is, for messages.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "a map",
            Kind::Scalar { .. } if self.is_null() => "nothing",
            Kind::Scalar { .. } if self.as_bool().is_some() => "a boolean",
            Kind::Scalar { .. } if self.as_int().is_some() || self.as_float().is_some() => {
                "a number"
            }
            Kind::Scalar { .. } => "text",
        }
    }

    /// As JSON, plain scalars typed by the YAML 1.2 core schema.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.kind {
            Kind::Seq(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Kind::Map(entries) => Json::Object(
                entries.iter().map(|(key, node)| (key.text.clone(), node.to_json())).collect(),
            ),
            Kind::Scalar { text, .. } => {
                if self.is_null() {
                    return Json::Null;
                }
                if let Some(flag) = self.as_bool() {
                    return Json::Bool(flag);
                }
                if let Some(number) = self.as_int() {
                    if let Ok(number) = i64::try_from(number) {
                        return number.into();
                    }
                    if let Ok(number) = u64::try_from(number) {
                        return number.into();
                    }
                }
                let float = self.as_float().and_then(serde_json::Number::from_f64);
                float.map_or_else(|| Json::String(text.clone()), Json::Number)
            }
        }
    }
}

/// The known word nearest to `word`, if one is near enough to be meant.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_keep_their_text_and_type() {
        let nodes =
            parse("a: yes\nb: 0755\nc: '12'\nd: 18446744073709551615\ne: ~\nf: 1.5\n").unwrap();
        let root = &nodes[0];
        assert_eq!(root.get("a").unwrap().as_bool(), None);
        assert_eq!(root.get("a").unwrap().as_text(), Some("yes"));
        assert_eq!(root.get("b").unwrap().as_text(), Some("0755"));
        assert_eq!(root.get("c").unwrap().as_int(), None);
        assert_eq!(root.get("d").unwrap().as_int(), Some(i128::from(u64::MAX)));
        assert!(root.get("e").unwrap().is_null());
        assert_eq!(root.get("f").unwrap().as_float(), Some(1.5));
        assert_eq!(root.get("b").unwrap().place, Place { line: 2, column: 4 });
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        listen: String,
        #[serde(default)]
        ports: Vec<u16>,
    }

    #[test]
    fn decoding_names_the_place_and_the_nearest_key() {
        let table = [
            ("listen: x\nports: [1, 2]\n", Ok(())),
            ("listn: x\n", Err("1:1: unknown key \"listn\", did you mean \"listen\"?")),
            ("listen: x\nports: [1, a]\n", Err("2:12: invalid type: string \"a\", expected u16")),
            ("listen: [1]\n", Err("1:9: expected text, found a list")),
            ("ports: []\n", Err("1:1: key \"listen\" is missing")),
        ];
        for (text, expected) in table {
            let nodes = parse(text).unwrap();
            let got = nodes[0].decode::<Sample>().map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(got, expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn bombs_and_doubled_keys_are_refused() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..8 {
            let one = format!("*a{},", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", one.repeat(10)));
        }
        assert!(parse(&bomb).unwrap_err().message.contains("more than"));
        assert!(parse(&"[".repeat(1000)).is_err());
        assert!(parse("a: 1\na: 2\n").unwrap_err().message.contains("twice"));
    }

    #[test]
    fn several_documents() {
        assert_eq!(parse("a: 1\n---\nb: 2\n").unwrap().len(), 2);
        assert_eq!(parse("").unwrap().len(), 0);
    }
}
