//! What calls to providers have used.

use serde::Deserialize;

use crate::engine::{Actor, Engine, ReportOf, UsageReport};
use crate::error::Result;
use crate::id::ChatId;
use crate::store::UsageBy;

use super::Operation;

/// What calls to providers have used in a workspace, and what that costs by the option `prices`: those of runs, one for each
/// step, also of stopped ones, and those for titles, vectors and transcripts. Whoever is no administrator sees their own.
///
/// # Errors
/// `FORBIDDEN`, `INVALID_INPUT`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Report {
    workspace_id: String,
    /// Who asks.
    actor: Actor,
    /// The calls of one user: an administrator may name any, others themselves.
    #[serde(default)]
    user_id: Option<String>,
    /// The calls for one chat.
    #[serde(default)]
    chat_id: Option<ChatId>,
    /// Calls from this moment on, such as `2026-01-01T00:00:00Z`.
    #[serde(default)]
    since: Option<String>,
    /// Calls before this moment.
    #[serde(default)]
    until: Option<String>,
    /// What is told apart; nothing unless given, and then there is one line at most.
    #[serde(default)]
    by: Vec<UsageBy>,
}

impl Operation for Report {
    const NAME: &'static str = "usage.report";
    type Answer = UsageReport;

    async fn answer(self, engine: &Engine) -> Result<UsageReport> {
        let Self { workspace_id, actor, user_id, chat_id, since, until, by } = self;
        engine.usage(&workspace_id, &actor, ReportOf { user_id, chat_id, since, until, by }).await
    }
}
