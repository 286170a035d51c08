//! How an answer ended, in the words of all the services that speak this form.

use crate::model::{FailureKind, FinishReason};
use crate::provider::ProviderFailure;

/// What a finish reason means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// An end, of which this is the reason.
    Ends(FinishReason),
    /// Something went wrong; what came is not the answer.
    Fails(FailureKind),
}

/// The meaning of a word. Services spell the same ones in many ways, and have some of their own; one that nobody knows is
/// an end, of which nothing more is known. Nothing for an empty word, which some send with every chunk.
pub(super) fn word(reason: &str) -> Option<Word> {
    let word: String = reason.trim().to_ascii_lowercase().replace(['-', ' '], "_");
    Some(match word.as_str() {
        "" | "null" | "none" => return None,
        "stop" | "stop_sequence" | "stop_sequences" | "eos" | "eos_token" | "end_turn" | "end_of_turn" | "end"
        | "complete" | "completed" | "done" | "finish" | "finished" | "finish_reason_stop" => {
            Word::Ends(FinishReason::Stop)
        }
        "tool_calls" | "tool_call" | "tool_use" | "function_call" | "function_calls" => {
            Word::Ends(FinishReason::ToolCalls)
        }
        "length"
        | "model_length"
        | "max_tokens"
        | "max_output_tokens"
        | "max_length"
        | "token_limit"
        | "context_length"
        | "model_context_window_exceeded"
        | "incomplete" => Word::Ends(FinishReason::Length),
        "content_filter"
        | "content_filtered"
        | "safety"
        | "sensitive"
        | "blocklist"
        | "prohibited_content"
        | "recitation"
        | "spii"
        | "image_safety"
        | "guardrail_intervened"
        | "moderation"
        | "refusal" => Word::Ends(FinishReason::ContentFilter),
        "overloaded" | "insufficient_system_resource" | "server_busy" => Word::Fails(FailureKind::Overloaded),
        "error"
        | "server_error"
        | "internal_error"
        | "engine_error"
        | "network_error"
        | "failed"
        | "failure"
        | "abort"
        | "aborted"
        | "cancelled"
        | "canceled"
        | "timeout"
        | "timed_out"
        | "malformed_function_call"
        | "unexpected_tool_call"
        | "malformed_response" => Word::Fails(FailureKind::BadResponse),
        _ => Word::Ends(FinishReason::Other),
    })
}

/// The failure that such a word stands for, where the provider says nothing more.
pub(super) fn failure(kind: FailureKind, reason: &str) -> ProviderFailure {
    let word: String = reason.chars().filter(|letter| !letter.is_control()).take(60).collect();
    ProviderFailure::new(kind, format!("The provider ended its answer with an error ({word})."))
}
