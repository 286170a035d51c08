//! Reading that a waiting thread may give up and another may take up again.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

type Reading<S, T> = Pin<Box<dyn Future<Output = (S, T)> + Send>>;

/// A source with the read of it that is under way. A caller whose time is up leaves the read where it is, so that even
/// those that only ever look, without waiting, get on.
pub(crate) struct Resumable<S, T> {
    idle: Option<S>,
    reading: Option<Reading<S, T>>,
}

impl<S, T> Resumable<S, T> {
    /// Nothing has been read yet.
    pub(crate) fn new(source: S) -> Self {
        Self { idle: Some(source), reading: None }
    }

    /// The source, unless a read is under way.
    pub(crate) fn source(&self) -> Option<&S> {
        self.idle.as_ref()
    }

    /// Goes on with the read that is under way, or begins one. `None` after a read that has panicked.
    pub(crate) async fn next<F>(&mut self, read: impl FnOnce(S) -> F) -> Option<T>
    where
        F: Future<Output = (S, T)> + Send + 'static,
    {
        if let Some(source) = self.idle.take() {
            self.reading = Some(Box::pin(read(source)));
        }
        let (source, output) = Lent(&mut self.reading).await?;
        self.reading = None;
        self.idle = Some(source);
        Some(output)
    }
}

/// The read for the time of one poll: one that panics is not polled again.
struct Lent<'a, S, T>(&'a mut Option<Reading<S, T>>);

impl<S, T> Future for Lent<'_, S, T> {
    type Output = Option<(S, T)>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(mut reading) = self.0.take() else {
            return Poll::Ready(None);
        };
        match reading.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => {
                *self.0 = Some(reading);
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wait::{limit, wait_for};
    use tokio::sync::oneshot;

    #[test]
    fn a_read_that_was_given_up_goes_on() {
        let (sender, receiver) = oneshot::channel();
        let mut receiver = Some(receiver);
        let mut source = Resumable::new(());
        for _ in 0..2 {
            let receiver = receiver.take();
            let next = source.next(|()| async move { ((), receiver.unwrap().await) });
            assert_eq!(wait_for(next, limit(0)), None);
        }
        sender.send(5).unwrap();
        // Not this one, since another is under way.
        let next = source.next(|()| async move { ((), Ok(0)) });
        assert_eq!(wait_for(next, limit(0)), Some(Some(Ok(5))));
        assert!(source.source().is_some());
    }

    #[test]
    fn a_read_that_panicked_is_not_polled_again() {
        let mut source: Resumable<(), i32> = Resumable::new(());
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for(source.next(|()| async move { panic!("on purpose") }), limit(0))
        }));
        assert!(panicked.is_err());
        assert_eq!(wait_for(source.next(|()| async move { ((), 5) }), limit(0)), Some(None));
    }
}
