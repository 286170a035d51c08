//! What every driver makes of its provider's bytes.

use crate::error::{Error, ErrorCode};
use crate::model::{BlockKind, FailureKind, FinishReason, Json, RunFailure, Usage};

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
        /// What the provider wants to see again with the block, by provider. Of several the last one counts.
        metadata: Option<Json>,
    },
    /// More of a block.
    BlockDelta {
        /// Which of the two.
        kind: BlockKind,
        /// The block.
        id: String,
        /// What comes next in it; may be empty when there is metadata.
        delta: String,
        /// As at the block's start.
        metadata: Option<Json>,
    },
    /// The block is complete.
    BlockEnd {
        /// Which of the two.
        kind: BlockKind,
        /// The block.
        id: String,
        /// As at the block's start.
        metadata: Option<Json>,
    },
    /// The arguments of a tool call begin to arrive.
    ToolInputStart {
        /// The provider's call id.
        id: String,
        /// The tool.
        name: String,
        /// Who runs it.
        run_by: RunBy,
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
        /// Who runs it.
        run_by: RunBy,
        /// What the provider wants to see again with this call, by provider.
        metadata: Option<Json>,
    },
    /// The outcome of a call that the provider ran itself.
    ToolResult {
        /// The call.
        id: String,
        /// The tool.
        name: String,
        /// What it returned, or why it failed.
        output: Json,
        /// Whether it failed.
        is_error: bool,
        /// What the provider wants to see again with this result, by provider.
        metadata: Option<Json>,
    },
    /// Where the answer comes from.
    Source(Source),
    /// A file that the model made.
    File {
        /// Its media type.
        media_type: String,
        /// Its content, as base64.
        base64: String,
        /// What the provider wants to see again with it, by provider.
        metadata: Option<Json>,
    },
    /// The provider reported an error inside its answer.
    Error(ProviderFailure),
    /// The provider has not come to an end and wants to see the answer so far again, to go on with it. Comes before the
    /// finish.
    Pause,
    /// The model would not answer. Comes before the finish.
    Refused,
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
            | StreamPart::ToolResult { .. }
            | StreamPart::Source(_)
            | StreamPart::File { .. }
            | StreamPart::Error(_)
            | StreamPart::Pause
            | StreamPart::Refused
            | StreamPart::Finish { .. } => true,
            StreamPart::ResponseMetadata { .. } | StreamPart::BlockStart { .. } | StreamPart::BlockEnd { .. } => false,
        }
    }
}

/// Who runs a called tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RunBy {
    /// The host, as one of its tools.
    #[default]
    Host,
    /// The provider, which gives the result in the same answer.
    Provider {
        /// It is none of the provider's own kinds of tools but comes from a server behind it, so that no client knows it.
        dynamic: bool,
    },
}

/// Something that the answer refers to.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A page.
    Url {
        /// Unique within the answer.
        id: String,
        /// Where it is.
        url: String,
        /// What it is called.
        title: Option<String>,
        /// What the provider says of it, by provider.
        metadata: Option<Json>,
    },
    /// A document without an address.
    Document {
        /// Unique within the answer.
        id: String,
        /// Its media type.
        media_type: String,
        /// What it is called.
        title: String,
        /// The name of its file.
        filename: Option<String>,
        /// What the provider says of it, by provider.
        metadata: Option<Json>,
    },
}

/// A provider that refused, broke off or sent nonsense.
#[derive(Clone, Debug, PartialEq)]
pub struct ProviderFailure {
    /// What kind it is.
    pub kind: FailureKind,
    /// The HTTP status when there was an answer, or the one that an error inside of an answer stands for.
    pub status: Option<u16>,
    /// One line that people can read: status, the provider's own message, what to do. Never a key.
    pub message: String,
    /// Whether the provider had begun to answer. An error that is all there is of an answer is none: the call may be
    /// repeated.
    pub answered: bool,
}

impl ProviderFailure {
    /// A failure of this kind in the middle of an answer.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, status: None, message: message.into(), answered: true }
    }

    /// The same before anything of an answer had come.
    #[must_use]
    pub fn unanswered(self) -> Self {
        Self { answered: false, ..self }
    }

    /// The failure as outcomes carry it.
    pub fn to_run_failure(&self) -> RunFailure {
        let message = self.message.clone();
        RunFailure { kind: self.kind, status_code: self.status, retryable: self.kind.is_retryable(), message }
    }

    /// The same as an error for callers, with `details.status`.
    pub(crate) fn into_error(self) -> Error {
        let error = Error::new(ErrorCode::ProviderError, self.message).with_detail("kind", self.kind.as_str());
        match self.status {
            Some(status) => error.with_detail("status", status),
            None => error,
        }
    }
}
