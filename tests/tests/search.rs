//! The index of pages: what gets into it, what is asked of the provider for it, and who is told what of it.

use serde_json::{Value, json};
use turnkeep::settings::SettingsPatch;
use turnkeep::{Engine, Error, ErrorCode};
use turnkeep_tests::embeddings::EmbeddingServer;
use turnkeep_tests::scenario::{open, sql};
use turnkeep_tests::table;

const TABLE: &str = include_str!("../search.json");
const HITS: &str = include_str!("../search-hits.json");

struct World {
    folder: tempfile::TempDir,
    server: EmbeddingServer,
    engine: Engine,
}

impl World {
    async fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = EmbeddingServer::start().await;
        let more = json!({"appSecret": "an application secret of these tests", "http": {"maxTries": 1}});
        let engine = open(folder.path(), &server.base_url(), more).await;
        Self { folder, server, engine }
    }

    async fn new() -> Self {
        let world = Self::bare().await;
        world.model("w1", "subjects-1").await;
        world
    }

    /// Gives the workspace this model for embeddings.
    async fn model(&self, workspace: &str, model: &str) {
        let patch = json!({"driver": "openai", "embeddingModel": model, "embeddingBaseUrl": self.server.base_url(),
            "embeddingApiKey": "k-embedding-0123456789"});
        let patch = SettingsPatch::from_json(&patch.to_string()).unwrap();
        self.engine.update_settings(workspace, None, &patch).await.unwrap();
    }

    async fn without_model(&self) {
        let patch = SettingsPatch::from_json(r#"{"embeddingModel": ""}"#).unwrap();
        self.engine.update_settings("w1", None, &patch).await.unwrap();
    }

    async fn ask(&self, operation: &str, more: Value) -> Result<Value, Error> {
        let mut params = json!({"workspaceId": "w1"});
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        self.engine.call(operation, &params.to_string()).await.map(|answer| serde_json::from_str(&answer).unwrap())
    }

    async fn index(&self, page: Value) -> Result<Value, Error> {
        self.ask("search.index", json!({"page": page})).await
    }

    async fn reindex(&self, pages: Value) -> Value {
        self.ask("search.reindex", json!({"pages": pages})).await.unwrap()
    }

    async fn query(&self, query: &str, more: Value) -> Value {
        let mut params = json!({"userId": "u1", "query": query, "spaceIds": ["s"]});
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        self.ask("search.query", params).await.unwrap()
    }

    /// The pages of what is found, best first.
    async fn found(&self, query: &str, more: Value) -> Vec<String> {
        let answer = self.query(query, more).await;
        let page = |hit: &Value| hit["pageId"].as_str().unwrap().to_owned();
        answer["hits"].as_array().unwrap().iter().map(page).collect()
    }

    async fn status(&self) -> Value {
        self.ask("search.status", json!({})).await.unwrap()
    }

    fn rows(&self, columns: &str) -> String {
        let rows = format!(
            "SELECT {columns} FROM turnkeep_page_chunks WHERE workspace_id = 'w1' ORDER BY page_id, chunk_index"
        );
        sql(self.folder.path(), &rows)
    }
}

fn page(id: &str, text: &str) -> Value {
    json!({"id": id, "spaceId": "s", "title": format!("Title {id}"), "text": text})
}

fn paragraph(text: &str) -> Value {
    json!({"type": "paragraph", "content": [{"type": "text", "text": text}]})
}

fn heading(level: u32, text: &str) -> Value {
    json!({"type": "heading", "attrs": {"level": level}, "content": [{"type": "text", "text": text}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_as_it_says() {
    let world = World::bare().await;
    let (played, wrong) = table::play(&world.engine, TABLE).await;
    assert!(played > 50 && wrong.is_empty(), "{} of {played}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_hits_is_as_it_says() {
    let hits: Value = serde_json::from_str(HITS).unwrap();
    let server = EmbeddingServer::of(serde_json::from_value(hits["subjects"].clone()).unwrap()).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), &server.base_url(), json!({})).await;
    let patch = json!({"driver": "ollama", "embeddingModel": "subjects", "embeddingBaseUrl": server.base_url()});
    engine.update_settings("w", None, &SettingsPatch::from_json(&patch.to_string()).unwrap()).await.unwrap();
    let (played, wrong) = table::play(&engine, HITS).await;
    assert!(played > 20 && wrong.is_empty(), "{} of {played}:\n{}", wrong.len(), wrong.join("\n"));
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_found_by_meaning_and_by_words() {
    let world = World::new().await;
    let content = json!({"type": "doc", "content": [
        heading(1, "Animals"), paragraph("Our cat and its kitten."), heading(2, "Food"), paragraph("What a feline eats."),
        heading(1, "Transport"), paragraph("A car is parked outside.")
    ]});
    let document = json!({"id": "zoo", "spaceId": "s", "title": "Home", "content": content});
    let indexed = world.index(document).await.unwrap();
    assert_eq!(indexed, json!({"outcome": "indexed", "chunks": 3, "model": "subjects-1", "dimensions": 4}));
    let texts = [
        "Home > Animals\n\nOur cat and its kitten.",
        "Home > Animals > Food\n\nWhat a feline eats.",
        "Home > Transport\n\nA car is parked outside.",
    ];
    assert_eq!(world.server.asked(), [texts]);
    world.index(page("plan", "The quarterly budget: reports of every vehicle")).await.unwrap();
    world.index(page("ru", "Наши отчёты о лесах")).await.unwrap();
    let answer = world.query("automobile", json!({})).await;
    assert_eq!(answer["mode"], "hybrid");
    let first = &answer["hits"][0];
    let expected = json!({"pageId": "zoo", "spaceId": "s", "title": "Home", "chunkIndex": 2, "start": texts[0].len() + texts[1].len(),
        "length": texts[2].len(), "content": texts[2], "snippet": texts[2], "score": 1.0 / 61.0, "model": "subjects-1",
        "dimensions": 4});
    assert_eq!(*first, expected);
    // Words in their other forms, in both languages; what both rankings have comes first.
    assert_eq!(world.found("reporting", json!({})).await, ["plan"]);
    assert_eq!(world.found("отчета", json!({})).await, ["ru"]);
    let both = world.query("car budgets", json!({})).await;
    assert_eq!(both["hits"][0]["pageId"], "plan");
    assert!(both["hits"][0]["score"].as_f64().unwrap() > 1.0 / 61.0);
    assert_eq!(world.found("car", json!({"limit": 1})).await.len(), 1);
    world.server.asked();
    assert_eq!(world.query("feline", json!({"mode": "text"})).await["mode"], "text");
    assert_eq!(world.server.asked(), [[""; 0]; 0], "words alone cost no request");
    let calls = sql(world.folder.path(), "SELECT COUNT(*) FROM turnkeep_usage WHERE model = 'subjects-1'");
    assert_eq!(calls, "8", "three pages and five questions are in the ledger");
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_read_is_said_by_the_host_and_held_to() {
    let world = World::new().await;
    for (id, space) in [("a", "s"), ("b", "t"), ("c", "t")] {
        world.index(json!({"id": id, "spaceId": space, "text": "a cat"})).await.unwrap();
    }
    world.index(json!({"id": "d", "text": "a cat without a space"})).await.unwrap();
    world.model("w2", "subjects-1").await;
    world.ask("search.index", json!({"workspaceId": "w2", "page": {"id": "a", "text": "their cat"}})).await.unwrap();
    world.server.asked();
    let cases: [(Value, &[&str]); 7] = [
        (json!({"spaceIds": ["s", "t"]}), &["a", "b", "c"]),
        (json!({"spaceIds": ["t"], "pageIds": ["a", "b"]}), &["b"]),
        (json!({"spaceIds": null, "pageIds": ["a", "d", "unknown"]}), &["a", "d"]),
        (json!({"spaceIds": ["unknown"]}), &[]),
        (json!({"spaceIds": []}), &[]),
        (json!({"spaceIds": ["s"], "pageIds": []}), &[]),
        (json!({"workspaceId": "w2", "spaceIds": null, "pageIds": ["a", "b", "c", "d"]}), &["a"]),
    ];
    for (more, expected) in cases {
        let mut found = world.found("cat", more.clone()).await;
        found.sort();
        assert_eq!(found, expected, "{more}");
    }
    assert_eq!(world.server.asked().len(), 5, "an empty list costs no request");
    let theirs = world.query("cat", json!({"workspaceId": "w2", "pageIds": ["a"], "spaceIds": null})).await;
    assert_eq!(theirs["hits"][0]["content"], "their cat");
    let error = world.ask("search.query", json!({"userId": "u1", "query": "cat"})).await.unwrap_err();
    assert_eq!((error.code(), &error.details()["field"]), (ErrorCode::InvalidInput, &json!("pageIds")));
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_pages_cost_nothing() {
    let world = World::new().await;
    let unchanged = json!({"outcome": "unchanged", "chunks": 1, "model": "subjects-1", "dimensions": 4});
    assert_eq!(world.index(page("p", "a cat")).await.unwrap()["outcome"], "indexed");
    assert_eq!(world.index(page("p", "a cat")).await.unwrap(), unchanged);
    assert_eq!(world.server.asked().len(), 1);
    // A page that was moved keeps its vectors.
    let mut moved = page("p", "a cat");
    moved["spaceId"] = json!("t");
    assert_eq!(world.index(moved.clone()).await.unwrap(), unchanged);
    assert!(world.found("cat", json!({})).await.is_empty());
    assert_eq!(world.found("cat", json!({"spaceIds": ["t"]})).await, ["p"]);
    world.server.asked();
    let forced = world.ask("search.index", json!({"page": moved, "force": true})).await.unwrap();
    assert_eq!((&forced["outcome"], world.server.asked().len()), (&json!("indexed"), 1));
    // Another title, another text and another model are changes.
    let mut titled = page("p", "a cat");
    titled["title"] = json!("Another");
    assert_eq!(world.index(titled.clone()).await.unwrap()["outcome"], "indexed");
    assert_eq!(world.index(page("p", "two cats")).await.unwrap()["outcome"], "indexed");
    world.model("w1", "subjects-2").await;
    let again = world.index(page("p", "two cats")).await.unwrap();
    assert_eq!((&again["outcome"], &again["model"]), (&json!("indexed"), &json!("subjects-2")));
    assert_eq!(world.rows("page_id, title, model_name"), "p|Title p|subjects-2");
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_without_text_and_in_the_trash_are_removed() {
    let world = World::new().await;
    let gone = json!({"outcome": "removed", "chunks": 0, "model": null, "dimensions": null});
    let empty_document = json!({"id": "p", "content": {"type": "doc", "content": [heading(1, "only a heading")]}});
    let mut trashed = page("p", "a cat");
    trashed["trashed"] = json!(true);
    for empty in [page("p", ""), page("p", " \n "), json!({"id": "p"}), empty_document, trashed] {
        world.index(page("p", "a cat")).await.unwrap();
        assert_eq!(world.index(empty.clone()).await.unwrap(), gone, "{empty}");
        assert_eq!(world.status().await, json!({"pages": 0, "chunks": 0, "models": []}), "{empty}");
    }
    // That takes no model.
    world.index(page("p", "a cat")).await.unwrap();
    world.without_model().await;
    assert_eq!(world.index(page("p", "a dog")).await.unwrap_err().code(), ErrorCode::EmbeddingNotConfigured);
    assert_eq!(world.status().await["pages"], 1, "what was there is still there");
    assert_eq!(world.index(page("p", "")).await.unwrap(), gone);
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_words_count_alone() {
    let world = World::new().await;
    world.index(page("p", "a cat")).await.unwrap();
    world.index(page("q", "a car")).await.unwrap();
    world.without_model().await;
    world.server.asked();
    let answer = world.query("cats", json!({})).await;
    assert_eq!((&answer["mode"], &answer["hits"][0]["pageId"]), (&json!("text"), &json!("p")));
    assert!(world.found("feline", json!({})).await.is_empty());
    assert!(world.server.asked().is_empty());
    let hybrid = json!({"userId": "u1", "query": "cat", "spaceIds": ["s"], "mode": "hybrid"});
    let error = world.ask("search.query", hybrid).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::EmbeddingNotConfigured);
    // Vectors of another model are not compared; words are.
    world.model("w1", "subjects-2").await;
    assert!(world.found("feline", json!({})).await.is_empty());
    assert_eq!(world.found("cat", json!({})).await, ["p"]);
    let models = world.status().await["models"].clone();
    assert_eq!(models, json!([{"model": "subjects-1", "dimensions": 4, "pages": 2, "chunks": 2}]));
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_provider_gets_wrong_changes_nothing() {
    let world = World::new().await;
    world.index(page("p", "a cat")).await.unwrap();
    let wide =
        json!({"type": "doc", "content": [heading(1, "A"), paragraph("a car"), heading(1, "B"), paragraph("[wide]")]});
    let mixed = json!({"id": "p", "spaceId": "s", "content": wide});
    for wrong in [mixed, page("p", "[huge]"), page("p", "[500]"), page("p", "[402]"), page("p", "[429]")] {
        let error = world.index(wrong.clone()).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::ProviderError, "{wrong}");
        assert!(!error.to_json().contains("a car"), "{error}");
        assert_eq!(world.rows("content, model_dimensions"), "a cat|4", "{wrong}");
    }
    let query = json!({"userId": "u1", "query": "cat [500]", "spaceIds": ["s"]});
    assert_eq!(world.ask("search.query", query).await.unwrap_err().code(), ErrorCode::ProviderError);
    // The whole page may have other dimensions than before.
    world.index(page("p", "[wide] cat")).await.unwrap();
    assert_eq!(world.rows("model_dimensions"), "5");
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn several_pages_share_requests_and_fail_alone() {
    let world = World::new().await;
    world.index(page("same", "a cat")).await.unwrap();
    world.index(page("gone", "a cat")).await.unwrap();
    world.server.asked();
    let mut trashed = page("gone", "a cat");
    trashed["trashed"] = json!(true);
    let given = json!([page("a", "a car"), page("same", "a cat"), trashed, page("empty", ""), page("b", "a tree")]);
    let done = world.reindex(given).await;
    assert_eq!(done, json!({"indexed": 2, "unchanged": 1, "removed": 2, "chunks": 2, "failed": []}));
    assert_eq!(world.server.asked(), [["a car", "a tree"]]);
    // One that is refused costs the others nothing.
    for refused in ["[400]", "[500]", "[huge]"] {
        let done = world.reindex(json!([page("a", &format!("car {refused}")), page("c", "a cat")])).await;
        assert_eq!((&done["indexed"], &done["failed"][0]["pageId"]), (&json!(1), &json!("a")), "{done}");
        assert_eq!(done["failed"][0]["code"], "PROVIDER_ERROR");
        assert_eq!(world.server.asked().len(), 3);
        assert_eq!(world.ask("search.remove", json!({"pageId": "c"})).await.unwrap(), json!({"chunks": 1}));
    }
    // A busy provider is not asked again at once.
    let done = world.reindex(json!([page("a", "[429]"), page("c", "a tree")])).await;
    assert_eq!((&done["indexed"], done["failed"].as_array().unwrap().len()), (&json!(0), 2));
    assert_eq!(world.server.asked().len(), 1);
    assert_eq!(world.rows("page_id, content"), "a|a car\nb|a tree\nsame|a cat");
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_page_would_survive_ends_the_call() {
    let world = World::new().await;
    // So long that it does not share a request.
    let long = format!("{}[402]", "tree ".repeat(60_000));
    let given = json!([page("a", "a cat"), page("b", &long), page("d", "a cat")]);
    let error = world.ask("search.reindex", json!({"pages": given})).await.unwrap_err();
    assert_eq!((error.code(), &error.details()["status"]), (ErrorCode::ProviderError, &json!(402)));
    // What was done before stands, and the next attempt passes over it.
    assert_eq!(world.rows("page_id"), "a");
    let done = world.reindex(json!([page("a", "a cat"), page("d", "a cat")])).await;
    assert_eq!((&done["indexed"], &done["unchanged"]), (&json!(1), &json!(1)));
    world.without_model().await;
    let error = world.ask("search.reindex", json!({"pages": []})).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::EmbeddingNotConfigured);
    world.engine.close(None).await.unwrap();
    let error = world.ask("search.reindex", json!({"pages": []})).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::EngineClosed);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_pages_go_in_parts_and_have_an_end() {
    let world = World::new().await;
    let words = |count: usize| (0..count).map(|number| format!("word{number:06} ")).collect::<String>();
    let done = world.index(page("p", &words(30_000))).await.unwrap();
    let chunks = done["chunks"].as_u64().unwrap() as usize;
    assert!(chunks > 256, "{chunks}");
    let sizes: Vec<usize> = world.server.asked().iter().map(Vec::len).collect();
    assert!(sizes.iter().all(|size| *size <= 256) && sizes.iter().sum::<usize>() == chunks, "{sizes:?}");
    let error = world.index(page("p", &words(200_000))).await.unwrap_err();
    assert_eq!((error.code(), &error.details()["field"]), (ErrorCode::PayloadTooLarge, &json!("page")));
    let done = world.reindex(json!([page("p", &words(200_000)), page("q", "a cat")])).await;
    assert_eq!((&done["indexed"], &done["failed"][0]["code"]), (&json!(1), &json!("PAYLOAD_TOO_LARGE")));
    assert_eq!(world.status().await["chunks"], chunks + 1, "what was there is still there");
    assert_eq!(world.found("word012345", json!({})).await, ["p"]);
    world.engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_a_workspace_can_be_removed() {
    let world = World::new().await;
    world.model("w2", "subjects-1").await;
    for id in ["a", "b"] {
        world.index(page(id, "a cat")).await.unwrap();
    }
    world.ask("search.index", json!({"workspaceId": "w2", "page": page("a", "a cat")})).await.unwrap();
    assert_eq!(world.ask("search.remove", json!({"everything": true})).await.unwrap(), json!({"chunks": 2}));
    assert_eq!(world.status().await["pages"], 0);
    assert_eq!(world.ask("search.status", json!({"workspaceId": "w2"})).await.unwrap()["pages"], 1);
    world.engine.close(None).await.unwrap();
}
