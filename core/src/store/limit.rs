//! What is taken of limits that all processes share: how often something was done in the last while.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use crate::error::Result;

/// A limit of something that is counted over a window that slides with time.
#[derive(Clone, Debug)]
pub struct LimitOf<'a> {
    /// What is limited, and whose: any text.
    pub key: &'a str,
    /// How far back it is counted.
    pub window: Duration,
    /// How much there may be in it.
    pub max: u64,
}

/// Limits that all processes share.
#[async_trait]
pub trait LimitStore: Send + Sync {
    /// Takes one of what there is, under an id by which it can be given back; whoever repeats the id takes nothing more.
    /// Where nothing is left, how long it takes until there is.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn take_one(&self, limit: &LimitOf<'_>, id: Uuid) -> Result<Option<Duration>>;

    /// Gives back what was taken under this id.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn give_back(&self, id: Uuid) -> Result<()>;

    /// Forgets what was used so long ago.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    async fn forget_used(&self, before: Duration) -> Result<()>;
}
