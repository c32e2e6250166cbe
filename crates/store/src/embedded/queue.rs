//! How much waits to be indexed: documents count against a limit until an indexing thread takes
//! them, so that a fast sender waits instead of filling the memory.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tantivy::TantivyDocument;
use tantivy::schema::document::Document;

/// The longest wait for room; after it the document goes in all the same. Indexing threads that
/// end give their room back, so this is only for those that hang.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Bytes that wait, and the most that may.
pub(crate) struct Queue {
    bytes_max: usize,
    bytes: Mutex<usize>,
    freed: Condvar,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max, bytes: Mutex::new(0), freed: Condvar::new() })
    }

    /// Waits for room; one document always has room.
    fn enter(self: &Arc<Self>, bytes: usize) -> Permit {
        let waiting = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |waiting: &mut usize| *waiting > 0 && *waiting + bytes > self.bytes_max;
        let (mut waiting, _) = self
            .freed
            .wait_timeout_while(waiting, WAIT_MAX, full)
            .unwrap_or_else(PoisonError::into_inner);
        *waiting += bytes;
        Permit { queue: Arc::clone(self), bytes }
    }
}

/// A document's share of the queue, given back when it is dropped.
struct Permit {
    queue: Arc<Queue>,
    bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut waiting = self.queue.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        *waiting = waiting.saturating_sub(self.bytes);
        self.queue.freed.notify_one();
    }
}

/// Documents that travel to an indexing thread together.
pub(crate) struct Queued {
    document: TantivyDocument,
    _permit: Arc<Shared>,
}

/// One permit for a whole batch: it is given back with the last document.
struct Shared {
    _permit: Permit,
}

/// Puts a batch into the queue.
pub(crate) fn enqueue(
    queue: &Arc<Queue>,
    documents: Vec<TantivyDocument>,
    bytes: usize,
) -> Vec<Queued> {
    let shared = Arc::new(Shared { _permit: queue.enter(bytes) });
    let queued =
        documents.into_iter().map(|document| Queued { document, _permit: Arc::clone(&shared) });
    queued.collect()
}

impl Document for Queued {
    type Value<'a> = <TantivyDocument as Document>::Value<'a>;
    type FieldsValuesIter<'a> = <TantivyDocument as Document>::FieldsValuesIter<'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        self.document.iter_fields_and_values()
    }

    fn into_tantivy_document(self) -> TantivyDocument {
        self.document
    }
}
