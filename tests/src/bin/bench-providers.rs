//! What reading providers costs, beside a reader that only splits events, in the same run; how soon a stop reaches a
//! provider; what opening a stored key costs. `cargo run --release -p turnkeep-tests --bin bench-providers [streams|stops|secrets]`

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use secrecy::SecretString;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turnkeep::provider::anthropic::Anthropic;
use turnkeep::provider::gemini::Gemini;
use turnkeep::provider::ollama::Ollama;
use turnkeep::provider::openai_compatible::OpenAiCompatible;
use turnkeep::provider::{ChatRequest, Driver, HttpClient, HttpOptions, HttpProvider, Provider, StreamPart};
use turnkeep::secret::{RecordIdentity, SecretBox};
use turnkeep_tests::chunks::{finish, text};
use turnkeep_tests::fault::{Act, FaultServer, head};
use turnkeep_tests::scenario::{options, request};

const ROUNDS: usize = 15;
const STOPS: usize = 200;
/// What the system before sealed with Node's `crypto`.
const LEGACY: &str = "BwcHBwcHBwcHBwcHBwcHBwkJCQkJCQkJCQkJCSuSphQY6QicAV6TkfzHaTPZhCUtVActncE0i70+dUYpzozIPB3oRA==";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    if arguments.iter().any(|argument| argument == "serve") {
        return runtime.block_on(serve());
    }
    let wanted = |name: &str| {
        let named = ["streams", "stops", "secrets"];
        arguments.iter().any(|argument| argument == name)
            || !arguments.iter().any(|argument| named.contains(&argument.as_str()))
    };
    if wanted("streams") {
        let server = Server::start();
        runtime.block_on(streams(&server));
    }
    if wanted("stops") {
        runtime.block_on(stops());
    }
    if wanted("secrets") {
        secrets();
    }
}

/// The server, in a process of its own, so that its time is not counted.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start() -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program).arg("serve").stdout(Stdio::piped()).spawn().expect("a server");
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("its output");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("its port");
        Self { child, port: line.trim().parse().expect("a port") }
    }

    fn url(&self, dialect: &str, deltas: usize) -> String {
        format!("http://127.0.0.1:{}/{dialect}/{deltas}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Some twenty tokens of an answer.
const WORDS: &str = " the quick brown fox jumps";

fn answer(dialect: &str, deltas: usize) -> (&'static str, Vec<String>) {
    let event = |value: serde_json::Value| format!("data: {value}\n\n");
    match dialect {
        "gemini" => {
            let part = |text: &str, reason: Option<&str>| {
                event(
                    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": reason, "index": 0}],
                    "usageMetadata": {"promptTokenCount": 9, "candidatesTokenCount": 3, "totalTokenCount": 12}, "modelVersion": "m", "responseId": "r"}),
                )
            };
            let mut events = vec![part(WORDS, None); deltas];
            events.push(part("", Some("STOP")));
            ("text/event-stream", events)
        }
        "anthropic" => {
            let named = |kind: &str, mut value: serde_json::Value| {
                value["type"] = json!(kind);
                format!("event: {kind}\n{}", event(value))
            };
            let mut events = vec![
                named(
                    "message_start",
                    json!({"message": {"id": "i", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}}),
                ),
                named("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}})),
            ];
            events.extend((0..deltas).map(|_| {
                named("content_block_delta", json!({"index": 0, "delta": {"type": "text_delta", "text": WORDS}}))
            }));
            events.push(named("content_block_stop", json!({"index": 0})));
            events.push(named(
                "message_delta",
                json!({"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
            ));
            events.push(named("message_stop", json!({})));
            ("text/event-stream", events)
        }
        "ollama" => {
            let line = |text: &str, done: bool| {
                format!(
                    "{}\n",
                    json!({"model": "m", "created_at": "2026-07-01T00:00:00Z", "message": {"role": "assistant", "content": text},
                    "done": done, "done_reason": done.then_some("stop"), "prompt_eval_count": 9, "eval_count": 3})
                )
            };
            let mut lines = vec![line(WORDS, false); deltas];
            lines.push(line("", true));
            ("application/x-ndjson", lines)
        }
        _ => ("text/event-stream", [vec![text(WORDS); deltas], finish("stop", 9, 3)].concat()),
    }
}

/// Answers `POST /DIALECT/DELTAS/…`, event by event, as fast as the reader reads.
async fn serve() {
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    // Two hundred readers come at once; one that the queue has no room for would come again a second later.
    let listener = socket.listen(4096).expect("a listener");
    println!("{}", listener.local_addr().expect("an address").port());
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut bytes = Vec::new();
            let mut piece = [0; 4096];
            while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
                match stream.read(&mut piece).await {
                    Ok(read) if read > 0 => bytes.extend_from_slice(&piece[..read]),
                    _ => return,
                }
            }
            let head = String::from_utf8_lossy(&bytes).into_owned();
            let mut path = head.split(' ').nth(1).unwrap_or_default().split('/').skip(1);
            let dialect = path.next().unwrap_or_default();
            let deltas = path.next().and_then(|deltas| deltas.parse().ok()).unwrap_or(0);
            let (content_type, events) = answer(dialect, deltas);
            let head = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let mut sent = stream.write_all(head.as_bytes()).await;
            for event in events {
                if sent.is_err() {
                    return;
                }
                sent = stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await;
            }
            let _ = stream.write_all(b"0\r\n\r\n").await;
            let _ = stream.shutdown().await;
            while stream.read(&mut piece).await.is_ok_and(|read| read > 0) {}
        });
    }
}

/// The time that all threads of this process have spent on a processor.
fn cpu_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").expect("the threads");
    let spent = tasks.filter_map(|task| {
        let schedstat = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(spent.sum())
}

fn driver(dialect: &str, url: &str) -> Box<dyn Driver> {
    match dialect {
        "gemini" => Box::new(Gemini::new(Some(url), "m")),
        "anthropic" => Box::new(Anthropic::new(Some(url), "m")),
        "ollama" => Box::new(Ollama::new(Some(url), "m")),
        _ => Box::new(OpenAiCompatible::new(url, "m")),
    }
}

/// Reads by the driver and the shell; returns the deltas.
async fn by_driver(client: HttpClient, dialect: &'static str, url: String) -> usize {
    let key = Some(SecretString::from("test-key-0123456789".to_owned()));
    let provider = HttpProvider::new(client, driver(dialect, &url), key, None);
    let mut parts = provider.stream(&ChatRequest::default());
    let (mut deltas, mut finished) = (0, false);
    while let Some(part) = parts.next().await {
        match part.expect("a part") {
            StreamPart::BlockDelta { delta, .. } if !delta.is_empty() => deltas += 1,
            StreamPart::Finish { .. } => finished = true,
            StreamPart::Error(failure) => panic!("{}", failure.message),
            _ => {}
        }
    }
    assert!(finished);
    deltas
}

/// Reads by the same HTTP library and looks for the ends of events only; returns the events.
async fn by_splitting(client: reqwest::Client, dialect: &'static str, url: String) -> usize {
    let mut response = client.post(url).body("{}").send().await.expect("an answer");
    let (mut events, mut line_is_empty) = (0, false);
    let lines = dialect == "ollama";
    while let Some(bytes) = response.chunk().await.expect("bytes") {
        for byte in &bytes {
            if *byte == b'\n' {
                events += usize::from(lines || line_is_empty);
                line_is_empty = true;
            } else {
                line_is_empty = false;
            }
        }
    }
    events
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn streams(server: &Server) {
    let client = HttpClient::new(HttpOptions::default()).expect("a client");
    let plain = reqwest::Client::builder().no_proxy().build().expect("a client");
    for dialect in ["openai-compatible", "gemini", "anthropic", "ollama"] {
        for (streams, deltas) in [(1, 2000), (200, 200)] {
            let url = server.url(dialect, deltas);
            let (mut ours, mut theirs) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
            for _ in 0..ROUNDS {
                let (wall, cpu) = (Instant::now(), cpu_time());
                let read = (0..streams).map(|_| tokio::spawn(by_driver(client.clone(), dialect, url.clone())));
                for stream in read.collect::<Vec<_>>() {
                    assert_eq!(stream.await.expect("a stream"), deltas);
                }
                ours.0.push(wall.elapsed());
                ours.1.push(cpu_time() - cpu);
                let (wall, cpu) = (Instant::now(), cpu_time());
                let read = (0..streams).map(|_| tokio::spawn(by_splitting(plain.clone(), dialect, url.clone())));
                for stream in read.collect::<Vec<_>>() {
                    assert!(stream.await.expect("a stream") >= deltas);
                }
                theirs.0.push(wall.elapsed());
                theirs.1.push(cpu_time() - cpu);
            }
            let (wall, cpu) = (median(ours.0), median(ours.1));
            let (split_wall, split_cpu) = (median(theirs.0), median(theirs.1));
            println!(
                "{dialect:>17}, {streams:>3} streams of {deltas:>4} deltas: wall {:>6.1} ms, {:.2} times a splitting reader \
                 ({:.1}); cpu {:>6.1} ms, {:.2} times ({:.1})",
                wall.as_secs_f64() * 1e3,
                wall.as_secs_f64() / split_wall.as_secs_f64(),
                split_wall.as_secs_f64() * 1e3,
                cpu.as_secs_f64() * 1e3,
                cpu.as_secs_f64() / split_cpu.as_secs_f64(),
                split_cpu.as_secs_f64() * 1e3,
            );
        }
    }
}

async fn stops() {
    let half = [head(200, &[("content-type", "text/event-stream")]), text("half").into_bytes()].concat();
    let server = FaultServer::start(vec![vec![Act::Send(half), Act::Stall]]).await;
    let engine =
        turnkeep::Engine::open(options("sqlite::memory:", &server.base_url(), json!({}))).await.expect("an engine");
    let mut times = Vec::new();
    for number in 0..STOPS {
        let turn = engine.start_turn(request("hi", json!({})), Vec::new()).await.expect("a turn");
        let mut reader = turn.chunks();
        while !reader.next_batch(1).await.iter().any(|chunk| chunk.contains("text-delta")) {}
        let begun = Instant::now();
        turn.stop().await.expect("stopped");
        times.push(server.until_left(number + 1).await - begun);
        turn.done().await.expect("settled");
    }
    engine.close(None).await.expect("closed in order");
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "stop while streaming, {STOPS} times: the provider sees the connection closed after p50 {:.2} ms, p99 {:.2} ms",
        at(50),
        at(99)
    );
}

fn secrets() {
    let secret = |text: &str| SecretString::from(text.to_owned());
    let opener = SecretBox::new(secret("legacy application secret"), []);
    let record = RecordIdentity::provider_key("w", "openai", "api_key_enc");
    let sealed = opener.seal(&secret("sk-of-a-provider-with-a-long-key"), &record).expect("sealed");
    let each = |times: u32, blob: &str| {
        let begun = Instant::now();
        for _ in 0..times {
            opener.open(blob, &record).expect("opened");
        }
        begun.elapsed() / times
    };
    let (new, old) = (each(20_000, &sealed), each(20, LEGACY));
    println!(
        "opening a stored key: {:.2} µs; one of the system before (scrypt): {:.1} ms, {:.0} times as long",
        new.as_secs_f64() * 1e6,
        old.as_secs_f64() * 1e3,
        old.as_secs_f64() / new.as_secs_f64()
    );
}
