//! The pass over a JSON text: what it reads goes straight into the event.

use memchr::memchr2;
use tocsin_model::{Event, FieldId, Value};

use super::{Flattener, JsonError, NOWHERE, ROOT};

/// A scalar kept until its list is complete.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    /// In the JSON text.
    Part(usize, usize),
    /// In the scratch text.
    Scratch(usize, usize),
    /// An object stood here.
    Object,
}

/// One pass over one text.
pub(super) struct Pass<'t, 'f, 'e> {
    json: &'t str,
    bytes: &'t [u8],
    at: usize,
    offset: Option<usize>,
    /// How many keys were read.
    place: usize,
    depth: usize,
    in_list: bool,
    names: &'f mut Flattener,
    event: &'e mut Event,
}

type Step<T> = Result<T, JsonError>;

impl<'t, 'f, 'e> Pass<'t, 'f, 'e> {
    pub(super) fn new(
        json: &'t str,
        offset: Option<usize>,
        names: &'f mut Flattener,
        event: &'e mut Event,
    ) -> Self {
        let bytes = json.as_bytes();
        Self { json, bytes, at: 0, offset, place: 0, depth: 0, in_list: false, names, event }
    }

    /// Reads the whole text: one object.
    pub(super) fn whole(&mut self) -> Step<()> {
        self.expect(b'{', "an object is expected")?;
        self.members(ROOT)?;
        self.blanks();
        if self.at < self.bytes.len() {
            return self.fail("more text after the object");
        }
        Ok(())
    }

    fn fail<T>(&self, what: &'static str) -> Step<T> {
        Err(JsonError { at: self.at, what })
    }

    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> u8 {
        self.blanks();
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Step<()> {
        if self.peek() != byte {
            return self.fail(what);
        }
        self.at += 1;
        Ok(())
    }

    /// The members of an object, after its opening brace.
    fn members(&mut self, parent: u32) -> Step<()> {
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != b'"' {
                return self.fail("a key in quotes is expected");
            }
            let node = self.key(parent)?;
            self.expect(b':', "a colon is expected")?;
            self.value(node)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.fail("a comma or a closing brace is expected"),
            }
        }
    }

    fn key(&mut self, parent: u32) -> Step<u32> {
        let place = self.place;
        self.place += 1;
        match self.string()? {
            Item::Part(start, end) => {
                let key = &self.json[start..end];
                Ok(self.names.child(parent, key, place))
            }
            Item::Scratch(start, _) => {
                let key = self.names.scratch.split_off(start);
                Ok(self.names.child(parent, &key, place))
            }
            _ => Ok(NOWHERE),
        }
    }

    fn value(&mut self, node: u32) -> Step<()> {
        match self.peek() {
            b'{' => self.object(node),
            b'[' => self.array(node),
            _ => {
                let item = self.scalar()?;
                self.keep(node, item);
                Ok(())
            }
        }
    }

    fn object(&mut self, node: u32) -> Step<()> {
        if self.depth >= self.names.limits.nesting {
            self.names.dropped.nesting += 1;
            return self.skip();
        }
        self.depth += 1;
        self.at += 1;
        self.keep(node, Item::Object);
        self.members(node)?;
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, node: u32) -> Step<()> {
        if self.depth >= self.names.limits.nesting {
            self.names.dropped.nesting += 1;
            return self.skip();
        }
        self.depth += 1;
        self.at += 1;
        let outermost = !self.in_list;
        self.in_list = true;
        let mut any = false;
        if self.peek() == b']' {
            self.at += 1;
        } else {
            any = true;
            loop {
                self.value(node)?;
                match self.peek() {
                    b',' => self.at += 1,
                    b']' => {
                        self.at += 1;
                        break;
                    }
                    _ => return self.fail("a comma or a closing bracket is expected"),
                }
            }
        }
        self.depth -= 1;
        if outermost {
            self.in_list = false;
            self.end_list(node, any);
        }
        Ok(())
    }

    /// Turns the items kept since the outermost array began into one list per field.
    fn end_list(&mut self, node: u32, any: bool) {
        if !any {
            if let Some(field) = self.field(node)
                && self.names.admit(self.event, node, field)
            {
                self.event.push_list(field, []);
            }
            return;
        }
        let mut items = std::mem::take(&mut self.names.items);
        let mixed = items.windows(2).any(|pair| pair[0].0 != pair[1].0);
        if mixed {
            items.sort_by_key(|(field, _)| *field);
        }
        let mut rest = &items[..];
        while let Some((field, _)) = rest.first() {
            let field = *field;
            let count = rest.iter().take_while(|(other, _)| *other == field).count();
            self.push_items(field, &rest[..count]);
            rest = &rest[count..];
        }
        items.clear();
        self.names.items = items;
    }

    fn push_items(&mut self, field: FieldId, items: &[(FieldId, Item)]) {
        if !self.names.admit(self.event, NOWHERE, field) {
            return;
        }
        let scalars = items.iter().filter(|(_, item)| !matches!(item, Item::Object));
        if scalars.clone().next().is_none() {
            self.event.push(field, Value::Object);
            return;
        }
        let limit = self.names.limits.list_items;
        self.names.dropped.items += scalars.clone().count().saturating_sub(limit) as u64;
        let (json, scratch) = (self.json, &self.names.scratch);
        let values = scalars.take(limit).map(|(_, item)| view(*item, json, scratch));
        self.event.push_list(field, values);
    }

    fn field(&self, node: u32) -> Option<FieldId> {
        self.names.nodes.get(node as usize)?.field
    }

    fn keep(&mut self, node: u32, item: Item) {
        let Some(field) = self.field(node) else {
            self.names.dropped.names += 1;
            return;
        };
        if self.in_list {
            if self.names.items.len() < self.names.limits.list_items * 16 {
                self.names.items.push((field, item));
            } else {
                self.names.dropped.items += 1;
            }
            return;
        }
        if self.names.admit(self.event, node, field) {
            self.push(field, item);
        }
    }

    fn push(&mut self, field: FieldId, item: Item) {
        match (item, self.offset) {
            (Item::Part(start, end), Some(offset)) => {
                self.event.push_part(field, offset + start..offset + end);
            }
            (Item::Int(number), _) => self.event.push_int(field, number),
            _ => self.event.push(field, view(item, self.json, &self.names.scratch)),
        }
    }

    fn scalar(&mut self) -> Step<Item> {
        match self.peek() {
            b'"' => self.string(),
            b't' => self.word("true", Item::Bool(true)),
            b'f' => self.word("false", Item::Bool(false)),
            b'n' => self.word("null", Item::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.fail("a value is expected"),
        }
    }

    fn word(&mut self, word: &str, item: Item) -> Step<Item> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.fail("a value is expected");
        }
        self.at += word.len();
        Ok(item)
    }

    fn number(&mut self) -> Step<Item> {
        let start = self.at;
        let negative = self.bytes[start] == b'-';
        self.at += usize::from(negative);
        let digits = self.at;
        let mut magnitude: Option<u64> = Some(0);
        while let Some(digit @ b'0'..=b'9') = self.bytes.get(self.at) {
            magnitude = magnitude
                .and_then(|number| number.checked_mul(10))
                .and_then(|number| number.checked_add(u64::from(digit - b'0')));
            self.at += 1;
        }
        if self.at == digits {
            return self.fail("a digit is expected");
        }
        let whole_end = self.at;
        while let Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-') = self.bytes.get(self.at) {
            self.at += 1;
        }
        if self.at > whole_end {
            let number = self.json[start..self.at].parse::<f64>();
            return number.map(Item::Float).or_else(|_| self.fail("a bad number"));
        }
        Ok(match (magnitude, negative) {
            (Some(number), false) => i64::try_from(number).map_or(Item::UInt(number), Item::Int),
            (Some(number), true) if number <= 1 << 63 => {
                Item::Int(0i64.wrapping_sub_unsigned(number))
            }
            // More digits than any number type holds: the text is exact.
            _ => Item::Part(start, whole_end),
        })
    }

    /// A string, from its opening quote.
    fn string(&mut self) -> Step<Item> {
        let start = self.at + 1;
        match memchr2(b'"', b'\\', &self.bytes[start..]) {
            Some(found) if self.bytes[start + found] == b'"' => {
                self.at = start + found + 1;
                Ok(Item::Part(start, start + found))
            }
            Some(found) => self.escaped(start, start + found),
            None => self.fail("a string without its closing quote"),
        }
    }

    /// A string whose first backslash is at `at`.
    fn escaped(&mut self, start: usize, mut at: usize) -> Step<Item> {
        let from = self.names.scratch.len();
        let from = if self.in_list || from == 0 { from } else { 0 };
        self.names.scratch.truncate(from);
        let mut plain = start;
        loop {
            self.names.scratch.push_str(&self.json[plain..at]);
            if self.bytes[at] == b'"' {
                self.at = at + 1;
                return Ok(Item::Scratch(from, self.names.scratch.len()));
            }
            self.at = at;
            plain = self.escape(at)?;
            match memchr2(b'"', b'\\', &self.bytes[plain..]) {
                Some(found) => at = plain + found,
                None => return self.fail("a string without its closing quote"),
            }
        }
    }

    /// The escape whose backslash is at `at`; where the text goes on.
    fn escape(&mut self, at: usize) -> Step<usize> {
        let character = match self.bytes.get(at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(at),
            // nginx writes \xNN into what should be JSON: keep it as it stands.
            Some(b'x') => {
                self.names.scratch.push_str("\\x");
                return Ok(at + 2);
            }
            _ => return self.fail("an unknown escape"),
        };
        self.names.scratch.push(character);
        Ok(at + 2)
    }

    fn unicode(&mut self, at: usize) -> Step<usize> {
        let Some(high) = self.hex4(at + 2) else { return self.fail("a bad \\u escape") };
        if (0xd800..0xdc00).contains(&high)
            && self.bytes.get(at + 6..at + 8) == Some(b"\\u")
            && let Some(low) = self.hex4(at + 8)
            && (0xdc00..0xe000).contains(&low)
        {
            let joined = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            self.names.scratch.push(char::from_u32(joined).unwrap_or('\u{fffd}'));
            return Ok(at + 12);
        }
        self.names.scratch.push(char::from_u32(high).unwrap_or('\u{fffd}'));
        Ok(at + 6)
    }

    fn hex4(&self, at: usize) -> Option<u32> {
        let digits = self.bytes.get(at..at + 4)?;
        digits
            .iter()
            .try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
    }

    /// Passes over a container that is nested too deep, without recursion.
    fn skip(&mut self) -> Step<()> {
        let mut open = 0usize;
        loop {
            match self.peek() {
                b'{' | b'[' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    open -= 1;
                    self.at += 1;
                    if open == 0 {
                        return Ok(());
                    }
                }
                b'"' => {
                    self.string()?;
                }
                0 if self.at >= self.bytes.len() => return self.fail("the text ends too early"),
                _ => self.at += 1,
            }
        }
    }
}

fn view<'a>(item: Item, json: &'a str, scratch: &'a str) -> Value<'a> {
    match item {
        Item::Null => Value::Null,
        Item::Bool(flag) => Value::Bool(flag),
        Item::Int(number) => Value::Int(number),
        Item::UInt(number) => Value::UInt(number),
        Item::Float(number) => Value::Float(number),
        Item::Part(start, end) => Value::Str(json.get(start..end).unwrap_or("")),
        Item::Scratch(start, end) => Value::Str(scratch.get(start..end).unwrap_or("")),
        Item::Object => Value::Object,
    }
}
