-- What tools have noted of their calls, each in the transaction in which it changed something; or that a call was not made
-- and never will be (void). A tool's own statement finds no run, and so no value for run_id, once the run has ended.
CREATE TABLE turnkeep_effects (
    call_id TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL REFERENCES ai_chat_runs (id) ON DELETE CASCADE,
    result TEXT,
    void INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);
CREATE INDEX turnkeep_effects_of_run ON turnkeep_effects (run_id);
