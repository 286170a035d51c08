-- Lists of chats, newest first, and the newest chat of a page.
CREATE INDEX IF NOT EXISTS ai_chats_listed ON ai_chats (workspace_id, creator_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX IF NOT EXISTS ai_chats_of_page ON ai_chats (workspace_id, creator_id, page_id, created_at, id) WHERE deleted_at IS NULL AND page_id IS NOT NULL;

-- What messages are found by. Docmost's tables have it already, and keep it by a trigger. A text is entered once nobody
-- writes it any more.
{unless_searched} ALTER TABLE ai_chat_messages ADD COLUMN IF NOT EXISTS tsv tsvector GENERATED ALWAYS AS (CASE WHEN status = 'streaming' THEN NULL ELSE to_tsvector('english', translate(left(content, 100000), 'ёЁ', 'еЕ')) END) STORED;
{unless_searched} CREATE INDEX IF NOT EXISTS ai_chat_messages_tsv_idx ON ai_chat_messages USING gin (tsv);
