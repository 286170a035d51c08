-- What pages are found by: chunks of their text, with vectors and the stems of their words. Ids are text whatever the
-- host's own are; Docmost's page_embeddings stays as it is.
CREATE TABLE IF NOT EXISTS turnkeep_page_chunks (
    workspace_id text NOT NULL,
    page_id text NOT NULL,
    chunk_index integer NOT NULL,
    space_id text,
    title text,
    -- Of what the page's chunks were made.
    digest text NOT NULL,
    chunk_start bigint NOT NULL,
    chunk_length bigint NOT NULL,
    model_name text NOT NULL,
    model_dimensions integer NOT NULL,
    indexed_at timestamptz NOT NULL,
    words text NOT NULL,
    content text NOT NULL,
    embedding real[] NOT NULL,
    PRIMARY KEY (workspace_id, page_id, chunk_index)
);
CREATE INDEX IF NOT EXISTS turnkeep_page_chunks_words ON turnkeep_page_chunks USING gin (string_to_array(words, ' '));
