//! The shell around a driver: sends its bytes, feeds it the answer's.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt};
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::mask::mask_secrets;

use super::describe::describe_http_failure;
use super::{CallOptions, ChatRequest, Decoder, Driver, KeyHeader, Provider, ProviderFailure, StreamPart, WireRequest};

/// How much of an error body is read.
const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;
/// How long an error body is waited for.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A driver with a connection.
pub struct HttpProvider {
    client: reqwest::Client,
    driver: Box<dyn Driver>,
    api_key: Option<SecretString>,
    context_window: Option<u64>,
    options: CallOptions,
}

impl HttpProvider {
    /// A provider that sends `api_key` as a bearer token.
    pub fn new(
        client: reqwest::Client,
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

    /// The client that all providers of an engine share. It follows no redirects (a key must not travel to another
    /// host) and uses no proxy from the environment.
    ///
    /// # Errors
    /// When the machine has no usable TLS roots.
    pub fn client() -> reqwest::Result<reqwest::Client> {
        reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("turnkeep/", env!("CARGO_PKG_VERSION")))
            .build()
    }
}

impl Provider for HttpProvider {
    fn stream(&self, request: &ChatRequest) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        let encoded = match self.driver.encode(request) {
            Ok(encoded) => encoded,
            Err(failure) => return stream::once(async { Err(failure) }).boxed(),
        };
        for warning in &encoded.warnings {
            tracing::debug!(warning, "a setting of the call is not sent");
        }
        let call = Call {
            client: self.client.clone(),
            request: encoded,
            key_header: self.driver.key_header(),
            accept: self.driver.accept(),
            decoder: self.driver.decoder(),
            secret: Arc::new(self.api_key.clone()),
        };
        stream::once(call.open()).flat_map(Answer::into_stream).boxed()
    }

    fn context_window(&self) -> Option<u64> {
        self.context_window
    }

    fn options(&self) -> CallOptions {
        self.options.clone()
    }
}

struct Call {
    client: reqwest::Client,
    request: WireRequest,
    key_header: KeyHeader,
    accept: &'static str,
    decoder: Box<dyn Decoder>,
    secret: Arc<Option<SecretString>>,
}

/// A call that was answered with a stream, or failed.
enum Answer {
    Streaming(Streaming),
    Failed(ProviderFailure),
}

struct Streaming {
    response: reqwest::Response,
    decoder: Box<dyn Decoder>,
    secret: Arc<Option<SecretString>>,
    ready: VecDeque<StreamPart>,
    /// The beginning of the body, to describe an answer that turns out not to be a stream.
    head: Vec<u8>,
    over: bool,
}

fn secrets(secret: &Option<SecretString>) -> Vec<&str> {
    secret.iter().map(ExposeSecret::expose_secret).collect()
}

impl Call {
    async fn open(self) -> Answer {
        let mut builder = self
            .client
            .post(&self.request.url)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ACCEPT, HeaderValue::from_static(self.accept))
            .body(self.request.body);
        for (name, value) in self.request.headers {
            builder = builder.header(name, value);
        }
        if let Some(key) = self.secret.as_ref() {
            builder = match self.key_header {
                KeyHeader::Bearer => builder.bearer_auth(key.expose_secret()),
                KeyHeader::Named(name) => builder.header(name, key.expose_secret()),
            };
        }
        let response = match builder.send().await {
            Ok(response) => response,
            Err(error) => return Answer::Failed(transport_failure(error, false, &self.secret)),
        };
        if !response.status().is_success() {
            return Answer::Failed(refusal(response, &self.secret).await);
        }
        Answer::Streaming(Streaming {
            response,
            decoder: self.decoder,
            secret: self.secret,
            ready: VecDeque::new(),
            head: Vec::new(),
            over: false,
        })
    }
}

impl Answer {
    fn into_stream(self) -> BoxStream<'static, Result<StreamPart, ProviderFailure>> {
        match self {
            Answer::Failed(failure) => stream::once(async { Err(failure) }).boxed(),
            Answer::Streaming(streaming) => stream::unfold(streaming, |mut streaming| async {
                streaming.next().await.map(|item| (item, streaming))
            })
            .boxed(),
        }
    }
}

impl Streaming {
    async fn next(&mut self) -> Option<Result<StreamPart, ProviderFailure>> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Some(Ok(part));
            }
            if self.over {
                return None;
            }
            if let Err(failure) = self.read_on().await {
                self.over = true;
                return Some(Err(failure));
            }
        }
    }

    async fn read_on(&mut self) -> Result<(), ProviderFailure> {
        let mut parts = Vec::new();
        match self.response.chunk().await {
            Ok(Some(bytes)) => {
                let room = MAX_ERROR_BODY_BYTES.saturating_sub(self.head.len());
                if !self.decoder.saw_stream() {
                    self.head.extend(bytes.iter().take(room));
                }
                self.decoder.push(&bytes, &mut parts)?;
                self.over = self.decoder.is_done();
            }
            Ok(None) => {
                if !self.decoder.saw_stream() && !self.head.trim_ascii().is_empty() {
                    return Err(self.not_a_stream());
                }
                self.over = true;
            }
            Err(error) => {
                // What arrived before the break counts: whoever reads gets it first, then the failure.
                return Err(transport_failure(error, true, &self.secret));
            }
        }
        if self.over {
            self.decoder.finish(&mut parts);
        }
        self.ready.extend(parts);
        Ok(())
    }

    fn not_a_stream(&self) -> ProviderFailure {
        let status = self.response.status();
        let body = String::from_utf8_lossy(&self.head);
        let line = describe_http_failure(status.as_u16(), "not an event stream", &body, &secrets(&self.secret));
        ProviderFailure { status: Some(status.as_u16()), message: line, answered: true }
    }
}

async fn refusal(mut response: reqwest::Response, secret: &Option<SecretString>) -> ProviderFailure {
    let status = response.status();
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            body.extend_from_slice(&bytes);
            if body.len() >= MAX_ERROR_BODY_BYTES {
                break;
            }
        }
    };
    // A body that does not come in time is described by what there is of it.
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, read).await;
    let status_text = status.canonical_reason().unwrap_or("refused");
    let body = String::from_utf8_lossy(&body);
    let message = describe_http_failure(status.as_u16(), status_text, &body, &secrets(secret));
    ProviderFailure { status: Some(status.as_u16()), message, answered: false }
}

fn transport_failure(error: reqwest::Error, answered: bool, secret: &Option<SecretString>) -> ProviderFailure {
    // The URL may carry what must not be shown.
    let error = error.without_url();
    let what = match (answered, error.is_connect()) {
        (true, _) => "The connection to the provider broke off",
        (false, true) => "The provider could not be reached",
        (false, false) => "The request to the provider failed",
    };
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let message = mask_secrets(&format!("{what}: {cause}"), &secrets(secret));
    ProviderFailure { status: error.status().map(|status| status.as_u16()), message, answered }
}
