//! Chats through the operations of every language: made, listed, named, read by pages, searched, deleted, purged, kept for
//! as long as they are to be kept.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use turnkeep::model::{Place, RunReason, RunStatus, encode_cursor};
use turnkeep::{ChatId, Engine, Error};
use turnkeep_test_postgres::query;
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{FnTool, on_postgres, open, request, sql, store_in, tool};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then, table};

fn saying(words: &str) -> Response {
    Response::stream([vec![text(words)], finish("stop", 10, 5)].concat())
}

async fn provider(responses: Vec<Response>) -> ScriptedProvider {
    ScriptedProvider::start(Script { responses, ..Script::default() }).await
}

fn with(more: Value) -> Value {
    let mut params = json!({"workspaceId": "w1", "userId": "u1"});
    more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
    params
}

async fn ask(engine: &Engine, method: &str, more: Value) -> Result<Value, Error> {
    let answer = engine.call(method, &with(more).to_string()).await?;
    Ok(serde_json::from_str(&answer).unwrap())
}

async fn refused(engine: &Engine, method: &str, more: Value) -> (String, Value) {
    let error = ask(engine, method, more.clone()).await.err().unwrap_or_else(|| panic!("{method} {more}"));
    (error.code().as_str().to_owned(), error.details().get("field").cloned().map_or(json!(null), |field| json!(field)))
}

fn titles(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|chat| chat["title"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_made_listed_and_named() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(vec![saying("hello")]).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let (role, other_role) = (ChatId::generate().to_string(), ChatId::generate().to_string());
    for (id, workspace) in [(&role, "w1"), (&other_role, "w2")] {
        let (enabled, at) = (true, "'2026-07-01T00:00:00.000Z'");
        sql(
            folder.path(),
            &format!(
                "INSERT INTO ai_agent_roles (id, workspace_id, name, emoji, instructions, enabled, created_at, updated_at) \
                 VALUES ('{id}', '{workspace}', 'Poet', '✍️', 'Rhyme.', {enabled}, {at}, {at})"
            ),
        );
    }
    let made = ask(&engine, "chats.create", json!({"title": "  One ", "roleId": role, "pageId": "p"})).await.unwrap();
    assert_eq!((&made["title"], &made["roleId"], &made["pageId"]), (&json!("One"), &json!(role), &json!("p")));
    // Whoever repeats it is given the same, and nothing of it changes.
    let again = json!({"chatId": made["id"], "title": "Another", "pageId": "q"});
    assert_eq!(ask(&engine, "chats.create", again).await.unwrap(), made);
    // A turn goes on in it, with its role.
    let turn = engine.start_turn(request("go", json!({"chatId": made["id"]})), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert!(provider.requests()[0]["messages"].to_string().contains("Rhyme."));

    for title in ["Two", "Three", "Four", "Five"] {
        ask(&engine, "chats.create", json!({"title": title, "pageId": "p"})).await.unwrap();
    }
    let first = ask(&engine, "chats.list", json!({"limit": 2})).await.unwrap();
    assert_eq!((titles(&first), &first["prevCursor"]), (vec!["Five", "Four"], &json!(null)));
    let second = ask(&engine, "chats.list", json!({"limit": 2, "cursor": first["nextCursor"]})).await.unwrap();
    assert_eq!(titles(&second), ["Three", "Two"]);
    let third = ask(&engine, "chats.list", json!({"limit": 2, "cursor": second["nextCursor"]})).await.unwrap();
    assert_eq!((titles(&third), &third["nextCursor"]), (vec!["One"], &json!(null)));
    let listed = &third["items"][0];
    assert_eq!((&listed["roleName"], &listed["roleEmoji"]), (&json!("Poet"), &json!("✍️")));
    let back = json!({"limit": 2, "beforeCursor": third["prevCursor"]});
    assert_eq!(titles(&ask(&engine, "chats.list", back).await.unwrap()), ["Three", "Two"]);
    assert_eq!(ask(&engine, "chats.latestForPage", json!({"pageId": "p"})).await.unwrap()["title"], "Five");
    assert_eq!(ask(&engine, "chats.latestForPage", json!({"pageId": "q"})).await.unwrap(), json!(null));

    // A role that is not in use any more is no badge; the chat keeps its id.
    sql(folder.path(), &format!("UPDATE ai_agent_roles SET enabled = {} WHERE id = '{role}'", false));
    let listed = &ask(&engine, "chats.list", json!({"cursor": second["nextCursor"]})).await.unwrap()["items"][0];
    assert_eq!((&listed["roleName"], &listed["roleId"]), (&json!(null), &json!(role)));

    let renamed = ask(&engine, "chats.rename", json!({"chatId": made["id"], "title": "Été"})).await.unwrap();
    assert_eq!(renamed["title"], "Été");
    let id = &made["id"];
    for (method, params, code, field) in [
        ("chats.rename", json!({"chatId": id, "title": "  "}), "INVALID_INPUT", json!("title")),
        ("chats.rename", json!({"chatId": id, "title": "x".repeat(256)}), "INVALID_INPUT", json!("title")),
        ("chats.rename", json!({"chatId": id}), "INVALID_INPUT", json!("title")),
        ("chats.create", json!({"title": ""}), "INVALID_INPUT", json!("title")),
        ("chats.create", json!({"chatId": "no uuid"}), "INVALID_INPUT", json!("chatId")),
        ("chats.create", json!({"roleId": other_role}), "NOT_FOUND", json!("roleId")),
        ("chats.create", json!({"roleId": role}), "NOT_FOUND", json!("roleId")),
        ("chats.list", json!({"limit": 0}), "INVALID_INPUT", json!("limit")),
        ("chats.list", json!({"limit": 101}), "INVALID_INPUT", json!("limit")),
        ("chats.list", json!({"cursor": "x"}), "INVALID_INPUT", json!("cursor")),
        ("chats.list", json!({"beforeCursor": "%"}), "INVALID_INPUT", json!("beforeCursor")),
        ("chats.list", json!({"userId": ""}), "INVALID_INPUT", json!("userId")),
        ("chats.messagePage", json!({"chatId": id, "limit": 1000}), "INVALID_INPUT", json!("limit")),
        ("chats.search", json!({"query": " … "}), "INVALID_INPUT", json!("query")),
        ("chats.search", json!({"query": "x".repeat(5_000)}), "INVALID_INPUT", json!("query")),
        (
            "chats.search",
            json!({"query": "a", "before": ChatId::generate().to_string()}),
            "INVALID_INPUT",
            json!("before"),
        ),
    ] {
        assert_eq!(refused(&engine, method, params.clone()).await, (code.to_owned(), field), "{method} {params}");
    }
    // Characters count, not bytes or halves of them.
    for title in ["😀".repeat(255), "❤️".repeat(255)] {
        let renamed = ask(&engine, "chats.rename", json!({"chatId": id, "title": title})).await.unwrap();
        assert_eq!(renamed["title"], title);
    }
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_read_by_pages() {
    let responses = vec![
        saying("the first answer"),
        Response::stream([vec![text("half"), tool_call(0, "c", "look", "{}")], finish("tool_calls", 1, 1)].concat()),
        Response::stream([text("an answer")]).then(Then::Hang),
    ];
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(responses).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let first = engine.start_turn(request("one", json!({})), Vec::new()).await.unwrap();
    first.done().await.unwrap();
    let chat = json!(first.chat_id().to_string());
    let look = tool(json!({"name": "look"}), FnTool(|_| Ok(json!("seen"))));
    let second = engine.start_turn(request("two", json!({"chatId": chat})), vec![look]).await.unwrap();
    let mut chunks = second.chunks();
    while !chunks.next_batch(1).await[0].contains("an answer") {}

    let contents = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|row| row["content"].as_str().unwrap().to_owned()).collect()
    };
    let page = ask(&engine, "chats.messagePage", json!({"chatId": chat, "limit": 3})).await.unwrap();
    assert_eq!(contents(&page), ["one", "the first answer", "two"]);
    let next = json!({"chatId": chat, "limit": 3, "cursor": page["nextCursor"]});
    // What is being written has every finished step.
    assert_eq!(contents(&ask(&engine, "chats.messagePage", next).await.unwrap()), ["half"]);
    let newest = json!({"chatId": chat, "newestFirst": true, "limit": 2});
    let newest = ask(&engine, "chats.messagePage", newest).await.unwrap();
    assert_eq!(contents(&newest), ["half", "two"]);
    let older = json!({"chatId": chat, "newestFirst": true, "cursor": newest["nextCursor"]});
    let older = ask(&engine, "chats.messagePage", older).await.unwrap();
    assert_eq!(contents(&older), ["the first answer", "one"]);
    let back = json!({"chatId": chat, "newestFirst": true, "beforeCursor": older["prevCursor"]});
    assert_eq!(contents(&ask(&engine, "chats.messagePage", back).await.unwrap()), ["half", "two"]);

    let ui = ask(&engine, "chats.uiMessagePage", json!({"chatId": chat})).await.unwrap();
    let rows = ask(&engine, "chats.messagePage", json!({"chatId": chat})).await.unwrap();
    for (message, row) in ui["items"].as_array().unwrap().iter().zip(rows["items"].as_array().unwrap()) {
        assert_eq!((&message["id"], &message["role"]), (&row["id"], &row["role"]));
        assert_eq!(message["parts"], row["metadata"]["parts"]);
    }
    assert_eq!((ui["items"].as_array().unwrap().len(), &ui["nextCursor"]), (4, &rows["nextCursor"]));
    let unknown = json!({"chatId": ChatId::generate().to_string()});
    let page = ask(&engine, "chats.messagePage", unknown).await.unwrap();
    assert_eq!(page, json!({"items": [], "nextCursor": null, "prevCursor": null}));
    engine.close(Some(std::time::Duration::ZERO)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_that_is_deleted_runs_no_more() {
    let (folder, provider) =
        (tempfile::tempdir().unwrap(), provider(vec![Response::stream([text("half")]).then(Then::Hang)]).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let turn = engine.start_turn(request("go", json!({})), Vec::new()).await.unwrap();
    let chat = json!(turn.chat_id().to_string());
    let waits =
        engine.start_turn(request("and on", json!({"chatId": chat, "busy": "enqueue"})), Vec::new()).await.unwrap();
    assert_eq!(ask(&engine, "chats.delete", json!({"chatId": chat})).await.unwrap(), json!(null));
    for run in [&turn, &waits] {
        let outcome = run.done().await.unwrap();
        assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
    }
    for method in ["chats.get", "chats.delete", "chats.rename", "chats.export"] {
        let params =
            if method == "chats.rename" { json!({"chatId": chat, "title": "x"}) } else { json!({"chatId": chat}) };
        assert_eq!(refused(&engine, method, params).await.0, "NOT_FOUND", "{method}");
    }
    let turn = engine.start_turn(request("again", json!({"chatId": chat})), Vec::new()).await;
    assert_eq!(turn.err().unwrap().code().as_str(), "NOT_FOUND");
    assert_eq!(refused(&engine, "chats.create", json!({"chatId": chat})).await.0, "NOT_FOUND");
    assert_eq!(ask(&engine, "chats.list", json!({})).await.unwrap()["items"], json!([]));
    // Its rows are there until it is purged.
    assert_eq!(sql(folder.path(), "SELECT COUNT(*) FROM ai_chat_messages"), "4");
    ask(&engine, "chats.purge", json!({"chatId": chat})).await.unwrap();
    assert_eq!(sql(folder.path(), "SELECT COUNT(*) FROM ai_chat_messages"), "0");
    assert_eq!(refused(&engine, "chats.purge", json!({"chatId": chat})).await.0, "NOT_FOUND");
    engine.close(None).await.unwrap();
}

const MARKER: &str = "Zanzibarquetzal";

/// Where the marker is: in bytes of the database's files, or in rows of its tables.
fn traces(folder: &Path) -> BTreeSet<String> {
    if on_postgres() {
        let store = store_in(folder);
        let tables = query(&store, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'");
        let has = |table: &str| {
            let any = format!("SELECT EXISTS (SELECT FROM {table} AS t WHERE t::text ILIKE '%{MARKER}%')");
            query(&store, &any) == "t"
        };
        return tables.lines().filter(|table| has(table)).map(str::to_owned).collect();
    }
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        if text.contains(&MARKER.to_lowercase()) {
            found.insert(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_chat_leaves_no_trace() {
    let call = Response::stream(
        [
            vec![text(&format!("{MARKER} ")), tool_call(0, "c", "look", &format!("{{\"at\":\"{MARKER}\"}}"))],
            finish("tool_calls", 1, 1),
        ]
        .concat(),
    );
    let responses = vec![
        saying("something else"),
        call,
        saying(&format!("{MARKER} {}", "long ".repeat(20_000))),
        Response::stream([text(MARKER)]).then(Then::Hang),
    ];
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(responses).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let kept = engine.start_turn(request("kept", json!({})), Vec::new()).await.unwrap();
    kept.done().await.unwrap();
    let look = || tool(json!({"name": "look", "readOnly": false}), FnTool(|_| Ok(json!({"seen": MARKER}))));
    let message = format!("{MARKER}?");
    let turn = engine.start_turn(request(&message, json!({"idempotencyKey": "k"})), vec![look()]).await.unwrap();
    turn.done().await.unwrap();
    let chat = json!(turn.chat_id().to_string());
    ask(&engine, "chats.rename", json!({"chatId": chat, "title": MARKER})).await.unwrap();
    assert_eq!(ask(&engine, "chats.search", json!({"query": MARKER})).await.unwrap().as_array().unwrap().len(), 2);
    // One that goes on and some that wait.
    let more = json!({"chatId": chat, "busy": "enqueue"});
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(engine.start_turn(request(MARKER, more.clone()), vec![look()]).await.unwrap());
    }
    // And a message that waits for the one that goes on.
    ask(&engine, "runs.steer", json!({"runId": runs[0].run_id().to_string(), "message": MARKER})).await.unwrap();
    assert!(!traces(folder.path()).is_empty());

    let purged = ask(&engine, "chats.purge", json!({"chatId": chat})).await.unwrap();
    assert_eq!(purged, json!({"scrubbed": true}));
    assert_eq!(traces(folder.path()), BTreeSet::new());
    for run in &runs {
        assert_eq!(run.done().await.unwrap().status, RunStatus::Aborted);
    }
    assert_eq!(ask(&engine, "chats.search", json!({"query": MARKER})).await.unwrap(), json!([]));
    let messages = ask(&engine, "chats.messages", json!({"chatId": kept.chat_id().to_string()})).await.unwrap();
    assert_eq!(messages[1]["content"], "something else");
    assert_eq!(ask(&engine, "chats.search", json!({"query": "something"})).await.unwrap().as_array().unwrap().len(), 1);
    engine.close(None).await.unwrap();
    assert_eq!(traces(folder.path()), BTreeSet::new());
}

/// A place as cursors name it, with times and ids that nobody has given out.
#[tokio::test(flavor = "multi_thread")]
async fn no_cursor_is_the_stores_problem() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(Vec::new()).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    ask(&engine, "chats.create", json!({"title": "One"})).await.unwrap();
    let id = ChatId::generate().to_string();
    for created_at in [
        "2026-06-26T10:00:00.123Z",
        "2026-06-26T10:00:00.123456Z",
        "2026-06-26T10:00:00Z[UTC]",
        "-000001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "+012026-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "infinity",
        "now",
        "",
        "\u{0}",
    ] {
        for id in [id.clone(), format!("urn:uuid:{id}"), format!("{{{id}}}"), "x".into(), "\u{0}".into(), String::new()]
        {
            let cursor = encode_cursor(&Place { created_at: created_at.into(), id });
            for direction in ["cursor", "beforeCursor"] {
                match ask(&engine, "chats.list", json!({direction: cursor})).await {
                    Ok(page) => assert!(page["items"].is_array()),
                    Err(error) => assert_eq!(
                        (error.code().as_str(), &error.details()["field"]),
                        ("INVALID_INPUT", &json!(direction)),
                        "{created_at}"
                    ),
                }
            }
        }
    }
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_reads_is_overwritten_later() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(vec![saying(MARKER); 2]).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let mut chats = Vec::new();
    for _ in 0..2 {
        let turn = engine.start_turn(request("go", json!({})), Vec::new()).await.unwrap();
        turn.done().await.unwrap();
        chats.push(json!({"chatId": turn.chat_id().to_string()}));
    }
    // A server's files are the server's.
    let reader = (!on_postgres()).then(|| rusqlite::Connection::open(folder.path().join("chats.db")).unwrap());
    reader.iter().for_each(|reader| reader.execute_batch("BEGIN; SELECT COUNT(*) FROM ai_chats").unwrap());
    let purged = ask(&engine, "chats.purge", chats[0].clone()).await.unwrap();
    assert_eq!(purged, json!({"scrubbed": on_postgres()}));
    reader.iter().for_each(|reader| reader.execute_batch("COMMIT").unwrap());
    let purged = ask(&engine, "chats.purge", chats[1].clone()).await.unwrap();
    assert_eq!((purged, traces(folder.path())), (json!({"scrubbed": true}), BTreeSet::new()));
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_are_kept_for_as_long_as_they_are_to_be() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(vec![saying("old"), saying("new")]).await);
    let keeping = open(folder.path(), &provider.base_url(), json!({})).await;
    let (old, new) = (
        keeping.start_turn(request("old", json!({})), Vec::new()).await.unwrap(),
        keeping.start_turn(request("new", json!({})), Vec::new()).await.unwrap(),
    );
    for turn in [&old, &new] {
        turn.done().await.unwrap();
    }
    keeping.close(None).await.unwrap();
    sql(
        folder.path(),
        &format!("UPDATE ai_chats SET updated_at = '2020-01-01T00:00:00.000Z' WHERE id = '{}'", old.chat_id()),
    );
    let options = json!({"runs": {"leaseMs": 300}, "chats": {"retentionMs": 3_600_000}});
    let engine = open(folder.path(), &provider.base_url(), options).await;
    while sql(folder.path(), "SELECT COUNT(*) FROM ai_chats") != "1" {
        tokio::task::yield_now().await;
    }
    let left = ask(&engine, "chats.list", json!({})).await.unwrap();
    assert_eq!(left["items"][0]["id"], json!(new.chat_id().to_string()));
    assert_eq!(sql(folder.path(), "SELECT COUNT(*) FROM ai_chat_messages"), "2");
    engine.close(None).await.unwrap();
}

/// The cases that every language plays.
#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_as_it_says() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), provider(Vec::new()).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let (played, wrong) = table::play(&engine, include_str!("../chats.json")).await;
    assert_eq!(wrong, [""; 0]);
    assert!(played > 130, "{played}");
    engine.close(None).await.unwrap();
}
