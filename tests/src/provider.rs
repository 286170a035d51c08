//! A provider that speaks real HTTP on loopback and answers from a script, with exact chunk boundaries.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What the provider answers, request by request.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Script {
    /// The answers, in order. When they are used up every further request gets a 500.
    pub responses: Vec<Response>,
    /// Begin again with the first answer instead.
    pub repeat: bool,
    /// Choose the answer by the step of the request's turn: the number of assistant messages after the last user's.
    /// So the same script serves any number of turns, also of clients that were killed half-way.
    pub by_step: bool,
}

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Headers; `content-type` is `text/event-stream` unless given.
    pub headers: BTreeMap<String, String>,
    /// Written and flushed one by one.
    pub chunks: Vec<String>,
    /// A body to send at once instead of chunks.
    pub body: Option<String>,
    /// A pause before the head, in milliseconds.
    pub delay_ms: u64,
    /// A pause after each chunk, in milliseconds.
    pub chunk_delay_ms: u64,
    /// What happens after the last chunk.
    pub then: Then,
}

/// How an answer's connection ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Then {
    /// In order.
    #[default]
    End,
    /// Not at all; the provider waits for the client to leave.
    Hang,
    /// Cut off.
    Reset,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            status: 200,
            headers: BTreeMap::new(),
            chunks: Vec::new(),
            body: None,
            delay_ms: 0,
            chunk_delay_ms: 0,
            then: Then::End,
        }
    }
}

impl Response {
    /// An answer of these events.
    pub fn stream(chunks: impl IntoIterator<Item = String>) -> Self {
        Self { chunks: chunks.into_iter().collect(), ..Self::default() }
    }

    /// An answer of one body.
    pub fn body(status: u16, content_type: &str, body: &str) -> Self {
        let headers = BTreeMap::from([("content-type".to_owned(), content_type.to_owned())]);
        Self { status, headers, body: Some(body.to_owned()), ..Self::default() }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same answer, ended another way.
    #[must_use]
    pub fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }
}

/// The running provider. It stops when it is dropped.
pub struct ScriptedProvider {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    script: Script,
    next: AtomicUsize,
    requests: Mutex<Vec<Value>>,
    left_early: AtomicUsize,
    changed: Notify,
}

impl ScriptedProvider {
    /// Listens on a free loopback port.
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State { script, ..State::default() });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state, accepting }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a client is configured with.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The bodies of the requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.state.requests.lock().expect("no panic").clone()
    }

    /// Waits until there have been this many requests.
    pub async fn until_requests(&self, count: usize) {
        self.until(|state| state.requests.lock().expect("no panic").len() >= count).await;
    }

    /// Waits until this many clients have closed their connection before the answer's end.
    pub async fn until_left_early(&self, count: usize) {
        self.until(|state| state.left_early.load(Ordering::SeqCst) >= count).await;
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let changed = self.state.changed.notified();
            if condition(&self.state) {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for ScriptedProvider {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let Some(body) = read_request(&mut stream).await else { return };
    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let step = step_of(&request);
    state.requests.lock().expect("no panic").push(request);
    let counted = state.next.fetch_add(1, Ordering::SeqCst);
    let place = if state.script.by_step { step } else { counted };
    state.changed.notify_waiters();
    let responses = &state.script.responses;
    let place = if state.script.repeat && !responses.is_empty() { place % responses.len() } else { place };
    let exhausted = Response::body(500, "application/json", r#"{"error":{"message":"no scripted response"}}"#);
    let response = responses.get(place).cloned().unwrap_or(exhausted);
    if answer(&mut stream, &response).await.is_none() {
        state.left_early.fetch_add(1, Ordering::SeqCst);
        state.changed.notify_waiters();
    }
}

fn step_of(request: &Value) -> usize {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    messages.iter().rev().take_while(|m| m["role"] != "user").filter(|m| m["role"] == "assistant").count()
}

/// The body of one request; `None` when the client leaves before it is complete.
pub(crate) async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        let complete = end + 4 + length.unwrap_or(0);
        if bytes.len() >= complete {
            return Some(bytes[end + 4..complete].to_vec());
        }
    }
}

/// Writes the answer; `None` when the client leaves before its end.
async fn answer(stream: &mut TcpStream, response: &Response) -> Option<()> {
    sleep(Duration::from_millis(response.delay_ms)).await;
    let mut head = format!("HTTP/1.1 {} Scripted\r\nconnection: close\r\n", response.status);
    let mut headers = response.headers.clone();
    headers.entry("content-type".to_owned()).or_insert_with(|| "text/event-stream".to_owned());
    match &response.body {
        Some(body) => headers.insert("content-length".to_owned(), body.len().to_string()),
        None => headers.insert("transfer-encoding".to_owned(), "chunked".to_owned()),
    };
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.ok()?;
    if let Some(body) = &response.body {
        stream.write_all(body.as_bytes()).await.ok()?;
    }
    for chunk in &response.chunks {
        let framed = format!("{:x}\r\n{chunk}\r\n", chunk.len());
        stream.write_all(framed.as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        sleep(Duration::from_millis(response.chunk_delay_ms)).await;
    }
    match response.then {
        Then::End if response.body.is_none() => stream.write_all(b"0\r\n\r\n").await.ok(),
        Then::End => Some(()),
        Then::Reset => {
            // Without a linger the kernel answers with a reset instead of an orderly end.
            let _ = stream.set_zero_linger();
            Some(())
        }
        Then::Hang => {
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            None
        }
    }
}
