//! The index that pages are found by. Words are looked up in an index; vectors are compared by the extension `vector`
//! where it is there, and one by one as they arrive where it is not.

use async_trait::async_trait;
use futures_util::TryStreamExt;
use serde::Serialize;
use tokio::time::timeout;
use tokio_postgres::Row;

use crate::error::{Error, Result};
use crate::project::{ChunkKey, ChunkRow, Matching, Nearest, chunk_words};
use crate::store::{
    ChunkRankings, ChunkScope, ChunkSearch, FoundChunk, IndexPage, IndexedModel, IndexedPage, SearchStore,
};

use super::failure::Failure;
use super::migrate::check_id;
use super::rows::get;
use super::value::{Value, values};
use super::{OPERATION_DEADLINE, PostgresStore, limited};

/// The chunks `$1` of the page `$4` in the workspace `$3`, in the place of all that were there. None is removed that is
/// written: within one statement that would be in no order.
const REPLACE: &str = "WITH given AS MATERIALIZED (SELECT * FROM json_to_recordset($1::json) AS given (index integer, \
         start bigint, length bigint, content text, words text, vector real[])), \
     removed AS (DELETE FROM turnkeep_page_chunks WHERE workspace_id = $3 AND page_id = $4 \
         AND chunk_index NOT IN (SELECT index FROM given)) \
     INSERT INTO turnkeep_page_chunks (workspace_id, page_id, chunk_index, space_id, title, digest, chunk_start, \
         chunk_length, model_name, model_dimensions, indexed_at, words, content, embedding) \
     SELECT $3, $4, index, $5, $6, $2, start, length, $7, $8::integer, turnkeep_now(), words, content, vector \
     FROM given \
     ON CONFLICT (workspace_id, page_id, chunk_index) DO UPDATE SET space_id = excluded.space_id, \
         title = excluded.title, digest = excluded.digest, chunk_start = excluded.chunk_start, \
         chunk_length = excluded.chunk_length, model_name = excluded.model_name, \
         model_dimensions = excluded.model_dimensions, indexed_at = excluded.indexed_at, words = excluded.words, \
         content = excluded.content, embedding = excluded.embedding";

/// The most dimensions that the extension compares.
const LONGEST_VECTOR: usize = 16_000;

/// Whether a chunk is in the scope `$1` (a workspace), `$2` (its pages) and `$3` (its spaces).
const WITHIN: &str = "chunk.workspace_id = $1 \
     AND ($2::text IS NULL OR chunk.page_id IN (SELECT json_array_elements_text($2::json))) \
     AND ($3::text IS NULL OR chunk.space_id IN (SELECT json_array_elements_text($3::json)))";

#[async_trait]
impl SearchStore for PostgresStore {
    async fn indexed_pages(&self, workspace_id: &str, page_ids: &[String]) -> Result<Vec<IndexedPage>> {
        const PAGES: &str = "SELECT page_id, MIN(space_id) AS space_id, MIN(title) AS title, MIN(digest) AS digest, \
             MIN(model_name) AS model_name, MIN(model_dimensions)::bigint AS model_dimensions, COUNT(*) AS chunks \
             FROM turnkeep_page_chunks WHERE workspace_id = $1 \
             AND page_id IN (SELECT json_array_elements_text($2::json)) GROUP BY page_id";
        let rows = self.database.query(PAGES, &values![workspace_id, list(page_ids)?]).await?;
        let page = |row: &Row| {
            Ok(IndexedPage {
                page_id: get(row, "page_id")?,
                space_id: get(row, "space_id")?,
                title: get(row, "title")?,
                digest: get(row, "digest")?,
                model: get(row, "model_name")?,
                dimensions: number(row, "model_dimensions")?,
                chunks: number(row, "chunks")?,
            })
        };
        rows.iter().map(page).collect()
    }

    async fn index_page(&self, page: IndexPage) -> Result<()> {
        #[derive(Serialize)]
        struct Given<'a> {
            index: u32,
            start: u32,
            length: u32,
            content: &'a str,
            words: String,
            vector: &'a [f32],
        }
        let IndexPage { workspace_id, page, chunks } = &page;
        check_id("workspaceId", workspace_id, false)?;
        check_id("page.id", &page.page_id, false)?;
        let given = |chunk: &'_ ChunkRow| (chunk.index, chunk.start, chunk.length, chunk_words(&chunk.content));
        let given: Vec<Given<'_>> = chunks
            .iter()
            .map(|chunk| {
                let (index, start, length, words) = given(chunk);
                Given { index, start, length, content: &chunk.content, words, vector: &chunk.vector }
            })
            .collect();
        let given = serde_json::to_string(&given).map_err(|_| Error::internal("a row could not be encoded"))?;
        let values = values![
            given,
            &page.digest,
            workspace_id,
            &page.page_id,
            page.space_id.as_deref(),
            page.title.as_deref(),
            &page.model,
            page.dimensions,
        ];
        // Two that write one page at once would each leave rows of the other.
        let lock = format!("turnkeep page {workspace_id} {}", page.page_id);
        self.database.try_query(Some(&lock), REPLACE, &values).await.map_err(Failure::into_error).map(|_| ())
    }

    async fn move_indexed_page(&self, workspace_id: &str, page_id: &str, space_id: Option<&str>) -> Result<()> {
        const MOVE: &str = "UPDATE turnkeep_page_chunks SET space_id = $3 WHERE workspace_id = $1 AND page_id = $2";
        self.database.query(MOVE, &values![workspace_id, page_id, space_id]).await.map(|_| ())
    }

    async fn remove_indexed(&self, workspace_id: &str, page_id: Option<&str>) -> Result<u64> {
        const DELETE: &str = "WITH removed AS (DELETE FROM turnkeep_page_chunks \
             WHERE workspace_id = $1 AND ($2::text IS NULL OR page_id = $2) RETURNING 1) \
             SELECT COUNT(*) AS chunks FROM removed";
        let row = self.database.query_one(DELETE, &values![workspace_id, page_id]).await?;
        number(&row, "chunks")
    }

    async fn indexed_models(&self, workspace_id: &str) -> Result<Vec<IndexedModel>> {
        const MODELS: &str = "SELECT model_name, model_dimensions::bigint AS model_dimensions, \
             COUNT(DISTINCT page_id) AS pages, COUNT(*) AS chunks FROM turnkeep_page_chunks WHERE workspace_id = $1 \
             GROUP BY model_name, turnkeep_page_chunks.model_dimensions \
             ORDER BY model_name COLLATE \"C\", turnkeep_page_chunks.model_dimensions";
        let rows = self.database.query(MODELS, &values![workspace_id]).await?;
        let model = |row: &Row| {
            Ok(IndexedModel {
                model: get(row, "model_name")?,
                dimensions: number(row, "model_dimensions")?,
                pages: number(row, "pages")?,
                chunks: number(row, "chunks")?,
            })
        };
        rows.iter().map(model).collect()
    }

    async fn rank_chunks(&self, search: ChunkSearch) -> Result<ChunkRankings> {
        let scope = scope_values(&search.scope)?;
        let nearest = match &search.vector {
            Some((model, vector)) if self.extras.vectors && vector.len() <= LONGEST_VECTOR => {
                self.nearest_by_extension(&scope, model, vector, search.candidates).await?
            }
            Some((model, vector)) => self.nearest_one_by_one(&scope, model, vector, search.candidates).await?,
            None => Vec::new(),
        };
        Ok(ChunkRankings { nearest, matching: self.matching(&scope, &search).await? })
    }

    async fn indexed_chunks(&self, scope: &ChunkScope, keys: &[ChunkKey]) -> Result<Vec<FoundChunk>> {
        let chunks = format!(
            "SELECT chunk.page_id, chunk.chunk_index::bigint AS chunk_index, chunk.space_id, chunk.title, \
             chunk.chunk_start, chunk.chunk_length, chunk.content, chunk.model_name, \
             chunk.model_dimensions::bigint AS model_dimensions FROM turnkeep_page_chunks AS chunk \
             JOIN json_to_recordset($4::json) AS wanted (page_id text, chunk_index integer) \
             ON chunk.page_id = wanted.page_id AND chunk.chunk_index = wanted.chunk_index WHERE {WITHIN}"
        );
        #[derive(Serialize)]
        struct Wanted<'a> {
            page_id: &'a str,
            chunk_index: u32,
        }
        let wanted: Vec<Wanted<'_>> =
            keys.iter().map(|key| Wanted { page_id: &key.page_id, chunk_index: key.chunk_index }).collect();
        let wanted = serde_json::to_string(&wanted).map_err(|_| Error::internal("a row could not be encoded"))?;
        let [workspace_id, pages, spaces] = scope_values(scope)?;
        let rows = self.database.query(&chunks, &[workspace_id, pages, spaces, Value::from(wanted)]).await?;
        let chunk = |row: &Row| {
            Ok(FoundChunk {
                key: key(row)?,
                space_id: get(row, "space_id")?,
                title: get(row, "title")?,
                start: number(row, "chunk_start")?,
                length: number(row, "chunk_length")?,
                content: get(row, "content")?,
                model: get(row, "model_name")?,
                dimensions: number(row, "model_dimensions")?,
            })
        };
        rows.iter().map(chunk).collect()
    }
}

impl PostgresStore {
    /// By `pgvector`, exactly: an approximate index would not know of the pages that may be seen. Its numbers are
    /// shorter than ours, so that the order among those that it finds is ours again.
    async fn nearest_by_extension(
        &self,
        scope: &[Value<'static>; 3],
        model: &str,
        vector: &[f32],
        candidates: usize,
    ) -> Result<Vec<ChunkKey>> {
        // A vector of zeros has no distance from any other: what it gets is no number.
        let found = format!(
            "SELECT page_id, compared.chunk_index::bigint AS chunk_index, embedding FROM (\
                 SELECT chunk.page_id, chunk.chunk_index, chunk.embedding, \
                     chunk.embedding::vector <=> $6::real[]::vector AS distance FROM turnkeep_page_chunks AS chunk \
                 WHERE {WITHIN} AND chunk.model_name = $4 AND chunk.model_dimensions = $5::integer) AS compared \
             WHERE distance <> 'NaN' ORDER BY distance, page_id COLLATE \"C\", compared.chunk_index LIMIT $7::bigint"
        );
        let [workspace_id, pages, spaces] = scope.clone();
        let values = [
            workspace_id,
            pages,
            spaces,
            Value::from(model),
            Value::from(vector.len() as u64),
            Value::from(array(vector)),
            Value::from(limited(candidates)),
        ];
        let mut nearest = Nearest::new(vector, candidates);
        for row in &self.database.query(&found, &values).await? {
            show(&mut nearest, row)?;
        }
        Ok(nearest.finish())
    }

    /// Reads the vectors that may be seen as they come, and keeps the best.
    async fn nearest_one_by_one(
        &self,
        scope: &[Value<'static>; 3],
        model: &str,
        vector: &[f32],
        candidates: usize,
    ) -> Result<Vec<ChunkKey>> {
        let vectors = format!(
            "SELECT chunk.page_id, chunk.chunk_index::bigint AS chunk_index, chunk.embedding \
             FROM turnkeep_page_chunks AS chunk \
             WHERE {WITHIN} AND chunk.model_name = $4 AND chunk.model_dimensions = $5::integer"
        );
        let [workspace_id, pages, spaces] = scope.clone();
        let values = [workspace_id, pages, spaces, Value::from(model), Value::from(vector.len() as u64)];
        let mut nearest = Nearest::new(vector, candidates);
        self.each(&vectors, &values, |row| show(&mut nearest, row)).await?;
        Ok(nearest.finish())
    }

    async fn matching(&self, scope: &[Value<'static>; 3], search: &ChunkSearch) -> Result<Vec<ChunkKey>> {
        if search.words.is_empty() {
            return Ok(Vec::new());
        }
        let count = format!("SELECT COUNT(*) AS chunks FROM turnkeep_page_chunks AS chunk WHERE {WITHIN}");
        let words = format!(
            "SELECT chunk.page_id, chunk.chunk_index::bigint AS chunk_index, chunk.words \
             FROM turnkeep_page_chunks AS chunk WHERE string_to_array(chunk.words, ' ') && \
             ARRAY(SELECT json_array_elements_text($4::json)) AND {WITHIN}"
        );
        let mut matching = Matching::new(&search.words, search.candidates);
        let [workspace_id, pages, spaces] = scope.clone();
        let values = [workspace_id, pages, spaces, Value::from(list(&search.words)?)];
        self.each(&words, &values, |row| {
            matching.look(get(row, "page_id")?, number(row, "chunk_index")?, get(row, "words")?);
            Ok(())
        })
        .await?;
        matching.among(number(&self.database.query_one(&count, scope).await?, "chunks")?);
        Ok(matching.finish())
    }

    /// Shows the rows of a query as they come.
    async fn each(
        &self,
        statement: &str,
        values: &[Value<'_>],
        mut show: impl FnMut(&Row) -> Result<()> + Send,
    ) -> Result<()> {
        self.database.ensure_open()?;
        let reading = async {
            let session = self.database.session().await.map_err(Failure::into_error)?;
            let mut rows = std::pin::pin!(session.stream(statement, values).await.map_err(Failure::into_error)?);
            loop {
                match rows.try_next().await {
                    Ok(Some(row)) => show(&row)?,
                    Ok(None) => break,
                    Err(error) => return Err(Failure::from(error).into_error()),
                }
            }
            session.give_back();
            Ok(())
        };
        timeout(OPERATION_DEADLINE, reading).await.unwrap_or_else(|_| Err(Failure::TooSlow.into_error()))
    }
}

fn scope_values(scope: &ChunkScope) -> Result<[Value<'static>; 3]> {
    let ids = |ids: &Option<Vec<String>>| ids.as_deref().map(list).transpose().map(Value::from);
    Ok([Value::from(scope.workspace_id.clone()), ids(&scope.page_ids)?, ids(&scope.space_ids)?])
}

/// Texts as a JSON array.
fn list(texts: &[String]) -> Result<String> {
    serde_json::to_string(texts).map_err(|_| Error::internal("a list could not be encoded"))
}

/// Numbers as an array of the server's.
fn array(vector: &[f32]) -> String {
    let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
    format!("{{{}}}", numbers.join(","))
}

fn show(nearest: &mut Nearest<'_>, row: &Row) -> Result<()> {
    let embedding: Vec<f32> = get(row, "embedding")?;
    nearest.look(get(row, "page_id")?, number(row, "chunk_index")?, embedding.into_iter());
    Ok(())
}

fn key(row: &Row) -> Result<ChunkKey> {
    Ok(ChunkKey { page_id: get(row, "page_id")?, chunk_index: number(row, "chunk_index")? })
}

fn number<N: TryFrom<i64>>(row: &Row, column: &str) -> Result<N> {
    let number: i64 = get(row, column)?;
    N::try_from(number).map_err(|_| Error::internal("the store failed: a number of the index is out of range"))
}
