//! [`Room`]: how much memory an event gets beyond what it needs, for what enriching adds. In: what
//! was added to events. Out: room for the next one; none where nothing is ever added.

use tocsin_model::Event;

/// The most fields, or bytes, that events get room for.
const ROOM_MAX: usize = 1024;

/// Fields of an event, and bytes of their texts.
pub(crate) fn size(event: &Event) -> (usize, usize) {
    (event.len(), event.text().len())
}

/// Room that events get for what is added to them.
#[derive(Debug, Default)]
pub(crate) struct Room {
    pub fields: usize,
    pub text_bytes: usize,
}

impl Room {
    /// An event has become larger: the next one gets room for it. What nothing needs any more
    /// is given up little by little.
    pub(crate) fn added(&mut self, before: (usize, usize), now: (usize, usize)) {
        let towards = |now: usize, wanted: usize| match now > wanted {
            true => now - (now - wanted).div_ceil(64),
            false => wanted.min(ROOM_MAX),
        };
        self.fields = towards(self.fields, now.0.saturating_sub(before.0));
        self.text_bytes = towards(self.text_bytes, now.1.saturating_sub(before.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_comes_at_once_and_goes_slowly() {
        let mut room = Room::default();
        room.added((40, 0), (46, 1 << 20));
        assert_eq!((room.fields, room.text_bytes), (6, ROOM_MAX));
        room.added((40, 9), (40, 9));
        assert_eq!((room.fields, room.text_bytes), (5, ROOM_MAX - ROOM_MAX / 64));
        for _ in 0..1000 {
            room.added((40, 9), (39, 9));
        }
        assert_eq!((room.fields, room.text_bytes), (0, 0));
    }
}
