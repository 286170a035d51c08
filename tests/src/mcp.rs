//! A tool server of these tests: the Model Context Protocol in each revision and over both wires, well behaved or not.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// How a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Without sessions: 2026-07-28.
    Stateless,
    /// With a handshake that comes to this revision, and a session.
    Handshake(&'static str),
    /// The older wire, under `/sse`.
    Sse,
}

/// What a server does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A result, as one document.
    Result(Value),
    /// The protocol's own error.
    Error(i64, &'static str),
    /// These messages, then the result, as a stream of events.
    Stream(Vec<Value>, Value),
    /// A status, with a header and a body.
    Status(u16, (&'static str, String), &'static str),
    /// Nothing: the connection stays open.
    Never,
    /// The connection ends before an answer.
    Cut,
}

type Answer = dyn Fn(&Value) -> Reply + Send + Sync;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The headers, by their names in small letters.
    pub headers: BTreeMap<String, String>,
    /// The message; null where there is none.
    pub message: Value,
}

impl Seen {
    /// What the message asks for, or how it was sent where it asks for nothing.
    pub fn what(&self) -> &str {
        self.message["method"].as_str().unwrap_or(&self.method)
    }
}

/// The running server. It stops when it is dropped.
pub struct McpServer {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    speaks: Speaks,
    lists: Box<Answer>,
    calls: Box<Answer>,
    seen: Mutex<Vec<Seen>>,
    sessions: Mutex<HashSet<String>>,
    streams: Mutex<Vec<mpsc::UnboundedSender<String>>>,
    left: Mutex<usize>,
    changed: Notify,
}

impl McpServer {
    /// Listens on a free loopback port. `tools` are listed; `calls` answers the `params` of calls.
    pub async fn start(speaks: Speaks, tools: Value, calls: impl Fn(&Value) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_lists(speaks, move |_| Reply::Result(json!({"tools": tools})), calls).await
    }

    /// The same, whose lists of tools are answered by `lists`.
    pub async fn with_lists(
        speaks: Speaks,
        lists: impl Fn(&Value) -> Reply + Send + Sync + 'static,
        calls: impl Fn(&Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            speaks,
            lists: Box::new(lists),
            calls: Box::new(calls),
            seen: Mutex::default(),
            sessions: Mutex::default(),
            streams: Mutex::default(),
            left: Mutex::default(),
            changed: Notify::new(),
        });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state, accepting }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        let path = if self.state.speaks == Speaks::Sse { "sse" } else { "mcp" };
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    /// What has come so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().expect("no panic").clone()
    }

    /// What has been asked for so far, in order.
    pub fn asked(&self) -> Vec<String> {
        self.seen().iter().map(|seen| seen.what().to_owned()).collect()
    }

    /// How often that was asked for.
    pub fn count(&self, what: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == what).count()
    }

    /// Waits until that has been asked for so often.
    pub async fn until(&self, what: &str, count: usize) {
        self.until_so(|| self.count(what) >= count).await;
    }

    /// Waits until this many clients have closed the connection of a request without an answer.
    pub async fn until_left(&self, count: usize) {
        self.until_so(|| *self.state.left.lock().expect("no panic") >= count).await;
    }

    async fn until_so(&self, is_so: impl Fn() -> bool) {
        loop {
            let changed = self.state.changed.notified();
            if is_so() {
                return;
            }
            changed.await;
        }
    }

    /// Knows no session any more, and ends the streams of the older wire.
    pub fn forget_sessions(&self) {
        self.state.sessions.lock().expect("no panic").clear();
        self.state.streams.lock().expect("no panic").clear();
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.state.sessions.lock().expect("no panic").len()
    }
}

impl Drop for McpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    let end = loop {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let pairs = lines.filter_map(|line| line.split_once(':'));
    let headers: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    while bytes.len() < end + 4 + length {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
    }
    let message = serde_json::from_slice(&bytes[end + 4..]).unwrap_or(Value::Null);
    Some(Seen { method, path, headers, message })
}

async fn send(stream: &mut TcpStream, status: u16, headers: &[(&str, &str)], body: &str) {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
}

const JSON: (&str, &str) = ("content-type", "application/json");
const EVENTS: &str = "HTTP/1.1 200 Scripted\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";

fn failure(id: &Value, code: i64, message: &str) -> String {
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}).to_string()
}

fn success(id: &Value, result: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let Some(seen) = read(&mut stream).await else { return };
    state.seen.lock().expect("no panic").push(seen.clone());
    state.changed.notify_waiters();
    match state.speaks {
        Speaks::Sse => older(&mut stream, &state, &seen).await,
        Speaks::Stateless => stateless(&mut stream, &state, &seen).await,
        Speaks::Handshake(revision) => session(&mut stream, &state, &seen, revision).await,
    }
}

async fn stateless(stream: &mut TcpStream, state: &State, seen: &Seen) {
    let (id, method) = (&seen.message["id"], seen.what());
    let meta = &seen.message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"];
    let is_told = seen.headers.get("mcp-method").map(String::as_str) == Some(method)
        && seen.headers.get("mcp-protocol-version").map(String::as_str) == Some("2026-07-28");
    if *meta != "2026-07-28" || !is_told || seen.headers.contains_key("mcp-session-id") {
        return send(stream, 400, &[JSON], &failure(id, -32020, "header mismatch")).await;
    }
    if method == "server/discover" {
        let found = json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
            "ttlMs": 0, "cacheScope": "private"});
        return send(stream, 200, &[JSON], &success(id, &found)).await;
    }
    reply(stream, state, seen).await;
}

async fn session(stream: &mut TcpStream, state: &State, seen: &Seen, revision: &str) {
    let (id, method) = (&seen.message["id"], seen.what());
    if method == "initialize" {
        let name = format!("session-{}", state.seen.lock().expect("no panic").len());
        state.sessions.lock().expect("no panic").insert(name.clone());
        let agreed = json!({"protocolVersion": revision, "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}});
        return send(stream, 200, &[JSON, ("mcp-session-id", &name)], &success(id, &agreed)).await;
    }
    let Some(name) = seen.headers.get("mcp-session-id") else {
        return send(stream, 400, &[JSON], &failure(&Value::Null, -32000, "Bad Request: no session")).await;
    };
    if !state.sessions.lock().expect("no panic").contains(name) {
        return send(stream, 404, &[JSON], &failure(&Value::Null, -32001, "Session not found")).await;
    }
    if seen.headers.get("mcp-protocol-version").map(String::as_str) != Some(revision) {
        return send(stream, 400, &[JSON], &failure(id, -32600, "another revision")).await;
    }
    if seen.method == "DELETE" {
        state.sessions.lock().expect("no panic").remove(name);
        state.changed.notify_waiters();
        return send(stream, 200, &[], "").await;
    }
    reply(stream, state, seen).await;
}

fn answer(state: &State, message: &Value) -> Reply {
    match message["method"].as_str() {
        Some("tools/list") => (state.lists)(&message["params"]),
        Some("tools/call") => (state.calls)(&message["params"]),
        _ => Reply::Error(-32601, "Method not found"),
    }
}

async fn reply(stream: &mut TcpStream, state: &State, seen: &Seen) {
    let id = &seen.message["id"];
    if id.is_null() || seen.message.get("method").is_none() {
        return send(stream, 202, &[], "").await;
    }
    match answer(state, &seen.message) {
        Reply::Result(result) => send(stream, 200, &[JSON], &success(id, &result)).await,
        Reply::Error(code, message) => send(stream, 200, &[JSON], &failure(id, code, message)).await,
        Reply::Status(status, (name, value), body) => send(stream, status, &[(name, &value)], body).await,
        Reply::Stream(messages, result) => {
            let token = &seen.message["params"]["_meta"]["progressToken"];
            let mut text = EVENTS.to_owned();
            for message in messages {
                let message = message.to_string().replace("\"<token>\"", &token.to_string());
                text.push_str(&format!("event: message\ndata: {message}\n\n"));
            }
            text.push_str(&format!("data: {}\n\n", success(id, &result)));
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Reply::Never => {
            let _ = stream.write_all(EVENTS.as_bytes()).await;
            let mut rest = [0; 64];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            *state.left.lock().expect("no panic") += 1;
            state.changed.notify_waiters();
        }
        Reply::Cut => {}
    }
}

/// The older wire: one stream for answers, and another address for messages.
async fn older(stream: &mut TcpStream, state: &State, seen: &Seen) {
    if seen.method == "GET" {
        let (sender, mut messages) = mpsc::unbounded_channel::<String>();
        state.streams.lock().expect("no panic").push(sender);
        let first = format!("{EVENTS}event: endpoint\ndata: /messages?session=1\n\n");
        let _ = stream.write_all(first.as_bytes()).await;
        let mut rest = [0; 64];
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => {
                        let _ = stream.write_all(format!("event: message\ndata: {message}\n\n").as_bytes()).await;
                    }
                    None => return,
                },
                read = stream.read(&mut rest) => if !read.is_ok_and(|read| read > 0) {
                    *state.left.lock().expect("no panic") += 1;
                    state.changed.notify_waiters();
                    return;
                },
            }
        }
    }
    send(stream, 202, &[], "").await;
    let id = &seen.message["id"];
    let told = match seen.message["method"].as_str() {
        Some("initialize") => Some(success(
            id,
            &json!({"protocolVersion": "2024-11-05", "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}}),
        )),
        Some(_) if !id.is_null() => match answer(state, &seen.message) {
            Reply::Result(result) | Reply::Stream(_, result) => Some(success(id, &result)),
            Reply::Error(code, message) => Some(failure(id, code, message)),
            _ => None,
        },
        _ => None,
    };
    let newest = state.streams.lock().expect("no panic").last().cloned();
    if let (Some(told), Some(newest)) = (told, newest) {
        let _ = newest.send(told);
    }
}
