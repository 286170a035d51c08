-- What others need for driving a run that names its tools: JSON, {"tools", "openPage"?}.
ALTER TABLE ai_chat_runs ADD COLUMN plan TEXT;
ALTER TABLE ai_chat_run_queue ADD COLUMN plan TEXT;
