//! A step of a host's loop, as the AI SDK hands it over, in the parts of a message.

use std::collections::HashSet;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::{
    Approval, DENIED_CALL, FinishReason, INCOMPLETE_CALL, Json, PAUSED_CALL, Part, StepRecord, TextPart, ToolPart,
    ToolState, Usage, present,
};
use crate::text::storable;

use self::HostedContentKind as Kind;
use super::loop_message::LoopMessage;

/// A finished step of a host's loop: the AI SDK's step result. Its `content` is taken where there is one; otherwise
/// reasoning, text, calls, files and sources. What of it cannot be kept is refused, with its place.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostedStep {
    /// Its place in the run, from 0; the next one unless given. Recording a step again changes nothing.
    pub number: Option<u32>,
    /// Everything in its order.
    pub content: Option<Vec<HostedContent>>,
    /// What the model thought.
    pub reasoning_text: Option<String>,
    /// What it wrote.
    pub text: Option<String>,
    /// What it called.
    pub tool_calls: Option<Vec<HostedCall>>,
    /// What came back. An outcome of a call of another step has to name its tool, and is kept with this one.
    pub tool_results: Option<Vec<HostedResult>>,
    /// What failed.
    pub tool_errors: Option<Vec<HostedError>>,
    /// Files that the model made.
    pub files: Option<Vec<HostedFile>>,
    /// What the answer rests on, each as an entry of `content` would be.
    pub sources: Option<Vec<HostedContent>>,
    /// Messages of the user that the step's model call was given besides, as the AI SDK 7 lists them.
    #[serde(rename = "experimental_steeringMessages")]
    pub steering_messages: Option<Vec<LoopMessage>>,
    /// Why the model stopped.
    pub finish_reason: Option<FinishReason>,
    /// The provider's count for this call.
    pub usage: Option<Usage>,
}

/// One entry of a step's content.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedContent {
    r#type: HostedContentKind,
    /// Of text and reasoning.
    text: Option<String>,
    /// What a text rests on.
    citations: Option<Json>,
    /// Of calls and their outcomes.
    tool_call_id: Option<String>,
    /// The tool.
    tool_name: Option<String>,
    /// The arguments.
    #[serde(default, deserialize_with = "present")]
    input: Option<Json>,
    /// What the tool returned.
    #[serde(default, deserialize_with = "present")]
    output: Option<Json>,
    /// Why the tool failed: a text, or an object with a `message`.
    error: Option<Json>,
    /// Another output of the call follows.
    preliminary: Option<bool>,
    /// The provider runs the tool itself.
    provider_executed: Option<bool>,
    /// The tool is not one of those that pages know.
    dynamic: Option<bool>,
    /// How pages are to call the tool; of a source, its title.
    title: Option<String>,
    /// What the host has noted of the tool.
    tool_metadata: Option<Json>,
    /// Of a question whether a call may be made, and of its answer.
    approval_id: Option<String>,
    /// The call that is asked for, or was.
    tool_call: Option<HostedCall>,
    /// The answer.
    approved: Option<bool>,
    /// Why it is asked, or why it was answered so.
    reason: Option<String>,
    /// The loop's own rules answer.
    is_automatic: Option<bool>,
    /// What binds the question to its call.
    signature: Option<String>,
    /// The input before the loop has refined it.
    #[serde(default, deserialize_with = "present")]
    input_schema_input: Option<Json>,
    /// Of a source: `url` or `document`.
    source_type: Option<String>,
    /// Of a source.
    id: Option<String>,
    /// Where a source is, or a file.
    url: Option<String>,
    /// Of a document or a file.
    media_type: Option<String>,
    /// Of a document or a file.
    filename: Option<String>,
    /// Of a file that the model made.
    file: Option<HostedFile>,
    /// What a custom entry is: its provider, a dot, and the provider's word.
    kind: Option<String>,
    /// What the provider wants to see again.
    provider_metadata: Option<Json>,
}

/// What an entry of a step's content is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostedContentKind {
    /// What the model wrote.
    #[default]
    Text,
    /// What it thought.
    Reasoning,
    /// What the answer rests on.
    Source,
    /// The same as pages have it.
    SourceUrl,
    /// The same as pages have it.
    SourceDocument,
    /// A file that the model made.
    File,
    /// A file that it made while it was thinking. This and what follows, but for calls, is of the AI SDK 7.
    ReasoningFile,
    /// What only its provider knows.
    Custom,
    /// A call.
    ToolCall,
    /// What a call returned.
    ToolResult,
    /// Why it failed.
    ToolError,
    /// It was denied.
    ToolOutputDenied,
    /// Somebody is asked whether a call may be made.
    ToolApprovalRequest,
    /// What they said.
    ToolApprovalResponse,
}

/// A file that the model made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostedFile {
    /// Its media type.
    media_type: Option<String>,
    /// What is in it, unless `url` says where it is.
    #[serde(alias = "base64Data")]
    base64: Option<String>,
    /// Its URL or data URL.
    url: Option<String>,
    /// Its name.
    filename: Option<String>,
    /// What the provider wants to see again.
    provider_metadata: Option<Json>,
}

/// A tool call of a step.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedCall {
    /// Pairs the call with its outcome.
    tool_call_id: String,
    /// The tool.
    tool_name: String,
    /// The arguments.
    #[serde(default, deserialize_with = "present")]
    input: Option<Json>,
    /// The provider runs the tool itself.
    provider_executed: Option<bool>,
    /// The tool is not one of those that pages know.
    dynamic: Option<bool>,
    /// How pages are to call the tool.
    title: Option<String>,
    /// What the host has noted of the tool.
    tool_metadata: Option<Json>,
    /// What the provider wants to see again.
    provider_metadata: Option<Json>,
}

/// A tool's result.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedResult {
    /// The call that it answers.
    tool_call_id: String,
    /// The tool; needed when the call is not of this step.
    tool_name: Option<String>,
    /// The arguments of a call that is not of this step.
    #[serde(default, deserialize_with = "present")]
    input: Option<Json>,
    /// What the tool returned.
    #[serde(default, deserialize_with = "present")]
    output: Option<Json>,
    /// The provider runs the tool itself.
    provider_executed: Option<bool>,
    /// The tool is not one of those that pages know.
    dynamic: Option<bool>,
    /// What the provider wants to see again.
    provider_metadata: Option<Json>,
}

/// A tool's failure: a text, or an object with a `message`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostedError {
    /// The call that failed.
    tool_call_id: String,
    /// The tool; needed when the call is not of this step.
    tool_name: Option<String>,
    /// The arguments of a call that is not of this step.
    #[serde(default, deserialize_with = "present")]
    input: Option<Json>,
    /// Why, as the tool said it.
    error: Option<Json>,
    /// Why, as the model was told.
    error_text: Option<String>,
}

impl HostedStep {
    /// The step as a row of the log, of whose outputs pages are shown so many bytes.
    ///
    /// # Errors
    /// `INVALID_INPUT` with the path of what cannot be kept.
    pub fn into_record(mut self, number: u32, shown_bytes: u64) -> Result<StepRecord> {
        // A host's loop takes no step back.
        let finish_reason = self.finish_reason.take().map(|reason| match reason {
            FinishReason::Withdrawn => FinishReason::Other,
            reason => reason,
        });
        let usage = self.usage;
        let parts = self.into_parts(number, "step")?.into_iter().map(|part| match part {
            Part::Tool(tool) => Part::Tool(tool.showing(shown_bytes)),
            other => other,
        });
        Ok(StepRecord { number, parts: parts.collect(), finish_reason, usage })
    }

    /// The parts of a message that the step is, [`Part::StepStart`] first. Errors name places below `path`.
    pub(super) fn into_parts(self, number: u32, path: &str) -> Result<Vec<Part>> {
        let mut building = Building { parts: vec![Part::StepStart], unsettled: HashSet::new() };
        for (place, message) in self.steering_messages.into_iter().flatten().enumerate() {
            let part = message.into_part(&format!("steering-{number}-{place}"));
            let at = || format!("{path}.experimental_steeringMessages[{place}]");
            building.parts.push(Part::Other(part.map_err(|error| error.below(&at()))?));
        }
        let has_content = self.content.is_some();
        match self.content {
            Some(content) => building.add_all(content, &format!("{path}.content"))?,
            None => {
                let text = |text: Option<String>| text.filter(|text| !text.is_empty());
                let text = |given| text(given).map(storable).map(TextPart::done);
                building.parts.extend(text(self.reasoning_text).map(Part::Reasoning));
                building.parts.extend(text(self.text).map(Part::Text));
                for (place, call) in self.tool_calls.into_iter().flatten().enumerate() {
                    call.check(&format!("{path}.toolCalls[{place}]"))?;
                    building.parts.push(Part::Tool(call.into_part()));
                }
            }
        }
        // What is in the content as well has its outcome already.
        for (place, result) in self.tool_results.into_iter().flatten().enumerate() {
            building.add(result.into(), &format!("{path}.toolResults[{place}]"))?;
        }
        for (place, failure) in self.tool_errors.into_iter().flatten().enumerate() {
            building.add(failure.into(), &format!("{path}.toolErrors[{place}]"))?;
        }
        if !has_content {
            for (place, file) in self.files.into_iter().flatten().enumerate() {
                building.parts.push(file.into_part("file", None, &format!("{path}.files[{place}]"))?);
            }
            building.add_all(self.sources.unwrap_or_default(), &format!("{path}.sources"))?;
        }
        Ok(building.finish())
    }
}

/// The parts so far.
struct Building {
    parts: Vec<Part>,
    /// Calls of whose outcome another one follows.
    unsettled: HashSet<String>,
}

impl Building {
    fn add_all(&mut self, content: Vec<HostedContent>, path: &str) -> Result<()> {
        content.into_iter().enumerate().try_for_each(|(place, entry)| self.add(entry, &format!("{path}[{place}]")))
    }

    fn add(&mut self, mut entry: HostedContent, path: &str) -> Result<()> {
        entry.check(path)?;
        let missing = |field: &str| Error::invalid(format!("{path}.{field}"), "is missing");
        match entry.r#type {
            kind @ (Kind::Text | Kind::Reasoning) => {
                let text = storable(entry.text.ok_or_else(|| missing("text"))?);
                let part = TextPart {
                    text,
                    done: true,
                    provider_metadata: entry.provider_metadata,
                    citations: entry.citations,
                };
                self.parts.push(if kind == Kind::Text { Part::Text(part) } else { Part::Reasoning(part) });
            }
            Kind::Source | Kind::SourceUrl | Kind::SourceDocument => self.parts.push(entry.into_source(path)?),
            kind @ (Kind::File | Kind::ReasoningFile) => {
                let file = entry.file.take().unwrap_or_else(|| HostedFile {
                    media_type: entry.media_type.take(),
                    url: entry.url.take(),
                    filename: entry.filename.take(),
                    ..HostedFile::default()
                });
                let name = if kind == Kind::File { "file" } else { "reasoning-file" };
                self.parts.push(file.into_part(name, entry.provider_metadata, path)?);
            }
            Kind::Custom => {
                let kind = entry.kind.ok_or_else(|| missing("kind"))?;
                if !kind.split_once('.').is_some_and(|(provider, word)| !provider.is_empty() && !word.is_empty()) {
                    return Err(Error::invalid(format!("{path}.kind"), "must be a provider, a dot and its word"));
                }
                let members = [("kind", Some(Json::string(&kind))), ("providerMetadata", entry.provider_metadata)];
                self.parts.push(Part::Other(object("custom", members)));
            }
            Kind::ToolCall => {
                let call = entry.call().ok_or_else(|| missing(entry.missing_of_call()))?;
                self.parts.push(Part::Tool(call.into_part()));
            }
            Kind::ToolResult | Kind::ToolError | Kind::ToolOutputDenied => self.outcome(entry, path)?,
            Kind::ToolApprovalRequest | Kind::ToolApprovalResponse => self.approval(entry, path)?,
        }
        Ok(())
    }

    /// The first outcome of a call is the one that counts, unless it was followed by another.
    fn outcome(&mut self, entry: HostedContent, path: &str) -> Result<()> {
        let call_id =
            entry.tool_call_id.clone().ok_or_else(|| Error::invalid(format!("{path}.toolCallId"), "is missing"))?;
        let is_unsettled = self.unsettled.contains(&call_id);
        let call = match self.find(&call_id, |call| is_unsettled || call.state == ToolState::InputAvailable) {
            Some(place) => place,
            None if self.find(&call_id, |_| true).is_some() => return Ok(()),
            None => self.of_another_step(entry.call(), format!("{path}.toolName"))?,
        };
        if entry.preliminary == Some(true) {
            self.unsettled.insert(call_id);
        } else {
            self.unsettled.remove(&call_id);
        }
        let Some(Part::Tool(call)) = self.parts.get_mut(call) else { return Ok(()) };
        call.result_metadata = entry.provider_metadata.or(call.result_metadata.take());
        call.provider_executed |= entry.provider_executed == Some(true);
        call.state = match entry.r#type {
            Kind::ToolResult => ToolState::OutputAvailable(Some(entry.output.unwrap_or_else(Json::null))),
            Kind::ToolError => ToolState::OutputError(error_text(entry.error, call.provider_executed)),
            _ => {
                let asked = call.approval.take().map_or_else(|| Approval::requested(&call.call_id), |asked| *asked);
                let reason = entry.reason.map(storable);
                let state = ToolState::OutputError(reason.clone().unwrap_or_else(|| DENIED_CALL.to_owned()));
                call.approval = Some(Box::new(asked.answered(false, reason)));
                state
            }
        };
        Ok(())
    }

    /// That somebody is asked whether a call may be made, and what was said.
    fn approval(&mut self, entry: HostedContent, path: &str) -> Result<()> {
        let missing = |field: &str| Error::invalid(format!("{path}.{field}"), "is missing");
        let id = entry.approval_id.clone().ok_or_else(|| missing("approvalId"))?;
        let of_call = entry.tool_call.as_ref().map(|call| call.tool_call_id.clone()).or(entry.tool_call_id.clone());
        let asked = |call: &ToolPart| call.approval.as_ref().is_some_and(|approval| approval.id == id);
        let place = match &of_call {
            Some(call_id) => self.find(call_id, |_| true),
            None => self.parts.iter().position(|part| matches!(part, Part::Tool(call) if asked(call))),
        };
        let place = match place {
            Some(place) => place,
            None if of_call.is_none() => return Err(missing("toolCall")),
            None => self.of_another_step(entry.tool_call, format!("{path}.toolCall"))?,
        };
        let Some(Part::Tool(call)) = self.parts.get_mut(place) else { return Ok(()) };
        let known = call.approval.take().filter(|approval| approval.id == id);
        let approval = known.map_or_else(|| Approval { id, ..Approval::default() }, |approval| *approval);
        let reason = entry.reason.map(storable);
        if entry.r#type == Kind::ToolApprovalRequest {
            let is_automatic = entry.is_automatic.unwrap_or(false);
            let (signature, input_schema_input) = (entry.signature, entry.input_schema_input);
            call.approval = Some(Box::new(Approval {
                request_reason: reason,
                is_automatic,
                signature,
                input_schema_input,
                ..approval
            }));
            return Ok(());
        }
        let approved = entry.approved.ok_or_else(|| missing("approved"))?;
        if !approved && call.state == ToolState::InputAvailable {
            call.state = ToolState::OutputError(reason.clone().unwrap_or_else(|| DENIED_CALL.to_owned()));
        }
        call.approval = Some(Box::new(approval.answered(approved, reason)));
        Ok(())
    }

    /// What comes of a call that another step has made: the loop went on with it once it was allowed, or its provider did.
    /// It is kept here, where it came, if it says what the call was.
    fn of_another_step(&mut self, call: Option<HostedCall>, field: String) -> Result<usize> {
        let call = call.ok_or_else(|| Error::invalid(field, "is needed of a call that is not of this step"))?;
        self.parts.push(Part::Tool(call.into_part()));
        Ok(self.parts.len() - 1)
    }

    fn find(&self, call_id: &str, is_meant: impl Fn(&ToolPart) -> bool) -> Option<usize> {
        let is_it = |part: &Part| matches!(part, Part::Tool(call) if call.call_id == call_id && is_meant(call));
        self.parts.iter().position(is_it)
    }

    /// Every call has an outcome, but for those that somebody is still asked for.
    fn finish(mut self) -> Vec<Part> {
        for part in &mut self.parts {
            if let Part::Tool(call) = part
                && call.state == ToolState::InputAvailable
                && call.approval.as_ref().is_none_or(|approval| approval.approved.is_some() && !call.provider_executed)
            {
                let text = if call.provider_executed { PAUSED_CALL } else { INCOMPLETE_CALL };
                call.state = ToolState::OutputError(text.to_owned());
            }
        }
        self.parts
    }
}

impl HostedContent {
    /// Clients refuse what has another form.
    fn check(&self, path: &str) -> Result<()> {
        let objects = [("providerMetadata", &self.provider_metadata), ("toolMetadata", &self.tool_metadata)];
        must_be_objects(objects, path)?;
        if let Some(call) = &self.tool_call {
            call.check(&format!("{path}.toolCall"))?;
        }
        match &self.citations {
            Some(citations) if !citations.get().starts_with('[') => {
                Err(Error::invalid(format!("{path}.citations"), "must be a list"))
            }
            _ => Ok(()),
        }
    }

    /// What a text or a call with its outcome says, as content.
    pub(super) fn of_part(part: Part) -> Vec<Self> {
        match part {
            Part::Text(text) => vec![Self { r#type: Kind::Text, text: Some(text.text), ..Self::default() }],
            Part::Tool(tool) => {
                let call = Self {
                    tool_call_id: Some(tool.call_id),
                    tool_name: Some(tool.name),
                    input: tool.input,
                    ..Self::default()
                };
                let of = |kind| Self { r#type: kind, ..call.clone() };
                let outcome = match tool.state {
                    ToolState::OutputAvailable(output) => Self { output, ..of(Kind::ToolResult) },
                    ToolState::OutputError(text) => Self { error: Some(Json::string(&text)), ..of(Kind::ToolError) },
                    ToolState::InputAvailable => return vec![of(Kind::ToolCall)],
                };
                vec![of(Kind::ToolCall), outcome]
            }
            Part::StepStart | Part::Reasoning(_) | Part::Other(_) => Vec::new(),
        }
    }

    /// The call that the entry is, or whose outcome it is, when it says which.
    fn call(&self) -> Option<HostedCall> {
        Some(HostedCall {
            tool_call_id: self.tool_call_id.clone()?,
            tool_name: self.tool_name.clone()?,
            input: self.input.clone(),
            provider_executed: self.provider_executed,
            dynamic: self.dynamic,
            title: self.title.clone(),
            tool_metadata: self.tool_metadata.clone(),
            provider_metadata: self.provider_metadata.clone().filter(|_| self.r#type == Kind::ToolCall),
        })
    }

    fn missing_of_call(&self) -> &'static str {
        if self.tool_name.is_none() { "toolName" } else { "toolCallId" }
    }

    fn into_source(self, path: &str) -> Result<Part> {
        let missing = |field: &str| Error::invalid(format!("{path}.{field}"), "is missing");
        let required = |value: Option<String>, field: &str| {
            value.map(|value| Some(Json::string(&storable(value)))).ok_or_else(|| missing(field))
        };
        let optional = |value: Option<String>| value.map(|value| Json::string(&storable(value)));
        let id = required(self.id, "id")?;
        let kind = match self.r#type {
            Kind::SourceUrl => Some("url"),
            Kind::SourceDocument => Some("document"),
            _ => self.source_type.as_deref(),
        };
        Ok(Part::Other(match kind {
            Some("url") => object(
                "source-url",
                [
                    ("sourceId", id),
                    ("url", required(self.url, "url")?),
                    ("title", optional(self.title)),
                    ("providerMetadata", self.provider_metadata),
                ],
            ),
            Some("document") => object(
                "source-document",
                [
                    ("sourceId", id),
                    ("mediaType", required(self.media_type, "mediaType")?),
                    ("title", required(self.title, "title")?),
                    ("filename", optional(self.filename)),
                    ("providerMetadata", self.provider_metadata),
                ],
            ),
            Some(_) => return Err(Error::invalid(format!("{path}.sourceType"), "must be url or document")),
            None => return Err(missing("sourceType")),
        }))
    }
}

impl HostedFile {
    fn into_part(self, kind: &str, provider_metadata: Option<Json>, path: &str) -> Result<Part> {
        let missing = |field: &str| Error::invalid(format!("{path}.{field}"), "is missing");
        must_be_objects(
            [("providerMetadata", &provider_metadata), ("file.providerMetadata", &self.provider_metadata)],
            path,
        )?;
        let media_type = self.media_type.ok_or_else(|| missing("mediaType"))?;
        let url = match (self.url, self.base64) {
            (Some(url), _) => url,
            (None, Some(base64)) => format!("data:{media_type};base64,{base64}"),
            (None, None) => return Err(missing("file.base64")),
        };
        let members = [
            ("mediaType", Some(Json::string(&media_type))),
            ("url", Some(Json::string(&url))),
            ("filename", self.filename.map(|name| Json::string(&storable(name)))),
            ("providerMetadata", provider_metadata.or(self.provider_metadata)),
        ];
        Ok(Part::Other(object(kind, members)))
    }
}

fn must_be_objects(values: [(&str, &Option<Json>); 2], path: &str) -> Result<()> {
    match values.iter().find(|(_, value)| value.as_ref().is_some_and(|value| !value.is_object())) {
        Some((field, _)) => Err(Error::invalid(format!("{path}.{field}"), "must be an object")),
        None => Ok(()),
    }
}

impl HostedCall {
    fn check(&self, path: &str) -> Result<()> {
        let objects = [("providerMetadata", &self.provider_metadata), ("toolMetadata", &self.tool_metadata)];
        must_be_objects(objects, path)
    }

    fn into_part(self) -> ToolPart {
        ToolPart {
            provider_executed: self.provider_executed.unwrap_or(false),
            dynamic: self.dynamic.unwrap_or(false),
            provider_metadata: self.provider_metadata,
            title: self.title.map(storable),
            tool_metadata: self.tool_metadata,
            ..ToolPart::new(self.tool_name, self.tool_call_id, self.input, ToolState::InputAvailable)
        }
    }
}

impl From<HostedResult> for HostedContent {
    fn from(result: HostedResult) -> Self {
        Self {
            r#type: Kind::ToolResult,
            tool_call_id: Some(result.tool_call_id),
            tool_name: result.tool_name,
            input: result.input,
            output: result.output,
            provider_executed: result.provider_executed,
            dynamic: result.dynamic,
            provider_metadata: result.provider_metadata,
            ..Self::default()
        }
    }
}

impl From<HostedError> for HostedContent {
    fn from(failure: HostedError) -> Self {
        Self {
            r#type: Kind::ToolError,
            tool_call_id: Some(failure.tool_call_id),
            tool_name: failure.tool_name,
            input: failure.input,
            error: failure.error_text.map(|text| Json::string(&text)).or(failure.error),
            ..Self::default()
        }
    }
}

/// An object of this type with those of the members that are there.
pub(super) fn object<const N: usize>(kind: &str, members: [(&str, Option<Json>); N]) -> Json {
    let mut text = format!("{{\"type\":{}", Json::string(kind).get());
    for (name, value) in members {
        if let Some(value) = value {
            text.push_str(&format!(",\"{name}\":{}", value.get()));
        }
    }
    text.push('}');
    Json::parse(&text).unwrap_or_else(|_| Json::null())
}

/// The model's words for a failure, as the AI SDK makes them.
fn error_text(error: Option<Json>, provider_executed: bool) -> String {
    #[derive(Deserialize)]
    struct WithMessage {
        message: String,
    }
    let text = error.and_then(|error| {
        let of_provider = || (provider_executed && error.get() != "null").then(|| error.get().to_owned());
        let message = || error.read::<WithMessage>().ok().map(|error| error.message);
        let other = || (!matches!(error.get(), "null" | "{}")).then(|| error.get().to_owned());
        error.as_string().or_else(of_provider).or_else(message).or_else(other)
    });
    storable(text.filter(|text| !text.is_empty()).unwrap_or_else(|| "The tool failed.".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(step: &str) -> Result<Vec<serde_json::Value>> {
        let step: HostedStep = crate::error::from_json(step, "step")?;
        let parts = step.into_parts(3, "step")?;
        Ok(parts.iter().map(|part| serde_json::to_value(part).unwrap()).collect())
    }

    fn tool(content: &str) -> serde_json::Value {
        let call = r#"{"type":"tool-call","toolCallId":"c","toolName":"t","input":{"a":1}"#;
        let parts = parts(&format!(r#"{{"content":[{}]}}"#, content.replace("CALL", call))).unwrap();
        assert_eq!(parts.len(), 2, "{parts:?}");
        parts[1].clone()
    }

    #[test]
    fn every_call_says_how_far_it_has_come() {
        let asked = r#"{"type":"tool-approval-request","approvalId":"a","toolCall":{"toolCallId":"c","toolName":"t"},"reason":"why","signature":"s"}"#;
        let said = |approved: bool| {
            format!(
                r#"{{"type":"tool-approval-response","approvalId":"a","toolCallId":"c","approved":{approved},"reason":"so"}}"#
            )
        };
        let result = r#"{"type":"tool-result","toolCallId":"c","toolName":"t","output":null}"#;
        let cases = [
            ("CALL}".to_owned(), "output-error", Some(INCOMPLETE_CALL)),
            (r#"CALL,"providerExecuted":true}"#.to_owned(), "output-error", Some(PAUSED_CALL)),
            (format!("CALL}},{asked}"), "approval-requested", None),
            (format!("CALL}},{asked},{}", said(false)), "output-denied", None),
            (format!("CALL}},{asked},{}", said(true)), "output-error", Some(INCOMPLETE_CALL)),
            (format!(r#"CALL,"providerExecuted":true}},{asked},{}"#, said(true)), "approval-responded", None),
            (format!("CALL}},{asked},{},{result}", said(true)), "output-available", None),
            (format!("CALL}},{result},{result}"), "output-available", None),
            (
                r#"CALL},{"type":"tool-error","toolCallId":"c","error":{"code":5}}"#.to_owned(),
                "output-error",
                Some(r#"{"code":5}"#),
            ),
            (r#"CALL},{"type":"tool-error","toolCallId":"c"}"#.to_owned(), "output-error", Some("The tool failed.")),
            (
                r#"CALL},{"type":"tool-output-denied","toolCallId":"c","toolName":"t"}"#.to_owned(),
                "output-denied",
                None,
            ),
            // What comes of a call of another step.
            (
                r#"{"type":"tool-result","toolCallId":"c","toolName":"t","input":{},"output":1}"#.to_owned(),
                "output-available",
                None,
            ),
            (
                said(false).replace(r#""toolCallId":"c""#, r#""toolCall":{"toolCallId":"c","toolName":"t"}"#),
                "output-denied",
                None,
            ),
        ];
        for (content, state, error) in cases {
            let part = tool(&content);
            assert_eq!((part["state"].as_str(), part["errorText"].as_str()), (Some(state), error), "{content}");
        }
        let part = tool(&format!("CALL}},{asked}"));
        assert_eq!(part["approval"], serde_json::json!({"id": "a", "requestReason": "why", "signature": "s"}));
    }

    #[test]
    fn the_last_output_counts_when_others_came_before_it() {
        let output =
            |value: u8, more: &str| format!(r#"{{"type":"tool-result","toolCallId":"c","output":{value}{more}}}"#);
        let part = tool(&format!(
            "CALL}},{},{},{}",
            output(1, r#","preliminary":true"#),
            output(2, r#","preliminary":true"#),
            output(3, "")
        ));
        assert_eq!(part["output"], 3);
    }

    #[test]
    fn lists_beside_content_say_nothing_new_and_alone_they_say_all() {
        let step = r#"{"reasoningText":"r","text":"a","toolCalls":[{"toolCallId":"c","toolName":"t","input":{}}],"toolResults":[{"toolCallId":"c","output":1}],
            "files":[{"mediaType":"a/b","base64":"AA=="}],"sources":[{"type":"source","sourceType":"url","id":"s","url":"u"}]}"#;
        let kinds = |step: &str| {
            parts(step)
                .map(|parts| parts.iter().map(|part| part["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(kinds(step).unwrap(), ["step-start", "reasoning", "text", "tool-t", "file", "source-url"]);
        let content = r#"{"content":[{"type":"tool-call","toolCallId":"c","toolName":"t"},{"type":"tool-result","toolCallId":"c","output":1}],"#;
        let both = step.replacen('{', content, 1);
        assert_eq!(kinds(&both).unwrap(), ["step-start", "tool-t"]);
        let error = parts(r#"{"text":"a","toolResults":[{"toolCallId":"gone","output":1}]}"#).unwrap_err();
        assert_eq!(error.details()["field"], "step.toolResults[0].toolName");
    }

    #[test]
    fn what_the_user_has_said_meanwhile_stands_before_the_answer() {
        let said = parts(
            r#"{"text":"a","experimental_steeringMessages":[{"role":"user","content":"B"},{"role":"user","content":[
                {"type":"text","text":"see"},{"type":"image","image":"AA=="},{"type":"file","mediaType":"a/b","data":{"type":"url","url":"https://e.org"},"filename":"f"}]}]}"#,
        )
        .unwrap();
        let expected = serde_json::json!([
            {"type": "step-start"},
            {"type": "data-steering", "id": "steering-3-0", "data": {"parts": [{"type": "text", "text": "B"}]}},
            {"type": "data-steering", "id": "steering-3-1", "data": {"parts": [
                {"type": "text", "text": "see"},
                {"type": "file", "mediaType": "image/*", "url": "data:image/*;base64,AA=="},
                {"type": "file", "mediaType": "a/b", "url": "https://e.org", "filename": "f"},
            ]}},
            {"type": "text", "text": "a", "state": "done"},
        ]);
        assert_eq!(serde_json::Value::from(said), expected);
    }
}
