//! The index that pages are found by.

use async_trait::async_trait;

use crate::error::Result;
use crate::project::{ChunkKey, ChunkRow};

/// A page to be found from now on, in the place of what was there of it.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexPage {
    /// The workspace.
    pub workspace_id: String,
    /// What is told of the page.
    pub page: IndexedPage,
    /// Its chunks, at least one, with vectors of the page's dimensions, in order.
    pub chunks: Vec<ChunkRow>,
}

/// A page of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedPage {
    /// The page.
    pub page_id: String,
    /// The space that it is in.
    pub space_id: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// Of what it was made.
    pub digest: String,
    /// The model of its vectors.
    pub model: String,
    /// The dimensions of its vectors.
    pub dimensions: u32,
    /// How many chunks it has.
    pub chunks: u32,
}

/// What vectors there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedModel {
    /// Their model.
    pub model: String,
    /// Their dimensions.
    pub dimensions: u32,
    /// How many pages have them.
    pub pages: u32,
    /// How many chunks there are.
    pub chunks: u32,
}

/// Which chunks may be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkScope {
    /// Those of this workspace,
    pub workspace_id: String,
    /// of these pages,
    pub page_ids: Option<Vec<String>>,
    /// in these spaces.
    pub space_ids: Option<Vec<String>>,
}

/// A question to the index.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkSearch {
    /// What may be seen.
    pub scope: ChunkScope,
    /// The question's vector, and its model; without it the words count alone.
    pub vector: Option<(String, Vec<f32>)>,
    /// The stems of its words.
    pub words: Vec<String>,
    /// How many chunks of each ranking are wanted.
    pub candidates: usize,
}

/// What a question finds, best first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkRankings {
    /// By vectors of the same model and dimensions.
    pub nearest: Vec<ChunkKey>,
    /// By words.
    pub matching: Vec<ChunkKey>,
}

/// A chunk of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundChunk {
    /// Which one.
    pub key: ChunkKey,
    /// The space of its page.
    pub space_id: Option<String>,
    /// The title of its page.
    pub title: Option<String>,
    /// Where it begins, in UTF-16 units.
    pub start: u32,
    /// How long it is, in UTF-16 units.
    pub length: u32,
    /// The chunk.
    pub content: String,
    /// The model of its vector.
    pub model: String,
    /// The dimensions of its vector.
    pub dimensions: u32,
}

/// The index of pages: their chunks with vectors and words.
#[async_trait]
pub trait SearchStore: Send + Sync {
    /// Those of these pages that are in the index, in no order.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn indexed_pages(&self, workspace_id: &str, page_ids: &[String]) -> Result<Vec<IndexedPage>>;

    /// Puts a page's chunks in the place of those that were there.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`, and then those that were there are still there.
    async fn index_page(&self, page: IndexPage) -> Result<()>;

    /// Notes the space that an indexed page is in now.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn move_indexed_page(&self, workspace_id: &str, page_id: &str, space_id: Option<&str>) -> Result<()>;

    /// Removes a page, or all of the workspace's pages; how many chunks there were.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn remove_indexed(&self, workspace_id: &str, page_id: Option<&str>) -> Result<u64>;

    /// What vectors the workspace has, in the order of their models and dimensions.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn indexed_models(&self, workspace_id: &str) -> Result<Vec<IndexedModel>>;

    /// Ranks the chunks that may be seen, as [`crate::project::Nearest`] and [`crate::project::Matching`] do.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn rank_chunks(&self, search: ChunkSearch) -> Result<ChunkRankings>;

    /// These chunks, in no order, as far as they are there and may be seen.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn indexed_chunks(&self, scope: &ChunkScope, keys: &[ChunkKey]) -> Result<Vec<FoundChunk>>;
}
