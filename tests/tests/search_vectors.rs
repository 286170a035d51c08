//! What the system before did with its index of pages: recorded, and played with ours.
//!
//! Reads `../shared/vectors` in place (or below the folder named by `TURNKEEP_SHARED`). Where it is missing, every test
//! here counts as skipped.

use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use turnkeep::clock::SystemClock;
use turnkeep::model::Json;
use turnkeep::project::{
    ChunkRow, PageContent, Unknown, breadcrumb_chunks, chunk_rows, fused, page_chunks, query_words,
};
use turnkeep::settings::SettingsPatch;
use turnkeep::store::{ChunkScope, ChunkSearch, IndexPage, IndexedPage, MemoryStore, SearchStore};
use turnkeep::{Engine, EngineOptions, ErrorCode};
use turnkeep_tests::embeddings::EmbeddingServer;
use turnkeep_tests::recorded::Played::{self, NotOurs, Same};
use turnkeep_tests::recorded::{self, Intended, plain, same};

type Check = fn(&Value) -> Result<Played, String>;

const FILES: &[(&str, Check)] = &[
    ("buildBreadcrumbChunks", breadcrumbs),
    ("buildChunkRows", rows),
    ("extractText", text),
    ("reindexPage", page),
    ("reindexWorkspace", workspace),
    ("hybridSearch", hybrid),
];

/// What differs on purpose, and why.
const INTENDED: Intended = &[
    (
        "hybridSearch",
        "zero vector",
        "a question without a direction has no ranking by vectors; the original's was arbitrary",
    ),
    ("reindexWorkspace", "not configured", "whoever asks for it is told; the original passed over it in silence"),
];

fn main() {
    let trial = |(name, check): &(&'static str, Check)| {
        let ((path, is_here), name, check) = (recorded::file(name), *name, *check);
        let play =
            move || recorded::play(&path, name, INTENDED, |case| check(&whole(plain(case)))).map_err(Failed::from);
        Trial::test(format!("search_vectors::{name}"), play).with_ignored_flag(!is_here)
    };
    libtest_mimic::run(&Arguments::from_args(), FILES.iter().map(trial).collect()).exit();
}

/// Without halves of pairs, which no text of ours has; the blank before one is then at the end.
fn whole(value: Value) -> Value {
    match value {
        Value::String(text) if text.contains('\u{fffd}') => text.replace('\u{fffd}', "").trim_end().into(),
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(members) => members.into_iter().map(|(name, member)| (name, whole(member))).collect(),
        other => other,
    }
}

fn breadcrumbs(case: &Value) -> Result<Played, String> {
    let title = case["input"]["pageTitle"].as_str().unwrap_or_default();
    let document = case["input"].get("contentJson").unwrap_or(&Value::Null);
    same(&json!(breadcrumb_chunks(document, title, Unknown::Refused)), &case["output"])
}

fn rows(case: &Value) -> Result<Played, String> {
    let input = &case["input"];
    let chunks = serde_json::from_value(input["chunks"].clone()).map_err(|error| error.to_string())?;
    let vector = |vector: &Value| serde_json::from_value::<Vec<f32>>(vector.clone()).ok();
    let vectors = input["vectors"].as_array().ok_or("no vectors")?.iter().map(vector).collect();
    let row = |row: ChunkRow| {
        json!({"pageId": "p", "workspaceId": "w", "spaceId": "s", "attachmentId": null, "chunkIndex": row.index,
            "chunkStart": row.start, "chunkLength": row.length, "content": row.content, "modelName": "model",
            "modelDimensions": row.vector.len(), "embedding": row.vector})
    };
    let ours: Vec<Value> = chunk_rows(chunks, vectors).into_iter().map(row).collect();
    // A vector's whole numbers are written without a fraction there.
    let numbers = |rows: &Value| rows.to_string().replace(".0", "");
    if numbers(&json!(ours)) == numbers(&case["output"]) { Ok(Same) } else { Err(numbers(&json!(ours))) }
}

/// Ours has no text of a page but in its chunks, which a document that can be read has of its own.
fn text(case: &Value) -> Result<Played, String> {
    let page = &case["input"]["page"];
    let document = page.get("content").filter(|content| !content.is_null());
    if document.is_some_and(|document| breadcrumb_chunks(document, "", Unknown::Refused).is_some()) {
        return Ok(NotOurs);
    }
    let document = document.map(|document| Json::from_value(document).expect("JSON"));
    let content = PageContent { title: None, text: page["textContent"].as_str(), document: document.as_ref() };
    same(&json!(page_chunks(content).concat()), &case["output"])
}

/// An engine whose workspace `w` has embeddings, and their provider.
struct Player {
    runtime: tokio::runtime::Runtime,
    server: EmbeddingServer,
    engine: Engine,
}

impl Player {
    fn new(with_model: bool) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let (server, engine) = runtime.block_on(async {
            let server = EmbeddingServer::start().await;
            let options = r#"{"store":"sqlite::memory:","appSecret":"an application secret of these tests",
                "http":{"allowPrivate":["127.0.0.1"],"maxTries":1}}"#;
            let engine = Engine::open(EngineOptions::from_json(options).expect("options")).await.expect("an engine");
            let patch = json!({"driver": "openai", "embeddingModel": "emb-1", "embeddingBaseUrl": server.base_url(),
                "embeddingApiKey": "k-embedding-0123456789"});
            if with_model {
                let patch = SettingsPatch::from_json(&patch.to_string()).expect("settings");
                engine.update_settings("w", None, &patch).await.expect("settings");
            }
            (server, engine)
        });
        Self { runtime, server, engine }
    }

    fn call(&self, operation: &str, more: &Value) -> Result<Value, turnkeep::Error> {
        let mut params = json!({"workspaceId": "w"});
        more.as_object().into_iter().flatten().for_each(|(name, value)| params[name] = value.clone());
        let answer = self.runtime.block_on(self.engine.call(operation, &params.to_string()))?;
        Ok(serde_json::from_str(&answer).expect("JSON"))
    }
}

fn page(case: &Value) -> Result<Played, String> {
    let input = &case["input"];
    // A model that has no name, or cannot be made, is none that can be configured.
    if input.get("modelErr").is_some() || input.get("model").is_some() {
        return Ok(NotOurs);
    }
    let player = Player::new(true);
    let given = &input["page"];
    let fails = input.get("embedErr").is_some();
    let mut page = json!({"id": given["id"], "spaceId": given["spaceId"], "title": given["title"], "content": given["content"],
        "text": given["textContent"], "trashed": !given["deletedAt"].is_null()});
    // Something is there before.
    let before = json!({"page": {"id": given["id"], "text": "before"}});
    player.call("search.index", &before).map_err(|error| error.to_string())?;
    player.server.asked();
    if fails {
        page["title"] = json!("[500]");
    }
    let answer = player.call("search.index", &json!({"page": page}));
    let asked: usize = player.server.asked().iter().map(Vec::len).sum();
    let chunks = player.call("search.status", &json!({})).map_err(|error| error.to_string())?["chunks"].clone();
    match (answer, case["output"]["throws"].as_str()) {
        (Err(error), Some(_)) if error.code() == ErrorCode::ProviderError => {
            same(&json!([asked, chunks]), &json!([case["output"]["trace"][0][1], 1]))
        }
        (Ok(answer), None) => {
            let trace = &case["output"]["trace"];
            let Some(inserted) = trace.get(2).and_then(|insert| insert[1].as_array()) else {
                return same(&json!([answer["outcome"], asked, chunks]), &json!(["removed", 0, 0]));
            };
            let query =
                json!({"userId": "u", "pageIds": [given["id"]], "query": inserted[0]["content"], "mode": "text"});
            let found = player.call("search.query", &query).map_err(|error| error.to_string())?;
            let hit = &found["hits"][0];
            let row = json!({"chunkIndex": hit["chunkIndex"], "chunkStart": hit["start"], "chunkLength": hit["length"],
                "content": hit["content"], "modelName": hit["model"], "modelDimensions": 2});
            // Our provider's vectors have other dimensions than theirs.
            same(&json!([asked, [row], chunks]), &json!([trace[0][1], inserted, inserted.len()]))
        }
        (answer, expected) => Err(format!("{answer:?}, recorded is {expected:?}")),
    }
}

/// Several pages go to the provider together, so that what is compared is what becomes of them.
fn workspace(case: &Value) -> Result<Played, String> {
    let input = &case["input"];
    // A fault of its own configuration's, which is made up.
    if input["configError"] == "other" {
        return Ok(NotOurs);
    }
    let player = Player::new(input["configError"].is_null());
    let ids: Vec<&str> = input["ids"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let errors = &input["pageErrors"];
    let page = |id: &&str| {
        let text = match errors.get(*id).map(|error| error.get("statusCode").and_then(Value::as_u64)) {
            Some(Some(status)) => format!("[{status}]"),
            Some(None) => "[huge]".to_owned(),
            None => "a cat".to_owned(),
        };
        json!({"id": id, "text": text})
    };
    let pages: Vec<Value> = ids.iter().map(page).collect();
    let answer = player.call("search.reindex", &json!({"pages": pages}));
    match (answer, case["output"].get("throws")) {
        (Err(error), Some(_)) => same(&error.details()["status"].clone(), &case["output"]["statusCode"]),
        (Ok(answer), None) => {
            let failed = answer["failed"].as_array().map_or(0, Vec::len) as u64;
            let met = answer["indexed"].as_u64().unwrap_or_default() + failed;
            let attempted = case["output"]["attempted"].as_array().map_or(0, Vec::len);
            let all_failed =
                errors.as_object().into_iter().flatten().all(|(id, _)| answer["failed"].to_string().contains(id));
            same(&json!([met, all_failed]), &json!([attempted, true]))
        }
        (answer, expected) => Err(format!("{answer:?}, recorded is {expected:?}")),
    }
}

/// Texts with their vectors.
type Chunks = &'static [(&'static str, &'static [f32])];

/// The recorded rows, as far as the recording shows them: their vectors are such that the recorded distances come out.
/// Chunks that were equally good are in the order of their pages here, and were in any there.
const CORPUS: &[(&str, &str, Chunks)] = &[
    ("a0", "Multi", &[("other model search row", &[1.0, 0.0])]),
    ("alpha", "Alpha", &[("the quick brown fox jumps over the lazy dog", &[1.0, 0.0, 0.0])]),
    ("beta", "Beta", &[("postgres vector search and ranking", &[0.9, 0.4, 0.0])]),
    ("eps", "Eps", &[("unrelated text about cooking", &[0.7, 0.0, 0.7])]),
    ("gamma", "Gamma", &[("vector databases: search, search and search", &[0.1, 1.0, 0.0])]),
    (
        "multi",
        "Multi",
        &[
            ("first chunk about search", &[0.8, 0.6, 0.0]),
            ("second chunk, ranking of vector search results", &[0.5, 0.9, 0.0]),
        ],
    ),
];

fn hybrid(case: &Value) -> Result<Played, String> {
    let input = &case["input"];
    let Some(query) = input["queryText"].as_str() else { return Ok(NotOurs) };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ours = runtime.block_on(async {
        let store = MemoryStore::new(Arc::new(SystemClock));
        for (id, title, chunks) in CORPUS {
            let texts = chunks.iter().map(|(text, _)| (*text).to_owned()).collect();
            let vectors = chunks.iter().map(|(_, vector)| Some(vector.to_vec())).collect();
            let page = IndexedPage {
                page_id: (*id).to_owned(),
                space_id: Some("S1".to_owned()),
                title: Some((*title).to_owned()),
                digest: String::new(),
                model: "m".to_owned(),
                dimensions: chunks[0].1.len() as u32,
                chunks: chunks.len() as u32,
            };
            let page = IndexPage { workspace_id: "w".to_owned(), page, chunks: chunk_rows(texts, vectors) };
            store.index_page(page).await.expect("indexed");
        }
        let space_ids = serde_json::from_value(input["spaces"].clone()).expect("ids");
        let scope = ChunkScope { workspace_id: "w".to_owned(), page_ids: None, space_ids: Some(space_ids) };
        let vector: Vec<f32> = serde_json::from_value(input["queryVector"].clone()).expect("a vector");
        let candidates = input["candidates"].as_u64().expect("a count") as usize;
        let words = query_words(query);
        let search = ChunkSearch { scope: scope.clone(), vector: Some(("m".to_owned(), vector)), words, candidates };
        let ranked = store.rank_chunks(search).await.expect("ranked");
        let mut hits = Vec::new();
        for (key, score) in fused(&[ranked.nearest, ranked.matching], candidates) {
            let chunk = store.indexed_chunks(&scope, &[key]).await.expect("read").remove(0);
            let score = (score * 1e9).round() / 1e9;
            hits.push(json!({"title": chunk.title, "content": chunk.content, "score": score}));
        }
        hits
    });
    same(&json!(ours), &case["output"])
}
