//! The shell around a driver: sends its bytes, feeds it the answer's.

mod client;
mod exchange;
mod guard;
mod send;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use secrecy::SecretString;

use crate::error::Result;
use crate::mask::mask_secrets;
use crate::model::FailureKind;

use super::{Access, CallOptions, ChatRequest, Decoder, Driver, Provider, ProviderFailure, StreamPart, sort};

pub use client::HttpOptions;
pub(crate) use exchange::{Exchange, NotExchanged};
pub(crate) use send::{Outgoing, OutgoingBody};

use send::{MAX_ERROR_BODY_BYTES, Tries, send, transport_failure};

/// What all providers of an engine send their requests with. Clones share the connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    clients: guard::Clients,
    options: Arc<HttpOptions>,
    /// For how long a request is tried; a refusal that asks for more time is the answer.
    patience: Duration,
}

impl HttpClient {
    /// A client with these options.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the option, `INTERNAL` when no TLS client can be had at all.
    pub fn new(options: HttpOptions) -> Result<Self> {
        Self::with_names(options, guard::Names::of_machine())
    }

    fn with_names(options: HttpOptions, names: guard::Names) -> Result<Self> {
        Ok(Self { clients: client::build(&options, names)?, options: Arc::new(options), patience: Duration::MAX })
    }

    /// The same, for callers that wait no longer than this: they are told why a request was refused, and not that nothing
    /// came while it was to be tried again.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Sends a request that is answered with one body, and reads that up to `max_bytes`.
    ///
    /// # Errors
    /// What the last try came to, or a body that is larger.
    pub(crate) async fn fetch(&self, outgoing: &Outgoing, max_bytes: usize) -> Result<Vec<u8>, ProviderFailure> {
        let mut response = send(self, outgoing).await?;
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) if body.len() + bytes.len() > max_bytes => {
                    let message = format!("The provider's answer is larger than {} MiB", max_bytes / 1024 / 1024);
                    return Err(ProviderFailure::new(FailureKind::Limit, message));
                }
                Ok(Some(bytes)) => body.extend_from_slice(&bytes),
                Ok(None) => return Ok(body),
                Err(error) => return Err(transport_failure(error, true, &outgoing.secrets())),
            }
        }
    }
}

/// A driver with a connection.
pub struct HttpProvider {
    client: HttpClient,
    driver: Box<dyn Driver>,
    api_key: Option<SecretString>,
    context_window: Option<u64>,
    options: CallOptions,
    access: Access,
}

impl HttpProvider {
    /// A provider that sends `api_key` in the header that its driver names.
    pub fn new(
        client: HttpClient,
        driver: Box<dyn Driver>,
        api_key: Option<SecretString>,
        context_window: Option<u64>,
    ) -> Self {
        Self { client, driver, api_key, context_window, options: CallOptions::default(), access: Access::default() }
    }

    /// The same, whose calls are answered so unless they say otherwise.
    #[must_use]
    pub fn with_options(self, options: CallOptions) -> Self {
        Self { options, ..self }
    }

    /// The same, at an address of which this is known.
    #[must_use]
    pub(crate) fn with_access(self, access: Access) -> Self {
        Self { access, ..self }
    }
}

impl Provider for HttpProvider {
    fn takes(&self) -> Option<&'static [&'static str]> {
        Some(self.driver.takes())
    }

    fn stream(&self, request: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        let request = &*self.driver.fitted(request);
        let encoded = match self.driver.encode(request) {
            Ok(encoded) => encoded,
            Err(failure) => return failed(failure),
        };
        for warning in &encoded.warnings {
            tracing::debug!(warning, "a setting of the call is not sent");
        }
        let outgoing = Outgoing {
            url: encoded.url,
            headers: encoded.headers,
            accept: self.driver.accept(),
            body: OutgoingBody::Json(encoded.body.into()),
            key: self.api_key.clone(),
            key_header: self.driver.key_header(),
            access: self.access.clone(),
        };
        // A call that is made again needs a new one.
        let tries = self.client.options.max_tries.clamp(1, MOST_DECODERS);
        let decoders = (0..tries).map(|_| self.driver.decoder_for(request)).collect();
        let call = open(self.client.clone(), outgoing, decoders);
        stream::once(call)
            .flat_map(|answer| match answer {
                Ok(streaming) => streaming.into_stream(),
                Err(failure) => failed(failure),
            })
            .boxed()
    }

    fn context_window(&self) -> Option<u64> {
        self.context_window
    }

    fn options(&self) -> CallOptions {
        self.options.clone()
    }
}

fn failed(failure: ProviderFailure) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
    stream::once(async { Err(failure) }).boxed()
}

/// How often an answer can be begun anew at most.
const MOST_DECODERS: u32 = 16;

async fn open(
    client: HttpClient,
    mut outgoing: Outgoing,
    mut decoders: Vec<Box<dyn Decoder>>,
) -> Result<Streaming, ProviderFailure> {
    let mut tries = Tries::new(&client);
    loop {
        let response = tries.send(&outgoing).await?;
        let Some(decoder) = decoders.pop() else {
            return Err(ProviderFailure::new(FailureKind::Internal, "The call has no decoder."));
        };
        let mut streaming = Streaming::new(response, decoder, outgoing.clone());
        let refusal = streaming.begin().await;
        // A provider that has only said that it is too busy has not begun to answer.
        if let Some(refusal) = refusal
            && !decoders.is_empty()
            && tries.again_after(&refusal).await
        {
            continue;
        }
        // The conversation is not needed any more, and may be large.
        outgoing.body = OutgoingBody::Json(bytes::Bytes::new());
        streaming.outgoing = outgoing;
        return Ok(streaming);
    }
}

/// An answer that arrives.
struct Streaming {
    response: reqwest::Response,
    decoder: Box<dyn Decoder>,
    /// What the answer is an answer to, for its secrets.
    outgoing: Outgoing,
    ready: VecDeque<StreamPart>,
    /// The beginning of the body, to describe an answer that turns out not to be a stream.
    head: Vec<u8>,
    /// Something in it was understood.
    understood: bool,
    over: bool,
    /// Why it is over, if not in order.
    broken: Option<ProviderFailure>,
}

impl Streaming {
    fn new(response: reqwest::Response, decoder: Box<dyn Decoder>, outgoing: Outgoing) -> Self {
        let (ready, head) = (VecDeque::new(), Vec::new());
        Self { response, decoder, outgoing, ready, head, understood: false, over: false, broken: None }
    }

    /// Reads until something of the answer is there. If the first thing is a refusal, gives that.
    async fn begin(&mut self) -> Option<ProviderFailure> {
        loop {
            let first = self.ready.iter().find(|part| part.is_content());
            match first {
                Some(StreamPart::Error(failure)) if !failure.answered => return Some(failure.clone()),
                Some(_) => return None,
                None if self.over => return None,
                None => self.read().await,
            }
        }
    }

    fn into_stream(self) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        stream::unfold(self, |mut streaming| async { streaming.next().await.map(|item| (item, streaming)) }).boxed()
    }

    async fn next(&mut self) -> Option<Result<StreamPart, ProviderFailure>> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Some(Ok(part));
            }
            if self.over {
                return self.broken.take().map(Err);
            }
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let mut parts = Vec::new();
        let read = self.read_on(&mut parts).await;
        // What arrived before a break counts: whoever reads gets it first, then the failure.
        for part in parts {
            let part = self.without_secrets(part);
            self.ready.push_back(part);
        }
        if let Err(failure) = read {
            self.over = true;
            self.broken = Some(failure);
        }
    }

    async fn read_on(&mut self, parts: &mut Vec<StreamPart>) -> Result<(), ProviderFailure> {
        match self.response.chunk().await {
            Ok(Some(bytes)) => {
                let room = MAX_ERROR_BODY_BYTES.saturating_sub(self.head.len());
                if !self.understood {
                    self.head.extend(bytes.iter().take(room));
                }
                self.decoder.push(&bytes, parts)?;
                self.note(parts);
                self.over = self.decoder.is_done();
            }
            Ok(None) => self.over = true,
            Err(error) => return Err(transport_failure(error, true, &self.outgoing.secrets())),
        }
        if self.over {
            self.decoder.finish(parts);
            self.note(parts);
            if !self.understood && !self.head.trim_ascii().is_empty() {
                return Err(self.not_understood());
            }
        }
        Ok(())
    }

    /// Providers repeat keys in the errors that they put into their streams, too.
    fn without_secrets(&self, part: StreamPart) -> StreamPart {
        let StreamPart::Error(failure) = part else { return part };
        let masked = mask_secrets(&crate::text::one_line(&failure.message), &self.outgoing.secrets());
        let message = match sort::label(failure.kind) {
            Some(label) => format!("{label} — {masked}"),
            None => masked,
        };
        StreamPart::Error(ProviderFailure { message, ..failure })
    }

    fn note(&mut self, parts: &[StreamPart]) {
        if !self.understood && parts.iter().any(StreamPart::is_content) {
            self.understood = true;
            self.head = Vec::new();
        }
    }

    /// What came, quoted: there was nothing in it that belongs to an answer.
    fn not_understood(&self) -> ProviderFailure {
        let status = self.response.status().as_u16();
        let body = String::from_utf8_lossy(&self.head);
        let what = match self.decoder.saw_stream() {
            true => "an answer with nothing in it",
            false => "not an event stream",
        };
        let line = self.outgoing.describe(status, what, &body);
        let kind = match sort::kind(None, &[&body]) {
            FailureKind::Overloaded => FailureKind::BadResponse,
            kind => kind,
        };
        ProviderFailure { status: Some(status), ..ProviderFailure::new(kind, line) }
    }
}
