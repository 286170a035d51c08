//! The AI SDK's UI message stream: its chunks, their encoding and the log that readers follow.

mod chunk;
mod log;
pub(crate) mod replay;

pub use chunk::{CallDetails, SSE_DONE, SSE_HEADERS, StreamMetadata, UiChunk, sse_event};
pub use log::{ChunkLog, ChunkReader};
