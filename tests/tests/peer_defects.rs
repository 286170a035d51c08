//! Defects of the AI SDK's packages that were seen when they were run, by their numbers in that list; each test shows
//! that ours is without it, over real HTTP where that matters.

use serde_json::{Value, json};
use turnkeep::model::{FailureKind, RunOutcome, RunReason, RunStatus};
use turnkeep::{Engine, Turn};
use turnkeep_tests::chunks::{event, finish, text, tool_call};
use turnkeep_tests::scenario::{all_chunks, options, request, weather_and_time};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

struct World {
    provider: ScriptedProvider,
    engine: Engine,
}

impl World {
    async fn new(driver: &str, responses: Vec<Response>) -> Self {
        let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
        let config =
            json!({"driver": driver, "model": "m", "baseUrl": provider.base_url(), "apiKey": "test-key-0123456789"});
        let more = json!({"providers": {"default": config}});
        let engine = Engine::open(options("sqlite::memory:", "", more)).await.unwrap();
        Self { provider, engine }
    }

    async fn turn(&self, message: Value) -> Turn {
        let mut request = request("?", json!({}));
        request.message = serde_json::from_value(message).unwrap();
        self.engine.start_turn(request, weather_and_time()).await.unwrap()
    }

    async fn told(&self, message: &str) -> (Vec<Value>, RunOutcome, String) {
        let turn = self.turn(json!(message)).await;
        let chunks = all_chunks(&turn).await;
        let outcome = turn.done().await.unwrap();
        let content = self.engine.messages(&turnkeep_tests::scenario::who(), turn.chat_id()).await.unwrap();
        (chunks, outcome, content.last().unwrap().content.clone())
    }
}

fn last_types(chunks: &[Value]) -> Vec<&str> {
    let types: Vec<&str> = chunks.iter().map(|chunk| chunk["type"].as_str().unwrap()).collect();
    types[types.len().saturating_sub(4)..].to_vec()
}

/// 1: a connection that dropped in the middle was reported to nobody, and the process died of it.
#[tokio::test(flavor = "multi_thread")]
async fn peer_defect_1_a_dropped_connection_is_an_end_that_is_told() {
    for driver in ["openai", "openai-compatible"] {
        let world = World::new(driver, vec![Response::stream([text("half an ")]).then(Then::Reset)]).await;
        let (chunks, outcome, content) = world.told("go").await;
        assert_eq!((outcome.status, outcome.reason), (RunStatus::Failed, Some(RunReason::ProviderError)));
        assert_eq!(content, "half an ");
        assert_eq!(last_types(&chunks), ["finish-step", "message-metadata", "error", "finish"]);
    }
}

/// 2: the same for what a driver could not read: calls without id or name, gaps between indices, Ollama's error line, an
/// answer of Ollama's without its end.
#[tokio::test(flavor = "multi_thread")]
async fn peer_defect_2_what_cannot_be_read_is_an_outcome() {
    let delta = |call: Value| event(&json!({"choices": [{"delta": {"tool_calls": [call]}}]}));
    let function = json!({"name": "time", "arguments": "{}"});
    let odd = vec![
        delta(json!({"index": 7, "function": function})),
        delta(json!({"index": 3, "id": "x", "function": function})),
    ];
    let world = World::new(
        "openai",
        vec![
            Response::stream([odd, finish("tool_calls", 1, 1)].concat()),
            Response::stream([vec![text("12:00")], finish("stop", 1, 1)].concat()),
        ],
    )
    .await;
    let (_, outcome, content) = world.told("go").await;
    assert_eq!((outcome.status, content.as_str()), (RunStatus::Succeeded, "12:00"));

    let line = |line: Value| format!("{line}\n");
    let said = line(json!({"message": {"content": "half"}, "done": false}));
    for rest in [vec![line(json!({"error": "out of memory"}))], Vec::new()] {
        let world = World::new("ollama", vec![Response::stream([vec![said.clone()], rest.clone()].concat())]).await;
        let (chunks, outcome, content) = world.told("go").await;
        assert_eq!((outcome.status, content.as_str()), (RunStatus::Failed, "half"));
        assert_eq!(chunks.iter().filter(|chunk| chunk["type"] == "error").count(), 1);
        assert_eq!(outcome.error.unwrap().contains("out of memory"), !rest.is_empty());
    }
}

/// 3: a client that went away left the call to the provider as it was.
#[tokio::test(flavor = "multi_thread")]
async fn peer_defect_3_a_turn_whose_reader_leaves_closes_the_call() {
    let world = World::new("openai", vec![Response::stream([text("working")]).then(Then::Hang)]).await;
    let turn = {
        let mut request = request("go", json!({"detached": false}));
        request.message = serde_json::from_value(json!("go")).unwrap();
        world.engine.start_turn(request, Vec::new()).await.unwrap()
    };
    let mut reader = turn.chunks();
    while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("working")) {}
    drop(reader);
    let outcome = turn.done().await.unwrap();
    assert_eq!(outcome.reason, Some(RunReason::Disconnected));
    world.provider.until_left_early(1).await;
}

/// 4: Ollama went on generating after a stop.
#[tokio::test(flavor = "multi_thread")]
async fn peer_defect_4_a_stop_reaches_ollama() {
    let said = format!("{}\n", json!({"message": {"content": "half"}, "done": false}));
    let world = World::new("ollama", vec![Response::stream([said]).then(Then::Hang)]).await;
    let turn = world.turn(json!("go")).await;
    let mut reader = turn.chunks();
    while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("half")) {}
    turn.stop().await.unwrap();
    assert_eq!(turn.done().await.unwrap().reason, Some(RunReason::Stopped));
    world.provider.until_left_early(1).await;
}

/// 5: Gemini's errors in the middle, and its blocks of prompts, were swallowed.
#[tokio::test(flavor = "multi_thread")]
async fn peer_defect_5_errors_and_blocks_of_gemini_are_told() {
    let said = event(&json!({"candidates": [{"content": {"parts": [{"text": "half"}]}}]}));
    let error = event(&json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}));
    let blocked = event(&json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}));
    let world = World::new("gemini", vec![Response::stream([said, error]), Response::stream([blocked])]).await;
    let (_, outcome, content) = world.told("go").await;
    assert_eq!((outcome.status, content.as_str()), (RunStatus::Failed, "half"));
    assert!(outcome.error.unwrap().contains("The model is overloaded."));
    let (_, outcome, _) = world.told("go").await;
    assert_eq!(outcome.status, RunStatus::Failed);
    assert_eq!(outcome.failure.unwrap().kind, FailureKind::ContentFilter);
}

/// 6: an error in a JSON body with status 200 was lost.
#[tokio::test(flavor = "multi_thread")]
async fn peer_defect_6_an_error_in_a_body_is_told() {
    for driver in ["openai", "openai-compatible", "gemini", "anthropic", "ollama"] {
        let body = r#"{"error":{"message":"The engine is overloaded","type":"server_error"}}"#;
        // Where it is taken for a refusal, it is tried again.
        let world = World::new(driver, vec![Response::body(200, "application/json", body); 3]).await;
        let (_, outcome, _) = world.told("go").await;
        assert_eq!(outcome.status, RunStatus::Failed, "{driver}");
        let error = outcome.error.unwrap();
        assert!(error.contains("The engine is overloaded"), "{driver}: {error}");
    }
}

/// 7: calls side by side under one index became one call that nobody could read.
#[tokio::test(flavor = "multi_thread")]
async fn peer_defect_7_calls_under_one_index_stay_apart() {
    let calls =
        vec![tool_call(0, "a", "weather", r#"{"city":"Oslo"}"#), tool_call(0, "b", "weather", r#"{"city":"Rome"}"#)];
    let world = World::new(
        "openai-compatible",
        vec![
            Response::stream([calls, finish("tool_calls", 1, 1)].concat()),
            Response::stream([vec![text("Both are warm.")], finish("stop", 1, 1)].concat()),
        ],
    )
    .await;
    let (chunks, outcome, _) = world.told("go").await;
    assert_eq!(outcome.status, RunStatus::Succeeded);
    let mut cities: Vec<&str> = chunks.iter().filter_map(|chunk| chunk["output"]["city"].as_str()).collect();
    cities.sort_unstable();
    assert_eq!(cities, ["Oslo", "Rome"]);
}

/// 8: images as data URLs failed the turn.
#[tokio::test(flavor = "multi_thread")]
async fn peer_defect_8_images_as_data_urls_are_sent() {
    let world =
        World::new("openai", vec![Response::stream([vec![text("A dot.")], finish("stop", 1, 1)].concat())]).await;
    let url = "data:image/png;base64,iVBORw0KGgo=";
    let parts =
        json!([{"type": "text", "text": "What is it?"}, {"type": "file", "mediaType": "image/png", "url": url}]);
    let turn = world.turn(json!({"parts": parts})).await;
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let sent = world.provider.requests();
    let user = sent[0]["messages"].as_array().unwrap().iter().find(|message| message["role"] == "user").unwrap();
    assert_eq!(user["content"][1], json!({"type": "image_url", "image_url": {"url": url}}));
}

/// 9: with every piece all the text before it was written down again. Here every piece is told once and nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn peer_defect_9_a_piece_costs_the_same_however_long_the_answer() {
    let pieces = 20_000;
    let chunks: Vec<String> = (0..pieces).map(|number| text(&format!("{number} "))).collect();
    let stream = [vec![chunks.concat()], finish("stop", 1, 1)].concat();
    let world = World::new("openai", vec![Response::stream(stream)]).await;
    let (chunks, outcome, content) = world.told("go").await;
    assert_eq!(outcome.status, RunStatus::Succeeded);
    let deltas = chunks.iter().filter(|chunk| chunk["type"] == "text-delta");
    let sent: usize = deltas.clone().map(|chunk| chunk["delta"].as_str().unwrap().len()).sum();
    assert_eq!((deltas.count(), sent), (pieces, content.len()), "every piece is told once and nothing twice");
}
