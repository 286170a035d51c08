//! The answer's stream, or the whole answer of a server that does not stream.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::model::{FailureKind, FinishReason, Json, Usage};
use crate::provider::framing::{Piece, Pieces, reported, unreadable};
use crate::provider::lenient::{lenient, lenient_list, whole};
use crate::provider::wire::metadata_of;
use crate::provider::{BlockKind, Decoder, ProviderFailure, RunBy, Source, StreamPart, reported as errors};

use super::encode::JSON_TOOL;
use super::messages::CALLED_BEFORE;
use super::messages::CitedDocument;
use super::{NAME, camel_case, renamed, results};

/// What the answer to a call may hold because of what was asked.
#[derive(Clone, Debug, Default)]
pub struct Expectations {
    /// The answer comes as the arguments of a tool that stands for its schema.
    pub json_tool: bool,
    /// The documents that it may cite.
    pub documents: Vec<CitedDocument>,
}

/// Incremental decoder for an answer of Anthropic's.
#[derive(Default)]
pub struct AnthropicDecoder {
    pieces: Pieces,
    answer: Answer,
}

impl AnthropicDecoder {
    /// A decoder for an answer of which this is known.
    pub fn new(expected: Expectations) -> Self {
        Self { answer: Answer { expected, ..Answer::default() }, ..Self::default() }
    }
}

#[derive(Default)]
struct Answer {
    expected: Expectations,
    saw_event: bool,
    message: Option<String>,
    /// Something of the answer was given out.
    begun: bool,
    done: bool,
    finished: bool,
    failed: bool,
    /// Another message began in the middle of this one; nothing after that is of this answer.
    spliced: bool,
    answered_with_json: bool,
    blocks: BTreeMap<u64, Block>,
    /// Calls at Anthropic: their tools and metadata.
    server_calls: HashMap<String, (String, Option<Json>)>,
    sources: usize,
    stop_reason: Option<String>,
    usage: WireUsage,
}

enum Block {
    Text {
        citations: Vec<Value>,
    },
    Thinking,
    Call(Call),
    /// A text that is the arguments of the tool for the answer.
    Json,
}

struct Call {
    id: String,
    name: String,
    arguments: String,
    run_by: RunBy,
    metadata: Option<Json>,
    /// What the input has to begin with, until it has begun.
    kind: Option<String>,
    /// The input that came with the block's start, in place of deltas.
    given: Option<Json>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default)]
    r#type: String,
    #[serde(default, deserialize_with = "whole")]
    index: Option<u64>,
    message: Option<Message>,
    #[serde(borrow)]
    content_block: Option<&'a RawValue>,
    delta: Option<Delta>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<WireUsage>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Message {
    id: Option<String>,
    model: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<WireUsage>,
    content: Option<Vec<Json>>,
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    r#type: Option<String>,
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    partial_json: Option<String>,
    citation: Option<Json>,
    content: Option<String>,
    stop_reason: Option<String>,
}

#[derive(Deserialize)]
struct ContentBlock {
    r#type: String,
    id: Option<String>,
    name: Option<String>,
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    input: Option<Json>,
    caller: Option<Json>,
    server_name: Option<String>,
    tool_use_id: Option<String>,
    content: Option<Json>,
    #[serde(default, deserialize_with = "lenient")]
    is_error: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    citations: Option<Vec<Json>>,
}

#[derive(Default, Deserialize)]
struct WireUsage {
    #[serde(default, deserialize_with = "whole")]
    input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    output_tokens: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    cache_read_input_tokens: Option<u64>,
    #[serde(default, deserialize_with = "lenient")]
    output_tokens_details: Option<OutputDetails>,
    #[serde(default, deserialize_with = "lenient_list")]
    iterations: Option<Vec<Iteration>>,
}

#[derive(Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Iteration {
    r#type: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Decoder for AnthropicDecoder {
    fn push(&mut self, bytes: &[u8], parts: &mut Vec<StreamPart>) -> Result<(), ProviderFailure> {
        let answer = &mut self.answer;
        let pushed = self.pieces.push(bytes, |piece| match piece {
            Piece::Event(data) => answer.data(&data, parts),
            Piece::Whole(text) => answer.whole(&text, parts),
            Piece::Error(data) => answer.odd(&data, parts),
        });
        pushed.map_err(unreadable)
    }

    fn finish(&mut self, parts: &mut Vec<StreamPart>) {
        let answer = &mut self.answer;
        self.pieces.finish(|piece| {
            if let Piece::Error(data) = piece {
                answer.odd(&data, parts);
            }
        });
        self.answer.finish(parts);
    }

    fn is_done(&self) -> bool {
        self.answer.done
    }

    fn saw_stream(&self) -> bool {
        self.answer.saw_event
    }
}

impl Answer {
    /// An error in no event of the stream.
    fn odd(&mut self, data: &str, parts: &mut Vec<StreamPart>) {
        let done = std::mem::take(&mut self.done);
        self.data(data, parts);
        self.done |= done;
    }

    fn data(&mut self, data: &str, parts: &mut Vec<StreamPart>) {
        self.saw_event = true;
        if self.done || self.spliced || data.trim().is_empty() || data.trim() == "[DONE]" {
            return;
        }
        let read = |answer: &mut Self, text: &str, parts: &mut Vec<StreamPart>| {
            serde_json::from_str(text).map(|event| answer.event(event, parts)).is_ok()
        };
        // Half a surrogate pair in an escape is all that may be wrong with it.
        if !read(self, data, parts) && !Json::parse(data).is_ok_and(|json| read(self, json.get(), parts)) {
            let message = "The provider sent an event that is not valid JSON of Anthropic's.".to_owned();
            self.error(reported(message, None, true), parts);
        }
    }

    /// One JSON value in place of a stream. If it is a whole message it is taken; of anything else nothing is said, so
    /// that it is reported as the body that it is.
    fn whole(&mut self, text: &str, parts: &mut Vec<StreamPart>) {
        let Some(json) = Json::parse(text).ok() else { return };
        let Ok(message) = serde_json::from_str::<Message>(json.get()) else { return };
        let (Some(content), Some(stop_reason)) = (&message.content, message.stop_reason.clone()) else { return };
        self.saw_event = true;
        let content = content.clone();
        self.message_start(message, parts);
        for (index, block) in (0_u64..).zip(content) {
            if let Ok(block) = block.read() {
                self.block_start(index, block, parts);
                self.block_stop(index, parts);
            }
        }
        self.stop_reason = Some(stop_reason);
        self.done = true;
    }

    fn error(&mut self, failure: ProviderFailure, parts: &mut Vec<StreamPart>) {
        self.failed = true;
        parts.push(StreamPart::Error(failure));
    }

    fn event(&mut self, event: Event<'_>, parts: &mut Vec<StreamPart>) {
        let index = event.index.unwrap_or_default();
        if let Some(error) = event.error {
            let failure = failure(error, self.begun);
            return self.error(failure, parts);
        }
        match event.r#type.as_str() {
            "message_start" => {
                if let Some(message) = event.message {
                    self.message_start(message, parts);
                }
            }
            "content_block_start" => {
                let block = event.content_block.and_then(|block| serde_json::from_str(block.get()).ok());
                if let Some(block) = block {
                    self.block_start(index, block, parts);
                }
            }
            "content_block_delta" => {
                if let Some(delta) = event.delta {
                    self.block_delta(index, delta, parts);
                }
            }
            "content_block_stop" => self.block_stop(index, parts),
            "message_delta" => {
                if let Some(usage) = event.usage {
                    self.usage.update(usage);
                }
                let reason = event.delta.and_then(|delta| delta.stop_reason).filter(|reason| !reason.trim().is_empty());
                self.stop_reason = reason.or(self.stop_reason.take());
            }
            "message_stop" => {
                self.done = true;
                // The end is said, in no word: what has come is all that was to come.
                if self.begun {
                    self.stop_reason.get_or_insert_default();
                }
            }
            // Pings, and what may come to be.
            _ => {}
        }
    }

    fn message_start(&mut self, message: Message, parts: &mut Vec<StreamPart>) {
        match (&self.message, &message.id) {
            (Some(known), Some(id)) if known == id => return,
            (Some(_), _) => {
                self.spliced = true;
                let text = "The provider began another message in the middle of its answer.".to_owned();
                return self.error(reported(text, None, true), parts);
            }
            (None, id) => self.message = Some(id.clone().unwrap_or_default()),
        }
        if let Some(usage) = message.usage {
            self.usage.update(usage);
        }
        parts.push(StreamPart::ResponseMetadata { id: message.id, model: message.model });
    }

    fn block_start(&mut self, index: u64, block: ContentBlock, parts: &mut Vec<StreamPart>) {
        self.begun = true;
        let id = index.to_string();
        match block.r#type.as_str() {
            "text" if !self.expected.json_tool => {
                parts.push(start(BlockKind::Text, &id, None));
                self.blocks.insert(index, Block::Text { citations: Vec::new() });
                push_delta(BlockKind::Text, &id, block.text.unwrap_or_default(), parts);
                for citation in block.citations.into_iter().flatten() {
                    self.citation(index, &citation, parts);
                }
            }
            "compaction" => {
                parts.push(start(BlockKind::Text, &id, metadata_of(NAME, &json!({"type": "compaction"}))));
                self.blocks.insert(index, Block::Text { citations: Vec::new() });
                let text = block.content.and_then(|content| content.as_string()).unwrap_or_default();
                push_delta(BlockKind::Text, &id, text, parts);
            }
            "thinking" => {
                parts.push(start(BlockKind::Reasoning, &id, None));
                self.blocks.insert(index, Block::Thinking);
                push_delta(BlockKind::Reasoning, &id, block.thinking.unwrap_or_default(), parts);
                self.signature(index, block.signature, parts);
            }
            "redacted_thinking" => {
                let metadata = metadata_of(NAME, &json!({"redactedData": block.data}));
                parts.push(start(BlockKind::Reasoning, &id, metadata));
                self.blocks.insert(index, Block::Thinking);
            }
            "tool_use" if self.expected.json_tool && block.name.as_deref() == Some(JSON_TOOL) => {
                self.answered_with_json = true;
                parts.push(start(BlockKind::Text, &id, None));
                self.blocks.insert(index, Block::Json);
                let given = block.input.filter(|input| input.get() != "{}");
                push_delta(BlockKind::Text, &id, given.map(|input| input.get().to_owned()).unwrap_or_default(), parts);
            }
            "tool_use" | "server_tool_use" => self.call_start(index, block, parts),
            "mcp_tool_use" => {
                let (id, name) = (block.id.unwrap_or_default(), block.name.unwrap_or_default());
                let metadata = metadata_of(NAME, &json!({"type": "mcp-tool-use", "serverName": block.server_name}));
                self.server_calls.insert(id.clone(), (name.clone(), metadata.clone()));
                let arguments = block.input.map_or_else(|| "{}".to_owned(), |input| input.get().to_owned());
                let run_by = RunBy::Provider { dynamic: true };
                parts.push(StreamPart::ToolCall { id, name, arguments, run_by, metadata });
            }
            kind if kind.ends_with("_tool_result") => {
                let kind = kind.to_owned();
                self.server_result(&kind, block, parts);
            }
            _ => {}
        }
    }

    fn call_start(&mut self, index: u64, block: ContentBlock, parts: &mut Vec<StreamPart>) {
        let (id, wire_name) = (block.id.unwrap_or_else(|| format!("call_{index}")), block.name.unwrap_or_default());
        let metadata = caller_metadata(block.caller);
        let is_server = block.r#type == "server_tool_use";
        let (name, kind) = if is_server { results::tool_of(&wire_name) } else { (wire_name.as_str(), None) };
        let run_by = if is_server { RunBy::Provider { dynamic: false } } else { RunBy::Host };
        if is_server {
            self.server_calls.insert(id.clone(), (name.to_owned(), metadata.clone()));
        }
        parts.push(StreamPart::ToolInputStart { id: id.clone(), name: name.to_owned(), run_by });
        let call = Call {
            id,
            name: name.to_owned(),
            arguments: String::new(),
            run_by,
            metadata,
            kind: kind.map(str::to_owned),
            given: block.input.filter(|input| input.get() != "{}"),
        };
        self.blocks.insert(index, Block::Call(call));
    }

    fn block_delta(&mut self, index: u64, delta: Delta, parts: &mut Vec<StreamPart>) {
        let id = index.to_string();
        match delta.r#type.as_deref().unwrap_or_default() {
            "text_delta" if !self.expected.json_tool => {
                push_delta(BlockKind::Text, &id, delta.text.unwrap_or_default(), parts);
            }
            "compaction_delta" => push_delta(BlockKind::Text, &id, delta.content.unwrap_or_default(), parts),
            "thinking_delta" => push_delta(BlockKind::Reasoning, &id, delta.thinking.unwrap_or_default(), parts),
            "signature_delta" => self.signature(index, delta.signature, parts),
            "input_json_delta" => self.input_delta(index, delta.partial_json.unwrap_or_default(), parts),
            "citations_delta" => {
                if let Some(citation) = delta.citation {
                    self.citation(index, &citation, parts);
                }
            }
            _ => {}
        }
    }

    fn signature(&mut self, index: u64, signature: Option<String>, parts: &mut Vec<StreamPart>) {
        let signature = signature.filter(|signature| !signature.is_empty());
        if let (Some(Block::Thinking), Some(signature)) = (self.blocks.get(&index), signature) {
            let metadata = metadata_of(NAME, &json!({"signature": signature}));
            let (kind, id, delta) = (BlockKind::Reasoning, index.to_string(), String::new());
            parts.push(StreamPart::BlockDelta { kind, id, delta, metadata });
        }
    }

    fn input_delta(&mut self, index: u64, piece: String, parts: &mut Vec<StreamPart>) {
        if piece.is_empty() {
            return;
        }
        match self.blocks.get_mut(&index) {
            Some(Block::Json) => push_delta(BlockKind::Text, &index.to_string(), piece, parts),
            Some(Block::Call(call)) => {
                let piece = match call.kind.take() {
                    Some(kind) => typed(&kind, &piece),
                    None => piece,
                };
                call.arguments.push_str(&piece);
                parts.push(StreamPart::ToolInputDelta { id: call.id.clone(), delta: piece });
            }
            _ => {}
        }
    }

    fn block_stop(&mut self, index: u64, parts: &mut Vec<StreamPart>) {
        let id = index.to_string();
        match self.blocks.remove(&index) {
            Some(Block::Text { citations }) => {
                let metadata =
                    if citations.is_empty() { None } else { metadata_of(NAME, &json!({"citations": citations})) };
                parts.push(StreamPart::BlockEnd { kind: BlockKind::Text, id, metadata });
            }
            Some(Block::Json) => parts.push(StreamPart::BlockEnd { kind: BlockKind::Text, id, metadata: None }),
            Some(Block::Thinking) => {
                parts.push(StreamPart::BlockEnd { kind: BlockKind::Reasoning, id, metadata: None });
            }
            Some(Block::Call(call)) => parts.push(call.complete()),
            None => {}
        }
    }

    fn server_result(&mut self, kind: &str, block: ContentBlock, parts: &mut Vec<StreamPart>) {
        let id = block.tool_use_id.unwrap_or_default();
        let known = self.server_calls.get(&id);
        let content = block.content.and_then(|content| content.read::<Value>().ok()).unwrap_or_default();
        let pages = (kind == "web_search_tool_result").then(|| content.clone());
        let Some((name, output, failed)) = results::result_of(kind, content, known.map(|(name, _)| name.as_str()))
        else {
            return;
        };
        let is_mcp = kind == "mcp_tool_result";
        let metadata = match known {
            Some((_, metadata)) if is_mcp => metadata.clone(),
            Some(_) => caller_metadata(block.caller),
            // The call came in the answer before, which had paused.
            None => metadata_of(NAME, &json!({CALLED_BEFORE: id})),
        };
        let is_error = failed || block.is_error == Some(true);
        let output = Json::from_value(&output).unwrap_or_else(|_| Json::null());
        parts.push(StreamPart::ToolResult { id, name, output, is_error, metadata });
        for page in pages.iter().filter_map(Value::as_array).flatten() {
            let text = |name: &str| page.get(name).and_then(Value::as_str).map(str::to_owned);
            if let Some(url) = text("url") {
                let metadata = metadata_of(NAME, &json!({"pageAge": text("page_age")}));
                let id = self.next_source_id();
                parts.push(StreamPart::Source(Source::Url { id, url, title: text("title"), metadata }));
            }
        }
    }

    fn citation(&mut self, index: u64, citation: &Json, parts: &mut Vec<StreamPart>) {
        let Ok(citation) = citation.read::<Value>() else { return };
        let member = |name: &str| citation.get(name).cloned().unwrap_or_default();
        let text = |name: &str| citation.get(name).and_then(Value::as_str).map(str::to_owned);
        match text("type").as_deref() {
            Some("web_search_result_location") => {
                let Some(url) = text("url") else { return };
                let own = json!({"citedText": member("cited_text"), "encryptedIndex": member("encrypted_index")});
                let (id, metadata) = (self.next_source_id(), metadata_of(NAME, &own));
                parts.push(StreamPart::Source(Source::Url { id, url, title: text("title"), metadata }));
                // It has to go back with the text that it belongs to.
                if let Some(Block::Text { citations }) = self.blocks.get_mut(&index) {
                    citations.push(citation);
                }
            }
            Some(kind @ ("page_location" | "char_location")) => {
                let place = citation.get("document_index").and_then(Value::as_u64).unwrap_or_default();
                let document = usize::try_from(place).ok().and_then(|place| self.expected.documents.get(place));
                let Some(document) = document.cloned() else { return };
                let own = if kind == "page_location" {
                    json!({
                        "citedText": member("cited_text"),
                        "startPageNumber": member("start_page_number"),
                        "endPageNumber": member("end_page_number"),
                    })
                } else {
                    json!({
                        "citedText": member("cited_text"),
                        "startCharIndex": member("start_char_index"),
                        "endCharIndex": member("end_char_index"),
                    })
                };
                parts.push(StreamPart::Source(Source::Document {
                    id: self.next_source_id(),
                    media_type: document.media_type,
                    title: text("document_title").unwrap_or(document.title),
                    filename: document.filename,
                    metadata: metadata_of(NAME, &own),
                }));
            }
            _ => {}
        }
    }

    fn next_source_id(&mut self) -> String {
        self.sources += 1;
        format!("source-{}", self.sources)
    }

    fn finish(&mut self, parts: &mut Vec<StreamPart>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        if let Some(reason) = self.stop_reason.take() {
            let open: Vec<u64> = self.blocks.keys().copied().collect();
            for index in open {
                self.block_stop(index, parts);
            }
            if reason.trim() == "pause_turn" {
                parts.push(StreamPart::Pause);
            }
            if reason.trim() == "refusal" {
                parts.push(StreamPart::Refused);
            }
            let reason = match finish_reason(&reason) {
                _ if self.failed => FinishReason::Error,
                FinishReason::ToolCalls if self.answered_with_json => FinishReason::Stop,
                reason => reason,
            };
            parts.push(StreamPart::Finish { reason, usage: self.usage.counted() });
        }
    }
}

impl Call {
    fn complete(self) -> StreamPart {
        let arguments = match (self.arguments.is_empty(), self.given, self.kind) {
            (false, ..) => self.arguments,
            (true, Some(given), Some(kind)) => typed(&kind, given.get()),
            (true, Some(given), None) => given.get().to_owned(),
            (true, None, _) => "{}".to_owned(),
        };
        let (id, name, run_by, metadata) = (self.id, self.name, self.run_by, self.metadata);
        StreamPart::ToolCall { id, name, arguments, run_by, metadata }
    }
}

/// The first piece of an input, with its type put in front.
fn typed(kind: &str, piece: &str) -> String {
    match piece.strip_prefix('{') {
        Some(rest) if rest.trim_start().starts_with('}') => format!("{{\"type\": \"{kind}\"{rest}"),
        Some(rest) => format!("{{\"type\": \"{kind}\",{rest}"),
        None => piece.to_owned(),
    }
}

impl WireUsage {
    /// Takes over what a later event says.
    fn update(&mut self, later: WireUsage) {
        self.input_tokens = later.input_tokens.or(self.input_tokens);
        self.output_tokens = later.output_tokens.or(self.output_tokens);
        self.cache_creation_input_tokens = later.cache_creation_input_tokens.or(self.cache_creation_input_tokens);
        self.cache_read_input_tokens = later.cache_read_input_tokens.or(self.cache_read_input_tokens);
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details.take());
        self.iterations = later.iterations.or(self.iterations.take());
    }

    /// The tokens that count. With compaction the call is several, each of which counts; what an advisor used, or a model
    /// that another one stood in for, does not.
    fn counted(&self) -> Option<Usage> {
        let mut input = self.input_tokens;
        let mut output = self.output_tokens;
        let of_kind = |kind: &'static str| {
            let all = self.iterations.iter().flatten();
            all.filter(move |iteration| iteration.r#type.as_deref() == Some(kind))
        };
        if of_kind("fallback_message").next().is_none()
            && (of_kind("compaction").chain(of_kind("message"))).next().is_some()
        {
            let counted = || of_kind("compaction").chain(of_kind("message"));
            input = Some(counted().filter_map(|iteration| iteration.input_tokens).fold(0, u64::saturating_add));
            output = Some(counted().filter_map(|iteration| iteration.output_tokens).fold(0, u64::saturating_add));
        }
        if input.is_none() && output.is_none() {
            return None;
        }
        let cached =
            self.cache_creation_input_tokens.unwrap_or(0).saturating_add(self.cache_read_input_tokens.unwrap_or(0));
        let input = input.map(|input| input.saturating_add(cached));
        Some(Usage {
            input_tokens: input,
            output_tokens: output,
            total_tokens: Some(input.unwrap_or(0).saturating_add(output.unwrap_or(0))),
            reasoning_tokens: self.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens),
            cached_input_tokens: self.cache_read_input_tokens.filter(|tokens| *tokens > 0),
        })
    }
}

/// Anthropic's own codes: <https://docs.anthropic.com/en/api/errors>.
fn failure(error: &RawValue, begun: bool) -> ProviderFailure {
    #[derive(Deserialize)]
    struct Type {
        r#type: Option<String>,
    }
    let kind = serde_json::from_str::<Type>(error.get()).ok().and_then(|error| error.r#type);
    let failure = errors::failure(error, begun);
    match kind.as_deref() {
        Some("overloaded_error") => ProviderFailure { kind: FailureKind::Overloaded, status: Some(529), ..failure },
        _ => ProviderFailure { status: failure.status.or(Some(500)), ..failure },
    }
}

fn start(kind: BlockKind, id: &str, metadata: Option<Json>) -> StreamPart {
    StreamPart::BlockStart { kind, id: id.to_owned(), metadata }
}

fn push_delta(kind: BlockKind, id: &str, delta: String, parts: &mut Vec<StreamPart>) {
    if !delta.is_empty() {
        parts.push(StreamPart::BlockDelta { kind, id: id.to_owned(), delta, metadata: None });
    }
}

fn caller_metadata(caller: Option<Json>) -> Option<Json> {
    let caller = caller?.read::<Map<String, Value>>().ok()?;
    metadata_of(NAME, &json!({"caller": renamed(Value::Object(caller), camel_case)}))
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason.trim() {
        "end_turn" | "stop_sequence" | "pause_turn" => FinishReason::Stop,
        "tool_use" => FinishReason::ToolCalls,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "stop" => FinishReason::Stop,
        "max_tokens" | "model_context_window_exceeded" | "length" => FinishReason::Length,
        "refusal" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}
