//! The process that answers: two tasks at a time, which race for the same calls. Every answer has a mark of its own, which
//! is told before it is given, so that the mark in the log says whose answer it was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use turnkeep::{Actor, Engine, ErrorCode, RunId};
use turnkeep_tests::processes::tell;
use turnkeep_tests::scenario::{options, who};
use turnkeep_tests::stage::Random;

/// How many answer at a time.
const TASKS: u64 = 2;
/// How often they look.
const LOOK_AGAIN: Duration = Duration::from_millis(3);
/// How many calls that were answered, or not, are remembered for answers that come too late.
const REMEMBERED: usize = 64;

/// A call, as it was shown.
#[derive(Clone)]
struct Call {
    run_id: RunId,
    shown: Value,
}

struct Answerer {
    engine: Engine,
    random: Random,
    /// What marks begin with: nobody else's begin so.
    name: u64,
    given: u64,
    seen: Arc<Mutex<Vec<Call>>>,
}

pub(crate) async fn run(store: &str, base_url: &str, limits: Value, seed: u64) -> Result<(), String> {
    let engine = Engine::open(options(store, base_url, limits)).await.map_err(|error| error.to_string())?;
    tell("answers");
    let (is_over, seen) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (engine, is_over, seen) = (engine.clone(), Arc::clone(&is_over), Arc::clone(&seen));
            let name = seed.wrapping_mul(TASKS).wrapping_add(task);
            tokio::spawn(async move {
                let mut answerer = Answerer { engine, random: Random::new(name), name, given: 0, seen };
                while !is_over.load(Ordering::SeqCst) {
                    answerer.look().await?;
                    sleep(LOOK_AGAIN).await;
                }
                Ok::<_, String>(())
            })
        })
        .collect();
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    let _ = ended.await;
    is_over.store(true, Ordering::SeqCst);
    for task in tasks {
        task.await.map_err(|error| error.to_string())??;
    }
    engine.close(None).await.map_err(|error| error.to_string())
}

impl Answerer {
    async fn look(&mut self) -> Result<(), String> {
        let actor = Actor { user_id: who().user_id, is_admin: false };
        let listed = self.engine.waiting(&who().workspace_id, &actor, None, None, (None, 50)).await;
        let runs = match listed {
            Ok(page) => page.items,
            Err(error) if error.code() == ErrorCode::StoreUnavailable => return Ok(()),
            Err(error) => return Err(error.to_string()),
        };
        for run in runs {
            for shown in run.waiting_for.into_iter().flatten() {
                let shown = serde_json::to_value(shown).map_err(|error| error.to_string())?;
                let call = Call { run_id: run.id, shown };
                // Some wait for a moment, and some until their time is over.
                if call.shown["toolName"] == "soon" && !self.random.one_in(100) {
                    self.remember(call);
                    continue;
                }
                self.answer(&call).await;
                if self.random.one_in(3) {
                    self.answer(&call).await;
                }
                self.remember(call);
            }
        }
        if let Some(call) = self.remembered() {
            self.answer(&call).await;
        }
        Ok(())
    }

    /// Gives an answer. Whether it comes first, second or too late, the audit knows from what was told and the log.
    async fn answer(&mut self, call: &Call) {
        self.given += 1;
        let mark = format!("{}.{}", self.name, self.given);
        let (id, call_id) = (call.run_id, call.shown["callId"].as_str().unwrap_or_default());
        let params = self.params(call, &mark);
        tell(&format!("gives {id} {call_id} {mark}"));
        match self.engine.call("runs.answer", &params.to_string()).await {
            Ok(_) => tell(&format!("took {id} {call_id} {mark}")),
            Err(error) => tell(&format!("refused {}", error.code().as_str())),
        }
    }

    fn params(&mut self, call: &Call, mark: &str) -> Value {
        let (shown, who) = (&call.shown, who());
        let mut params = json!({"workspaceId": who.workspace_id, "userId": who.user_id, "runId": call.run_id,
            "callId": shown["callId"]});
        if self.random.one_in(2) {
            params["token"] = shown["token"].clone();
        }
        let is_refused = self.random.one_in(4);
        match shown["kind"].as_str() {
            Some("approval") => {
                params["approved"] = json!(!is_refused);
                params["reason"] = json!(mark);
                if !is_refused && self.random.one_in(3) {
                    params["input"] = json!({"page": self.given + 1000});
                }
            }
            _ if is_refused => {
                params["approved"] = json!(false);
                params["reason"] = json!(mark);
            }
            _ => params["output"] = json!(mark),
        }
        params
    }

    fn remember(&mut self, call: Call) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            let place = self.random.place(REMEMBERED);
            seen.swap_remove(place);
        }
        seen.push(call);
    }

    fn remembered(&mut self) -> Option<Call> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let call = seen.get(self.random.place(seen.len()))?;
        // Of those that are left until their time is over, most are answered after it.
        let chances = if call.shown["toolName"] == "soon" { 16 } else { 4 };
        self.random.one_in(chances).then(|| call.clone())
    }
}
