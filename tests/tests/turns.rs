//! Whole turns over real HTTP against the scripted provider.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use turnkeep::model::{Message, RunReason, RunStatus};
use turnkeep::{Engine, ErrorCode, Turn};
use turnkeep_tests::chunks::{finish, reasoning, text, tool_call};
use turnkeep_tests::scenario::{
    FnTool, Hang, all_chunks, on_postgres, open, request, sql, tool, weather_and_time, weather_definition, who,
};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

fn answer(words: &str) -> Response {
    Response::stream([vec![text(words)], finish("stop", 10, 5)].concat())
}

fn call(id: &str, name: &str, arguments: &str) -> Response {
    Response::stream([vec![tool_call(0, id, name, arguments)], finish("tool_calls", 20, 8)].concat())
}

fn two_tools() -> Response {
    let head = vec![
        reasoning("Let me look."),
        text("Looking. "),
        tool_call(0, "call_a", "weather", r#"{"city":"Oslo"}"#),
        tool_call(1, "call_b", "time", ""),
    ];
    Response::stream([head, finish("tool_calls", 20, 8)].concat())
}

struct World {
    folder: tempfile::TempDir,
    provider: ScriptedProvider,
    engine: Engine,
}

impl World {
    async fn new(responses: Vec<Response>) -> Self {
        Self::with(responses, json!({})).await
    }

    async fn with(responses: Vec<Response>, options: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
        let engine = open(folder.path(), &provider.base_url(), options).await;
        Self { folder, provider, engine }
    }

    async fn turn(&self, message: &str, more: Value) -> Turn {
        self.engine.start_turn(request(message, more), weather_and_time()).await.unwrap()
    }

    async fn messages(&self, turn: &Turn) -> Vec<Message> {
        self.engine.messages(&who(), turn.chat_id()).await.unwrap()
    }

    fn count(&self, table: &str) -> usize {
        self.sql(&format!("SELECT COUNT(*) FROM {table}")).parse().unwrap()
    }

    fn sql(&self, statement: &str) -> String {
        sql(self.folder.path(), statement)
    }
}

fn types(chunks: &[Value]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk["type"].as_str().unwrap()).collect()
}

fn metadata(message: &Message) -> Value {
    serde_json::from_str(message.metadata.as_ref().unwrap().get()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_with_two_tools_is_streamed_stored_and_exported() {
    let world = World::new(vec![two_tools(), answer("It is 21 degrees.")]).await;
    let turn = world.turn("How is the weather?", json!({})).await;
    let chunks = all_chunks(&turn).await;
    assert_eq!(
        types(&chunks),
        [
            "start",
            "start-step",
            "reasoning-start",
            "reasoning-delta",
            "reasoning-end",
            "text-start",
            "text-delta",
            "tool-input-start",
            "tool-input-delta",
            "tool-input-start",
            "text-end",
            "tool-input-available",
            "tool-input-available",
            "tool-output-available",
            "tool-output-available",
            "finish-step",
            "message-metadata",
            "start-step",
            "text-start",
            "text-delta",
            "text-end",
            "finish-step",
            "message-metadata",
            "finish",
        ]
    );
    assert_eq!(chunks[0]["messageMetadata"], json!({"chatId": turn.chat_id(), "runId": turn.run_id()}));
    let usage = |chunk: &Value| chunk["messageMetadata"]["usage"]["totalTokens"].as_u64().unwrap();
    assert_eq!((usage(&chunks[16]), usage(&chunks[22]), usage(&chunks[23])), (28, 43, 43));

    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.step_count), (RunStatus::Succeeded, 2));
    let messages = world.messages(&turn).await;
    assert_eq!(messages[0].content, "How is the weather?");
    assert_eq!(messages[1].content, "Looking. It is 21 degrees.");
    let stored = metadata(&messages[1]);
    let kinds: Vec<&str> = stored["parts"].as_array().unwrap().iter().map(|p| p["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["step-start", "reasoning", "text", "tool-weather", "tool-time", "step-start", "text"]);
    assert_eq!(stored["parts"][3]["output"], json!({"city": "Oslo", "tempC": 21, "sky": "clear"}));
    assert_eq!((&stored["stepsPersisted"], &stored["finishReason"]), (&json!(2), &json!("stop")));

    let of_chat = json!({"workspaceId": "w1", "userId": "u1", "chatId": turn.chat_id()}).to_string();
    let export = world.engine.call("chats.export", &of_chat).await.unwrap();
    let export: String = serde_json::from_str(&export).unwrap();
    assert!(export.contains("**Tool: Ran tool weather** (`weather`) — done"), "{export}");
    assert!(export.contains("_Tokens — in: 30, out: 13, total: 43_"), "{export}");

    let requests = world.provider.requests();
    assert_eq!(requests[0]["tools"].as_array().unwrap().len(), 2);
    let roles: Vec<&str> =
        requests[1]["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool"]);
    assert_eq!(requests[1]["messages"][2]["reasoning_content"], "Let me look.");
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_turn_sends_the_history_in_order() {
    let world = World::new(vec![two_tools(), answer("21."), answer("Bye.")]).await;
    let first = world.turn("one", json!({})).await;
    first.done().await.unwrap();
    let second = world.turn("two", json!({"chatId": first.chat_id()})).await;
    second.done().await.unwrap();
    let last = world.provider.requests().pop().unwrap();
    let roles: Vec<&str> = last["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "assistant", "user"]);
    assert_eq!(last["messages"][6]["content"], "two");
}

/// 200 begins at once from 8 threads: one runs, the rest are told so, the provider hears of one.
#[test]
fn two_hundred_begins_at_once_let_one_through() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(8).enable_all().build().unwrap();
    runtime.block_on(async {
        let hanging = Response::stream([text("working")]).then(Then::Hang);
        let world = World::new(vec![answer("first"), hanging]).await;
        let first = world.turn("begin", json!({})).await;
        first.done().await.unwrap();
        let chat_id = first.chat_id();
        let handle = tokio::runtime::Handle::current();
        let barrier = Arc::new(std::sync::Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (engine, handle, barrier) = (world.engine.clone(), handle.clone(), Arc::clone(&barrier));
                std::thread::spawn(move || {
                    barrier.wait();
                    let begins: Vec<_> = (0..25).map(|_| handle.spawn(begin(&engine, chat_id.to_string()))).collect();
                    begins.into_iter().map(|begin| handle.block_on(begin).unwrap()).collect::<Vec<_>>()
                })
            })
            .collect();
        let outcomes: Vec<_> =
            tokio::task::spawn_blocking(|| threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect())
                .await
                .unwrap();
        let (won, lost): (Vec<turnkeep::Result<Turn>>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 199));
        let winner = won.into_iter().next().unwrap().unwrap();
        for error in lost.into_iter().filter_map(Result::err) {
            assert_eq!(error.code(), ErrorCode::RunAlreadyActive);
            assert_eq!(error.details()["activeRunId"], winner.run_id().to_string());
        }
        world.provider.until_requests(2).await;
        winner.stop().await.unwrap();
        winner.done().await.unwrap();
        assert_eq!(world.provider.requests().len(), 2);
        let rows = ["ai_chats", "ai_chat_runs", "ai_chat_messages"].map(|table| world.count(table));
        assert_eq!(rows, [1, 2, 4]);
    });
}

fn begin(engine: &Engine, chat_id: String) -> impl Future<Output = turnkeep::Result<Turn>> + use<> {
    let engine = engine.clone();
    async move { engine.start_turn(request("again", json!({"chatId": chat_id})), Vec::new()).await }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_provider_failure_ends_as_a_failed_run_with_what_was_finished() {
    let key = "test-key-0123456789";
    let cases: Vec<(&str, Response, &[&str], &str)> = vec![
        (
            "401",
            Response::body(401, "application/json", &format!(r#"{{"error":{{"message":"bad key {key}"}}}}"#)),
            &["401: bad key"],
            "",
        ),
        (
            "429",
            Response::body(429, "application/json", r#"{"error":{"message":"slow down"}}"#),
            &["429: slow down"],
            "",
        ),
        ("500", Response::body(500, "text/plain", "oops"), &["500: Internal Server Error | response body: oops"], ""),
        (
            "html",
            Response::body(200, "text/html", "<html>login</html>"),
            &["200: not an event stream", "<html>login</html>"],
            "",
        ),
        (
            "json error in 200",
            Response::body(200, "application/json", r#"{"error":{"message":"no such model"}}"#),
            &["no such model"],
            "",
        ),
        (
            "redirect",
            Response::body(302, "text/plain", "elsewhere").header("location", "http://127.0.0.1:1/"),
            &["302: the provider redirects to a place"],
            "",
        ),
        ("nothing", Response::stream([]), &["without a finish reason"], ""),
        ("truncated", Response::stream([text("half")]), &["without a finish reason"], "half"),
        ("reset", Response::stream([text("half")]).then(Then::Reset), &["broke off"], "half"),
        (
            "error event",
            Response::stream([text("half"), "data: {\"error\":{\"message\":\"overloaded\"}}\n\n".into()]),
            &["overloaded"],
            "half",
        ),
        ("not JSON", Response::stream([text("half"), "data: {oops\n\n".into()]), &["not valid JSON"], "half"),
    ];
    for (name, broken, words, kept) in cases {
        // Whether a refusal is met by another try is for `faults.rs`.
        let options = json!({"http": {"maxTries": 1}});
        let world = World::with(vec![two_tools(), broken, answer("better")], options).await;
        let turn = world.turn("go", json!({})).await;
        let chunks = all_chunks(&turn).await;
        let outcome = turn.done().await.unwrap();
        assert_eq!((outcome.status, outcome.reason), (RunStatus::Failed, Some(RunReason::ProviderError)), "{name}");
        let error = outcome.error.unwrap();
        assert!(words.iter().all(|word| error.contains(word)), "{name}: {error}");
        assert!(!error.contains(key), "{name}: {error}");
        let told = |chunk: &&Value| chunk["type"] == "error";
        let told = chunks.iter().find(told).unwrap()["errorText"].as_str().unwrap();
        assert!(told.starts_with("The ") && !told.contains("body") && told != error, "{name}: {told}");
        let messages = world.messages(&turn).await;
        assert_eq!(messages[1].content, format!("Looking. {kept}"), "{name}");
        let stored = metadata(&messages[1]);
        assert_eq!((&stored["error"], &stored["finishReason"]), (&json!(error), &json!("error")), "{name}");
        assert_eq!(stored["parts"][4]["output"], "12:00", "{name}");
        // The chat is free, and its history can be sent again.
        let next = world.turn("again", json!({"chatId": turn.chat_id()})).await;
        assert_eq!(next.done().await.unwrap().status, RunStatus::Succeeded, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_cannot_be_reached_fails_the_run() {
    let world = World::new(vec![]).await;
    let nowhere = json!({"driver": "openai-compatible", "model": "m", "baseUrl": "http://127.0.0.1:1/v1"});
    let turn = world.turn("go", json!({"provider": nowhere})).await;
    let chunks = all_chunks(&turn).await;
    assert_eq!(types(&chunks), ["start", "message-metadata", "error"]);
    let told = &chunks[1]["messageMetadata"];
    assert_eq!((&told["status"], &told["reason"]), (&json!("error"), &json!("provider_error")));
    let outcome = turn.done().await.unwrap();
    assert!(outcome.error.unwrap().starts_with("The provider could not be reached"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_provider_runs_into_the_timeout() {
    for (response, kept) in
        [(Response::stream([]).then(Then::Hang), ""), (Response::stream([text("half")]).then(Then::Hang), "half")]
    {
        let world = World::with(vec![response], json!({"runs": {"providerSilenceMs": 1000}})).await;
        let turn = world.turn("go", json!({})).await;
        let outcome = turn.done().await.unwrap();
        assert_eq!((outcome.status, outcome.reason), (RunStatus::Failed, Some(RunReason::Timeout)));
        assert_eq!(world.messages(&turn).await[1].content, kept);
        world.provider.until_left_early(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_goes_wrong_is_told_to_the_model_and_the_run_goes_on() {
    let slow = json!({"name": "slow", "timeoutMs": 50});
    let cases: Vec<(&str, Response, &[&str])> = vec![
        ("throws", call("c", "broken", "{}"), &["it broke"]),
        ("panics", call("c", "panics", "{}"), &["The tool panicked."]),
        ("hangs", call("c", "slow", "{}"), &["timed out after 50 ms"]),
        ("unknown", call("c", "nope", "{}"), &["'nope'", "broken, panics, slow, weather"]),
        ("not JSON", call("c", "weather", r#"{"city": "Os"#), &["Invalid input for tool weather", "not valid JSON"]),
        ("wrong type", call("c", "weather", r#"{"city":5}"#), &["Invalid input for tool weather", "/city"]),
    ];
    for (name, response, words) in cases {
        let world = World::new(vec![response, answer("Sorry.")]).await;
        let tools = vec![
            tool(json!({"name": "broken"}), FnTool(|_| Err("it broke".to_owned()))),
            tool(json!({"name": "panics"}), FnTool(|_| panic!("on purpose"))),
            tool(slow.clone(), Hang),
            tool(weather_definition(), FnTool(|_| Ok(json!(null)))),
        ];
        let turn = world.engine.start_turn(request("go", json!({})), tools).await.unwrap();
        let chunks = all_chunks(&turn).await;
        assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded, "{name}");
        let told = world.provider.requests()[1]["messages"][3]["content"].as_str().unwrap().to_owned();
        assert!(words.iter().all(|word| told.contains(word)), "{name}: {told}");
        let failed = chunks.iter().find(|chunk| chunk["type"] == "tool-output-error").unwrap();
        assert_eq!(failed["errorText"], told, "{name}");
        assert_eq!(metadata(&world.messages(&turn).await[1])["parts"][1]["errorText"], told, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_allowed_step_is_text_only() {
    let responses = vec![call("a", "time", ""), call("a", "time", ""), call("a", "time", "")];
    let world = World::with(responses, json!({"runs": {"maxSteps": 3}})).await;
    let turn = world.turn("go", json!({})).await;
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.step_count), (RunStatus::Succeeded, 3));
    let requests = world.provider.requests();
    let choices: Vec<&str> = requests.iter().map(|request| request["tool_choice"].as_str().unwrap()).collect();
    assert_eq!(choices, ["auto", "auto", "none"]);
    let system = |index: usize| requests[index]["messages"][0]["content"].as_str().unwrap().to_owned();
    assert!(system(2).starts_with(&system(1)) && system(2).len() > system(1).len());
    let parts = metadata(&world.messages(&turn).await[1])["parts"].clone();
    // The provider counts its ids from the same number in every answer; in a message they must differ.
    assert_eq!((&parts[1]["toolCallId"], &parts[3]["toolCallId"]), (&json!("a"), &json!("a_2")));
    assert_eq!(parts[5]["errorText"], "The tool call did not complete.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_closes_the_connection_and_keeps_what_had_streamed() {
    let hanging = Response::stream([text("half"), tool_call(0, "c", "weather", r#"{"ci"#)]).then(Then::Hang);
    let world = World::new(vec![two_tools(), hanging]).await;
    let turn = world.turn("go", json!({})).await;
    let mut reader = turn.chunks();
    let mut seen = Vec::new();
    while !seen.iter().any(|chunk: &Value| chunk["inputTextDelta"] == r#"{"ci"#) {
        seen.extend(reader.next_batch(1).await.iter().map(|chunk| serde_json::from_str(chunk).unwrap()));
    }
    assert!(turn.stop().await.unwrap());
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
    world.provider.until_left_early(1).await;
    assert!(!turn.stop().await.unwrap());
    let chunks = all_chunks(&turn).await;
    assert_eq!(
        types(&chunks[chunks.len() - 7..]),
        [
            "text-end",
            "tool-input-error",
            "tool-output-error",
            "finish-step",
            "message-metadata",
            "message-metadata",
            "abort"
        ]
    );
    assert_eq!(chunks[chunks.len() - 2]["messageMetadata"], json!({"status": "aborted", "reason": "stopped"}));
    assert_eq!(chunks.last().unwrap()["reason"], "stopped");
    let messages = world.messages(&turn).await;
    assert_eq!(messages[1].content, "Looking. half");
    assert_eq!(metadata(&messages[1])["finishReason"], "aborted");
    assert_eq!(metadata(&messages[1])["reason"], "stopped");
    assert_eq!(metadata(&messages[1])["parts"][7]["errorText"], "The tool call did not complete.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cancels_running_tools() {
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    struct Tool(Arc<AtomicUsize>, Arc<tokio::sync::Notify>);
    #[async_trait::async_trait]
    impl turnkeep::tool::ToolHandler for Tool {
        async fn call(&self, _: turnkeep::tool::ToolInvocation) -> Result<turnkeep::model::Json, String> {
            let _guard = Dropped(Arc::clone(&self.0));
            self.1.notify_one();
            std::future::pending().await
        }
    }
    let (dropped, started) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Notify::new()));
    let world = World::new(vec![call("c", "edit", "{}")]).await;
    let tools = vec![tool(json!({"name": "edit"}), Tool(Arc::clone(&dropped), Arc::clone(&started)))];
    let turn = world.engine.start_turn(request("go", json!({})), tools).await.unwrap();
    started.notified().await;
    // The call was on disk before it ran.
    assert_eq!(world.sql("SELECT state FROM ai_chat_run_steps"), "intent");
    turn.stop().await.unwrap();
    turn.done().await.unwrap();
    assert_eq!(metadata(&world.messages(&turn).await[1])["parts"][1]["state"], "output-error");
    world.engine.close(None).await.unwrap();
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_from_another_engine_is_heard() {
    let world = World::new(vec![Response::stream([text("half")]).then(Then::Hang)]).await;
    let turn = world.turn("go", json!({})).await;
    let other = open(world.folder.path(), &world.provider.base_url(), json!({})).await;
    assert_eq!(other.run(&who(), turn.run_id()).await.unwrap().status, RunStatus::Running);
    assert!(other.stop_chat(&who(), turn.chat_id()).await.unwrap());
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
    assert!(!other.stop_chat(&who(), turn.chat_id()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_taken_over_writes_nothing_more() {
    let world =
        World::with(vec![Response::stream([text("half")]).then(Then::Hang)], json!({"runs": {"leaseMs": 300}})).await;
    let turn = world.turn("go", json!({})).await;
    world.provider.until_requests(1).await;
    world.sql("UPDATE ai_chat_runs SET owner = 'somebody', epoch = 2");
    assert_eq!(turn.done().await.unwrap_err().code(), ErrorCode::LeaseLost);
    assert_eq!(types(&all_chunks(&turn).await).last(), Some(&"error"));
    world.provider.until_left_early(1).await;
    // Whether or not a sweep has ended the run by now, its old owner has not written what it had.
    assert_eq!(world.messages(&turn).await[1].content, "");
    assert_eq!(world.count("ai_chat_run_steps"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_leaves_stops_only_what_is_not_detached() {
    let hanging = || Response::stream([text("half")]).then(Then::Hang);
    let world = World::new(vec![hanging(), hanging()]).await;
    let attached = world.turn("go", json!({"detached": false})).await;
    let mut reader = attached.chunks();
    reader.next_batch(1).await;
    world.provider.until_requests(1).await;
    drop(reader);
    let outcome = attached.done().await.unwrap();
    assert_eq!(outcome.reason, Some(RunReason::Disconnected));

    let detached = world.turn("go", json!({})).await;
    let mut reader = detached.chunks();
    reader.next_batch(1).await;
    drop(reader);
    world.provider.until_requests(2).await;
    assert_eq!(world.engine.run(&who(), detached.run_id()).await.unwrap().status, RunStatus::Running);
    world.engine.close(Some(std::time::Duration::ZERO)).await.unwrap();
    assert_eq!(detached.done().await.unwrap().reason, Some(RunReason::Shutdown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_engine_refuses_and_frees_the_file() {
    let world = World::new(vec![answer("hi")]).await;
    world.turn("go", json!({})).await.done().await.unwrap();
    world.engine.close(None).await.unwrap();
    world.engine.close(None).await.unwrap();
    let refused = world.engine.start_turn(request("go", json!({})), Vec::new()).await.err().unwrap();
    assert_eq!(refused.code(), ErrorCode::EngineClosed);
    let refused = world.engine.call("runs.get", "{}").await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::EngineClosed);
    if on_postgres() {
        // Connections end by themselves, a moment later.
        let own = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'turnkeep'";
        while world.sql(own) != "0" {}
        return;
    }
    let left: Vec<_> = std::fs::read_dir(world.folder.path().join("chats.db.instances"))
        .unwrap()
        .map(|f| f.unwrap().file_name())
        .collect();
    assert_eq!(left, ["setup.lock"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_survives_its_caller_and_a_shorter_grace_wins() {
    let world = World::new(vec![Response::stream([text("half")]).then(Then::Hang)]).await;
    let turn = world.turn("go", json!({})).await;
    let day = Some(std::time::Duration::from_secs(86_400));
    let patient = tokio::spawn({
        let engine = world.engine.clone();
        async move { engine.close(day).await }
    });
    world.provider.until_requests(1).await;
    patient.abort();
    world.engine.close(Some(std::time::Duration::ZERO)).await.unwrap();
    assert_eq!(turn.done().await.unwrap().reason, Some(RunReason::Shutdown));
    world.engine.close(day).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_others_is_refused_without_a_word() {
    let world = World::new(vec![Response::stream([text("secret")]).then(Then::Hang)]).await;
    let turn = world.turn("go", json!({})).await;
    let intruder = json!({"workspaceId": "w1", "userId": "u2", "chatId": turn.chat_id()});
    let begin = request("read it out", intruder.clone());
    let mut errors = vec![world.engine.start_turn(begin, Vec::new()).await.err().unwrap()];
    for method in ["chats.messages", "chats.export", "runs.latestForChat", "runs.stop"] {
        errors.push(world.engine.call(method, &intruder.to_string()).await.unwrap_err());
    }
    let of_run = json!({"workspaceId": "w1", "userId": "u2", "runId": turn.run_id()});
    for method in ["runs.get", "runs.stop"] {
        errors.push(world.engine.call(method, &of_run.to_string()).await.unwrap_err());
    }
    for error in errors {
        assert_eq!(error.code(), ErrorCode::Forbidden);
        assert!(error.details().is_empty() && !error.to_string().contains(&turn.run_id().to_string()));
    }
    assert_eq!(world.engine.run(&who(), turn.run_id()).await.unwrap().status, RunStatus::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_cannot_be_begun_leaves_nothing_behind() {
    let world = World::new(vec![]).await;
    let cases = [
        (json!({"provider": "nobody"}), ErrorCode::InvalidInput),
        (json!({"provider": {"driver": "unheard-of", "model": "m"}}), ErrorCode::AiNotConfigured),
        (json!({"provider": {"driver": "openai-compatible", "baseUrl": "http://x"}}), ErrorCode::AiNotConfigured),
        (
            json!({"provider": {"driver": "openai-compatible", "model": "m", "baseUrl": "x"}}),
            ErrorCode::AiNotConfigured,
        ),
        (json!({"message": {"parts": []}}), ErrorCode::InvalidInput),
        (json!({"userId": ""}), ErrorCode::InvalidInput),
        (json!({"roleId": "0197d2f0-0000-7000-8000-000000000001"}), ErrorCode::NotFound),
    ];
    for (more, code) in cases {
        let error = world.engine.start_turn(request("go", more.clone()), Vec::new()).await.err().unwrap();
        assert_eq!(error.code(), code, "{more}");
    }
    assert_eq!((world.count("ai_chats"), world.provider.requests().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_in_no_row() {
    let echo = Response::body(401, "text/plain", "key test-key-0123456789 is wrong");
    let world = World::new(vec![echo]).await;
    let turn = world.turn("go", json!({})).await;
    assert!(!turn.done().await.unwrap().error.unwrap().contains("0123456789"));
    world.engine.close(None).await.unwrap();
    let bytes = if on_postgres() {
        let all = world.sql("SELECT database_to_xml(true, true, '')");
        assert!(all.contains("is wrong"));
        all.into_bytes()
    } else {
        std::fs::read(world.folder.path().join("chats.db")).unwrap()
    };
    assert!(!bytes.windows(10).any(|window| window == b"0123456789"));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_in_progress_show_every_finished_step() {
    let large = FnTool(|_| Ok(json!("x".repeat(40_000))));
    let rounds = (0..4).map(|number| call(&format!("c{number}"), "read", "{}"));
    let responses: Vec<Response> = rounds.chain([Response::stream([text("…")]).then(Then::Hang)]).collect();
    let world = World::new(responses).await;
    let tools = vec![tool(json!({"name": "read", "readOnly": true}), large)];
    let turn = world.engine.start_turn(request("go", json!({})), tools).await.unwrap();
    world.provider.until_requests(5).await;
    let messages = world.messages(&turn).await;
    assert_eq!(metadata(&messages[1])["stepsPersisted"], 4);
    assert_eq!(metadata(&messages[1])["parts"].as_array().unwrap().len(), 8);
    turn.stop().await.unwrap();
    turn.done().await.unwrap();
}

/// The numbers in the ids of server-sent events, each with the chunk that it is of.
fn events(bytes: &str) -> Vec<(Option<String>, Value)> {
    let events = bytes.split("\n\n").filter(|event| event.contains("data: {"));
    events
        .map(|event| {
            let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            (field("id: "), serde_json::from_str(&field("data: ").unwrap()).unwrap())
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ids_of_a_live_stream_are_places_behind_which_a_tail_goes_on() {
    struct Waits(Arc<tokio::sync::Notify>);
    #[async_trait::async_trait]
    impl turnkeep::tool::ToolHandler for Waits {
        async fn call(&self, _: turnkeep::tool::ToolInvocation) -> Result<turnkeep::model::Json, String> {
            self.0.notified().await;
            Ok(turnkeep::model::Json::null())
        }
    }
    let pieces = vec![text("It "), text("is "), text("warm")];
    let last = Response::stream([pieces, finish("stop", 3, 2)].concat());
    let world = World::new(vec![call("c", "weather", "{}"), last]).await;
    let go_on = Arc::new(tokio::sync::Notify::new());
    let handler = Arc::new(Waits(Arc::clone(&go_on)));
    let definition = serde_json::from_value(json!({"name": "weather", "readOnly": true})).unwrap();
    let tools = vec![turnkeep::tool::Tool { definition, handler }];
    let turn = world.engine.start_turn(request("go", json!({})), tools).await.unwrap();
    let reader = turnkeep::SharedReader::from(turn.chunks());
    let mut bytes = String::new();
    while !bytes.contains("tool-input-available") {
        bytes.push_str(&reader.next_sse(3).await.unwrap());
    }
    go_on.notify_one();
    while let Some(more) = reader.next_sse(3).await {
        bytes.push_str(&more);
    }
    let live = events(&bytes);
    assert!(live.iter().all(|(id, _)| id.is_some()), "{bytes}");
    // Behind every place the log has exactly what the live stream told next.
    for (place, (id, _)) in live.iter().enumerate() {
        let cursor = id.as_deref().unwrap().parse().unwrap();
        let mut tail = world.engine.tail(&who(), turn.run_id(), turnkeep::TailFrom::After(cursor)).await.unwrap();
        let mut rest = Vec::new();
        loop {
            let batch = tail.next_batch(16).await.unwrap();
            if batch.is_empty() {
                break;
            }
            assert!(batch.iter().all(|item| !item.resync));
            rest.extend(batch.iter().map(|item| serde_json::from_str::<Value>(&item.chunk).unwrap()));
        }
        let told: Vec<Value> = live[place + 1..].iter().map(|(_, chunk)| chunk.clone()).collect();
        assert_eq!(rest, told, "behind {id:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_stream_shows_no_step_that_the_store_does_not_have() {
    let html = Response { body: Some("<html>busy</html>".into()), ..Response::stream([]) };
    let world = World::new(vec![html]).await;
    let turn = world.turn("go", json!({})).await;
    assert_eq!(types(&all_chunks(&turn).await), ["start", "message-metadata", "error"]);
    assert_eq!(turn.done().await.unwrap().step_count, 0);
    assert_eq!(metadata(&world.messages(&turn).await[1])["parts"], json!([]));
}
