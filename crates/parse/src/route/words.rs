//! [`Words`]: the routes that are told by words anywhere in a text, all looked for at once.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// The words of routes as one automaton.
#[derive(Debug)]
pub(crate) struct Words {
    finder: AhoCorasick,
    /// For each word the routes that ask for it.
    routes: Vec<Vec<u16>>,
}

impl Words {
    /// Of each word and the route that asks for it; `None` when they are too many for an automaton.
    pub(crate) fn of<'w>(asked: impl Iterator<Item = (&'w [u8], u16)>) -> Option<Self> {
        let (mut words, mut routes): (Vec<&[u8]>, Vec<Vec<u16>>) = (Vec::new(), Vec::new());
        for (word, route) in asked {
            match words.iter().position(|known| *known == word) {
                Some(at) => routes[at].push(route),
                None => {
                    words.push(word);
                    routes.push(vec![route]);
                }
            }
        }
        let finder = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(words).ok()?;
        Some(Self { finder, routes })
    }

    /// Calls `each` with the routes one of whose words a text holds, some perhaps more than once.
    pub(crate) fn in_text(&self, text: &str, mut each: impl FnMut(u16)) {
        for found in self.finder.find_overlapping_iter(text) {
            for route in self.routes.get(found.pattern().as_usize()).into_iter().flatten() {
                each(*route);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_overlap_are_all_found() {
        let asked: [(&[u8], u16); 5] =
            [(b" CEF:0|", 1), (b"login", 2), (b"failed login", 3), (b"login", 4), (b"in", 5)];
        let words = Words::of(asked.into_iter()).unwrap();
        let found = |text: &str| {
            let mut found = Vec::new();
            words.in_text(text, |route| found.push(route));
            found.sort_unstable();
            found.dedup();
            found
        };
        assert_eq!(found("a failed login of x"), [2, 3, 4, 5]);
        assert_eq!(found("host CEF:0|x"), [1]);
        assert_eq!(found("Login"), [5]);
        assert_eq!(found(""), [0u16; 0]);
    }
}
