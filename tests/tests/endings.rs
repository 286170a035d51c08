//! How an answer can end, what is made of each end, and what a failed run says of itself; over real HTTP.

use serde_json::{Value, json};
use turnkeep::model::{FailureKind, FinishReason, RunOutcome, RunStatus};
use turnkeep::project::{StoredRow, row_to_ui_message};
use turnkeep::tool::Tool;
use turnkeep::{Engine, TailFrom, Turn};
use turnkeep_tests::chunks::{event, finish, reasoning, text, tool_call};
use turnkeep_tests::scenario::{FnTool, all_chunks, options, request, tool, weather_and_time, who};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then};

struct World {
    provider: ScriptedProvider,
    engine: Engine,
}

struct Told {
    chunks: Vec<Value>,
    outcome: RunOutcome,
    row: turnkeep::model::Message,
}

impl World {
    async fn of(driver: &str, responses: Vec<Response>, more: Value) -> Self {
        let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
        let base_url = provider.base_url();
        let base_url = if driver == "ollama" { base_url.replace("/v1", "") } else { base_url };
        let mut config = json!({"driver": driver, "model": "m", "baseUrl": base_url, "apiKey": "test-key-0123456789"});
        let mut options_of_all = json!({"http": {"maxTries": 2, "retryWaitMs": 1}});
        for (key, value) in more.as_object().into_iter().flatten() {
            match key.as_str() {
                "contextWindow" => config["contextWindow"] = value.clone(),
                key => options_of_all[key] = value.clone(),
            }
        }
        options_of_all["providers"] = json!({"default": config});
        let engine = Engine::open(options("sqlite::memory:", "", options_of_all)).await.unwrap();
        Self { provider, engine }
    }

    async fn compatible(responses: Vec<Response>) -> Self {
        Self::of("openai-compatible", responses, json!({})).await
    }

    async fn turn_in(&self, chat: Option<turnkeep::ChatId>, message: &str, tools: Vec<Tool>) -> Told {
        let mut request = request(message, json!({}));
        request.chat_id = chat.map(Into::into);
        let turn: Turn = self.engine.start_turn(request, tools).await.unwrap();
        let chunks = all_chunks(&turn).await;
        let outcome = turn.done().await.unwrap();
        let row = self.engine.messages(&who(), turn.chat_id()).await.unwrap().pop().unwrap();
        Told { chunks, outcome, row }
    }

    async fn turn(&self) -> Told {
        self.turn_in(None, "go", weather_and_time()).await
    }
}

fn calls(finish_reason: Option<&str>) -> Response {
    let mut events = vec![tool_call(0, "c1", "time", "{}")];
    if let Some(word) = finish_reason {
        events.push(event(&json!({"choices": [{"delta": {}, "finish_reason": word}]})));
    }
    events.push("data: [DONE]\n\n".to_owned());
    Response::stream(events)
}

fn says(words: &str) -> Response {
    let mut events = vec![text(words)];
    events.extend(finish("stop", 1, 1));
    Response::stream(events)
}

fn failure(told: &Told) -> (FailureKind, Option<u16>) {
    assert_eq!(told.outcome.status, RunStatus::Failed, "{:?}", told.outcome);
    let failure = told.outcome.failure.as_ref().expect("a failure");
    assert_eq!(told.outcome.error.as_deref(), Some(failure.message.as_str()));
    (failure.kind, failure.status_code)
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_made_whatever_word_an_answer_ends_with() {
    for word in [Some("eos_token"), Some("STOP"), Some("tool_use"), Some("a word of tomorrow"), Some(""), None] {
        let world = World::compatible(vec![calls(word), says("Noon.")]).await;
        let told = world.turn().await;
        assert_eq!((told.outcome.status, told.outcome.step_count), (RunStatus::Succeeded, 2), "{word:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_not_made_when_the_answer_was_cut_off_or_withheld() {
    for (word, reason) in [("length", FinishReason::Length), ("content_filter", FinishReason::ContentFilter)] {
        let world = World::compatible(vec![calls(Some(word))]).await;
        let told = world.turn().await;
        assert_eq!((told.outcome.finish_reason, told.outcome.step_count), (Some(reason), 1), "{word}");
        assert_eq!(world.provider.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_is_no_success_though_every_chunk_had_an_empty_reason() {
    let piece = event(&json!({"choices": [{"delta": {"content": "First"}, "finish_reason": ""}]}));
    let world = World::compatible(vec![Response::stream([piece])]).await;
    assert_eq!(failure(&world.turn().await).0, FailureKind::BadResponse);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_failure_fail_with_the_providers_own_sentence() {
    let said = json!({"choices": [{"delta": {}, "finish_reason": "error", "error": {"code": 502, "message": "The upstream went away."}}]});
    let world =
        World::compatible(vec![Response::stream([text("half"), event(&said), "data: [DONE]\n\n".to_owned()])]).await;
    let told = world.turn().await;
    assert_eq!(failure(&told), (FailureKind::Overloaded, Some(502)));
    assert!(told.outcome.error.unwrap().contains("The upstream went away."));
    assert_eq!(told.row.content, "half");

    let refused = json!({"candidates": [{"finishReason": "UNEXPECTED_TOOL_CALL", "finishMessage": "There is no such function."}]});
    let world = World::of("gemini", vec![Response::stream([event(&refused)])], json!({})).await;
    let told = world.turn().await;
    assert_eq!(failure(&told).0, FailureKind::BadResponse);
    assert!(told.outcome.error.unwrap().contains("There is no such function."));
}

fn anthropic(events: &[Value]) -> Response {
    Response::stream(events.iter().map(|data| format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())))
}

fn message_start() -> Value {
    json!({"type": "message_start", "message": {"id": "m", "model": "claude-x", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}})
}

fn message_end(reason: &str) -> [Value; 2] {
    [json!({"type": "message_delta", "delta": {"stop_reason": reason}}), json!({"type": "message_stop"})]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_pauses_goes_on_where_it_was() {
    let [delta, stop] = message_end("pause_turn");
    let paused = anthropic(&[
        message_start(),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "I look it up. "}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "tides"}}}),
        json!({"type": "content_block_stop", "index": 1}),
        delta,
        stop,
    ]);
    let [delta, stop] = message_end("end_turn");
    let found = json!([{"type": "web_search_result", "url": "https://example.org/t", "title": "T", "encrypted_content": "E", "page_age": null}]);
    let done = anthropic(&[
        message_start(),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": found}}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "At nine."}}),
        json!({"type": "content_block_stop", "index": 1}),
        delta,
        stop,
    ]);
    let [delta, stop] = message_end("end_turn");
    let again = anthropic(&[
        message_start(),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Yes."}}),
        json!({"type": "content_block_stop", "index": 0}),
        delta,
        stop,
    ]);
    let world = World::of("anthropic", vec![paused, done, again], json!({})).await;
    let told = world.turn_in(None, "When is high tide?", Vec::new()).await;
    assert_eq!((told.outcome.status, told.row.content.as_str()), (RunStatus::Succeeded, "I look it up. At nine."));
    world.turn_in(Some(told.outcome.chat_id), "Sure?", Vec::new()).await;
    let requests = world.provider.requests();
    let kinds = |message: &Value| -> Vec<String> {
        let blocks = message["content"].as_array().unwrap();
        blocks.iter().map(|block| block["type"].as_str().unwrap().to_owned()).collect()
    };
    let last = requests[1]["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (last["role"].as_str(), kinds(last)),
        (Some("assistant"), vec!["text".into(), "server_tool_use".into()])
    );
    // Later the result stands with its call, though it came in another answer.
    let answer = &requests[2]["messages"][1];
    assert_eq!(kinds(answer), ["text", "server_tool_use", "web_search_tool_result", "text"]);
    assert_eq!(answer["content"][1]["id"], answer["content"][2]["tool_use_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_which_nothing_is_said_is_no_success() {
    let done = || "data: [DONE]\n\n".to_owned();
    let stop = |word: &str| event(&json!({"choices": [{"delta": {}, "finish_reason": word}]}));
    let ollama =
        json!({"model": "m", "message": {"role": "assistant", "content": ""}, "done_reason": "load", "done": true});
    let gemini = json!({"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}]});
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    let [delta, end] = message_end("end_turn");
    let [refusal, refused] = message_end("refusal");
    for (driver, response, kind) in [
        ("openai-compatible", Response::stream([stop("refusal"), done()]), FailureKind::Refused),
        ("anthropic", anthropic(&[message_start(), refusal, refused]), FailureKind::Refused),
        ("openai", Response::stream([text(""), stop("stop"), done()]), FailureKind::BadResponse),
        ("openai-compatible", Response::stream([text("\n\n"), stop("stop"), done()]), FailureKind::BadResponse),
        ("openai-compatible", Response::stream([reasoning("hm"), stop("stop"), done()]), FailureKind::BadResponse),
        ("openai-compatible", Response::stream([stop("tool_calls"), done()]), FailureKind::BadResponse),
        ("openai-compatible", Response::stream([stop("length"), done()]), FailureKind::BadResponse),
        ("openai-compatible", Response::stream([stop("content_filter"), done()]), FailureKind::ContentFilter),
        ("ollama", Response::body(200, "application/x-ndjson", &format!("{ollama}\n")), FailureKind::BadResponse),
        ("gemini", Response::stream([event(&gemini)]), FailureKind::BadResponse),
        ("gemini", Response::stream([event(&blocked)]), FailureKind::ContentFilter),
        ("anthropic", anthropic(&[message_start(), delta, end]), FailureKind::BadResponse),
    ] {
        let world = World::of(driver, vec![response], json!({})).await;
        assert_eq!(failure(&world.turn().await).0, kind, "{driver}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_says_nothing_after_its_calls_has_given_no_answer() {
    let silent = Response::stream(finish("stop", 1, 0));
    let world = World::compatible(vec![calls(Some("tool_calls")), silent]).await;
    let told = world.turn().await;
    assert_eq!((failure(&told).0, told.outcome.step_count), (FailureKind::BadResponse, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_quoted() {
    let world = World::compatible(vec![Response::stream(["data: {\"hello\":\"there\"}\n\n".to_owned()])]).await;
    let told = world.turn().await;
    assert_eq!(failure(&told).0, FailureKind::BadResponse);
    assert!(told.outcome.error.as_ref().unwrap().contains("hello"), "{:?}", told.outcome.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_odd_frames_are_errors_with_their_sentences() {
    let sentence = "the prompt is of no use to this server";
    for bytes in [
        format!("error: {{\"code\":400,\"message\":\"{sentence}\"}}\n\ndata: [DONE]\n\n"),
        format!("{}{{\"error\":{{\"code\":400,\"message\":\"{sentence}\"}}}}", text("")),
        format!("data: {{\"object\":\"error\",\"message\":\"{sentence}\",\"code\":400}}\n\ndata: [DONE]\n\n"),
        format!("data: {{\"choices\":null,\"error_message\":\"{sentence}\",\"code\":400}}\n\n"),
        format!("data: {{\"detail\":\"{sentence}\"}}\n\n"),
        format!("event: error\ndata: {{\"message\":\"{sentence}\",\"code\":400}}\n\n"),
        format!("event: error\ndata: {sentence}\n\n"),
    ] {
        let world = World::compatible(vec![Response::stream([bytes.clone()])]).await;
        let told = world.turn().await;
        assert!(
            told.outcome.error.as_ref().is_some_and(|error| error.contains(sentence)),
            "{bytes}: {:?}",
            told.outcome
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_as_the_first_event_is_met_like_one_that_comes_as_a_status() {
    let busy = || event(&json!({"error": {"message": "Too much to do.", "type": "server_error", "code": 503}}));
    let world = World::compatible(vec![Response::stream([busy()]), says("Hello.")]).await;
    assert_eq!(world.turn().await.outcome.status, RunStatus::Succeeded);
    assert_eq!(world.provider.requests().len(), 2);

    let overloaded = anthropic(&[
        message_start(),
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ]);
    let world = World::of("anthropic", vec![overloaded.clone(), overloaded], json!({})).await;
    assert_eq!(failure(&world.turn().await), (FailureKind::Overloaded, Some(529)));
    assert_eq!(world.provider.requests().len(), 2);

    // Words had come, or it will not pass: once is enough.
    let world = World::compatible(vec![Response::stream([text("half"), busy()]), says("Hello.")]).await;
    assert_eq!(failure(&world.turn().await), (FailureKind::Overloaded, Some(503)));
    let wrong = event(&json!({"error": {"message": "no", "code": 400}}));
    let other = World::compatible(vec![Response::stream([wrong]), says("Hello.")]).await;
    assert_eq!(failure(&other.turn().await), (FailureKind::InvalidRequest, Some(400)));
    assert_eq!((world.provider.requests().len(), other.provider.requests().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_says_of_which_kind_it_is_wherever_it_is_told() {
    for (status, body, kind) in [
        (401, r#"{"error":{"message":"Incorrect API key"}}"#, FailureKind::Authentication),
        (402, r#"{"error":{"message":"pay"}}"#, FailureKind::Billing),
        (404, r#"{"error":{"message":"The model m does not exist"}}"#, FailureKind::ModelNotFound),
        (400, r#"{"error":{"message":"no","code":"content_filter"}}"#, FailureKind::ContentFilter),
        (400, r#"{"error":{"message":"temperature"}}"#, FailureKind::InvalidRequest),
        (429, r#"{"error":{"message":"slow down"}}"#, FailureKind::RateLimit),
        (503, r#"{"error":{"message":"busy"}}"#, FailureKind::Overloaded),
    ] {
        let refusal = || Response::body(status, "application/json", body);
        let world = World::compatible(vec![refusal(), refusal()]).await;
        let mut told = world.turn().await;
        assert_eq!(failure(&told), (kind, Some(status)));
        let expected = serde_json::to_value(told.outcome.failure.as_ref().unwrap()).unwrap();
        assert_eq!(expected["retryable"], json!(matches!(status, 429 | 503)));
        let metadata: Value = told.row.metadata.as_ref().unwrap().read().unwrap();
        assert_eq!(metadata["failure"], expected);
        let error = told.chunks.iter().position(|chunk| chunk["type"] == "error").unwrap();
        let mut to_pages = told.chunks[error - 1]["messageMetadata"]["failure"].take();
        assert_eq!(to_pages["message"].take(), told.chunks[error]["errorText"]);
        to_pages["message"] = expected["message"].clone();
        assert_eq!(to_pages, expected);
        let run = world.engine.run(&who(), told.outcome.run_id).await.unwrap();
        assert_eq!(run.failure, told.outcome.failure);
    }
    let world = World::compatible(vec![Response::stream([text("half")]).then(Then::Reset)]).await;
    assert_eq!(failure(&world.turn().await).0, FailureKind::ConnectionLost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_is_too_long_is_met_with_less_of_it_once() {
    let too_long = || {
        Response::body(400, "application/json", r#"{"error":{"message":"prompt is too long: 9 tokens > 8 maximum"}}"#)
    };
    let mut script: Vec<Response> =
        (0..6).map(|number| says(&format!("answer {number} {}", "x".repeat(2000)))).collect();
    script.extend([too_long(), says("Shorter."), too_long(), too_long()]);
    let world = World::compatible(script).await;
    let chat = world.turn_in(None, "q 0", Vec::new()).await.outcome.chat_id;
    for number in 1..6 {
        world.turn_in(Some(chat), &format!("q {number}"), Vec::new()).await;
    }
    let told = world.turn_in(Some(chat), "q 6", Vec::new()).await;
    assert_eq!((told.outcome.status, told.row.content.as_str()), (RunStatus::Succeeded, "Shorter."));
    let requests = world.provider.requests();
    let size = |place: usize| requests[place]["messages"].to_string().len();
    assert!(size(7) * 2 < size(6) + 2000, "{} and {}", size(6), size(7));
    assert!(requests[7].to_string().contains("Earlier messages of this conversation are left out."));
    assert!(!requests[6].to_string().contains("Earlier messages of this conversation are left out."));
    let metadata: Value = told.row.metadata.unwrap().read().unwrap();
    assert_eq!(metadata["historyLeftOut"], true);
    let again = world.turn_in(Some(chat), "q 7", Vec::new()).await;
    assert_eq!(failure(&again), (FailureKind::ContextOverflow, Some(400)));
    assert_eq!(world.provider.requests().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_chat_is_told_within_its_budget_of_messages_and_of_tokens() {
    let script = (0..12).map(|_| says(&"long ".repeat(400))).collect();
    let runs = json!({"runs": {"historyMessages": 7}, "contextWindow": 4000});
    let world = World::of("openai-compatible", script, runs).await;
    let chat = world.turn_in(None, "q 0", Vec::new()).await.outcome.chat_id;
    for number in 1..12 {
        world.turn_in(Some(chat), &format!("q {number}"), Vec::new()).await;
    }
    for (number, request) in world.provider.requests().iter().enumerate() {
        let messages = request["messages"].as_array().unwrap();
        assert!(messages.len() <= 9, "{number}: {}", messages.len());
        assert!(request["messages"].to_string().len() < 12_000, "{number}");
        assert_eq!(
            messages.last().unwrap()["content"].as_str().unwrap().lines().last(),
            Some(format!("q {number}").as_str())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_its_limits_and_says_which() {
    let many = (0..6).map(|index| tool_call(index, &format!("c{index}"), "time", "{}"));
    let world =
        World::of("openai-compatible", vec![Response::stream(many)], json!({"runs": {"maxCallsPerStep": 5}})).await;
    let told = world.turn().await;
    assert_eq!(failure(&told).0, FailureKind::Limit);
    assert!(told.outcome.error.unwrap().contains("runs.maxCallsPerStep"));
    let long = Response::stream([text(&"x".repeat(600)), text(&"x".repeat(600))]);
    let world = World::of("openai-compatible", vec![long], json!({"runs": {"maxAnswerBytes": 1000}})).await;
    let told = world.turn().await;
    assert_eq!(failure(&told).0, FailureKind::Limit);
    assert_eq!(told.row.content.len(), 600);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_step_run_so_many_at_once() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let mut events: Vec<String> = (0..9).map(|index| tool_call(index, &format!("c{index}"), "count", "{}")).collect();
    events.extend(finish("tool_calls", 1, 1));
    let world = World::of(
        "openai-compatible",
        vec![Response::stream(events), says("Nine.")],
        json!({"runs": {"maxParallelCalls": 3}}),
    )
    .await;
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, highest) = (Arc::clone(&running), Arc::clone(&most));
    let count = FnTool(move |_| {
        let count = now.fetch_add(1, Ordering::SeqCst) + 1;
        highest.fetch_max(count, Ordering::SeqCst);
        now.fetch_sub(1, Ordering::SeqCst);
        Ok(json!(1))
    });
    let told = world.turn_in(None, "go", vec![tool(json!({"name": "count", "readOnly": true}), count)]).await;
    assert_eq!((told.outcome.status, told.outcome.step_count), (RunStatus::Succeeded, 2));
    assert!(most.load(Ordering::SeqCst) <= 3);
    let outcomes = told.chunks.iter().filter(|chunk| chunk["type"] == "tool-output-available").count();
    assert_eq!(outcomes, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_wants_to_see_again_goes_back_to_it() {
    let thought = json!({"type": "reasoning.text", "text": "I look.", "index": 0});
    let sealed = json!({"type": "reasoning.encrypted", "data": "AbC+/9==", "id": "c1", "index": 1});
    let chunk = |delta: Value| event(&json!({"choices": [{"delta": delta}]}));
    let call = json!([{"index": 0, "id": "c1", "function": {"name": "time", "arguments": "{}"}}]);
    let first = Response::stream(
        [
            chunk(json!({"reasoning": "I look.", "reasoning_details": [thought]})),
            chunk(json!({"tool_calls": call, "reasoning_details": [sealed], "reasoning_opaque": "O"})),
        ]
        .into_iter()
        .chain(finish("tool_calls", 1, 1)),
    );
    let world = World::compatible(vec![first, says("Noon.")]).await;
    assert_eq!(world.turn().await.outcome.status, RunStatus::Succeeded);
    let requests = world.provider.requests();
    let message =
        requests[1]["messages"].as_array().unwrap().iter().find(|message| message["role"] == "assistant").unwrap();
    assert_eq!(message["reasoning_details"], json!([thought, sealed]));
    assert_eq!(message["reasoning_opaque"], "O");
    // It came under another name, and goes back in the details.
    assert!(message.get("reasoning_content").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_called_with_what_its_own_check_made_of_the_input() {
    use turnkeep::model::Json;
    use turnkeep::tool::{ToolHandler, ToolInvocation};

    struct Own;

    #[async_trait::async_trait]
    impl ToolHandler for Own {
        async fn validate(&self, invocation: &ToolInvocation) -> Result<Json, String> {
            let input: Value = invocation.input.read().map_err(|error| error.to_string())?;
            match input["city"].as_str() {
                Some(city) => Json::from_value(&json!({"city": city.trim()})).map_err(|error| error.to_string()),
                None => Err("city: name one".to_owned()),
            }
        }

        async fn call(&self, invocation: ToolInvocation) -> Result<Json, String> {
            Ok(invocation.input)
        }
    }

    let mut events = vec![
        tool_call(0, "c1", "find", r#"{"city":" Oslo ","extra":1}"#),
        tool_call(1, "c2", "find", r#"{"town":"Oslo"}"#),
    ];
    events.extend(finish("tool_calls", 1, 1));
    let world = World::compatible(vec![Response::stream(events), says("Found.")]).await;
    let own = tool(json!({"name": "find", "validatesInput": true, "readOnly": true}), Own);
    world.turn_in(None, "go", vec![own]).await;
    let requests = world.provider.requests();
    let outcomes: Vec<&str> = requests[1]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|message| message["role"] == "tool")
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, [r#"{"city":"Oslo"}"#, "Invalid input for tool find: city: name one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_whose_name_begins_with_a_digit_has_another_one_at_gemini_only() {
    let call = json!({"candidates": [{"content": {"parts": [{"functionCall": {"name": "_1st", "args": {}}}]}, "finishReason": "STOP"}]});
    let said = json!({"candidates": [{"content": {"parts": [{"text": "Done."}]}, "finishReason": "STOP"}]});
    let world =
        World::of("gemini", vec![Response::stream([event(&call)]), Response::stream([event(&said)])], json!({})).await;
    let first = tool(json!({"name": "1st", "readOnly": true}), FnTool(|_| Ok(json!("first"))));
    let told = world.turn_in(None, "go", vec![first]).await;
    assert_eq!((told.outcome.status, told.row.content.as_str()), (RunStatus::Succeeded, "Done."));
    let requests = world.provider.requests();
    assert_eq!(requests[0]["tools"][0]["functionDeclarations"][0]["name"], "_1st");
    assert_eq!(requests[1]["contents"][2]["parts"][0]["functionResponse"]["name"], "_1st");
    let called = told.chunks.iter().find(|chunk| chunk["type"] == "tool-output-available");
    assert_eq!(called.unwrap()["output"], "first");
}

/// What pages are told of the turn's failure: by its chunks, by its log, and by its row.
async fn pages_are_told(world: &World) -> (String, [String; 5]) {
    let turn = world.engine.start_turn(request("go", json!({})), Vec::new()).await.unwrap();
    let live = all_chunks(&turn).await;
    let outcome = turn.done().await.unwrap();
    let mut tail = world.engine.tail(&who(), turn.run_id(), TailFrom::Start).await.unwrap();
    let mut followed = Vec::new();
    loop {
        let items = tail.next_batch(16).await.unwrap();
        if items.is_empty() {
            break;
        }
        followed.extend(items.iter().map(|item| serde_json::from_str::<Value>(&item.chunk).unwrap()));
    }
    let of = |chunks: &[Value]| {
        let error = chunks.iter().find(|chunk| chunk["type"] == "error").unwrap();
        let metadata = chunks.iter().map(|chunk| &chunk["messageMetadata"]).find(|told| told["failure"].is_object());
        let metadata = metadata.unwrap();
        assert_eq!(metadata["error"], metadata["failure"]["message"]);
        [error["errorText"].as_str().unwrap().to_owned(), metadata["error"].as_str().unwrap().to_owned()]
    };
    let row = world.engine.messages(&who(), turn.chat_id()).await.unwrap().pop().unwrap();
    let row = serde_json::to_string(&row).unwrap();
    assert!(row.contains("org-77"), "the row has what the provider said");
    let ui = row_to_ui_message(&serde_json::from_str::<StoredRow<'_>>(&row).unwrap(), None);
    let ui: Value = serde_json::from_str(&ui).unwrap();
    assert_eq!(ui["metadata"]["error"], ui["metadata"]["failure"]["message"]);
    let of_chat = json!({"workspaceId": "w1", "userId": "u1", "chatId": turn.chat_id()}).to_string();
    let export: String = serde_json::from_str(&world.engine.call("chats.export", &of_chat).await.unwrap()).unwrap();
    assert_eq!(export.contains("org-77"), ui["metadata"]["error"].as_str().unwrap().contains("org-77"));
    let [live, followed] = [of(&live), of(&followed)];
    let row = ui["metadata"]["error"].as_str().unwrap().to_owned();
    (outcome.error.unwrap(), [live[0].clone(), live[1].clone(), followed[0].clone(), followed[1].clone(), row])
}

fn refuses() -> Response {
    Response::body(401, "application/json", r#"{"error":{"message":"key of org-77 is gone"},"account":"org-77"}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_said_is_not_told_to_pages() {
    let world = World::of("openai-compatible", vec![refuses()], json!({})).await;
    let (error, told) = pages_are_told(&world).await;
    assert!(error.contains("org-77"), "{error}");
    for told in told {
        assert_eq!(told, "The AI provider refused the request: authentication failed (401).");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_told_what_the_provider_said_when_the_host_asks() {
    let world = World::of("openai-compatible", vec![refuses()], json!({"errorText": "provider"})).await;
    let (error, told) = pages_are_told(&world).await;
    for told in told {
        assert_eq!(told, error);
    }
}
