//! A store in the process's memory, for tests and simulations: the same answers as the others, nothing durable.

mod chat;
mod effect;
mod fork;
mod lease;
mod limit;
mod log;
mod mcp;
mod queue;
mod record;
mod role;
mod run;
mod search;
mod settings;
mod steer;
mod stop;
mod usage;
mod wait;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorCode, Result};
use crate::id::{AgentRoleId, ChatId, McpServerId, MessageId, RunId};
use crate::model::{CallEffect, Chat, Message, Run, RunReason};
use crate::store::{BeginRun, ChunkPack, Fence, LoggedStep, RunPlan, Store, lease_lost};

/// See the module's documentation.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    /// What keeps the records, limits and calls of turns of which nothing else is kept.
    records: Option<Arc<dyn Store>>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    closed: bool,
    chats: BTreeMap<ChatId, Chat>,
    deleted_chats: BTreeMap<ChatId, Timestamp>,
    messages: BTreeMap<MessageId, Message>,
    /// When others came in their place.
    replaced_messages: BTreeMap<MessageId, Timestamp>,
    /// What forks show of other chats, the oldest of them first.
    forks: BTreeMap<ChatId, Vec<fork::Segment>>,
    /// The first message that stood where each of these does.
    versions: BTreeMap<MessageId, MessageId>,
    runs: BTreeMap<RunId, Owned>,
    steps: BTreeMap<(RunId, u32), LoggedStep>,
    packs: BTreeMap<(RunId, u64), ChunkPack>,
    queue: BTreeMap<RunId, Waits>,
    /// By workspace, user and idempotency key.
    stop_notes: BTreeMap<(String, String, String), Timestamp>,
    roles: BTreeMap<AgentRoleId, role::StoredRole>,
    settings: settings::SettingsTables,
    mcp_servers: BTreeMap<McpServerId, mcp::McpServer>,
    used: BTreeMap<uuid::Uuid, limit::Used>,
    index: search::IndexTable,
    ledger: BTreeMap<String, usage::Entry>,
    records: BTreeMap<RunId, record::Record>,
    steering: BTreeMap<MessageId, steer::Row>,
    /// By call, with the run.
    effects: BTreeMap<String, (RunId, CallEffect)>,
}

struct Owned {
    run: Run,
    owner: String,
    epoch: i64,
    lease_expires_at: Option<Timestamp>,
    stop_reason: Option<RunReason>,
    idempotency_key: Option<String>,
    plan: Option<RunPlan>,
    waits: Option<crate::model::Waits>,
    /// How often it has waited for an answer.
    suspensions: i64,
    /// The step before which messages have entered last.
    steering_step: u32,
}

/// A run that waits for its chat.
struct Waits {
    begin: BeginRun,
    lease_expires_at: Timestamp,
    created_at: Timestamp,
    stop_requested_at: Option<Timestamp>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, records: None, tables: Mutex::new(Tables::default()) }
    }

    fn tables(&self) -> Result<MutexGuard<'_, Tables>> {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if tables.closed { Err(Error::new(ErrorCode::EngineClosed, "the store is closed")) } else { Ok(tables) }
    }
}

impl Tables {
    fn owned(&mut self, fence: &Fence) -> Result<&mut Owned> {
        // One that waits is nobody's, and has no owner.
        self.runs
            .get_mut(&fence.run_id)
            .filter(|row| row.owner == fence.owner && row.epoch == fence.epoch && row.run.status.is_active())
            .ok_or_else(lease_lost)
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn kind(&self) -> &'static str {
        "memory"
    }

    async fn close(&self) -> Result<()> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        Ok(())
    }
}
