//! What a workspace has switched off, who may look into its settings, and settings that come with a question.

use serde_json::{Value, json};
use turnkeep::model::RunStatus;
use turnkeep::{Engine, Error, ErrorCode};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::fault::{Act, Acts, FaultServer, body, head};
use turnkeep_tests::leaks::{assert_no_key_was_shown, watch_logs};
use turnkeep_tests::scenario::{on_postgres, open, request, sql};
use turnkeep_tests::{Response, Script, ScriptedProvider, table};

const TABLE: &str = include_str!("../settings.json");
/// One of those that are looked for in everything that is left behind.
const KEY: &str = "sk-stored-key-0123456789";

async fn ask(engine: &Engine, operation: &str, params: Value) -> Result<Value, Error> {
    engine.call(operation, &params.to_string()).await.map(|answer| serde_json::from_str(&answer).unwrap())
}

/// Switches features of the workspace; what is on then.
async fn switch(engine: &Engine, features: Value) -> Value {
    let actor = json!({"userId": "a1", "isAdmin": true});
    let change = json!({"workspaceId": "w1", "actor": actor, "settings": {"features": features}});
    ask(engine, "settings.update", change).await.unwrap()["features"].clone()
}

async fn begin(engine: &Engine, more: Value) -> Result<RunStatus, Error> {
    let turn = engine.start_turn(request("hello", more), Vec::new()).await?;
    Ok(turn.done().await.unwrap().status)
}

/// That it was refused because of this feature, and what else the refusal names.
fn off<T>(refused: Result<T, Error>, feature: &str) -> Value {
    let error = refused.err().expect("a refusal");
    assert_eq!((error.code(), &error.details()["feature"]), (ErrorCode::Forbidden, &json!(feature)), "{error}");
    error.details().get("field").cloned().unwrap_or_default()
}

async fn title(engine: &Engine) -> Result<Value, Error> {
    ask(engine, "generateTitle", json!({"workspaceId": "w1", "content": "Fish live in water."})).await
}

async fn transcript(engine: &Engine) -> Result<Value, Error> {
    ask(engine, "transcribe", json!({"workspaceId": "w1", "audio": "UklGRg==", "mime": "audio/wav"})).await
}

async fn provider() -> ScriptedProvider {
    let answer = Response::stream([vec![text("Fish")], finish("stop", 10, 5)].concat());
    ScriptedProvider::start(Script { responses: vec![answer], repeat: true, ..Script::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = serde_json::from_str::<Value>(TABLE).unwrap()["options"].clone();
    options["providers"] = json!({});
    let engine = open(folder.path(), "http://127.0.0.1:1", options).await;
    let (played, wrong) = table::play(&engine, TABLE).await;
    assert!(played > 40 && wrong.is_empty(), "{} of {played}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_off_is_refused_before_anything_is_written_or_sent() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider().await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let rows =
        || ["ai_chats", "ai_chat_runs"].map(|table| sql(folder.path(), &format!("SELECT COUNT(*) FROM {table}")));
    assert_eq!(begin(&engine, json!({})).await.unwrap(), RunStatus::Succeeded, "what was never switched is on");
    let (written, sent) = (rows(), provider.requests().len());

    switch(&engine, json!({"chat": false})).await;
    for more in [json!({}), json!({"detached": false}), json!({"offeredTools": ["weather"]})] {
        off(begin(&engine, more).await, "chat");
    }
    off(title(&engine).await, "chat");
    let hosted = json!({"workspaceId": "w1", "userId": "u1", "message": "x", "trigger": "user"});
    off(ask(&engine, "runs.begin", hosted.clone()).await, "chat");
    assert_eq!(transcript(&engine).await.unwrap_err().code(), ErrorCode::SttNotConfigured, "that is another feature");
    assert_eq!((rows(), provider.requests().len()), (written, sent));
    // Another workspace has features of its own.
    assert!(begin(&engine, json!({"workspaceId": "w2"})).await.is_ok());

    switch(&engine, json!({"chat": true, "dictation": false})).await;
    off(transcript(&engine).await, "dictation");
    assert_eq!(title(&engine).await.unwrap(), json!("Fish"));

    switch(&engine, json!({"autonomousRuns": false})).await;
    assert_eq!(off(begin(&engine, json!({})).await, "autonomousRuns"), json!("detached"));
    for trigger in ["schedule", "api", "continue"] {
        let more = json!({"trigger": trigger, "detached": false});
        assert_eq!(off(begin(&engine, more).await, "autonomousRuns"), json!("trigger"), "{trigger}");
    }
    for trigger in ["user", "autostart", "submit-message"] {
        let more = json!({"trigger": trigger, "detached": false});
        assert_eq!(begin(&engine, more).await.unwrap(), RunStatus::Succeeded, "{trigger}");
    }
    assert!(ask(&engine, "runs.begin", hosted).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_turn_follows_what_was_begun_before() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider().await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let keyed = json!({"idempotencyKey": "k"});
    begin(&engine, keyed.clone()).await.unwrap();
    switch(&engine, json!({"chat": false})).await;
    assert_eq!(begin(&engine, keyed).await.unwrap(), RunStatus::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_choose_what_off_means() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider().await);
    let opened = async |features: &str| open(folder.path(), &provider.base_url(), json!({"features": features})).await;
    let strict = opened("strict").await;
    let shown = ask(&strict, "settings.get", json!({"workspaceId": "w1"})).await.unwrap();
    assert_eq!(shown["features"], json!({"chat": false, "autonomousRuns": false, "dictation": false}));
    off(begin(&strict, json!({})).await, "chat");
    off(transcript(&strict).await, "dictation");
    assert_eq!(switch(&strict, json!({"chat": true})).await["chat"], true);
    off(begin(&strict, json!({})).await, "autonomousRuns");
    assert!(begin(&strict, json!({"detached": false})).await.is_ok());
    switch(&strict, json!({"autonomousRuns": true, "chat": true})).await;
    assert!(begin(&strict, json!({"trigger": "schedule"})).await.is_ok());
    switch(&strict, json!({"chat": false})).await;

    let report = opened("report").await;
    let shown = ask(&report, "settings.get", json!({"workspaceId": "w1"})).await.unwrap();
    assert_eq!(shown["features"], json!({"chat": false, "autonomousRuns": true, "dictation": true}));
    assert!(begin(&report, json!({})).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_somebody_must_act_nobody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "http://127.0.0.1:1", json!({"settings": {"actor": "required"}})).await;
    for (operation, more) in [
        ("settings.get", json!({})),
        ("settings.update", json!({"settings": {"chatModel": "m"}})),
        ("settings.test", json!({})),
    ] {
        let mut params = json!({"workspaceId": "w1"});
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        for actor in [None, Some(Value::Null)] {
            if let Some(actor) = actor {
                params["actor"] = actor;
            }
            let refused = ask(&engine, operation, params.clone()).await.unwrap_err();
            assert_eq!((refused.code(), &refused.details()["field"]), (ErrorCode::InvalidInput, &json!("actor")));
        }
        params["actor"] = json!({"userId": "u1", "isAdmin": false});
        assert_eq!(ask(&engine, operation, params.clone()).await.unwrap_err().code(), ErrorCode::Forbidden);
        params["actor"] = json!({"userId": "a1", "isAdmin": true});
        assert!(ask(&engine, operation, params).await.is_ok(), "{operation}");
    }
}

fn chat_answer(words: &str) -> Acts {
    let events = [vec![text(words)], finish("stop", 3, 2)].concat().concat();
    vec![Act::Send([head(200, &[("content-type", "text/event-stream")]), events.into_bytes()].concat())]
}

fn json_answer(value: &Value) -> Acts {
    vec![body(200, "application/json", &[], &value.to_string())]
}

/// A host that keeps its settings elsewhere gives them with each question. They are used for that, and kept nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn settings_may_come_with_the_question() {
    watch_logs();
    let vector = json_answer(&json!({"data": [{"index": 0, "embedding": [1, 2]}]}));
    let said = json_answer(&json!({"text": "hello"}));
    let answers =
        vec![chat_answer("turn"), chat_answer("Fish"), vector.clone(), said.clone(), chat_answer(""), vector, said];
    let server = FaultServer::start(answers).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "", json!({"providers": {}})).await;
    let given = |model: &str| json!({"driver": "openai-compatible", "model": model, "baseUrl": server.base_url(), "apiKey": KEY});
    assert_eq!(begin(&engine, json!({"provider": given("chat")})).await.unwrap(), RunStatus::Succeeded);
    let with = |model: &str, more: Value| {
        let mut params = json!({"workspaceId": "w1", "provider": given(model)});
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        params
    };
    let named = ask(&engine, "generateTitle", with("title", json!({"content": "Fish live in water."}))).await;
    assert_eq!(named.unwrap(), json!("Fish"));
    let vectors = ask(&engine, "embed", with("vectors", json!({"texts": ["fish"]}))).await;
    assert_eq!(vectors.unwrap(), json!([[1.0, 2.0]]));
    let recording = json!({"audio": "UklGRg==", "mime": "audio/wav"});
    assert_eq!(ask(&engine, "transcribe", with("stt", recording)).await.unwrap(), json!("hello"));
    for (model, capability) in [("chat", "chat"), ("vectors", "embeddings"), ("stt", "stt")] {
        let tested = ask(&engine, "settings.test", with(model, json!({"capability": capability}))).await.unwrap();
        assert_eq!(tested, json!({"ok": true}), "{capability}");
    }
    let sent = server.requests();
    assert_eq!(sent.len(), 7);
    assert!(sent.iter().all(|request| request.contains(&format!("Bearer {KEY}"))));
    for (request, model) in sent.iter().zip(["chat", "title", "vectors", "stt", "chat", "vectors", "stt"]) {
        assert!(request.contains(model), "{model} in {request}");
    }
    // Nothing of it has become the workspace's.
    let shown = ask(&engine, "settings.get", json!({"workspaceId": "w1"})).await.unwrap();
    assert_eq!((&shown["hasApiKey"], shown.get("driver")), (&json!(false), None));
    let refused = ask(&engine, "embed", json!({"workspaceId": "w1", "texts": ["fish"]})).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::EmbeddingNotConfigured);
    // A wrong one is named, and its key is not.
    let wrong = json!({"driver": "anthropic", "model": "m", "apiKey": KEY});
    let refused =
        ask(&engine, "embed", json!({"workspaceId": "w1", "texts": ["x"], "provider": wrong})).await.unwrap_err();
    assert_eq!(
        (refused.code(), &refused.details()["driver"]),
        (ErrorCode::EmbeddingNotConfigured, &json!("anthropic"))
    );
    assert!(!format!("{refused:?}").contains(KEY));
    engine.close(None).await.unwrap();
    if !on_postgres() {
        assert_no_key_was_shown(folder.path());
    }
}
