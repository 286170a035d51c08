//! The assistant's message row for hosts that keep their own loop: the shapes that they have always written, to the
//! byte, of steps that are texts, calls and outcomes. A step whose `content` holds more is written as the engine writes
//! steps: see `loop_step`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result, from_json};
use crate::js::{Number, Raw, Text, canonical, list, present, write_string};
use crate::model::{INCOMPLETE_CALL, Json, MessageStatus, Part, ToolPart, ToolState};

use super::compact::{compact_text, compact_tool_output};
use super::loop_step::{HostedContent, HostedStep};
use super::usage::TokenUsage;

/// A finished model call as the host's loop hands it over. What else it holds is not read.
///
/// `T` is text and `V` any value: [`TextStep`] has them as JSON, and [`by_reference`](super::by_reference) as places in
/// a list of the caller's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>, V: Deserialize<'de>"))]
pub struct Step<T, V> {
    /// What the model wrote.
    #[serde(default)]
    pub text: Option<T>,
    /// What it called.
    #[serde(default, deserialize_with = "list")]
    pub tool_calls: Vec<StepCall<T, V>>,
    /// What came back.
    #[serde(default, deserialize_with = "list")]
    pub tool_results: Vec<StepResult<T, V>>,
    /// What failed.
    #[serde(default, deserialize_with = "list")]
    pub tool_errors: Vec<StepError<T>>,
    /// Everything in its order, as the AI SDK lists it.
    #[serde(default)]
    pub content: Option<V>,
    /// Messages of the user that the step's model call was given besides.
    #[serde(default, rename = "experimental_steeringMessages")]
    pub steering_messages: Option<V>,
}

/// A [`Step`] that was read from JSON.
pub type TextStep<'a> = Step<Text<'a>, Raw<'a>>;

/// A tool call of a [`Step`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>, V: Deserialize<'de>"))]
pub struct StepCall<T, V> {
    /// Pairs the call with its outcome.
    #[serde(default)]
    pub tool_call_id: Option<T>,
    /// The tool.
    #[serde(default)]
    pub tool_name: Option<T>,
    /// The arguments, kept whole.
    #[serde(default, deserialize_with = "present")]
    pub input: Option<V>,
}

/// A tool result of a [`Step`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>, V: Deserialize<'de>"))]
pub struct StepResult<T, V> {
    /// The call that it answers.
    #[serde(default)]
    pub tool_call_id: Option<T>,
    /// The tool.
    #[serde(default)]
    pub tool_name: Option<T>,
    /// What the tool returned.
    #[serde(default, deserialize_with = "present")]
    pub output: Option<V>,
}

/// A failed call of a [`Step`].
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "T: Deserialize<'de>"))]
pub struct StepError<T> {
    /// The call that failed.
    #[serde(default)]
    pub tool_call_id: Option<T>,
    /// The tool.
    #[serde(default)]
    pub tool_name: Option<T>,
    /// Why, as the model was told.
    #[serde(default)]
    pub error_text: Option<T>,
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
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Kinds;
        impl<'de> Visitor<'de> for Kinds {
            type Value = RowUsage;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("usage")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> std::result::Result<RowUsage, A::Error> {
                TokenUsage::deserialize(MapAccessDeserializer::new(fields)).map(RowUsage::Tokens)
            }

            fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<RowUsage, E> {
                Ok(RowUsage::Nothing("null"))
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> std::result::Result<RowUsage, E> {
                if value { Err(E::custom("not usage")) } else { Ok(RowUsage::Nothing("false")) }
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> std::result::Result<RowUsage, E> {
                if value == 0 { Ok(RowUsage::Nothing("0")) } else { Err(E::custom("not usage")) }
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> std::result::Result<RowUsage, E> {
                if value == 0.0 { Ok(RowUsage::Nothing("0")) } else { Err(E::custom("not usage")) }
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> std::result::Result<RowUsage, E> {
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

/// Text, as far as the rules of a row look at it.
pub(super) trait Words: Eq + Hash {
    /// Whether JavaScript takes it for true.
    fn truthy(&self) -> bool;
}

impl Words for Text<'_> {
    fn truthy(&self) -> bool {
        Text::truthy(self)
    }
}

/// A step's lists, wherever they are kept.
pub(super) struct StepView<'s, T, V> {
    pub(super) text: Option<&'s T>,
    pub(super) calls: &'s [StepCall<T, V>],
    pub(super) results: &'s [StepResult<T, V>],
    pub(super) errors: &'s [StepError<T>],
}

impl<T, V> Step<T, V> {
    fn view(&self) -> StepView<'_, T, V> {
        StepView {
            text: self.text.as_ref(),
            calls: &self.tool_calls,
            results: &self.tool_results,
            errors: &self.tool_errors,
        }
    }
}

/// A result, and its number among the results of all steps.
pub(super) struct Found<'s, T, V> {
    pub(super) result: &'s StepResult<T, V>,
    pub(super) number: usize,
}

/// Takes the parts of a row in their order.
pub(super) trait PartSink<T, V> {
    fn text(&mut self, text: &T);
    /// `Err` is for a call that failed, with the text that says why, if there is one.
    fn tool(
        &mut self,
        id: &T,
        name: &T,
        call: &StepCall<T, V>,
        outcome: std::result::Result<Found<'_, T, V>, Option<&T>>,
    );
}

/// Takes the trace of a row in its order.
pub(super) trait TraceSink<T, V> {
    fn call(&mut self, call: &StepCall<T, V>);
    fn result(&mut self, result: Found<'_, T, V>);
}

/// Lists with more elements than this are looked through with a table.
const FEW: usize = 8;

/// Finds the last element with an id. Ids that are not there or empty are none.
struct ById<'s, R, T> {
    list: &'s [R],
    id: fn(&R) -> &Option<T>,
    table: Option<HashMap<&'s T, usize>>,
}

impl<'s, R, T: Words> ById<'s, R, T> {
    fn new(list: &'s [R], id: fn(&R) -> &Option<T>) -> Self {
        let table = (list.len() > FEW).then(|| {
            let ids = list.iter().enumerate();
            ids.filter_map(|(place, element)| Some((some_text(id(element).as_ref())?, place))).collect()
        });
        Self { list, id, table }
    }

    fn last(&self, id: &T) -> Option<(usize, &'s R)> {
        let place = match &self.table {
            Some(table) => *table.get(id)?,
            None => self.list.iter().rposition(|element| (self.id)(element).as_ref() == Some(id))?,
        };
        Some((place, self.list.get(place)?))
    }
}

/// Tells `sink` the parts of the finished steps; `true` when a step has text.
pub(super) fn each_part<'s, T: Words + 's, V: 's>(
    steps: impl Iterator<Item = StepView<'s, T, V>>,
    sink: &mut impl PartSink<T, V>,
) -> bool {
    let (mut has_text, mut before) = (false, 0);
    for step in steps {
        if let Some(text) = some_text(step.text) {
            has_text = true;
            sink.text(text);
        }
        // Of several results for one call the last counts.
        let results = ById::new(step.results, |result| &result.tool_call_id);
        let errors = ById::new(step.errors, |error| &error.tool_call_id);
        for call in step.calls {
            let (Some(id), Some(name)) = (some_text(call.tool_call_id.as_ref()), some_text(call.tool_name.as_ref()))
            else {
                continue;
            };
            let outcome = match results.last(id) {
                Some((place, result)) => Ok(Found { result, number: before + place }),
                None => Err(errors.last(id).and_then(|(_, error)| some_text(error.error_text.as_ref()))),
            };
            sink.tool(id, name, call, outcome);
        }
        before += step.results.len();
    }
    has_text
}

/// Tells `sink` the trace: per step all calls, then all results.
pub(super) fn each_trace<'s, T: 's, V: 's>(
    steps: impl Iterator<Item = StepView<'s, T, V>>,
    sink: &mut impl TraceSink<T, V>,
) {
    let mut results = 0..;
    for step in steps {
        step.calls.iter().for_each(|call| sink.call(call));
        for (result, number) in step.results.iter().zip(&mut results) {
            sink.result(Found { result, number });
        }
    }
}

/// Steps with their outputs compacted once, for the trace and the parts both.
struct Compacted<'a, 'b> {
    steps: &'b [TextStep<'a>],
    /// Of the results of all steps.
    outputs: Vec<Option<Cow<'a, str>>>,
}

impl<'a, 'b> Compacted<'a, 'b> {
    fn of(steps: &'b [TextStep<'a>]) -> Self {
        let results = steps.iter().flat_map(|step| &step.tool_results);
        Self { steps, outputs: results.map(|result| result.output.map(|output| compact_text(output.get()))).collect() }
    }

    fn output(&self, number: usize) -> Option<&str> {
        self.outputs.get(number)?.as_deref()
    }

    /// The parts without their brackets; `true` when a step has text.
    fn parts(&self, items: &mut Items) -> bool {
        each_part(self.steps.iter().map(Step::view), &mut TextSink { compacted: self, items })
    }

    fn trace(&self, items: &mut Items) {
        each_trace(self.steps.iter().map(Step::view), &mut TextSink { compacted: self, items });
    }
}

/// Writes JSON.
struct TextSink<'c, 'a, 'b> {
    compacted: &'c Compacted<'a, 'b>,
    items: &'c mut Items,
}

impl<'a> PartSink<Text<'a>, Raw<'a>> for TextSink<'_, '_, '_> {
    fn text(&mut self, text: &Text<'a>) {
        text_part(text, self.items);
    }

    fn tool(
        &mut self,
        id: &Text<'a>,
        name: &Text<'a>,
        call: &StepCall<Text<'a>, Raw<'a>>,
        outcome: std::result::Result<Found<'_, Text<'a>, Raw<'a>>, Option<&Text<'a>>>,
    ) {
        let out = self.items.next();
        out.push_str("{\"type\":");
        write_string(&format!("tool-{}", name.0), out);
        out.push_str(",\"toolCallId\":");
        write_string(&id.0, out);
        let input = call.input.map(|input| canonical(input.get()).text);
        match outcome {
            Ok(found) => {
                out.push_str(",\"state\":\"output-available\"");
                member("input", input, out);
                member("output", self.compacted.output(found.number), out);
            }
            Err(text) => {
                out.push_str(",\"state\":\"output-error\"");
                member("input", input, out);
                out.push_str(",\"errorText\":");
                write_string(text.map_or(INCOMPLETE_CALL, |text| &text.0), out);
            }
        }
        out.push('}');
    }
}

impl<'a> TraceSink<Text<'a>, Raw<'a>> for TextSink<'_, '_, '_> {
    fn call(&mut self, call: &StepCall<Text<'a>, Raw<'a>>) {
        let input = call.input.map(|input| canonical(input.get()).text);
        trace_entry(&call.tool_name, "input", input.as_deref(), self.items.next());
    }

    fn result(&mut self, found: Found<'_, Text<'a>, Raw<'a>>) {
        let output = self.compacted.output(found.number);
        trace_entry(&found.result.tool_name, "output", output, self.items.next());
    }
}

/// Steps as they are written: all of them in the shapes of old, or some with everything that they hold.
struct Rows<'a, 'b> {
    steps: Vec<Written<'a, 'b>>,
    /// One of them is written whole, so all of them have their boundaries.
    has_boundaries: bool,
}

enum Written<'a, 'b> {
    Plain(Compacted<'a, 'b>),
    /// Its parts, the boundary first.
    Whole(Vec<Part>),
}

impl<'a, 'b> Rows<'a, 'b> {
    fn of(steps: &'b [TextStep<'a>]) -> Result<Self> {
        let write = |(number, step): (usize, &'b TextStep<'a>)| {
            Ok(match whole_parts(step, number)? {
                Some(parts) => Written::Whole(parts),
                None => Written::Plain(Compacted::of(std::slice::from_ref(step))),
            })
        };
        let steps = steps.iter().enumerate().map(write).collect::<Result<Vec<_>>>()?;
        let has_boundaries = steps.iter().any(|step| matches!(step, Written::Whole(_)));
        Ok(Self { steps, has_boundaries })
    }

    fn content(&self) -> String {
        let mut content = String::new();
        for step in &self.steps {
            match step {
                Written::Plain(plain) => {
                    let texts = plain.steps.iter().filter_map(|step| step.text.as_ref());
                    texts.for_each(|text| content.push_str(&text.0));
                }
                Written::Whole(parts) => parts.iter().filter_map(Part::as_text).for_each(|text| content.push_str(text)),
            }
        }
        content
    }

    /// The parts without their brackets; `true` when a step has text.
    fn parts(&self, items: &mut Items) -> bool {
        let mut has_text = false;
        for step in &self.steps {
            match step {
                Written::Plain(plain) => {
                    if self.has_boundaries {
                        part(&Part::StepStart, items);
                    }
                    has_text |= plain.parts(items);
                }
                Written::Whole(parts) => {
                    has_text |= parts.iter().any(|part| part.as_text().is_some_and(|text| !text.is_empty()));
                    parts.iter().for_each(|given| part(given, items));
                }
            }
        }
        has_text
    }

    fn trace(&self) -> Option<String> {
        let mut items = Items::new();
        for step in &self.steps {
            match step {
                Written::Plain(plain) => plain.trace(&mut items),
                Written::Whole(parts) => whole_trace(parts, &mut items),
            }
        }
        items.finish_some()
    }
}

/// The kinds of content that a step's own lists say as well.
const LISTED: &[&str] = &["text", "tool-call", "tool-result", "tool-error"];

/// The parts of a step that holds what its lists do not say, or that has no lists, outputs compacted.
fn whole_parts(step: &TextStep<'_>, number: usize) -> Result<Option<Vec<Part>>> {
    #[derive(Deserialize)]
    struct Kind<'a> {
        #[serde(default, borrow)]
        r#type: Option<Text<'a>>,
    }
    let below = |field: &'static str| move |error: Error| error.below(&format!("steps[{number}].{field}"));
    let content = some_items(step.content).map_err(below("content"))?;
    let steering = some_items(step.steering_messages).map_err(below("experimental_steeringMessages"))?;
    let has_lists = step.text.is_some()
        || [step.tool_calls.len(), step.tool_results.len(), step.tool_errors.len()].iter().any(|length| *length > 0);
    let is_listed = |entry: &Raw<'_>| {
        let kind = serde_json::from_str::<Kind<'_>>(entry.get()).ok().and_then(|entry| entry.r#type);
        kind.is_some_and(|kind| LISTED.contains(&&*kind.0))
    };
    let says_more = |(_, entries): &(&str, Vec<Raw<'_>>)| !has_lists || !entries.iter().all(is_listed);
    if steering.is_none() && !content.as_ref().is_some_and(says_more) {
        return Ok(None);
    }
    // What a database cannot hold is replaced before it is read.
    fn clean<T: serde::de::DeserializeOwned>(given: &str) -> Result<T> {
        let given = Json::parse(given).map_err(|_| Error::invalid("", "is not valid JSON"))?;
        from_json(given.get(), "")
    }
    let mut whole = HostedStep::default();
    if let Some((given, _)) = steering {
        whole.steering_messages = Some(clean(given).map_err(below("experimental_steeringMessages"))?);
    }
    match content {
        Some((given, _)) => whole.content = Some(clean(given).map_err(below("content"))?),
        // Its lists are all that there is.
        None => whole.content = Some(listed(step).map_err(below("toolCalls"))?),
    }
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let mut parts = whole.into_parts(number, &format!("steps[{number}]"))?;
    for part in &mut parts {
        // What a provider returned goes back to it as it came.
        if let Part::Tool(ToolPart {
            state: ToolState::OutputAvailable(Some(output)), provider_executed: false, ..
        }) = part
        {
            *output = compact_tool_output(output);
        }
    }
    Ok(Some(parts))
}

/// A list that is there and not empty, and its elements.
fn some_items(given: Option<Raw<'_>>) -> Result<Option<(&str, Vec<Raw<'_>>)>> {
    let Some(given) = given.filter(|given| given.get() != "null") else { return Ok(None) };
    let items: Vec<Raw<'_>> = from_json(given.get(), "")?;
    Ok((!items.is_empty()).then_some((given.get(), items)))
}

/// The lists of a step as content.
fn listed(step: &TextStep<'_>) -> Result<Vec<HostedContent>> {
    let compacted = Compacted::of(std::slice::from_ref(step));
    let mut items = Items::new();
    compacted.parts(&mut items);
    let parts: Vec<Part> = from_json(&items.finish(), "")?;
    Ok(parts.into_iter().flat_map(HostedContent::of_part).collect())
}

fn whole_trace(parts: &[Part], items: &mut Items) {
    let tools = || parts.iter().filter_map(|part| if let Part::Tool(tool) = part { Some(tool) } else { None });
    let mut entry = |tool: &ToolPart, field: &str, value: Option<&Json>| {
        let value = value.map(|value| canonical(value.get()).text);
        trace_entry(&Some(Text::from(tool.name.as_str())), field, value.as_deref(), items.next());
    };
    tools().for_each(|tool| entry(tool, "input", tool.input.as_ref()));
    for tool in tools() {
        if let ToolState::OutputAvailable(output) = &tool.state {
            entry(tool, "output", output.as_ref());
        }
    }
}

/// `assistantParts`: the parts of the finished steps, as a JSON array; the fallback text ends it when no step has text.
///
/// # Errors
/// `INVALID_INPUT` with the path of what a step's content holds and cannot be kept.
pub fn assistant_parts(steps: &[TextStep<'_>], fallback_text: &str) -> Result<String> {
    let mut items = Items::new();
    if !Rows::of(steps)?.parts(&mut items) && !fallback_text.is_empty() {
        text_part(&Text::from(fallback_text), &mut items);
    }
    Ok(items.finish())
}

/// `serializeSteps`: per step all calls, then all results, as a JSON array; `None` when there is neither.
///
/// # Errors
/// As [`assistant_parts`].
pub fn serialize_steps(steps: &[TextStep<'_>]) -> Result<Option<String>> {
    Ok(Rows::of(steps)?.trace())
}

/// `flushAssistant`: the row for these steps. The same function serves the first write, every step and the end.
///
/// # Errors
/// As [`assistant_parts`].
pub fn flush_assistant(
    steps: &[TextStep<'_>],
    in_progress_text: &str,
    status: MessageStatus,
    extra: &RowExtra<'_>,
) -> Result<AssistantRow> {
    let in_progress = Text::from(in_progress_text);
    let rows = Rows::of(steps)?;
    let mut content = rows.content();
    content.push_str(&in_progress.0);
    let mut parts = Items::new();
    rows.parts(&mut parts);
    if in_progress.truthy() {
        if rows.has_boundaries {
            part(&Part::StepStart, &mut parts);
        }
        text_part(&in_progress, &mut parts);
    }
    let metadata = metadata(&parts.finish(), status, extra);
    Ok(AssistantRow { content, tool_calls: rows.trace(), metadata, status })
}

fn metadata(parts: &str, status: MessageStatus, extra: &RowExtra<'_>) -> String {
    let mut out = format!("{{\"parts\":{parts}");
    metadata_rest(status, extra, &mut out);
    out.push('}');
    out
}

/// Appends what follows the parts in the metadata, each member with a comma before it.
pub(super) fn metadata_rest(status: MessageStatus, extra: &RowExtra<'_>, out: &mut String) {
    let ended = matches!(status, MessageStatus::Error | MessageStatus::Aborted).then(|| Text::from(status.as_str()));
    if let Some(reason) = some_text(extra.finish_reason.as_ref()).or(ended.as_ref()) {
        out.push_str(",\"finishReason\":");
        write_string(&reason.0, out);
    }
    match &extra.usage {
        Some(RowUsage::Tokens(usage)) => member("usage", Some(usage.to_json()), out),
        Some(RowUsage::Nothing(raw)) => member("usage", Some(raw), out),
        None => {}
    }
    for (name, tokens) in [("contextTokens", &extra.context_tokens), ("maxContextTokens", &extra.max_context_tokens)] {
        member(name, tokens.as_ref().filter(|tokens| tokens.truthy()).map(Number::as_str), out);
    }
    if let Some(error) = some_text(extra.error.as_ref()) {
        out.push_str(",\"error\":");
        write_string(&error.0, out);
    }
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

fn part(part: &Part, items: &mut Items) {
    // Plain data with text keys cannot fail to serialize.
    let text = serde_json::to_string(part).unwrap_or_else(|_| "null".to_owned());
    items.next().push_str(&canonical(&text).text);
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

fn some_text<T: Words>(text: Option<&T>) -> Option<&T> {
    text.filter(|text| text.truthy())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &str = r#"[{"text":"Looking. ","toolCalls":[{"toolCallId":"a","toolName":"get","input":{"id":1.0}},{"toolCallId":"b","toolName":"put","input":null},{"toolCallId":"c","toolName":"del","input":{}}],
        "toolResults":[{"toolCallId":"a","toolName":"get","output":{"title":"T"}}],
        "toolErrors":[{"toolCallId":"b","toolName":"put","errorText":"denied"}]},{"text":"Done."}]"#;

    #[test]
    fn row_has_text_parts_and_every_outcome() {
        let steps: Vec<TextStep<'_>> = serde_json::from_str(STEPS).unwrap();
        let extra: RowExtra<'_> = serde_json::from_str(r#"{"usage":{"inputTokens":3},"contextTokens":0}"#).unwrap();
        let row = flush_assistant(&steps, "", MessageStatus::Completed, &extra).unwrap();
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
        let row = flush_assistant(&[], "", MessageStatus::Streaming, &extra).unwrap();
        assert_eq!(row.to_json(), r#"{"content":"","toolCalls":null,"metadata":{"parts":[]},"status":"streaming"}"#);
        let row = flush_assistant(&[], "half", MessageStatus::Aborted, &extra).unwrap();
        assert_eq!(row.metadata, r#"{"parts":[{"type":"text","text":"half"}],"finishReason":"aborted"}"#);
    }

    /// Defect 3 of the servers that this replaces.
    #[test]
    fn what_cannot_be_stored_is_replaced_everywhere() {
        let steps: Vec<TextStep<'_>> = serde_json::from_str(
            r#"[{"text":"a\u0000\ud83d","toolCalls":[{"toolCallId":"\u0000","toolName":"\udc00","input":"\u0000"}],"toolResults":[{"toolCallId":"\u0000","output":["\ud83d"]}]}]"#,
        )
        .unwrap();
        let row = flush_assistant(&steps, "\0", MessageStatus::Streaming, &RowExtra::default()).unwrap().to_json();
        assert!(!row.contains("\\u") && !row.contains('\0'), "{row}");
    }
}
