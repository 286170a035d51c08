//! How the engine is, for whoever watches over it.

use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::time::timeout;

use crate::engine::{Engine, Inner};
use crate::error::{Error, ErrorCode};
use crate::store::{NotificationHealth, NotificationState};

/// How long a write may take before the store counts as unable to.
const HEALTH_DEADLINE: Duration = Duration::from_secs(5);

/// How the engine is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Its store.
    pub store: StoreHealth,
    /// Whether other processes are heard at once or by polling.
    pub notifications: NotificationHealth,
    /// Runs of this process, also those that wait for their chat.
    pub active_runs: usize,
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoreHealth {
    /// `sqlite` or `postgres`.
    pub kind: &'static str,
    /// Whether it has taken a write just now.
    pub ok: bool,
    /// How long that took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
    /// Why it has not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Engine {
    /// How the engine is. It asks the store, and so takes as long as that.
    pub async fn health(&self) -> Health {
        let inner = &self.inner;
        let begun = Instant::now();
        let answer = match inner.ensure_not_closed() {
            Ok(()) => match timeout(HEALTH_DEADLINE, inner.store.ping()).await {
                Ok(answer) => answer,
                Err(_) => {
                    let message = format!("the store has taken no write for {} s", HEALTH_DEADLINE.as_secs());
                    Err(Error::new(ErrorCode::StoreUnavailable, message))
                }
            },
            Err(error) => Err(error),
        };
        let latency = begun.elapsed().as_secs_f64() * 1000.0;
        Health {
            store: StoreHealth {
                kind: inner.store.kind(),
                ok: answer.is_ok(),
                latency_ms: answer.is_ok().then_some((latency * 1000.0).round() / 1000.0),
                error: answer.err().map(|error| in_words(&error)),
            },
            notifications: inner.notifications(),
            active_runs: inner.registry.active() + inner.active_stateless(),
        }
    }
}

fn in_words(error: &Error) -> String {
    match error.code() {
        // What a bug of ours says is for the log.
        ErrorCode::Internal => ErrorCode::Internal.as_str().to_owned(),
        _ => error.to_string(),
    }
}

impl Inner {
    /// Whether other processes are heard at once.
    pub(crate) fn notifications(&self) -> NotificationHealth {
        let none = NotificationHealth { state: NotificationState::None, sent: 0, heard: 0 };
        self.wakeups.as_ref().map_or(none, |wakeups| wakeups.health())
    }
}
