//! What a workspace configures, and everything that is asked of providers outside of runs, over real HTTP.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use turnkeep::model::RunStatus;
use turnkeep::settings::SettingsPatch;
use turnkeep::{Capability, Engine, ErrorCode};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::fault::{Act, Acts, FaultServer, body, head};
use turnkeep_tests::leaks::{assert_no_key_was_shown, watch_logs};
use turnkeep_tests::scenario::{options, request, store_in, who};

const KEY: &str = "sk-stored-key-0123456789";
const OTHER_KEY: &str = "AIza-other-key-0123456789";
const SECRET: &str = "an application secret of these tests";

struct World {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl World {
    async fn new(more: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = open(folder.path(), more).await;
        Self { folder, engine }
    }

    async fn set(&self, patch: Value) -> Value {
        self.engine.update_settings("w1", None, &patch_of(patch)).await.unwrap()
    }

    /// Closes the engine and looks at everything that it has left behind.
    async fn close(&self) {
        self.engine.close(None).await.unwrap();
        assert_no_key_was_shown(self.folder.path());
    }

    fn sql(&self, statement: &str) {
        let database = rusqlite::Connection::open(self.folder.path().join("chats.db")).unwrap();
        database.execute_batch(statement).unwrap();
    }

    fn count(&self, table: &str) -> i64 {
        let database = rusqlite::Connection::open(self.folder.path().join("chats.db")).unwrap();
        database.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    /// Everything that is in the database's files.
    fn on_disk(&self) -> String {
        let files =
            std::fs::read_dir(self.folder.path()).unwrap().filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
        files.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    fn role(&self, model_config: &str) -> String {
        let id = uuid();
        self.sql(&format!(
            "INSERT INTO ai_agent_roles (id, workspace_id, name, instructions, model_config, created_at, updated_at) \
             VALUES ('{id}', 'w1', 'Editor {id}', 'Edit.', '{model_config}', '2026-07-01T00:00:00.000Z', '2026-07-01T00:00:00.000Z')"
        ));
        id
    }
}

fn uuid() -> String {
    turnkeep::ChatId::generate().to_string()
}

fn patch_of(patch: Value) -> SettingsPatch {
    SettingsPatch::from_json(&patch.to_string()).unwrap()
}

/// An engine without providers of its own.
async fn open(folder: &Path, more: Value) -> Engine {
    watch_logs();
    let mut base = json!({"providers": {}, "appSecret": SECRET, "http": {"retryWaitMs": 10}});
    for (name, value) in more.as_object().into_iter().flatten() {
        base[name] = value.clone();
    }
    Engine::open(options(&store_in(folder), "http://127.0.0.1:1", base)).await.unwrap()
}

fn chat_answer(words: &str) -> Acts {
    let events = [vec![text(words)], finish("stop", 3, 2)].concat().concat();
    vec![Act::Send([head(200, &[("content-type", "text/event-stream")]), events.into_bytes()].concat())]
}

fn json_answer(value: &Value) -> Acts {
    vec![body(200, "application/json", &[], &value.to_string())]
}

fn sent(server: &FaultServer, number: usize) -> Value {
    let request = server.requests()[number].clone();
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_go_in_and_never_come_out() {
    let world = World::new(json!({})).await;
    let shown =
        world.set(json!({"driver": "openai", "chatModel": "m", "chatContextWindow": 128_000, "apiKey": KEY})).await;
    let expected = json!({"driver": "openai", "chatModel": "m", "chatContextWindow": 128_000,
        "hasApiKey": true, "hasEmbeddingApiKey": false, "hasSttApiKey": false,
        "features": {"chat": true, "autonomousRuns": true, "dictation": true}});
    assert_eq!(shown, expected);
    assert_eq!(world.engine.settings("w1", None).await.unwrap(), expected);
    assert!(!world.on_disk().contains(KEY));
    // Another driver has other keys; going back finds the first one's again.
    assert_eq!(world.set(json!({"driver": "gemini"})).await["hasApiKey"], false);
    assert_eq!(world.set(json!({"driver": "openai", "sttApiKey": "s"})).await["hasApiKey"], true);
    let cleared = world.set(json!({"apiKey": "", "sttApiKey": null})).await;
    assert_eq!((&cleared["hasApiKey"], &cleared["hasSttApiKey"]), (&json!(false), &json!(true)));
    // Other workspaces have nothing of it.
    assert_eq!(world.engine.settings("w2", None).await.unwrap()["hasSttApiKey"], false);
    world.close().await;
}

/// Defect 20: the settings were saved, and then the key was refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_refused_as_a_whole() {
    let world = World::new(json!({})).await;
    let refused = world.engine.update_settings("w1", None, &patch_of(json!({"chatModel": "m", "apiKey": KEY}))).await;
    let error = refused.unwrap_err();
    assert_eq!((error.code(), &error.details()["field"]), (ErrorCode::InvalidInput, &json!("driver")));
    assert_eq!(world.count("ai_provider_settings"), 0);
    world.close().await;

    let keyless = World::new(json!({"appSecret": null})).await;
    let patch = patch_of(json!({"driver": "openai", "apiKey": KEY}));
    let error = keyless.engine.update_settings("w1", None, &patch).await.unwrap_err();
    assert_eq!((error.code(), &error.details()["field"]), (ErrorCode::InvalidInput, &json!("appSecret")));
    assert_eq!(keyless.count("ai_provider_settings"), 0);
    // Settings without keys need no secret.
    keyless.set(json!({"driver": "ollama"})).await;
    keyless.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_are_all_made() {
    let world = World::new(json!({})).await;
    world.set(json!({"driver": "openai"})).await;
    let fields = ["chatModel", "embeddingModel", "sttModel", "baseUrl", "systemPrompt"];
    let changes = fields.map(|field| {
        let engine = world.engine.clone();
        tokio::spawn(async move { engine.update_settings("w1", None, &patch_of(json!({field: "x"}))).await })
    });
    for change in changes {
        change.await.unwrap().unwrap();
    }
    let settings = world.engine.settings("w1", None).await.unwrap();
    assert!(fields.iter().all(|field| settings[field] == "x"), "{settings}");
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_is_answered_by_what_is_stored() {
    let server = FaultServer::start(vec![chat_answer("stored")]).await;
    let world = World::new(json!({"prompt": {"adminPrompt": "of the engine"}})).await;
    let base_url = format!("{}/", server.base_url());
    world.set(json!({"driver": "openai", "chatModel": "m", "baseUrl": base_url, "apiKey": KEY, "systemPrompt": "Of the workspace."})).await;
    let turn = world.engine.start_turn(request("hi", json!({})), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let first = server.requests()[0].clone();
    assert!(first.starts_with("POST /v1/chat/completions ") && first.contains(&format!("Bearer {KEY}")), "{first}");
    let system = sent(&server, 0)["messages"][0]["content"].as_str().unwrap().to_owned();
    assert!(system.contains("Of the workspace.") && !system.contains("of the engine"));
    // A role that wants another model of the same driver.
    let role = world.role(r#"{"driver":"openai","chatModel":" other "}"#);
    let turn = world.engine.start_turn(request("hi", json!({"roleId": role})), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert_eq!((&sent(&server, 0)["model"], &sent(&server, 1)["model"]), (&json!("m"), &json!("other")));
    assert!(!world.on_disk().contains(KEY));
    world.close().await;
}

/// What is wrong is told before anything is written or sent, and names the driver and the role.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_configuration_begins_nothing() {
    let server = FaultServer::start(vec![chat_answer("never")]).await;
    let world = World::new(json!({})).await;
    let begin = async |more: Value| world.engine.start_turn(request("hi", more), Vec::new()).await.err().unwrap();
    assert_eq!(begin(json!({})).await.code(), ErrorCode::AiNotConfigured);
    world.set(json!({"driver": "openai", "baseUrl": server.base_url()})).await;
    let error = begin(json!({})).await;
    assert_eq!((error.code(), &error.details()["driver"]), (ErrorCode::AiNotConfigured, &json!("openai")));
    world.set(json!({"chatModel": "m"})).await;
    assert!(begin(json!({})).await.message().contains("no API key"));
    world.set(json!({"apiKey": KEY})).await;
    for (driver, words) in [("gemini", "no API key"), ("ollama", "endpoint of its own")] {
        let role = world.role(&json!({"driver": driver, "chatModel": "g"}).to_string());
        let error = begin(json!({"roleId": role})).await;
        assert_eq!((error.code(), &error.details()["driver"]), (ErrorCode::AiNotConfigured, &json!(driver)));
        assert!(error.message().contains(words) && error.message().contains("Editor"), "{error}");
        assert!(error.details()["role"].as_str().unwrap().starts_with("Editor"));
        assert!(!format!("{error:?}").contains(KEY));
    }
    for table in ["ai_chats", "ai_chat_runs", "ai_chat_messages"] {
        assert_eq!(world.count(table), 0, "{table}");
    }
    assert!(server.requests().is_empty());
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_application_secret_needs_the_old_one_once() {
    let server = FaultServer::start(vec![chat_answer("fine")]).await;
    let world = World::new(json!({})).await;
    world.set(json!({"driver": "openai", "chatModel": "m", "baseUrl": server.base_url(), "apiKey": KEY})).await;
    world.close().await;
    let folder = world.folder.path();

    let alone = open(folder, json!({"appSecret": "another"})).await;
    let error = alone.start_turn(request("hi", json!({})), Vec::new()).await.err().unwrap();
    assert_eq!((error.code(), &error.details()["driver"]), (ErrorCode::SecretUnreadable, &json!("openai")));
    assert_eq!(alone.rotate_secrets(false).await.unwrap().unreadable, 1);
    let tested = alone.test_settings("w1", None, Capability::Chat, None).await.unwrap();
    assert!(!tested.ok && tested.error.unwrap().contains("enter the key again"));
    alone.close(None).await.unwrap();

    let both = open(folder, json!({"appSecret": "another", "previousAppSecrets": [SECRET]})).await;
    let turn = both.start_turn(request("hi", json!({})), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    both.rotate_secrets(false).await.unwrap();
    both.close(None).await.unwrap();

    let dropped = open(folder, json!({"appSecret": "another"})).await;
    let turn = dropped.start_turn(request("hi", json!({})), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert!(server.requests().iter().all(|request| request.contains(&format!("Bearer {KEY}"))));
    dropped.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_come_in_batches_and_in_order() {
    let vectors = |count: usize| {
        let data: Vec<Value> = (0..count).rev().map(|n| json!({"index": n, "embedding": [n, 0.5]})).collect();
        json_answer(&json!({"data": data}))
    };
    let server = FaultServer::start(vec![vectors(2048), vectors(2), vectors(1)]).await;
    let world = World::new(json!({})).await;
    let code = async || world.engine.embed("w1", &["x".to_owned()], None).await.unwrap_err().code();
    assert_eq!(code().await, ErrorCode::EmbeddingNotConfigured);
    world
        .set(json!({"driver": "openai", "embeddingModel": "e", "embeddingBaseUrl": server.base_url(), "apiKey": KEY, "embeddingApiKey": OTHER_KEY}))
        .await;
    assert!(world.engine.embed("w1", &[], None).await.unwrap().is_empty());
    assert!(server.requests().is_empty());
    let texts: Vec<String> = (0..2050).map(|number| number.to_string()).collect();
    let found = world.engine.embed("w1", &texts, None).await.unwrap();
    assert_eq!((found.len(), &found[2047], &found[2048]), (2050, &vec![2047.0, 0.5], &vec![0.0, 0.5]));
    let sizes: Vec<usize> = (0..2).map(|number| sent(&server, number)["input"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [2048, 2]);
    assert!(server.requests().iter().all(|request| request.contains(OTHER_KEY) && !request.contains(KEY)));
    // Fewer vectors than texts are none.
    let error = world.engine.embed("w1", &texts[..2], None).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ProviderError);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedding_endpoint_that_hangs_is_given_up() {
    let server = FaultServer::start(vec![vec![Act::Stall]]).await;
    let world = World::new(json!({"requests": {"embeddingTimeoutMs": 50}})).await;
    world.set(json!({"driver": "ollama", "embeddingModel": "e", "embeddingBaseUrl": server.base_url()})).await;
    let error = world.engine.embed("w1", &["a".to_owned(), "b".to_owned()], None).await.unwrap_err();
    assert_eq!((error.code(), &error.details()["timeoutMs"]), (ErrorCode::ProviderError, &json!(50)));
    assert!(error.message().contains("2 texts"));
    server.until_closed().await;
    world.close().await;
}

/// Defect 15: what a recording is was forgotten, silence was an error, and Gemini's key went to OpenAI.
#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_sent_as_what_they_are() {
    let answers = vec![
        json_answer(&json!({"text": " hello "})),
        json_answer(&json!({"text": ""})),
        json_answer(&json!({"text": "json"})),
    ];
    let server = FaultServer::start(answers).await;
    let world = World::new(json!({})).await;
    let transcribe = async |mime: &str| world.engine.transcribe("w1", b"RIFFfake"[..].into(), mime, None).await;
    assert_eq!(transcribe("audio/mp4").await.unwrap_err().code(), ErrorCode::SttNotConfigured);
    world.set(json!({"driver": "gemini", "sttModel": "whisper-1", "apiKey": OTHER_KEY})).await;
    assert_eq!(transcribe("audio/mp4").await.unwrap_err().code(), ErrorCode::SttNotConfigured);
    world.set(json!({"driver": "openai", "sttLanguage": " ru ", "sttBaseUrl": server.base_url(), "apiKey": KEY, "sttApiKey": "stt-own-key-0123456789"})).await;
    assert_eq!(transcribe("audio/mp4;codecs=mp4a").await.unwrap(), "hello");
    let form = server.requests()[0].clone();
    assert!(form.starts_with("POST /v1/audio/transcriptions ") && form.contains("Bearer stt-own-key"), "{form}");
    for piece in [
        "name=\"model\"\r\n\r\nwhisper-1\r\n",
        "name=\"language\"\r\n\r\nru\r\n",
        "name=\"file\"; filename=\"audio.mp4\"\r\nContent-Type: audio/mp4\r\n\r\nRIFFfake\r\n",
    ] {
        assert!(form.contains(piece), "{piece} in {form}");
    }
    assert!(
        world.engine.test_settings("w1", None, Capability::Stt, None).await.unwrap().ok,
        "silence is heard as silence"
    );
    world.set(json!({"sttApiStyle": "json"})).await;
    assert_eq!(transcribe("audio/webm").await.unwrap(), "json");
    let expected =
        json!({"model": "whisper-1", "language": "ru", "input_audio": {"data": "UklGRmZha2U=", "format": "webm"}});
    assert_eq!(sent(&server, 2), expected);
    for (audio, mime, code) in [
        (Vec::new(), "audio/webm", ErrorCode::InvalidInput),
        (vec![0], "video/mp4", ErrorCode::UnsupportedMedia),
        (vec![0; 25 * 1024 * 1024 + 1], "audio/webm", ErrorCode::PayloadTooLarge),
    ] {
        assert_eq!(world.engine.transcribe("w1", audio.into(), mime, None).await.unwrap_err().code(), code);
    }
    assert_eq!(server.requests().len(), 3);
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_capability_can_be_tried() {
    let refused = vec![body(402, "application/json", &[], r#"{"error":{"message":"Insufficient credits"}}"#)];
    let page = vec![body(200, "text/html", &[], "<html>hello</html>")];
    let vectors = json_answer(&json!({"data": [{"index": 0, "embedding": [1]}]}));
    let server = FaultServer::start(vec![chat_answer(""), refused, page, vectors]).await;
    let world = World::new(json!({"requests": {"testTimeoutMs": 5000}})).await;
    let tested = async |capability| world.engine.test_settings("w1", None, capability, None).await.unwrap();
    for capability in [Capability::Chat, Capability::Embeddings, Capability::Stt] {
        let found = tested(capability).await;
        assert!(!found.ok && found.error.is_some_and(|error| error.contains("configured")));
    }
    world.set(json!({"driver": "openai", "chatModel": "m", "embeddingModel": "e", "baseUrl": server.base_url(), "apiKey": KEY})).await;
    assert!(tested(Capability::Chat).await.ok);
    assert_eq!(
        (&sent(&server, 0)["max_tokens"], &sent(&server, 0)["messages"]),
        (&json!(16), &json!([{"role": "user", "content": "ping"}]))
    );
    let refused = tested(Capability::Chat).await.error.unwrap();
    assert!(refused.contains("no credits") && refused.contains("402: Insufficient credits"), "{refused}");
    let no_stream = tested(Capability::Chat).await.error.unwrap();
    assert!(no_stream.contains("not an event stream") && !no_stream.contains("hello"), "{no_stream}");
    assert!(tested(Capability::Embeddings).await.ok);
    assert_eq!(sent(&server, 3), json!({"model": "e", "input": ["ping"], "encoding_format": "float"}));
    world.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_chats_get_titles() {
    let answers = vec![
        chat_answer("<think>hm</think>\n**\"A page about fish\".**"),
        chat_answer("An answer."),
        chat_answer("\"Fish and chips\""),
        chat_answer("More of it."),
        chat_answer("Elsewhere"),
    ];
    let server = FaultServer::start(answers).await;
    let world = World::new(json!({"generateChatTitles": true})).await;
    world.set(json!({"driver": "openai", "chatModel": "m", "baseUrl": server.base_url(), "apiKey": KEY})).await;
    assert_eq!(world.engine.generate_title("w1", "Fish live in water.", None).await.unwrap(), "A page about fish");
    assert_eq!(world.engine.generate_title("w1", " \n", None).await.unwrap_err().code(), ErrorCode::InvalidInput);
    let turn = world.engine.start_turn(request("What goes with fish?", json!({})), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    server.until_requests(3).await;
    let named = async {
        loop {
            let chat = world.engine.chat(&who(), turn.chat_id()).await.unwrap();
            if let Some(title) = chat.title {
                return title;
            }
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), named).await.unwrap(), "Fish and chips");
    assert!(sent(&server, 2).to_string().contains("What goes with fish?"));
    // A chat that is there already keeps its name.
    let next = request("And peas?", json!({"chatId": turn.chat_id()}));
    let next = world.engine.start_turn(next, Vec::new()).await.unwrap();
    next.done().await.unwrap();
    // A chat that was made before, and whose turn the host drives.
    let params = json!({"workspaceId": "w1", "userId": "u1"}).to_string();
    let made: Value = serde_json::from_str(&world.engine.call("chats.create", &params).await.unwrap()).unwrap();
    let request = json!({"workspaceId": "w1", "userId": "u1", "chatId": made["id"], "message": "Driven elsewhere"});
    let run = world.engine.begin_run(serde_json::from_value(request).unwrap()).await.unwrap();
    let finish = json!({"workspaceId": "w1", "userId": "u1", "runId": run.run_id, "status": "succeeded"});
    world.engine.call("runs.finish", &finish.to_string()).await.unwrap();
    server.until_requests(5).await;
    assert!(sent(&server, 4).to_string().contains("Driven elsewhere"));
    world.close().await;
    assert_eq!(server.requests().len(), 5);
}
