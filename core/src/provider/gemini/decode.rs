//! The answer's stream.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::model::{FinishReason, Json, Usage};
use crate::provider::framing::{Piece, Pieces, reported, unreadable};
use crate::provider::lenient::{lenient, lenient_list, whole};
use crate::provider::wire::metadata_of;
use crate::provider::{BlockKind, Decoder, ProviderFailure, RunBy, Source, StreamPart, reported as errors};
use crate::text::one_line;

use super::partial_args::{PartialArg, PartialArgs};

/// The name under which parts carry what Google wants to see again.
const NAME: &str = "google";

/// Incremental decoder for an answer of Gemini's.
#[derive(Default)]
pub struct GeminiDecoder {
    pieces: Pieces,
    answer: Answer,
}

impl GeminiDecoder {
    /// A decoder for an answer whose tools have been sent under other names: by those names, their own.
    pub fn new(renamed: HashMap<String, String>) -> Self {
        Self { answer: Answer { renamed, ..Answer::default() }, ..Self::default() }
    }
}

#[derive(Default)]
struct Answer {
    renamed: HashMap<String, String>,
    saw_event: bool,
    done: bool,
    finished: bool,
    announced: bool,
    /// Something of the answer was given out.
    begun: bool,
    failed: bool,
    open_block: Option<(BlockKind, String)>,
    blocks: usize,
    calls: usize,
    called: bool,
    streaming: Option<Streaming>,
    code_call: Option<String>,
    server_call: Option<String>,
    sources: HashSet<String>,
    source_count: usize,
    finish_reason: Option<FinishReason>,
    blocked: bool,
    usage: Option<Usage>,
}

/// A call whose arguments arrive value by value.
struct Streaming {
    id: String,
    name: String,
    args: PartialArgs,
    metadata: Option<Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    response_id: Option<String>,
    model_version: Option<String>,
    candidates: Option<Vec<Candidate>>,
    #[serde(default, deserialize_with = "lenient")]
    usage_metadata: Option<UsageMetadata>,
    #[serde(default, deserialize_with = "lenient")]
    prompt_feedback: Option<PromptFeedback>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    content: Option<Content>,
    #[serde(default, deserialize_with = "lenient")]
    finish_reason: Option<String>,
    /// Google's own sentence about the end.
    #[serde(default, deserialize_with = "lenient")]
    finish_message: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    grounding_metadata: Option<Grounding>,
}

#[derive(Deserialize)]
struct Content {
    parts: Option<Vec<Part>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    text: Option<String>,
    thought: Option<bool>,
    thought_signature: Option<String>,
    inline_data: Option<InlineData>,
    function_call: Option<FunctionCall>,
    executable_code: Option<Json>,
    code_execution_result: Option<CodeResult>,
    tool_call: Option<ServerCall>,
    tool_response: Option<ServerResponse>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InlineData {
    mime_type: String,
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FunctionCall {
    id: Option<String>,
    name: Option<String>,
    args: Option<Json>,
    partial_args: Option<Vec<PartialArg>>,
    will_continue: Option<bool>,
}

#[derive(Deserialize)]
struct CodeResult {
    outcome: Option<String>,
    output: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerCall {
    id: Option<String>,
    tool_type: Option<String>,
    args: Option<Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerResponse {
    id: Option<String>,
    tool_type: Option<String>,
    response: Option<Json>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromptFeedback {
    block_reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsageMetadata {
    #[serde(default, deserialize_with = "whole")]
    prompt_token_count: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    candidates_token_count: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    thoughts_token_count: Option<u64>,
    #[serde(default, deserialize_with = "whole")]
    cached_content_token_count: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grounding {
    #[serde(default, deserialize_with = "lenient_list")]
    grounding_chunks: Option<Vec<GroundingChunk>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroundingChunk {
    web: Option<Page>,
    maps: Option<Page>,
    image: Option<Image>,
    retrieved_context: Option<Retrieved>,
}

#[derive(Deserialize)]
struct Page {
    uri: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Image {
    source_uri: Option<String>,
    title: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Retrieved {
    uri: Option<String>,
    title: Option<String>,
    file_search_store: Option<String>,
}

impl Decoder for GeminiDecoder {
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
        if data.trim().is_empty() || data.trim() == "[DONE]" {
            return;
        }
        let read = |answer: &mut Self, text: &str, parts: &mut Vec<StreamPart>| {
            serde_json::from_str(text).map(|event| answer.event(event, parts)).is_ok()
        };
        // Half a surrogate pair in an escape is all that may be wrong with it.
        if !read(self, data, parts) && !Json::parse(data).is_ok_and(|json| read(self, json.get(), parts)) {
            let message = "The provider sent an event that is not valid JSON of Gemini's.".to_owned();
            self.error(reported(message, None, true), parts);
        }
    }

    /// One JSON value in place of a stream: a whole answer, or a list of the events. Of anything else nothing is said,
    /// so that it is reported as the body that it is.
    fn whole(&mut self, text: &str, parts: &mut Vec<StreamPart>) {
        let Some(json) = Json::parse(text).ok() else { return };
        let list = serde_json::from_str::<Vec<Event<'_>>>(json.get());
        let events = list.or_else(|_| serde_json::from_str(json.get()).map(|event| vec![event])).unwrap_or_default();
        let is_answer = |event: &Event<'_>| event.candidates.is_some() || event.prompt_feedback.is_some();
        if !events.iter().any(is_answer) {
            return;
        }
        self.saw_event = true;
        for event in events {
            self.event(event, parts);
        }
        self.done = true;
    }

    fn error(&mut self, failure: ProviderFailure, parts: &mut Vec<StreamPart>) {
        self.failed = true;
        parts.push(StreamPart::Error(failure));
    }

    fn event(&mut self, event: Event<'_>, parts: &mut Vec<StreamPart>) {
        if !self.announced && event.response_id.is_some() {
            self.announced = true;
            parts.push(StreamPart::ResponseMetadata { id: event.response_id, model: event.model_version });
        }
        if let Some(usage) = event.usage_metadata {
            self.usage = Some(usage.into());
        }
        if let Some(error) = event.error {
            let failure = errors::failure(error, self.begun);
            return self.error(failure, parts);
        }
        self.blocked |= event.prompt_feedback.is_some_and(|feedback| feedback.block_reason.is_some());
        let Some(candidate) = event.candidates.unwrap_or_default().into_iter().next() else {
            return;
        };
        self.begun = true;
        for chunk in candidate.grounding_metadata.and_then(|grounding| grounding.grounding_chunks).into_iter().flatten()
        {
            self.grounding(chunk, parts);
        }
        let content = candidate.content.and_then(|content| content.parts).unwrap_or_default();
        // Calls stand at the end of an event, whatever came between them.
        let (calls, others): (Vec<Part>, Vec<Part>) =
            content.into_iter().partition(|part| part.function_call.is_some());
        for part in others {
            self.part(part, parts);
        }
        for part in calls {
            let metadata = signature_metadata(part.thought_signature.as_deref());
            if let Some(call) = part.function_call {
                self.function_call(call, metadata, parts);
            }
        }
        if let Some(reason) = candidate.finish_reason.filter(|reason| !reason.trim().is_empty()) {
            self.finish_reason = Some(finish_reason(&reason));
            if self.finish_reason == Some(FinishReason::Error) {
                let sentence = candidate.finish_message.as_deref().map(one_line).filter(|text| !text.is_empty());
                let message = sentence
                    .unwrap_or_else(|| format!("The provider ended its answer with an error ({}).", one_line(&reason)));
                self.error(reported(message, None, true), parts);
            }
        }
    }

    fn part(&mut self, part: Part, parts: &mut Vec<StreamPart>) {
        let metadata = signature_metadata(part.thought_signature.as_deref());
        if let Some(text) = part.text {
            let kind = if part.thought == Some(true) { BlockKind::Reasoning } else { BlockKind::Text };
            return self.text(kind, text, metadata, parts);
        }
        if let Some(file) = part.inline_data {
            self.close_block(parts);
            let mut own = Map::new();
            if part.thought == Some(true) {
                own.insert("thought".to_owned(), Value::Bool(true));
            }
            own.extend(part.thought_signature.map(|signature| ("thoughtSignature".to_owned(), signature.into())));
            let metadata = if own.is_empty() { None } else { metadata_of(NAME, &Value::Object(own)) };
            parts.push(StreamPart::File { media_type: file.mime_type, base64: file.data, metadata });
        } else if let Some(code) = part.executable_code {
            self.close_block(parts);
            let id = self.next_call_id(None);
            self.code_call = Some(id.clone());
            parts.push(server_call(id, "code_execution", code.get(), false, metadata));
        } else if let Some(result) = part.code_execution_result {
            let id = self.code_call.take().unwrap_or_else(|| self.next_call_id(None));
            let output = json!({"outcome": result.outcome, "output": result.output.unwrap_or_default()});
            parts.push(server_result(id, "code_execution", Json::from_value(&output).ok(), metadata));
        } else if let Some(call) = part.tool_call {
            self.close_block(parts);
            let id = self.next_call_id(call.id);
            self.server_call = Some(id.clone());
            let kind = call.tool_type.unwrap_or_default();
            let metadata = server_metadata(&id, &kind, part.thought_signature.as_deref());
            let arguments = call.args.unwrap_or_else(Json::empty_object);
            parts.push(server_call(id, &format!("server:{kind}"), arguments.get(), true, metadata));
        } else if let Some(response) = part.tool_response {
            let known = self.server_call.take();
            let id = response.id.or(known).unwrap_or_else(|| self.next_call_id(None));
            let kind = response.tool_type.unwrap_or_default();
            let metadata = server_metadata(&id, &kind, part.thought_signature.as_deref());
            parts.push(server_result(id, &format!("server:{kind}"), response.response, metadata));
        }
    }

    fn text(&mut self, kind: BlockKind, text: String, metadata: Option<Json>, parts: &mut Vec<StreamPart>) {
        if text.is_empty() {
            // A signature may come by itself, for what was said before it.
            if metadata.is_some() {
                let (kind, id) = match &self.open_block {
                    Some(open) => open.clone(),
                    None => self.open_block(kind, None, parts),
                };
                parts.push(StreamPart::BlockDelta { kind, id, delta: text, metadata });
            }
            return;
        }
        let open = match &self.open_block {
            Some((open, id)) if *open == kind => id.clone(),
            _ => {
                self.close_block(parts);
                self.open_block(kind, metadata.clone(), parts).1
            }
        };
        parts.push(StreamPart::BlockDelta { kind, id: open, delta: text, metadata });
    }

    fn open_block(
        &mut self,
        kind: BlockKind,
        metadata: Option<Json>,
        parts: &mut Vec<StreamPart>,
    ) -> (BlockKind, String) {
        let open = (kind, self.blocks.to_string());
        self.blocks += 1;
        parts.push(StreamPart::BlockStart { kind, id: open.1.clone(), metadata });
        self.open_block = Some(open.clone());
        open
    }

    fn close_block(&mut self, parts: &mut Vec<StreamPart>) {
        if let Some((kind, id)) = self.open_block.take() {
            parts.push(StreamPart::BlockEnd { kind, id, metadata: None });
        }
    }

    fn next_call_id(&mut self, given: Option<String>) -> String {
        let number = self.calls;
        self.calls += 1;
        given.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("call_{number}"))
    }

    fn function_call(&mut self, call: FunctionCall, metadata: Option<Json>, parts: &mut Vec<StreamPart>) {
        let continues = call.will_continue == Some(true);
        if let Some(name) = call.name.filter(|name| !name.is_empty()) {
            let name = self.renamed.get(&name).cloned().unwrap_or(name);
            self.end_streaming(parts);
            self.called = true;
            let id = self.next_call_id(call.id);
            parts.push(StreamPart::ToolInputStart { id: id.clone(), name: name.clone(), run_by: RunBy::Host });
            if call.args.is_none() && (continues || call.partial_args.is_some()) {
                self.streaming = Some(Streaming { id, name, args: PartialArgs::default(), metadata });
            } else {
                let arguments = call.args.map_or_else(|| "{}".to_owned(), |args| args.get().to_owned());
                if arguments != "{}" {
                    parts.push(StreamPart::ToolInputDelta { id: id.clone(), delta: arguments.clone() });
                }
                parts.push(StreamPart::ToolCall { id, name, arguments, run_by: RunBy::Host, metadata });
                return;
            }
        }
        if let Some(streaming) = &mut self.streaming {
            for arg in call.partial_args.into_iter().flatten() {
                let delta = streaming.args.add(arg);
                if !delta.is_empty() {
                    parts.push(StreamPart::ToolInputDelta { id: streaming.id.clone(), delta });
                }
            }
        }
        if !continues {
            self.end_streaming(parts);
        }
    }

    fn end_streaming(&mut self, parts: &mut Vec<StreamPart>) {
        let Some(Streaming { id, name, args, metadata }) = self.streaming.take() else {
            return;
        };
        let (delta, arguments) = args.finish();
        if !delta.is_empty() {
            parts.push(StreamPart::ToolInputDelta { id: id.clone(), delta });
        }
        parts.push(StreamPart::ToolCall { id, name, arguments, run_by: RunBy::Host, metadata });
    }

    fn grounding(&mut self, chunk: GroundingChunk, parts: &mut Vec<StreamPart>) {
        let page = chunk.web.or(chunk.maps).map(|page| (page.uri, page.title));
        let page = page.or_else(|| chunk.image.map(|image| (image.source_uri, image.title)));
        if let Some((Some(url), title)) = page {
            return self.url_source(url, title, parts);
        }
        let Some(retrieved) = chunk.retrieved_context else { return };
        let (address, store) = (retrieved.uri, retrieved.file_search_store);
        match address {
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => {
                self.url_source(url, retrieved.title, parts);
            }
            address => {
                let Some(place) = address.or(store) else { return };
                let filename = place.rsplit('/').next().map(str::to_owned);
                let id = self.next_source_id();
                parts.push(StreamPart::Source(Source::Document {
                    id,
                    media_type: media_type_of(&place).to_owned(),
                    title: retrieved.title.unwrap_or_else(|| "Unknown Document".to_owned()),
                    filename,
                    metadata: None,
                }));
            }
        }
    }

    fn url_source(&mut self, url: String, title: Option<String>, parts: &mut Vec<StreamPart>) {
        if self.sources.insert(url.clone()) {
            let id = self.next_source_id();
            parts.push(StreamPart::Source(Source::Url { id, url, title, metadata: None }));
        }
    }

    fn next_source_id(&mut self) -> String {
        self.source_count += 1;
        format!("source-{}", self.source_count)
    }

    fn finish(&mut self, parts: &mut Vec<StreamPart>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.end_streaming(parts);
        self.close_block(parts);
        let reason = match self.finish_reason {
            _ if self.failed => self.finish_reason.map(|_| FinishReason::Error),
            // A prompt that was refused has no answer.
            None if self.blocked => Some(FinishReason::ContentFilter),
            Some(FinishReason::Stop) if self.called => Some(FinishReason::ToolCalls),
            reason => reason,
        };
        if let Some(reason) = reason {
            parts.push(StreamPart::Finish { reason, usage: self.usage });
        }
    }
}

impl From<UsageMetadata> for Usage {
    /// Thoughts are not among the candidates' tokens.
    fn from(wire: UsageMetadata) -> Self {
        let counted = wire.prompt_token_count.is_some() || wire.candidates_token_count.is_some();
        let thoughts = wire.thoughts_token_count.unwrap_or(0);
        let output = wire.candidates_token_count.unwrap_or(0).saturating_add(thoughts);
        let input = wire.prompt_token_count.unwrap_or(0);
        Usage {
            input_tokens: counted.then_some(input),
            output_tokens: counted.then_some(output),
            total_tokens: counted.then(|| input.saturating_add(output)),
            reasoning_tokens: counted.then_some(thoughts),
            cached_input_tokens: wire.cached_content_token_count.filter(|tokens| *tokens > 0),
        }
    }
}

fn signature_metadata(signature: Option<&str>) -> Option<Json> {
    metadata_of(NAME, &json!({"thoughtSignature": signature.filter(|signature| !signature.is_empty())?}))
}

fn server_metadata(id: &str, kind: &str, signature: Option<&str>) -> Option<Json> {
    let mut own = Map::new();
    own.extend(signature.map(|signature| ("thoughtSignature".to_owned(), signature.into())));
    own.insert("serverToolCallId".to_owned(), id.into());
    own.insert("serverToolType".to_owned(), kind.into());
    metadata_of(NAME, &Value::Object(own))
}

fn server_call(id: String, name: &str, arguments: &str, dynamic: bool, metadata: Option<Json>) -> StreamPart {
    let run_by = RunBy::Provider { dynamic };
    StreamPart::ToolCall { id, name: name.to_owned(), arguments: arguments.to_owned(), run_by, metadata }
}

fn server_result(id: String, name: &str, output: Option<Json>, metadata: Option<Json>) -> StreamPart {
    let output = output.unwrap_or_else(Json::null);
    StreamPart::ToolResult { id, name: name.to_owned(), output, is_error: false, metadata }
}

fn media_type_of(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" | "markdown" => "text/markdown",
        "doc" => "application/msword",
        "docx" => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        _ => "application/octet-stream",
    }
}

/// <https://ai.google.dev/api/generate-content#FinishReason>
fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        // The second is what some imitations say when there is a call.
        "STOP" | "FUNCTION_CALL" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => FinishReason::ContentFilter,
        // Calls that the service itself refused: they are not in the answer, and it is none without them.
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE"
        | "LANGUAGE"
        | "IMAGE_OTHER"
        | "NO_IMAGE" => FinishReason::Error,
        _ => FinishReason::Other,
    }
}
