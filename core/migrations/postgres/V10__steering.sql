-- Messages that join a run that is under way. Their state changes once, in the write that lets them enter the log, makes them
-- a message of the chat's next turn, or takes them back.
CREATE TABLE IF NOT EXISTS turnkeep_steering (
    message_id uuid NOT NULL PRIMARY KEY,
    run_id uuid NOT NULL REFERENCES ai_chat_runs (id) ON DELETE CASCADE,
    chat_id uuid NOT NULL,
    user_id {user} NOT NULL,
    content text NOT NULL,
    -- As in the metadata of a user's message: {"parts", "metadata"?}.
    message {json} NOT NULL,
    state text NOT NULL,
    -- The step before whose answer it has entered.
    step_number integer,
    -- Its place among those of its run.
    place bigint NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS turnkeep_steering_of_run ON turnkeep_steering (run_id, place);
CREATE INDEX IF NOT EXISTS turnkeep_steering_of_chat ON turnkeep_steering (chat_id, run_id, place);

-- How many wait for the run, a number that grows with every change of that, and the step before which some have entered last:
-- its owner learns of them by the writes that it makes anyway, and a run's end that was written before they entered changes
-- nothing.
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS steering integer NOT NULL DEFAULT 0;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS steering_version integer NOT NULL DEFAULT 0;
ALTER TABLE ai_chat_runs ADD COLUMN IF NOT EXISTS steering_step integer NOT NULL DEFAULT 0;
