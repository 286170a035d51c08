//! What a turn of the storm says and does: all of it follows from the number in the user's message, so that whoever
//! knows the number can tell what must be on disk.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::{Value, json};
use turnkeep::model::{FinishReason, Json, Usage};
use turnkeep::project::{AssistantPart, ModelMessage, UserPart};
use turnkeep::provider::{BlockKind, ChatRequest, Provider, ProviderFailure, RunBy, StreamPart};
use turnkeep::tool::{Tool, ToolHandler, ToolInvocation};
use turnkeep_tests::scenario::tool;

/// A small generator, so that a seed is all that a storm needs.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A tool call of the plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    pub(crate) id: String,
    /// `look` changes nothing, `change` does.
    pub(crate) tool: &'static str,
}

impl Call {
    fn input(&self) -> Value {
        json!({"of": self.id})
    }

    pub(crate) fn output(&self) -> Value {
        json!({"seen": self.id})
    }
}

/// One step of the plan.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) pieces: Vec<String>,
    pub(crate) calls: Vec<Call>,
}

impl Step {
    pub(crate) fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// Three to six steps; all but the last call tools.
pub(crate) fn steps(turn: u64) -> Vec<Step> {
    let mut random = Random::new(turn);
    let count = 3 + random.below(4);
    (0..count)
        .map(|number| {
            // Some are long enough to fill a page of the database.
            let words = if random.one_in(4) { 60 } else { 3 };
            let pieces = (0..3 + random.below(5))
                .map(|piece| {
                    let filler: Vec<String> = (0..words).map(|_| format!("{:016x}", random.next())).collect();
                    format!("[{turn}.{number}.{piece}] {} ", filler.join(" "))
                })
                .collect();
            let calls = if number + 1 == count { 0 } else { 1 + random.below(2) };
            let calls = (0..calls)
                .map(|index| Call {
                    id: format!("c{turn}_{number}_{index}"),
                    tool: if random.one_in(2) { "look" } else { "change" },
                })
                .collect();
            Step { pieces, calls }
        })
        .collect()
}

pub(crate) fn message(turn: u64) -> String {
    format!("turn {turn}")
}

/// The turn that a user's message asks for.
pub(crate) fn turn_of(message: &str) -> Option<u64> {
    message.strip_prefix("turn ")?.parse().ok()
}

/// Says what [`steps`] has planned, with short pauses, and looks at the history that it is sent.
pub(crate) struct PlannedModel {
    pub(crate) on_unpaired_history: fn(),
}

impl Provider for PlannedModel {
    fn stream(&self, request: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        if !is_paired(&request.messages) {
            (self.on_unpaired_history)();
        }
        let (turn, number) = place(&request.messages);
        let step = steps(turn).into_iter().nth(number);
        let parts = step.map(parts).unwrap_or_default();
        let mut pauses = Random::new(turn ^ number as u64);
        let parts = parts.into_iter().map(move |part| (part, Duration::from_micros(pauses.below(4_000))));
        stream::iter(parts)
            .then(|(part, pause)| async move {
                tokio::time::sleep(pause).await;
                Ok(part)
            })
            .boxed()
    }
}

fn parts(step: Step) -> Vec<StreamPart> {
    let (kind, id) = (BlockKind::Text, || "text".to_owned());
    let reason = if step.calls.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
    let mut parts = vec![StreamPart::BlockStart { kind, id: id(), metadata: None }];
    parts.extend(step.pieces.into_iter().map(|delta| StreamPart::BlockDelta { kind, id: id(), delta, metadata: None }));
    parts.push(StreamPart::BlockEnd { kind, id: id(), metadata: None });
    for call in step.calls {
        let arguments = call.input().to_string();
        parts.push(StreamPart::ToolInputStart { id: call.id.clone(), name: call.tool.to_owned(), run_by: RunBy::Host });
        parts.push(StreamPart::ToolInputDelta { id: call.id.clone(), delta: arguments.clone() });
        parts.push(StreamPart::ToolCall {
            id: call.id,
            name: call.tool.to_owned(),
            arguments,
            run_by: RunBy::Host,
            metadata: None,
        });
    }
    let usage = Usage { input_tokens: Some(10), output_tokens: Some(5), total_tokens: Some(15), ..Usage::default() };
    parts.push(StreamPart::Finish { reason, usage: Some(usage) });
    parts
}

/// The turn that the last user's message asks for, and the number of steps that it has had.
fn place(messages: &[ModelMessage]) -> (u64, usize) {
    let mut number = 0;
    for message in messages.iter().rev() {
        match message {
            ModelMessage::Assistant(_) => number += 1,
            ModelMessage::Tool(_) => {}
            ModelMessage::User(parts) => {
                let turn = parts.iter().rev().find_map(|part| match part {
                    UserPart::Text { text, .. } => turn_of(text),
                    UserPart::File { .. } => None,
                });
                return (turn.unwrap_or(0), number);
            }
        }
    }
    (0, number)
}

/// Whether the calls of each step are answered, in order, by what comes right after it.
fn is_paired(messages: &[ModelMessage]) -> bool {
    let called = |message: &ModelMessage| -> Vec<String> {
        let ModelMessage::Assistant(parts) = message else { return Vec::new() };
        let ids = parts.iter().filter_map(|part| match part {
            AssistantPart::ToolCall { call_id, .. } => Some(call_id.clone()),
            _ => None,
        });
        ids.collect()
    };
    let answered = |message: Option<&ModelMessage>| -> Vec<String> {
        match message {
            Some(ModelMessage::Tool(results)) => results.iter().map(|result| result.call_id.clone()).collect(),
            _ => Vec::new(),
        }
    };
    messages.iter().enumerate().all(|(place, message)| match message {
        ModelMessage::Tool(_) => place > 0,
        _ => called(message) == answered(messages.get(place + 1)),
    })
}

/// `look` and `change`. What `change` is about to do is told first, as a page that is edited stays edited.
pub(crate) fn tools(on_change: fn(&ToolInvocation)) -> Vec<Tool> {
    let schema = json!({"type": "object", "properties": {"of": {"type": "string"}}, "required": ["of"]});
    let definition = |name: &str, read_only: bool| json!({"name": name, "inputSchema": schema, "readOnly": read_only});
    vec![
        tool(definition("look", true), PlannedTool { on_call: |_| {} }),
        tool(definition("change", false), PlannedTool { on_call: on_change }),
    ]
}

struct PlannedTool {
    on_call: fn(&ToolInvocation),
}

#[async_trait]
impl ToolHandler for PlannedTool {
    async fn call(&self, invocation: ToolInvocation) -> Result<Json, String> {
        (self.on_call)(&invocation);
        let call = Call { id: invocation.call_id, tool: "" };
        tokio::time::sleep(Duration::from_micros(Random::new(call.id.len() as u64).below(3_000))).await;
        Json::from_value(&call.output()).map_err(|error| error.to_string())
    }
}

/// For tools that nobody keeps a record of.
pub(crate) fn unnoticed(_: &ToolInvocation) {}

/// The model, where a broken history is told by a line.
pub(crate) fn model() -> Arc<dyn Provider> {
    Arc::new(PlannedModel { on_unpaired_history: || turnkeep_tests::processes::tell("unpaired") })
}
