//! The simulated processes: what one holds in memory and loses when it dies.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::run::journal::Journal;
use crate::engine::run::patience::Patience;
use crate::engine::run::sweep::Left;
use crate::machine::{Event, Limits, RunMachine, Settlement, Timer, ToolCall, TurnIds};
use crate::model::{Json, StepRecord};
use crate::project::ModelMessage;
use crate::store::{BeginRun, ChunkPack, ClaimedRun, Fence, RecordStep, SettleRun};
use crate::tool::ToolCatalog;

use crate::id::RunId;

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

/// A write of a run's owner.
#[derive(Clone)]
pub(super) enum Write {
    Pack(ChunkPack),
    Intent(StepRecord),
    Step(RecordStep),
    Settle(SettleRun),
    /// What has streamed, and that the run is given up.
    Release(Option<ChunkPack>),
}

impl Write {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Write::Pack(_) => "pack",
            Write::Intent(_) => "intent",
            Write::Step(_) => "step",
            Write::Settle(_) => "settlement",
            Write::Release(_) => "release",
        }
    }
}

/// A write that is under way and has nobody who waits for its answer.
pub(super) struct LateWrite {
    pub(super) fence: Fence,
    pub(super) write: Write,
}

/// A provider's answer that is arriving.
pub(super) struct Answer {
    pub(super) parts_left: usize,
    pub(super) called: bool,
    /// The provider has said why it is done.
    pub(super) finished: bool,
}

/// One turn in one process: the machine, its journal, and what the engine's driver keeps beside them.
pub(super) struct Drive {
    pub(super) process: usize,
    pub(super) ids: TurnIds,
    pub(super) machine: RunMachine,
    pub(super) journal: Journal,
    pub(super) history: Vec<ModelMessage>,
    pub(super) detached: bool,
    pub(super) control: VecDeque<Event>,
    pub(super) answer: Option<Answer>,
    pub(super) running: Vec<ToolCall>,
    pub(super) timers: Vec<Timer>,
    /// The pack that is on its way, before the write that waits for it.
    pub(super) pack: Option<ChunkPack>,
    pub(super) write: Option<Write>,
    pub(super) settlement: Option<Settlement>,
    /// What this process's own readers were given.
    pub(super) told: Vec<Arc<str>>,
    /// The run was taken over; it goes on once what its last owner left is in order.
    pub(super) taking_over: bool,
    /// What the last owner left, with a step that has to be closed.
    pub(super) left: Option<Left>,
    /// The first step that is driven here.
    pub(super) first_step: usize,
    pub(super) over: bool,
}

impl Drive {
    pub(super) fn new(
        process: usize,
        ids: TurnIds,
        fence: Fence,
        history: Vec<ModelMessage>,
        machine: RunMachine,
    ) -> Self {
        Self {
            process,
            ids,
            machine,
            journal: Journal::new(fence, None),
            history,
            detached: true,
            control: VecDeque::from([Event::Begun]),
            answer: None,
            running: Vec::new(),
            timers: Vec::new(),
            pack: None,
            write: None,
            settlement: None,
            told: Vec::new(),
            taking_over: false,
            left: None,
            first_step: 0,
            over: false,
        }
    }

    pub(super) fn machine(ids: TurnIds, max_steps: u32, planned: bool) -> RunMachine {
        let machine = RunMachine::new(ids, Limits::new(max_steps, Duration::from_secs(60)), Arc::new(Tools));
        if planned { machine.handing_over() } else { machine }
    }

    /// One write at a time, as in the engine.
    pub(super) fn may_pack(&self) -> bool {
        self.pack.is_none() && self.write.is_none()
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

/// The tools of every turn: `read` only reads, `write` and `edit` change something.
pub(super) struct Tools;

pub(super) const TOOLS: [&str; 4] = ["read", "read", "write", "edit"];

impl ToolCatalog for Tools {
    fn check(&self, name: &str, arguments: &str) -> Result<Json, String> {
        if !TOOLS.contains(&name) {
            return Err(format!("There is no tool {name}."));
        }
        Json::parse(arguments).map_err(|_| "The arguments are not JSON.".to_owned())
    }

    fn is_read_only(&self, name: &str) -> bool {
        name == "read"
    }

    fn timeout(&self, _: &str) -> Duration {
        Duration::from_secs(1)
    }
}
