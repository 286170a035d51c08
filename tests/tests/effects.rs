//! Tools with effects, and those that are idempotent. `make effects` kills more.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use turnkeep::model::{Json, RunStatus};
use turnkeep::tool::{Tool, ToolHandler, ToolInvocation};
use turnkeep::{Engine, Turn};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::counting;
use turnkeep_tests::scenario::{all_chunks, on_postgres, open, request, sql, store_in, tool};
use turnkeep_tests::{Response, Script, ScriptedProvider};

#[test]
fn whatever_is_killed_and_frozen_what_was_counted_is_what_was_told() {
    let store = format!("store={}", if on_postgres() { "postgres" } else { "sqlite" });
    let output = Command::new(env!("CARGO_BIN_EXE_effects")).args(["kills=20", "freezes=2", &store]).output().unwrap();
    let (said, violations) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{violations}{said}");
    assert!(output.status.success(), "{violations}");
    let last = said.lines().last().unwrap();
    assert!(last.starts_with("effects: kills=20 freezes=2 done=") && last.ends_with("violations=0"), "{last}");
    assert!(last.contains(" unknown=0 "), "{last}");
}

/// How a call of the tool goes.
#[derive(Clone, Copy)]
enum Way {
    /// It counts, and comes back when it is let.
    CountsFirst,
    /// It counts when it is let, and comes back.
    CountsLast,
    /// It counts and fails.
    Fails,
}

/// `count`, whose calls are let go on one by one.
#[derive(Clone)]
struct Counter {
    store: String,
    way: Way,
    called: Arc<Semaphore>,
    let_go: Arc<Semaphore>,
    seen: Arc<Mutex<Vec<ToolInvocation>>>,
    counted: Arc<AtomicUsize>,
}

#[async_trait]
impl ToolHandler for Counter {
    async fn call(&self, call: ToolInvocation) -> Result<Json, String> {
        self.seen.lock().unwrap().push(call.clone());
        let this = self.clone();
        // As code in another language, it goes on when nobody waits for it any more.
        let task = tokio::spawn(async move { this.run(call).await });
        task.await.map_err(|error| error.to_string())?
    }
}

impl Counter {
    async fn run(&self, call: ToolInvocation) -> Result<Json, String> {
        let output = Json::parse(r#"{"n":1}"#).unwrap();
        self.called.add_permits(1);
        if matches!(self.way, Way::CountsLast) {
            self.let_go.acquire().await.unwrap().forget();
        }
        let counted = counting::count(&self.store, &call, &output, async || {}).await;
        self.counted.fetch_add(1, Ordering::SeqCst);
        counted?;
        match self.way {
            Way::Fails => return Err("after it had counted".to_owned()),
            Way::CountsFirst => self.let_go.acquire().await.unwrap().forget(),
            Way::CountsLast => {}
        }
        Ok(output)
    }

    fn tool(&self, more: Value) -> Tool {
        let mut definition = json!({"name": "count"});
        more.as_object().unwrap().iter().for_each(|(key, value)| definition[key] = value.clone());
        tool(definition, self.clone())
    }

    async fn until_called(&self) {
        self.called.acquire().await.unwrap().forget();
    }

    /// Waits until so many transactions have come to an end, whatever it was.
    async fn until_tried(&self, times: usize) {
        while self.counted.load(Ordering::SeqCst) < times {
            tokio::task::yield_now().await;
        }
    }
}

struct World {
    folder: tempfile::TempDir,
    provider: ScriptedProvider,
    engine: Engine,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let calls = [vec![tool_call(0, "call_1", "count", r#"{"a":"k"}"#)], finish("tool_calls", 5, 5)].concat();
        let answer = [vec![text("counted")], finish("stop", 5, 5)].concat();
        let responses = vec![Response::stream(calls), Response::stream(answer)];
        let provider = ScriptedProvider::start(Script { responses, repeat: false, by_step: true }).await;
        let engine = open(folder.path(), &provider.base_url(), limits()).await;
        counting::prepare(&store_in(folder.path())).unwrap();
        Self { folder, provider, engine }
    }

    fn counter(&self, way: Way) -> Counter {
        Counter {
            store: store_in(self.folder.path()),
            way,
            called: Arc::new(Semaphore::new(0)),
            let_go: Arc::new(Semaphore::new(0)),
            seen: Arc::default(),
            counted: Arc::default(),
        }
    }

    async fn turn(&self, tools: Vec<Tool>) -> Turn {
        self.engine.start_turn(request("count", json!({})), tools).await.unwrap()
    }

    fn count(&self) -> String {
        sql(self.folder.path(), "SELECT COUNT(*) FROM counted")
    }
}

fn limits() -> Value {
    json!({"runs": {"leaseMs": 300}})
}

/// What readers are told of the call's outcome.
async fn outcome(turn: &Turn) -> Value {
    let chunks = all_chunks(turn).await;
    chunks.into_iter().find(|chunk| chunk["type"].as_str().is_some_and(|kind| kind.starts_with("tool-output"))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_fails_after_it_has_counted_is_told_to_have_counted() {
    let world = World::new().await;
    let turn = world.turn(vec![world.counter(Way::Fails).tool(json!({"effects": true}))]).await;
    assert_eq!(outcome(&turn).await["output"], json!({"n": 1}));
    assert_eq!((turn.done().await.unwrap().status, world.count().as_str()), (RunStatus::Succeeded, "1"));
    // One that says nothing of itself has failed, for all that is known.
    let turn = world.turn(vec![world.counter(Way::Fails).tool(json!({}))]).await;
    assert_eq!(outcome(&turn).await["errorText"], "after it had counted");
    assert_eq!(world.count(), "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_its_time_or_after_a_stop_does_not_count() {
    let world = World::new().await;
    for stops in [false, true] {
        let counter = world.counter(Way::CountsLast);
        let timeout = if stops { 60_000 } else { 20 };
        let turn = world.turn(vec![counter.tool(json!({"effects": true, "timeoutMs": timeout}))]).await;
        counter.until_called().await;
        if stops {
            assert!(turn.stop().await.unwrap());
        }
        let told = outcome(&turn).await["errorText"].as_str().unwrap().to_owned();
        assert!(told.contains(if stops { "has not taken effect" } else { "timed out" }), "{told}");
        turn.done().await.unwrap();
        counter.let_go.add_permits(1);
        counter.until_tried(1).await;
        assert_eq!(world.count(), "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_finds_out_that_a_tool_has_counted() {
    let world = World::new().await;
    let counter = world.counter(Way::CountsFirst);
    let turn = world.turn(vec![counter.tool(json!({"effects": true}))]).await;
    counter.until_tried(1).await;
    assert!(turn.stop().await.unwrap());
    assert_eq!(outcome(&turn).await["output"], json!({"n": 1}));
    assert_eq!((turn.done().await.unwrap().status, world.count().as_str()), (RunStatus::Aborted, "1"));
}

/// An engine that is closed gives the run up within the call; the next one goes on within the step.
async fn handed_over(world: &World, way: Way, definition: Value) -> (Value, Vec<ToolInvocation>) {
    let first = world.counter(way);
    let other = open(world.folder.path(), &world.provider.base_url(), limits()).await;
    other.offer_tools(vec![first.tool(definition.clone())]).unwrap();
    let turn = world.engine.start_turn(request("count", json!({"offeredTools": ["count"]})), Vec::new()).await.unwrap();
    match way {
        Way::CountsFirst => first.until_tried(1).await,
        _ => first.until_called().await,
    }
    other.close(Some(Duration::ZERO)).await.unwrap();
    let second = world.counter(Way::CountsFirst);
    second.let_go.add_permits(1);
    let next = open(world.folder.path(), &world.provider.base_url(), limits()).await;
    next.offer_tools(vec![second.tool(definition)]).unwrap();
    let told = outcome(&turn).await;
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    // The first one goes on now, if it has not been counted.
    first.let_go.add_permits(1);
    first.until_tried(1).await;
    next.close(None).await.unwrap();
    let seen = [first, second].iter().flat_map(|counter| counter.seen.lock().unwrap().clone()).collect();
    (told, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_on_takes_what_was_counted_and_makes_again_what_was_not() {
    let world = World::new().await;
    let (told, seen) = handed_over(&world, Way::CountsFirst, json!({"effects": true})).await;
    assert_eq!((&told["output"], seen.len(), world.count().as_str()), (&json!({"n": 1}), 1, "1"));
    let (told, seen) = handed_over(&world, Way::CountsLast, json!({"effects": true})).await;
    assert_eq!((&told["output"], seen.len(), world.count().as_str()), (&json!({"n": 1}), 2, "2"));
    assert_eq!(seen[0].effect, seen[1].effect);
    assert!(seen[0].effect.is_some() && seen[0].idempotency_key.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotent_tool_is_called_again_with_the_same_key() {
    let world = World::new().await;
    for (declared, key) in [(json!(true), None), (json!({"key": "a"}), Some("k"))] {
        let (told, seen) = handed_over(&world, Way::CountsLast, json!({"idempotent": declared})).await;
        assert_eq!((&told["output"], seen.len()), (&json!({"n": 1}), 2));
        let keys: Vec<_> = seen.iter().map(|call| call.idempotency_key.clone().unwrap()).collect();
        assert_eq!(keys[0], keys[1]);
        assert!(key.is_none_or(|key| keys[0] == key) && seen[0].effect.is_none());
    }
    // One that says nothing of itself is not made again, and the model is told that nobody knows.
    let (told, seen) = handed_over(&world, Way::CountsLast, json!({})).await;
    assert_eq!(seen.len(), 1);
    assert!(told["errorText"].as_str().unwrap().contains("unknown"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_says_of_calls_that_are_made_again_is_checked() {
    let world = World::new().await;
    for (more, field) in [
        (json!({"effects": true, "idempotent": true}), "tools[0].idempotent"),
        (json!({"effects": true, "readOnly": true}), "tools[0].effects"),
        (json!({"idempotent": true, "readOnly": true}), "tools[0].idempotent"),
        (json!({"idempotent": {"key": ""}}), "tools[0].idempotent.key"),
        (json!({"effects": true, "clientSide": true}), "tools[0].effects"),
    ] {
        let tools = vec![world.counter(Way::Fails).tool(more.clone())];
        let error = world.engine.offer_tools(tools).unwrap_err();
        assert_eq!(error.details()["field"], field, "{more}");
    }
}
