-- The log that readers follow, and what a host may say when the chat is busy.

-- Both tables keep their rows in the order in which they are written: in WITHOUT ROWID tables a row of more than a
-- quarter page lies on a page of its own, and every page above holds whole rows.
CREATE TABLE ai_chat_run_steps_2 (
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
    -- The number of the first chunk of a finished step that no pack has,
    packed_until INTEGER,
    -- and that of the first chunk after the step.
    next_sequence INTEGER,
    PRIMARY KEY (run_id, step_number)
);
-- Runs of the version before were never followed by their numbers: each of their steps counts as one chunk.
INSERT INTO ai_chat_run_steps_2
SELECT run_id, step_number, epoch, state, parts, finish_reason, usage, created_at, finished_at,
    CASE state WHEN 'finished' THEN step_number + 1 END, CASE state WHEN 'finished' THEN step_number + 2 END
FROM ai_chat_run_steps;
DROP TABLE ai_chat_run_steps;
ALTER TABLE ai_chat_run_steps_2 RENAME TO ai_chat_run_steps;

DROP TABLE ai_chat_run_chunks;
CREATE TABLE ai_chat_run_chunks (
    run_id TEXT NOT NULL REFERENCES ai_chat_runs (id) ON DELETE CASCADE,
    first_sequence INTEGER NOT NULL,
    last_sequence INTEGER NOT NULL,
    step_number INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    chunks TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (run_id, first_sequence)
);

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
