//! A provider whose connections break at chosen bytes: what it sends is raw, down to the head of the answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens on a connection once its request has been read.
#[derive(Clone, Debug)]
pub enum Act {
    /// These bytes are sent.
    Send(Vec<u8>),
    /// These bytes are sent one by one, each in a packet of its own.
    Trickle(Vec<u8>),
    /// Nothing is sent for so long.
    Pause(Duration),
    /// This is sent again and again, with a pause after each, until the client leaves.
    Repeat(Vec<u8>, Duration),
    /// Nothing is sent any more; the client has to leave.
    Stall,
    /// The connection is reset.
    Reset,
}

/// A connection's acts in their order. After the last one it is closed.
pub type Acts = Vec<Act>;

/// The running server. It stops when it is dropped.
pub struct FaultServer {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    /// The acts of each request's connection, in order; the last ones serve all further requests.
    script: Vec<Acts>,
    requests: Mutex<Vec<String>>,
    served: AtomicUsize,
    /// Connections that are open.
    open: watch::Sender<usize>,
    /// How many clients left before their connection's acts were over.
    left: watch::Sender<usize>,
}

impl FaultServer {
    /// Listens on a free loopback port.
    pub async fn start(script: Vec<Acts>) -> Self {
        Self::with(|_| script).await
    }

    /// As [`FaultServer::start`], for scripts that name the port.
    pub async fn with(script: impl FnOnce(u16) -> Vec<Acts>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State {
            script: script(port),
            requests: Mutex::default(),
            served: AtomicUsize::new(0),
            open: watch::Sender::new(0),
            left: watch::Sender::new(0),
        });
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.open.send_modify(|open| *open += 1);
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    serve(stream, &state).await;
                    state.open.send_modify(|open| *open -= 1);
                });
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

    /// The requests so far, head and body.
    pub fn requests(&self) -> Vec<String> {
        self.state.requests.lock().expect("no panic").clone()
    }

    /// Waits until no connection is open.
    pub async fn until_closed(&self) {
        let mut open = self.state.open.subscribe();
        open.wait_for(|open| *open == 0).await.expect("the server runs");
    }

    /// Waits until this many clients have left before the end; returns the moment at which that was seen.
    pub async fn until_left(&self, count: usize) -> std::time::Instant {
        let mut left = self.state.left.subscribe();
        left.wait_for(|left| *left >= count).await.expect("the server runs");
        std::time::Instant::now()
    }

    /// Waits until this many requests have been read.
    pub async fn until_requests(&self, count: usize) {
        let mut open = self.state.open.subscribe();
        while self.state.served.load(Ordering::SeqCst) < count {
            open.changed().await.expect("the server runs");
        }
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, state: &State) {
    let _ = stream.set_nodelay(true);
    let Some(request) = read_request(&mut stream).await else { return };
    state.requests.lock().expect("no panic").push(request);
    let number = state.served.fetch_add(1, Ordering::SeqCst);
    // Who waits for requests looks again.
    state.open.send_modify(|_| {});
    let Some(acts) = state.script.get(number).or(state.script.last()) else { return };
    let acts = acts.clone();
    for act in acts {
        let gone = match act {
            Act::Send(bytes) => stream.write_all(&bytes).await.is_err(),
            Act::Trickle(bytes) => {
                let mut gone = false;
                for byte in bytes {
                    gone = gone || stream.write_all(&[byte]).await.is_err() || stream.flush().await.is_err();
                }
                gone
            }
            Act::Pause(time) => has_left(&mut stream, Some(time)).await,
            Act::Repeat(bytes, time) => loop {
                if stream.write_all(&bytes).await.is_err() || has_left(&mut stream, Some(time)).await {
                    break true;
                }
            },
            Act::Stall => has_left(&mut stream, None).await,
            Act::Reset => {
                // Without a linger the kernel answers with a reset instead of an orderly end.
                let _ = stream.set_zero_linger();
                return;
            }
        };
        if gone {
            state.left.send_modify(|left| *left += 1);
            return;
        }
    }
    // An orderly end, which the client may be slow to see.
    let _ = stream.shutdown().await;
    has_left(&mut stream, None).await;
}

/// Whether the client closes its end, within `time` if that is given.
async fn has_left(stream: &mut TcpStream, time: Option<Duration>) -> bool {
    let left = async {
        let mut rest = [0; 1024];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    };
    match time {
        Some(time) => tokio::time::timeout(time, left).await.is_ok(),
        None => {
            left.await;
            true
        }
    }
}

/// One request with its body; `None` when the client leaves before it is complete.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let read = stream.read(&mut piece).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&piece[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        if bytes.len() >= end + 4 + length.unwrap_or(0) {
            return Some(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

/// The head of an answer with this status and these headers; the connection is closed after it.
pub fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// An answer of one body with its length.
pub fn body(status: u16, content_type: &str, headers: &[(&str, &str)], body: &str) -> Act {
    let length = body.len().to_string();
    let headers = [headers, &[("content-type", content_type), ("content-length", &length)]].concat();
    Act::Send([head(status, &headers), body.as_bytes().to_vec()].concat())
}

/// One chunk of a chunked body.
pub fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}
