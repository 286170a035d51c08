//! The log of a run: its chunks as the AI SDK's UI message stream has them, the copy that readers in this process
//! follow, and the log computed from what is on disk.

pub(crate) mod abandoned;
mod ag_ui;
mod chunk;
pub(crate) mod cursor;
pub(crate) mod journal;
mod live;
mod older;
mod protocol;
pub(crate) mod reader;
pub(crate) mod replay;

pub(crate) use chunk::is_note;
pub use chunk::{ApprovalDetails, CallDetails, SSE_DONE, SSE_HEADERS, StreamMetadata, UiChunk, sse_event};
pub use cursor::{Cursor, TailEnd, TailFrom, TailItem};
pub use live::{ChunkLog, ChunkReader};
pub(crate) use protocol::Speaker;
pub use protocol::{Protocol, StreamFormat};
