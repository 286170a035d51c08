//! Rotates the application secret over many stored keys, in processes that are killed while they do it.
//!
//! `rotate records=100000 kills=200 seed=1`. The last line says what came of it; the exit code is 1 when a record cannot
//! be read with the new secret alone. The child's side is `rotate child=DATABASE`.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use turnkeep::Engine;
use turnkeep::secret::{RecordIdentity, SecretBox};
use turnkeep_tests::processes::Process;
use turnkeep_tests::scenario::options;

const OLD: &str = "the application secret of before";
const NEW: &str = "the application secret of now";
const COLUMN: &str = "api_key_enc";
/// How long a rotation goes on at most before it is killed.
const LONGEST_LIFE: Duration = Duration::from_millis(120);
/// How long a child may take to say something.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('='));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let Some(database) = given("child") {
        runtime.block_on(child(database));
        return ExitCode::SUCCESS;
    }
    let number = |name: &str, default: u64| {
        let text = given(name).filter(|text| !text.is_empty());
        text.map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: not a number")))
    };
    parent(number("records", 100_000), number("kills", 200), number("seed", 1), &runtime)
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

async fn open(database: &str, secrets: serde_json::Value) -> Engine {
    let store = format!("sqlite:{database}");
    Engine::open(options(&store, "http://127.0.0.1:1", secrets)).await.expect("an engine")
}

async fn child(database: &str) {
    // The engine begins to rotate as soon as it is open.
    let engine = open(database, json!({"appSecret": NEW, "previousAppSecrets": [OLD]})).await;
    println!("rotating");
    let rotation = engine.rotate_secrets(false).await.expect("a rotation");
    println!("{}", serde_json::to_string(&rotation).expect("plain data"));
    engine.close(None).await.expect("closed in order");
}

fn fill(path: &Path, records: u64) -> Duration {
    let database = rusqlite::Connection::open(path).expect("a database");
    let sealer = SecretBox::new(secret(OLD), []);
    let mut sealing = Duration::ZERO;
    database.execute_batch("BEGIN").expect("a transaction");
    for number in 0..records {
        let workspace = format!("w{number}");
        let record = RecordIdentity::provider_key(&workspace, "openai", COLUMN);
        let begun = Instant::now();
        let blob = sealer.seal(&secret(&format!("key {number}")), &record).expect("sealed");
        sealing += begun.elapsed();
        database
            .execute(
                "INSERT INTO ai_provider_credentials (id, workspace_id, driver, api_key_enc, created_at, updated_at) \
                 VALUES (?1, ?1, 'openai', ?2, '', '')",
                [workspace, blob],
            )
            .expect("a row");
    }
    database.execute_batch("COMMIT").expect("written");
    sealing
}

fn start_child(path: &Path) -> Process {
    let program = std::env::current_exe().expect("this program");
    let child = Process::start(program, [format!("child={}", path.display())]).expect("a child");
    let line = child.next_line(Instant::now() + PATIENCE).expect("a child that rotates");
    assert_eq!(line.text, "rotating");
    child
}

fn parent(records: u64, kills: u64, seed: u64, runtime: &tokio::runtime::Runtime) -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.db");
    let begun = Instant::now();
    runtime.block_on(async {
        // Makes the tables.
        let engine = open(&path.display().to_string(), json!({})).await;
        engine.close(None).await.expect("closed in order");
    });
    fill(&path, records);
    let (mut state, mut killed) = (seed, 0);
    for _ in 0..kills {
        let mut child = start_child(&path);
        // A linear congruential generator is random enough for moments.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(LONGEST_LIFE.mul_f64((state >> 33) as f64 / f64::from(u32::MAX >> 1)));
        let said = child.kill();
        killed += u64::from(!said.iter().any(|line| line.text.starts_with('{')));
    }
    let left_to_the_last = under_old(&path);
    let child = start_child(&path);
    let rotation = child.next_line(Instant::now() + PATIENCE).expect("the end of the rotation").text;
    drop(child);
    let (unreadable, reading) = unreadable(&path, records);
    let old = under_old(&path);
    let (whole, left) = (rotation.contains("\"unreadable\":0"), begun.elapsed().as_secs());
    let each = reading.as_nanos() / u128::from(records.max(1));
    println!(
        "rotate: records={records} killed_while_rotating={killed} of {kills} left_to_the_last={left_to_the_last} \
         unreadable={unreadable} under_the_old_secret={old} nanoseconds_to_open_one={each} seconds={left}"
    );
    if unreadable == 0 && old == 0 && whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn under_old(path: &Path) -> u64 {
    let current = SecretBox::new(secret(NEW), []).current_prefix();
    let database = rusqlite::Connection::open(path).expect("a database");
    let count = "SELECT COUNT(*) FROM ai_provider_credentials WHERE substr(api_key_enc, 1, length(?1)) <> ?1";
    database.query_row(count, [current], |row| row.get::<_, i64>(0)).expect("a count").cast_unsigned()
}

/// How many records the new secret alone does not open to what they were, and how long opening took.
fn unreadable(path: &Path, records: u64) -> (u64, Duration) {
    let database = rusqlite::Connection::open(path).expect("a database");
    let opener = SecretBox::new(secret(NEW), []);
    let mut statement =
        database.prepare("SELECT workspace_id, api_key_enc FROM ai_provider_credentials").expect("a statement");
    let mut rows = statement.query([]).expect("rows");
    let (mut readable, mut reading) = (0, Duration::ZERO);
    while let Some(row) = rows.next().expect("a row") {
        let (workspace, blob): (String, String) = (row.get(0).expect("text"), row.get(1).expect("text"));
        let record = RecordIdentity::provider_key(&workspace, "openai", COLUMN);
        let expected = format!("key {}", workspace.trim_start_matches('w'));
        let begun = Instant::now();
        let opened = opener.open(&blob, &record);
        reading += begun.elapsed();
        readable += u64::from(opened.is_ok_and(|(plaintext, _)| plaintext.expose_secret() == expected));
    }
    (records - readable, reading)
}
