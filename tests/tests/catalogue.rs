//! The schemas of the tools that the system before offered, in whole turns: what a model is told of a tool is what the tool says.

use serde_json::{Value, json};
use turnkeep::model::RunStatus;
use turnkeep::tool::Tool;
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::recorded::{self, Played, same};
use turnkeep_tests::scenario::{FnTool, open, request, tool};
use turnkeep_tests::{Response, Script, ScriptedProvider};

/// The name of a recorded tool: what stands before it says where it was offered.
fn name_of(case: &Value) -> &str {
    let name = case["name"].as_str().unwrap();
    name.rsplit(':').next().unwrap_or(name)
}

/// The recorded tools with what they say of their input.
fn recorded_tools(path: &std::path::Path) -> Vec<(String, Value)> {
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let with_schema = cases.iter().filter(|case| case["output"]["jsonSchema"].is_object());
    with_schema.map(|case| (name_of(case).to_owned(), case["output"]["jsonSchema"].clone())).collect()
}

/// What the provider was told of each tool, in a turn that has loaded all of them if they are deferred.
async fn told(tools: &[(String, Value)], tier: &str) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<&String> = tools.iter().map(|(name, _)| name).collect();
    let load = tool_call(0, "call_1", "loadTools", &json!({"names": names}).to_string());
    let mut responses = vec![Response::stream([vec![text("done")], finish("stop", 5, 5)].concat())];
    if tier == "deferred" {
        responses.insert(0, Response::stream([vec![load], finish("tool_calls", 5, 5)].concat()));
    }
    let provider = ScriptedProvider::start(Script { responses, ..Script::default() }).await;
    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let given = |(name, schema): &(String, Value)| -> Tool {
        tool(json!({"name": name, "inputSchema": schema, "tier": tier}), FnTool(|_| Ok(Value::Null)))
    };
    let turn = engine.start_turn(request("go", json!({})), tools.iter().map(given).collect()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Succeeded);
    let request = provider.requests().pop().unwrap();
    request["tools"].as_array().unwrap().iter().map(|tool| tool["function"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_told_of_recorded_tools_what_they_say() {
    let (path, is_here) = recorded::file("toolCatalogue");
    if !is_here {
        return;
    }
    let tools = recorded_tools(&path);
    for tier in ["core", "deferred"] {
        let told = told(&tools, tier).await;
        let of_tool = |name: &str| told.iter().find(|tool| tool["name"] == name).map(|tool| tool["parameters"].clone());
        recorded::play(&path, "toolCatalogue", &[], |case| match &case["output"]["jsonSchema"] {
            Value::Null => Ok(Played::NotOurs),
            schema => same(&of_tool(name_of(case)).ok_or("the model was not told of it")?, schema),
        })
        .unwrap();
    }
}
