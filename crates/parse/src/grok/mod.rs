//! Patterns that cut fields out of a text: grok, compiled for matching the whole text from its
//! start to its end in linear time.
//!
//! In: the text of a pattern. Out: where its captures lie in a matching text. Never searches:
//! a pattern that may stand anywhere says so with `%{DATA}` or `%{GREEDYDATA}` at its ends.

mod compile;
mod library;
mod machine;
mod syntax;
mod together;

use memchr::memmem::Finder;

use compile::Op;
pub(crate) use machine::{CAPTURES_MAX, Outcome, Slots};
pub(crate) use syntax::{Bytes, Capture, Node};
pub(crate) use together::{Memory, Together, Verdict};

/// A required literal shorter than this, in bytes, is not worth looking for first.
const REQUIRED_BYTES_MIN: usize = 4;

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    ops: Vec<Op>,
    /// The captures, by index.
    pub captures: Vec<Capture>,
    /// The bytes a fitting text may begin with, and whether it may be empty.
    pub first: (Bytes, bool),
    required: Option<Finder<'static>>,
}

impl Pattern {
    /// Compiles a pattern; `Err` says what is wrong, lower case.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        let (node, captures) = syntax::read(text)?;
        if captures.len() > CAPTURES_MAX {
            return Err(format!("more than {CAPTURES_MAX} captures"));
        }
        let ops = compile::compile(&node)?;
        let first = compile::first_of(&ops, 0, 0);
        let required = compile::required(&node);
        let literal_start = matches!(ops.first(), Some(Op::Literal(_)));
        let required = (!literal_start && required.len() >= REQUIRED_BYTES_MIN)
            .then(|| Finder::new(&required).into_owned());
        Ok(Self { ops, captures, first, required })
    }

    /// Parses a pattern, for [`Together`].
    pub(crate) fn parse(text: &str) -> Option<Node> {
        syntax::read(text).ok().map(|(node, _)| node)
    }

    /// Matches the whole text; the slots are set when it fits.
    pub(crate) fn matches(&self, text: &str, slots: &mut Slots) -> Outcome {
        let may = match text.as_bytes().first() {
            Some(byte) => self.first.0.has(*byte),
            None => self.first.1,
        };
        if !may {
            return Outcome::Differs;
        }
        if let Some(required) = &self.required
            && required.find(text.as_bytes()).is_none()
        {
            return Outcome::Differs;
        }
        machine::run(&self.ops, self.captures.len(), text, slots)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
