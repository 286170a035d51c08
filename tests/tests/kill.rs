//! Processes that share a file: killed in the middle of a turn, and begun all at once.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use turnkeep::model::{Run, RunReason, RunStatus};
use turnkeep::{ChatId, Engine, RunId, TailFrom};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::scenario::{STEPS, is_paired, on_postgres, open, request, six_steps, sql, store_in, who};
use turnkeep_tests::{Response, Script, ScriptedProvider};

const ROUNDS: usize = 100;

struct Killed {
    run_id: Option<RunId>,
    /// Steps that the child was told are finished.
    reported: usize,
    done: bool,
}

/// Runs a child and kills it after `delay`, counted from its first line.
fn kill_one(store: &str, base_url: &str, chat_id: ChatId, delay: Duration) -> Killed {
    let mut child = Command::new(env!("CARGO_BIN_EXE_turn-child"))
        .args([store, base_url, &chat_id.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next();
    // Not a wait for anything: the moment of the kill is meant to be any moment.
    std::thread::sleep(delay);
    child.kill().unwrap();
    child.wait().unwrap();
    let rest: Vec<String> = lines.collect();
    Killed {
        run_id: first.and_then(|line| line.strip_prefix("run ")?.parse().ok()),
        reported: rest.iter().filter(|line| *line == "step").count(),
        done: rest.iter().any(|line| line == "done"),
    }
}

/// A run of a killed process. A file tells at once that its owner is dead, a database when the lease has run out.
async fn left_behind(engine: &Engine, run_id: RunId) -> Run {
    loop {
        let run = engine.run(&who(), run_id).await.unwrap();
        if !run.status.is_active() || !on_postgres() {
            return run;
        }
        engine.sweep().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_kills_lose_no_reported_step_and_block_no_chat() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::start(six_steps(3)).await;
    let quick = ScriptedProvider::start(Script {
        responses: vec![Response::stream([vec![text("ok")], finish("stop", 1, 1)].concat())],
        repeat: true,
        by_step: false,
    })
    .await;
    let database = store_in(folder.path());
    let mut killed_after = [0_usize; STEPS + 1];
    let mut completed = 0;
    for round in 0..ROUNDS {
        let chat_id = ChatId::generate();
        let (base_url, path) = (provider.base_url(), database.clone());
        // Spread over the length of a turn, which is some 120 ms here; the golden ratio visits all of it.
        let delay = Duration::from_micros((round as u64 * 61_803) % 130_000);
        let killed = tokio::task::spawn_blocking(move || kill_one(&path, &base_url, chat_id, delay)).await.unwrap();
        let run_id = killed.run_id.expect("the child began its turn");

        let engine = open(folder.path(), &quick.base_url(), json!({})).await;
        let run = left_behind(&engine, run_id).await;
        let steps = run.step_count as usize;
        assert!(steps >= killed.reported, "round {round}: {} reported, {steps} kept", killed.reported);
        match run.status {
            RunStatus::Succeeded => assert_eq!(steps, STEPS, "round {round}"),
            RunStatus::Aborted => {
                assert_eq!(run.reason, Some(RunReason::WorkerLost), "round {round}");
                assert!(!killed.done, "round {round}");
            }
            status => panic!("round {round}: {status:?}"),
        }
        check_message(&engine.messages(&who(), chat_id).await.unwrap()[1], killed.reported, round);
        let next = engine.start_turn(request("again", json!({"chatId": chat_id})), Vec::new()).await.unwrap();
        assert_eq!(next.done().await.unwrap().status, RunStatus::Succeeded, "round {round}");
        engine.close(None).await.unwrap();
        killed_after[killed.reported] += 1;
        completed += usize::from(killed.done);
    }
    eprintln!("kills={ROUNDS} after_steps={killed_after:?} too_late={completed}");
    assert!(completed < ROUNDS / 2, "most kills came too late to prove anything");
    let sent = quick.requests();
    assert!(sent.iter().all(|request| is_paired(&request["messages"])), "a history with an unanswered call was sent");
}

/// Twelve processes that all find no database yet, make it, and run a turn each.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_begin_at_once_share_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let provider = ScriptedProvider::start(six_steps(3)).await;
    let database = store_in(folder.path());
    let children: Vec<_> = (0..12)
        .map(|_| {
            Command::new(env!("CARGO_BIN_EXE_turn-child"))
                .args([database.clone(), provider.base_url(), ChatId::generate().to_string()])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).ends_with("step\ndone\n"));
    }
}

/// Defect 7 of the servers that this replaces: what had streamed of an unfinished step was gone. All but the last quarter
/// of a second of it is kept.
#[tokio::test(flavor = "multi_thread")]
async fn the_text_of_a_killed_step_is_recovered_from_its_packs() {
    let folder = tempfile::tempdir().unwrap();
    let words = (0..100_000).map(|number| text(&format!("word{number} ")));
    let endless = Response { chunk_delay_ms: 2, ..Response::stream(words) };
    let provider = ScriptedProvider::start(Script { responses: vec![endless], repeat: true, by_step: false }).await;
    let database = store_in(folder.path());
    let chat_id = ChatId::generate();
    let mut child = Command::new(env!("CARGO_BIN_EXE_turn-child"))
        .args([database.clone(), provider.base_url(), chat_id.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let run_id: RunId = lines.next().unwrap().strip_prefix("run ").unwrap().parse().unwrap();
    let packs = || -> Vec<String> {
        let found = sql(folder.path(), "SELECT chunks FROM ai_chat_run_chunks ORDER BY first_sequence");
        found.lines().map(str::to_owned).collect()
    };
    while packs().len() < 3 {
        tokio::task::yield_now().await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let packed: String = packs().concat();

    let engine = open(folder.path(), &provider.base_url(), json!({})).await;
    let run = left_behind(&engine, run_id).await;
    assert_eq!((run.status, run.reason), (RunStatus::Aborted, Some(RunReason::WorkerLost)));
    let content = engine.messages(&who(), chat_id).await.unwrap()[1].content.clone();
    let kept = content.split_whitespace().count();
    let expected: String = (0..kept).map(|number| format!("word{number} ")).collect();
    assert_eq!(content, expected);
    assert_eq!(kept, packed.matches("\"text-delta\"").count());
    // Whoever follows the run reads the same, and an end.
    let mut tail = engine.tail(&who(), run_id, TailFrom::Start).await.unwrap();
    let mut told = Vec::new();
    loop {
        let batch = tail.next_batch(100).await.unwrap();
        if batch.is_empty() {
            break;
        }
        told.extend(batch.iter().map(|item| serde_json::from_str::<Value>(&item.chunk).unwrap()));
    }
    let text: String = told.iter().filter_map(|chunk| chunk["delta"].as_str()).collect();
    assert_eq!(text, expected);
    assert_eq!(told.last().unwrap(), &json!({"type": "abort", "reason": "worker_lost"}));
    engine.close(None).await.unwrap();
}

/// The message shows every reported step with its text and its tool's result.
fn check_message(message: &turnkeep::model::Message, reported: usize, round: usize) {
    let metadata: Value = serde_json::from_str(message.metadata.as_ref().unwrap().get()).unwrap();
    let parts = metadata["parts"].as_array().unwrap();
    for number in 0..reported {
        assert!(message.content.contains(&format!("step {number} and on ")), "round {round}: step {number}");
        if number + 1 < STEPS {
            let call = parts.iter().find(|part| part["toolCallId"] == format!("call_{number}")).unwrap();
            assert_eq!(call["state"], "output-available", "round {round}: step {number}");
        }
    }
    assert!(parts.iter().all(|part| part["state"] != "input-available"), "round {round}: a call without an outcome");
}
