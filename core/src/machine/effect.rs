//! What the machine wants done.

use std::time::Duration;

use crate::log::UiChunk;
use crate::log::journal::Settlement;
use crate::model::{Json, RunReason, StepRecord, Wait};

/// An order to the engine. Orders of one transition are carried out in their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Ask the provider for the next step. The engine knows the history and the finished steps.
    CallProvider {
        /// The step, from 0.
        step: u32,
        /// The model may call no tool and must answer with what it has.
        text_only: bool,
        /// Of which model: 0 is the turn's own, the others are those that are asked instead.
        model: usize,
        /// The deferred tools that it may call, in the order in which it has asked for them.
        loaded: Vec<String>,
    },
    /// Close the connection to the provider.
    CancelProvider,
    /// Run a tool.
    RunTool(ToolCall),
    /// Cancel this tool call; its outcome is already decided.
    CancelTool {
        /// The call.
        call_id: String,
    },
    /// Note in the store that this call of a tool with effects was not made and never will be, unless it has been made; it
    /// may be cancelled already. Answered by `EffectClosed`.
    CloseEffect {
        /// The call.
        call_id: String,
        /// Its name over all runs.
        key: String,
        /// The error's text if it was not made.
        error: String,
    },
    /// Append the step's calls, before tools that change something run. Answered by `IntentPersisted`.
    PersistIntent(StepRecord),
    /// Append the finished step. Answered by `StepPersisted`.
    PersistStep(StepRecord),
    /// Let the messages that wait for the run enter before this step, on disk, and tell readers. Answered by
    /// `SteeringEntered`.
    EnterSteering {
        /// The step, from 0.
        step: u32,
    },
    /// Give this chunk to the readers.
    EmitChunk(UiChunk),
    /// Give this chunk to the readers, which is none of the log.
    EmitAside(UiChunk),
    /// Report when `after` has passed; an armed timer of the same name is replaced.
    ArmTimer {
        /// Its name.
        timer: Timer,
        /// How long.
        after: Duration,
    },
    /// Forget the timer.
    DisarmTimer(Timer),
    /// Write the run's end. Answered by `Settled`.
    Settle(Settlement),
    /// Put on disk what has streamed and give the run up, for others to go on with. Answered by `Released`.
    Release,
    /// Put on disk, all at once, what has streamed, this step as far as it is, that its reader is asked this, and that the
    /// run waits as nobody's. Nobody is told what is asked before that. Answered by `Suspended`.
    Suspend {
        /// The step, with calls that wait.
        step: StepRecord,
        /// Those calls.
        waits: Vec<Wait>,
        /// What readers are told of them.
        asked: Vec<UiChunk>,
    },
    /// Nothing will follow: tell the readers and whoever waits for the outcome.
    End(Ending),
}

/// A tool call with valid arguments.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// Unique within the run.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub input: Json,
    /// Its name over all runs, the same whenever it is made.
    pub key: String,
}

/// What timers are for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// How long the provider may send nothing of its answer.
    ProviderSilence,
    /// How long a provider that had too much to do is left alone.
    Retry,
    /// How long a step may take, with its tools.
    Step,
    /// How long the whole run may take.
    Run,
    /// How long a tool may take.
    Tool {
        /// The call.
        call_id: String,
    },
}

/// How a turn is over for this process.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// The run is settled in the store.
    Settled,
    /// The run waits for somebody's answer. It may have been asked to stop just before.
    Waiting(Option<RunReason>),
    /// The run is another process's, or was given up for others to go on with; nothing more may be written.
    LeaseLost,
    /// The settlement was refused for good; a sweep will end the run.
    Unsettled,
}
