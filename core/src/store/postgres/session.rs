//! Statements on pooled connections: one round trip each, within a bounded time, again where that helps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts};
use futures_util::TryStreamExt;
use futures_util::future::join4;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Row, RowStream};

use crate::error::{Error, Result};

use super::connect::{CONNECT_TIMEOUT, Connector};
use super::failure::{Failure, closed};
use super::value::Value;
use super::{OPERATION_DEADLINE, OUTAGE_PATIENCE};

/// The first wait before an attempt is repeated; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(20);
/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_millis(320);
/// How long a connection whose caller went away may take until it can be used again.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Database {
    pool: Pool,
    connector: Connector,
    runtime: Handle,
    closed: AtomicBool,
}

impl Database {
    pub(super) fn new(connector: Connector, pool_size: usize) -> Result<Arc<Self>> {
        let manager = Manager::from_connect(
            connector.config(),
            connector.clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let timeouts =
            Timeouts { wait: Some(OPERATION_DEADLINE), create: Some(CONNECT_TIMEOUT), recycle: Some(CONNECT_TIMEOUT) };
        let pool = Pool::builder(manager).max_size(pool_size).timeouts(timeouts).runtime(Runtime::Tokio1).build();
        let pool = pool.map_err(|_| Error::internal("the pool of connections cannot be made"))?;
        Ok(Arc::new(Self { pool, connector, runtime: Handle::current(), closed: AtomicBool::new(false) }))
    }

    pub(super) fn connector(&self) -> &Connector {
        &self.connector
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.pool.close();
    }

    /// The rows of a statement that does no harm when it is carried out twice.
    pub(super) async fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        self.try_query(None, sql, values).await.map_err(Failure::into_error)
    }

    /// The only row of such a statement.
    pub(super) async fn query_one(&self, sql: &str, values: &[Value<'_>]) -> Result<Row> {
        self.query(sql, values).await?.pop().ok_or_else(|| Error::internal("a statement returned no row"))
    }

    /// As [`Database::query`]. With `lock`, nobody else who names the same one carries out anything meanwhile.
    pub(super) async fn try_query(
        &self,
        lock: Option<&str>,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Failure> {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            if self.closed.load(Ordering::SeqCst) {
                return Err(Failure::Closed);
            }
            let failure = match timeout_at(begun + OPERATION_DEADLINE, self.attempt(lock, sql, values)).await {
                Ok(Ok(rows)) => return Ok(rows),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(Failure::TooSlow),
            };
            if !failure.may_pass() || begun.elapsed() + wait > OUTAGE_PATIENCE {
                return Err(failure);
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn attempt(&self, lock: Option<&str>, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        let session = self.session().await?;
        let rows = match lock {
            None => session.rows(sql, values).await,
            Some(lock) => session.under_lock(lock, sql, values).await,
        };
        match rows.as_ref().err().and_then(Failure::state).map(SqlState::code) {
            // A server that takes no writes any more, after another took its place: the way to it is found anew.
            Some("25006") => session.throw_away(),
            // What was prepared is gone, or was there before: the session is not ours alone, whatever it looked like.
            Some("26000" | "42P05") => {
                self.connector.shared_sessions.store(true, Ordering::SeqCst);
                session.throw_away();
            }
            _ => session.give_back(),
        }
        rows
    }

    /// A connection for statements that are read row by row.
    pub(super) async fn session(&self) -> Result<Session, Failure> {
        let object = self.pool.get().await?;
        let is_shared = self.connector.shared_sessions.load(Ordering::SeqCst);
        Ok(Session {
            object: Some(object),
            is_shared,
            connector: self.connector.clone(),
            runtime: self.runtime.clone(),
        })
    }

    pub(super) fn ensure_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(closed()) } else { Ok(()) }
    }
}

/// A connection that is in use.
pub(super) struct Session {
    object: Option<Object>,
    is_shared: bool,
    connector: Connector,
    runtime: Handle,
}

impl Session {
    fn client(&self) -> Result<&Object, Failure> {
        self.object.as_ref().ok_or(Failure::Closed)
    }

    /// Sends a statement. Where sessions are shared it goes with its text, in one message; elsewhere it is prepared once
    /// for each connection.
    pub(super) async fn stream(&self, sql: &str, values: &[Value<'_>]) -> Result<RowStream, Failure> {
        let client = self.client()?;
        if self.is_shared {
            // An unknown type is one that the server finds out.
            let typed = values.iter().map(|value| (value, Type::UNKNOWN));
            return Ok(client.query_typed_raw(sql, typed).await?);
        }
        let statement = client.prepare_cached(sql).await?;
        Ok(client.query_raw(&statement, values).await?)
    }

    pub(super) async fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        Ok(self.stream(sql, values).await?.try_collect().await?)
    }

    async fn under_lock(&self, lock: &str, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        const TAKE: &str = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))::text";
        let client = self.client()?;
        let lock = [Value::from(lock)];
        // All of it is on its way before the first answer is back: one round trip.
        let (begun, locked, rows, ended) = if self.is_shared {
            let typed = values.iter().map(|value| (value, Type::UNKNOWN));
            join4(
                client.batch_execute("BEGIN"),
                async {
                    client
                        .query_typed_raw(TAKE, lock.iter().map(|value| (value, Type::TEXT)))
                        .await?
                        .try_collect::<Vec<_>>()
                        .await
                },
                async { client.query_typed_raw(sql, typed).await?.try_collect::<Vec<_>>().await },
                client.batch_execute("COMMIT"),
            )
            .await
        } else {
            let (take, statement) = (client.prepare_cached(TAKE).await?, client.prepare_cached(sql).await?);
            join4(
                client.batch_execute("BEGIN"),
                async { client.query_raw(&take, &lock).await?.try_collect::<Vec<_>>().await },
                async { client.query_raw(&statement, values).await?.try_collect::<Vec<_>>().await },
                client.batch_execute("COMMIT"),
            )
            .await
        };
        begun?;
        locked?;
        let rows = rows?;
        ended?;
        Ok(rows)
    }

    /// Several statements without parameters, as one message.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Failure> {
        Ok(self.client()?.batch_execute(sql).await?)
    }

    /// The connection is at rest and may be used by others.
    pub(super) fn give_back(mut self) {
        self.object = None;
    }

    /// The connection is in a state that nobody should find it in.
    pub(super) fn throw_away(mut self) {
        self.object.take().map(Object::take);
    }
}

impl Drop for Session {
    /// Whoever waited for the answer has gone away or has lost patience. The server is told not to go on; when it has
    /// stopped, the connection is as good as any other.
    fn drop(&mut self) {
        let Some(object) = self.object.take() else { return };
        let tls = self.connector.tls();
        self.runtime.spawn(async move {
            let drained = timeout(DRAIN_PATIENCE, object.simple_query("")).await;
            if !matches!(drained, Ok(Ok(_))) {
                let token = object.cancel_token();
                drop(Object::take(object));
                // What cannot be cancelled ends by the server's own clock.
                let _ = timeout(CONNECT_TIMEOUT, token.cancel_query(tls)).await;
            }
        });
    }
}
