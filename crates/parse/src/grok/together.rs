//! Many patterns asked at once: one pass over the beginning of a text tells which of them it may
//! fit, which it cannot, and mostly which it does.
//!
//! In: patterns as parsed. Out: for each a [`Verdict`]. Never says no to what a pattern fits,
//! nor yes to what it does not: where the automaton cannot know, the pattern itself is asked.

use regex_automata::hybrid::dfa::{Cache, Config, DFA};
use regex_automata::nfa::thompson::NFA;
use regex_automata::{Anchored, Input, MatchKind, PatternSet};
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

use super::syntax::{Bytes, Node};

/// The most bytes of states that one thread keeps of one automaton; at more it begins again.
const STATES_BYTES_MAX: usize = 1 << 20;
/// How often it may begin again before it must have been worth it.
const CLEARED_MAX: usize = 3;
/// Fewer bytes of text than this for each state made are not worth it.
const BYTES_PER_STATE_MIN: usize = 10;
/// Repetitions over this are not counted.
const COUNTED_MAX: u32 = 8;

/// What the beginning of a text says about a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verdict {
    /// It does not fit.
    No,
    /// It may.
    Maybe,
    /// It does.
    Yes,
}

/// Patterns as one automaton, whose states are made as texts need them.
#[derive(Debug)]
pub(crate) struct Together {
    dfa: DFA,
    /// For each pattern whether the automaton says exactly what it fits.
    exact: Vec<bool>,
}

/// The states of one [`Together`] that one thread has met.
#[derive(Debug)]
pub(crate) struct Memory {
    cache: Cache,
    found: PatternSet,
}

impl Together {
    /// Puts patterns together; `None` when they are too many for an automaton.
    pub(crate) fn of(nodes: &[Node]) -> Option<Self> {
        let parts: Vec<Part> = nodes.iter().map(|node| part(node).ended()).collect();
        let hirs: Vec<&Hir> = parts.iter().map(|part| &part.hir).collect();
        let nfa = NFA::compiler()
            .configure(NFA::config().utf8(false).shrink(false))
            .build_many_from_hir(&hirs)
            .ok()?;
        let config = Config::new()
            .match_kind(MatchKind::All)
            .skip_cache_capacity_check(true)
            .cache_capacity(STATES_BYTES_MAX)
            .minimum_cache_clear_count(Some(CLEARED_MAX))
            .minimum_bytes_per_state(Some(BYTES_PER_STATE_MIN));
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).ok()?;
        Some(Self { dfa, exact: parts.iter().map(|part| part.exact).collect() })
    }

    /// What each pattern says to a text, by number; all of it is "maybe" where the texts have
    /// so little in common that the automaton is not worth it.
    pub(crate) fn ask<'m>(
        &'m self,
        memory: &'m mut Option<Box<Memory>>,
        text: &str,
    ) -> impl Fn(usize) -> Verdict + 'm {
        let memory = memory.get_or_insert_with(|| {
            let found = PatternSet::new(self.exact.len());
            Box::new(Memory { cache: self.dfa.create_cache(), found })
        });
        memory.found.clear();
        let input = Input::new(text).anchored(Anchored::Yes);
        let found = &mut memory.found;
        let known = self.dfa.try_which_overlapping_matches(&mut memory.cache, &input, found);
        let (known, found) = (known.is_ok(), &memory.found);
        move |number| {
            let id = regex_automata::PatternID::new(number).ok();
            match id.is_some_and(|id| found.contains(id)) {
                _ if !known => Verdict::Maybe,
                true if self.exact.get(number) == Some(&true) => Verdict::Yes,
                true => Verdict::Maybe,
                false => Verdict::No,
            }
        }
    }
}

/// A part of a pattern as the automaton sees it.
struct Part {
    hir: Hir,
    /// Whether it ends where a text may go on in any way, so that nothing after it is looked at.
    cut: bool,
    /// Whether it fits what the pattern fits, and not more.
    exact: bool,
}

impl Part {
    fn exactly(hir: Hir) -> Self {
        Self { hir, cut: false, exact: true }
    }

    /// With the end of the text, unless it may go on.
    fn ended(self) -> Self {
        if self.cut {
            return self;
        }
        Self { hir: Hir::concat(vec![self.hir, Hir::look(Look::End)]), ..self }
    }
}

fn part(node: &Node) -> Part {
    match node {
        Node::Literal(bytes) => Part::exactly(Hir::literal(bytes.as_slice())),
        Node::Set(set) => Part::exactly(class(set)),
        Node::Capture { node, .. } => part(node),
        Node::All(all) => sequence(all),
        Node::Any(all) => {
            let parts: Vec<Part> = all.iter().map(part).collect();
            let cut = parts.iter().any(|part| part.cut);
            // What is cut goes on in any way, what is not must end: together they know neither.
            let alike = parts.iter().all(|part| part.cut == cut);
            let exact = alike && parts.iter().all(|part| part.exact);
            let hir = Hir::alternation(parts.into_iter().map(|part| part.hir).collect());
            Part { hir, cut, exact }
        }
        Node::InQuotes => {
            // It takes all that it can, which an automaton does not know.
            let but = class(&Bytes::of(*b"\"\\").not());
            let pair = Hir::concat(vec![Hir::literal(*b"\\"), class(&Bytes::ALL)]);
            let inside = repeated(Hir::alternation(vec![but, pair]), 0, None);
            let last = repeated(Hir::literal(*b"\\"), 0, Some(1));
            Part { hir: Hir::concat(vec![inside, last]), cut: false, exact: false }
        }
        Node::Repeat { node, min, max, .. } => repeat(node, *min, *max),
    }
}

fn sequence(all: &[Node]) -> Part {
    let mut whole = Part { hir: Hir::empty(), cut: false, exact: true };
    let mut hirs = Vec::new();
    for (place, node) in all.iter().enumerate() {
        let Part { hir, cut, exact } = part(node);
        hirs.push(hir);
        whole.exact &= exact;
        if cut {
            whole.cut = true;
            whole.exact &= place + 1 == all.len();
            break;
        }
    }
    whole.hir = Hir::concat(hirs);
    whole
}

fn repeat(node: &Node, min: u32, max: u32) -> Part {
    if *node == Node::Set(Bytes::ALL) {
        let exact = min == 0 && max == u32::MAX;
        return Part { hir: Hir::empty(), cut: true, exact };
    }
    let inner = part(node);
    if inner.cut {
        return Part { hir: Hir::empty(), cut: true, exact: false };
    }
    let least = min.min(COUNTED_MAX);
    let most = (max <= COUNTED_MAX).then_some(max);
    let exact = inner.exact && least == min && (most.is_some() || max == u32::MAX);
    Part { hir: repeated(inner.hir, least, most), cut: false, exact }
}

fn repeated(hir: Hir, min: u32, max: Option<u32>) -> Hir {
    Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(hir) })
}

fn class(set: &Bytes) -> Hir {
    let bytes = (0..=255u8).filter(|byte| set.has(*byte));
    Hir::class(Class::Bytes(ClassBytes::new(bytes.map(|byte| ClassBytesRange::new(byte, byte)))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::grok::{Outcome, Pattern, Slots, syntax};

    const PATTERNS: &[&str] = &[
        "%{GREEDYDATA}",
        "a%{DATA}b",
        "a%{DATA}b%{GREEDYDATA}",
        "(?:a|bb%{GREEDYDATA})c",
        "(?:a|b)%{GREEDYDATA}",
        "(?:ab|b%{GREEDYDATA})",
        "%{INT} ab",
        "[ab]{2,3}",
        "[ab]{2,30}1",
        "(?:ab){0,40}",
        "(?:a%{DATA}b)?1",
        "\"%{INQUOTES}\" a",
        "%{INQUOTES}a",
        "%{INQUOTES}",
        "%{WORD}",
        "%{WORD}%{SPACE}1",
        "",
        ".{3}",
        ".{0,2}",
        "a.?b",
        "\\D+ \\d",
    ];

    /// Asks all patterns together and one by one.
    fn agree(patterns: &[&str], texts: &[String]) {
        let nodes: Vec<Node> = patterns.iter().map(|text| syntax::read(text).unwrap().0).collect();
        let together = Together::of(&nodes).unwrap();
        let (mut memory, mut slots) = (None, Slots::default());
        for text in texts {
            let verdict = together.ask(&mut memory, text);
            for (number, pattern) in patterns.iter().enumerate() {
                let alone = Pattern::compile(pattern).unwrap().matches(text, &mut slots);
                match verdict(number) {
                    Verdict::No => assert_eq!(alone, Outcome::Differs, "{pattern:?} {text:?}"),
                    Verdict::Yes => assert_eq!(alone, Outcome::Fits, "{pattern:?} {text:?}"),
                    Verdict::Maybe => {}
                }
            }
        }
    }

    #[test]
    fn exact_where_it_can_be() {
        let of = |text: &str| part(&syntax::read(text).unwrap().0).exact;
        for exact in ["a%{GREEDYDATA}", "%{ISO8601} %{IP} .*", "%{CTIME}", "(?:a|b).*", "a{3}"] {
            assert!(of(exact), "{exact}");
        }
        for unsure in ["a.*b", "(?:a|b.*)", "%{INQUOTES}\"", "a{9}", "(?:a.*)+", ".+"] {
            assert!(!of(unsure), "{unsure}");
        }
    }

    proptest! {
        #[test]
        fn says_what_each_says_alone(
            texts in prop::collection::vec("[ab1 \"\\\\\n]{0,9}|(ab){0,12}1?", 1..12),
        ) {
            agree(PATTERNS, &texts);
        }

        #[test]
        fn whatever_the_patterns(
            patterns in prop::collection::vec("([ab1]|\\[ab\\][*+]?|%\\{DATA\\}|%\\{INT\\}|\\(\\?:a\\|b1\\)[?*]?|\\(\\?:a\\.\\*\\|1\\)){0,5}(\\.\\*)?", 1..6),
            texts in prop::collection::vec("[ab1]{0,9}", 1..12),
        ) {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let good = |text: &&str| Pattern::compile(text).is_ok();
            let patterns: Vec<&str> = patterns.into_iter().filter(good).collect();
            agree(&patterns, &texts);
        }
    }
}
