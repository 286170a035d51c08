//! Rows are data from outside: one that cannot be read costs its own run and nothing else.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use turnkeep::model::{MessageStatus, Run, RunReason, RunStatus};
use turnkeep::{ChatId, Engine, HostedRequest, HostedRun};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::scenario::{on_postgres, open, request, sql, who};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

const LEASE: Duration = Duration::from_secs(1);

async fn engine(folder: &Path, base_url: &str) -> Engine {
    open(folder, base_url, json!({"runs": {"leaseMs": LEASE.as_millis()}})).await
}

async fn begun(engine: &Engine) -> HostedRun {
    let request = json!({"workspaceId": "w1", "userId": "u1", "message": "hello"});
    engine.begin_run(serde_json::from_value::<HostedRequest>(request).unwrap()).await.unwrap()
}

/// Makes the run one that a process which is gone has left behind.
fn left_behind(folder: &Path, run: &HostedRun) {
    let ago = if on_postgres() { "2020-01-01Z" } else { "2020-01-01T00:00:00.000Z" };
    let active = "status = 'running', reason = NULL, finished_at = NULL, owner = 'dead/0'";
    sql(folder, &format!("UPDATE ai_chat_runs SET {active}, lease_expires_at = '{ago}' WHERE id = '{}'", run.run_id));
    sql(folder, &format!("UPDATE ai_chat_messages SET status = 'streaming' WHERE id = '{}'", run.message_id));
}

/// Sweeps until these runs have ended. An engine that was late itself waits for a lease before it judges others.
async fn sweep_all(engine: &Engine, left: &[HostedRun]) {
    for of in left {
        while run(engine, of).await.status.is_active() {
            engine.sweep().await.unwrap();
        }
    }
}

async fn run(engine: &Engine, run: &HostedRun) -> Run {
    engine.run(&who(), run.run_id).await.unwrap()
}

/// Two runs of a process that is gone, one of which has `damage` done to its rows. Opening depends on neither; the sound
/// one is settled as it should be, and both chats are free.
async fn costs_itself_only(damage: impl Fn(&HostedRun) -> Vec<String>, expected: (RunStatus, RunReason)) {
    let folder = tempfile::tempdir().unwrap();
    let first = engine(folder.path(), "http://127.0.0.1:9/v1").await;
    let (damaged, sound) = (begun(&first).await, begun(&first).await);
    let step = json!({"text": "said", "finishReason": "stop"});
    first.record_step(&who(), damaged.run_id, serde_json::from_value(step).unwrap()).await.unwrap();
    first.close(Some(Duration::ZERO)).await.unwrap();
    for run in [&damaged, &sound] {
        left_behind(folder.path(), run);
    }
    for statement in damage(&damaged) {
        sql(folder.path(), &statement);
    }
    let next = engine(folder.path(), "http://127.0.0.1:9/v1").await;
    let left = [damaged, sound];
    sweep_all(&next, &left).await;
    let [damaged, sound] = left;
    let of_sound = run(&next, &sound).await;
    assert_eq!((of_sound.status, of_sound.reason), (RunStatus::Aborted, Some(RunReason::WorkerLost)));
    let of_damaged = run(&next, &damaged).await;
    assert_eq!((of_damaged.status, of_damaged.reason), (expected.0, Some(expected.1)));
    for run in [damaged, sound] {
        let again = json!({"workspaceId": "w1", "userId": "u1", "chatId": run.chat_id, "message": "again"});
        let again = next.begin_run(serde_json::from_value(again).unwrap()).await.unwrap();
        assert_eq!(next.messages(&who(), run.chat_id).await.unwrap().len(), 4);
        assert_eq!(next.runs(&who(), run.chat_id, 9).await.unwrap()[0].id, again.run_id);
    }
    assert_eq!(next.sweep().await.unwrap(), 0);
    next.close(Some(Duration::ZERO)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_cannot_be_read_costs_its_run() {
    let broken = |run: &HostedRun| {
        vec![format!("UPDATE ai_chat_run_steps SET parts = '[{{\"type\":' WHERE run_id = '{}'", run.run_id)]
    };
    costs_itself_only(broken, (RunStatus::Failed, RunReason::Internal)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_another_version_cost_nothing() {
    let unknown = |run: &HostedRun| {
        vec![
            format!("UPDATE ai_chat_runs SET trigger = 'webhook' WHERE id = '{}'", run.run_id),
            format!("UPDATE ai_chat_run_steps SET finish_reason = 'tool_use' WHERE run_id = '{}'", run.run_id),
        ]
    };
    costs_itself_only(unknown, (RunStatus::Aborted, RunReason::WorkerLost)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_cannot_be_read_cost_nothing() {
    let broken =
        |run: &HostedRun| vec![format!("UPDATE ai_chat_run_steps SET usage = 'many' WHERE run_id = '{}'", run.run_id)];
    costs_itself_only(broken, (RunStatus::Aborted, RunReason::WorkerLost)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_that_is_not_known_is_shown_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), "http://127.0.0.1:9/v1").await;
    let run = begun(&engine).await;
    sql(folder.path(), &format!("UPDATE ai_chat_runs SET trigger = 'webhook' WHERE id = '{}'", run.run_id));
    sql(folder.path(), &format!("UPDATE ai_chat_messages SET status = 'paused' WHERE id = '{}'", run.message_id));
    let shown = serde_json::to_value(engine.run(&who(), run.run_id).await.unwrap()).unwrap();
    assert_eq!(shown["trigger"], "webhook");
    let messages = serde_json::to_value(engine.messages(&who(), run.chat_id).await.unwrap()).unwrap();
    assert_eq!(messages[1]["status"], "paused");
    engine.close(Some(Duration::ZERO)).await.unwrap();
    assert_eq!(sql(folder.path(), "SELECT trigger FROM ai_chat_runs"), "webhook", "and not written over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_another_version_ends_the_run_for_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let hangs = Response { then: Then::Hang, ..Response::stream(vec![text("half")]) };
    let provider = ScriptedProvider::start(Script { responses: vec![hangs], repeat: true, by_step: false }).await;
    let engine = engine(folder.path(), &provider.base_url()).await;
    let turn = engine.start_turn(request("go", json!({})), Vec::new()).await.unwrap();
    let asked = if on_postgres() { "now()" } else { "'2026-07-01T00:00:00.000Z'" };
    let stop = format!("stop_requested_at = {asked}, stop_reason = 'spent'");
    sql(folder.path(), &format!("UPDATE ai_chat_runs SET {stop} WHERE id = '{}'", turn.run_id()));
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::read("spent"))));
    // And where a sweep settles in the owner's place.
    let left = begun(&engine).await;
    engine.close(Some(Duration::ZERO)).await.unwrap();
    left_behind(folder.path(), &left);
    sql(folder.path(), &format!("UPDATE ai_chat_runs SET {stop} WHERE id = '{}'", left.run_id));
    let next = self::engine(folder.path(), &provider.base_url()).await;
    next.sweep().await.unwrap();
    assert_eq!(run(&next, &left).await.reason, Some(RunReason::read("spent")));
    next.close(Some(Duration::ZERO)).await.unwrap();
}

/// Rows that only a file can hold: a server's columns have types.
#[tokio::test(flavor = "multi_thread")]
async fn a_chat_whose_messages_are_damaged_goes_on() {
    if on_postgres() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let answer = Response::stream([vec![text("ok")], finish("stop", 1, 1)].concat());
    let provider = ScriptedProvider::start(Script { responses: vec![answer], repeat: true, by_step: false }).await;
    let engine = engine(folder.path(), &provider.base_url()).await;
    let chat = ChatId::generate();
    let turn = async |message: &str| {
        let turn = engine.start_turn(request(message, json!({"chatId": chat})), Vec::new()).await.unwrap();
        assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    };
    turn("one").await;
    sql(
        folder.path(),
        "UPDATE ai_chat_messages SET metadata = '{\"parts\":[', created_at = 'yesterday' WHERE role = 'user'",
    );
    turn("two").await;
    let messages = engine.messages(&who(), chat).await.unwrap();
    let contents: Vec<&str> = messages.iter().map(|message| message.content.as_str()).collect();
    assert_eq!(contents.len(), 4);
    assert!(contents.contains(&"one") && contents.contains(&"two"));
    engine.close(None).await.unwrap();
}

/// What a host's older code has left: no run shows in it, and nobody will write it.
#[tokio::test(flavor = "multi_thread")]
async fn messages_that_nobody_writes_are_ended() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path(), "http://127.0.0.1:9/v1").await;
    let (live, stray) = (begun(&engine).await, begun(&engine).await);
    let ago = if on_postgres() { "2020-01-01Z" } else { "2020-01-01T00:00:00.000Z" };
    sql(folder.path(), &format!("DELETE FROM ai_chat_runs WHERE id = '{}'", stray.run_id));
    sql(folder.path(), &format!("UPDATE ai_chat_messages SET updated_at = '{ago}' WHERE role = 'assistant'"));
    engine.sweep().await.unwrap();
    let status = async |chat| engine.messages(&who(), chat).await.unwrap()[1].status;
    assert_eq!(status(stray.chat_id).await, Some(MessageStatus::Aborted));
    assert_eq!(status(live.chat_id).await, Some(MessageStatus::Streaming));
    engine.close(Some(Duration::ZERO)).await.unwrap();
}

/// Many that are left at once are no reason for anybody to wait, or to lose a lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_costs_the_living_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = engine(folder.path(), "http://127.0.0.1:9/v1").await;
    let live = begun(&first).await;
    let second = engine(folder.path(), "http://127.0.0.1:9/v1").await;
    let mut left = Vec::new();
    for _ in 0..150 {
        left.push(begun(&second).await);
    }
    second.close(Some(Duration::ZERO)).await.unwrap();
    for run in &left {
        left_behind(folder.path(), run);
    }
    let third = engine(folder.path(), "http://127.0.0.1:9/v1").await;
    sweep_all(&third, &left).await;
    for of in &left {
        assert_eq!(run(&third, of).await.reason, Some(RunReason::WorkerLost));
    }
    assert_eq!(run(&third, &live).await.status, RunStatus::Running);
    assert_eq!(sql(folder.path(), &format!("SELECT epoch FROM ai_chat_runs WHERE id = '{}'", live.run_id)), "1");
    first.close(Some(Duration::ZERO)).await.unwrap();
    third.close(None).await.unwrap();
}
