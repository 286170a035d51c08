//! The answer's stream, or the whole answer of a server that does not stream.

use std::collections::HashSet;

use serde_json::json;
use serde_json::value::RawValue;

use crate::model::{FinishReason, Json, Usage};
use crate::provider::framing::{Piece, Pieces, reported, unreadable};
use crate::provider::wire::metadata_of;
use crate::provider::{BlockKind, Decoder, ProviderFailure, Source, StreamPart, reported as errors};

use super::calls::Calls;
use super::chunk::{CallDelta, Chunk, Citation, Content, Delta};
use super::ending::{self, Word};
use super::kept::{Kept, OWN, REASONING_NAME};

/// The block ids within one answer; there is at most one open block of each kind.
const TEXT_ID: &str = "txt-0";
const REASONING_ID: &str = "reasoning-0";

/// What a service does besides the common form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// The same piece of reasoning may come twice in a row (xAI).
    pub repeats_reasoning: bool,
    /// The answer may begin with the assistant's message that ended the conversation (Mistral, xAI): this text.
    pub echo: Option<String>,
}

/// Incremental decoder for an answer to a chat completions call.
#[derive(Default)]
pub struct ChatCompletionsDecoder {
    pieces: Pieces,
    answer: Answer,
}

impl ChatCompletionsDecoder {
    /// A decoder for a service with these habits.
    pub fn new(habits: Habits) -> Self {
        let echo = habits.echo.map(|echo| echo.trim_end().to_owned()).filter(|echo| !echo.is_empty());
        let repeats_reasoning = habits.repeats_reasoning;
        Self { answer: Answer { echo, repeats_reasoning, ..Answer::default() }, ..Self::default() }
    }
}

#[derive(Default)]
struct Answer {
    saw_event: bool,
    done: bool,
    finished: bool,
    announced: bool,
    /// Something of the answer was given out.
    begun: bool,
    failed: bool,
    refused: bool,
    open_block: Option<BlockKind>,
    open_metadata: Option<Json>,
    kept: Kept,
    calls: Calls,
    sources: HashSet<String>,
    finish_reason: Option<FinishReason>,
    usage: Option<Usage>,
    repeats_reasoning: bool,
    last_reasoning: String,
    /// What of the conversation's last message the answer may still repeat, and what it has repeated.
    echo: Option<String>,
    echoed: String,
}

impl Decoder for ChatCompletionsDecoder {
    fn push(&mut self, bytes: &[u8], parts: &mut Vec<StreamPart>) -> Result<(), ProviderFailure> {
        let answer = &mut self.answer;
        let pushed = self.pieces.push(bytes, |piece| match piece {
            Piece::Event(data) => answer.event(&data, parts),
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
        self.event(data, parts);
        self.done |= done;
    }

    fn event(&mut self, data: &str, parts: &mut Vec<StreamPart>) {
        self.saw_event = true;
        if self.done || data.is_empty() {
            return;
        }
        if data.trim() == "[DONE]" {
            self.done = true;
            // The end is said, in no word: what has come is all that was to come.
            if self.begun {
                self.finish_reason.get_or_insert(FinishReason::Other);
            }
            return;
        }
        let understood = serde_json::from_str(data).map(|chunk| self.chunk(data, chunk, parts)).is_ok() || {
            // Half a surrogate pair in an escape is all that may be wrong with it.
            let cleaned = Json::parse(data).ok();
            cleaned.is_some_and(|json| {
                serde_json::from_str(json.get()).map(|chunk| self.chunk(json.get(), chunk, parts)).is_ok()
            })
        };
        if !understood {
            let message = "The provider sent an event that is not valid JSON for a chat completion.".to_owned();
            self.error(reported(message, None, true), parts);
        }
    }

    /// One JSON value in place of a stream. If it is a whole answer it is taken; of anything else nothing is said, so
    /// that it is reported as the body that it is.
    fn whole(&mut self, text: &str, parts: &mut Vec<StreamPart>) {
        let Some(json) = Json::parse(text).ok() else { return };
        let Ok(mut chunk) = serde_json::from_str::<Chunk<'_>>(json.get()) else { return };
        let Some(choice) = chunk.choices.as_mut().and_then(|choices| choices.first_mut()) else { return };
        if chunk.error.is_some() || (choice.message.is_none() && choice.delta.is_none()) {
            return;
        }
        choice.delta = choice.message.take().or(choice.delta.take());
        self.saw_event = true;
        self.chunk(json.get(), chunk, parts);
        self.done = true;
        self.finish_reason.get_or_insert(FinishReason::Other);
    }

    fn error(&mut self, failure: ProviderFailure, parts: &mut Vec<StreamPart>) {
        self.failed = true;
        parts.push(StreamPart::Error(failure));
    }

    fn chunk(&mut self, data: &str, chunk: Chunk<'_>, parts: &mut Vec<StreamPart>) {
        let odd_error = chunk.odd_error().map(str::to_owned);
        if !self.announced && (chunk.id.is_some() || chunk.model.is_some()) {
            self.announced = true;
            parts.push(StreamPart::ResponseMetadata { id: chunk.id, model: chunk.model });
        }
        let groq = chunk.x_groq;
        if let Some(usage) = chunk.usage {
            self.usage = Some(usage.into());
        }
        let groq_error = groq.and_then(|groq| {
            if let Some(usage) = groq.usage {
                self.usage = Some(usage.into());
            }
            groq.error
        });
        if let Some(error) = chunk.error.filter(|error| says_something(error)).or(groq_error.as_deref()) {
            let failure = errors::failure(error, self.begun);
            return self.error(failure, parts);
        }
        if let Some(sentence) = odd_error {
            let failure = errors::of_members(data, &sentence, self.begun);
            return self.error(failure, parts);
        }
        for citation in chunk.citations.into_iter().flatten() {
            match citation {
                Citation::Url(url) => self.source(url, None, parts),
                Citation::Page { url, title } => self.source(url, title, parts),
                Citation::Other(_) => {}
            }
        }
        // Only the first choice is asked for; a gateway that sends more is not followed into them.
        let Some(choice) = chunk.choices.unwrap_or_default().into_iter().next() else {
            return;
        };
        if let Some(delta) = choice.delta {
            self.delta(delta, parts);
        }
        let reason = choice.finish_reason.unwrap_or_default();
        let word = ending::word(&reason);
        if let Some(error) = choice.error.as_deref().filter(|error| says_something(error)) {
            let failure = errors::failure(error, self.begun);
            self.error(failure, parts);
        } else if let Some(Word::Fails(kind)) = word {
            self.error(ending::failure(kind, &reason), parts);
        }
        if reason.trim().eq_ignore_ascii_case("refusal") {
            parts.push(StreamPart::Refused);
        }
        if let Some(word) = word {
            self.begun = true;
            self.finish_reason = Some(match word {
                Word::Ends(reason) => reason,
                Word::Fails(_) => FinishReason::Error,
            });
        }
    }

    fn source(&mut self, url: String, title: Option<String>, parts: &mut Vec<StreamPart>) {
        if self.sources.insert(url.clone()) {
            self.begun = true;
            let id = format!("source-{}", self.sources.len());
            parts.push(StreamPart::Source(Source::Url { id, url, title, metadata: None }));
        }
    }

    fn delta(&mut self, delta: Delta, parts: &mut Vec<StreamPart>) {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        if let Some(details) = delta.reasoning_details.filter(|details| !details.is_empty()) {
            self.begun = true;
            self.kept.list("reasoning_details", details);
        }
        if let Some(blocks) = delta.thinking_blocks.filter(|blocks| !blocks.is_empty()) {
            self.begun = true;
            self.kept.list("thinking_blocks", blocks);
        }
        if let Some(sealed) = filled(delta.reasoning_opaque) {
            self.begun = true;
            self.kept.text("reasoning_opaque", &sealed);
        }
        if let Some(text) = filled(delta.reasoning_content) {
            self.reasoning(text, None, parts);
        } else if let Some(text) = filled(delta.reasoning) {
            self.reasoning(text, Some("reasoning"), parts);
        } else if let Some(text) = filled(delta.reasoning_text) {
            self.kept.text("reasoning_text", &text);
            self.reasoning(text, Some("reasoning_text"), parts);
        }
        match delta.content {
            Content::None => {}
            Content::Text(text) => self.text(text, parts),
            Content::Pieces(pieces) => {
                for piece in pieces {
                    if !piece.thinking.0.is_empty() {
                        self.reasoning(piece.thinking.0, None, parts);
                    }
                    self.text(piece.text.unwrap_or_default(), parts);
                }
            }
        }
        if let Some(refusal) = filled(delta.refusal) {
            self.refused = true;
            self.text(refusal, parts);
        }
        let only = delta.function_call.map(|function| CallDelta {
            index: None,
            id: None,
            function: Some(function),
            extra_content: None,
        });
        for call in delta.tool_calls.into_iter().flatten().chain(only) {
            if self.open_block == Some(BlockKind::Reasoning) {
                self.close_block(parts);
            }
            self.begun = true;
            self.calls.delta(call, parts);
        }
        for citation in delta.annotations.into_iter().flatten().filter_map(|annotation| annotation.url_citation) {
            self.source(citation.url, citation.title, parts);
        }
    }

    /// `named` is the name that it came under, where that is not the usual one.
    fn reasoning(&mut self, text: String, named: Option<&str>, parts: &mut Vec<StreamPart>) {
        if self.repeats_reasoning {
            if self.last_reasoning == text {
                return;
            }
            self.last_reasoning.clone_from(&text);
        }
        if self.open_block != Some(BlockKind::Reasoning)
            && let Some(name) = named
        {
            self.begin_block(BlockKind::Reasoning, metadata_of(OWN, &json!({ REASONING_NAME: name })), parts);
        }
        self.block(BlockKind::Reasoning, text, parts);
    }

    fn text(&mut self, text: String, parts: &mut Vec<StreamPart>) {
        if text.is_empty() {
            return;
        }
        let Some(echo) = &self.echo else {
            return self.block(BlockKind::Text, text, parts);
        };
        self.echoed.push_str(&text);
        if self.echoed == *echo {
            self.echo = None;
            self.echoed.clear();
        } else if !echo.starts_with(&self.echoed) {
            self.end_echo(parts);
        }
    }

    /// What looked like an echo is the answer's own beginning.
    fn end_echo(&mut self, parts: &mut Vec<StreamPart>) {
        self.echo = None;
        let text = std::mem::take(&mut self.echoed);
        if !text.is_empty() {
            self.block(BlockKind::Text, text, parts);
        }
    }

    fn block(&mut self, kind: BlockKind, delta: String, parts: &mut Vec<StreamPart>) {
        self.begun = true;
        if self.open_block != Some(kind) {
            self.begin_block(kind, None, parts);
        }
        parts.push(StreamPart::BlockDelta { kind, id: block_id(kind), delta, metadata: None });
    }

    fn begin_block(&mut self, kind: BlockKind, metadata: Option<Json>, parts: &mut Vec<StreamPart>) {
        self.close_block(parts);
        self.open_block = Some(kind);
        self.open_metadata.clone_from(&metadata);
        parts.push(StreamPart::BlockStart { kind, id: block_id(kind), metadata });
    }

    fn close_block(&mut self, parts: &mut Vec<StreamPart>) {
        self.end_block(false, parts);
    }

    /// Ends the open block. The last part of an answer carries what a gateway wants to see again.
    fn end_block(&mut self, carries: bool, parts: &mut Vec<StreamPart>) {
        if let Some(kind) = self.open_block.take() {
            let metadata = self.open_metadata.take();
            let metadata = if carries { self.kept.take(metadata) } else { None };
            parts.push(StreamPart::BlockEnd { kind, id: block_id(kind), metadata });
        }
    }

    fn finish(&mut self, parts: &mut Vec<StreamPart>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.end_echo(parts);
        self.end_block(self.calls.is_empty(), parts);
        for _ in 0..self.calls.finish(&mut self.kept, parts) {
            let message = "The provider sent a tool call without a tool's name.".to_owned();
            self.error(reported(message, None, true), parts);
        }
        if let Some(reason) = self.finish_reason {
            let reason = match reason {
                _ if self.failed => FinishReason::Error,
                FinishReason::Stop if self.refused => FinishReason::ContentFilter,
                reason => reason,
            };
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

/// Some servers have an empty member for errors in every chunk.
fn says_something(error: &RawValue) -> bool {
    !matches!(error.get(), "null" | "\"\"" | "{}" | "[]" | "false" | "0")
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
