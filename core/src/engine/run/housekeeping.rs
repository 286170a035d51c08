//! What is done now and then for everybody: sweeps and trimming, in small batches and in nobody's way.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::sweep;
use crate::engine::{Inner, until_closed};
use crate::error::Result;

/// How often chats are looked for that are kept no longer. Nobody counts a chat's age in minutes.
const PURGE_EVERY: Duration = Duration::from_secs(600);

/// Runs until the engine is closed or forgotten.
pub(crate) async fn keep(engine: Weak<Inner>, mut closed: watch::Receiver<bool>) {
    let Some(limits) = engine.upgrade().map(|inner| inner.options.runs) else { return };
    let retention = Duration::from_millis(limits.chunk_retention_ms);
    let mut last_purge: Option<Instant> = None;
    let chances = RandomState::new();
    for round in 0_u64.. {
        // Engines that were started together should not all look at once.
        let jitter = limits.lease() / 8 * u32::try_from(chances.hash_one(round) % 100).unwrap_or(0) / 100;
        tokio::select! {
            () = until_closed(&mut closed) => return,
            () = sleep(limits.lease() / 2 + jitter) => {}
        }
        let Some(inner) = engine.upgrade() else { return };
        // In a task of its own: what panics there must not end all housekeeping.
        let purge = last_purge.is_none_or(|last| last.elapsed() >= PURGE_EVERY);
        last_purge = if purge { Some(Instant::now()) } else { last_purge };
        let kept = inner.runtime.spawn(keep_once(Arc::clone(&inner), retention, purge));
        drop(inner);
        tokio::select! {
            () = until_closed(&mut closed) => return,
            _ = kept => {}
        }
    }
}

async fn keep_once(inner: Arc<Inner>, retention: Duration, purge: bool) {
    if let Err(error) = sweep::sweep(&inner).await {
        tracing::warn!(%error, "the sweep failed; it will be repeated");
    }
    if let Err(error) = inner.store.sweep_records().await {
        tracing::warn!(%error, "the records of turns that are not stored could not be swept; that will be repeated");
    }
    repeated(&inner, "old chunks could not be removed; that will be repeated", || inner.store.trim_packs(retention))
        .await;
    repeated(&inner, "old notes of calls could not be removed; that will be repeated", || {
        inner.store.trim_effects(retention)
    })
    .await;
    repeated(&inner, "messages could not be entered for searches; that will be repeated", || {
        inner.store.enter_waiting()
    })
    .await;
    if purge {
        if let Err(error) = inner.forget_used().await {
            tracing::warn!(%error, "old uses of limits could not be removed; that will be repeated");
        }
        repeated(&inner, "old chats could not be removed; that will be repeated", || inner.purge_outdated()).await;
    }
}

/// Does a piece of work after another, until there is no more of it.
async fn repeated<F: Future<Output = Result<bool>>>(inner: &Inner, failed: &str, piece: impl Fn() -> F) {
    loop {
        match piece().await {
            Ok(true) if inner.ensure_open().is_ok() => tokio::task::yield_now().await,
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "{failed}");
                return;
            }
        }
    }
}
