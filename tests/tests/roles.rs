//! Roles: what is asked of them, what a chat has of one, and documents of them.

use serde_json::{Value, json};
use turnkeep::store::ExistingRoles;
use turnkeep::{Actor, Engine, ErrorCode, ImportOutcome};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::scenario::{open, request, sql};
use turnkeep_tests::{Response, Script, ScriptedProvider, table};

const TABLE: &str = include_str!("../roles.json");
const UNKNOWN: &str = "01970000-0000-7000-8000-0000000000ff";

struct World {
    folder: tempfile::TempDir,
    provider: ScriptedProvider,
    engine: Engine,
}

impl World {
    async fn with(options: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let answer = Response::stream([vec![text("ok")], finish("stop", 10, 5)].concat());
        let provider =
            ScriptedProvider::start(Script { responses: vec![answer], repeat: true, ..Script::default() }).await;
        let engine = open(folder.path(), &provider.base_url(), options).await;
        Self { folder, provider, engine }
    }

    async fn new() -> Self {
        Self::with(json!({})).await
    }

    async fn ask(&self, operation: &str, more: Value) -> Value {
        let mut params = json!({"workspaceId": "w1", "actor": {"userId": "a1", "isAdmin": true}});
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        let answer = self.engine.call(operation, &params.to_string()).await.unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// A role's id.
    async fn role(&self, more: Value) -> String {
        self.ask("roles.create", more).await["id"].as_str().unwrap().to_owned()
    }

    /// A turn that succeeds; its chat, and what the provider was sent for it.
    async fn turn(&self, more: Value) -> (String, Value) {
        let turn = self.engine.start_turn(request("hello", more), Vec::new()).await.unwrap();
        turn.done().await.unwrap();
        (turn.chat_id().to_string(), self.provider.requests().pop().unwrap())
    }

    /// The chat's role, and its row's column as it is.
    async fn role_of(&self, chat: &str) -> Value {
        let params = json!({"workspaceId": "w1", "userId": "u1", "chatId": chat}).to_string();
        let chat: Value = serde_json::from_str(&self.engine.call("chats.get", &params).await.unwrap()).unwrap();
        chat["roleId"].clone()
    }

    async fn refused(&self, more: Value) -> ErrorCode {
        self.engine.start_turn(request("hello", more), Vec::new()).await.err().expect("a refusal").code()
    }

    fn count(&self, table: &str) -> String {
        sql(self.folder.path(), &format!("SELECT COUNT(*) FROM {table}"))
    }
}

fn system(sent: &Value) -> &str {
    sent["messages"][0]["content"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_as_it_says() {
    let world = World::new().await;
    let (played, wrong) = table::play(&world.engine, TABLE).await;
    assert!(played > 80 && wrong.is_empty(), "{} of {played}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_keeps_the_role_that_it_was_created_with() {
    let world = World::new().await;
    let poet = json!({"name": "Poet", "instructions": "You are a poet.", "modelConfig": {"chatModel": "verse-1"}});
    let poet = world.role(poet).await;
    let judge = world.role(json!({"name": "Judge", "instructions": "You are a judge."})).await;
    let (chat, sent) = world.turn(json!({"roleId": poet})).await;
    assert!(system(&sent).contains("You are a poet."));
    assert_eq!((&sent["model"], &world.role_of(&chat).await), (&json!("verse-1"), &json!(poet)));
    // No later request changes it, whatever it names.
    for other in [json!(judge), json!(UNKNOWN), json!(null)] {
        let (same, sent) = world.turn(json!({"chatId": chat, "roleId": other})).await;
        assert_eq!(same, chat);
        assert!(system(&sent).contains("You are a poet.") && !system(&sent).contains("judge"));
        assert_eq!(world.role_of(&chat).await, json!(poet));
    }
    let hosted = json!({"workspaceId": "w1", "userId": "u1", "chatId": chat, "roleId": judge, "message": "x"});
    world.engine.call("runs.begin", &hosted.to_string()).await.unwrap();
    assert_eq!(world.role_of(&chat).await, json!(poet));
    // A chat without a role never gets one.
    let (bare, sent) = world.turn(json!({})).await;
    assert!(!system(&sent).contains("poet"));
    world.turn(json!({"chatId": bare, "roleId": poet})).await;
    assert_eq!(world.role_of(&bare).await, json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn chats_follow_their_role_and_go_on_without_it() {
    let world = World::new().await;
    let poet = json!({"name": "Poet", "instructions": "You are a poet.", "modelConfig": {"chatModel": "verse-1"}});
    let poet = world.role(poet).await;
    let (chat, _) = world.turn(json!({"roleId": poet})).await;
    world.ask("roles.update", json!({"roleId": poet, "instructions": "You are a bard."})).await;
    let (_, sent) = world.turn(json!({"chatId": chat})).await;
    assert!(system(&sent).contains("You are a bard.") && !system(&sent).contains("poet"));
    world.ask("roles.update", json!({"roleId": poet, "enabled": false})).await;
    let (_, disabled) = world.turn(json!({"chatId": chat})).await;
    let (_, bare) = world.turn(json!({})).await;
    assert_eq!((system(&disabled), &disabled["model"]), (system(&bare), &json!("test-model")));
    world.ask("roles.update", json!({"roleId": poet, "enabled": true})).await;
    assert!(system(&world.turn(json!({"chatId": chat})).await.1).contains("bard"));
    world.ask("roles.delete", json!({"roleId": poet})).await;
    assert_eq!(system(&world.turn(json!({"chatId": chat})).await.1), system(&bare));
    assert_eq!(world.role_of(&chat).await, json!(poet), "the chat keeps the id");
    // Another role of the name is another role.
    world.role(json!({"name": "Poet", "instructions": "You are new."})).await;
    assert_eq!(system(&world.turn(json!({"chatId": chat})).await.1), system(&bare));
}

/// Each of the ids that no chat can be begun with.
async fn unusable(world: &World) -> Vec<String> {
    let disabled = json!({"name": "Disabled", "instructions": "secret", "enabled": false});
    let deleted = world.role(json!({"name": "Deleted", "instructions": "secret"})).await;
    world.ask("roles.delete", json!({"roleId": deleted})).await;
    let foreign = json!({"workspaceId": "w2", "name": "Foreign", "instructions": "secret"});
    vec![world.role(disabled).await, deleted, world.role(foreign).await, UNKNOWN.to_owned()]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_is_not_begun_with_a_role_that_is_not_in_use() {
    let world = World::new().await;
    for role in unusable(&world).await {
        assert_eq!(world.refused(json!({"roleId": role})).await, ErrorCode::NotFound);
        let hosted = json!({"workspaceId": "w1", "userId": "u1", "roleId": role, "message": "x"}).to_string();
        let refused = world.engine.call("runs.begin", &hosted).await.unwrap_err();
        assert_eq!((refused.code(), &refused.details()["field"]), (ErrorCode::NotFound, &json!("roleId")));
    }
    assert_eq!((world.count("ai_chats"), world.count("ai_chat_runs")), ("0".into(), "0".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn or_it_is_begun_without_one_where_the_host_says_so() {
    let world = World::with(json!({"chats": {"unknownRole": "fallback"}})).await;
    let (_, bare) = world.turn(json!({})).await;
    for role in unusable(&world).await {
        let (chat, sent) = world.turn(json!({"roleId": role})).await;
        assert_eq!((system(&sent), world.role_of(&chat).await), (system(&bare), json!(null)));
        let hosted = json!({"workspaceId": "w1", "userId": "u1", "roleId": role, "message": "x"}).to_string();
        let begun: Value = serde_json::from_str(&world.engine.call("runs.begin", &hosted).await.unwrap()).unwrap();
        assert_eq!(world.role_of(begun["chatId"].as_str().unwrap()).await, json!(null));
    }
    // One that is in use is used.
    let poet = world.role(json!({"name": "Poet", "instructions": "You are a poet."})).await;
    assert!(system(&world.turn(json!({"roleId": poet})).await.1).contains("poet"));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_say_nothing_of_what_a_role_says() {
    let world = World::new().await;
    let secret = "not-for-other-eyes ".repeat(2000);
    let base = json!({"workspaceId": "w1", "actor": {"userId": "a1", "isAdmin": true}});
    let bundle =
        format!("version: 1\nroles:\n- {{name: a, instructions: '{secret}'}}\n- {{name: a, instructions: {secret}");
    for (operation, more) in [
        ("roles.create", json!({"name": "R", "instructions": secret})),
        ("roles.create", json!({"name": secret, "instructions": "I"})),
        ("roles.create", json!({"name": "R", "instructions": [secret]})),
        ("roles.create", json!({"name": "R", "instructions": "I", "modelConfig": {"driver": secret}})),
        ("roles.importBundle", json!({"bundle": bundle})),
    ] {
        let mut params = base.clone();
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        let error = world.engine.call(operation, &params.to_string()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidInput);
        assert!(!format!("{error:?} {}", error.to_json()).contains("not-for-other-eyes"), "{error}");
    }
    assert_eq!(world.count("ai_agent_roles"), "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_s_roles_are_carried_to_another_as_they_are() {
    let world = World::new().await;
    let admin = Actor { user_id: "a1".into(), is_admin: true };
    let long = "Line \"one\"\t\\ 'two'\n\n  - indented: #3 \u{2028} é 😀\n---\n%end";
    for (name, more) in [
        ("yes", json!({"instructions": long, "modelConfig": {"driver": "openai", "chatModel": "m: 1"}})),
        ("- [x]", json!({"instructions": "~", "emoji": "👩‍🚀", "description": "one\ntwo", "enabled": false})),
        ("\u{85}*a", json!({"instructions": "null", "autoStart": false, "launchMessage": "{}"})),
    ] {
        let mut role = more;
        role["name"] = json!(name);
        world.role(role).await;
    }
    let bundle = world.engine.export_roles("w1", &admin, None).await.unwrap();
    let imported = world.engine.import_roles("w2", &admin, &bundle, ExistingRoles::Fail).await.unwrap();
    assert!(imported.iter().all(|role| role.outcome == ImportOutcome::Created));
    assert_eq!(world.engine.export_roles("w2", &admin, None).await.unwrap(), bundle);
    let without = |roles: Value| -> Vec<Value> {
        let mut roles = roles.as_array().unwrap().clone();
        for role in &mut roles {
            ["id", "createdAt", "updatedAt"].iter().for_each(|name| role[*name] = json!(null));
        }
        roles
    };
    let there = without(world.ask("roles.list", json!({})).await);
    assert_eq!(without(world.ask("roles.list", json!({"workspaceId": "w2"})).await), there);
    // What is there is found by its name, also when it is the document's own.
    let again = world.engine.import_roles("w2", &admin, &bundle, ExistingRoles::Replace).await.unwrap();
    let ids = |roles: &[turnkeep::ImportedRole]| roles.iter().map(|role| role.id).collect::<Vec<_>>();
    assert_eq!(ids(&again), ids(&imported));
    assert!(again.iter().all(|role| role.outcome == ImportOutcome::Replaced));
}

/// However many import the same at once, there is one role of each name in the end, and nobody is told of half an import.
#[tokio::test(flavor = "multi_thread")]
async fn imports_at_once_leave_one_role_of_each_name() {
    let world = World::new().await;
    let roles: Vec<String> = (0..20).map(|n| format!("- {{name: n{n}, instructions: i}}\n")).collect();
    let bundle = format!("version: 1\nroles:\n{}", roles.concat());
    for (workspace, existing, wins) in
        [("w1", ExistingRoles::Fail, 1), ("w2", ExistingRoles::Skip, 6), ("w3", ExistingRoles::Replace, 6)]
    {
        let import = |_| {
            let (engine, bundle) = (world.engine.clone(), bundle.clone());
            let admin = Actor { user_id: "a1".into(), is_admin: true };
            tokio::spawn(async move { engine.import_roles(workspace, &admin, &bundle, existing).await })
        };
        let all: Vec<_> = (0..6).map(import).collect();
        let (mut won, mut created) = (0, 0);
        for one in all {
            match one.await.unwrap() {
                Ok(imported) => {
                    assert_eq!(imported.len(), 20);
                    won += 1;
                    created += imported.iter().filter(|role| role.outcome == ImportOutcome::Created).count();
                }
                Err(error) => assert_eq!(error.code(), ErrorCode::RoleNameTaken, "{error}"),
            }
        }
        assert_eq!((won, created), (wins, 20), "{existing:?}");
        assert_eq!(world.count(&format!("ai_agent_roles WHERE workspace_id = '{workspace}'")), "20");
    }
}
