//! Questions to the server: one address, one user, whose token is asked for when it is needed and once more when it is refused.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::provider::{Exchange, HttpClient, NotExchanged};
use crate::text::{one_line, utf16_prefix};
use crate::tool::ToolInvocation;

use super::shapes::put;

/// How many items a page of a list has, and how many pages of it are read.
const PAGE_ITEMS: usize = 100;
const MOST_PAGES: usize = 50;
/// How much a model is told of what a server says of a wrong request, in UTF-16 units.
const TOLD_UNITS: usize = 300;
/// How much of the body of a refusal is read.
const REFUSAL_BYTES: usize = 64 * 1024;

/// Who has the tokens of a user.
#[async_trait]
pub trait DocmostTokens: Send + Sync {
    /// The user's token for the server. `refused`: the one that was given before is not taken any more.
    ///
    /// # Errors
    /// Why there is none, in words for the model.
    async fn token(&self, of: &ToolInvocation, refused: bool) -> Result<SecretString, String>;
}

/// How much is asked of a server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DocmostLimits {
    /// How long a request may take.
    pub(crate) timeout: Duration,
    /// How much of an answer is read.
    pub(crate) most_bytes: usize,
}

/// A server, as a user of a turn's.
pub(crate) struct DocmostClient {
    http: HttpClient,
    /// Its address, with `/api`.
    api: String,
    tokens: Arc<dyn DocmostTokens>,
    /// The token in use, and how many there were before it.
    known: Mutex<(u64, Option<SecretString>)>,
    limits: DocmostLimits,
}

/// The server's REST interface, of an address with or without it.
///
/// # Errors
/// What is wrong with the address.
pub(crate) fn api_of(address: &str) -> Result<String, &'static str> {
    let url = Url::parse(address.trim()).map_err(|_| "must be the server's URL")?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("must be the server's URL, of http or https");
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("must be a URL without a user, a query and a fragment");
    }
    let address = url.as_str().trim_end_matches('/');
    Ok(if address.ends_with("/api") { address.to_owned() } else { format!("{address}/api") })
}

/// A call of a tool, as what it asks is sent.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) client: &'a DocmostClient,
    pub(super) call: &'a ToolInvocation,
}

impl DocmostClient {
    pub(crate) fn new(http: HttpClient, api: String, tokens: Arc<dyn DocmostTokens>, limits: DocmostLimits) -> Self {
        Self { http, api, tokens, known: Mutex::default(), limits }
    }

    /// Where people find the server.
    pub(super) fn site(&self) -> &str {
        self.api.trim_end_matches("/api")
    }

    /// A token that is not one of the first `refused`, and how many there were before it. Calls that are made at the same time
    /// ask for one together.
    async fn token(&self, call: &ToolInvocation, refused: u64) -> Result<(u64, HeaderValue), String> {
        let mut known = self.known.lock().await;
        if known.1.is_none() || known.0 < refused {
            let token = self.tokens.token(call, refused > 0).await?;
            *known = (refused, Some(token));
        }
        let token = known.1.as_ref().map(ExposeSecret::expose_secret).unwrap_or_default();
        let header = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| !token.trim().is_empty());
        let mut header = header.ok_or("Docmost cannot be used: the user's token is empty or no token.")?;
        header.set_sensitive(true);
        Ok((known.0, header))
    }

    async fn send(&self, path: &str, body: &Value, token: HeaderValue) -> Result<Response, NotExchanged> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, token);
        let url = format!("{}{path}", self.api);
        let body = Some(body.to_string().into());
        self.http.exchange(Exchange { method: Method::POST, url: &url, headers, body }).await
    }

    /// The body; `None` when it is larger than that.
    async fn body(&self, mut response: Response, most: usize) -> Result<Option<Vec<u8>>, String> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|_| "Docmost's answer was cut off.".to_owned())? {
            if body.len() + chunk.len() > most {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }

    async fn refusal(&self, response: Response) -> String {
        let status = response.status();
        let number = status.as_u16();
        match number {
            401 => return "Docmost does not take the user's token (401). Nothing was done.".to_owned(),
            403 => return "Docmost says that the user may not do this (403). Nothing was done.".to_owned(),
            404 => return "Docmost knows no such thing, or the user may not see it (404).".to_owned(),
            429 => return "Docmost has had too many requests (429). Try again later.".to_owned(),
            300..=399 => {
                return format!("Docmost's address leads elsewhere ({number}), which is not followed.");
            }
            500.. => return format!("Docmost has failed ({number})."),
            _ => {}
        }
        let body = self.body(response, REFUSAL_BYTES).await.ok().flatten().unwrap_or_default();
        let said = serde_json::from_slice::<Value>(&body).ok().and_then(|body| match body.get("message")? {
            Value::String(text) => Some(text.clone()),
            Value::Array(texts) => texts.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|it| it.join("; ")),
            _ => None,
        });
        match said.map(|said| one_line(&said)).filter(|said| !said.is_empty()) {
            Some(said) => format!("Docmost refuses this ({number}): {}", utf16_prefix(&said, TOLD_UNITS)),
            None => format!("Docmost refuses this ({number})."),
        }
    }
}

impl Asking<'_> {
    /// What the server answers, within its time. `changes`: whoever hears nothing of it does not know whether it was done.
    async fn ask_once(&self, path: &str, body: &Value, changes: bool) -> Result<Value, String> {
        let client = self.client;
        let unknown = if changes { " It is not known whether the change was made." } else { "" };
        let failed = |failure: NotExchanged| match failure {
            NotExchanged::NotSent(told) => format!("Docmost cannot be reached: {told}."),
            NotExchanged::Lost(told) => format!("Docmost's answer is missing: {told}.{unknown}"),
        };
        let (mut number, mut token) = client.token(self.call, 0).await?;
        let mut response = client.send(path, body, token).await.map_err(failed)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            (number, token) = client.token(self.call, number + 1).await?;
            response = client.send(path, body, token).await.map_err(failed)?;
            tracing::debug!(
                number,
                status = response.status().as_u16(),
                "a token of Docmost's was asked for once more"
            );
        }
        if !response.status().is_success() {
            return Err(client.refusal(response).await);
        }
        let most = client.limits.most_bytes;
        let Some(body) = client.body(response, most).await.map_err(|told| format!("{told}{unknown}"))? else {
            return Err(format!("Docmost's answer is larger than {most} bytes, and was not read."));
        };
        if body.is_empty() {
            return Ok(Value::Null);
        }
        let not_json = "Docmost's answer is not JSON. The address may be that of something else.";
        let answer: Value = serde_json::from_slice(&body).map_err(|_| not_json.to_owned())?;
        Ok(unwrapped(answer))
    }

    async fn within_time(&self, path: &str, body: &Value, changes: bool) -> Result<Value, String> {
        let limit = self.client.limits.timeout;
        match tokio::time::timeout(limit, self.ask_once(path, body, changes)).await {
            Ok(answer) => answer,
            Err(_) if changes => Err("Docmost takes too long. It is not known whether the change was made.".to_owned()),
            Err(_) => Err("Docmost takes too long.".to_owned()),
        }
    }

    pub(super) async fn read(&self, path: &str, body: Value) -> Result<Value, String> {
        self.within_time(path, &body, false).await
    }

    pub(super) async fn change(&self, path: &str, body: Value) -> Result<Value, String> {
        self.within_time(path, &body, true).await
    }

    /// All items of a list that is read a page at a time, up to `most`; whether there are more.
    pub(super) async fn list(&self, path: &str, body: Value, most: usize) -> Result<(Vec<Value>, bool), String> {
        let (mut items, mut cursor) = (Vec::new(), Value::Null);
        for _ in 0..MOST_PAGES {
            let mut body = body.clone();
            put(&mut body, "limit", json!(PAGE_ITEMS.min(most.max(1))));
            if !cursor.is_null() {
                put(&mut body, "cursor", cursor);
            }
            let page = self.read(path, body).await?;
            items.extend(items_of(&page));
            cursor = page.pointer("/meta/nextCursor").cloned().unwrap_or_default();
            if items.len() >= most || cursor.is_null() {
                break;
            }
        }
        let has_more = items.len() > most || !cursor.is_null();
        items.truncate(most);
        Ok((items, has_more))
    }
}

/// What is in the envelope that the server's answers come in.
fn unwrapped(mut answer: Value) -> Value {
    match answer.as_object_mut() {
        Some(members) if members.contains_key("success") || members.contains_key("status") => {
            members.remove("data").unwrap_or(answer)
        }
        _ => answer,
    }
}

/// The items of a list, whichever way the server has it.
pub(super) fn items_of(list: &Value) -> Vec<Value> {
    list.as_array().or_else(|| list.get("items")?.as_array()).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_with_and_without_its_interface() {
        for (address, api) in [
            ("https://wiki.example", "https://wiki.example/api"),
            (" https://wiki.example/ ", "https://wiki.example/api"),
            ("http://127.0.0.1:3000/api", "http://127.0.0.1:3000/api"),
            ("https://example.com/wiki/api/", "https://example.com/wiki/api"),
        ] {
            assert_eq!(api_of(address).unwrap(), api);
        }
        for address in
            ["", "wiki", "ftp://wiki", "https://u:p@wiki", "https://wiki?token=t", "https://wiki#x", "http://"]
        {
            assert!(api_of(address).is_err(), "{address}");
        }
    }

    #[test]
    fn answers_come_in_an_envelope_or_without() {
        assert_eq!(unwrapped(json!({"data": [1], "success": true, "status": 200})), json!([1]));
        assert_eq!(unwrapped(json!({"items": [1], "success": true})), json!({"items": [1], "success": true}));
        assert_eq!(unwrapped(json!({"data": {"a": 1}})), json!({"data": {"a": 1}}));
        assert_eq!(items_of(&json!({"items": [1, 2]})), items_of(&json!([1, 2])));
    }
}
