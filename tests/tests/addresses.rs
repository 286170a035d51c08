//! Addresses that workspaces choose: where they may lead, what of them is secret, and what is shown of what comes back.

use serde_json::{Value, json};
use turnkeep::model::FailureKind;
use turnkeep::settings::SettingsPatch;
use turnkeep::{Capability, Engine, EngineOptions, ErrorCode};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::fault::{Act, Acts, FaultServer, body, head};
use turnkeep_tests::scenario::{options, request};

const SECRET: &str = "an application secret of these tests";
const PASSWORD: &str = "hunter2-pass";

async fn open(store: &str, http: Value) -> Engine {
    let more = json!({"providers": {}, "appSecret": SECRET, "http": http});
    Engine::open(options(store, "http://127.0.0.1:1", more)).await.unwrap()
}

async fn set(engine: &Engine, patch: Value) -> Value {
    engine.update_settings("w1", None, &SettingsPatch::from_json(&patch.to_string()).unwrap()).await.unwrap()
}

async fn tested(engine: &Engine, capability: Capability) -> String {
    engine.test_settings("w1", None, capability, None).await.unwrap().error.unwrap_or_default()
}

fn assert_not_on_disk(folder: &std::path::Path, secret: &str) {
    let files = std::fs::read_dir(folder).unwrap().filter_map(|entry| std::fs::read(entry.ok()?.path()).ok());
    let holding = files.filter(|bytes| String::from_utf8_lossy(bytes).contains(secret));
    assert_eq!(holding.count(), 0);
}

fn answer() -> Acts {
    let events = [vec![text("yes")], finish("stop", 3, 2)].concat().concat();
    vec![Act::Send([head(200, &[("content-type", "text/event-stream")]), events.into_bytes()].concat())]
}

fn refuses(status: u16) -> Acts {
    let inside = json!({"role": "instance-role", "Token": "INSIDE-TOKEN-VALUE"});
    vec![body(status, "application/json", &[], &inside.to_string())]
}

/// The same port on this machine, in every form that an address can be written in.
fn forms(port: u16) -> Vec<String> {
    let hosts = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "①②⑦.0.0.1",
        "user:pass@127.0.0.1",
        "127.0.0.1.",
    ];
    hosts.iter().map(|host| format!("http://{host}:{port}/v1")).collect()
}

fn settings(base_url: &str) -> Value {
    json!({"driver": "openai-compatible", "chatModel": "m", "embeddingModel": "e", "sttModel": "s", "baseUrl": base_url,
        "embeddingBaseUrl": base_url, "sttBaseUrl": base_url, "apiKey": "k-0123456789"})
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_lead_to_public_addresses_only() {
    let inside = FaultServer::start(vec![refuses(404); 200]).await;
    let engine = open("sqlite::memory:", json!({"allowPrivate": [], "maxTries": 1})).await;
    let port = reqwest::Url::parse(&inside.base_url()).unwrap().port().unwrap();
    for base_url in forms(port) {
        set(&engine, settings(&base_url)).await;
        for capability in [Capability::Chat, Capability::Embeddings, Capability::Stt] {
            let error = tested(&engine, capability).await;
            // Not every machine knows a name of every form.
            let is_unknown = base_url.contains("host.") && error.contains("failed to lookup");
            assert!(error.contains("not a public one") || is_unknown, "{base_url} {capability:?}: {error}");
        }
        let turn = engine.start_turn(request("hi", json!({"workspaceId": "w1"})), Default::default()).await.unwrap();
        let outcome = turn.done().await.unwrap();
        assert_eq!(outcome.failure.unwrap().kind, FailureKind::Unreachable, "{base_url}");
    }
    assert_eq!(inside.requests().len(), 0);
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_runs_the_server_allows_what_is_private() {
    let inside = FaultServer::start(vec![answer(), answer()]).await;
    let port = reqwest::Url::parse(&inside.base_url()).unwrap().port().unwrap();
    for (allowed, host, is_allowed) in [
        (format!("127.0.0.1:{port}"), "127.0.0.1", true),
        (format!("localhost:{port}"), "localhost", true),
        ("localhost:1".to_owned(), "localhost", false),
        ("10.0.0.0/8".to_owned(), "127.0.0.1", false),
    ] {
        let engine = open("sqlite::memory:", json!({"allowPrivate": [allowed], "maxTries": 1})).await;
        set(&engine, settings(&format!("http://{host}:{port}/v1"))).await;
        let error = tested(&engine, Capability::Chat).await;
        assert_eq!(!error.contains("not a public one"), is_allowed, "{allowed} {error}");
        engine.close(None).await.unwrap();
    }
    let wrong = options("sqlite::memory:", "http://127.0.0.1:1", json!({"http": {"allowPrivate": ["http://h"]}}));
    let error = Engine::open(wrong).await.err().unwrap();
    assert_eq!((error.code(), &error.details()["field"]), (ErrorCode::InvalidInput, &json!("http.allowPrivate[0]")));
}

/// The engine's own providers and those that a turn brings are the host's, who may name any address.
#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_own_addresses_may_be_private() {
    let inside = FaultServer::start(vec![answer()]).await;
    let more = json!({"http": {"allowPrivate": []}});
    let engine = Engine::open(options("sqlite::memory:", &inside.base_url(), more)).await.unwrap();
    let turn = engine.start_turn(request("hi", json!({})), Default::default()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().error, None);
    engine.close(None).await.unwrap();
}

/// A proxy connects by itself, so a name is judged by what it is here.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_asked_for_no_private_address() {
    let proxy = FaultServer::start(vec![answer()]).await;
    let url = reqwest::Url::parse(&proxy.base_url()).unwrap();
    let http = json!({"allowPrivate": [], "maxTries": 1, "proxy": url.origin().ascii_serialization()});
    let engine = open("sqlite::memory:", http).await;
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        set(&engine, settings(&format!("http://{host}:1/v1"))).await;
        let error = tested(&engine, Capability::Chat).await;
        assert!(error.contains("not a public one"), "{host}: {error}");
    }
    assert_eq!(proxy.requests().len(), 0);
    set(&engine, settings("http://known-to-the-proxy.invalid/v1")).await;
    assert_eq!(tested(&engine, Capability::Chat).await, "");
    assert!(proxy.requests()[0].starts_with("POST http://known-to-the-proxy.invalid/v1/"), "{:?}", proxy.requests());
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_what_an_address_of_settings_answers_only_the_message_is_shown() {
    let says = vec![body(
        404,
        "application/json",
        &[],
        r#"{"error":{"message":"no such model"},"Token":"INSIDE-TOKEN-VALUE"}"#,
    )];
    let page = vec![body(200, "text/html", &[], "<html>INSIDE-TOKEN-VALUE</html>")];
    let inside = FaultServer::start(vec![refuses(404), says, page, refuses(404), refuses(403)]).await;
    let engine = open("sqlite::memory:", json!({"maxTries": 1})).await;
    set(&engine, settings(&inside.base_url())).await;
    let mut errors = vec![tested(&engine, Capability::Chat).await];
    errors.push(tested(&engine, Capability::Chat).await);
    let turn = engine.start_turn(request("hi", json!({"workspaceId": "w1"})), Default::default()).await.unwrap();
    errors.push(turn.done().await.unwrap().error.unwrap());
    errors.push(tested(&engine, Capability::Embeddings).await);
    errors.push(tested(&engine, Capability::Stt).await);
    assert!(errors.iter().all(|error| !error.contains("INSIDE-TOKEN")), "{errors:?}");
    assert!(errors[0].contains("404") && errors[1].contains("no such model"), "{errors:?}");
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_base_url_with_more_than_a_place_is_refused_and_what_it_holds_is_not_kept() {
    let inside = FaultServer::start(vec![answer(); 9]).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(&format!("sqlite:{}", folder.path().join("chats.db").display()), json!({"maxTries": 1})).await;
    for more in ["?api_key=KEYINQUERY99&x=", "#KEYINQUERY99", "?KEYINQUERY99", "?x=", "#"] {
        let base_url = format!("{}{more}", inside.base_url());
        let shown = set(&engine, settings(&base_url)).await;
        for capability in [Capability::Chat, Capability::Embeddings, Capability::Stt] {
            let error = tested(&engine, capability).await;
            assert!(error.contains("no query and no fragment"), "{more} {capability:?}: {error}");
        }
        assert!(!shown.to_string().contains("KEYINQUERY"), "{shown}");
        let given = json!({"provider": {"driver": "openai-compatible", "model": "m", "baseUrl": base_url}});
        let error = engine.start_turn(request("hi", given), Default::default()).await.err().unwrap();
        assert_eq!(error.code(), ErrorCode::AiNotConfigured);
        assert!(!format!("{error:?} {error}").contains("KEYINQUERY"), "{error:?}");
    }
    assert_eq!(inside.requests().len(), 0);
    engine.close(None).await.unwrap();
    assert_not_on_disk(folder.path(), "KEYINQUERY");
}

fn with_login(url: &str) -> String {
    url.replace("http://", &format!("http://admin:{PASSWORD}@"))
}

/// `admin:hunter2-pass` as basic authentication has it.
const BASIC: &str = "authorization: Basic YWRtaW46aHVudGVyMi1wYXNz";

#[tokio::test(flavor = "multi_thread")]
async fn user_and_password_in_an_address_are_kept_as_a_secret() {
    let echo = json!({"error": {"message": format!("no, admin:{PASSWORD}, YWRtaW46aHVudGVyMi1wYXNz")}}).to_string();
    let echoes = || vec![body(400, "application/json", &[], &echo)];
    let provider = FaultServer::start((0..8).map(|_| echoes()).collect()).await;
    let elsewhere = FaultServer::start((0..8).map(|_| echoes()).collect()).await;
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("chats.db").display());
    let engine = open(&store, json!({"maxTries": 1})).await;

    let shown = set(&engine, settings(&with_login(&provider.base_url()))).await;
    assert_eq!((&shown["baseUrl"], &shown["hasBaseUrlLogin"]), (&json!(provider.base_url()), &json!(true)));
    assert_eq!(engine.settings("w1", None).await.unwrap(), shown);
    for (number, capability) in [Capability::Chat, Capability::Embeddings, Capability::Stt].into_iter().enumerate() {
        let error = tested(&engine, capability).await;
        assert!(!error.contains(PASSWORD) && !error.contains("YWRtaW46"), "{error}");
        let sent = &provider.requests()[number];
        assert!(sent.contains(BASIC) && sent.matches("authorization:").count() == 1, "{sent}");
    }
    // What is shown may be sent back as it is.
    let again = set(&engine, json!({"baseUrl": shown["baseUrl"], "chatModel": "n"})).await;
    assert_eq!(again["hasBaseUrlLogin"], true);
    tested(&engine, Capability::Chat).await;
    assert!(provider.requests()[3].contains(BASIC));
    engine.close(None).await.unwrap();
    assert_not_on_disk(folder.path(), PASSWORD);

    // Another place does not get it, nor does the old one after that.
    let engine = open(&store, json!({"maxTries": 1})).await;
    let moved = set(&engine, json!({"baseUrl": elsewhere.base_url(), "apiKey": "k-0123456789"})).await;
    assert_eq!(moved.get("hasBaseUrlLogin"), None);
    tested(&engine, Capability::Chat).await;
    assert!(!elsewhere.requests()[0].contains("Basic"));
    set(&engine, json!({"baseUrl": provider.base_url(), "apiKey": "k-0123456789"})).await;
    tested(&engine, Capability::Chat).await;
    assert!(provider.requests()[4].contains("authorization: Bearer k-0123456789"));
    engine.close(None).await.unwrap();
}

/// Another program may write an address with a password, and may move a place under the login that was kept for it.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_others_wrote_are_treated_alike() {
    let provider = FaultServer::start(vec![refuses(400); 4]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chats.db");
    let engine = open(&format!("sqlite:{}", file.display()), json!({"maxTries": 1})).await;
    set(&engine, settings("http://h.invalid/v1")).await;
    let write = |url: &str| {
        let database = rusqlite::Connection::open(&file).unwrap();
        let statement = "UPDATE ai_provider_settings SET settings = json_set(settings, '$.baseUrl', ?1)";
        database.execute(statement, [url]).unwrap();
    };
    write(&format!("{}?key=KEYINQUERY99", with_login(&provider.base_url())));
    let shown = engine.settings("w1", None).await.unwrap().to_string();
    assert!(!shown.contains(PASSWORD) && !shown.contains("KEYINQUERY"), "{shown}");
    write(&with_login(&provider.base_url()));
    set(&engine, json!({"apiKey": "k-0123456789"})).await;
    tested(&engine, Capability::Chat).await;
    assert!(provider.requests()[0].contains(BASIC));
    // It becomes a secret with the first change that leaves it in its place.
    assert_eq!(set(&engine, json!({"baseUrl": provider.base_url()})).await["hasBaseUrlLogin"], true);
    let other = FaultServer::start(vec![refuses(400)]).await;
    write(&other.base_url());
    set(&engine, json!({"apiKey": "k-0123456789"})).await;
    tested(&engine, Capability::Chat).await;
    assert!(!other.requests()[0].contains("Basic"), "{:?}", other.requests());
    engine.close(None).await.unwrap();
}

#[test]
fn options_show_no_secret_of_a_url() {
    let more = json!({"http": {"proxy": format!("http://admin:{PASSWORD}@proxy:3128")}});
    let options: EngineOptions = options("sqlite::memory:", &with_login("http://h/v1?key=KEYINQUERY99"), more);
    let shown = format!("{options:?} {options:#?}");
    assert!(!shown.contains(PASSWORD) && !shown.contains("KEYINQUERY"), "{shown}");
}
