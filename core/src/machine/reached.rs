//! Which events have come in which phases, in this thread: for the table in `docs/machine.md`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::event::Event;
use super::transition::Phase;

/// What came of an event in a phase.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reached {
    /// The phases that it led to, other than its own.
    pub(crate) led_to: BTreeSet<Phase>,
    /// It was not ignored every time.
    pub(crate) acted: bool,
}

pub(crate) type Table = BTreeMap<(&'static str, Phase), Reached>;

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

/// Takes what has been noted.
pub(crate) fn take() -> Table {
    TABLE.take()
}

pub(super) fn note(event: &'static str, from: Phase, to: Phase, acted: bool) {
    TABLE.with_borrow_mut(|table| {
        let reached = table.entry((event, from)).or_default();
        reached.acted |= acted || from != to;
        if from != to {
            reached.led_to.insert(to);
        }
    });
}

/// The rule that this event would break in this phase, and the event's name.
pub(crate) fn rule(event: &Event, phase: Phase) -> (&'static str, Option<&'static str>) {
    (event.name(), super::transition::broken_rule(event, phase))
}
