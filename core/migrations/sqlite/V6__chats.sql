-- Lists of chats, newest first, and the newest chat of a page.
CREATE INDEX ai_chats_listed ON ai_chats (workspace_id, creator_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX ai_chats_of_page ON ai_chats (workspace_id, creator_id, page_id, created_at, id)
    WHERE deleted_at IS NULL AND page_id IS NOT NULL;

-- Messages that have stood in one place, by the first of them. All but the last are deleted.
CREATE TABLE turnkeep_message_versions (
    message_id TEXT NOT NULL PRIMARY KEY REFERENCES ai_chat_messages (id) ON DELETE CASCADE,
    first_id TEXT NOT NULL
);
CREATE INDEX turnkeep_message_versions_of ON turnkeep_message_versions (first_id);

-- What messages are found by: the stems of their words, not the text. Entries have numbers of their own, because a row's
-- implicit number is not its own for ever.
CREATE TABLE turnkeep_search_entries (
    number INTEGER NOT NULL PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    -- It is not in the index as it is now.
    waits INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX turnkeep_search_waiting ON turnkeep_search_entries (number) WHERE waits = 1;
CREATE VIRTUAL TABLE turnkeep_search USING fts5 (owner, words, content = '', contentless_delete = 1);

-- Whoever writes a message, it is noted here, once it is not written any more; the words are entered later, since SQL knows
-- no stems.
CREATE TRIGGER turnkeep_search_insert AFTER INSERT ON ai_chat_messages
WHEN NEW.status IS NOT 'streaming' AND NEW.content <> '' BEGIN
    INSERT INTO turnkeep_search_entries (message_id) VALUES (NEW.id) ON CONFLICT (message_id) DO UPDATE SET waits = 1;
END;
CREATE TRIGGER turnkeep_search_update AFTER UPDATE OF content, status ON ai_chat_messages
WHEN NEW.status IS NOT 'streaming' AND (NEW.content IS NOT OLD.content OR NEW.status IS NOT OLD.status) BEGIN
    INSERT INTO turnkeep_search_entries (message_id) VALUES (NEW.id) ON CONFLICT (message_id) DO UPDATE SET waits = 1;
END;
CREATE TRIGGER turnkeep_search_delete BEFORE DELETE ON ai_chat_messages BEGIN
    DELETE FROM turnkeep_search WHERE rowid = (SELECT number FROM turnkeep_search_entries WHERE message_id = OLD.id);
    DELETE FROM turnkeep_search_entries WHERE message_id = OLD.id;
END;

-- What there is already, in the order in which it was written.
INSERT INTO turnkeep_search_entries (message_id)
SELECT id FROM ai_chat_messages WHERE status IS NOT 'streaming' AND content <> '' ORDER BY created_at, id;

-- What is taken of limits that all processes share.
CREATE TABLE turnkeep_limit_uses (
    id TEXT NOT NULL PRIMARY KEY,
    key TEXT NOT NULL,
    at TEXT NOT NULL,
    amount INTEGER NOT NULL
);
CREATE INDEX turnkeep_limit_uses_of ON turnkeep_limit_uses (key, at);
CREATE INDEX turnkeep_limit_uses_age ON turnkeep_limit_uses (at);
