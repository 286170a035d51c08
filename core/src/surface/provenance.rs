//! Whose an access is: claims that it is by the agent of a chat.

use std::time::Duration;

use serde::Deserialize;

use crate::engine::{Engine, Provenance, SignedProvenance};
use crate::error::Result;
use crate::id::{ChatRef, RunId};

use super::Operation;

/// Signs a short-lived claim that whoever has it acts for the agent of this chat, for hosts whose other endpoints mark what
/// agents do. The engine needs its `appSecret`.
///
/// # Errors
/// `NOT_FOUND`, `FORBIDDEN`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Sign {
    workspace_id: String,
    user_id: String,
    /// The chat; it must be the user's.
    chat_id: ChatRef,
    /// A run of the chat.
    #[serde(default)]
    run_id: Option<RunId>,
    /// Who is to take the claim: at most 255 bytes; `turnkeep` unless given.
    #[serde(default)]
    audience: Option<String>,
    /// How long it holds, in milliseconds: 300000 unless given, from 1000 to 86400000. Rounded down to whole seconds.
    #[serde(default)]
    ttl_ms: Option<u64>,
}

impl Operation for Sign {
    const NAME: &'static str = "provenance.sign";
    type Answer = SignedProvenance;

    async fn answer(self, engine: &Engine) -> Result<SignedProvenance> {
        let (who, chat_id) = engine.of_chat(self.workspace_id, self.user_id, &self.chat_id)?;
        let ttl = self.ttl_ms.map(Duration::from_millis);
        engine.sign_provenance(&who, chat_id, self.run_id, self.audience.as_deref(), ttl).await
    }
}

/// What a claim says that was signed with this engine's `appSecret`, or with a previous one. A claim that is not taken is
/// `FORBIDDEN`, with `details.reason`: `malformed`, `signature`, `audience` or `expired`. Nothing is looked up: the chat may
/// have been deleted since.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Verify {
    /// As `provenance.sign` has made it.
    token: String,
    /// Whom the claim must have been signed for; `turnkeep` unless given.
    #[serde(default)]
    audience: Option<String>,
}

impl Operation for Verify {
    const NAME: &'static str = "provenance.verify";
    type Answer = Provenance;

    async fn answer(self, engine: &Engine) -> Result<Provenance> {
        engine.verify_provenance(&self.token, self.audience.as_deref())
    }
}
