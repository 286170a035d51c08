-- What went wrong, sorted: JSON, {"kind", "statusCode"?, "retryable", "message"}.
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS failure text;
-- Messages that say that they are being written; the sweep looks for those that nobody writes.
CREATE INDEX IF NOT EXISTS ai_chat_messages_streaming ON ai_chat_messages (id) WHERE status = 'streaming';
-- Runs that engines which offer tools look for.
CREATE INDEX IF NOT EXISTS ai_chat_runs_planned ON ai_chat_runs (id) WHERE plan IS NOT NULL AND status IN ('pending', 'running');
CREATE INDEX IF NOT EXISTS ai_chat_run_queue_planned ON ai_chat_run_queue (id) WHERE plan IS NOT NULL;
-- Written by whoever asks whether the store takes writes.
CREATE TABLE IF NOT EXISTS turnkeep_health (id integer NOT NULL PRIMARY KEY CHECK (id = 1), at timestamptz NOT NULL);
-- The address that each stored key was entered for, with a digest of the key as it is stored: one that another writer has
-- put in its place is not bound yet.
CREATE TABLE IF NOT EXISTS turnkeep_key_places (
    workspace_id text NOT NULL,
    driver text NOT NULL,
    slot text NOT NULL,
    place text NOT NULL,
    PRIMARY KEY (workspace_id, driver, slot)
);
