-- What tools have noted of their calls, each in the transaction in which it changed something; or that a call was not made
-- and never will be (void). A tool's own statement finds no run, and so no value for run_id, once the run has ended.
CREATE TABLE IF NOT EXISTS turnkeep_effects (
    call_id text NOT NULL PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES ai_chat_runs (id) ON DELETE CASCADE,
    result text,
    void boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS turnkeep_effects_of_run ON turnkeep_effects (run_id);
