//! Plain data that every layer shares. Nothing here reads a clock, a socket or a store.

mod effect;
mod failure;
mod feature;
mod json;
mod message;
mod page;
mod part;
mod protocol;
mod record;
mod role;
mod run;
mod steering;
mod step;
mod stored;
mod taint;
mod usage;
mod wait;
mod word;

pub use effect::{CallEffect, Repeat, call_key};
pub use failure::{FailureKind, RunFailure};
pub use feature::{Feature, FeatureFlags, Features};
pub use json::{Json, present};
pub(crate) use json::{lossy_string, members};
pub use message::{Chat, ListedChat, Message, MessageRole, MessageStatus};
pub use page::{Beside, Paging, PagingFrom, Place, decode_cursor, encode_cursor};
pub use part::{
    Approval, BlockKind, DENIED_CALL, INCOMPLETE_CALL, PAUSED_CALL, Part, TextPart, ToolPart, ToolState, UNKNOWN_CALL,
    timed_out_call,
};
pub use protocol::{Protocol, StreamFormat};
pub use record::RecordIdentity;
pub use role::{AgentRole, AgentRoleSummary, RoleChange, RoleFields, ShownRole};
pub use run::{Run, RunOutcome, RunReason, RunStatus, RunWarning, StatelessRun, Trigger, WarningCode};
pub use steering::{STEERING_PART, Steering, SteeringState, entering_chunks, is_steering, steering_parts};
pub use step::{FinishReason, StepRecord};
pub use stored::{MessageFields, MessageSpan, MessageVisitor, StoredMessage};
pub use taint::{
    TAINT_PART, TaintMode, TaintSource, origin_of_server, origin_of_tool, reads_of, taint_part, tainted_by,
};
pub(crate) use usage::estimated_tokens;
pub use usage::{CallKind, CallTokens, Usage};
pub use wait::{Answer, AnswerKind, Ask, Wait, WaitKind, WaitingCall, Waits};
pub use word::Word;
