-- The log that readers follow, and what a host may say when the chat is busy.

-- The number of the first chunk after the step's; NULL in an intent.
ALTER TABLE ai_chat_run_steps ADD COLUMN next_sequence INTEGER;
ALTER TABLE ai_chat_run_chunks ADD COLUMN step_number INTEGER NOT NULL DEFAULT 0;

ALTER TABLE ai_chat_runs ADD COLUMN stop_reason TEXT;
ALTER TABLE ai_chat_runs ADD COLUMN idempotency_key TEXT;
CREATE UNIQUE INDEX ai_chat_runs_idempotency ON ai_chat_runs (workspace_id, created_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- Runs that wait until their chat is free. They hold no gate, so any number of them may wait in one chat.
CREATE TABLE ai_chat_run_queue (
    id TEXT NOT NULL PRIMARY KEY,
    chat_id TEXT NOT NULL REFERENCES ai_chats (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL,
    created_by TEXT NOT NULL,
    trigger TEXT NOT NULL,
    user_message_id TEXT NOT NULL,
    user_content TEXT NOT NULL,
    user_metadata TEXT NOT NULL,
    assistant_message_id TEXT NOT NULL,
    idempotency_key TEXT,
    stop_requested_at TEXT,
    owner TEXT NOT NULL,
    lease_expires_at TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX ai_chat_run_queue_of_chat ON ai_chat_run_queue (chat_id, id);
CREATE INDEX ai_chat_run_queue_lease ON ai_chat_run_queue (lease_expires_at);
CREATE UNIQUE INDEX ai_chat_run_queue_idempotency ON ai_chat_run_queue (workspace_id, created_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
