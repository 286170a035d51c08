//! A simulator: random schedules over the shell that drives runs, the sweep, the log's readers and a store, with faults
//! at every effect. A seed decides everything, so a schedule that breaks an invariant can be replayed.
//!
//! Processes live, freeze, die and shut down, and some of them offer the tools of runs that others have begun; writes are
//! refused, delayed, lost on their way or on their way back, and executed twice; leases run out under owners that go on
//! writing; everything sleeps, the clock that leases are written by is set, the store is away for a while; clients read the
//! log in pieces while all of that happens. What was promised is kept in books beside the store and compared with it
//! after every event.
//!
//! Named mutations break a rule on purpose, in the simulation or, by a flaw that is not compiled into what ships, in the
//! shell itself, to show that the invariants see it.

mod answering;
mod begin;
mod claiming;
mod drive;
mod effects;
mod ending;
mod ledger;
mod life;
mod outside;
mod process;
mod random;
mod readers;
mod reading;
mod reduce;
mod schedule;
mod sleeping;
mod steering;
mod store;
mod sweeping;
#[cfg(test)]
mod table;
mod tainting;
#[cfg(test)]
mod tests;
mod world;

use std::fmt;
use std::future::Future;
use std::str::FromStr;

use futures_util::FutureExt;

use crate::machine::shell::Flaw;

use world::World;

/// The answer of a store that answers at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the store in memory never waits")
}

/// An invariant that does not hold.
#[derive(Debug)]
struct Broken {
    invariant: &'static str,
    detail: String,
}

impl Broken {
    fn new(invariant: &'static str, detail: String) -> Self {
        Self { invariant, detail }
    }
}

/// A schedule that broke an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The schedule.
    pub seed: u64,
    /// What does not hold.
    pub invariant: &'static str,
    /// Where.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}: {}", self.seed, self.invariant, self.detail)
    }
}

macro_rules! mutations {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A rule that is broken on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutation { $($(#[$doc])* $name,)* }

        impl Mutation {
            /// All of them.
            pub const ALL: &[Mutation] = &[$(Mutation::$name,)*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Mutation::$name => $text,)* }
            }
        }
    };
}

mutations! {
    /// Writes of owners that have lost the run are let through.
    FenceIgnored = "fence-ignored",
    /// Readers are told of the end before it is written.
    SettleBeforePersist = "settle-before-persist",
    /// Tools that change something run before their calls are written.
    ToolBeforeIntent = "step-before-intent",
    /// A step's write is skipped.
    StepUnwritten = "skip-step",
    /// Some packs are not written.
    LosePack = "lose-pack",
    /// The sweep does not look at packs.
    SweepForgetsPacks = "sweep-forgets-packs",
    /// A settled run can be settled again.
    DoubleSettle = "double-settle",
    /// That a run is somebody else's is taken for a confirmation.
    RefusalIgnored = "refusal-ignored",
    /// Stops are acknowledged and not noted.
    StopForgotten = "stop-forgotten",
    /// Who offers tools takes runs from owners whose lease is good.
    ClaimIgnoresLease = "claim-ignores-lease",
    /// A new owner has the same epoch as the one before.
    ClaimKeepsEpoch = "claim-keeps-epoch",
    /// Who goes on with a run does not look at packs.
    GoingOnForgetsPacks = "going-on-forgets-packs",
    /// Who goes on with a run does not settle what was set aside for a call of which nothing came.
    GoingOnForgetsCall = "going-on-forgets-call",
    /// The last pack of a run that is given up is not written.
    ReleaseLosesPack = "release-loses-pack",
    /// A step does not wait for the pack before it when that has to be attempted again.
    StepOvertakesPack = "step-overtakes-pack",
    /// A pack that did not arrive is not attempted again.
    PackAttemptedOnce = "pack-attempted-once",
    /// The last step is not written with the settlement.
    EndForgetsStep = "end-forgets-step",
    /// A step that breaks off is asked for again without end.
    RetryWithoutEnd = "retry-without-end",
    /// Steps that were withdrawn stay in the message.
    WithdrawnShown = "withdrawn-shown",
    /// Sweeps settle what others could go on with.
    SweepWaitsForNobody = "sweep-waits-for-nobody",
    /// A process that is late with its renewals settles its own runs.
    SweepTakesOwn = "sweep-takes-own",
    /// A process that is late with its renewals takes its own runs from itself.
    ClaimTakesOwn = "claim-takes-own",
    /// A process that has slept takes runs from others before they can have renewed their leases.
    SleepUnnoticed = "sleep-unnoticed",
    /// A process takes runs from others by a clock that has just been set.
    StepUnnoticed = "clock-step-unnoticed",
    /// A process takes runs from owners that could not reach the store, no more than it could itself.
    OutageUnnoticed = "outage-unnoticed",
    /// Sweeps judge by leases whatever has happened.
    SweepIsImpatient = "sweep-is-impatient",
    /// Who offers tools judges by leases whatever has happened.
    ClaimIsImpatient = "claim-is-impatient",
    /// Leases are judged by the time of the claim, whatever has happened since a look at the clocks allowed it.
    ClaimForgetsLook = "claim-forgets-look",
    /// A process that finds its lease run out gives its run up without asking the store.
    LateOwnerGivesUp = "late-owner-gives-up",
    /// An answer takes the place of another one that has come in between.
    AnswerOverwrites = "answer-overwrites",
    /// What was allowed is made without that being on disk.
    AllowedUnwritten = "allowed-unwritten",
    /// What has streamed last is not written when a run begins to wait.
    WaitingLosesPack = "waiting-loses-pack",
    /// Messages stand in the order of the clock, also where it was set back.
    OrderByClock = "order-by-clock",
    /// Messages enter a run without being put into its log.
    EnteringLosesPack = "entering-loses-pack",
    /// Messages that have entered wait on.
    EnteredWaitsOn = "entered-waits-on",
    /// A run's end waits for no messages.
    EndForgetsMessages = "end-forgets-messages",
    /// A run that ends later than messages have entered it ends all the same.
    LateEndCounts = "late-end-counts",
    /// A turn takes messages up and does not write them.
    NextTurnLosesMessage = "next-turn-loses-message",
    /// That a message is taken back is acknowledged and not done.
    TakingBackForgotten = "taking-back-forgotten",
    /// A call is told to have not been made, and may be made all the same, later.
    LateEffectLetThrough = "late-effect-let-through",
    /// A tool with effects that has failed is taken for not having done anything.
    FailedToolUnasked = "failed-tool-unasked",
    /// Whoever goes on with a run does not look where outcomes are from.
    TaintForgottenAtTakeover = "taint-forgotten-at-takeover",
    /// Whoever goes on with a run does not look what it was tainted by from its beginning.
    TaintBeginningForgotten = "taint-beginning-forgotten",
    /// What earlier turns have read from outside is told, and taints nothing.
    TaintForgetsHistory = "taint-forgets-history",
    /// What was read from outside taints the next step, and none after it.
    TaintLastsAStep = "taint-lasts-a-step",
    /// A rule lets calls through wherever what was read is from.
    TaintAnyOrigin = "taint-any-origin",
    /// Somebody would have to allow a call, and it is made.
    TaintAskedAndMade = "taint-asked-and-made",
    /// Where an outcome is from is not on disk before there is one.
    TaintReadsUnwritten = "taint-reads-unwritten",
}

impl Mutation {
    /// The same rule in the shell itself, for those that are broken there.
    fn flaw(self) -> Option<Flaw> {
        match self {
            Mutation::ReleaseLosesPack => Some(Flaw::ReleaseLosesPack),
            Mutation::StepOvertakesPack => Some(Flaw::StepOvertakesPack),
            Mutation::PackAttemptedOnce => Some(Flaw::PackAttemptedOnce),
            Mutation::EndForgetsStep => Some(Flaw::EndForgetsStep),
            _ => None,
        }
    }
}

impl FromStr for Mutation {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|mutation| mutation.name() == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|mutation| mutation.name()).collect();
            format!("there is no mutation {name}; there are {}", names.join(", "))
        })
    }
}

macro_rules! coverage {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often schedules reached what they are there for.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Coverage { $($(#[$doc])* pub $name: u64,)* }

        impl Coverage {
            /// Adds another's counts.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// The counts by name.
            pub fn counts(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)*]
            }
        }
    };
}

coverage! {
    /// Events before schedules were brought to their end.
    events,
    /// Turns that were driven.
    runs,
    /// Runs that had to wait for their chat.
    queued,
    /// Begins with a key that was used before.
    repeated,
    /// Turns that settled themselves.
    ends,
    /// Runs that a sweep settled.
    swept,
    /// Runs that were given up for others.
    released,
    /// Runs that were taken over, or begun, by who offers their tools.
    claimed,
    /// The same for runs that wait.
    claimed_waiting,
    /// Runs that went on after steps of another owner.
    gone_on,
    /// Steps in progress that the next owner closed.
    closed_steps,
    /// Runs that began to wait for an answer.
    suspended,
    /// Answers that were taken.
    answered,
    /// Answers that came too late, or twice.
    answered_in_vain,
    /// Calls that expired.
    expired,
    /// Steps that were gone on with after an answer.
    resumed,
    /// Messages that were accepted for a run.
    steered,
    /// Messages that have entered one.
    entered,
    /// Ends that were none because messages waited.
    kept,
    /// Messages that became the next turn's.
    next_turn,
    /// Messages that were taken back.
    unsteered,
    /// Calls that were made again by whoever went on with their run.
    repeated_calls,
    /// Calls that had failed, were cancelled or cut off, and of which the store knew that they were done.
    closed_effects,
    /// Calls that were done when nobody waited for them any more.
    late_effects,
    /// Transactions of tools that came too late, or a second time.
    effects_refused,
    /// Times when somebody was asked for calls of a tainted run.
    asked_of_tainted,
    /// Calls of tainted runs that were made because somebody had allowed them.
    left_to_tainted,
    /// Calls of tainted runs that were made by a rule.
    let_by_rule,
    /// Sweeps.
    sweeps,
    /// Processes that died.
    crashes,
    /// Stops that were noted.
    stops,
    /// Times when everything slept, by a clock that goes on meanwhile or by one that stands still.
    sleeps,
    /// Times when the clock was set.
    clock_steps,
    withdrawn,
    /// Times when nobody could reach the store for a while.
    outages,
    /// Times when any of these came between a look at the clocks and what was to follow from it.
    in_between,
    /// Looks at leases that said nothing, because of any of these.
    patient,
    /// Leases that had run out under owners that lived, and were renewed.
    late_renewals,
    /// Timers that ran out.
    timers,
    /// Writes that were refused for good.
    refused,
    /// Writes that were attempted until patience was over.
    given_up,
    /// Runs whose end was refused, and that failed without their last step.
    cut_short,
    /// Turns whose readers knew the numbers of the chunks to the end.
    numbered,
    /// Writes that were executed and whose answer was lost.
    lost_answers,
    /// Writes that arrived after their process had gone or gone on.
    late_writes,
    /// Writes under the epoch of an owner that had lost the run.
    old_writes,
    /// Clients that read a log to its end.
    clients,
    /// Connections of clients that broke.
    reconnects,
    /// Clients that had to begin anew, because what they had been reading was trimmed.
    resyncs,
}

/// Runs the schedule of this seed.
///
/// # Errors
/// The first invariant that it breaks.
pub fn run(seed: u64, mutation: Option<Mutation>) -> Result<Coverage, Violation> {
    finish(seed, World::new(seed, mutation, None))
}

/// Runs the schedule of this seed and says everything that happens in it.
///
/// # Errors
/// The first invariant that it breaks.
pub fn replay(seed: u64, mutation: Option<Mutation>, mut say: impl FnMut(String)) -> Result<Coverage, Violation> {
    finish(seed, World::new(seed, mutation, Some(&mut say)))
}

fn finish(seed: u64, mut world: World<'_>) -> Result<Coverage, Violation> {
    match world.run() {
        Ok(()) => Ok(world.coverage),
        Err(Broken { invariant, detail }) => Err(Violation { seed, invariant, detail }),
    }
}
