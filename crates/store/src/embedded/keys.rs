//! [`KeysQuery`]: events that have one of some keys of a field's term dictionary, given outright
//! or by a test over a part of the dictionary.

use std::fmt;
use std::sync::Arc;

use tantivy::index::{InvertedIndexReader, SegmentReader};
use tantivy::postings::TermInfo;
use tantivy::query::{
    BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, TantivyError};

/// Asked about a key of the dictionary.
pub(crate) type Accept = Arc<dyn Fn(&[u8]) -> bool + Send + Sync>;

/// Which keys.
#[derive(Clone)]
pub(crate) enum Keys {
    /// These.
    Exact(Vec<Vec<u8>>),
    /// Those that start with `prefix` and are accepted.
    Scan { prefix: Vec<u8>, accept: Accept },
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(keys) => write!(f, "one of {} keys", keys.len()),
            Self::Scan { prefix, .. } => write!(f, "a key {prefix:?}…"),
        }
    }
}

/// Events with one of the keys in the field.
#[derive(Clone)]
pub(crate) struct KeysQuery {
    pub field: Field,
    pub keys: Keys,
}

impl fmt::Debug for KeysQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} has {}", self.field, self.keys)
    }
}

impl Query for KeysQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(KeysWeight(self.clone())))
    }
}

struct KeysWeight(KeysQuery);

impl KeysWeight {
    fn terms(&self, index: &InvertedIndexReader) -> tantivy::Result<Vec<TermInfo>> {
        let dictionary = index.terms();
        let mut terms = Vec::new();
        match &self.0.keys {
            Keys::Exact(keys) => {
                for key in keys {
                    terms.extend(dictionary.get(key)?);
                }
            }
            Keys::Scan { prefix, accept } => {
                let mut range = dictionary.range().ge(prefix);
                if let Some(end) = prefix_end(prefix) {
                    range = range.lt(end);
                }
                let mut stream = range.into_stream()?;
                while stream.advance() {
                    if accept(stream.key()) {
                        terms.push(stream.value().clone());
                    }
                }
            }
        }
        Ok(terms)
    }
}

impl Weight for KeysWeight {
    fn scorer(&self, reader: &SegmentReader, boost: f32) -> tantivy::Result<Box<dyn Scorer>> {
        let index = reader.inverted_index(self.0.field)?;
        let terms = self.terms(&index)?;
        match terms.as_slice() {
            [] => Ok(Box::new(EmptyScorer)),
            [term] => {
                let postings = index.read_postings_from_terminfo(term, IndexRecordOption::Basic)?;
                Ok(Box::new(ConstScorer::new(postings, boost)))
            }
            terms => {
                let documents = union(&index, terms, reader.max_doc())?;
                Ok(Box::new(ConstScorer::new(BitSetDocSet::from(documents), boost)))
            }
        }
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("nothing here is scored".to_owned()))
    }
}

fn union(
    index: &InvertedIndexReader,
    terms: &[TermInfo],
    documents: u32,
) -> tantivy::Result<BitSet> {
    let mut all = BitSet::with_max_value(documents);
    for term in terms {
        let mut postings =
            index.read_block_postings_from_terminfo(term, IndexRecordOption::Basic)?;
        while !postings.docs().is_empty() {
            for document in postings.docs() {
                all.insert(*document);
            }
            postings.advance();
        }
    }
    Ok(all)
}

/// The first key after all keys with this prefix; `None` when there is none.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            return Some(end);
        }
        end.pop();
    }
    None
}

/// Events that another query does not mean.
#[derive(Debug)]
pub(crate) struct NotQuery(pub Box<dyn Query>);

impl Clone for NotQuery {
    fn clone(&self) -> Self {
        Self(self.0.box_clone())
    }
}

impl Query for NotQuery {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(NotWeight(self.0.weight(scoring)?)))
    }
}

struct NotWeight(Box<dyn Weight>);

impl Weight for NotWeight {
    fn scorer(&self, reader: &SegmentReader, boost: f32) -> tantivy::Result<Box<dyn Scorer>> {
        let mut documents = BitSet::with_max_value_and_full(reader.max_doc());
        self.0.for_each_no_score(reader, &mut |found| {
            for document in found {
                documents.remove(*document);
            }
        })?;
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(documents), boost)))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("nothing here is scored".to_owned()))
    }
}

/// Asked about a value of a column, as order-preserving bits.
pub(crate) type AcceptBits = Arc<dyn Fn(u64) -> bool + Send + Sync>;

/// Events with an accepted value in the column: looks at every value, for rare questions such as
/// a wildcard over a number.
#[derive(Clone)]
pub(crate) struct ColumnQuery {
    pub field: Field,
    pub accept: AcceptBits,
}

impl fmt::Debug for ColumnQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} has an accepted value", self.field)
    }
}

impl Query for ColumnQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(ColumnWeight(self.clone())))
    }
}

struct ColumnWeight(ColumnQuery);

impl Weight for ColumnWeight {
    fn scorer(&self, reader: &SegmentReader, boost: f32) -> tantivy::Result<Box<dyn Scorer>> {
        let name = reader.schema().get_field_name(self.0.field);
        let Some((column, _)) = reader.fast_fields().u64_lenient(name)? else {
            return Ok(Box::new(EmptyScorer));
        };
        let mut documents = BitSet::with_max_value(reader.max_doc());
        for document in 0..reader.max_doc() {
            if column.values_for_doc(document).any(|bits| (self.0.accept)(bits)) {
                documents.insert(document);
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(documents), boost)))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("nothing here is scored".to_owned()))
    }
}
