-- Lists of chats, newest first, and the newest chat of a page.
CREATE INDEX IF NOT EXISTS ai_chats_listed ON ai_chats (workspace_id, creator_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS ai_chats_of_page ON ai_chats (workspace_id, creator_id, page_id, created_at, id) WHERE deleted_at IS NULL AND page_id IS NOT NULL;

-- Messages that have stood in one place, by the first of them. All but the last are deleted.
CREATE TABLE IF NOT EXISTS turnkeep_message_versions (
    message_id uuid NOT NULL PRIMARY KEY REFERENCES ai_chat_messages (id) ON DELETE CASCADE,
    first_id uuid NOT NULL
);
CREATE INDEX IF NOT EXISTS turnkeep_message_versions_of ON turnkeep_message_versions (first_id);

-- What messages are found by. Docmost's tables have it already, and keep it by a trigger. A text is entered once nobody
-- writes it any more; what is called russian knows English words, too.
{unless_searched} ALTER TABLE ai_chat_messages ADD COLUMN IF NOT EXISTS tsv tsvector GENERATED ALWAYS AS (CASE WHEN status = 'streaming' THEN NULL ELSE to_tsvector('russian', translate(left(content, 100000), 'ёЁ', 'еЕ')) END) STORED;
{unless_searched} CREATE INDEX IF NOT EXISTS ai_chat_messages_tsv_idx ON ai_chat_messages USING gin (tsv);

-- What was written last in a workspace, for searches.
CREATE INDEX IF NOT EXISTS ai_chat_messages_newest ON ai_chat_messages (workspace_id, created_at, id) WHERE deleted_at IS NULL;

-- What is taken of limits that all processes share.
CREATE TABLE IF NOT EXISTS turnkeep_limit_uses (
    id uuid NOT NULL PRIMARY KEY,
    key text NOT NULL,
    at timestamptz NOT NULL,
    amount bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS turnkeep_limit_uses_of ON turnkeep_limit_uses (key, at);
CREATE INDEX IF NOT EXISTS turnkeep_limit_uses_age ON turnkeep_limit_uses (at);
