-- Runs that wait for somebody's answer, as nobody's: no lease, and no owner.

-- The statuses of a run are checked by the table, and SQLite has no statement that changes a check. This changes its text;
-- no row is touched, and every row that there is fits the new one as well.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''running'', ''succeeded''', '''running'', ''waiting'', ''succeeded''')
    WHERE type = 'table' AND name = 'ai_chat_runs';
PRAGMA writable_schema = RESET;

-- What the run waits for, or has waited for last: JSON, {"step", "takenMs", "answeredAt"?, "calls"}.
ALTER TABLE ai_chat_runs ADD COLUMN waits TEXT;
-- When the next of these calls expires, and whether all of them have their answer.
ALTER TABLE ai_chat_runs ADD COLUMN waits_until TEXT;
ALTER TABLE ai_chat_runs ADD COLUMN answered INTEGER NOT NULL DEFAULT 0;
-- The run does not hold its chat while it waits.
ALTER TABLE ai_chat_runs ADD COLUMN frees_chat INTEGER NOT NULL DEFAULT 0;
-- How often it has waited.
ALTER TABLE ai_chat_runs ADD COLUMN suspensions INTEGER NOT NULL DEFAULT 0;

-- The gate has runs that wait in it, too. Those that somebody drives are found by an index of their own, so that no sweep
-- goes through all that wait.
DROP INDEX ai_chat_runs_one_active_per_chat;
CREATE UNIQUE INDEX ai_chat_runs_one_active_per_chat ON ai_chat_runs (chat_id)
    WHERE status IN ('pending', 'running') OR (status = 'waiting' AND frees_chat = 0);
CREATE INDEX ai_chat_runs_driven ON ai_chat_runs (chat_id) WHERE status IN ('pending', 'running');
CREATE INDEX ai_chat_runs_waiting ON ai_chat_runs (workspace_id, created_by, id) WHERE status = 'waiting';
CREATE INDEX ai_chat_runs_expiring ON ai_chat_runs (waits_until) WHERE status = 'waiting' AND waits_until IS NOT NULL;
CREATE INDEX ai_chat_runs_answered ON ai_chat_runs (id) WHERE status = 'waiting' AND answered = 1;
CREATE INDEX ai_chat_runs_waiting_stopped ON ai_chat_runs (id) WHERE status = 'waiting' AND stop_requested_at IS NOT NULL;
