//! The picture and the table of `docs/machine.md`: which events come in which phases, as schedules reach them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::machine::reached::{self, Reached, Table};
use crate::machine::{Event, Phase, StopCause, Timer};
use crate::model::{FailureKind, Json};
use crate::provider::{ProviderFailure, StreamPart};

const PHASES: [Phase; 10] = [
    Phase::Created,
    Phase::Streaming,
    Phase::BackingOff,
    Phase::PersistingIntent,
    Phase::RunningTools,
    Phase::PersistingStep,
    Phase::Entering,
    Phase::Settling,
    Phase::Releasing,
    Phase::Suspending,
];

/// What may come and does not, and why.
const UNREACHED: [(&str, Phase, &str); 9] = [
    ("ToolFinished", Phase::PersistingIntent, LATE),
    ("ToolShows", Phase::PersistingIntent, LATE),
    ("ToolShows", Phase::BackingOff, LATE),
    ("ToolFinished", Phase::BackingOff, LATE),
    ("PersistFailed", Phase::BackingOff, "everything that had streamed is on disk by then."),
    ("ToolShows", Phase::Entering, "a cancelled call would have to show something just while messages enter."),
    (
        "ToolShows",
        Phase::Suspending,
        "a cancelled call would have to show something just while it is written that the run waits.",
    ),
    ("EffectClosed", Phase::Settling, "a pack would have to be refused for good just while the store is asked."),
    ("EffectClosed", Phase::Releasing, "the run would have to be given up just while the store is asked."),
];
const LATE: &str = "what a cancelled call still says would have to be later than the whole next answer.";

/// One of each kind.
fn events() -> Vec<Event> {
    let call_id = String::new;
    vec![
        Event::Begun,
        Event::Part(StreamPart::Pause),
        Event::StreamEnded,
        Event::StreamFailed(ProviderFailure::new(FailureKind::Silence, "")),
        Event::IntentPersisted,
        Event::ToolShows { call_id: call_id(), output: Json::null() },
        Event::ToolFinished { call_id: call_id(), outcome: Ok(Json::null()) },
        Event::EffectClosed { call_id: call_id(), outcome: Ok(Json::null()) },
        Event::StepPersisted,
        Event::Steered,
        Event::SteeringEntered(Vec::new()),
        Event::Settled,
        Event::FailedInstead,
        Event::PersistFailed,
        Event::StopRequested(StopCause::Stopped),
        Event::LeaseLost,
        Event::HandOver,
        Event::Released,
        Event::Suspended,
        Event::TimerFired(Timer::ProviderSilence),
        Event::TimerFired(Timer::Retry),
        Event::TimerFired(Timer::Tool { call_id: call_id() }),
        Event::TimerFired(Timer::Step),
        Event::TimerFired(Timer::Run),
    ]
}

/// Losing the lease leads to the end from everywhere, which a picture need not show.
fn picture(table: &Table) -> String {
    let mut ways: BTreeMap<(Phase, Phase), Vec<&str>> = BTreeMap::new();
    for event in events() {
        let (name, _) = reached::rule(&event, Phase::Over);
        for from in PHASES.iter().filter(|_| event != Event::LeaseLost) {
            for to in table.get(&(name, *from)).into_iter().flat_map(|reached| &reached.led_to) {
                ways.entry((*from, *to)).or_default().push(name);
            }
        }
    }
    let mut text = "```mermaid\nstateDiagram-v2\n    [*] --> Created\n".to_owned();
    for ((from, to), events) in ways {
        writeln!(text, "    {from:?} --> {to:?}: {}", events.join(", ")).unwrap();
    }
    text + "    Over --> [*]\n```\n"
}

fn cell(reached: Option<&Reached>, rule: Option<&str>) -> String {
    match (reached, rule) {
        (None, Some(_)) => "✗".to_owned(),
        (None, None) => "unreached".to_owned(),
        (Some(reached), _) if !reached.acted => "silent".to_owned(),
        (Some(reached), _) if reached.led_to.is_empty() => "taken".to_owned(),
        (Some(reached), _) => {
            let phases: Vec<String> = reached.led_to.iter().map(|phase| format!("{phase:?}")).collect();
            format!("→ {}", phases.join(", "))
        }
    }
}

fn tables(table: &Table) -> String {
    let mut text = "| event |".to_owned();
    PHASES.iter().for_each(|phase| write!(text, " {phase:?} |").unwrap());
    text += "\n|---|";
    PHASES.iter().for_each(|_| text += "---|");
    let mut never = BTreeMap::<(&str, String), Vec<String>>::new();
    let mut unreached = BTreeSet::new();
    for event in events() {
        let (name, _) = reached::rule(&event, Phase::Over);
        write!(text, "\n| `{name}` |").unwrap();
        let mut phases = BTreeMap::<&str, Vec<String>>::new();
        for phase in PHASES {
            let (_, rule) = reached::rule(&event, phase);
            // It leads to the end from everywhere, whether it was drawn there or not.
            if event == Event::LeaseLost && rule.is_none() {
                text += " → Over |";
                continue;
            }
            let found = table.get(&(name, phase));
            assert!(found.is_none() || rule.is_none(), "{name} came in {phase:?}");
            write!(text, " {} |", cell(found, rule)).unwrap();
            match rule {
                Some(rule) => phases.entry(rule).or_default().push(format!("{phase:?}")),
                None if found.is_none() => drop(unreached.insert((name, phase))),
                None => {}
            }
        }
        for (rule, phases) in phases {
            never.entry((rule, phases.join(", "))).or_default().push(format!("`{name}`"));
        }
    }
    text += "\n\nWhat cannot come (✗), by the rule that keeps it away; debug builds assert it:\n\n";
    for ((rule, phases), events) in never {
        writeln!(text, "- **{rule}**: {} in {phases}.", events.join(", ")).unwrap();
    }
    text += "\nWhat may come and is not reached:\n\n";
    for (name, phase, why) in UNREACHED {
        // Some of them are reached now and then.
        if unreached.remove(&(name, phase)) {
            writeln!(text, "- `{name}` in {phase:?}: {why}").unwrap();
        }
    }
    assert!(unreached.is_empty(), "nothing reaches {unreached:?}, and no reason is given");
    if UNREACHED.is_empty() {
        text += "Nothing.\n";
    }
    text
}

/// Replaces what stands behind this mark, up to the next one.
fn replace(page: &str, mark: &str, text: &str) -> String {
    let (before, rest) = page.split_once(&format!("<!-- {mark} -->\n")).unwrap();
    let (_, after) = rest.split_once("<!-- end -->\n").unwrap();
    format!("{before}<!-- {mark} -->\n{text}<!-- end -->\n{after}")
}

/// Compares the page with what was reached, or writes it anew where the environment says UPDATE.
#[allow(clippy::disallowed_methods, reason = "a test, whose files are where cargo says")]
pub(super) fn compare(table: &Table) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/machine.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let written = replace(&replace(&page, "states", &picture(table)), "table", &tables(table));
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(path, written).unwrap();
    }
    assert!(page == written, "docs/machine.md is not what schedules reach: run this test with UPDATE=1");
}
