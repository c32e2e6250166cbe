//! JSON text → flat fields of an event, in one pass, without an allocation per field.
//!
//! Members of objects become fields with dotted names, arrays become lists, arrays of objects
//! one list per path, containers also leave a [`Value::Object`] under their own name. Whole
//! numbers stay exact. A literal key `a.b` wins over the path a→b; of doubled keys the last
//! wins. Names are found by predicting that this text has the keys of the last one in the same
//! order, which logs mostly have.

pub(crate) mod pairs;
mod scan;
mod windows;

use ahash::AHashMap;
use tocsin_model::{Event, FieldId, field};

use crate::options::Limits;
use scan::{Item, Pass};

/// The most names that one flattener remembers.
const NODES_MAX: usize = 65_536;
/// The most places at which keys are predicted.
const PREDICTED_MAX: usize = 4_096;
/// Longest field name, bytes; what is deeper is dropped and counted.
const NAME_BYTES_MAX: usize = 512;

/// Why a text is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("broken json at byte {at}: {what}")]
pub struct JsonError {
    /// Byte of the text.
    pub at: usize,
    /// What was wrong.
    pub what: &'static str,
}

/// What was dropped, by reason, since the flattener was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Fields over the limit of one event.
    pub fields: u64,
    /// Fields whose name could not be numbered.
    pub names: u64,
    /// Values nested too deep.
    pub nesting: u64,
    /// List elements over the limit.
    pub items: u64,
}

/// A name in the tree of names.
#[derive(Debug)]
struct Node {
    name: String,
    field: Option<FieldId>,
    /// Whether a key on its way holds a dot.
    literal: bool,
}

#[derive(Debug, Clone, Copy)]
struct Predicted {
    parent: u32,
    key: (u32, u32),
    node: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    text: u32,
    literal: bool,
}

/// Flattens JSON texts; keeps names and buffers from one to the next.
#[derive(Debug)]
pub struct Flattener {
    limits: Limits,
    nodes: Vec<Node>,
    children: AHashMap<u32, AHashMap<Box<str>, u32>>,
    predicted: Vec<Predicted>,
    keys: String,
    seen: Vec<Seen>,
    /// The fields of the text flattened last.
    names: Vec<FieldId>,
    text: u32,
    /// Fields the event had before this text.
    first: usize,
    scratch: String,
    items: Vec<(FieldId, Item)>,
    dropped: Dropped,
}

/// Whether Tocsin alone may say what is in a field. How many attempts an event stands for is
/// something that senders know.
fn is_ours(name: &str) -> bool {
    name.starts_with("tocsin.") && name != field::TOCSIN_ATTEMPTS.name()
}

const ROOT: u32 = 0;
/// A name that could not be kept in the tree: its value is dropped.
const NOWHERE: u32 = u32::MAX;

impl Flattener {
    /// A flattener with these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            nodes: vec![Node { name: String::new(), field: None, literal: false }],
            children: AHashMap::new(),
            predicted: Vec::new(),
            keys: String::new(),
            seen: Vec::new(),
            names: Vec::new(),
            text: 0,
            first: 0,
            scratch: String::new(),
            items: Vec::new(),
            dropped: Dropped::default(),
        }
    }

    /// What was dropped so far.
    pub fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// Adds the members of the JSON object `text` to `event`. `offset` says where `text` stands
    /// in [`Event::original`], so that strings need not be copied; `None` when it does not.
    /// On an error nothing is added.
    pub fn flatten(
        &mut self,
        text: &str,
        offset: Option<usize>,
        event: &mut Event,
    ) -> Result<(), JsonError> {
        let before = event.len();
        self.begin(event);
        let mut pass = Pass::new(text, offset, self, event);
        let result = pass.whole();
        self.items.clear();
        if result.is_err() {
            event.remove_range(before..usize::MAX);
            self.text = self.text.wrapping_add(1);
            self.names.clear();
        }
        result
    }

    /// Whether the text flattened last had this field.
    pub fn saw(&self, field: FieldId) -> bool {
        self.seen.get(field.index()).is_some_and(|seen| seen.text == self.text && self.text != 0)
    }

    /// The fields of the text flattened last, in the order they came.
    pub(crate) fn all(&self) -> &[FieldId] {
        &self.names
    }

    /// A number that changes with every text.
    pub(crate) fn stamp(&self) -> u32 {
        self.text
    }

    /// The node of `key` under `parent`, for the key that comes at `place`.
    fn child(&mut self, parent: u32, key: &str, place: usize) -> u32 {
        if let Some(predicted) = self.predicted.get(place)
            && predicted.parent == parent
            && self.keys.as_bytes().get(predicted.key.0 as usize..predicted.key.1 as usize)
                == Some(key.as_bytes())
        {
            return predicted.node;
        }
        let node = self.look_up(parent, key);
        self.predict(parent, key, place, node);
        node
    }

    fn look_up(&mut self, parent: u32, key: &str) -> u32 {
        if parent == NOWHERE {
            return NOWHERE;
        }
        if let Some(node) = self.children.get(&parent).and_then(|children| children.get(key)) {
            return *node;
        }
        let above = &self.nodes[parent as usize];
        let length = above.name.len() + key.len() + 1;
        if self.nodes.len() >= NODES_MAX || length > NAME_BYTES_MAX || key.is_empty() {
            return NOWHERE;
        }
        let name = if parent == ROOT { key.to_owned() } else { format!("{}.{key}", above.name) };
        let literal = above.literal || key.contains('.');
        // Fields of Windows events have the names that Sigma gives them, whatever wraps them.
        let shown = windows::flat_name(&name);
        if is_ours(shown.as_deref().unwrap_or(&name)) {
            return NOWHERE;
        }
        let Some(field) = FieldId::intern(shown.as_deref().unwrap_or(&name)) else {
            return NOWHERE;
        };
        let node = self.nodes.len() as u32;
        self.nodes.push(Node { name, field: Some(field), literal });
        self.children.entry(parent).or_default().insert(key.into(), node);
        node
    }

    fn predict(&mut self, parent: u32, key: &str, place: usize, node: u32) {
        if place >= PREDICTED_MAX || node == NOWHERE {
            return;
        }
        if self.keys.len() > PREDICTED_MAX * 64 {
            self.keys.clear();
            self.predicted.clear();
        }
        let start = self.keys.len() as u32;
        self.keys.push_str(key);
        let predicted = Predicted { parent, key: (start, self.keys.len() as u32), node };
        if place < self.predicted.len() {
            self.predicted[place] = predicted;
        } else if place == self.predicted.len() {
            self.predicted.push(predicted);
        }
    }

    /// Begins a text whose fields are added one by one with [`Flattener::admit_key`].
    pub(crate) fn begin(&mut self, event: &Event) {
        self.first = event.len();
        self.names.clear();
        self.text = self.text.wrapping_add(1);
        if self.text == 0 {
            self.seen.clear();
            self.text = 1;
        }
    }

    /// The place in the tree of a name that raw fields are put under; the root for none.
    pub(crate) fn under(&mut self, name: &str) -> u32 {
        if name.is_empty() { ROOT } else { self.look_up(ROOT, name) }
    }

    /// The field for `key` under a place, when it may be added to the event now.
    pub(crate) fn admit_key(
        &mut self,
        event: &mut Event,
        under: u32,
        key: &str,
        place: usize,
    ) -> Option<FieldId> {
        let node = self.child(under, key, place);
        let Some(field) = self.nodes.get(node as usize).and_then(|node| node.field) else {
            self.dropped.names += 1;
            return None;
        };
        self.admit(event, node, field).then_some(field)
    }

    /// Whether a field may be added now: it is not there yet, or is replaced.
    fn admit(&mut self, event: &mut Event, node: u32, field: FieldId) -> bool {
        let index = field.index();
        if index >= self.seen.len() {
            self.seen.resize(index + 64, Seen::default());
        }
        let literal = self.nodes.get(node as usize).is_some_and(|node| node.literal);
        let seen = &mut self.seen[index];
        if seen.text == self.text {
            if seen.literal && !literal {
                return false;
            }
            seen.literal = literal;
            event.remove(field);
            return true;
        }
        *seen = Seen { text: self.text, literal };
        self.names.push(field);
        if event.len().saturating_sub(self.first) >= self.limits.fields {
            self.dropped.fields += 1;
            return false;
        }
        true
    }
}

/// Flattens one JSON object into an event; see [`Flattener::flatten`].
pub fn flatten_json(
    text: &str,
    offset: Option<usize>,
    event: &mut Event,
    flattener: &mut Flattener,
) -> Result<(), JsonError> {
    flattener.flatten(text, offset, event)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
