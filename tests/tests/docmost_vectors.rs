//! What the system before told a model of its tools, and made of what Docmost said: recorded, and played with ours.
//!
//! Reads `../shared/vectors` in place (or below the folder named by `TURNKEEP_SHARED`). Where it is missing, every test
//! here counts as skipped.

use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Value, json};
use turnkeep::Engine;
use turnkeep::docmost;
use turnkeep_tests::docmost::{Answer, DocmostServer};
use turnkeep_tests::recorded::Played::{self, NotOurs, Same};
use turnkeep_tests::recorded::{self, Intended, plain, same};
use turnkeep_tests::scenario::{all_chunks, options, request};
use turnkeep_tests::shapes::response;
use turnkeep_tests::{Script, ScriptedProvider};

type Check = fn(&Player, &Value) -> Result<Played, String>;

const FILES: &[(&str, Check)] =
    &[("clientResultShapes", shape), ("parseNodeArg", node), ("toolCatalogue", catalogue), ("toolExecute", execute)];

/// What differs on purpose, and why.
const INTENDED: Intended = &[
    ("toolExecute", "searchPages {} search", "the query is required, as the catalogue says, and asked for by its name"),
    (
        "toolExecute",
        "createPage {\"title\":\"T\",\"spaceId\":\"s\",\"parentPageId\":\"pp\"} createPage",
        "the content is required, as the catalogue says, and asked for by its name",
    ),
];

/// What the documents of other cases of its file are.
struct Player {
    runtime: tokio::runtime::Runtime,
    document: Mutex<Value>,
}

fn main() {
    let trial = |(name, check): &(&'static str, Check)| {
        let ((path, is_here), name, check) = (recorded::file(name), *name, *check);
        let play = move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            let player = Player { runtime, document: Mutex::default() };
            recorded::play(&path, name, INTENDED, |case| check(&player, case)).map_err(Failed::from)
        };
        Trial::test(format!("docmost_vectors::{name}"), play).with_ignored_flag(!is_here)
    };
    libtest_mimic::run(&Arguments::from_args(), FILES.iter().map(trial).collect()).exit();
}

/// A schema without what is said of its parameters in words.
fn without_words(mut schema: Value) -> Value {
    for parameter in schema["properties"].as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        parameter.as_object_mut().map(|members| members.remove("description"));
    }
    schema
}

fn catalogue(_: &Player, case: &Value) -> Result<Played, String> {
    let (name, theirs) = (case["name"].as_str().unwrap_or_default(), &case["output"]["jsonSchema"]);
    let Some(ours) = docmost::definitions(None).into_iter().find(|tool| tool.name == name) else {
        return Ok(NotOurs);
    };
    let mut theirs = theirs.clone();
    theirs.as_object_mut().map(|members| members.remove("$schema"));
    same(&without_words(ours.input_schema.read().map_err(|error| error.to_string())?), &theirs)
}

fn shape(player: &Player, case: &Value) -> Result<Played, String> {
    let (input, expected) = (plain(&case["input"]), plain(&case["output"]));
    let document = player.document.lock().expect("no panic").clone();
    let reference = input["ref"].as_str().unwrap_or_default();
    let ours = match input["helper"].as_str().unwrap_or_default() {
        "filterWorkspace" => docmost::workspace_shape(&input["value"]),
        "filterSpace" => docmost::space_shape(&input["value"]),
        // With a page's content: that is what getPage reads.
        "filterPage" if expected.get("content").is_some() => return Ok(NotOurs),
        "filterPage" => docmost::page_shape(&input["value"]),
        "filterComment" => docmost::comment_shape(&input["value"]),
        "buildOutline" => {
            *player.document.lock().expect("no panic") = input["doc"].clone();
            docmost::outline(&input["doc"])
        }
        "getNodeByRef" => match docmost::node_by_ref(&document, reference) {
            Some((path, node)) => json!({"node": node, "path": path, "type": node["type"]}),
            None => Value::Null,
        },
        "readTable" => docmost::read_table(&document, reference).unwrap_or_default(),
        // Ours changes nothing where several are meant, and counts them before.
        "replaceNodeById" | "deleteNodeById" => {
            json!(docmost::count_of_id(&document, input["id"].as_str().unwrap_or_default()))
        }
        "assertUnambiguousMatch" => {
            let mut document = document;
            let refused = docmost::delete_node(&mut document, "nobody has this id").is_err();
            return if refused && case.get("throws").is_some() { Ok(Same) } else { Err("was taken".to_owned()) };
        }
        "insertNodeRelative" => return inserted(document, &input["opts"], case),
        _ => return Ok(NotOurs),
    };
    same(&ours, &expected)
}

fn inserted(mut document: Value, options: &Value, case: &Value) -> Result<Played, String> {
    if case.get("throws").is_some() {
        let row = json!({"type": "tableRow", "content": []});
        let outcome = docmost::insert_node(&mut document, row, docmost::InsertAt::Append);
        return outcome.map_or(Ok(Same), |()| Err("was taken".to_owned()));
    }
    let option = |name: &str| options[name].as_str();
    let after = option("position") == Some("after");
    let at = docmost::InsertAt::Beside { after, id: option("anchorNodeId"), text: option("anchorText") };
    docmost::insert_node(&mut document, json!({"type": "paragraph", "attrs": {"id": "new"}}), at)?;
    let name = |node: &Value| node.pointer("/attrs/id").unwrap_or(&node["type"]).clone();
    let names: Vec<Value> = document["content"].as_array().into_iter().flatten().map(name).collect();
    same(&json!({"inserted": true, "topLevelIds": names}), &plain(&case["output"]))
}

fn node(_: &Player, case: &Value) -> Result<Played, String> {
    // What JavaScript has and JSON has not, and whether a value is the same object.
    let has_tags = ["$num", "$utf16", "$entries", "$special", "$undef"];
    if has_tags.iter().any(|tag| case["output"].to_string().contains(tag) || case["input"].to_string().contains(tag)) {
        return Ok(NotOurs);
    }
    match (docmost::as_node(&case["input"]["node"], "node"), case.get("throws")) {
        (Err(told), Some(_)) if told.contains("\"node\"") => Ok(Same),
        (Ok(ours), None) => same(&ours, &case["output"]),
        (ours, _) => Err(format!("{ours:?}")),
    }
}

/// Where a question of the client that was recorded is asked.
const PATHS: &[(&str, &str)] = &[
    ("getPage", "/pages/info"),
    ("createPage", "/pages/create"),
    ("updatePage", "/pages/update"),
    ("createComment", "/comments/create"),
    ("search", "/search"),
];

fn execute(player: &Player, case: &Value) -> Result<Played, String> {
    let (input, expected) = (plain(&case["input"]), plain(&case["output"]));
    let tool = input["tool"].as_str().unwrap_or_default();
    let is_known = tool == "getCurrentPage" || docmost::definitions(None).iter().any(|known| known.name == tool);
    let by_index = input["services"]["hybrid"].as_str().is_some_and(|hybrid| hybrid != "no hits");
    // A document of its own, what a client that was made up says of itself, and what our index of pages finds.
    if !is_known || tool == "exportPageMarkdown" || expected["result"].get("reply").is_some() || by_index {
        return Ok(NotOurs);
    }
    let replies = input["clientReplies"].clone();
    let outcome = player.runtime.block_on(outcome(tool, &input["args"], &input["openedPage"], replies));
    match (outcome, expected["throws"].is_string()) {
        (Err(_), true) => Ok(Same),
        (Ok(ours), false) => same(&ours, &expected["result"]),
        (outcome, _) => Err(format!("{outcome:?}")),
    }
}

/// What a call comes to in a turn, of a server that says this.
async fn outcome(tool: &str, arguments: &Value, page: &Value, replies: Value) -> Result<Value, String> {
    let server = DocmostServer::start(move |asked| {
        let method = PATHS.iter().find(|(_, path)| *path == asked.path).map(|(method, _)| *method);
        match method.and_then(|method| replies.get(method)) {
            Some(reply) if reply.get("throws").is_some() => Answer::Status(403, "application/json", "{}".to_owned()),
            Some(reply) if reply.get("data").is_some() => Answer::Data(reply["data"].clone()),
            Some(reply) => Answer::Status(200, "application/json", reply.to_string()),
            None => Answer::Data(json!({"id": "x", "pageId": "p", "spaceId": "s", "items": []})),
        }
    })
    .await;
    let load = response("openai-compatible", "", &[("call_0", "loadTools", json!({"names": [tool]}))]);
    let call = response("openai-compatible", "", &[("call_1", tool, arguments.clone())]);
    let done = response("openai-compatible", "ok", &[]);
    let script = Script { responses: vec![load, call, done], by_step: true, ..Script::default() };
    let provider = ScriptedProvider::start(script).await;
    let engine = Engine::open(options("sqlite::memory:", &provider.base_url(), json!({}))).await.expect("an engine");
    let access = json!({"docmost": {"baseUrl": server.url(), "token": "t", "editInPlace": true}, "openPage": page});
    let turn = engine.start_turn(request("go", access), Vec::new()).await.expect("a turn");
    let chunks = Arc::new(all_chunks(&turn).await);
    engine.close(None).await.expect("closed");
    let of_call = |chunk: &&Value| {
        chunk["toolCallId"] == "call_1" && (chunk.get("output").is_some() || chunk.get("errorText").is_some())
    };
    let ended = chunks.iter().rev().find(of_call).ok_or("the call came to nothing")?;
    match ended["errorText"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(ended["output"].clone()),
    }
}
