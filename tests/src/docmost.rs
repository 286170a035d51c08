//! A Docmost server of these tests: a small wiki behind the REST interface, well behaved or not.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This, in the envelope that answers come in.
    Data(Value),
    /// A status with a content type and a body.
    Status(u16, &'static str, String),
    /// Another place.
    Moved(u16, String),
    /// Nothing: the connection stays open.
    Never,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path, without `/api`.
    pub path: String,
    /// The token.
    pub token: String,
    /// The body.
    pub body: Value,
}

type Wiki = dyn Fn(&Asked) -> Answer + Send + Sync;

/// The running server. It stops when it is dropped.
pub struct DocmostServer {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    wiki: Box<Wiki>,
    asked: Mutex<Vec<Asked>>,
    left: Mutex<usize>,
    changed: Notify,
}

impl DocmostServer {
    /// Listens on a free loopback port.
    pub async fn start(wiki: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state =
            State { wiki: Box::new(wiki), asked: Mutex::default(), left: Mutex::default(), changed: Notify::new() };
        let state = Arc::new(state);
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
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.state.asked.lock().expect("no panic").clone()
    }

    /// The same as lines: path and body.
    pub fn lines(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.path, asked.body)).collect()
    }

    /// Waits until it was asked so often.
    pub async fn until_asked(&self, count: usize) {
        self.until(|state| state.asked.lock().expect("no panic").len() >= count).await;
    }

    /// Waits until so many have gone away before they were answered.
    pub async fn until_left(&self, count: usize) {
        self.until(|state| *state.left.lock().expect("no panic") >= count).await;
    }

    async fn until(&self, condition: impl Fn(&State) -> bool) {
        loop {
            let changed = self.state.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition(&self.state) {
                return;
            }
            changed.await;
        }
    }
}

impl Drop for DocmostServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    let mut bytes = Vec::new();
    while let Some((asked, rest)) = request(&mut stream, bytes).await {
        bytes = rest;
        let answer = (state.wiki)(&asked);
        state.asked.lock().expect("no panic").push(asked);
        state.changed.notify_waiters();
        let (status, headers, body) = match answer {
            Answer::Data(data) => {
                let body = json!({"data": data, "success": true, "status": 200}).to_string();
                (200, "content-type: application/json".to_owned(), body)
            }
            Answer::Status(status, kind, body) => (status, format!("content-type: {kind}"), body),
            Answer::Moved(status, to) => (status, format!("location: {to}"), String::new()),
            Answer::Never => {
                while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
                *state.left.lock().expect("no panic") += 1;
                state.changed.notify_waiters();
                return;
            }
        };
        let head = format!("HTTP/1.1 {status} Wiki\r\n{headers}\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await.is_err() {
            return;
        }
    }
}

/// The next request, and what has come of the one behind it.
async fn request(stream: &mut TcpStream, mut bytes: Vec<u8>) -> Option<(Asked, Vec<u8>)> {
    let mut piece = [0; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let header = |name: &str| {
                let mut lines = head.lines().filter_map(|line| line.split_once(": "));
                lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
            };
            let complete = end + 4 + header("content-length").and_then(|it| it.parse::<usize>().ok()).unwrap_or(0);
            if bytes.len() >= complete {
                let target = head.split(' ').nth(1).unwrap_or_default();
                let token = header("authorization").unwrap_or_default();
                let asked = Asked {
                    path: target.strip_prefix("/api").unwrap_or(target).to_owned(),
                    token: token.strip_prefix("Bearer ").unwrap_or(&token).to_owned(),
                    body: serde_json::from_slice(&bytes[end + 4..complete]).unwrap_or_default(),
                };
                return Some((asked, bytes[complete..].to_vec()));
            }
        }
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
    }
}

/// A node of the editor's.
pub fn paragraph(id: &str, text: &str) -> Value {
    json!({"type": "paragraph", "attrs": {"id": id}, "content": [{"type": "text", "text": text}]})
}

/// The document of the page `p1` of [`wiki`].
pub fn document() -> Value {
    let cell = |text: &str| json!({"type": "tableCell", "content": [paragraph(&format!("c{text}"), text)]});
    let table = json!({"type": "table", "content": [{"type": "tableRow", "content": [cell("1"), cell("2")]}]});
    let heading =
        json!({"type": "heading", "attrs": {"id": "h", "level": 2}, "content": [{"type": "text", "text": "Head"}]});
    json!({"type": "doc", "content": [heading, paragraph("p", "Body"), table]})
}

/// A wiki with a page `p1` of a space `s1`, and one `p2` below it. It takes every change and forgets it.
pub fn wiki(asked: &Asked) -> Answer {
    let list = |items: Value| json!({"items": items, "meta": {"limit": 100, "nextCursor": null}});
    let page = |id: &str| {
        json!({"id": id, "slugId": format!("slug-{id}"), "title": format!("Page {id}"), "parentPageId": null, "spaceId": "s1",
            "icon": null, "position": "a1V", "hasChildren": id == "p1", "updatedAt": "2026-01-02T00:00:00.000Z", "isLocked": false})
    };
    let comment = json!({"id": "c1", "pageId": "p1", "content": {"type": "doc", "content": [paragraph("x", "Right?")]},
        "selection": "Body", "type": "inline", "creatorId": "u1", "creator": {"name": "Ann"}, "createdAt": "2026-03-01T00:00:00.000Z"});
    let body = &asked.body;
    let whole = || {
        let mut page = page(body["pageId"].as_str().unwrap_or("p1"));
        page["content"] = if body["format"] == "markdown" { json!("## Head\n\nBody") } else { document() };
        page
    };
    Answer::Data(match asked.path.as_str() {
        "/search" => list(json!([{"id": "p1", "title": "Page p1", "highlight": "<b>Body</b>", "rank": 1}])),
        "/pages/info" if !matches!(body["pageId"].as_str(), Some("p1" | "p2")) => {
            return Answer::Status(404, "application/json", json!({"message": "Page not found"}).to_string());
        }
        "/pages/info" | "/pages/update" => whole(),
        "/pages/create" => json!({"id": "p9", "slugId": "slug-p9", "title": body["title"]}),
        "/pages/recent" => list(json!([page("p1"), page("p2")])),
        "/pages/sidebar-pages" => match body["pageId"].as_str() {
            None => list(json!([page("p1")])),
            Some("p1") => list(json!([page("p2")])),
            Some(_) => list(json!([])),
        },
        "/pages/history" => list(json!([{"id": "h1", "title": "Page p1"}])),
        "/pages/history/info" => {
            json!({"id": "h1", "pageId": "p1", "title": "Page p1", "createdAt": "2026-01-01T00:00:00.000Z",
            "content": {"type": "doc", "content": [paragraph("p", "Before")]}, "lastUpdatedBy": {"name": "Ann"}})
        }
        "/workspace/info" => json!({"id": "w", "name": "Wiki", "defaultSpaceId": "s1", "settings": {"secret": 1}}),
        "/spaces" => {
            list(json!([{"id": "s1", "name": "Space", "slug": "space", "visibility": "private", "logo": "x"}]))
        }
        "/comments" => list(json!([comment])),
        "/comments/info" | "/comments/create" | "/comments/resolve" => comment,
        "/shares" => list(json!([{"id": "sh1", "key": "k", "pageId": "p1", "searchIndexing": false,
            "createdAt": "2026-01-01T00:00:00.000Z", "page": {"title": "Page p1", "slugId": "slug-p1"}}])),
        "/shares/create" => {
            json!({"id": "sh1", "key": "k", "pageId": body["pageId"], "searchIndexing": body["searchIndexing"]})
        }
        "/shares/for-page" => json!({"id": "sh1", "level": if body["pageId"] == "p1" { 0 } else { 1 }}),
        "/pages/move" | "/pages/delete" | "/shares/delete" => Value::Null,
        _ => return Answer::Status(404, "text/html", "<h1>Not here</h1>".to_owned()),
    })
}
