//! Waiting on a thread of the host's.
//!
//! A turn outlives its engine, and with it the runtime whose timers would fail under a waiting thread. So threads of the
//! host are parked by the standard library; the runtime's own threads do everything else.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

struct Sleeper {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Sleeper {
    fn new() -> Arc<Self> {
        Arc::new(Self { thread: thread::current(), woken: AtomicBool::new(false) })
    }

    /// Sleeps until woken; `false` when the deadline came first.
    fn sleep(&self, deadline: Option<Instant>) -> bool {
        while !self.woken.swap(false, Ordering::Acquire) {
            match deadline {
                None => thread::park(),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    thread::park_timeout(left);
                }
            }
        }
        true
    }
}

/// Waits for the future's end.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let sleeper = Sleeper::new();
    let waker = Waker::from(Arc::clone(&sleeper));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        sleeper.sleep(None);
    }
}

/// Waits for the future's end, but no longer than `limit`; then, `None`. The future is polled once even without time.
pub(crate) fn wait_for<F: Future>(future: F, limit: Option<Duration>) -> Option<F::Output> {
    // A moment too far away to be named is never.
    let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut future = pin!(future);
    let sleeper = Sleeper::new();
    let waker = Waker::from(Arc::clone(&sleeper));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        if !sleeper.sleep(deadline) {
            return None;
        }
    }
}

/// The limit that a number of milliseconds from C stands for: none when it is negative.
pub(crate) fn limit(milliseconds: i64) -> Option<Duration> {
    u64::try_from(milliseconds).ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[test]
    fn a_future_that_is_ready_needs_no_time() {
        assert_eq!(wait_for(async { 1 }, Some(Duration::ZERO)), Some(1));
        assert_eq!(wait_for(std::future::pending::<()>(), limit(0)), None);
    }

    #[test]
    fn a_wake_from_another_thread_is_heard() {
        let (sender, receiver) = oneshot::channel();
        let answering = thread::spawn(move || sender.send(5));
        assert_eq!(wait(receiver), Ok(5));
        assert_eq!(answering.join().unwrap(), Ok(()));
    }

    #[test]
    fn a_limit_beyond_all_clocks_is_none() {
        assert_eq!(wait_for(async { 1 }, limit(i64::MAX)), Some(1));
        assert_eq!(limit(-1), None);
    }
}
