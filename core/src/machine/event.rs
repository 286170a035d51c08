//! What can happen to a run.

use crate::model::{Json, RunReason};
use crate::provider::{ProviderFailure, StreamPart};

use super::effect::Timer;

/// Something that happened, told to the machine in the order in which it happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The run is in the store; the turn may begin.
    Begun,
    /// The provider sent a piece of its answer.
    Part(StreamPart),
    /// The provider's stream is over.
    StreamEnded,
    /// The provider could not be reached, refused, or its stream broke.
    StreamFailed(ProviderFailure),
    /// A tool came back.
    ToolFinished {
        /// The call.
        call_id: String,
        /// Its output, or the error's text.
        outcome: Result<Json, String>,
    },
    /// A tool that is not done yet has something to show.
    ToolShows {
        /// The call.
        call_id: String,
        /// What its output is so far.
        output: Json,
    },
    /// The store has said what a call has come to that it was asked for.
    EffectClosed {
        /// The call.
        call_id: String,
        /// Its output, or the error's text.
        outcome: Result<Json, String>,
    },
    /// The calls of the step in progress are on disk; tools may change things now.
    IntentPersisted,
    /// The step is on disk.
    StepPersisted,
    /// The intent, the step or the settlement was refused for good. (A store that is only out of reach is asked again,
    /// which is not reported here.)
    PersistFailed,
    /// Messages wait for the run: comes before the confirmation of the step, or instead of the settlement's.
    Steered,
    /// These messages, as parts of the step that comes next, have entered the run, and readers were told.
    SteeringEntered(Vec<Json>),
    /// The settlement is on disk.
    Settled,
    /// The settlement was refused for good; that the run has failed is on disk, without the last step.
    FailedInstead,
    /// The run is to end from outside.
    StopRequested(StopCause),
    /// Another process owns the run now, or may.
    LeaseLost,
    /// This process is about to end: a run that others can drive is given up at the next boundary of steps, and at once
    /// when it is told [`StopCause::Shutdown`]. Other runs go on.
    HandOver,
    /// The run is given up, and on disk so far.
    Released,
    /// The run waits for somebody's answer now, as nobody's.
    Suspended,
    /// A timer that was armed ran out.
    TimerFired(Timer),
}

impl Event {
    /// Its name, without what it tells.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Event::Begun => "Begun",
            Event::Part(_) => "Part",
            Event::StreamEnded => "StreamEnded",
            Event::StreamFailed(_) => "StreamFailed",
            Event::ToolFinished { .. } => "ToolFinished",
            Event::ToolShows { .. } => "ToolShows",
            Event::EffectClosed { .. } => "EffectClosed",
            Event::IntentPersisted => "IntentPersisted",
            Event::StepPersisted => "StepPersisted",
            Event::PersistFailed => "PersistFailed",
            Event::Steered => "Steered",
            Event::SteeringEntered(_) => "SteeringEntered",
            Event::Settled => "Settled",
            Event::FailedInstead => "FailedInstead",
            Event::StopRequested(_) => "StopRequested",
            Event::LeaseLost => "LeaseLost",
            Event::HandOver => "HandOver",
            Event::Released => "Released",
            Event::Suspended => "Suspended",
            Event::TimerFired(Timer::ProviderSilence) => "TimerFired(ProviderSilence)",
            Event::TimerFired(Timer::Retry) => "TimerFired(Retry)",
            Event::TimerFired(Timer::Step) => "TimerFired(Step)",
            Event::TimerFired(Timer::Run) => "TimerFired(Run)",
            Event::TimerFired(Timer::Tool { .. }) => "TimerFired(Tool)",
        }
    }
}

/// Who or what ends a run from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// An explicit stop.
    Stopped,
    /// Another run is to take its place.
    Superseded,
    /// The client of a turn that is not detached went away.
    Disconnected,
    /// The engine is closing.
    Shutdown,
    /// A stop that was noted for any other reason, such as one that only another version knows.
    Other(RunReason),
}

impl StopCause {
    /// The cause of a stop that was noted in the store.
    pub fn noted(reason: RunReason) -> Self {
        match reason {
            RunReason::Superseded => StopCause::Superseded,
            RunReason::Disconnected => StopCause::Disconnected,
            RunReason::Stopped => StopCause::Stopped,
            other => StopCause::Other(other),
        }
    }

    /// The reason that the run is settled with.
    pub fn reason(self) -> RunReason {
        match self {
            StopCause::Stopped => RunReason::Stopped,
            StopCause::Superseded => RunReason::Superseded,
            StopCause::Disconnected => RunReason::Disconnected,
            StopCause::Shutdown => RunReason::Shutdown,
            StopCause::Other(reason) => reason,
        }
    }
}
