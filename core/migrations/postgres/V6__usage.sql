-- The ledger: one row for each call to a provider, and for each that is on its way where tokens are limited.
CREATE TABLE IF NOT EXISTS turnkeep_usage (
    id text NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    user_id text,
    chat_id text,
    run_id text,
    kind text NOT NULL,
    model text,
    -- What is set aside counts as used.
    reserved boolean NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    estimated boolean NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS turnkeep_usage_of ON turnkeep_usage (workspace_id, at) INCLUDE (input_tokens, output_tokens);
CREATE INDEX IF NOT EXISTS turnkeep_usage_reserved ON turnkeep_usage (run_id) WHERE reserved;

-- Turns that are not stored: whose they are, whether somebody drives them, and how they ended.
CREATE TABLE IF NOT EXISTS turnkeep_stateless_runs (
    id uuid NOT NULL PRIMARY KEY,
    workspace_id text NOT NULL,
    created_by text NOT NULL,
    status text NOT NULL,
    reason text,
    error text,
    step_count integer NOT NULL DEFAULT 0,
    stop_requested_at timestamptz,
    lease_expires_at timestamptz,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
);
CREATE INDEX IF NOT EXISTS turnkeep_stateless_runs_driven ON turnkeep_stateless_runs (lease_expires_at) WHERE status = 'running';
CREATE INDEX IF NOT EXISTS turnkeep_stateless_runs_age ON turnkeep_stateless_runs (finished_at);
