//! Finding pages. What is indexed, and which pages a user may read, is said by the host.

use serde::{Deserialize, Serialize};

use crate::engine::{
    Engine, IndexStatus, IndexedNow, PageSearch, PageToIndex, Reindexed, SearchAnswer, SearchMode, Who,
};
use crate::error::{Error, Result};
use crate::js::OwnedText;

use super::Operation;

/// Indexes a page, in the place of what was there of it: its chunks, under the headings that lead to them, with vectors
/// by the workspace's embedding model. A page without text, or in the trash, is removed. What is there stays, and
/// nothing is asked of the provider, where it was made of the same by the same model.
///
/// # Errors
/// `INVALID_INPUT`, `PAYLOAD_TOO_LARGE` over 1,000 chunks, `EMBEDDING_NOT_CONFIGURED`, `PROVIDER_ERROR`; what was there
/// is then still there
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Index {
    workspace_id: String,
    /// The page.
    page: PageToIndex,
    /// Index it even if it is unchanged.
    #[serde(default)]
    force: bool,
}

impl Operation for Index {
    const NAME: &'static str = "search.index";
    const BEGINS: bool = true;
    type Answer = IndexedNow;

    async fn answer(self, engine: &Engine) -> Result<IndexedNow> {
        engine.index_page(&self.workspace_id, &self.page, self.force).await
    }
}

/// Indexes pages as `search.index` does, several to one request of the provider's. A page that fails costs the others
/// nothing, and is listed. A host that goes through all of its pages makes one call after another: their answers are
/// its progress, and it may stop between any two.
///
/// # Errors
/// `INVALID_INPUT`, `EMBEDDING_NOT_CONFIGURED`; `PROVIDER_ERROR` where the provider says 401, 402 or 403, since no
/// further page would fare better. What was done before stands
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Reindex {
    workspace_id: String,
    /// The pages: at most 100, each once.
    pages: Vec<PageToIndex>,
    /// Index them even if they are unchanged.
    #[serde(default)]
    force: bool,
}

impl Operation for Reindex {
    const NAME: &'static str = "search.reindex";
    const BEGINS: bool = true;
    type Answer = Reindexed;

    async fn answer(self, engine: &Engine) -> Result<Reindexed> {
        engine.reindex_pages(&self.workspace_id, &self.pages, self.force).await
    }
}

/// What was removed from the index.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemovedChunks {
    /// How many chunks.
    chunks: u32,
}

/// Removes a page from the index, or everything of the workspace.
///
/// # Errors
/// `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Remove {
    workspace_id: String,
    /// The page.
    #[serde(default)]
    page_id: Option<OwnedText>,
    /// All pages, in the place of `pageId`.
    #[serde(default)]
    everything: bool,
}

impl Operation for Remove {
    const NAME: &'static str = "search.remove";
    const BEGINS: bool = true;
    type Answer = RemovedChunks;

    async fn answer(self, engine: &Engine) -> Result<RemovedChunks> {
        let page_id = match (&self.page_id, self.everything) {
            (Some(_), true) => return Err(Error::invalid("everything", "must not be given beside pageId")),
            (None, false) => return Err(Error::invalid("pageId", "is missing")),
            (page_id, _) => page_id.as_ref().map(|id| id.0.as_str()),
        };
        Ok(RemovedChunks { chunks: engine.remove_indexed(&self.workspace_id, page_id).await? })
    }
}

/// What there is of a workspace in the index, and by which models. Vectors of another model than the workspace has now
/// are not compared: such pages are found by their words until they are indexed anew.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Status {
    workspace_id: String,
}

impl Operation for Status {
    const NAME: &'static str = "search.status";
    type Answer = IndexStatus;

    async fn answer(self, engine: &Engine) -> Result<IndexStatus> {
        engine.index_status(&self.workspace_id).await
    }
}

/// The chunks that answer a question best, by meaning and by words, of the pages that the user may read. The host says
/// which: by `pageIds`, by `spaceIds`, or by both, and then a page must be in both. From an empty list nothing is
/// found. Without an embedding model the words count alone, and the answer says so.
///
/// # Errors
/// `INVALID_INPUT`, `PROVIDER_ERROR`; `EMBEDDING_NOT_CONFIGURED` with `mode` `hybrid`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Query {
    workspace_id: String,
    user_id: String,
    /// What is looked for: at most 8,000 characters.
    query: OwnedText,
    /// Only in these pages: at most 100,000.
    #[serde(default)]
    page_ids: Option<Vec<OwnedText>>,
    /// Only in pages of these spaces: at most 100,000.
    #[serde(default)]
    space_ids: Option<Vec<OwnedText>>,
    /// `text`: by words alone, without a request to the provider. `hybrid`: by both or not at all.
    #[serde(default)]
    mode: Option<SearchMode>,
    /// At most so many hits: 1 to 100; 10 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// So many chunks of each of the two rankings count: 1 to 1,000; 50 unless given.
    #[serde(default)]
    candidates: Option<usize>,
}

impl Operation for Query {
    const NAME: &'static str = "search.query";
    type Answer = SearchAnswer;

    async fn answer(self, engine: &Engine) -> Result<SearchAnswer> {
        let ids = |ids: Option<Vec<OwnedText>>| ids.map(|ids| ids.into_iter().map(|id| id.0).collect());
        let search = PageSearch {
            query: self.query.0,
            page_ids: ids(self.page_ids),
            space_ids: ids(self.space_ids),
            mode: self.mode,
            limit: self.limit,
            candidates: self.candidates,
        };
        let who = Who { workspace_id: self.workspace_id, user_id: self.user_id };
        engine.search_pages(&who, search).await
    }
}
