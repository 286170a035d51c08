//! Which addresses the system before took, and what it did with tool servers: recorded, and played with the operations.
//!
//! Reads `../shared/vectors` in place (or below the folder named by `TURNKEEP_SHARED`). Where it is missing, every test
//! here counts as skipped.

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;
use turnkeep::{Engine, EngineOptions, Error, ErrorCode};
use turnkeep_tests::recorded::Played::{self, NotOurs, Same};
use turnkeep_tests::recorded::{self, Intended, plain, same};

type Check = fn(&Player, &Value) -> Result<Played, String>;

const FILES: &[(&str, Check)] = &[("isUrlAllowed", address), ("mcpServersService", service)];

/// What differs on purpose, and why.
const INTENDED: Intended = &[
    (
        "mcpServersService",
        "update changed url ok",
        "headers do not go to another place than the one that they were entered for (secrets.bindToAddress)",
    ),
    ("mcpServersService", "update allowlist []", "an empty list is none, which is shown as it is kept"),
    ("mcpServersService", "update instructions blank", "guidance that says nothing is none"),
];

/// The members of a server that both have.
const SHOWN: [&str; 7] = ["name", "transport", "url", "enabled", "toolAllowlist", "hasHeaders", "instructions"];

struct Player {
    runtime: Runtime,
    engine: Engine,
}

impl Player {
    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime");
        // Nothing private is allowed, unlike in other tests.
        let options = json!({"store": "sqlite::memory:", "appSecret": "an application secret of these tests"});
        let options = EngineOptions::from_json(&options.to_string()).expect("options");
        let engine = runtime.block_on(Engine::open(options)).expect("an engine");
        Self { runtime, engine }
    }

    fn ask(&self, operation: &str, more: &Value) -> Result<Value, Error> {
        let mut params = json!({"workspaceId": "ws", "actor": {"userId": "a", "isAdmin": true}});
        more.as_object().into_iter().flatten().for_each(|(name, value)| params[name] = value.clone());
        let answer = self.runtime.block_on(self.engine.call(operation, &params.to_string()))?;
        Ok(serde_json::from_str(&answer).expect("JSON"))
    }
}

/// A refusal for this reason.
fn refused(result: Result<Value, Error>, reason: &str) -> Result<Played, String> {
    let error = match result {
        Ok(server) => return Err(format!("ours takes {}, recorded is {reason}", server["url"])),
        Err(error) => error,
    };
    if error.code() != ErrorCode::InvalidInput || error.details()["field"] != "url" {
        return Err(format!("ours is {error}, recorded is {reason}"));
    }
    // What is no address at all is said in words of our own.
    match error.message().contains(reason) || !reason.contains("range") {
        true => Ok(Same),
        false => Err(format!("ours is {error}, recorded is {reason}")),
    }
}

fn address(player: &Player, case: &Value) -> Result<Played, String> {
    let server = json!({"name": "n", "transport": "http", "url": case["input"]["url"]});
    let created = player.ask("mcp.create", &server);
    match case["output"]["reason"].as_str() {
        Some(reason) => refused(created, reason),
        None => created.map(|_| Same).map_err(|error| format!("ours is {error}, recorded is ok")),
    }
}

fn shown(server: &Value) -> Value {
    Value::Object(SHOWN.iter().map(|name| ((*name).to_owned(), server[*name].clone())).collect::<Map<_, _>>())
}

fn service(player: &Player, case: &Value) -> Result<Played, String> {
    let (input, output) = (&case["input"], plain(&case["output"]));
    let reason = case["throws"]["message"].as_str().and_then(|message| message.strip_prefix("URL not allowed: "));
    match input["op"].as_str() {
        Some("create") => {
            let created = player.ask("mcp.create", &input["dto"]);
            match reason {
                Some(reason) => refused(created, reason),
                None => same(&shown(&created.map_err(|error| error.to_string())?), &shown(&output["view"])),
            }
        }
        Some("update") => update(player, input, &output, reason),
        // The first is played with all other rows (`vectors`), the other says only that the server was asked.
        _ => Ok(NotOurs),
    }
}

fn update(player: &Player, input: &Value, output: &Value, reason: Option<&str>) -> Result<Played, String> {
    let mut existing = shown(&input["existing"]);
    existing["headers"] = json!({"Old": "o"});
    existing.as_object_mut().expect("an object").remove("hasHeaders");
    let before = player.ask("mcp.create", &existing).map_err(|error| error.to_string())?;
    let mut dto = input["dto"].clone();
    dto["serverId"] = before["id"].clone();
    let updated = player.ask("mcp.update", &dto);
    if let Some(reason) = reason {
        return refused(updated, reason);
    }
    let after = updated.map_err(|error| error.to_string())?;
    // What was written of it; the recorded answer is the row of before.
    let written = &output["log"][0][3];
    let mut expected = shown(&before);
    for (name, value) in written.as_object().into_iter().flatten() {
        match name.as_str() {
            "headersEnc" => expected["hasHeaders"] = json!(!value.is_null()),
            name => expected[name] = value.clone(),
        }
    }
    same(&shown(&after), &expected)
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = FILES
        .iter()
        .map(|(name, check)| {
            let (path, is_here) = recorded::file(name);
            let run = move || {
                let player = Player::new();
                recorded::play(&path, name, INTENDED, |case| check(&player, case)).map_err(Failed::from)
            };
            Trial::test(format!("mcp_vectors::{name}"), run).with_ignored_flag(!is_here)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}
