//! Defects of the servers that this replaces, by their numbers in the list of those observed; each test shows that ours
//! is without it. Those of pure functions are tested beside the functions.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::{Value, json};
use turnkeep::model::{FinishReason, Json, Message, RunReason, RunStatus};
use turnkeep::provider::{BlockKind, ChatRequest, Provider, ProviderFailure, RunBy, StreamPart};
use turnkeep::{ChatId, Engine, ErrorCode, TailFrom, Turn, Who};
use turnkeep_tests::chunks::{finish, reasoning, text, tool_call};
use turnkeep_tests::scenario::{self, FnTool, Hang, open, request, tool, weather_and_time, weather_definition, who};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

struct World {
    folder: tempfile::TempDir,
    provider: ScriptedProvider,
    engine: Engine,
}

impl World {
    async fn new(responses: Vec<Response>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
        let engine = open(folder.path(), &provider.base_url(), json!({})).await;
        Self { folder, provider, engine }
    }

    async fn turn(&self, message: Value, more: Value) -> Turn {
        let mut request = request("?", more);
        request.message = serde_json::from_value(message).unwrap();
        self.engine.start_turn(request, weather_and_time()).await.unwrap()
    }

    async fn assistant(&self, chat_id: ChatId) -> Message {
        self.engine.messages(&who(), chat_id).await.unwrap().pop().unwrap()
    }

    fn execute(&self, sql: &str) {
        scenario::sql(self.folder.path(), sql);
    }
}

fn metadata(message: &Message) -> Value {
    message.metadata.as_ref().unwrap().read().unwrap()
}

fn answer(words: &str) -> Response {
    Response::stream([vec![text(words)], finish("stop", 10, 5)].concat())
}

fn calls_weather() -> Response {
    let head = vec![reasoning("Hm."), text("Looking. "), tool_call(0, "a", "weather", r#"{"city":"Oslo"}"#)];
    Response::stream([head, finish("tool_calls", 20, 8)].concat())
}

/// 1: any member of a workspace could go on with another's chat, and have it read out.
#[tokio::test(flavor = "multi_thread")]
async fn defect_1_chats_of_others_cannot_be_continued_or_read() {
    let world = World::new(vec![answer("secret")]).await;
    let turn = world.turn(json!("go"), json!({})).await;
    turn.done().await.unwrap();
    let stranger = Who { workspace_id: "w1".into(), user_id: "u2".into() };
    let more = json!({"chatId": turn.chat_id().to_string(), "userId": "u2"});
    let mut refused = vec![world.engine.start_turn(request("go on", more), Vec::new()).await.err().unwrap()];
    refused.push(world.engine.messages(&stranger, turn.chat_id()).await.unwrap_err());
    refused.push(world.engine.runs(&stranger, turn.chat_id(), 9).await.unwrap_err());
    refused.push(world.engine.active_run(&stranger, turn.chat_id()).await.unwrap_err());
    refused.push(world.engine.run(&stranger, turn.run_id()).await.unwrap_err());
    refused.push(world.engine.stop_run(&stranger, turn.run_id()).await.unwrap_err());
    refused.push(world.engine.tail(&stranger, turn.run_id(), TailFrom::Start).await.err().unwrap());
    for error in refused {
        assert_eq!((error.code(), error.details().len()), (ErrorCode::Forbidden, 0), "{error}");
    }
    assert_eq!(world.provider.requests().len(), 1);
}

/// 3: text that a database does not take left a run without its end.
#[tokio::test(flavor = "multi_thread")]
async fn defect_3_text_that_a_store_cannot_hold_strands_no_run() {
    let nasty = [
        r#"{"choices":[{"index":0,"delta":{"content":"a\u0000b\ud83d"}}]}"#.to_owned(),
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c\u0000","function":{"name":"echo","arguments":"{\"x\":\"\\u0000\\ud800\"}"}}]}}]}"#.to_owned(),
        r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#.to_owned(),
    ];
    let nasty = Response::stream(nasty.map(|chunk| format!("data: {chunk}\n\n")));
    let world = World::new(vec![nasty, answer("done")]).await;
    let echo = FnTool(|_: Value| Ok(json!({"text": "x\0y"})));
    let fails = FnTool(|_: Value| Err("no\0pe".to_owned()));
    let tools = vec![tool(json!({"name": "echo"}), echo), tool(json!({"name": "fails"}), fails)];
    let turn = world.engine.start_turn(request("nul \0 here", json!({})), tools).await.unwrap();
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.error), (RunStatus::Succeeded, None));
    let message = world.assistant(turn.chat_id()).await;
    assert!(message.content.starts_with("a\u{fffd}b") && !message.content.contains('\0'));
    assert!(!message.metadata.unwrap().get().contains("u0000"));
    let mut tail = world.engine.tail(&who(), turn.run_id(), TailFrom::Start).await.unwrap();
    while !tail.next_batch(9).await.unwrap().is_empty() {}
    assert_eq!(tail.end().unwrap().status, RunStatus::Succeeded);
}

/// 4: the sweep ran at start only, left young rows for ever, ended long silent steps of the living, and set no reason.
#[tokio::test(flavor = "multi_thread")]
async fn defect_4_the_sweep_leaves_nothing_of_the_dead_and_nothing_to_the_living() {
    let world = World::new(vec![Response::stream([text("half")]).then(Then::Hang)]).await;
    let turn = world.turn(json!("go"), json!({})).await;
    let mut reader = turn.chunks();
    while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("half")) {}
    // However long a step is silent: its owner lives.
    world.execute("UPDATE ai_chat_runs SET updated_at = '2020-01-01T00:00:00.000Z'");
    world.execute("UPDATE ai_chat_messages SET updated_at = '2020-01-01T00:00:00.000Z'");
    let other = open(world.folder.path(), &world.provider.base_url(), json!({})).await;
    assert_eq!(other.sweep().await.unwrap(), 0);
    // Of an owner that has left no lock nothing is known but its lease; when that has run out it is settled, however young
    // it is.
    world.execute("UPDATE ai_chat_runs SET owner = 'engine/gone'");
    assert_eq!(other.sweep().await.unwrap(), 0);
    world.execute("UPDATE ai_chat_runs SET lease_expires_at = '2020-01-01T00:00:00.000Z'");
    assert_eq!(other.sweep().await.unwrap(), 1);
    let run = other.run(&who(), turn.run_id()).await.unwrap();
    assert_eq!((run.status, run.reason), (RunStatus::Aborted, Some(RunReason::WorkerLost)));
    assert_eq!(metadata(&world.assistant(turn.chat_id()).await)["finishReason"], "aborted");
    // A row of another writer, without a lease, that nobody has touched for long.
    world.execute(
        "UPDATE ai_chat_runs SET status = 'running', finished_at = NULL, owner = NULL, lease_expires_at = NULL, \
         updated_at = '2020-01-01T00:00:00.000Z'",
    );
    assert_eq!(other.sweep().await.unwrap(), 1);
    assert_eq!(other.sweep().await.unwrap(), 0);
}

/// 5: what had gone wrong in a tool was replaced by a text that says nothing.
#[tokio::test(flavor = "multi_thread")]
async fn defect_5_errors_of_tools_are_kept_as_they_were() {
    let world = World::new(vec![calls_weather(), answer("Sorry.")]).await;
    let fails = FnTool(|_: Value| Err("the station is under snow".to_owned()));
    let turn =
        world.engine.start_turn(request("go", json!({})), vec![tool(weather_definition(), fails)]).await.unwrap();
    turn.done().await.unwrap();
    let parts = metadata(&world.assistant(turn.chat_id()).await)["parts"].clone();
    assert_eq!(parts[3]["errorText"], "the station is under snow");
    let told = world.provider.requests()[1]["messages"].to_string();
    assert!(told.contains("the station is under snow"));
}

/// 6: steps were flattened, so that an answer came before the results that it was made of.
#[tokio::test(flavor = "multi_thread")]
async fn defect_6_a_later_turn_sees_the_steps_as_they_were() {
    let world = World::new(vec![calls_weather(), answer("Sunny."), answer("You're welcome.")]).await;
    let first = world.turn(json!("go"), json!({})).await;
    first.done().await.unwrap();
    let second = world.turn(json!("thanks"), json!({"chatId": first.chat_id().to_string()})).await;
    second.done().await.unwrap();
    let requests = world.provider.requests();
    let messages = requests[2]["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "assistant", "user"]);
    assert_eq!((&messages[2]["content"], &messages[4]["content"]), (&json!("Looking. "), &json!("Sunny.")));
    let parts = metadata(&world.engine.messages(&who(), first.chat_id()).await.unwrap()[1])["parts"].clone();
    let kinds: Vec<&str> = parts.as_array().unwrap().iter().map(|part| part["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["step-start", "reasoning", "text", "tool-weather", "step-start", "text"]);
}

/// 7: the calls of an unfinished step, even writes that had been done, left no trace, and neither did its tokens. (After a
/// kill: `tests/kill.rs`.)
#[tokio::test(flavor = "multi_thread")]
async fn defect_7_an_aborted_step_keeps_what_was_done() {
    let head =
        vec![text("Both. "), tool_call(0, "a", "weather", r#"{"city":"Oslo"}"#), tool_call(1, "b", "slow", "{}")];
    let world = World::new(vec![Response::stream([head, finish("tool_calls", 20, 8)].concat())]).await;
    let weather = FnTool(|_: Value| Ok(json!({"edited": true})));
    let tools = vec![tool(weather_definition(), weather), tool(json!({"name": "slow"}), Hang)];
    let turn = world.engine.start_turn(request("go", json!({})), tools).await.unwrap();
    let mut reader = turn.chunks();
    while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("tool-output-available")) {}
    turn.stop().await.unwrap();
    let outcome = turn.done().await.unwrap();
    assert_eq!(outcome.usage.unwrap().input_tokens, Some(20));
    let metadata = metadata(&world.assistant(turn.chat_id()).await);
    assert_eq!(metadata["parts"][2]["output"], json!({"edited": true}));
    assert_eq!(metadata["parts"][3]["errorText"], "The tool call did not complete.");
    assert_eq!(metadata["usage"]["inputTokens"], 20);
}

/// 9: an answer that broke off counted as complete.
#[tokio::test(flavor = "multi_thread")]
async fn defect_9_an_answer_without_its_end_has_failed() {
    for cut_off in [Response::stream([text("half")]), Response::stream([])] {
        let world = World::new(vec![cut_off]).await;
        let turn = world.turn(json!("go"), json!({})).await;
        let outcome = turn.done().await.unwrap();
        assert_eq!((outcome.status, outcome.reason), (RunStatus::Failed, Some(RunReason::ProviderError)));
        assert!(outcome.error.is_some());
    }
}

/// 18: a file that could not be fetched any more failed every later turn, and an empty message was sent as one.
#[tokio::test(flavor = "multi_thread")]
async fn defect_18_no_message_poisons_the_turns_after_it() {
    let world = World::new(vec![answer("A cat."), answer("Still a cat.")]).await;
    let fetched = json!({"type": "file", "mediaType": "image/png", "url": "https://example.test/gone.png"});
    let inline = json!({"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AAAA"});
    let first = world.turn(json!({"parts": [{"type": "text", "text": "What?"}, fetched, inline]}), json!({})).await;
    first.done().await.unwrap();
    let second = world.turn(json!("And now?"), json!({"chatId": first.chat_id().to_string()})).await;
    second.done().await.unwrap();
    let sent: Vec<String> = world.provider.requests().iter().map(|request| request["messages"].to_string()).collect();
    assert!(sent[0].contains("gone.png") && sent[0].contains("base64,AAAA"));
    assert!(!sent[1].contains("gone.png") && sent[1].contains("base64,AAAA") && sent[1].contains("What?"));
    for empty in [json!(""), json!({"parts": []}), json!({"parts": [{"type": "text", "text": ""}]})] {
        let mut request = request("?", json!({}));
        request.message = serde_json::from_value(empty).unwrap();
        let error = world.engine.start_turn(request, Vec::new()).await.err().unwrap();
        assert_eq!(error.code(), ErrorCode::InvalidInput);
    }
}

/// A provider that plays these parts and then never says anything, whoever stops listening.
struct Deaf(Mutex<VecDeque<Vec<StreamPart>>>);

impl Provider for Deaf {
    fn stream(&self, _: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        let parts = self.0.lock().unwrap().pop_front().unwrap_or_default();
        stream::iter(parts.into_iter().map(Ok)).chain(stream::pending()).boxed()
    }
}

/// 26: a stop waited for a provider, or a tool, that does not listen.
#[tokio::test(flavor = "multi_thread")]
async fn defect_26_a_stop_waits_for_nobody() {
    let world = World::new(Vec::new()).await;
    let delta = StreamPart::BlockDelta { kind: BlockKind::Text, id: "t".into(), delta: "half".into(), metadata: None };
    let provider = Arc::new(Deaf(Mutex::new(VecDeque::from([vec![delta]]))));
    let turn = world.engine.start_turn_with(request("go", json!({})), Vec::new(), provider).await.unwrap();
    let mut reader = turn.chunks();
    while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("half")) {}
    turn.stop().await.unwrap();
    assert_eq!(turn.done().await.unwrap().reason, Some(RunReason::Stopped));
    assert_eq!(world.assistant(turn.chat_id()).await.content, "half");

    /// Blocks a thread for as long as the test lives, as code that knows no cancellation does.
    struct Blocks(Mutex<Option<mpsc::Receiver<()>>>);
    #[async_trait::async_trait]
    impl turnkeep::tool::ToolHandler for Blocks {
        async fn call(&self, _: turnkeep::tool::ToolInvocation) -> Result<Json, String> {
            let held = self.0.lock().unwrap().take();
            tokio::task::spawn_blocking(move || held.map(|held| held.recv())).await.unwrap();
            Ok(Json::null())
        }
    }
    let (holds, held) = mpsc::channel();
    let call = StreamPart::ToolCall {
        id: "c".into(),
        name: "b".into(),
        arguments: "{}".into(),
        run_by: RunBy::Host,
        metadata: None,
    };
    let end = StreamPart::Finish { reason: FinishReason::ToolCalls, usage: None };
    struct Calls(Vec<StreamPart>);
    impl Provider for Calls {
        fn stream(&self, _: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
            stream::iter(self.0.clone().into_iter().map(Ok)).boxed()
        }
    }
    let tools = vec![tool(json!({"name": "b"}), Blocks(Mutex::new(Some(held))))];
    let provider = Arc::new(Calls(vec![call, end]));
    let turn = world.engine.start_turn_with(request("go", json!({})), tools, provider).await.unwrap();
    let mut reader = turn.chunks();
    while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("tool-input-available")) {}
    turn.stop().await.unwrap();
    assert_eq!(turn.done().await.unwrap().reason, Some(RunReason::Stopped));
    drop(holds);
    world.engine.close(Some(Duration::ZERO)).await.unwrap();
}
