//! One run, and the messages that are written to it while it may be ending.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use turnkeep::model::SteeringState;
use turnkeep::tool::Tool;
use turnkeep::{ChatId, Engine, ErrorCode, RunId, TailFrom, Turn};
use turnkeep_tests::scenario::{FnTool, request, tool, who};
use turnkeep_tests::stage::Random;

/// How long after its beginning something may happen to a run: some of it is after its end.
const SOON: Duration = Duration::from_millis(40);
/// The same for one that is left to others, who have to find it first.
const LATER: Duration = Duration::from_millis(250);
/// When a run stands still.
const PATIENCE: Duration = Duration::from_secs(120);
/// How soon something is tried again that found the store out of reach.
const AGAIN: Duration = Duration::from_millis(5);
/// How many messages one run is sent at most.
const MOST: u64 = 3;

pub(crate) fn look() -> Tool {
    tool(json!({"name": "look", "readOnly": true}), FnTool(|_| Ok(json!("seen"))))
}

/// The engines of the races.
pub(crate) struct Course {
    pub(crate) driving: Engine,
    pub(crate) leaving: Engine,
    pub(crate) writing: Engine,
}

#[derive(Default)]
pub(crate) struct Tally {
    messages: u64,
    entered: u64,
    next_turn: u64,
    refused: u64,
    stops: u64,
    left: u64,
    lost: u64,
    twice: u64,
    stuck: u64,
    wrong: u64,
    ends: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(crate) fn is_clean(&self) -> bool {
        self.lost + self.twice + self.stuck + self.wrong == 0
    }

    pub(crate) fn details(&self) -> String {
        format!("stops={} left_to_others={} {:?}", self.stops, self.left, self.ends)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.entered += other.entered;
        self.next_turn += other.next_turn;
        self.refused += other.refused;
        self.stops += other.stops;
        self.left += other.left;
        self.lost += other.lost;
        self.twice += other.twice;
        self.stuck += other.stuck;
        self.wrong += other.wrong;
        other.ends.into_iter().for_each(|(end, times)| *self.ends.entry(end).or_default() += times);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, entered, next_turn, refused, lost, twice, stuck, wrong, .. } = self;
        write!(
            f,
            "messages={messages} entered={entered} next_turn={next_turn} refused={refused} lost={lost} twice={twice} \
             stuck={stuck} wrong={wrong}"
        )
    }
}

/// What came of writing a message.
enum Written {
    /// It was accepted, under this id.
    Accepted(String),
    /// It came too late.
    Refused,
}

impl Course {
    pub(crate) async fn race(&self, number: u64, random: &mut Random, tally: &mut Tally) -> Result<(), String> {
        let (is_left, is_stopped) = (random.one_in(2), random.one_in(3));
        let within = if is_left { LATER } else { SOON };
        let turn = self.begin(is_left).await?;
        let messages = 1 + random.below(MOST);
        let plans: Vec<_> =
            (0..messages).map(|message| (message, random.moment(within), random.one_in(4), random.one_in(2))).collect();
        let stop = is_stopped.then(|| random.moment(within));
        let writes = plans.into_iter().map(|(message, after, again, own)| {
            let engine = if own { &self.writing } else { &self.driving };
            let run_id = turn.run_id();
            async move {
                sleep(after).await;
                let id = format!("m{number}-{message}");
                let written = write(engine, run_id, &id).await?;
                // A client that has heard nothing sends it again.
                if again && matches!(written, Written::Accepted(_)) {
                    write(engine, run_id, &id).await?;
                }
                Ok::<_, String>(written)
            }
        });
        let stopping = async {
            if let Some(after) = stop {
                sleep(after).await;
                persistently(async || self.writing.stop_run(&who(), turn.run_id()).await).await?;
            }
            Ok::<_, String>(())
        };
        let (written, stopped) = tokio::join!(futures_util::future::join_all(writes), stopping);
        stopped?;
        let written: Vec<Written> = written.into_iter().collect::<Result<_, _>>()?;
        tally.messages += messages;
        tally.stops += u64::from(is_stopped);
        tally.left += u64::from(is_left);
        let Ok(outcome) = timeout(PATIENCE, turn.done()).await else {
            tally.stuck += 1;
            eprintln!("run {} stands still", turn.run_id());
            return Ok(());
        };
        *tally.ends.entry(outcome.map_or("lost", |outcome| outcome.status.as_str())).or_default() += 1;
        self.check(&turn, &written, tally).await
    }

    async fn begin(&self, is_left: bool) -> Result<Turn, String> {
        let (engine, fields) = match is_left {
            true => (&self.leaving, json!({"offeredTools": ["look"]})),
            false => (&self.driving, json!({})),
        };
        let tools = || if is_left { Vec::new() } else { vec![look()] };
        persistently(async || engine.start_turn(request("go", fields.clone()), tools()).await).await
    }

    /// Where the messages are, once there was a next turn.
    async fn check(&self, turn: &Turn, written: &[Written], tally: &mut Tally) -> Result<(), String> {
        let (run_id, chat_id) = (turn.run_id(), turn.chat_id());
        let waiting = persistently(async || self.writing.queue(&who(), chat_id).await).await?;
        if !waiting.is_empty() {
            let fields = json!({"chatId": chat_id});
            let next =
                persistently(async || self.driving.start_turn(request("next", fields.clone()), Vec::new()).await)
                    .await?;
            if timeout(PATIENCE, next.done()).await.is_err() {
                tally.stuck += 1;
                return Ok(());
            }
        }
        let places = self.places(run_id, chat_id).await?;
        let accepted = written.iter().filter_map(|written| match written {
            Written::Accepted(id) => Some(id),
            Written::Refused => None,
        });
        let states = persistently(async || self.writing.steering(&who(), run_id).await).await?;
        for id in accepted.clone() {
            let found = places.get(id).copied().unwrap_or_default();
            let state = states.iter().find(|steering| steering.message_id.to_string() == *id);
            match (found, state.map(|steering| steering.state)) {
                ((1, 1, 0), Some(SteeringState::Entered)) => tally.entered += 1,
                ((0, 0, 1), Some(SteeringState::NextTurn)) => tally.next_turn += 1,
                (found @ ((2.., ..) | (_, 2.., _) | (.., 2..)), state) => {
                    tally.twice += 1;
                    eprintln!("message {id} of run {run_id} is there twice: {found:?}, {state:?}");
                }
                (found, state) => {
                    tally.lost += 1;
                    eprintln!("message {id} of run {run_id} is not where it is said to be: {found:?}, {state:?}");
                }
            }
        }
        tally.refused += written.iter().filter(|written| matches!(written, Written::Refused)).count() as u64;
        if places.len() > accepted.count() {
            tally.wrong += 1;
            eprintln!("chat {chat_id} has messages that were refused: {places:?}");
        }
        Ok(())
    }

    /// How often each message is in the run's log, in its row, and among the messages of the user.
    async fn places(&self, run_id: RunId, chat_id: ChatId) -> Result<BTreeMap<String, (u64, u64, u64)>, String> {
        let mut places: BTreeMap<String, (u64, u64, u64)> = BTreeMap::new();
        for chunk in self.log(run_id).await? {
            if chunk["type"] == "data-steering" {
                places.entry(chunk["id"].as_str().unwrap_or_default().to_owned()).or_default().0 += 1;
            }
        }
        for row in persistently(async || self.writing.messages(&who(), chat_id).await).await? {
            let parts = serde_json::to_value(row.parts()).map_err(|error| error.to_string())?;
            let steering = |part: &&Value| part["type"] == "data-steering";
            for part in parts.as_array().into_iter().flatten().filter(steering) {
                places.entry(part["id"].as_str().unwrap_or_default().to_owned()).or_default().1 += 1;
            }
            if row.role.as_str() == "user" && row.content == "and this" {
                places.entry(row.id.to_string()).or_default().2 += 1;
            }
        }
        Ok(places)
    }

    async fn log(&self, run_id: RunId) -> Result<Vec<Value>, String> {
        let mut tail = persistently(async || self.writing.tail(&who(), run_id, TailFrom::Start).await).await?;
        let mut chunks = Vec::new();
        loop {
            let batch = tail.next_batch(64).await.map_err(|error| error.to_string())?;
            if batch.is_empty() {
                return Ok(chunks);
            }
            for item in batch {
                chunks.push(serde_json::from_str(&item.chunk).map_err(|error| error.to_string())?);
            }
        }
    }
}

async fn write(engine: &Engine, run_id: RunId, id: &str) -> Result<Written, String> {
    let params = json!({"workspaceId": who().workspace_id, "userId": who().user_id, "runId": run_id,
        "message": {"id": id, "parts": [{"type": "text", "text": "and this"}]}});
    loop {
        match engine.call("runs.steer", &params.to_string()).await {
            Ok(answer) => {
                let answer: Value = serde_json::from_str(&answer).map_err(|error| error.to_string())?;
                return Ok(Written::Accepted(answer["messageId"].as_str().unwrap_or_default().to_owned()));
            }
            Err(error) if error.code() == ErrorCode::RunNotActive => return Ok(Written::Refused),
            Err(error) if error.code() == ErrorCode::StoreUnavailable => sleep(AGAIN).await,
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Attempts it as long as the store is out of reach.
async fn persistently<T>(attempt: impl AsyncFn() -> turnkeep::Result<T>) -> Result<T, String> {
    loop {
        match attempt().await {
            Err(error) if error.code() == ErrorCode::StoreUnavailable => sleep(AGAIN).await,
            result => return result.map_err(|error| error.to_string()),
        }
    }
}
