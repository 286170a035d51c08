//! The parts of a message, in the shapes of the AI SDK's `UIMessage`.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::effect::Repeat;
use super::json::{Json, present};
use super::taint::{TaintSource, origin_of_tool};
use super::wait::WaitKind;

/// The text of a tool call that has no outcome of its own.
pub const INCOMPLETE_CALL: &str = "The tool call did not complete.";

/// The text of a call that was on disk before it was made, and whose process then died.
pub const UNKNOWN_CALL: &str = "The process ended while this tool was running; whether it took effect is unknown.";

/// The text of a call whose time was up.
pub fn timed_out_call(millis: u128) -> String {
    format!("{TIMED_OUT} {millis} ms.")
}

const TIMED_OUT: &str = "The tool call timed out after";

/// Whether a call's error is one of ours to the letter, and so nothing that a stranger has said.
pub(crate) fn is_own_error(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let time_was_up =
        || text.strip_prefix(TIMED_OUT)?.strip_prefix(' ')?.strip_suffix(" ms.").filter(|ms| is_number(ms));
    [INCOMPLETE_CALL, UNKNOWN_CALL, PAUSED_CALL].contains(&text) || time_was_up().is_some()
}

/// The text of a call that its provider runs and was not done with when it paused; what came of it is told later.
pub const PAUSED_CALL: &str = "The provider paused in this call and goes on with it.";

/// One part of a message. Serialized, it is what `useChat` keeps in `message.parts`.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "a message has few parts, and those that are large are mostly calls")]
pub enum Part {
    /// Where a model call began.
    StepStart,
    /// Text of the user or of the model.
    Text(TextPart),
    /// The model's reasoning, shown apart from its answer.
    Reasoning(TextPart),
    /// A tool call with its outcome.
    Tool(ToolPart),
    /// A part that turnkeep stores and hands back unread (files, sources, data).
    Other(Json),
}

/// The body of a text or reasoning part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextPart {
    /// The text.
    pub text: String,
    /// `done` once the model has finished the block; absent in what users write.
    pub done: bool,
    /// What the provider wants to see again, by provider.
    pub provider_metadata: Option<Json>,
    /// What the text rests on, as the AI SDK 7 lists it.
    pub citations: Option<Json>,
}

impl TextPart {
    /// A finished block.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), done: true, ..Self::default() }
    }
}

/// A tool call and how it came out. Its type is `tool-` and the tool's name, or `dynamic-tool`.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolPart {
    /// The tool's name.
    pub name: String,
    /// Unique within the run.
    pub call_id: String,
    /// The arguments: an object, or the raw text when the model's arguments were not JSON. Rows of other writers may
    /// have none.
    pub input: Option<Json>,
    /// The outcome.
    pub state: ToolState,
    /// The provider runs the tool itself; the host has no part in it.
    pub provider_executed: bool,
    /// The tool is not one of those that the client knows; then the part's type is `dynamic-tool`.
    pub dynamic: bool,
    /// What the provider wants to see again with the call, by provider.
    pub provider_metadata: Option<Json>,
    /// What the provider wants to see again with the result that it gave itself.
    pub result_metadata: Option<Json>,
    /// How pages are to call the tool.
    pub title: Option<String>,
    /// What the host has noted of the tool, such as the server that it is from.
    pub tool_metadata: Option<Json>,
    /// In a log: pages are shown so many bytes of the output, which has more.
    pub shown_bytes: Option<u64>,
    /// Somebody was asked whether the call may be made.
    pub approval: Option<Box<Approval>>,
    /// In a log: the call has not been made, and waits.
    pub waits: Option<WaitKind>,
    /// In a log: the call may have been made, and may be made again.
    pub repeats: Option<Repeat>,
    /// The tool was one whose outcomes are content from outside, and this is their origin.
    pub untrusted: Option<String>,
}

/// That somebody was asked whether a call may be made, and what they said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Its id, unique within the run.
    pub id: String,
    /// The answer, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<bool>,
    /// Why, in the words of whoever answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whoever allowed the call has changed its arguments.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// What the turn had read from outside by then.
    #[serde(default, rename = "taintedBy", skip_serializing_if = "Vec::is_empty")]
    pub tainted_by: Vec<TaintSource>,
    /// Why somebody is asked. This member and those after it are of loops of the AI SDK, which are sent them back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_reason: Option<String>,
    /// The loop's own rules have answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_automatic: bool,
    /// What binds the question to its call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The input before the loop has refined it.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub input_schema_input: Option<Json>,
    /// What is to be shown of the question.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<Json>,
}

impl Approval {
    /// What is asked for a call.
    pub fn requested(call_id: &str) -> Self {
        Self { id: format!("approval-{call_id}"), ..Self::default() }
    }

    /// The same, answered.
    #[must_use]
    pub fn answered(self, approved: bool, reason: Option<String>) -> Self {
        Self { approved: Some(approved), reason, ..self }
    }
}

impl ToolPart {
    /// A call of the host's tool, without anything from the provider.
    pub fn new(name: impl Into<String>, call_id: impl Into<String>, input: Option<Json>, state: ToolState) -> Self {
        Self {
            name: name.into(),
            call_id: call_id.into(),
            input,
            state,
            provider_executed: false,
            dynamic: false,
            provider_metadata: None,
            result_metadata: None,
            title: None,
            tool_metadata: None,
            shown_bytes: None,
            approval: None,
            waits: None,
            repeats: None,
            untrusted: None,
        }
    }

    /// Whether somebody has refused to let the call be made.
    pub fn is_denied(&self) -> bool {
        self.approval.as_ref().is_some_and(|approval| approval.approved == Some(false))
    }

    /// The approval as far as it goes with the call's state: clients know no others.
    fn told_approval(&self) -> Option<&Approval> {
        let approval = self.approval.as_deref()?;
        let goes = match (&self.state, approval.approved) {
            (ToolState::InputAvailable, _) => true,
            (ToolState::OutputAvailable(_), approved) => approved == Some(true),
            (ToolState::OutputError(_), approved) => approved.is_some(),
        };
        goes.then_some(approval)
    }

    /// The call, of whose output a page is shown no more than so many bytes.
    #[must_use]
    pub fn showing(self, bytes: u64) -> Self {
        let is_more = |output: &Json| u64::try_from(output.get().len()).unwrap_or(u64::MAX) > bytes;
        let output = match &self.state {
            ToolState::OutputAvailable(output) => output.as_ref(),
            _ => None,
        };
        let shown_bytes = output.is_some_and(is_more).then_some(bytes);
        Self { shown_bytes, ..self }
    }

    /// How many bytes the output has, where a page is shown less.
    pub fn truncated(&self) -> Option<u64> {
        match (&self.state, self.shown_bytes) {
            (ToolState::OutputAvailable(Some(output)), Some(_)) => u64::try_from(output.get().len()).ok(),
            _ => None,
        }
    }
}

/// How far a tool call has come.
#[derive(Clone, Debug, PartialEq)]
pub enum ToolState {
    /// Announced, no outcome yet.
    InputAvailable,
    /// Its result. Rows of other writers may have none.
    OutputAvailable(Option<Json>),
    /// Why it has none.
    OutputError(String),
}

impl Part {
    /// The text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Part::Text(part) => Some(&part.text),
            _ => None,
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Part::Other(json) = self {
            return json.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        match self {
            Part::StepStart | Part::Other(_) => map.serialize_entry("type", "step-start")?,
            Part::Text(text) => text_entries(&mut map, "text", text)?,
            Part::Reasoning(text) => text_entries(&mut map, "reasoning", text)?,
            Part::Tool(tool) => tool_entries(&mut map, tool)?,
        }
        map.end()
    }
}

fn text_entries<M: SerializeMap>(map: &mut M, kind: &str, part: &TextPart) -> Result<(), M::Error> {
    map.serialize_entry("type", kind)?;
    map.serialize_entry("text", &part.text)?;
    if part.done {
        map.serialize_entry("state", "done")?;
    }
    if let Some(metadata) = &part.provider_metadata {
        map.serialize_entry("providerMetadata", metadata)?;
    }
    if let Some(citations) = &part.citations {
        map.serialize_entry("citations", citations)?;
    }
    Ok(())
}

fn tool_entries<M: SerializeMap>(map: &mut M, tool: &ToolPart) -> Result<(), M::Error> {
    if tool.dynamic {
        map.serialize_entry("type", "dynamic-tool")?;
        map.serialize_entry("toolName", &tool.name)?;
    } else {
        map.serialize_entry("type", &format!("tool-{}", tool.name))?;
    }
    map.serialize_entry("toolCallId", &tool.call_id)?;
    let approval = tool.told_approval();
    let state = match (&tool.state, approval.map(|approval| approval.approved)) {
        (ToolState::InputAvailable, None) => "input-available",
        (ToolState::InputAvailable, Some(None)) => "approval-requested",
        (ToolState::InputAvailable, Some(Some(_))) => "approval-responded",
        (ToolState::OutputAvailable(_), _) => "output-available",
        (ToolState::OutputError(_), Some(Some(false))) => "output-denied",
        (ToolState::OutputError(_), _) => "output-error",
    };
    map.serialize_entry("state", state)?;
    if let Some(input) = &tool.input {
        map.serialize_entry("input", input)?;
    }
    match &tool.state {
        ToolState::InputAvailable | ToolState::OutputAvailable(None) => {}
        ToolState::OutputAvailable(Some(output)) => map.serialize_entry("output", output)?,
        ToolState::OutputError(_) if state == "output-denied" => {}
        ToolState::OutputError(text) => map.serialize_entry("errorText", text)?,
    }
    if tool.provider_executed {
        map.serialize_entry("providerExecuted", &true)?;
    }
    if let Some(metadata) = &tool.provider_metadata {
        map.serialize_entry("callProviderMetadata", metadata)?;
    }
    if let Some(metadata) = &tool.result_metadata {
        map.serialize_entry("resultProviderMetadata", metadata)?;
    }
    if let Some(title) = &tool.title {
        map.serialize_entry("title", title)?;
    }
    if let Some(metadata) = &tool.tool_metadata {
        map.serialize_entry("toolMetadata", metadata)?;
    }
    if let Some(approval) = approval {
        map.serialize_entry("approval", approval)?;
    }
    if let Some(bytes) = tool.shown_bytes {
        map.serialize_entry("shownBytes", &bytes)?;
    }
    if let Some(waits) = tool.waits {
        map.serialize_entry("waits", &waits)?;
    }
    if let Some(repeats) = tool.repeats {
        map.serialize_entry("repeats", &repeats)?;
    }
    if let Some(origin) = &tool.untrusted {
        map.serialize_entry("untrusted", origin)?;
    }
    Ok(())
}

/// Every field that a part of ours can have. All optional: rows of other writers hold what they hold.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    r#type: String,
    text: Option<String>,
    state: Option<String>,
    tool_call_id: Option<String>,
    tool_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    input: Option<Json>,
    #[serde(default, deserialize_with = "present")]
    raw_input: Option<Json>,
    #[serde(default, deserialize_with = "present")]
    output: Option<Json>,
    error_text: Option<String>,
    provider_metadata: Option<Json>,
    provider_executed: Option<bool>,
    call_provider_metadata: Option<Json>,
    result_provider_metadata: Option<Json>,
    citations: Option<Json>,
    title: Option<Json>,
    tool_metadata: Option<Json>,
    shown_bytes: Option<u64>,
    approval: Option<Json>,
    waits: Option<String>,
    repeats: Option<String>,
    untrusted: Option<Json>,
}

/// What the model is told of a call that somebody would not allow, and who gave no reason.
pub const DENIED_CALL: &str = "Tool execution denied.";

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        Ok(match json.read::<Fields>() {
            Ok(fields) => fields.into_part().unwrap_or(Part::Other(json)),
            Err(_) => Part::Other(json),
        })
    }
}

impl Fields {
    fn into_part(self) -> Option<Part> {
        let text = |metadata| TextPart {
            text: self.text.clone().unwrap_or_default(),
            done: self.state.as_deref() == Some("done"),
            provider_metadata: metadata,
            citations: self.citations.clone(),
        };
        match self.r#type.as_str() {
            "step-start" => Some(Part::StepStart),
            "text" => Some(Part::Text(text(self.provider_metadata))),
            "reasoning" => Some(Part::Reasoning(text(self.provider_metadata))),
            kind => {
                // What another writer has put there in another form is none of ours.
                let approval = self.approval.as_ref().and_then(|approval| approval.read::<Approval>().ok());
                // A host that says no more than that it is so means the tool.
                let is_untrusted = self.untrusted.as_ref().is_some_and(|mark| mark.get() == "true");
                let origin = self.untrusted.as_ref().and_then(Json::as_string);
                let (name, dynamic) = match kind.strip_prefix("tool-") {
                    Some(name) => (name.to_owned(), false),
                    None if kind == "dynamic-tool" => (self.tool_name?, true),
                    None => return None,
                };
                let untrusted = origin.or_else(|| is_untrusted.then(|| origin_of_tool(&name)));
                let state = match self.state.as_deref() {
                    Some("output-available") => ToolState::OutputAvailable(self.output),
                    Some("output-denied") => {
                        let reason = approval.as_ref().and_then(|approval| approval.reason.clone());
                        ToolState::OutputError(self.error_text.or(reason).unwrap_or_else(|| DENIED_CALL.to_owned()))
                    }
                    Some("output-error") => ToolState::OutputError(self.error_text.unwrap_or_default()),
                    _ => ToolState::InputAvailable,
                };
                Some(Part::Tool(ToolPart {
                    name,
                    call_id: self.tool_call_id?,
                    input: self.input.or(self.raw_input),
                    state,
                    provider_executed: self.provider_executed.unwrap_or(false),
                    dynamic,
                    provider_metadata: self.call_provider_metadata,
                    result_metadata: self.result_provider_metadata,
                    title: self.title.as_ref().and_then(Json::as_string),
                    tool_metadata: self.tool_metadata,
                    shown_bytes: self.shown_bytes,
                    approval: approval.map(Box::new),
                    waits: self.waits.as_deref().and_then(WaitKind::parse),
                    repeats: self.repeats.as_deref().and_then(Repeat::parse),
                    untrusted,
                }))
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_round_trip() {
        let text = r#"[{"type":"step-start"},{"type":"reasoning","text":"hm","state":"done"},{"type":"text","text":"hi"},{"type":"tool-get","toolCallId":"c","state":"output-available","input":{"b":1,"a":2},"output":null},{"type":"tool-put","toolCallId":"d","state":"output-error","input":"{x","errorText":"no","callProviderMetadata":{"p":{"s":"1"}}},{"type":"dynamic-tool","toolName":"find","toolCallId":"e","state":"output-available","input":{},"output":[],"providerExecuted":true,"resultProviderMetadata":{"p":{}}},{"type":"file","url":"data:,x","mediaType":"text/plain"}]"#;
        let parts: Vec<Part> = serde_json::from_str(text).unwrap();
        assert!(matches!(parts[6], Part::Other(_)));
        assert_eq!(serde_json::to_string(&parts).unwrap(), text);
    }

    #[test]
    fn foreign_values_survive() {
        let text = r#"[1,null,{"type":5},{"no":"type"},{"type":"tool-x"}]"#;
        let parts: Vec<Part> = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&parts).unwrap(), text);
    }
}
