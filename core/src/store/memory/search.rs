//! The index that pages are found by.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::error::Result;
use crate::project::{ChunkKey, ChunkRow, Matching, Nearest, chunk_words};
use crate::store::{
    ChunkRankings, ChunkScope, ChunkSearch, FoundChunk, IndexPage, IndexedModel, IndexedPage, SearchStore,
};

use super::{MemoryStore, Tables};

/// Pages by workspace and id.
pub(super) type IndexTable = BTreeMap<(String, String), StoredPage>;

pub(super) struct StoredPage {
    page: IndexedPage,
    chunks: Vec<(ChunkRow, String)>,
}

#[async_trait]
impl SearchStore for MemoryStore {
    async fn indexed_pages(&self, workspace_id: &str, page_ids: &[String]) -> Result<Vec<IndexedPage>> {
        let tables = self.tables()?;
        let of = |(workspace, page): &(String, String)| workspace == workspace_id && page_ids.contains(page);
        Ok(tables.index.iter().filter(|(key, _)| of(key)).map(|(_, stored)| stored.page.clone()).collect())
    }

    async fn index_page(&self, page: IndexPage) -> Result<()> {
        let IndexPage { workspace_id, page, chunks } = page;
        let chunks = chunks.into_iter().map(|chunk| {
            let words = chunk_words(&chunk.content);
            (chunk, words)
        });
        let (key, chunks) = ((workspace_id, page.page_id.clone()), chunks.collect());
        self.tables()?.index.insert(key, StoredPage { page, chunks });
        Ok(())
    }

    async fn move_indexed_page(&self, workspace_id: &str, page_id: &str, space_id: Option<&str>) -> Result<()> {
        if let Some(stored) = self.tables()?.index.get_mut(&(workspace_id.to_owned(), page_id.to_owned())) {
            stored.page.space_id = space_id.map(str::to_owned);
        }
        Ok(())
    }

    async fn remove_indexed(&self, workspace_id: &str, page_id: Option<&str>) -> Result<u64> {
        let mut removed = 0;
        self.tables()?.index.retain(|(workspace, page), stored| {
            let goes = workspace == workspace_id && page_id.is_none_or(|page_id| page == page_id);
            removed += if goes { stored.chunks.len() as u64 } else { 0 };
            !goes
        });
        Ok(removed)
    }

    async fn indexed_models(&self, workspace_id: &str) -> Result<Vec<IndexedModel>> {
        let mut models: BTreeMap<(String, u32), (u32, u32)> = BTreeMap::new();
        for ((workspace, _), StoredPage { page, .. }) in &self.tables()?.index {
            if workspace == workspace_id {
                let (pages, all) = models.entry((page.model.clone(), page.dimensions)).or_default();
                *pages += 1;
                *all += page.chunks;
            }
        }
        let model = |((model, dimensions), (pages, chunks))| IndexedModel { model, dimensions, pages, chunks };
        Ok(models.into_iter().map(model).collect())
    }

    async fn rank_chunks(&self, search: ChunkSearch) -> Result<ChunkRankings> {
        let ChunkSearch { scope, vector, words, candidates } = search;
        let tables = self.tables()?;
        let (model, vector) = vector.unwrap_or_default();
        let mut nearest = Nearest::new(&vector, candidates);
        let mut matching = Matching::new(&words, candidates);
        for StoredPage { page, chunks } in tables.seen(&scope) {
            for (chunk, words) in chunks {
                if page.model == model {
                    nearest.look(&page.page_id, chunk.index, chunk.vector.iter().copied());
                }
                matching.look(&page.page_id, chunk.index, words);
            }
        }
        Ok(ChunkRankings { nearest: nearest.finish(), matching: matching.finish() })
    }

    async fn indexed_chunks(&self, scope: &ChunkScope, keys: &[ChunkKey]) -> Result<Vec<FoundChunk>> {
        let mut found = Vec::new();
        for StoredPage { page, chunks } in self.tables()?.seen(scope) {
            for (chunk, _) in chunks {
                let key = ChunkKey { page_id: page.page_id.clone(), chunk_index: chunk.index };
                if keys.contains(&key) {
                    found.push(FoundChunk {
                        key,
                        space_id: page.space_id.clone(),
                        title: page.title.clone(),
                        start: chunk.start,
                        length: chunk.length,
                        content: chunk.content.clone(),
                        model: page.model.clone(),
                        dimensions: page.dimensions,
                    });
                }
            }
        }
        Ok(found)
    }
}

impl Tables {
    /// The pages that may be seen.
    fn seen(&self, scope: &ChunkScope) -> impl Iterator<Item = &StoredPage> {
        let is_in = |ids: &Option<Vec<String>>, id: Option<&String>| {
            ids.as_ref().is_none_or(|ids| id.is_some_and(|id| ids.contains(id)))
        };
        self.index.iter().filter_map(move |((workspace, page_id), stored)| {
            let seen = *workspace == scope.workspace_id
                && is_in(&scope.page_ids, Some(page_id))
                && is_in(&scope.space_ids, stored.page.space_id.as_ref());
            seen.then_some(stored)
        })
    }
}
