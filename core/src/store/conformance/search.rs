//! The index that pages are found by.

use std::path::PathBuf;
use std::sync::Arc;

use turnkeep_test_postgres::{Cluster, query};

use crate::project::{ChunkKey, chunk_rows, query_words};
use crate::store::{ChunkRankings, ChunkScope, ChunkSearch, IndexPage, IndexedModel, IndexedPage, PostgresStore};

use super::{TestClock, TestStore, on};

on_every_store![
    a_page_is_indexed_and_read_back,
    a_page_takes_the_place_of_what_was_there,
    pages_are_removed_one_by_one_and_all_at_once,
    vectors_are_told_by_model_and_dimensions,
    chunks_are_ranked_by_vectors_and_by_words,
    nothing_is_seen_beyond_the_scope,
    a_page_that_many_write_is_one_of_theirs,
    many_and_large_chunks_are_held,
];

/// The same on a server that has `pgvector`; there is nothing to be tested on one that has not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_pgvector_it_is_the_same() {
    let server = Cluster::shared().database();
    if query(&server, "SELECT COUNT(*) FROM pg_available_extensions WHERE name = 'vector'") == "0" {
        eprintln!("skipped: the server has no pgvector");
        return;
    }
    on(with_pgvector, a_page_is_indexed_and_read_back).await;
    on(with_pgvector, a_page_takes_the_place_of_what_was_there).await;
    on(with_pgvector, chunks_are_ranked_by_vectors_and_by_words).await;
    on(with_pgvector, nothing_is_seen_beyond_the_scope).await;
    on(with_pgvector, many_and_large_chunks_are_held).await;
}

async fn with_pgvector(clock: Arc<TestClock>, _: PathBuf) -> TestStore {
    let url = Cluster::shared().database();
    query(&url, "CREATE EXTENSION vector");
    let store = PostgresStore::open(&url).await.unwrap();
    clock.moves(&url);
    Arc::new(store)
}

/// A page in the space `s`, of chunks with their vectors.
fn page(id: &str, model: &str, chunks: &[(&str, &[f32])]) -> IndexPage {
    let texts = chunks.iter().map(|(text, _)| (*text).to_owned()).collect();
    let vectors = chunks.iter().map(|(_, vector)| Some(vector.to_vec())).collect();
    let page = IndexedPage {
        page_id: id.into(),
        space_id: Some("s".into()),
        title: Some(format!("Title 'of' \"{id}\"")),
        digest: format!("digest of {id}"),
        model: model.into(),
        dimensions: u32::try_from(chunks[0].1.len()).unwrap(),
        chunks: u32::try_from(chunks.len()).unwrap(),
    };
    IndexPage { workspace_id: "w".into(), page, chunks: chunk_rows(texts, vectors) }
}

fn scope(workspace: &str, pages: Option<&[&str]>, spaces: Option<&[&str]>) -> ChunkScope {
    let ids = |ids: Option<&[&str]>| ids.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
    ChunkScope { workspace_id: workspace.into(), page_ids: ids(pages), space_ids: ids(spaces) }
}

fn everything() -> ChunkScope {
    scope("w", None, None)
}

fn search(scope: ChunkScope, vector: Option<(&str, &[f32])>, query: &str, candidates: usize) -> ChunkSearch {
    let vector = vector.map(|(model, vector)| (model.to_owned(), vector.to_vec()));
    ChunkSearch { scope, vector, words: query_words(query), candidates }
}

fn key(page: &str, chunk_index: u32) -> ChunkKey {
    ChunkKey { page_id: page.into(), chunk_index }
}

fn keys(of: &[(&str, u32)]) -> Vec<ChunkKey> {
    of.iter().map(|(page, index)| key(page, *index)).collect()
}

async fn a_page_is_indexed_and_read_back(store: TestStore, _: Arc<TestClock>) {
    // Neighbours of zero, and what has no short decimal form.
    let vector = [0.1, -1.0e-42, f32::MIN_POSITIVE, 3.402_823_4e38];
    let given = page("p 1", "m", &[("Title > A\n\nИдёт 😀 'quoted\"", &vector), ("second", &[0.0, 0.0, 0.0, 1.0])]);
    store.index_page(given.clone()).await.unwrap();
    let ids = ["p 1".to_owned(), "none".to_owned()];
    assert_eq!(store.indexed_pages("w", &ids).await.unwrap(), std::slice::from_ref(&given.page));
    assert_eq!(store.indexed_pages("v", &ids).await.unwrap(), []);
    assert_eq!(store.indexed_pages("w", &[]).await.unwrap(), []);
    let wanted = keys(&[("p 1", 0), ("p 1", 1), ("p 1", 2), ("none", 0)]);
    let mut found = store.indexed_chunks(&everything(), &wanted).await.unwrap();
    found.sort_by(|one, other| one.key.cmp(&other.key));
    assert_eq!(found.len(), 2);
    for (chunk, row) in found.iter().zip(&given.chunks) {
        assert_eq!((chunk.key.chunk_index, &chunk.content), (row.index, &row.content));
        assert_eq!((chunk.start, chunk.length), (row.start, row.length));
        assert_eq!((&chunk.title, &chunk.space_id), (&given.page.title, &given.page.space_id));
        assert_eq!((chunk.model.as_str(), chunk.dimensions), ("m", 4));
    }
    store.move_indexed_page("w", "p 1", None).await.unwrap();
    store.move_indexed_page("v", "p 1", Some("theirs")).await.unwrap();
    let moved = IndexedPage { space_id: None, ..given.page };
    assert_eq!(store.indexed_pages("w", &ids).await.unwrap(), [moved]);
}

async fn a_page_takes_the_place_of_what_was_there(store: TestStore, _: Arc<TestClock>) {
    store.index_page(page("p", "m", &[("one", &[1.0]), ("two", &[1.0]), ("three", &[1.0])])).await.unwrap();
    store.index_page(page("q", "m", &[("one", &[1.0])])).await.unwrap();
    let mut new = page("p", "n", &[("four", &[1.0, 2.0])]);
    new.page.title = None;
    new.page.space_id = Some("t".into());
    new.page.digest = "another".into();
    store.index_page(new.clone()).await.unwrap();
    assert_eq!(store.indexed_pages("w", &["p".into()]).await.unwrap(), [new.page]);
    let found = store.indexed_chunks(&everything(), &keys(&[("p", 0), ("p", 1), ("p", 2)])).await.unwrap();
    assert_eq!(found.iter().map(|chunk| chunk.content.as_str()).collect::<Vec<_>>(), ["four"]);
    let old = store.rank_chunks(search(everything(), None, "three", 9)).await.unwrap();
    assert_eq!(old.matching, [], "the words of what is gone are gone");
    assert_eq!(store.rank_chunks(search(everything(), None, "four", 9)).await.unwrap().matching, [key("p", 0)]);
}

async fn pages_are_removed_one_by_one_and_all_at_once(store: TestStore, _: Arc<TestClock>) {
    for id in ["a", "b", "c"] {
        store.index_page(page(id, "m", &[("one", &[1.0]), ("two", &[1.0])])).await.unwrap();
    }
    let other = IndexPage { workspace_id: "v".into(), ..page("a", "m", &[("one", &[1.0])]) };
    store.index_page(other).await.unwrap();
    assert_eq!(store.remove_indexed("w", Some("a")).await.unwrap(), 2);
    assert_eq!(store.remove_indexed("w", Some("a")).await.unwrap(), 0);
    assert_eq!(store.remove_indexed("w", Some("none")).await.unwrap(), 0);
    assert_eq!(store.remove_indexed("w", None).await.unwrap(), 4);
    assert_eq!(store.remove_indexed("w", None).await.unwrap(), 0);
    assert_eq!(store.indexed_models("w").await.unwrap(), []);
    assert_eq!(store.indexed_pages("v", &["a".into()]).await.unwrap().len(), 1);
}

async fn vectors_are_told_by_model_and_dimensions(store: TestStore, _: Arc<TestClock>) {
    assert_eq!(store.indexed_models("w").await.unwrap(), []);
    for (id, model, dimensions) in [("a", "m", 2), ("b", "m", 2), ("c", "m", 3), ("d", "Z", 2)] {
        let vector = vec![1.0; dimensions];
        store.index_page(page(id, model, &[("x", &vector), ("y", &vector)])).await.unwrap();
    }
    let model =
        |model: &str, dimensions, pages| IndexedModel { model: model.into(), dimensions, pages, chunks: pages * 2 };
    let expected = [model("Z", 2, 1), model("m", 2, 2), model("m", 3, 1)];
    assert_eq!(store.indexed_models("w").await.unwrap(), expected);
}

async fn chunks_are_ranked_by_vectors_and_by_words(store: TestStore, _: Arc<TestClock>) {
    store.index_page(page("b", "m", &[("a red house", &[1.0, 0.0]), ("a house", &[0.9, 0.1])])).await.unwrap();
    store.index_page(page("a", "m", &[("red red red", &[2.0, 0.0]), ("nothing", &[0.0, 0.0])])).await.unwrap();
    store.index_page(page("c", "m", &[("Красные дома", &[-1.0, 0.0])])).await.unwrap();
    store.index_page(page("d", "other", &[("red", &[1.0, 0.0])])).await.unwrap();
    store.index_page(page("e", "m", &[("red", &[1.0, 0.0, 0.0])])).await.unwrap();
    let ranked = async |vector: Option<(&str, &[f32])>, query: &str, candidates| {
        store.rank_chunks(search(everything(), vector, query, candidates)).await.unwrap()
    };
    // Of those that are equally good the first by its key; a vector without a direction is nowhere.
    let both = ranked(Some(("m", &[3.0, 0.0])), "houses", 9).await;
    assert_eq!(both.nearest, keys(&[("a", 0), ("b", 0), ("b", 1), ("c", 0)]));
    assert_eq!(both.matching, keys(&[("b", 0), ("b", 1)]));
    let few = ranked(Some(("m", &[3.0, 0.0])), "red", 2).await;
    assert_eq!(few, ChunkRankings { nearest: keys(&[("a", 0), ("b", 0)]), matching: keys(&[("a", 0), ("b", 0)]) });
    assert_eq!(ranked(None, "red house", 9).await.matching, keys(&[("b", 0), ("b", 1), ("a", 0), ("d", 0), ("e", 0)]));
    assert_eq!(ranked(None, "красный дом", 9).await.matching, keys(&[("c", 0)]));
    assert_eq!(ranked(Some(("m", &[0.0, 0.0])), "", 9).await, ChunkRankings::default());
    assert_eq!(ranked(Some(("unknown", &[1.0, 0.0])), "zzz", 9).await, ChunkRankings::default());
    assert_eq!(ranked(None, "", 9).await, ChunkRankings::default());
}

async fn nothing_is_seen_beyond_the_scope(store: TestStore, _: Arc<TestClock>) {
    for (id, space) in [("a", Some("s1")), ("b", Some("s2")), ("c", None)] {
        let mut page = page(id, "m", &[("word", &[1.0])]);
        page.page.space_id = space.map(str::to_owned);
        store.index_page(page).await.unwrap();
    }
    let theirs = IndexPage { workspace_id: "v".into(), ..page("a", "m", &[("word", &[1.0])]) };
    store.index_page(theirs).await.unwrap();
    let odd = "it's \"odd\", {really} \\";
    store.index_page(page(odd, "m", &[("word", &[1.0])])).await.unwrap();
    let cases: [(ChunkScope, &[&str]); 9] = [
        (everything(), &["a", "b", "c", odd]),
        (scope("w", Some(&["a", "c", "none"]), None), &["a", "c"]),
        (scope("w", None, Some(&["s1", "s2"])), &["a", "b"]),
        (scope("w", Some(&["a", "c"]), Some(&["s1", "s2"])), &["a"]),
        (scope("w", Some(&[]), None), &[]),
        (scope("w", None, Some(&[])), &[]),
        (scope("w", Some(&[odd]), Some(&["s"])), &[odd]),
        (scope("none", None, None), &[]),
        (scope("v", Some(&["a", "b"]), None), &["a"]),
    ];
    let all: Vec<ChunkKey> = ["a", "b", "c", odd].map(|id| key(id, 0)).to_vec();
    for (scope, expected) in cases {
        let expected: Vec<ChunkKey> = expected.iter().map(|id| key(id, 0)).collect();
        let ranked = store.rank_chunks(search(scope.clone(), Some(("m", &[1.0])), "word", 9)).await.unwrap();
        assert_eq!(ranked.nearest, expected, "{scope:?}");
        assert_eq!(ranked.matching, expected, "{scope:?}");
        let mut found: Vec<ChunkKey> =
            store.indexed_chunks(&scope, &all).await.unwrap().into_iter().map(|chunk| chunk.key).collect();
        found.sort();
        assert_eq!(found, expected, "{scope:?}");
    }
}

async fn a_page_that_many_write_is_one_of_theirs(store: TestStore, _: Arc<TestClock>) {
    let write = |number: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let text = format!("writer{number}");
            let chunks = vec![(text.as_str(), &[1.0_f32][..]); number];
            store.index_page(page("p", &text, &chunks)).await.unwrap();
        })
    };
    let all: Vec<_> = (1..=8).map(write).collect();
    for one in all {
        one.await.unwrap();
    }
    let models = store.indexed_models("w").await.unwrap();
    assert_eq!(models.len(), 1);
    assert_eq!(models[0].model, format!("writer{}", models[0].chunks), "as many as its writer has written");
}

async fn many_and_large_chunks_are_held(store: TestStore, _: Arc<TestClock>) {
    let long = format!("{} {}", "слово".repeat(300), "漢".repeat(900));
    let vector: Vec<f32> = (0..1_536).map(|place: u16| f32::from(place).sin()).collect();
    let chunks: Vec<(&str, &[f32])> = vec![(long.as_str(), vector.as_slice()); 200];
    store.index_page(page("p", "m", &chunks)).await.unwrap();
    let ranked = store.rank_chunks(search(everything(), Some(("m", &vector)), "漢", 3)).await.unwrap();
    assert_eq!(ranked.nearest, keys(&[("p", 0), ("p", 1), ("p", 2)]));
    assert_eq!(ranked.matching, [], "a word that long is in no index");
}
