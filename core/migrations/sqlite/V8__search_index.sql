-- What pages are found by: chunks of their text, with vectors (f32, little-endian) and the stems of their words.
CREATE TABLE turnkeep_page_chunks (
    workspace_id TEXT NOT NULL,
    page_id TEXT NOT NULL,
    chunk_index INTEGER NOT NULL,
    space_id TEXT,
    title TEXT,
    -- Of what the page's chunks were made.
    digest TEXT NOT NULL,
    chunk_start INTEGER NOT NULL,
    chunk_length INTEGER NOT NULL,
    model_name TEXT NOT NULL,
    model_dimensions INTEGER NOT NULL,
    indexed_at TEXT NOT NULL,
    words TEXT NOT NULL,
    content TEXT NOT NULL,
    embedding BLOB NOT NULL,
    PRIMARY KEY (workspace_id, page_id, chunk_index)
);
