//! From bytes to the pieces that a provider meant: events, lines, or one whole body.

use serde_json::{Value, json};

use crate::model::FailureKind;

use super::ProviderFailure;
use super::sse::{MAX_EVENT_BYTES, SseDecoder, SseError};

/// A piece of an answer.
pub(super) enum Piece {
    /// The data of a server-sent event.
    Event(String),
    /// The answer is no stream but one JSON value.
    Whole(String),
    /// An error that stands in a stream without being an event of it. It counts also behind the end.
    Error(String),
}

/// Server-sent events, or the one JSON value that some servers answer with although a stream was asked for.
#[derive(Default)]
pub(super) struct Pieces {
    start: Start,
    /// The white space that the bytes began with.
    blank: Vec<u8>,
    events: SseDecoder,
    odd: OddLines,
    whole: WholeBody,
}

#[derive(Default)]
enum Start {
    /// White space only so far.
    #[default]
    Blank,
    Events,
    Whole,
}

impl Pieces {
    /// Takes bytes and gives what they complete to `on_piece`.
    ///
    /// # Errors
    /// [`SseError`]; nothing more may be pushed then.
    pub(super) fn push(&mut self, bytes: &[u8], mut on_piece: impl FnMut(Piece)) -> Result<(), SseError> {
        if matches!(self.start, Start::Blank) {
            match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
                None => {
                    self.blank.extend_from_slice(bytes);
                    return if self.blank.len() > MAX_EVENT_BYTES { Err(SseError::TooLarge) } else { Ok(()) };
                }
                Some(b'{' | b'[') => self.start = Start::Whole,
                Some(_) => {
                    self.start = Start::Events;
                    let blank = std::mem::take(&mut self.blank);
                    self.events.push(&blank, |data| on_piece(Piece::Event(data)))?;
                    self.odd.push(b"\n", |_, _| {});
                }
            }
        }
        match self.start {
            Start::Blank => Ok(()),
            Start::Events => {
                // What stands between events comes between them, however the bytes are cut.
                let mut errors = Vec::new();
                self.odd.push(bytes, |end, error| errors.push((end, error)));
                let mut done = 0;
                for (end, error) in errors {
                    let before = bytes.get(done..end).unwrap_or_default();
                    self.events.push(before, |data| on_piece(Piece::Event(data)))?;
                    on_piece(Piece::Error(error));
                    done = end;
                }
                self.events.push(bytes.get(done..).unwrap_or_default(), |data| on_piece(Piece::Event(data)))
            }
            Start::Whole => match self.whole.push(bytes)? {
                Some(text) => {
                    on_piece(Piece::Whole(text));
                    Ok(())
                }
                None => Ok(()),
            },
        }
    }
}

impl Pieces {
    /// The bytes are over.
    pub(super) fn finish(&mut self, mut on_piece: impl FnMut(Piece)) {
        if matches!(self.start, Start::Events) {
            self.odd.push(b"\n", |_, error| on_piece(Piece::Error(error)));
        }
    }
}

/// Lines of an event stream that are no fields of events and yet say something: some servers end a stream that they have
/// begun with a bare JSON body, or name a field `error`.
#[derive(Default)]
struct OddLines {
    /// The line so far, when it may be one.
    line: Vec<u8>,
    within: Within,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Start,
    Odd,
    Other,
}

/// How long such a line may be.
const MAX_ODD_BYTES: usize = 64 * 1024;

impl OddLines {
    /// Tells of errors, and where in these bytes their lines end.
    fn push(&mut self, bytes: &[u8], mut on_error: impl FnMut(usize, String)) {
        let mut rest = bytes;
        loop {
            let end = memchr::memchr2(b'\n', b'\r', rest);
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            if self.within == Within::Start
                && let Some(first) = piece.first()
            {
                self.within = if matches!(first, b'{' | b'e') { Within::Odd } else { Within::Other };
            }
            if self.within == Within::Odd && self.line.len() + piece.len() <= MAX_ODD_BYTES {
                self.line.extend_from_slice(piece);
            }
            let Some(end) = end else { return };
            rest = rest.get(end + 1..).unwrap_or_default();
            if self.within == Within::Odd {
                let place = bytes.len() - rest.len();
                on_odd(&self.line, |error| on_error(place, error));
                self.line.clear();
            }
            self.within = Within::Start;
        }
    }
}

/// The error in a line, if it is one.
fn on_odd(line: &[u8], mut on_error: impl FnMut(String)) {
    let Ok(line) = std::str::from_utf8(line) else { return };
    let (text, is_named) = match line.strip_prefix("error:") {
        Some(text) => (text.trim(), true),
        None => (line.trim(), false),
    };
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(map)) if map.contains_key("error") => on_error(text.to_owned()),
        Ok(value) if is_named => on_error(json!({ "error": value }).to_string()),
        Err(_) if is_named && !text.is_empty() => on_error(json!({ "error": text }).to_string()),
        _ => {}
    }
}

/// Gathers one JSON value and notices its end, reading each byte once.
#[derive(Default)]
struct WholeBody {
    bytes: Vec<u8>,
    depth: usize,
    in_string: bool,
    escaped: bool,
    complete: bool,
}

impl WholeBody {
    fn push(&mut self, bytes: &[u8]) -> Result<Option<String>, SseError> {
        if self.complete {
            return Ok(None);
        }
        for (place, byte) in bytes.iter().enumerate() {
            match (self.in_string, *byte) {
                (true, _) if self.escaped => self.escaped = false,
                (true, b'\\') => self.escaped = true,
                (_, b'"') => self.in_string = !self.in_string,
                (false, b'{' | b'[') => self.depth += 1,
                (false, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        self.complete = true;
                        self.bytes.extend(bytes.get(..=place).unwrap_or_default());
                        let text = String::from_utf8(std::mem::take(&mut self.bytes));
                        return text.map(Some).map_err(|_| SseError::NotUtf8);
                    }
                }
                _ => {}
            }
        }
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() > MAX_EVENT_BYTES { Err(SseError::TooLarge) } else { Ok(None) }
    }
}

/// One JSON value a line.
#[derive(Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
    begun: bool,
}

impl Lines {
    /// Takes bytes and gives every line that they complete, without its end, to `on_line`. Blank lines are left out.
    ///
    /// # Errors
    /// [`SseError`]; nothing more may be pushed then.
    pub(super) fn push(&mut self, bytes: &[u8], mut on_line: impl FnMut(&str)) -> Result<(), SseError> {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if self.unfinished.is_empty() {
                self.line(line, &mut on_line)?;
            } else {
                let mut whole = std::mem::take(&mut self.unfinished);
                whole.extend_from_slice(line);
                self.line(&whole, &mut on_line)?;
            }
        }
        self.unfinished.extend_from_slice(rest);
        if self.unfinished.len() > MAX_EVENT_BYTES { Err(SseError::TooLarge) } else { Ok(()) }
    }

    /// The bytes are over: gives a last line without an end to `on_line`.
    pub(super) fn finish(&mut self, mut on_line: impl FnMut(&str)) {
        let last = std::mem::take(&mut self.unfinished);
        // What is not UTF-8 here was cut off; it says nothing.
        let _ = self.line(&last, &mut on_line);
    }

    fn line(&mut self, line: &[u8], on_line: &mut impl FnMut(&str)) -> Result<(), SseError> {
        if line.len() > MAX_EVENT_BYTES {
            return Err(SseError::TooLarge);
        }
        let text = std::str::from_utf8(line).map_err(|_| SseError::NotUtf8)?;
        let text = if std::mem::replace(&mut self.begun, true) { text } else { text.trim_start_matches('\u{feff}') };
        let text = text.trim_ascii();
        if !text.is_empty() {
            on_line(text);
        }
        Ok(())
    }
}

/// Bytes that are not what this provider sends.
pub(super) fn unreadable(error: SseError) -> ProviderFailure {
    reported(format!("The provider's answer cannot be read: {error}."), None, true)
}

/// A failure in an answer. `begun` says whether anything of the answer came before it.
pub(super) fn reported(message: String, status: Option<u16>, begun: bool) -> ProviderFailure {
    ProviderFailure { status, answered: begun, ..ProviderFailure::new(FailureKind::BadResponse, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(parts: &[&[u8]]) -> Result<Vec<String>, SseError> {
        let mut decoder = Pieces::default();
        let mut found = Vec::new();
        for part in parts {
            decoder.push(part, |piece| {
                found.push(match piece {
                    Piece::Event(data) => format!("event {data}"),
                    Piece::Whole(text) => format!("whole {text}"),
                    Piece::Error(error) => format!("error {error}"),
                });
            })?;
        }
        Ok(found)
    }

    #[test]
    fn a_whole_body_is_told_from_events() {
        let body = " \n{\"a\":[\"}\\\"]\",{}]} \n".as_bytes();
        assert_eq!(pieces(&[body]).unwrap(), ["whole  \n{\"a\":[\"}\\\"]\",{}]}"]);
        let single: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(pieces(&single).unwrap(), ["whole {\"a\":[\"}\\\"]\",{}]}"]);
        assert_eq!(pieces(&[b"\n\ndata: {}\n\n"]).unwrap(), ["event {}"]);
        assert!(pieces(&[b"{\"a\":"]).unwrap().is_empty());
    }

    #[test]
    fn an_error_in_an_odd_frame_is_found_however_it_is_cut() {
        let bytes = b"data: {}\n\n{\"error\":{\"message\":\"no\"}}\nerror: {\"code\":1}\r\nerror: busy\n{\"other\":1}\nevent: x\n\n";
        let expected =
            ["error {\"error\":{\"message\":\"no\"}}", "error {\"error\":{\"code\":1}}", "error {\"error\":\"busy\"}"];
        let of = |parts: Vec<&[u8]>| {
            let found = pieces(&parts).unwrap();
            found.into_iter().filter(|piece| piece.starts_with("error")).collect::<Vec<_>>()
        };
        assert_eq!(of(vec![bytes]), expected);
        assert_eq!(of(bytes.chunks(1).collect()), expected);
    }

    #[test]
    fn lines_however_cut() {
        let bytes = "\u{feff}{\"a\":\"é\"}\r\n\n {\"b\":1}\n{\"c\":2}".as_bytes();
        let read = |size: usize| {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for piece in bytes.chunks(size) {
                lines.push(piece, |line| found.push(line.to_owned())).unwrap();
            }
            lines.finish(|line| found.push(line.to_owned()));
            found
        };
        assert_eq!(read(1000), ["{\"a\":\"é\"}", "{\"b\":1}", "{\"c\":2}"]);
        assert_eq!(read(1), read(1000));
    }

    #[test]
    fn endless_lines_and_bodies_are_refused() {
        let piece = vec![b' '; 1024 * 1024];
        let mut lines = Lines::default();
        assert_eq!((0..20).try_for_each(|_| lines.push(&piece, |_| {})), Err(SseError::TooLarge));
        let mut whole = Pieces::default();
        whole.push(b"{", |_| {}).unwrap();
        assert_eq!((0..20).try_for_each(|_| whole.push(&piece, |_| {})), Err(SseError::TooLarge));
    }
}
