//! The index that pages are found by: chunks of what hosts give, with vectors by the workspace's model.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::request::check_owner;
use crate::engine::{Engine, Inner};
use crate::error::{Error, ErrorCode, Result};
use crate::js::OwnedText;
use crate::model::Json;
use crate::project::{PageContent, chunk_rows, page_chunks};
use crate::provider::EmbeddingConfig;
use crate::provider::is_fatal_status;
use crate::store::{IndexPage, IndexedModel, IndexedPage};

/// The most chunks that a page may have.
const MOST_CHUNKS: usize = 1_000;
/// The most pages of one call.
const MOST_PAGES: usize = 100;
/// So many chunks are sent to the provider at a time: some services count tokens of a request, too.
const EMBEDDED_AT_ONCE: usize = 256;
/// The longest id of a page or a space, in bytes.
const LONGEST_ID: usize = 255;
/// A page as the host has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PageToIndex {
    /// Its id: at most 255 bytes.
    pub id: OwnedText,
    /// The space that it is in: at most 255 bytes.
    #[serde(default)]
    pub space_id: Option<OwnedText>,
    /// Its title, which stands above each of its chunks that are made of `content`.
    #[serde(default)]
    pub title: Option<OwnedText>,
    /// Its text, for pages without `content`, or whose `content` has nodes that are not known.
    #[serde(default)]
    pub text: Option<OwnedText>,
    /// Its document, as ProseMirror and Tiptap write it: `{"type": "doc", "content": […]}`.
    #[serde(default)]
    pub content: Option<Json>,
    /// It lies in the trash: nothing of it is to be found.
    #[serde(default)]
    pub trashed: bool,
}

/// What has become of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum IndexOutcome {
    /// Its chunks are in the place of those that were there.
    Indexed,
    /// What is there was made of the same by the same model.
    Unchanged,
    /// It has no text, or lies in the trash: nothing of it is there any more.
    Removed,
}

/// A page that was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexedNow {
    /// What was done.
    pub outcome: IndexOutcome,
    /// How many chunks of it there are now.
    pub chunks: u32,
    /// The model of their vectors; `null` where there are none.
    pub model: Option<String>,
    /// Their dimensions; `null` where there are none.
    pub dimensions: Option<u32>,
}

/// Why a page of several could not be indexed. What was there of it is still there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NotIndexed {
    /// The page.
    pub page_id: String,
    /// The code of its error.
    pub code: String,
    /// What went wrong, in a line.
    pub message: String,
}

/// What has become of several pages.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reindexed {
    /// How many were indexed.
    pub indexed: u32,
    /// How many were unchanged.
    pub unchanged: u32,
    /// How many have no text or lie in the trash.
    pub removed: u32,
    /// How many chunks were written.
    pub chunks: u32,
    /// Those that could not be indexed.
    pub failed: Vec<NotIndexed>,
}

/// The vectors of one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelIndex {
    /// The model.
    pub model: String,
    /// The dimensions of its vectors.
    pub dimensions: u32,
    /// How many pages have them.
    pub pages: u32,
    /// How many chunks have them.
    pub chunks: u32,
}

/// What there is of a workspace in the index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexStatus {
    /// How many pages.
    pub pages: u32,
    /// How many chunks.
    pub chunks: u32,
    /// By which models their vectors are.
    pub models: Vec<ModelIndex>,
}

impl Engine {
    /// Indexes a page, in the place of what was there of it. Nothing is asked of the provider where what is there was
    /// made of the same by the same model, unless `force` is set.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field; `PAYLOAD_TOO_LARGE` over 1,000 chunks; `EMBEDDING_NOT_CONFIGURED`,
    /// `PROVIDER_ERROR`, `SECRET_UNREADABLE`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`. What was there is then still there.
    pub async fn index_page(&self, workspace_id: &str, page: &PageToIndex, force: bool) -> Result<IndexedNow> {
        self.inner.ensure_open()?;
        check_id("workspaceId", workspace_id, usize::MAX)?;
        page.check("page")?;
        let chunks = page.chunks("page")?;
        if chunks.is_empty() {
            self.inner.store.remove_indexed(workspace_id, Some(&page.id.0)).await?;
            return Ok(IndexedNow { outcome: IndexOutcome::Removed, chunks: 0, model: None, dimensions: None });
        }
        let config = self.inner.embedding_config(workspace_id, None).await?;
        let there = self.inner.store.indexed_pages(workspace_id, std::slice::from_ref(&page.id.0)).await?;
        let now = |outcome, page: &IndexedPage| IndexedNow {
            outcome,
            chunks: page.chunks,
            model: Some(page.model.clone()),
            dimensions: Some(page.dimensions),
        };
        let given = Given { page, digest: page.digest(&chunks), chunks };
        if let Some(there) = there.first().filter(|there| !force && given.is_as(there, &config)) {
            self.inner.keep(workspace_id, there, page).await?;
            return Ok(now(IndexOutcome::Unchanged, there));
        }
        let (vectors, dimensions) = self.inner.vectors(workspace_id, &config, &given.chunks).await?;
        let index = given.into_index(workspace_id, &config, vectors, dimensions);
        let indexed = now(IndexOutcome::Indexed, &index.page);
        self.inner.store.index_page(index).await?;
        Ok(indexed)
    }

    /// Indexes several pages, at most 100, as [`Engine::index_page`] does with one. A page that cannot be indexed costs
    /// the others nothing. The chunks of several go to the provider together.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field, `EMBEDDING_NOT_CONFIGURED`, `SECRET_UNREADABLE`; `PROVIDER_ERROR` where the
    /// provider says 401, 402 or 403: no further page would fare better; `STORE_UNAVAILABLE`, `ENGINE_CLOSED`. What was
    /// done before stands.
    pub async fn reindex_pages(&self, workspace_id: &str, pages: &[PageToIndex], force: bool) -> Result<Reindexed> {
        self.inner.ensure_open()?;
        check_id("workspaceId", workspace_id, usize::MAX)?;
        check_pages(pages)?;
        let config = self.inner.embedding_config(workspace_id, None).await?;
        let ids: Vec<String> = pages.iter().map(|page| page.id.0.clone()).collect();
        let there = self.inner.store.indexed_pages(workspace_id, &ids).await?;
        let there: BTreeMap<&str, &IndexedPage> = there.iter().map(|page| (page.page_id.as_str(), page)).collect();
        let mut done = Reindexed::default();
        let mut group: Vec<Given<'_>> = Vec::new();
        for (place, page) in pages.iter().enumerate() {
            let chunks = match page.chunks(&format!("pages[{place}]")) {
                Ok(chunks) => chunks,
                Err(error) => {
                    done.fails(page, &error);
                    continue;
                }
            };
            let stored = there.get(page.id.0.as_str());
            if chunks.is_empty() {
                if stored.is_some() {
                    self.inner.store.remove_indexed(workspace_id, Some(&page.id.0)).await?;
                }
                done.removed += 1;
                continue;
            }
            let given = Given { page, digest: page.digest(&chunks), chunks };
            if let Some(stored) = stored.filter(|stored| !force && given.is_as(stored, &config)) {
                self.inner.keep(workspace_id, stored, page).await?;
                done.unchanged += 1;
                continue;
            }
            let gathered: usize = group.iter().map(|given| given.chunks.len()).sum();
            if !group.is_empty() && gathered + given.chunks.len() > EMBEDDED_AT_ONCE {
                self.inner.index_group(workspace_id, &config, std::mem::take(&mut group), &mut done).await?;
            }
            group.push(given);
        }
        self.inner.index_group(workspace_id, &config, group, &mut done).await?;
        Ok(done)
    }

    /// Removes a page from the index, or all pages of the workspace; how many chunks there were.
    ///
    /// # Errors
    /// `INVALID_INPUT`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn remove_indexed(&self, workspace_id: &str, page_id: Option<&str>) -> Result<u32> {
        self.inner.ensure_open()?;
        check_id("workspaceId", workspace_id, usize::MAX)?;
        page_id.map_or(Ok(()), |id| check_id("pageId", id, LONGEST_ID))?;
        let removed = self.inner.store.remove_indexed(workspace_id, page_id).await?;
        Ok(u32::try_from(removed).unwrap_or(u32::MAX))
    }

    /// What there is of the workspace in the index.
    ///
    /// # Errors
    /// `INVALID_INPUT`, `STORE_UNAVAILABLE`, `ENGINE_CLOSED`.
    pub async fn index_status(&self, workspace_id: &str) -> Result<IndexStatus> {
        check_id("workspaceId", workspace_id, usize::MAX)?;
        let models = self.inner.store.indexed_models(workspace_id).await?;
        let sum = |count: fn(&IndexedModel) -> u32| models.iter().map(count).fold(0_u32, u32::saturating_add);
        let (pages, chunks) = (sum(|model| model.pages), sum(|model| model.chunks));
        let models = models.into_iter().map(|IndexedModel { model, dimensions, pages, chunks }| ModelIndex {
            model,
            dimensions,
            pages,
            chunks,
        });
        Ok(IndexStatus { pages, chunks, models: models.collect() })
    }
}

impl PageToIndex {
    fn check(&self, field: &str) -> Result<()> {
        check_id(&format!("{field}.id"), &self.id.0, LONGEST_ID)?;
        let space =
            self.space_id.as_ref().map_or(Ok(()), |id| check_id(&format!("{field}.spaceId"), &id.0, LONGEST_ID));
        space?;
        match &self.content {
            Some(content) if !content.is_object() => {
                Err(Error::invalid(format!("{field}.content"), "must be a document"))
            }
            _ => Ok(()),
        }
    }

    fn chunks(&self, field: &str) -> Result<Vec<String>> {
        if self.trashed {
            return Ok(Vec::new());
        }
        let text = |text: &'_ Option<OwnedText>| text.as_ref().map(|text| text.0.clone());
        let (title, text) = (text(&self.title), text(&self.text).filter(|text| !text.is_empty()));
        if let (None, Some(content)) = (&text, &self.content)
            && content.read::<serde_json::Value>().is_err()
        {
            return Err(Error::invalid(format!("{field}.content"), "is nested deeper than 128 levels"));
        }
        let content = PageContent { title: title.as_deref(), text: text.as_deref(), document: self.content.as_ref() };
        let chunks = page_chunks(content);
        if chunks.len() > MOST_CHUNKS {
            let message = format!("{field}: the page has {} chunks; {MOST_CHUNKS} are the most", chunks.len());
            return Err(Error::new(ErrorCode::PayloadTooLarge, message).with_detail("field", field));
        }
        Ok(chunks)
    }

    /// Tells whether a page has changed: of its title and its chunks, each with its length.
    fn digest(&self, chunks: &[String]) -> String {
        let mut digest = Sha256::new();
        let title = self.title.as_ref().map_or("", |title| title.0.as_str());
        for text in std::iter::once(title).chain(chunks.iter().map(String::as_str)) {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn space(&self) -> Option<&str> {
        self.space_id.as_ref().map(|id| id.0.as_str())
    }
}

/// A page that is to be indexed, in chunks.
struct Given<'a> {
    page: &'a PageToIndex,
    digest: String,
    chunks: Vec<String>,
}

impl Given<'_> {
    /// What is there was made of the same by the same model.
    fn is_as(&self, there: &IndexedPage, config: &EmbeddingConfig) -> bool {
        there.digest == self.digest && there.model == config.model
    }

    fn into_index(
        self,
        workspace_id: &str,
        config: &EmbeddingConfig,
        vectors: Vec<Vec<f32>>,
        dimensions: u32,
    ) -> IndexPage {
        let chunks = chunk_rows(self.chunks, vectors.into_iter().map(Some).collect());
        let page = IndexedPage {
            page_id: self.page.id.0.clone(),
            space_id: self.page.space().map(str::to_owned),
            title: self.page.title.as_ref().map(|title| title.0.clone()),
            digest: self.digest,
            model: config.model.clone(),
            dimensions,
            chunks: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
        };
        IndexPage { workspace_id: workspace_id.to_owned(), page, chunks }
    }
}

impl Reindexed {
    fn fails(&mut self, page: &PageToIndex, error: &Error) {
        self.failed.push(NotIndexed {
            page_id: page.id.0.clone(),
            code: error.code().as_str().to_owned(),
            message: error.message().to_owned(),
        });
    }
}

impl Inner {
    /// A page that stays as it is, apart from its space.
    async fn keep(&self, workspace_id: &str, there: &IndexedPage, page: &PageToIndex) -> Result<()> {
        if there.space_id.as_deref() == page.space() {
            return Ok(());
        }
        self.store.move_indexed_page(workspace_id, &page.id.0, page.space()).await
    }

    /// Vectors for these texts, all of the same dimensions, and how many these are.
    pub(super) async fn vectors(
        &self,
        workspace_id: &str,
        config: &EmbeddingConfig,
        texts: &[String],
    ) -> Result<(Vec<Vec<f32>>, u32)> {
        let wrong = |problem| Error::new(ErrorCode::ProviderError, problem);
        let mut vectors: Vec<Vec<f32>> = Vec::with_capacity(texts.len());
        for batch in texts.chunks(EMBEDDED_AT_ONCE) {
            let answered = self.embed(workspace_id, config, batch).await?;
            vectors.extend(answered.into_iter().map(|vector| vector.into_iter().map(|value| value as f32).collect()));
        }
        let dimensions = vectors.first().map_or(0, Vec::len);
        if vectors.iter().any(|vector| vector.len() != dimensions) {
            return Err(wrong("the provider answered vectors of different dimensions"));
        }
        if vectors.iter().flatten().any(|value| !value.is_finite()) {
            return Err(wrong("the provider answered numbers that no vector can have"));
        }
        Ok((vectors, u32::try_from(dimensions).unwrap_or(u32::MAX)))
    }

    /// Indexes these pages by one request, and each by its own where the provider refuses that one.
    async fn index_group(
        &self,
        workspace_id: &str,
        config: &EmbeddingConfig,
        group: Vec<Given<'_>>,
        done: &mut Reindexed,
    ) -> Result<()> {
        if group.is_empty() {
            return Ok(());
        }
        self.ensure_open()?;
        let texts: Vec<String> = group.iter().flat_map(|given| given.chunks.iter().cloned()).collect();
        match self.vectors(workspace_id, config, &texts).await {
            Ok((vectors, dimensions)) => {
                let mut vectors = vectors.into_iter();
                for given in group {
                    let own = vectors.by_ref().take(given.chunks.len()).collect();
                    self.write_indexed(given.into_index(workspace_id, config, own, dimensions), done).await?;
                }
            }
            Err(error) if ends_all(&error) => return Err(error),
            Err(error) if group.len() > 1 && may_be_of_one(&error) => {
                for given in group {
                    self.ensure_open()?;
                    match self.vectors(workspace_id, config, &given.chunks).await {
                        Ok((vectors, dimensions)) => {
                            let index = given.into_index(workspace_id, config, vectors, dimensions);
                            self.write_indexed(index, done).await?;
                        }
                        Err(error) if ends_all(&error) => return Err(error),
                        Err(error) => done.fails(given.page, &error),
                    }
                }
            }
            Err(error) => group.iter().for_each(|given| done.fails(given.page, &error)),
        }
        Ok(())
    }

    async fn write_indexed(&self, index: IndexPage, done: &mut Reindexed) -> Result<()> {
        let chunks = index.page.chunks;
        self.store.index_page(index).await?;
        done.indexed += 1;
        done.chunks += chunks;
        Ok(())
    }
}

fn status(error: &Error) -> Option<f64> {
    error.details().get("status").and_then(serde_json::Value::as_f64)
}

/// No other page would fare better, or none at all can be asked for.
fn ends_all(error: &Error) -> bool {
    error.code() != ErrorCode::ProviderError || status(error).is_some_and(is_fatal_status)
}

/// What a provider refuses may be in one page; that it is busy or gone is in none.
fn may_be_of_one(error: &Error) -> bool {
    match status(error) {
        Some(status) => status != 429.0,
        None => ["kind", "timeoutMs"].iter().all(|detail| !error.details().contains_key(*detail)),
    }
}

pub(super) fn check_id(field: &str, id: &str, longest: usize) -> Result<()> {
    check_owner(field, id)?;
    if id.len() > longest {
        return Err(Error::invalid(field, format!("must have at most {longest} bytes")));
    }
    if id.contains('\0') {
        return Err(Error::invalid(field, "must not contain U+0000"));
    }
    Ok(())
}

fn check_pages(pages: &[PageToIndex]) -> Result<()> {
    if pages.len() > MOST_PAGES {
        return Err(Error::invalid("pages", format!("must be at most {MOST_PAGES}")));
    }
    let mut ids = HashSet::new();
    for (place, page) in pages.iter().enumerate() {
        page.check(&format!("pages[{place}]"))?;
        if !ids.insert(&page.id.0) {
            return Err(Error::invalid(format!("pages[{place}].id"), "is given twice"));
        }
    }
    Ok(())
}
