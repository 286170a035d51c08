//! What functions return.

use turnkeep::ErrorCode;

/// What a function that can fail returns: TURNKEEP_OK, one of the other outcomes below 1000, or the number of an error.
/// Numbers never change their meaning; new ones may be added.
pub type Status = i32;

/// It worked; the outputs are written.
pub const TURNKEEP_OK: i32 = 0;
/// There is nothing more to come, or the result of a pure function is what JavaScript calls undefined. Not an error; no
/// output is written.
pub const TURNKEEP_DONE: i32 = 1;
/// The time is up, and the call may be repeated. Not an error; no output is written.
pub const TURNKEEP_TIMEOUT: i32 = 2;

/// A pointer is NULL, a text is not UTF-8 or not JSON, or a field is missing or wrong; the message names it.
pub const TURNKEEP_INVALID_INPUT: i32 = 1001;
/// The thing belongs to somebody else.
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
/// A bug in turnkeep.
pub const TURNKEEP_INTERNAL: i32 = 9001;

// cbindgen reads literals only, so the numbers stand here again; a difference does not compile. That none is missing
// is what the test `every_error_code_is_in_the_header` sees to.
const _: () = {
    assert!(TURNKEEP_INVALID_INPUT == ErrorCode::InvalidInput.number());
    assert!(TURNKEEP_FORBIDDEN == ErrorCode::Forbidden.number());
    assert!(TURNKEEP_NOT_FOUND == ErrorCode::NotFound.number());
    assert!(TURNKEEP_PAYLOAD_TOO_LARGE == ErrorCode::PayloadTooLarge.number());
    assert!(TURNKEEP_UNSUPPORTED_MEDIA == ErrorCode::UnsupportedMedia.number());
    assert!(TURNKEEP_NOT_SUPPORTED == ErrorCode::NotSupported.number());
    assert!(TURNKEEP_A_RUN_ALREADY_ACTIVE == ErrorCode::RunAlreadyActive.number());
    assert!(TURNKEEP_A_RUN_BEGIN_FAILED == ErrorCode::RunBeginFailed.number());
    assert!(TURNKEEP_LEASE_LOST == ErrorCode::LeaseLost.number());
    assert!(TURNKEEP_SUPERSEDE_TARGET_MISMATCH == ErrorCode::SupersedeTargetMismatch.number());
    assert!(TURNKEEP_SUPERSEDE_TIMEOUT == ErrorCode::SupersedeTimeout.number());
    assert!(TURNKEEP_SUPERSEDE_INVALID == ErrorCode::SupersedeInvalid.number());
    assert!(TURNKEEP_MESSAGE_EXISTS == ErrorCode::MessageExists.number());
    assert!(TURNKEEP_STORE_UNAVAILABLE == ErrorCode::StoreUnavailable.number());
    assert!(TURNKEEP_ENGINE_CLOSED == ErrorCode::EngineClosed.number());
    assert!(TURNKEEP_SECRET_UNREADABLE == ErrorCode::SecretUnreadable.number());
    assert!(TURNKEEP_AI_NOT_CONFIGURED == ErrorCode::AiNotConfigured.number());
    assert!(TURNKEEP_EMBEDDING_NOT_CONFIGURED == ErrorCode::EmbeddingNotConfigured.number());
    assert!(TURNKEEP_STT_NOT_CONFIGURED == ErrorCode::SttNotConfigured.number());
    assert!(TURNKEEP_PROVIDER_ERROR == ErrorCode::ProviderError.number());
    assert!(TURNKEEP_RATE_LIMITED == ErrorCode::RateLimited.number());
    assert!(TURNKEEP_BUDGET_EXHAUSTED == ErrorCode::BudgetExhausted.number());
    assert!(TURNKEEP_INTERNAL == ErrorCode::Internal.number());
};
