//! How long lists, searches and exports take in a store that has many chats and long ones; `make chats` runs it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use turnkeep::{Engine, EngineOptions};
use turnkeep_test_postgres::Cluster;

/// Of so many different words, of which the nth is said 1/n as often as the first.
const VOCABULARY: u64 = 20_000;
const WORDS_PER_MESSAGE: usize = 40;
/// Messages that are imported at a time.
const DOCUMENT: usize = 10_000;

struct Random(u64);

impl Random {
    /// A number below `limit`, by xorshift.
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    /// A word's number, small ones more often.
    fn word(&mut self) -> u64 {
        let exponent = self.below(1_000_000) as f64 / 1_000_000.0;
        (VOCABULARY as f64).powf(exponent) as u64
    }

    fn message(&mut self) -> String {
        let words: Vec<String> = (0..WORDS_PER_MESSAGE).map(|_| word(self.word())).collect();
        words.join(" ")
    }
}

/// Every other word is English to a stemmer, and every other Russian.
fn word(number: u64) -> String {
    let letters = if number.is_multiple_of(2) {
        ["ba", "co", "du", "fi", "le"]
    } else {
        ["ба", "ко", "ду", "фи", "ле"]
    };
    let ending = if number.is_multiple_of(2) { "ning" } else { "ами" };
    let mut rest = number;
    let mut text = String::new();
    loop {
        text.push_str(letters[(rest % 5) as usize]);
        rest /= 5;
        if rest == 0 {
            return text + ending;
        }
    }
}

fn option(name: &str, default: &str) -> String {
    let given = std::env::args().find_map(|argument| argument.strip_prefix(&format!("{name}="))?.to_owned().into());
    given.unwrap_or_else(|| default.to_owned())
}

async fn ask(engine: &Engine, method: &str, more: Value) -> Value {
    let mut params = json!({"workspaceId": "w", "userId": "u"});
    more.as_object().into_iter().flatten().for_each(|(name, value)| params[name] = value.clone());
    let answer = engine.call(method, &params.to_string()).await.unwrap_or_else(|error| panic!("{method}: {error}"));
    serde_json::from_str(&answer).expect("JSON")
}

/// A chat of so many messages.
async fn import(engine: &Engine, random: &mut Random, messages: usize) -> String {
    let rows: Vec<Value> = (0..messages)
        .map(|number| {
            let role = if number.is_multiple_of(2) { "user" } else { "assistant" };
            let text = random.message();
            json!({"role": role, "content": text, "metadata": {"parts": [{"type": "text", "text": text}]}})
        })
        .collect();
    let document = json!({"format": "turnkeep-chat", "version": 1, "chat": {"id": "", "title": "T"}, "messages": rows});
    let chat = ask(engine, "chats.import", json!({"document": document.to_string()})).await;
    chat["id"].as_str().expect("an id").to_owned()
}

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    println!("{what}: p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms", at(0.5), at(0.99), at(1.0));
}

/// The most memory that the process has had since the last call, in MiB.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok());
    // Counted from here on again.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak.unwrap_or(0.0) / 1024.0
}

#[tokio::main]
async fn main() {
    let (messages, chats): (usize, usize) =
        (option("messages", "200000").parse().expect("a number"), option("chats", "100000").parse().expect("a number"));
    let folder = tempfile::tempdir().expect("a folder");
    let store = match option("store", "sqlite").as_str() {
        "postgres" => Cluster::shared().database(),
        _ => format!("sqlite:{}", folder.path().join("chats.db").display()),
    };
    let options = json!({"store": store}).to_string();
    let engine = Engine::open(EngineOptions::from_json(&options).expect("options")).await.expect("an engine");
    let mut random = Random(0x5eed);

    let begun = Instant::now();
    let mut left = messages;
    while left > 0 {
        import(&engine, &mut random, left.min(DOCUMENT)).await;
        left -= left.min(DOCUMENT);
    }
    println!("{messages} messages imported in {:.1} s", begun.elapsed().as_secs_f64());
    for (what, query) in [
        ("one common word", Box::new(|_: &mut Random| word(1)) as Box<dyn Fn(&mut Random) -> String>),
        ("words as they are said", Box::new(|random: &mut Random| word(random.word()))),
        ("two words as they are said", Box::new(|random| format!("{} {}", word(random.word()), word(random.word())))),
        ("rare words", Box::new(|random| word(VOCABULARY / 2 + random.below(VOCABULARY / 2)))),
    ] {
        let mut times = Vec::new();
        for _ in 0..300 {
            let query = query(&mut random);
            let begun = Instant::now();
            ask(&engine, "chats.search", json!({"query": query})).await;
            times.push(begun.elapsed());
        }
        told(&format!("search over {messages} messages, {what}"), times);
    }

    let begun = Instant::now();
    let mut making = tokio::task::JoinSet::new();
    for number in 0..chats {
        let engine = engine.clone();
        making.spawn(async move { ask(&engine, "chats.create", json!({"title": format!("Chat {number}")})).await });
        if making.len() >= 200 {
            making.join_next().await;
        }
    }
    while making.join_next().await.is_some() {}
    println!("{chats} chats made in {:.1} s", begun.elapsed().as_secs_f64());
    let (mut times, mut cursor, mut listed) = (Vec::new(), Value::Null, 0);
    loop {
        let mut params = json!({"limit": 100});
        if !cursor.is_null() {
            params["cursor"] = cursor;
        }
        let begun = Instant::now();
        let page = ask(&engine, "chats.list", params).await;
        times.push(begun.elapsed());
        listed += page["items"].as_array().map_or(0, Vec::len);
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    told(&format!("all {} pages of 100, of {listed} chats", times.len()), times);

    let long = import(&engine, &mut random, 100_000).await;
    let params = json!({"workspaceId": "w", "userId": "u", "chatId": long}).to_string();
    let resting = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let resting: f64 = resting.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    peak_memory();
    let begun = Instant::now();
    let export = engine.export_from_json(&params).await.expect("an export");
    let mut bytes = 0;
    while let Some(piece) = export.next().await.expect("a piece") {
        bytes += piece.len();
    }
    println!(
        "export of 100000 messages, {:.1} MB of Markdown: {:.2} s, {:.1} MiB above what the process had before",
        bytes as f64 / 1e6,
        begun.elapsed().as_secs_f64(),
        peak_memory() - resting * 4096.0 / 1024.0 / 1024.0
    );
    engine.close(None).await.expect("closed");
}
