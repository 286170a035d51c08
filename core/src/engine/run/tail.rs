//! Reading a run's log from any process: what there is of it, and then what is added.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use crate::engine::Inner;
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::log::reader::{LogReader, Reached};
use crate::log::replay::waiting_chunk;
use crate::log::{Cursor, Protocol, Speaker, StreamFormat, TailEnd, TailFrom, TailItem};
use crate::model::RunStatus;
use crate::project::ErrorText;

use super::follow::{Follower, Progress, RETRY_WAIT, Tails};
use super::shared::Shared;

/// A reader of a run's log. It holds a page of it at most, however slow it is; what it has missed is read again from the
/// store. Dropping it stops nothing.
pub struct RunTail {
    inner: Arc<Inner>,
    run_id: RunId,
    state: State,
    buffer: VecDeque<TailItem>,
    end: Option<TailEnd>,
    /// Behind what was given out last.
    last: Cursor,
    speaker: Speaker,
    /// Where its client goes on, if it is not at the beginning.
    after: Option<Cursor>,
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
    fn behind(next: u64, error_text: ErrorText) -> Self {
        let cursor = Cursor { sequence: next.saturating_sub(1), ..Cursor::default() };
        State::Behind(LogReader::new(TailFrom::After(cursor)).telling(error_text))
    }
}

impl RunTail {
    pub(crate) fn new(inner: Arc<Inner>, run_id: RunId, from: TailFrom) -> Self {
        let closed = inner.closed.subscribe();
        let state = State::Behind(LogReader::new(from).telling(inner.options.error_text));
        let last = match from {
            TailFrom::After(cursor) => cursor,
            TailFrom::Snapshot | TailFrom::Start => Cursor::default(),
        };
        let speaker = Speaker::default();
        let after = if let TailFrom::After(cursor) = from { Some(cursor) } else { None };
        Self { inner, run_id, state, buffer: VecDeque::new(), end: None, last, speaker, after, closed }
    }

    /// The same for a client of this version, in this format.
    #[must_use]
    pub fn telling(mut self, protocol: Protocol, format: StreamFormat) -> Self {
        self.speaker = Speaker::new(protocol).in_format(format);
        // What its client knows is read all the same.
        if let (true, Some(known)) = (self.speaker.needs_all(), self.after) {
            self.speaker.known_until(known);
            let from = if known.compact > 0 { TailFrom::Snapshot } else { TailFrom::Start };
            self.state = State::Behind(LogReader::new(from).telling(self.inner.options.error_text));
        }
        self
    }

    /// What its stream over HTTP ends with.
    pub fn terminator(&self) -> &'static str {
        self.speaker.terminator()
    }

    /// The next chunks, at least one and at most `limit`; empty at the end of the run. Cancel-safe.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` (reading may be tried again), `ENGINE_CLOSED`.
    pub async fn next_batch(&mut self, limit: usize) -> Result<Vec<TailItem>> {
        loop {
            let items = self.next_of_log(limit.max(1)).await?;
            let is_end = items.is_empty();
            let told = self.speaker.tell_items(items);
            if is_end || !told.is_empty() {
                return Ok(told);
            }
        }
    }

    async fn next_of_log(&mut self, limit: usize) -> Result<Vec<TailItem>> {
        loop {
            if !self.buffer.is_empty() {
                let count = self.buffer.len().min(limit);
                let items: Vec<TailItem> = self.buffer.drain(..count).collect();
                return Ok(self.given(items));
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
                            let wanted = reader.next_wanted();
                            let follower = Tails::join(&self.inner, self.run_id, reader);
                            let progress = follower.progress.subscribe();
                            self.state = State::Following(follower, progress, wanted);
                        }
                        Reached::End(end) => {
                            let last = self.buffer.back().map_or(self.last, |item| item.cursor);
                            self.buffer.extend(waiting_item(&end, last));
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
                            return Ok(self.given(items));
                        }
                        // Behind the end of the log: what is there is read anew.
                        Some(_) if seen.end.is_some() && wanted > seen.next => {
                            self.state = State::behind(wanted, self.inner.options.error_text)
                        }
                        Some(_) if seen.end.is_some() => {
                            self.buffer.extend(seen.end.as_ref().and_then(|end| waiting_item(end, self.last)));
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

    fn given(&mut self, items: Vec<TailItem>) -> Vec<TailItem> {
        self.last = items.last().map_or(self.last, |item| item.cursor);
        items
    }

    /// As [`RunTail::next_batch`], which waits for a store that is out of reach.
    pub(crate) async fn next_patiently(&mut self, limit: usize) -> Result<Vec<TailItem>> {
        loop {
            match self.next_batch(limit).await {
                Err(error) if error.code() == ErrorCode::StoreUnavailable => {
                    tracing::warn!(%error, "a log could not be read; that will be repeated");
                    tokio::time::sleep(RETRY_WAIT).await;
                }
                read => return read,
            }
        }
    }

    /// How the run ended, once everything was read.
    pub fn end(&self) -> Option<&TailEnd> {
        self.end.as_ref().filter(|_| self.buffer.is_empty())
    }
}

/// What the reader of a run that waits is told last. It is none of the log, so its place is that of the chunk before it:
/// behind it the log goes on once there is an answer.
fn waiting_item(end: &TailEnd, last: Cursor) -> Option<TailItem> {
    let waits = end.status == RunStatus::Waiting;
    waits.then(|| TailItem { cursor: last, chunk: waiting_chunk(None).encode().into(), resync: false })
}

/// A [`RunTail`] for languages whose objects are shared: it can be closed while somebody waits for its next chunks, who
/// then finds it at its end. It gives out JSON or server-sent events.
pub struct SharedTail {
    tail: Shared<RunTail>,
    terminator: &'static str,
}

impl From<RunTail> for SharedTail {
    fn from(tail: RunTail) -> Self {
        Self { terminator: tail.terminator(), tail: Shared::new(tail) }
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
        Ok(Some(if end.is_some() { self.terminator.to_owned() } else { items.iter().map(TailItem::to_sse).collect() }))
    }

    async fn next(&self, limit: usize) -> Result<Option<(Vec<TailItem>, Option<TailEnd>)>> {
        let read = async |tail: &mut RunTail| Ok((tail.next_batch(limit).await?, tail.end().cloned()));
        Ok(match self.tail.read(read).await.transpose()? {
            Some((items, _)) if !items.is_empty() => Some((items, None)),
            Some((items, end)) if end.is_some() && self.tail.ends() => Some((items, end)),
            _ => None,
        })
    }

    /// How the run ended, once everything was read; `None` while somebody waits for chunks, and once closed.
    pub fn end(&self) -> Option<TailEnd> {
        self.tail.look(|tail| tail.end().cloned()).flatten()
    }

    /// Goes away.
    pub fn close(&self) {
        self.tail.close();
    }
}
