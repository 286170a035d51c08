//! The chunks of a run that this process drives, kept for its readers until the last handle is gone.
//!
//! The owner appends and never waits; every reader has a cursor of its own and reads the one shared copy, so a slow
//! reader costs nothing but its place.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// An append-only list of encoded chunks.
///
/// On disk a step may have fewer chunks than it was streamed in, so places here are numbers there only where somebody
/// has asked for them in time ([`ChunkReader::next_numbered`]): then the owner writes down what streams as it streamed.
#[derive(Debug)]
pub struct ChunkLog {
    chunks: Mutex<Chunks>,
    /// How many chunks there are, and whether there will be more.
    progress: watch::Sender<Progress>,
}

#[derive(Debug)]
struct Chunks {
    list: Vec<Arc<str>>,
    /// Somebody wants to know the numbers that the chunks have on disk.
    numbered: bool,
    /// From this place on the chunks are on disk as they are here, the first of them under this number; nothing while the
    /// step in progress is written otherwise.
    exact: Option<(usize, u64)>,
    /// The chunk at this place is none of the log on disk: what comes behind it is behind the one before.
    aside: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    length: usize,
    ended: bool,
}

impl ChunkLog {
    /// An empty log.
    pub fn new() -> Arc<Self> {
        let chunks = Chunks { list: Vec::new(), numbered: false, exact: Some((0, 0)), aside: None };
        Arc::new(Self { chunks: Mutex::new(chunks), progress: watch::Sender::new(Progress::default()) })
    }

    fn lock(&self) -> MutexGuard<'_, Chunks> {
        self.chunks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody wants to know the numbers that the chunks have on disk, before there are any.
    pub fn number(&self) {
        self.lock().numbered = true;
    }

    /// Whether the step that is about to be written has to be on disk as it streamed. If not, the chunks have no numbers
    /// until the next step begins.
    pub fn is_numbered(&self) -> bool {
        let mut chunks = self.lock();
        if !chunks.numbered {
            chunks.exact = None;
        }
        chunks.numbered
    }

    /// A step begins; its first chunk will have this number on disk.
    pub fn step_begins(&self, number: u64) {
        let mut chunks = self.lock();
        if !chunks.numbered || chunks.exact.is_none() {
            chunks.exact = Some((chunks.list.len(), number));
        }
    }

    /// Adds a chunk and wakes the readers.
    pub fn append(&self, chunk: Arc<str>) {
        let length = {
            let mut chunks = self.lock();
            chunks.list.push(chunk);
            chunks.list.len()
        };
        self.progress.send_modify(|progress| progress.length = length);
    }

    /// Adds a last chunk that is none of the log on disk.
    pub fn append_aside(&self, chunk: Arc<str>) {
        {
            let mut chunks = self.lock();
            chunks.aside = Some(chunks.list.len());
        }
        self.append(chunk);
    }

    /// No chunk will follow.
    pub fn end(&self) {
        self.progress.send_modify(|progress| progress.ended = true);
    }

    /// A reader that begins at the sequence number `from`.
    pub fn reader(self: &Arc<Self>, from: usize) -> ChunkReader {
        ChunkReader { log: Arc::clone(self), progress: self.progress.subscribe(), next: from }
    }
}

/// A place in a [`ChunkLog`].
#[derive(Debug)]
pub struct ChunkReader {
    log: Arc<ChunkLog>,
    progress: watch::Receiver<Progress>,
    next: usize,
}

impl ChunkReader {
    /// The next chunks, at least one and at most `limit` of them; empty once the log has ended. Cancel-safe.
    pub async fn next_batch(&mut self, limit: usize) -> Vec<Arc<str>> {
        self.read(limit).await.into_iter().map(|(_, chunk)| chunk).collect()
    }

    /// The same with the chunks' numbers in the run's log on disk, from the beginning of a step on if nobody has asked
    /// before. Cancel-safe.
    pub async fn next_numbered(&mut self, limit: usize) -> Vec<(Option<u64>, Arc<str>)> {
        self.log.lock().numbered = true;
        self.read(limit).await
    }

    async fn read(&mut self, limit: usize) -> Vec<(Option<u64>, Arc<str>)> {
        let next = self.next;
        // The sender lives as long as the log that this reader holds.
        if self.progress.wait_for(|progress| progress.ended || progress.length > next).await.is_err() {
            return Vec::new();
        }
        let batch: Vec<_> = {
            let chunks = self.log.lock();
            let exact = chunks.exact.filter(|_| chunks.numbered);
            let aside = chunks.aside;
            let number = |place: usize| {
                let place = if aside == Some(place) { place.checked_sub(1)? } else { place };
                exact.and_then(|(first, number)| Some(number + place.checked_sub(first)? as u64))
            };
            let wanted = chunks.list.iter().enumerate().skip(next).take(limit.max(1));
            wanted.map(|(place, chunk)| (number(place), Arc::clone(chunk))).collect()
        };
        self.next += batch.len();
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_reader_sees_every_chunk_once_in_order() {
        let log = ChunkLog::new();
        let mut early = log.reader(0);
        log.append("a".into());
        log.append("b".into());
        assert_eq!(early.next_batch(1).await, [Arc::from("a")]);
        log.append("c".into());
        log.end();
        assert_eq!(early.next_batch(9).await, [Arc::from("b"), Arc::from("c")]);
        assert!(early.next_batch(9).await.is_empty());
        assert_eq!(log.reader(1).next_batch(9).await.len(), 2);
        assert!(log.reader(7).next_batch(9).await.is_empty());
    }

    #[tokio::test]
    async fn chunks_have_numbers_from_where_they_are_on_disk_as_they_streamed() {
        let log = ChunkLog::new();
        let mut reader = log.reader(0);
        let append = |count: usize| (0..count).for_each(|_| log.append("x".into()));
        append(4);
        // Nobody has asked: the step goes to disk in its own way, with fewer chunks.
        assert!(!log.is_numbered());
        log.step_begins(3);
        append(2);
        let numbers =
            |batch: Vec<(Option<u64>, Arc<str>)>| batch.into_iter().map(|(number, _)| number).collect::<Vec<_>>();
        assert_eq!(numbers(reader.next_numbered(9).await), [None, None, None, None, Some(3), Some(4)]);
        append(1);
        assert!(log.is_numbered());
        log.step_begins(6);
        append(1);
        assert_eq!(numbers(reader.next_numbered(9).await), [Some(5), Some(6)]);
    }

    #[tokio::test]
    async fn a_log_that_was_asked_for_numbers_before_it_began_has_all_of_them() {
        let log = ChunkLog::new();
        log.number();
        log.append("start".into());
        assert!(log.is_numbered());
        log.step_begins(1);
        log.append("start-step".into());
        let batch = log.reader(0).next_numbered(9).await;
        assert_eq!(batch, [(Some(0), Arc::from("start")), (Some(1), Arc::from("start-step"))]);
    }

    #[tokio::test]
    async fn whoever_asks_while_a_step_is_being_written_waits_for_the_next_one() {
        let log = ChunkLog::new();
        log.append("start".into());
        assert!(!log.is_numbered());
        let mut reader = log.reader(0);
        assert_eq!(reader.next_numbered(9).await, [(None, Arc::from("start"))]);
        log.append("finish-step".into());
        assert!(log.is_numbered());
        log.step_begins(9);
        log.append("start-step".into());
        let batch = reader.next_numbered(9).await;
        assert_eq!(batch, [(None, Arc::from("finish-step")), (Some(9), Arc::from("start-step"))]);
    }
}
