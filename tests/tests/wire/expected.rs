//! Recorded streams through the loop: what a client is told, against what the real packages told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::{Value, json};
use turnkeep::machine::{Effect, Event, Limits, RunMachine, TurnIds};
use turnkeep::model::{Json, StepRecord, Usage};
use turnkeep::tool::ToolCatalog;
use turnkeep::{ChatId, MessageId, RunId};

use crate::corpus::{document, driver, files, lines, response_bytes, wire};
use crate::exceptions;
use crate::parts::{Decoded, decode, decoder, tokens};
use crate::told::{comparable, told};
use crate::verdict::{Tally, difference};

/// Tools that are known and that nobody runs.
struct Known(Vec<String>);

impl ToolCatalog for Known {
    fn check(&self, name: &str, arguments: &str) -> Result<Json, String> {
        if !self.0.iter().any(|known| known == name) {
            return Err("there is no such tool".to_owned());
        }
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        Json::parse(arguments).map_err(|_| "the arguments are not JSON".to_owned())
    }

    fn is_read_only(&self, _: &str) -> bool {
        true
    }

    fn timeout(&self, _: &str) -> Duration {
        Duration::from_secs(1)
    }
}

pub(crate) struct Ran {
    pub(crate) chunks: Vec<Value>,
    pub(crate) usage: Option<Usage>,
    pub(crate) step: Option<StepRecord>,
}

/// One call through the machine.
pub(crate) fn run(decoded: Decoded, tools: Vec<String>) -> Ran {
    let ids = TurnIds { chat: ChatId::generate(), run: RunId::generate(), message: MessageId::generate() };
    let limits = Limits::new(1, Duration::from_secs(1));
    let mut machine = RunMachine::new(ids, limits, Arc::new(Known(tools)));
    let mut events = vec![Event::Begun];
    // Bytes that never were a stream are a refusal.
    let refused = !decoded.saw_stream && decoded.parts.is_empty();
    events.extend(decoded.parts.into_iter().map(Event::Part));
    events.push(match decoded.failure {
        Some(failure) => Event::StreamFailed(failure),
        None if refused => Event::StreamFailed(
            turnkeep::provider::ProviderFailure::new(turnkeep::model::FailureKind::BadResponse, "not a stream")
                .unanswered(),
        ),
        None => Event::StreamEnded,
    });
    let mut ran = Ran { chunks: Vec::new(), usage: None, step: None };
    let mut effects = Vec::new();
    for event in events {
        machine.handle(event, &mut effects);
        let mut answers = Vec::new();
        while !effects.is_empty() {
            for effect in effects.drain(..) {
                match effect {
                    Effect::EmitChunk(chunk) => {
                        ran.chunks.push(serde_json::from_str(&chunk.encode()).expect("a chunk"));
                    }
                    Effect::Settle(settlement) => {
                        ran.usage = settlement.usage;
                        ran.step = settlement.step;
                        answers.push(Event::Settled);
                    }
                    _ => {}
                }
            }
            for answer in answers.drain(..) {
                machine.handle(answer, &mut effects);
            }
        }
    }
    ran
}

/// The tools of the call, and those that were known when the case was recorded.
fn tools(options: &Value, expected: &Value) -> Vec<String> {
    let given = options["tools"].as_array().into_iter().flatten();
    let given = given.filter(|tool| tool["type"] == "function").map(|tool| &tool["name"]);
    let chunks = expected["uiMessageChunks"].as_array().into_iter().flatten();
    let known = chunks.filter(|chunk| chunk["type"] == "tool-input-available").map(|chunk| &chunk["toolName"]);
    given.chain(known).filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// What differs from an expectation, if anything.
pub(crate) fn differs(ran: &Ran, expected: &Value) -> Option<String> {
    let ours = told(&ran.chunks);
    let theirs = told(expected["uiMessageChunks"].as_array().map_or(&[][..], Vec::as_slice));
    if let Some(difference) = difference(&ours.chunks, &theirs.chunks) {
        return Some(format!("chunks {difference}"));
    }
    let message = comparable(expected["clientMessage"]["parts"].as_array().cloned().unwrap_or_default());
    // A message of nothing but the step's beginning is not written at all there.
    if message.is_empty() && ours.parts == [json!({"type": "step-start"})] {
        return None;
    }
    if let Some(difference) = difference(&ours.parts, &message) {
        return Some(format!("message {difference}"));
    }
    let usage = &expected["totalUsage"];
    if usage.get("$rejected").is_some() || usage.is_null() {
        return None;
    }
    let theirs = json!([usage["inputTokens"], usage["outputTokens"], usage["reasoningTokens"]]);
    let mut ours = tokens(&ran.usage);
    if theirs[2].is_null() && ours[2] == 0 {
        ours[2] = Value::Null;
    }
    (ours != theirs).then(|| format!("usage is {ours}, theirs {theirs}"))
}

/// `expected/streams`; for dialects also `expected/cross`, of which one is enough.
pub(crate) fn compare() -> Result<(), Failed> {
    let mut cases = HashMap::new();
    for provider in crate::corpus::PROVIDERS {
        for case in lines(&format!("streams/{provider}.jsonl")) {
            cases.insert(case["id"].as_str().expect("an id").to_owned(), (*provider, case));
        }
    }
    let mut tally = Tally::new("expected/streams", exceptions::STREAMS);
    let mut crossed = Tally::new("expected/cross", exceptions::CROSS);
    let ran = |id: &str, expected: &Value| {
        let (provider, case) = cases.get(id)?;
        let bytes = response_bytes(&case["response"])?;
        let driver = driver(provider, case["modelId"].as_str()?);
        let decoded = decode(decoder(driver.as_ref(), &case["options"]), [bytes.as_slice()]);
        Some(run(decoded, tools(&case["options"], expected)))
    };
    // A dialect has two recordings: through its own driver, and through the common one.
    let mut as_common = Vec::new();
    for file in files("expected/cross", ".json") {
        let expected = document(&file);
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let id = name.split('@').next().unwrap_or_default();
        let Some(ran) = ran(id, &expected) else {
            crossed.without_a_word();
            continue;
        };
        let own = wire().join(format!("expected/streams/{id}.json"));
        let difference = differs(&ran, &expected);
        if difference.is_none() {
            as_common.push(id.to_owned());
        }
        crossed.case(&name, difference.filter(|_| differs(&ran, &document(&own)).is_some()));
    }
    for file in files("expected/streams", ".json") {
        let expected = document(&file);
        let id = expected["id"].as_str().expect("an id");
        match ran(id, &expected) {
            Some(ran) => {
                tally.case(id, differs(&ran, &expected).filter(|_| !as_common.iter().any(|common| common == id)))
            }
            None => tally.without_a_word(),
        }
    }
    crate::verdict::all([tally, crossed])
}
