//! Server-sent events out of bytes, however they are cut.
//!
//! The framing is the `sse-stream` crate's. It is written as a stream; here it is fed by hand, so that decoders stay
//! free of I/O, and bounded, because the crate itself would gather an event of any size.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use serde_json::{Value, json};
use sse_stream::SseByteStream;

/// The most bytes that may pass without completing an event.
pub const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;

/// Why bytes are not an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event grew past [`MAX_EVENT_BYTES`].
    #[error("an event is larger than {} MiB", MAX_EVENT_BYTES / 1024 / 1024)]
    TooLarge,
    /// A field's value is not UTF-8.
    #[error("an event is not valid UTF-8")]
    NotUtf8,
}

/// An event that has data.
pub(crate) struct SseEvent {
    /// What it is called, where it is called anything.
    pub(crate) name: Option<String>,
    /// Its data.
    pub(crate) data: String,
}

/// Incremental decoder for the `data` of server-sent events.
pub struct SseDecoder {
    input: Arc<Mutex<VecDeque<Bytes>>>,
    events: Pin<Box<SseByteStream<Input>>>,
    since_last_event: usize,
}

struct Input(Arc<Mutex<VecDeque<Bytes>>>);

impl Stream for Input {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Nobody waits for a wake-up: `push` polls after every feeding.
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None => Poll::Pending,
        }
    }
}

impl Default for SseDecoder {
    fn default() -> Self {
        let input = Arc::new(Mutex::new(VecDeque::new()));
        let events = Box::pin(SseByteStream::new(Input(Arc::clone(&input))));
        Self { input, events, since_last_event: 0 }
    }
}

impl SseDecoder {
    /// Takes bytes and gives the data of every event that they complete to `on_data`.
    ///
    /// # Errors
    /// [`SseError`]; the decoder yields nothing more after it.
    pub fn push(&mut self, bytes: &[u8], mut on_data: impl FnMut(String)) -> Result<(), SseError> {
        self.push_events(bytes, |event| {
            on_data(if event.name.as_deref() == Some("error") { as_error(event.data) } else { event.data });
        })
    }

    /// The same with the events' names.
    ///
    /// # Errors
    /// As [`SseDecoder::push`].
    pub(crate) fn push_events(&mut self, bytes: &[u8], mut on_event: impl FnMut(SseEvent)) -> Result<(), SseError> {
        self.since_last_event += bytes.len();
        self.input.lock().unwrap_or_else(PoisonError::into_inner).push_back(Bytes::copy_from_slice(bytes));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match self.events.as_mut().poll_next(&mut context) {
                Poll::Pending => break,
                Poll::Ready(Some(Ok(event))) => {
                    self.since_last_event = 0;
                    if let Some(data) = event.data {
                        on_event(SseEvent { name: event.event, data });
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => return Err(SseError::NotUtf8),
            }
        }
        if self.since_last_event > MAX_EVENT_BYTES { Err(SseError::TooLarge) } else { Ok(()) }
    }
}

/// The data of an event that is named `error`: it is one, whether it says so itself or not.
fn as_error(data: String) -> String {
    match serde_json::from_str::<Value>(&data) {
        Ok(Value::Object(map)) if map.contains_key("error") => data,
        Ok(value) => json!({ "error": value }).to_string(),
        Err(_) => json!({ "error": data }).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<Vec<String>, SseError> {
        let mut decoder = SseDecoder::default();
        let mut events = Vec::new();
        for piece in pieces {
            decoder.push(piece, |data| events.push(data))?;
        }
        Ok(events)
    }

    #[test]
    fn line_ends_comments_and_cut_characters() {
        let bytes = "\u{feff}: hi\r\ndata: a\r\ndata: é\r\n\r\nevent: x\ndata:b\n\n: ping\n\ndata: lost".as_bytes();
        let whole = decode(&[bytes]).unwrap();
        assert_eq!(whole, ["a\né", "b"]);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(decode(&single).unwrap(), whole);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let piece = vec![b'x'; 1024 * 1024];
        let mut decoder = SseDecoder::default();
        let outcome = (0..20).try_for_each(|_| decoder.push(&piece, |_| {}));
        assert_eq!(outcome, Err(SseError::TooLarge));
    }

    #[test]
    fn invalid_utf8_is_refused() {
        assert_eq!(decode(&[b"data: \xff\n\n"]), Err(SseError::NotUtf8));
    }
}
