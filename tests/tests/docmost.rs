//! A database that Docmost's migrations have made, with rows of its own server's, opened by turnkeep.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use turnkeep::model::{MessageStatus, RunStatus};
use turnkeep::secret::Rotation;
use turnkeep::settings::SettingsPatch;
use turnkeep::store::pending_migrations;
use turnkeep::{ChatId, Engine, ErrorCode, Who};
use turnkeep_test_postgres::{Cluster, query};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::scenario::{options, request, weather_and_time};
use turnkeep_tests::{Response, Script, ScriptedProvider};

const WORKSPACE: &str = "01970000-0000-7000-8000-000000000001";
const USER: &str = "01970000-0000-7000-8000-000000000002";
const PAGE: &str = "01970000-0000-7000-8000-000000000003";
const ROLE: &str = "01970000-0000-7000-8000-000000000004";
const CHAT: &str = "01970000-0000-7000-8000-000000000005";
const MISSING: &str = "01970000-0000-7000-8000-0000000000ff";

/// The tables that chats refer to, as far as they do, and those of the chats: columns, defaults, keys, indexes and the
/// trigger as Docmost's migrations leave them, before its runs and statuses.
const DOCMOST: &str = r#"
    CREATE EXTENSION pgcrypto;
    CREATE EXTENSION unaccent;
    CREATE FUNCTION gen_uuid_v7() RETURNS uuid LANGUAGE plpgsql VOLATILE AS $$
    DECLARE bytes bytea := uuid_send(gen_random_uuid());
    BEGIN
        bytes := overlay(bytes PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6);
        RETURN encode(set_byte(bytes, 6, (b'0111' || get_byte(bytes, 6)::bit(4))::bit(8)::int), 'hex')::uuid;
    END $$;
    CREATE FUNCTION f_unaccent(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT public.unaccent('public.unaccent', $1) $$;
    CREATE TABLE workspaces (id uuid PRIMARY KEY DEFAULT gen_uuid_v7(), name varchar, settings jsonb);
    CREATE TABLE users (id uuid PRIMARY KEY DEFAULT gen_uuid_v7(), workspace_id uuid REFERENCES workspaces ON DELETE CASCADE);
    CREATE TABLE pages (id uuid PRIMARY KEY DEFAULT gen_uuid_v7(), title varchar, workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE);
    CREATE TABLE ai_agent_roles (
        id uuid PRIMARY KEY DEFAULT gen_uuid_v7(), workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
        creator_id uuid REFERENCES users ON DELETE SET NULL, name varchar NOT NULL, emoji varchar, description text,
        instructions text NOT NULL, model_config jsonb, enabled boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz,
        auto_start boolean NOT NULL DEFAULT true, launch_message text);
    CREATE UNIQUE INDEX ai_agent_roles_workspace_id_name_unique ON ai_agent_roles (workspace_id, name) WHERE deleted_at IS NULL;
    CREATE TABLE ai_provider_credentials (
        id uuid PRIMARY KEY DEFAULT gen_uuid_v7(), workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
        driver varchar NOT NULL, api_key_enc text, created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(), UNIQUE (workspace_id, driver));
    CREATE TABLE ai_mcp_servers (
        id uuid PRIMARY KEY DEFAULT gen_uuid_v7(), workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
        name varchar NOT NULL, transport varchar NOT NULL, url text NOT NULL, headers_enc text, tool_allowlist jsonb,
        enabled boolean NOT NULL DEFAULT true, created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(), instructions text);
    CREATE TABLE ai_chats (
        id uuid PRIMARY KEY DEFAULT gen_uuid_v7(), workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE,
        creator_id uuid NOT NULL REFERENCES users, title varchar, created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz,
        role_id uuid REFERENCES ai_agent_roles ON DELETE SET NULL, page_id uuid REFERENCES pages ON DELETE SET NULL);
    CREATE INDEX idx_ai_chats_workspace_creator ON ai_chats (workspace_id, creator_id, id);
    CREATE TABLE ai_chat_messages (
        id uuid PRIMARY KEY DEFAULT gen_uuid_v7(), chat_id uuid NOT NULL REFERENCES ai_chats ON DELETE CASCADE,
        workspace_id uuid NOT NULL REFERENCES workspaces ON DELETE CASCADE, user_id uuid REFERENCES users ON DELETE SET NULL,
        role varchar NOT NULL, content text, tool_calls jsonb, metadata jsonb, tsv tsvector,
        created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now(), deleted_at timestamptz);
    CREATE INDEX ai_chat_messages_chat ON ai_chat_messages (chat_id, id);
    CREATE INDEX ai_chat_messages_tsv ON ai_chat_messages USING gin (tsv);
    CREATE FUNCTION ai_chat_messages_tsv() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.tsv := to_tsvector('english', f_unaccent(coalesce(substring(NEW.content, 1, 100000), '')));
        RETURN NEW;
    END $$;
    CREATE TRIGGER ai_chat_messages_tsv BEFORE INSERT OR UPDATE ON ai_chat_messages FOR EACH ROW EXECUTE FUNCTION ai_chat_messages_tsv();
"#;

/// Rows of the server before: a finished conversation with a tool, all within a millisecond, and one of a stranger's.
fn legacy_rows() -> String {
    let parts = json!({"parts": [
        {"type": "step-start"},
        {"type": "text", "text": "Looking.", "state": "done"},
        {"type": "tool-weather", "toolCallId": "call_1", "state": "output-available", "input": {"city": "Oslo", "unit": "C"},
         "output": {"tempC": 21, "sky": "clear"}},
        {"type": "step-start"},
        {"type": "text", "text": "It is sunny in Malmö.", "state": "done"},
    ], "finishReason": "stop", "usage": {"inputTokens": 10, "outputTokens": 5}});
    let trace =
        json!([{"toolName": "weather", "toolCallId": "call_1", "input": {"city": "Oslo"}, "output": {"tempC": 21}}]);
    format!(
        "INSERT INTO workspaces VALUES ('{WORKSPACE}', 'W');
         INSERT INTO users VALUES ('{USER}', '{WORKSPACE}');
         INSERT INTO pages VALUES ('{PAGE}', 'P', '{WORKSPACE}');
         INSERT INTO ai_agent_roles (id, workspace_id, name, instructions) VALUES ('{ROLE}', '{WORKSPACE}', 'Poet', 'You are a poet.');
         INSERT INTO ai_provider_credentials (workspace_id, driver, api_key_enc) VALUES ('{WORKSPACE}', 'openai', 'AAAA');
         INSERT INTO ai_chats (id, workspace_id, creator_id, title, role_id, page_id)
             VALUES ('{CHAT}', '{WORKSPACE}', '{USER}', 'Weather', '{ROLE}', '{PAGE}');
         INSERT INTO ai_chat_messages (id, chat_id, workspace_id, user_id, role, content, metadata, created_at) VALUES
             ('01970000-0000-7000-8000-00000000000b', '{CHAT}', '{WORKSPACE}', '{USER}', 'user', 'How is the weather?',
              '{{\"parts\":[{{\"type\":\"text\",\"text\":\"How is the weather?\"}}]}}', '2026-07-01T12:00:00.000100Z');
         INSERT INTO ai_chat_messages (id, chat_id, workspace_id, role, content, tool_calls, metadata, created_at) VALUES
             ('01970000-0000-7000-8000-00000000000a', '{CHAT}', '{WORKSPACE}', 'assistant', 'Looking.It is sunny in Malmö.',
              '{trace}', '{parts}', '2026-07-01T12:00:00.000200Z')"
    )
}

async fn open(store: &str, provider: &ScriptedProvider) -> Engine {
    Engine::open(options(store, &provider.base_url(), json!({}))).await.unwrap()
}

fn who() -> Who {
    Who { workspace_id: WORKSPACE.to_owned(), user_id: USER.to_owned() }
}

fn theirs(more: Value) -> Value {
    let mut fields = json!({"workspaceId": WORKSPACE, "userId": USER});
    for (key, value) in more.as_object().unwrap() {
        fields[key] = value.clone();
    }
    fields
}

#[tokio::test(flavor = "multi_thread")]
async fn old_chats_are_exported_replayed_and_continued() {
    let store = Cluster::shared().database();
    query(&store, DOCMOST);
    query(&store, &legacy_rows());
    let columns = "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns \
                   WHERE table_schema = 'public' ORDER BY 1, 2";
    let before = query(&store, columns);
    let pending = pending_migrations(&store).await.unwrap();
    let additions = &pending[0].additions;
    for (addition, is_made) in [
        ("table ai_chats", false),
        ("index idx_ai_chats_workspace_creator", false),
        ("column ai_chat_messages.status", true),
        ("column ai_provider_credentials.stt_api_key_enc", true),
        ("table ai_chat_runs", true),
    ] {
        assert_eq!(additions.contains(&addition.to_owned()), is_made, "{addition}");
    }
    assert_eq!(query(&store, columns), before);

    let answers = vec![
        Response::stream([vec![text("You're welcome.")], finish("stop", 10, 5)].concat()),
        Response::stream([vec![text("Ein naïver Vers.")], finish("stop", 10, 5)].concat()),
    ];
    let provider = ScriptedProvider::start(Script { responses: answers, ..Script::default() }).await;
    let engine = open(&store, &provider).await;
    // What was there is as it was; nothing but additions was made.
    let after = query(&store, columns);
    assert!(before.lines().all(|column| after.lines().any(|other| other == column)));

    let chat_id: ChatId = CHAT.parse().unwrap();
    let chat = engine.chat(&who(), chat_id).await.unwrap();
    assert_eq!((chat.title.as_deref(), chat.page_id.as_deref()), (Some("Weather"), Some(PAGE)));
    let messages = engine.messages(&who(), chat_id).await.unwrap();
    assert_eq!(messages.iter().map(|message| message.role.as_str()).collect::<Vec<_>>(), ["user", "assistant"]);
    assert_eq!(messages[1].status, None);
    let export = engine.call("chats.export", &theirs(json!({"chatId": CHAT})).to_string()).await.unwrap();
    let (asked, told) = (export.find("How is the weather?").unwrap(), export.find("It is sunny in Malmö.").unwrap());
    assert!(asked < told, "{export}");
    let document = engine.call("chats.export", &theirs(json!({"chatId": CHAT, "format": "json"})).to_string()).await;
    let document: String = serde_json::from_str(&document.unwrap()).unwrap();
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["messages"][1]["createdAt"], "2026-07-01T12:00:00.000Z");

    let turn =
        engine.start_turn(request("Thanks!", theirs(json!({"chatId": CHAT}))), weather_and_time()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let sent = provider.requests()[0]["messages"].to_string();
    for words in ["You are a poet.", "How is the weather?", "call_1", "It is sunny in Malmö.", "Thanks!"] {
        assert!(sent.contains(words), "{words}: {sent}");
    }
    let messages = engine.messages(&who(), chat_id).await.unwrap();
    assert_eq!((messages.len(), messages[3].status), (4, Some(MessageStatus::Completed)));
    // The host's own search finds what the engine has written.
    let found = "SELECT COUNT(*) FROM ai_chat_messages WHERE tsv @@ to_tsquery('english', 'welcome')";
    assert_eq!(query(&store, found), "1");

    // A new chat, at a page.
    let open_page = json!({"openPage": {"id": PAGE, "title": "P"}});
    let turn = engine.start_turn(request("A verse", theirs(open_page)), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let params = theirs(json!({"chatId": turn.chat_id(), "format": "json"})).to_string();
    let document: String = serde_json::from_str(&engine.call("chats.export", &params).await.unwrap()).unwrap();
    let imported = engine.call("chats.import", &theirs(json!({"document": document})).to_string()).await.unwrap();
    assert!(imported.contains("id"));
    // The host may delete a workspace with all that is in it, runs included.
    query(&store, &format!("DELETE FROM ai_chats; DELETE FROM workspaces WHERE id = '{WORKSPACE}'"));
    assert_eq!(query(&store, "SELECT COUNT(*) FROM ai_chat_runs"), "0");
    engine.close(None).await.unwrap();
    assert_eq!(pending_migrations(&store).await.unwrap(), []);
}

/// What the host's tables are: columns with their defaults, keys and rules, indexes and triggers, a line each.
const SCHEMA: &str = "SELECT relname || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' ' || \
         COALESCE(pg_get_expr(adbin, adrelid), '') AS line FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
         LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum \
         WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND attnum > 0 \
     UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint \
         WHERE connamespace = current_schema()::regnamespace AND conrelid <> 0 \
     UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() \
     UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal";

/// The engine comes, works beside the host's code, and goes again.
#[tokio::test(flavor = "multi_thread")]
async fn the_engine_is_taken_out_again() {
    let store = Cluster::shared().database();
    query(&store, DOCMOST);
    query(&store, &legacy_rows());
    let lines = |of: &str| query(&store, of).lines().map(str::to_owned).collect::<BTreeSet<String>>();
    const TABLES: &str = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()";
    let (schema, tables) = (lines(SCHEMA), lines(TABLES));
    let answers = ["one", "two", "three", "four"]
        .map(|said| Response::stream([vec![text(said)], finish("stop", 10, 5)].concat()));
    let provider = ScriptedProvider::start(Script { responses: answers.to_vec(), ..Script::default() }).await;
    let secret = json!({"appSecret": "the host's own secret"});
    let engine = Engine::open(options(&store, &provider.base_url(), secret.clone())).await.unwrap();
    let ask = async |method: &str, more: Value| -> Value {
        serde_json::from_str(&engine.call(method, &theirs(more).to_string()).await.unwrap()).unwrap()
    };
    let turn = async |more: Value, message: &str| {
        let turn = engine.start_turn(request(message, theirs(more)), Vec::new()).await.unwrap();
        assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    };
    // Everything that writes in tables of the host's: turns, edits, forks, roles, settings, features, keys, deletions.
    turn(json!({"chatId": CHAT}), "go on").await;
    let asked = ask("chats.messages", json!({"chatId": CHAT})).await[2]["id"].clone();
    turn(json!({"chatId": CHAT, "messageId": asked}), "go on differently").await;
    let fork = ask("chats.fork", json!({"chatId": CHAT, "title": "Fork"})).await["id"].clone();
    turn(json!({"chatId": fork}), "elsewhere").await;
    let gone = ask("chats.create", json!({"title": "Gone"})).await["id"].clone();
    ask("chats.delete", json!({"chatId": gone})).await;
    let admin = json!({"userId": USER, "isAdmin": true});
    let role = json!({"workspaceId": WORKSPACE, "actor": admin, "name": "Ours", "instructions": "I"});
    engine.call("roles.create", &role.to_string()).await.unwrap();
    let patch = json!({"driver": "openai", "baseUrl": provider.base_url(), "chatModel": "ours", "apiKey": "k",
        "features": {"dictation": true}});
    let patch = SettingsPatch::from_json(&patch.to_string()).unwrap();
    engine.update_settings(WORKSPACE, None, &patch).await.unwrap();
    engine.close(None).await.unwrap();

    // Nothing of the host's tables has changed but by additions that its statements need not know of.
    let now = lines(SCHEMA);
    assert_eq!(schema.difference(&now).collect::<Vec<_>>(), Vec::<&String>::new());
    let columns = "SELECT attrelid::regclass || '.' || attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid \
         WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND attnum > 0 AND attnotnull AND NOT atthasdef";
    for column in lines(columns).iter().filter(|column| tables.contains(column.split('.').next().unwrap())) {
        assert!(
            schema.iter().any(|line| line.starts_with(&format!("{column} "))),
            "{column} would be needed by every insert"
        );
    }

    // Its code reads what was written here, by its own statements.
    let history = |chat: &str| {
        query(
            &store,
            &format!(
                "SELECT role, content, metadata->'parts' IS NOT NULL FROM ai_chat_messages \
             WHERE chat_id = '{chat}' AND deleted_at IS NULL ORDER BY created_at, id"
            ),
        )
    };
    let before = "user|How is the weather?|t\nassistant|Looking.It is sunny in Malmö.|t\nuser|go on differently|t\nassistant|two|t";
    assert_eq!(history(CHAT), before);
    let of_fork = format!("{before}\nuser|elsewhere|t\nassistant|three|t");
    assert_eq!(history(fork.as_str().unwrap()), of_fork);
    let listed = "SELECT title FROM ai_chats WHERE deleted_at IS NULL ORDER BY created_at DESC, id DESC";
    assert_eq!(query(&store, listed), "Fork\nWeather");
    assert_eq!(query(&store, "SELECT name FROM ai_agent_roles WHERE deleted_at IS NULL ORDER BY name"), "Ours\nPoet");
    let settings = "SELECT settings #>> '{ai,provider,chatModel}', settings #>> '{ai,dictation}' FROM workspaces";
    assert_eq!(query(&store, settings), "ours|true");
    let key = "SELECT api_key_enc <> 'AAAA' AND api_key_enc NOT LIKE 'tk1.%' FROM ai_provider_credentials WHERE driver = 'openai'";
    assert_eq!(query(&store, key), "t", "in the host's form");

    // Even the engine's own tables may go; the host works on with what is its own.
    let ours: Vec<String> = lines(TABLES).difference(&tables).cloned().collect();
    assert!(ours.len() > 5);
    query(&store, &format!("DROP TABLE {}", ours.join(", ")));
    query(
        &store,
        &format!(
            "INSERT INTO ai_chat_messages (chat_id, workspace_id, user_id, role, content)
             VALUES ('{CHAT}', '{WORKSPACE}', '{USER}', 'user', 'And tomorrow?');
         INSERT INTO ai_agent_roles (workspace_id, name, instructions) VALUES ('{WORKSPACE}', 'Theirs', 'I');
         INSERT INTO ai_provider_credentials (workspace_id, driver) VALUES ('{WORKSPACE}', 'gemini');
         INSERT INTO ai_chats (workspace_id, creator_id, title) VALUES ('{WORKSPACE}', '{USER}', 'Later');
         DELETE FROM ai_chats WHERE title = 'Gone'"
        ),
    );
    assert!(history(CHAT).ends_with("user|And tomorrow?|f"), "{}", history(CHAT));
    assert_eq!(
        query(&store, "SELECT COUNT(*) FROM ai_chat_messages WHERE tsv @@ to_tsquery('english', 'tomorrow')"),
        "1"
    );

    // And it may come back.
    let engine = Engine::open(options(&store, &provider.base_url(), secret)).await.unwrap();
    let turn = engine.start_turn(request("back", theirs(json!({"chatId": CHAT}))), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert!(history(CHAT).ends_with("user|back|t\nassistant|four|t"));
    engine.close(None).await.unwrap();
}

/// The host's own code and the engine work on the same chats at the same time, each with its own statements.
#[tokio::test(flavor = "multi_thread")]
async fn chats_of_either_are_right_for_the_other() {
    const HOSTS_CHAT: &str = "01970000-0000-7000-8000-000000000006";
    /// As the host lists chats.
    const LISTED: &str = "SELECT chat.title, role.name, page.title FROM ai_chats AS chat \
         LEFT JOIN ai_agent_roles AS role ON role.id = chat.role_id AND role.deleted_at IS NULL AND role.enabled \
         LEFT JOIN pages AS page ON page.id = chat.page_id AND page.workspace_id = chat.workspace_id \
         WHERE chat.deleted_at IS NULL ORDER BY chat.created_at DESC, chat.id DESC";
    let store = Cluster::shared().database();
    query(&store, DOCMOST);
    query(&store, &legacy_rows());
    let indexes = "SELECT COUNT(*) FROM pg_indexes WHERE tablename = 'ai_chat_messages' AND indexdef LIKE '%gin%'";
    let before = query(&store, indexes);
    let answer = Response::stream([vec![text("Ein naïver Vers.")], finish("stop", 10, 5)].concat());
    let provider = ScriptedProvider::start(Script { responses: vec![answer; 2], ..Script::default() }).await;
    let engine = open(&store, &provider).await;
    // The host's search is used, not doubled.
    assert_eq!(query(&store, indexes), before);
    let ask = async |method: &str, more: Value| -> Value {
        serde_json::from_str(&engine.call(method, &theirs(more).to_string()).await.unwrap()).unwrap()
    };

    let listed = ask("chats.list", json!({})).await;
    let (one, found) = (&listed["items"][0], |name: &str| listed["items"][0][name].clone());
    assert_eq!(
        (found("title"), found("roleName"), found("pageTitle")),
        (json!("Weather"), json!("Poet"), json!("P")),
        "{one}"
    );
    let hits = ask("chats.search", json!({"query": "malmo sunny"})).await;
    assert_eq!(hits[0]["chatTitle"], "Weather", "the host's trigger has entered it: {hits}");
    assert_eq!(ask("chats.latestForPage", json!({"pageId": PAGE})).await["id"], CHAT);
    assert_eq!(ask("chats.latestForPage", json!({"pageId": "no uuid"})).await, json!(null));

    // While the engine works, the host makes a chat, names it, and writes in it.
    query(
        &store,
        &format!(
            "INSERT INTO ai_chats (id, workspace_id, creator_id, title) VALUES ('{HOSTS_CHAT}', '{WORKSPACE}', '{USER}', 'Theirs');
             INSERT INTO ai_chat_messages (chat_id, workspace_id, user_id, role, content)
                 VALUES ('{HOSTS_CHAT}', '{WORKSPACE}', '{USER}', 'user', 'Все отчёты готовы')"
        ),
    );
    let made = ask("chats.create", json!({"title": "Ours", "roleId": ROLE, "pageId": PAGE})).await;
    assert_eq!(query(&store, LISTED), "Ours|Poet|P\nTheirs||\nWeather|Poet|P");
    let mine = ask("chats.list", json!({"limit": 2})).await;
    assert_eq!((&mine["items"][0]["title"], &mine["items"][1]["title"]), (&json!("Ours"), &json!("Theirs")));
    let rest = ask("chats.list", json!({"limit": 2, "cursor": mine["nextCursor"]})).await;
    assert_eq!((&rest["items"][0]["title"], &rest["nextCursor"]), (&json!("Weather"), &json!(null)));
    assert_eq!(ask("chats.search", json!({"query": "отчетами"})).await[0]["chatId"], HOSTS_CHAT);
    let turn = engine.start_turn(request("A verse", theirs(json!({"chatId": HOSTS_CHAT}))), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let page = ask("chats.messagePage", json!({"chatId": HOSTS_CHAT, "limit": 2})).await;
    assert_eq!(page["items"][0]["content"], "Все отчёты готовы");
    let page = ask("chats.messagePage", json!({"chatId": HOSTS_CHAT, "cursor": page["nextCursor"]})).await;
    assert_eq!(page["items"][0]["content"], "Ein naïver Vers.");

    // The host renames and deletes; the engine does.
    query(&store, &format!("UPDATE ai_chats SET title = 'Renamed' WHERE id = '{HOSTS_CHAT}'"));
    assert_eq!(ask("chats.get", json!({"chatId": HOSTS_CHAT})).await["title"], "Renamed");
    query(&store, &format!("UPDATE ai_chats SET deleted_at = now() WHERE id = '{HOSTS_CHAT}'"));
    assert!(engine.chat(&who(), HOSTS_CHAT.parse().unwrap()).await.is_err());
    ask("chats.rename", json!({"chatId": CHAT, "title": "Sun"})).await;
    ask("chats.delete", json!({"chatId": made["id"]})).await;
    assert_eq!(query(&store, LISTED), "Sun|Poet|P");
    // A page and a role of nobody's are refused by their names.
    for (wrong, field) in [
        (json!({"pageId": MISSING}), "pageId"),
        (json!({"pageId": "slug"}), "pageId"),
        (json!({"roleId": MISSING}), "roleId"),
    ] {
        let refused = engine.call("chats.create", &theirs(wrong).to_string()).await.unwrap_err();
        assert_eq!(refused.details()["field"], field, "{refused}");
    }
    // A purge takes what is the chat's and nothing else.
    ask("chats.purge", json!({"chatId": HOSTS_CHAT})).await;
    assert_eq!(query(&store, "SELECT COUNT(*) FROM ai_chat_runs"), "0");
    assert_eq!(query(&store, "SELECT COUNT(*) FROM ai_chat_messages"), "2");
    engine.close(None).await.unwrap();
    // Without the engine, the host's code finds everything as it would have left it.
    assert_eq!(query(&store, LISTED), "Sun|Poet|P");
    let found = "SELECT COUNT(*) FROM ai_chat_messages WHERE tsv @@ to_tsquery('english', 'malmo')";
    assert_eq!(query(&store, found), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_cannot_be_there_are_refused_by_their_name() {
    let store = Cluster::shared().database();
    query(&store, DOCMOST);
    query(&store, &legacy_rows());
    let provider = ScriptedProvider::start(Script::default()).await;
    let engine = open(&store, &provider).await;
    for (wrong, field) in [
        (json!({"workspaceId": "w1"}), "workspaceId"),
        (json!({"userId": "u1"}), "userId"),
        (json!({"openPage": {"id": "slug", "title": "P"}}), "openPage.id"),
        (json!({"workspaceId": MISSING}), "workspaceId"),
        (json!({"userId": MISSING}), "userId"),
        (json!({"openPage": {"id": MISSING, "title": "P"}}), "openPage.id"),
        (json!({"workspaceId": "w1", "idempotencyKey": "k"}), "workspaceId"),
    ] {
        let refused = engine.start_turn(request("go", theirs(wrong)), Vec::new()).await.err().unwrap();
        assert_eq!((refused.code(), &refused.details()["field"]), (ErrorCode::InvalidInput, &json!(field)));
    }
    let stranger = Who { workspace_id: "w1".to_owned(), user_id: USER.to_owned() };
    let refused = engine.chat(&stranger, CHAT.parse().unwrap()).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::Forbidden);
    assert_eq!(query(&store, "SELECT COUNT(*) FROM ai_chats"), "1");
}

/// What the server before sealed with its application secret, by scrypt.
const LEGACY_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwkJCQkJCQkJCQkJCSuSphQY6QicAV6TkfzHaTPZhCUtVActncE0i70+dUYpzozIPB3oRA==";

#[tokio::test(flavor = "multi_thread")]
async fn settings_and_keys_of_the_server_before_are_used() {
    let store = Cluster::shared().database();
    query(&store, DOCMOST);
    query(&store, &legacy_rows());
    let answers = vec![Response::stream([vec![text("old")], finish("stop", 10, 5)].concat()); 2];
    let provider = ScriptedProvider::start(Script { responses: answers, ..Script::default() }).await;
    let settings =
        json!({"ai": {"provider": {"driver": "openai", "chatModel": "theirs", "baseUrl": provider.base_url()}}});
    query(&store, &format!("UPDATE workspaces SET settings = '{settings}'"));
    query(&store, &format!("UPDATE ai_provider_credentials SET api_key_enc = '{LEGACY_KEY}'"));
    let role_model = json!({"chatModel": "the role's"}).to_string().replace('\'', "''");
    query(&store, &format!("UPDATE ai_agent_roles SET model_config = to_jsonb('{role_model}'::text)"));
    let secrets = json!({"appSecret": "new", "previousAppSecrets": ["legacy application secret"], "providers": {}});
    let engine = Engine::open(options(&store, "", secrets)).await.unwrap();
    let shown = engine.settings(WORKSPACE, None).await.unwrap();
    assert_eq!((&shown["chatModel"], &shown["hasApiKey"]), (&json!("theirs"), &json!(true)));
    for more in [json!({}), json!({"roleId": ROLE})] {
        let turn = engine.start_turn(request("hi", theirs(more)), Vec::new()).await.unwrap();
        assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    }
    let models: Vec<Value> = provider.requests().iter().map(|request| request["model"].clone()).collect();
    assert_eq!(models, ["theirs", "the role's"]);
    // Nothing of theirs is rewritten unasked: their own system reads the same key, with their own secret.
    let stored = || query(&store, "SELECT api_key_enc FROM ai_provider_credentials");
    assert_eq!(stored(), LEGACY_KEY);
    assert_eq!(engine.rotate_secrets(true).await.unwrap(), Rotation { resealed: 1, unreadable: 0 });
    assert_eq!(stored(), LEGACY_KEY);
    assert_eq!(engine.rotate_secrets(false).await.unwrap(), Rotation { resealed: 1, unreadable: 0 });
    assert!(stored() != LEGACY_KEY && !stored().starts_with("tk1."), "in their form");
    let ours = json!({"appSecret": "new", "secrets": {"write": "current"}, "providers": {}});
    let current = Engine::open(options(&store, "", ours)).await.unwrap();
    assert!(!stored().starts_with("tk1."), "opening rewrites nothing either");
    assert_eq!(current.rotate_secrets(false).await.unwrap(), Rotation { resealed: 1, unreadable: 0 });
    assert!(stored().starts_with("tk1."));
    current.close(None).await.unwrap();
    // What is changed is changed where their own code reads it, and nothing else there; what that changes counts at once.
    query(&store, "UPDATE workspaces SET settings = settings || '{\"theme\": \"dark\"}'");
    let patch = SettingsPatch::from_json(r#"{"chatModel":"ours"}"#).unwrap();
    assert_eq!(engine.update_settings(WORKSPACE, None, &patch).await.unwrap()["chatModel"], "ours");
    assert_eq!(engine.settings(WORKSPACE, None).await.unwrap()["baseUrl"], json!(provider.base_url()));
    let hosts = |path: &str| query(&store, &format!("SELECT settings #>> '{path}' FROM workspaces"));
    assert_eq!((hosts("{ai,provider,chatModel}"), hosts("{theme}")), ("ours".to_owned(), "dark".to_owned()));
    assert_eq!(hosts("{ai,provider,baseUrl}"), provider.base_url());
    assert_eq!(query(&store, "SELECT COUNT(*) FROM ai_provider_settings"), "0");
    query(
        &store,
        "UPDATE workspaces SET settings = jsonb_set(settings, '{ai,provider,chatModel}', '\"theirs again\"')",
    );
    assert_eq!(engine.settings(WORKSPACE, None).await.unwrap()["chatModel"], "theirs again");
    // What an earlier version kept in a table of ours counts where they have nothing, until it is changed.
    query(&store, "UPDATE workspaces SET settings = '{}'");
    query(&store, &format!("INSERT INTO ai_provider_settings VALUES ('{WORKSPACE}', '{{\"driver\": \"openai\"}}')"));
    let patch = SettingsPatch::from_json("{\"systemPrompt\":\"a\\u0000b\",\"features\":{\"dictation\":true}}").unwrap();
    assert_eq!(engine.update_settings(WORKSPACE, None, &patch).await.unwrap()["driver"], "openai");
    assert_eq!((hosts("{ai,provider,driver}"), hosts("{ai,dictation}")), ("openai".to_owned(), "true".to_owned()));
    assert_eq!(query(&store, "SELECT COUNT(*) FROM ai_provider_settings"), "0");
    let key = SettingsPatch::from_json(r#"{"driver":"openai","apiKey":"k"}"#).unwrap();
    let unknown = engine.update_settings(MISSING, None, &key).await.unwrap_err();
    assert_eq!((unknown.code(), &unknown.details()["field"]), (ErrorCode::InvalidInput, &json!("workspaceId")));
    assert_eq!(
        query(&store, &format!("SELECT COUNT(*) FROM ai_provider_settings WHERE workspace_id = '{MISSING}'")),
        "0"
    );
    engine.close(None).await.unwrap();
}

/// Its administrators switch features in its own settings, and are told of what is switched here.
#[tokio::test(flavor = "multi_thread")]
async fn features_are_switched_where_the_server_keeps_them() {
    let store = Cluster::shared().database();
    query(&store, DOCMOST);
    query(&store, &legacy_rows());
    let answer = Response::stream([vec![text("ok")], finish("stop", 10, 5)].concat());
    let script = Script { responses: vec![answer], repeat: true, ..Script::default() };
    let provider = ScriptedProvider::start(script).await;
    let engine = Engine::open(options(&store, &provider.base_url(), json!({}))).await.unwrap();
    let strict = json!({"features": "strict"});
    let strict = Engine::open(options(&store, &provider.base_url(), strict)).await.unwrap();
    let begin = async |engine: &Engine, more: Value| {
        engine.start_turn(request("hi", theirs(more)), Vec::new()).await?.done().await
    };
    let off = async |engine: &Engine, more: Value| {
        begin(engine, more).await.unwrap_err().details()["feature"].as_str().unwrap().to_owned()
    };
    let switch = async |features: &str| {
        let patch = SettingsPatch::from_json(&format!(r#"{{"features":{features}}}"#)).unwrap();
        engine.update_settings(WORKSPACE, None, &patch).await.map(|shown| shown["features"].clone())
    };
    let stored = || query(&store, "SELECT settings FROM workspaces");
    // What was never switched is on, but for those who read it as the server does.
    assert!(begin(&engine, json!({})).await.is_ok());
    assert_eq!(off(&strict, json!({})).await, "chat");
    query(&store, r#"UPDATE workspaces SET settings = '{"theme": "dark", "ai": {"search": true, "chat": true}}'"#);
    assert_eq!(off(&strict, json!({})).await, "autonomousRuns");
    assert!(begin(&strict, json!({"detached": false})).await.is_ok());
    // What is switched here is what the server reads, and nothing else of its settings changes.
    let shown = switch(r#"{"chat": false, "dictation": true}"#).await.unwrap();
    assert_eq!(shown, json!({"chat": false, "autonomousRuns": true, "dictation": true}));
    let expected = r#"{"ai": {"chat": false, "search": true, "dictation": true}, "theme": "dark"}"#;
    assert_eq!(stored(), expected);
    assert_eq!(query(&store, "SELECT COUNT(*) FROM ai_provider_settings"), "0");
    assert_eq!(off(&engine, json!({})).await, "chat");
    // What the server switches counts at once, whatever of the settings is kept here by then.
    let ours = SettingsPatch::from_json(r#"{"chatModel": "ours"}"#).unwrap();
    engine.update_settings(WORKSPACE, None, &ours).await.unwrap();
    query(&store, "UPDATE workspaces SET settings = jsonb_set(settings, '{ai,chat}', 'true')");
    assert!(begin(&engine, json!({})).await.is_ok());
    // Settings of any form are read; those that are no object become one.
    for settings in ["NULL", "'[1]'", "'{\"ai\": true}'", "'{\"ai\": {\"chat\": \"false\"}}'"] {
        query(&store, &format!("UPDATE workspaces SET settings = {settings}"));
        assert!(begin(&engine, json!({})).await.is_ok(), "{settings}");
        assert_eq!(switch(r#"{"chat": false}"#).await.unwrap()["chat"], false, "{settings}");
        assert_eq!(stored(), r#"{"ai": {"chat": false}}"#, "{settings}");
    }
    let patch = SettingsPatch::from_json(r#"{"features": {"chat": true}}"#).unwrap();
    let unknown = engine.update_settings(MISSING, None, &patch).await.unwrap_err();
    assert_eq!((unknown.code(), &unknown.details()["field"]), (ErrorCode::InvalidInput, &json!("workspaceId")));
    engine.close(None).await.unwrap();
    strict.close(None).await.unwrap();
}

/// U+0000, which no text of the server can hold.
#[tokio::test(flavor = "multi_thread")]
async fn text_that_jsonb_refuses_is_stored_all_the_same() {
    let store = Cluster::shared().database();
    query(&store, DOCMOST);
    query(&store, &legacy_rows());
    let strange = "a\u{0}b \u{1F600} \\u0000 end";
    let answers = vec![Response::stream([vec![text(strange)], finish("stop", 10, 5)].concat())];
    let provider = ScriptedProvider::start(Script { responses: answers, ..Script::default() }).await;
    let engine = open(&store, &provider).await;
    let turn = engine.start_turn(request(strange, theirs(json!({}))), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let messages = engine.messages(&who(), turn.chat_id()).await.unwrap();
    for message in messages {
        assert_eq!(message.content, strange.replace('\u{0}', "\u{fffd}"));
    }
}

/// Statements of the host's own code, as its query builder writes them.
struct Host<'a>(&'a str);

impl Host<'_> {
    /// A role; `model_config` is an SQL expression, because its writers have had more than one form for it.
    fn create_role(&self, name: &str, model_config: &str) -> String {
        let insert = format!(
            "insert into \"ai_agent_roles\" (\"workspace_id\", \"creator_id\", \"name\", \"emoji\", \"instructions\", \
             \"model_config\", \"enabled\") values ('{WORKSPACE}', '{USER}', '{name}', null, 'Theirs.', {model_config}, true) \
             returning \"id\""
        );
        query(self.0, &insert)
    }

    /// What its list of roles shows.
    fn roles(&self) -> String {
        let list = format!(
            "select \"name\", \"emoji\", \"description\", \"instructions\", \"model_config\", \"enabled\", \"auto_start\", \
             \"launch_message\", \"creator_id\" from \"ai_agent_roles\" \
             where \"workspace_id\" = '{WORKSPACE}' and \"deleted_at\" is null order by \"created_at\" asc"
        );
        query(self.0, &list)
    }

    fn delete_role(&self, id: &str) {
        let delete = format!(
            "update \"ai_agent_roles\" set \"deleted_at\" = now(), \"updated_at\" = now() \
             where \"id\" = '{id}' and \"workspace_id\" = '{WORKSPACE}' and \"deleted_at\" is null"
        );
        query(self.0, &delete);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_right_whoever_has_written_them() {
    let store = Cluster::shared().database();
    query(&store, DOCMOST);
    query(&store, &legacy_rows());
    query(&store, "DELETE FROM ai_chats; DELETE FROM ai_agent_roles");
    let host = Host(&store);
    // Before: what its own code has left.
    let forms = [
        (
            "object",
            "'{\"driver\": \"gemini\", \"chatModel\": \"g\"}'::jsonb",
            json!({"driver": "gemini", "chatModel": "g"}),
        ),
        ("text", "to_jsonb('{\"chatModel\":\"m\"}'::text)", json!({"chatModel": "m"})),
        ("null", "null", json!(null)),
        ("json null", "'null'::jsonb", json!(null)),
        ("list", "'[1]'::jsonb", json!(null)),
        ("garbage", "to_jsonb('not json'::text)", json!(null)),
        ("more", "'{\"chatModel\": \"m\", \"temperature\": 1}'::jsonb", json!({"chatModel": "m", "temperature": 1})),
    ];
    let ids: Vec<String> = forms.iter().map(|(name, config, _)| host.create_role(name, config)).collect();
    let provider = ScriptedProvider::start(Script::default()).await;
    let engine = open(&store, &provider).await;
    let ask = async |operation: &str, more: Value| {
        let mut params = json!({"workspaceId": WORKSPACE, "actor": {"userId": USER, "isAdmin": true}});
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        let answer = engine.call(operation, &params.to_string()).await;
        answer.map(|answer| serde_json::from_str::<Value>(&answer).unwrap())
    };

    let listed = ask("roles.list", json!({})).await.unwrap();
    for (place, (name, _, config)) in forms.iter().enumerate() {
        let role = &listed[place];
        assert_eq!((&role["name"], &role["id"]), (&json!(name), &json!(ids[place])));
        assert_eq!((&role["modelConfig"], &role["instructions"]), (config, &json!("Theirs.")), "{name}");
        assert_eq!(
            (&role["enabled"], &role["autoStart"], &role["launchMessage"]),
            (&json!(true), &json!(true), &json!(null))
        );
    }
    // Times are the same moments, as far as JavaScript knows them.
    let exact = "select to_char(\"created_at\" at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') \
         from \"ai_agent_roles\" where \"name\" = 'object'";
    assert_eq!(listed[0]["createdAt"], json!(query(&store, exact)));

    // During: what we write, it reads in its own forms; what it writes, we read.
    let given = json!({"name": " Ours ", "instructions": "I", "emoji": "🤖", "modelConfig": {"driver": "openai", "chatModel": " m "}});
    let ours = ask("roles.create", given).await.unwrap();
    let of_name = |name: &str| host.roles().lines().find(|row| row.starts_with(&format!("{name}|"))).map(str::to_owned);
    let row = format!("Ours|🤖||I|{{\"driver\": \"openai\", \"chatModel\": \"m\"}}|t|t||{USER}");
    assert_eq!(of_name("Ours"), Some(row));
    let typed = "select jsonb_typeof(\"model_config\") from \"ai_agent_roles\" where \"name\" = 'Ours'";
    assert_eq!(query(&store, typed), "object");
    let cleared =
        json!({"roleId": ours["id"], "modelConfig": {}, "emoji": "", "enabled": false, "launchMessage": "go"});
    ask("roles.update", cleared).await.unwrap();
    assert_eq!(of_name("Ours"), Some(format!("Ours|||I||f|t|go|{USER}")));
    let is_null = "select \"model_config\" is null from \"ai_agent_roles\" where \"name\" = 'Ours'";
    assert_eq!(query(&store, is_null), "t");
    query(&store, "update \"ai_agent_roles\" set \"name\" = 'Renamed', \"updated_at\" = now() where \"name\" = 'Ours'");
    assert_eq!(ask("roles.get", json!({"roleId": ours["id"]})).await.unwrap()["name"], "Renamed");

    // Names are one room for both.
    let taken = ask("roles.create", json!({"name": "object", "instructions": "I"})).await.unwrap_err();
    assert_eq!(taken.code(), ErrorCode::RoleNameTaken);
    host.delete_role(&ids[0]);
    let gone = ask("roles.get", json!({"roleId": ids[0]})).await.unwrap_err();
    assert_eq!(gone.code(), ErrorCode::NotFound);
    ask("roles.create", json!({"name": "object", "instructions": "I"})).await.unwrap();
    ask("roles.delete", json!({"roleId": ids[1]})).await.unwrap();
    assert_eq!(of_name("text"), None);
    host.create_role("text", "null");

    // Ids that cannot be there, or are not, are named; other workspaces are not there.
    for (wrong, field) in [
        (json!({"workspaceId": "w1"}), "workspaceId"),
        (json!({"workspaceId": MISSING}), "workspaceId"),
        (json!({"actor": {"userId": "u1", "isAdmin": true}}), "actor.userId"),
        (json!({"actor": {"userId": MISSING, "isAdmin": true}}), "actor.userId"),
    ] {
        let mut role = json!({"name": "N", "instructions": "I"});
        wrong.as_object().unwrap().iter().for_each(|(name, value)| role[name] = value.clone());
        let refused = ask("roles.create", role).await.unwrap_err();
        assert_eq!((refused.code(), &refused.details()["field"]), (ErrorCode::InvalidInput, &json!(field)));
    }
    for workspace in ["w1", MISSING] {
        assert_eq!(ask("roles.list", json!({"workspaceId": workspace})).await.unwrap(), json!([]));
        let refused = ask("roles.delete", json!({"workspaceId": workspace, "roleId": ids[2]})).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::NotFound);
    }

    // After: the engine is gone, and its roles are the host's as any other.
    let bundle = ask("roles.exportBundle", json!({"roleIds": [ids[2], ids[6]]})).await.unwrap();
    assert!(bundle.as_str().unwrap().contains("chatModel: \"m\"") && !bundle.as_str().unwrap().contains("temperature"));
    engine.close(None).await.unwrap();
    let names: Vec<String> = host.roles().lines().map(|row| row.split('|').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["null", "json null", "list", "garbage", "more", "Renamed", "object", "text"]);
}
