//! Reading a run's log from any process: what there is of it, and then what is added.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::engine::Inner;
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::log::replay::{self, StepView};
use crate::log::{SSE_DONE, UiChunk};
use crate::model::{FinishReason, RunReason, RunStatus, Usage};
use crate::project::ErrorText;
use crate::store::{LogFrom, LogPage, LogRange, LogRow, LogStart, LoggedStep, StepNumbers};

/// About how much of a log is read from the store at once.
const PAGE_BYTES: usize = 128 * 1024;
/// How much of what was added last is kept in memory for all readers of a run together.
const RING_BYTES: usize = 256 * 1024;
/// How often the log of a run of this process is looked at without having been told to.
const OWN_POLL: Duration = Duration::from_secs(2);
/// The same for a run of another process of which we are told.
const HEARING_POLL: Duration = Duration::from_secs(1);
/// How often a follower tells the process which drives the run that it is there.
pub(crate) const FOLLOWING_AGAIN: Duration = Duration::from_secs(5);
/// The wait after a store that is out of reach.
const RETRY_WAIT: Duration = Duration::from_millis(250);

/// A place in a run's log: after the chunk with this number, and after so many chunks of the compact form of what
/// follows. As text `17`, or `17+3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The number of the last chunk that was read.
    pub sequence: u64,
    /// Chunks read of the next step's compact form.
    pub compact: u32,
}

impl Cursor {
    /// The place after the chunk with this number.
    pub(crate) fn after(sequence: u64) -> Self {
        Self { sequence, compact: 0 }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.compact {
            0 => self.sequence.fmt(f),
            compact => write!(f, "{}+{compact}", self.sequence),
        }
    }
}

impl FromStr for Cursor {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("after", "must be a cursor that a tail has given out");
        let (sequence, compact) = text.split_once('+').unwrap_or((text, "0"));
        // Digits only: what `parse` also takes, a sign, is no cursor.
        if [sequence, compact].iter().any(|part| !part.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(wrong());
        }
        Ok(Self { sequence: sequence.parse().map_err(|_| wrong())?, compact: compact.parse().map_err(|_| wrong())? })
    }
}

/// Where a tail begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TailFrom {
    /// With finished steps in compact form, one delta per block; then chunk by chunk.
    #[default]
    Snapshot,
    /// Chunk by chunk from the first one, as far as that is still known.
    Start,
    /// After what was read before.
    After(Cursor),
}

/// A chunk of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailItem {
    /// Where to go on after this chunk.
    pub cursor: Cursor,
    /// The chunk, encoded.
    pub chunk: Arc<str>,
    /// The place that was asked for is not known any more (or never was): what follows begins from the start, and
    /// replaces what was read before.
    pub resync: bool,
}

/// How the run that was followed ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TailEnd {
    /// A final status.
    pub status: RunStatus,
    /// Why it did not succeed.
    pub reason: Option<RunReason>,
    /// The error in one line, when it failed.
    pub error: Option<String>,
}

impl TailItem {
    /// As `{"cursor", "chunk", "resync"?}`.
    pub fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Item<'a> {
            cursor: String,
            chunk: Option<&'a RawValue>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            resync: bool,
        }
        let chunk = serde_json::from_str(&self.chunk).ok();
        let item = Item { cursor: self.cursor.to_string(), chunk, resync: self.resync };
        serde_json::to_string(&item).unwrap_or_default()
    }

    /// As a server-sent event whose id is the cursor. An event that begins anew is named `resync`.
    pub fn to_sse(&self) -> String {
        let name = if self.resync { "event: resync\n" } else { "" };
        format!("{name}{}", sse_event(Some(&self.cursor), &self.chunk))
    }
}

/// A chunk as a server-sent event with the place behind it.
pub(crate) fn sse_event(cursor: Option<&Cursor>, chunk: &str) -> String {
    let id = cursor.map(|cursor| format!("id: {cursor}\n")).unwrap_or_default();
    format!("{id}{}", crate::log::sse_event(chunk))
}

/// Turns rows of the log into chunks from a place on. Pure: it is fed pages.
#[derive(Clone)]
pub(crate) struct LogReader {
    /// The first number that is wanted.
    wanted: u64,
    /// Chunks of the next step's compact form that are not wanted.
    skip: u32,
    /// Finished steps are told in compact form until the step in progress is reached.
    compact: bool,
    begun: bool,
    step: u32,
    /// The number of the chunk that comes next in the log.
    next: u64,
    view: StepView,
    usage: Option<Usage>,
    finish_reason: Option<FinishReason>,
    /// The next item begins anew.
    resync: bool,
    /// In whose words a failure is told.
    words: ErrorText,
}

/// How far a page led.
#[derive(Debug, PartialEq)]
pub(crate) enum Reached {
    /// The run has not begun yet.
    Nothing,
    /// There is more to read at once.
    More,
    /// What is added next is not there yet.
    Present,
    /// The run is over.
    End(TailEnd),
}

impl LogReader {
    pub(crate) fn new(from: TailFrom) -> Self {
        let (wanted, skip, compact) = match from {
            TailFrom::Snapshot => (0, 0, true),
            TailFrom::Start => (0, 0, false),
            TailFrom::After(cursor) => (cursor.sequence.saturating_add(1), cursor.compact, cursor.compact > 0),
        };
        Self {
            wanted,
            skip,
            compact,
            begun: false,
            step: 0,
            next: 1,
            view: StepView::default(),
            usage: None,
            finish_reason: None,
            resync: false,
            words: ErrorText::default(),
        }
    }

    /// The same, which tells of a failure in these words.
    fn telling(self, words: ErrorText) -> Self {
        Self { words, ..self }
    }

    /// What to read next.
    pub(crate) fn wants(&self) -> LogRange {
        let from = if self.begun {
            LogFrom::Place { step: self.step, sequence: self.next }
        } else {
            LogFrom::Sequence(self.wanted)
        };
        LogRange { from, packs_of_finished: !self.compact, limit: PAGE_BYTES }
    }

    fn resynchronize(&mut self) -> Reached {
        *self = Self { resync: true, ..Self::new(TailFrom::Snapshot) };
        Reached::More
    }

    fn emit(&mut self, cursor: Cursor, chunk: Arc<str>, items: &mut Vec<TailItem>) {
        items.push(TailItem { cursor, chunk, resync: std::mem::take(&mut self.resync) });
    }

    /// A chunk with the number that comes next.
    fn exact(&mut self, chunk: Arc<str>, items: &mut Vec<TailItem>) {
        if self.next >= self.wanted {
            self.emit(Cursor { sequence: self.next, compact: 0 }, chunk, items);
        }
        self.next += 1;
    }

    /// Takes in a page and adds what it tells to `items`.
    pub(crate) fn feed(&mut self, page: LogPage, items: &mut Vec<TailItem>) -> Reached {
        if !self.begun {
            if page.run.status == RunStatus::Pending {
                return Reached::Nothing;
            }
            self.begun = true;
            let start = page.start.unwrap_or(LogStart { step: 0, first_sequence: 1, usage: None, finish_reason: None });
            (self.step, self.next) = (start.step, start.first_sequence);
            (self.usage, self.finish_reason) = (start.usage, start.finish_reason);
            if let Some(message_id) = page.run.assistant_message_id
                && self.wanted == 0
            {
                let chunk = replay::start_chunk(page.run.chat_id, page.run.id, message_id);
                self.emit(Cursor { sequence: 0, compact: 0 }, chunk.encode().into(), items);
                self.wanted = 1;
            }
        }
        for row in page.rows {
            let told = match row {
                LogRow::Pack(pack) => {
                    self.compact = false;
                    for (number, chunk) in (pack.first_sequence..).zip(pack.chunks) {
                        if number == self.next {
                            if let Some(parsed) = UiChunk::parse_of_step(&chunk) {
                                self.view.apply(&parsed);
                            }
                            self.exact(chunk, items);
                        }
                    }
                    true
                }
                LogRow::Step(logged) => self.step(&logged, items),
            };
            if !told {
                return self.resynchronize();
            }
        }
        if !page.complete {
            return Reached::More;
        }
        self.compact = false;
        if page.run.status.is_active() {
            // A live stream is ahead of the disk: what comes before the wanted place is on its way there.
            return Reached::Present;
        }
        let run = page.run;
        let end = replay::RunEnd {
            status: run.status,
            reason: run.reason,
            error: run.error.clone(),
            failure: run.failure.clone(),
            words: self.words,
        };
        for chunk in end.chunks(&self.view, self.finish_reason, self.usage) {
            self.exact(chunk.encode().into(), items);
        }
        if self.wanted > self.next {
            // What its owner had told and not written has died with it, or nobody has ever given this place out.
            return self.resynchronize();
        }
        Reached::End(TailEnd { status: run.status, reason: run.reason, error: run.error })
    }

    /// A finished step; `false` when the wanted place in it is not known any more.
    fn step(&mut self, logged: &LoggedStep, items: &mut Vec<TailItem>) -> bool {
        let usage = Usage::accumulate(self.usage, logged.step.usage);
        let rest = self.view.continuation(&logged.step, usage);
        let all_told = StepNumbers { packed_until: self.next, next: self.next + rest.len() as u64 };
        let numbers = logged.numbers.unwrap_or(all_told);
        let after = numbers.next;
        // Packs that are not there any more leave a hole.
        if !self.compact && numbers == all_told {
            for chunk in replay::encode(&rest) {
                self.exact(chunk, items);
            }
        } else if self.wanted > self.next || self.view.is_started() {
            return false;
        } else {
            let chunks = replay::encode(&rest);
            let (last, base) = (chunks.len(), self.next - 1);
            for (place, chunk) in (1_u32..).zip(chunks) {
                if place > self.skip {
                    let whole = place as usize == last;
                    let cursor = if whole {
                        Cursor { sequence: after - 1, compact: 0 }
                    } else {
                        Cursor { sequence: base, compact: place }
                    };
                    self.emit(cursor, chunk, items);
                }
            }
            self.next = after;
        }
        self.skip = 0;
        self.step += 1;
        (self.usage, self.finish_reason, self.view) = (usage, logged.step.finish_reason, StepView::default());
        true
    }
}

/// The runs of which somebody in this process follows the log.
#[derive(Default)]
pub(crate) struct Tails {
    followers: Mutex<HashMap<RunId, Weak<Follower>>>,
}

/// Follows one log for all of its readers in this process.
struct Follower {
    ring: Mutex<Ring>,
    progress: watch::Sender<Progress>,
    /// Changes when there may be something new.
    wakes: watch::Sender<u64>,
}

struct Ring {
    /// The number of the first chunk that is kept.
    first: u64,
    chunks: VecDeque<Arc<str>>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Progress {
    /// The number of the chunk that comes next.
    next: u64,
    end: Option<TailEnd>,
    /// Readers are on their own again.
    given_up: bool,
}

impl Tails {
    /// There may be something new in the log of this run.
    pub(crate) fn wake(&self, run_id: RunId) {
        let followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(follower) = followers.get(&run_id).and_then(Weak::upgrade) {
            follower.wakes.send_modify(|wakes| *wakes = wakes.wrapping_add(1));
        }
    }

    /// There may be something new in any log.
    pub(crate) fn wake_all(&self) {
        let followers = self.followers.lock().unwrap_or_else(PoisonError::into_inner);
        for follower in followers.values().filter_map(Weak::upgrade) {
            follower.wakes.send_modify(|wakes| *wakes = wakes.wrapping_add(1));
        }
    }

    /// The follower of this run, which begins where `reader` is if there is none.
    fn join(inner: &Arc<Inner>, run_id: RunId, reader: &LogReader) -> Arc<Follower> {
        let mut followers = inner.tails.followers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(follower) = followers.get(&run_id).and_then(Weak::upgrade) {
            return follower;
        }
        followers.retain(|_, follower| follower.strong_count() > 0);
        let follower = Arc::new(Follower {
            ring: Mutex::new(Ring { first: reader.next, chunks: VecDeque::new(), bytes: 0 }),
            progress: watch::Sender::new(Progress { next: reader.next, end: None, given_up: false }),
            wakes: watch::Sender::new(0),
        });
        followers.insert(run_id, Arc::downgrade(&follower));
        let reader = LogReader { wanted: reader.next, ..reader.clone() };
        inner.runtime.spawn(follow(Arc::clone(inner), run_id, reader, Arc::downgrade(&follower)));
        follower
    }
}

/// Reads on until the run is over or nobody follows it any more.
async fn follow(inner: Arc<Inner>, run_id: RunId, mut reader: LogReader, follower: Weak<Follower>) {
    let elsewhere = Duration::from_millis(inner.options.runs.tail_poll_ms);
    let mut wakes = match follower.upgrade() {
        Some(follower) => follower.wakes.subscribe(),
        None => return,
    };
    let mut closed = inner.closed.subscribe();
    let mut told_at = None::<Instant>;
    loop {
        if told_at.is_none_or(|at| at.elapsed() >= FOLLOWING_AGAIN) && !inner.registry.has(run_id) {
            told_at = Some(Instant::now());
            inner.tell_others(run_id);
        }
        wakes.mark_unchanged();
        let read = inner.store.read_log(run_id, reader.wants()).await;
        let Some(follower) = follower.upgrade() else { return };
        let mut items = Vec::new();
        let reached = match read {
            Ok(Some(page)) => Some(reader.feed(page, &mut items)),
            Err(error) if error.code() == ErrorCode::StoreUnavailable => None,
            // Its readers will ask the store themselves, and be told.
            Ok(None) | Err(_) => return follower.give_up(),
        };
        if reader.resync {
            return follower.give_up();
        }
        follower.add(items);
        let wait = match reached {
            Some(Reached::More) => continue,
            Some(Reached::End(end)) => {
                follower.progress.send_modify(|progress| progress.end = Some(end));
                return;
            }
            Some(Reached::Present | Reached::Nothing) if inner.registry.has(run_id) => OWN_POLL,
            // Somebody says so when there is more; the poll is for what is said and lost.
            Some(Reached::Present | Reached::Nothing) if inner.hears() => elsewhere.max(HEARING_POLL),
            Some(Reached::Present | Reached::Nothing) => elsewhere,
            None => RETRY_WAIT,
        };
        drop(follower);
        tokio::select! {
            _ = tokio::time::timeout(wait, wakes.changed()) => {}
            _ = closed.wait_for(|closed| *closed) => {}
        }
    }
}

impl Follower {
    fn give_up(&self) {
        self.progress.send_modify(|progress| progress.given_up = true);
    }

    fn add(&self, items: Vec<TailItem>) {
        if items.is_empty() {
            return;
        }
        let next = {
            let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
            for item in items {
                ring.bytes += item.chunk.len();
                ring.chunks.push_back(item.chunk);
            }
            // What was added just now is kept at any rate.
            while ring.bytes > RING_BYTES && ring.chunks.len() > 1 {
                if let Some(oldest) = ring.chunks.pop_front() {
                    ring.bytes -= oldest.len();
                    ring.first += 1;
                }
            }
            ring.first + ring.chunks.len() as u64
        };
        self.progress.send_modify(|progress| progress.next = next);
    }

    /// At most `limit` chunks from `next` on; `None` when they are not kept any more.
    fn read(&self, next: u64, limit: usize) -> Option<Vec<TailItem>> {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(next.checked_sub(ring.first)?).ok()?;
        let chunks = ring.chunks.iter().skip(place).take(limit);
        Some(
            (next..)
                .zip(chunks)
                .map(|(sequence, chunk)| TailItem {
                    cursor: Cursor { sequence, compact: 0 },
                    chunk: Arc::clone(chunk),
                    resync: false,
                })
                .collect(),
        )
    }
}

/// A reader of a run's log. It holds a page of it at most, however slow it is; what it has missed is read again from the
/// store. Dropping it stops nothing.
pub struct RunTail {
    inner: Arc<Inner>,
    run_id: RunId,
    state: State,
    buffer: VecDeque<TailItem>,
    end: Option<TailEnd>,
    closed: watch::Receiver<bool>,
}

enum State {
    /// Reading what there is.
    Behind(LogReader),
    /// At the present, with the number of the chunk that comes next.
    Following(Arc<Follower>, watch::Receiver<Progress>, u64),
    Over,
}

impl State {
    /// Reading from the store what comes from this number on.
    fn behind(next: u64, words: ErrorText) -> Self {
        let cursor = Cursor { sequence: next.saturating_sub(1), compact: 0 };
        State::Behind(LogReader::new(TailFrom::After(cursor)).telling(words))
    }
}

impl RunTail {
    pub(crate) fn new(inner: Arc<Inner>, run_id: RunId, from: TailFrom) -> Self {
        let closed = inner.closed.subscribe();
        let state = State::Behind(LogReader::new(from).telling(inner.options.error_text));
        Self { inner, run_id, state, buffer: VecDeque::new(), end: None, closed }
    }

    /// The next chunks, at least one and at most `limit`; empty at the end of the run. Cancel-safe.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` (reading may be tried again), `ENGINE_CLOSED`.
    pub async fn next_batch(&mut self, limit: usize) -> Result<Vec<TailItem>> {
        let limit = limit.max(1);
        loop {
            if !self.buffer.is_empty() {
                let count = self.buffer.len().min(limit);
                return Ok(self.buffer.drain(..count).collect());
            }
            match &mut self.state {
                State::Over => return Ok(Vec::new()),
                State::Behind(reader) => {
                    let page = self.inner.store.read_log(self.run_id, reader.wants()).await?;
                    let page = page.ok_or_else(|| Error::new(ErrorCode::NotFound, "there is no such run"))?;
                    let mut items = Vec::new();
                    let reached = reader.feed(page, &mut items);
                    self.buffer.extend(items);
                    match reached {
                        Reached::More => {}
                        Reached::Nothing => {
                            let wait = Duration::from_millis(self.inner.options.runs.tail_poll_ms);
                            let _ = tokio::time::timeout(wait, self.closed.wait_for(|closed| *closed)).await;
                        }
                        Reached::Present => {
                            let wanted = reader.wanted.max(reader.next);
                            let follower = Tails::join(&self.inner, self.run_id, reader);
                            let progress = follower.progress.subscribe();
                            self.state = State::Following(follower, progress, wanted);
                        }
                        Reached::End(end) => {
                            self.end = Some(end);
                            self.state = State::Over;
                        }
                    }
                }
                State::Following(follower, progress, next) => {
                    let wanted = *next;
                    let news = |now: &Progress| now.next > wanted || now.end.is_some() || now.given_up;
                    let seen = tokio::select! {
                        biased;
                        // The sender lives in the follower that this reader holds.
                        seen = progress.wait_for(news) => seen.map(|seen| seen.clone()).ok(),
                        _ = self.closed.wait_for(|closed| *closed) => None,
                    };
                    let Some(seen) = seen else {
                        return Err(Error::new(ErrorCode::EngineClosed, "the engine is closed"));
                    };
                    match follower.read(wanted, limit) {
                        None => self.state = State::behind(wanted, self.inner.options.error_text),
                        Some(items) if !items.is_empty() => {
                            *next = wanted + items.len() as u64;
                            return Ok(items);
                        }
                        // Behind the end of the log: what is there is read anew.
                        Some(_) if seen.end.is_some() && wanted > seen.next => {
                            self.state = State::behind(wanted, self.inner.options.error_text)
                        }
                        Some(_) if seen.end.is_some() => {
                            self.end = seen.end;
                            self.state = State::Over;
                        }
                        Some(_) if seen.given_up => self.state = State::behind(wanted, self.inner.options.error_text),
                        Some(_) => {}
                    }
                }
            }
        }
    }

    /// How the run ended, once everything was read.
    pub fn end(&self) -> Option<&TailEnd> {
        self.end.as_ref().filter(|_| self.buffer.is_empty())
    }
}

/// A [`RunTail`] for languages whose objects are shared: it can be closed while somebody waits for its next chunks, who
/// then finds it at its end. It gives out JSON or server-sent events.
pub struct SharedTail {
    tail: tokio::sync::Mutex<Option<RunTail>>,
    closed: watch::Sender<bool>,
    told_end: std::sync::atomic::AtomicBool,
}

impl From<RunTail> for SharedTail {
    fn from(tail: RunTail) -> Self {
        Self { tail: tokio::sync::Mutex::new(Some(tail)), closed: watch::Sender::new(false), told_end: false.into() }
    }
}

impl SharedTail {
    /// The next chunks as a JSON list of `{"cursor", "chunk", "resync"?}`; after the last one a list with
    /// `{"end": {"status", "reason", "error"}}`, and then `None`. Once closed, `None` at once.
    ///
    /// # Errors
    /// As [`RunTail::next_batch`].
    pub async fn next_json(&self, limit: usize) -> Result<Option<String>> {
        #[derive(Serialize)]
        struct Ended<'a> {
            end: &'a TailEnd,
        }
        let Some((items, end)) = self.next(limit).await? else { return Ok(None) };
        Ok(match end {
            Some(end) => serde_json::to_string(&[Ended { end: &end }]).ok(),
            None => Some(format!("[{}]", items.iter().map(TailItem::to_json).collect::<Vec<_>>().join(","))),
        })
    }

    /// As [`SharedTail::next_json`], framed as server-sent events whose ids are the cursors; after the last chunk comes
    /// the terminator.
    ///
    /// # Errors
    /// As [`RunTail::next_batch`].
    pub async fn next_sse(&self, limit: usize) -> Result<Option<String>> {
        let Some((items, end)) = self.next(limit).await? else { return Ok(None) };
        Ok(Some(if end.is_some() { SSE_DONE.to_owned() } else { items.iter().map(TailItem::to_sse).collect() }))
    }

    async fn next(&self, limit: usize) -> Result<Option<(Vec<TailItem>, Option<TailEnd>)>> {
        let mut closed = self.closed.subscribe();
        let mut tail = self.tail.lock().await;
        let Some(open) = tail.as_mut() else { return Ok(None) };
        let batch = tokio::select! {
            biased;
            // The sender lives as long as this.
            _ = closed.wait_for(|closed| *closed) => None,
            batch = open.next_batch(limit) => Some(batch?),
        };
        match batch {
            None => {
                *tail = None;
                Ok(None)
            }
            Some(items) if !items.is_empty() => Ok(Some((items, None))),
            Some(_) if self.told_end.swap(true, std::sync::atomic::Ordering::SeqCst) => Ok(None),
            Some(items) => Ok(open.end().cloned().map(|end| (items, Some(end)))),
        }
    }

    /// How the run ended, once everything was read; `None` while somebody waits for chunks, and once closed.
    pub fn end(&self) -> Option<TailEnd> {
        self.tail.try_lock().ok()?.as_ref()?.end().cloned()
    }

    /// Goes away.
    pub fn close(&self) {
        self.closed.send_replace(true);
        // Where somebody waits for chunks, they hold the lock, see the flag and let go of the tail themselves.
        if let Ok(mut tail) = self.tail.try_lock() {
            *tail = None;
        }
    }
}

#[cfg(test)]
mod tests;
