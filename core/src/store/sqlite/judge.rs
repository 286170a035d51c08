//! Whether the owner of a run is gone.
//!
//! The clock decides only where nothing better is known. An owner whose lock is free is dead, whatever its lease says.
//! One that holds its lock lives, whatever the clock says, which may have been set in the meantime: it is gone only when
//! nothing has been heard of it for a lease by a clock that nobody can set, as of a process that is frozen. Of an owner
//! without a lock file nothing is known, and its lease counts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::store::UNTOUCHED_WITHOUT_LEASE;

use super::instance::{Life, life_of};

/// What was last heard of the owners of runs: since when a run has been seen with the same epoch and lease.
#[derive(Default)]
pub(super) struct Heard {
    runs: Mutex<HashMap<String, Sign>>,
}

struct Sign {
    epoch: i64,
    lease: String,
    since: Duration,
    last_looked: Duration,
}

impl Heard {
    fn runs(&self) -> MutexGuard<'_, HashMap<String, Sign>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Judges the owners of one look at the tables.
pub(super) struct Judge {
    /// Where locks lie; nowhere for a database in memory.
    instances: Option<PathBuf>,
    known: HashMap<String, Life>,
    heard: Arc<Heard>,
    now: Duration,
    lease: Duration,
    /// As of [`crate::store::Sweep::leases_at`].
    leases_at: Option<String>,
}

impl Judge {
    pub(super) fn new(
        instances: Option<PathBuf>,
        heard: Arc<Heard>,
        clock: &dyn Clock,
        lease: Duration,
        leases_at: Option<Timestamp>,
    ) -> Self {
        let now = clock.monotonic();
        // Runs that nobody has looked at for long have settled.
        heard.runs().retain(|_, sign| now.saturating_sub(sign.last_looked) < UNTOUCHED_WITHOUT_LEASE);
        Self { instances, known: HashMap::new(), heard, now, lease, leases_at: leases_at.map(|at| at.to_string()) }
    }

    /// Whether the owner of a run with this lease is gone, at this time by the clock that leases are written by.
    pub(super) fn is_gone(&mut self, run: &str, owner: Option<&str>, epoch: i64, lease: &str, now: &str) -> bool {
        let life = match (owner, &self.instances) {
            (Some(owner), Some(folder)) => {
                *self.known.entry(owner.to_owned()).or_insert_with(|| life_of(folder, owner))
            }
            _ => Life::Unknown,
        };
        let is_over = lease <= now && self.leases_at.as_deref().is_some_and(|at| lease <= at);
        match life {
            Life::Dead => true,
            Life::Unknown => is_over,
            Life::Alive => {
                let silent = self.silent(run, epoch, lease);
                // A lease far in the future was written by a clock that has been set back since.
                let most = if is_over { self.lease } else { UNTOUCHED_WITHOUT_LEASE };
                self.leases_at.is_some() && silent >= most
            }
        }
    }

    /// For how long nothing has been heard of the run's owner.
    fn silent(&self, run: &str, epoch: i64, lease: &str) -> Duration {
        let mut runs = self.heard.runs();
        let sign = runs.entry(run.to_owned()).or_insert_with(|| Sign {
            epoch,
            lease: lease.to_owned(),
            since: self.now,
            last_looked: self.now,
        });
        if sign.epoch != epoch || sign.lease != lease {
            *sign = Sign { epoch, lease: lease.to_owned(), since: self.now, last_looked: self.now };
        }
        sign.last_looked = self.now;
        self.now.saturating_sub(sign.since)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::super::instance::InstanceLock;
    use super::*;

    struct Monotonic(AtomicU64);

    impl Clock for Monotonic {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(0)
        }
        fn monotonic(&self) -> Duration {
            Duration::from_secs(self.0.load(Ordering::SeqCst))
        }
    }

    const LEASE: Duration = Duration::from_secs(15);

    #[test]
    fn a_held_lock_outlives_any_clock_and_a_free_one_no_lease() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("c.db");
        let (alive, gone) =
            (InstanceLock::acquire(&database, "a/1").unwrap(), InstanceLock::acquire(&database, "a/2").unwrap());
        gone.let_go();
        let (clock, heard) = (Monotonic(AtomicU64::new(100)), Arc::new(Heard::default()));
        let is_gone = |owner: &str, lease: &str, now: &str| {
            let mut judge = Judge::new(Some(alive.folder()), Arc::clone(&heard), &clock, LEASE, Some(Timestamp::MAX));
            judge.is_gone(owner, Some(owner), 1, lease, now)
        };
        assert!(is_gone("a/2", "9", "5"), "its lock is free");
        assert!(!is_gone("a/1", "1", "5"), "whatever the clock says");
        assert!(is_gone("b/3", "1", "5") && !is_gone("b/3", "9", "5"), "nothing better is known than the lease");
        // It is heard of, and then not for a lease.
        clock.0.fetch_add(14, Ordering::SeqCst);
        assert!(!is_gone("a/1", "2", "5"));
        clock.0.fetch_add(14, Ordering::SeqCst);
        assert!(!is_gone("a/1", "2", "5"));
        clock.0.fetch_add(1, Ordering::SeqCst);
        assert!(is_gone("a/1", "2", "5"));
        // Its lease was written by a clock that has been set back.
        assert!(!is_gone("a/1", "8", "5"));
        clock.0.fetch_add(599, Ordering::SeqCst);
        assert!(!is_gone("a/1", "8", "5"));
        clock.0.fetch_add(1, Ordering::SeqCst);
        assert!(is_gone("a/1", "8", "5"));
    }

    #[test]
    fn while_leases_do_not_count_only_death_does() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("c.db");
        let gone = InstanceLock::acquire(&database, "a/2").unwrap();
        gone.let_go();
        let (clock, heard) = (Monotonic(AtomicU64::new(100)), Arc::new(Heard::default()));
        let mut judge = Judge::new(Some(gone.folder()), heard, &clock, LEASE, None);
        assert!(judge.is_gone("r", Some("a/2"), 1, "9", "5"));
        assert!(!judge.is_gone("r", Some("b/3"), 1, "1", "5"));
    }
}
