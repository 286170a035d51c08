//! What the storm has counted.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use turnkeep_tests::processes::percentile_ms;

/// Beyond this many, violations are counted and not printed.
const PRINTED_VIOLATIONS: usize = 200;

/// A rule that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// What was acknowledged is on disk, to the letter.
    NoLostStep,
    /// A chat has one active run at most.
    OneActive,
    /// Every run ends, once, together with its message.
    SettledOnce,
    /// Whoever lost a run writes nothing of it any more.
    NoStaleWrite,
    /// Every call has its outcome.
    PairedHistory,
    /// Each step is in the ledger of calls once, and nothing stays set aside for a run that has ended.
    LedgerAddsUp,
    /// No caller is told of an error that is not its own.
    NoError,
}

/// Who took the chat of a killed process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Successor {
    /// A process that was started after the kill.
    Started,
    /// A process that was there before it.
    Standing,
}

#[derive(Default)]
struct Counts {
    kills: usize,
    freezes: usize,
    frozen_in_a_write: usize,
    leases_lost_awake: usize,
    acknowledged: usize,
    restarts: usize,
    unavailable: usize,
    violations: Vec<Rule>,
    seen: HashSet<String>,
    recoveries: Vec<(Successor, Duration)>,
    takeovers: Vec<Duration>,
}

#[derive(Default)]
pub(crate) struct Tally(Mutex<Counts>);

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that `rule` was broken; the same finding counts once, however often it is made.
    pub(crate) fn broken(&self, rule: Rule, detail: String) {
        let mut counts = self.counts();
        if !counts.seen.contains(&detail) {
            if counts.violations.len() < PRINTED_VIOLATIONS {
                eprintln!("violation of {rule:?}: {detail}");
            }
            counts.violations.push(rule);
            counts.seen.insert(detail);
        }
    }

    pub(crate) fn killed(&self) -> usize {
        let mut counts = self.counts();
        counts.kills += 1;
        counts.kills
    }

    pub(crate) fn froze(&self, taken_over_after: Duration) {
        let mut counts = self.counts();
        counts.freezes += 1;
        counts.takeovers.push(taken_over_after);
    }

    pub(crate) fn froze_in_a_write(&self) {
        self.counts().frozen_in_a_write += 1;
    }

    pub(crate) fn lost_a_lease_awake(&self) {
        self.counts().leases_lost_awake += 1;
    }

    /// Kills and freezes so far.
    pub(crate) fn blows(&self) -> usize {
        let counts = self.counts();
        counts.kills + counts.freezes
    }

    /// The server was restarted.
    pub(crate) fn restarted(&self) {
        self.counts().restarts += 1;
    }

    /// Somebody was told that the store cannot be reached.
    pub(crate) fn was_unavailable(&self) {
        self.counts().unavailable += 1;
    }

    pub(crate) fn acknowledged(&self) {
        self.counts().acknowledged += 1;
    }

    pub(crate) fn recovered(&self, successor: Successor, after: Duration) {
        self.counts().recoveries.push((successor, after));
    }

    pub(crate) fn progress(&self) -> String {
        let counts = self.counts();
        format!("kills={} freezes={} violations={}", counts.kills, counts.freezes, counts.violations.len())
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.counts().violations.is_empty()
    }

    /// Everything, the line that machines read last.
    pub(crate) fn summary(&self, lease: Duration) -> Vec<String> {
        let mut counts = self.counts();
        let of = |rule: Rule| counts.violations.iter().filter(|broken| **broken == rule).count();
        let times = |successor: Option<Successor>| -> Vec<Duration> {
            let recoveries = counts.recoveries.iter().filter(|(by, _)| successor.is_none_or(|wanted| wanted == *by));
            recoveries.map(|(_, time)| *time).collect()
        };
        let line = |name: &str, mut times: Vec<Duration>| {
            format!(
                "{name}: n={} p50_ms={:.0} p99_ms={:.0} max_ms={:.0} lease_ms={}",
                times.len(),
                percentile_ms(&mut times, 0.5),
                percentile_ms(&mut times, 0.99),
                percentile_ms(&mut times, 1.0),
                lease.as_millis(),
            )
        };
        let mut all = times(None);
        let summary = vec![
            format!(
                "acknowledgements={} frozen_in_a_write={} leases_lost_awake={} unpaired_histories={} \
                 wrong_ledgers={} errors={} \
                 restarts={} told_unavailable={}",
                counts.acknowledged,
                counts.frozen_in_a_write,
                counts.leases_lost_awake,
                of(Rule::PairedHistory),
                of(Rule::LedgerAddsUp),
                of(Rule::NoError),
                counts.restarts,
                counts.unavailable,
            ),
            line("kill to begin, new process", times(Some(Successor::Started))),
            line("kill to begin, standing process", times(Some(Successor::Standing))),
            line("freeze to settled by another", std::mem::take(&mut counts.takeovers)),
            line("recovery", all.clone()),
            format!(
                "storm: kills={} freezes={} lost_steps={} double_active={} unsettled={} stale_writes={} recovery_p99_ms={:.0}",
                counts.kills,
                counts.freezes,
                counts.violations.iter().filter(|rule| **rule == Rule::NoLostStep).count(),
                counts.violations.iter().filter(|rule| **rule == Rule::OneActive).count(),
                counts.violations.iter().filter(|rule| **rule == Rule::SettledOnce).count(),
                counts.violations.iter().filter(|rule| **rule == Rule::NoStaleWrite).count(),
                percentile_ms(&mut all, 0.99),
            ),
        ];
        summary
    }
}
