//! Reading a turn's chunks, and going away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::engine::Inner;
use crate::id::RunId;
use crate::log::cursor::numbered_event;
use crate::log::{ChunkReader, Cursor, Protocol, Speaker, StreamFormat, TailItem};
use crate::machine::{Event, StopCause};
use crate::model::RunReason;

use super::shared::Shared;
use super::stops;
use super::tail::RunTail;

/// Reads a turn's chunks from the first one on. Dropping it before the end is a disconnect: of a turn that is not
/// detached, the last reader's disconnect stops the run.
pub struct TurnReader {
    source: Source,
    speaker: Speaker,
    at_end: bool,
    leaving: Option<Leaving>,
}

/// Where chunks are read from.
#[allow(clippy::large_enum_variant, reason = "one for each reader, and readers of a log are the common kind")]
pub(crate) enum Source {
    /// A turn of this process.
    Turn(ChunkReader),
    /// A run's log in the store.
    Log(RunTail),
}

impl Source {
    async fn next_batch(&mut self, limit: usize) -> Vec<Arc<str>> {
        match self {
            Source::Turn(chunks) => chunks.next_batch(limit).await,
            Source::Log(tail) => next_of(tail, limit).await.into_iter().map(|item| item.chunk).collect(),
        }
    }

    /// The same with their places, as far as those are known.
    async fn next_placed(&mut self, limit: usize) -> Vec<(Option<Cursor>, Arc<str>)> {
        match self {
            Source::Turn(chunks) => {
                let batch = chunks.next_numbered(limit).await.into_iter();
                batch.map(|(number, chunk)| (number.map(Cursor::after), chunk)).collect()
            }
            Source::Log(tail) => {
                let batch = next_of(tail, limit).await.into_iter();
                batch.map(|item| (Some(item.cursor), item.chunk)).collect()
            }
        }
    }
}

/// Readers of a turn are not told of errors: what cannot be read any more is at its end.
async fn next_of(tail: &mut RunTail, limit: usize) -> Vec<TailItem> {
    tail.next_patiently(limit).await.unwrap_or_default()
}

/// What a disconnect needs to know.
pub(crate) struct Leaving {
    inner: Arc<Inner>,
    run_id: RunId,
    readers: Arc<AtomicUsize>,
}

impl Leaving {
    /// Counts one more reader of the run.
    pub(crate) fn new(inner: Arc<Inner>, run_id: RunId, readers: &Arc<AtomicUsize>) -> Self {
        readers.fetch_add(1, Ordering::SeqCst);
        Self { inner, run_id, readers: Arc::clone(readers) }
    }

    /// Stops the run; by a note in the store if it may be another process's.
    fn stop(self, may_be_elsewhere: bool) {
        let Self { inner, run_id, .. } = self;
        let told = inner.registry.tell(run_id, Event::StopRequested(StopCause::Disconnected));
        if may_be_elsewhere && !told && inner.ensure_not_closed().is_ok() {
            let runtime = inner.runtime.clone();
            runtime.spawn(async move {
                if let Err(error) = stops::stop(&inner, run_id, RunReason::Disconnected).await {
                    tracing::warn!(%error, "that the last reader has left could not be noted; the run goes on");
                }
            });
        }
    }
}

impl TurnReader {
    pub(crate) fn new(source: Source, leaving: Option<Leaving>) -> Self {
        Self { source, speaker: Speaker::default(), at_end: false, leaving }
    }

    /// The same for a client of this version, in this format.
    pub(crate) fn telling(mut self, protocol: Protocol, format: StreamFormat) -> Self {
        self.speaker = Speaker::new(protocol).in_format(format);
        self
    }

    /// What its stream over HTTP ends with.
    pub fn terminator(&self) -> &'static str {
        self.speaker.terminator()
    }

    /// The next chunks, at least one and at most `limit`; empty at the end. Cancel-safe.
    pub async fn next_batch(&mut self, limit: usize) -> Vec<Arc<str>> {
        loop {
            let batch = self.source.next_batch(limit).await;
            self.at_end |= batch.is_empty();
            let told = self.speaker.tell(batch);
            if self.at_end || !told.is_empty() {
                return told;
            }
        }
    }

    /// The same framed as server-sent events. Their ids are cursors, behind which a tail goes on; an event without one
    /// comes before all that have one. Cancel-safe.
    pub async fn next_events(&mut self, limit: usize) -> Vec<String> {
        loop {
            let batch = self.source.next_placed(limit).await;
            self.at_end |= batch.is_empty();
            let mut events = Vec::with_capacity(batch.len());
            for (place, chunk) in batch {
                let told = self.speaker.tell_placed(place, chunk);
                events.extend(told.iter().map(|(place, chunk)| numbered_event(place.as_ref(), chunk)));
            }
            if self.at_end || !events.is_empty() {
                return events;
            }
        }
    }
}

impl Drop for TurnReader {
    fn drop(&mut self) {
        if let Some(leaving) = self.leaving.take()
            && leaving.readers.fetch_sub(1, Ordering::SeqCst) == 1
            && !self.at_end
        {
            leaving.stop(matches!(self.source, Source::Log(_)));
        }
    }
}

/// A [`TurnReader`] for languages whose objects are shared: it can be closed while somebody waits for its next chunks,
/// who then finds it at its end.
pub struct SharedReader {
    reader: Shared<TurnReader>,
    terminator: &'static str,
}

impl From<TurnReader> for SharedReader {
    fn from(reader: TurnReader) -> Self {
        Self { terminator: reader.terminator(), reader: Shared::new(reader) }
    }
}

impl SharedReader {
    /// As [`TurnReader::next_batch`]; empty also once closed.
    pub async fn next_batch(&self, limit: usize) -> Vec<Arc<str>> {
        self.reader.read(async |open: &mut TurnReader| open.next_batch(limit).await).await.unwrap_or_default()
    }

    /// As [`TurnReader::next_events`]; empty also once closed.
    pub async fn next_events(&self, limit: usize) -> Vec<String> {
        self.reader.read(async |open: &mut TurnReader| open.next_events(limit).await).await.unwrap_or_default()
    }

    /// As [`SharedReader::next_events`], joined; after the last chunk comes the terminator, and then `None`. Once
    /// closed, `None` at once.
    pub async fn next_sse(&self, limit: usize) -> Option<String> {
        let batch = self.next_events(limit).await;
        if batch.is_empty() {
            return self.reader.ends().then(|| self.terminator.to_owned());
        }
        Some(batch.concat())
    }

    /// Goes away.
    pub fn close(&self) {
        self.reader.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Engine, EngineOptions, TurnRequest, Who};
    use crate::log::ChunkLog;

    #[tokio::test]
    async fn closing_wakes_whoever_waits() {
        let log = ChunkLog::new();
        let reader = Arc::new(SharedReader::from(TurnReader::new(Source::Turn(log.reader(0)), None)));
        log.append("a".into());
        assert_eq!(reader.next_sse(9).await.as_deref(), Some("id: 0\ndata: a\n\n"));
        let waiting = tokio::spawn({
            let reader = Arc::clone(&reader);
            async move { reader.next_sse(9).await }
        });
        tokio::task::yield_now().await;
        reader.close();
        assert_eq!(waiting.await.unwrap(), None);
        assert!(reader.reader.look(|_| ()).is_none());
        assert!(reader.next_batch(9).await.is_empty());
    }

    #[tokio::test]
    async fn the_last_reader_of_a_run_that_is_driven_elsewhere_stops_it() {
        let engine = Engine::open(EngineOptions::from_json(r#"{"store":"sqlite::memory:"}"#).unwrap()).await.unwrap();
        let who = Who { workspace_id: "w".to_owned(), user_id: "u".to_owned() };
        let begin = |detached: bool| {
            let json = format!(
                r#"{{"workspaceId":"w","userId":"u","message":"m","offeredTools":["x"],"detached":{detached}}}"#
            );
            engine.start_turn(TurnRequest::from_json(&json).unwrap(), Vec::new())
        };
        let (stays, stops) = (begin(true).await.unwrap(), begin(false).await.unwrap());
        let (first, last) = (stops.chunks(), stops.chunks());
        drop((first, stays.chunks()));
        tokio::task::yield_now().await;
        assert!(engine.run(&who, stops.run_id()).await.unwrap().stop_requested_at.is_none());
        drop(last);
        while engine.run(&who, stops.run_id()).await.unwrap().stop_requested_at.is_none() {
            tokio::task::yield_now().await;
        }
        assert!(engine.run(&who, stays.run_id()).await.unwrap().stop_requested_at.is_none());
        engine.close(None).await.unwrap();
    }

    #[tokio::test]
    async fn the_terminator_comes_once() {
        let log = ChunkLog::new();
        log.end();
        let reader = SharedReader::from(TurnReader::new(Source::Turn(log.reader(0)), None));
        assert_eq!(reader.next_sse(9).await.as_deref(), Some(crate::log::SSE_DONE));
        assert_eq!(reader.next_sse(9).await, None);
    }
}
