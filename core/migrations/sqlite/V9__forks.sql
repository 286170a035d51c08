-- What a fork shows of the chats that it comes from, the oldest of them first: their messages before a place, as they were
-- when nothing had been replaced after `as_of`. Where the fork has gone another way since, it ends at `cut`.
CREATE TABLE turnkeep_chat_forks (
    chat_id TEXT NOT NULL REFERENCES ai_chats (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    origin_id TEXT NOT NULL REFERENCES ai_chats (id),
    before_at TEXT NOT NULL,
    before_id TEXT NOT NULL,
    as_of TEXT NOT NULL,
    cut_at TEXT,
    cut_id TEXT,
    PRIMARY KEY (chat_id, position)
);
CREATE INDEX turnkeep_chat_forks_of ON turnkeep_chat_forks (origin_id);

-- What forks show of chats that have been removed: chats that nobody sees.
CREATE TABLE turnkeep_fork_trunks (
    chat_id TEXT NOT NULL PRIMARY KEY REFERENCES ai_chats (id) ON DELETE CASCADE
);
