//! The run machine: the agent loop as a pure state machine.
//!
//! `(state, event) -> effects`, with no clock, socket, store or randomness inside, so that millions of schedules can be
//! simulated. The engine feeds it events and carries out its effects; the rules below are enforced here and nowhere else.
//!
//! - The next provider call is made only after the step before it is confirmed on disk.
//! - Every tool call of a recorded step has exactly one outcome: its output, its error, or a note that it did not
//!   complete.
//! - A run is settled once; whatever comes after is ignored. Nobody is told how it ended before that is on disk.
//! - Once a run has read content from outside, calls that change something are made only with somebody's leave, or by a
//!   rule of the turn.
//! - At the last allowed step the model may call no tool.
//! - A run whose budget is spent ends between two steps; when it is nearly spent, the next answer is the last one.
//! - A step whose answer broke off before any call of it was made is withdrawn and asked for again, as often as allowed, then
//!   of other models: it stays in the log, and no message and no model is told of it.
//! - A stop or a lost lease cancels provider and tools at once; what has streamed so far is kept.
//! - A run that others can drive is not aborted when its process ends: it is given up, between two steps if there is time.
//!   Whoever takes it over goes on after the last step in the log.

mod budget;
mod effect;
mod event;
mod loop_guard;
#[cfg(test)]
pub(crate) mod reached;
mod retry;
pub(crate) mod shell;
mod shown;
mod step;
#[cfg(test)]
mod taint_tests;
#[cfg(test)]
mod tests;
mod transition;
pub(crate) mod writes;

pub use crate::log::journal::Settlement;
pub use budget::{Budget, Cost, Price};
pub use effect::{Effect, Ending, Timer, ToolCall};
pub use event::{Event, StopCause};
pub use retry::{Fallback, Retries};
#[cfg(test)]
pub(crate) use transition::Phase;
#[cfg(any(test, feature = "simulation"))]
pub(crate) use transition::TaintFlaw;
pub use transition::{Limits, RunMachine, Tainting, TurnIds};
