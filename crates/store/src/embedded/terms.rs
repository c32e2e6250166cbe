//! [`TermsQuery`]: events that have one of some texts in a column: its dictionary is asked for
//! their numbers, and then the column for the events, so that no postings are needed.

use std::fmt;

use tantivy::columnar::{Column, ColumnIndex, StrColumn};
use tantivy::index::SegmentReader;
use tantivy::query::{
    BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::{BitSet, DocId, TantivyError};

use crate::embedded::keys::{Keys, prefix_end};

/// Up to so many stretches of numbers, each is looked for by itself, which reads the column in
/// large steps; more are looked for value by value.
const RUNS_MAX: usize = 4;

/// Events with one of the texts in the column.
#[derive(Clone)]
pub(crate) struct TermsQuery {
    /// The column's name, as the index knows it.
    pub column: String,
    pub keys: Keys,
}

impl fmt::Debug for TermsQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has {}", self.column, self.keys)
    }
}

impl Query for TermsQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(TermsWeight(self.clone())))
    }
}

struct TermsWeight(TermsQuery);

impl TermsWeight {
    /// The numbers of the texts in the column's dictionary, from the least to the greatest, in
    /// stretches whose ends are included.
    fn runs(&self, column: &StrColumn) -> tantivy::Result<Vec<(u64, u64)>> {
        let mut numbers = Vec::new();
        match &self.0.keys {
            Keys::Exact(keys) => {
                for key in keys {
                    numbers.extend(column.dictionary().term_ord(key)?);
                }
                numbers.sort_unstable();
            }
            Keys::Scan { prefix, accept } => {
                let mut range = column.dictionary().range().ge(prefix);
                if let Some(end) = prefix_end(prefix) {
                    range = range.lt(end);
                }
                let mut stream = range.into_stream()?;
                while stream.advance() {
                    if accept(stream.key()) {
                        numbers.push(stream.term_ord());
                    }
                }
            }
        }
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for number in numbers {
            match runs.last_mut() {
                Some((_, last)) if number <= *last + 1 => *last = number,
                _ => runs.push((number, number)),
            }
        }
        Ok(runs)
    }
}

impl Weight for TermsWeight {
    fn scorer(&self, reader: &SegmentReader, boost: f32) -> tantivy::Result<Box<dyn Scorer>> {
        let Some(column) = reader.fast_fields().str(&self.0.column)? else {
            return Ok(Box::new(EmptyScorer));
        };
        let runs = self.runs(&column)?;
        if runs.is_empty() {
            return Ok(Box::new(EmptyScorer));
        }
        let mut documents = BitSet::with_max_value(reader.max_doc());
        for document in documents_of(column.ords(), &runs, reader.max_doc()) {
            documents.insert(document);
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(documents), boost)))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Err(TantivyError::InvalidArgument("nothing here is scored".to_owned()))
    }
}

/// The documents with a value in one of the stretches, some perhaps more than once.
fn documents_of(column: &Column<u64>, runs: &[(u64, u64)], max_doc: DocId) -> Vec<DocId> {
    let mut documents = Vec::new();
    if runs.len() <= RUNS_MAX {
        for (low, high) in runs {
            let mut found = Vec::new();
            column.get_docids_for_value_range(*low..=*high, 0..max_doc, &mut found);
            documents.append(&mut found);
        }
        return documents;
    }
    let ends = runs.last().map_or(0, |(_, high)| u32::try_from(*high).unwrap_or(u32::MAX - 1) + 1);
    let mut wanted = BitSet::with_max_value(ends);
    for (low, high) in runs {
        for number in *low..=*high {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            if number < ends {
                wanted.insert(number);
            }
        }
    }
    if matches!(column.index, ColumnIndex::Empty { .. }) {
        return documents;
    }
    for row in 0..column.values.num_vals() {
        let number = u32::try_from(column.values.get_val(row)).unwrap_or(u32::MAX);
        if number < ends && wanted.contains(number) {
            documents.push(row);
        }
    }
    column.index.select_batch_in_place(0, &mut documents);
    documents
}
