//! What the store says of calls of tools with effects.

use std::sync::Arc;
use std::time::Instant;

use tokio::time::sleep_until;

use crate::engine::Inner;
use crate::error::Result;
use crate::machine::writes::Attempts;
use crate::model::CallEffect;
use crate::store::Fence;

/// Notes of this call that it was not made, unless it has been made; what is noted of it then. A store that is out of reach
/// is asked again as long as one that is written to would be.
///
/// # Errors
/// `LEASE_LOST`, `STORE_UNAVAILABLE`.
pub(super) async fn close(inner: &Arc<Inner>, fence: &Fence, key: String) -> Result<Option<CallEffect>> {
    let mut attempts = Attempts::new(inner.options.runs.store_patience(), Instant::now());
    let keys = [key];
    loop {
        match inner.store.close_effects(fence, &keys).await {
            Ok(mut noted) => return Ok(noted.pop()),
            Err(error) => match attempts.again_at(&error, Instant::now()) {
                Some(at) => sleep_until(at.into()).await,
                None => {
                    tracing::warn!(%error, "the store does not say whether a call has taken effect");
                    return Err(error);
                }
            },
        }
    }
}
