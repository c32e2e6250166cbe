//! [`UnderWay`]: which records of batches that are not done yet are stored already.
//!
//! An epoch may end in the middle of a batch, while the checkpoint that comes with the batch is
//! of its end. In: records as they come and events as they are done. Out: what a commit must say
//! beside the checkpoints, and after a restart, which records were stored before it.

use std::collections::{BTreeMap, HashMap};

use tocsin_model::{Position, Record};

use crate::unpack::{byte_place, unpack};

/// Offsets of records that are done, of batches that are not.
#[derive(Debug, Default)]
pub(crate) struct UnderWay {
    /// By lane and stream.
    now: HashMap<u64, BTreeMap<u64, u64>>,
    /// By stream, from before the restart; each is forgotten once it is passed.
    before: BTreeMap<u64, u64>,
}

impl UnderWay {
    /// What a commit said.
    pub(crate) fn restored(before: BTreeMap<u64, u64>) -> Self {
        Self { now: HashMap::new(), before }
    }

    /// The records of a batch one by one, without those that were stored before the restart.
    pub(crate) fn new_records(&mut self, batch: Vec<Record>) -> Vec<Record> {
        let mut records = Vec::with_capacity(batch.len());
        for record in batch {
            unpack(record, byte_place, |record| {
                if !self.is_stored(record.position) {
                    records.push(record);
                }
            });
        }
        records
    }

    /// Whether the record at `position` was stored before the restart.
    fn is_stored(&mut self, position: Position) -> bool {
        if self.before.is_empty() {
            return false;
        }
        match self.before.get(&position.stream) {
            Some(done) if position.offset <= *done => true,
            Some(_) => {
                self.before.remove(&position.stream);
                false
            }
            None => false,
        }
    }

    /// An event of `lane` is part of the epoch. With the `last` of a batch, the batch is done.
    pub(crate) fn done(&mut self, lane: u64, position: Position, last: bool) {
        if last {
            self.now.remove(&lane);
        } else {
            self.now.entry(lane).or_default().insert(position.stream, position.offset);
        }
    }

    /// What a commit must say now.
    pub(crate) fn to_commit(&self) -> BTreeMap<u64, u64> {
        let mut all = self.before.clone();
        all.extend(self.now.values().flatten().map(|(stream, offset)| (*stream, *offset)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stream: u64, offset: u64) -> Position {
        Position { stream, offset, next: offset + 1 }
    }

    #[test]
    fn a_batch_half_done_is_known_after_a_restart() {
        let mut way = UnderWay::default();
        way.done(1, at(7, 100), false);
        way.done(1, at(7, 140), false);
        way.done(2, at(8, 5), false);
        way.done(2, at(8, 6), true);
        assert_eq!(way.to_commit(), BTreeMap::from([(7, 140)]));

        let mut way = UnderWay::restored(way.to_commit());
        assert!(way.is_stored(at(7, 100)) && way.is_stored(at(7, 140)));
        assert!(!way.is_stored(at(8, 5)));
        // A commit before the batch has come again still says so.
        assert_eq!(way.to_commit(), BTreeMap::from([(7, 140)]));
        assert!(!way.is_stored(at(7, 180)));
        assert_eq!(way.to_commit(), BTreeMap::new());
    }
}
