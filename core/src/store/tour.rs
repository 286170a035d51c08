//! Looks that go through many rows a part at a time, so that none of them is long.

use std::sync::{Mutex, PoisonError};

/// How many rows one look sees. In tests they are few, so that there is more than one part.
pub(super) const AT_ONCE: usize = if cfg!(test) { 3 } else { 2_000 };

/// How far a round through rows has come, by their ids. It is kept in memory: whoever is opened begins at the beginning.
#[derive(Debug, Default)]
pub(super) struct Tour(Mutex<Option<String>>);

impl Tour {
    /// The id behind which the next part begins; at the beginning there is none.
    pub(super) fn place(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A part has been seen: so many rows, the last of which has this id. Behind one that is not full a new round begins.
    pub(super) fn has_seen(&self, rows: usize, last: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last.filter(|_| rows >= AT_ONCE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_goes_on_behind_each_full_part_and_begins_anew_behind_the_last() {
        let tour = Tour::default();
        assert_eq!(tour.place(), None);
        tour.has_seen(AT_ONCE, Some("c".to_owned()));
        assert_eq!(tour.place().as_deref(), Some("c"));
        tour.has_seen(AT_ONCE - 1, Some("e".to_owned()));
        assert_eq!(tour.place(), None);
        tour.has_seen(0, None);
        assert_eq!(tour.place(), None);
    }
}
