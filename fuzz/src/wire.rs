//! The bytes of providers with formats of their own.

use turnkeep::provider::anthropic::{AnthropicDecoder, Expectations};
use turnkeep::provider::gemini::GeminiDecoder;
use turnkeep::provider::ollama::OllamaDecoder;
use turnkeep::provider::openai_compatible::{ChatCompletionsDecoder, Habits};
use turnkeep::provider::{Decoder, ProviderFailure, StreamPart};

use crate::budget::within;
use crate::input::Input;
use crate::sse::{cut, frame};

/// The same parts however the bytes are cut; the finish is one and last; text is not made up.
pub fn wire(data: &[u8]) {
    let mut input = Input::new(data);
    let which = input.below(6);
    let cuts: Vec<u16> = (0..input.below(8)).map(|_| u16::from(input.byte()) << 8 | u16::from(input.byte())).collect();
    let framed = which != 5 && input.chance(2);
    let bytes = if framed { frame(input.rest()) } else { input.rest().to_vec() };
    let whole = within("parts", bytes.len(), 4000, || parts(decoder(which), [bytes.as_slice()]));
    assert_eq!(parts(decoder(which), cut(&bytes, &cuts)), whole);
    assert_eq!(within("parts, byte by byte", bytes.len(), 5000, || parts(decoder(which), bytes.chunks(1))), whole);
    let finishes = whole.parts.iter().filter(|part| matches!(part, StreamPart::Finish { .. })).count();
    assert!(finishes <= 1, "one finish");
    if finishes == 1 {
        assert!(matches!(whole.parts.last(), Some(StreamPart::Finish { .. })), "the finish is last");
    }
    let text: usize = whole.parts.iter().map(text_length).sum();
    // Half a surrogate pair takes six bytes and becomes three.
    assert!(text <= bytes.len(), "text is not made up");
}

fn decoder(which: u8) -> Box<dyn Decoder> {
    match which {
        0 | 1 => Box::new(GeminiDecoder::default()),
        2 => Box::new(AnthropicDecoder::default()),
        3 => Box::new(AnthropicDecoder::new(Expectations { json_tool: true, ..Expectations::default() })),
        4 => Box::new(ChatCompletionsDecoder::new(Habits { repeats_reasoning: true, echo: Some("abc".to_owned()) })),
        _ => Box::new(OllamaDecoder::default()),
    }
}

fn text_length(part: &StreamPart) -> usize {
    match part {
        StreamPart::BlockDelta { delta, .. } => delta.len(),
        _ => 0,
    }
}

#[derive(Debug, PartialEq)]
struct Decoded {
    parts: Vec<StreamPart>,
    failure: Option<ProviderFailure>,
    done: bool,
    saw_stream: bool,
}

fn parts<'a>(mut decoder: Box<dyn Decoder>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
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
