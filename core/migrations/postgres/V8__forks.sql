-- What a fork shows of the chats that it comes from, the oldest of them first: their messages before a place, as they were
-- when nothing had been replaced after `as_of`. Where the fork has gone another way since, it ends at `cut`.
CREATE TABLE IF NOT EXISTS turnkeep_chat_forks (
    chat_id uuid NOT NULL REFERENCES ai_chats (id) ON DELETE CASCADE,
    position integer NOT NULL,
    origin_id uuid NOT NULL REFERENCES ai_chats (id),
    before_at timestamptz NOT NULL,
    before_id uuid NOT NULL,
    as_of timestamptz NOT NULL,
    cut_at timestamptz,
    cut_id uuid,
    PRIMARY KEY (chat_id, position)
);
CREATE INDEX IF NOT EXISTS turnkeep_chat_forks_of ON turnkeep_chat_forks (origin_id);

-- What forks show of chats that have been removed: chats that nobody sees.
CREATE TABLE IF NOT EXISTS turnkeep_fork_trunks (
    chat_id uuid NOT NULL PRIMARY KEY REFERENCES ai_chats (id) ON DELETE CASCADE
);
