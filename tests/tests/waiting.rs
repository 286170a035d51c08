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
    json!({"runs": {"leaseMs": 2000}, "appSecret": "a secret of the application"})
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_is_not_made_and_the_model_is_told_why() {
    let world = World::new(vec![asks(1), says("Understood.")]).await;
    let worker = world.worker(vec![world.write(json!({}))]).await;
    let turn = world.turn(&worker, json!({})).await;
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Waiting);
    let first = world.read(turn.run_id(), TailFrom::Start).await;
    world.answer(turn.run_id(), json!({"approved": false, "reason": "Not this page."})).await.unwrap();
    assert_eq!(world.ended(turn.run_id()).await.status, RunStatus::Succeeded);
    assert!(world.called.lock().unwrap().is_empty());
    assert!(world.told().await[0].contains("Not this page."), "{:?}", world.told().await);
    let rest = chunks(&world.read(turn.run_id(), TailFrom::After(first.last().unwrap().cursor)).await);
    assert_eq!(rest[0], json!({"type": "tool-output-denied", "toolCallId": "call_a"}));
    let part = world.parts(&turn).await[2].clone();
    assert_eq!((part["state"].as_str(), part.get("errorText")), (Some("output-denied"), None));
    assert_eq!(part["approval"], json!({"id": "approval-call_a", "approved": false, "reason": "Not this page."}));
    worker.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none_is_refused_with_its_code() {
    let world = World::new(vec![asks(1), says("Done.")]).await;
    let worker = world.worker(vec![world.write(json!({}))]).await;
    let turn = world.turn(&worker, json!({})).await;
    turn.done().await.unwrap();
    let run_id = turn.run_id();
    for (more, expected) in [
        (json!({"approved": true, "callId": "call_b"}), "ANSWER_MISMATCH"),
        (json!({"approved": true, "token": "AAAA"}), "ANSWER_MISMATCH"),
        (json!({"approved": true, "userId": "somebody"}), "FORBIDDEN"),
        (json!({"approved": true, "workspaceId": "other"}), "FORBIDDEN"),
        (json!({"approved": true, "runId": RunId::generate()}), "NOT_FOUND"),
        (json!({"approved": true, "input": {"page": 2}}), "INVALID_INPUT"),
        (json!({"output": 1, "approved": true}), "INVALID_INPUT"),
        (json!({}), "INVALID_INPUT"),
    ] {
        let error = world.answer(run_id, more.clone()).await.unwrap_err();
        assert_eq!(error.code().as_str(), expected, "{more}");
    }
    world.answer(run_id, json!({"approved": true})).await.unwrap();
    let again = world.answer(run_id, json!({"approved": false})).await.unwrap_err();
    assert_eq!((again.code().as_str(), again.code().http_status()), ("NOT_WAITING", 409));
    world.ended(run_id).await;
    assert_eq!(world.answer(run_id, json!({"approved": true})).await.unwrap_err().code().as_str(), "NOT_WAITING");
    assert_eq!(world.called.lock().unwrap().len(), 1);
    worker.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_waits_is_stopped_as_any_other_and_its_call_is_not_made() {
    let world = World::new(vec![asks(1)]).await;
    let worker = world.worker(vec![world.write(json!({}))]).await;
    let turn = world.turn(&worker, json!({})).await;
    turn.done().await.unwrap();
    assert!(world.front.stop_run(&who(), turn.run_id()).await.unwrap());
    let run = world.front.run(&who(), turn.run_id()).await.unwrap();
    assert_eq!((run.status.as_str(), run.reason.unwrap().as_str()), ("aborted", "stopped"));
    let error = world.answer(turn.run_id(), json!({"approved": true})).await.unwrap_err();
    assert_eq!(error.code().as_str(), "NOT_WAITING");
    let part = world.parts(&turn).await[2].clone();
    assert_eq!((part["state"].as_str(), part.get("approval")), (Some("output-error"), None));
    assert!(world.called.lock().unwrap().is_empty());
    worker.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_allows_a_call_may_change_its_arguments_where_its_tool_says_so() {
    let world = World::new(vec![asks(1), says("Done.")]).await;
    let worker = world.worker(vec![world.write(json!({"editableInput": true}))]).await;
    let turn = world.turn(&worker, json!({})).await;
    turn.done().await.unwrap();
    let wrong = world.answer(turn.run_id(), json!({"approved": true, "input": {"page": "two"}})).await.unwrap_err();
    assert_eq!(wrong.details()["field"], "input");
    world.answer(turn.run_id(), json!({"approved": true, "input": {"page": 2}})).await.unwrap();
    assert_eq!(world.ended(turn.run_id()).await.status, RunStatus::Succeeded);
    assert_eq!(*world.called.lock().unwrap(), [json!({"page": 2})]);
    assert_eq!(world.parts(&turn).await[2]["input"], json!({"page": 2}));
    assert!(world.told().await[0].contains("changed"), "{:?}", world.told().await);
    worker.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_by_a_person_and_a_client_s_tool_by_the_client() {
    let both = [
        tool_call(0, "call_a", "question", r#"{"text":"Which?"}"#),
        tool_call(1, "call_b", "position", "{}"),
        tool_call(2, "call_c", "write", r#"{"page":3}"#),
    ];
    let first = Response::stream([both.to_vec(), finish("tool_calls", 20, 8)].concat());
    let world = World::new(vec![first, says("Done.")]).await;
    let question = world.tool(json!({"name": "question", "answerSchema": {"type": "string", "enum": ["a", "b"]},
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}}}));
    let position = world.tool(json!({"name": "position", "clientSide": true}));
    let tools =
        vec![question, position, world.write(json!({"approval": {"when": {"properties": {"page": {"const": 9}}}}}))];
    let worker = world.worker(tools).await;
    let turn = world.turn(&worker, json!({"offeredTools": ["question", "position", "write"]})).await;
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Waiting);
    // What nobody has to allow was made already.
    assert_eq!(*world.called.lock().unwrap(), [json!({"page": 3})]);
    let wrong = world.answer(turn.run_id(), json!({"output": "c"})).await.unwrap_err();
    assert_eq!(wrong.details()["field"], "output");
    assert_eq!(world.answer(turn.run_id(), json!({"output": "b"})).await.unwrap()["waiting"], 1);
    let answered = world.answer(turn.run_id(), json!({"callId": "call_b", "output": {"x": 1}})).await.unwrap();
    assert_eq!(answered["waiting"], 0);
    assert_eq!(world.ended(turn.run_id()).await.status, RunStatus::Succeeded);
    let told = world.told().await;
    assert!(told[0].contains('b') && told[1].contains("\"x\":1") && told[2].contains("page"), "{told:?}");
    assert_eq!(world.called.lock().unwrap().len(), 1);
    worker.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_answers_in_time_expires() {
    let world = World::new(vec![asks(1), says("Never mind.")]).await;
    let worker = world.worker(vec![world.write(json!({"expiresAfterMs": 1}))]).await;
    let turn = world.turn(&worker, json!({})).await;
    turn.done().await.unwrap();
    loop {
        match world.answer(turn.run_id(), json!({"approved": true, "token": "AAAA"})).await.unwrap_err().code().as_str()
        {
            "ANSWER_EXPIRED" => break,
            code => assert_eq!(code, "ANSWER_MISMATCH"),
        }
    }
    world.front.sweep().await.unwrap();
    assert_eq!(world.ended(turn.run_id()).await.status, RunStatus::Succeeded);
    assert_eq!(world.parts(&turn).await[2]["state"], "output-denied");
    assert!(world.called.lock().unwrap().is_empty());
    worker.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_wait_are_listed_for_their_user_and_for_administrators() {
    let world = World::new(vec![asks(1), asks(2)]).await;
    let worker = world.worker(vec![world.write(json!({}))]).await;
    let (first, second) = (world.turn(&worker, json!({})).await, world.turn(&worker, json!({})).await);
    first.done().await.unwrap();
    second.done().await.unwrap();
    let list = async |params: Value| {
        let mut all = json!({"workspaceId": who().workspace_id, "actor": {"userId": who().user_id, "isAdmin": false}});
        params.as_object().unwrap().iter().for_each(|(key, value)| all[key] = value.clone());
        let page = world.front.call("runs.waiting", &all.to_string()).await;
        page.map(|page| serde_json::from_str::<Value>(&page).unwrap())
    };
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    };
    let (one, two) = (first.run_id().to_string(), second.run_id().to_string());
    let all = list(json!({})).await.unwrap();
    assert_eq!(ids(&all), [one.clone(), two.clone()]);
    assert_eq!(all["items"][0]["waitingFor"][0]["kind"], "approval");
    let page = list(json!({"limit": 1})).await.unwrap();
    assert_eq!((ids(&page), &page["nextCursor"]), (vec![one.clone()], &json!(one)));
    assert_eq!(ids(&list(json!({"cursor": one})).await.unwrap()), std::slice::from_ref(&two));
    assert_eq!(ids(&list(json!({"chatId": second.chat_id()})).await.unwrap()), [two]);
    let stranger = json!({"userId": "stranger", "isAdmin": false});
    assert!(ids(&list(json!({"actor": stranger})).await.unwrap()).is_empty());
    let theirs = json!({"actor": stranger, "userId": who().user_id});
    assert_eq!(list(theirs).await.unwrap_err().code().as_str(), "FORBIDDEN");
    let admin = json!({"actor": {"userId": "stranger", "isAdmin": true}});
    assert_eq!(ids(&list(admin).await.unwrap()).len(), 2);
    worker.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_could_not_be_gone_on_with_is_refused() {
    let world = World::new(vec![]).await;
    let own = vec![world.write(json!({}))];
    let error = world.front.start_turn(request("go", json!({})), own).await.err().unwrap();
    assert_eq!(error.details()["field"], "tools[0]");
    let error = world.front.start_turn(request("go", json!({"holdsChat": false})), Vec::new()).await.err().unwrap();
    assert_eq!(error.details()["field"], "holdsChat");
    for (definition, field) in [
        (json!({"name": "t", "editableInput": true}), "tools[0].editableInput"),
        (json!({"name": "t", "clientSide": true, "approval": "always"}), "tools[0].approval"),
        (json!({"name": "t", "expiresAfterMs": 5}), "tools[0].expiresAfterMs"),
        (json!({"name": "t", "approval": {"when": {"type": 5}}}), "tools[0].approval.when"),
        (json!({"name": "t", "clientSide": true, "answerSchema": {}}), "tools[0].clientSide"),
    ] {
        let error = world.front.offer_tools(vec![world.tool(definition)]).unwrap_err();
        assert_eq!(error.details()["field"], field);
    }
}
