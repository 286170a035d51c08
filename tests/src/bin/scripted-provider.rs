//! `scripted-provider SCRIPT.json`: prints `{"port":N}`, answers until its standard input is closed, then prints the
//! requests that it saw as one JSON array.

use std::io::Write;

use tokio::io::AsyncReadExt;
use turnkeep_tests::{Script, ScriptedProvider};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let path = std::env::args().nth(1).expect("usage: scripted-provider SCRIPT.json");
    let text = std::fs::read_to_string(&path).expect("a readable script");
    let script: Script = serde_json::from_str(&text).expect("a valid script");
    let provider = ScriptedProvider::start(script).await;
    println!("{{\"port\":{}}}", provider.port());
    let mut ignored = Vec::new();
    let _ = tokio::io::stdin().read_to_end(&mut ignored).await;
    let requests = serde_json::to_string(&provider.requests()).expect("plain data");
    // Whoever only wanted the answers has gone by now.
    let _ = writeln!(std::io::stdout(), "{requests}");
}
