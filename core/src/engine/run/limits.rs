//! What users and workspaces may use, whichever process they ask.

use std::time::{Duration, Instant};

use tokio::time::sleep_until;
use uuid::Uuid;

use crate::engine::Inner;
use crate::engine::options::Window;
use crate::error::{Error, ErrorCode, Result};
use crate::machine::writes::Attempts;
use crate::store::{Fence, LedgerCall, LimitOf, TokenLimit};

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
        self.has_tokens(workspace_id).await?;
        let limits = &self.options.limits;
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

    /// Sets aside the tokens of a call that is about to be made, where tokens are limited. `false` when nothing is left.
    ///
    /// # Errors
    /// `LEASE_LOST`; `STORE_UNAVAILABLE`: what cannot be counted is not called.
    pub(crate) async fn reserve_tokens(&self, call: &LedgerCall, fence: &Fence) -> Result<bool> {
        let Some(window) = self.options.limits.workspace_tokens else { return Ok(true) };
        let mut attempts = Attempts::new(self.options.runs.store_patience(), Instant::now());
        loop {
            match self.store.reserve_tokens(&window.of_tokens(&call.workspace_id), call, Some(fence)).await {
                Ok(wait) => return Ok(wait.is_none()),
                Err(error) => match attempts.again_at(&error, Instant::now()) {
                    Some(at) => sleep_until(at.into()).await,
                    None => return Err(error),
                },
            }
        }
    }

    /// Enters a call that is no run's into the ledger.
    pub(crate) async fn enter_call(&self, call: LedgerCall) {
        if let Err(error) = self.store.enter_call(&call).await {
            tracing::warn!(%error, "a call to a provider could not be entered into the ledger");
        }
    }

    /// Whether the workspace has tokens left.
    ///
    /// # Errors
    /// `BUDGET_EXHAUSTED` with the limit, its window, and when something is free again. `STORE_UNAVAILABLE`.
    pub(crate) async fn has_tokens(&self, workspace_id: &str) -> Result<()> {
        let Some(window) = self.options.limits.workspace_tokens else { return Ok(()) };
        match self.store.are_tokens_used_up(&window.of_tokens(workspace_id)).await? {
            None => Ok(()),
            Some(wait) => {
                let message = "the workspace has used the tokens that it may use for now";
                Err(refused(ErrorCode::BudgetExhausted, message, "limits.workspaceTokens", window, wait))
            }
        }
    }

    /// Forgets what is of no window any more.
    pub(crate) async fn forget_used(&self) -> Result<()> {
        let limits = &self.options.limits;
        // Other engines on this store may count over longer windows, but nobody over more than this.
        if let Some(longest) =
            [limits.user_requests, limits.workspace_requests].iter().flatten().map(Window::length).max()
        {
            self.store.forget_used(longest.max(KEPT)).await?;
        }
        match self.options.usage.retention_ms.map(Duration::from_millis) {
            Some(kept) => {
                let counted = limits.workspace_tokens.as_ref().map(Window::length).unwrap_or_default();
                self.store.forget_usage(kept.max(counted)).await
            }
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

    fn of_tokens<'a>(&self, workspace_id: &'a str) -> TokenLimit<'a> {
        TokenLimit { workspace_id, window: self.length(), max: self.max }
    }

    fn length(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }
}

fn refused(code: ErrorCode, message: &str, name: &'static str, window: Window, wait: Duration) -> Error {
    Error::new(code, message)
        .with_detail("limit", name)
        .with_detail("max", window.max)
        .with_detail("windowMs", window.window_ms)
        .with_detail("retryAfterMs", u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}
