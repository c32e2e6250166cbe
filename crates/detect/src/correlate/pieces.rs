//! [`Pieces`]: what has to be saved again. Windows are saved every second or so, and most groups
//! stay as they are; so after a whole come pieces with the groups that changed and the keys of
//! those that are gone.
//!
//! In: a [`Correlator`]. Out: pieces; and from a whole with what follows it, windows again.

use super::entry::Key;
use super::{Correlator, compact};

/// Pieces behind a whole after which there is a whole again, so that a start reads few.
const PIECES_MAX: usize = 64;

/// Windows as of now, or what became of them since the piece before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Piece {
    /// Whether it stands by itself; otherwise it follows the piece before.
    pub whole: bool,
    /// What [`Detector::restore_pieces`](crate::Detector::restore_pieces) takes.
    pub bytes: Vec<u8>,
}

/// What is known of the pieces before.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Bytes of the last whole; `None` when the next piece must be one.
    whole: Option<usize>,
    /// Bytes and number of those that follow it.
    bytes: usize,
    number: usize,
    /// Keys of groups that are gone since the last piece, by correlation.
    gone: Vec<Vec<Key>>,
}

impl Pieces {
    /// Nothing that was saved before tells what is held now.
    pub(super) fn start_again(&mut self) {
        *self = Self::default();
    }

    /// Whether somebody saves pieces.
    pub(super) fn are_saved(&self) -> bool {
        self.whole.is_some()
    }

    /// A group is gone; only where [`Pieces::are_saved`].
    pub(super) fn gone(&mut self, place: usize, key: &Key) {
        if self.gone.len() <= place {
            self.gone.resize_with(place + 1, Vec::new);
        }
        self.gone[place].push(key.clone());
    }
}

/// The next piece; groups count as saved with it. `beside` are bytes that are saved with each.
pub(super) fn next(correlator: &mut Correlator, beside: usize) -> Piece {
    let gone = std::mem::take(&mut correlator.pieces.gone);
    let known = &correlator.pieces;
    // As many bytes again as the whole has are no less to read and to write than another whole.
    let follows = known.whole.is_some_and(|whole| known.bytes < whole) && known.number < PIECES_MAX;
    let bytes = compact::save(correlator, follows.then_some(&gone));
    for group in correlator.groups.iter_mut().flat_map(|groups| groups.values_mut()) {
        // Most have not changed: what is not written to needs not be written back.
        if group.changed {
            group.changed = false;
        }
    }
    let known = &mut correlator.pieces;
    if follows {
        known.bytes += bytes.len() + beside;
        known.number += 1;
    } else {
        *known = Pieces { whole: Some(bytes.len() + beside), ..Pieces::default() };
    }
    Piece { whole: !follows, bytes }
}
