//! What the engine needs of a database, in terms of runs rather than of SQL.
//!
//! Every method is one transaction. Every write of a run names its [`Fence`]; a write that finds another owner, another
//! epoch or a settled run changes nothing and answers `LEASE_LOST`.

mod chat;
#[cfg(test)]
mod conformance;
mod effect;
mod lease;
mod limit;
mod log;
mod mcp;
mod memory;
mod plan;
mod postgres;
mod queue;
mod record;
mod role;
mod run;
mod search;
mod settings;
mod sqlite;
mod steer;
mod stop;
mod tour;
mod usage;
mod wait;
mod wakeups;

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::id::RunId;
use crate::tool::EffectDatabase;

pub use crate::model::{MessageFields, MessageSpan, MessageVisitor, Paging, PagingFrom, Place, StoredMessage};
pub use chat::{ChatStore, ForkChat, LastShown, SearchFor};
pub use effect::{EFFECTS_TABLE, EffectStore};
pub use lease::{ClaimedRun, LeaseStore, MOST_OWNERS, Offer, OfferedRuns, Renewal, Sweep, UNTOUCHED_WITHOUT_LEASE};
pub use limit::{LimitOf, LimitStore};
pub use log::{
    CallNote, ChunkPack, LogFrom, LogPage, LogRange, LogRow, LogStart, LogStore, LoggedStep, RecordStep, StepNumbers,
};
pub use mcp::{McpServerChange, McpServerFields, McpStore, StoredMcpServer};
pub use memory::MemoryStore;
pub use plan::RunPlan;
pub use postgres::{PendingMigration, PostgresStore};
pub use queue::{QueueStore, Waiting};
pub use record::{BeginRecord, FinishRecord, RecordStore};
pub(crate) use role::name_taken;
pub use role::{CreateRoles, ExistingRoles, RolePrompt, RoleStore};
pub use run::{Began, BeginRun, Fence, NewUserMessage, ONE_PLACE, RunStore, SettleRun};
pub(crate) use run::{UNREADABLE_RUN, already_active, forbidden, lease_lost};
pub use search::{
    ChunkRankings, ChunkScope, ChunkSearch, FoundChunk, IndexPage, IndexedModel, IndexedPage, SearchStore,
};
pub use settings::{
    KeyPlace, KeySlot, Reseal, SealedSecret, SecretPlace, SettingsStore, StoredKey, StoredSettings, WriteKey,
    WriteSettings,
};
pub use sqlite::SqliteStore;
#[cfg(test)]
pub(crate) use sqlite::file_of_the_first_version;
pub use steer::{EnterSteering, NewSteering, SteerStore, Steered, SteeringOf};
pub use stop::{STOP_NOTES_KEPT, StopStore};
pub(crate) use usage::step_call_id;
pub use usage::{LedgerCall, TokenLimit, UsageBy, UsageGroup, UsageOf, UsageStore};
pub use wait::{SuspendRun, WaitStore, WaitingOf, WaitingRun};
pub use wakeups::{Hint, NotificationHealth, NotificationState, Wakeups};

/// A database of chats and runs: all of its rooms, and what concerns the whole of it.
#[async_trait]
pub trait Store:
    RunStore
    + QueueStore
    + LogStore
    + LeaseStore
    + StopStore
    + ChatStore
    + RoleStore
    + SettingsStore
    + McpStore
    + LimitStore
    + SearchStore
    + UsageStore
    + RecordStore
    + WaitStore
    + SteerStore
    + EffectStore
{
    /// What kind of store it is, in a word.
    fn kind(&self) -> &'static str;

    /// The database in which tools can note what they have done, where that is one that they can reach.
    fn effect_database(&self) -> Option<EffectDatabase> {
        None
    }

    /// Hints between processes, where the database has them.
    fn wakeups(&self) -> Option<Arc<dyn Wakeups>> {
        None
    }

    /// Proves that the store takes a write.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn ping(&self) -> Result<()> {
        self.run(RunId::generate()).await.map(|_| ())
    }

    /// Writes what is queued and lets go of the database. Later calls answer `ENGINE_CLOSED`.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn close(&self) -> Result<()>;
}

/// What an instance is called that was given no name.
const UNNAMED: &str = "engine";

/// Opens the store that `url` names: `sqlite:PATH`, `sqlite::memory:` or `postgres://…` (see [`PostgresStore::open`]).
/// `instance`, if there is one, becomes part of the owner's name, which is returned with the store. What the same instance
/// has left when it died is then free at once, and not only when its leases have run out.
///
/// # Errors
/// `INVALID_INPUT` for a URL of another kind, `STORE_UNAVAILABLE` when the database cannot be opened or written.
pub async fn open(url: &str, instance: Option<&str>, clock: Arc<dyn Clock>) -> Result<(Arc<dyn Store>, String)> {
    let owner = format!("{}/{}", instance.unwrap_or(UNNAMED), uuid::Uuid::now_v7());
    match instance {
        Some(instance) if is_postgres(url) => {
            let (store, owner) = PostgresStore::open_as(url, instance, owner).await?;
            return Ok((Arc::new(store), owner));
        }
        None if is_postgres(url) => return Ok((Arc::new(PostgresStore::open(url).await?), owner)),
        _ => {}
    }
    let Some(path) = url.strip_prefix("sqlite:") else {
        return Err(Error::invalid("store", "must be sqlite:PATH, sqlite::memory: or postgres://…"));
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() {
        return Err(Error::invalid("store", "the path after sqlite: is missing"));
    }
    let store = SqliteStore::open(path, &owner, clock).await?;
    Ok((Arc::new(store), owner))
}

/// Which migrations opening this PostgreSQL database would apply, and what they would add to it. Changes nothing.
///
/// # Errors
/// `INVALID_INPUT` for a URL of another kind, `STORE_UNAVAILABLE` when the database cannot be reached.
pub async fn pending_migrations(url: &str) -> Result<Vec<PendingMigration>> {
    if !is_postgres(url) {
        return Err(Error::invalid("store", "must be postgres://…: files are made and changed by whoever opens them"));
    }
    postgres::pending_migrations(url).await
}

/// As [`pending_migrations`], as JSON: `[{"version", "name", "additions"}]`.
///
/// # Errors
/// As [`pending_migrations`].
pub async fn pending_migrations_json(url: &str) -> Result<String> {
    let pending = pending_migrations(url).await?;
    serde_json::to_string(&pending).map_err(|error| Error::internal("a result could not be encoded").with_source(error))
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}
