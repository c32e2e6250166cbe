//! [`Gatherer`]: documents of one kind gather until there are enough of them to stand together in
//! the index, where neighbours that are alike take less room and less time.

use std::collections::HashMap;

use tantivy::TantivyDocument;

/// The most documents of one kind that gather. Few events between two commits stay together, go
/// to one thread, and become one segment.
const ALIKE_DOCUMENTS_MAX: usize = 512;
/// The most bytes of stored events of one kind that gather.
const ALIKE_BYTES_MAX: usize = 512 * 1024;
/// The most bytes of stored events that gather in all; the documents they belong to take some
/// times as much memory.
const ALL_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Documents that go to an indexing thread together.
#[derive(Default)]
pub(crate) struct Batch {
    pub documents: Vec<TantivyDocument>,
    /// Bytes of their stored events.
    pub bytes: usize,
}

/// What gathers, by kind.
#[derive(Default)]
pub(crate) struct Gatherer {
    kinds: HashMap<Box<str>, Batch>,
    bytes: usize,
}

impl Gatherer {
    /// Takes a document; gives a batch when there is one.
    pub(crate) fn add(
        &mut self,
        kind: &str,
        document: TantivyDocument,
        bytes: usize,
    ) -> Option<Batch> {
        if !self.kinds.contains_key(kind) {
            self.kinds.insert(kind.into(), Batch::default());
        }
        let batch = self.kinds.get_mut(kind)?;
        batch.documents.push(document);
        batch.bytes += bytes;
        self.bytes += bytes;
        let enough = batch.documents.len() >= ALIKE_DOCUMENTS_MAX || batch.bytes >= ALIKE_BYTES_MAX;
        if enough {
            let full = std::mem::take(batch);
            self.bytes -= full.bytes;
            return Some(full);
        }
        (self.bytes >= ALL_BYTES_MAX).then(|| self.rest())
    }

    /// Everything that is there, those of a kind together.
    pub(crate) fn rest(&mut self) -> Batch {
        self.bytes = 0;
        let mut kinds: Vec<_> = self.kinds.drain().collect();
        kinds.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        let mut all = Batch::default();
        for (_, batch) in kinds {
            all.bytes += batch.bytes;
            all.documents.extend(batch.documents);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_stays_together_and_nothing_is_kept_back() {
        let mut gatherer = Gatherer::default();
        let (mut given, mut whole) = (0, 0);
        for number in 0..2000 {
            let kind = ["a", "b", "c"][number % 3];
            if let Some(batch) = gatherer.add(kind, TantivyDocument::default(), 10) {
                assert_eq!((batch.documents.len(), batch.bytes), (512, 5120));
                given += batch.documents.len();
                whole += 1;
            }
        }
        assert_eq!(whole, 3);
        let rest = gatherer.rest();
        assert_eq!(given + rest.documents.len(), 2000);
        assert_eq!(rest.bytes, rest.documents.len() * 10);
        assert!(gatherer.rest().documents.is_empty());
        let large = gatherer.add("a", TantivyDocument::default(), ALIKE_BYTES_MAX);
        assert_eq!(large.map(|batch| batch.documents.len()), Some(1));
        let mut all = 0;
        for number in 0..100 {
            let kind = number.to_string();
            let batch = gatherer.add(&kind, TantivyDocument::default(), 100_000);
            all += batch.map_or(0, |batch| batch.documents.len());
        }
        assert_eq!(all + gatherer.rest().documents.len(), 100);
        assert!(all > 0);
    }
}
