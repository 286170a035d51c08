//! What is described of the surface is so: the engine gives out what the types of all languages say, and takes what they
//! say it does.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use turnkeep::{EngineOptions, OPERATIONS};
use turnkeep_surface as shapes;
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{FnTool, all_chunks, open, request, tool};
use turnkeep_tests::{Response, Script, ScriptedProvider};

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Reads the JSON as it is described; members that are not described are an error.
fn described<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

#[tokio::test]
async fn the_engine_gives_out_what_is_described() {
    let calls = vec![tool_call(0, "call_1", "add", r#"{"a":1}"#), tool_call(1, "call_2", "broken", "{}")];
    let answers = vec![
        Response::stream([vec![text("Let me see.")], calls, finish("tool_calls", 1, 1)].concat()),
        Response::stream([vec![text("Done.")], finish("stop", 2, 2)].concat()),
        Response::body(400, "application/json", r#"{"error":{"message":"no"}}"#),
    ];
    let provider = ScriptedProvider::start(Script { responses: answers, ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let tools = || {
        vec![
            tool(json!({"name": "add"}), FnTool(|_| Ok(json!({"sum": 2})))),
            tool(json!({"name": "broken"}), FnTool(|_| Err("it broke".to_owned()))),
        ]
    };
    let turn = engine.start_turn(request("hello", json!({})), tools()).await.unwrap();
    let mut chunks = all_chunks(&turn).await;
    turn.done().await.unwrap();
    let failing = request("again", json!({"chatId": turn.chat_id()}));
    let failed = engine.start_turn(failing, tools()).await.unwrap();
    chunks.extend(all_chunks(&failed).await);
    failed.done().await.unwrap();

    let chunk_schema = jsonschema::validator_for(&schema("ui-message-chunk.json")).unwrap();
    assert!(chunks.iter().any(|chunk| chunk["type"] == "error") && chunks.len() > 10);
    for chunk in &chunks {
        assert!(chunk_schema.is_valid(chunk), "{chunk}");
    }
    assert!(!chunk_schema.is_valid(&json!({"type": "text-delta", "id": "0"})), "a delta says something");

    let of_chat = json!({"workspaceId": "w1", "userId": "u1", "chatId": turn.chat_id()}).to_string();
    let rows = engine.call("chats.messages", &of_chat).await.unwrap();
    assert_eq!(described::<Vec<shapes::Message>>(&rows).len(), 4);
    for row in serde_json::from_str::<Vec<Value>>(&rows).unwrap() {
        let shown = turnkeep::functions::call("rowToUiMessage", &json!({"row": row}).to_string()).unwrap().unwrap();
        described::<shapes::ShownMessage>(&shown);
    }
    let settings = engine.call("settings.get", r#"{"workspaceId":"w1"}"#).await.unwrap();
    described::<shapes::WorkspaceSettings>(&settings);
    let document = engine.call("chats.export", &of_chat.replace('}', r#","format":"json"}"#)).await.unwrap();
    let document: String = serde_json::from_str(&document).unwrap();
    let parsed = turnkeep::functions::call("parseChatJson", &json!({"text": document}).to_string()).unwrap().unwrap();
    described::<shapes::ChatDocument>(&parsed);
    engine.close(None).await.unwrap();
}

#[test]
fn the_functions_give_what_is_described() {
    let call = |name: &str, arguments: Value| turnkeep::functions::call(name, &arguments.to_string()).unwrap().unwrap();
    let steps = json!([{
        "text": "Looked.",
        "toolCalls": [{"toolCallId": "a", "toolName": "t", "input": {}}, {"toolCallId": "b", "toolName": "t", "input": 1}],
        "toolResults": [{"toolCallId": "a", "toolName": "t", "output": [1]}],
        "toolErrors": [{"toolCallId": "b", "toolName": "t", "errorText": "no"}],
        "usage": {"inputTokens": 1}
    }]);
    let extra = json!({"finishReason": "stop", "usage": {"inputTokens": 1}, "contextTokens": 2, "error": "x"});
    let flush = json!({"steps": steps, "inProgressText": "And", "status": "error", "extra": extra});
    let row: shapes::AssistantFlush = described(&call("flushAssistant", flush));
    assert_eq!(row.metadata.parts.len(), 4);
    let update = described(&call("planFinalizeAssistant", json!({"assistantId": "x"})));
    assert!(matches!(update, shapes::FinalizePlan::Update { .. }));
    assert!(matches!(described(&call("planFinalizeAssistant", json!({}))), shapes::FinalizePlan::Insert));
    described::<shapes::TitlePrompt>(&call("chatTitlePrompt", json!({"text": "x"})));
    described::<shapes::StepOverride>(&call("prepareAgentStep", json!({"stepNumber": 19, "system": "s"})));
    let role = json!({"role": {"name": "R", "modelConfig": {"driver": "gemini", "chatModel": "m"}}});
    described::<shapes::ModelOverride>(&call("roleModelOverride", role));
    for mime in ["audio/webm", "video/mp4"] {
        described::<shapes::AudioFormat>(&call("resolveAudioFormat", json!({"mime": mime})));
    }
    described::<shapes::AddressVerdict>(&call("isIpAllowed", json!({"ip": "10.0.0.1"})));
    let trim = json!({"messages": [{"role": "user", "content": "x"}], "options": {"budgetTokens": 9}});
    described::<shapes::TrimmedHistory>(&call("trimHistory", trim));
    let hits = json!({"hits": [{"pageId": "a"}], "accessiblePageIds": ["a"], "cap": 1});
    described::<Vec<shapes::ShownHit>>(&call("selectAccessibleHits", hits));
}

/// Puts the defaults of a type's members where the members are.
fn with_defaults(schema: &Value, name: &str) -> Value {
    let mut object = json!({});
    for (member, described) in schema["$defs"][name]["properties"].as_object().unwrap() {
        if let Some(default) = described.get("default") {
            object[member] = default.clone();
        } else if let Some(of) = described["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/"))
            && schema["$defs"][of]["properties"].is_object()
            // What has members that must be given is left out as a whole.
            && schema["$defs"][of]["required"].as_array().is_none_or(Vec::is_empty)
        {
            object[member] = with_defaults(schema, of);
        }
    }
    object
}

#[test]
fn the_defaults_that_are_documented_are_the_defaults() {
    let mut options = with_defaults(&schema("engine-options.json"), "EngineOptions");
    assert_eq!(options["runs"]["maxSteps"], 20);
    assert!(options["runs"].as_object().unwrap().len() > 20);
    options["store"] = json!("sqlite::memory:");
    let said = EngineOptions::from_json(&options.to_string()).unwrap();
    let left_out = EngineOptions::from_json(r#"{"store":"sqlite::memory:"}"#).unwrap();
    assert_eq!(format!("{said:?}"), format!("{left_out:?}"));
}

#[test]
fn an_option_that_is_not_described_is_refused_by_schema_and_engine() {
    let validator = jsonschema::validator_for(&schema("engine-options.json")).unwrap();
    let good = json!({"store": "sqlite::memory:", "runs": {"leaseMs": 1000}});
    let bad = json!({"store": "sqlite::memory:", "runs": {"leaseMillis": 1000}});
    assert!(validator.is_valid(&good) && !validator.is_valid(&bad));
    assert!(EngineOptions::from_json(&good.to_string()).is_ok());
    assert_eq!(EngineOptions::from_json(&bad.to_string()).unwrap_err().details()["field"], "runs.leaseMillis");
}

#[tokio::test]
async fn every_operation_says_what_is_missing() {
    let options = EngineOptions::from_json(r#"{"store":"sqlite::memory:"}"#).unwrap();
    let engine = turnkeep::Engine::open(options).await.unwrap();
    for operation in OPERATIONS {
        let error = engine.call(operation, r#"{"mystery":1}"#).await.unwrap_err();
        assert_eq!(error.code(), turnkeep::ErrorCode::InvalidInput, "{operation}: {error}");
        assert_eq!(error.details()["field"], "mystery", "{operation}: {error}");
    }
    let error = engine.call("runs.mystery", "{}").await.unwrap_err();
    assert_eq!(error.details()["field"], "method");
    engine.close(None).await.unwrap();
}
