//! What users and workspaces may use, whichever process they ask.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::engine::Inner;
use crate::engine::options::Window;
use crate::error::{Error, ErrorCode, Result};
use crate::id::RunId;
use crate::store::LimitOf;

/// What an answer is taken for whose provider did not count.
const BYTES_PER_TOKEN: usize = 3;

/// The requests that a beginning has taken, to be given back when nothing is begun.
#[derive(Default)]
pub(crate) struct TakenRequests(Vec<Uuid>);

/// A limit by its name in the options, and what it counts for whom.
struct Named<'a> {
    name: &'static str,
    window: Option<Window>,
    key: String,
    says: &'a str,
}

impl Inner {
    /// Takes a request of the user's and one of the workspace's, and looks whether the workspace has tokens left.
    ///
    /// # Errors
    /// `RATE_LIMITED` and `BUDGET_EXHAUSTED`, with the limit, its window, and when it is free again. `STORE_UNAVAILABLE`:
    /// what cannot be counted is not begun.
    pub(crate) async fn take_requests(&self, workspace_id: &str, user_id: &str) -> Result<TakenRequests> {
        let limits = &self.options.limits;
        if let Some(window) = limits.workspace_tokens
            && let Some(wait) = self.store.is_used_up(&window.of(&tokens_key(workspace_id))).await?
        {
            let message = "the workspace has used the tokens that it may use for now";
            return Err(refused(ErrorCode::BudgetExhausted, message, "limits.workspaceTokens", window, wait));
        }
        let mut taken = TakenRequests::default();
        for Named { name, window, key, says } in [
            Named {
                name: "limits.userRequests",
                window: limits.user_requests,
                key: serde_json::json!(["user requests", workspace_id, user_id]).to_string(),
                says: "the user has begun as many turns as may be begun for now",
            },
            Named {
                name: "limits.workspaceRequests",
                window: limits.workspace_requests,
                key: serde_json::json!(["workspace requests", workspace_id]).to_string(),
                says: "the workspace has begun as many turns as may be begun for now",
            },
        ] {
            let Some(window) = window else { continue };
            let id = Uuid::now_v7();
            match self.store.take_one(&window.of(&key), id).await {
                Ok(None) => taken.0.push(id),
                Ok(Some(wait)) => {
                    self.give_back(taken).await;
                    return Err(refused(ErrorCode::RateLimited, says, name, window, wait));
                }
                Err(error) => {
                    self.give_back(taken).await;
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }

    /// What was taken for a turn that has not begun.
    pub(crate) async fn give_back(&self, taken: TakenRequests) {
        for id in taken.0 {
            if let Err(error) = self.store.give_back(id).await {
                tracing::warn!(%error, "a request that was not begun could not be given back");
            }
        }
    }

    /// Counts the tokens of a run that has ended, in the background, where they are limited.
    pub(crate) fn count_tokens(self: &Arc<Self>, run_id: RunId) {
        if self.options.limits.workspace_tokens.is_none() {
            return;
        }
        let inner = Arc::clone(self);
        self.runtime.spawn(async move {
            if let Err(error) = inner.counted_tokens(run_id).await {
                tracing::warn!(%error, %run_id, "the tokens of a run could not be counted");
            }
        });
    }

    async fn counted_tokens(&self, run_id: RunId) -> Result<()> {
        let (Some(run), Ok(id)) = (self.store.run(run_id).await?, Uuid::parse_str(&run_id.to_string())) else {
            return Ok(());
        };
        let tokens = self.store.steps(run_id).await?.iter().fold(0_u64, |sum, logged| {
            let usage = logged.step.usage.unwrap_or_default();
            let told = usage.total_tokens.or_else(|| {
                let both = usage.input_tokens.unwrap_or(0).saturating_add(usage.output_tokens.unwrap_or(0));
                Some(both).filter(|tokens| *tokens > 0)
            });
            let estimated = || u64::try_from(logged.step.text().len() / BYTES_PER_TOKEN).unwrap_or(u64::MAX);
            sum.saturating_add(told.unwrap_or_else(estimated))
        });
        // By the run's own id: whoever counts it again counts nothing.
        self.store.note_used(&tokens_key(&run.workspace_id), id, tokens).await
    }

    /// Forgets what is of no window any more.
    pub(crate) async fn forget_used(&self) -> Result<()> {
        let limits = &self.options.limits;
        let windows = [limits.user_requests, limits.workspace_requests, limits.workspace_tokens];
        // Other engines on this store may count over longer windows, but nobody over more than this.
        let longest = windows.iter().flatten().map(Window::length).max();
        match longest {
            Some(longest) => self.store.forget_used(longest.max(KEPT)).await,
            None => Ok(()),
        }
    }
}

/// How long uses are kept at least.
const KEPT: Duration = Duration::from_secs(31 * 24 * 60 * 60);

impl Window {
    fn of<'a>(&self, key: &'a str) -> LimitOf<'a> {
        LimitOf { key, window: self.length(), max: self.max }
    }

    fn length(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }
}

fn tokens_key(workspace_id: &str) -> String {
    serde_json::json!(["workspace tokens", workspace_id]).to_string()
}

fn refused(code: ErrorCode, message: &str, name: &'static str, window: Window, wait: Duration) -> Error {
    Error::new(code, message)
        .with_detail("limit", name)
        .with_detail("max", window.max)
        .with_detail("windowMs", window.window_ms)
        .with_detail("retryAfterMs", u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}
