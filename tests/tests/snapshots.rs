//! What leaves the engine, letter by letter: requests to providers, chunks, documents. A difference is shown by the test;
//! where it is meant, `INSTA_UPDATE=always cargo test -p turnkeep-tests --test snapshots` writes it.

use serde_json::{Value, json};
use turnkeep::model::Message;
use turnkeep::project::messages_from_rows;
use turnkeep::provider::anthropic::Anthropic;
use turnkeep::provider::gemini::Gemini;
use turnkeep::provider::ollama::Ollama;
use turnkeep::provider::openai::OpenAi;
use turnkeep::provider::openai_compatible::OpenAiCompatible;
use turnkeep::provider::{ChatRequest, Driver, ToolChoice};
use turnkeep::tool::ToolDefinition;
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{all_chunks, open, request, weather_and_time, weather_definition, who};
use turnkeep_tests::{Response, Script, ScriptedProvider};

/// A chat's rows as an import reads them: texts, a picture, reasoning, calls that went well and badly.
fn document() -> String {
    let message = |role: &str, parts: Value| {
        let content: String = parts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect();
        json!({"role": role, "content": content, "metadata": {"parts": parts}, "createdAt": "2026-07-01T12:00:00.000Z"})
    };
    json!({"format": "turnkeep-chat", "version": 1, "chat": {"id": "c", "title": "Weather"}, "messages": [
        message("user", json!([
            {"type": "text", "text": "How is the weather? \"Quotes\", <tags> and\nlines."},
            {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,aGVsbG8=", "filename": "sky.png"},
        ])),
        message("assistant", json!([
            {"type": "step-start"},
            {"type": "reasoning", "text": "Two places.", "state": "done"},
            {"type": "text", "text": "Looking. ", "state": "done"},
            {"type": "tool-weather", "toolCallId": "call_1", "state": "output-available", "input": {"city": "Oslo"},
             "output": {"tempC": 21, "sky": "clear"}},
            {"type": "tool-weather", "toolCallId": "call_2", "state": "output-error", "input": {"city": "Atlantis"},
             "errorText": "no such city"},
            {"type": "step-start"},
            {"type": "text", "text": "21 °C in Oslo.", "state": "done"},
        ])),
        message("user", json!([{"type": "text", "text": "And tomorrow?"}])),
    ]})
    .to_string()
}

async fn rows() -> Vec<Message> {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "http://127.0.0.1:9/v1", json!({})).await;
    let chat = engine.import_chat(&who(), &document()).await.unwrap();
    let rows = engine.messages(&who(), chat.id).await.unwrap();
    engine.close(None).await.unwrap();
    rows
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[tokio::test]
async fn requests_to_providers() {
    let tool: ToolDefinition = serde_json::from_value(weather_definition()).unwrap();
    let call = ChatRequest {
        system: "Be brief.".into(),
        messages: messages_from_rows(&rows().await),
        tools: vec![tool],
        tool_choice: ToolChoice::Auto,
        options: serde_json::from_value(json!({
            "maxOutputTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"], "seed": 7,
        }))
        .unwrap(),
    };
    let drivers: [(&str, Box<dyn Driver>); 5] = [
        ("openai", Box::new(OpenAi::new(None, "m"))),
        ("openai_compatible", Box::new(OpenAiCompatible::new("https://api.example/v1", "m"))),
        ("anthropic", Box::new(Anthropic::new(None, "m"))),
        ("gemini", Box::new(Gemini::new(None, "m"))),
        ("ollama", Box::new(Ollama::new(None, "m"))),
    ];
    for (name, driver) in drivers {
        let sent = driver.encode(&driver.fitted(&call)).unwrap();
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        let headers: Vec<String> = sent.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        insta::assert_snapshot!(
            format!("request_{name}"),
            format!("POST {}\n{}\n{}", sent.url, headers.concat(), pretty(&body))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_a_turn() {
    let calls = [
        vec![
            text("Looking. "),
            tool_call(0, "call_1", "weather", r#"{"city":"Oslo"}"#),
            tool_call(1, "call_2", "no_tool", "{}"),
        ],
        finish("tool_calls", 20, 8),
    ];
    let answer = [vec![text("21 °C"), text(" in Oslo.")], finish("stop", 30, 5)];
    let responses = vec![Response::stream(calls.concat()), Response::stream(answer.concat())];
    let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let turn = engine.start_turn(request("How is the weather?", json!({})), weather_and_time()).await.unwrap();
    let ids = [
        (turn.run_id().to_string(), "<run>"),
        (turn.chat_id().to_string(), "<chat>"),
        (turn.message_id().to_string(), "<message>"),
    ];
    let chunks: Vec<String> = all_chunks(&turn).await.iter().map(ToString::to_string).collect();
    let named = |text: &str| ids.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, name));
    insta::assert_snapshot!("chunks", named(&chunks.join("\n")));
    turn.done().await.unwrap();
    let rows = engine.messages(&who(), turn.chat_id()).await.unwrap();
    let parts: Value = rows[1].metadata.as_ref().unwrap().read().unwrap();
    insta::assert_snapshot!("message", named(&pretty(&parts)));
    engine.close(None).await.unwrap();
}

#[tokio::test]
async fn documents() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "http://127.0.0.1:9/v1", json!({})).await;
    let chat = engine.import_chat(&who(), &document()).await.unwrap();
    for (name, more) in
        [("markdown_en", json!({})), ("markdown_ru", json!({"lang": "ru-RU"})), ("json", json!({"format": "json"}))]
    {
        let mut params = json!({"workspaceId": "w1", "userId": "u1", "chatId": chat.id});
        more.as_object().unwrap().iter().for_each(|(key, value)| params[key] = value.clone());
        let text: String =
            serde_json::from_str(&engine.call("chats.export", &params.to_string()).await.unwrap()).unwrap();
        let times = |text: &str| {
            // When it was exported is told in the first lines, and changes.
            let today = engine_today(text);
            today.map_or(text.to_owned(), |today| text.replace(&today, "<now>"))
        };
        let messages = engine.messages(&who(), chat.id).await.unwrap();
        let named = messages.iter().fold(times(&text), |text, row| text.replace(&row.id.to_string(), "<message>"));
        let named = messages.iter().fold(named, |text, row| text.replace(&row.updated_at.to_string(), "<changed>"));
        insta::assert_snapshot!(format!("export_{name}"), named.replace(&chat.id.to_string(), "<chat>"));
    }
    engine.close(None).await.unwrap();
}

/// The time of the export in a document, whatever form it has there.
fn engine_today(text: &str) -> Option<String> {
    let json: Option<Value> = serde_json::from_str(text).ok();
    let told = json.and_then(|document: Value| document["exportedAt"].as_str().map(str::to_owned));
    told.or_else(|| {
        let line =
            text.lines().take(12).find(|line| line.contains("202") && line.contains('T') && line.ends_with('Z'))?;
        line.split_whitespace().last().map(str::to_owned)
    })
}
