//! The shell around a driver: sends its bytes, feeds it the answer's.

mod client;
mod send;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use secrecy::SecretString;

use crate::error::Result;
use crate::mask::mask_secrets;

use super::describe::{describe_http_failure, label_for_status};
use super::{CallOptions, ChatRequest, Decoder, Driver, Provider, ProviderFailure, StreamPart};

pub use client::HttpOptions;
pub(crate) use send::{Outgoing, OutgoingBody};

use send::{MAX_ERROR_BODY_BYTES, send, transport_failure};

/// What all providers of an engine send their requests with. Clones share the connections.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: reqwest::Client,
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
        Ok(Self { client: client::build(&options)?, options: Arc::new(options), patience: Duration::MAX })
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
                    return Err(ProviderFailure { status: None, message, answered: true });
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
}

impl HttpProvider {
    /// A provider that sends `api_key` in the header that its driver names.
    pub fn new(
        client: HttpClient,
        driver: Box<dyn Driver>,
        api_key: Option<SecretString>,
        context_window: Option<u64>,
    ) -> Self {
        Self { client, driver, api_key, context_window, options: CallOptions::default() }
    }

    /// The same, whose calls are answered so unless they say otherwise.
    #[must_use]
    pub fn with_options(self, options: CallOptions) -> Self {
        Self { options, ..self }
    }
}

impl Provider for HttpProvider {
    fn takes(&self) -> Option<&'static [&'static str]> {
        Some(self.driver.takes())
    }

    fn stream(&self, request: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
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
        };
        let call = open(self.client.clone(), outgoing, self.driver.decoder_for(request));
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

async fn open(
    client: HttpClient,
    mut outgoing: Outgoing,
    decoder: Box<dyn Decoder>,
) -> Result<Streaming, ProviderFailure> {
    let response = send(&client, &outgoing).await?;
    // The conversation is not needed any more, and may be large.
    outgoing.body = OutgoingBody::Json(bytes::Bytes::new());
    Ok(Streaming { response, decoder, outgoing, ready: VecDeque::new(), head: Vec::new(), over: false, broken: None })
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
    over: bool,
    /// Why it is over, if not in order.
    broken: Option<ProviderFailure>,
}

impl Streaming {
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
    }

    async fn read_on(&mut self, parts: &mut Vec<StreamPart>) -> Result<(), ProviderFailure> {
        match self.response.chunk().await {
            Ok(Some(bytes)) => {
                let room = MAX_ERROR_BODY_BYTES.saturating_sub(self.head.len());
                if !self.decoder.saw_stream() {
                    self.head.extend(bytes.iter().take(room));
                }
                self.decoder.push(&bytes, parts)?;
                self.over = self.decoder.is_done();
            }
            Ok(None) => self.over = true,
            Err(error) => return Err(transport_failure(error, true, &self.outgoing.secrets())),
        }
        if self.over {
            self.decoder.finish(parts);
            if !self.decoder.saw_stream() && !self.head.trim_ascii().is_empty() {
                return Err(self.not_a_stream());
            }
        }
        Ok(())
    }

    /// Providers repeat keys in the errors that they put into their streams, too.
    fn without_secrets(&self, part: StreamPart) -> StreamPart {
        let StreamPart::Error(failure) = part else { return part };
        let masked = mask_secrets(&crate::text::one_line(&failure.message), &self.outgoing.secrets());
        let message = match failure.status.and_then(label_for_status) {
            Some(label) => format!("{label} — {masked}"),
            None => masked,
        };
        StreamPart::Error(ProviderFailure { message, ..failure })
    }

    fn not_a_stream(&self) -> ProviderFailure {
        let status = self.response.status().as_u16();
        let body = String::from_utf8_lossy(&self.head);
        let line = describe_http_failure(status, "not an event stream", &body, &self.outgoing.secrets());
        ProviderFailure { status: Some(status), message: line, answered: true }
    }
}
