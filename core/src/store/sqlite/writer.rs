//! The one thread that writes.
//!
//! Operations queue up while a transaction is being committed; the next transaction takes all of them, each in a
//! savepoint of its own. So one fsync serves every run that waits, and full durability costs a run no more than the
//! fsync that it would have had to wait for anyway. An operation is answered only after the commit.

use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::{Error, ErrorCode, Result};

use super::identity::Identity;
use super::store_error;

/// Operations that one transaction takes at most, so that the first of them does not wait too long.
const MAX_GROUP: usize = 512;
/// How long the writer tries to begin a transaction while other processes hold the file.
const BEGIN_DEADLINE: Duration = Duration::from_secs(30);

/// The first wait for another process's transaction; it doubles up to [`MAX_BEGIN_WAIT`].
const FIRST_BEGIN_WAIT: Duration = Duration::from_micros(200);
/// The longest wait between two attempts to begin.
const MAX_BEGIN_WAIT: Duration = Duration::from_millis(4);

/// Runs inside the transaction, and returns what is to be done once its fate is known. Without a transaction it only
/// passes the error on.
type Operation = Box<dyn FnOnce(Result<&Connection, Error>) -> Option<Answer> + Send>;
type Answer = Box<dyn FnOnce(Result<(), Error>) + Send>;

enum Order {
    Run(Operation),
    /// Outside of any transaction.
    Scrub(oneshot::Sender<Result<bool>>),
    Close,
}

pub(super) struct Writer {
    orders: mpsc::Sender<Order>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub(super) fn start(connection: Connection, identity: Identity) -> Result<Self> {
        let (orders, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("turnkeep-writer".to_owned())
            .spawn(move || work(connection, identity, &queue))
            .map_err(|error| Error::internal("the writer thread could not be started").with_source(error))?;
        Ok(Self { orders, thread: Mutex::new(Some(thread)) })
    }

    /// Queues `operation` and waits until it is on disk. Its error undoes what it did, and nothing else. An operation
    /// that was queued is carried out even if nobody waits for it any more.
    pub(super) async fn submit<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        // Whoever asked may have gone away by the time of the answer; the write stands all the same.
        let order = Order::Run(Box::new(move |connection| match connection {
            Ok(connection) => {
                let outcome = in_savepoint(connection, operation);
                Some(Box::new(move |committed| drop(sender.send(committed.and(outcome)))))
            }
            Err(error) => {
                let _ = sender.send(Err(error));
                None
            }
        }));
        self.orders.send(order).map_err(|_| closed())?;
        receiver.await.map_err(|_| closed())?
    }

    /// Writes the whole file anew, without what removed rows have left in it, and empties the WAL into it. `false` while
    /// readers keep an older state of it.
    pub(super) async fn scrub(&self) -> Result<bool> {
        let (sender, receiver) = oneshot::channel();
        self.orders.send(Order::Scrub(sender)).map_err(|_| closed())?;
        receiver.await.map_err(|_| closed())?
    }

    pub(super) async fn close(&self) {
        // A second close finds nobody to tell.
        let _ = self.orders.send(Order::Close);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

pub(super) fn closed() -> Error {
    Error::new(ErrorCode::EngineClosed, "the store is closed")
}

fn work(connection: Connection, mut identity: Identity, queue: &mpsc::Receiver<Order>) {
    let mut next = queue.recv().ok();
    while let Some(order) = next.take() {
        match order {
            Order::Close => return,
            Order::Scrub(answer) => {
                let scrubbed = if identity.holds() { scrub(&connection) } else { Err(gone()) };
                // Whoever asked may have gone away.
                let _ = answer.send(scrubbed);
            }
            Order::Run(first) => {
                let mut group = vec![first];
                while group.len() < MAX_GROUP && next.is_none() {
                    match queue.try_recv() {
                        Ok(Order::Run(operation)) => group.push(operation),
                        Ok(other) => next = Some(other),
                        Err(_) => break,
                    }
                }
                commit(&connection, &mut identity, group);
            }
        }
        next = next.or_else(|| queue.recv().ok());
    }
}

/// How long others who read may keep the writer from it.
const SCRUB_PATIENCE: Duration = Duration::from_secs(1);

fn scrub(connection: &Connection) -> Result<bool> {
    connection.busy_timeout(SCRUB_PATIENCE).map_err(store_error)?;
    let scrubbed = scrub_now(connection);
    connection.busy_timeout(super::BUSY_TIMEOUT).map_err(store_error)?;
    scrubbed
}

fn scrub_now(connection: &Connection) -> Result<bool> {
    let written_anew = connection
        // The index keeps words of removed entries until its pieces are merged.
        .execute_batch("INSERT INTO turnkeep_search (turnkeep_search) VALUES ('optimize'); VACUUM");
    match written_anew {
        Err(error) if is_busy(&error) => return Ok(false),
        written => written.map_err(store_error)?,
    }
    let blocked = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    Ok(!blocked.map_err(store_error)?)
}

fn commit(connection: &Connection, identity: &mut Identity, group: Vec<Operation>) {
    if let Err(error) = begin(connection) {
        for operation in group {
            operation(Err(commit_failed(&error)));
        }
        return;
    }
    let mut answers: Vec<Answer> = Vec::with_capacity(group.len());
    for operation in group {
        // Out of space or memory, SQLite may have rolled back everything; what runs after that would be committed alone.
        let transaction = if connection.is_autocommit() { Err(rolled_back()) } else { Ok(connection) };
        answers.extend(operation(transaction));
    }
    let committed = if connection.is_autocommit() {
        Err(rolled_back())
    } else if !identity.holds() {
        Err(gone())
    } else {
        connection.execute_batch("COMMIT").map_err(|error| commit_failed(&error))
    };
    if committed.is_err() && !connection.is_autocommit() {
        // It fails only if there is nothing to roll back any more.
        let _ = connection.execute_batch("ROLLBACK");
    }
    for answer in answers {
        answer(match &committed {
            Ok(()) => Ok(()),
            Err(error) => Err(error.copied()),
        });
    }
}

fn commit_failed(error: &rusqlite::Error) -> Error {
    let failed =
        Error::new(ErrorCode::StoreUnavailable, format!("the store could not be written: {}", super::reason(error)));
    if super::is_lasting(error) { failed.for_good() } else { failed }
}

fn gone() -> Error {
    let message = "the store could not be written: its file was removed, renamed or replaced while it was open";
    Error::new(ErrorCode::StoreUnavailable, message).for_good()
}

fn rolled_back() -> Error {
    Error::new(ErrorCode::StoreUnavailable, "the store could not be written: the transaction was rolled back")
}

/// Begins with the write lock in hand, so that no operation can find the file locked half-way. SQLite's own waiting
/// sleeps up to 100 ms at a time; transactions are over sooner.
fn begin(connection: &Connection) -> rusqlite::Result<()> {
    let deadline = Instant::now() + BEGIN_DEADLINE;
    let mut wait = FIRST_BEGIN_WAIT;
    connection.busy_timeout(Duration::ZERO)?;
    let begun = loop {
        match connection.execute_batch("BEGIN IMMEDIATE") {
            Err(error) if is_busy(&error) && Instant::now() < deadline => {
                // Processes that wait for each other must not do so in step.
                let chance = RandomState::new().hash_one(wait) % 1000;
                let jitter = Duration::from_nanos(chance * 500);
                std::thread::sleep(wait + jitter);
                wait = (wait * 2).min(MAX_BEGIN_WAIT);
            }
            outcome => break outcome,
        }
    };
    connection.busy_timeout(super::BUSY_TIMEOUT)?;
    begun
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

fn in_savepoint<T>(connection: &Connection, operation: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let run = |sql: &str| connection.prepare_cached(sql).and_then(|mut statement| statement.execute([])).map(|_| ());
    run("SAVEPOINT operation").map_err(store_error)?;
    let outcome = catch_unwind(AssertUnwindSafe(|| operation(connection)))
        .unwrap_or_else(|_| Err(Error::internal("a store operation panicked")));
    if outcome.is_err() {
        run("ROLLBACK TO operation").map_err(store_error)?;
    }
    run("RELEASE operation").map_err(store_error)?;
    outcome
}
