//! Messages that join a run: in the stream, what the model is told, the message's row, the export and the next turn.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use turnkeep::model::{RunReason, RunStatus};
use turnkeep::{ChatId, Engine, ErrorCode, Turn};
use turnkeep_tests::scenario::{FnTool, all_chunks, open, request, tool, who};
use turnkeep_tests::steered::{Answer, SteeredModel, says};
use turnkeep_tests::table;

struct World {
    folder: tempfile::TempDir,
    engine: Engine,
    chat: ChatId,
    model: Arc<SteeredModel>,
}

async fn engine_in(folder: &Path) -> Engine {
    open(folder, "http://127.0.0.1:9/v1", json!({"runs": {"leaseMs": 2000}})).await
}

impl World {
    async fn new(answers: Vec<Answer>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine_in(folder.path()).await;
        let chat = ChatId::generate();
        let model = SteeredModel::new(&engine, chat, answers);
        Self { folder, engine, chat, model }
    }

    async fn turn(&self, message: &str, more: Value) -> Turn {
        let mut fields = json!({"chatId": self.chat});
        more.as_object().unwrap().iter().for_each(|(key, value)| fields[key] = value.clone());
        let look = tool(json!({"name": "look", "readOnly": true}), FnTool(|_| Ok(json!("seen"))));
        let model = Arc::clone(&self.model);
        self.engine.start_turn_with(request(message, fields), vec![look], model).await.unwrap()
    }

    async fn call(&self, operation: &str, more: Value) -> Result<Value, turnkeep::Error> {
        let mut params = json!({"workspaceId": "w1", "userId": "u1"});
        more.as_object().unwrap().iter().for_each(|(key, value)| params[key] = value.clone());
        Ok(serde_json::from_str(&self.engine.call(operation, &params.to_string()).await?).unwrap())
    }

    /// `user` and `assistant`, with the parts of each row in a word or two.
    async fn rows(&self) -> Vec<(String, Vec<String>)> {
        let rows = self.engine.messages(&who(), self.chat).await.unwrap();
        rows.iter()
            .map(|row| (row.role.as_str().to_owned(), shapes(&serde_json::to_value(row.parts()).unwrap())))
            .collect()
    }

    async fn states(&self, turn: &Turn) -> Vec<String> {
        let found = self.call("runs.steering", json!({"runId": turn.run_id()})).await.unwrap();
        found.as_array().unwrap().iter().map(|found| found["state"].as_str().unwrap().to_owned()).collect()
    }
}

fn shapes(parts: &Value) -> Vec<String> {
    let shape = |part: &Value| match part["type"].as_str().unwrap() {
        "text" => format!("text {}", part["text"].as_str().unwrap()),
        "data-steering" => format!("steering {}", part["data"]["parts"][0]["text"].as_str().unwrap()),
        other => other.to_owned(),
    };
    parts.as_array().unwrap().iter().map(shape).collect()
}

fn types(chunks: &[Value]) -> Vec<&str> {
    chunks.iter().map(|chunk| chunk["type"].as_str().unwrap()).filter(|kind| *kind != "message-metadata").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_enters_between_two_steps() {
    let world = World::new(vec![says("Looking. ").calling().hearing(&["I meant B", "and C"]), says("B and C.")]).await;
    let turn = world.turn("Tell me of A", json!({})).await;
    let chunks = all_chunks(&turn).await;
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(
        world.model.asked(),
        [
            vec!["user: Tell me of A"],
            vec!["user: Tell me of A", "assistant: Looking. ", "tool", "user: I meant B", "user: and C"],
        ]
    );
    assert_eq!(
        types(&chunks),
        [
            "start",
            "start-step",
            "text-start",
            "text-delta",
            "tool-input-available",
            "text-end",
            "tool-output-available",
            "finish-step",
            "start-step",
            "data-steering",
            "data-steering",
            "text-start",
            "text-delta",
            "text-end",
            "finish-step",
            "finish",
        ]
    );
    let parts = [
        "step-start",
        "text Looking. ",
        "tool-look",
        "step-start",
        "steering I meant B",
        "steering and C",
        "text B and C.",
    ];
    assert_eq!(world.rows().await[1].1, parts);
    // Whoever reads the log is told the same.
    let mut tail = world.engine.tail(&who(), turn.run_id(), turnkeep::TailFrom::Start).await.unwrap();
    let mut logged = Vec::new();
    loop {
        let batch = tail.next_batch(16).await.unwrap();
        if batch.is_empty() {
            break;
        }
        logged.extend(batch.iter().map(|item| serde_json::from_str::<Value>(&item.chunk).unwrap()));
    }
    let told = |chunks: &[Value]| -> Vec<Value> {
        chunks.iter().filter(|chunk| chunk["type"] == "data-steering").cloned().collect()
    };
    assert_eq!(told(&logged), told(&chunks));
    assert_eq!(world.states(&turn).await, ["entered", "entered"]);
    // The next turn is told it where it was.
    world.turn("Thanks", json!({})).await.done().await.unwrap();
    assert_eq!(
        world.model.asked()[2],
        [
            "user: Tell me of A",
            "assistant: Looking. ",
            "tool",
            "user: I meant B",
            "user: and C",
            "assistant: B and C.",
            "user: Thanks",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_would_have_ended_answers_what_came_meanwhile() {
    let world = World::new(vec![says("A it is.").hearing(&["I meant B"]), says("B it is.")]).await;
    let turn = world.turn("A or B?", json!({})).await;
    let chunks = all_chunks(&turn).await;
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.step_count), (RunStatus::Succeeded, 2));
    assert_eq!(world.model.asked()[1], ["user: A or B?", "assistant: A it is.", "user: I meant B"]);
    assert_eq!(chunks.iter().filter(|chunk| chunk["type"] == "finish").count(), 1);
    let parts = ["step-start", "text A it is.", "step-start", "steering I meant B", "text B it is."];
    assert_eq!(
        world.rows().await,
        [
            ("user".to_owned(), vec!["text A or B?".to_owned()]),
            ("assistant".to_owned(), parts.map(str::to_owned).to_vec()),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_step_left_it_is_the_next_turn_s() {
    let world = World::new(vec![says("A.").hearing(&["I meant B"]), says("B.")]).await;
    let turn = world.turn("A or B?", json!({"maxSteps": 1})).await;
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.step_count), (RunStatus::Succeeded, 1));
    let queue = world.call("runs.queue", json!({"chatId": world.chat})).await.unwrap();
    assert_eq!(queue.as_array().unwrap().len(), 1);
    assert_eq!(queue[0]["message"]["parts"][0]["text"], "I meant B");
    world.turn("Well?", json!({})).await.done().await.unwrap();
    assert_eq!(world.model.asked()[1], ["user: A or B?", "assistant: A.", "user: I meant B", "user: Well?"]);
    let rows = world.rows().await;
    let roles: Vec<&str> = rows.iter().map(|(role, _)| role.as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "user", "user", "assistant"]);
    assert_eq!(world.states(&turn).await, ["next_turn"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_a_run_is_stopped_or_fails_is_the_next_turn_s_own() {
    for fails in [true, false] {
        let answer = Answer { fails, hangs: !fails, ..says("Half").hearing(&["I meant B"]) };
        let world = World::new(vec![answer, says("B.")]).await;
        let turn = world.turn("A or B?", json!({})).await;
        let mut reader = turn.chunks();
        while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("Half")) {}
        if !fails {
            turn.stop().await.unwrap();
        }
        let outcome = turn.done().await.unwrap();
        let expected = if fails { Some(RunReason::ProviderError) } else { Some(RunReason::Stopped) };
        assert_eq!(outcome.reason, expected);
        assert_eq!(world.states(&turn).await, ["waiting"]);
        // Begun with the message itself, the turn is that message's.
        let queue = world.call("runs.queue", json!({"chatId": world.chat})).await.unwrap();
        let message = json!({"id": queue[0]["messageId"], "parts": queue[0]["message"]["parts"]});
        world.turn("", json!({"message": message})).await.done().await.unwrap();
        let rows = world.rows().await;
        let users: Vec<&Vec<String>> = rows.iter().filter(|(role, _)| role == "user").map(|(_, parts)| parts).collect();
        assert_eq!(users, [&vec!["text A or B?".to_owned()], &vec!["text I meant B".to_owned()]]);
        assert_eq!(world.states(&turn).await, ["next_turn"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_shows_it_as_words_of_the_user() {
    let world = World::new(vec![says("A it is.").hearing(&["I meant *B*"]), says("B it is.")]).await;
    world.turn("A or B?", json!({})).await.done().await.unwrap();
    let document = world.call("chats.export", json!({"chatId": world.chat, "lang": "en"})).await;
    let export = match document {
        Ok(document) => document.as_str().unwrap_or_default().to_owned(),
        Err(_) => {
            let params = json!({"workspaceId": "w1", "userId": "u1", "chatId": world.chat, "lang": "en"});
            let export = world.engine.export_from_json(&params.to_string()).await.unwrap();
            let mut text = String::new();
            while let Some(piece) = export.next().await.unwrap() {
                text += &piece;
            }
            text
        }
    };
    let places: Vec<usize> =
        ["A it is.", "**You:**\n\nI meant", "B it is."].iter().map(|part| export.find(part).expect(part)).collect();
    assert!(places.is_sorted(), "{export}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_may_write_and_take_back() {
    let world = World::new(vec![Answer { hangs: true, ..says("Half") }]).await;
    let turn = world.turn("A or B?", json!({})).await;
    let mut reader = turn.chunks();
    while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("Half")) {}
    let other = engine_in(world.folder.path()).await;
    let steer = |message: Value| {
        let params = json!({"workspaceId": "w1", "userId": "u1", "runId": turn.run_id(), "message": message});
        let other = other.clone();
        async move { other.call("runs.steer", &params.to_string()).await }
    };
    let told: Value = serde_json::from_str(&steer(json!("one")).await.unwrap()).unwrap();
    assert_eq!(told["place"], "this_run");
    for number in 0..19 {
        steer(json!({"id": format!("m{number}"), "parts": [{"type": "text", "text": "more"}]})).await.unwrap();
    }
    let error = steer(json!("too many")).await.unwrap_err();
    assert_eq!((error.code(), &error.details()["limit"]), (ErrorCode::RateLimited, &json!(20)));
    assert_eq!(turn.queue().await.unwrap().len(), 20);
    let params = json!({"workspaceId": "w1", "userId": "u1", "messageId": told["messageId"]});
    other.call("runs.unsteer", &params.to_string()).await.unwrap();
    assert_eq!(turn.queue().await.unwrap().len(), 19);
    turn.stop().await.unwrap();
    turn.done().await.unwrap();
    let late = steer(json!("late")).await.unwrap_err();
    assert_eq!(late.code(), ErrorCode::RunNotActive);
    let own = request("x", json!({"chatId": world.chat})).message.unwrap();
    let exists = world.engine.steer(&who(), turn.run_id(), &own, Some("m3")).await.unwrap();
    assert_eq!(exists.place, turnkeep::SteeringPlace::NextTurn);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine_in(folder.path()).await;
    let (played, wrong) = table::play(&engine, include_str!("../steering.json")).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(played > 30);
}
