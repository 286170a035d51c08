//! The assistant's message row for hosts that keep their own loop: the shapes that they have always written, to the
//! byte.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::js::{Number, Raw, Text, canonical, list, present, write_string};
use crate::model::{INCOMPLETE_CALL, MessageStatus};

use super::compact::compact_text;
use super::usage::TokenUsage;

/// A finished model call as the host's loop hands it over. What else it holds is not read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Step<'a> {
    /// What the model wrote.
    #[serde(borrow)]
    pub text: Option<Text<'a>>,
    /// What it called.
    #[serde(borrow, deserialize_with = "list")]
    pub tool_calls: Vec<StepCall<'a>>,
    /// What came back.
    #[serde(borrow, deserialize_with = "list")]
    pub tool_results: Vec<StepResult<'a>>,
    /// What failed.
    #[serde(borrow, deserialize_with = "list")]
    pub tool_errors: Vec<StepError<'a>>,
}

/// A tool call of a [`Step`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepCall<'a> {
    /// Pairs the call with its outcome.
    #[serde(borrow)]
    pub tool_call_id: Option<Text<'a>>,
    /// The tool.
    #[serde(borrow)]
    pub tool_name: Option<Text<'a>>,
    /// The arguments, kept whole.
    #[serde(borrow, deserialize_with = "present")]
    pub input: Option<Raw<'a>>,
}

/// A tool result of a [`Step`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepResult<'a> {
    /// The call that it answers.
    #[serde(borrow)]
    pub tool_call_id: Option<Text<'a>>,
    /// The tool.
    #[serde(borrow)]
    pub tool_name: Option<Text<'a>>,
    /// What the tool returned.
    #[serde(borrow, deserialize_with = "present")]
    pub output: Option<Raw<'a>>,
}

/// A failed call of a [`Step`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StepError<'a> {
    /// The call that failed.
    #[serde(borrow)]
    pub tool_call_id: Option<Text<'a>>,
    /// The tool.
    #[serde(borrow)]
    pub tool_name: Option<Text<'a>>,
    /// Why, as the model was told.
    #[serde(borrow)]
    pub error_text: Option<Text<'a>>,
}

/// What else the row's metadata may carry.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RowExtra<'a> {
    /// Why the model stopped.
    #[serde(borrow)]
    pub finish_reason: Option<Text<'a>>,
    /// Tokens of the turn.
    #[serde(deserialize_with = "present")]
    pub usage: Option<RowUsage>,
    /// How full the context is; 0 is as good as none.
    pub context_tokens: Option<Number>,
    /// How large the context is; 0 is as good as none.
    pub max_context_tokens: Option<Number>,
    /// The error in one line.
    #[serde(borrow)]
    pub error: Option<Text<'a>>,
}

/// Usage, or a value that stands for none and is written as it is.
#[derive(Clone, Debug)]
pub enum RowUsage {
    /// Tokens.
    Tokens(TokenUsage),
    /// `null`, `0`, `false` or an empty text, as JSON.
    Nothing(&'static str),
}

impl<'de> Deserialize<'de> for RowUsage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kinds;
        impl<'de> Visitor<'de> for Kinds {
            type Value = RowUsage;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("usage")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<RowUsage, A::Error> {
                TokenUsage::deserialize(MapAccessDeserializer::new(fields)).map(RowUsage::Tokens)
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<RowUsage, E> {
                Ok(RowUsage::Nothing("null"))
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<RowUsage, E> {
                if value { Err(E::custom("not usage")) } else { Ok(RowUsage::Nothing("false")) }
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<RowUsage, E> {
                if value == 0 { Ok(RowUsage::Nothing("0")) } else { Err(E::custom("not usage")) }
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<RowUsage, E> {
                if value == 0.0 { Ok(RowUsage::Nothing("0")) } else { Err(E::custom("not usage")) }
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<RowUsage, E> {
                if value.is_empty() { Ok(RowUsage::Nothing("\"\"")) } else { Err(E::custom("not usage")) }
            }
        }
        deserializer.deserialize_any(Kinds)
    }
}

/// The columns of an assistant's message row, the last three as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssistantRow {
    /// The text of all finished steps, then the text in progress.
    pub content: String,
    /// The flat trace, `None` when there is nothing.
    pub tool_calls: Option<String>,
    /// `{parts, finishReason?, usage?, contextTokens?, maxContextTokens?, error?}`.
    pub metadata: String,
    /// The message's status.
    pub status: MessageStatus,
}

impl AssistantRow {
    /// `{content, toolCalls, metadata, status}`.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(
            64 + self.content.len() + self.metadata.len() + self.tool_calls.as_ref().map_or(0, String::len),
        );
        out.push_str("{\"content\":");
        write_string(&self.content, &mut out);
        out.push_str(",\"toolCalls\":");
        out.push_str(self.tool_calls.as_deref().unwrap_or("null"));
        out.push_str(",\"metadata\":");
        out.push_str(&self.metadata);
        out.push_str(",\"status\":");
        write_string(self.status.as_str(), &mut out);
        out.push('}');
        out
    }
}

/// Steps with their outputs compacted once, for the trace and the parts both.
struct Compacted<'a, 'b> {
    steps: &'b [Step<'a>],
    outputs: Vec<Vec<Option<Cow<'b, str>>>>,
}

impl<'a, 'b> Compacted<'a, 'b> {
    fn of(steps: &'b [Step<'a>]) -> Self {
        let output = |result: &'b StepResult<'a>| result.output.map(|output| compact_text(output.get()));
        let outputs = steps.iter().map(|step| step.tool_results.iter().map(output).collect()).collect();
        Self { steps, outputs }
    }

    fn each(&self) -> impl Iterator<Item = (&'b Step<'a>, &[Option<Cow<'b, str>>])> {
        self.steps.iter().zip(self.outputs.iter().map(Vec::as_slice))
    }

    /// The parts without their brackets; `true` when a step has text.
    fn parts(&self, out: &mut Items) -> bool {
        let mut has_text = false;
        for (step, outputs) in self.each() {
            if let Some(text) = step.text.as_ref().filter(|text| text.truthy()) {
                has_text = true;
                text_part(text, out);
            }
            // Of several results for one call the last counts.
            let results: HashMap<&Text<'_>, &Option<Cow<'_, str>>> = step
                .tool_results
                .iter()
                .zip(outputs)
                .filter_map(|(result, output)| Some((some_text(&result.tool_call_id)?, output)))
                .collect();
            let errors: HashMap<&Text<'_>, &StepError<'_>> =
                step.tool_errors.iter().filter_map(|error| Some((some_text(&error.tool_call_id)?, error))).collect();
            for call in &step.tool_calls {
                let (Some(id), Some(name)) = (some_text(&call.tool_call_id), some_text(&call.tool_name)) else {
                    continue;
                };
                let out = out.next();
                out.push_str("{\"type\":");
                write_string(&format!("tool-{}", name.0), out);
                out.push_str(",\"toolCallId\":");
                write_string(&id.0, out);
                match results.get(id) {
                    Some(output) => {
                        out.push_str(",\"state\":\"output-available\"");
                        member("input", call.input.map(|input| canonical(input.get()).text), out);
                        member("output", output.as_deref(), out);
                    }
                    None => {
                        out.push_str(",\"state\":\"output-error\"");
                        member("input", call.input.map(|input| canonical(input.get()).text), out);
                        let text = errors.get(id).and_then(|error| some_text(&error.error_text));
                        out.push_str(",\"errorText\":");
                        write_string(text.map_or(INCOMPLETE_CALL, |text| &text.0), out);
                    }
                }
                out.push('}');
            }
        }
        has_text
    }

    fn trace(&self) -> Option<String> {
        let mut items = Items::new();
        for (step, outputs) in self.each() {
            for call in &step.tool_calls {
                let input = call.input.map(|input| canonical(input.get()).text);
                trace_entry(&call.tool_name, "input", input.as_deref(), items.next());
            }
            for (result, output) in step.tool_results.iter().zip(outputs) {
                trace_entry(&result.tool_name, "output", output.as_deref(), items.next());
            }
        }
        items.finish_some()
    }
}

/// `assistantParts`: the parts of the finished steps, as a JSON array; the fallback text ends it when no step has text.
pub fn assistant_parts(steps: &[Step<'_>], fallback_text: &str) -> String {
    let mut items = Items::new();
    if !Compacted::of(steps).parts(&mut items) && !fallback_text.is_empty() {
        text_part(&Text::from(fallback_text), &mut items);
    }
    items.finish()
}

/// `serializeSteps`: per step all calls, then all results, as a JSON array; `None` when there is neither.
pub fn serialize_steps(steps: &[Step<'_>]) -> Option<String> {
    Compacted::of(steps).trace()
}

/// `flushAssistant`: the row for these steps. The same function serves the first write, every step and the end.
pub fn flush_assistant(
    steps: &[Step<'_>],
    in_progress_text: &str,
    status: MessageStatus,
    extra: &RowExtra<'_>,
) -> AssistantRow {
    let in_progress = Text::from(in_progress_text);
    let mut content: String = steps.iter().filter_map(|step| step.text.as_ref()).map(|text| text.0.as_ref()).collect();
    content.push_str(&in_progress.0);
    let compacted = Compacted::of(steps);
    let mut parts = Items::new();
    compacted.parts(&mut parts);
    if in_progress.truthy() {
        text_part(&in_progress, &mut parts);
    }
    let metadata = metadata(&parts.finish(), status, extra);
    AssistantRow { content, tool_calls: compacted.trace(), metadata, status }
}

fn metadata(parts: &str, status: MessageStatus, extra: &RowExtra<'_>) -> String {
    let ended = matches!(status, MessageStatus::Error | MessageStatus::Aborted).then(|| Text::from(status.as_str()));
    let mut out = format!("{{\"parts\":{parts}");
    if let Some(reason) = some_text(&extra.finish_reason).or(ended.as_ref()) {
        out.push_str(",\"finishReason\":");
        write_string(&reason.0, &mut out);
    }
    match &extra.usage {
        Some(RowUsage::Tokens(usage)) => member("usage", Some(usage.to_json()), &mut out),
        Some(RowUsage::Nothing(raw)) => member("usage", Some(raw), &mut out),
        None => {}
    }
    for (name, tokens) in [("contextTokens", &extra.context_tokens), ("maxContextTokens", &extra.max_context_tokens)] {
        member(name, tokens.as_ref().filter(|tokens| tokens.truthy()).map(Number::as_str), &mut out);
    }
    if let Some(error) = some_text(&extra.error) {
        out.push_str(",\"error\":");
        write_string(&error.0, &mut out);
    }
    out.push('}');
    out
}

/// The elements of a JSON array that is being written.
struct Items {
    text: String,
}

impl Items {
    fn new() -> Self {
        Self { text: "[".to_owned() }
    }

    /// Where the next element goes.
    fn next(&mut self) -> &mut String {
        if self.text.len() > 1 {
            self.text.push(',');
        }
        &mut self.text
    }

    fn finish(mut self) -> String {
        self.text.push(']');
        self.text
    }

    fn finish_some(self) -> Option<String> {
        if self.text.len() > 1 { Some(self.finish()) } else { None }
    }
}

fn text_part(text: &Text<'_>, items: &mut Items) {
    let out = items.next();
    out.push_str("{\"type\":\"text\",\"text\":");
    write_string(&text.0, out);
    out.push('}');
}

fn trace_entry(name: &Option<Text<'_>>, field: &str, value: Option<&str>, out: &mut String) {
    out.push('{');
    if let Some(name) = name {
        out.push_str("\"toolName\":");
        write_string(&name.0, out);
    }
    if let Some(value) = value {
        let comma = if name.is_some() { "," } else { "" };
        out.push_str(&format!("{comma}\"{field}\":"));
        out.push_str(value);
    }
    out.push('}');
}

/// Appends `,"name":json` when there is a value.
fn member<T: AsRef<str>>(name: &str, json: Option<T>, out: &mut String) {
    if let Some(json) = json {
        out.push_str(&format!(",\"{name}\":"));
        out.push_str(json.as_ref());
    }
}

fn some_text<'b, 'a>(text: &'b Option<Text<'a>>) -> Option<&'b Text<'a>> {
    text.as_ref().filter(|text| text.truthy())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &str = r#"[{"text":"Looking. ","toolCalls":[{"toolCallId":"a","toolName":"get","input":{"id":1.0}},{"toolCallId":"b","toolName":"put","input":null},{"toolCallId":"c","toolName":"del","input":{}}],
        "toolResults":[{"toolCallId":"a","toolName":"get","output":{"title":"T"}}],
        "toolErrors":[{"toolCallId":"b","toolName":"put","errorText":"denied"}]},{"text":"Done."}]"#;

    #[test]
    fn row_has_text_parts_and_every_outcome() {
        let steps: Vec<Step<'_>> = serde_json::from_str(STEPS).unwrap();
        let extra: RowExtra<'_> = serde_json::from_str(r#"{"usage":{"inputTokens":3},"contextTokens":0}"#).unwrap();
        let row = flush_assistant(&steps, "", MessageStatus::Completed, &extra);
        assert_eq!(
            row.to_json(),
            concat!(
                r#"{"content":"Looking. Done.","toolCalls":[{"toolName":"get","input":{"id":1}},{"toolName":"put","input":null},{"toolName":"del","input":{}},{"toolName":"get","output":{"title":"T"}}],"#,
                r#""metadata":{"parts":[{"type":"text","text":"Looking. "},{"type":"tool-get","toolCallId":"a","state":"output-available","input":{"id":1},"output":{"title":"T"}},"#,
                r#"{"type":"tool-put","toolCallId":"b","state":"output-error","input":null,"errorText":"denied"},"#,
                r#"{"type":"tool-del","toolCallId":"c","state":"output-error","input":{},"errorText":"The tool call did not complete."},"#,
                r#"{"type":"text","text":"Done."}],"usage":{"inputTokens":3}},"status":"completed"}"#
            )
        );
    }

    #[test]
    fn first_write_is_empty_and_aborted_names_itself() {
        let extra = RowExtra::default();
        let row = flush_assistant(&[], "", MessageStatus::Streaming, &extra);
        assert_eq!(row.to_json(), r#"{"content":"","toolCalls":null,"metadata":{"parts":[]},"status":"streaming"}"#);
        let row = flush_assistant(&[], "half", MessageStatus::Aborted, &extra);
        assert_eq!(row.metadata, r#"{"parts":[{"type":"text","text":"half"}],"finishReason":"aborted"}"#);
    }

    /// Defect 3 of the servers that this replaces.
    #[test]
    fn what_cannot_be_stored_is_replaced_everywhere() {
        let steps: Vec<Step<'_>> = serde_json::from_str(
            r#"[{"text":"a\u0000\ud83d","toolCalls":[{"toolCallId":"\u0000","toolName":"\udc00","input":"\u0000"}],"toolResults":[{"toolCallId":"\u0000","output":["\ud83d"]}]}]"#,
        )
        .unwrap();
        let row = flush_assistant(&steps, "\0", MessageStatus::Streaming, &RowExtra::default()).to_json();
        assert!(!row.contains("\\u") && !row.contains('\0'), "{row}");
    }
}
