//! Runs that are nobody's in particular: whoever offers their tools may drive them.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::RunId;
use crate::model::MessageStatus;
use crate::project::{AssistantFlush, FlushExtra, OpenPage, flush_run};

use super::{BeginRun, ClaimedRun};

/// A run is not taken over once more when it has had this many owners: it may be what ends them.
pub const MOST_OWNERS: i64 = 25;

/// What an engine needs for driving a run that another one has begun, besides what is in the store anyway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunPlan {
    /// The names of its tools: who drives it offers all of them.
    pub tools: Vec<String>,
    /// The page that the person has open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_page: Option<OpenPage>,
}

/// Who asks for runs to drive, and for which.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The engine instance.
    pub owner: &'a str,
    /// The tools that it offers.
    pub tools: &'a [String],
    /// Runs that it drives itself, which are not to be taken from it.
    pub spare: &'a [RunId],
    /// As in [`super::Sweep::leases_at`]. Without this time, only what never had a lease is taken, and what is left by
    /// owners whose death is proven.
    pub leases_at: Option<Timestamp>,
    /// How many runs at most.
    pub limit: usize,
}

/// Runs that are the caller's to drive now.
#[derive(Clone, Debug, Default)]
pub struct OfferedRuns {
    /// Those that hold their chat: not begun yet, or left behind by their owner.
    pub active: Vec<(ClaimedRun, RunPlan)>,
    /// Those that wait for their chat.
    pub waiting: Vec<BeginRun>,
}

/// The row of an assistant's message in which nothing has been written.
pub(crate) fn unwritten_row() -> AssistantFlush {
    flush_run(&[], MessageStatus::Streaming, &FlushExtra::default())
}

impl RunPlan {
    /// The plan as it is stored.
    pub(crate) fn to_json(&self) -> String {
        // Texts and a list of texts can always be encoded.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A stored plan.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Whether somebody who offers these tools may drive the run.
    pub(crate) fn fits(&self, offered: &[String]) -> bool {
        self.tools.iter().all(|tool| offered.contains(tool))
    }
}
