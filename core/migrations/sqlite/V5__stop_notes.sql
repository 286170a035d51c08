-- Stops of runs that had not begun, by the idempotency key that they will be begun with.
CREATE TABLE turnkeep_stop_notes (
    workspace_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    noted_at TEXT NOT NULL,
    PRIMARY KEY (workspace_id, user_id, idempotency_key)
);
CREATE INDEX turnkeep_stop_notes_age ON turnkeep_stop_notes (noted_at);
