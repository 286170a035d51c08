//! What every driver makes of its provider's bytes.

use crate::error::{Error, ErrorCode};
use crate::model::{FinishReason, Json, Usage};

/// One piece of a model's answer. Ids are the driver's and unique only within one call.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamPart {
    /// The provider's own id of the answer and the model that gave it.
    ResponseMetadata {
        /// The provider's id of the response.
        id: Option<String>,
        /// The model that answered.
        model: Option<String>,
    },
    /// A block of text or reasoning begins.
    BlockStart {
        /// Which of the two.
        kind: BlockKind,
        /// Names the block until its end.
        id: String,
    },
    /// More of a block.
    BlockDelta {
        /// Which of the two.
        kind: BlockKind,
        /// The block.
        id: String,
        /// What comes next in it.
        delta: String,
    },
    /// The block is complete.
    BlockEnd {
        /// Which of the two.
        kind: BlockKind,
        /// The block.
        id: String,
    },
    /// The arguments of a tool call begin to arrive.
    ToolInputStart {
        /// The provider's call id.
        id: String,
        /// The tool.
        name: String,
    },
    /// More of the arguments' text.
    ToolInputDelta {
        /// The call.
        id: String,
        /// What comes next.
        delta: String,
    },
    /// The call is complete.
    ToolCall {
        /// The call.
        id: String,
        /// The tool.
        name: String,
        /// The arguments as the model wrote them, which need not be JSON.
        arguments: String,
        /// What the provider wants to see again with this call.
        metadata: Option<Json>,
    },
    /// The provider reported an error inside its answer.
    Error(ProviderFailure),
    /// The answer is complete.
    Finish {
        /// Why it ended.
        reason: FinishReason,
        /// Tokens of this call.
        usage: Option<Usage>,
    },
}

impl StreamPart {
    /// Whether it brings something of the answer; a provider that sends only the rest is silent all the same.
    pub fn is_content(&self) -> bool {
        match self {
            StreamPart::BlockDelta { delta, .. } | StreamPart::ToolInputDelta { delta, .. } => !delta.is_empty(),
            StreamPart::ToolInputStart { .. }
            | StreamPart::ToolCall { .. }
            | StreamPart::Error(_)
            | StreamPart::Finish { .. } => true,
            StreamPart::ResponseMetadata { .. } | StreamPart::BlockStart { .. } | StreamPart::BlockEnd { .. } => false,
        }
    }
}

/// The two kinds of streamed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// The answer.
    Text,
    /// The reasoning before it.
    Reasoning,
}

/// A provider that refused, broke off or sent nonsense.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderFailure {
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// One line that people can read: status, the provider's own message, what to do. Never a key.
    pub message: String,
    /// Whether the provider had begun to answer.
    pub answered: bool,
}

impl ProviderFailure {
    /// The same as an error for callers, with `details.status`.
    pub(crate) fn into_error(self) -> Error {
        let error = Error::new(ErrorCode::ProviderError, self.message);
        match self.status {
            Some(status) => error.with_detail("status", status),
            None => error,
        }
    }
}
