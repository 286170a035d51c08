//! A provider's bytes.

use std::collections::HashMap;

use turnkeep::provider::openai_compatible::ChatCompletionsDecoder;
use turnkeep::provider::{BlockKind, Decoder, ProviderFailure, SseDecoder, SseError, StreamPart};

use crate::budget::within;
use crate::input::Input;

/// The same events and the same parts however the bytes are cut; the framing is what the standard says; blocks and calls
/// begin before they go on and end once, and nothing is made up.
pub fn sse(data: &[u8]) {
    let mut input = Input::new(data);
    let cuts: Vec<u16> = (0..input.below(8)).map(|_| u16::from(input.byte()) << 8 | u16::from(input.byte())).collect();
    // Often an answer of a provider rather than the frame of one.
    let framed = input.chance(2);
    let bytes = if framed { frame(input.rest()) } else { input.rest().to_vec() };
    let pieces = cut(&bytes, &cuts);

    let whole = within("events", bytes.len(), 500, || events([bytes.as_slice()]));
    assert_eq!(within("events, cut", bytes.len(), 500, || events(pieces.iter().copied())), whole);
    assert_eq!(within("events, byte by byte", bytes.len(), 1000, || events(bytes.chunks(1))), whole);
    assert_eq!(whole, reference(&bytes));

    let decoded = within("parts", bytes.len(), 4000, || parts([bytes.as_slice()]));
    assert_eq!(parts(pieces), decoded);
    assert_eq!(within("parts, byte by byte", bytes.len(), 5000, || parts(bytes.chunks(1))), decoded);
    check(&decoded.parts, bytes.len());
}

/// Lines as the data of one event each.
pub(crate) fn frame(lines: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in lines.split(|byte| *byte == b'\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.extend_from_slice(b"\n\n");
    }
    out
}

pub(crate) fn cut<'a>(bytes: &'a [u8], cuts: &[u16]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

type Events = (Vec<String>, Result<(), SseError>);

fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Events {
    let mut decoder = SseDecoder::default();
    let mut events = Vec::new();
    let outcome = pieces.into_iter().try_for_each(|piece| decoder.push(piece, |data| events.push(data)));
    (events, outcome)
}

/// The framing as the standard tells it, line by line, for bytes that are all there.
fn reference(bytes: &[u8]) -> Events {
    let mut events = Vec::new();
    let mut data: Option<Vec<u8>> = None;
    let mut rest = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        let (line, after) = rest.split_at(end);
        rest = after.strip_prefix(b"\r\n").unwrap_or(&after[1..]);
        if line.is_empty() {
            events.extend(data.take().map(|data| String::from_utf8(data).expect("every line of it was text")));
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        // An id with U+0000 in it is none.
        let read = matches!(name, b"data" | b"event" | b"retry") || (name == b"id" && !value.contains(&0));
        if read && std::str::from_utf8(value).is_err() {
            return (events, Err(SseError::NotUtf8));
        }
        if name == b"data" {
            match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            }
        }
    }
    (events, Ok(()))
}

#[derive(Debug, PartialEq)]
struct Decoded {
    parts: Vec<StreamPart>,
    failure: Option<ProviderFailure>,
    done: bool,
    saw_stream: bool,
}

fn parts<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = ChatCompletionsDecoder::default();
    let mut parts = Vec::new();
    let failure = pieces.into_iter().try_for_each(|piece| decoder.push(piece, &mut parts)).err();
    if failure.is_none() {
        decoder.finish(&mut parts);
        let length = parts.len();
        decoder.finish(&mut parts);
        assert_eq!(parts.len(), length, "an end comes once");
    }
    Decoded { parts, failure, done: decoder.is_done(), saw_stream: decoder.saw_stream() }
}

fn check(parts: &[StreamPart], length: usize) {
    let mut open: Option<BlockKind> = None;
    let mut begun: HashMap<&str, usize> = HashMap::new();
    let (mut started, mut ended, mut deltas, mut arguments_in_deltas, mut arguments_in_calls) = (0, 0, 0, 0, 0);
    for (place, part) in parts.iter().enumerate() {
        match part {
            StreamPart::ResponseMetadata { .. } | StreamPart::Error(_) | StreamPart::Source(_) => {}
            StreamPart::ToolResult { .. } | StreamPart::File { .. } | StreamPart::Pause | StreamPart::Refused => {
                panic!("chat completions have none of it")
            }
            StreamPart::BlockStart { kind, .. } => {
                assert_eq!(open, None, "one block at a time");
                open = Some(*kind);
            }
            StreamPart::BlockDelta { kind, delta, .. } => {
                assert_eq!(open, Some(*kind), "blocks begin");
                assert!(!delta.is_empty());
                deltas += delta.len();
            }
            StreamPart::BlockEnd { kind, .. } => {
                assert_eq!(open.take(), Some(*kind), "blocks end once");
            }
            StreamPart::ToolInputStart { id, name, .. } => {
                assert!(!id.trim().is_empty() && !name.trim().is_empty());
                *begun.entry(id).or_default() += 1;
                started += 1;
            }
            StreamPart::ToolInputDelta { id, delta } => {
                assert!(begun.contains_key(id.as_str()), "calls begin");
                arguments_in_deltas += delta.len();
            }
            StreamPart::ToolCall { id, arguments, .. } => {
                let left = begun.get_mut(id.as_str()).expect("calls begin");
                *left = left.checked_sub(1).expect("calls end once");
                arguments_in_calls += arguments.len();
                ended += 1;
            }
            StreamPart::Finish { .. } => assert_eq!(place + 1, parts.len(), "the finish is last"),
        }
    }
    if parts.iter().any(|part| matches!(part, StreamPart::Finish { .. } | StreamPart::ToolCall { .. })) {
        assert_eq!(open, None, "blocks end");
        assert_eq!((started, arguments_in_deltas), (ended, arguments_in_calls), "what begins ends, with all it got");
    }
    // Half a surrogate pair takes six bytes and becomes three.
    assert!(deltas + arguments_in_deltas <= length, "text is not made up");
}
