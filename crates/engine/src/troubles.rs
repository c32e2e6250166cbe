//! [`Troubles`]: what goes wrong beside the pipeline (archive, retention), for everybody to see
//! until it goes well again.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Mutex, PoisonError};

/// What is wrong, by what was tried.
#[derive(Debug, Default)]
pub struct Troubles(Mutex<BTreeMap<&'static str, String>>);

impl Troubles {
    /// What is wrong right now.
    pub fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Notes how something went; `failed` is said before the reason. Logged when it begins, when
    /// the reason changes, and when it is over.
    pub(crate) fn note<T, E: Display>(
        &self,
        what: &'static str,
        failed: &str,
        done: &Result<T, E>,
    ) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match done {
            Ok(_) => {
                if all.remove(what).is_some() {
                    tracing::info!("{what}: goes well again");
                }
            }
            Err(error) => {
                let text = format!("{failed}: {error}");
                if all.get(what) != Some(&text) {
                    tracing::error!("{text}");
                    all.insert(what, text);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_there_until_it_is_over() {
        let troubles = Troubles::default();
        let (good, bad) = (Ok::<(), &str>(()), Err::<(), &str>("the bucket is away"));
        troubles.note("archive", "a day cannot be archived", &bad);
        troubles.note("archive", "a day cannot be archived", &bad);
        troubles.note("retention", "nothing can be deleted", &Err::<(), _>("read-only"));
        assert_eq!(
            troubles.list(),
            ["a day cannot be archived: the bucket is away", "nothing can be deleted: read-only"]
        );
        troubles.note("archive", "a day cannot be archived", &good);
        assert_eq!(troubles.list(), ["nothing can be deleted: read-only"]);
    }
}
