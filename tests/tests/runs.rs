//! Runs as their hosts and readers see them: tails from two processes, busy chats, keys, and hosts with a loop of their
//! own. Two engines on one file stand for two processes.

use std::time::Duration;

use serde_json::{Value, json};
use turnkeep::model::{Run, RunReason, RunStatus};
use turnkeep::{
    Cursor, Engine, ErrorCode, HostedFinish, HostedRequest, HostedStep, RunId, RunSignal, RunTail, SharedTail,
    TailFrom, TailItem, Turn,
};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{all_chunks, on_postgres, open, request, sql, weather_and_time, who};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

struct World {
    folder: tempfile::TempDir,
    provider: ScriptedProvider,
    engine: Engine,
    other: Engine,
}

impl World {
    async fn new(responses: Vec<Response>) -> Self {
        Self::with(responses, json!({})).await
    }

    async fn with(responses: Vec<Response>, options: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
        let engine = open(folder.path(), &provider.base_url(), options.clone()).await;
        let other = open(folder.path(), &provider.base_url(), options).await;
        Self { folder, provider, engine, other }
    }

    async fn turn(&self, message: &str, more: Value) -> Turn {
        self.engine.start_turn(request(message, more), weather_and_time()).await.unwrap()
    }

    /// A turn that has streamed `half` and hangs.
    async fn hanging(&self) -> Turn {
        let turn = self.turn("go", json!({})).await;
        let mut reader = turn.chunks();
        while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("half")) {}
        turn
    }

    fn count(&self, statement: &str) -> usize {
        self.sql(statement).parse().unwrap()
    }

    fn sql(&self, statement: &str) -> String {
        sql(self.folder.path(), statement)
    }
}

fn answer(words: &str) -> Response {
    Response::stream([vec![text(words)], finish("stop", 10, 5)].concat())
}

fn calls() -> Response {
    let head = vec![text("Looking. "), tool_call(0, "call_a", "weather", r#"{"city":"Oslo"}"#)];
    Response::stream([head, finish("tool_calls", 20, 8)].concat())
}

fn hangs() -> Response {
    Response::stream([text("half")]).then(Then::Hang)
}

async fn read_to_end(tail: &mut RunTail) -> Vec<TailItem> {
    let mut items = Vec::new();
    loop {
        let batch = tail.next_batch(3).await.unwrap();
        if batch.is_empty() {
            return items;
        }
        items.extend(batch);
    }
}

/// The parts that a client makes of the chunks: texts joined, calls with their outcome.
fn reduced(chunks: &[Value]) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    let place = |parts: &[Value], key: &str, id: &Value| parts.iter().position(|part| part[key] == *id);
    for chunk in chunks {
        match chunk["type"].as_str().unwrap() {
            "text-start" => parts.push(json!({"id": chunk["id"], "text": ""})),
            "text-delta" => {
                let at = place(&parts, "id", &chunk["id"]).unwrap();
                let text = format!("{}{}", parts[at]["text"].as_str().unwrap(), chunk["delta"].as_str().unwrap());
                parts[at]["text"] = text.into();
            }
            "tool-input-available" => parts.push(json!({"call": chunk["toolCallId"], "input": chunk["input"]})),
            "tool-output-available" => {
                let at = place(&parts, "call", &chunk["toolCallId"]).unwrap();
                parts[at]["output"] = chunk["output"].clone();
            }
            _ => {}
        }
    }
    parts
}

fn values(items: &[TailItem]) -> Vec<Value> {
    items.iter().map(|item| serde_json::from_str(&item.chunk).unwrap()).collect()
}

fn kinds(chunks: &[Value]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk["type"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_tells_what_the_turn_told_from_any_process() {
    let world = World::new(vec![calls(), answer("Sunny.")]).await;
    let turn = world.turn("go", json!({})).await;
    let direct = all_chunks(&turn).await;
    turn.done().await.unwrap();
    let mut logs = Vec::new();
    for engine in [&world.engine, &world.other] {
        for from in [TailFrom::Start, TailFrom::Snapshot] {
            let mut tail = engine.tail(&who(), turn.run_id(), from).await.unwrap();
            let items = read_to_end(&mut tail).await;
            let chunks = values(&items);
            assert_eq!(reduced(&chunks), reduced(&direct));
            assert_eq!(chunks[0], direct[0]);
            assert_eq!(chunks.last(), direct.last());
            assert_eq!(tail.end().unwrap().status, RunStatus::Succeeded);
            logs.push(items);
        }
    }
    assert_eq!(logs[0], logs[2]);
    assert_eq!(logs[1], logs[3]);
    assert_eq!(
        kinds(&values(&logs[0])),
        [
            "start",
            "start-step",
            "text-start",
            "text-delta",
            "text-end",
            "tool-input-available",
            "tool-output-available",
            "finish-step",
            "message-metadata",
            "start-step",
            "text-start",
            "text-delta",
            "text-end",
            "finish-step",
            "message-metadata",
            "finish"
        ]
    );
    let stranger = turnkeep::Who { workspace_id: "w1".into(), user_id: "u2".into() };
    let error = world.other.tail(&stranger, turn.run_id(), TailFrom::Start).await.err().unwrap();
    assert_eq!((error.code(), error.details().len()), (ErrorCode::Forbidden, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_streams_is_followed_live_from_another_process() {
    let slow = Response { chunk_delay_ms: 20, ..calls() };
    let words: Vec<String> = (0..40).map(|number| text(&format!("word {number} "))).collect();
    let long = Response { chunk_delay_ms: 20, ..Response::stream([words, finish("stop", 1, 1)].concat()) };
    let world = World::new(vec![slow, long]).await;
    let turn = world.turn("go", json!({})).await;
    let run_id = turn.run_id();
    let follow = |engine: &Engine, from: TailFrom| {
        let engine = engine.clone();
        tokio::spawn(async move { read_to_end(&mut engine.tail(&who(), run_id, from).await.unwrap()).await })
    };
    let readers: Vec<_> = [&world.engine, &world.other]
        .into_iter()
        .flat_map(|engine| [follow(engine, TailFrom::Start), follow(engine, TailFrom::Snapshot)])
        .collect();
    let direct = all_chunks(&turn).await;
    let mut log = world.other.tail(&who(), run_id, TailFrom::Start).await.unwrap();
    let log = read_to_end(&mut log).await;
    for (place, reader) in readers.into_iter().enumerate() {
        let items = reader.await.unwrap();
        assert_eq!(reduced(&values(&items)), reduced(&direct));
        if place % 2 == 0 {
            assert_eq!(items, log);
        }
    }
    assert!(world.count("SELECT COUNT(*) FROM ai_chat_run_chunks") > 1, "nothing was put on disk while it streamed");
    // Numbers without gaps; from every one of them the rest.
    for (number, item) in log.iter().enumerate() {
        assert_eq!(item.cursor, Cursor { sequence: number as u64, ..Cursor::default() });
    }
    for place in [0, 5, log.len() - 2] {
        let mut tail = world.other.tail(&who(), run_id, TailFrom::After(log[place].cursor)).await.unwrap();
        assert_eq!(read_to_end(&mut tail).await, log[place + 1..]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_tail_gives_json_and_events_and_can_be_closed() {
    let world = World::new(vec![answer("Hi."), hangs()]).await;
    let turn = world.turn("go", json!({})).await;
    turn.done().await.unwrap();
    let of = |from: TailFrom| async move { from };
    let tail = |engine: Engine, run_id: RunId, from: TailFrom| async move {
        SharedTail::from(engine.tail(&who(), run_id, from).await.unwrap())
    };
    let json_tail = tail(world.other.clone(), turn.run_id(), of(TailFrom::Start).await).await;
    let mut entries = Vec::new();
    while let Some(batch) = json_tail.next_json(2).await.unwrap() {
        entries.extend(serde_json::from_str::<Vec<Value>>(&batch).unwrap());
    }
    assert_eq!(entries[0]["cursor"], "0");
    assert_eq!(entries[0]["chunk"]["type"], "start");
    assert_eq!(*entries.last().unwrap(), json!({"end": {"status": "succeeded", "reason": null, "error": null}}));
    let event_tail = tail(world.other.clone(), turn.run_id(), TailFrom::Snapshot).await;
    let mut events = String::new();
    while let Some(batch) = event_tail.next_sse(100).await.unwrap() {
        events.push_str(&batch);
    }
    assert!(events.starts_with("id: 0\ndata: {\"type\":\"start\""));
    assert!(events.ends_with("data: [DONE]\n\n"));

    let turn = world.hanging().await;
    let waiting = std::sync::Arc::new(tail(world.other.clone(), turn.run_id(), TailFrom::Snapshot).await);
    let reading = tokio::spawn({
        let tail = std::sync::Arc::clone(&waiting);
        async move { while tail.next_json(100).await.unwrap().is_some() {} }
    });
    waiting.close();
    reading.await.unwrap();
    turn.stop().await.unwrap();
    turn.done().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn old_chunks_are_forgotten_and_readers_begin_anew() {
    // Chunks are trimmed once in a lease; connecting to a server that is busy with other tests may take a third of a short
    // one.
    let lease = if on_postgres() { 3000 } else { 300 };
    let world = World::with(vec![hangs()], json!({"runs": {"chunkRetentionMs": 0, "leaseMs": lease}})).await;
    let turn = world.hanging().await;
    let mut tail = world.other.tail(&who(), turn.run_id(), TailFrom::Start).await.unwrap();
    let mut seen: Vec<TailItem> = Vec::new();
    while !seen.iter().any(|item| item.chunk.contains("half")) {
        seen.extend(tail.next_batch(1).await.unwrap());
    }
    turn.stop().await.unwrap();
    turn.done().await.unwrap();
    while world.count("SELECT COUNT(*) FROM ai_chat_run_chunks") > 0 {
        tokio::task::yield_now().await;
    }
    let after = TailFrom::After(seen.last().unwrap().cursor);
    let items = read_to_end(&mut world.other.tail(&who(), turn.run_id(), after).await.unwrap()).await;
    assert!(items[0].resync && !items[1].resync);
    assert_eq!(reduced(&values(&items))[0]["text"], "half");
    assert_eq!(values(&items).last().unwrap()["type"], "abort");
    // At the beginning of a step nothing is missing.
    let after = TailFrom::After(Cursor { sequence: 0, ..Cursor::default() });
    let items = read_to_end(&mut world.other.tail(&who(), turn.run_id(), after).await.unwrap()).await;
    assert!(!items[0].resync && items[0].chunk.contains("start-step"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_waits_begins_when_the_chat_is_free() {
    let world = World::new(vec![hangs(), answer("Second."), answer("Third.")]).await;
    let first = world.hanging().await;
    let chat_id = first.chat_id().to_string();
    let waits = json!({"chatId": chat_id, "busy": "enqueue"});
    let second = world.turn("second", waits.clone()).await;
    let third = world.other.start_turn(request("third", waits), weather_and_time()).await.unwrap();
    let runs: Vec<Run> = world.other.runs(&who(), first.chat_id(), 9).await.unwrap();
    let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
    assert_eq!(ids, [third.run_id(), second.run_id(), first.run_id()]);
    assert_eq!(runs[1].status, RunStatus::Pending);
    assert_eq!(world.engine.active_run(&who(), first.chat_id()).await.unwrap().unwrap().id, first.run_id());
    let following = tokio::spawn({
        let (other, run_id) = (world.other.clone(), second.run_id());
        async move { read_to_end(&mut other.tail(&who(), run_id, TailFrom::Snapshot).await.unwrap()).await }
    });
    let error = world.engine.start_turn(request("x", json!({"chatId": chat_id})), Vec::new()).await.err().unwrap();
    assert_eq!(error.details()["activeRunId"], first.run_id().to_string());
    assert!(first.stop().await.unwrap());
    let outcomes = [second.done().await.unwrap(), third.done().await.unwrap()];
    assert!(outcomes.iter().all(|outcome| outcome.status == RunStatus::Succeeded));
    assert!(reduced(&values(&following.await.unwrap())).iter().any(|part| part["text"] == "Second."));
    let messages = world.engine.messages(&who(), first.chat_id()).await.unwrap();
    let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(contents, ["go", "half", "second", "Second.", "third", "Third."]);
    // The model was told of what came before.
    let requests = world.provider.requests();
    assert_eq!(
        requests[2]["messages"].as_array().unwrap().len(),
        requests[1]["messages"].as_array().unwrap().len() + 2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_waits_can_be_stopped_and_is_not_lost_on_closing() {
    let world = World::new(vec![hangs()]).await;
    let first = world.hanging().await;
    let waits = json!({"chatId": first.chat_id().to_string(), "busy": "enqueue"});
    let stopped = world.turn("stopped", waits.clone()).await;
    let left = world.turn("left", waits).await;
    assert!(world.other.stop_run(&who(), stopped.run_id()).await.unwrap());
    let outcome = stopped.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
    assert_eq!(kinds(&all_chunks(&stopped).await), ["start", "abort"]);
    world.engine.close(Some(Duration::ZERO)).await.unwrap();
    assert_eq!(left.done().await.unwrap().reason, Some(RunReason::Shutdown));
    let messages = world.other.messages(&who(), first.chat_id()).await.unwrap();
    let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(contents, ["go", "half", "stopped", "", "left", ""]);
    assert_eq!(world.count("SELECT COUNT(*) FROM ai_chat_run_queue"), 0);
    assert_eq!(world.provider.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_superseded_by_name_only() {
    let world = World::new(vec![hangs(), answer("Instead.")]).await;
    let first = world.hanging().await;
    let chat_id = first.chat_id().to_string();
    let supersede =
        |target: RunId| request("instead", json!({"chatId": chat_id, "busy": {"supersede": target.to_string()}}));
    let stranger = world.turn("elsewhere", json!({})).await;
    let error = world.other.start_turn(supersede(stranger.run_id()), Vec::new()).await.err().unwrap();
    assert_eq!(error.code(), ErrorCode::SupersedeInvalid);
    let error = world.other.start_turn(supersede(RunId::generate()), Vec::new()).await.err().unwrap();
    assert_eq!(error.code(), ErrorCode::SupersedeInvalid);
    stranger.done().await.unwrap();

    let world = World::new(vec![hangs(), answer("Instead."), hangs()]).await;
    let first = world.hanging().await;
    let chat_id = first.chat_id().to_string();
    let supersede =
        |target: RunId| request("instead", json!({"chatId": chat_id, "busy": {"supersede": target.to_string()}}));
    // From another process; the run's owner settles it.
    let second = world.other.start_turn(supersede(first.run_id()), Vec::new()).await.unwrap();
    let outcome = first.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Superseded)));
    assert_eq!(second.done().await.unwrap().status, RunStatus::Succeeded);
    // A target that has settled holds nobody up; one that is not the active run does.
    let third = world.engine.start_turn(supersede(first.run_id()), Vec::new()).await.unwrap();
    let error = world.other.start_turn(supersede(first.run_id()), Vec::new()).await.err().unwrap();
    assert_eq!(error.code(), ErrorCode::SupersedeTargetMismatch);
    assert_eq!(error.details()["activeRunId"], third.run_id().to_string());
    third.stop().await.unwrap();
    third.done().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_settle_in_time_is_an_error_of_its_own() {
    let world = World::with(vec![answer("Late.")], json!({"runs": {"supersedeTimeoutMs": 50}})).await;
    let run = world.engine.begin_run(hosted(json!({}))).await.unwrap();
    let more = json!({"chatId": run.chat_id.to_string(), "busy": {"supersede": run.run_id.to_string()}});
    let error = world.other.start_turn(request("x", more), Vec::new()).await.err().unwrap();
    assert_eq!(error.code(), ErrorCode::SupersedeTimeout);
    // The stop stays noted: the host ends the run as superseded, and the chat is free.
    assert_eq!(world.engine.run_signal(&who(), run.run_id).await.unwrap(), RunSignal::Superseded);
    world.engine.finish_run(&who(), run.run_id, ends(RunStatus::Aborted)).await.unwrap();
    let ended = world.other.run(&who(), run.run_id).await.unwrap();
    assert_eq!(ended.reason, Some(RunReason::Superseded));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_one_run_and_both_callers_see_it() {
    let world = World::new(vec![Response { chunk_delay_ms: 5, ..calls() }, answer("Once.")]).await;
    let keyed = || request("go", json!({"idempotencyKey": "k1"}));
    let first = world.engine.start_turn(keyed(), weather_and_time()).await.unwrap();
    let again = world.other.start_turn(keyed(), weather_and_time()).await.unwrap();
    assert_eq!((first.run_id(), first.is_repeated()), (again.run_id(), false));
    assert!(again.is_repeated());
    assert_eq!((again.chat_id(), again.message_id()), (first.chat_id(), first.message_id()));
    let chunks = all_chunks(&again).await;
    assert_eq!(reduced(&chunks), reduced(&all_chunks(&first).await));
    assert_eq!(again.done().await.unwrap(), first.done().await.unwrap());
    assert_eq!(world.provider.requests().len(), 2);
    assert_eq!(world.count("SELECT COUNT(*) FROM ai_chat_runs"), 1);
    let elsewhere = json!({"idempotencyKey": "k1", "chatId": turnkeep::ChatId::generate().to_string()});
    let error = world.engine.start_turn(request("go", elsewhere), Vec::new()).await.err().unwrap();
    assert_eq!(error.details()["field"], "idempotencyKey");
    let error = world.engine.start_turn(request("go", json!({"idempotencyKey": ""})), Vec::new()).await.err().unwrap();
    assert_eq!(error.details()["field"], "idempotencyKey");
}

fn hosted(more: Value) -> HostedRequest {
    let mut request = json!({"workspaceId": "w1", "userId": "u1", "message": "go"});
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    serde_json::from_value(request).unwrap()
}

fn hosted_step(step: Value) -> HostedStep {
    serde_json::from_value(step).unwrap()
}

fn ends(status: RunStatus) -> HostedFinish {
    HostedFinish { status, reason: None, error: None, finish_reason: None, step: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_keeps_its_own_loop() {
    let world = World::new(Vec::new()).await;
    let run = world.engine.begin_run(hosted(json!({"idempotencyKey": "h"}))).await.unwrap();
    let (engine, run_id) = (&world.engine, run.run_id);
    let error = engine.begin_run(hosted(json!({"chatId": run.chat_id.to_string()}))).await.unwrap_err();
    assert_eq!(error.details()["activeRunId"], run_id.to_string());
    assert!(engine.begin_run(hosted(json!({"idempotencyKey": "h"}))).await.unwrap().repeated);

    let first = json!({
        "text": "Looking. ", "reasoningText": "Hm.", "finishReason": "tool-calls", "usage": {"inputTokens": 5, "outputTokens": 2},
        "toolCalls": [
            {"type": "tool-call", "toolCallId": "a", "toolName": "weather", "input": {"city": "Oslo"}},
            {"toolCallId": "b", "toolName": "time", "input": {}},
            {"toolCallId": "c", "toolName": "time", "input": {}},
        ],
        "toolResults": [{"toolCallId": "a", "output": {"tempC": 21}}],
        "toolErrors": [{"toolCallId": "b", "error": {"name": "Error", "message": "no clock"}}],
        "response": {"id": "what else the SDK has"},
    });
    assert_eq!(engine.record_step(&who(), run_id, hosted_step(first.clone())).await.unwrap(), 0);
    // Recording it again by its number changes nothing; steps follow each other.
    let mut again = first;
    again["number"] = json!(0);
    assert_eq!(engine.record_step(&who(), run_id, hosted_step(again)).await.unwrap(), 0);
    let error = engine.record_step(&who(), run_id, hosted_step(json!({"number": 7}))).await.unwrap_err();
    assert_eq!(error.details()["field"], "step.number");
    let error = engine
        .record_step(
            &who(),
            run_id,
            hosted_step(json!({"content": [{"type": "text", "text": "x"}, {"type": "tool-call"}]})),
        )
        .await
        .unwrap_err();
    assert_eq!(error.details()["field"], "step.content[1].toolName");
    let second = json!({"content": [
        {"type": "text", "text": "One. "},
        {"type": "tool-call", "toolCallId": "d", "toolName": "time", "input": {}},
        {"type": "text", "text": "Two."},
        {"type": "tool-result", "toolCallId": "d", "toolName": "time", "output": "12:00"},
    ], "finishReason": "stop", "usage": {"inputTokens": 9, "outputTokens": 1}});
    assert_eq!(engine.record_step(&who(), run_id, hosted_step(second)).await.unwrap(), 1);
    engine.finish_run(&who(), run_id, ends(RunStatus::Succeeded)).await.unwrap();
    engine.finish_run(&who(), run_id, ends(RunStatus::Succeeded)).await.unwrap();
    let error = engine.record_step(&who(), run_id, hosted_step(json!({"text": "late"}))).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::LeaseLost);
    assert_eq!(engine.run_signal(&who(), run_id).await.unwrap(), RunSignal::Settled);

    let ended = world.other.run(&who(), run_id).await.unwrap();
    assert_eq!((ended.status, ended.step_count), (RunStatus::Succeeded, 2));
    let message = &engine.messages(&who(), run.chat_id).await.unwrap()[1];
    assert_eq!(message.content, "Looking. One. Two.");
    let metadata: Value = message.metadata.as_ref().unwrap().read().unwrap();
    let state =
        |place: usize| (metadata["parts"][place]["state"].clone(), metadata["parts"][place]["errorText"].clone());
    assert_eq!(metadata["usage"]["inputTokens"], 14);
    assert_eq!(metadata["finishReason"], "stop");
    assert_eq!(state(3), (json!("output-available"), Value::Null));
    assert_eq!(state(4), (json!("output-error"), json!("no clock")));
    assert_eq!(state(5), (json!("output-error"), json!("The tool call did not complete.")));
    let items = read_to_end(&mut world.other.tail(&who(), run_id, TailFrom::Start).await.unwrap()).await;
    let texts: Vec<Value> = reduced(&values(&items)).into_iter().filter(|part| part["text"].is_string()).collect();
    assert_eq!(texts.iter().map(|part| part["text"].as_str().unwrap()).collect::<String>(), "Looking. One. Two.");
}

/// Whoever records a step may stop waiting for it at any moment; the step is on disk or it is not, and the log has no hole.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_may_stop_waiting_for_its_step() {
    let world = World::new(Vec::new()).await;
    let run = world.engine.begin_run(hosted(json!({}))).await.unwrap();
    for patience in 0..40 {
        let step = hosted_step(json!({"text": format!("{patience} ")}));
        let waiting = async {
            for _ in 0..patience {
                tokio::task::yield_now().await;
            }
        };
        let user = who();
        tokio::select! {
            biased;
            recorded = world.engine.record_step(&user, run.run_id, step) => drop(recorded.unwrap()),
            () = waiting => {}
        }
    }
    world.engine.record_step(&who(), run.run_id, hosted_step(json!({"text": "end"}))).await.unwrap();
    world.engine.finish_run(&who(), run.run_id, ends(RunStatus::Succeeded)).await.unwrap();
    let items = read_to_end(&mut world.other.tail(&who(), run.run_id, TailFrom::Start).await.unwrap()).await;
    for (number, item) in items.iter().enumerate() {
        assert_eq!(item.cursor, Cursor { sequence: number as u64, ..Cursor::default() });
    }
    let told: String = values(&items).iter().filter_map(|chunk| chunk["delta"].as_str()).collect();
    assert!(told.ends_with("end"));
    assert_eq!(world.other.messages(&who(), run.chat_id).await.unwrap()[1].content, told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_run_hears_of_stops_and_of_the_end_of_its_engine() {
    let world = World::with(Vec::new(), json!({"runs": {"stopPollMs": 20}})).await;
    let run = world.engine.begin_run(hosted(json!({}))).await.unwrap();
    let signal = tokio::spawn({
        let (engine, run_id) = (world.engine.clone(), run.run_id);
        async move { engine.run_signal(&who(), run_id).await.unwrap() }
    });
    assert!(world.other.stop_chat(&who(), run.chat_id).await.unwrap());
    assert_eq!(signal.await.unwrap(), RunSignal::Stopped);
    let finish = HostedFinish { step: Some(hosted_step(json!({"text": "half"}))), ..ends(RunStatus::Aborted) };
    world.engine.finish_run(&who(), run.run_id, finish).await.unwrap();
    assert_eq!(world.other.run(&who(), run.run_id).await.unwrap().reason, Some(RunReason::Stopped));
    assert_eq!(world.other.messages(&who(), run.chat_id).await.unwrap()[1].content, "half");

    let run = world.engine.begin_run(hosted(json!({}))).await.unwrap();
    world.engine.record_step(&who(), run.run_id, hosted_step(json!({"text": "kept"}))).await.unwrap();
    world.engine.close(Some(Duration::ZERO)).await.unwrap();
    let ended = world.other.run(&who(), run.run_id).await.unwrap();
    assert_eq!((ended.status, ended.reason), (RunStatus::Aborted, Some(RunReason::Shutdown)));
    assert_eq!(world.other.messages(&who(), run.chat_id).await.unwrap()[1].content, "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_a_step_and_a_run_abort_with_what_there_is() {
    for limit in ["stepTimeoutMs", "runTimeoutMs"] {
        let world = World::with(vec![hangs()], json!({"runs": {limit: 300}})).await;
        let turn = world.hanging().await;
        let outcome = turn.done().await.unwrap();
        assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Timeout)), "{limit}");
        let messages = world.other.messages(&who(), turn.chat_id()).await.unwrap();
        assert_eq!(messages[1].content, "half");
        world.provider.until_left_early(1).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_row_is_refreshed_at_every_step_for_those_who_ask() {
    let world = World::with(vec![calls(), hangs()], json!({"runs": {"refreshEveryStep": true}})).await;
    let turn = world.hanging().await;
    assert_eq!(world.sql("SELECT content || '.' FROM ai_chat_messages WHERE role = 'assistant'"), "Looking. .");
    turn.stop().await.unwrap();
    turn.done().await.unwrap();
}

/// The page that stops a turn may be faster than the one that began it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_comes_before_its_run_stops_it() {
    let world = World::new(vec![answer("never asked for"), answer("the next turn")]).await;
    assert!(world.other.stop_keyed(&who(), None, "k1").await.unwrap());
    let turn = world.turn("go", json!({"idempotencyKey": "k1"})).await;
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
    // Nothing was asked of anybody, and the user's message is kept.
    assert_eq!(world.provider.requests().len(), 0);
    assert_eq!(world.engine.messages(&who(), turn.chat_id()).await.unwrap().len(), 2);
    // Stopping it again tells that it is over; the key begins nothing else.
    assert!(!world.engine.stop_keyed(&who(), Some(turn.chat_id()), "k1").await.unwrap());
    assert!(world.turn("go", json!({"idempotencyKey": "k1"})).await.is_repeated());
    // Other people's keys are their own.
    let stranger = turnkeep::Who { user_id: "u2".into(), ..who() };
    assert!(world.engine.stop_keyed(&stranger, None, "k2").await.unwrap());
    let next = world.turn("go", json!({"idempotencyKey": "k2", "chatId": turn.chat_id()})).await;
    assert_eq!(next.done().await.unwrap().status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_stops_its_run_in_every_state() {
    let world = World::new(vec![hangs(), answer("x")]).await;
    let active = world.turn("go", json!({"idempotencyKey": "active"})).await;
    let waits = json!({"idempotencyKey": "waits", "busy": "enqueue", "chatId": active.chat_id()});
    let waits = world.turn("and then", waits).await;
    // One that waits, one that is stopped before it waits, and the one that goes on, from another process.
    assert!(world.other.stop_keyed(&who(), Some(active.chat_id()), "waits").await.unwrap());
    assert_eq!(waits.done().await.unwrap().reason, Some(RunReason::Stopped));
    assert!(world.other.stop_keyed(&who(), Some(active.chat_id()), "early").await.unwrap());
    let early = json!({"idempotencyKey": "early", "busy": "enqueue", "chatId": active.chat_id()});
    assert_eq!(world.turn("later", early).await.done().await.unwrap().reason, Some(RunReason::Stopped));
    assert!(world.other.stop_keyed(&who(), None, "active").await.unwrap());
    assert_eq!(active.done().await.unwrap().reason, Some(RunReason::Stopped));

    // One that the host drives, and one that is left to others.
    assert!(world.other.stop_keyed(&who(), None, "hosted").await.unwrap());
    let run = world.engine.begin_run(hosted(json!({"idempotencyKey": "hosted"}))).await.unwrap();
    assert_eq!(world.engine.run_signal(&who(), run.run_id).await.unwrap(), RunSignal::Stopped);
    assert!(world.other.stop_keyed(&who(), None, "offered").await.unwrap());
    let offered = request("go", json!({"idempotencyKey": "offered", "offeredTools": ["weather"]}));
    let offered = world.engine.start_turn(offered, Vec::new()).await.unwrap();
    assert!(world.engine.run(&who(), offered.run_id()).await.unwrap().stop_requested_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_stops_is_checked_like_one_that_begins() {
    let world = World::new(vec![answer("x")]).await;
    let turn = world.turn("go", json!({"idempotencyKey": "k"})).await;
    turn.done().await.unwrap();
    let elsewhere = turnkeep::ChatId::generate();
    let engine = &world.engine;
    for (chat_id, key) in [(None, String::new()), (None, "k".repeat(256)), (Some(elsewhere), "k".to_owned())] {
        let error = engine.stop_keyed(&who(), chat_id, &key).await.unwrap_err();
        assert_eq!((error.code(), &error.details()["field"]), (ErrorCode::InvalidInput, &json!("idempotencyKey")));
    }
    let stranger = turnkeep::Who { user_id: "u2".into(), ..who() };
    let error = engine.stop_keyed(&stranger, Some(turn.chat_id()), "k").await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Forbidden);
    let call = |params: Value| async move { engine.call("runs.stop", &params.to_string()).await };
    let error = call(json!({"workspaceId": "w1", "userId": "u1", "runId": turn.run_id(), "idempotencyKey": "k"})).await;
    assert_eq!(error.unwrap_err().details()["field"], "runId");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_runs_are_read_a_page_at_a_time() {
    let world = World::new((0..4).map(|_| answer("x")).collect()).await;
    let mut turn = world.turn("go", json!({})).await;
    turn.done().await.unwrap();
    for _ in 0..3 {
        turn = world.turn("go", json!({"chatId": turn.chat_id()})).await;
        turn.done().await.unwrap();
    }
    let call = |method: &'static str, more: Value| {
        let mut params = json!({"workspaceId": "w1", "userId": "u1", "chatId": turn.chat_id()});
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        let engine = &world.engine;
        async move {
            let answer = engine.call(method, &params.to_string()).await?;
            Ok::<Vec<Value>, turnkeep::Error>(serde_json::from_str(&answer).unwrap())
        }
    };
    for (method, count) in [("chats.messages", 8), ("runs.list", 4)] {
        let all = call(method, json!({})).await.unwrap();
        assert_eq!(all.len(), count);
        let newest_first = method == "runs.list";
        let (page, expected) = (call(method, json!({"limit": 3})).await.unwrap(), &all);
        let newest = if newest_first { &expected[..3] } else { &expected[count - 3..] };
        assert_eq!(page, newest);
        let oldest = if newest_first { &page[2] } else { &page[0] };
        let next = call(method, json!({"limit": 100, "before": oldest["id"]})).await.unwrap();
        assert_eq!(next, if newest_first { &all[3..] } else { &all[..count - 3] });
        let error = call(method, json!({"before": turnkeep::ChatId::generate()})).await.unwrap_err();
        assert_eq!((error.code(), &error.details()["field"]), (ErrorCode::InvalidInput, &json!("before")));
    }
}

/// The run, once it has ended. Following it is nothing that a host does for it.
async fn until_ended(engine: &Engine, run_id: RunId) -> Run {
    let mut tail = engine.tail(&who(), run_id, TailFrom::Snapshot).await.unwrap();
    while !tail.next_batch(16).await.unwrap().is_empty() {}
    engine.run(&who(), run_id).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_drives_any_more_is_given_up() {
    let world = World::with(Vec::new(), json!({"runs": {"stopDeadlineMs": 3_000}})).await;
    let engine = &world.engine;
    let begin = async || engine.begin_run(hosted(json!({}))).await.unwrap();
    let lost = (RunStatus::Aborted, Some(RunReason::WorkerLost));

    let given_up = begin().await;
    engine.record_step(&who(), given_up.run_id, hosted_step(json!({"text": "kept"}))).await.unwrap();
    engine.abandon_run(given_up.run_id);
    let ended = until_ended(engine, given_up.run_id).await;
    assert_eq!(((ended.status, ended.reason), ended.step_count), (lost, 1));
    let error = engine.record_step(&who(), given_up.run_id, hosted_step(json!({"text": "late"}))).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::LeaseLost);

    // One that is driven by its id after all, and one that is not; the time of the former is over first.
    let (driven, forgotten) = (begin().await, begin().await);
    engine.abandon_run_unless_driven(driven.run_id);
    engine.record_step(&who(), driven.run_id, hosted_step(json!({"text": "one"}))).await.unwrap();
    engine.abandon_run_unless_driven(forgotten.run_id);
    let ended = until_ended(engine, forgotten.run_id).await;
    assert_eq!((ended.status, ended.reason), lost);
    engine.record_step(&who(), driven.run_id, hosted_step(json!({"text": "two"}))).await.unwrap();

    engine.abandon_runs();
    let ended = until_ended(engine, driven.run_id).await;
    assert_eq!(((ended.status, ended.reason), ended.step_count), (lost, 2));
}
