//! The threads that read beside the writer, each with a connection of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

use super::store_error;
use super::writer::closed;

type Query = Box<dyn FnOnce(&Connection) + Send>;

pub(super) struct Readers {
    queries: Mutex<Option<mpsc::Sender<Query>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    pub(super) fn start(count: usize, open: impl Fn() -> Result<Connection>) -> Result<Self> {
        let (sender, receiver) = mpsc::channel::<Query>();
        let queue = Arc::new(Mutex::new(receiver));
        let mut threads = Vec::with_capacity(count);
        for _ in 0..count {
            let (connection, queue) = (open()?, Arc::clone(&queue));
            let thread = std::thread::Builder::new()
                .name("turnkeep-reader".to_owned())
                .spawn(move || work(&connection, &queue))
                .map_err(|error| Error::internal("a reader thread could not be started").with_source(error))?;
            threads.push(thread);
        }
        Ok(Self { queries: Mutex::new(Some(sender)), threads: Mutex::new(threads) })
    }

    pub(super) async fn submit<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let query: Query = Box::new(move |connection| {
            // Whatever it looks at is of one moment: what moves from one table to another meanwhile is in one of them.
            let in_snapshot = || {
                let _snapshot = connection.unchecked_transaction().map_err(store_error)?;
                query(connection)
            };
            let outcome = catch_unwind(AssertUnwindSafe(in_snapshot))
                .unwrap_or_else(|_| Err(Error::internal("a store query panicked")));
            // Whoever asked may have gone away.
            let _ = sender.send(outcome);
        });
        {
            let queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
            queries.as_ref().ok_or_else(closed)?.send(query).map_err(|_| closed())?;
        }
        receiver.await.map_err(|_| closed())?
    }

    pub(super) async fn close(&self) {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner).take();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let _ = tokio::task::spawn_blocking(|| threads.into_iter().for_each(|thread| drop(thread.join()))).await;
    }
}

fn work(connection: &Connection, queue: &Mutex<mpsc::Receiver<Query>>) {
    loop {
        let query = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match query {
            Ok(query) => query(connection),
            Err(_) => return,
        }
    }
}
