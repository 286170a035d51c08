-- The ledger: one row for each call to a provider, and for each that is on its way where tokens are limited.
CREATE TABLE turnkeep_usage (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    user_id TEXT,
    chat_id TEXT,
    run_id TEXT,
    kind TEXT NOT NULL,
    model TEXT,
    -- What is set aside counts as used.
    reserved INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_input_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX turnkeep_usage_of ON turnkeep_usage (workspace_id, at, input_tokens, output_tokens);
CREATE INDEX turnkeep_usage_age ON turnkeep_usage (at);
CREATE INDEX turnkeep_usage_reserved ON turnkeep_usage (run_id) WHERE reserved = 1;
