//! Rows that were flushed, stored, read back, exported and imported.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use turnkeep::clock::{Clock, SystemClock};
use turnkeep::functions;
use turnkeep::project::{AssistantPart, ModelMessage, messages_from_rows};
use turnkeep::store::{ChatStore, MessageFields, SqliteStore, StoredMessage};
use turnkeep::{Engine, ErrorCode, Export};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{open, request, sql, weather_and_time, who};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

fn of_chat(chat_id: &Value, more: Value) -> String {
    let mut params = json!({"workspaceId": "w1", "userId": "u1", "chatId": chat_id});
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    params.to_string()
}

async fn call(engine: &Engine, method: &str, params: &str) -> Value {
    serde_json::from_str(&engine.call(method, params).await.unwrap()).unwrap()
}

async fn import(engine: &Engine, document: &str) -> Value {
    let params = json!({"workspaceId": "w1", "userId": "u1", "document": document});
    call(engine, "chats.import", &params.to_string()).await
}

/// An exported chat of so many messages, about 300 bytes each.
fn document(messages: usize) -> String {
    let rows: Vec<Value> = (0..messages)
        .map(|number| {
            json!({
                "role": if number % 2 == 0 { "user" } else { "assistant" }, "content": format!("message {number}"),
                "metadata": {"parts": [{"type": "text", "text": format!("message {number}")},
                    {"type": "tool-x", "toolCallId": "c", "state": "output-available", "input": {"b": 1, "a": "é".repeat(20)}, "output": "y"}],
                    "usage": {"totalTokens": 1}},
                "status": "completed", "createdAt": "2026-07-01T10:00:00.000Z", "updatedAt": "2026-07-01T10:00:00.000Z",
            })
        })
        .collect();
    let arguments = json!({"title": "A chat", "chatId": "c", "rows": rows, "exportedAt": "2026-07-01T12:00:00.000Z"});
    serde_json::from_str(&functions::call("buildChatJson", &arguments.to_string()).unwrap().unwrap()).unwrap()
}

async fn pieces(export: Export) -> Vec<String> {
    let mut pieces = Vec::new();
    while let Some(piece) = export.next().await.unwrap() {
        pieces.push(piece);
    }
    assert!(export.next().await.unwrap().is_none(), "an export that has ended stays so");
    pieces
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chat_is_exported_in_pieces_that_make_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "http://127.0.0.1:1/v1", json!({})).await;
    let chat = import(&engine, &document(5003)).await;
    let params = of_chat(&chat["id"], json!({}));
    let in_pieces = pieces(engine.export_from_json(&params).await.unwrap()).await;
    assert!(in_pieces.len() > 5 && in_pieces.iter().all(|piece| piece.len() < 160 * 1024));
    let markdown = in_pieces.concat();
    let whole = call(&engine, "chats.export", &params).await;
    let without_time = |text: &str| text.lines().filter(|line| !line.starts_with("- Exported")).collect::<String>();
    // Documents of a megabyte are not to be printed.
    assert!(without_time(whole.as_str().unwrap()) == without_time(&markdown), "the pieces make the whole");
    // The same as the pure function makes of the same rows.
    let rows = call(&engine, "chats.messages", &params).await;
    let exported_at = markdown.split("- Exported: ").nth(1).unwrap().lines().next().unwrap();
    let arguments = json!({"title": "A chat", "chatId": chat["id"], "rows": rows, "exportedAt": exported_at});
    let pure = functions::call("buildChatMarkdown", &arguments.to_string()).unwrap().unwrap();
    assert!(serde_json::from_str::<String>(&pure).unwrap() == markdown, "the same document");
    assert!(markdown.contains("- Messages: 5000\n- Total tokens: 5000\n\n_Older messages were left out"));
    // JSON has all of them.
    let json = engine.export_from_json(&of_chat(&chat["id"], json!({"format": "json"}))).await.unwrap();
    let parsed: Value = serde_json::from_str(&pieces(json).await.concat()).unwrap();
    assert_eq!(parsed["messages"].as_array().unwrap().len(), 5003);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_that_is_being_written_is_exported_from_its_log() {
    let step = [vec![text("Looking. "), tool_call(0, "a", "time", "")], finish("tool_calls", 20, 8)].concat();
    let script = vec![Response::stream(step), Response::stream([text("half")]).then(Then::Hang)];
    let provider = ScriptedProvider::start(Script { responses: script, ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    // So that the row itself is never refreshed: what the export shows comes from the log.
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let turn = engine.start_turn(request("go", json!({})), weather_and_time()).await.unwrap();
    let mut chunks = turn.chunks();
    let mut seen = Vec::new();
    while !seen.iter().any(|chunk: &String| chunk.contains("half")) {
        seen.extend(chunks.next_batch(16).await.iter().map(ToString::to_string));
    }
    let markdown = call(&engine, "chats.export", &of_chat(&json!(turn.chat_id()), json!({}))).await;
    let markdown = markdown.as_str().unwrap();
    assert!(markdown.contains("Looking.\n\n**Tool: Ran tool time** (`time`) — done"), "{markdown}");
    assert!(markdown.contains("\n\n_⏳ ") && markdown.contains("- Total tokens: 28\n"), "{markdown}");
    let exported = call(&engine, "chats.export", &of_chat(&json!(turn.chat_id()), json!({"format": "json"}))).await;
    let copy = import(&engine, exported.as_str().unwrap()).await;
    let rows = call(&engine, "chats.messages", &of_chat(&copy["id"], json!({}))).await;
    assert_eq!((&rows[1]["status"], &rows[1]["content"]), (&json!("aborted"), &json!("Looking. ")));
    assert!(turn.stop().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_json_export_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "http://127.0.0.1:1/v1", json!({})).await;
    let row = r#"{"role":"assistant","content":"é \u0001","toolCalls":[{"toolName":"x","input":{"b":1.0,"10":12345678901234567890123,"9":1e-7}}],"metadata":{"parts":[{"type":"text","text":"line\nend"}],"zeta":null,"alpha":[]},"status":null,"createdAt":"2020-01-01T00:00:00.000Z"}"#;
    let document = format!(
        r#"{{"format":"turnkeep-chat","version":1,"exportedAt":"x","chat":{{"id":"c","title":"T"}},"messages":[{row}]}}"#
    );
    let chat = import(&engine, &document).await;
    assert_eq!((&chat["title"], &chat["createdAt"]), (&json!("T"), &json!("2020-01-01T00:00:00.000Z")));
    let text = call(&engine, "chats.export", &of_chat(&chat["id"], json!({"format": "json"}))).await;
    let text = text.as_str().unwrap();
    for kept in [
        r#""toolCalls":[{"toolName":"x","input":{"b":1.0,"10":12345678901234567890123,"9":1e-7}}]"#,
        r#""metadata":{"parts":[{"type":"text","text":"line\nend"}],"zeta":null,"alpha":[]}"#,
        r#""content":"é \u0001""#,
        r#""status":null,"createdAt":"2020-01-01T00:00:00.000Z""#,
    ] {
        assert!(text.contains(kept), "{kept}: {text}");
    }
    // What was exported, imported and exported again differs in ids only.
    let again = import(&engine, text).await;
    assert_ne!(again["id"], chat["id"]);
    let twice = call(&engine, "chats.export", &of_chat(&again["id"], json!({"format": "json"}))).await;
    let without_ids = |text: &str| {
        let mut document: Value = serde_json::from_str(text).unwrap();
        document["exportedAt"] = Value::Null;
        document["chat"]["id"] = Value::Null;
        for row in document["messages"].as_array_mut().unwrap() {
            row["id"] = Value::Null;
            row["chatId"] = Value::Null;
        }
        document
    };
    assert_eq!(without_ids(twice.as_str().unwrap()), without_ids(text));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_or_exported_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "http://127.0.0.1:1/v1", json!({})).await;
    let good = document(3);
    for (broken, field) in [
        ("", "document"),
        ("[]", "document"),
        (&good[..40], "document"),
        (&good.replace("turnkeep-chat", "x"), "document.format"),
        (&good.replacen("\"role\":\"assistant\"", "\"role\":\"tool\"", 1), "document.messages[1].role"),
    ] {
        let params = json!({"workspaceId": "w1", "userId": "u1", "document": broken}).to_string();
        let error = engine.call("chats.import", &params).await.unwrap_err();
        assert_eq!((error.code(), error.details()["field"].as_str().unwrap()), (ErrorCode::InvalidInput, field));
    }
    assert_eq!(sql(folder.path(), "SELECT COUNT(*) FROM ai_chats"), "0");
    let chat = import(&engine, &good).await;
    let stranger = json!({"workspaceId": "w1", "userId": "u2", "chatId": chat["id"]}).to_string();
    assert_eq!(engine.export_from_json(&stranger).await.err().unwrap().code(), ErrorCode::Forbidden);
    let format = of_chat(&chat["id"], json!({"format": "pdf"}));
    assert_eq!(engine.export_from_json(&format).await.err().unwrap().details()["field"], "format");
}

/// Text that hosts and models come up with.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-z \n]{1,12}", "\\PC{1,6}"]
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any_text().prop_map(Value::from),
        any_text().prop_map(|text| json!({"id": text, "list": [1, {"x": text}]})),
        (600_usize..5000).prop_map(|length| json!({"title": "T", "body": "x".repeat(length)})),
    ]
}

/// Steps with calls that are answered, failed, forgotten, answered twice, answered elsewhere, or without id or name.
fn any_steps() -> impl Strategy<Value = Value> {
    let id = prop_oneof![Just("a"), Just("b"), Just("c"), Just("")];
    let name = prop_oneof![Just("get"), Just("put"), Just("")];
    let call = (id.clone(), name, any_value())
        .prop_map(|(id, name, input)| json!({"toolCallId": id, "toolName": name, "input": input}));
    let result = (id.clone(), any_value())
        .prop_map(|(id, output)| json!({"toolCallId": id, "toolName": "get", "output": output}));
    let error = (id, any_text()).prop_map(|(id, text)| json!({"toolCallId": id, "toolName": "put", "errorText": text}));
    let step = (
        any_text(),
        proptest::collection::vec(call, 0..4),
        proptest::collection::vec(result, 0..4),
        proptest::collection::vec(error, 0..2),
    );
    let step = step.prop_map(|(text, calls, results, errors)| {
        json!({"text": text, "toolCalls": calls, "toolResults": results, "toolErrors": errors})
    });
    proptest::collection::vec(step, 0..5).prop_map(Value::from)
}

/// What the wire formats of all five drivers ask of calls and their outcomes.
///
/// OpenAI and everything compatible: the messages after one with calls answer each of them, and no other message
/// answers anything. Anthropic: all of that in the very next message, and an id is used once in a conversation; no empty
/// text. Gemini: as many responses as calls, by name and in their order, and calls come after a turn of the user or of
/// functions once neighbours of one role are joined. Ollama: no ids, so the order alone pairs them.
fn pairing_problem(messages: &[ModelMessage]) -> Option<String> {
    let mut used = HashSet::new();
    for (index, message) in messages.iter().enumerate() {
        match message {
            ModelMessage::User(parts) if parts.is_empty() => return Some("an empty message".to_owned()),
            ModelMessage::User(_) => {}
            ModelMessage::Assistant(parts) => {
                if index == 0 {
                    return Some("the model begins".to_owned());
                }
                if parts.is_empty()
                    || parts.iter().any(|part| matches!(part, AssistantPart::Text { text, .. } if text.is_empty()))
                {
                    return Some("an empty message or text".to_owned());
                }
                let calls: Vec<(&str, &str)> = parts
                    .iter()
                    .filter_map(|part| match part {
                        AssistantPart::ToolCall { call_id, name, input, .. } => {
                            Some((call_id.as_str(), name.as_str())).filter(|_| input.is_object())
                        }
                        _ => None,
                    })
                    .collect();
                if let Some((id, _)) = calls.iter().find(|(id, name)| name.is_empty() || !used.insert(*id)) {
                    return Some(format!("the id {id} is used again, or its call has no name"));
                }
                let answers: Vec<(&str, &str)> = match messages.get(index + 1) {
                    Some(ModelMessage::Tool(results)) => {
                        results.iter().map(|result| (result.call_id.as_str(), result.name.as_str())).collect()
                    }
                    _ => Vec::new(),
                };
                if answers != calls {
                    return Some(format!("{calls:?} is answered by {answers:?}"));
                }
            }
            ModelMessage::Tool(results) => {
                let after_calls = index > 0 && matches!(messages.get(index - 1), Some(ModelMessage::Assistant(_)));
                if results.is_empty() || !after_calls {
                    return Some("outcomes without calls".to_owned());
                }
            }
        }
    }
    None
}

/// Any step list, flushed, stored, read back and turned into provider messages, is one that every provider takes.
#[test]
fn stored_steps_are_accepted_by_every_providers_pairing_rules() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let store = runtime.block_on(SqliteStore::open(":memory:", "x/own", Arc::clone(&clock))).unwrap();
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let turns = proptest::collection::vec((any_steps(), any_text()), 1..4);
    runner
        .run(&turns, |turns| {
            let mut rows = Vec::new();
            for (steps, in_progress) in &turns {
                rows.push(json!({"role": "user", "content": "go", "metadata": null}));
                let arguments = json!({"steps": steps, "inProgressText": in_progress, "status": "aborted"}).to_string();
                let flush = functions::call("flushAssistant", &arguments).unwrap().unwrap();
                let mut row: Value = serde_json::from_str(&flush).unwrap();
                row["role"] = json!("assistant");
                rows.push(row);
            }
            let arguments = json!({"chatId": "c", "rows": rows}).to_string();
            let document = functions::call("buildChatJson", &arguments).unwrap().unwrap();
            let document: String = serde_json::from_str(&document).unwrap();
            let stored = runtime.block_on(stored(&store, &document));
            prop_assert_eq!(pairing_problem(&messages_from_rows(&stored)), None);
            Ok(())
        })
        .unwrap();
}

/// The rows of a document, by way of the store.
async fn stored(store: &SqliteStore, document: &str) -> Vec<turnkeep::model::Message> {
    use turnkeep::model::{Chat, Json, Message};
    let now = SystemClock.now();
    let chat_id = turnkeep::ChatId::generate();
    let parsed = turnkeep::project::export::parse_chat_json(document, "document").unwrap();
    let json = |raw: Option<&serde_json::value::RawValue>| raw.map(|raw| Json::parse(raw.get()).unwrap());
    let messages = parsed
        .rows
        .iter()
        .map(|row| turnkeep::project::export::row_of(row).unwrap())
        .map(|row| Message {
            id: turnkeep::MessageId::generate(),
            chat_id,
            workspace_id: "w".into(),
            user_id: None,
            role: row.role,
            content: row.content.map(|content| content.0.into_owned()).unwrap_or_default(),
            tool_calls: json(row.tool_calls),
            metadata: json(row.metadata),
            status: row.status,
            created_at: now,
            updated_at: now,
        })
        .collect();
    let chat = Chat {
        id: chat_id,
        workspace_id: "w".into(),
        creator_id: "u".into(),
        title: None,
        role_id: None,
        page_id: None,
        created_at: now,
        updated_at: now,
    };
    store.import_chat(chat, messages).await.unwrap();
    // Also by way of the visitor, which sees the same rows.
    let ids = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&ids);
    let visitor = Box::new(move |row: &StoredMessage<'_>| {
        shared.lock().unwrap().push(row.id.to_owned());
        ControlFlow::Continue(())
    });
    let span = store.message_span(chat_id, usize::MAX).await.unwrap();
    store.visit_messages(&span, MessageFields::All, visitor).await.unwrap();
    let rows = store.messages(chat_id, usize::MAX).await.unwrap();
    let seen = std::mem::take(&mut *ids.lock().unwrap());
    assert_eq!(seen, rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>());
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_end_when_the_engine_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "http://127.0.0.1:1/v1", json!({})).await;
    let chat = import(&engine, &document(2000)).await;
    let export = engine.export_from_json(&of_chat(&chat["id"], json!({}))).await.unwrap();
    assert!(export.next().await.unwrap().is_some());
    engine.close(None).await.unwrap();
    assert_eq!(export.next().await.unwrap_err().code(), ErrorCode::EngineClosed);
    assert!(engine.messages(&who(), chat["id"].as_str().unwrap().parse().unwrap()).await.is_err());
}
