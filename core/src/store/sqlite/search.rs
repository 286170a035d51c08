//! The index that pages are found by. Vectors are compared one by one, beside those who read chats.

use async_trait::async_trait;
use rusqlite::params;

use crate::error::Result;
use crate::project::{ChunkKey, Matching, Nearest, chunk_words};
use crate::store::{
    ChunkRankings, ChunkScope, ChunkSearch, FoundChunk, IndexPage, IndexedModel, IndexedPage, SearchStore,
};

use super::tables::Tables;
use super::{SqliteStore, limited, store_error};

const DELETE: &str = "DELETE FROM turnkeep_page_chunks WHERE workspace_id = ?1 AND page_id = ?2";

#[async_trait]
impl SearchStore for SqliteStore {
    async fn indexed_pages(&self, workspace_id: &str, page_ids: &[String]) -> Result<Vec<IndexedPage>> {
        const PAGES: &str = "SELECT page_id, space_id, title, digest, model_name, model_dimensions, COUNT(*) \
             FROM turnkeep_page_chunks WHERE workspace_id = ?1 AND page_id IN (SELECT value FROM json_each(?2)) \
             GROUP BY page_id";
        let (workspace_id, page_ids) = (workspace_id.to_owned(), list(page_ids));
        self.read(move |tables| {
            tables.readable(PAGES, params![workspace_id, page_ids], |row| {
                Ok(IndexedPage {
                    page_id: row.get(0)?,
                    space_id: row.get(1)?,
                    title: row.get(2)?,
                    digest: row.get(3)?,
                    model: row.get(4)?,
                    dimensions: row.get(5)?,
                    chunks: row.get(6)?,
                })
            })
        })
        .await
    }

    async fn index_page(&self, page: IndexPage) -> Result<()> {
        const INSERT: &str = "INSERT INTO turnkeep_page_chunks (workspace_id, page_id, chunk_index, space_id, title, \
             digest, chunk_start, chunk_length, model_name, model_dimensions, indexed_at, words, content, embedding) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let words: Vec<String> = page.chunks.iter().map(|chunk| chunk_words(&chunk.content)).collect();
        self.write(move |tables| {
            let IndexPage { workspace_id, page, chunks } = &page;
            tables.execute(DELETE, [workspace_id, &page.page_id])?;
            for (chunk, words) in chunks.iter().zip(&words) {
                let embedding: Vec<u8> = chunk.vector.iter().flat_map(|value| value.to_le_bytes()).collect();
                let values = params![
                    workspace_id,
                    page.page_id,
                    chunk.index,
                    page.space_id,
                    page.title,
                    page.digest,
                    chunk.start,
                    chunk.length,
                    page.model,
                    page.dimensions,
                    tables.now,
                    words,
                    chunk.content,
                    embedding,
                ];
                tables.execute(INSERT, values)?;
            }
            Ok(())
        })
        .await
    }

    async fn move_indexed_page(&self, workspace_id: &str, page_id: &str, space_id: Option<&str>) -> Result<()> {
        const MOVE: &str = "UPDATE turnkeep_page_chunks SET space_id = ?3 WHERE workspace_id = ?1 AND page_id = ?2";
        let (workspace_id, page_id) = (workspace_id.to_owned(), page_id.to_owned());
        let space_id = space_id.map(str::to_owned);
        self.write(move |tables| tables.execute(MOVE, params![workspace_id, page_id, space_id]).map(|_| ())).await
    }

    async fn remove_indexed(&self, workspace_id: &str, page_id: Option<&str>) -> Result<u64> {
        const DELETE_ALL: &str = "DELETE FROM turnkeep_page_chunks WHERE workspace_id = ?1";
        let (workspace_id, page_id) = (workspace_id.to_owned(), page_id.map(str::to_owned));
        self.write(move |tables| {
            let removed = match page_id {
                Some(page_id) => tables.execute(DELETE, [workspace_id, page_id])?,
                None => tables.execute(DELETE_ALL, [workspace_id])?,
            };
            Ok(removed as u64)
        })
        .await
    }

    async fn indexed_models(&self, workspace_id: &str) -> Result<Vec<IndexedModel>> {
        const MODELS: &str = "SELECT model_name, model_dimensions, COUNT(DISTINCT page_id), COUNT(*) \
             FROM turnkeep_page_chunks WHERE workspace_id = ?1 \
             GROUP BY model_name, model_dimensions ORDER BY model_name, model_dimensions";
        let workspace_id = workspace_id.to_owned();
        self.read(move |tables| {
            tables.readable(MODELS, [workspace_id], |row| {
                Ok(IndexedModel {
                    model: row.get(0)?,
                    dimensions: row.get(1)?,
                    pages: row.get(2)?,
                    chunks: row.get(3)?,
                })
            })
        })
        .await
    }

    async fn rank_chunks(&self, search: ChunkSearch) -> Result<ChunkRankings> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.visit(move |tables| {
            let rankings = ChunkRankings { nearest: tables.nearest(&search)?, matching: tables.matching(&search)? };
            // Whoever asked may have gone away.
            let _ = answer.send(rankings);
            Ok(())
        })
        .await?;
        answered.await.map_err(|_| super::writer::closed())
    }

    async fn indexed_chunks(&self, scope: &ChunkScope, keys: &[ChunkKey]) -> Result<Vec<FoundChunk>> {
        let (within, values) = within(scope);
        let chunk = format!(
            "SELECT page_id, chunk_index, space_id, title, chunk_start, chunk_length, content, model_name, \
             model_dimensions FROM turnkeep_page_chunks WHERE {within} AND page_id = ?4 AND chunk_index = ?5"
        );
        let keys = keys.to_vec();
        self.read(move |tables| {
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                let [workspace_id, pages, spaces] = &values;
                let values = params![workspace_id, pages, spaces, key.page_id, key.chunk_index];
                found.extend(tables.readable(&chunk, values, |row| {
                    Ok(FoundChunk {
                        key: ChunkKey { page_id: row.get(0)?, chunk_index: row.get(1)? },
                        space_id: row.get(2)?,
                        title: row.get(3)?,
                        start: row.get(4)?,
                        length: row.get(5)?,
                        content: row.get(6)?,
                        model: row.get(7)?,
                        dimensions: row.get(8)?,
                    })
                })?);
            }
            Ok(found)
        })
        .await
    }
}

/// The condition of a scope, with its parameters 1 to 3.
fn within(scope: &ChunkScope) -> (String, [Option<String>; 3]) {
    let mut condition = "workspace_id = ?1".to_owned();
    let mut part = |column: &str, number: u32, ids: &Option<Vec<String>>| {
        // Every parameter is used, so that their number stays the same.
        condition.push_str(&match ids {
            Some(_) => format!(" AND {column} IN (SELECT value FROM json_each(?{number}))"),
            None => format!(" AND ?{number} IS NULL"),
        });
        ids.as_deref().map(list)
    };
    let pages = part("page_id", 2, &scope.page_ids);
    let spaces = part("space_id", 3, &scope.space_ids);
    (condition, [Some(scope.workspace_id.clone()), pages, spaces])
}

/// Ids as a JSON array.
fn list(ids: &[String]) -> String {
    serde_json::to_string(ids).unwrap_or_default()
}

impl Tables<'_> {
    fn nearest(&self, search: &ChunkSearch) -> Result<Vec<ChunkKey>> {
        let Some((model, vector)) = &search.vector else { return Ok(Vec::new()) };
        let (within, [workspace_id, pages, spaces]) = within(&search.scope);
        let vectors = format!(
            "SELECT page_id, chunk_index, embedding FROM turnkeep_page_chunks \
             WHERE {within} AND model_name = ?4 AND model_dimensions = ?5"
        );
        let mut nearest = Nearest::new(vector, search.candidates);
        let mut statement = self.connection.prepare_cached(&vectors).map_err(store_error)?;
        let values = params![workspace_id, pages, spaces, model, limited(vector.len())];
        let mut rows = statement.query(values).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            // What cannot be read is no chunk of ours.
            let (Ok(page_id), Ok(index), Ok(bytes)) = (row.get_ref(0), row.get::<_, u32>(1), row.get_ref(2)) else {
                continue;
            };
            if let (Ok(page_id), Ok(bytes)) = (page_id.as_str(), bytes.as_blob()) {
                let values = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
                nearest.look(page_id, index, values);
            }
        }
        Ok(nearest.finish())
    }

    fn matching(&self, search: &ChunkSearch) -> Result<Vec<ChunkKey>> {
        if search.words.is_empty() {
            return Ok(Vec::new());
        }
        let (within, values) = within(&search.scope);
        let words = format!("SELECT page_id, chunk_index, words FROM turnkeep_page_chunks WHERE {within}");
        let mut matching = Matching::new(&search.words, search.candidates);
        let mut statement = self.connection.prepare_cached(&words).map_err(store_error)?;
        let mut rows = statement.query(values).map_err(store_error)?;
        while let Some(row) = rows.next().map_err(store_error)? {
            let (Ok(page_id), Ok(index), Ok(words)) = (row.get_ref(0), row.get::<_, u32>(1), row.get_ref(2)) else {
                continue;
            };
            if let (Ok(page_id), Ok(words)) = (page_id.as_str(), words.as_str()) {
                matching.look(page_id, index, words);
            }
        }
        Ok(matching.finish())
    }
}
