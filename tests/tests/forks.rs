//! Forks through the operations of every language: what they cost, what the model is told in them, and where they end.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use turnkeep::model::RunStatus;
use turnkeep::{Engine, Error};
use turnkeep_test_postgres::query;
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{on_postgres, open, request, sql, store_in, weather_and_time};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

/// What a fork may cost, however long the chat is.
const MOST_BYTES: u64 = 64 * 1024;

fn saying(words: &str) -> Response {
    Response::stream([vec![text(words)], finish("stop", 10, 5)].concat())
}

/// Says something, and asks for the weather.
fn looking(words: &str, call: &str) -> Response {
    let call = tool_call(0, call, "weather", r#"{"city":"Oslo"}"#);
    Response::stream([vec![text(words), call], finish("tool_calls", 1, 1)].concat())
}

async fn provider(responses: Vec<Response>) -> ScriptedProvider {
    ScriptedProvider::start(Script { responses, ..Script::default() }).await
}

async fn ask(engine: &Engine, method: &str, more: Value) -> Result<Value, Error> {
    let mut params = json!({"workspaceId": "w1", "userId": "u1"});
    more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
    let answer = engine.call(method, &params.to_string()).await?;
    Ok(serde_json::from_str(&answer).unwrap())
}

async fn contents(engine: &Engine, chat_id: &Value) -> Vec<String> {
    let messages = ask(engine, "chats.messages", json!({"chatId": chat_id})).await.unwrap();
    messages.as_array().unwrap().iter().map(|message| message["content"].as_str().unwrap().to_owned()).collect()
}

/// How much room the rows and indexes of the database take.
fn bytes(folder: &Path) -> u64 {
    let sum = match on_postgres() {
        true => {
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND \
             relnamespace = current_schema()::regnamespace"
        }
        false => {
            "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count(), pragma_freelist_count(), \
             pragma_page_size()"
        }
    };
    sql(folder, sum).trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_of_a_chat_of_ten_megabytes_costs_less_than_64_kib() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(vec![saying("on it goes")]).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let message = |number: u64| {
        // Nothing that a database could make small.
        let words =
            (1..260_u64).map(|word| word.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number * 7_919) >> 36);
        let text = format!("message{number} {}", words.map(|word| format!("{word:x}")).collect::<Vec<_>>().join(" "));
        let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
        json!({"role": role, "content": text, "metadata": {"parts": [{"type": "text", "text": text}]}})
    };
    let messages: Vec<Value> = (0..2_600).map(message).collect();
    let document =
        json!({"format": "turnkeep-chat", "version": 1, "chat": {"id": "x", "title": "Long"}, "messages": messages});
    let document = document.to_string();
    assert!(document.len() > 10_000_000);
    let chat = ask(&engine, "chats.import", json!({"document": document})).await.unwrap()["id"].clone();
    // What the import leaves to be done is done first.
    ask(&engine, "chats.search", json!({"query": "message1", "limit": 1})).await.unwrap();
    let middle =
        ask(&engine, "chats.messagePage", json!({"chatId": chat, "limit": 100})).await.unwrap()["items"][50]["id"]
            .clone();
    for at in [json!({"chatId": chat}), json!({"chatId": chat, "messageId": middle})] {
        let before = bytes(folder.path());
        assert!(before > 10_000_000);
        let fork = ask(&engine, "chats.fork", at).await.unwrap();
        let cost = bytes(folder.path()).saturating_sub(before);
        assert!(cost <= MOST_BYTES, "{cost}");
        println!("a fork costs {cost} bytes");
        assert_eq!((&fork["title"], &fork["creatorId"]), (&json!("Long"), &json!("u1")));
    }
    let forks = ask(&engine, "chats.list", json!({})).await.unwrap();
    let (part, whole) = (&forks["items"][0]["id"], &forks["items"][1]["id"]);
    assert_eq!(contents(&engine, part).await.len(), 51);
    assert_eq!(contents(&engine, whole).await, contents(&engine, &chat).await);
    // A turn goes on where the chat was, and is told what that had.
    let turn = engine.start_turn(request("and now?", json!({"chatId": part})), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let told = provider.requests()[0]["messages"].to_string();
    assert!(told.contains("message50 ") && !told.contains("message51 ") && told.contains("and now?"));
    assert_eq!(contents(&engine, part).await[50..].len(), 3);
    assert_eq!(contents(&engine, &chat).await.len(), 2_600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_at_a_step_has_the_answer_up_to_it() {
    let responses = vec![
        looking("first ", "c1"),
        looking("second ", "c2"),
        saying("third"),
        saying("something else"),
        looking("so far ", "c3"),
        Response::stream([text("and then ")]).then(Then::Hang),
    ];
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(responses).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let turn = engine.start_turn(request("look", json!({})), weather_and_time()).await.unwrap();
    turn.done().await.unwrap();
    let chat = json!(turn.chat_id().to_string());
    let answer = ask(&engine, "chats.messages", json!({"chatId": chat})).await.unwrap()[1].clone();
    let fork = |step: u32| ask(&engine, "chats.fork", json!({"chatId": chat, "messageId": answer["id"], "step": step}));
    for (step, content) in [(0, "first "), (1, "first second "), (2, "first second third")] {
        let made = fork(step).await.unwrap();
        let messages = ask(&engine, "chats.messages", json!({"chatId": made["id"]})).await.unwrap();
        let cut = &messages[1];
        assert_eq!((&messages[0]["content"], &cut["content"]), (&json!("look"), &json!(content)));
        assert_eq!((&cut["status"], &cut["createdAt"]), (&json!("completed"), &answer["createdAt"]));
        // All of it is the same message; a part of it is another one.
        assert_eq!(cut["id"] == answer["id"], step == 2);
        let (parts, all) =
            (cut["metadata"]["parts"].as_array().unwrap(), answer["metadata"]["parts"].as_array().unwrap());
        assert_eq!(parts[..], all[..parts.len()]);
    }
    let error = fork(3).await.unwrap_err();
    assert_eq!((error.code().as_str(), &error.details()["field"]), ("INVALID_INPUT", &json!("step")));

    // The model goes on from there: it is told the call of the step that is kept, and of no other.
    let made = fork(0).await.unwrap();
    let turn =
        engine.start_turn(request("differently", json!({"chatId": made["id"]})), weather_and_time()).await.unwrap();
    turn.done().await.unwrap();
    let told = provider.requests().pop().unwrap()["messages"].to_string();
    assert!(told.contains("c1") && !told.contains("c2") && !told.contains("third"));
    assert_eq!(contents(&engine, &made["id"]).await, ["look", "first ", "differently", "something else"]);

    // Of an answer in progress a fork has what is finished.
    let more = json!({"chatId": chat});
    let turn = engine.start_turn(request("again", more.clone()), weather_and_time()).await.unwrap();
    let mut chunks = turn.chunks();
    while !chunks.next_batch(1).await.concat().contains("and then ") {}
    let made = ask(&engine, "chats.fork", more).await.unwrap();
    assert_eq!(contents(&engine, &made["id"]).await[2..], ["again", "so far "]);
    ask(&engine, "runs.stop", json!({"runId": turn.run_id().to_string()})).await.unwrap();
    turn.done().await.unwrap();
    assert_eq!(contents(&engine, &made["id"]).await[2..], ["again", "so far "]);
    assert_eq!(contents(&engine, &chat).await[2..], ["again", "so far and then "]);
}

const MARKER: &str = "Xylophagous";

/// Where the word is left, in files and tables.
fn traces(folder: &Path) -> BTreeSet<String> {
    if on_postgres() {
        let dump =
            "SELECT string_agg(row::text, ' ') FROM (SELECT message AS row FROM ai_chat_messages AS message) AS rows";
        let rows = query(&store_in(folder), dump).to_lowercase();
        return if rows.contains(&MARKER.to_lowercase()) {
            ["ai_chat_messages".to_owned()].into()
        } else {
            BTreeSet::new()
        };
    }
    let has_it = |path: &Path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(MARKER.len()).any(|window| window.eq_ignore_ascii_case(MARKER.as_bytes()))
    };
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    files.filter(|path| has_it(path)).map(|path| path.display().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_chat_leaves_to_its_forks_goes_with_the_last_of_them() {
    let responses = vec![saying(&format!("{MARKER} 1")), saying(&format!("{MARKER} 2"))];
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(responses).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let turn = engine.start_turn(request("one", json!({})), Vec::new()).await.unwrap();
    turn.done().await.unwrap();
    let chat = json!(turn.chat_id().to_string());
    let fork = ask(&engine, "chats.fork", json!({"chatId": chat})).await.unwrap()["id"].clone();
    let turn = engine.start_turn(request("two", json!({"chatId": chat})), Vec::new()).await.unwrap();
    turn.done().await.unwrap();
    let exported = async || {
        let document = ask(&engine, "chats.export", json!({"chatId": fork, "format": "json"})).await.unwrap();
        serde_json::from_str::<Value>(document.as_str().unwrap()).unwrap()["messages"].clone()
    };
    let before = exported().await;
    ask(&engine, "chats.purge", json!({"chatId": chat})).await.unwrap();
    assert_eq!(exported().await, before);
    assert_eq!(contents(&engine, &fork).await, ["one".to_owned(), format!("{MARKER} 1")]);
    let found = ask(&engine, "chats.search", json!({"query": MARKER})).await.unwrap();
    assert_eq!((found.as_array().unwrap().len(), &found[0]["chatId"]), (1, &fork));
    assert_eq!(ask(&engine, "chats.get", json!({"chatId": chat})).await.unwrap_err().code().as_str(), "NOT_FOUND");
    assert!(!traces(folder.path()).is_empty());

    ask(&engine, "chats.purge", json!({"chatId": fork})).await.unwrap();
    assert_eq!(traces(folder.path()), BTreeSet::new());
    engine.close(None).await.unwrap();
    assert_eq!(traces(folder.path()), BTreeSet::new());
}
