//! External tool servers.

use std::sync::Arc;
use std::time::Duration;

use crate::id::McpServerId;
use crate::store::{McpServerChange, McpServerFields, Reseal, SecretPlace, StoredMcpServer};

use super::{TestClock, TestStore};

on_every_store![
    a_tool_server_is_written_and_read_back,
    a_change_of_a_tool_server_changes_what_it_names,
    tool_servers_are_listed_as_they_were_created_in_their_workspace,
    headers_are_kept_and_sealed_anew_with_their_server,
];

fn fields(name: &str) -> McpServerFields {
    McpServerFields {
        name: name.into(),
        transport: "http".into(),
        url: "https://a.example/mcp?x='\"\\é".into(),
        headers_enc: Some("blob".into()),
        tool_allowlist: Some(vec!["a".into(), "b \"c\" é".into()]),
        instructions: Some("Line 'one'.\nLine two.".into()),
        enabled: true,
    }
}

async fn create(store: &TestStore, workspace: &str, name: &str) -> StoredMcpServer {
    store.create_mcp_server(workspace, McpServerId::generate(), fields(name)).await.unwrap()
}

async fn a_tool_server_is_written_and_read_back(store: TestStore, _: Arc<TestClock>) {
    let created = create(&store, "w", "one").await;
    let expected = fields("one");
    assert_eq!((&created.name, &created.url, created.enabled), (&expected.name, &expected.url, true));
    assert_eq!((&created.headers_enc, &created.tool_allowlist), (&expected.headers_enc, &expected.tool_allowlist));
    assert_eq!((&created.instructions, &created.transport), (&expected.instructions, &expected.transport));
    assert_eq!(store.mcp_server("w", created.id).await.unwrap(), Some(created.clone()));
    assert_eq!(store.mcp_server("w2", created.id).await.unwrap(), None);
    let bare = McpServerFields {
        headers_enc: None,
        tool_allowlist: None,
        instructions: None,
        enabled: false,
        ..fields("bare")
    };
    let bare = store.create_mcp_server("w", McpServerId::generate(), bare).await.unwrap();
    assert_eq!(store.mcp_server("w", bare.id).await.unwrap(), Some(bare.clone()));
    assert_eq!((bare.headers_enc, bare.tool_allowlist, bare.instructions, bare.enabled), (None, None, None, false));
}

async fn a_change_of_a_tool_server_changes_what_it_names(store: TestStore, clock: Arc<TestClock>) {
    let created = create(&store, "w", "one").await;
    clock.advance(Duration::from_secs(1));
    let nothing = store.update_mcp_server("w", &created, McpServerChange::default()).await.unwrap().unwrap();
    assert!(nothing.updated_at > created.updated_at);
    assert_eq!(StoredMcpServer { updated_at: created.updated_at, ..nothing.clone() }, created);
    let cleared = McpServerChange {
        name: Some("two".into()),
        headers_enc: Some(None),
        tool_allowlist: Some(None),
        instructions: Some(None),
        enabled: Some(false),
        ..McpServerChange::default()
    };
    let changed = store.update_mcp_server("w", &nothing, cleared).await.unwrap().unwrap();
    assert_eq!((changed.name.as_str(), changed.enabled, &changed.url), ("two", false, &created.url));
    assert_eq!((&changed.headers_enc, &changed.tool_allowlist, &changed.instructions), (&None, &None, &None));
    assert_eq!(store.mcp_server("w", created.id).await.unwrap(), Some(changed.clone()));
    // Whoever has read what is not there any more changes nothing; nor does another workspace.
    let elsewhere = McpServerChange { url: Some("https://b.example".into()), ..McpServerChange::default() };
    assert_eq!(store.update_mcp_server("w", &created, elsewhere.clone()).await.unwrap(), None);
    assert_eq!(store.update_mcp_server("w2", &changed, elsewhere.clone()).await.unwrap(), None);
    let moved = store.update_mcp_server("w", &changed, elsewhere).await.unwrap().unwrap();
    assert_eq!(moved.url, "https://b.example");
}

async fn tool_servers_are_listed_as_they_were_created_in_their_workspace(store: TestStore, clock: Arc<TestClock>) {
    assert!(store.mcp_servers("w").await.unwrap().is_empty());
    for name in ["c", "a", "b"] {
        create(&store, "w", name).await;
        clock.advance(Duration::from_secs(1));
    }
    let foreign = create(&store, "w2", "d").await;
    let names = |servers: Vec<StoredMcpServer>| servers.into_iter().map(|server| server.name).collect::<Vec<_>>();
    let listed = store.mcp_servers("w").await.unwrap();
    let first = listed[0].id;
    assert_eq!(names(listed), ["c", "a", "b"]);
    assert!(!store.delete_mcp_server("w", foreign.id).await.unwrap());
    assert!(store.delete_mcp_server("w", first).await.unwrap());
    assert!(!store.delete_mcp_server("w", first).await.unwrap());
    assert_eq!(names(store.mcp_servers("w").await.unwrap()), ["a", "b"]);
    assert_eq!(names(store.mcp_servers("w2").await.unwrap()), ["d"]);
}

async fn headers_are_kept_and_sealed_anew_with_their_server(store: TestStore, _: Arc<TestClock>) {
    let created = create(&store, "w", "one").await;
    let sealed = store.sealed_secrets("other", None, 10).await.unwrap();
    let place = SecretPlace::McpHeaders { workspace_id: "w".into(), server_id: created.id.to_string() };
    let found = sealed.into_iter().find(|secret| secret.place == place).unwrap();
    assert_eq!(found.blob, "blob");
    let anew = Reseal { sealed: found, blob: "anew".into() };
    assert_eq!(store.reseal(vec![anew.clone()]).await.unwrap(), 1);
    assert_eq!(store.reseal(vec![anew]).await.unwrap(), 0);
    let now = store.mcp_server("w", created.id).await.unwrap().unwrap();
    assert_eq!(now.headers_enc.as_deref(), Some("anew"));
    assert!(store.delete_mcp_server("w", created.id).await.unwrap());
    assert!(store.sealed_secrets("other", None, 10).await.unwrap().is_empty());
}
