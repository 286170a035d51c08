//! The wire of older servers: a stream that says first where messages go, and then has all answers.

use std::sync::Arc;

use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, Response, Url};
use tokio::task::AbortHandle;

use crate::provider::{SseDecoder, SseEvent};

use super::channel::{Channel, Out};
use super::failure::{McpFailure, of_status};
use super::http::HttpWire;

/// The task that reads. It ends when this is dropped.
pub(super) struct Reading(AbortHandle);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens the stream. It is read as long as somebody holds what comes with it, or until the server ends it.
pub(super) async fn open(wire: HttpWire) -> Result<(Arc<Channel>, Reading), McpFailure> {
    let mut headers = wire.headers(None);
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    let mut response = wire.send(Method::GET, headers, String::new()).await?;
    if !response.status().is_success() {
        return Err(of_status(response.status()));
    }
    let mut decoder = SseDecoder::default();
    let mut early = Vec::new();
    let endpoint = loop {
        let events = next(&mut response, &mut decoder).await.ok_or(NO_ENDPOINT)?;
        let mut events = events.into_iter();
        if let Some(event) = events.find(|event| event.name.as_deref() == Some("endpoint")) {
            early.extend(events);
            break endpoint(&wire.url, &event.data)?;
        }
    };
    let (heard, silence) = (Arc::clone(&wire.heard), wire.silence);
    let channel = Arc::new(Channel::new(Out::Post(Box::new(HttpWire { url: endpoint, ..wire })), heard, silence));
    let read = Arc::clone(&channel);
    let reading = tokio::spawn(async move {
        let _closing = Closing(Arc::clone(&read));
        let mut events = Some(early);
        while let Some(some) = events {
            for event in some {
                read.deliver(&event.data).await;
            }
            events = next(&mut response, &mut decoder).await;
        }
    });
    Ok((channel, Reading(reading.abort_handle())))
}

const NO_ENDPOINT: McpFailure = McpFailure::Protocol("its stream does not say where messages go");

/// Where messages go: at the same place, so that what goes with them is not sent to a stranger.
fn endpoint(base: &str, given: &str) -> Result<String, McpFailure> {
    let base = Url::parse(base).map_err(|_| NO_ENDPOINT)?;
    let endpoint = base.join(given.trim()).map_err(|_| NO_ENDPOINT)?;
    if endpoint.origin() != base.origin() {
        return Err(McpFailure::Protocol("it wants messages to be sent to another place"));
    }
    Ok(endpoint.into())
}

/// Also when it is no more read.
struct Closing(Arc<Channel>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The next events; nothing when there are no more.
async fn next(response: &mut Response, decoder: &mut SseDecoder) -> Option<Vec<SseEvent>> {
    let chunk = response.chunk().await.ok()??;
    let mut events = Vec::new();
    decoder.push_events(&chunk, |event| events.push(event)).ok()?;
    Some(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_stay_where_the_stream_is() {
        let at = |given| endpoint("https://a.example/sse?x=1", given);
        assert_eq!(at("/messages?s=1").unwrap(), "https://a.example/messages?s=1");
        assert_eq!(at("https://a.example:443/m").unwrap(), "https://a.example/m");
        for elsewhere in
            ["https://b.example/m", "http://a.example/m", "//127.0.0.1/m", "https://a.example:8443/", "file:///x"]
        {
            assert!(at(elsewhere).is_err(), "{elsewhere}");
        }
    }
}
