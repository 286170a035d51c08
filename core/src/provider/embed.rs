//! Embeddings: texts in, vectors out, in as many requests as the provider's limit makes necessary.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::provider::{EmbeddingConfig, OPENAI_URL};

use super::http::{HttpClient, Outgoing, OutgoingBody};
use super::{KeyHeader, ProviderFailure};

/// The most texts in one request to OpenAI, by its API reference; others that speak its protocol and Ollama take that
/// many, too.
const OPENAI_BATCH: usize = 2048;
/// The most texts in one `batchEmbedContents` of Gemini, by its API reference.
const GEMINI_BATCH: usize = 100;
/// The largest answer that is read: 2048 vectors of 4096 numbers of 20 characters, and some air.
const MAX_ANSWER_BYTES: usize = 192 * 1024 * 1024;
/// Where Google serves Gemini.
const GEMINI_URL: &str = "https://generativelanguage.googleapis.com/v1beta";
/// Where Ollama listens unless told otherwise.
const OLLAMA_URL: &str = "http://127.0.0.1:11434";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    OpenAi,
    Gemini,
    Ollama,
}

impl Dialect {
    fn of(driver: &str) -> Self {
        match driver {
            "gemini" => Dialect::Gemini,
            "ollama" => Dialect::Ollama,
            _ => Dialect::OpenAi,
        }
    }

    fn batch(self) -> usize {
        if self == Dialect::Gemini { GEMINI_BATCH } else { OPENAI_BATCH }
    }
}

/// The vectors for these texts, in their order.
///
/// # Errors
/// `PROVIDER_ERROR` when the provider refuses, answers with something else than a vector for each text, or all of it
/// together takes longer than `timeout`.
pub(crate) async fn embed(
    client: &HttpClient,
    config: &EmbeddingConfig,
    texts: &[String],
    timeout: Duration,
) -> Result<Vec<Vec<f64>>> {
    let all = async {
        let dialect = Dialect::of(&config.driver);
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(dialect.batch()) {
            let outgoing = request(dialect, config, batch);
            let body = client.fetch(&outgoing, MAX_ANSWER_BYTES).await.map_err(ProviderFailure::into_error)?;
            vectors.extend(read(dialect, &body, batch.len())?);
        }
        Ok(vectors)
    };
    match tokio::time::timeout(timeout, all).await {
        Ok(vectors) => vectors,
        Err(_) => {
            let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
            let message = format!(
                "embedding {} texts took longer than {milliseconds} ms; raise providers' embeddingTimeoutMs or look after \
                 the endpoint",
                texts.len()
            );
            Err(Error::new(ErrorCode::ProviderError, message).with_detail("timeoutMs", milliseconds))
        }
    }
}

fn request(dialect: Dialect, config: &EmbeddingConfig, texts: &[String]) -> Outgoing {
    #[derive(Serialize)]
    struct OpenAi<'a> {
        model: &'a str,
        input: &'a [String],
        encoding_format: &'static str,
    }
    #[derive(Serialize)]
    struct Ollama<'a> {
        model: &'a str,
        input: &'a [String],
    }
    #[derive(Serialize)]
    struct Gemini<'a> {
        requests: Vec<GeminiText<'a>>,
    }
    #[derive(Serialize)]
    struct GeminiText<'a> {
        model: &'a str,
        content: GeminiContent<'a>,
    }
    #[derive(Serialize)]
    struct GeminiContent<'a> {
        role: &'static str,
        parts: [GeminiPart<'a>; 1],
    }
    #[derive(Serialize)]
    struct GeminiPart<'a> {
        text: &'a str,
    }
    let (address, access) = config.access.split(config.base_url.as_deref().unwrap_or_default());
    let base = |default| without_slash(if address.is_empty() { default } else { &address }).to_owned();
    let model = config.model.as_str();
    // Plain data with text keys: there is nothing in it that could fail to serialize.
    let (url, body) = match dialect {
        Dialect::OpenAi => (
            format!("{}/embeddings", base(OPENAI_URL)),
            serde_json::to_vec(&OpenAi { model, input: texts, encoding_format: "float" }),
        ),
        Dialect::Ollama => {
            (format!("{}/api/embed", base(OLLAMA_URL)), serde_json::to_vec(&Ollama { model, input: texts }))
        }
        Dialect::Gemini => {
            let path = if model.contains('/') { model.to_owned() } else { format!("models/{model}") };
            let text = |text| GeminiText {
                model: &path,
                content: GeminiContent { role: "user", parts: [GeminiPart { text }] },
            };
            let requests = texts.iter().map(|one| text(one)).collect();
            (format!("{}/{path}:batchEmbedContents", base(GEMINI_URL)), serde_json::to_vec(&Gemini { requests }))
        }
    };
    Outgoing {
        url,
        headers: Vec::new(),
        accept: "application/json",
        body: OutgoingBody::Json(body.unwrap_or_default().into()),
        key: config.api_key.clone(),
        key_header: if dialect == Dialect::Gemini { KeyHeader::Named("x-goog-api-key") } else { KeyHeader::Bearer },
        access,
    }
}

/// A URL without one slash at its end.
pub(super) fn without_slash(url: &str) -> &str {
    url.strip_suffix('/').unwrap_or(url)
}

fn read(dialect: Dialect, body: &[u8], expected: usize) -> Result<Vec<Vec<f64>>> {
    #[derive(Deserialize)]
    struct OpenAi {
        data: Vec<OpenAiVector>,
    }
    #[derive(Deserialize)]
    struct OpenAiVector {
        index: Option<usize>,
        embedding: Vec<f64>,
    }
    #[derive(Deserialize)]
    struct Ollama {
        embeddings: Vec<Vec<f64>>,
    }
    #[derive(Deserialize)]
    struct Gemini {
        embeddings: Vec<GeminiVector>,
    }
    #[derive(Deserialize)]
    struct GeminiVector {
        values: Vec<f64>,
    }
    let vectors = match dialect {
        Dialect::OpenAi => serde_json::from_slice::<OpenAi>(body).ok().map(|mut answer| {
            // The order of the answer is not promised; its numbers are.
            if answer.data.iter().all(|vector| vector.index.is_some()) {
                answer.data.sort_by_key(|vector| vector.index);
            }
            answer.data.into_iter().map(|vector| vector.embedding).collect::<Vec<_>>()
        }),
        Dialect::Ollama => serde_json::from_slice::<Ollama>(body).ok().map(|answer| answer.embeddings),
        Dialect::Gemini => serde_json::from_slice::<Gemini>(body)
            .ok()
            .map(|answer| answer.embeddings.into_iter().map(|vector| vector.values).collect()),
    };
    let wrong = |problem: String| Error::new(ErrorCode::ProviderError, problem);
    let vectors = vectors.ok_or_else(|| wrong("the provider's answer holds no embeddings".to_owned()))?;
    if vectors.len() != expected || vectors.iter().any(Vec::is_empty) {
        return Err(wrong(format!("the provider answered {} embeddings for {expected} texts", vectors.len())));
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(driver: &str, base_url: Option<&str>) -> EmbeddingConfig {
        EmbeddingConfig {
            driver: driver.into(),
            model: "e".into(),
            base_url: base_url.map(str::to_owned),
            api_key: None,
            access: crate::provider::Access::default(),
        }
    }

    fn sent(driver: &str, base_url: Option<&str>) -> (String, serde_json::Value) {
        let outgoing = request(Dialect::of(driver), &config(driver, base_url), &["a".to_owned(), "b".to_owned()]);
        let OutgoingBody::Json(body) = outgoing.body else { panic!() };
        (outgoing.url, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn each_provider_is_asked_in_its_own_way() {
        let (url, body) = sent("openai", Some("http://gw/v1/"));
        assert_eq!(url, "http://gw/v1/embeddings");
        assert_eq!(body, serde_json::json!({"model": "e", "input": ["a", "b"], "encoding_format": "float"}));
        let (url, body) = sent("gemini", None);
        assert_eq!(url, "https://generativelanguage.googleapis.com/v1beta/models/e:batchEmbedContents");
        assert_eq!(body["requests"][1]["content"]["parts"][0]["text"], "b");
        assert_eq!(body["requests"][1]["model"], "models/e");
        let (url, body) = sent("ollama", None);
        assert_eq!((url.as_str(), &body["input"][0]), ("http://127.0.0.1:11434/api/embed", &"a".into()));
    }

    #[test]
    fn answers_are_put_into_the_texts_order() {
        let body = br#"{"data":[{"index":1,"embedding":[1,0.5]},{"index":0,"embedding":[0,0.5]}]}"#;
        assert_eq!(read(Dialect::OpenAi, body, 2).unwrap(), [[0.0, 0.5], [1.0, 0.5]]);
        let body = br#"{"embeddings":[{"values":[0.1]}]}"#;
        assert_eq!(read(Dialect::Gemini, body, 1).unwrap(), [[0.1]]);
        assert_eq!(read(Dialect::Ollama, br#"{"embeddings":[[2]]}"#, 1).unwrap(), [[2.0]]);
    }

    #[test]
    fn whatever_is_not_a_vector_for_each_text_is_an_error() {
        for (body, expected) in [
            (r#"{"data":[{"index":0,"embedding":[1]}]}"#, 2),
            (r#"{"data":[{"index":0,"embedding":[]}]}"#, 1),
            (r#"{"data":[]}"#, 1),
            (r#"{"error":{"message":"x"}}"#, 1),
            ("<html>", 1),
            ("", 1),
        ] {
            let error = read(Dialect::OpenAi, body.as_bytes(), expected).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ProviderError, "{body}");
        }
    }
}
