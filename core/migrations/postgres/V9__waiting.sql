-- Runs that wait for somebody's answer, as nobody's: no lease, and no owner.
ALTER TABLE ai_chat_runs DROP CONSTRAINT IF EXISTS ai_chat_runs_status_check;
ALTER TABLE ai_chat_runs ADD CONSTRAINT ai_chat_runs_status_check
    CHECK (status IN ('pending', 'running', 'waiting', 'succeeded', 'failed', 'aborted')) NOT VALID;

-- What the run waits for, or has waited for last: JSON, {"step", "takenMs", "answeredAt"?, "calls"}.
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS waits text;
-- When the next of these calls expires, and whether all of them have their answer.
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS waits_until timestamptz;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS answered boolean NOT NULL DEFAULT false;
-- The run does not hold its chat while it waits.
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS frees_chat boolean NOT NULL DEFAULT false;
-- How often it has waited.
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS suspensions integer NOT NULL DEFAULT 0;

-- The gate has runs that wait in it, too. Those that somebody drives are found by an index of their own, so that no sweep
-- goes through all that wait.
DROP INDEX IF EXISTS ai_chat_runs_one_active_per_chat;
CREATE UNIQUE INDEX ai_chat_runs_one_active_per_chat ON ai_chat_runs (chat_id)
    WHERE status IN ('pending', 'running') OR (status = 'waiting' AND NOT frees_chat);
CREATE INDEX IF NOT EXISTS ai_chat_runs_driven ON ai_chat_runs (chat_id) WHERE status IN ('pending', 'running');
CREATE INDEX IF NOT EXISTS ai_chat_runs_waiting ON ai_chat_runs (workspace_id, created_by, id) WHERE status = 'waiting';
CREATE INDEX IF NOT EXISTS ai_chat_runs_expiring ON ai_chat_runs (waits_until) WHERE status = 'waiting' AND waits_until IS NOT NULL;
CREATE INDEX IF NOT EXISTS ai_chat_runs_answered ON ai_chat_runs (id) WHERE status = 'waiting' AND answered;
CREATE INDEX IF NOT EXISTS ai_chat_runs_waiting_stopped ON ai_chat_runs (id) WHERE status = 'waiting' AND stop_requested_at IS NOT NULL;
