//! What the processes of one chat have acknowledged, kept where no kill reaches it, and whether the database agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use serde_json::Value;

use crate::plan;
use crate::tally::{Rule, Tally};

/// How long a look at the database may wait for others.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

type Rows = BTreeMap<(String, String), String>;

#[derive(Debug, Default)]
struct KnownRun {
    /// Its owner knows that it is somebody else's.
    is_lost: bool,
    turn: Option<u64>,
    steps: BTreeSet<usize>,
    changes: BTreeSet<String>,
    done: Option<String>,
    settled: Option<Settlement>,
}

/// What is written once, when a run ends.
#[derive(Clone, Debug, PartialEq)]
struct Settlement {
    status: String,
    reason: Option<String>,
    finished_at: Option<String>,
    message: Option<String>,
}

struct StoredRun {
    id: String,
    status: String,
    step_count: usize,
    settlement: Settlement,
    content: String,
    metadata: Value,
    message_updated_at: String,
}

impl StoredRun {
    fn is_active(&self) -> bool {
        is_active(&self.status)
    }
}

fn is_active(status: &str) -> bool {
    matches!(status, "pending" | "running")
}

pub(crate) struct Ledger {
    pub(crate) chat: String,
    runs: BTreeMap<String, KnownRun>,
}

impl Ledger {
    pub(crate) fn new(chat: String) -> Self {
        Self { chat, runs: BTreeMap::new() }
    }

    fn known(&mut self, run: &str) -> &mut KnownRun {
        self.runs.entry(run.to_owned()).or_default()
    }

    pub(crate) fn begun(&mut self, run: &str, turn: u64) {
        self.known(run).turn = Some(turn);
    }

    pub(crate) fn step(&mut self, run: &str, number: usize) {
        self.known(run).steps.insert(number);
    }

    pub(crate) fn changed(&mut self, run: &str, call: &str) {
        self.known(run).changes.insert(call.to_owned());
    }

    pub(crate) fn done(&mut self, run: &str, status: &str) {
        self.known(run).done = Some(status.to_owned());
    }

    /// Whether somebody was told that this run is done.
    pub(crate) fn lost(&mut self, run: &str) {
        self.known(run).is_lost = true;
    }

    pub(crate) fn is_lost(&self, run: &str) -> bool {
        self.runs.get(run).is_some_and(|known| known.is_lost)
    }

    pub(crate) fn is_done(&self, run: &str) -> bool {
        self.runs.get(run).is_some_and(|known| known.done.is_some())
    }

    /// Compares all of it with the database. `quiet`: nobody drives a run of this chat any more.
    pub(crate) fn check(&mut self, database: &Database, tally: &Tally, quiet: bool) -> rusqlite::Result<()> {
        let stored = database.runs(&self.chat)?;
        let active = stored.iter().filter(|run| run.is_active()).count();
        if active > 1 {
            tally.broken(Rule::OneActive, format!("chat {} has {active} active runs", self.chat));
        }
        for run in &stored {
            if run.is_active() {
                if quiet {
                    tally.broken(Rule::SettledOnce, format!("run {} is {} and has no owner", run.id, run.status));
                }
            } else {
                self.check_settled(run, database, tally)?;
            }
        }
        for (id, known) in &self.runs {
            match stored.iter().find(|run| run.id == *id) {
                Some(run) => check_acknowledged(run, known, &database.steps(id)?, tally),
                None => tally.broken(Rule::NoLostStep, format!("run {id} was begun and is gone")),
            }
        }
        Ok(())
    }

    fn check_settled(&mut self, run: &StoredRun, database: &Database, tally: &Tally) -> rusqlite::Result<()> {
        let known = self.known(&run.id);
        let found = &run.settlement;
        match &known.settled {
            None => known.settled = Some(found.clone()),
            Some(first) if first != found => {
                tally.broken(Rule::SettledOnce, format!("run {} was {first:?} and is {found:?}", run.id));
            }
            Some(_) => {}
        }
        if let Some(told) = known.done.as_ref().filter(|told| **told != run.status) {
            tally.broken(Rule::SettledOnce, format!("run {} was told to be {told} and is {}", run.id, run.status));
        }
        let message = match run.status.as_str() {
            "succeeded" => "completed",
            "failed" => "error",
            _ => "aborted",
        };
        if found.message.as_deref() != Some(message) || found.finished_at.is_none() {
            tally.broken(Rule::SettledOnce, format!("run {}: {found:?} does not fit together", run.id));
        }
        if run.status == "failed" {
            tally.broken(Rule::NoError, format!("run {} failed: {found:?}", run.id));
        }
        let finished_at = found.finished_at.as_deref().unwrap_or_default();
        if run.message_updated_at.as_str() > finished_at {
            tally.broken(Rule::NoStaleWrite, format!("the message of run {} was written after its end", run.id));
        }
        for (table, time) in database.last_written(&run.id)? {
            if time.as_str() > finished_at {
                tally.broken(Rule::NoStaleWrite, format!("{table} of run {} was written after its end", run.id));
            }
        }
        let steps = database.steps(&run.id)?;
        let rows = steps.values().flat_map(|step| step.parts.as_array().into_iter().flatten());
        let shown = run.metadata["parts"].as_array().into_iter().flatten();
        for part in rows.chain(shown) {
            let has_outcome = matches!(part["state"].as_str(), Some("output-available" | "output-error"));
            if part["toolCallId"].is_string() && !has_outcome {
                tally.broken(Rule::PairedHistory, format!("run {}: {} has no outcome", run.id, part["toolCallId"]));
            }
        }
        if run.status == "succeeded" && steps.values().filter(|step| step.is_finished).count() != run.step_count {
            tally.broken(Rule::NoLostStep, format!("run {} has not all of its {} steps", run.id, run.step_count));
        }
        Ok(())
    }
}

/// Whether the rows hold every step and every change that was acknowledged, with the planned contents.
fn check_acknowledged(run: &StoredRun, known: &KnownRun, rows: &BTreeMap<usize, StoredStep>, tally: &Tally) {
    let lost = |what: String| tally.broken(Rule::NoLostStep, format!("run {}: {what}", run.id));
    for call in &known.changes {
        let is_call = |part: &Value| part["toolCallId"] == call.as_str();
        if !rows.values().any(|row| row.parts.as_array().into_iter().flatten().any(is_call)) {
            lost(format!("the change {call} was made and is not in the log"));
        }
    }
    let Some(turn) = known.turn else {
        if !known.steps.is_empty() {
            lost("steps were told of before the run".to_owned());
        }
        return;
    };
    let planned = plan::steps(turn);
    for number in &known.steps {
        let (Some(step), Some(row)) = (planned.get(*number), rows.get(number)) else {
            lost(format!("step {number} was told to be finished and is gone"));
            continue;
        };
        let parts: Vec<&Value> = row.parts.as_array().into_iter().flatten().collect();
        let text: String =
            parts.iter().filter(|part| part["type"] == "text").filter_map(|p| p["text"].as_str()).collect();
        let has_outcome = |call: &plan::Call| {
            parts.iter().any(|part| {
                part["toolCallId"] == call.id.as_str()
                    && part["state"] == "output-available"
                    && part["output"] == call.output()
            })
        };
        if !row.is_finished {
            lost(format!("step {number} was told to be finished and is an intent"));
        } else if text != step.text() || !step.calls.iter().all(has_outcome) {
            lost(format!("step {number} is not what was told: {}", row.parts));
        }
        if run.step_count <= *number {
            lost(format!("step {number} is not counted"));
        }
        if !run.is_active() && !run.content.contains(step.text().trim()) {
            lost(format!("the settled message does not show step {number}"));
        }
    }
}

struct StoredStep {
    is_finished: bool,
    parts: Value,
}

/// The database as everybody else sees it, without the engine in between. Columns that it does not know do no harm.
pub(crate) struct Database(Connection);

impl Database {
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.execute_batch("PRAGMA query_only = ON")?;
        Ok(Self(connection))
    }

    /// Whether nobody keeps the write lock for as long as `patience`; writes nothing.
    pub(crate) fn is_writable_within(&self, patience: Duration) -> rusqlite::Result<bool> {
        self.0.busy_timeout(patience)?;
        let begun = self.0.execute_batch("PRAGMA query_only = OFF; BEGIN IMMEDIATE; ROLLBACK; PRAGMA query_only = ON");
        self.0.execute_batch("PRAGMA query_only = ON")?;
        self.0.busy_timeout(BUSY_TIMEOUT)?;
        match begun {
            Ok(()) => Ok(true),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn active_run(&self, chat: &str) -> rusqlite::Result<Option<String>> {
        self.0
            .prepare_cached("SELECT id FROM ai_chat_runs WHERE chat_id = ?1 AND status IN ('pending', 'running')")?
            .query_row([chat], |row| row.get(0))
            .optional()
    }

    /// Whether the run has ended, and under which epoch.
    pub(crate) fn end_of(&self, run: &str) -> rusqlite::Result<Option<i64>> {
        let (status, epoch): (String, i64) = self
            .0
            .prepare_cached("SELECT status, epoch FROM ai_chat_runs WHERE id = ?1")?
            .query_row([run], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((!is_active(&status)).then_some(epoch))
    }

    /// Chats with more than one active run, and runs without an end.
    pub(crate) fn crowded_and_unsettled(&self) -> rusqlite::Result<(Vec<String>, Vec<String>)> {
        let list = |sql: &str| -> rusqlite::Result<Vec<String>> {
            self.0.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
        };
        Ok((
            list(
                "SELECT chat_id FROM ai_chat_runs WHERE status IN ('pending', 'running') GROUP BY 1 HAVING COUNT(*) > 1",
            )?,
            list("SELECT id FROM ai_chat_runs WHERE status IN ('pending', 'running')")?,
        ))
    }

    pub(crate) fn is_sound(&self) -> rusqlite::Result<bool> {
        let word: String = self.0.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        Ok(word == "ok")
    }

    fn runs(&self, chat: &str) -> rusqlite::Result<Vec<StoredRun>> {
        self.0
            .prepare_cached(
                "SELECT r.id, r.status, r.step_count, r.reason, r.finished_at, m.status AS message, m.content, \
                 m.metadata, m.updated_at AS message_updated_at \
                 FROM ai_chat_runs r LEFT JOIN ai_chat_messages m ON m.id = r.assistant_message_id \
                 WHERE r.chat_id = ?1 ORDER BY r.created_at, r.id",
            )?
            .query_map([chat], |row| {
                let status: String = row.get("status")?;
                Ok(StoredRun {
                    id: row.get("id")?,
                    step_count: usize::try_from(row.get::<_, u32>("step_count")?).unwrap_or(usize::MAX),
                    settlement: Settlement {
                        status: status.clone(),
                        reason: row.get("reason")?,
                        finished_at: row.get("finished_at")?,
                        message: row.get("message")?,
                    },
                    status,
                    content: row.get::<_, Option<String>>("content")?.unwrap_or_default(),
                    metadata: json(row.get("metadata")?),
                    message_updated_at: row.get::<_, Option<String>>("message_updated_at")?.unwrap_or_default(),
                })
            })?
            .collect()
    }

    fn steps(&self, run: &str) -> rusqlite::Result<BTreeMap<usize, StoredStep>> {
        self.0
            .prepare_cached("SELECT step_number, state, parts FROM ai_chat_run_steps WHERE run_id = ?1")?
            .query_map([run], |row| {
                let (number, state): (u32, String) = (row.get(0)?, row.get(1)?);
                let number = usize::try_from(number).unwrap_or(usize::MAX);
                Ok((number, StoredStep { is_finished: state == "finished", parts: json(row.get(2)?) }))
            })?
            .collect()
    }

    /// The newest time in each table of a run's log.
    fn last_written(&self, run: &str) -> rusqlite::Result<Vec<(&'static str, String)>> {
        let newest = |sql: &str| -> rusqlite::Result<String> {
            let time: Option<String> = self.0.prepare_cached(sql)?.query_row([run], |row| row.get(0))?;
            Ok(time.unwrap_or_default())
        };
        Ok(vec![
            (
                "a step",
                newest(
                    "SELECT MAX(MAX(created_at, COALESCE(finished_at, ''))) FROM ai_chat_run_steps WHERE run_id = ?1",
                )?,
            ),
            ("a chunk", newest("SELECT MAX(created_at) FROM ai_chat_run_chunks WHERE run_id = ?1")?),
        ])
    }

    /// Every row of the chat, column by column.
    pub(crate) fn snapshot(&self, chat: &str) -> rusqlite::Result<Rows> {
        let of_runs = "WHERE run_id IN (SELECT id FROM ai_chat_runs WHERE chat_id = ?1)";
        let mut rows = Rows::new();
        for (table, key, filter) in [
            ("ai_chat_runs", "id", "WHERE chat_id = ?1"),
            ("ai_chat_messages", "id", "WHERE chat_id = ?1"),
            ("ai_chat_run_steps", "run_id || '/' || step_number", of_runs),
            ("ai_chat_run_chunks", "run_id || '/' || first_sequence", of_runs),
        ] {
            let mut statement = self.0.prepare(&format!("SELECT {key}, * FROM {table} {filter}"))?;
            let names: Vec<String> = statement.column_names().skip(1).map(str::to_owned).collect();
            let mut found = statement.query([chat])?;
            while let Some(row) = found.next()? {
                let mut text = String::new();
                for (index, name) in names.iter().enumerate() {
                    let value = match row.get_ref(index + 1)? {
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                        other => format!("{other:?}"),
                    };
                    text.push_str(&format!("{name}={value} "));
                }
                rows.insert((table.to_owned(), row.get(0)?), text);
            }
        }
        Ok(rows)
    }
}

fn json(text: Option<String>) -> Value {
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// What was written of the runs in `before` since: rows that changed, and rows that were added to their logs. Chunks may
/// be cleared away once a run has settled.
pub(crate) fn stale_writes(before: &Rows, after: &Rows) -> Vec<String> {
    let mut found = Vec::new();
    for (key, row) in before {
        match after.get(key) {
            Some(same) if same == row => {}
            None if key.0 == "ai_chat_run_chunks" => {}
            changed => found.push(format!("{} {}: {row} became {changed:?}", key.0, key.1)),
        }
    }
    for (table, key) in after.keys().filter(|key| !before.contains_key(*key)) {
        let run = key.split('/').next().unwrap_or_default().to_owned();
        let is_log = table == "ai_chat_run_steps" || table == "ai_chat_run_chunks";
        if is_log && before.contains_key(&("ai_chat_runs".to_owned(), run)) {
            found.push(format!("{table} {key} was added"));
        }
    }
    found
}
