//! What the system before did with roles and cursors, and what its endpoints took: recorded, and played with the operations.
//!
//! Reads `../shared/vectors` in place (or below the folder named by `TURNKEEP_SHARED`). Where it is missing, every test
//! here counts as skipped.

use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Map, Value, json};
use turnkeep::clock::{Clock, Timestamp};
use turnkeep::model::{CallKind, CallTokens, Json, Place, Usage, decode_cursor, encode_cursor};
use turnkeep::project::public::{
    ShareAccess, TurnedAway, checked_transcript, public_transcript, share_access, turned_away,
};
use turnkeep::project::{OpenPage, PromptLayers, build_public_prompt};
use turnkeep::role::{normalize_model_config, stored_model_config, trimmed};
use turnkeep::settings::SettingsPatch;
use turnkeep::store::{LedgerCall, LimitOf, LimitStore, MemoryStore, TokenLimit, UsageStore};
use turnkeep::text::{counted_len, utf16_len};
use turnkeep::{Engine, EngineOptions, Error, ErrorCode, TurnRequest};
use turnkeep_tests::recorded::Played::{self, NotOurs, Same};
use turnkeep_tests::recorded::{self, Intended, plain, same};
use uuid::Uuid;

type Check = fn(&Player, &Value) -> Result<Played, String>;

const FILES: &[(&str, Check)] = &[
    ("PublicShareWorkspaceLimiter", public_requests),
    ("PublicShareWorkspaceTokenBudget", public_tokens),
    ("agentRolesService", service),
    ("buildShareSystemPrompt", public_prompt),
    ("cursorCodec", cursor),
    ("deriveShareAccess", access),
    ("dtoValidation", validation),
    ("evaluateShareAssistantFunnel", funnel),
    ("filterShareTranscript", transcript),
    ("resolveShareAssistantRequest", visitor),
    ("shareTurnUsage", used),
    ("roleNormalizers", normalizer),
    ("validatorLength", length),
];

/// What differs on purpose, and why.
const INTENDED: Intended = &[
    ("resolveShareAssistantRequest", "null part throws", "it is refused by its place; the original broke"),
    ("resolveShareAssistantRequest", "messages missing", "there is nothing to answer"),
    ("resolveShareAssistantRequest", "system role is not rejected here", "nothing that counts was said"),
    (
        "resolveShareAssistantRequest",
        "30 messages ok",
        "their last one says nothing, so that there is nothing to answer",
    ),
    ("shareTurnUsage", r#"{"totalTokens":0,"inputTokens":5}"#, "a total of nothing is none"),
    (
        "agentRolesService",
        r#"create {"name":"R","instructions":"I","emoji":null}"#,
        "null is none; the original broke (defect 17)",
    ),
    (
        "dtoValidation",
        r#"CreateAgentRoleDto {"name":"","instructions":"do"}"#,
        "the operation is the check and the service, which refuses it",
    ),
    (
        "dtoValidation",
        r#"UpdateAgentRoleDto {"instructions":""}"#,
        "the operation is the check and the service, which refuses it",
    ),
    (
        "dtoValidation",
        r#"CreateAgentRoleDto {"name":"R","instructions":"do","unknown":1}"#,
        "a parameter that nobody knows is refused by its name",
    ),
    ("dtoValidation", r#"TestAiConnectionDto {"capability":null}"#, "null is no capability"),
    (
        "dtoValidation",
        r#"GetChatMessagesDto {"chatId":"x","cursor":"c"}"#,
        "a cursor that none can be is refused by its name; the original broke (defect 17)",
    ),
    (
        "dtoValidation",
        r#"PaginationOptions {"beforeCursor":"x"}"#,
        "a cursor that none can be is refused by its name; the original broke (defect 17)",
    ),
];

/// An engine, and the workspaces of cases that know nothing of each other.
struct Player {
    runtime: tokio::runtime::Runtime,
    engine: Engine,
    workspaces: std::cell::Cell<usize>,
}

impl Player {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let options = EngineOptions::from_json(r#"{"store":"sqlite::memory:","chats":{"ids":"any"}}"#);
        let engine = runtime.block_on(Engine::open(options.expect("options"))).expect("an engine");
        Self { runtime, engine, workspaces: std::cell::Cell::new(0) }
    }

    fn workspace(&self) -> String {
        self.workspaces.set(self.workspaces.get() + 1);
        format!("ws{}", self.workspaces.get())
    }

    fn call(&self, operation: &str, params: &Value) -> Result<Value, Error> {
        let answer = self.runtime.block_on(self.engine.call(operation, &params.to_string()))?;
        Ok(serde_json::from_str(&answer).expect("JSON"))
    }

    /// Asks as an administrator of this workspace.
    fn ask(&self, workspace: &str, operation: &str, more: &Value) -> Result<Value, Error> {
        let actor = json!({"userId": "u", "isAdmin": true});
        self.call(operation, &with(&json!({"workspaceId": workspace, "actor": actor}), more))
    }

    fn role(&self, workspace: &str, more: &Value) -> Value {
        let role = with(&json!({"name": "R", "instructions": "I"}), more);
        self.ask(workspace, "roles.create", &role).expect("a role")
    }
}

fn with(base: &Value, more: &Value) -> Value {
    let mut all = base.clone();
    more.as_object().into_iter().flatten().for_each(|(name, value)| all[name] = value.clone());
    all
}

fn main() {
    let trial = |(name, check): &(&'static str, Check)| {
        let ((path, is_here), name, check) = (recorded::file(name), *name, *check);
        let play = move || {
            let player = Player::new();
            recorded::play(&path, name, INTENDED, |case| check(&player, &plain(case))).map_err(Failed::from)
        };
        Trial::test(format!("service_vectors::{name}"), play).with_ignored_flag(!is_here)
    };
    libtest_mimic::run(&Arguments::from_args(), FILES.iter().map(trial).collect()).exit();
}

fn code(expected: ErrorCode, outcome: Result<Value, Error>) -> Result<Played, String> {
    match outcome {
        Err(error) if error.code() == expected => Ok(Same),
        outcome => Err(format!("{outcome:?} and not {expected}")),
    }
}

/// A view without what is different each time; its members in their order.
fn lasting(view: &Value) -> Value {
    let mut view = view.clone();
    for name in ["id", "createdAt", "updatedAt"] {
        if let Some(member) = view.get_mut(name) {
            *member = json!(member.is_string());
        }
    }
    // `Value` compares members in any order; their text does not.
    json!([view.as_object().map(|members| members.keys().cloned().collect::<Vec<_>>()), view])
}

/// The recording is of a service over a table that was made up: what it wrote is in its log. Ours has a table.
fn service(player: &Player, case: &Value) -> Result<Played, String> {
    let (input, workspace) = (&case["input"], player.workspace());
    let dto = input.get("dto").cloned().unwrap_or_else(|| json!({}));
    let name = case["name"].as_str().unwrap_or_default();
    let status = case["throws"]["status"].as_u64();
    let unknown = json!({"roleId": "01970000-0000-7000-8000-0000000000ff"});
    match (input["op"].as_str().unwrap_or_default(), name) {
        // Faults of a database, made up as well; one says that a name was taken that was not written.
        (_, "create other db error" | "update duplicate without name field reports existing") => Ok(NotOurs),
        ("create", _) => {
            let created = player.ask(&workspace, "roles.create", &dto);
            if status == Some(400) {
                return code(ErrorCode::InvalidInput, created);
            }
            let created = created.map_err(|error| error.to_string())?;
            same(&lasting(&created), &lasting(&case["output"]["view"]))?;
            let mut written: Map<String, Value> =
                case["output"]["log"][0][1].as_object().cloned().ok_or("nothing was written")?;
            written.retain(|name, _| name != "workspaceId" && name != "creatorId");
            let ours: Map<String, Value> = written.keys().map(|name| (name.clone(), created[name].clone())).collect();
            same(&ours.into(), &written.into())
        }
        ("update" | "remove", "update missing" | "remove missing") => {
            let operation = if name == "update missing" { "roles.update" } else { "roles.delete" };
            code(ErrorCode::NotFound, player.ask(&workspace, operation, &unknown))
        }
        ("update", _) => {
            let role =
                player.role(&workspace, &json!({"emoji": "e", "description": "d", "modelConfig": {"chatModel": "m"}}));
            let id = json!({"roleId": role["id"]});
            if name == "update raced delete" {
                player.ask(&workspace, "roles.delete", &id).map_err(|error| error.to_string())?;
                return code(ErrorCode::NotFound, player.ask(&workspace, "roles.update", &id));
            }
            if status == Some(409) {
                player.role(&workspace, &json!({"name": "N"}));
            }
            let updated = player.ask(&workspace, "roles.update", &with(&id, &dto));
            match status {
                Some(400) => return code(ErrorCode::InvalidInput, updated),
                Some(409) => {
                    let said = updated.as_ref().err().is_some_and(|error| error.message().contains("\"N\""));
                    return if said { code(ErrorCode::RoleNameTaken, updated) } else { Err(format!("{updated:?}")) };
                }
                _ => {}
            }
            // What was there, with what the recording has written over it.
            let expected = with(&role, &case["output"]["log"][0][3]);
            same(&lasting(&updated.map_err(|error| error.to_string())?), &lasting(&expected))
        }
        ("remove", _) => {
            let id = json!({"roleId": player.role(&workspace, &json!({}))["id"]});
            let removed = player.ask(&workspace, "roles.delete", &id).map_err(|error| error.to_string())?;
            same(&json!([removed, player.ask(&workspace, "roles.list", &json!({})).ok()]), &json!([null, []]))
        }
        ("list", _) => {
            let whole =
                json!({"emoji": "🤖", "description": "d", "modelConfig": {"chatModel": "m"}, "launchMessage": "go"});
            player.role(&workspace, &whole);
            player.role(&workspace, &json!({"name": "S"}));
            let actor = json!({"userId": "u", "isAdmin": input["isAdmin"]});
            let listed = player.call("roles.list", &json!({"workspaceId": workspace, "actor": actor}));
            let listed = listed.map_err(|error| error.to_string())?;
            // Two living roles of one name are not to be had.
            let mut theirs = case["output"].clone();
            theirs[1]["name"] = json!("S");
            for (ours, theirs) in listed.as_array().into_iter().flatten().zip(theirs.as_array().into_iter().flatten()) {
                same(&lasting(ours), &lasting(theirs))?;
            }
            same(&json!(listed.as_array().map(Vec::len)), &json!(2))
        }
        (other, _) => Err(format!("{other} is not known")),
    }
}

/// The operation that takes what the endpoint took. What it answers beside a refusal is not recorded.
fn validation(player: &Player, case: &Value) -> Result<Played, String> {
    let (dto, value) = (case["input"]["dto"].as_str().unwrap_or_default(), &case["input"]["value"]);
    let workspace = player.workspace();
    let user = json!({"workspaceId": workspace, "userId": "u"});
    let outcome = match dto {
        "CreateAgentRoleDto" => player.ask(&workspace, "roles.create", value),
        "UpdateAgentRoleDto" => {
            let id = json!({"roleId": player.role(&workspace, &json!({}))["id"]});
            player.ask(&workspace, "roles.update", &with(&id, value))
        }
        "UpdateAiSettingsDto" => SettingsPatch::from_json(&value.to_string()).map(|_| Value::Null),
        "TestAiConnectionDto" => player.call("settings.test", &with(&json!({"workspaceId": workspace}), value)),
        "ChatIdDto" => player.call("chats.get", &with(&user, value)),
        "RenameChatDto" => player.call("chats.rename", &with(&user, value)),
        "GetChatMessagesDto" => player.call("chats.messagePage", &with(&user, value)),
        "PaginationOptions" => player.call("chats.list", &with(&user, value)),
        // Tool servers are not there yet.
        _ => return Ok(NotOurs),
    };
    let violated: Vec<&str> =
        case["output"]["violated"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match (outcome, case["output"]["valid"] == json!(true)) {
        (Err(error), false) if error.code() == ErrorCode::InvalidInput => {
            let field = error.details()["field"].as_str().unwrap_or_default();
            let named = violated.iter().any(|violated| violated.split(':').next() == Some(field));
            if named { Ok(Same) } else { Err(format!("{error} and not one of {violated:?}")) }
        }
        (Ok(_), true) => Ok(Same),
        // There is no chat of that id.
        (Err(error), true) if error.code() == ErrorCode::NotFound => Ok(Same),
        (outcome, _) => Err(format!("{outcome:?}, recorded is {violated:?}")),
    }
}

/// A clock that shows what the recording says.
struct Shown(std::sync::atomic::AtomicI64);

impl Clock for Shown {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// A store by such a clock, and what moves that.
fn by_a_clock() -> (MemoryStore, impl Fn(&Value)) {
    let clock = Arc::new(Shown(std::sync::atomic::AtomicI64::new(0)));
    let shown = Arc::clone(&clock);
    let set = move |at: &Value| shown.0.store(at.as_i64().unwrap_or_default(), std::sync::atomic::Ordering::SeqCst);
    (MemoryStore::new(clock), set)
}

fn public_requests(player: &Player, case: &Value) -> Result<Played, String> {
    let (input, (store, set)) = (&case["input"], by_a_clock());
    let Some(window) = input["windowMs"].as_u64() else { return Ok(NotOurs) };
    let mut ours = Vec::new();
    for op in input["ops"].as_array().into_iter().flatten() {
        set(&op[0]);
        let limit = LimitOf {
            key: op[1].as_str().unwrap_or_default(),
            window: Duration::from_millis(window),
            max: input["max"].as_u64().unwrap_or_default(),
        };
        let taken = player.runtime.block_on(store.take_one(&limit, Uuid::now_v7()));
        ours.push(taken.map_err(|error| error.to_string())?.is_none());
    }
    same(&json!(ours), &case["output"])
}

fn public_tokens(player: &Player, case: &Value) -> Result<Played, String> {
    let (input, (store, set)) = (&case["input"], by_a_clock());
    let Some(window) = input["windowMs"].as_u64() else { return Ok(NotOurs) };
    let (max, kind) = (input["budget"].as_u64().unwrap_or_default(), CallKind::PublicStep);
    let limit = TokenLimit { workspace_id: "w", window: Duration::from_millis(window), max, kind: Some(kind) };
    let mut checks = Vec::new();
    for op in input["ops"].as_array().into_iter().flatten() {
        set(&op[1]);
        if op[0] == "check" {
            let used_up = player.runtime.block_on(store.are_tokens_used_up(&limit));
            checks.push(used_up.map_err(|error| error.to_string())?.is_none());
            continue;
        }
        let tokens = op[2].as_f64().unwrap_or_default();
        if tokens >= 1e18 {
            // A habit of the database in between.
            return Ok(NotOurs);
        }
        let call = LedgerCall {
            id: Uuid::now_v7().to_string(),
            workspace_id: "w".into(),
            user_id: None,
            chat_id: None,
            run_id: None,
            kind,
            model: None,
            tokens: CallTokens { input: tokens as u64, ..CallTokens::default() },
        };
        player.runtime.block_on(store.enter_call(&call)).map_err(|error| error.to_string())?;
    }
    same(&json!({"checks": checks}), &case["output"])
}

fn used(_: &Player, case: &Value) -> Result<Played, String> {
    let recorded = &case["output"]["recordedTokens"];
    let Some(tokens) = recorded.as_u64() else { return Ok(NotOurs) };
    let count = |name: &str| case["input"]["totalUsage"][name].as_u64();
    let usage = Usage {
        input_tokens: count("inputTokens"),
        output_tokens: count("outputTokens"),
        total_tokens: count("totalTokens"),
        ..Usage::default()
    };
    same(&json!(CallTokens::of(Some(usage), 0, None).total()), &json!(tokens))
}

fn access(_: &Player, case: &Value) -> Result<Played, String> {
    let input = &case["input"];
    let is = |name: &str| input[name] == json!(true);
    let named = input["requestedShareId"].as_str().unwrap_or_default();
    let ours = share_access(input["resolvedShareId"].as_str(), named, is("sharingAllowed"), is("restricted"));
    same(&json!({"shareUsable": ours.share_usable, "pageInShare": ours.page_in_share}), &case["output"])
}

fn funnel(_: &Player, case: &Value) -> Result<Played, String> {
    let is = |name: &str| case["input"][name] == json!(true);
    let access = ShareAccess { share_usable: is("shareUsable"), page_in_share: is("pageInShare") };
    let status = match turned_away(is("assistantEnabled"), access, is("providerConfigured")) {
        None => Value::Null,
        Some(TurnedAway::NotConfigured) => json!(503),
        Some(_) => json!(404),
    };
    same(&status, &case["output"]["status"])?;
    same(&json!(status.is_null()), &case["output"]["ok"])
}

fn transcript(_: &Player, case: &Value) -> Result<Played, String> {
    let messages = case["input"]["messages"].as_array().cloned().unwrap_or_default();
    let given: Vec<Json> = messages.iter().map(|message| Json::from_value(message).expect("JSON")).collect();
    let checked = checked_transcript(&given, "messages").map_err(|error| error.to_string())?;
    let roles = |messages: &[Value]| messages.iter().map(|message| message["role"].clone()).collect::<Vec<_>>();
    let ours: Vec<Value> = public_transcript(checked).into_iter().map(|message| message.role.into()).collect();
    same(&json!(ours), &json!(roles(case["output"].as_array().map(Vec::as_slice).unwrap_or_default())))
}

/// The same pieces in the same order, in a frame of our own.
fn public_prompt(_: &Player, case: &Value) -> Result<Played, String> {
    let input = &case["input"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let page =
        OpenPage { id: text(&input["openedPage"]["id"]), title: text(&input["openedPage"]["title"]), untrusted: false };
    let layers = PromptLayers {
        role_instructions: text(&input["roleInstructions"]),
        opened_page: Some(page),
        ..PromptLayers::default()
    };
    let ours = build_public_prompt(&layers, input["share"]["sharedPageTitle"].as_str());
    let theirs = case["output"].as_str().unwrap_or_default();
    let has = |mark: &str| theirs.contains(mark);
    let role = text(&input["roleInstructions"]).unwrap_or_default();
    for (what, ours, theirs) in [
        ("the visitors' persona", ours.contains("You help visitors"), has("«SHARE_PERSONA»")),
        ("the role", !role.trim().is_empty() && ours.contains(role.trim()), !has("«SHARE_PERSONA»")),
        ("the page", ours.contains("open (pageId: "), has("«OPEN_PAGE")),
        ("the share's title", ours.contains("The published pages are those of"), has("«SHARE_TITLE")),
        ("the safety text, twice", ours.matches("a visitor whom nobody knows").count() == 2, has("«SHARE_SAFETY»")),
    ] {
        if ours != theirs {
            return Err(format!("{what}: ours {ours}, recorded {theirs}"));
        }
    }
    Ok(Same)
}

/// A visitor's request as the host hands it on, and what becomes of it.
fn visitor(player: &Player, case: &Value) -> Result<Played, String> {
    let (config, body, name) =
        (&case["input"]["config"], &case["input"]["body"], case["name"].as_str().unwrap_or_default());
    let known = ["enabled", "page", "resolve", "sharing", "roleErr", "budget", "quota", "noTitle", "model"];
    let other = config.as_object().into_iter().flatten().any(|(key, _)| !known.contains(&key.as_str()));
    if other || config["model"] == "boom" {
        return Ok(NotOurs);
    }
    let refuses = |key: &str| config.get(key).is_some_and(|value| *value == json!(false) || value.is_null());
    let one = |text: &str| json!({"role": "user", "parts": [{"type": "text", "text": text}]});
    let messages = match (name, &body["messages"]) {
        ("8000 chars ok", _) => json!([one(&"x".repeat(8000))]),
        ("8001 chars", _) => json!([one(&"x".repeat(8001))]),
        ("split over parts", _) => {
            let half = json!({"type": "text", "text": "x".repeat(4001)});
            json!([{"role": "user", "parts": [half, half]}])
        }
        ("non-text beats size", _) => {
            let long = json!({"type": "text", "text": "x".repeat(9000)});
            json!([{"role": "user", "parts": [long, {"type": "file"}]}])
        }
        (_, Value::String(_)) => return Ok(NotOurs),
        (_, Value::Array(messages)) => json!(messages),
        _ => json!([]),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let page = (!refuses("page") && !refuses("resolve")).then(|| json!({"id": text(&body["pageId"]), "title": "Root"}));
    let public = json!({
        "enabled": !refuses("enabled"),
        "shareId": text(&body["shareId"]),
        "pageId": text(&body["pageId"]),
        "page": page,
        "sharingAllowed": !refuses("sharing"),
        "messages": messages,
    });
    let request = json!({"workspaceId": player.workspace(), "userId": "v", "stateless": {"public": public}});
    let window = |refused: bool| json!({"max": if refused { 0 } else { 100 }, "windowMs": 3_600_000});
    let mut options = json!({
        "store": "sqlite::memory:",
        "limits": {"publicRequests": window(refuses("quota")), "publicTokens": {"max": if refuses("budget") { 0 } else { 1_000_000 }, "windowMs": 3_600_000}},
    });
    if config.get("roleErr").is_none() && config.get("model").is_none() {
        options["providers"] = json!({"default": {"driver": "ollama", "model": "m", "baseUrl": "http://127.0.0.1:9"}});
    }
    let begun = player.runtime.block_on(async {
        let options = EngineOptions::from_json(&options.to_string())?;
        let engine = Engine::open(options).await?;
        let begun = engine.start_turn(TurnRequest::from_json(&request.to_string())?, Vec::new()).await.map(|_| ());
        engine.close(Some(Duration::ZERO)).await?;
        begun
    });
    match (begun, case["output"]["error"]["status"].as_u64()) {
        (Ok(()), None) if case["output"].get("ok").is_some() => Ok(Same),
        (Err(error), Some(status)) if u64::from(error.code().http_status()) == status => Ok(Same),
        (outcome, _) => Err(format!("{outcome:?}")),
    }
}

fn normalizer(_: &Player, case: &Value) -> Result<Played, String> {
    let (value, output) = (case["input"].get("value"), &case["output"]);
    match case["input"]["helper"].as_str().unwrap_or_default() {
        "emptyToNull" | "blankToNull" => {
            let ours = value.and_then(Value::as_str).and_then(trimmed);
            same(&json!(ours), output)
        }
        "parseModelConfig" => {
            let stored = value.map(ToString::to_string).unwrap_or_default();
            let ours = stored_model_config(&stored).map(|config| serde_json::from_str(config.get()).expect("JSON"));
            same(&ours.unwrap_or(Value::Null), output)
        }
        "normalizeModelConfig" => {
            let Some(value) = value else { return same(&Value::Null, output) };
            let config = Json::from_value(value).expect("JSON");
            match normalize_model_config(&config) {
                Ok(ours) => {
                    let ours = ours.map(|ours| serde_json::from_str(ours.get()).expect("JSON"));
                    same(&ours.unwrap_or(Value::Null), output)
                }
                // The original's endpoint had refused these before the helper saw them; ours is both.
                Err(_) => {
                    let driver = value.get("driver").is_some_and(|driver| {
                        !driver.is_null() && !["openai", "gemini", "ollama"].iter().any(|known| driver == known)
                    });
                    let model = value.get("chatModel").is_some_and(|model| {
                        !model.is_null() && model.as_str().is_none_or(|model| trimmed(model).is_none())
                    });
                    if driver || model || !value.is_object() { Ok(Same) } else { Err("refused".to_owned()) }
                }
            }
        }
        // Rows of tool servers, which are not kept yet, and how the original's database client was given JSON.
        "parseToolAllowlist" | "jsonbBind" => Ok(NotOurs),
        other => Err(format!("{other} is not known")),
    }
}

fn length(_: &Player, case: &Value) -> Result<Played, String> {
    let text = case["input"]["value"].as_str().ok_or("is no text")?;
    let ours = json!([counted_len(text), utf16_len(text)]);
    same(&ours, &json!([case["output"]["countedLength"], case["output"]["utf16Length"]]))
}

fn cursor(_: &Player, case: &Value) -> Result<Played, String> {
    let expected = &case["output"];
    let Some(text) = case["input"]["cursor"].as_str() else {
        // A place has a time and an id, whatever others may try to encode.
        let [time, id] = [0, 1].map(|index| &case["input"]["values"][index][1]);
        let (Some(created_at), Some(id)) = (time.as_str(), id.as_str()) else { return Ok(NotOurs) };
        let told = encode_cursor(&Place { created_at: created_at.to_owned(), id: id.to_owned() });
        return if *expected == told { Ok(Same) } else { Err(told) };
    };
    match decode_cursor("cursor", text) {
        Ok(place) if *expected == json!({"createdAt": place.created_at, "id": place.id}) => Ok(Same),
        Err(error) if !case["throws"].is_null() && error.code() == ErrorCode::InvalidInput => Ok(Same),
        other => Err(format!("{other:?}")),
    }
}
