//! The answer: a line of JSON for each piece.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{FinishReason, Json, Usage};
use crate::provider::framing::{Lines, reported, unreadable};
use crate::provider::lenient::{lenient, whole};
use crate::provider::{BlockKind, Decoder, ProviderFailure, RunBy, StreamPart, reported as errors};

/// The block ids within one answer; there is at most one open block of each kind.
const TEXT_ID: &str = "txt-0";
const REASONING_ID: &str = "reasoning-0";

/// Incremental decoder for an answer of Ollama's.
#[derive(Default)]
pub struct OllamaDecoder {
    lines: Lines,
    answer: Answer,
}

#[derive(Default)]
struct Answer {
    saw_line: bool,
    announced: bool,
    /// Something of the answer was given out.
    begun: bool,
    done: bool,
    finished: bool,
    failed: bool,
    open_block: Option<BlockKind>,
    calls: usize,
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Line<'a> {
    model: Option<String>,
    message: Option<Message>,
    done: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    done_reason: Option<String>,
    #[serde(default, deserialize_with = "whole")]
    prompt_eval_count: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    eval_count: Option<u64>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    thinking: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Deserialize)]
struct Call {
    id: Option<String>,
    function: Function,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    arguments: Option<Json>,
}

impl Decoder for OllamaDecoder {
    fn push(&mut self, bytes: &[u8], parts: &mut Vec<StreamPart>) -> Result<(), ProviderFailure> {
        let answer = &mut self.answer;
        self.lines.push(bytes, |line| answer.line(line, parts)).map_err(unreadable)
    }

    fn finish(&mut self, parts: &mut Vec<StreamPart>) {
        let answer = &mut self.answer;
        self.lines.finish(|line| answer.line(line, parts));
        self.answer.finish(parts);
    }

    fn is_done(&self) -> bool {
        self.answer.done
    }

    fn saw_stream(&self) -> bool {
        self.answer.saw_line
    }
}

impl Answer {
    fn line(&mut self, line: &str, parts: &mut Vec<StreamPart>) {
        if self.done {
            return;
        }
        let read = |answer: &mut Self, text: &str, parts: &mut Vec<StreamPart>| {
            serde_json::from_str(text).map(|line| answer.read(line, parts)).is_ok()
        };
        // Half a surrogate pair in an escape is all that may be wrong with it.
        if read(self, line, parts) || Json::parse(line).is_ok_and(|json| read(self, json.get(), parts)) {
            return;
        }
        // A page of HTML has lines, too; before anything else it is no answer at all.
        if self.saw_line {
            let message = "The provider sent a line that is not valid JSON of Ollama's.".to_owned();
            self.error(reported(message, None, true), parts);
        }
    }

    fn error(&mut self, failure: ProviderFailure, parts: &mut Vec<StreamPart>) {
        self.failed = true;
        parts.push(StreamPart::Error(failure));
    }

    fn read(&mut self, line: Line<'_>, parts: &mut Vec<StreamPart>) {
        if let Some(error) = line.error {
            self.saw_line = true;
            let failure = errors::failure(error, self.begun);
            return self.error(failure, parts);
        }
        if line.message.is_none() && line.done.is_none() {
            return;
        }
        self.saw_line = true;
        if !self.announced && line.model.is_some() {
            self.announced = true;
            parts.push(StreamPart::ResponseMetadata { id: None, model: line.model });
        }
        self.begun = true;
        if let Some(message) = line.message {
            if let Some(thinking) = message.thinking.filter(|text| !text.is_empty()) {
                self.block(BlockKind::Reasoning, thinking, parts);
            }
            if let Some(text) = message.content.filter(|text| !text.is_empty()) {
                self.block(BlockKind::Text, text, parts);
            }
            for call in message.tool_calls.unwrap_or_default() {
                self.call(call, parts);
            }
        }
        if line.done == Some(true) {
            self.done = true;
            self.finish_reason = Some(match line.done_reason.as_deref() {
                _ if self.calls > 0 => FinishReason::ToolCalls,
                None | Some("stop" | "") => FinishReason::Stop,
                Some("length") => FinishReason::Length,
                Some(_) => FinishReason::Other,
            });
            self.usage = usage(line.prompt_eval_count, line.eval_count);
        }
    }

    fn call(&mut self, call: Call, parts: &mut Vec<StreamPart>) {
        let number = self.calls;
        self.calls += 1;
        let id = call.id.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{number}"));
        // Some models write the object as a text.
        let arguments = call.function.arguments.map_or_else(
            || "{}".to_owned(),
            |arguments| arguments.as_string().unwrap_or_else(|| arguments.get().to_owned()),
        );
        let name = call.function.name;
        parts.push(StreamPart::ToolCall { id, name, arguments, run_by: RunBy::Host, metadata: None });
    }

    fn block(&mut self, kind: BlockKind, delta: String, parts: &mut Vec<StreamPart>) {
        if self.open_block != Some(kind) {
            self.close_block(parts);
            self.open_block = Some(kind);
            parts.push(StreamPart::BlockStart { kind, id: block_id(kind), metadata: None });
        }
        parts.push(StreamPart::BlockDelta { kind, id: block_id(kind), delta, metadata: None });
    }

    fn close_block(&mut self, parts: &mut Vec<StreamPart>) {
        if let Some(kind) = self.open_block.take() {
            parts.push(StreamPart::BlockEnd { kind, id: block_id(kind), metadata: None });
        }
    }

    fn finish(&mut self, parts: &mut Vec<StreamPart>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.close_block(parts);
        if let Some(reason) = self.finish_reason {
            let reason = if self.failed { FinishReason::Error } else { reason };
            parts.push(StreamPart::Finish { reason, usage: self.usage });
        }
    }
}

fn block_id(kind: BlockKind) -> String {
    match kind {
        BlockKind::Text => TEXT_ID.to_owned(),
        BlockKind::Reasoning => REASONING_ID.to_owned(),
    }
}

fn usage(input: Option<u64>, output: Option<u64>) -> Option<Usage> {
    if input.is_none() && output.is_none() {
        return None;
    }
    Some(Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
        reasoning_tokens: None,
        cached_input_tokens: None,
    })
}
