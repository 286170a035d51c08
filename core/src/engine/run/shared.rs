//! What is read in languages whose objects are shared: it can be closed while somebody waits for what comes next.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, watch};

pub(super) struct Shared<R> {
    reader: Mutex<Option<R>>,
    closed: watch::Sender<bool>,
    told_end: AtomicBool,
}

impl<R> Shared<R> {
    pub(super) fn new(reader: R) -> Self {
        let reader = Mutex::new(Some(reader));
        Self { reader, closed: watch::Sender::new(false), told_end: AtomicBool::new(false) }
    }

    /// What `next` makes of the reader; `None` once it is closed, also for those who wait by then.
    pub(super) async fn read<T>(&self, next: impl AsyncFnOnce(&mut R) -> T) -> Option<T> {
        let mut closed = self.closed.subscribe();
        let mut reader = self.reader.lock().await;
        let open = reader.as_mut()?;
        let read = tokio::select! {
            biased;
            // The sender lives as long as this.
            _ = closed.wait_for(|closed| *closed) => None,
            read = next(open) => Some(read),
        };
        if read.is_none() {
            *reader = None;
        }
        read
    }

    /// What there is to see of the reader, unless somebody reads or it is closed.
    pub(super) fn look<T>(&self, look: impl FnOnce(&R) -> T) -> Option<T> {
        self.reader.try_lock().ok()?.as_ref().map(look)
    }

    /// Whether this is the first time that its end is told, and somebody still wants to know.
    pub(super) fn ends(&self) -> bool {
        !*self.closed.borrow() && !self.told_end.swap(true, Ordering::SeqCst)
    }

    pub(super) fn close(&self) {
        self.closed.send_replace(true);
        // Where somebody reads, they hold the lock, see the flag and let go of the reader themselves.
        if let Ok(mut reader) = self.reader.try_lock() {
            *reader = None;
        }
    }
}
