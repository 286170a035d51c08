//! Promises of what takes a while.

use std::future::Future;

use napi::bindgen_prelude::{PromiseRaw, ToNapiValue};
use napi::{Env, Result};

use crate::error::to_js;

/// The promise of `work`, which owns all that it uses. It must not borrow from a JavaScript object: those of a worker
/// thread are freed with it, while the work goes on.
pub(crate) fn promise<T, F>(env: &Env, work: F) -> Result<PromiseRaw<'_, T>>
where
    T: ToNapiValue + Send + 'static,
    F: Future<Output = turnkeep::Result<T>> + Send + 'static,
{
    env.spawn_future(async move { work.await.map_err(to_js) })
}
