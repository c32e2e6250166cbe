//! Sign-ins that were begun and have not come back yet. In memory; bounded, in all and from each
//! address.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long somebody may take at the provider.
pub const PENDING_TIME_MAX: Duration = Duration::from_secs(600);
/// The most at the same time.
const PENDING_MAX: usize = 10_000;
/// The most from one address.
const PENDING_FROM_ONE_MAX: usize = 100;

/// One that was begun.
#[derive(Debug, Clone)]
pub struct Pending {
    /// In the ID token it has to be the same.
    pub nonce: String,
    /// Whose hash the provider has.
    pub verifier: String,
    /// Hash of what the browser's cookie holds.
    pub browser: String,
    /// Where the provider sends the browser.
    pub redirect: String,
    /// Where on the page it goes on.
    pub to: String,
    /// From where it was begun.
    pub from: String,
}

/// All of them, by the hash of their state.
#[derive(Default)]
pub struct PendingBook(Mutex<HashMap<String, (Instant, Pending)>>);

impl PendingBook {
    /// Remembers one; the oldest of the same address goes when there are too many of it, and the
    /// oldest of all when there are too many in all.
    pub fn add(&self, state: String, pending: Pending, now: Instant) {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        book.retain(|_, (at, _)| now.duration_since(*at) < PENDING_TIME_MAX);
        let of_one = book.values().filter(|(_, other)| other.from == pending.from).count();
        let only = (of_one >= PENDING_FROM_ONE_MAX).then_some(pending.from.as_str());
        if only.is_some() || book.len() >= PENDING_MAX {
            let oldest = book
                .iter()
                .filter(|(_, (_, other))| only.is_none_or(|from| other.from == from))
                .min_by_key(|(_, (at, _))| *at)
                .map(|(state, _)| state.clone());
            oldest.map(|oldest| book.remove(&oldest));
        }
        book.insert(state, (now, pending));
    }

    /// Takes the one of a state.
    pub fn take(&self, state: &str, now: Instant) -> Option<Pending> {
        let mut book = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, pending) = book.remove(state)?;
        (now.duration_since(at) < PENDING_TIME_MAX).then_some(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(from: &str) -> Pending {
        let text = String::new;
        Pending {
            nonce: text(),
            verifier: text(),
            browser: text(),
            redirect: text(),
            to: text(),
            from: from.to_owned(),
        }
    }

    #[test]
    fn each_is_good_once_and_for_a_while() {
        let (book, start) = (PendingBook::default(), Instant::now());
        book.add("a".to_owned(), pending("x"), start);
        assert!(book.take("b", start).is_none());
        assert!(book.take("a", start).is_some());
        assert!(book.take("a", start).is_none(), "once");
        book.add("a".to_owned(), pending("x"), start);
        assert!(book.take("a", start + PENDING_TIME_MAX).is_none(), "for a while");
    }

    #[test]
    fn one_address_pushes_out_only_its_own() {
        let (book, start) = (PendingBook::default(), Instant::now());
        book.add("mine".to_owned(), pending("me"), start);
        for number in 0..=PENDING_FROM_ONE_MAX {
            let at = start + Duration::from_millis(number as u64);
            book.add(format!("n{number}"), pending("flood"), at);
        }
        assert!(book.take("n0", start).is_none());
        assert!(book.take("n1", start).is_some());
        assert!(book.take("mine", start).is_some());
    }
}
