//! Answers that break off are withdrawn and asked for again, then of other models; over real HTTP, on both stores.

use serde_json::{Value, json};
use turnkeep::model::{FailureKind, Message, RunOutcome, RunReason, RunStatus};
use turnkeep::{Engine, ErrorCode, TailFrom, TurnRequest};
use turnkeep_tests::chunks::{event, finish, text, tool_call};
use turnkeep_tests::scenario::{FnTool, all_chunks, open, request, tool, who};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

struct World {
    provider: ScriptedProvider,
    engine: Engine,
    _folder: tempfile::TempDir,
}

struct Told {
    chunks: Vec<Value>,
    outcome: RunOutcome,
    row: Message,
}

impl World {
    async fn of(responses: Vec<Response>, more: Value) -> Self {
        let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
        let folder = tempfile::tempdir().unwrap();
        let mut options = json!({"runs": {"stepRetries": 1}, "http": {"maxTries": 1, "retryWaitMs": 1}});
        more.as_object().unwrap().iter().for_each(|(name, value)| options[name] = value.clone());
        let engine = open(folder.path(), &provider.base_url(), options).await;
        Self { provider, engine, _folder: folder }
    }

    async fn turn(&self, more: Value) -> Told {
        let look = tool(json!({"name": "look", "readOnly": true}), FnTool(|_| Ok(json!("seen"))));
        let turn = self.engine.start_turn(request("go", more), vec![look]).await.unwrap();
        let chunks = all_chunks(&turn).await;
        let outcome = turn.done().await.unwrap();
        let row = self.engine.messages(&who(), turn.chat_id()).await.unwrap().pop().unwrap();
        Told { chunks, outcome, row }
    }

    fn models(&self) -> Vec<String> {
        self.provider.requests().iter().map(|request| request["model"].as_str().unwrap().to_owned()).collect()
    }

    async fn log(&self, told: &Told, from: TailFrom) -> Vec<Value> {
        let mut tail = self.engine.tail(&who(), told.outcome.run_id, from).await.unwrap();
        let mut chunks = Vec::new();
        loop {
            let items = tail.next_batch(64).await.unwrap();
            if items.is_empty() {
                return chunks;
            }
            chunks.extend(items.iter().map(|item| serde_json::from_str::<Value>(&item.chunk).unwrap()));
        }
    }
}

fn says(words: &str) -> Response {
    Response::stream([vec![text(words)], finish("stop", 10, 5)].concat())
}

fn breaks_off(words: &str) -> Response {
    Response::stream([text(words)]).then(Then::Reset)
}

fn overloaded_after(words: &str) -> Response {
    let error = event(&json!({"error": {"message": "The engine is overloaded.", "code": 503}}));
    Response::stream([text(words), error])
}

fn refused(status: u16) -> Response {
    Response::body(status, "application/json", r#"{"error": {"message": "Not now."}}"#)
}

fn no_model() -> Response {
    Response::body(
        404,
        "application/json",
        r#"{"error": {"message": "The model does not exist.", "code": "model_not_found"}}"#,
    )
}

fn types(chunks: &[Value]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk["type"].as_str().unwrap()).collect()
}

fn parts(row: &Message) -> Vec<Value> {
    serde_json::from_str::<Value>(row.metadata.as_ref().unwrap().get()).unwrap()["parts"].as_array().unwrap().clone()
}

fn deltas(chunks: &[Value]) -> String {
    chunks.iter().filter_map(|chunk| chunk["delta"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_breaks_off_is_withdrawn_and_asked_for_again() {
    for broken in [
        breaks_off("half"),
        // No more than a part of an answer, in order.
        Response::stream([text("half")]),
        overloaded_after("half"),
    ] {
        let world = World::of(vec![broken, says("whole")], json!({})).await;
        let told = world.turn(json!({})).await;
        assert_eq!((told.outcome.status, told.outcome.step_count), (RunStatus::Succeeded, 2), "{:?}", told.outcome);
        assert_eq!(
            types(&told.chunks),
            [
                "start",
                "start-step",
                "text-start",
                "text-delta",
                "text-end",
                "data-withdrawn",
                "finish-step",
                "start-step",
                "text-start",
                "text-delta",
                "text-end",
                "finish-step",
                "message-metadata",
                "finish",
            ]
        );
        // The message has nothing of it, and the model is not told of it.
        assert_eq!(told.row.content, "whole");
        assert_eq!(types(&parts(&told.row)), ["step-start", "text"]);
        let requests = world.provider.requests();
        assert_eq!(requests[0]["messages"], requests[1]["messages"]);
        // It is in the log for who reads all of that, and not for who comes when it is over.
        assert_eq!(deltas(&world.log(&told, TailFrom::Start).await), "halfwhole");
        assert_eq!(deltas(&world.log(&told, TailFrom::Snapshot).await), "whole");
        world.engine.close(None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_version_7_take_a_step_back() {
    let world = World::of(vec![breaks_off("half"), says("whole")], json!({})).await;
    let told = world.turn(json!({"protocol": "ai-7"})).await;
    let expected = [
        "start",
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "reset-step",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "message-metadata",
        "finish",
    ];
    assert_eq!(types(&told.chunks), expected);
    let params =
        json!({"workspaceId": "w1", "userId": "u1", "runId": told.outcome.run_id, "from": "start", "protocol": "ai-7"});
    let mut tail = world.engine.tail_from_json(&params.to_string()).await.unwrap();
    let mut chunks = Vec::new();
    loop {
        let items = tail.next_batch(1).await.unwrap();
        if items.is_empty() {
            break;
        }
        chunks.extend(items.iter().map(|item| serde_json::from_str::<Value>(&item.chunk).unwrap()));
    }
    assert_eq!(types(&chunks), expected);
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_provider_is_asked_again_and_what_came_before_stays() {
    let call = [vec![text("I look. "), tool_call(0, "c", "look", "{}")], finish("tool_calls", 10, 5)].concat();
    let responses =
        vec![Response::stream(call), Response::stream([text("half")]).then(Then::Hang), says("There it is.")];
    let world = World::of(responses, json!({"runs": {"stepRetries": 1, "providerSilenceMs": 1_000}})).await;
    let told = world.turn(json!({})).await;
    assert_eq!(told.outcome.status, RunStatus::Succeeded);
    assert_eq!(told.row.content, "I look. There it is.");
    let withdrawn = told.chunks.iter().find(|chunk| chunk["type"] == "data-withdrawn").unwrap();
    assert_eq!(withdrawn["data"], json!({"step": 1, "kind": "silence"}));
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_asked_for_again_as_often_as_is_said_and_the_last_try_stays() {
    let broken = || vec![breaks_off("one"), breaks_off("two"), breaks_off("three"), says("four")];
    for (retries, content, requests) in
        [(Some(0), "one", 1), (None, "two", 2), (Some(2), "three", 3), (Some(3), "four", 4)]
    {
        let world = World::of(broken(), json!({})).await;
        let more = retries.map_or(json!({}), |step| json!({"retries": {"step": step}}));
        let told = world.turn(more).await;
        assert_eq!((told.row.content.as_str(), world.provider.requests().len()), (content, requests), "{retries:?}");
        let failed = told.outcome.failure.map(|failure| failure.kind);
        assert_eq!(failed, (content != "four").then_some(FailureKind::ConnectionLost));
        world.engine.close(None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_is_no_step_of_the_limit_and_a_call_of_the_ledger() {
    let world = World::of(vec![breaks_off("123456789"), says("whole")], json!({})).await;
    let told = world.turn(json!({"maxSteps": 1})).await;
    assert_eq!(told.outcome.status, RunStatus::Succeeded);
    let params = json!({"workspaceId": "w1", "actor": {"userId": "boss", "isAdmin": true}});
    let report = world.engine.call("usage.report", &params.to_string()).await.unwrap();
    let total = serde_json::from_str::<Value>(&report).unwrap()["total"].clone();
    assert_eq!((&total["calls"], &total["estimatedCalls"]), (&json!(2), &json!(1)), "{total}");
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_answers_when_one_fails_and_everybody_is_told() {
    let call = [vec![text("I look. "), tool_call(0, "c", "look", "{}")], finish("tool_calls", 10, 5)].concat();
    // The first model is overloaded, then breaks off in its first answer twice; the second is not there; the third answers.
    for (responses, models) in [
        (
            vec![refused(503), no_model(), Response::stream(call.clone()), says("Done.")],
            ["test-model", "b", "c", "c"].to_vec(),
        ),
        (
            vec![breaks_off("x"), breaks_off("y"), refused(429), Response::stream(call.clone()), says("Done.")],
            ["test-model", "test-model", "b", "c", "c"].to_vec(),
        ),
    ] {
        let world = World::of(responses, json!({})).await;
        let told = world.turn(json!({"fallbacks": [{"model": "b"}, {"model": "c"}]})).await;
        assert_eq!(told.outcome.status, RunStatus::Succeeded, "{:?}", told.outcome);
        assert_eq!(world.models(), models);
        assert_eq!(told.row.content, "I look. Done.");
        let switch = parts(&told.row).into_iter().find(|part| part["type"] == "data-model").unwrap();
        assert_eq!((&switch["data"]["model"], &switch["data"]["instead"]), (&json!("c"), &json!("b")));
        assert!(told.chunks.contains(&switch));
        world.engine.close(None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn which_model_answers_is_told_also_when_its_first_answer_is_withdrawn() {
    let world = World::of(vec![refused(503), breaks_off("half"), says("whole")], json!({})).await;
    let told = world.turn(json!({"fallbacks": [{"model": "b"}]})).await;
    assert_eq!(world.models(), ["test-model", "b", "b"]);
    let parts = parts(&told.row);
    assert_eq!(types(&parts), ["step-start", "data-model", "text"]);
    assert_eq!(parts[1]["data"], json!({"model": "b", "instead": "test-model", "kind": "overloaded"}));
    // Each of the two that were told is one of its own for clients, who would replace a part of the same id.
    let ids: Vec<&Value> =
        told.chunks.iter().filter(|chunk| chunk["type"] == "data-model").map(|chunk| &chunk["id"]).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_is_asked_only_for_the_failures_that_it_is_for() {
    let asks_b = |on: Value| json!({"fallbacks": [{"model": "b", "on": on}]});
    for (status, fallbacks, models) in [
        // A key that is wrong would be hidden by another model.
        (401, json!({"fallbacks": [{"model": "b"}]}), vec!["test-model"]),
        (401, asks_b(json!(["authentication"])), vec!["test-model", "b"]),
        (503, asks_b(json!(["rate_limit", "silence"])), vec!["test-model"]),
        (429, asks_b(json!(["rate_limit", "silence"])), vec!["test-model", "b"]),
    ] {
        let world = World::of(vec![refused(status), says("Done.")], json!({})).await;
        let told = world.turn(fallbacks).await;
        assert_eq!(world.models(), models, "{status}");
        assert_eq!(told.outcome.status == RunStatus::Succeeded, models.len() == 2);
        world.engine.close(None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_may_be_another_provider_s_and_is_what_its_money_says() {
    let other = ScriptedProvider::start(Script { responses: vec![says("From elsewhere.")], ..Script::default() }).await;
    let prices = json!({"test-model": {"input": 1.0, "output": 1.0}, "b": {"input": 2.0, "output": 2.0}});
    let world = World::of(vec![refused(503)], json!({"prices": prices})).await;
    let provider = json!({"driver": "openai-compatible", "model": "x", "baseUrl": other.base_url(), "apiKey": "other-key-0123456789"});
    let more = json!({"fallbacks": [{"model": "b", "provider": provider, "options": {"maxOutputTokens": 77}}], "budget": {"cost": 1.0}});
    let told = world.turn(more).await;
    assert_eq!((told.outcome.status, told.row.content.as_str()), (RunStatus::Succeeded, "From elsewhere."));
    let asked = &other.requests()[0];
    assert_eq!((&asked["model"], &asked["max_tokens"]), (&json!("b"), &json!(77)));
    let params = json!({"workspaceId": "w1", "actor": {"userId": "boss", "isAdmin": true}, "by": ["model"]});
    let report: Value =
        serde_json::from_str(&world.engine.call("usage.report", &params.to_string()).await.unwrap()).unwrap();
    assert!(report["lines"].as_array().unwrap().iter().any(|line| line["model"] == "b"), "{report}");
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_left_alone_for_a_while_is_no_reason_not_to_stop() {
    let hour = json!({"runs": {"stepRetries": 1}, "http": {"maxTries": 1, "retryWaitMs": 3_600_000}});
    let world = World::of(vec![overloaded_after("half"), says("whole")], hour).await;
    let turn = world.engine.start_turn(request("go", json!({})), Vec::new()).await.unwrap();
    let mut reader = turn.chunks();
    loop {
        let batch = reader.next_batch(1).await;
        if batch.iter().any(|chunk| chunk.contains(r#""type":"finish-step""#)) {
            break;
        }
    }
    assert!(turn.stop().await.unwrap());
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
    let row = world.engine.messages(&who(), turn.chat_id()).await.unwrap().pop().unwrap();
    assert_eq!((row.content.as_str(), world.provider.requests().len()), ("", 1));
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_is_not_stored_has_them_too() {
    let world = World::of(vec![breaks_off("half"), refused(503), says("whole")], json!({})).await;
    let more = json!({"stateless": {"persona": "You are brief."}, "fallbacks": [{"model": "b"}]});
    let turn = world.engine.start_turn(request("go", more), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(world.models(), ["test-model", "test-model", "b"]);
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_anybody_may_drive_keeps_its_fallbacks() {
    let world = World::of(vec![refused(503), says("whole")], json!({})).await;
    let look = tool(json!({"name": "look", "readOnly": true}), FnTool(|_| Ok(json!("seen"))));
    let more = json!({"offeredTools": ["look"], "fallbacks": [{"model": "b"}]});
    // It begins as nobody's; the engine that takes it reads them from its plan.
    let turn = world.engine.start_turn(request("go", more), Vec::new()).await.unwrap();
    world.engine.offer_tools(vec![look]).unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(world.models(), ["test-model", "b"]);
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_refused_with_its_field() {
    let world = World::of(Vec::new(), json!({})).await;
    let settings = json!({"driver": "openai", "model": "x", "apiKey": "k"});
    for (more, field) in [
        (json!({"retries": {"step": 11}}), "retries.step"),
        (json!({"fallbacks": [{"model": " "}]}), "fallbacks[0].model"),
        (json!({"fallbacks": [{"model": "b", "on": []}]}), "fallbacks[0].on"),
        (json!({"fallbacks": [{"model": "b"}, {"model": "c", "provider": "nobody"}]}), "fallbacks[1].provider"),
        (
            json!({"fallbacks": [{"model": "b", "options": {"maxOutputTokens": 0}}]}),
            "fallbacks[0].options.maxOutputTokens",
        ),
        (json!({"fallbacks": vec![json!({"model": "b"}); 11]}), "fallbacks"),
        (json!({"offeredTools": [], "fallbacks": [{"model": "b", "provider": settings}]}), "fallbacks[0].provider"),
        (json!({"budget": {"cost": 1.0}, "fallbacks": [{"model": "b"}]}), "budget.cost"),
    ] {
        let error = world.engine.start_turn(request("go", more), Vec::new()).await.err().unwrap();
        assert_eq!((error.code(), &error.details()["field"]), (ErrorCode::InvalidInput, &json!(field)));
    }
    for (more, field) in [
        (json!({"retries": {"steps": 1}}), "retries.steps"),
        (json!({"fallbacks": [{"model": "b", "on": ["sometimes"]}]}), "fallbacks[0].on[0]"),
        (json!({"fallbacks": [{"model": 5}]}), "fallbacks[0].model"),
    ] {
        let mut turn = json!({"workspaceId": "w1", "userId": "u1", "message": "go"});
        more.as_object().unwrap().iter().for_each(|(name, value)| turn[name] = value.clone());
        let error = TurnRequest::from_json(&turn.to_string()).err().unwrap();
        assert_eq!(error.details()["field"], json!(field));
    }
    assert!(world.provider.requests().is_empty());
    world.engine.close(None).await.unwrap();
}
