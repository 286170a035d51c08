//! `waiting runs=N [answers=N]`: so many runs that wait in one file. What they cost an engine that has nothing to do with
//! them: to be opened, tasks, leases, memory, a sweep. And how soon one that is answered goes on.
//!
//! The last line has the figures; the exit code is 1 if a run holds a lease, or did not go on.

mod copies;

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use turnkeep::model::{Json, RunStatus};
use turnkeep::tool::{Tool, ToolHandler, ToolInvocation};
use turnkeep::{Engine, RunId, TailFrom};
use turnkeep_tests::chunks::{finish, text, tool_call};
use turnkeep_tests::processes::{Process, percentile_ms, tell};
use turnkeep_tests::scenario::{options, request, tool, who};
use turnkeep_tests::stage::{Observer, Stage, column, number};
use turnkeep_tests::{Response, Script, ScriptedProvider};

use copies::{Template, id_of, multiply};

/// How many sweeps are made, after which the caches are what they stay.
const SWEEPS: usize = 3;
/// How long whoever is asked for figures may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// Tells when it is called.
struct Write(Mutex<UnboundedSender<(RunId, Instant)>>);

#[async_trait]
impl ToolHandler for Write {
    async fn call(&self, call: ToolInvocation) -> Result<Json, String> {
        let told = self.0.lock().map_err(|error| error.to_string())?.send((call.run_id, Instant::now()));
        told.map_err(|error| error.to_string())?;
        Ok(Json::string("done"))
    }
}

fn write(told: UnboundedSender<(RunId, Instant)>) -> Tool {
    tool(json!({"name": "write", "approval": "always"}), Write(Mutex::new(told)))
}

fn script() -> Script {
    let asks = [vec![text("Writing. "), tool_call(0, "call_a", "write", r#"{"page":1}"#)], finish("tool_calls", 5, 5)];
    let says = [vec![text("Done.")], finish("stop", 5, 5)];
    let responses = vec![Response::stream(asks.concat()), Response::stream(says.concat())];
    Script { responses, repeat: false, by_step: true }
}

async fn open(store: &str, base_url: &str) -> Result<Engine, String> {
    let more = json!({"appSecret": "a secret of the application"});
    Engine::open(options(store, base_url, more)).await.map_err(|error| error.to_string())
}

/// A run that waits.
async fn template(store: &str, base_url: &str) -> Result<Template, String> {
    let engine = open(store, base_url).await?;
    engine.offer_tools(vec![write(unbounded_channel().0)]).map_err(|error| error.to_string())?;
    let fields = json!({"offeredTools": ["write"]});
    let turn = engine.start_turn(request("go", fields), Vec::new()).await.map_err(|error| error.to_string())?;
    let outcome = turn.done().await.map_err(|error| error.to_string())?;
    if outcome.status != RunStatus::Waiting {
        return Err(format!("the run is {}", outcome.status.as_str()));
    }
    let rows = engine.messages(&who(), turn.chat_id()).await.map_err(|error| error.to_string())?;
    let messages = rows.iter().map(|message| message.id.to_string());
    let ids = [turn.chat_id().to_string(), turn.run_id().to_string()].into_iter().chain(messages).collect();
    engine.close(None).await.map_err(|error| error.to_string())?;
    Ok(Template { ids })
}

/// What an engine costs that has just been opened and has swept, in a process of its own.
async fn cost(store: &str) -> Result<(), String> {
    let begun = Instant::now();
    let engine = open(store, "http://127.0.0.1:9/v1").await?;
    let open_ms = begun.elapsed().as_secs_f64() * 1000.0;
    engine.offer_tools(vec![write(unbounded_channel().0)]).map_err(|error| error.to_string())?;
    let mut sweeps = Vec::new();
    for _ in 0..SWEEPS {
        let begun = Instant::now();
        let swept = engine.sweep().await.map_err(|error| error.to_string())?;
        if swept > 0 {
            return Err(format!("{swept} runs were swept that wait"));
        }
        sweeps.push(begun.elapsed());
    }
    let tasks = Handle::current().metrics().num_alive_tasks();
    let (kib, sweep_ms) = (memory_kib().ok_or("no memory is told of")?, percentile_ms(&mut sweeps, 1.0));
    tell(&json!({"openMs": open_ms, "sweepMs": sweep_ms, "tasks": tasks, "memoryKib": kib}).to_string());
    engine.close(None).await.map_err(|error| error.to_string())
}

/// What this process has for itself.
fn memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?.split_whitespace().next()?.parse().ok()
}

fn measured(store: &str) -> Result<Value, String> {
    let program = std::env::args().next().ok_or("this program has no name")?;
    let child = Process::start(program, ["cost", store]).map_err(|error| error.to_string())?;
    let line = child.next_line(Instant::now() + PATIENCE).map_err(|_| "an engine has not told what it costs")?;
    serde_json::from_str(&line.text).map_err(|error| error.to_string())
}

/// How long after its answer each of these runs has gone on, and that they have come to their end.
async fn woken(store: &str, base_url: &str, runs: &[RunId]) -> Result<Vec<Duration>, String> {
    let engine = open(store, base_url).await?;
    let (told, mut called) = unbounded_channel();
    engine.offer_tools(vec![write(told)]).map_err(|error| error.to_string())?;
    let mut times = Vec::new();
    for run_id in runs {
        let params = json!({"workspaceId": who().workspace_id, "userId": who().user_id, "runId": run_id,
            "callId": "call_a", "approved": true});
        let begun = Instant::now();
        engine.call("runs.answer", &params.to_string()).await.map_err(|error| error.to_string())?;
        let (called, at) = called.recv().await.ok_or("the tool is gone")?;
        if called != *run_id {
            return Err(format!("{called} went on, and {run_id} was answered"));
        }
        times.push(at.duration_since(begun));
        let mut tail = engine.tail(&who(), *run_id, TailFrom::Start).await.map_err(|error| error.to_string())?;
        while !tail.next_batch(64).await.map_err(|error| error.to_string())?.is_empty() {}
        let run = engine.run(&who(), *run_id).await.map_err(|error| error.to_string())?;
        if run.status != RunStatus::Succeeded {
            return Err(format!("{run_id} is {}", run.status.as_str()));
        }
    }
    engine.close(None).await.map_err(|error| error.to_string())?;
    Ok(times)
}

fn count(store: &str, condition: &str) -> Result<u64, String> {
    let sql = format!("SELECT COUNT(*) AS found FROM ai_chat_runs WHERE {condition}");
    let rows = Observer::open(store)?.rows(&sql, "")?;
    let found = rows.first().and_then(|row| column(row, "found"));
    found.and_then(|found| found.parse().ok()).ok_or_else(|| "nothing was counted".to_owned())
}

fn figures(arguments: &[String]) -> Result<bool, String> {
    let (runs, answers) = (number(arguments, "runs", 1_000_000)?, number(arguments, "answers", 100)?);
    let (empty, stage) = (Stage::new("sqlite")?, Stage::new("sqlite")?);
    let runtime = Runtime::new().map_err(|error| error.to_string())?;
    let provider = runtime.block_on(ScriptedProvider::start(script()));
    let template = runtime.block_on(template(&stage.store, &provider.base_url()))?;
    let path = stage.store.strip_prefix("sqlite:").ok_or("the store is no file")?;
    let begun = Instant::now();
    multiply(path, &template, runs.saturating_sub(1)).map_err(|error| error.to_string())?;
    // As if they had waited for longer than anybody's patience lasts.
    let long_ago = "UPDATE ai_chat_messages SET updated_at = '2020-01-01T00:00:00.000Z' WHERE status = 'streaming'";
    let aged = rusqlite::Connection::open(path).and_then(|file| file.execute_batch(long_ago));
    aged.map_err(|error| error.to_string())?;
    let size = std::fs::metadata(path).map_or(0, |file| file.len()) / (1 << 20);
    eprintln!("{runs} runs were written in {:?}, {size} MiB", begun.elapsed());
    let (waiting, leases) =
        (count(&stage.store, "status = 'waiting'")?, count(&stage.store, "lease_expires_at IS NOT NULL")?);
    // The first look at an empty one makes its tables.
    measured(&empty.store)?;
    let (nothing, full) = (measured(&empty.store)?, measured(&stage.store)?);
    let run_id = template.ids.get(1).ok_or("the template has no run")?;
    let step = (runs / answers.max(1)).max(1);
    let chosen: Vec<RunId> = (1..runs)
        .step_by(usize::try_from(step).unwrap_or(1))
        .map(|copy| id_of(run_id, copy).parse().map_err(|_| "a copy has no id"))
        .collect::<Result<_, _>>()?;
    let mut times = runtime.block_on(woken(&stage.store, &provider.base_url(), &chosen))?;
    let of = |figures: &Value, name: &str| figures[name].as_f64().unwrap_or(-1.0);
    let (tasks, memory) =
        (of(&full, "tasks") - of(&nothing, "tasks"), of(&full, "memoryKib") - of(&nothing, "memoryKib"));
    println!("empty {nothing}, with {waiting} runs that wait {full}");
    println!(
        "waiting: runs={waiting} leases={leases} tasks={tasks} open_ms={:.0} sweep_ms={:.0} memory_mib={:.1} \
         answered={} woken_p50_ms={:.1} woken_p99_ms={:.1}",
        of(&full, "openMs"),
        of(&full, "sweepMs"),
        memory / 1024.0,
        times.len(),
        percentile_ms(&mut times, 0.5),
        percentile_ms(&mut times, 0.99),
    );
    Ok(waiting == runs && leases == 0 && tasks == 0.0)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [role, store] if role == "cost" => Runtime::new()
            .map_err(|error| error.to_string())
            .and_then(|runtime| runtime.block_on(cost(store)))
            .map(|()| true),
        arguments => figures(arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
