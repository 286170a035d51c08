//! Roles of agents.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId};
use crate::model::{AgentRole, Json, Paging, RoleChange, RoleFields};
use crate::store::{BeginRun, CreateRoles, ExistingRoles};

use super::{TestClock, TestStore, begin, code, started};

on_every_store![
    a_role_is_written_and_read_back,
    a_change_changes_what_it_names,
    living_names_are_unique_in_a_workspace,
    deleted_roles_are_gone_and_their_names_free,
    roles_are_listed_as_they_were_created,
    many_roles_are_all_or_none,
    one_of_many_that_create_a_name_succeeds,
    chats_are_listed_with_a_role_that_is_in_use,
];

const SECOND: Duration = Duration::from_secs(1);

fn fields(name: &str) -> RoleFields {
    RoleFields {
        name: name.into(),
        emoji: Some("🤖".into()),
        description: None,
        instructions: "You are 'é\"\\'.\nOn two lines.".into(),
        model_config: Json::parse(r#"{"driver":"gemini","chatModel":"m"}"#).ok(),
        enabled: true,
        auto_start: false,
        launch_message: Some("go".into()),
    }
}

fn creating(workspace: &str, existing: ExistingRoles, roles: Vec<RoleFields>) -> CreateRoles {
    let roles = roles.into_iter().map(|fields| (AgentRoleId::generate(), fields)).collect();
    CreateRoles { workspace_id: workspace.into(), creator_id: "u".into(), existing, roles }
}

async fn create(store: &TestStore, workspace: &str, fields: RoleFields) -> Result<AgentRole> {
    let created = store.create_roles(creating(workspace, ExistingRoles::Fail, vec![fields])).await?;
    Ok(created.into_iter().next().unwrap())
}

/// The same model whatever a database does to the order of members.
fn sorted(config: Option<&Json>) -> Option<String> {
    let members: std::collections::BTreeMap<String, Json> = config?.read().unwrap();
    serde_json::to_string(&members).ok()
}

fn fields_of(role: &AgentRole) -> (RoleFields, Option<String>) {
    let AgentRole { name, emoji, description, instructions, enabled, auto_start, launch_message, .. } = role.clone();
    let fields =
        RoleFields { name, emoji, description, instructions, model_config: None, enabled, auto_start, launch_message };
    (fields, sorted(role.model_config.as_ref()))
}

fn expected(fields: RoleFields) -> (RoleFields, Option<String>) {
    let model = sorted(fields.model_config.as_ref());
    (RoleFields { model_config: None, ..fields }, model)
}

async fn a_role_is_written_and_read_back(store: TestStore, _: Arc<TestClock>) {
    let role = create(&store, "w", fields("R")).await.unwrap();
    assert_eq!(fields_of(&role), expected(fields("R")));
    assert_eq!(role.created_at, role.updated_at);
    assert_eq!(store.stored_role("w", role.id).await.unwrap().unwrap(), role);
    let prompt = store.role("w", role.id).await.unwrap().unwrap();
    assert_eq!((prompt.name, prompt.instructions), (role.name.clone(), role.instructions.clone()));
    assert_eq!(sorted(prompt.model_config.as_ref()), sorted(role.model_config.as_ref()));
    for (workspace, id) in [("v", role.id), ("w", AgentRoleId::generate()), ("", role.id)] {
        assert_eq!(store.stored_role(workspace, id).await.unwrap(), None);
        assert_eq!(store.role(workspace, id).await.unwrap(), None);
        assert_eq!(store.update_role(workspace, id, RoleChange::default()).await.unwrap(), None);
        assert!(!store.delete_role(workspace, id).await.unwrap());
    }
    let bare = RoleFields { emoji: None, model_config: None, launch_message: None, enabled: false, ..fields("bare") };
    let role = create(&store, "w", bare.clone()).await.unwrap();
    assert_eq!(fields_of(&role), expected(bare));
    assert_eq!(store.role("w", role.id).await.unwrap(), None, "no turn gets a disabled role");
}

async fn a_change_changes_what_it_names(store: TestStore, clock: Arc<TestClock>) {
    let role = create(&store, "w", fields("R")).await.unwrap();
    clock.advance(SECOND);
    let change = |change| store.update_role("w", role.id, change);
    let same = change(RoleChange::default()).await.unwrap().unwrap();
    assert_eq!(fields_of(&same), fields_of(&role));
    assert_eq!(same.created_at, role.created_at);
    assert!(same.updated_at >= role.updated_at.after(SECOND));
    let cleared = change(RoleChange {
        emoji: Some(None),
        description: Some(Some("d".into())),
        model_config: Some(None),
        launch_message: Some(None),
        auto_start: Some(true),
        ..RoleChange::default()
    });
    let cleared = cleared.await.unwrap().unwrap();
    let expected_now = RoleFields {
        emoji: None,
        description: Some("d".into()),
        model_config: None,
        launch_message: None,
        auto_start: true,
        ..fields("R")
    };
    assert_eq!(fields_of(&cleared), expected(expected_now.clone()));
    let whole = change(RoleChange {
        name: Some("N".into()),
        emoji: Some(Some("x".into())),
        instructions: Some("null".into()),
        model_config: Some(Json::parse(r#"{"chatModel":"other"}"#).ok()),
        enabled: Some(false),
        ..RoleChange::default()
    });
    let whole = whole.await.unwrap().unwrap();
    let expected_now = RoleFields {
        name: "N".into(),
        emoji: Some("x".into()),
        instructions: "null".into(),
        model_config: Json::parse(r#"{"chatModel":"other"}"#).ok(),
        enabled: false,
        ..expected_now
    };
    assert_eq!(fields_of(&whole), expected(expected_now));
    assert_eq!(store.stored_role("w", role.id).await.unwrap().unwrap(), whole);
}

async fn living_names_are_unique_in_a_workspace(store: TestStore, _: Arc<TestClock>) {
    let role = create(&store, "w", fields("R")).await.unwrap();
    let other = create(&store, "w", fields("r")).await.unwrap();
    create(&store, "v", fields("R")).await.unwrap();
    let taken = create(&store, "w", fields("R")).await.unwrap_err();
    assert_eq!(taken.code(), ErrorCode::RoleNameTaken);
    assert!(taken.message().contains("\"R\""), "{taken}");
    let renamed =
        |id, name: &str| store.update_role("w", id, RoleChange { name: Some(name.into()), ..RoleChange::default() });
    let taken = renamed(other.id, "R").await.unwrap_err();
    assert_eq!((taken.code(), &taken.details()["field"]), (ErrorCode::RoleNameTaken, &"name".into()));
    assert!(taken.message().contains("\"R\""), "{taken}");
    assert_eq!(store.stored_role("w", other.id).await.unwrap().unwrap(), other);
    // Its own name is no other's.
    assert_eq!(renamed(role.id, "R").await.unwrap().unwrap().name, "R");
    assert_eq!(store.stored_roles("w").await.unwrap().len(), 2);
}

async fn deleted_roles_are_gone_and_their_names_free(store: TestStore, _: Arc<TestClock>) {
    let role = create(&store, "w", fields("R")).await.unwrap();
    assert!(store.delete_role("w", role.id).await.unwrap());
    assert!(!store.delete_role("w", role.id).await.unwrap());
    assert_eq!(store.stored_role("w", role.id).await.unwrap(), None);
    assert_eq!(store.role("w", role.id).await.unwrap(), None);
    assert_eq!(store.update_role("w", role.id, RoleChange::default()).await.unwrap(), None);
    assert_eq!(store.stored_roles("w").await.unwrap(), []);
    let again = create(&store, "w", fields("R")).await.unwrap();
    assert_ne!(again.id, role.id);
    assert!(store.delete_role("w", again.id).await.unwrap());
    create(&store, "w", fields("R")).await.unwrap();
}

async fn roles_are_listed_as_they_were_created(store: TestStore, clock: Arc<TestClock>) {
    for name in ["c", "a", "b"] {
        create(&store, "w", fields(name)).await.unwrap();
        clock.advance(SECOND);
    }
    // At one moment: in the order in which they were given.
    let many = ["z", "x", "y"].map(fields).to_vec();
    store.create_roles(creating("w", ExistingRoles::Fail, many)).await.unwrap();
    create(&store, "v", fields("other")).await.unwrap();
    let listed = store.stored_roles("w").await.unwrap();
    let first = listed[0].id;
    store.update_role("w", first, RoleChange::default()).await.unwrap();
    let listed = store.stored_roles("w").await.unwrap();
    let names: Vec<&str> = listed.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["c", "a", "b", "z", "x", "y"]);
    assert_eq!(store.stored_roles("nobody's").await.unwrap(), []);
}

async fn many_roles_are_all_or_none(store: TestStore, clock: Arc<TestClock>) {
    let there = create(&store, "w", fields("there")).await.unwrap();
    clock.advance(SECOND);
    let changed = RoleFields { instructions: "new".into(), emoji: None, enabled: false, ..fields("there") };
    let given = || vec![fields("first"), changed.clone(), fields("last")];

    let failing = store.create_roles(creating("w", ExistingRoles::Fail, given())).await;
    assert_eq!(code(failing), ErrorCode::RoleNameTaken);
    assert_eq!(store.stored_roles("w").await.unwrap(), std::slice::from_ref(&there));

    let skipping = creating("w", ExistingRoles::Skip, given());
    let ids: Vec<AgentRoleId> = skipping.roles.iter().map(|(id, _)| *id).collect();
    let written = store.create_roles(skipping).await.unwrap();
    assert_eq!(written.iter().map(|role| role.id).collect::<Vec<_>>(), [ids[0], there.id, ids[2]]);
    assert_eq!(written[1], there);

    let written = store.create_roles(creating("w", ExistingRoles::Replace, given())).await.unwrap();
    assert_eq!(written.iter().map(|role| role.id).collect::<Vec<_>>(), [ids[0], there.id, ids[2]]);
    assert_eq!(fields_of(&written[1]), expected(changed.clone()));
    assert_eq!(written[1].created_at, there.created_at);
    assert!(written[1].updated_at > there.updated_at);
    assert_eq!(store.stored_roles("w").await.unwrap().len(), 3);
    assert_eq!(store.create_roles(creating("w", ExistingRoles::Fail, Vec::new())).await.unwrap(), []);
}

async fn one_of_many_that_create_a_name_succeeds(store: TestStore, _: Arc<TestClock>) {
    let begin = |_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { create(&store, "w", fields("R")).await })
    };
    let all: Vec<_> = (0..8).map(begin).collect();
    let mut won = 0;
    for one in all {
        match one.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.code(), ErrorCode::RoleNameTaken),
        }
    }
    assert_eq!((won, store.stored_roles("w").await.unwrap().len()), (1, 1));
}

async fn chats_are_listed_with_a_role_that_is_in_use(store: TestStore, _: Arc<TestClock>) {
    let role = create(&store, "w", fields("R")).await.unwrap();
    let with_role = BeginRun { role_id: Some(role.id), page_id: None, ..begin(ChatId::generate(), "a") };
    started(&store, with_role).await;
    let badge = || async {
        let listed = store.chats("w", "u", &Paging { newest_first: true, from: None, limit: 9 }).await.unwrap();
        let (chat, _) = listed.into_iter().next().unwrap();
        assert_eq!(chat.role_id, Some(role.id));
        (chat.role_name, chat.role_emoji)
    };
    assert_eq!(badge().await, (Some("R".into()), Some("🤖".into())));
    let enabled = |enabled| RoleChange { enabled: Some(enabled), ..RoleChange::default() };
    store.update_role("w", role.id, enabled(false)).await.unwrap();
    assert_eq!(badge().await, (None, None));
    store.update_role("w", role.id, enabled(true)).await.unwrap();
    store.delete_role("w", role.id).await.unwrap();
    assert_eq!(badge().await, (None, None));
}
