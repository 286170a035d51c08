//! Runs that are nobody's in particular: whoever offers their tools may drive them.

use serde::{Deserialize, Serialize};

use crate::model::{Json, MessageStatus};
use crate::project::{AssistantFlush, FlushExtra, OpenPage, flush_run};

/// What an engine needs for driving a run that another one has begun, besides what is in the store anyway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunPlan {
    /// The names of its tools: who drives it offers all of them.
    pub tools: Vec<String>,
    /// The page that the person has open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_page: Option<OpenPage>,
    /// What is different about the turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Json>,
    /// The run does not hold its chat while it waits for somebody's answer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frees_chat: bool,
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
