//! Everything that goes wrong between us and a provider, at chosen bytes, over real connections: what the run ends as,
//! which text is kept, how many requests were made, and that nothing is left behind.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write as _;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use turnkeep::model::{RunReason, RunStatus};
use turnkeep::{Engine, ErrorCode};
use turnkeep_tests::chunks::{event, finish, text, tool_call};
use turnkeep_tests::fault::{Act, Acts, FaultServer, body, chunk, head};
use turnkeep_tests::leaks::{assert_no_key_was_shown, watch_logs};
use turnkeep_tests::scenario::{options, request, store_in, who};

/// Counts what is allocated and not freed.
struct Counting;

static LIVE_BYTES: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is passed on as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE_BYTES.fetch_add(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size().cast_signed(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KEY: &str = "sk-fault-key-0123456789";
/// How long the provider may be silent in these tests.
const SILENCE_MS: u64 = 400;

struct Case {
    name: &'static str,
    script: Box<dyn FnOnce(u16) -> Vec<Acts> + Send>,
    expected: Expected,
}

struct Expected {
    status: RunStatus,
    reason: Option<RunReason>,
    /// The error holds all of these.
    error: &'static [&'static str],
    text: &'static str,
    requests: usize,
}

fn sse() -> Vec<u8> {
    head(200, &[("content-type", "text/event-stream")])
}

fn chunked() -> Vec<u8> {
    head(200, &[("content-type", "text/event-stream"), ("transfer-encoding", "chunked")])
}

/// A whole answer that says `words`, ended by closing the connection.
fn answer(words: &str) -> Vec<u8> {
    let events = [vec![text(words)], finish("stop", 1, 1)].concat().concat();
    [sse(), events.into_bytes()].concat()
}

fn good() -> Acts {
    vec![Act::Send(answer("fine"))]
}

fn half() -> Vec<u8> {
    text("half").into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn case(name: &'static str, script: Vec<Acts>, expected: Expected) -> Case {
    Case { name, script: Box::new(move |_| script), expected }
}

fn fails(error: &'static [&'static str], text: &'static str, requests: usize) -> Expected {
    Expected { status: RunStatus::Failed, reason: Some(RunReason::ProviderError), error, text, requests }
}

fn times_out(text: &'static str) -> Expected {
    let error = &["sent nothing for"];
    Expected { status: RunStatus::Failed, reason: Some(RunReason::Timeout), error, text, requests: 1 }
}

fn succeeds(text: &'static str, requests: usize) -> Expected {
    Expected { status: RunStatus::Succeeded, reason: None, error: &[], text, requests }
}

fn send(pieces: &[&[u8]]) -> Act {
    Act::Send(pieces.concat())
}

fn refused(status: u16) -> Act {
    body(status, "application/json", &[], r#"{"error":{"message":"scripted refusal"}}"#)
}

/// Before the first byte of an answer.
fn before_the_answer() -> Vec<Case> {
    vec![
        case("reset before headers, once", vec![vec![Act::Reset], good()], succeeds("fine", 2)),
        case("reset before headers, always", vec![vec![Act::Reset]], fails(&["request to the provider failed"], "", 3)),
        case("closed before headers, once", vec![vec![], good()], succeeds("fine", 2)),
        case("closed before headers, always", vec![vec![]], fails(&["request to the provider failed"], "", 3)),
        case(
            "reset within the status line",
            vec![vec![send(&[b"HTTP/1.1 20"]), Act::Reset], good()],
            succeeds("fine", 2),
        ),
        case(
            "closed within the headers",
            vec![vec![send(&[b"HTTP/1.1 200 OK\r\ncontent-type: text/ev"])], good()],
            succeeds("fine", 2),
        ),
        case(
            "not HTTP",
            vec![vec![send(&[b"SSH-2.0-OpenSSH_9.2\r\n"])]],
            fails(&["request to the provider failed"], "", 1),
        ),
        case("stall before headers", vec![vec![Act::Stall]], times_out("")),
        case("stall within the headers", vec![vec![send(&[b"HTTP/1.1 200 OK\r\n"]), Act::Stall]], times_out("")),
        case("stall before the first event", vec![vec![Act::Send(sse()), Act::Stall]], times_out("")),
        case(
            "early hints",
            vec![vec![send(&[b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", &answer("fine")])]],
            succeeds("fine", 1),
        ),
        case(
            "headers without end",
            vec![vec![Act::Send(b"HTTP/1.1 200 OK\r\n".to_vec()), Act::Repeat(vec![b'x'; 65_536], Duration::ZERO)]],
            fails(&["request to the provider failed"], "", 1),
        ),
    ]
}

/// Defect 8: after the last try it is still told what it was that refused, with its label, status and body.
fn refusals() -> Vec<Case> {
    let busy = |headers: &[(&str, &str)]| body(503, "application/json", headers, r#"{"error":{"message":"busy"}}"#);
    let limited = |headers: &[(&str, &str)]| body(429, "application/json", headers, r#"{"error":{"message":"slow"}}"#);
    let date = &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"), ("date", "Wed, 21 Oct 2026 07:28:00 GMT")];
    let key = body(401, "text/html", &[], &format!("<p>The key {KEY} is not known</p>"));
    vec![
        case("400", vec![vec![refused(400)]], fails(&["400: scripted refusal"], "", 1)),
        case("401", vec![vec![refused(401)]], fails(&["Authentication failed", "401: scripted refusal"], "", 1)),
        case(
            "401 that repeats the key",
            vec![vec![key]],
            fails(&["401: Unauthorized", "The key *** is not known"], "", 1),
        ),
        case("402", vec![vec![refused(402)]], fails(&["no credits", "402: scripted refusal"], "", 1)),
        case("403", vec![vec![refused(403)]], fails(&["403: scripted refusal"], "", 1)),
        case("404", vec![vec![refused(404)]], fails(&["404: scripted refusal"], "", 1)),
        case("408", vec![vec![refused(408)]], fails(&["408: scripted refusal"], "", 3)),
        case("413", vec![vec![refused(413)]], fails(&["413: scripted refusal"], "", 1)),
        case("429, always", vec![vec![limited(&[])]], fails(&["Rate limit", "429: slow"], "", 3)),
        case("429, once", vec![vec![limited(&[])], good()], succeeds("fine", 2)),
        case("429 with seconds", vec![vec![limited(&[("retry-after", "0")])], good()], succeeds("fine", 2)),
        case("429 with a date", vec![vec![limited(date)], good()], succeeds("fine", 2)),
        case(
            "429 for an hour",
            vec![vec![limited(&[("retry-after", "3600")])], good()],
            fails(&["429: slow", "asks to wait 3600 s"], "", 1),
        ),
        case(
            "429 for longer than the run waits",
            vec![vec![limited(&[("retry-after", "2")])], good()],
            fails(&["429: slow", "asks to wait 2 s"], "", 1),
        ),
        case("500, always", vec![vec![refused(500)]], fails(&["500: scripted refusal"], "", 3)),
        case("500, twice", vec![vec![refused(500)], vec![refused(500)], good()], succeeds("fine", 3)),
        case(
            "502 with a page",
            vec![vec![body(502, "text/html", &[], "<html>\n<h1>Bad gateway</h1></html>")]],
            fails(&["502: Bad Gateway", "<html> <h1>Bad gateway</h1></html>"], "", 3),
        ),
        case("503 with milliseconds", vec![vec![busy(&[("retry-after-ms", "1")])], good()], succeeds("fine", 2)),
        case("504", vec![vec![refused(504)]], fails(&["504: scripted refusal"], "", 3)),
        case("529", vec![vec![refused(529)], vec![refused(529)], good()], succeeds("fine", 3)),
        case(
            "a refusal whose body never ends",
            vec![vec![
                Act::Send(head(400, &[("transfer-encoding", "chunked")])),
                Act::Repeat(chunk(&[b'x'; 8192]), Duration::ZERO),
            ]],
            fails(&["400: Bad Request", "xxxx"], "", 1),
        ),
        case(
            "a refusal that resets",
            vec![vec![Act::Send(head(400, &[("content-length", "99")])), Act::Reset]],
            fails(&["400: Bad Request"], "", 1),
        ),
        case("no content", vec![vec![Act::Send(head(204, &[]))]], fails(&["without a finish reason"], "", 1)),
    ]
}

fn redirects() -> Vec<Case> {
    let to = |status, location: String| Act::Send(head(status, &[("location", &location), ("content-length", "0")]));
    vec![
        Case {
            name: "redirect within the host",
            script: Box::new(move |port| vec![vec![to(307, format!("http://127.0.0.1:{port}/v2/chat"))], good()]),
            expected: succeeds("fine", 2),
        },
        Case {
            name: "redirect loop",
            script: Box::new(move |port| vec![vec![to(308, format!("http://127.0.0.1:{port}/v1/again"))]]),
            expected: fails(&["308: the provider redirects"], "", 6),
        },
        case(
            "redirect to another host",
            vec![vec![to(307, "http://127.0.0.2:1/v1".to_owned())]],
            fails(&["307: the provider redirects"], "", 1),
        ),
        Case {
            name: "redirect that would lose the body",
            script: Box::new(move |port| vec![vec![to(302, format!("http://127.0.0.1:{port}/v1/other"))], good()]),
            expected: fails(&["302: the provider redirects"], "", 1),
        },
    ]
}

/// After the answer has begun.
fn within_the_answer() -> Vec<Case> {
    let whole = answer("fine");
    let events = [text("half"), finish("stop", 1, 1).concat()].concat();
    let large = event(&json!({"choices": [{"delta": {"content": "x".repeat(50 * 1024 * 1024)}}]}));
    let zipped_head = head(200, &[("content-type", "text/event-stream"), ("content-encoding", "gzip")]);
    // Everything up to the half is in the first block; the rest is cut off in the next.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&half()).unwrap();
    encoder.flush().unwrap();
    let first_block = encoder.get_ref().len();
    encoder.write_all(finish("stop", 1, 1).concat().as_bytes()).unwrap();
    let cut = encoder.finish().unwrap()[..first_block + 5].to_vec();
    let failed_event = event(&json!({"error": {"message": "overloaded", "code": 503}}));
    vec![
        case(
            "reset within an event",
            vec![vec![send(&[&sse(), &half(), b"data: {\"cho"]), Act::Pause(Duration::from_millis(50)), Act::Reset]],
            fails(&["broke off"], "half", 1),
        ),
        case(
            "closed within an event",
            vec![vec![send(&[&sse(), &half(), b"data: {\"cho"])]],
            fails(&["without a finish reason"], "half", 1),
        ),
        case(
            "closed within a chunked body",
            vec![vec![send(&[&chunked(), &chunk(&half())])]],
            fails(&["broke off"], "half", 1),
        ),
        case(
            "broken chunk framing",
            vec![vec![send(&[&chunked(), &chunk(&half()), b"zz\r\nxx\r\n"])]],
            fails(&["broke off"], "half", 1),
        ),
        case(
            "longer than it is",
            vec![vec![send(&[
                &head(200, &[("content-type", "text/event-stream"), ("content-length", "99999")]),
                &half(),
            ])]],
            fails(&["broke off"], "half", 1),
        ),
        case(
            "shorter than it is",
            vec![vec![send(&[
                &head(
                    200,
                    &[("content-type", "text/event-stream"), ("content-length", &text("half").len().to_string())],
                ),
                events.as_bytes(),
            ])]],
            fails(&["without a finish reason"], "half", 1),
        ),
        case("stall between events", vec![vec![send(&[&sse(), &half()]), Act::Stall]], times_out("half")),
        case("stall within an event", vec![vec![send(&[&sse(), &half(), b"data: {"]), Act::Stall]], times_out("half")),
        case(
            "heartbeats and nothing else",
            vec![vec![send(&[&sse(), &half()]), Act::Repeat(b": ping\n\n".to_vec(), Duration::from_millis(50))]],
            times_out("half"),
        ),
        case("trickle", vec![vec![Act::Trickle(whole.clone())]], succeeds("fine", 1)),
        case(
            "slow, but never silent",
            vec![
                std::iter::once(Act::Send(sse()))
                    .chain((0..6).flat_map(|_| {
                        [Act::Send(text("a").into_bytes()), Act::Pause(Duration::from_millis(SILENCE_MS / 4))]
                    }))
                    .chain([Act::Send(finish("stop", 1, 1).concat().into_bytes())])
                    .collect(),
            ],
            succeeds("aaaaaa", 1),
        ),
        case(
            "a page instead",
            vec![vec![body(200, "text/html", &[], "<html>login</html>")]],
            fails(&["200: not an event stream", "<html>login</html>"], "", 1),
        ),
        case(
            "an error object instead",
            vec![vec![body(200, "application/json", &[], r#"{"error":{"message":"no such model"}}"#)]],
            fails(&["no such model"], "", 1),
        ),
        case(
            "an error event first",
            vec![vec![send(&[&sse(), failed_event.as_bytes()])]],
            fails(&["overloaded"], "", 3),
        ),
        case(
            "an error event after text",
            vec![vec![send(&[&sse(), &half(), failed_event.as_bytes()])]],
            fails(&["overloaded"], "half", 1),
        ),
        case(
            "an error event that repeats the key",
            vec![vec![send(&[
                &sse(),
                &half(),
                event(&json!({"error": {"message": format!("bad {KEY}")}})).as_bytes(),
            ])]],
            fails(&["bad ***"], "half", 1),
        ),
        case(
            "invalid JSON in one event",
            vec![vec![send(&[&sse(), &half(), b"data: {oops\n\n", text(" more").as_bytes()])]],
            fails(&["not valid JSON"], "half more", 1),
        ),
        case("nothing at all", vec![vec![Act::Send(sse())]], fails(&["without a finish reason"], "", 1)),
        case(
            "only the end mark",
            vec![vec![send(&[&sse(), b"data: [DONE]\n\n"])]],
            fails(&["nothing in it", "[DONE]"], "", 1),
        ),
        case(
            "a call whose arguments break off",
            vec![vec![send(&[
                &sse(),
                &half(),
                event(&json!({"choices": [{"delta": {"tool_calls": [
                {"index": 0, "id": "c", "function": {"name": "weather", "arguments": "{\"ci"}}]}}]}))
                .as_bytes(),
            ])]],
            fails(&["without a finish reason"], "half", 1),
        ),
        case(
            "gzip",
            vec![vec![send(&[
                &head(200, &[("content-type", "text/event-stream"), ("content-encoding", "gzip")]),
                &gzip(events.as_bytes()),
            ])]],
            succeeds("half", 1),
        ),
        case("gzip, cut off", vec![vec![send(&[&zipped_head, &cut])]], fails(&["broke off"], "half", 1)),
        case(
            "gzip that is none",
            vec![vec![send(&[
                &head(200, &[("content-type", "text/event-stream"), ("content-encoding", "gzip")]),
                events.as_bytes(),
            ])]],
            fails(&["broke off"], "", 1),
        ),
        case(
            "an event of 50 MiB",
            vec![vec![send(&[&sse(), &half(), large.as_bytes()])]],
            fails(&["larger than 16 MiB"], "half", 1),
        ),
        case(
            "invalid UTF-8",
            vec![vec![send(&[&sse(), &half(), b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n\n"])]],
            fails(&["UTF-8"], "half", 1),
        ),
        case("a byte order mark", vec![vec![send(&[&sse(), b"\xef\xbb\xbf", events.as_bytes()])]], succeeds("half", 1)),
        case("CR line ends", vec![vec![send(&[&sse(), events.replace('\n', "\r").as_bytes()])]], succeeds("half", 1)),
        case(
            "CRLF line ends",
            vec![vec![send(&[&sse(), events.replace('\n', "\r\n").as_bytes()])]],
            succeeds("half", 1),
        ),
        case(
            "no end mark",
            vec![vec![send(&[&sse(), events.replace("data: [DONE]\n\n", "").as_bytes()])]],
            succeeds("half", 1),
        ),
        case(
            "more after the end mark",
            vec![vec![send(&[&sse(), events.as_bytes(), text(" ghost").as_bytes()])]],
            succeeds("half", 1),
        ),
        case(
            "open after the end mark",
            vec![vec![send(&[&sse(), events.as_bytes()]), Act::Stall]],
            succeeds("half", 1),
        ),
        case("HTTP/1.0", vec![vec![send(&[b"HTTP/1.0 200 OK\r\n\r\n", events.as_bytes()])]], succeeds("half", 1)),
    ]
}

async fn engine(folder: &std::path::Path) -> Engine {
    engine_with(folder, SILENCE_MS).await
}

async fn engine_with(folder: &std::path::Path, silence_ms: u64) -> Engine {
    watch_logs();
    let more = json!({
        "runs": {"providerSilenceMs": silence_ms},
        "http": {"retryWaitMs": 20, "keepAliveMs": 1},
    });
    Engine::open(options(&store_in(folder), "http://127.0.0.1:1/v1", more)).await.unwrap()
}

async fn run(engine: Engine, case: Case) {
    let Case { name, script, expected } = case;
    let server = FaultServer::with(script).await;
    let provider = json!({"driver": "openai-compatible", "model": "m", "baseUrl": server.base_url(), "apiKey": KEY});
    let turn = engine.start_turn(request("hi", json!({"provider": provider})), Vec::new()).await.unwrap();
    let outcome = turn.done().await.unwrap();
    let told = format!("{name}: {outcome:?}");
    assert_eq!((outcome.status, outcome.reason), (expected.status, expected.reason), "{told}");
    let error = outcome.error.clone().unwrap_or_default();
    assert!(expected.error.iter().all(|words| error.contains(words)), "{told}");
    assert!(!error.contains(KEY) && !error.contains('\n'), "{told}");
    assert_eq!(error.is_empty(), expected.status == RunStatus::Succeeded, "{told}");
    let messages = engine.messages(&who(), turn.chat_id()).await.unwrap();
    assert_eq!(messages[1].content, expected.text, "{told}");
    let stored = messages[1].metadata.as_ref().unwrap().get();
    assert!(!stored.contains(KEY), "{told}");
    assert_eq!(server.requests().len(), expected.requests, "{told}");
    assert!(
        server.requests().iter().all(|request| request.contains(&format!("authorization: Bearer {KEY}"))),
        "{told}"
    );
    server.until_closed().await;
}

fn sockets() -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

/// Waits until this is so, for at most ten seconds.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(10), async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("not in ten seconds: {what}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_has_one_outcome_and_leaves_nothing_behind() {
    let cases = || [before_the_answer(), refusals(), redirects(), within_the_answer()].into_iter().flatten();
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    // What is no silence must not be taken for one on a machine that others load.
    let patient = engine_with(folder.path(), 60_000).await;
    // The first round fills pools and caches that stay.
    let mut baseline = None;
    for round in 0..3 {
        let (mut count, mut wrong) = (0, Vec::new());
        for case in cases() {
            let takes_long = case.name == "an event of 50 MiB";
            let (engine, name) = (if takes_long { &patient } else { &engine }.clone(), case.name);
            // In a task of its own, so that one that fails hides no other.
            if tokio::spawn(async move { run(engine, case).await }).await.is_err() {
                wrong.push(name);
            }
            count += 1;
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        assert!(count >= 40, "{count}");
        let metrics = tokio::runtime::Handle::current().metrics();
        let Some((tasks, open, live)) = baseline else {
            // The tasks of connections that have just been closed end a little later.
            let settled = || metrics.num_alive_tasks();
            let mut least = settled();
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_millis(2)).await;
                least = least.min(settled());
            }
            baseline = Some((least, sockets(), LIVE_BYTES.load(Ordering::Relaxed)));
            println!("{count} faults; then {least} tasks, {} sockets", sockets());
            continue;
        };
        until("tasks are left over", || metrics.num_alive_tasks() <= tasks).await;
        until("sockets are left over", || sockets() <= open).await;
        // The database's caches grow a little.
        let grown = || LIVE_BYTES.load(Ordering::Relaxed) - live;
        until("memory is left over", || grown() < round * 8 * 1024 * 1024).await;
    }
    engine.close(None).await.unwrap();
    assert_no_key_was_shown(folder.path());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let turn = engine.start_turn(request("hi", json!({})), Vec::new()).await.unwrap();
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Failed, Some(RunReason::ProviderError)));
    assert!(outcome.error.unwrap().contains("could not be reached"));
    engine.close(None).await.unwrap();
}

/// A second call of a turn that is lost is sent again like the first; what was done before it is not done again.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_step_is_sent_again_too() {
    let call = [vec![tool_call(0, "c1", "time", "{}")], finish("tool_calls", 1, 1)].concat().concat();
    let script = vec![vec![send(&[&sse(), call.as_bytes()])], vec![Act::Reset], vec![refused(503)], good()];
    let server = FaultServer::start(script).await;
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let provider = json!({"driver": "openai-compatible", "model": "m", "baseUrl": server.base_url(), "apiKey": KEY});
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = std::sync::Arc::clone(&calls);
    let time = turnkeep_tests::scenario::FnTool(move |_: Value| {
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(json!("12:00"))
    });
    let tools = vec![turnkeep_tests::scenario::tool(json!({"name": "time", "description": ""}), time)];
    let turn = engine.start_turn(request("hi", json!({"provider": provider})), tools).await.unwrap();
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.step_count), (RunStatus::Succeeded, 2), "{outcome:?}");
    assert_eq!((server.requests().len(), calls.load(Ordering::SeqCst)), (4, 1));
    engine.close(None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_between_tries_sends_nothing_more() {
    let server = FaultServer::start(vec![vec![refused(503)], good()]).await;
    let more = json!({"http": {"retryWaitMs": 60_000}});
    let engine = Engine::open(options("sqlite::memory:", &server.base_url(), more)).await.unwrap();
    let turn = engine.start_turn(request("hi", json!({})), Vec::new()).await.unwrap();
    server.until_requests(1).await;
    assert!(turn.stop().await.unwrap());
    let outcome = turn.done().await.unwrap();
    assert_eq!((outcome.status, outcome.reason), (RunStatus::Aborted, Some(RunReason::Stopped)));
    server.until_closed().await;
    assert_eq!(server.requests().len(), 1);
    engine.close(None).await.unwrap();
}

#[tokio::test]
async fn bad_http_options_are_refused_by_name() {
    for (http, field) in [
        (json!({"caPem": "x"}), "http.caPem"),
        (json!({"proxy": "::"}), "http.proxy"),
        (json!({"maxTries": 0}), "http.maxTries"),
    ] {
        let error = Engine::open(options("sqlite::memory:", "http://127.0.0.1:1", json!({"http": http}))).await.err();
        let error = error.unwrap();
        assert_eq!((error.code(), &error.details()["field"]), (ErrorCode::InvalidInput, &field.into()));
    }
}

/// What a provider of this driver sends: the text "half", and the end of an answer.
fn spoken(driver: &str) -> (String, String) {
    let named = |kind: &str, mut value: Value| {
        value["type"] = json!(kind);
        format!("event: {kind}\ndata: {value}\n\n")
    };
    match driver {
        "gemini" => {
            let candidate = |text: &str, reason: Option<&str>| {
                event(
                    &json!({"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": reason}]}),
                )
            };
            (candidate("half", None), candidate("", Some("STOP")))
        }
        "ollama" => {
            let line = |text: &str, done: bool| {
                format!(
                    "{}\n",
                    json!({"message": {"role": "assistant", "content": text}, "done": done, "done_reason": done.then_some("stop")})
                )
            };
            (line("half", false), line("", true))
        }
        "anthropic" => (
            named(
                "message_start",
                json!({"message": {"id": "i", "model": "m", "usage": {"input_tokens": 1, "output_tokens": 1}}}),
            ) + &named("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}}))
                + &named("content_block_delta", json!({"index": 0, "delta": {"type": "text_delta", "text": "half"}})),
            named("content_block_stop", json!({"index": 0}))
                + &named("message_delta", json!({"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}))
                + &named("message_stop", json!({})),
        ),
        _ => (text("half"), finish("stop", 1, 1).concat()),
    }
}

/// Defect 19: some drivers had neither retries nor limits of silence. All of them have the same shell.
#[tokio::test(flavor = "multi_thread")]
async fn every_driver_has_the_same_shell() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    for driver in ["openai", "openai-compatible", "gemini", "ollama", "anthropic"] {
        let (half, end) = spoken(driver);
        let streaming = || head(200, &[("content-type", "text/event-stream")]);
        let cases: Vec<(&str, Vec<Acts>, Expected)> = vec![
            ("whole", vec![vec![send(&[&streaming(), half.as_bytes(), end.as_bytes()])]], succeeds("half", 1)),
            (
                "trickle",
                vec![vec![Act::Trickle([streaming(), half.clone().into_bytes(), end.clone().into_bytes()].concat())]],
                succeeds("half", 1),
            ),
            (
                "busy, then reset, then fine",
                vec![
                    vec![refused(503)],
                    vec![Act::Reset],
                    vec![send(&[&streaming(), half.as_bytes(), end.as_bytes()])],
                ],
                succeeds("half", 3),
            ),
            ("limited", vec![vec![refused(429)]], fails(&["Rate limit", "429: scripted refusal"], "", 3)),
            ("no key", vec![vec![refused(401)]], fails(&["Authentication failed", "401: scripted refusal"], "", 1)),
            ("truncated", vec![vec![send(&[&streaming(), half.as_bytes()])]], fails(&[], "half", 1)),
            ("dropped", vec![vec![send(&[&chunked(), &chunk(half.as_bytes())])]], fails(&["broke off"], "half", 1)),
            ("stalled", vec![vec![send(&[&streaming(), half.as_bytes()]), Act::Stall]], times_out("half")),
            (
                "a page",
                vec![vec![body(200, "text/html", &[], "<html>login</html>")]],
                fails(&["<html>login</html>"], "", 1),
            ),
            (
                "an error object",
                vec![vec![body(200, "application/json", &[], r#"{"error":{"message":"no such model"}}"#)]],
                fails(&["no such model"], "", 1),
            ),
            ("nothing", vec![vec![Act::Send(streaming())]], fails(&[], "", 1)),
        ];
        for (name, script, expected) in cases {
            let server = FaultServer::start(script).await;
            let base_url =
                if driver == "ollama" { format!("http://127.0.0.1:{}", server.port()) } else { server.base_url() };
            let provider = json!({"driver": driver, "model": "m", "baseUrl": base_url, "apiKey": KEY});
            let turn = engine.start_turn(request("hi", json!({"provider": provider})), Vec::new()).await.unwrap();
            let outcome = turn.done().await.unwrap();
            let told = format!("{driver}, {name}: {outcome:?}");
            assert_eq!((outcome.status, outcome.reason), (expected.status, expected.reason), "{told}");
            let error = outcome.error.clone().unwrap_or_default();
            assert!(expected.error.iter().all(|words| error.contains(words)), "{told}");
            assert_eq!(error.is_empty(), expected.status == RunStatus::Succeeded, "{told}");
            let messages = engine.messages(&who(), turn.chat_id()).await.unwrap();
            assert_eq!(messages[1].content, expected.text, "{told}");
            assert_eq!(server.requests().len(), expected.requests, "{told}");
            server.until_closed().await;
        }
    }
    engine.close(None).await.unwrap();
    assert_no_key_was_shown(folder.path());
}
