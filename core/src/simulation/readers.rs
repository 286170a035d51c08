//! Clients that follow a log: in small pages, at random moments, with interruptions.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::engine::{Cursor, TailEnd, TailFrom, TailItem};
use crate::id::RunId;
use crate::log::reader::{LogReader, Reached};
use crate::model::RunStatus;
use crate::store::LogPage;

/// A client, over all of its connections.
pub(super) struct Client {
    pub(super) run: RunId,
    pub(super) from: TailFrom,
    connection: Option<Connection>,
    cursor: Option<Cursor>,
    pub(super) received: Vec<Arc<str>>,
    pub(super) end: Option<TailEnd>,
    /// Every number followed the one before it.
    pub(super) gapless: bool,
    pub(super) resyncs: u32,
}

struct Connection {
    reader: LogReader,
    /// Read and not yet received.
    buffer: VecDeque<TailItem>,
    end: Option<TailEnd>,
}

impl Client {
    pub(super) fn new(run: RunId, from: TailFrom) -> Self {
        Self { run, from, connection: None, cursor: None, received: Vec::new(), end: None, gapless: true, resyncs: 0 }
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = None;
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// What the client wants to read next; connects it if need be.
    pub(super) fn wants(&mut self, limit: usize) -> crate::store::LogRange {
        let from = self.cursor.map_or(self.from, TailFrom::After);
        let connect = || Connection { reader: LogReader::new(from), buffer: VecDeque::new(), end: None };
        let connection = self.connection.get_or_insert_with(connect);
        crate::store::LogRange { limit, ..connection.reader.wants() }
    }

    /// Takes in a page; whether there is more to read at once.
    pub(super) fn feed(&mut self, page: LogPage) -> bool {
        let Some(connection) = self.connection.as_mut().filter(|connection| connection.end.is_none()) else {
            return false;
        };
        let mut items = Vec::new();
        let reached = connection.reader.feed(page, &mut items);
        connection.buffer.extend(items);
        match reached {
            Reached::More => true,
            Reached::Nothing | Reached::Present => false,
            // It goes on where it is, once there is an answer.
            Reached::End(end) if end.status == RunStatus::Waiting => false,
            Reached::End(end) => {
                connection.end = Some(end);
                false
            }
        }
    }

    /// The client receives up to `count` of what was read for it.
    pub(super) fn receive(&mut self, count: usize) {
        let Some(connection) = self.connection.as_mut() else { return };
        for _ in 0..count {
            let Some(item) = connection.buffer.pop_front() else { break };
            if item.resync {
                self.received.clear();
                self.resyncs += 1;
            }
            let next = self.cursor.map_or(0, |cursor| cursor.sequence + 1);
            self.gapless &= item.cursor == Cursor { sequence: next, ..Cursor::default() };
            self.cursor = Some(item.cursor);
            self.received.push(item.chunk);
        }
        if connection.buffer.is_empty() {
            self.end = connection.end.clone();
        }
    }
}
