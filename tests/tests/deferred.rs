//! Tools that a model is told of in a line until it asks for them.

use std::time::Duration;

use serde_json::{Value, json};
use turnkeep::model::RunStatus;
use turnkeep::tool::Tool;
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{FnTool, Hang, all_chunks, open, request, tool};
use turnkeep_tests::{Response, Script, ScriptedProvider};

fn calls(calls: &[(&str, &str)]) -> Response {
    let call = |(place, (name, input)): (usize, &(&str, &str))| {
        tool_call(u32::try_from(place).unwrap(), &format!("{name}_{place}"), name, input)
    };
    Response::stream(calls.iter().enumerate().map(call).chain(finish("tool_calls", 5, 5)))
}

fn answer() -> Response {
    Response::stream([vec![text("done")], finish("stop", 5, 5)].concat())
}

/// `core`, and `first` and `second`, which are deferred.
fn tools() -> Vec<Tool> {
    let same = || FnTool(|input: Value| Ok(json!({"got": input})));
    vec![
        tool(json!({"name": "first", "tier": "deferred", "catalogLine": "Does the first thing"}), same()),
        tool(json!({"name": "core", "description": "Is always there"}), same()),
        tool(json!({"name": "second", "tier": "deferred", "description": "Does the second thing\nAnd more"}), same()),
    ]
}

/// The names of the tools of each request.
fn told(provider: &ScriptedProvider) -> Vec<Vec<String>> {
    let names = |request: &Value| {
        let tools = request["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
        tools.iter().map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect()
    };
    provider.requests().iter().map(names).collect()
}

fn outcome(chunks: &[Value], call: &str) -> Value {
    let is_outcome = |chunk: &&Value| {
        chunk["toolCallId"] == call && chunk["type"].as_str().is_some_and(|kind| kind.starts_with("tool-output"))
    };
    chunks.iter().find(is_outcome).unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_tool_is_told_in_a_line_and_callable_after_it_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::start(Script {
        responses: vec![
            calls(&[("second", "{}"), ("loadTools", r#"{"names":["second","none"]}"#)]),
            calls(&[("second", r#"{"a":1}"#)]),
            calls(&[("loadTools", r#"{"names":["first","second"]}"#)]),
            answer(),
            answer(),
        ],
        ..Script::default()
    })
    .await;
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let turn = engine.start_turn(request("go", json!({})), tools()).await.unwrap();
    let chunks = all_chunks(&turn).await;
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    assert_eq!(
        told(&provider),
        [
            vec!["core", "loadTools"],
            vec!["core", "loadTools", "second"],
            vec!["core", "loadTools", "second"],
            vec!["core", "loadTools", "second", "first"],
        ]
    );
    let catalogue = provider.requests()[0]["tools"][1]["function"]["description"].as_str().unwrap().to_owned();
    assert!(catalogue.ends_with("\n- first: Does the first thing\n- second: Does the second thing"), "{catalogue}");
    let too_early = outcome(&chunks, "second_0");
    assert!(too_early["errorText"].as_str().unwrap().contains("Call loadTools"), "{too_early}");
    assert_eq!(outcome(&chunks, "loadTools_1")["output"], json!({"loaded": ["second"], "unknown": ["none"]}));
    assert!(chunks.iter().any(|chunk| chunk["output"] == json!({"got": {"a": 1}})));

    // The next turn begins anew.
    let again = engine.start_turn(request("go", json!({"chatId": turn.chat_id()})), tools()).await.unwrap();
    again.done().await.unwrap();
    assert_eq!(told(&provider)[4], ["core", "loadTools"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_goes_on_with_a_run_has_the_tools_that_it_has_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::start(Script {
        responses: vec![calls(&[("loadTools", r#"{"names":["first"]}"#)]), calls(&[("first", "{}")]), answer()],
        by_step: true,
        ..Script::default()
    })
    .await;
    let limits = json!({"runs": {"leaseMs": 300}});
    let front = open(folder.path(), &provider.base_url(), limits.clone()).await;
    let other = open(folder.path(), &provider.base_url(), limits.clone()).await;
    let hangs = tool(json!({"name": "first", "tier": "deferred", "idempotent": true}), Hang);
    other.offer_tools(vec![hangs]).unwrap();
    let fields = json!({"offeredTools": ["first"]});
    let turn = front.start_turn(request("go", fields), Vec::new()).await.unwrap();
    provider.until_requests(2).await;
    other.close(Some(Duration::ZERO)).await.unwrap();
    let next = open(folder.path(), &provider.base_url(), limits).await;
    let idempotent = json!({"name": "first", "tier": "deferred", "idempotent": true});
    next.offer_tools(vec![tool(idempotent, FnTool(|_| Ok(json!("first"))))]).unwrap();
    all_chunks(&turn).await;
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let told = told(&provider);
    assert_eq!(told[0], ["loadTools"]);
    assert!(told.len() >= 3 && told[1..].iter().all(|names| names == &["loadTools", "first"]), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_of_the_host_s_cannot_take_the_place_of_the_one_that_loads_others() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::start(Script { responses: vec![answer()], ..Script::default() }).await;
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let own = || tool(json!({"name": "loadTools"}), FnTool(|_| Ok(Value::Null)));
    let both = [tools(), vec![own()]].concat();
    let error = engine.start_turn(request("go", json!({})), both).await.err().unwrap();
    assert_eq!(error.details()["field"], "tools[3].name");
    // Where nothing is deferred, it is a name like any other.
    engine.start_turn(request("go", json!({})), vec![own()]).await.unwrap().done().await.unwrap();
    assert_eq!(told(&provider), [["loadTools"]]);
}
