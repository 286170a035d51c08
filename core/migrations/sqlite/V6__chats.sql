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

-- What messages are found by: the words, not the text. Entries have numbers of their own, because a row's implicit number
-- is not its own for ever.
CREATE TABLE turnkeep_search_entries (
    number INTEGER NOT NULL PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE
);
CREATE VIRTUAL TABLE turnkeep_search USING fts5 (
    owner, words, content = '', contentless_delete = 1,
    tokenize = 'porter unicode61 remove_diacritics 2'
);

-- A message is entered once nobody writes it any more. The owner is one word, so that a search reads no more of the index
-- than what is the user's.
CREATE TRIGGER turnkeep_search_insert AFTER INSERT ON ai_chat_messages
WHEN NEW.status IS NOT 'streaming' AND NEW.content <> '' BEGIN
    INSERT INTO turnkeep_search_entries (message_id) VALUES (NEW.id);
    INSERT INTO turnkeep_search (rowid, owner, words)
    SELECT entry.number, hex(chat.workspace_id) || 'x' || hex(chat.creator_id),
        replace(replace(substr(NEW.content, 1, 100000), 'ё', 'е'), 'Ё', 'Е')
    FROM turnkeep_search_entries AS entry, ai_chats AS chat
    WHERE entry.message_id = NEW.id AND chat.id = NEW.chat_id;
END;
CREATE TRIGGER turnkeep_search_delete BEFORE DELETE ON ai_chat_messages BEGIN
    DELETE FROM turnkeep_search WHERE rowid = (SELECT number FROM turnkeep_search_entries WHERE message_id = OLD.id);
    DELETE FROM turnkeep_search_entries WHERE message_id = OLD.id;
END;
CREATE TRIGGER turnkeep_search_update AFTER UPDATE OF content, status ON ai_chat_messages
WHEN NEW.status IS NOT 'streaming' AND (NEW.content IS NOT OLD.content OR NEW.status IS NOT OLD.status) BEGIN
    DELETE FROM turnkeep_search WHERE rowid = (SELECT number FROM turnkeep_search_entries WHERE message_id = NEW.id);
    INSERT OR IGNORE INTO turnkeep_search_entries (message_id) SELECT NEW.id WHERE NEW.content <> '';
    INSERT INTO turnkeep_search (rowid, owner, words)
    SELECT entry.number, hex(chat.workspace_id) || 'x' || hex(chat.creator_id),
        replace(replace(substr(NEW.content, 1, 100000), 'ё', 'е'), 'Ё', 'Е')
    FROM turnkeep_search_entries AS entry, ai_chats AS chat
    WHERE entry.message_id = NEW.id AND chat.id = NEW.chat_id AND NEW.content <> '';
END;

-- What there is already, in the order in which it was written.
INSERT INTO turnkeep_search_entries (message_id)
SELECT id FROM ai_chat_messages WHERE status IS NOT 'streaming' AND content <> '' ORDER BY created_at, id;
INSERT INTO turnkeep_search (rowid, owner, words)
SELECT entry.number, hex(chat.workspace_id) || 'x' || hex(chat.creator_id),
    replace(replace(substr(message.content, 1, 100000), 'ё', 'е'), 'Ё', 'Е')
FROM turnkeep_search_entries AS entry JOIN ai_chat_messages AS message ON message.id = entry.message_id
    JOIN ai_chats AS chat ON chat.id = message.chat_id
ORDER BY entry.number;
