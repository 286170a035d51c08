-- The ledger: one row for each call to a provider, and for each that is on its way where tokens are limited. It stands in the
-- order in which it is summed up, so that a step costs one page of it and no index: a step's own row says whether its call is
-- in it. The key's columns come first, in its order: some versions of SQLite check others wrongly.
CREATE TABLE turnkeep_usage (
    workspace_id TEXT NOT NULL,
    at TEXT NOT NULL,
    id TEXT NOT NULL,
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
    PRIMARY KEY (workspace_id, at, id)
) WITHOUT ROWID;
-- Whatever is no finished step of a chat's run is entered once.
CREATE UNIQUE INDEX turnkeep_usage_once ON turnkeep_usage (id)
    WHERE kind <> 'step' OR chat_id IS NULL OR reserved = 1;
CREATE INDEX turnkeep_usage_reserved ON turnkeep_usage (run_id) WHERE reserved = 1;

-- Turns that are not stored: whose they are, whether somebody drives them, and how they ended.
CREATE TABLE turnkeep_stateless_runs (
    id TEXT NOT NULL PRIMARY KEY,
    workspace_id TEXT NOT NULL,
    created_by TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    error TEXT,
    step_count INTEGER NOT NULL DEFAULT 0,
    stop_requested_at TEXT,
    lease_expires_at TEXT,
    created_at TEXT NOT NULL,
    finished_at TEXT
) WITHOUT ROWID;
CREATE INDEX turnkeep_stateless_runs_driven ON turnkeep_stateless_runs (lease_expires_at) WHERE status = 'running';
CREATE INDEX turnkeep_stateless_runs_age ON turnkeep_stateless_runs (finished_at);
