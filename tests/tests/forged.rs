//! Answers that are forged, replayed, cut off, bent, late or meant for something else: none is taken, and each is refused
//! with its code. `FORGERIES=1000000` tries more of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use secrecy::SecretString;
use serde_json::{Value, json};
use turnkeep::model::{Json, RunStatus, Wait, WaitKind, WaitingCall};
use turnkeep::secret::SecretBox;
use turnkeep::{Engine, RunId};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::scenario::{FnTool, on_postgres, open, request, tool, who};
use turnkeep_tests::stage::Random;
use turnkeep_tests::{Response, Script, ScriptedProvider};

const SECRET: &str = "a secret of the application";
/// How many try at a time.
const TASKS: u64 = 4;

/// A call that waits, with what only its answerers are shown.
#[derive(Clone)]
struct Target {
    run_id: RunId,
    step: u32,
    call: WaitingCall,
}

impl Target {
    fn token(&self) -> &str {
        self.call.token.as_deref().unwrap()
    }

    /// As whoever has the application secret signs it.
    fn wait(&self) -> Wait {
        let call = self.call.clone();
        Wait {
            call_id: call.call_id,
            kind: call.kind,
            tool_name: call.tool_name,
            input: call.input,
            schema: call.schema,
            editable: call.editable,
            answerers: Vec::new(),
            expires_after_ms: None,
            expires_at: None,
            answer: None,
            tainted_by: call.tainted_by,
        }
    }

    /// An answer that would be taken.
    fn good(&self) -> Value {
        let mut params = json!({"workspaceId": who().workspace_id, "userId": who().user_id, "runId": self.run_id,
            "callId": self.call.call_id, "token": self.token()});
        match self.call.kind {
            WaitKind::Approval => params["approved"] = json!(true),
            _ => params["output"] = json!("a"),
        }
        params
    }

    /// The same with this in its place.
    fn with(&self, more: Value) -> Value {
        let mut params = self.good();
        more.as_object().unwrap().iter().for_each(|(key, value)| params[key] = value.clone());
        params
    }

    fn denial(&self) -> Value {
        self.with(json!({"approved": false}))
    }
}

struct World {
    engine: Engine,
    secrets: SecretBox,
    others: SecretBox,
    /// Calls that wait, among them ones with the same id, tool and arguments in several runs.
    targets: Vec<Target>,
    /// Two calls of the steps of one run that are the same but for that; the second one waits.
    first: Target,
    second: Target,
    answered: Target,
    stopped: Target,
    expired: Target,
    made: Arc<AtomicUsize>,
    _folder: tempfile::TempDir,
    _provider: ScriptedProvider,
}

/// An answer with these calls.
fn says(calls: &[(&str, &str, &str)]) -> Response {
    let call = |(index, (id, name, input)): (usize, &(&str, &str, &str))| {
        tool_call(u32::try_from(index).unwrap(), id, name, input)
    };
    let mut chunks = vec![text("Well. ")];
    chunks.extend(calls.iter().enumerate().map(call));
    chunks.extend(finish(if calls.is_empty() { "stop" } else { "tool_calls" }, 5, 5));
    Response::stream(chunks)
}

fn boxed(secret: &str) -> SecretBox {
    SecretBox::new(SecretString::from(secret.to_owned()), [])
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let all: &[_] =
            &[("call_a", "write", r#"{"page":1}"#), ("call_b", "fixed", r#"{"page":1}"#), ("call_c", "ask", "{}")];
        let (write, soon) = (&all[..1], &[("call_a", "soon", r#"{"page":1}"#)][..]);
        let script = [all, all, write, write, write, &[], write, soon, &[]].map(says).to_vec();
        let provider = ScriptedProvider::start(Script { responses: script, ..Script::default() }).await;
        let engine = open(folder.path(), &provider.base_url(), json!({"appSecret": SECRET})).await;
        let made = Arc::new(AtomicUsize::new(0));
        engine.offer_tools(tools(&made)).unwrap();
        let mut targets = begun(&engine).await;
        targets.extend(begun(&engine).await);

        let first = begun(&engine).await.remove(0);
        answer(&engine, &first.denial()).await.unwrap();
        let second = waiting(&engine, first.run_id, 1, Some(&first)).await.remove(0);
        targets.push(second.clone());

        let answered = begun(&engine).await.remove(0);
        answer(&engine, &answered.denial()).await.unwrap();
        until_ended(&engine, answered.run_id).await;
        let stopped = begun(&engine).await.remove(0);
        engine.stop_run(&who(), stopped.run_id).await.unwrap();
        let expired = begun(&engine).await.remove(0);
        while answer(&engine, &expired.with(json!({"approved": null}))).await.unwrap_err() != "ANSWER_EXPIRED" {}
        engine.sweep().await.unwrap();
        until_ended(&engine, expired.run_id).await;
        let (secrets, others) = (boxed(SECRET), boxed("a secret of another application"));
        // What is signed here is what the engine signs.
        for target in &targets {
            assert_eq!(secrets.sign_wait(target.run_id, target.step, &target.wait()).as_deref(), Some(target.token()));
        }
        Self {
            engine,
            secrets,
            others,
            targets,
            first,
            second,
            answered,
            stopped,
            expired,
            made,
            _folder: folder,
            _provider: provider,
        }
    }

    /// An answer that is none, and what has to be said to it.
    fn forgery(&self, random: &mut Random) -> (&'static str, Value, &'static str) {
        const MISMATCH: &str = "ANSWER_MISMATCH";
        let target = &self.targets[random.place(self.targets.len())];
        let signed =
            |secrets: &SecretBox, run_id, step, wait: &Wait| json!({"token": secrets.sign_wait(run_id, step, wait)});
        let (what, more, code) = match random.below(12) {
            0 => ("made up", json!({"token": drawn(random, 43)}), MISMATCH),
            1 => ("of any length", json!({"token": drawn(random, 100)[..random.place(100)]}), MISMATCH),
            2 => ("bent", json!({"token": bent(target.token(), random)}), MISMATCH),
            3 => ("cut off", json!({"token": target.token()[..random.place(43)]}), MISMATCH),
            4 => ("too long", json!({"token": format!("{}{}", target.token(), drawn(random, 1))}), MISMATCH),
            5 => ("of another call", json!({"token": self.another(target, random).token()}), MISMATCH),
            6 => ("of another secret", signed(&self.others, target.run_id, target.step, &target.wait()), MISMATCH),
            7 => ("of another run", signed(&self.secrets, RunId::generate(), target.step, &target.wait()), MISMATCH),
            8 => {
                let step = u32::try_from(random.below(1000)).unwrap() + target.step + 1;
                ("of another step", signed(&self.secrets, target.run_id, step, &target.wait()), MISMATCH)
            }
            9 => {
                let wait = changed(target.wait(), random);
                ("of a changed call", signed(&self.secrets, target.run_id, target.step, &wait), MISMATCH)
            }
            10 => return self.late(random),
            _ => return wrong(target, random),
        };
        (what, target.with(more), code)
    }

    fn another(&self, target: &Target, random: &mut Random) -> &Target {
        loop {
            let other = &self.targets[random.place(self.targets.len())];
            if other.token() != target.token() {
                return other;
            }
        }
    }

    /// What was good once, or is for something else.
    fn late(&self, random: &mut Random) -> (&'static str, Value, &'static str) {
        let target = &self.targets[random.place(self.targets.len())];
        match random.below(7) {
            0 => ("of the step before", self.second.with(json!({"token": self.first.token()})), "ANSWER_MISMATCH"),
            1 => ("repeated", self.answered.good(), "NOT_WAITING"),
            2 => ("after a stop", self.stopped.good(), "NOT_WAITING"),
            3 => ("too late", self.expired.good(), "ANSWER_EXPIRED"),
            4 => ("for no call", target.with(json!({"callId": drawn(random, 6)})), "ANSWER_MISMATCH"),
            5 => ("for no run", target.with(json!({"runId": RunId::generate()})), "NOT_FOUND"),
            _ => {
                let field = ["userId", "workspaceId"][random.place(2)];
                ("somebody else's", target.with(json!({field: drawn(random, 5)})), "FORBIDDEN")
            }
        }
    }
}

/// With the right token, and what the call does not take.
fn wrong(target: &Target, random: &mut Random) -> (&'static str, Value, &'static str) {
    let more = match (target.call.kind, target.call.editable) {
        (WaitKind::Approval, true) => match random.below(3) {
            0 => json!({"input": {"page": drawn(random, 3)}}),
            1 => json!({"input": {"pages": random.below(100)}}),
            _ => json!({"input": random.below(100)}),
        },
        (WaitKind::Approval, false) => json!({"input": {"page": random.below(100)}}),
        _ => match random.below(3) {
            0 => json!({"output": drawn(random, 2)}),
            1 => json!({"approved": false}),
            _ => json!({"input": {}}),
        },
    };
    ("with a wrong answer", target.with(more), "INVALID_INPUT")
}

/// A call with something else about it.
fn changed(wait: Wait, random: &mut Random) -> Wait {
    let json = |text: String| Json::parse(&text).unwrap();
    match random.below(5) {
        0 => Wait { input: json(format!(r#"{{"page":{}}}"#, random.below(1_000_000) + 2)), ..wait },
        1 => Wait { tool_name: drawn(random, 5), ..wait },
        2 => Wait { call_id: drawn(random, 7), ..wait },
        3 => Wait { schema: Some(json(format!(r#"{{"minimum":{}}}"#, random.below(1000)))), ..wait },
        _ => Wait { kind: WaitKind::ClientTool, ..wait },
    }
}

/// So many characters, as tokens have them.
fn drawn(random: &mut Random, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..length).map(|_| char::from(LETTERS[random.place(LETTERS.len())])).collect()
}

/// A token of which one bit is another.
fn bent(token: &str, random: &mut Random) -> String {
    let mut bytes = token.as_bytes().to_vec();
    let place = random.place(bytes.len());
    bytes[place] ^= 1 << random.below(7);
    String::from_utf8(bytes).unwrap()
}

fn tools(made: &Arc<AtomicUsize>) -> Vec<turnkeep::tool::Tool> {
    let page = json!({"type": "object", "properties": {"page": {"type": "integer"}}, "required": ["page"]});
    let write = |more: Value| {
        let made = Arc::clone(made);
        let handler = FnTool(move |_| {
            made.fetch_add(1, Ordering::SeqCst);
            Ok(json!("done"))
        });
        let mut definition = json!({"approval": "always", "inputSchema": page});
        more.as_object().unwrap().iter().for_each(|(key, value)| definition[key] = value.clone());
        tool(definition, handler)
    };
    let answers = json!({"type": "string", "enum": ["a", "b"]});
    vec![
        write(json!({"name": "write", "editableInput": true})),
        write(json!({"name": "fixed"})),
        write(json!({"name": "soon", "expiresAfterMs": 1})),
        tool(json!({"name": "ask", "answerSchema": answers}), FnTool(|_| Ok(json!(null)))),
    ]
}

async fn answer(engine: &Engine, params: &Value) -> Result<Value, &'static str> {
    match engine.call("runs.answer", &params.to_string()).await {
        Ok(answer) => Ok(serde_json::from_str(&answer).unwrap()),
        Err(error) => Err(error.code().as_str()),
    }
}

/// What a new run waits for.
async fn begun(engine: &Engine) -> Vec<Target> {
    let fields = json!({"offeredTools": ["write", "fixed", "soon", "ask"]});
    let turn = engine.start_turn(request("go", fields), Vec::new()).await.unwrap();
    assert_eq!(turn.done().await.unwrap().status, RunStatus::Waiting);
    waiting(engine, turn.run_id(), 0, None).await
}

/// What the run waits for in this step, and no longer for that call.
async fn waiting(engine: &Engine, run_id: RunId, step: u32, before: Option<&Target>) -> Vec<Target> {
    loop {
        let calls = engine.run(&who(), run_id).await.unwrap().waiting_for.unwrap_or_default();
        let is_over = before.is_none_or(|before| calls.iter().all(|call| call.token != before.call.token));
        if !calls.is_empty() && is_over {
            return calls.into_iter().map(|call| Target { run_id, step, call }).collect();
        }
        tokio::task::yield_now().await;
    }
}

async fn until_ended(engine: &Engine, run_id: RunId) {
    while engine.run(&who(), run_id).await.unwrap().status.is_active() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_forged_is_taken() {
    // A server takes longer over each, and its store says the same.
    let few = if on_postgres() { 2_000 } else { 20_000 };
    let tries: u64 = std::env::var("FORGERIES").ok().and_then(|tries| tries.parse().ok()).unwrap_or(few);
    let world = Arc::new(World::new().await);
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let (mut random, mut tried) = (Random::new(task), BTreeMap::<_, u64>::new());
                for _ in 0..tries / TASKS {
                    let (what, params, expected) = world.forgery(&mut random);
                    assert_eq!(answer(&world.engine, &params).await, Err(expected), "{what}: {params}");
                    *tried.entry((what, expected)).or_default() += 1;
                }
                tried
            })
        })
        .collect();
    let mut tried = BTreeMap::<_, u64>::new();
    for task in tasks {
        for (what, times) in task.await.unwrap() {
            *tried.entry(what).or_default() += times;
        }
    }
    println!("forged: tries={} taken=0 {tried:?}", tried.values().sum::<u64>());

    // Everything waits as before, and with what its answerers were shown it is answered.
    assert_eq!(world.made.load(Ordering::SeqCst), 0);
    for target in &world.targets {
        let now = waiting(&world.engine, target.run_id, target.step, None).await;
        assert!(now.iter().any(|now| now.call == target.call), "{:?}", target.call);
        answer(&world.engine, &target.good()).await.unwrap();
    }
    world.engine.close(None).await.unwrap();
}
