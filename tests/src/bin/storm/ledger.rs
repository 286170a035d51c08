//! What the processes of one chat have acknowledged, kept where no kill reaches it, and whether the database agrees.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use turnkeep_tests::stage::{Observer, column};

use crate::plan;
use crate::tally::{Rule, Tally};

/// How long a look at a file may wait for others.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

type Rows = BTreeMap<(String, String), String>;
type Outcome<T> = Result<T, String>;

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
    pub(crate) fn check(&mut self, database: &mut Database, tally: &Tally, quiet: bool) -> Outcome<()> {
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

    fn check_settled(&mut self, run: &StoredRun, database: &mut Database, tally: &Tally) -> Outcome<()> {
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
        let (entered, reserved) = database.calls(&run.id)?;
        let finished = steps.values().filter(|step| step.is_finished).count();
        if (entered, reserved) != (finished, 0) {
            let detail = format!("run {}: {finished} steps, {entered} calls, {reserved} set aside", run.id);
            tally.broken(Rule::LedgerAddsUp, detail);
        }
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
pub(crate) struct Database(Observer);

impl Database {
    pub(crate) fn open(store: &str) -> Outcome<Self> {
        Observer::open(store).map(Self)
    }

    /// Whether nobody keeps the write lock of a file for as long as `patience`; writes nothing. A server has no such
    /// lock.
    pub(crate) fn is_writable_within(&self, patience: Duration) -> Outcome<bool> {
        let Some(file) = self.0.file() else { return Ok(true) };
        let attempt = || {
            file.busy_timeout(patience)?;
            let begun =
                file.execute_batch("PRAGMA query_only = OFF; BEGIN IMMEDIATE; ROLLBACK; PRAGMA query_only = ON");
            file.execute_batch("PRAGMA query_only = ON")?;
            file.busy_timeout(BUSY_TIMEOUT)?;
            match begun {
                Ok(()) => Ok(true),
                Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(false),
                Err(error) => Err(error),
            }
        };
        attempt().map_err(|error: rusqlite::Error| error.to_string())
    }

    fn one(&mut self, sql: &str, id: &str) -> Outcome<Option<String>> {
        let rows = self.0.rows(sql, id)?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).and_then(|(_, value)| value))
    }

    pub(crate) fn active_run(&mut self, chat: &str) -> Outcome<Option<String>> {
        self.one("SELECT id FROM ai_chat_runs WHERE chat_id = ?1 AND status IN ('pending', 'running')", chat)
    }

    /// Whether the run has ended, and under which epoch.
    pub(crate) fn end_of(&mut self, run: &str) -> Outcome<Option<i64>> {
        const ENDED: &str = "SELECT epoch FROM ai_chat_runs WHERE id = ?1 AND status NOT IN ('pending', 'running')";
        Ok(self.one(ENDED, run)?.and_then(|epoch| epoch.parse().ok()))
    }

    /// Chats with more than one active run, and runs without an end.
    pub(crate) fn crowded_and_unsettled(&mut self) -> Outcome<(Vec<String>, Vec<String>)> {
        let mut list = |sql: &str| -> Outcome<Vec<String>> {
            let rows = self.0.rows(sql, "")?;
            Ok(rows.into_iter().filter_map(|row| row.into_iter().next()?.1).collect())
        };
        Ok((
            list(
                "SELECT chat_id FROM ai_chat_runs WHERE status IN ('pending', 'running') GROUP BY 1 HAVING COUNT(*) > 1",
            )?,
            list("SELECT id FROM ai_chat_runs WHERE status IN ('pending', 'running')")?,
        ))
    }

    pub(crate) fn is_sound(&mut self) -> Outcome<bool> {
        if self.0.file().is_none() {
            // A server that had found damage would not have started again.
            return Ok(true);
        }
        Ok(self.one("PRAGMA integrity_check", "")?.as_deref() == Some("ok"))
    }

    fn runs(&mut self, chat: &str) -> Outcome<Vec<StoredRun>> {
        let rows = self.0.rows(
            "SELECT r.id, r.status, r.step_count, r.reason, r.finished_at, m.status AS message, m.content, \
             m.metadata, m.updated_at AS message_updated_at \
             FROM ai_chat_runs r LEFT JOIN ai_chat_messages m ON m.id = r.assistant_message_id \
             WHERE r.chat_id = ?1 ORDER BY r.created_at, r.id",
            chat,
        )?;
        let text = |row, name| column(row, name).unwrap_or_default();
        Ok(rows
            .iter()
            .map(|row| StoredRun {
                id: text(row, "id"),
                step_count: text(row, "step_count").parse().unwrap_or(usize::MAX),
                settlement: Settlement {
                    status: text(row, "status"),
                    reason: column(row, "reason"),
                    finished_at: column(row, "finished_at"),
                    message: column(row, "message"),
                },
                status: text(row, "status"),
                content: text(row, "content"),
                metadata: json(column(row, "metadata")),
                message_updated_at: text(row, "message_updated_at"),
            })
            .collect())
    }

    fn steps(&mut self, run: &str) -> Outcome<BTreeMap<usize, StoredStep>> {
        let rows = self.0.rows("SELECT step_number, state, parts FROM ai_chat_run_steps WHERE run_id = ?1", run)?;
        Ok(rows
            .iter()
            .map(|row| {
                let number = column(row, "step_number").and_then(|number| number.parse().ok()).unwrap_or(usize::MAX);
                let is_finished = column(row, "state").as_deref() == Some("finished");
                (number, StoredStep { is_finished, parts: json(column(row, "parts")) })
            })
            .collect())
    }

    /// How many of the run's steps are in the ledger of calls, and for how many calls something is still set aside.
    fn calls(&mut self, run: &str) -> Outcome<(usize, usize)> {
        let mut count = |condition: &str| -> Outcome<usize> {
            let counted =
                self.one(&format!("SELECT COUNT(*) FROM turnkeep_usage WHERE run_id = ?1 AND {condition}"), run)?;
            Ok(counted.and_then(|count| count.parse().ok()).unwrap_or(usize::MAX))
        };
        Ok((count("NOT reserved AND id LIKE run_id || '/%'")?, count("reserved")?))
    }

    /// The newest time in each table of a run's log.
    fn last_written(&mut self, run: &str) -> Outcome<Vec<(&'static str, String)>> {
        let mut newest = |sql: &str| Ok::<_, String>(self.one(sql, run)?.unwrap_or_default());
        Ok(vec![
            ("a step's beginning", newest("SELECT MAX(created_at) FROM ai_chat_run_steps WHERE run_id = ?1")?),
            ("a step", newest("SELECT MAX(finished_at) FROM ai_chat_run_steps WHERE run_id = ?1")?),
            ("a chunk", newest("SELECT MAX(created_at) FROM ai_chat_run_chunks WHERE run_id = ?1")?),
        ])
    }

    /// Every row of the chat, column by column.
    pub(crate) fn snapshot(&mut self, chat: &str) -> Outcome<Rows> {
        let of_runs = "WHERE run_id IN (SELECT id FROM ai_chat_runs WHERE chat_id = ?1)";
        let mut rows = Rows::new();
        for (table, key, filter) in [
            ("ai_chat_runs", "id", "WHERE chat_id = ?1"),
            ("ai_chat_messages", "id", "WHERE chat_id = ?1"),
            ("ai_chat_run_steps", "run_id || '/' || step_number", of_runs),
            ("ai_chat_run_chunks", "run_id || '/' || first_sequence", of_runs),
        ] {
            for row in self.0.rows(&format!("SELECT {key} AS row_key, * FROM {table} {filter}"), chat)? {
                let text: String = row.iter().skip(1).map(|(name, value)| format!("{name}={value:?} ")).collect();
                rows.insert((table.to_owned(), column(&row, "row_key").unwrap_or_default()), text);
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
