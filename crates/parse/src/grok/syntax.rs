//! Text of a pattern → [`Node`] tree. The syntax is that of grok, cut down to what can be
//! matched in linear time by `machine`: literals, `.`, `\d \s \w \S \D \W`, `[…]`, groups
//! `(?:…)`, alternatives `|`, repetition `* + ? {n} {n,m}` (also lazy), and `%{NAME}`,
//! `%{NAME:field}`, `%{NAME:field:type}`.

use super::library;

/// The deepest nesting of groups.
const DEPTH_MAX: usize = 16;
/// The most repetitions that `{n,m}` may ask for.
const REPEAT_MAX: u32 = 1000;

/// A set of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub [u64; 4]);

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: String = (0..=127u8)
            .filter(|byte| self.has(*byte))
            .map(|byte| byte.escape_ascii().to_string())
            .collect();
        write!(f, "[{shown}]")
    }
}

impl Bytes {
    pub(crate) const NONE: Self = Self([0; 4]);
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);

    pub(crate) fn has(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    pub(crate) fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(crate) fn of(bytes: impl IntoIterator<Item = u8>) -> Self {
        let mut set = Self::NONE;
        bytes.into_iter().for_each(|byte| set.add(byte));
        set
    }

    pub(crate) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    pub(crate) fn not(self) -> Self {
        Self(self.0.map(|part| !part))
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        (0..4).any(|at| self.0[at] & other.0[at] != 0)
    }
}

/// A capture as written: `%{NAME:field:type}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capture {
    /// Library name.
    pub name: String,
    /// Where it goes.
    pub field: String,
    /// Conversion asked for, empty when none.
    pub kind: String,
}

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    /// These bytes.
    Literal(Vec<u8>),
    /// One byte of a set.
    Set(Bytes),
    /// One after the other.
    All(Vec<Node>),
    /// The first that fits.
    Any(Vec<Node>),
    /// Repetition.
    Repeat { node: Box<Node>, min: u32, max: u32, lazy: bool },
    /// Text up to the next double quote that stands after no backslash, or to the end.
    InQuotes,
    /// A capture.
    Capture { index: usize, node: Box<Node> },
}

impl Node {
    /// What begins with this text.
    pub(crate) fn starts_with(text: &str) -> Self {
        let any = Self::Set(Bytes::ALL);
        let rest = Self::Repeat { node: Box::new(any), min: 0, max: u32::MAX, lazy: false };
        Self::All(vec![Self::Literal(text.as_bytes().to_vec()), rest])
    }
}

/// Reads a pattern; captures are numbered in the order they are written.
pub(crate) fn read(text: &str) -> Result<(Node, Vec<Capture>), String> {
    let mut captures = Vec::new();
    let mut reader = Reader { text: text.as_bytes(), at: 0, captures: &mut captures, depth: 0 };
    let node = reader.alternatives()?;
    if reader.at < text.len() {
        return Err(format!("a \")\" too many at byte {}, write \\) for the character", reader.at));
    }
    Ok((node, captures))
}

struct Reader<'t, 'c> {
    text: &'t [u8],
    at: usize,
    captures: &'c mut Vec<Capture>,
    depth: usize,
}

impl Reader<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn starts(&self, with: &[u8]) -> bool {
        self.text[self.at..].starts_with(with)
    }

    fn alternatives(&mut self) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("groups nested deeper than {DEPTH_MAX}"));
        }
        let mut all = vec![self.sequence()?];
        while self.peek() == Some(b'|') {
            self.at += 1;
            all.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok(if all.len() == 1 { all.remove(0) } else { Node::Any(all) })
    }

    fn sequence(&mut self) -> Result<Node, String> {
        let mut all: Vec<Node> = Vec::new();
        while let Some(byte) = self.peek() {
            if byte == b'|' || byte == b')' {
                break;
            }
            let atom = self.atom()?;
            let node = self.repeated(atom)?;
            match (all.last_mut(), node) {
                (Some(Node::Literal(before)), Node::Literal(more)) if !self.repeats() => {
                    before.extend(more);
                }
                (_, node) => all.push(node),
            }
        }
        Ok(Node::All(all))
    }

    fn repeats(&self) -> bool {
        matches!(self.peek(), Some(b'*' | b'+' | b'?' | b'{'))
    }

    fn repeated(&mut self, node: Node) -> Result<Node, String> {
        let (min, max) = match self.peek() {
            Some(b'*') => (0, u32::MAX),
            Some(b'+') => (1, u32::MAX),
            Some(b'?') => (0, 1),
            Some(b'{') => self.counts()?,
            _ => return Ok(node),
        };
        self.at += 1;
        let lazy = self.peek() == Some(b'?');
        if lazy {
            self.at += 1;
        }
        if self.repeats() {
            return Err(format!("a repetition of a repetition at byte {}", self.at));
        }
        Ok(Node::Repeat { node: Box::new(node), min, max, lazy })
    }

    /// `{n}` or `{n,m}`; stops at the closing brace.
    fn counts(&mut self) -> Result<(u32, u32), String> {
        let rest = &self.text[self.at + 1..];
        let end = rest.iter().position(|byte| *byte == b'}');
        let inside = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
        let (Some(end), Some(inside)) = (end, inside) else {
            return Err("a \"{\" without \"}\", write \\{ for the character".to_owned());
        };
        let bad = || format!("{{{inside}}} is no repetition, write \\{{ for the character");
        let (min, max) = match inside.split_once(',') {
            Some((min, "")) => (min, None),
            Some((min, max)) => (min, Some(max)),
            None => (inside, Some(inside)),
        };
        let min: u32 = min.parse().map_err(|_| bad())?;
        let max: u32 = max.map_or(Ok(u32::MAX), str::parse).map_err(|_| bad())?;
        if min > max || min > REPEAT_MAX || (max > REPEAT_MAX && max != u32::MAX) {
            return Err(bad());
        }
        self.at += 1 + end;
        Ok((min, max))
    }

    fn atom(&mut self) -> Result<Node, String> {
        if self.starts(b"%{") {
            return self.reference();
        }
        let byte = self.text[self.at];
        self.at += 1;
        match byte {
            b'.' => Ok(Node::Set(Bytes::ALL)),
            b'\\' if self.peek() == Some(b'Q') => {
                self.at += 1;
                Ok(Node::InQuotes)
            }
            b'\\' => self
                .escape()
                .map(|set| set.map_or_else(|byte| Node::Literal(vec![byte]), Node::Set)),
            b'[' => self.class().map(Node::Set),
            b'(' => {
                if self.starts(b"?:") {
                    self.at += 2;
                } else if self.starts(b"?") {
                    return Err("only (?:…) and (…) groups are known".to_owned());
                }
                let node = self.alternatives()?;
                if self.peek() != Some(b')') {
                    return Err("a \"(\" without \")\", write \\( for the character".to_owned());
                }
                self.at += 1;
                Ok(node)
            }
            b'*' | b'+' | b'?' => Err(format!("nothing to repeat at byte {}", self.at - 1)),
            b'^' | b'$' => Err("patterns match the whole text: leave ^ and $ out".to_owned()),
            byte => Ok(Node::Literal(vec![byte])),
        }
    }

    /// `%{NAME}`, `%{NAME:field}`, `%{NAME:field:type}`.
    fn reference(&mut self) -> Result<Node, String> {
        let rest = &self.text[self.at + 2..];
        let end = rest.iter().position(|byte| *byte == b'}');
        let inside = end.and_then(|end| std::str::from_utf8(&rest[..end]).ok());
        let (Some(end), Some(inside)) = (end, inside) else {
            return Err("a \"%{\" without \"}\"".to_owned());
        };
        self.at += 2 + end + 1;
        let mut parts = inside.splitn(3, ':');
        let name = parts.next().unwrap_or("");
        let field = parts.next().unwrap_or("");
        let kind = parts.next().unwrap_or("");
        let Some(pattern) = library::pattern(name) else {
            let known = library::LIBRARY.iter().map(|(name, _)| *name);
            let near = tocsin_content::yaml::nearest(name, known);
            return Err(match near {
                Some(near) => format!("no pattern {name:?}, did you mean {near:?}?"),
                None => format!("no pattern {name:?}"),
            });
        };
        let (node, inner) = read(pattern)?;
        debug_assert!(inner.is_empty());
        if field.is_empty() {
            return Ok(node);
        }
        let index = self.captures.len();
        self.captures.push(Capture {
            name: name.to_owned(),
            field: field.to_owned(),
            kind: kind.to_owned(),
        });
        Ok(Node::Capture { index, node: Box::new(node) })
    }

    /// After a backslash: a set, or the byte itself.
    fn escape(&mut self) -> Result<Result<Bytes, u8>, String> {
        let Some(byte) = self.peek() else {
            return Err("a backslash at the end".to_owned());
        };
        self.at += 1;
        let digit = Bytes::of(b'0'..=b'9');
        let space = Bytes::of(*b" \t\r\n\x0b\x0c");
        let word = Bytes::of((b'0'..=b'9').chain(b'a'..=b'z').chain(b'A'..=b'Z').chain([b'_']));
        Ok(match byte {
            b'd' => Ok(digit),
            b'D' => Ok(digit.not()),
            b's' => Ok(space),
            b'S' => Ok(space.not()),
            b'w' => Ok(word),
            b'W' => Ok(word.not()),
            b't' => Err(b'\t'),
            b'n' => Err(b'\n'),
            b'r' => Err(b'\r'),
            byte if byte.is_ascii_alphanumeric() => {
                return Err(format!("\\{} is not known", char::from(byte)));
            }
            byte => Err(byte),
        })
    }

    fn class(&mut self) -> Result<Bytes, String> {
        let negated = self.peek() == Some(b'^');
        if negated {
            self.at += 1;
        }
        let mut set = Bytes::NONE;
        let start = self.at;
        loop {
            let Some(byte) = self.peek() else {
                return Err("a \"[\" without \"]\", write \\[ for the character".to_owned());
            };
            self.at += 1;
            let low = match byte {
                b']' if self.at > start + 1 => break,
                b'\\' => match self.escape()? {
                    Ok(more) => {
                        set = set.or(more);
                        continue;
                    }
                    Err(byte) => byte,
                },
                byte if !byte.is_ascii() => return Err("only ASCII in [ ]".to_owned()),
                byte => byte,
            };
            let ranged = self.peek() == Some(b'-') && self.text.get(self.at + 1) != Some(&b']');
            if !ranged {
                set.add(low);
                continue;
            }
            self.at += 1;
            let high = self.peek().filter(|high| *high >= low && high.is_ascii());
            let Some(high) = high else { return Err("a bad range in [ ]".to_owned()) };
            self.at += 1;
            (low..=high).for_each(|byte| set.add(byte));
        }
        Ok(if negated { set.not() } else { set })
    }
}
