//! One request, sent until it is answered or has failed for good. Only what was lost or refused before the first byte of
//! an answer is sent again: whatever has begun to answer may have been paid for.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use crate::mask::mask_secrets;
use crate::model::FailureKind;
use crate::provider::describe::{describe_http_failure, describe_without_body};
use crate::provider::{Access, KeyHeader, ProviderFailure, sort};

use super::HttpClient;
use super::client::HttpOptions;
use super::guard::Clients;

/// Begins what is said of a provider to which no connection was made.
const NOT_REACHED: &str = "The provider could not be reached";
/// How much of an error body is read.
pub(super) const MAX_ERROR_BODY_BYTES: usize = 64 * 1024;
/// How long an error body is waited for.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait that a provider can ask for; who wants more is not asked again, and people are told when.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(60);

/// A request and the key that goes with it.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) accept: &'static str,
    pub(crate) body: OutgoingBody,
    pub(crate) key: Option<SecretString>,
    pub(crate) key_header: KeyHeader,
    pub(crate) access: Access,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) enum OutgoingBody {
    Json(Bytes),
    /// Form fields, then one file.
    Form {
        fields: Vec<(&'static str, String)>,
        file_name: String,
        mime: String,
        file: Bytes,
    },
}

impl Outgoing {
    /// What must not be shown of whatever comes back.
    pub(crate) fn secrets(&self) -> Vec<&str> {
        let key = self.key.iter().map(ExposeSecret::expose_secret);
        key.chain(self.access.secret()).collect()
    }

    /// A refusal in one line. What an address answers that a workspace has chosen is nobody's to read: there is only what
    /// the provider says in the place where providers say it.
    pub(super) fn describe(&self, status: u16, status_text: &str, body: &str) -> String {
        match self.access.by_workspace {
            true => describe_without_body(status, status_text, body, &self.secrets()),
            false => describe_http_failure(status, status_text, body, &self.secrets()),
        }
    }

    fn bytes(&self) -> usize {
        match &self.body {
            OutgoingBody::Json(bytes) => bytes.len(),
            OutgoingBody::Form { file, .. } => file.len(),
        }
    }

    fn request(&self, client: &reqwest::Client) -> reqwest::RequestBuilder {
        let mut builder = client.post(&self.url).header(ACCEPT, self.accept);
        builder = match &self.body {
            OutgoingBody::Json(bytes) => builder.header(CONTENT_TYPE, "application/json").body(bytes.clone()),
            OutgoingBody::Form { fields, file_name, mime, file } => {
                let mut form = reqwest::multipart::Form::new();
                for (name, value) in fields {
                    form = form.text(*name, value.clone());
                }
                let length = u64::try_from(file.len()).unwrap_or(u64::MAX);
                let part = reqwest::multipart::Part::stream_with_length(file.clone(), length);
                let part = part.file_name(file_name.clone());
                // A media type that is none is left to the receiver's guess.
                let part = part.mime_str(mime).unwrap_or_else(|_| {
                    reqwest::multipart::Part::stream_with_length(file.clone(), length).file_name(file_name.clone())
                });
                builder.multipart(form.part("file", part))
            }
        };
        for (name, value) in &self.headers {
            builder = builder.header(*name, value);
        }
        if let Some(login) = &self.access.login {
            let (user, password) = login.expose_secret().split_once(':').unwrap_or((login.expose_secret(), ""));
            builder = builder.basic_auth(user, Some(password));
        }
        match (&self.key, self.key_header) {
            // One header says one thing.
            (Some(_), KeyHeader::Bearer) if self.access.login.is_some() => builder,
            (Some(key), KeyHeader::Bearer) => builder.bearer_auth(key.expose_secret()),
            (Some(key), KeyHeader::Named(name)) => match HeaderValue::from_str(key.expose_secret()) {
                Ok(mut value) => {
                    // So that no library below us logs it.
                    value.set_sensitive(true);
                    builder.header(name, value)
                }
                // The request then fails with what is wrong.
                Err(_) => builder.header(name, key.expose_secret()),
            },
            (None, _) => builder,
        }
    }
}

/// Why a try failed, and whether another may be made.
struct Failed {
    failure: ProviderFailure,
    again: Option<Again>,
}

enum Again {
    /// The connection was lost or could not be made.
    Lost,
    /// The provider refused for now.
    Refused { after: Option<Duration> },
}

/// Sends the request; the answer's status is a success.
///
/// # Errors
/// What the last try came to.
pub(super) async fn send(client: &HttpClient, outgoing: &Outgoing) -> Result<reqwest::Response, ProviderFailure> {
    Tries::new(client).send(outgoing).await
}

/// The tries of one request.
pub(super) struct Tries<'c> {
    client: &'c HttpClient,
    made: u32,
    first: Instant,
}

impl<'c> Tries<'c> {
    pub(super) fn new(client: &'c HttpClient) -> Self {
        Self { client, made: 0, first: Instant::now() }
    }

    /// As [`send`], with the tries that are left.
    pub(super) async fn send(&mut self, outgoing: &Outgoing) -> Result<reqwest::Response, ProviderFailure> {
        loop {
            self.made += 1;
            let begun = Instant::now();
            let failed = match attempt(&self.client.clients, outgoing).await {
                Ok(response) => {
                    log(outgoing, self.made, begun, Some(response.status().as_u16()));
                    return Ok(response);
                }
                Err(failed) => failed,
            };
            log(outgoing, self.made, begun, failed.failure.status);
            match failed.again {
                Some(again) if self.wait(&again).await => {}
                _ => return Err(failed.failure),
            }
        }
    }

    /// Whether the request is to be sent again after the answer began with this refusal; then the time for it has come.
    pub(super) async fn again_after(&mut self, refusal: &ProviderFailure) -> bool {
        may_pass_soon(refusal) && self.wait(&Again::Refused { after: None }).await
    }

    /// Waits for the next try, if there is one.
    async fn wait(&self, again: &Again) -> bool {
        let wait = wait(again, self.made, &self.client.options);
        let is_in_time = self.first.elapsed().saturating_add(wait) < self.client.patience;
        if self.made >= self.client.options.max_tries || wait > LONGEST_RETRY_AFTER || !is_in_time {
            return false;
        }
        tokio::time::sleep(wait).await;
        true
    }
}

fn log(outgoing: &Outgoing, tries: u32, begun: Instant, status: Option<u16>) {
    let milliseconds = begun.elapsed().as_millis();
    tracing::debug!(tries, status, milliseconds, request_bytes = outgoing.bytes(), "a request to a provider");
}

fn wait(again: &Again, tries: u32, options: &HttpOptions) -> Duration {
    let base = Duration::from_millis(options.retry_wait_ms);
    let doubled = |first: Duration| first.saturating_mul(1 << tries.saturating_sub(1).min(16));
    match again {
        Again::Lost => doubled(base / 10),
        Again::Refused { after: Some(after) } => *after,
        Again::Refused { after: None } => doubled(base),
    }
}

/// Boxed, so that callers' futures stay small: reqwest's are several kilobytes.
fn attempt<'a>(clients: &'a Clients, outgoing: &'a Outgoing) -> BoxFuture<'a, Result<reqwest::Response, Failed>> {
    Box::pin(async move {
        let client = clients.for_access(&outgoing.access, &outgoing.url).await.map_err(|refused| {
            let message = format!("{NOT_REACHED}: {refused}");
            Failed { failure: ProviderFailure::new(FailureKind::Unreachable, message), again: None }
        })?;
        let response = outgoing.request(client).send().await.map_err(|error| {
            let again = was_lost(&error).then_some(Again::Lost);
            Failed { failure: transport_failure(error, false, &outgoing.secrets()), again }
        })?;
        if response.status().is_success() { Ok(response) } else { Err(refusal(response, outgoing).await) }
    })
}

/// Whether the connection was refused, reset or given up before an answer began. A name that nobody knows or a
/// certificate that nobody trusts will be no better the next time.
fn was_lost(error: &reqwest::Error) -> bool {
    use std::io::ErrorKind::{
        BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof,
    };
    if error.is_connect() && error.is_timeout() {
        return true;
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            let lost = [BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, UnexpectedEof];
            if lost.contains(&io.kind()) {
                return true;
            }
        }
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Whether the same request may be taken a little later. Credits do not come back by waiting.
pub(super) fn may_pass_soon(failure: &ProviderFailure) -> bool {
    let status = failure.status.and_then(|status| StatusCode::from_u16(status).ok());
    failure.kind != FailureKind::Billing && status.is_some_and(may_pass)
}

/// Statuses that say "not now".
fn may_pass(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT || status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

async fn refusal(mut response: reqwest::Response, outgoing: &Outgoing) -> Failed {
    let status = response.status();
    let after = retry_after(response.headers());
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(bytes)) = response.chunk().await {
            body.extend_from_slice(bytes.get(..MAX_ERROR_BODY_BYTES.min(bytes.len())).unwrap_or_default());
            if body.len() >= MAX_ERROR_BODY_BYTES {
                break;
            }
        }
    };
    // A body that does not come in time is described by what there is of it.
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, read).await;
    let status_text = match status.canonical_reason() {
        _ if status.is_redirection() => "the provider redirects to a place that the key must not be sent to",
        Some(text) => text,
        None => "refused",
    };
    let body = String::from_utf8_lossy(&body);
    let mut message = outgoing.describe(status.as_u16(), status_text, &body);
    if let Some(after) = after.filter(|_| may_pass(status)) {
        message.push_str(&format!(" | asks to wait {} s", after.as_secs_f64().ceil()));
    }
    let kind = match status.is_redirection() {
        true => FailureKind::BadResponse,
        false => sort::kind(Some(status.as_u16()), &[&body]),
    };
    let failure = ProviderFailure { kind, status: Some(status.as_u16()), message, answered: false };
    Failed { again: may_pass_soon(&failure).then_some(Again::Refused { after }), failure }
}

/// How long a provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.
#[allow(clippy::disallowed_methods, reason = "dates of others are compared with the time that people have")]
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    if let Some(milliseconds) = text("retry-after-ms").and_then(number) {
        return Duration::try_from_secs_f64(milliseconds / 1000.0).ok();
    }
    let asked = text(RETRY_AFTER.as_str())?;
    if let Some(seconds) = number(asked) {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    // Against the sender's own clock where it tells it: the two need not agree with ours.
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp());
    let now = text("date").and_then(date).unwrap_or_else(jiff::Timestamp::now);
    let wait = date(asked)?.duration_since(now);
    Some(Duration::try_from(wait).unwrap_or(Duration::ZERO))
}

/// A failure of the connection as one line, without the URL, which may carry what must not be shown.
pub(super) fn transport_failure(error: reqwest::Error, answered: bool, secrets: &[&str]) -> ProviderFailure {
    let error = error.without_url();
    let (kind, what) = match (answered, error.is_connect()) {
        (true, _) => (FailureKind::ConnectionLost, "The connection to the provider broke off"),
        (false, true) => (FailureKind::Unreachable, NOT_REACHED),
        (false, false) => (FailureKind::ConnectionLost, "The request to the provider failed"),
    };
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let message = mask_secrets(&format!("{what}: {cause}"), secrets);
    ProviderFailure { kind, status: error.status().map(|status| status.as_u16()), message, answered }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pairs: &[(&'static str, &str)]) -> Option<Duration> {
        let pairs =
            pairs.iter().map(|(name, value)| (reqwest::header::HeaderName::from_static(name), value.parse().unwrap()));
        retry_after(&pairs.collect())
    }

    #[test]
    fn providers_say_in_three_ways_when_to_come_back() {
        assert_eq!(after(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(after(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(after(&[("retry-after-ms", "30"), ("retry-after", "2")]), Some(Duration::from_millis(30)));
        let date = [("retry-after", "Wed, 21 Oct 2026 07:28:10 GMT"), ("date", "Wed, 21 Oct 2026 07:28:00 GMT")];
        assert_eq!(after(&date), Some(Duration::from_secs(10)));
        let past = [("retry-after", "Wed, 21 Oct 2026 07:27:10 GMT"), ("date", "Wed, 21 Oct 2026 07:28:00 GMT")];
        assert_eq!(after(&past), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-1", "NaN", "inf"] {
            assert_eq!(after(&[("retry-after", nonsense)]), None, "{nonsense}");
        }
        assert_eq!(after(&[("retry-after", "1e300")]), None);
    }

    #[test]
    fn waits_grow() {
        let options = HttpOptions { retry_wait_ms: 1000, ..HttpOptions::default() };
        let refused = Again::Refused { after: None };
        assert_eq!(wait(&refused, 1, &options), Duration::from_secs(1));
        assert_eq!(wait(&refused, 2, &options), Duration::from_secs(2));
        assert_eq!(wait(&Again::Lost, 2, &options), Duration::from_millis(200));
        let asked = Again::Refused { after: Some(Duration::from_secs(7)) };
        assert_eq!(wait(&asked, 2, &options), Duration::from_secs(7));
    }
}
