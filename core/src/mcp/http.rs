//! The wire of one address: each message is a request of its own, and its answer comes with it, as one document or as a
//! stream of events.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::provider::{Exchange, HttpClient, NotExchanged, SseDecoder};

use super::failure::{McpFailure, of_status};
use super::message::{Incoming, Request, RpcError, answer_to, read};
use super::revision::Revision;
use super::tools::as_header;
use super::wire::{Heard, Listening};

/// How much of an answer is read.
pub(super) const MOST_BYTES: usize = 16 * 1024 * 1024;
/// How much of the body of a refusal is read.
const REFUSAL_BYTES: usize = 64 * 1024;
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const REVISION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// An address, and everything that goes with each message.
#[derive(Clone)]
pub(super) struct HttpWire {
    pub(super) client: HttpClient,
    pub(super) url: String,
    /// What the administrators say goes with it.
    pub(super) headers: HeaderMap,
    pub(super) silence: Duration,
    pub(super) heard: Arc<Heard>,
    pub(super) revision: Option<Revision>,
    pub(super) session: Option<HeaderValue>,
}

impl HttpWire {
    /// The headers of a message; ours come before the administrators'.
    pub(super) fn headers(&self, request: Option<&Request>) -> HeaderMap {
        let mut headers = self.headers.clone();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if let Some(revision) = self.revision.as_ref().and_then(|it| HeaderValue::from_str(it.as_str()).ok()) {
            headers.insert(REVISION, revision);
        }
        if let Some(session) = &self.session {
            headers.insert(SESSION, session.clone());
        }
        if let Some(request) = request.filter(|_| self.revision == Some(Revision::Stateless)) {
            let name = request.name().map(|name| ("Mcp-Name".to_owned(), as_header(name)));
            let method = ("Mcp-Method".to_owned(), request.method.to_owned());
            for (name, value) in [Some(method), name].into_iter().flatten().chain(request.headers.clone()) {
                if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                    headers.insert(name, value);
                }
            }
        }
        headers
    }

    pub(super) async fn send(&self, method: Method, headers: HeaderMap, body: String) -> Result<Response, McpFailure> {
        let body = (!body.is_empty()).then(|| body.into());
        let exchange = Exchange { method, url: &self.url, headers, body };
        let sent = tokio::time::timeout(self.silence, self.client.exchange(exchange)).await;
        match sent.map_err(|_| self.timed_out())? {
            Ok(response) => Ok(response),
            Err(NotExchanged::NotSent(told)) => Err(McpFailure::NotReached(told)),
            Err(NotExchanged::Lost(told)) => Err(McpFailure::Lost(told)),
        }
    }

    /// Says something that has no answer.
    pub(super) async fn tell(&self, message: String) -> Result<(), McpFailure> {
        let response = self.send(Method::POST, self.headers(None), message).await?;
        if response.status().is_success() { Ok(()) } else { Err(of_status(response.status())) }
    }

    /// Asks, and gives the answer with the session that it was given in.
    pub(super) async fn ask(
        &self,
        request: &Request,
        listening: &Listening,
    ) -> Result<(Value, Option<HeaderValue>), McpFailure> {
        let response = self.send(Method::POST, self.headers(Some(request)), request.to_text()).await?;
        let session = response.headers().get(SESSION).cloned();
        let status = response.status();
        if !status.is_success() {
            return Err(self.refusal(status, response).await);
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let outcome = match kind.split(';').next().unwrap_or_default().trim() {
            kind if kind.eq_ignore_ascii_case("application/json") => self.document(request, response).await?,
            kind if kind.eq_ignore_ascii_case("text/event-stream") => self.stream(request, response, listening).await?,
            _ => return Err(McpFailure::Protocol("its answer is neither JSON nor a stream of events")),
        };
        Ok((outcome.map_err(McpFailure::Refused)?, session))
    }

    fn timed_out(&self) -> McpFailure {
        McpFailure::TimedOut(u64::try_from(self.silence.as_millis()).unwrap_or(u64::MAX))
    }

    async fn chunk(&self, response: &mut Response) -> Result<Option<bytes::Bytes>, McpFailure> {
        let chunk = tokio::time::timeout(self.silence, response.chunk()).await.map_err(|_| self.timed_out())?;
        chunk.map_err(|_| McpFailure::Lost("the answer was cut off".to_owned()))
    }

    async fn document(&self, request: &Request, mut response: Response) -> Result<Outcome, McpFailure> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(&mut response).await? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST_BYTES {
                return Err(TOO_LARGE);
            }
        }
        let text = String::from_utf8(body).map_err(|_| McpFailure::Protocol("its answer is not UTF-8"))?;
        let mut answer = None;
        for incoming in read(&text) {
            answer = answer.or(self.take(incoming, request.id).await);
        }
        answer.ok_or(McpFailure::Protocol("its answer is to another question"))
    }

    async fn stream(
        &self,
        request: &Request,
        mut response: Response,
        listening: &Listening,
    ) -> Result<Outcome, McpFailure> {
        let mut decoder = SseDecoder::default();
        let mut size = 0_usize;
        loop {
            let chunk = self.chunk(&mut response).await?;
            let Some(chunk) = chunk else {
                return Err(McpFailure::Lost("the stream ended before the answer".to_owned()));
            };
            listening.sign_of_life.notify_one();
            size = size.saturating_add(chunk.len());
            let mut texts = Vec::new();
            decoder.push_events(&chunk, |event| texts.push(event.data)).map_err(|_| TOO_LARGE)?;
            if size > MOST_BYTES {
                return Err(TOO_LARGE);
            }
            for incoming in texts.iter().flat_map(|text| read(text)) {
                if let Some(outcome) = self.take(incoming, request.id).await {
                    return Ok(outcome);
                }
            }
        }
    }

    /// The outcome, if this is the answer to the request; whatever else comes is heard, and answered where it must be.
    async fn take(&self, incoming: Incoming, id: u64) -> Option<Outcome> {
        match incoming {
            Incoming::Answer { id: of, outcome } if of == Some(id) || (of.is_none() && outcome.is_err()) => {
                Some(outcome)
            }
            Incoming::Answer { .. } => None,
            Incoming::Notice { method, params } => {
                self.heard.notice(&method, &params);
                None
            }
            Incoming::Request { id, method } => {
                // Whoever asks waits for an answer; whether it arrives changes nothing here.
                let _ = self.tell(answer_to(&id, &method)).await;
                None
            }
        }
    }

    async fn refusal(&self, status: StatusCode, mut response: Response) -> McpFailure {
        if status == StatusCode::NOT_FOUND && self.session.is_some() {
            return McpFailure::SessionLost;
        }
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = self.chunk(&mut response).await {
            body.extend_from_slice(&chunk);
            if body.len() >= REFUSAL_BYTES {
                break;
            }
        }
        let error = read(&String::from_utf8_lossy(&body)).into_iter().find_map(|incoming| match incoming {
            Incoming::Answer { outcome: Err(error), .. } => Some(error),
            _ => None,
        });
        match error {
            Some(error) if status == StatusCode::BAD_REQUEST && self.session.is_some() && error.is_about_session() => {
                McpFailure::SessionLost
            }
            // Whoever is not let in is told so in the same words by all servers.
            Some(error) if !matches!(status.as_u16(), 401 | 403) => McpFailure::Refused(error),
            _ => of_status(status),
        }
    }

    /// Says that the session is over, if there is one.
    pub(super) async fn leave(&self) {
        if self.session.is_some() {
            let _ = self.send(Method::DELETE, self.headers(None), String::new()).await;
        }
    }
}

type Outcome = Result<Value, RpcError>;
const TOO_LARGE: McpFailure = McpFailure::Protocol("its answer is larger than 16 MiB");
