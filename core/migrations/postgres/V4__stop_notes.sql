-- Stops of runs that had not begun, by the idempotency key that they will be begun with.
CREATE TABLE IF NOT EXISTS turnkeep_stop_notes (
    workspace_id text NOT NULL,
    user_id text NOT NULL,
    idempotency_key text NOT NULL,
    noted_at timestamptz NOT NULL,
    PRIMARY KEY (workspace_id, user_id, idempotency_key)
);
CREATE INDEX IF NOT EXISTS turnkeep_stop_notes_age ON turnkeep_stop_notes (noted_at);
