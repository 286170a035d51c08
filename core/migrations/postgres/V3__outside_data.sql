-- What went wrong, sorted: JSON, {"kind", "statusCode"?, "retryable", "message"}.
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS failure text;
-- Messages that say that they are being written; the sweep looks for those that nobody writes.
CREATE INDEX IF NOT EXISTS ai_chat_messages_streaming ON ai_chat_messages (id) WHERE status = 'streaming';
-- Runs that engines which offer tools look for.
CREATE INDEX IF NOT EXISTS ai_chat_runs_planned ON ai_chat_runs (id) WHERE plan IS NOT NULL AND status IN ('pending', 'running');
CREATE INDEX IF NOT EXISTS ai_chat_run_queue_planned ON ai_chat_run_queue (id) WHERE plan IS NOT NULL;
