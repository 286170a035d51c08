-- What went wrong, sorted: JSON, {"kind", "statusCode"?, "retryable", "message"}.
ALTER TABLE ai_chat_runs ADD COLUMN failure TEXT;
-- Messages that say that they are being written; the sweep looks for those that nobody writes.
CREATE INDEX ai_chat_messages_streaming ON ai_chat_messages (id) WHERE status = 'streaming';
-- Runs that engines which offer tools look for.
CREATE INDEX ai_chat_runs_planned ON ai_chat_runs (id) WHERE plan IS NOT NULL AND status IN ('pending', 'running');
CREATE INDEX ai_chat_run_queue_planned ON ai_chat_run_queue (id) WHERE plan IS NOT NULL;
-- No statement can use it: whether an owner is dead is not in the lease alone. Active runs are found by the gate's index.
DROP INDEX ai_chat_runs_active_lease;
-- Written by whoever asks whether the store takes writes.
CREATE TABLE turnkeep_health (id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), at TEXT NOT NULL);
-- The address that each stored key was entered for, with a digest of the key as it is stored: one that another writer has
-- put in its place is not bound yet.
CREATE TABLE turnkeep_key_places (
    workspace_id TEXT NOT NULL,
    driver TEXT NOT NULL,
    slot TEXT NOT NULL,
    place TEXT NOT NULL,
    PRIMARY KEY (workspace_id, driver, slot)
);
