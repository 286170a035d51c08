//! Large outputs of tools: a page is shown the same while they come and after a reload, and a model is told what it needs.

use serde_json::{Value, json};
use turnkeep::model::Message;
use turnkeep::project::{StoredRow, row_to_ui_message};
use turnkeep::tool::Tool;
use turnkeep::{Engine, HostedRequest, TailFrom, Turn};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{FnTool, all_chunks, open, request, tool, who};
use turnkeep_tests::{Response, Script, ScriptedProvider};

/// A list of records, as a search returns it: some 30,000 bytes.
fn pages() -> Value {
    (0..300).map(|n| json!({"id": n, "title": format!("Page {n}"), "snippet": "words ".repeat(10)})).collect()
}

fn search(more: Value) -> Vec<Tool> {
    let mut definition = json!({"name": "search", "readOnly": true});
    for (key, value) in more.as_object().unwrap() {
        definition[key] = value.clone();
    }
    vec![tool(definition, FnTool(|_| Ok(pages())))]
}

fn script(turns: usize) -> Script {
    let call = Response::stream([vec![tool_call(0, "call_1", "search", "{}")], finish("tool_calls", 1, 1)].concat());
    let answer = Response::stream([vec![text("ok")], finish("stop", 1, 1)].concat());
    Script { responses: vec![call, answer].into_iter().cycle().take(2 * turns).collect(), ..Script::default() }
}

/// What the chunks say of the call's output, and the metadata that they add up to.
fn told(chunks: &[Value]) -> (Value, Value) {
    let outputs: Vec<&Value> = chunks.iter().filter(|chunk| chunk["type"] == "tool-output-available").collect();
    assert_eq!(outputs.len(), 1);
    let mut metadata = json!({});
    for (name, value) in chunks.iter().filter_map(|chunk| chunk["messageMetadata"].as_object()).flatten() {
        metadata[name] = value.clone();
    }
    (outputs[0]["output"].clone(), metadata["truncatedOutputs"].clone())
}

/// The same of a stored row, as a page is given it.
fn stored(message: &Message) -> (Value, Value) {
    let row = serde_json::to_string(message).unwrap();
    let ui = row_to_ui_message(&serde_json::from_str::<StoredRow<'_>>(&row).unwrap(), None);
    let ui: Value = serde_json::from_str(&ui).unwrap();
    let part = ui["parts"].as_array().unwrap().iter().find(|part| part["type"] == "tool-search").unwrap();
    assert_eq!(part.get("shownBytes"), None);
    (part["output"].clone(), ui["metadata"]["truncatedOutputs"].clone())
}

/// What a page has of the turn live, from a snapshot of its log and from its row.
async fn seen(engine: &Engine, turn: &Turn) -> [(Value, Value); 3] {
    let live = all_chunks(turn).await;
    turn.done().await.unwrap();
    let mut tail = engine.tail(&who(), turn.run_id(), TailFrom::Snapshot).await.unwrap();
    let mut replayed = Vec::new();
    loop {
        let items = tail.next_batch(16).await.unwrap();
        if items.is_empty() {
            break;
        }
        replayed.extend(items.iter().map(|item| serde_json::from_str::<Value>(&item.chunk).unwrap()));
    }
    let messages = engine.messages(&who(), turn.chat_id()).await.unwrap();
    [told(&live), told(&replayed), stored(messages.last().unwrap())]
}

/// What the model was told of the call in this request.
fn told_to_the_model(request: &Value) -> String {
    let messages = request["messages"].as_array().unwrap();
    let outcome = messages.iter().find(|message| message["role"] == "tool").unwrap();
    outcome["content"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_after_a_reload_what_it_had_while_it_came() {
    let provider = ScriptedProvider::start(script(2)).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let turn = engine.start_turn(request("go", json!({})), search(json!({}))).await.unwrap();
    for (output, truncated) in seen(&engine, &turn).await {
        assert_eq!((output, truncated), (pages(), Value::Null));
    }
    let again = request("again", json!({"chatId": turn.chat_id()}));
    engine.start_turn(again, search(json!({}))).await.unwrap().done().await.unwrap();
    // Whole to the model that called the tool; of an earlier turn it is told the compact form.
    let requests = provider.requests();
    assert_eq!(serde_json::from_str::<Value>(&told_to_the_model(&requests[1])).unwrap(), pages());
    let compact: Value = serde_json::from_str(&told_to_the_model(&requests[2])).unwrap();
    assert_eq!(compact.as_array().unwrap().len(), 51);
    assert_eq!(compact[50], json!({"_truncated": true, "omittedItems": 250}));
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_its_limit_an_output_keeps_its_shape_and_says_so_beside_it() {
    let provider = ScriptedProvider::start(script(2)).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), &provider.base_url(), json!({"runs": {"shownOutputBytes": 5_000}})).await;
    for (limit, more) in [(5_000, json!({})), (2_000, json!({"shownOutputBytes": 2_000}))] {
        let turn = engine.start_turn(request("go", json!({})), search(more)).await.unwrap();
        let [live, replayed, row] = seen(&engine, &turn).await;
        assert_eq!((&live, &live), (&replayed, &row));
        let (output, truncated) = live;
        assert!(output.to_string().len() <= limit);
        let (shown, whole) = (output.as_array().unwrap(), pages());
        assert!(shown.len() > 5 && shown.as_slice() == &whole.as_array().unwrap()[..shown.len()]);
        assert_eq!(truncated, json!({"call_1": whole.to_string().len()}));
    }
    for told in provider.requests().iter().skip(1).step_by(2).map(told_to_the_model) {
        assert_eq!(serde_json::from_str::<Value>(&told).unwrap(), pages());
    }
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_holds_for_runs_that_a_host_drives() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path(), "http://127.0.0.1:9/v1", json!({"runs": {"shownOutputBytes": 2_000}})).await;
    let begin = json!({"workspaceId": "w1", "userId": "u1", "message": "go"});
    let run = engine.begin_run(serde_json::from_value::<HostedRequest>(begin).unwrap()).await.unwrap();
    let step = json!({"toolCalls": [{"toolCallId": "call_1", "toolName": "search", "input": {}}],
        "toolResults": [{"toolCallId": "call_1", "output": pages()}], "finishReason": "tool-calls"});
    engine.record_step(&who(), run.run_id, serde_json::from_value(step).unwrap()).await.unwrap();
    let messages = engine.messages(&who(), run.chat_id).await.unwrap();
    let (output, truncated) = stored(messages.last().unwrap());
    assert!(output.as_array().is_some_and(|list| !list.is_empty()) && output.to_string().len() <= 2_000);
    assert_eq!(truncated, json!({"call_1": pages().to_string().len()}));
    engine.close(None).await.unwrap();
}
