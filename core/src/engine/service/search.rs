//! Finding pages, by meaning and by words. Who may see a page is the host's to say, with each question.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::{Engine, Who};
use crate::error::{Error, ErrorCode, Result};
use crate::project::{fused, query_words, snippet};
use crate::store::{ChunkScope, ChunkSearch, FoundChunk};
use crate::text::{js_trim, utf16_len};

use super::index::check_id;

/// The most ids in a question.
const MOST_IDS: usize = 100_000;
/// How long a question may be, in UTF-16 units.
const LONGEST_QUERY: usize = 8_000;
/// How many hits there are unless told otherwise, and at most,
const HITS: (usize, usize) = (10, 100);
/// and how many chunks of each ranking.
const CANDIDATES: (usize, usize) = (50, 1_000);

/// By what pages are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SearchMode {
    /// By meaning and by words.
    Hybrid,
    /// By words alone.
    Text,
}

/// A question to the index.
#[derive(Clone, Debug, Default)]
pub struct PageSearch {
    /// What is looked for.
    pub query: String,
    /// Only in these pages,
    pub page_ids: Option<Vec<String>>,
    /// and only in pages of these spaces. One of the two must be given.
    pub space_ids: Option<Vec<String>>,
    /// By what; by meaning and words where the workspace has a model for embeddings, unless given.
    pub mode: Option<SearchMode>,
    /// At most so many hits: 1 to 100; 10 unless given.
    pub limit: Option<usize>,
    /// So many chunks of each ranking count: 1 to 1,000; 50 unless given.
    pub candidates: Option<usize>,
}

/// A chunk that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChunkHit {
    /// Its page.
    pub page_id: String,
    /// The space of its page.
    pub space_id: Option<String>,
    /// The title of its page.
    pub title: Option<String>,
    /// Its number in the page.
    pub chunk_index: u32,
    /// Where it begins in the page's chunks put together, in UTF-16 units.
    pub start: u32,
    /// How long it is, in UTF-16 units.
    pub length: u32,
    /// The chunk, with the headings that lead to it.
    pub content: String,
    /// Its beginning.
    pub snippet: String,
    /// `1 / (60 + rank)` for each ranking that it has a place in, added up.
    pub score: f64,
    /// The model of its vector.
    pub model: String,
    /// The dimensions of its vector.
    pub dimensions: u32,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchAnswer {
    /// By what.
    pub mode: SearchMode,
    /// The chunks, best first.
    pub hits: Vec<ChunkHit>,
}

impl Engine {
    /// The chunks that answer a question best, of pages that the user may read: which these are says the host.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field; `EMBEDDING_NOT_CONFIGURED` where the search is to be hybrid by name;
    /// `PROVIDER_ERROR`, `SECRET_UNREADABLE`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn search_pages(&self, who: &Who, search: PageSearch) -> Result<SearchAnswer> {
        who.check()?;
        check_id("workspaceId", &who.workspace_id, usize::MAX)?;
        let PageSearch { query, page_ids, space_ids, mode, limit, candidates } = search;
        let query = js_trim(&query);
        if query.is_empty() || utf16_len(query) > LONGEST_QUERY {
            return Err(Error::invalid("query", format!("must have 1 to {LONGEST_QUERY} characters")));
        }
        if page_ids.is_none() && space_ids.is_none() {
            return Err(Error::invalid("pageIds", "is missing, and so is spaceIds: nothing may be seen unless told"));
        }
        check_ids("pageIds", page_ids.as_deref())?;
        check_ids("spaceIds", space_ids.as_deref())?;
        let limit = within("limit", limit, HITS)?;
        let candidates = within("candidates", candidates, CANDIDATES)?;
        if [&page_ids, &space_ids].into_iter().flatten().any(Vec::is_empty) {
            return Ok(SearchAnswer { mode: mode.unwrap_or(SearchMode::Text), hits: Vec::new() });
        }
        let vector = match mode {
            Some(SearchMode::Text) => None,
            _ => match self.inner.embedding_config(&who.workspace_id, None).await {
                Ok(config) => {
                    let (vectors, _) = self.inner.vectors(&who.workspace_id, &config, &[query.to_owned()]).await?;
                    vectors.into_iter().next().map(|vector| (config.model, vector))
                }
                Err(error) if mode.is_none() && error.code() == ErrorCode::EmbeddingNotConfigured => None,
                Err(error) => return Err(error),
            },
        };
        let mode = if vector.is_some() { SearchMode::Hybrid } else { SearchMode::Text };
        let scope = ChunkScope { workspace_id: who.workspace_id.clone(), page_ids, space_ids };
        let search = ChunkSearch { scope: scope.clone(), vector, words: query_words(query), candidates };
        let ranked = self.inner.store.rank_chunks(search).await?;
        let ranked = fused(&[ranked.nearest, ranked.matching], limit);
        let keys: Vec<_> = ranked.iter().map(|(key, _)| key.clone()).collect();
        let found = self.inner.store.indexed_chunks(&scope, &keys).await?;
        let mut found: BTreeMap<_, _> = found.into_iter().map(|chunk| (chunk.key.clone(), chunk)).collect();
        // One that has gone since is none.
        let hits = ranked.into_iter().filter_map(|(key, score)| Some(ChunkHit::new(found.remove(&key)?, score)));
        Ok(SearchAnswer { mode, hits: hits.collect() })
    }
}

impl ChunkHit {
    fn new(chunk: FoundChunk, score: f64) -> Self {
        Self {
            page_id: chunk.key.page_id,
            space_id: chunk.space_id,
            title: chunk.title,
            chunk_index: chunk.key.chunk_index,
            start: chunk.start,
            length: chunk.length,
            snippet: snippet(&chunk.content),
            content: chunk.content,
            score,
            model: chunk.model,
            dimensions: chunk.dimensions,
        }
    }
}

fn check_ids(field: &str, ids: Option<&[String]>) -> Result<()> {
    let ids = ids.unwrap_or_default();
    if ids.len() > MOST_IDS {
        return Err(Error::invalid(field, format!("must be at most {MOST_IDS}")));
    }
    match ids.iter().position(|id| id.contains('\0')) {
        Some(place) => Err(Error::invalid(format!("{field}[{place}]"), "must not contain U+0000")),
        None => Ok(()),
    }
}

fn within(field: &str, given: Option<usize>, (default, most): (usize, usize)) -> Result<usize> {
    match given.unwrap_or(default) {
        0 => Err(Error::invalid(field, "must be at least 1")),
        given if given > most => Err(Error::invalid(field, format!("must be at most {most}"))),
        given => Ok(given),
    }
}
