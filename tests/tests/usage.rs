//! The ledger of calls to providers: what it says of turns, titles and vectors, and that a budget of many holds.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use turnkeep::model::{RunReason, RunStatus};
use turnkeep::{Engine, ErrorCode};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{FnTool, open, request, tool};
use turnkeep_tests::{Response, Script, ScriptedProvider, Then, table};

async fn report(engine: &Engine, more: Value) -> Value {
    let mut params = json!({"workspaceId": "w1", "actor": {"userId": "boss", "isAdmin": true}});
    more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
    serde_json::from_str(&engine.call("usage.report", &params.to_string()).await.unwrap()).unwrap()
}

fn saying(answer: &str, input: u64, output: u64) -> Response {
    Response::stream([vec![text(answer)], finish("stop", input, output)].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_is_as_it_says() {
    let (folder, provider) = (tempfile::tempdir().unwrap(), ScriptedProvider::start(Script::default()).await);
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let (played, wrong) = table::play(&engine, include_str!("../usage.json")).await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(played >= 25);
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_in_the_ledger() {
    let call = [vec![text("I look. "), tool_call(0, "c", "look", "{}")], finish("tool_calls", 1_000, 100)].concat();
    let responses = vec![
        Response::stream(call),
        saying("There it is.", 2_000, 200),
        // The chat's name.
        saying("A title", 30, 3),
        // One that is stopped.
        Response::stream([text("123456789")]).then(Then::Hang),
    ];
    let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let options = json!({
        "generateChatTitles": true,
        "prices": {"test-model": {"input": 1.0, "output": 10.0}},
    });
    let engine = open(folder.path(), &provider.base_url(), options).await;
    let look = tool(json!({"name": "look", "readOnly": true}), FnTool(|_| Ok(json!("seen"))));
    let turn = engine.start_turn(request("go", json!({})), vec![look]).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let chat = turn.chat_id().to_string();
    loop {
        let kinds = report(&engine, json!({"by": ["kind", "model", "chat", "user"]})).await;
        if kinds["lines"].as_array().unwrap().len() < 2 {
            tokio::task::yield_now().await;
            continue;
        }
        let mut found = BTreeMap::new();
        for line in kinds["lines"].as_array().unwrap() {
            let whose = (line["model"].as_str(), line["chatId"].as_str(), line["userId"].as_str());
            assert_eq!(whose, (Some("test-model"), Some(chat.as_str()), Some("u1")));
            found.insert(line["kind"].as_str().unwrap(), [&line["calls"], &line["inputTokens"], &line["outputTokens"]]);
        }
        assert_eq!(found["step"], [&json!(2), &json!(3_000), &json!(300)]);
        assert_eq!(found["title"], [&json!(1), &json!(30), &json!(3)]);
        let cost = kinds["total"]["cost"].as_f64().unwrap();
        assert!((cost - (3_030.0 + 3_030.0) / 1e6).abs() < 1e-12 && kinds["total"]["unpricedCalls"] == 0, "{kinds}");
        break;
    }
    // What a stopped call has used is estimated, and said to be.
    let turn = engine.start_turn(request("again", json!({"chatId": chat})), Vec::new()).await.unwrap();
    let mut reader = turn.chunks();
    while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("123456789")) {}
    turn.stop().await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Aborted);
    let total = report(&engine, json!({})).await["total"].clone();
    assert_eq!(
        (&total["calls"], &total["estimatedCalls"], &total["outputTokens"]),
        (&json!(4), &json!(1), &json!(306))
    );
    assert!(total["inputTokens"].as_u64().unwrap() > 3_030, "its prompt counts, too: {total}");
    engine.close(None).await.unwrap();
}

/// Many runs at once on what two engines may use together. A call uses more than was set aside for it, which is what they may
/// go beyond it by.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_runs_at_once_keep_to_a_budget() {
    const RUNS: usize = 1_000;
    const BUDGET: u64 = 100_000;
    const USED: u64 = 2_000;
    const ASIDE: u64 = 1_000;
    let answer = Response { chunk_delay_ms: 20, ..saying("hi", USED - 10, 10) };
    let provider = ScriptedProvider::start(Script { responses: vec![answer], repeat: true, ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let options = json!({"limits": {"workspaceTokens": {"max": BUDGET, "windowMs": 3_600_000}}});
    let engines = [
        open(folder.path(), &provider.base_url(), options.clone()).await,
        open(folder.path(), &provider.base_url(), options).await,
    ];
    let turns = (0..RUNS).map(|number| {
        let engine = engines[number % 2].clone();
        tokio::spawn(async move {
            match engine.start_turn(request("go", json!({})), Vec::new()).await {
                Ok(turn) => {
                    let outcome = turn.done().await.unwrap();
                    (outcome.status, outcome.reason)
                }
                Err(error) if error.code() == ErrorCode::BudgetExhausted => (RunStatus::Failed, None),
                Err(error) => panic!("{error}"),
            }
        })
    });
    let mut succeeded = 0;
    for turn in turns.collect::<Vec<_>>() {
        match turn.await.unwrap() {
            (RunStatus::Succeeded, None) => succeeded += 1,
            (RunStatus::Aborted, Some(RunReason::Budget)) | (RunStatus::Failed, None) => {}
            other => panic!("{other:?}"),
        }
    }
    let total = report(&engines[0], json!({})).await["total"].clone();
    let used = total["totalTokens"].as_u64().unwrap();
    assert_eq!((used, total["calls"].as_u64().unwrap()), (succeeded * USED, succeeded));
    // At most so many calls were in flight when the last one was let through.
    let in_flight = BUDGET / ASIDE + 1;
    assert!(used >= BUDGET && used <= BUDGET + in_flight * (USED - ASIDE), "{total}");
    let refused = engines[1].start_turn(request("go", json!({})), Vec::new()).await.err();
    assert_eq!(refused.map(|error| error.code()), Some(ErrorCode::BudgetExhausted));
    for engine in engines {
        engine.close(None).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_between_two_steps_when_the_workspace_has_used_its_tokens() {
    let call = [vec![tool_call(0, "c", "look", "{}")], finish("tool_calls", 5_000, 100)].concat();
    let responses = vec![Response::stream(call), saying("never", 1, 1)];
    let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let options = json!({"limits": {"workspaceTokens": {"max": 5_100, "windowMs": 3_600_000}}});
    let engine = open(folder.path(), &provider.base_url(), options).await;
    let look = tool(json!({"name": "look", "readOnly": true}), FnTool(|_| Ok(json!("seen"))));
    let turn = engine.start_turn(request("go", json!({})), vec![look]).await.unwrap();
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Budget)));
    assert_eq!((outcome.step_count, provider.requests().len()), (1, 1), "nobody was asked again");
    assert_eq!(report(&engine, json!({})).await["total"]["calls"], 1);
    // Nor is anybody for anything else.
    let given = json!({"driver": "openai-compatible", "model": "m", "baseUrl": provider.base_url(), "apiKey": "k"});
    for (operation, more) in [("embed", json!({"texts": ["t"]})), ("generateTitle", json!({"content": "c"}))] {
        let mut params = json!({"workspaceId": "w1", "provider": given});
        more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
        let refused = engine.call(operation, &params.to_string()).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::BudgetExhausted, "{operation}");
    }
    assert_eq!(provider.requests().len(), 1);
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_try_of_the_settings_is_a_call() {
    let provider = ScriptedProvider::start(Script { responses: vec![saying("pong", 3, 1)], ..Script::default() }).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let tried = engine.call("settings.test", r#"{"workspaceId":"w1"}"#).await.unwrap();
    assert_eq!(tried, r#"{"ok":true}"#);
    let line = report(&engine, json!({"by": ["kind"]})).await["lines"][0].clone();
    assert_eq!((&line["kind"], &line["calls"], &line["totalTokens"]), (&json!("test"), &json!(1), &json!(4)));
    engine.close(None).await.unwrap();
}
