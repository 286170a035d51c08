//! What only a server can do to its clients, and clients on several machines to each other. Several engines on one
//! database stand for machines.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_postgres::NoTls;
use turnkeep::model::{RunReason, RunStatus};
use turnkeep::store::{NotificationState, pending_migrations};
use turnkeep::{Engine, ErrorCode, RunTail, TailFrom, Turn};
use turnkeep_test_postgres::{Cluster, Pooler, query};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::processes::Process;
use turnkeep_tests::scenario::{options, request, weather_and_time, who};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

/// So seldom that only a notification can be in time.
fn hardly_polls() -> Value {
    json!({"runs": {"stopPollMs": 600_000, "tailPollMs": 600_000}})
}

async fn provider(responses: Vec<Response>) -> ScriptedProvider {
    ScriptedProvider::start(Script { responses, ..Script::default() }).await
}

async fn engine(store: &str, provider: &ScriptedProvider, more: Value) -> Engine {
    Engine::open(options(store, &provider.base_url(), more)).await.unwrap()
}

fn answer(words: &str) -> Response {
    Response::stream([vec![text(words)], finish("stop", 10, 5)].concat())
}

fn hangs() -> Response {
    Response::stream([text("half")]).then(Then::Hang)
}

async fn until_live(engine: &Engine) {
    while engine.health().await.notifications.state != NotificationState::Live {
        tokio::task::yield_now().await;
    }
}

async fn until_told(tail: &mut RunTail, words: &str) {
    while !tail.next_batch(1).await.unwrap().iter().any(|item| item.chunk.contains(words)) {}
}

async fn turn(engine: &Engine, more: Value) -> Turn {
    engine.start_turn(request("go", more), weather_and_time()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn engines_hear_each_other_at_once() {
    let (store, provider) = (Cluster::shared().database(), provider(vec![hangs(), answer("next")]).await);
    let a = engine(&store, &provider, hardly_polls()).await;
    let b = engine(&store, &provider, hardly_polls()).await;
    until_live(&a).await;
    until_live(&b).await;
    let running = turn(&a, json!({})).await;
    let mut tail = b.tail(&who(), running.run_id(), TailFrom::Start).await.unwrap();
    until_told(&mut tail, "half").await;
    // It waits on one machine for a run on the other.
    let waits = turn(&b, json!({"chatId": running.chat_id(), "busy": "enqueue"})).await;
    assert!(b.stop_run(&who(), running.run_id()).await.unwrap());
    assert_eq!(running.done().await.unwrap().reason, Some(RunReason::Stopped));
    while !tail.next_batch(9).await.unwrap().is_empty() {}
    assert_eq!(tail.end().unwrap().reason, Some(RunReason::Stopped));
    assert_eq!(waits.done().await.unwrap().status, RunStatus::Succeeded);
    let health = b.health().await;
    assert_eq!((health.store.kind, health.store.ok, health.active_runs), ("postgres", true, 0));
    assert!(health.notifications.sent > 0 && health.notifications.heard > 0);
    let json: Value = serde_json::from_str(&b.call("health", "{}").await.unwrap()).unwrap();
    assert_eq!((&json["store"]["kind"], &json["notifications"]["state"]), (&json!("postgres"), &json!("live")));
}

/// Two hundred times the connection breaks and the client comes back with its cursor, each time to another machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_from_machine_to_machine_misses_nothing() {
    let words = (0..600).map(|number| text(&format!("word{number} ")));
    let streams = Response { chunk_delay_ms: 5, ..Response::stream(words.chain(finish("stop", 1, 1))) };
    let (store, provider) = (Cluster::shared().database(), provider(vec![streams]).await);
    let mut engines = Vec::new();
    for _ in 0..3 {
        engines.push(engine(&store, &provider, json!({})).await);
    }
    let running = turn(&engines[0], json!({})).await;
    let mut received: Vec<turnkeep::TailItem> = Vec::new();
    let mut disconnects = 0;
    loop {
        let from = received.last().map_or(TailFrom::Start, |item| TailFrom::After(item.cursor));
        let machine = &engines[disconnects % 3];
        let mut tail = machine.tail(&who(), running.run_id(), from).await.unwrap();
        let batch = tail.next_batch(1 + disconnects % 5).await.unwrap();
        if batch.is_empty() {
            break;
        }
        received.extend(batch);
        // What was on its way when the connection broke never arrived.
        received.truncate(received.len().saturating_sub(usize::from(disconnects % 7 == 3)));
        disconnects += 1;
    }
    assert!(disconnects >= 200, "{disconnects}");
    running.done().await.unwrap();
    for engine in &engines {
        let mut tail = engine.tail(&who(), running.run_id(), TailFrom::Start).await.unwrap();
        let mut log = Vec::new();
        loop {
            let batch = tail.next_batch(usize::MAX).await.unwrap();
            if batch.is_empty() {
                break;
            }
            log.extend(batch);
        }
        assert_eq!(received, log);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_of_a_dead_machines_run_is_seen_through() {
    let (store, provider) = (Cluster::shared().database(), provider(vec![hangs()]).await);
    let (a, b) = (engine(&store, &provider, json!({})).await, engine(&store, &provider, json!({})).await);
    let running = turn(&a, json!({})).await;
    // From here on it is the run of a machine that gives no sign of life.
    let left = "UPDATE ai_chat_runs SET owner = 'gone', epoch = 2, lease_expires_at = now() + interval '1 s'";
    query(&store, left);
    assert!(b.stop_run(&who(), running.run_id()).await.unwrap());
    // No sweep of theirs is due before their own lease of 15 s is over.
    while b.run(&who(), running.run_id()).await.unwrap().status.is_active() {}
    let run = b.run(&who(), running.run_id()).await.unwrap();
    assert_eq!((run.status, run.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_cut_off_is_noticed_and_replaced() {
    let (store, provider) = (Cluster::shared().database(), provider(vec![hangs()]).await);
    let a = engine(&store, &provider, hardly_polls()).await;
    let b = engine(&store, &provider, hardly_polls()).await;
    until_live(&a).await;
    const CUT: &str = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_ne!(query(&store, CUT), "0");
    while a.health().await.notifications.state == NotificationState::Live {}
    until_live(&a).await;
    until_live(&b).await;
    let running = turn(&a, json!({})).await;
    let mut tail = b.tail(&who(), running.run_id(), TailFrom::Start).await.unwrap();
    until_told(&mut tail, "half").await;
    assert!(b.stop_run(&who(), running.run_id()).await.unwrap());
    assert_eq!(running.done().await.unwrap().reason, Some(RunReason::Stopped));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_pooler_everything_works_by_polling() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let name = database.rsplit('/').next().unwrap();
    let pooler = Pooler::start(cluster, 2);
    let provider = provider(vec![hangs(), answer("next"), hangs()]).await;
    let a = engine(&pooler.url(name), &provider, json!({})).await;
    let b = engine(&pooler.url(name), &provider, json!({})).await;
    let direct = engine(&database, &provider, hardly_polls()).await;
    until_live(&direct).await;
    let running = turn(&a, json!({"idempotencyKey": "k"})).await;
    for other in [&b, &direct] {
        let mut tail = other.tail(&who(), running.run_id(), TailFrom::Start).await.unwrap();
        until_told(&mut tail, "half").await;
    }
    assert!(turn(&b, json!({"idempotencyKey": "k"})).await.is_repeated());
    let waits = turn(&b, json!({"chatId": running.chat_id(), "busy": "enqueue"})).await;
    assert!(b.stop_run(&who(), running.run_id()).await.unwrap());
    assert_eq!(running.done().await.unwrap().reason, Some(RunReason::Stopped));
    assert_eq!(waits.done().await.unwrap().status, RunStatus::Succeeded);
    let superseded = turn(&a, json!({"chatId": running.chat_id()})).await;
    assert!(b.stop_chat(&who(), running.chat_id()).await.unwrap());
    superseded.done().await.unwrap();
    assert_eq!(b.messages(&who(), running.chat_id()).await.unwrap().len(), 6);
    for engine in [a, b] {
        assert_eq!(engine.health().await.notifications.state, NotificationState::Polling);
        engine.close(None).await.unwrap();
    }
}

/// A turn whose second step begins after its tool, which waits to be let go.
async fn held_turn(engine: &Engine) -> (Turn, tokio::sync::oneshot::Sender<()>) {
    struct Held(std::sync::Mutex<Option<tokio::sync::oneshot::Receiver<()>>>);
    #[async_trait::async_trait]
    impl turnkeep::tool::ToolHandler for Held {
        async fn call(&self, _: turnkeep::tool::ToolInvocation) -> Result<turnkeep::model::Json, String> {
            let held = self.0.lock().unwrap().take().unwrap();
            held.await.map_err(|error| error.to_string())?;
            Ok(turnkeep::model::Json::string("done"))
        }
    }
    let (go, held) = tokio::sync::oneshot::channel();
    let definition = serde_json::from_value(json!({"name": "edit", "description": "Edits"})).unwrap();
    let handler = std::sync::Arc::new(Held(std::sync::Mutex::new(Some(held))));
    let tools = vec![turnkeep::tool::Tool { definition, handler }];
    (engine.start_turn(request("go", json!({})), tools).await.unwrap(), go)
}

fn calls_edit() -> Response {
    Response::stream([vec![text("Editing. "), tool_call(0, "c", "edit", "{}")], finish("tool_calls", 1, 1)].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_out_a_server_that_is_away_and_callers_are_told() {
    let cluster = Cluster::start(&[]);
    let provider = provider(vec![calls_edit(), answer("Edited.")]).await;
    let engine = engine(&cluster.database(), &provider, json!({"runs": {"leaseMs": 60_000}})).await;
    let (turn, go) = held_turn(&engine).await;
    provider.until_requests(1).await;
    while engine.run(&who(), turn.run_id()).await.unwrap().step_count == 0
        && engine.messages(&who(), turn.chat_id()).await.unwrap()[1].metadata.is_none()
    {}
    cluster.stop();
    go.send(()).unwrap();
    let refused = engine.messages(&who(), turn.chat_id()).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::StoreUnavailable);
    let refused = engine.start_turn(request("go", json!({})), Vec::new()).await.err().unwrap();
    assert_eq!(refused.code(), ErrorCode::StoreUnavailable);
    let health = engine.health().await;
    assert!(!health.store.ok && health.store.error.is_some());
    assert_eq!(provider.requests().len(), 1, "the model was asked although the step was not on disk");
    cluster.resume();
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.step_count), (RunStatus::Succeeded, 2));
    assert_eq!(engine.messages(&who(), turn.chat_id()).await.unwrap()[1].content, "Editing. Edited.");
    until_live(&engine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_of_the_server_loses_nothing() {
    let cluster = Cluster::start(&[]);
    let provider = provider(vec![calls_edit(), answer("Edited.")]).await;
    let engine = engine(&cluster.database(), &provider, json!({"runs": {"leaseMs": 60_000}})).await;
    let (turn, go) = held_turn(&engine).await;
    provider.until_requests(1).await;
    cluster.crash_and_restart();
    go.send(()).unwrap();
    cluster.crash_and_restart();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(engine.messages(&who(), turn.chat_id()).await.unwrap()[1].content, "Editing. Edited.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_no_connection_left_is_waited_for() {
    let cluster = Cluster::start(&["max_connections=12", "max_wal_senders=0"]);
    let store = cluster.database();
    let provider = provider(vec![answer("hi")]).await;
    let engine = engine(&store, &provider, json!({})).await;
    let (first, connection) = tokio_postgres::connect(&store, NoTls).await.unwrap();
    tokio::spawn(connection);
    // Every place that the engine leaves is taken by somebody else.
    let mut others = Vec::new();
    loop {
        match tokio_postgres::connect(&store, NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                others.push(client);
            }
            Err(_) if others.len() >= 11 => break,
            Err(_) => {
                const CUT: &str = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                                   WHERE application_name = 'turnkeep'";
                first.simple_query(CUT).await.unwrap();
            }
        }
    }
    let refused = engine.start_turn(request("go", json!({})), Vec::new()).await.err().unwrap();
    assert_eq!(refused.code(), ErrorCode::StoreUnavailable);
    assert!(refused.to_string().contains("53300"), "{refused}");
    drop(others);
    let turn = loop {
        match engine.start_turn(request("go", json!({})), Vec::new()).await {
            Ok(turn) => break turn,
            Err(error) => assert_eq!(error.code(), ErrorCode::StoreUnavailable),
        }
    };
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_not_let_go_of_delays_and_a_deadlock_is_tried_again() {
    let store = Cluster::shared().database();
    let provider = provider(vec![calls_edit(), answer("Edited.")]).await;
    let limits = json!({"runs": {"refreshEveryStep": true, "leaseMs": 60_000}});
    let engine = engine(&store, &provider, limits).await;
    let (turn, go) = held_turn(&engine).await;
    provider.until_requests(1).await;
    let (other, connection) = tokio_postgres::connect(&store, NoTls).await.unwrap();
    tokio::spawn(connection);
    // Nobody answers a caller for longer than this takes.
    other.batch_execute("BEGIN; LOCK TABLE ai_chats IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let slow = engine.messages(&who(), turn.chat_id()).await.unwrap_err();
    assert_eq!(slow.code(), ErrorCode::StoreUnavailable);
    other.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(engine.messages(&who(), turn.chat_id()).await.unwrap().len(), 2);
    // The step takes the run, and then the message that somebody else has, who then wants the run.
    other.batch_execute("BEGIN; UPDATE ai_chat_messages SET updated_at = updated_at").await.unwrap();
    go.send(()).unwrap();
    const WAITS: &str =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while query(&store, WAITS) == "0" {}
    let both = other.batch_execute("UPDATE ai_chat_runs SET updated_at = updated_at; COMMIT").await;
    if both.is_err() {
        other.batch_execute("ROLLBACK").await.unwrap();
    }
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.step_count), (RunStatus::Succeeded, 2));
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    while query(&store, deadlocks) == "0" {}
}

/// A heartbeat that meets a run while it begins finds it in neither table, and must not take it for lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_begins_under_a_heartbeat_is_not_lost() {
    let (store, provider) = (Cluster::shared().database(), provider(vec![hangs(), hangs()]).await);
    let engine = engine(&store, &provider, json!({"runs": {"leaseMs": 1500}})).await;
    let first = turn(&engine, json!({})).await;
    let waits = turn(&engine, json!({"chatId": first.chat_id(), "busy": "enqueue"})).await;
    let (begins, connection) = tokio_postgres::connect(&store, NoTls).await.unwrap();
    tokio::spawn(connection);
    // As a beginning does it, in one transaction, as long as it takes until a heartbeat waits for it.
    let moves = format!(
        "BEGIN; UPDATE ai_chat_runs SET status = 'aborted', reason = 'stopped', finished_at = now() WHERE id = '{0}'; \
         INSERT INTO ai_chat_runs (id, chat_id, workspace_id, created_by, trigger, status, assistant_message_id, owner, \
         epoch, lease_expires_at) SELECT id, chat_id, workspace_id, created_by, trigger, 'running', NULL, owner, 1, \
         now() + interval '1 minute' FROM ai_chat_run_queue WHERE id = '{1}'; \
         DELETE FROM ai_chat_run_queue WHERE id = '{1}'",
        first.run_id(),
        waits.run_id()
    );
    begins.batch_execute(&moves).await.unwrap();
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() \
         AND query LIKE '%ai_chat_run_queue%SET lease_expires_at%'";
    while query(&store, waiting) == "0" {
        tokio::task::yield_now().await;
    }
    begins.batch_execute("COMMIT").await.unwrap();
    // Its own attempt to begin finds that it has begun, and it is driven: the provider is asked.
    provider.until_requests(2).await;
    assert_eq!(engine.run(&who(), waits.run_id()).await.unwrap().status, RunStatus::Running);
    engine.close(Some(Duration::ZERO)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_told_without_its_password() {
    let mut texts = Vec::new();
    for store in [
        "postgres://me:s3cret-word@127.0.0.1:1/none",
        "postgresql://me:s3cret-word@127.0.0.1:1/none?sslmode=require",
        "postgres://me:s3cret-word@127.0.0.1:notaport/none",
        "postgres://me:s3cret-word@127.0.0.1:1/none?s3cret-word=1",
        "postgres://me:s3cret-word@127.0.0.1:1/none?sslmode=s3cret-word",
        "postgres://me:s3cret-word@127.0.0.1:1/none?pool_size=s3cret-word",
        "postgres://me:s3cret-word@127.0.0.1:1/none?sslmode=require&sslrootcert=/s3cret-word",
    ] {
        let error = Engine::open(options(store, "http://127.0.0.1:9/v1", json!({}))).await.err().unwrap();
        assert!(matches!(error.code(), ErrorCode::StoreUnavailable | ErrorCode::InvalidInput), "{error}");
        assert_eq!(error.details()["field"], "store");
        let mut source: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = source {
            texts.push(format!("{error} {error:?}"));
            source = error.source();
        }
    }
    assert!(texts.iter().all(|text| !text.contains("s3cret-word")), "{texts:?}");
}

/// How many there are by now.
const MIGRATIONS: i64 = 11;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_migration_would_add_is_told_before_it_is_done() {
    let store = Cluster::shared().database();
    let pending = pending_migrations(&store).await.unwrap();
    assert_eq!(pending.len(), usize::try_from(MIGRATIONS).unwrap());
    assert!(pending.is_sorted_by(|one, next| one.version < next.version) && pending[0].version == 1);
    assert!(pending[0].additions.contains(&"table ai_chat_runs".to_owned()));
    assert_eq!(query(&store, "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"), "0");
    // Many at once make them once.
    let provider = provider(Vec::new()).await;
    let opened = (0..8).map(|_| engine(&store, &provider, json!({})));
    for engine in futures_util::future::join_all(opened).await {
        engine.close(Some(Duration::ZERO)).await.unwrap();
    }
    assert_eq!(pending_migrations(&store).await.unwrap(), []);
    assert_eq!(query(&store, "SELECT COUNT(*) FROM turnkeep_migrations"), MIGRATIONS.to_string());

    // A database of an earlier version.
    query(
        &store,
        "ALTER TABLE ai_chat_runs DROP COLUMN plan; ALTER TABLE ai_chat_run_queue DROP COLUMN plan; \
         ALTER TABLE ai_chat_runs DROP COLUMN failure; DELETE FROM turnkeep_migrations WHERE version >= 2",
    );
    let pending = pending_migrations(&store).await.unwrap();
    assert_eq!(pending.len(), usize::try_from(MIGRATIONS).unwrap() - 1);
    assert_eq!(pending[0].additions, ["column ai_chat_runs.plan", "column ai_chat_run_queue.plan"]);
    assert!(pending[1].additions.contains(&"column ai_chat_runs.failure".to_owned()));
    engine(&store, &provider, json!({})).await.close(None).await.unwrap();
    assert_eq!(pending_migrations(&store).await.unwrap(), []);
}

/// Some ten thousand levels are what the server's own reader of JSON has room for.
#[tokio::test(flavor = "multi_thread")]
async fn values_that_the_server_cannot_read_end_no_run() {
    let deep = format!("{}{}", "[".repeat(50_000), "]".repeat(50_000));
    let call = tool_call(0, "c", "edit", &format!("{{\"x\":{deep}}}"));
    let head = vec![text("Editing. "), call];
    let provider =
        provider(vec![Response::stream([head, finish("tool_calls", 1, 1)].concat()), answer("Edited.")]).await;
    let engine = engine(&Cluster::shared().database(), &provider, json!({})).await;
    let (turn, go) = held_turn(&engine).await;
    go.send(()).unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(engine.messages(&who(), turn.chat_id()).await.unwrap()[1].content, "Editing. Edited.");
    let mut tail = engine.tail(&who(), turn.run_id(), TailFrom::Start).await.unwrap();
    until_told(&mut tail, &deep).await;
    let parts = format!(
        "{{\"role\":\"user\",\"parts\":[{{\"type\":\"text\",\"text\":\"x\"}},{{\"type\":\"data-x\",\"data\":{deep}}}]}}"
    );
    let json = format!("{{\"workspaceId\":\"w1\",\"userId\":\"u1\",\"message\":{parts}}}");
    let refused = match turnkeep::TurnRequest::from_json(&json) {
        Ok(request) => engine.start_turn(request, Vec::new()).await.err().unwrap(),
        Err(error) => error,
    };
    assert_eq!(refused.code(), ErrorCode::InvalidInput);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_checked_where_the_url_says_so() {
    let cluster = Cluster::start(&["ssl=on"]);
    let roots = cluster.folder().join("certificate.pem");
    let roots = format!("sslrootcert={}", roots.display());
    for (host, parameters, opens) in [
        ("127.0.0.1", String::new(), true),
        ("127.0.0.1", "sslmode=disable".to_owned(), true),
        ("127.0.0.1", "sslmode=no-verify".to_owned(), true),
        ("localhost", "sslmode=require".to_owned(), false),
        ("localhost", format!("sslmode=require&{roots}"), true),
        ("localhost", format!("sslmode=verify-full&{roots}"), true),
        ("127.0.0.1", format!("sslmode=require&{roots}"), false),
    ] {
        let url = cluster.database().replace("127.0.0.1", host);
        let opened = Engine::open(options(&format!("{url}?{parameters}"), "http://127.0.0.1:9/v1", json!({}))).await;
        assert_eq!(opened.is_ok(), opens, "{host} {parameters}");
        if opens {
            let encrypted = "SELECT COUNT(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                             WHERE datname = current_database() AND application_name = 'turnkeep' AND ssl";
            let plain = url.replace("localhost", "127.0.0.1");
            assert_eq!(query(&plain, encrypted) == "0", parameters == "sslmode=disable", "{parameters}");
        }
    }
    // A server without TLS is refused by those who insist on it.
    let plain = format!("{}?sslmode=require", Cluster::shared().database());
    assert!(Engine::open(options(&plain, "http://127.0.0.1:9/v1", json!({}))).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_may_be_in_a_schema_of_their_own() {
    let store = Cluster::shared().database();
    query(&store, "CREATE SCHEMA agents");
    let provider = provider(vec![answer("hi")]).await;
    let engine = engine(&format!("{store}?schema=agents&pool_size=2"), &provider, json!({})).await;
    assert_eq!(turn(&engine, json!({})).await.done().await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(query(&store, "SELECT COUNT(*) FROM agents.ai_chat_runs"), "1");
}

/// After a failover the old server, if it is there, takes no writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_left() {
    let store = Cluster::shared().database();
    let provider = provider(vec![answer("hi")]).await;
    let engine = engine(&store, &provider, json!({})).await;
    let name = store.rsplit('/').next().unwrap();
    query(&store, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on"));
    const CUT: &str = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE datname = current_database() AND pid <> pg_backend_pid()";
    query(&store, CUT);
    let refused = engine.start_turn(request("go", json!({})), Vec::new()).await.err().unwrap();
    assert_eq!(refused.code(), ErrorCode::StoreUnavailable);
    let back = format!("BEGIN READ WRITE; ALTER DATABASE {name} SET default_transaction_read_only = off; COMMIT");
    query(&store, &back);
    assert_eq!(turn(&engine, json!({})).await.done().await.unwrap().status, RunStatus::Succeeded);
}

/// A process that is killed in the middle of a turn: the same instance settles it when it comes back, long before the
/// lease has run out. Others wait for that.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_has_left_is_free_when_it_comes_back() {
    let (store, provider) = (Cluster::shared().database(), provider(vec![hangs(), hangs()]).await);
    let chat_id = turnkeep::ChatId::generate();
    let arguments = [store.as_str(), &provider.base_url(), &chat_id.to_string(), "web-1"].map(str::to_owned);
    let mut child = Process::start(env!("CARGO_BIN_EXE_turn-child"), arguments).unwrap();
    let line = child.next_line(Instant::now() + Duration::from_secs(60)).unwrap().text;
    let run_id: turnkeep::RunId = line.strip_prefix("run ").unwrap().parse().unwrap();
    let status = async |engine: &Engine| engine.run(&who(), run_id).await.unwrap().status;
    const HELD: &str = "SELECT COUNT(*) FROM pg_locks JOIN pg_database ON oid = database \
         WHERE locktype = 'advisory' AND classid = 1953854062 AND datname = current_database()";
    while query(&store, HELD) != "1" {}
    // The same name twice, which should not be, does no harm to one that lives.
    let twin = engine(&store, &provider, json!({"instanceId": "web-1"})).await;
    assert_eq!(status(&twin).await, RunStatus::Running);
    twin.close(None).await.unwrap();

    child.kill();
    while query(&store, HELD) != "0" {}
    for named in [json!({"instanceId": "web-2"}), json!({"instanceId": "web"}), json!({})] {
        let other = engine(&store, &provider, named).await;
        assert_eq!(status(&other).await, RunStatus::Running);
        other.close(None).await.unwrap();
    }
    let again = engine(&store, &provider, json!({"instanceId": "web-1"})).await;
    assert_eq!(status(&again).await, RunStatus::Aborted);
    turn(&again, json!({"chatId": chat_id})).await.stop().await.unwrap();
}
