//! `upgrade turns=N [store=sqlite|postgres] [seed=N]`: a rolling upgrade. Two versions work on one store at the same time,
//! in every combination of who begins a turn, who drives it, who stops it and who reads it, while the processes that
//! drive are killed and started again. The newer version is this one with a hand behind it (`hand.rs`), which puts
//! words, kinds of parts and members into whatever it writes that this version knows nothing of.
//!
//! Every turn must end as it should, every chat keep its order and be free afterwards, and all that the newer version
//! has written be there to the letter. The last line counts what is not; the exit code is 1 if there was anything.

mod hand;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use turnkeep::model::RunStatus;
use turnkeep::settings::SettingsPatch;
use turnkeep::{ChatId, Engine, ExportFormat, HostedFinish, HostedRequest, RunId, TailFrom};
use turnkeep_tests::ScriptedProvider;
use turnkeep_tests::processes::Process;
use turnkeep_tests::scenario::{STEPS, options, request, six_steps, weather_and_time, who};
use turnkeep_tests::stage::{Observer, Stage, argument, column};

/// Long enough for a disk that others keep busy. Whoever is killed comes back under its name, so nobody waits for it.
const LEASE_MS: u64 = 3000;
const LANES: usize = 4;
/// A chat grows as long as this.
const TURNS_IN_CHAT: usize = 20;
/// One of the processes that drive is killed whenever so many turns have ended.
const TURNS_PER_KILL: usize = 8;
/// How long a turn may take on a machine that others load.
const PATIENCE: Duration = Duration::from_secs(180);

/// A small generator, so that a seed is all that the choices need.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit.max(1)
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }
}

/// The two versions, as those that begin, read and stop.
struct World {
    older: Engine,
    newer: Engine,
    ended: mpsc::UnboundedSender<()>,
}

impl World {
    fn either(&self, random: &mut Random) -> &Engine {
        if random.one_in(2) { &self.older } else { &self.newer }
    }
}

/// What was acknowledged of one turn.
struct Told {
    run: RunId,
    message: String,
    /// It was to stop, so it need not have come to its end.
    stopped: bool,
    /// Its steps, when it was not.
    steps: usize,
}

#[derive(Default)]
struct Lane {
    chats: Vec<(ChatId, Vec<Told>)>,
    lost: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| argument(&arguments, name).filter(|text| !text.is_empty()).map(str::parse::<u64>);
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let (Ok(turns), Ok(seed)) = (number("turns").unwrap_or(Ok(1000)), number("seed").unwrap_or(Ok(seed))) else {
        eprintln!("usage: upgrade turns=N [store=sqlite|postgres] [seed=N]");
        return ExitCode::FAILURE;
    };
    eprintln!("upgrade: seed={seed}");
    let stage = Stage::new(argument(&arguments, "store").unwrap_or_default()).expect("a store");
    let turns = usize::try_from(turns).expect("a number");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let kills = Arc::new(AtomicUsize::new(0));
    let (lanes, settings) = runtime.block_on(upgrade(&stage, turns, seed, &kills));
    let (mut lost, written) = look_back(&stage, &lanes);
    lost.extend(settings);
    lost.iter().for_each(|what| eprintln!("lost: {what}"));
    let told: usize = lanes.iter().flat_map(|lane| &lane.chats).map(|(_, told)| told.len()).sum();
    println!(
        "upgrade: turns={told} kills={} unknown_words={written} lost={}",
        kills.load(Ordering::SeqCst),
        lost.len()
    );
    if lost.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn upgrade(stage: &Stage, turns: usize, seed: u64, kills: &Arc<AtomicUsize>) -> (Vec<Lane>, Vec<String>) {
    let provider = ScriptedProvider::start(six_steps(1)).await;
    let base_url = provider.base_url();
    let open = async |name: &str| {
        let more = json!({"instanceId": name, "runs": {"leaseMs": LEASE_MS}});
        Engine::open(options(&stage.store, &base_url, more)).await.expect("an engine")
    };
    let older = open("older-front").await;
    hand::install(stage);
    let newer = open("newer-front").await;
    let (ended, every_end) = mpsc::unbounded_channel();
    let workers = Workers::start(&stage.store, &base_url, every_end, Arc::clone(kills));
    let world = Arc::new(World { older, newer, ended });
    let lanes = (0..LANES).map(|number| {
        let share = turns / LANES + usize::from(number < turns % LANES);
        let random = Random(seed ^ (number as u64) << 32);
        tokio::spawn(lane(Arc::clone(&world), number, share, random))
    });
    let mut done = Vec::new();
    for lane in lanes.collect::<Vec<_>>() {
        done.push(lane.await.expect("a lane"));
    }
    workers.stop();
    let mut lost = settings_survive(stage, &world).await;
    world.newer.close(Some(Duration::ZERO)).await.expect("an end");
    world.older.close(Some(Duration::ZERO)).await.expect("an end");
    // Nobody is left, and the older one comes back.
    let back = open("older-back").await;
    for lane in &mut done {
        for (chat, told) in &lane.chats {
            if let Err(what) = reads(&back, *chat, told).await {
                lost.push(format!("chat {chat}: {what}"));
            }
        }
    }
    back.close(None).await.expect("an end");
    (done, lost)
}

/// Processes of both versions that offer the tools, and one after another of which is killed.
struct Workers {
    over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Workers {
    fn start(store: &str, base_url: &str, mut ended: mpsc::UnboundedReceiver<()>, kills: Arc<AtomicUsize>) -> Self {
        let program = std::env::current_exe().expect("a program").with_file_name("worker-child");
        let start = {
            let (store, base_url) = (store.to_owned(), base_url.to_owned());
            move |name: &str| started(&program, &store, &base_url, name)
        };
        let over = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            let names = ["older-worker", "newer-worker"];
            let mut workers = names.map(&start);
            let mut counted = 0;
            while ended.blocking_recv().is_some() && !is_over.load(Ordering::SeqCst) {
                counted += 1;
                if counted % TURNS_PER_KILL == 0 {
                    let place = counted / TURNS_PER_KILL % names.len();
                    workers[place].kill();
                    kills.fetch_add(1, Ordering::SeqCst);
                    workers[place] = start(names[place]);
                }
            }
        });
        Self { over, thread }
    }

    fn stop(self) {
        self.over.store(true, Ordering::SeqCst);
        drop(self.thread);
    }
}

fn started(program: &Path, store: &str, base_url: &str, name: &str) -> Process {
    let lease = LEASE_MS.to_string();
    let worker = Process::start(program, [store, base_url, &lease, name]).expect("a worker");
    worker.next_line(Instant::now() + PATIENCE).expect("a worker that offers its tools");
    worker
}

async fn lane(world: Arc<World>, number: usize, turns: usize, mut random: Random) -> Lane {
    let mut lane = Lane::default();
    for turn in 0..turns {
        if turn.is_multiple_of(TURNS_IN_CHAT) {
            lane.chats.push((ChatId::generate(), Vec::new()));
        }
        let (chat, told) = lane.chats.last_mut().expect("a chat");
        let message = format!("turn {turn} of {number}");
        match tokio::time::timeout(PATIENCE, one_turn(&world, *chat, &message, &mut random)).await {
            Ok(Ok(more)) => told.extend(more),
            Ok(Err(what)) => lane.lost.push(format!("{message}: {what}")),
            Err(_) => lane.lost.push(format!("{message} was blocked")),
        }
        let _ = world.ended.send(());
    }
    lane
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// One turn, or two of which the second waits for the first, to their ends.
async fn one_turn(world: &World, chat: ChatId, message: &str, random: &mut Random) -> Result<Vec<Told>, String> {
    let begins = world.either(random);
    let how = random.below(8);
    if how == 0 {
        return hosted(world, begins, chat, message, random).await;
    }
    let fields = |offered: bool, busy: bool| {
        let mut fields = json!({"chatId": chat});
        if offered {
            fields["offeredTools"] = json!(["weather", "time"]);
        }
        if busy {
            fields["busy"] = json!("enqueue");
        }
        fields
    };
    let tools = |offered: bool| if offered { Vec::new() } else { weather_and_time() };
    let offered = how > 2;
    let first = begins.start_turn(request(message, fields(offered, false)), tools(offered)).await.map_err(text)?;
    let mut runs = vec![(first.run_id(), message.to_owned())];
    if random.one_in(4) {
        let (waits, offered) = (world.either(random), random.one_in(2));
        let later = format!("{message}, later");
        let second = waits.start_turn(request(&later, fields(offered, true)), tools(offered)).await.map_err(text)?;
        runs.push((second.run_id(), later));
    }
    let mut told = Vec::new();
    for (run, message) in runs {
        let stopped = random.one_in(4);
        if stopped {
            // Any moment is meant: it may have ended before.
            tokio::time::sleep(Duration::from_millis(random.below(60))).await;
            world.either(random).stop_run(&who(), run).await.map_err(text)?;
        }
        until_end(world.either(random), run).await?;
        told.push(Told { run, message, stopped, steps: STEPS });
    }
    Ok(told)
}

/// A run with a loop of its own, whose host may stop half-way.
async fn hosted(
    world: &World,
    begins: &Engine,
    chat: ChatId,
    message: &str,
    random: &mut Random,
) -> Result<Vec<Told>, String> {
    let begin = json!({"workspaceId": "w1", "userId": "u1", "chatId": chat, "message": message});
    let begin: HostedRequest = serde_json::from_value(begin).map_err(text)?;
    let run = begins.begin_run(begin).await.map_err(text)?.run_id;
    let step = json!({"text": "said ", "finishReason": "stop", "usage": {"inputTokens": 3, "outputTokens": 2}});
    begins.record_step(&who(), run, serde_json::from_value(step).map_err(text)?).await.map_err(text)?;
    let stopped = random.one_in(3);
    if stopped {
        world.either(random).stop_run(&who(), run).await.map_err(text)?;
    }
    let status = if stopped { RunStatus::Aborted } else { RunStatus::Succeeded };
    begins.finish_run(&who(), run, ends(status)).await.map_err(text)?;
    until_end(world.either(random), run).await?;
    Ok(vec![Told { run, message: message.to_owned(), stopped, steps: 1 }])
}

fn ends(status: RunStatus) -> HostedFinish {
    HostedFinish { status, reason: None, error: None, finish_reason: None, step: None }
}

/// Reads the run's log until it is over.
async fn until_end(engine: &Engine, run: RunId) -> Result<(), String> {
    let mut tail = engine.tail(&who(), run, TailFrom::Start).await.map_err(text)?;
    while !tail.next_batch(32).await.map_err(text)?.is_empty() {}
    tail.end().map(|_| ()).ok_or_else(|| "its log has no end".to_owned())
}

/// A chat as the older version has it, when the newer one is gone: whole, in order, free, and good for an export.
async fn reads(engine: &Engine, chat: ChatId, told: &[Told]) -> Result<(), String> {
    for Told { run, stopped, steps, .. } in told {
        let run = engine.run(&who(), *run).await.map_err(text)?;
        let as_it_should = match stopped {
            true => matches!(run.status, RunStatus::Succeeded | RunStatus::Aborted),
            false => run.status == RunStatus::Succeeded && run.step_count as usize == *steps,
        };
        if !as_it_should {
            return Err(format!("{run:?}"));
        }
    }
    let messages = serde_json::to_value(engine.messages(&who(), chat).await.map_err(text)?).map_err(text)?;
    let said: Vec<&str> = messages
        .as_array()
        .into_iter()
        .flatten()
        .filter(|row| row["role"] == "user")
        .filter_map(|row| row["content"].as_str())
        .collect();
    let expected: Vec<&str> = told.iter().map(|told| told.message.as_str()).collect();
    if said != expected {
        return Err(format!("{said:?} was said"));
    }
    let markdown = ExportFormat::Markdown(turnkeep::project::Language::English, turnkeep::project::Labels::default());
    engine.export(&who(), chat, markdown).await.map_err(text)?.text().await.map_err(text)?;
    let export =
        async |chat| engine.export(&who(), chat, ExportFormat::Json).await.map_err(text)?.text().await.map_err(text);
    let document = export(chat).await?;
    // A document is a request, whose words have to be known.
    let known = document.replace(r#""status":"halted""#, r#""status":"aborted""#);
    let copy = engine.import_chat(&who(), &known).await.map_err(text)?;
    let unknown = |document: &str| (document.matches("hologram").count(), document.matches("mood").count());
    let (written, again) = (unknown(&document), unknown(&export(copy.id).await?));
    if written != again {
        return Err(format!("of {written:?} unknown members {again:?} came back from an export"));
    }
    // Its gate is open.
    let begin = json!({"workspaceId": "w1", "userId": "u1", "chatId": chat, "message": "still there?"});
    let last = engine.begin_run(serde_json::from_value(begin).map_err(text)?).await.map_err(text)?;
    engine.finish_run(&who(), last.run_id, ends(RunStatus::Succeeded)).await.map_err(text)
}

/// A setting that only the newer version has is still there when the older one has changed another.
async fn settings_survive(stage: &Stage, world: &World) -> Vec<String> {
    let change = async |engine: &Engine, value: Value| {
        let patch = SettingsPatch::from_json(&value.to_string()).expect("a change");
        engine.update_settings("w2", None, &patch).await.expect("settings");
    };
    change(&world.newer, json!({"driver": "openai-compatible", "chatModel": "one"})).await;
    hand::add_setting(stage);
    change(&world.older, json!({"chatModel": "two"})).await;
    if hand::has_setting(stage) { Vec::new() } else { vec!["a setting of the newer version".to_owned()] }
}

/// Counts what is not as it was written; and what the newer version has written.
fn look_back(stage: &Stage, lanes: &[Lane]) -> (Vec<String>, u64) {
    let mut lost: Vec<String> = lanes.iter().flat_map(|lane| lane.lost.iter().cloned()).collect();
    let mut observer = Observer::open(&stage.store).expect("the database");
    let mut count = |sql: &str| -> u64 {
        let rows = observer.rows(sql, "").expect("a count");
        column(&rows[0], "lost").and_then(|count| count.parse().ok()).expect("a number")
    };
    for (what, sql) in hand::LOST {
        match count(sql) {
            0 => {}
            missing => lost.push(format!("{what}, {missing} times")),
        }
    }
    let written = count("SELECT COUNT(*) AS lost FROM newer_words");
    // Those that are killed drive nothing that others could not go on with.
    const GIVEN_UP: &str = "SELECT id, owner, epoch, plan, started_at, finished_at FROM ai_chat_runs \
         WHERE reason = 'worker_lost'";
    lost.extend(observer.rows(GIVEN_UP, "").expect("runs").iter().map(|run| format!("{run:?}")));
    (lost, written)
}
