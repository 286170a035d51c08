//! Whole turns: the engine with an in-memory store, tools, and a provider on loopback that answers from a script.

use libtest_mimic::Failed;
use serde_json::{Value, json};
use turnkeep::Engine;
use turnkeep::model::{Json, Message};
use turnkeep::project::messages_from_rows;
use turnkeep::provider::{ChatRequest, ToolChoice};
use turnkeep_tests::scenario::{FnTool, all_chunks, options, request, tool};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

use crate::corpus::{document, driver, files, wire};
use crate::exceptions;
use crate::expected::{Ran, differs, run};
use crate::parts::decode;
use crate::verdict::Tally;

/// What turnkeep does in another way: tools that run in the client, approvals, and aborts that count chunks.
const NOT_RUN: &[&str] = &[
    "oc-abort-during-tool",
    "ol-abort",
    "oc-approval-approved",
    "oc-approval-denied",
    "oc-tool-approval",
    "oc-tool-client",
    "oc-tool-mixed-client-server",
];

pub(crate) fn compare() -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut tally = Tally::new("expected/synthetic", exceptions::SYNTHETIC);
    for file in files("expected/synthetic", ".json") {
        let expected = document(&file);
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (id, through) = name.split_once('@').map_or((name.as_str(), None), |(id, through)| (id, Some(through)));
        if NOT_RUN.contains(&id) {
            tally.without_a_word();
            continue;
        }
        let scenario = document(&wire().join(format!("synthetic/{id}.json")));
        let provider = through.unwrap_or_else(|| scenario["provider"].as_str().expect("a provider"));
        let difference = match scenario["messages"].as_array() {
            Some(messages) => with_history(provider, &scenario, messages, &expected),
            None => runtime.block_on(turn(provider, &scenario, &expected)),
        };
        tally.case(&name, difference);
    }
    tally.finish()
}

fn script(scenario: &Value) -> Vec<Response> {
    let list = scenario["responses"].as_array().into_iter().flatten();
    list.map(|response| Response {
        status: response["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200),
        headers: serde_json::from_value(response["headers"].clone()).unwrap_or_default(),
        chunks: serde_json::from_value(response["chunks"].clone()).unwrap_or_default(),
        then: if response["destroy"] == true { Then::Reset } else { Then::End },
        ..Response::default()
    })
    .collect()
}

/// Whether the bodies that were sent are those that were recorded, but for the system prompt, which is the host's.
fn requests_differ(sent: &[Value], expected: &Value) -> Option<String> {
    let recorded = expected["requests"].as_array()?;
    if sent.len() != recorded.len() {
        return Some(format!("{} requests, theirs {}", sent.len(), recorded.len()));
    }
    let place =
        (0..sent.len()).find(|place| without_system(&sent[*place]) != without_system(&recorded[*place]["body"]))?;
    let (ours, theirs) = (without_system(&sent[place]), without_system(&recorded[place]["body"]));
    Some(format!("request {place} is {ours}, theirs {theirs}"))
}

/// Call ids up to their order, too: those that a provider does not send are made up.
fn without_system(body: &Value) -> Value {
    let mut body = body.clone();
    if let Some(map) = body.as_object_mut() {
        map.remove("system");
        map.remove("systemInstruction");
        if let Some(messages) = map.get_mut("messages").and_then(Value::as_array_mut) {
            messages.retain(|message| message["role"] != "system");
        }
    }
    let mut known: Vec<String> = Vec::new();
    rename_ids(&mut body, &mut known);
    // What a model is told of a call that could not be run is worded by each for itself.
    for message in body.get_mut("messages").and_then(Value::as_array_mut).into_iter().flatten() {
        let is_refusal = ["Invalid input for tool", "Model tried to call", "There is no tool"]
            .iter()
            .any(|words| message["content"].as_str().is_some_and(|content| content.starts_with(words)));
        if message["role"] == "tool" && is_refusal {
            message["content"] = json!("refused");
        }
    }
    body
}

fn rename_ids(value: &mut Value, known: &mut Vec<String>) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(|value| rename_ids(value, known)),
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                match value {
                    Value::String(id) if ["id", "tool_call_id", "tool_use_id"].contains(&name.as_str()) => {
                        let number = known.iter().position(|known| known == id).unwrap_or_else(|| {
                            known.push(id.clone());
                            known.len() - 1
                        });
                        *value = json!(number);
                    }
                    value => rename_ids(value, known),
                }
            }
        }
        _ => {}
    }
}

async fn turn(provider: &str, scenario: &Value, expected: &Value) -> Option<String> {
    let responses = script(scenario);
    let server = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
    let name = if provider == "google" { "gemini" } else { provider };
    let config = json!({
        "driver": name,
        "model": expected["modelId"],
        "baseUrl": if provider == "ollama" { server.base_url().replace("/v1", "") } else { server.base_url() },
        "apiKey": "test-key-0123456789",
    });
    // Where the recording shows that a refusal was met by another try, ours makes it too. Those in which everything is
    // refused were recorded without another try; how often ours asks then is for the tests of the shell.
    let statuses: Vec<_> = script(scenario).iter().map(|response| response.status).collect();
    let tries = if statuses.last() == Some(&200) && statuses.iter().any(|status| *status != 200) { 3 } else { 1 };
    let http = json!({"maxTries": tries, "retryWaitMs": 1});
    let more = json!({"providers": {"default": config}, "runs": {"maxSteps": 20}, "http": http});
    let engine = Engine::open(options("sqlite::memory:", "", more)).await.expect("an engine");
    let tools = scenario["tools"].as_object().into_iter().flatten().map(|(name, given)| {
        let mut definition = given.clone();
        let value = given["behavior"]["value"].clone();
        definition.as_object_mut().map(|definition| definition.remove("behavior"));
        definition["name"] = json!(name);
        tool(definition, FnTool(move |_| Ok(value.clone())))
    });
    let turn = engine.start_turn(request("Hello", json!({})), tools.collect()).await.expect("a turn");
    let chunks = all_chunks(&turn).await;
    let outcome = turn.done().await.expect("an outcome");
    engine.close(None).await.expect("closed");
    let ran = Ran { chunks, usage: outcome.usage, step: None };
    differs(&ran, expected).or_else(|| requests_differ(&server.requests(), expected))
}

/// A conversation that is there already: what it becomes in the request, and what is made of the answer.
fn with_history(provider: &str, scenario: &Value, messages: &[Value], expected: &Value) -> Option<String> {
    let rows: Vec<Message> = messages.iter().map(row).collect();
    let tools = scenario["tools"].as_object().into_iter().flatten().map(|(name, tool)| {
        let mut definition = tool.clone();
        definition.as_object_mut().map(|definition| definition.remove("behavior"));
        definition["name"] = json!(name);
        serde_json::from_value(definition).expect("a definition")
    });
    let request = ChatRequest {
        system: scenario["system"].as_str().unwrap_or_default().to_owned(),
        messages: messages_from_rows(&rows),
        tools: tools.collect(),
        tool_choice: ToolChoice::Auto,
        ..ChatRequest::default()
    };
    let driver = driver(provider, scenario["modelId"].as_str()?);
    let sent = match driver.encode(&request) {
        Ok(sent) => serde_json::from_slice(&sent.body).expect("a JSON body"),
        Err(failure) => return Some(failure.message),
    };
    let bytes: Vec<u8> = scenario["responses"][0]["chunks"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str)
        .collect::<String>()
        .into_bytes();
    let ran = run(decode(driver.decoder_for(&request), [bytes.as_slice()]), vec!["weather".to_owned()]);
    differs(&ran, expected).or_else(|| requests_differ(&[sent], expected))
}

fn row(message: &Value) -> Message {
    let role = serde_json::from_value(message["role"].clone()).expect("a role");
    Message {
        id: turnkeep::MessageId::generate(),
        chat_id: turnkeep::ChatId::generate(),
        workspace_id: "w1".to_owned(),
        user_id: None,
        role,
        content: String::new(),
        tool_calls: None,
        metadata: Json::from_value(&json!({"parts": message["parts"]})).ok(),
        status: None,
        created_at: turnkeep::clock::Timestamp::from_millis(0),
        updated_at: turnkeep::clock::Timestamp::from_millis(0),
    }
}
