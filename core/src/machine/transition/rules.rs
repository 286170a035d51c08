//! Which events may come in which phases: debug builds assert it, and `docs/machine.md` lists it.

use super::super::effect::Timer;
use super::super::event::Event;
use super::Phase;

/// The rule that whoever tells the machine has broken if this event comes in this phase; nothing when it may come. What
/// comes after the end is nobody's fault.
pub(in crate::machine) fn broken_rule(event: &Event, phase: Phase) -> Option<&'static str> {
    use Phase::{
        BackingOff, Created, Entering, Over, PersistingIntent, PersistingStep, Releasing, RunningTools, Settling,
        Streaming, Suspending,
    };
    let phases_and_rule: (&[Phase], &'static str) = match event {
        _ if phase == Over => return None,
        Event::Begun => (&[Created], "a run begins once"),
        _ if phase == Created => (&[], "nothing comes before the beginning"),
        Event::Part(_) | Event::StreamEnded | Event::StreamFailed(_) => (&[Streaming], "only an open call is answered"),
        Event::IntentPersisted => (&[PersistingIntent], "only what is being written is confirmed"),
        Event::StepPersisted => (&[PersistingStep], "only what is being written is confirmed"),
        Event::Steered => (&[PersistingStep, Settling], "messages are told of by what the store says to a write"),
        Event::SteeringEntered(_) => (&[Entering], "only what is being written is confirmed"),
        Event::Settled | Event::FailedInstead => (&[Settling], "only what is being written is confirmed"),
        Event::Released => (&[Releasing], "only what is being written is confirmed"),
        Event::Suspended => (&[Suspending], "only what is being written is confirmed"),
        Event::TimerFired(Timer::Retry) => (&[BackingOff], "a timer that was disarmed does not fire"),
        Event::TimerFired(Timer::ProviderSilence) => (&[Streaming], "a timer that was disarmed does not fire"),
        Event::TimerFired(Timer::Tool { .. }) => (&[RunningTools], "a timer that was disarmed does not fire"),
        Event::TimerFired(Timer::Step) => {
            (&[Streaming, PersistingIntent, RunningTools], "a timer that was disarmed does not fire")
        }
        Event::TimerFired(Timer::Run) => {
            let phases = &[Streaming, BackingOff, PersistingIntent, RunningTools, PersistingStep, Entering, Settling];
            (phases, "a timer that was disarmed does not fire")
        }
        Event::PersistFailed if phase == Entering => (&[], "whether messages have entered is told by no failure"),
        // A tool that was cancelled may have come back already; any write may be refused, and a pack at any time.
        Event::ToolFinished { .. } | Event::ToolShows { .. } | Event::PersistFailed => return None,
        Event::EffectClosed { .. } => {
            (&[RunningTools, Settling, Releasing], "only a call that the store is asked for is closed")
        }
        Event::StopRequested(_) | Event::LeaseLost | Event::HandOver => return None,
    };
    let (phases, rule) = phases_and_rule;
    (!phases.contains(&phase)).then_some(rule)
}
