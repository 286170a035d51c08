//! A run's log as readers see it, computed from what is on disk.
//!
//! The log begins with the run's `start` chunk, number 0; each step's chunks follow, and the run's end. What streams
//! while a step is in progress is put on disk in packs, as it was sent. A finished step is on disk by itself, so what its
//! packs do not hold is not written a second time: it is computed from the step, and always comes out the same.

use std::sync::Arc;

use crate::id::{ChatId, MessageId, RunId};
use crate::model::BlockKind;
use crate::model::{Approval, DENIED_CALL, INCOMPLETE_CALL, Json};
use crate::model::{
    FinishReason, MessageStatus, Part, RunFailure, RunReason, RunStatus, StepRecord, TextPart, ToolPart, ToolState,
    Usage,
};
use crate::project::{ErrorText, shown_state, told_failure, truncated_outputs};

use super::chunk::{ApprovalDetails, CallDetails, StreamMetadata, UiChunk, is_told};

/// The id of a block in the chunks: unique in the run, and known from its place alone.
pub(crate) fn block_id(kind: BlockKind, step: u32, place: usize) -> String {
    match kind {
        BlockKind::Text => format!("text-{step}-{place}"),
        BlockKind::Reasoning => format!("reasoning-{step}-{place}"),
    }
}

/// The first chunk of a run's log.
pub(crate) fn start_chunk(chat_id: ChatId, run_id: RunId, message_id: MessageId) -> UiChunk {
    let message_metadata = StreamMetadata { chat_id: Some(chat_id), run_id: Some(run_id), ..StreamMetadata::default() };
    UiChunk::Start { message_id, message_metadata }
}

/// What a reader knows of a step after some of its chunks.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepView {
    started: bool,
    items: Vec<Seen>,
}

#[derive(Clone, Debug)]
enum Seen {
    Block(SeenBlock),
    Call(SeenCall),
    /// A source or a file.
    Part(Json),
}

#[derive(Clone, Debug)]
struct SeenBlock {
    kind: BlockKind,
    id: String,
    text: String,
    metadata: Option<Json>,
    citations: Option<Json>,
    open: bool,
}

#[derive(Clone, Debug, Default)]
struct SeenCall {
    call_id: String,
    name: String,
    arguments: String,
    input: Option<Json>,
    outcome: Option<Outcome>,
    /// Somebody was asked whether it may be made, and would not allow it.
    asked: bool,
    denied: bool,
    details: CallDetails,
    result_metadata: Option<Json>,
}

type Outcome = Result<Json, String>;

impl StepView {
    /// Whether the reader has been told of the step at all.
    pub(crate) fn is_started(&self) -> bool {
        self.started
    }

    /// Takes in a chunk. What is not of a step is ignored, and so is what fits nowhere.
    pub(crate) fn apply(&mut self, chunk: &UiChunk) {
        match chunk {
            UiChunk::StartStep => self.started = true,
            UiChunk::TextStart { id, provider_metadata } => self.open(BlockKind::Text, id, provider_metadata),
            UiChunk::ReasoningStart { id, provider_metadata } => {
                self.open(BlockKind::Reasoning, id, provider_metadata);
            }
            UiChunk::TextDelta { id, delta, provider_metadata }
            | UiChunk::ReasoningDelta { id, delta, provider_metadata } => {
                if let Some(block) = self.block(id) {
                    block.text.push_str(delta);
                    block.metadata = provider_metadata.clone().or(block.metadata.take());
                }
            }
            UiChunk::TextEnd { id, provider_metadata, citations } => {
                if let Some(block) = self.block(id) {
                    block.open = false;
                    block.citations.clone_from(citations);
                    block.metadata = provider_metadata.clone().or(block.metadata.take());
                }
            }
            UiChunk::ReasoningEnd { id, provider_metadata } => {
                if let Some(block) = self.block(id) {
                    block.open = false;
                    block.metadata = provider_metadata.clone().or(block.metadata.take());
                }
            }
            UiChunk::ToolInputStart { tool_call_id, tool_name, more } => {
                if let Some(call) = self.call(tool_call_id, Some(tool_name)) {
                    call.details = more.clone();
                }
            }
            UiChunk::ToolInputDelta { tool_call_id, input_text_delta } => {
                if let Some(call) = self.call(tool_call_id, None) {
                    call.arguments.push_str(input_text_delta);
                }
            }
            UiChunk::ToolInputAvailable { tool_call_id, tool_name, input, more }
            | UiChunk::ToolInputError { tool_call_id, tool_name, input, more, .. } => {
                if let Some(call) = self.call(tool_call_id, Some(tool_name)) {
                    call.input = Some(input.clone());
                    call.details = more.clone();
                }
            }
            UiChunk::ToolOutputAvailable { tool_call_id, output, more } => {
                if let Some(call) = self.call(tool_call_id, None) {
                    call.outcome = Some(Ok(output.clone()));
                    call.result_metadata = more.provider_metadata.clone();
                }
            }
            UiChunk::ToolOutputError { tool_call_id, error_text, more } => {
                if let Some(call) = self.call(tool_call_id, None) {
                    call.outcome = Some(Err(error_text.clone()));
                    call.result_metadata = more.provider_metadata.clone();
                }
            }
            UiChunk::ToolApprovalRequest { tool_call_id, .. } => {
                if let Some(call) = self.call(tool_call_id, None) {
                    call.asked = true;
                }
            }
            UiChunk::ToolOutputDenied { tool_call_id, .. } => {
                if let Some(call) = self.call(tool_call_id, None) {
                    call.denied = true;
                    call.outcome = Some(Err(DENIED_CALL.to_owned()));
                }
            }
            UiChunk::Part(part) => self.items.push(Seen::Part(part.clone())),
            // What it comes to is told at the end of the call.
            UiChunk::ToolOutputPreliminary { .. }
            | UiChunk::Start { .. }
            | UiChunk::FinishStep
            | UiChunk::MessageMetadata { .. }
            | UiChunk::Finish { .. }
            | UiChunk::Abort { .. }
            | UiChunk::Error { .. } => {}
        }
    }

    fn open(&mut self, kind: BlockKind, id: &str, metadata: &Option<Json>) {
        self.items.push(Seen::Block(SeenBlock {
            kind,
            id: id.to_owned(),
            text: String::new(),
            metadata: metadata.clone(),
            citations: None,
            open: true,
        }));
    }

    fn block(&mut self, wanted: &str) -> Option<&mut SeenBlock> {
        self.items.iter_mut().rev().find_map(|item| match item {
            Seen::Block(block) if block.id == wanted => Some(block),
            _ => None,
        })
    }

    /// The call of this id; with a name, it is added if there is none.
    fn call(&mut self, wanted: &str, name: Option<&str>) -> Option<&mut SeenCall> {
        let known = self.items.iter().position(|item| matches!(item, Seen::Call(call) if call.call_id == wanted));
        let place = match (known, name) {
            (Some(place), _) => place,
            (None, Some(name)) => {
                self.items.push(Seen::Call(SeenCall {
                    call_id: wanted.to_owned(),
                    name: name.to_owned(),
                    ..SeenCall::default()
                }));
                self.items.len() - 1
            }
            (None, None) => return None,
        };
        match self.items.get_mut(place) {
            Some(Seen::Call(call)) => Some(call),
            _ => None,
        }
    }

    /// What this reader has still to be told of the finished step. `usage` is the sum up to and with this step.
    pub(crate) fn continuation(&self, step: &StepRecord, usage: Option<Usage>) -> Vec<UiChunk> {
        let mut chunks = self.rest(step);
        close_step(step, usage, &mut chunks);
        chunks
    }

    /// What this reader has still to be told of a step that goes on. What somebody is asked is told when it waits.
    pub(crate) fn untold(&self, step: &StepRecord) -> Vec<UiChunk> {
        let mut chunks = self.rest(step);
        chunks.retain(|chunk| !matches!(chunk, UiChunk::ToolApprovalRequest { .. }));
        chunks
    }

    fn rest(&self, step: &StepRecord) -> Vec<UiChunk> {
        let mut chunks = Vec::new();
        if !self.started {
            chunks.push(UiChunk::StartStep);
        }
        let parts = step.parts.iter().filter(|part| !matches!(part, Part::StepStart));
        for (place, part) in parts.enumerate() {
            let seen = self.items.get(place);
            match part {
                Part::Text(text) => rest_of_block(BlockKind::Text, step.number, place, text, seen, &mut chunks),
                Part::Reasoning(text) => {
                    rest_of_block(BlockKind::Reasoning, step.number, place, text, seen, &mut chunks);
                }
                Part::Tool(tool) => rest_of_call(tool, seen, &mut chunks),
                Part::Other(part) if seen.is_none() && is_told(part) => chunks.push(UiChunk::Part(part.clone())),
                Part::StepStart | Part::Other(_) => {}
            }
        }
        chunks
    }

    /// The step as far as the packs have it, for the log of a run whose owner is gone.
    pub(crate) fn into_record(self, number: u32) -> StepRecord {
        let mut parts = vec![Part::StepStart];
        parts.extend(self.items.into_iter().map(|item| match item {
            Seen::Block(SeenBlock { kind, text, metadata, citations, .. }) => {
                let text = TextPart { provider_metadata: metadata, citations, ..TextPart::done(text) };
                match kind {
                    BlockKind::Text => Part::Text(text),
                    BlockKind::Reasoning => Part::Reasoning(text),
                }
            }
            Seen::Call(call) => {
                let input = call.input.unwrap_or_else(|| Json::string(&call.arguments));
                let state = call.outcome.map_or_else(|| ToolState::OutputError(INCOMPLETE_CALL.to_owned()), tool_state);
                Part::Tool(ToolPart {
                    provider_executed: call.details.provider_executed,
                    dynamic: call.details.dynamic,
                    provider_metadata: call.details.provider_metadata,
                    result_metadata: call.result_metadata,
                    title: call.details.title,
                    tool_metadata: call.details.tool_metadata,
                    approval: call.denied.then(|| Box::new(Approval::requested(&call.call_id).answered(false, None))),
                    ..ToolPart::new(call.name, call.call_id, Some(input), state)
                })
            }
            Seen::Part(part) => Part::Other(part),
        }));
        StepRecord { number, parts, finish_reason: None, usage: None }
    }

    /// Whether nothing has come of the step yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The outcome that the call had by the last pack.
    pub(crate) fn outcome_of(&self, wanted: &str) -> Option<ToolState> {
        self.seen_call(wanted)?.outcome.clone().map(tool_state)
    }

    fn seen_call(&self, wanted: &str) -> Option<&SeenCall> {
        self.items.iter().find_map(|item| match item {
            Seen::Call(call) if call.call_id == wanted => Some(call),
            _ => None,
        })
    }

    /// The input of the call as it was told last, and whether it was told that somebody would not allow it.
    pub(crate) fn answer_to(&self, wanted: &str) -> (Option<Json>, Option<Approval>) {
        let call = self.items.iter().find_map(|item| match item {
            Seen::Call(call) if call.call_id == wanted => Some(call),
            _ => None,
        });
        let denial = |call: &SeenCall| call.denied.then(|| Approval::requested(&call.call_id).answered(false, None));
        (call.and_then(|call| call.input.clone()), call.and_then(denial))
    }

    /// Closes, for the reader, a step that is not in the log: nothing came of it.
    fn closing(&self) -> Vec<UiChunk> {
        let mut chunks = Vec::new();
        for item in &self.items {
            if let Seen::Block(SeenBlock { kind, id, open: true, .. }) = item {
                chunks.push(block_end(*kind, id.clone(), None, None));
            }
        }
        if self.started {
            chunks.push(UiChunk::FinishStep);
        }
        chunks
    }
}

fn tool_state(outcome: Outcome) -> ToolState {
    match outcome {
        Ok(output) => ToolState::OutputAvailable(Some(output)),
        Err(error) => ToolState::OutputError(error),
    }
}

fn block_end(kind: BlockKind, id: String, provider_metadata: Option<Json>, citations: Option<Json>) -> UiChunk {
    match kind {
        BlockKind::Text => UiChunk::TextEnd { id, provider_metadata, citations },
        BlockKind::Reasoning => UiChunk::ReasoningEnd { id, provider_metadata },
    }
}

/// The metadata is told where the block ends: of several the last one counts.
fn rest_of_block(
    kind: BlockKind,
    step: u32,
    place: usize,
    part: &TextPart,
    seen: Option<&Seen>,
    chunks: &mut Vec<UiChunk>,
) {
    let (id, known, told, open) = match seen {
        Some(Seen::Block(block)) => (block.id.clone(), block.text.as_str(), &block.metadata, block.open),
        _ => {
            let (id, provider_metadata) = (block_id(kind, step, place), None);
            chunks.push(match kind {
                BlockKind::Text => UiChunk::TextStart { id: id.clone(), provider_metadata },
                BlockKind::Reasoning => UiChunk::ReasoningStart { id: id.clone(), provider_metadata },
            });
            (id, "", &None, true)
        }
    };
    let delta = part.text.strip_prefix(known).unwrap_or_default();
    if !delta.is_empty() {
        let (id, delta, provider_metadata) = (id.clone(), delta.to_owned(), None);
        chunks.push(match kind {
            BlockKind::Text => UiChunk::TextDelta { id, delta, provider_metadata },
            BlockKind::Reasoning => UiChunk::ReasoningDelta { id, delta, provider_metadata },
        });
    }
    if open {
        let untold = part.provider_metadata.clone().filter(|metadata| Some(metadata) != told.as_ref());
        chunks.push(block_end(kind, id, untold, part.citations.clone()));
    }
}

fn rest_of_call(tool: &ToolPart, seen: Option<&Seen>, chunks: &mut Vec<UiChunk>) {
    let (input_known, asked, outcome_known) = match seen {
        // Whoever allowed it may have changed its input.
        Some(Seen::Call(call)) if tool.approval.as_ref().is_some_and(|approval| approval.edited) => {
            (call.input == tool.input, call.asked, call.outcome.is_some())
        }
        Some(Seen::Call(call)) => (call.input.is_some(), call.asked, call.outcome.is_some()),
        _ => (false, false, false),
    };
    let tool_call_id = tool.call_id.clone();
    if !input_known {
        chunks.push(UiChunk::ToolInputAvailable {
            tool_call_id: tool_call_id.clone(),
            tool_name: tool.name.clone(),
            input: tool.input.clone().unwrap_or_else(Json::null),
            more: CallDetails::of_call(tool),
        });
    }
    if let Some(approval) = tool.approval.as_ref().filter(|_| !asked) {
        let (approval_id, tool_call_id) = (approval.id.clone(), tool_call_id.clone());
        chunks.push(UiChunk::ToolApprovalRequest { approval_id, tool_call_id, more: ApprovalDetails::of(approval) });
    }
    if outcome_known {
        return;
    }
    if tool.is_denied() {
        let reason = tool.approval.as_ref().and_then(|approval| approval.reason.clone());
        return chunks.push(UiChunk::ToolOutputDenied { tool_call_id, reason });
    }
    let more = CallDetails::of_result(tool);
    match shown_state(tool) {
        ToolState::InputAvailable => {}
        ToolState::OutputAvailable(output) => {
            let output = output.unwrap_or_else(Json::null);
            chunks.push(UiChunk::ToolOutputAvailable { tool_call_id, output, more });
        }
        ToolState::OutputError(error_text) => {
            chunks.push(UiChunk::ToolOutputError { tool_call_id, error_text, more });
        }
    }
}

fn close_step(step: &StepRecord, usage: Option<Usage>, chunks: &mut Vec<UiChunk>) {
    chunks.push(UiChunk::FinishStep);
    let told = StreamMetadata::of_step(usage, truncated_outputs(std::slice::from_ref(step)));
    chunks.extend(told.map(|message_metadata| UiChunk::MessageMetadata { message_metadata }));
}

/// How a run ended, as its row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunEnd {
    pub(crate) status: RunStatus,
    pub(crate) reason: Option<RunReason>,
    pub(crate) error: Option<String>,
    pub(crate) failure: Option<RunFailure>,
    /// In whose words readers are told of the failure.
    pub(crate) error_text: ErrorText,
}

impl RunEnd {
    /// The last chunks of the log. `view` is the step that was begun and is not in the log.
    pub(crate) fn chunks(&self, view: &StepView, last: Option<FinishReason>, usage: Option<Usage>) -> Vec<UiChunk> {
        let in_step = view.is_started() || last == Some(FinishReason::Error);
        let mut chunks = view.closing();
        chunks.extend(self.told(last, in_step, usage));
        chunks
    }

    /// The chunks that say how the run ended, once everything is closed. Clients stop reading at an error, and some know
    /// nothing of `abort`: what they are to know comes before it, as the message's metadata.
    pub(crate) fn told(&self, last: Option<FinishReason>, in_step: bool, usage: Option<Usage>) -> Vec<UiChunk> {
        let (error, failure) = told_failure(self.error_text, self.error.as_deref(), self.failure.as_ref());
        let how = StreamMetadata {
            status: Some(match self.status {
                RunStatus::Failed => MessageStatus::Error,
                RunStatus::Aborted => MessageStatus::Aborted,
                _ => MessageStatus::Completed,
            }),
            reason: self.reason,
            error: error.clone(),
            failure,
            ..StreamMetadata::default()
        };
        match self.status {
            RunStatus::Failed => {
                let error_text = error.unwrap_or_else(|| "The run failed.".to_owned());
                let mut chunks =
                    vec![UiChunk::MessageMetadata { message_metadata: how }, UiChunk::Error { error_text }];
                if in_step {
                    let message_metadata = StreamMetadata::usage(usage);
                    chunks.push(UiChunk::Finish { finish_reason: FinishReason::Error, message_metadata });
                }
                chunks
            }
            RunStatus::Aborted => {
                let reason = self.reason.map_or("aborted", RunReason::as_str).to_owned();
                vec![UiChunk::MessageMetadata { message_metadata: how }, UiChunk::Abort { reason }]
            }
            _ => {
                let message_metadata = Some(StreamMetadata { usage, ..how });
                vec![UiChunk::Finish { finish_reason: last.unwrap_or(FinishReason::Other), message_metadata }]
            }
        }
    }
}

/// What readers are told last while a run waits for somebody's answer. It is none of the log's: that goes on where it
/// was once there is an answer.
pub(crate) fn waiting_chunk(usage: Option<Usage>) -> UiChunk {
    let message_metadata = Some(StreamMetadata { usage, waiting: true, ..StreamMetadata::default() });
    UiChunk::Finish { finish_reason: FinishReason::ToolCalls, message_metadata }
}

/// Chunks encoded for readers.
pub(crate) fn encode(chunks: &[UiChunk]) -> Vec<Arc<str>> {
    chunks.iter().map(|chunk| Arc::from(chunk.encode())).collect()
}
