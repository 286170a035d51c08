//! PostgreSQL: one database for many machines.
//!
//! Every operation is one statement, or one transaction that is sent at once: one round trip. Gate, fences and leases are
//! the database's, and so is the clock. Nothing is kept in sessions, so that poolers which share them are no obstacle:
//! where one is found on the way, statements are sent with their text instead of being prepared.

mod chat;
mod connect;
mod effect;
mod failure;
mod fork;
mod gate;
mod lease;
mod limit;
mod log;
mod mcp;
mod migrate;
mod notify;
mod presence;
mod queue;
mod record;
mod role;
mod rows;
mod run;
mod search;
mod session;
mod settings;
mod steer;
mod stop;
mod usage;
mod value;
mod wait;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, ErrorCode, Result};
use crate::tool::EffectDatabase;

use super::tour::Tour;
use super::{Store, Wakeups};
use connect::Target;
use failure::Failure;
use migrate::HostIds;
use notify::Notifier;
use session::Database;

pub use migrate::PendingMigration;

/// Within this time every caller is answered: below the lease of 15 s, so that an owner learns in time that it cannot
/// renew, and long enough for a server that is busy with a checkpoint.
pub(in crate::store) const OPERATION_DEADLINE: Duration = Duration::from_secs(10);
/// For so long a server that is gone is waited for before callers are told: a restart takes a second or two.
const OUTAGE_PATIENCE: Duration = Duration::from_secs(3);

/// A PostgreSQL database.
pub struct PostgresStore {
    database: Arc<Database>,
    notifier: Arc<Notifier>,
    ids: HostIds,
    extras: migrate::Extras,
    settings: settings::Statements,
    /// A round through the messages that are being written.
    streaming: Tour,
}

/// For the server's intervals.
fn seconds(duration: Duration) -> String {
    // No lease is longer than a century; the server's intervals end before Rust's do.
    duration.min(Duration::from_secs(100 * 365 * 24 * 60 * 60)).as_secs_f64().to_string()
}

fn limited(limit: usize) -> i64 {
    // One more than this is asked for in places.
    i64::try_from(limit).unwrap_or(i64::MAX).min(i64::MAX - 1)
}

async fn database(url: &str) -> Result<Arc<Database>> {
    let target = Target::parse(url)?;
    let pool_size = target.pool_size;
    let connector = target.explore().await.map_err(|error| {
        let failed = Failure::from(error).into_error();
        let message = failed.to_string();
        // Whatever keeps us from a first connection is the store's, or its URL's.
        Error::new(ErrorCode::StoreUnavailable, format!("the store cannot be opened: {message}"))
            .with_detail("field", "store")
    })?;
    Database::new(connector, pool_size)
}

/// What opening the database would add to it; changes nothing.
pub(super) async fn pending_migrations(url: &str) -> Result<Vec<PendingMigration>> {
    let database = database(url).await?;
    let pending = migrate::pending(&database).await;
    database.close();
    pending
}

impl PostgresStore {
    /// Connects and brings the tables up to date. `url` is `postgres://user:password@host:port/database`, and may have
    /// the parameters of libpq's URLs that concern connecting, of which `sslmode` is `prefer` unless given: encrypted
    /// where the server can, with any certificate. `require` and `verify-full` check certificate and name, against the
    /// platform's roots or those in the file `sslrootcert`; `no-verify` encrypts without checking. `pool_size` (10) is
    /// how many connections there may be, `schema` where the tables are.
    ///
    /// # Errors
    /// `INVALID_INPUT` for what is wrong in the URL, `STORE_UNAVAILABLE` when the server cannot be reached or does not
    /// let us make the tables.
    pub async fn open(url: &str) -> Result<Self> {
        let database = database(url).await?;
        Self::on(database, None).await
    }

    /// The same for this owner of an instance that has a name of its own: what earlier processes of the instance have
    /// left is free at once, if they are dead. Returns the owner's name in leases, which says whether others can tell.
    ///
    /// # Errors
    /// As [`PostgresStore::open`].
    pub(super) async fn open_as(url: &str, instance: &str, owner: String) -> Result<(Self, String)> {
        let database = database(url).await?;
        if database.connector().shared_sessions.load(Ordering::SeqCst) {
            return Ok((Self::on(database, None).await?, owner));
        }
        let owner = presence::present(&owner);
        let store = Self::on(database, Some(owner.clone())).await?;
        presence::free_earlier(&store.database, instance, &owner).await?;
        Ok((store, owner))
    }

    async fn on(database: Arc<Database>, present: Option<String>) -> Result<Self> {
        ensure_holds_all_text(&database).await?;
        let types = migrate::migrate(&database).await?;
        let settings = settings::Statements::new(&database).await?;
        let extras = migrate::extras(&database, &types).await?;
        let (notifier, ids, streaming) = (Notifier::start(&database, present), types.ids(), Tour::default());
        Ok(Self { notifier, database, ids, extras, settings, streaming })
    }
}

/// A database in another encoding would refuse an answer that has been paid for.
async fn ensure_holds_all_text(database: &Database) -> Result<()> {
    let row = database.query_one("SELECT current_setting('server_encoding') AS encoding", &[]).await?;
    let encoding: &str = rows::get(&row, "encoding")?;
    if encoding == "UTF8" {
        return Ok(());
    }
    let message = format!("the store cannot be opened: the database's encoding is {encoding}; it must be UTF8");
    Err(Error::new(ErrorCode::StoreUnavailable, message).with_detail("field", "store"))
}

#[async_trait]
impl Store for PostgresStore {
    fn kind(&self) -> &'static str {
        "postgres"
    }

    fn effect_database(&self) -> Option<EffectDatabase> {
        Some(EffectDatabase::Postgres)
    }

    fn wakeups(&self) -> Option<Arc<dyn Wakeups>> {
        Some(Arc::clone(&self.notifier) as Arc<dyn Wakeups>)
    }

    async fn ping(&self) -> Result<()> {
        const WRITE: &str = "INSERT INTO turnkeep_health (id, at) VALUES (1, turnkeep_now()) \
             ON CONFLICT (id) DO UPDATE SET at = excluded.at";
        self.database.query(WRITE, &[]).await.map(|_| ())
    }

    async fn close(&self) -> Result<()> {
        self.notifier.close(&self.database).await;
        self.database.close();
        Ok(())
    }
}
