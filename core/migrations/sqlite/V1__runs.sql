-- Names follow Docmost's tables. Times are UTC text with millisecond precision, which sorts as time does.

CREATE TABLE ai_agent_roles (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    creator_id TEXT,
    name TEXT NOT NULL,
    emoji TEXT,
    description TEXT,
    instructions TEXT NOT NULL,
    model_config TEXT,
    enabled INTEGER NOT NULL DEFAULT 1,
    auto_start INTEGER NOT NULL DEFAULT 1,
    launch_message TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
);
CREATE UNIQUE INDEX ai_agent_roles_live_name ON ai_agent_roles (workspace_id, name) WHERE deleted_at IS NULL;

CREATE TABLE ai_provider_credentials (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    driver TEXT NOT NULL,
    api_key_enc TEXT,
    embedding_api_key_enc TEXT,
    stt_api_key_enc TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    UNIQUE (workspace_id, driver)
);

CREATE TABLE ai_provider_settings (
    workspace_id TEXT NOT NULL PRIMARY KEY,
    settings TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE TABLE ai_mcp_servers (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    creator_id TEXT,
    name TEXT NOT NULL,
    transport TEXT NOT NULL,
    url TEXT NOT NULL,
    headers_enc TEXT,
    tool_allowlist TEXT,
    instructions TEXT,
    enabled INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
);

CREATE TABLE ai_chats (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    creator_id TEXT NOT NULL,
    title TEXT,
    role_id TEXT REFERENCES ai_agent_roles (id) ON DELETE SET NULL,
    page_id TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
);
CREATE INDEX ai_chats_of_creator ON ai_chats (workspace_id, creator_id, id);

CREATE TABLE ai_chat_messages (
    id TEXT NOT NULL PRIMARY KEY,
    chat_id TEXT NOT NULL REFERENCES ai_chats (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL,
    user_id TEXT,
    role TEXT NOT NULL,
    content TEXT,
    tool_calls TEXT,
    metadata TEXT,
    status TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    deleted_at TEXT
);
CREATE INDEX ai_chat_messages_of_chat ON ai_chat_messages (chat_id, created_at, id);

CREATE TABLE ai_chat_runs (
    id TEXT NOT NULL PRIMARY KEY,
    chat_id TEXT NOT NULL REFERENCES ai_chats (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL,
    created_by TEXT NOT NULL,
    trigger TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'aborted')),
    reason TEXT,
    error TEXT,
    step_count INTEGER NOT NULL DEFAULT 0,
    stop_requested_at TEXT,
    assistant_message_id TEXT REFERENCES ai_chat_messages (id) ON DELETE SET NULL,
    owner TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    lease_expires_at TEXT,
    created_at TEXT NOT NULL,
    started_at TEXT,
    finished_at TEXT,
    updated_at TEXT NOT NULL
);
-- The gate: at most one active run in a chat. Every other check is a courtesy.
CREATE UNIQUE INDEX ai_chat_runs_one_active_per_chat ON ai_chat_runs (chat_id) WHERE status IN ('pending', 'running');
CREATE INDEX ai_chat_runs_of_chat ON ai_chat_runs (chat_id, created_at, id);
CREATE INDEX ai_chat_runs_of_message ON ai_chat_runs (assistant_message_id);
CREATE INDEX ai_chat_runs_active_lease ON ai_chat_runs (lease_expires_at) WHERE status IN ('pending', 'running');

CREATE TABLE ai_chat_run_steps (
    run_id TEXT NOT NULL REFERENCES ai_chat_runs (id) ON DELETE CASCADE,
    step_number INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    -- 'intent' until the outcomes of its calls are in, then 'finished' for ever.
    state TEXT NOT NULL CHECK (state IN ('intent', 'finished')),
    parts TEXT NOT NULL,
    finish_reason TEXT,
    usage TEXT,
    created_at TEXT NOT NULL,
    finished_at TEXT,
    PRIMARY KEY (run_id, step_number)
) WITHOUT ROWID;

CREATE TABLE ai_chat_run_chunks (
    run_id TEXT NOT NULL REFERENCES ai_chat_runs (id) ON DELETE CASCADE,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    chunks TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (run_id, first_sequence)
) WITHOUT ROWID;
