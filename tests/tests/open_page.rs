//! The page that a user has open: what the host's check makes of it, and what the model is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use turnkeep::model::{Json, RunStatus};
use turnkeep::tool::{MailboxMessage, ToolHandler, ToolInvocation};
use turnkeep::{Engine, Turn};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{FnTool, Hang, open, request, tool, weather_and_time};
use turnkeep_tests::{Response, Script, ScriptedProvider};

struct World {
    folder: tempfile::TempDir,
    provider: ScriptedProvider,
    engine: Engine,
}

impl World {
    /// Turns in which the model asks for the page and answers then.
    async fn with(options: Value) -> Self {
        let asks = [vec![tool_call(0, "c1", "getCurrentPage", "{}")], finish("tool_calls", 10, 5)].concat();
        let answers = [vec![text("ok")], finish("stop", 10, 5)].concat();
        let responses = vec![Response::stream(asks), Response::stream(answers)];
        let provider = ScriptedProvider::start(Script { responses, repeat: true, by_step: true }).await;
        let folder = tempfile::tempdir().unwrap();
        let engine = open(folder.path(), &provider.base_url(), options).await;
        Self { folder, provider, engine }
    }

    /// What the model is told of the page, in the prompt and by the tool, and the page of the chat.
    async fn told(&self, more: Value) -> (Option<String>, Value, Value) {
        let before = self.provider.requests().len();
        let mut fields = json!({"pageTool": true, "openPage": {"id": "p1", "title": "Of the client"}});
        more.as_object().unwrap().iter().for_each(|(name, value)| fields[name] = value.clone());
        let turn = self.engine.start_turn(request("what is this page?", fields), Vec::new()).await.unwrap();
        assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
        self.told_in(before, &turn).await
    }

    async fn told_in(&self, before: usize, turn: &Turn) -> (Option<String>, Value, Value) {
        let requests = self.provider.requests();
        let system = requests[before]["messages"][0]["content"].as_str().unwrap();
        let line = system.lines().find(|line| line.contains("(pageId: ")).map(str::to_owned);
        let outcome = requests[before + 1]["messages"].as_array().unwrap().last().unwrap()["content"].clone();
        let outcome = serde_json::from_str(outcome.as_str().unwrap()).unwrap();
        (line, outcome, self.page_of(&turn.chat_id().to_string()).await)
    }

    async fn page_of(&self, chat: &str) -> Value {
        let params = json!({"workspaceId": "w1", "userId": "u1", "chatId": chat}).to_string();
        serde_json::from_str::<Value>(&self.engine.call("chats.get", &params).await.unwrap()).unwrap()["pageId"].clone()
    }
}

/// A check that answers what it is told to, and keeps what it was asked.
#[derive(Default)]
struct Answers {
    answer: Mutex<Option<Result<Value, String>>>,
    asked: Mutex<Vec<Value>>,
    count: AtomicUsize,
}

#[async_trait]
impl ToolHandler for Answers {
    async fn call(&self, invocation: ToolInvocation) -> Result<Json, String> {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.asked.lock().unwrap().push(serde_json::to_value(&invocation).unwrap());
        let answer = self.answer.lock().unwrap().clone().expect("an answer");
        answer.map(|answer| Json::from_value(&answer).unwrap())
    }
}

impl Answers {
    fn set(&self, answer: Result<Value, &str>) {
        *self.answer.lock().unwrap() = Some(answer.map_err(str::to_owned));
    }
}

fn nothing() -> (Option<String>, Value, Value) {
    (None, json!({"page": null}), json!(null))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_may_ask_which_page_is_open() {
    let world = World::with(json!({})).await;
    let (line, told, page) = world.told(json!({})).await;
    assert!(line.unwrap().contains("\"Of the client\" open (pageId: p1)"));
    assert_eq!((told, page), (json!({"page": {"id": "p1", "title": "Of the client"}}), json!("p1")));
    assert_eq!(world.told(json!({"openPage": {"id": "p1"}})).await.1, json!({"page": {"id": "p1", "title": ""}}));
    for none in [json!(null), json!({"title": "x"}), json!({"id": ""})] {
        assert_eq!(world.told(json!({"openPage": none})).await.1, json!({"page": null}), "{none}");
    }
    let offered = world.provider.requests()[0]["tools"].clone();
    assert_eq!(offered.as_array().map(Vec::len), Some(1));
    assert_eq!(offered[0]["function"]["name"], "getCurrentPage");
    let nothing = json!({"type": "object", "properties": {}, "additionalProperties": false});
    assert_eq!(offered[0]["function"]["parameters"], nothing);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_is_there_where_it_is_wanted_and_gives_way_to_the_hosts_own() {
    let world = World::with(json!({})).await;
    let names = async |more: Value, tools| {
        let before = world.provider.requests().len();
        world.engine.start_turn(request("go", more), tools).await.unwrap().done().await.unwrap();
        let requests = world.provider.requests();
        let tools = requests[before]["tools"].as_array().cloned().unwrap_or_default();
        let names: Vec<String> =
            tools.iter().map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect();
        (names, requests.last().unwrap()["messages"].as_array().unwrap().last().unwrap()["content"].clone())
    };
    assert_eq!(names(json!({}), weather_and_time()).await.0, ["weather", "time"]);
    let (with_it, _) = names(json!({"pageTool": true}), weather_and_time()).await;
    assert_eq!(with_it, ["getCurrentPage", "weather", "time"]);
    let own = tool(json!({"name": "getCurrentPage"}), FnTool(|_| Ok(json!("the host's"))));
    let (with_own, told) = names(json!({"pageTool": true}), vec![own]).await;
    assert_eq!((with_own, told), (vec!["getCurrentPage".to_owned()], json!("the host's")));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_check_answers_counts() {
    let world = World::with(json!({})).await;
    let check = Arc::new(Answers::default());
    world.engine.check_pages(Arc::clone(&check) as _).unwrap();
    check.set(Ok(json!({"id": "p1-as-stored", "title": "Of the store", "text": "secret"})));
    let (line, told, page) = world.told(json!({})).await;
    assert!(line.unwrap().contains("\"Of the store\" open (pageId: p1-as-stored)"));
    assert_eq!(told, json!({"page": {"id": "p1-as-stored", "title": "Of the store"}}));
    assert_eq!(page, json!("p1-as-stored"));
    let asked = check.asked.lock().unwrap()[0].clone();
    let page = json!({"id": "p1", "title": "Of the client"});
    assert_eq!(asked["input"], json!({"workspaceId": "w1", "userId": "u1", "page": page}));
    assert_eq!((&asked["toolName"], asked["chatId"].is_string()), (&json!("checkOpenPage"), true));
    // A page without a title has none, whatever the client says.
    check.set(Ok(json!({"id": "p1", "title": null})));
    let (line, told, _) = world.told(json!({})).await;
    assert!(line.unwrap().contains("\"Untitled\""));
    assert_eq!(told, json!({"page": {"id": "p1", "title": ""}}));
    // What is no page is none.
    let wrong = [json!(null), json!("p1"), json!({}), json!({"id": " "}), json!({"id": 5}), json!([{"id": "p1"}])];
    for answer in wrong.into_iter().map(Ok).chain([Err("may not: Of the store")]) {
        check.set(answer.clone());
        assert_eq!(world.told(json!({})).await, nothing(), "{answer:?}");
    }
    // Nothing is checked where there is nothing.
    let count = check.count.load(Ordering::SeqCst);
    for none in [json!(null), json!({"title": "x"}), json!({"id": " \n"})] {
        assert_eq!(world.told(json!({"openPage": none})).await, nothing(), "{none}");
    }
    assert_eq!(check.count.load(Ordering::SeqCst), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_is_gone_or_takes_too_long_lets_no_page_through() {
    let world = World::with(json!({"requests": {"pageCheckTimeoutMs": 20}})).await;
    world.engine.check_pages(Arc::new(Hang)).unwrap();
    assert_eq!(world.told(json!({})).await, nothing());
    let mailbox = world.engine.check_pages_by_mailbox().unwrap();
    let answer = async {
        let Some(MailboxMessage::Call { ticket, .. }) = mailbox.next().await else { panic!("a call") };
        assert!(mailbox.respond(ticket, Ok(Json::from_value(&json!({"id": "p2", "title": "T"})).unwrap())));
    };
    let (told, ()) = tokio::join!(world.told(json!({})), answer);
    assert_eq!((told.1, told.2), (json!({"page": {"id": "p2", "title": "T"}}), json!("p2")));
    drop(mailbox);
    assert_eq!(world.told(json!({})).await, nothing());
    // Whoever waits for checks is told that there are no more.
    let mailbox = world.engine.check_pages_by_mailbox().unwrap();
    world.engine.close(None).await.unwrap();
    assert!(mailbox.next().await.is_none());
    assert!(world.engine.check_pages(Arc::new(Hang)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hosts_own_run_and_a_repeated_turn() {
    let world = World::with(json!({})).await;
    let check = Arc::new(Answers::default());
    world.engine.check_pages(Arc::clone(&check) as _).unwrap();
    check.set(Ok(json!({"id": "stored", "title": "T"})));
    let begin = async |key: &str| {
        let run = json!({"workspaceId": "w1", "userId": "u1", "message": "go", "openPage": {"id": "p1"}, "idempotencyKey": key});
        let begun = world.engine.call("runs.begin", &run.to_string()).await.unwrap();
        serde_json::from_str::<Value>(&begun).unwrap()["chatId"].as_str().unwrap().to_owned()
    };
    let chat = begin("k").await;
    assert_eq!(world.page_of(&chat).await, json!("stored"));
    check.set(Ok(json!(null)));
    assert_eq!((begin("k").await, check.count.load(Ordering::SeqCst)), (chat, 1), "what was begun is not begun again");
    assert_eq!(world.page_of(&begin("l").await).await, json!(null));
}

/// Whoever drives the run, the page is the one that was checked where it was begun.
#[tokio::test(flavor = "multi_thread")]
async fn another_engine_tells_of_the_same_page() {
    let world = World::with(json!({})).await;
    let check = Arc::new(Answers::default());
    world.engine.check_pages(Arc::clone(&check) as _).unwrap();
    check.set(Ok(json!({"id": "stored", "title": "T"})));
    let fields = json!({"pageTool": true, "openPage": {"id": "p1"}, "offeredTools": ["weather"]});
    let turn = world.engine.start_turn(request("go", fields), Vec::new()).await.unwrap();
    let worker = open(world.folder.path(), &world.provider.base_url(), json!({})).await;
    worker.offer_tools(weather_and_time()).unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let (line, told, page) = world.told_in(0, &turn).await;
    assert!(line.unwrap().contains("\"T\" open (pageId: stored)"));
    assert_eq!((told, page), (json!({"page": {"id": "stored", "title": "T"}}), json!("stored")));
    worker.close(None).await.unwrap();
}
