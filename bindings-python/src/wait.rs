//! The one way to wait for something: detached from the interpreter, and interruptible.
//!
//! Detached, because whoever could end the wait may need the interpreter. In slices with a look at the signals between
//! them, so that Ctrl-C works.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::error::{OrRaise, panicked};

/// How long a wait goes on without a look at the signals.
const SLICE: Duration = Duration::from_millis(100);

/// Waits for `work`, which is polled on the calling thread. Whatever of it needs a runtime is spawned there.
///
/// # Errors
/// Those of `work`; `INTERNAL` when it panics; whatever a signal handler raises, after which `work` is dropped.
pub(crate) fn wait<T, F>(py: Python<'_>, work: F) -> PyResult<T>
where
    T: Send,
    F: Future<Output = turnkeep::Result<T>> + Send,
{
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut work = pin!(work);
    loop {
        let polled = py.detach(|| catch_unwind(AssertUnwindSafe(|| poll_for_a_slice(work.as_mut(), &waker))));
        match polled {
            Ok(Poll::Ready(result)) => return result.or_raise(py),
            Ok(Poll::Pending) => py.check_signals()?,
            Err(_) => return Err(panicked()).or_raise(py),
        }
    }
}

fn poll_for_a_slice<F: Future>(mut work: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    let end = Instant::now() + SLICE;
    loop {
        if let Poll::Ready(output) = work.as_mut().poll(&mut Context::from_waker(waker)) {
            return Poll::Ready(output);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Pending;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
