//! The chunks of a run that this process drives, kept for its readers until the last handle is gone.
//!
//! The owner appends and never waits; every reader has a cursor of its own and reads the one shared copy, so a slow
//! reader costs nothing but its place.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// An append-only list of encoded chunks. A chunk's place in it is its sequence number, gap-free from 0.
#[derive(Debug)]
pub struct ChunkLog {
    chunks: Mutex<Vec<Arc<str>>>,
    /// How many chunks there are, and whether there will be more.
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    length: usize,
    ended: bool,
}

impl ChunkLog {
    /// An empty log.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { chunks: Mutex::new(Vec::new()), progress: watch::Sender::new(Progress::default()) })
    }

    /// Adds a chunk and wakes the readers.
    pub fn append(&self, chunk: Arc<str>) {
        let length = {
            let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
            chunks.push(chunk);
            chunks.len()
        };
        self.progress.send_modify(|progress| progress.length = length);
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
        let next = self.next;
        // The sender lives as long as the log that this reader holds.
        if self.progress.wait_for(|progress| progress.ended || progress.length > next).await.is_err() {
            return Vec::new();
        }
        let batch: Vec<_> = {
            let chunks = self.log.chunks.lock().unwrap_or_else(PoisonError::into_inner);
            chunks.iter().skip(next).take(limit.max(1)).cloned().collect()
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
}
