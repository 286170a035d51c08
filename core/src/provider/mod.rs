//! Providers: what a driver is, and what drives it.
//!
//! A driver is a pure encoder and a pure incremental decoder; [`HttpProvider`] is the thin shell that sends one's bytes
//! and feeds it the other's.

mod address;
pub mod anthropic;
mod audio;
mod chat_completions;
mod config;
mod describe;
pub(crate) mod embed;
mod fit;
mod framing;
pub mod gemini;
mod http;
mod lenient;
pub mod ollama;
pub mod openai;
pub mod openai_compatible;
mod part;
mod reported;
mod request;
mod schema;
mod sort;
mod sse;
pub(crate) mod transcribe;
mod wire;

use std::borrow::Cow;

use futures_util::stream::BoxStream;

pub use crate::model::BlockKind;
pub(crate) use address::{Access, NO_URL, login_in, without_secrets};
pub use audio::{AudioFormat, resolve_audio_format};
pub use config::{EmbeddingConfig, ProviderChoice, ProviderConfig, Providers, SttConfig};
pub(crate) use config::{OPENAI_URL, resolve};
pub use describe::{
    BODY_SNIPPET_UNITS, ReportedError, describe_http_failure, describe_provider_error, is_fatal_status,
};
pub(crate) use http::{Exchange, NotExchanged};
pub use http::{HttpClient, HttpOptions, HttpProvider};
pub use part::{ProviderFailure, RunBy, Source, StreamPart};
pub use request::{CallOptions, ChatRequest, KeyHeader, ResponseFormat, ToolChoice, WireRequest};
pub(crate) use sse::SseEvent;
pub use sse::{MAX_EVENT_BYTES, SseDecoder, SseError};
pub use transcribe::MAX_AUDIO_BYTES;

/// A model that answers in a stream. Dropping the stream closes the connection.
pub trait Provider: Send + Sync {
    /// Begins a call. The stream ends after [`StreamPart::Finish`] or the first failure, or silently when the provider's
    /// bytes end without one.
    fn stream(&self, request: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>>;

    /// How many tokens the model's context holds, when known.
    fn context_window(&self) -> Option<u64> {
        None
    }

    /// How it is to answer, unless a call says otherwise.
    fn options(&self) -> CallOptions {
        CallOptions::default()
    }

    /// The files that it takes, by media types such as `image/*`; `None` when that is not known beforehand.
    fn takes(&self) -> Option<&'static [&'static str]> {
        None
    }
}

/// The pure half of a provider: bytes out, bytes in.
pub trait Driver: Send + Sync {
    /// The call with its conversation in the form that this provider takes: the names and ids of calls, pairs of calls
    /// and outcomes, the order of roles, texts without anything in them. To be encoded in the place of the call.
    fn fitted<'r>(&self, request: &'r ChatRequest) -> Cow<'r, ChatRequest> {
        Cow::Borrowed(request)
    }
    /// The request for this call.
    ///
    /// # Errors
    /// When the call holds something that this provider has no form for, such as a file of a kind that it does not take.
    fn encode(&self, request: &ChatRequest) -> Result<WireRequest, ProviderFailure>;
    /// The files that it has a form for, by media types such as `image/*`.
    fn takes(&self) -> &'static [&'static str];
    /// How the provider wants its key.
    fn key_header(&self) -> KeyHeader {
        KeyHeader::Bearer
    }
    /// What the answer is asked to be.
    fn accept(&self) -> &'static str {
        "text/event-stream"
    }
    /// A decoder for the answer to one call.
    fn decoder(&self) -> Box<dyn Decoder>;
    /// The same for the answer to this call, where what was asked decides how to read it: an answer that comes as a
    /// tool's arguments, that begins with the conversation's last message, or that cites its documents.
    fn decoder_for(&self, request: &ChatRequest) -> Box<dyn Decoder> {
        let _ = request;
        self.decoder()
    }
}

/// Makes stream parts of an answer's bytes, however they are cut.
pub trait Decoder: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the bytes cannot be this provider's stream; nothing more may be pushed then.
    fn push(&mut self, bytes: &[u8], parts: &mut Vec<StreamPart>) -> Result<(), ProviderFailure>;
    /// The bytes are over.
    fn finish(&mut self, parts: &mut Vec<StreamPart>);
    /// Whether the provider has said that it is done, so that the connection need not be waited for.
    fn is_done(&self) -> bool;
    /// Whether anything in the bytes so far looked like this provider's stream.
    fn saw_stream(&self) -> bool;
}

/// Where each driver's own place is.
pub(crate) const DEFAULT_ADDRESSES: [(&str, &str); 4] = [
    ("openai", openai::BASE_URL),
    ("gemini", gemini::BASE_URL),
    ("anthropic", anthropic::BASE_URL),
    ("ollama", ollama::BASE_URL),
];
