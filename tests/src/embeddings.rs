//! A provider of embeddings that speaks real HTTP on loopback, whose vectors say which of a few subjects a text is
//! about.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::provider::read_request;

/// The subjects, each by its words: a text's vector counts them, subject by subject.
pub const SUBJECTS: [&[&str]; 4] = [
    &["cat", "feline", "kitten", "кот"],
    &["car", "vehicle", "automobile", "машина"],
    &["money", "budget", "price", "деньги"],
    &["tree", "forest", "wood", "лес"],
];

/// The running server. It stops when it is dropped.
pub struct EmbeddingServer {
    port: u16,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
    accepting: JoinHandle<()>,
}

impl EmbeddingServer {
    /// Listens on a free loopback port. A text with a status in brackets, such as `[402]`, has its request refused with
    /// it; the vector of one with `[wide]` has a number too many, and that of one with `[huge]` one that is too large.
    pub async fn start() -> Self {
        Self::of(SUBJECTS.map(|words| words.iter().map(|word| (*word).to_owned()).collect()).to_vec()).await
    }

    /// As [`EmbeddingServer::start`], for other subjects.
    pub async fn of(subjects: Vec<Vec<String>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (shared, subjects) = (Arc::clone(&asked), Arc::new(subjects));
        let accepting = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (asked, subjects) = (Arc::clone(&shared), Arc::clone(&subjects));
                tokio::spawn(async move {
                    let Some(body) = read_request(&mut stream).await else { return };
                    let request: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
                    let texts: Vec<String> = serde_json::from_value(request["input"].clone()).unwrap_or_default();
                    let (status, answer) = answer(&texts, &subjects);
                    asked.lock().expect("no panic").push(texts);
                    let answer = answer.to_string();
                    let head = format!(
                        "HTTP/1.1 {status} Answered\r\nconnection: close\r\ncontent-type: application/json\r\n\
                         content-length: {}\r\n\r\n",
                        answer.len()
                    );
                    let _ = stream.write_all((head + &answer).as_bytes()).await;
                });
            }
        });
        Self { port, asked, accepting }
    }

    /// What a workspace is configured with.
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The texts of each request since the last time that was asked.
    pub fn asked(&self) -> Vec<Vec<String>> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

impl Drop for EmbeddingServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn answer(texts: &[String], subjects: &[Vec<String>]) -> (u16, Value) {
    for status in [400, 401, 402, 403, 429, 500] {
        if texts.iter().any(|text| text.contains(&format!("[{status}]"))) {
            return (status, json!({"error": {"message": "refused on purpose"}}));
        }
    }
    let vectors: Vec<Vec<f64>> = texts.iter().map(|text| vector(text, subjects)).collect();
    let data = vectors.iter().enumerate().map(|(index, vector)| json!({"index": index, "embedding": vector}));
    // In the words of both protocols.
    (200, json!({"data": data.collect::<Vec<_>>(), "embeddings": vectors}))
}

fn vector(text: &str, subjects: &[Vec<String>]) -> Vec<f64> {
    let text_of = text.to_lowercase();
    let count =
        |words: &Vec<String>| words.iter().map(|word| text_of.matches(word.as_str()).count()).sum::<usize>() as f64;
    let mut vector: Vec<f64> = subjects.iter().map(count).collect();
    if text.contains("[wide]") {
        vector.push(1.0);
    }
    if text.contains("[huge]") {
        vector[0] = 1e300;
    }
    vector
}
