-- Names follow Docmost's tables; what is there already is adopted. Every statement adds something, says so in its first
-- words, and does nothing where that is there. Words in braces stand for the types of columns that existing tables have:
-- {workspace}, {user} and {page} for the host's ids, {json} for what messages carry.

-- The one clock of leases. Statements do not ask the server by themselves, so that tests can move it.
CREATE OR REPLACE FUNCTION turnkeep_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';

CREATE TABLE IF NOT EXISTS ai_agent_roles (
    id uuid NOT NULL PRIMARY KEY,
    workspace_id {workspace} NOT NULL,
    creator_id {user},
    name text NOT NULL,
    emoji text,
    description text,
    instructions text NOT NULL,
    model_config jsonb,
    enabled boolean NOT NULL DEFAULT true,
    auto_start boolean NOT NULL DEFAULT true,
    launch_message text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
ALTER TABLE ai_agent_roles ADD COLUMN IF NOT EXISTS model_config jsonb;
ALTER TABLE ai_agent_roles ADD COLUMN IF NOT EXISTS auto_start boolean NOT NULL DEFAULT true;
ALTER TABLE ai_agent_roles ADD COLUMN IF NOT EXISTS launch_message text;
ALTER TABLE ai_agent_roles ADD COLUMN IF NOT EXISTS deleted_at timestamptz;
-- As it is called there.
CREATE UNIQUE INDEX IF NOT EXISTS ai_agent_roles_workspace_id_name_unique ON ai_agent_roles (workspace_id, name) WHERE deleted_at IS NULL;

CREATE TABLE IF NOT EXISTS ai_provider_credentials (
    id uuid NOT NULL PRIMARY KEY,
    workspace_id {workspace} NOT NULL,
    driver text NOT NULL,
    api_key_enc text,
    embedding_api_key_enc text,
    stt_api_key_enc text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (workspace_id, driver)
);
ALTER TABLE ai_provider_credentials ADD COLUMN IF NOT EXISTS embedding_api_key_enc text;
ALTER TABLE ai_provider_credentials ADD COLUMN IF NOT EXISTS stt_api_key_enc text;

CREATE TABLE IF NOT EXISTS ai_provider_settings (
    workspace_id {workspace} NOT NULL PRIMARY KEY,
    settings text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS ai_mcp_servers (
    id uuid NOT NULL PRIMARY KEY,
    workspace_id {workspace} NOT NULL,
    creator_id {user},
    name text NOT NULL,
    transport text NOT NULL,
    url text NOT NULL,
    headers_enc text,
    tool_allowlist jsonb,
    instructions text,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE ai_mcp_servers ADD COLUMN IF NOT EXISTS instructions text;

CREATE TABLE IF NOT EXISTS ai_chats (
    id uuid NOT NULL PRIMARY KEY,
    workspace_id {workspace} NOT NULL,
    creator_id {user} NOT NULL,
    title text,
    role_id uuid REFERENCES ai_agent_roles (id) ON DELETE SET NULL,
    page_id {page},
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
ALTER TABLE ai_chats ADD COLUMN IF NOT EXISTS role_id uuid REFERENCES ai_agent_roles (id) ON DELETE SET NULL;
ALTER TABLE ai_chats ADD COLUMN IF NOT EXISTS page_id {page};
ALTER TABLE ai_chats ADD COLUMN IF NOT EXISTS deleted_at timestamptz;
CREATE INDEX IF NOT EXISTS idx_ai_chats_workspace_creator ON ai_chats (workspace_id, creator_id, id);

CREATE TABLE IF NOT EXISTS ai_chat_messages (
    id uuid NOT NULL PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES ai_chats (id) ON DELETE CASCADE,
    workspace_id {workspace} NOT NULL,
    user_id {user},
    role text NOT NULL,
    content text,
    tool_calls {json},
    metadata {json},
    status text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz
);
ALTER TABLE ai_chat_messages ADD COLUMN IF NOT EXISTS tool_calls {json};
ALTER TABLE ai_chat_messages ADD COLUMN IF NOT EXISTS metadata {json};
-- Rows of before statuses existed have none, which counts as completed.
ALTER TABLE ai_chat_messages ADD COLUMN IF NOT EXISTS status text;
ALTER TABLE ai_chat_messages ADD COLUMN IF NOT EXISTS deleted_at timestamptz;
CREATE INDEX IF NOT EXISTS ai_chat_messages_of_chat ON ai_chat_messages (chat_id, created_at, id);

-- No index has a column that a step or a sign of life changes: such an update then stays within its page. Active runs
-- are found through the gate's index, which has nothing else in it.
CREATE TABLE IF NOT EXISTS ai_chat_runs (
    id uuid NOT NULL PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES ai_chats (id) ON DELETE CASCADE,
    workspace_id {workspace} NOT NULL,
    created_by {user} NOT NULL,
    trigger text NOT NULL,
    status text NOT NULL CHECK (status IN ('pending', 'running', 'succeeded', 'failed', 'aborted')),
    reason text,
    error text,
    step_count integer NOT NULL DEFAULT 0,
    stop_requested_at timestamptz,
    stop_reason text,
    assistant_message_id uuid REFERENCES ai_chat_messages (id) ON DELETE SET NULL,
    idempotency_key text,
    owner text,
    epoch bigint NOT NULL DEFAULT 0,
    lease_expires_at timestamptz,
    chunks_trimmed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS trigger text NOT NULL DEFAULT 'user';
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS reason text;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS error text;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS step_count integer NOT NULL DEFAULT 0;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS stop_requested_at timestamptz;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS stop_reason text;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS assistant_message_id uuid REFERENCES ai_chat_messages (id) ON DELETE SET NULL;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS idempotency_key text;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS owner text;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS lease_expires_at timestamptz;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS chunks_trimmed_at timestamptz;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS started_at timestamptz;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS finished_at timestamptz;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now();
-- The gate: at most one active run in a chat. Every other check is a courtesy.
CREATE UNIQUE INDEX IF NOT EXISTS ai_chat_runs_one_active_per_chat ON ai_chat_runs (chat_id) WHERE status IN ('pending', 'running');
CREATE INDEX IF NOT EXISTS ai_chat_runs_of_chat ON ai_chat_runs (chat_id, created_at, id);
CREATE INDEX IF NOT EXISTS ai_chat_runs_of_message ON ai_chat_runs (assistant_message_id);
CREATE UNIQUE INDEX IF NOT EXISTS ai_chat_runs_idempotency ON ai_chat_runs (workspace_id, created_by, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS ai_chat_runs_untrimmed ON ai_chat_runs (finished_at) WHERE chunks_trimmed_at IS NULL;

-- What providers said must come back to the letter: text, which the server neither reads nor sorts.
CREATE TABLE IF NOT EXISTS ai_chat_run_steps (
    run_id uuid NOT NULL REFERENCES ai_chat_runs (id) ON DELETE CASCADE,
    step_number integer NOT NULL,
    epoch bigint NOT NULL,
    -- 'intent' until the outcomes of its calls are in, then 'finished' for ever.
    state text NOT NULL CHECK (state IN ('intent', 'finished')),
    parts text NOT NULL,
    finish_reason text,
    usage text,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    -- The number of the first chunk of a finished step that no pack has,
    packed_until bigint,
    -- and that of the first chunk after the step.
    next_sequence bigint,
    PRIMARY KEY (run_id, step_number)
);

CREATE TABLE IF NOT EXISTS ai_chat_run_chunks (
    run_id uuid NOT NULL REFERENCES ai_chat_runs (id) ON DELETE CASCADE,
    first_sequence bigint NOT NULL,
    last_sequence bigint NOT NULL,
    step_number integer NOT NULL,
    epoch bigint NOT NULL,
    chunks text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (run_id, first_sequence)
);

-- Runs that wait until their chat is free. They hold no gate, so any number of them may wait in one chat.
CREATE TABLE IF NOT EXISTS ai_chat_run_queue (
    id uuid NOT NULL PRIMARY KEY,
    chat_id uuid NOT NULL REFERENCES ai_chats (id) ON DELETE CASCADE,
    workspace_id {workspace} NOT NULL,
    created_by {user} NOT NULL,
    trigger text NOT NULL,
    user_message_id uuid NOT NULL,
    user_content text NOT NULL,
    user_metadata {json} NOT NULL,
    assistant_message_id uuid NOT NULL,
    idempotency_key text,
    stop_requested_at timestamptz,
    owner text NOT NULL,
    lease_expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS ai_chat_run_queue_of_chat ON ai_chat_run_queue (chat_id, id);
CREATE UNIQUE INDEX IF NOT EXISTS ai_chat_run_queue_idempotency ON ai_chat_run_queue (workspace_id, created_by, idempotency_key) WHERE idempotency_key IS NOT NULL;
