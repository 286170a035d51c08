//! turnkeep turns one agent turn of a chat into a durable, server-side **run**.
//!
//! A host opens an [`Engine`] on a store, starts turns and reads their chunks. Every finished step is on disk before
//! the next begins; at most one run is active in a chat; a client that goes away stops nothing.
//!
//! ```no_run
//! # async fn example() -> turnkeep::Result<()> {
//! use turnkeep::{Engine, EngineOptions, TurnRequest};
//!
//! let options = EngineOptions::from_json(r#"{
//!     "store": "sqlite:chats.db",
//!     "providers": {"default": {"driver": "openai-compatible", "model": "m", "baseUrl": "http://127.0.0.1:8080/v1"}}
//! }"#)?;
//! let engine = Engine::open(options).await?;
//! let request = TurnRequest::from_json(r#"{"workspaceId": "w", "userId": "u", "message": "Hello"}"#)?;
//! let turn = engine.start_turn(request, Vec::new()).await?;
//! let mut chunks = turn.chunks();
//! loop {
//!     let batch = chunks.next_batch(64).await;
//!     if batch.is_empty() {
//!         break;
//!     }
//!     batch.iter().for_each(|chunk| println!("{chunk}"));
//! }
//! println!("{:?}", turn.done().await?.status);
//! engine.close(None).await
//! # }
//! ```
//!
//! `ARCHITECTURE.md` in the repository is the map of the modules.

#![forbid(unsafe_code)]

pub mod clock;
pub mod docmost;
mod engine;
mod error;
pub mod functions;
mod id;
pub mod js;
mod log;
pub mod machine;
pub mod mask;
mod mcp;
pub mod model;
pub mod project;
pub mod provider;
pub mod role;
pub mod secret;
pub mod settings;
#[cfg(any(test, feature = "simulation"))]
#[doc(hidden)]
#[allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test bed: whatever goes wrong in it is to be loud"
)]
pub mod simulation;
mod spelling;
pub mod store;
mod surface;
pub mod text;
pub mod tool;

/// The AI SDK's UI message stream: its chunks, their encoding and the log that readers in this process follow.
pub mod stream {
    pub use crate::log::{
        ApprovalDetails, CallDetails, ChunkLog, ChunkReader, SSE_DONE, SSE_HEADERS, StreamMetadata, UiChunk, sse_event,
    };
}

pub use engine::{
    Actor, ActorRule, Answered, Busy, Capability, ChatIds, ChatOptions, ChatPage, ChunkHit, Cursor, DocmostAccess,
    DocmostOptions, Engine, EngineOptions, Export, ExportFormat, FallbackModel, FeatureGates, Follow, ForkAt,
    FoundMessage, GivenAnswer, GivenMessage, GivenPart, Health, HostedFinish, HostedRequest, HostedRun, HostedStep,
    ImportOutcome, ImportedRole, InProgress, IndexOutcome, IndexStatus, IndexedNow, McpOptions, McpProgram,
    McpServerEdit, McpTested, McpTransport, MessagePage, MessageVersion, ModelIndex, ModelPrice, NewChat, NewMcpServer,
    NotIndexed, OpenChat, PageAt, PageSearch, PageToIndex, Prices, Protocol, Provenance, PublicTurn, Purged, Reindexed,
    ReportOf, RunBudget, RunLimits, RunSignal, RunTail, SearchAnswer, SearchMode, SecretOptions, SettingsOptions,
    SharedReader, SharedTail, SignedProvenance, Stateless, SteerAnswer, SteeringPlace, StoreHealth, StreamFormat,
    TailEnd, TailFrom, TailItem, Tested, ToolOffer, Turn, TurnReader, TurnRequest, TurnRetries, UiMessage,
    UiMessagePage, UnknownRole, UsageLimits, UsageLine, UsageOptions, UsageReport, UserMessage, WaitingPage, Who,
    Window,
};
pub use error::{Error, ErrorCode, Result};
pub use id::{AgentRoleId, ChatId, ChatRef, McpServerId, MessageId, RunId};
pub use surface::OPERATIONS;
