-- What others need for driving a run that names its tools: JSON, {"tools", "openPage"?}.
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS plan text;
ALTER TABLE ai_chat_run_queue ADD COLUMN IF NOT EXISTS plan text;
