//! What users and workspaces may use, counted for all processes together. Several engines on one store stand for them.

use serde_json::{Value, json};
use turnkeep::model::RunStatus;
use turnkeep::{Engine, Error, ErrorCode};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::scenario::{open, request, sql};
use turnkeep_tests::{Response, Script, ScriptedProvider};

struct World {
    folder: tempfile::TempDir,
    provider: ScriptedProvider,
    limits: Value,
}

impl World {
    async fn new(limits: Value) -> Self {
        let answer = Response::stream([vec![text("hi")], finish("stop", 10, 5)].concat());
        let provider = ScriptedProvider::start(Script { responses: vec![answer; 100], ..Script::default() }).await;
        Self { folder: tempfile::tempdir().unwrap(), provider, limits }
    }

    async fn engine(&self) -> Engine {
        open(self.folder.path(), &self.provider.base_url(), json!({"limits": self.limits})).await
    }
}

/// Begins a turn and waits for its end.
async fn turn(engine: &Engine, more: Value) -> Result<(), Error> {
    let turn = engine.start_turn(request("go", more), Vec::new()).await?;
    assert_eq!(turn.done().await?.status, RunStatus::Succeeded);
    Ok(())
}

fn limited(error: &Error) -> (ErrorCode, Value) {
    let details = error.details();
    let wait = details["retryAfterMs"].as_u64().unwrap();
    assert!(wait > 0 && wait <= details["windowMs"].as_u64().unwrap(), "{details:?}");
    (error.code(), details["limit"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_begins_so_many_turns_wherever() {
    let world = World::new(json!({"userRequests": {"max": 2, "windowMs": 3_600_000}})).await;
    let (one, other) = (world.engine().await, world.engine().await);
    turn(&one, json!({"idempotencyKey": "k"})).await.unwrap();
    // What begins nothing is not counted: a repeated key, a chat of somebody else.
    turn(&other, json!({"idempotencyKey": "k"})).await.unwrap();
    let chat = sql(world.folder.path(), "SELECT id FROM ai_chats");
    turn(&other, json!({"userId": "u2", "chatId": chat})).await.unwrap_err();
    turn(&other, json!({})).await.unwrap();
    for engine in [&one, &other] {
        let refused = turn(engine, json!({})).await.unwrap_err();
        assert_eq!(limited(&refused), (ErrorCode::RateLimited, json!("limits.userRequests")));
    }
    // A host's own loop is a turn, too.
    let hosted = json!({"workspaceId": "w1", "userId": "u1", "message": "go"});
    let refused = one.call("runs.begin", &hosted.to_string()).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::RateLimited);
    // Each user has their own, and each workspace.
    turn(&one, json!({"userId": "u2"})).await.unwrap();
    turn(&one, json!({"workspaceId": "w2"})).await.unwrap();
    // Nothing of what was refused has been written.
    assert_eq!(sql(world.folder.path(), "SELECT COUNT(*) FROM ai_chat_runs"), "4");
    for engine in [one, other] {
        engine.close(None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_begin_no_more_than_there_may_be() {
    let world = World::new(json!({"workspaceRequests": {"max": 7, "windowMs": 3_600_000}})).await;
    let engines = [world.engine().await, world.engine().await];
    let turns = (0..30).map(|number| {
        let engine = engines[number % 2].clone();
        tokio::spawn(async move { turn(&engine, json!({"userId": format!("u{number}")})).await })
    });
    let mut begun = 0;
    for one in turns.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(()) => begun += 1,
            Err(error) => assert_eq!(limited(&error), (ErrorCode::RateLimited, json!("limits.workspaceRequests"))),
        }
    }
    assert_eq!((begun, world.provider.requests().len()), (7, 7));
    for engine in engines {
        engine.close(None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_uses_so_many_tokens() {
    let world = World::new(json!({"workspaceTokens": {"max": 25, "windowMs": 3_600_000}})).await;
    let (one, other) = (world.engine().await, world.engine().await);
    let counted =
        || sql(world.folder.path(), "SELECT COALESCE(SUM(input_tokens + output_tokens), 0) FROM turnkeep_usage");
    turn(&one, json!({})).await.unwrap();
    while counted() != "15" {
        tokio::task::yield_now().await;
    }
    // One that a host drives counts as well; nothing was reported for it, so that its text is estimated.
    let begun = json!({"workspaceId": "w1", "userId": "u1", "message": "go"}).to_string();
    let run: Value = serde_json::from_str(&other.call("runs.begin", &begun).await.unwrap()).unwrap();
    let of = |more: Value| {
        let mut params = json!({"workspaceId": "w1", "userId": "u1", "runId": run["runId"]});
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        params.to_string()
    };
    other.call("runs.recordStep", &of(json!({"step": {"text": "x".repeat(36)}}))).await.unwrap();
    other.call("runs.finish", &of(json!({"status": "succeeded"}))).await.unwrap();
    while counted() != "27" {
        tokio::task::yield_now().await;
    }
    for engine in [&one, &other] {
        let refused = turn(engine, json!({})).await.unwrap_err();
        assert_eq!(limited(&refused), (ErrorCode::BudgetExhausted, json!("limits.workspaceTokens")));
    }
    turn(&one, json!({"workspaceId": "w2"})).await.unwrap();
    for engine in [one, other] {
        engine.close(None).await.unwrap();
    }
}
