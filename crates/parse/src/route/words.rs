//! [`Words`]: whether a text holds any of the words that routes look for anywhere, all looked for
//! at once.

use aho_corasick::AhoCorasick;
use aho_corasick::packed::{Config, Searcher};

/// The words of routes.
#[derive(Debug)]
pub(crate) enum Words {
    /// As the processor looks for many of them in one step.
    Packed(Searcher),
    /// As an automaton, where it cannot or they are too many.
    Automaton(AhoCorasick),
}

impl Words {
    /// Of these words; `None` when they are too many for an automaton.
    pub(crate) fn of<'w>(words: impl Iterator<Item = &'w [u8]>) -> Option<Self> {
        let mut words: Vec<&[u8]> = words.collect();
        words.sort_unstable();
        words.dedup();
        let packed = Config::new().heuristic_pattern_limits(false).builder().extend(&words).build();
        match packed {
            Some(packed) => Some(Self::Packed(packed)),
            None => AhoCorasick::new(words).ok().map(Self::Automaton),
        }
    }

    /// Whether a text holds any of them.
    pub(crate) fn any_in(&self, text: &str) -> bool {
        match self {
            Self::Packed(searcher) => searcher.find(text).is_some(),
            Self::Automaton(automaton) => automaton.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_word_is_found_anywhere() {
        let some: Vec<Vec<u8>> = [" CEF:0|", "login", "failed login", "in:", "] TCP "]
            .map(|word| word.as_bytes().to_vec())
            .into();
        let many: Vec<Vec<u8>> =
            (0..300).map(|number| format!("word{number};").into_bytes()).collect();
        for words in [some.clone(), [some, many].concat()] {
            let words = Words::of(words.iter().map(Vec::as_slice)).unwrap();
            for text in ["a failed login of x", "host CEF:0|x", "login", "xin:", "[1] TCP x"] {
                assert!(words.any_in(text), "{text}");
            }
            for text in ["", "Login", "logi", "CEF:0|", "in", "word300"] {
                assert!(!words.any_in(text), "{text}");
            }
        }
        assert!(!Words::of([].into_iter()).is_some_and(|words| words.any_in("text")));
    }
}
