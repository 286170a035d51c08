//! The numbers of the errors.
//!
//! Written by tools/surface from the description of the surface. Changes made here are overwritten.

/// A field is missing or wrong; the message and details.field name it.
pub const TURNKEEP_INVALID_INPUT: i32 = 1001;
/// The thing belongs to somebody else, whoever acts may not do this, or the workspace has switched it off.
pub const TURNKEEP_FORBIDDEN: i32 = 1002;
/// There is no such thing.
pub const TURNKEEP_NOT_FOUND: i32 = 1003;
/// The payload is over its documented limit.
pub const TURNKEEP_PAYLOAD_TOO_LARGE: i32 = 1004;
/// The media type is not on the list.
pub const TURNKEEP_UNSUPPORTED_MEDIA: i32 = 1005;
/// There is no such thing yet, such as generating an answer anew.
pub const TURNKEEP_NOT_SUPPORTED: i32 = 1006;
/// Another run is active in the chat; details.activeRunId names it.
pub const TURNKEEP_A_RUN_ALREADY_ACTIVE: i32 = 2001;
/// The run could not be written.
pub const TURNKEEP_A_RUN_BEGIN_FAILED: i32 = 2002;
/// Another process owns the run now.
pub const TURNKEEP_LEASE_LOST: i32 = 2003;
/// A run other than the one to supersede is active.
pub const TURNKEEP_SUPERSEDE_TARGET_MISMATCH: i32 = 2004;
/// The run to supersede did not settle in time.
pub const TURNKEEP_SUPERSEDE_TIMEOUT: i32 = 2005;
/// The run to supersede is not a run of this chat.
pub const TURNKEEP_SUPERSEDE_INVALID: i32 = 2006;
/// A message of this id is in the chat already.
pub const TURNKEEP_MESSAGE_EXISTS: i32 = 2007;
/// Another role of the workspace has this name; the message says which.
pub const TURNKEEP_ROLE_NAME_TAKEN: i32 = 2008;
/// The run, the call that is answered, or the message that is taken back does not wait, or not any more.
pub const TURNKEEP_NOT_WAITING: i32 = 2010;
/// The answer is for another call, or for other arguments, than those that wait.
pub const TURNKEEP_ANSWER_MISMATCH: i32 = 2011;
/// The time in which the call could be answered is over.
pub const TURNKEEP_ANSWER_EXPIRED: i32 = 2012;
/// The run has ended, or has not begun: no message can join it.
pub const TURNKEEP_RUN_NOT_ACTIVE: i32 = 2013;
/// The store cannot be reached or written.
pub const TURNKEEP_STORE_UNAVAILABLE: i32 = 3001;
/// The engine is shutting down or closed.
pub const TURNKEEP_ENGINE_CLOSED: i32 = 3002;
/// A stored secret cannot be read with the application secret in use.
pub const TURNKEEP_SECRET_UNREADABLE: i32 = 3003;
/// No usable chat provider is configured.
pub const TURNKEEP_AI_NOT_CONFIGURED: i32 = 4001;
/// No usable embedding provider is configured.
pub const TURNKEEP_EMBEDDING_NOT_CONFIGURED: i32 = 4002;
/// No usable speech-to-text provider is configured.
pub const TURNKEEP_STT_NOT_CONFIGURED: i32 = 4003;
/// The provider refused or failed.
pub const TURNKEEP_PROVIDER_ERROR: i32 = 4004;
/// Too many requests in a window.
pub const TURNKEEP_RATE_LIMITED: i32 = 4005;
/// The budget of the window is spent.
pub const TURNKEEP_BUDGET_EXHAUSTED: i32 = 4006;
/// A bug of ours.
pub const TURNKEEP_INTERNAL: i32 = 9001;
