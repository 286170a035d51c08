//! Tools of servers in runs that change hands, and in turns of which nothing is stored.

use serde_json::{Value, json};
use turnkeep::Engine;
use turnkeep::model::RunStatus;
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::mcp::{McpServer, Reply, Speaks};
use turnkeep_tests::processes::Process;
use turnkeep_tests::scenario::{all_chunks, open, request, sql, store_in, who};
use turnkeep_tests::{Response, Script, ScriptedProvider};

/// A model that has a server's `echo` say each of these, one step after another.
async fn provider(words: &[&str]) -> ScriptedProvider {
    let call = |(step, word): (usize, &&str)| {
        let call = tool_call(0, &format!("call_{step}"), "Wiki_echo", &json!({"text": word}).to_string());
        Response::stream([vec![call], finish("tool_calls", 10, 5)].concat())
    };
    let mut responses: Vec<Response> = words.iter().enumerate().map(call).collect();
    responses.push(Response::stream([vec![text("done")], finish("stop", 10, 5)].concat()));
    ScriptedProvider::start(Script { responses, by_step: true, ..Script::default() }).await
}

/// A server with `echo`, which never comes back from saying `hang`.
async fn server() -> McpServer {
    let schema = json!({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]});
    let tools = json!([{"name": "echo", "description": "Says it again.", "inputSchema": schema}]);
    let says = |params: &Value| match params["arguments"]["text"].as_str() {
        Some("hang") => Reply::Never,
        word => Reply::Result(json!({"content": [{"type": "text", "text": word}]})),
    };
    McpServer::start(Speaks::Handshake("2025-11-25"), tools, says).await
}

async fn add(engine: &Engine, server: &McpServer) {
    let params = json!({"workspaceId": "w1", "actor": {"userId": "a1", "isAdmin": true},
        "name": "Wiki", "transport": "http", "url": server.url()});
    engine.call("mcp.create", &params.to_string()).await.unwrap();
}

fn offered(request: &Value) -> Vec<&str> {
    let tools = request["tools"].as_array().map(Vec::as_slice).unwrap_or_default();
    tools.iter().filter_map(|tool| tool["function"]["name"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_takes_a_run_over_from_the_dead_has_the_servers_tools_and_repeats_no_call() {
    let (folder, server) = (tempfile::tempdir().unwrap(), server().await);
    let provider = provider(&["one", "hang", "three"]).await;
    let front = open(folder.path(), &provider.base_url(), json!({"runs": {"leaseMs": 2000}})).await;
    add(&front, &server).await;
    let start = || {
        let arguments = [store_in(folder.path()), provider.base_url(), "500".to_owned()];
        Process::start(env!("CARGO_BIN_EXE_worker-child"), arguments).unwrap()
    };
    let mut first = start();
    let fields = json!({"offeredTools": ["time"], "mcpTools": true});
    let turn = front.start_turn(request("go", fields), Vec::new()).await.unwrap();
    server.until("tools/call", 2).await;
    first.kill();
    let _second = start();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);

    let messages = front.messages(&who(), turn.chat_id()).await.unwrap();
    let parts: Value = serde_json::to_value(messages[1].parts()).unwrap();
    let calls: Vec<&Value> = parts.as_array().unwrap().iter().filter(|part| part["toolCallId"].is_string()).collect();
    let said = |word| json!({"untrusted": true, "server": "Wiki", "content": [{"type": "text", "text": word}]});
    assert_eq!((&calls[0]["output"], &calls[2]["output"]), (&said("one"), &said("three")));
    assert!(calls[1]["errorText"].as_str().unwrap().contains("unknown"), "{}", calls[1]);
    let made = server.seen().into_iter().filter(|seen| seen.what() == "tools/call");
    let words: Vec<Value> = made.map(|seen| seen.message["params"]["arguments"]["text"].clone()).collect();
    assert_eq!(words, ["one", "hang", "three"]);
    for request in provider.requests() {
        assert_eq!(offered(&request), ["Wiki_echo", "time"]);
    }
    front.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_is_not_stored_has_the_servers_tools() {
    let (folder, server) = (tempfile::tempdir().unwrap(), server().await);
    let provider = provider(&["hi"]).await;
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    add(&engine, &server).await;
    let fields = json!({"mcpTools": true, "stateless": {"persona": "You are a parrot."}});
    let turn = engine.start_turn(request("go", fields), Vec::new()).await.unwrap();
    let chunks = all_chunks(&turn).await;
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let outcome = chunks.iter().find(|chunk| chunk["type"] == "tool-output-available").unwrap();
    assert_eq!(outcome["output"]["content"], json!([{"type": "text", "text": "hi"}]));
    assert_eq!((server.count("tools/call"), offered(&provider.requests()[0])), (1, vec!["Wiki_echo"]));
    assert_eq!(sql(folder.path(), "SELECT COUNT(*) FROM ai_chat_messages"), "0");
    engine.close(None).await.unwrap();
    server.until("DELETE", 1).await;
}
