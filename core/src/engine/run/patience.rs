//! When leases may be judged. Pure: it is told what the clocks say.
//!
//! A process that has slept, a clock that was set, or a store that was away make every lease look as if it had run out,
//! while its owner lives and is about to renew it. Whoever has seen such a thing waits for one lease before it takes
//! runs from others: by then the living have been heard of.
//!
//! A sleep that is shorter than a lease ends leases as well, of which a part had gone by already. So a process says that it
//! is awake, a dozen times a lease, and half a lease in which it has not said so was a sleep.

use std::time::Duration;

use crate::clock::Timestamp;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Patience {
    lease: Duration,
    last: Option<Look>,
    /// When this process was last awake, by the clock that nobody sets.
    awake: Option<Duration>,
    /// It has slept since leases were last judged.
    slept: bool,
    /// The store could not be reached, and has not been since.
    outage: bool,
    /// Until when nothing is judged.
    until: Option<Duration>,
}

/// What the clocks said: one that nobody sets, before and after the one by which leases are written was asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) before: Duration,
    pub(crate) after: Duration,
    pub(crate) time: Timestamp,
}

impl Patience {
    pub(crate) fn new(lease: Duration) -> Self {
        Self { lease, last: None, awake: None, slept: false, outage: false, until: None }
    }

    /// This process is awake at this time, by the clock that nobody sets.
    pub(crate) fn awake(&mut self, at: Duration) {
        self.slept |= self.awake.is_some_and(|last| at.saturating_sub(last) > self.lease / 2);
        self.awake = self.awake.max(Some(at));
    }

    /// Takes a look at the clocks. Whether leases that have run out count.
    pub(crate) fn look(&mut self, look: Look) -> bool {
        let is_new = |last: &Look| look.after >= last.after;
        self.awake(look.before);
        self.awake(look.after);
        let strange =
            self.outage || self.slept || self.last.filter(is_new).is_some_and(|last| self.is_strange(last, look));
        if strange {
            self.until = Some(look.after + self.lease);
        }
        (self.outage, self.slept) = (false, false);
        if self.last.is_none_or(|last| is_new(&last)) {
            self.last = Some(look);
        }
        self.until.is_none_or(|until| look.before >= until)
    }

    /// The store could not be reached.
    pub(crate) fn outage(&mut self) {
        self.outage = true;
    }

    /// Whether the clock was set between two looks, or went on while the other one stood still.
    fn is_strange(&self, last: Look, look: Look) -> bool {
        let most = look.after.saturating_sub(last.before);
        let least = look.before.saturating_sub(last.after);
        let tolerance = self.lease / 4;
        let gone_by = look.time.since(last.time);
        let set_back = last.time.since(look.time) > Duration::ZERO || gone_by + tolerance < least;
        set_back || gone_by > most + tolerance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(15);

    fn look(patience: &mut Patience, monotonic: u64, clock: i64) -> bool {
        let at = Duration::from_secs(monotonic);
        patience.look(Look { before: at, after: at, time: Timestamp::from_millis(clock * 1000) })
    }

    #[test]
    fn ordinary_time_goes_by_unnoticed() {
        let mut patience = Patience::new(LEASE);
        for second in 0..100 {
            assert!(look(&mut patience, second * 7, 1_000 + i64::try_from(second * 7).unwrap()));
        }
    }

    #[test]
    fn after_a_jump_a_sleep_or_an_outage_a_lease_goes_by() {
        let strange: [fn(&mut Patience) -> bool; 7] = [
            |patience| look(patience, 17, 4_617),
            |patience| look(patience, 17, -2_583),
            // Asleep by a clock that goes on, and by one that stands still meanwhile.
            |patience| look(patience, 50, 1_050),
            |patience| look(patience, 17, 1_040),
            // Leases that had been good for two thirds have run out meanwhile.
            |patience| look(patience, 21, 1_021),
            |patience| {
                patience.awake(Duration::from_secs(11));
                patience.awake(Duration::from_secs(22));
                look(patience, 23, 1_023)
            },
            |patience| {
                patience.outage();
                look(patience, 17, 1_017)
            },
        ];
        for happens in strange {
            let mut patience = Patience::new(LEASE);
            assert!(look(&mut patience, 10, 1_010));
            assert!(!happens(&mut patience));
            let Look { after, time, .. } = patience.last.unwrap();
            let (after, time) = (after.as_secs(), time.as_millis() / 1000);
            assert!(!look(&mut patience, after + 7, time + 7));
            assert!(!look(&mut patience, after + 14, time + 14));
            assert!(look(&mut patience, after + 15, time + 15));
        }
    }

    #[test]
    fn who_is_awake_may_look_as_seldom_as_it_likes() {
        let mut patience = Patience::new(LEASE);
        assert!(look(&mut patience, 0, 1_000));
        (0..100).step_by(5).for_each(|second| patience.awake(Duration::from_secs(second)));
        assert!(look(&mut patience, 100, 1_100));
    }

    #[test]
    fn a_slow_answer_is_no_jump() {
        let mut patience = Patience::new(LEASE);
        let at = Duration::from_secs;
        patience.awake(at(14));
        assert!(patience.look(Look { before: at(10), after: at(18), time: Timestamp::from_millis(1_017_000) }));
        patience.awake(at(25));
        assert!(patience.look(Look { before: at(20), after: at(30), time: Timestamp::from_millis(1_021_000) }));
    }
}
