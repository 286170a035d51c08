//! The answer's stream.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{FinishReason, Json, Usage};
use crate::provider::describe::ErrorField;
use crate::provider::{BlockKind, Decoder, ProviderFailure, SseDecoder, StreamPart};

/// The block ids within one answer; there is at most one open block of each kind.
const TEXT_ID: &str = "txt-0";
const REASONING_ID: &str = "reasoning-0";

/// Incremental decoder for a chat completions stream.
#[derive(Default)]
pub struct ChatCompletionsDecoder {
    sse: SseDecoder,
    answer: Answer,
}

#[derive(Default)]
struct Answer {
    saw_event: bool,
    done: bool,
    finished: bool,
    announced: bool,
    failed: bool,
    open_block: Option<BlockKind>,
    calls: Vec<Call>,
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
}

struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
    announced: bool,
    metadata: Option<Json>,
}

#[derive(Deserialize)]
struct Chunk {
    id: Option<String>,
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<WireUsage>,
    error: Option<ErrorField>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    content: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionDelta>,
    extra_content: Option<Value>,
}

#[derive(Default, Deserialize)]
struct FunctionDelta {
    name: Option<String>,
    arguments: Option<String>,
}

#[derive(Deserialize)]
struct WireUsage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Deserialize)]
struct CompletionDetails {
    reasoning_tokens: Option<u64>,
}

impl From<WireUsage> for Usage {
    /// The total is the sum of both sides; the provider's own total is not used, since some leave the reasoning out of
    /// one side only.
    fn from(wire: WireUsage) -> Self {
        let reasoning = wire.completion_tokens_details.and_then(|details| details.reasoning_tokens);
        let total = wire.prompt_tokens.unwrap_or(0).saturating_add(wire.completion_tokens.unwrap_or(0));
        Usage {
            input_tokens: wire.prompt_tokens,
            output_tokens: wire.completion_tokens,
            total_tokens: (wire.prompt_tokens.is_some() || wire.completion_tokens.is_some()).then_some(total),
            reasoning_tokens: Some(reasoning.unwrap_or(0)),
        }
    }
}

impl Decoder for ChatCompletionsDecoder {
    fn push(&mut self, bytes: &[u8], parts: &mut Vec<StreamPart>) -> Result<(), ProviderFailure> {
        let answer = &mut self.answer;
        self.sse.push(bytes, |data| answer.event(&data, parts)).map_err(|error| ProviderFailure {
            status: None,
            message: format!("The provider's answer cannot be read: {error}."),
            answered: true,
        })
    }

    fn finish(&mut self, parts: &mut Vec<StreamPart>) {
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
    fn event(&mut self, data: &str, parts: &mut Vec<StreamPart>) {
        self.saw_event = true;
        if self.done || data.is_empty() {
            return;
        }
        if data.trim() == "[DONE]" {
            self.done = true;
            return;
        }
        match read_chunk(data) {
            Some(chunk) => self.chunk(chunk, parts),
            None => self.error("The provider sent an event that is not valid JSON for a chat completion.", None, parts),
        }
    }

    fn error(&mut self, message: &str, status: Option<u16>, parts: &mut Vec<StreamPart>) {
        self.failed = true;
        parts.push(StreamPart::Error(ProviderFailure { status, message: message.to_owned(), answered: true }));
    }

    fn chunk(&mut self, chunk: Chunk, parts: &mut Vec<StreamPart>) {
        if !self.announced && (chunk.id.is_some() || chunk.model.is_some()) {
            self.announced = true;
            parts.push(StreamPart::ResponseMetadata { id: chunk.id, model: chunk.model });
        }
        if let Some(error) = chunk.error {
            let message = error.message().unwrap_or_else(|| "The provider reported an error.".to_owned());
            return self.error(&crate::text::one_line(&message), None, parts);
        }
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage.into());
        }
        // Only the first choice is asked for; a gateway that sends more is not followed into them.
        let Some(choice) = chunk.choices.unwrap_or_default().into_iter().next() else {
            return;
        };
        if let Some(delta) = choice.delta {
            self.delta(delta, parts);
        }
        if let Some(reason) = choice.finish_reason {
            self.finish_reason = Some(finish_reason(&reason));
        }
    }

    fn delta(&mut self, delta: Delta, parts: &mut Vec<StreamPart>) {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(text) = filled(delta.reasoning_content).or(filled(delta.reasoning)) {
            self.block(BlockKind::Reasoning, text, parts);
        }
        if let Some(text) = filled(delta.content) {
            self.block(BlockKind::Text, text, parts);
        }
        for call in delta.tool_calls.unwrap_or_default() {
            if self.open_block == Some(BlockKind::Reasoning) {
                self.close_block(parts);
            }
            self.call_delta(call, parts);
        }
    }

    fn block(&mut self, kind: BlockKind, delta: String, parts: &mut Vec<StreamPart>) {
        if self.open_block != Some(kind) {
            self.close_block(parts);
            self.open_block = Some(kind);
            parts.push(StreamPart::BlockStart { kind, id: block_id(kind) });
        }
        parts.push(StreamPart::BlockDelta { kind, id: block_id(kind), delta });
    }

    fn close_block(&mut self, parts: &mut Vec<StreamPart>) {
        if let Some(kind) = self.open_block.take() {
            parts.push(StreamPart::BlockEnd { kind, id: block_id(kind) });
        }
    }

    fn call_delta(&mut self, delta: CallDelta, parts: &mut Vec<StreamPart>) {
        let function = delta.function.unwrap_or_default();
        let id = delta.id.filter(|id| !id.trim().is_empty());
        let name = function.name.filter(|name| !name.trim().is_empty());
        let place = self.place(delta.index, id.as_deref(), name.as_deref()).unwrap_or_else(|| {
            let number = self.calls.len();
            self.calls.push(Call {
                index: delta.index,
                id: id.unwrap_or_else(|| format!("call_{number}")),
                name: String::new(),
                arguments: String::new(),
                announced: false,
                metadata: None,
            });
            number
        });
        let Some(call) = self.calls.get_mut(place) else {
            return;
        };
        if let Some(name) = name
            && call.name.is_empty()
        {
            call.name = name;
        }
        if let Some(signature) =
            delta.extra_content.as_ref().and_then(|extra| extra.pointer("/google/thought_signature"))
        {
            call.metadata = Json::from_value(&serde_json::json!({"google": {"thoughtSignature": signature}})).ok();
        }
        let arguments = function.arguments.unwrap_or_default();
        call.arguments.push_str(&arguments);
        if call.announced {
            if !arguments.is_empty() {
                parts.push(StreamPart::ToolInputDelta { id: call.id.clone(), delta: arguments });
            }
        } else if !call.name.is_empty() {
            // Some send the name only after the first arguments; readers need the name first.
            call.announced = true;
            parts.push(StreamPart::ToolInputStart { id: call.id.clone(), name: call.name.clone() });
            if !call.arguments.is_empty() {
                parts.push(StreamPart::ToolInputDelta { id: call.id.clone(), delta: call.arguments.clone() });
            }
        }
    }

    /// The call that a delta continues; `None` when it begins a new one.
    fn place(&self, index: Option<u64>, id: Option<&str>, name: Option<&str>) -> Option<usize> {
        let Some(index) = index else {
            // Without an index a known id continues its call, and a delta without id and name the latest.
            return match (id, name) {
                (Some(id), _) => self.calls.iter().rposition(|call| call.id == id),
                (None, Some(_)) => None,
                (None, None) => self.calls.len().checked_sub(1),
            };
        };
        let place = self.calls.iter().rposition(|call| call.index == Some(index))?;
        let call = self.calls.get(place)?;
        // Gateways that number every call 0: another id that comes with a name is another call, and so is a name
        // that comes after complete arguments.
        let other_id = id.is_some_and(|id| id != call.id) && name.is_some() && !call.name.is_empty();
        let after_complete = id.is_none() && name.is_some() && call.announced && is_complete(&call.arguments);
        if other_id || after_complete { None } else { Some(place) }
    }

    fn finish(&mut self, parts: &mut Vec<StreamPart>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.close_block(parts);
        let calls = std::mem::take(&mut self.calls);
        for call in calls {
            if call.announced {
                parts.push(StreamPart::ToolCall {
                    id: call.id,
                    name: call.name,
                    arguments: call.arguments,
                    metadata: call.metadata,
                });
            } else {
                self.error("The provider sent a tool call without a tool's name.", None, parts);
            }
        }
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

fn is_complete(arguments: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}

fn read_chunk(data: &str) -> Option<Chunk> {
    match serde_json::from_str(data) {
        Ok(chunk) => Some(chunk),
        // Half a surrogate pair in an escape is all that may be wrong with it.
        Err(_) => Json::parse(data).ok()?.read().ok(),
    }
}

fn finish_reason(reason: &str) -> FinishReason {
    match reason {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "error" | "insufficient_system_resource" => FinishReason::Error,
        _ => FinishReason::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(events: &[&str]) -> Vec<StreamPart> {
        let mut decoder = ChatCompletionsDecoder::default();
        let mut parts = Vec::new();
        for event in events {
            decoder.push(format!("data: {event}\n\n").as_bytes(), &mut parts).unwrap();
        }
        decoder.finish(&mut parts);
        parts
    }

    fn calls(parts: &[StreamPart]) -> Vec<(String, String, String)> {
        parts
            .iter()
            .filter_map(|part| match part {
                StreamPart::ToolCall { id, name, arguments, .. } => Some((id.clone(), name.clone(), arguments.clone())),
                _ => None,
            })
            .collect()
    }

    fn call(text: &str) -> String {
        format!(r#"{{"choices":[{{"delta":{{"tool_calls":[{text}]}}}}]}}"#)
    }

    #[test]
    fn two_calls_under_one_index_stay_two() {
        let parts = decode(&[
            &call(r#"{"index":0,"id":"a","function":{"name":"x","arguments":"{}"}}"#),
            &call(r#"{"index":0,"id":"b","function":{"name":"y","arguments":"{\"q\""}}"#),
            &call(r#"{"index":0,"function":{"arguments":":1}"}}"#),
        ]);
        assert_eq!(
            calls(&parts),
            [("a".into(), "x".into(), "{}".into()), ("b".into(), "y".into(), "{\"q\":1}".into())]
        );
    }

    #[test]
    fn repeated_id_and_name_continue_the_call() {
        let parts = decode(&[
            &call(r#"{"index":0,"id":"a","function":{"name":"x","arguments":"{\"q\""}}"#),
            &call(r#"{"index":0,"id":"a","function":{"name":"x","arguments":":1}"}}"#),
        ]);
        assert_eq!(calls(&parts), [("a".into(), "x".into(), "{\"q\":1}".into())]);
    }

    #[test]
    fn calls_without_index_or_id_are_told_apart() {
        let parts = decode(&[
            &call(r#"{"function":{"name":"x","arguments":"{}"}}"#),
            &call(r#"{"function":{"name":"y","arguments":""}}"#),
            &call(r#"{"function":{"arguments":"{}"}}"#),
        ]);
        assert_eq!(
            calls(&parts),
            [("call_0".into(), "x".into(), "{}".into()), ("call_1".into(), "y".into(), "{}".into())]
        );
    }

    /// A stream of our own with everything in it that a cut could fall into.
    fn everything() -> Vec<u8> {
        let events = [
            r#"{"id":"r","model":"m","choices":[{"delta":{"role":"assistant","content":null,"reasoning_content":"hm… "}}]}"#,
            r#"{"choices":[{"delta":{"content":"Grüße 😀\n"}}]}"#,
            &call(r#"{"index":0,"id":"a","function":{"name":"x","arguments":"{\"q\":"}}"#),
            &call(
                r#"{"index":1,"id":"b","function":{"name":"y","arguments":"{}"}},{"index":0,"function":{"arguments":"\"é\"}"}}"#,
            ),
            r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"completion_tokens_details":{"reasoning_tokens":1}}}"#,
            "[DONE]",
        ];
        let line_ends = ["\n\n", "\r\n\r\n", "\r\r"];
        let framed = events
            .iter()
            .enumerate()
            .map(|(number, event)| format!(": comment\ndata: {event}{}", line_ends[number % line_ends.len()]));
        format!("\u{feff}{}", framed.collect::<String>()).into_bytes()
    }

    fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<StreamPart> {
        let mut decoder = ChatCompletionsDecoder::default();
        let mut parts = Vec::new();
        for piece in pieces {
            decoder.push(piece, &mut parts).unwrap();
        }
        decoder.finish(&mut parts);
        parts
    }

    #[test]
    fn byte_by_byte_is_as_good_as_whole() {
        let bytes = everything();
        let whole = decode_pieces([bytes.as_slice()]);
        assert_eq!(
            calls(&whole),
            [("a".into(), "x".into(), "{\"q\":\"é\"}".into()), ("b".into(), "y".into(), "{}".into())]
        );
        assert!(matches!(whole.last(), Some(StreamPart::Finish { reason: FinishReason::ToolCalls, usage: Some(_) })));
        assert_eq!(decode_pieces(bytes.chunks(1)), whole);
    }

    proptest::proptest! {
        #[test]
        fn cuts_anywhere_are_as_good_as_whole(mut places in proptest::collection::vec(0_usize..2000, 0..10)) {
            let bytes = everything();
            places.iter_mut().for_each(|place| *place = (*place).min(bytes.len()));
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
            proptest::prop_assert_eq!(decode_pieces(pieces), decode_pieces([bytes.as_slice()]));
        }
    }

    #[test]
    fn nothing_is_finished_without_a_reason() {
        let parts = decode(&[r#"{"choices":[{"delta":{"content":"half"}}]}"#]);
        assert!(!parts.iter().any(|part| matches!(part, StreamPart::Finish { .. })));
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced() {
        let parts = decode(&[r#"{"choices":[{"delta":{"content":"a\ud83d"}}]}"#]);
        assert!(parts.iter().any(|part| matches!(part, StreamPart::BlockDelta { delta, .. } if delta == "a\u{fffd}")));
    }
}
