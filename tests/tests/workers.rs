//! Runs that name their tools, and engines that offer them. Several engines on one database stand for several processes;
//! the last test kills real ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};
use turnkeep::model::{Json, Run, RunReason, RunStatus};
use turnkeep::tool::{Tool, ToolHandler, ToolInvocation};
use turnkeep::{Engine, ErrorCode, RunId, RunTail, TailFrom, TailItem, Turn};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::processes::Process;
use turnkeep_tests::scenario::{
    FnTool, Hang, STEPS, all_chunks, is_paired, on_postgres, open, request, six_steps, sql, store_in, tool,
    weather_definition, who,
};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

/// The shortest lease that there is: how long the death of a process stays unnoticed on a server.
const LEASE_MS: u64 = 300;

struct World {
    folder: tempfile::TempDir,
    provider: ScriptedProvider,
    /// Offers nothing.
    front: Engine,
}

impl World {
    async fn new(responses: Vec<Response>) -> Self {
        Self::of(Script { responses, ..Script::default() }).await
    }

    async fn of(script: Script) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let provider = ScriptedProvider::start(script).await;
        let front = open(folder.path(), &provider.base_url(), limits()).await;
        Self { folder, provider, front }
    }

    /// Another engine, which offers these tools.
    async fn worker(&self, tools: Vec<Tool>) -> Engine {
        let engine = open(self.folder.path(), &self.provider.base_url(), limits()).await;
        engine.offer_tools(tools).unwrap();
        engine
    }

    async fn run_of(&self, turn: &Turn) -> Run {
        self.front.run(&who(), turn.run_id()).await.unwrap()
    }

    async fn log(&self, run_id: RunId) -> RunTail {
        self.front.tail(&who(), run_id, TailFrom::Start).await.unwrap()
    }
}

fn limits() -> Value {
    json!({"runs": {"leaseMs": LEASE_MS}})
}

async fn turn(engine: &Engine, more: Value) -> Turn {
    let mut fields = json!({"offeredTools": ["weather"]});
    more.as_object().unwrap().iter().for_each(|(key, value)| fields[key] = value.clone());
    engine.start_turn(request("go", fields), Vec::new()).await.unwrap()
}

fn answer(words: &str) -> Response {
    Response::stream([vec![text(words)], finish("stop", 10, 5)].concat())
}

fn calls(id: &str) -> Response {
    let head = vec![text("Looking. "), tool_call(0, id, "weather", r#"{"city":"Oslo"}"#)];
    Response::stream([head, finish("tool_calls", 20, 8)].concat())
}

/// `weather`, which counts its calls.
fn weather() -> (Tool, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&count);
    let handler = FnTool(move |input: Value| {
        calls.fetch_add(1, Ordering::SeqCst);
        Ok(json!({"city": input["city"], "tempC": 21}))
    });
    (tool(weather_definition(), handler), count)
}

/// A tool that comes back when it is let.
struct Gated(Arc<Semaphore>, Arc<Semaphore>);

#[async_trait]
impl ToolHandler for Gated {
    async fn call(&self, _: ToolInvocation) -> Result<Json, String> {
        self.0.add_permits(1);
        self.1.acquire().await.map_err(|error| error.to_string())?.forget();
        Json::from_value(&json!({"tempC": 3})).map_err(|error| error.to_string())
    }
}

async fn read_to_end(mut tail: RunTail) -> Vec<TailItem> {
    let mut items = Vec::new();
    loop {
        let batch = tail.next_batch(7).await.unwrap();
        if batch.is_empty() {
            return items;
        }
        items.extend(batch);
    }
}

/// What the front reads of the run while it goes on: in the end as much as a later reader reads, to the letter.
async fn followed(world: &World, run_id: RunId) -> tokio::task::JoinHandle<Vec<TailItem>> {
    tokio::spawn(read_to_end(world.log(run_id).await))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_left_to_whoever_offers_its_tools() {
    let world = World::new(vec![calls("call_a"), answer("21 degrees.")]).await;
    let turn = turn(&world.front, json!({"openPage": {"id": "p1", "title": "The plan"}})).await;
    assert!(!turn.is_repeated());
    let run = world.run_of(&turn).await;
    assert_eq!((run.status, run.started_at), (RunStatus::Pending, None));
    // It holds the chat.
    let chat = json!({"chatId": turn.chat_id(), "offeredTools": ["weather"]});
    let error = world.front.start_turn(request("more", chat), Vec::new()).await.err().unwrap();
    assert_eq!(error.details()["activeRunId"], turn.run_id().to_string());

    let live = followed(&world, turn.run_id()).await;
    let (weather, called) = weather();
    let worker = world.worker(vec![weather]).await;
    let (chunks, outcome) = tokio::join!(all_chunks(&turn), turn.done());
    let outcome = outcome.unwrap();
    assert_eq!((outcome.status, outcome.step_count), (RunStatus::Succeeded, 2));
    assert_eq!(called.load(Ordering::SeqCst), 1);
    let types: Vec<&str> = chunks.iter().map(|chunk| chunk["type"].as_str().unwrap()).collect();
    assert_eq!((types[0], types[types.len() - 1]), ("start", "finish"));
    assert_eq!(live.await.unwrap(), read_to_end(world.log(turn.run_id()).await).await);

    // The model was told of the page and the tools, as if the run had been driven where it was begun.
    let requests = world.provider.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0]["messages"][0]["content"].as_str().unwrap().contains("The plan"));
    assert_eq!(requests[0]["tools"][0]["function"]["name"], "weather");
    let messages = world.front.messages(&who(), turn.chat_id()).await.unwrap();
    assert_eq!((messages.len(), messages[1].content.as_str()), (2, "Looking. 21 degrees."));
    worker.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_the_tools_have_to_be_offered() {
    let world = World::new(vec![answer("nothing"), calls("call_a"), answer("done")]).await;
    let ((some, called_by_some), (all, called_by_all)) = (weather(), weather());
    let lacking = world.worker(vec![some]).await;
    let turn = turn(&world.front, json!({"offeredTools": ["weather", "time"]})).await;
    // One that it can drive comes by meanwhile, so it has looked.
    let other = lacking.start_turn(request("go", json!({"offeredTools": []})), Vec::new()).await.unwrap();
    other.done().await.unwrap();
    assert_eq!(world.run_of(&turn).await.status, RunStatus::Pending);
    let time = tool(json!({"name": "time", "readOnly": true}), FnTool(|_| Ok(json!("12:00"))));
    let _worker = world.worker(vec![all, time]).await;
    turn.done().await.unwrap();
    assert_eq!((called_by_some.load(Ordering::SeqCst), called_by_all.load(Ordering::SeqCst)), (0, 1));
    let tools: Vec<Value> = world.provider.requests().iter().map(|request| request["tools"].clone()).collect();
    assert_eq!(tools[1].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_tools_exclude_each_other() {
    let world = World::new(Vec::new()).await;
    let field = |error: turnkeep::Error| error.details()["field"].as_str().unwrap().to_owned();
    let named = |more: Value| {
        let mut fields = json!({"offeredTools": ["weather"]});
        more.as_object().unwrap().iter().for_each(|(key, value)| fields[key] = value.clone());
        request("go", fields)
    };
    let error = world.front.start_turn(named(json!({})), vec![weather().0]).await.err().unwrap();
    assert_eq!(field(error), "tools");
    let error = world.front.start_turn(named(json!({"provider": "default"})), Vec::new()).await.err().unwrap();
    assert_eq!(field(error), "provider");
    let twice = named(json!({"offeredTools": ["a", "a"]}));
    assert_eq!(field(world.front.start_turn(twice, Vec::new()).await.err().unwrap()), "offeredTools[1]");
    let broken = tool(json!({"name": "no spaces please"}), Hang);
    assert_eq!(field(world.front.offer_tools(vec![broken]).err().unwrap()), "tools[0].name");
    world.front.close(None).await.unwrap();
    assert_eq!(world.front.offer_tools(Vec::new()).err().unwrap().code(), ErrorCode::EngineClosed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closing_engine_hands_its_runs_over_between_two_steps() {
    let world = World::new(vec![calls("call_a"), answer("3 degrees.")]).await;
    let (reached, gate) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let gated = tool(weather_definition(), Gated(Arc::clone(&reached), Arc::clone(&gate)));
    let first = world.worker(vec![gated]).await;
    // It offers the tools, so it drives the run itself.
    let turn = turn(&first, json!({})).await;
    let live = followed(&world, turn.run_id()).await;
    reached.acquire().await.unwrap().forget();
    let closing = tokio::spawn({
        let first = first.clone();
        async move { first.close(Some(Duration::from_secs(60))).await }
    });
    while first.start_turn(request("x", json!({})), Vec::new()).await.err().map(|error| error.code())
        != Some(ErrorCode::EngineClosed)
    {}
    // The step is given the time that it takes.
    gate.add_permits(1);
    closing.await.unwrap().unwrap();
    assert_eq!(turn.done().await.unwrap_err().code(), ErrorCode::LeaseLost);
    let run = world.run_of(&turn).await;
    assert_eq!((run.status, run.step_count), (RunStatus::Running, 1));

    let (weather, called) = weather();
    let _second = world.worker(vec![weather]).await;
    let items = live.await.unwrap();
    assert_eq!(items, read_to_end(world.log(turn.run_id()).await).await);
    let run = world.run_of(&turn).await;
    assert_eq!((run.status, run.step_count), (RunStatus::Succeeded, 2));
    // Nothing was done twice.
    assert_eq!((world.provider.requests().len(), called.load(Ordering::SeqCst)), (2, 0));
    let messages = world.front.messages(&who(), turn.chat_id()).await.unwrap();
    assert_eq!(messages[1].content, "Looking. 3 degrees.");
}

/// Says that it was called, and never answers.
struct HangOnceCalled(Arc<Notify>);

#[async_trait]
impl ToolHandler for HangOnceCalled {
    async fn call(&self, _: ToolInvocation) -> Result<Json, String> {
        self.0.notify_one();
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_broken_off_is_told_to_the_model_and_the_run_goes_on() {
    let world = World::new(vec![calls("call_a"), calls("call_a"), answer("21 degrees.")]).await;
    let called = Arc::new(Notify::new());
    let first = world.worker(vec![tool(weather_definition(), HangOnceCalled(Arc::clone(&called)))]).await;
    let turn = turn(&first, json!({})).await;
    let live = followed(&world, turn.run_id()).await;
    // The call itself, and not the chunk that announces it.
    called.notified().await;
    first.close(Some(Duration::ZERO)).await.unwrap();

    let (weather, called) = weather();
    let _second = world.worker(vec![weather]).await;
    assert_eq!(live.await.unwrap(), read_to_end(world.log(turn.run_id()).await).await);
    let run = world.run_of(&turn).await;
    assert_eq!((run.status, run.step_count, called.load(Ordering::SeqCst)), (RunStatus::Succeeded, 3, 1));
    let told = world.provider.requests()[1]["messages"].to_string();
    assert!(told.contains("whether it took effect is unknown"), "{told}");
    let parts: Vec<Value> = world.front.messages(&who(), turn.chat_id()).await.unwrap()[1]
        .metadata
        .as_ref()
        .unwrap()
        .read::<Value>()
        .unwrap()["parts"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|part| part["toolCallId"].is_string())
        .cloned()
        .collect();
    let calls: Vec<(&str, &str)> =
        parts.iter().map(|part| (part["toolCallId"].as_str().unwrap(), part["state"].as_str().unwrap())).collect();
    // A call id is used once in a run, whoever drives it.
    assert_eq!(calls, [("call_a", "output-error"), ("call_a_2", "output-available")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_broken_off_is_asked_for_again() {
    let half = Response::stream([text("half an ")]).then(Then::Hang);
    let world = World::new(vec![half, answer("a whole answer")]).await;
    let first = world.worker(Vec::new()).await;
    let turn = turn(&first, json!({"offeredTools": []})).await;
    let live = followed(&world, turn.run_id()).await;
    let mut reader = turn.chunks();
    while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("half")) {}
    first.close(Some(Duration::ZERO)).await.unwrap();
    let _second = world.worker(Vec::new()).await;
    assert_eq!(live.await.unwrap(), read_to_end(world.log(turn.run_id()).await).await);
    let messages = world.front.messages(&who(), turn.chat_id()).await.unwrap();
    assert!(messages[1].content.contains("half an ") && messages[1].content.contains("a whole answer"));
    let requests = world.provider.requests();
    assert_eq!(requests[0]["messages"], requests[1]["messages"], "the model is asked the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_its_chat_with_whoever_offers_its_tools() {
    let half = Response::stream([text("half")]).then(Then::Hang);
    let world = World::new(vec![half, calls("call_a"), answer("done")]).await;
    let busy = world.front.start_turn(request("first", json!({})), Vec::new()).await.unwrap();
    world.provider.until_requests(1).await;
    let more = json!({"chatId": busy.chat_id(), "busy": "enqueue"});
    let waits = turn(&world.front, more).await;
    let (tool_a, called_a) = weather();
    let first = world.worker(vec![tool_a]).await;
    // It has come to the one who is closed before the chat is free, or to nobody: it is the other's in the end.
    first.close(None).await.unwrap();
    let (tool_b, called_b) = weather();
    let _second = world.worker(vec![tool_b]).await;
    busy.stop().await.unwrap();
    let outcome = waits.done().await.unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded);
    assert_eq!((called_a.load(Ordering::SeqCst), called_b.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(world.front.messages(&who(), busy.chat_id()).await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_nobody_has_taken_can_be_stopped() {
    let world = World::new(Vec::new()).await;
    let turn = turn(&world.front, json!({})).await;
    assert!(turn.stop().await.unwrap());
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
    // Nobody takes it now.
    let (weather, called) = weather();
    let worker = world.worker(vec![weather]).await;
    let other = worker.start_turn(request("go", json!({"offeredTools": []})), Vec::new()).await.unwrap();
    other.done().await.unwrap();
    assert_eq!(called.load(Ordering::SeqCst), 0);
    let run = world.run_of(&turn).await;
    assert_eq!(run.status, RunStatus::Aborted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_and_that_nobody_has_taken_can_be_stopped() {
    let world = World::new(vec![Response::stream([text("half")]).then(Then::Hang)]).await;
    let busy = world.front.start_turn(request("first", json!({})), Vec::new()).await.unwrap();
    let waits = turn(&world.front, json!({"chatId": busy.chat_id(), "busy": "enqueue"})).await;
    assert!(waits.stop().await.unwrap());
    let outcome = waits.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
    assert_eq!(world.run_of(&busy).await.status, RunStatus::Running);
    busy.stop().await.unwrap();
}

/// As if the process had slept through its own lease: it is the first to find that nobody drives the run.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_late_takes_nothing_from_itself() {
    let late = if on_postgres() { "'-infinity'" } else { "'2000-01-01T00:00:00.000Z'" };
    // Until its lease has been renewed: nobody else has wanted it, so it is still its owner's.
    let renewed = async |folder: &std::path::Path, table: &str| {
        let lapsed = format!("SELECT COUNT(*) FROM {table} WHERE lease_expires_at = {late}");
        while sql(folder, &lapsed) != "0" {
            tokio::task::yield_now().await;
        }
    };
    // A database of its own, at which nobody else looks.
    let alone = async |script: Vec<Response>| {
        let (world, folder) = (World::new(script).await, tempfile::tempdir().unwrap());
        let worker = open(folder.path(), &world.provider.base_url(), limits()).await;
        worker.offer_tools(Vec::new()).unwrap();
        (world, folder, worker)
    };
    let (world, folder, worker) = alone(vec![Response::stream([text("one")]).then(Then::Hang)]).await;
    let turn = turn(&worker, json!({"offeredTools": []})).await;
    world.provider.until_requests(1).await;
    sql(folder.path(), &format!("UPDATE ai_chat_runs SET lease_expires_at = {late}"));
    renewed(folder.path(), "ai_chat_runs").await;
    assert!(worker.stop_run(&who(), turn.run_id()).await.unwrap());
    assert_eq!(turn.done().await.unwrap().reason, Some(RunReason::Stopped));
    assert_eq!(sql(folder.path(), "SELECT epoch FROM ai_chat_runs"), "1");
    assert_eq!(world.provider.requests().len(), 1);

    // The same for one that waits: it goes on waiting, and is begun once.
    let (busy, waits) = (Response::stream([text("busy")]).then(Then::Hang), answer("at last"));
    let (world, folder, worker) = alone(vec![busy, waits]).await;
    let busy = self::turn(&worker, json!({"offeredTools": []})).await;
    world.provider.until_requests(1).await;
    let more = json!({"offeredTools": [], "chatId": busy.chat_id(), "busy": "enqueue"});
    let waits = self::turn(&worker, more).await;
    sql(folder.path(), &format!("UPDATE ai_chat_run_queue SET lease_expires_at = {late}"));
    renewed(folder.path(), "ai_chat_run_queue").await;
    busy.stop().await.unwrap();
    assert_eq!(waits.done().await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(world.provider.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_driven_anywhere_fails_with_its_reason() {
    let world = World::new(Vec::new()).await;
    let options = json!({"store": store_in(world.folder.path()), "runs": {"leaseMs": LEASE_MS}});
    let unconfigured = Engine::open(turnkeep::EngineOptions::from_json(&options.to_string()).unwrap()).await.unwrap();
    unconfigured.offer_tools(vec![weather().0]).unwrap();
    let turn = turn(&world.front, json!({})).await;
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Failed, Some(RunReason::Internal)));
    let error = unconfigured.start_turn(request("go", json!({})), Vec::new()).await.err().unwrap();
    assert_eq!(error.code(), ErrorCode::AiNotConfigured);
    assert_eq!(outcome.error.as_deref(), Some(error.message()));
}

const RUNS: usize = 12;
const KILLS: usize = 12;
const WORKERS: usize = 3;

/// Workers are killed at any moment, and others started in their places: every run gets to its end, and whoever follows
/// it notices nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn killed_workers_lose_no_run() {
    let world = World::of(six_steps(20)).await;
    let (store, base_url) = (store_in(world.folder.path()), world.provider.base_url());
    let start = || {
        let arguments = [store.as_str(), base_url.as_str(), &LEASE_MS.to_string()].map(str::to_owned);
        Process::start(env!("CARGO_BIN_EXE_worker-child"), arguments).unwrap()
    };
    let mut turns = Vec::new();
    for _ in 0..RUNS {
        let turn = turn(&world.front, json!({"offeredTools": ["weather", "time"]})).await;
        let live = followed(&world, turn.run_id()).await;
        turns.push((turn, live));
    }
    let done = Arc::new(AtomicUsize::new(0));
    let (killing, kills) = (Arc::clone(&done), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&kills);
    let mut workers: Vec<Process> = (0..WORKERS).map(|_| start()).collect();
    let (store, base_url) = (store.clone(), base_url.clone());
    let killer = tokio::task::spawn_blocking(move || {
        let arguments = [store, base_url, LEASE_MS.to_string()];
        let mut number = 0_u64;
        while counted.load(Ordering::SeqCst) < KILLS && killing.load(Ordering::SeqCst) < RUNS {
            number += 1;
            let place = usize::try_from(number).unwrap() % WORKERS;
            // Not a wait for anything: the moment of the kill is meant to be any moment. One in six is not killed but
            // closes in order.
            std::thread::sleep(Duration::from_micros((number * 61_803) % 200_000));
            let fresh = Process::start(env!("CARGO_BIN_EXE_worker-child"), arguments.clone()).unwrap();
            let mut old = std::mem::replace(&mut workers[place], fresh);
            if number.is_multiple_of(6) {
                old.hang_up();
                old.until_ended(Instant::now() + Duration::from_secs(60)).expect("an end");
            } else {
                old.kill();
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
        workers
    });
    for (turn, live) in turns {
        let outcome = turn.done().await.unwrap();
        done.fetch_add(1, Ordering::SeqCst);
        assert_eq!((outcome.status, outcome.reason, outcome.error), (RunStatus::Succeeded, None, None));
        let items = live.await.unwrap();
        assert_eq!(items, read_to_end(world.log(turn.run_id()).await).await);
        let message = &world.front.messages(&who(), turn.chat_id()).await.unwrap()[1];
        assert!(message.content.ends_with("step 5 and on "), "{}", message.content);
        let parts: Value = message.metadata.as_ref().unwrap().read().unwrap();
        for part in parts["parts"].as_array().unwrap().iter().filter(|part| part["toolCallId"].is_string()) {
            assert!(matches!(part["state"].as_str(), Some("output-available" | "output-error")), "{part}");
        }
    }
    drop(killer.await.unwrap());
    let epochs = sql(world.folder.path(), "SELECT SUM(epoch) FROM ai_chat_runs");
    let taken_over = epochs.parse::<usize>().unwrap() - RUNS;
    let kills = kills.load(Ordering::SeqCst);
    let sent = world.provider.requests();
    assert!(sent.iter().all(|request| is_paired(&request["messages"])), "a history with an unanswered call was sent");
    let requests = sent.len();
    eprintln!(
        "workers: store={} runs={RUNS} kills={kills} taken_over={taken_over} requests={requests} (at least {})",
        if on_postgres() { "postgres" } else { "sqlite" },
        RUNS * STEPS
    );
    assert!(kills > WORKERS && taken_over > 0, "the kills came too late to prove anything");
}
