//! Runs that wait for somebody: asked, answered from anywhere, and gone on with. Several engines on one database stand for
//! several processes.

use std::sync::Arc;
use std::sync::Mutex;

use serde_json::{Value, json};
use turnkeep::model::RunStatus;
use turnkeep::tool::Tool;
use turnkeep::{Engine, RunId, TailFrom, TailItem, Turn};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{FnTool, all_chunks, is_paired, open, request, tool, who};
use turnkeep_tests::{Response, Script, ScriptedProvider};

struct World {
    folder: tempfile::TempDir,
    provider: ScriptedProvider,
    front: Engine,
    /// What the tools were called with.
    called: Arc<Mutex<Vec<Value>>>,
}

fn limits() -> Value {
    json!({"runs": {"leaseMs": 300}, "appSecret": "a secret of the application"})
}

impl World {
    async fn new(responses: Vec<Response>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
        let front = open(folder.path(), &provider.base_url(), limits()).await;
        Self { folder, provider, front, called: Arc::default() }
    }

    fn tool(&self, definition: Value) -> Tool {
        let called = Arc::clone(&self.called);
        let handler = FnTool(move |input: Value| {
            called.lock().unwrap().push(input.clone());
            Ok(json!({"done": input}))
        });
        tool(definition, handler)
    }

    fn write(&self, more: Value) -> Tool {
        let mut definition = json!({"name": "write", "approval": "always", "inputSchema":
            {"type": "object", "properties": {"page": {"type": "integer"}}, "required": ["page"]}});
        more.as_object().unwrap().iter().for_each(|(key, value)| definition[key] = value.clone());
        self.tool(definition)
    }

    /// Another engine, which offers these tools.
    async fn worker(&self, tools: Vec<Tool>) -> Engine {
        let engine = open(self.folder.path(), &self.provider.base_url(), limits()).await;
        engine.offer_tools(tools).unwrap();
        engine
    }

    async fn turn(&self, engine: &Engine, more: Value) -> Turn {
        let mut fields = json!({"offeredTools": ["write"]});
        more.as_object().unwrap().iter().for_each(|(key, value)| fields[key] = value.clone());
        engine.start_turn(request("go", fields), Vec::new()).await.unwrap()
    }

    async fn answer(&self, run_id: RunId, more: Value) -> Result<Value, turnkeep::Error> {
        let mut given = json!({"workspaceId": "w", "userId": "u", "runId": run_id, "callId": "call_a"});
        let who = who();
        given["workspaceId"] = json!(who.workspace_id);
        given["userId"] = json!(who.user_id);
        more.as_object().unwrap().iter().for_each(|(key, value)| given[key] = value.clone());
        let answered = self.front.call("runs.answer", &given.to_string()).await?;
        Ok(serde_json::from_str(&answered).unwrap())
    }

    async fn read(&self, run_id: RunId, from: TailFrom) -> Vec<TailItem> {
        let mut tail = self.front.tail(&who(), run_id, from).await.unwrap();
        let mut items = Vec::new();
        loop {
            let batch = tail.next_batch(3).await.unwrap();
            if batch.is_empty() {
                return items;
            }
            items.extend(batch);
        }
    }

    /// The run once it has ended.
    async fn ended(&self, run_id: RunId) -> turnkeep::model::Run {
        loop {
            let run = self.front.run(&who(), run_id).await.unwrap();
            if !run.status.is_active() {
                return run;
            }
            self.read(run_id, TailFrom::Snapshot).await;
            tokio::task::yield_now().await;
        }
    }

    async fn parts(&self, turn: &Turn) -> Vec<Value> {
        let messages = self.front.messages(&who(), turn.chat_id()).await.unwrap();
        let row: Value = serde_json::from_str(messages.last().unwrap().metadata.as_ref().unwrap().get()).unwrap();
        row["parts"].as_array().unwrap().clone()
    }

    /// The results that the model was told in its last request.
    async fn told(&self) -> Vec<String> {
        let requests = self.provider.requests();
        let body: Value = requests.last().unwrap().clone();
        let messages = body["messages"].as_array().unwrap();
        messages.iter().filter(|m| m["role"] == "tool").map(|m| m["content"].as_str().unwrap().to_owned()).collect()
    }
}

fn asks(page: u64) -> Response {
    let head = vec![text("Writing. "), tool_call(0, "call_a", "write", &format!(r#"{{"page":{page}}}"#))];
    Response::stream([head, finish("tool_calls", 20, 8)].concat())
}

fn says(words: &str) -> Response {
    Response::stream([vec![text(words)], finish("stop", 10, 5)].concat())
}

fn types(items: &[Value]) -> Vec<&str> {
    items.iter().map(|chunk| chunk["type"].as_str().unwrap()).collect()
}

fn chunks(items: &[TailItem]) -> Vec<Value> {
    items.iter().map(|item| serde_json::from_str(&item.chunk).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_until_it_is_allowed_and_is_made_once() {
    let world = World::new(vec![asks(1), says("Done.")]).await;
    let worker = world.worker(vec![world.write(json!({}))]).await;
    let turn = world.turn(&worker, json!({})).await;
    let (streamed, outcome) = tokio::join!(all_chunks(&turn), turn.done());
    assert_eq!(outcome.unwrap().status, RunStatus::Waiting);
    let kinds = types(&streamed);
    assert_eq!(kinds[kinds.len() - 3..], ["tool-input-available", "tool-approval-request", "finish"]);
    assert_eq!(streamed.last().unwrap()["messageMetadata"]["waiting"], true);
    assert!(world.called.lock().unwrap().is_empty());

    // It is nobody's, and holds its chat.
    let run = world.front.run(&who(), turn.run_id()).await.unwrap();
    let waiting = run.waiting_for.clone().unwrap();
    assert_eq!((run.status, waiting.len(), waiting[0].call_id.as_str()), (RunStatus::Waiting, 1, "call_a"));
    let chat = json!({"chatId": turn.chat_id(), "offeredTools": ["write"]});
    let error = world.front.start_turn(request("more", chat), Vec::new()).await.err().unwrap();
    assert_eq!(error.details()["activeRunId"], turn.run_id().to_string());
    assert_eq!(world.front.sweep().await.unwrap(), 0);
    let part = world.parts(&turn).await.pop().unwrap();
    assert_eq!((part["state"].as_str(), part.get("waits")), (Some("approval-requested"), None));

    // A tail ends as the stream did, and its last place is the one that the log goes on behind.
    let first = world.read(turn.run_id(), TailFrom::Start).await;
    assert_eq!(
        chunks(&first).last(),
        streamed
            .last()
            .map(|_| json!({"type": "finish", "finishReason": "tool-calls",
        "messageMetadata": {"waiting": true}}))
            .as_ref()
    );
    let token = waiting[0].token.clone().unwrap();
    let answered = world.answer(turn.run_id(), json!({"approved": true, "token": token})).await.unwrap();
    assert_eq!(answered["waiting"], 0);
    assert_eq!(world.ended(turn.run_id()).await.status, RunStatus::Succeeded);
    assert_eq!(*world.called.lock().unwrap(), [json!({"page": 1})]);
    let rest = world.read(turn.run_id(), TailFrom::After(first.last().unwrap().cursor)).await;
    assert_eq!(types(&chunks(&rest))[..2], ["tool-output-available", "finish-step"]);
    let whole = world.read(turn.run_id(), TailFrom::Start).await;
    assert_eq!([&first[..first.len() - 1], &rest].concat(), whole);

    let parts = world.parts(&turn).await;
    assert_eq!(parts[2]["state"], "output-available");
    assert_eq!(parts[2]["approval"], json!({"id": "approval-call_a", "approved": true}));
    assert!(is_paired(&world.provider.requests().last().unwrap()["messages"]));
    for engine in [worker, world.front] {
        engine.close(None).await.unwrap();
    }
}
