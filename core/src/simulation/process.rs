//! The simulated processes: what one holds in memory and loses when it dies.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::run::patience::Patience;
use crate::engine::run::taint;
use crate::id::{MessageId, RunId};
use crate::log::abandoned::AbandonedLog;
use crate::machine::shell::{Readers, Shell};
use crate::machine::writes::Write;
use crate::machine::{Event, Tainting, ToolCall, TurnIds};
use crate::model::{Ask, Json, Message, Repeat, TaintMode, TaintSource, WaitKind, origin_of_server, origin_of_tool};
use crate::project::{ModelMessage, messages_from_rows};
use crate::store::{BeginRun, ClaimedRun, Fence};
use crate::tool::ToolCatalog;

use super::effects::Closing;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    /// Nothing happens in it until it wakes.
    Frozen,
    Dead,
}

pub(super) struct Process {
    pub(super) owner: String,
    pub(super) life: Life,
    /// It gives up what others can go on with, and begins nothing more.
    pub(super) closing: bool,
    /// The time that its runs were given is over.
    pub(super) out_of_time: bool,
    pub(super) offers_tools: bool,
    /// When it judges by leases.
    pub(super) patience: Patience,
    /// Runs that it has taken over and not settled yet.
    pub(super) claims: VecDeque<ClaimedRun>,
}

/// A write that is under way and has nobody who waits for its answer.
pub(super) struct LateWrite {
    pub(super) fence: Fence,
    pub(super) write: Arc<Write>,
    /// Of one that lets messages enter: those that waited when it was sent. A store that cannot do it at once names what it
    /// has read, and nobody enters when that has changed.
    pub(super) entering: Vec<MessageId>,
}

impl Write {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Write::Pack(_) => "pack",
            Write::Intent(_) => "intent",
            Write::Step(_) => "step",
            Write::Settle(_) => "settlement",
            Write::Fail(_) => "failure",
            Write::Suspend(_) => "suspension",
            Write::Release => "release",
            Write::Enter(_) => "entering",
        }
    }
}

/// A provider's answer that is arriving.
pub(super) struct Answer {
    pub(super) parts_left: usize,
    pub(super) called: bool,
    /// The provider has said why it is done.
    pub(super) finished: bool,
}

/// One turn in one process: the shell that ships, and what the engine's driver keeps beside it.
pub(super) struct Drive {
    pub(super) process: usize,
    pub(super) ids: TurnIds,
    pub(super) shell: Shell,
    /// How late it is for the shell: its timeouts come when the schedule wants them to.
    pub(super) at: Instant,
    pub(super) history: History,
    pub(super) detached: bool,
    pub(super) control: VecDeque<Event>,
    pub(super) answer: Option<Answer>,
    pub(super) running: Vec<ToolCall>,
    /// Those of them that have counted.
    pub(super) counted: HashSet<String>,
    /// Calls that the store is asked for.
    pub(super) closing: Vec<Closing>,
    /// The write that is under way.
    pub(super) write: Option<Arc<Write>>,
    /// A write did not arrive, and the shell waits before it attempts it again.
    pub(super) again: bool,
    /// The settlement, once it was attempted.
    pub(super) settle: Option<Arc<Write>>,
    /// What this process's own readers were given.
    pub(super) told: Vec<Arc<str>>,
    /// They know the numbers of the chunks.
    pub(super) numbered: bool,
    /// The run was taken over; it goes on once what its last owner left is in order.
    pub(super) taking_over: bool,
    /// What the last owner left, with a step that has to be closed.
    pub(super) left: Option<AbandonedLog>,
    /// The first step that is driven here.
    pub(super) first_step: usize,
    /// The step that was asked for last.
    pub(super) called: Option<u32>,
    pub(super) over: bool,
}

/// What a turn is told of earlier ones.
#[derive(Clone, Default)]
pub(super) struct History {
    pub(super) messages: Vec<ModelMessage>,
    /// What of it is content from outside.
    pub(super) outside: Vec<TaintSource>,
}

impl History {
    pub(super) fn of(rows: &[Message]) -> Self {
        let tainting = Tainting { mode: TaintMode::Ask, ..Tainting::default() };
        let outside = taint::with_rows(tainting, rows, |_| None).begins_with;
        Self { messages: messages_from_rows(rows), outside }
    }
}

/// Readers as the schedule has drawn them.
pub(super) struct DrawnReaders {
    pub(super) following: bool,
    pub(super) numbered: bool,
}

impl Readers for DrawnReaders {
    fn are_following(&self) -> bool {
        self.following
    }

    fn know_numbers(&self) -> bool {
        self.numbered
    }
}

/// A run that waits in the queue, in the process that will drive it.
pub(super) struct Waiter {
    pub(super) process: usize,
    pub(super) begin: BeginRun,
    pub(super) control: VecDeque<Event>,
}

/// A begin that waits until the run whose place it takes has settled.
pub(super) struct Superseding {
    pub(super) process: usize,
    pub(super) target: RunId,
    pub(super) begin: BeginRun,
    pub(super) key: Option<usize>,
}

/// The tools of every turn: `read` only reads, the others change something. `count` has effects, `put` is idempotent; `ask`
/// has to be allowed, `form` is a question that expires. `fetch`, which only reads, and `wiki` bring content from outside.
pub(super) struct Tools;

/// All of them.
pub(super) const OFFERED: [&str; 9] = ["read", "write", "edit", "count", "put", "ask", "form", "fetch", "wiki"];
/// As often as they are drawn.
pub(super) const TOOLS: [&str; 10] = ["read", "read", "write", "edit", "count", "count", "put", "ask", "ask", "form"];

impl ToolCatalog for Tools {
    fn check(&self, name: &str, arguments: &str) -> Result<Json, String> {
        if !OFFERED.contains(&name) {
            return Err(format!("There is no tool {name}."));
        }
        Json::parse(arguments).map_err(|_| "The arguments are not JSON.".to_owned())
    }

    fn is_read_only(&self, name: &str) -> bool {
        matches!(name, "read" | "fetch")
    }

    fn ask(&self, name: &str, _: &Json) -> Option<Ask> {
        let (kind, expires_after_ms) = match name {
            "ask" => (WaitKind::Approval, None),
            "form" => (WaitKind::Question, Some(20_000)),
            _ => return None,
        };
        Some(Ask { kind, schema: None, editable: kind == WaitKind::Approval, answerers: Vec::new(), expires_after_ms })
    }

    fn untrusted(&self, name: &str) -> Option<String> {
        match name {
            "fetch" => Some(origin_of_tool(name)),
            "wiki" => Some(origin_of_server(name)),
            _ => None,
        }
    }

    fn repeats(&self, name: &str) -> Option<Repeat> {
        match name {
            "count" => Some(Repeat::Effects),
            "put" => Some(Repeat::Idempotent),
            _ => None,
        }
    }

    fn timeout(&self, name: &str) -> Duration {
        Duration::from_secs(if name == "edit" { 45 } else { 1 })
    }
}
