//! Every operation with every id that is not the caller's: of another user, of another workspace, deleted, disabled,
//! unknown. On both stores it is the same code, nothing is told of what is there, and nothing is written.

use std::path::Path;

use serde_json::{Value, json};
use turnkeep::{ChatId, Engine, Error, TailFrom, Who};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::scenario::{open, request, sql};
use turnkeep_tests::{Response, Script, ScriptedProvider};

/// Whose an object is, or what has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    Own,
    OtherUsers,
    OtherWorkspaces,
    Deleted,
    Disabled,
    Unknown,
}

use Object::{Deleted, Disabled, OtherUsers, OtherWorkspaces, Own, Unknown};

const CHATS: [Object; 5] = [Own, OtherUsers, OtherWorkspaces, Deleted, Unknown];
const RUNS: [Object; 5] = [Own, OtherUsers, OtherWorkspaces, Deleted, Unknown];
const ROLES: [Object; 5] = [Own, OtherWorkspaces, Deleted, Disabled, Unknown];
const TABLES: [&str; 7] = [
    "ai_chats",
    "ai_chat_messages",
    "ai_chat_runs",
    "ai_chat_run_queue",
    "ai_chat_run_steps",
    "turnkeep_stop_notes",
    "ai_agent_roles",
];
/// Stands in what is not the caller's.
const SECRET: &str = "not-for-other-eyes";

struct Ids {
    chat: String,
    run: String,
    message: String,
}

struct World {
    folder: tempfile::TempDir,
    engine: Engine,
    _provider: ScriptedProvider,
}

fn who(object: Object) -> Who {
    let (workspace_id, user_id) = match object {
        OtherUsers => ("w1", "u2"),
        OtherWorkspaces => ("w2", "u1"),
        _ => ("w1", "u1"),
    };
    Who { workspace_id: workspace_id.into(), user_id: user_id.into() }
}

impl World {
    async fn new() -> Self {
        let answer = Response::stream([vec![text(SECRET)], finish("stop", 10, 5)].concat());
        let script = Script { responses: vec![answer; 400], ..Script::default() };
        let provider = ScriptedProvider::start(script).await;
        let folder = tempfile::tempdir().unwrap();
        let engine = open(folder.path(), &provider.base_url(), json!({"appSecret": "a secret of the engine's"})).await;
        Self { folder, engine, _provider: provider }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A chat with a turn that is over.
    async fn chat(&self, object: Object) -> Ids {
        if object == Unknown {
            let id = || ChatId::generate().to_string();
            return Ids { chat: id(), run: id(), message: id() };
        }
        let Who { workspace_id, user_id } = who(object);
        let more = json!({"workspaceId": workspace_id, "userId": user_id});
        let turn = self.engine.start_turn(request(SECRET, more), Vec::new()).await.unwrap();
        turn.done().await.unwrap();
        let (chat, run) = (turn.chat_id().to_string(), turn.run_id().to_string());
        let message = self.engine.messages(&who(object), turn.chat_id()).await.unwrap()[0].id.to_string();
        if object == Deleted {
            sql(self.path(), &format!("UPDATE ai_chats SET deleted_at = created_at WHERE id = '{chat}'"));
        }
        Ids { chat, run, message }
    }

    fn role(&self, object: Object) -> String {
        let (id, workspace) = (ChatId::generate().to_string(), who(object).workspace_id);
        if object != Unknown {
            let (enabled, at) = (object != Disabled, "'2026-07-01T00:00:00.000Z'");
            let deleted = if object == Deleted { at } else { "NULL" };
            sql(
                self.path(),
                &format!(
                    "INSERT INTO ai_agent_roles (id, workspace_id, name, instructions, enabled, created_at, updated_at, \
                     deleted_at) VALUES ('{id}', '{workspace}', '{SECRET} {id}', 'x', {enabled}, {at}, {at}, {deleted})"
                ),
            );
        }
        id
    }

    fn rows(&self) -> Vec<String> {
        TABLES.map(|table| sql(self.path(), &format!("SELECT COUNT(*) FROM {table}"))).to_vec()
    }

    /// What the operation answers the caller.
    async fn ask(&self, method: &str, params: &Value) -> Result<Value, Error> {
        let text = params.to_string();
        match method {
            "startTurn" => {
                let turn = self.engine.start_turn(serde_json::from_str(&text).unwrap(), Vec::new()).await?;
                turn.done().await.map(|_| json!("begun"))
            }
            "tail" => {
                let run = params["runId"].as_str().unwrap().parse().unwrap();
                self.engine.tail(&who(Own), run, TailFrom::Start).await.map(|_| json!("follows"))
            }
            _ => self.engine.call(method, &text).await.map(|answer| serde_json::from_str(&answer).unwrap()),
        }
    }

    /// Checks one crossing: its code (`""` where it succeeds), that it tells nothing, and that it writes nothing.
    async fn crosses(&self, what: &str, method: &str, params: &Value, expected: &str) {
        let before = self.rows();
        let answer = self.ask(method, params).await;
        let code = answer.as_ref().err().map_or("", |error| error.code().as_str());
        assert_eq!(code, expected, "{what}: {answer:?}");
        if let Err(error) = &answer {
            let told = format!("{error} {:?} {}", error.details(), serde_json::to_string(error.details()).unwrap());
            assert!(!told.contains(SECRET), "{what}: {told}");
            assert_eq!(self.rows(), before, "{what}");
        }
    }
}

fn with(more: &[(&str, Value)]) -> Value {
    let mut params = json!({"workspaceId": "w1", "userId": "u1"});
    more.iter().for_each(|(name, value)| params[*name] = value.clone());
    params
}

fn no_page() -> Value {
    json!({"items": [], "nextCursor": null, "prevCursor": null})
}

/// What is found, listed, or looked for is the caller's own.
#[tokio::test(flavor = "multi_thread")]
async fn lists_and_searches() {
    let world = World::new().await;
    for object in CHATS {
        let Ids { chat, message, .. } = world.chat(object).await;
        let page = format!("page {object:?}");
        sql(world.path(), &format!("UPDATE ai_chats SET page_id = '{page}' WHERE id = '{chat}'"));
        let shown = object == Own;
        let listed = world.ask("chats.list", &with(&[])).await.unwrap();
        assert_eq!(listed.to_string().contains(&chat), shown, "{object:?}");
        let latest = world.ask("chats.latestForPage", &with(&[("pageId", json!(page))])).await.unwrap();
        assert_eq!(latest.to_string().contains(&chat), shown, "{object:?}");
        let found = world.ask("chats.search", &with(&[("query", json!(SECRET))])).await.unwrap();
        assert_eq!(found.to_string().contains(&chat), shown, "{object:?}");
        let expected = if matches!(object, OtherUsers | OtherWorkspaces) { "FORBIDDEN" } else { "" };
        let params = with(&[("query", json!(SECRET)), ("chatId", json!(chat))]);
        world.crosses(&format!("chats.search in a chat: {object:?}"), "chats.search", &params, expected).await;
        let params = with(&[("query", json!(SECRET)), ("before", json!(message))]);
        let expected = if shown { "" } else { "INVALID_INPUT" };
        world.crosses(&format!("chats.search before: {object:?}"), "chats.search", &params, expected).await;
    }
}

/// Questions about a chat: whoever asks of one that is not there (yet) is told that it is empty.
#[tokio::test(flavor = "multi_thread")]
async fn questions_about_chats() {
    let world = World::new().await;
    let empty = [
        ("runs.latestForChat", json!(null)),
        ("runs.activeForChat", json!(null)),
        ("runs.list", json!([])),
        ("chats.messages", json!([])),
        ("chats.open", json!({"messages": [], "follow": null})),
        ("chats.messagePage", no_page()),
        ("chats.uiMessagePage", no_page()),
        ("runs.stop", json!(false)),
    ];
    for object in CHATS {
        let chat = world.chat(object).await.chat;
        for (method, nothing) in &empty {
            let (what, params) = (format!("{method} of a chat: {object:?}"), with(&[("chatId", json!(chat))]));
            let foreign = matches!(object, OtherUsers | OtherWorkspaces);
            world.crosses(&what, method, &params, if foreign { "FORBIDDEN" } else { "" }).await;
            if matches!(object, Deleted | Unknown) {
                assert_eq!(&world.ask(method, &params).await.unwrap(), nothing, "{what}");
            }
        }
        let expected = match object {
            Own => "",
            OtherUsers | OtherWorkspaces => "FORBIDDEN",
            _ => "NOT_FOUND",
        };
        for (method, more) in [
            ("chats.export", vec![]),
            ("chats.get", vec![]),
            ("provenance.sign", vec![]),
            ("chats.rename", vec![("title", json!("x"))]),
            ("chats.create", vec![]),
            ("chats.delete", vec![]),
        ] {
            let params = with(&[vec![("chatId", json!(chat))], more].concat());
            // What is unknown is made.
            let expected = if method == "chats.create" && object == Unknown { "" } else { expected };
            let now = if method == "chats.delete" && object == Unknown { "" } else { expected };
            world.crosses(&format!("{method}: {object:?}"), method, &params, now).await;
        }
        // Deleted or not, it is its owner's to remove.
        let params = with(&[("chatId", json!(chat))]);
        let foreign = matches!(object, OtherUsers | OtherWorkspaces);
        world
            .crosses(
                &format!("chats.purge: {object:?}"),
                "chats.purge",
                &params,
                if foreign { "FORBIDDEN" } else { "" },
            )
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_on_runs() {
    let world = World::new().await;
    for object in RUNS {
        let Ids { chat, run, message } = world.chat(object).await;
        let own = world.chat(Own).await;
        let step = json!({"text": "x"});
        for (method, more) in [
            ("runs.get", vec![]),
            ("runs.stop", vec![]),
            ("tail", vec![]),
            ("runs.signal", vec![]),
            ("runs.recordStep", vec![("step", step.clone())]),
            ("runs.finish", vec![("status", json!("succeeded"))]),
        ] {
            let params = with(&[vec![("runId", json!(run))], more].concat());
            // The engine's own run is not the host's to write; that it has ended as it did may be said again.
            let expected = match object {
                Own if method == "runs.recordStep" => "LEASE_LOST",
                Own => "",
                OtherUsers | OtherWorkspaces => "FORBIDDEN",
                _ => "NOT_FOUND",
            };
            world.crosses(&format!("{method}: {object:?}"), method, &params, expected).await;
        }
        // Where a page of one's own chat begins is no way to look into another.
        for (method, before) in [("runs.list", &run), ("chats.messages", &message)] {
            let params = with(&[("chatId", json!(own.chat)), ("before", json!(before))]);
            world.crosses(&format!("{method} before: {object:?}"), method, &params, "INVALID_INPUT").await;
            if object == Own {
                let params = with(&[("chatId", json!(chat)), ("before", json!(before))]);
                world.crosses(&format!("{method} before its own"), method, &params, "").await;
            }
        }
    }
}

/// What begins something, with each id that may be given, and with and without a chat of its own.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_a_run() {
    let world = World::new().await;
    for method in ["startTurn", "runs.begin"] {
        for object in CHATS {
            let chat = world.chat(object).await.chat;
            let expected = match object {
                Own | Unknown => "",
                OtherUsers | OtherWorkspaces => "FORBIDDEN",
                _ => "NOT_FOUND",
            };
            let params = with(&[("chatId", json!(chat)), ("message", json!("go"))]);
            world.crosses(&format!("{method} in a chat: {object:?}"), method, &params, expected).await;
        }
        for object in ROLES {
            for chat in [None, Some(Own), Some(Unknown)] {
                let mut given = vec![("roleId", json!(world.role(object))), ("message", json!("go"))];
                if let Some(chat) = chat {
                    given.push(("chatId", json!(world.chat(chat).await.chat)));
                }
                // A chat keeps the role that it was made with; what is asked for with a new one must exist.
                let expected = if object == Own || chat == Some(Own) { "" } else { "NOT_FOUND" };
                let what = format!("{method} with a role: {object:?} in a chat: {chat:?}");
                world.crosses(&what, method, &with(&given), expected).await;
            }
        }
        for object in RUNS {
            let run = world.chat(object).await.run;
            for chat in [Own, Unknown] {
                let chat_id = world.chat(chat).await.chat;
                let busy = json!({"supersede": run});
                let params = with(&[("chatId", json!(chat_id)), ("message", json!("go")), ("busy", busy)]);
                let what = format!("{method} in the place of a run: {object:?} in a chat: {chat:?}");
                world.crosses(&what, method, &params, "SUPERSEDE_INVALID").await;
            }
        }
    }
    // A message's id that another chat has is nobody's business here; one of this chat is there already.
    for object in RUNS {
        let Ids { chat, message, .. } = world.chat(object).await;
        let message = json!({"id": message, "parts": [{"type": "text", "text": "go"}]});
        let own = world.chat(Own).await.chat;
        let params = with(&[("chatId", json!(own)), ("message", message.clone())]);
        world.crosses(&format!("a message of another chat: {object:?}"), "startTurn", &params, "").await;
        if object == Own {
            let params = with(&[("chatId", json!(chat)), ("message", message)]);
            world.crosses("a message of this chat", "startTurn", &params, "MESSAGE_EXISTS").await;
        }
    }
    // Keys are each user's own.
    for object in [Own, OtherUsers, OtherWorkspaces] {
        let Who { workspace_id, user_id } = who(object);
        let params = json!({"workspaceId": workspace_id, "userId": user_id, "message": "go", "idempotencyKey": "k"});
        world.crosses(&format!("a key: {object:?}"), "startTurn", &params, "").await;
    }
    assert_eq!(sql(world.path(), "SELECT COUNT(*) FROM ai_chat_runs WHERE idempotency_key = 'k'"), "3");
}

/// Roles belong to a workspace: what is another's is not there, and members change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn operations_on_roles() {
    let world = World::new().await;
    for object in ROLES {
        let role = world.role(object);
        for (method, more) in [
            ("roles.get", vec![]),
            ("roles.update", vec![("description", json!("x"))]),
            ("roles.exportBundle", vec![]),
            ("roles.delete", vec![]),
        ] {
            for is_admin in [false, true] {
                let id =
                    if method == "roles.exportBundle" { ("roleIds", json!([role])) } else { ("roleId", json!(role)) };
                let actor = json!({"userId": "u1", "isAdmin": is_admin});
                let mut params = json!({"workspaceId": "w1", "actor": actor});
                [vec![id], more.clone()].concat().iter().for_each(|(name, value)| params[*name] = value.clone());
                let expected = match object {
                    _ if !is_admin && method != "roles.get" => "FORBIDDEN",
                    Own | Disabled => "",
                    _ => "NOT_FOUND",
                };
                let what = format!("{method} of a role: {object:?}, administrator: {is_admin}");
                world.crosses(&what, method, &params, expected).await;
            }
        }
    }
    let shown = json!({"workspaceId": "w1", "actor": {"userId": "u1", "isAdmin": false}});
    world.role(OtherWorkspaces);
    assert_eq!(world.ask("roles.list", &shown).await.unwrap(), json!([]), "all that was there has been deleted");
}
