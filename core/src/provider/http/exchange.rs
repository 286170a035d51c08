//! Requests to servers of a workspace's choice that are no providers: sent once, through the same guard.

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::HeaderMap;

use crate::provider::Access;

use super::HttpClient;

/// A request, and what goes with it.
pub(crate) struct Exchange<'a> {
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotExchanged {
    /// Nothing was sent: the address is refused, or nobody is there.
    #[error("{0}")]
    NotSent(String),
    /// The request may have arrived.
    #[error("{0}")]
    Lost(String),
}

impl HttpClient {
    /// Sends a request to an address that a workspace has chosen; the answer, whatever its status. Redirects are followed
    /// within the same place only, and are answers otherwise.
    ///
    /// # Errors
    /// [`NotExchanged`], in one line without the address.
    pub(crate) async fn exchange(&self, exchange: Exchange<'_>) -> Result<reqwest::Response, NotExchanged> {
        let access = Access { by_workspace: true, ..Access::default() };
        let client = self.clients.for_access(&access, exchange.url).await;
        let client = client.map_err(|refused| NotExchanged::NotSent(refused.to_string()))?;
        let mut request = client.request(exchange.method, exchange.url).headers(exchange.headers);
        if let Some(body) = exchange.body {
            request = request.body(body);
        }
        request.send().await.map_err(|error| {
            let told = innermost(&error);
            // Before a connection stands nothing can have arrived.
            if error.is_connect() || error.is_builder() {
                NotExchanged::NotSent(told)
            } else {
                NotExchanged::Lost(told)
            }
        })
    }

    /// Whether a workspace may name this address.
    ///
    /// # Errors
    /// Why not, without the address.
    pub(crate) async fn check_place(&self, url: &str) -> Result<(), String> {
        self.clients.check_place(url).await
    }
}

/// What is at the bottom of an error; what is above it would tell the address.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        Some(error) if error.is_timeout() => "it took too long".to_owned(),
        Some(error) if error.is_builder() => "the request cannot be made".to_owned(),
        Some(_) => "the request failed".to_owned(),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;

    use super::super::guard::Names;
    use super::super::{HttpClient, HttpOptions};
    use super::*;

    /// A client for whose resolver each look-up of any name gives the next of these answers, and the last one from then on.
    fn client(answers: Vec<Vec<SocketAddr>>) -> (HttpClient, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let names = Names::given(move |_, _| {
            let place = counted.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            Ok(answers[place].clone())
        });
        (HttpClient::with_names(HttpOptions::default(), names).unwrap(), asked)
    }

    fn get(url: &str) -> Exchange<'_> {
        Exchange { method: Method::GET, url, headers: HeaderMap::new(), body: None }
    }

    #[tokio::test]
    async fn a_name_that_turns_to_loopback_is_blocked_when_it_is_connected_to() {
        let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let loopback = inside.local_addr().unwrap();
        let public: SocketAddr = "93.184.216.34:80".parse().unwrap();
        let url = format!("http://rebinding.example:{}/mcp", loopback.port());
        for second in [vec![loopback], vec![public, loopback], vec!["[::ffff:127.0.0.1]:1".parse().unwrap()]] {
            let (client, asked) = client(vec![vec![public], second]);
            client.check_place(&url).await.unwrap();
            let error = client.exchange(get(&url)).await.unwrap_err();
            assert!(matches!(&error, NotExchanged::NotSent(told) if told.contains("loopback")), "{error}");
            assert!(!error.to_string().contains("rebinding"), "{error}");
            assert_eq!(asked.load(Ordering::SeqCst), 2, "the address that is judged is the one that is used");
        }
        // Nobody has knocked.
        let accepted = tokio::time::timeout(std::time::Duration::ZERO, inside.accept()).await;
        assert!(accepted.is_err());
    }

    #[tokio::test]
    async fn places_are_judged_before_they_are_kept() {
        let private: SocketAddr = "10.0.0.1:443".parse().unwrap();
        let (client, _) = client(vec![vec![private]]);
        for (url, says) in [
            ("nope", "not a URL"),
            ("file:///etc/passwd", "only http and https"),
            ("ws://8.8.8.8", "only http and https"),
            ("http://127.1/", "loopback"),
            ("http://0x7f.1./", "loopback"),
            ("http://[::ffff:10.0.0.1]/", "private"),
            ("http://169.254.169.254/latest", "linkLocal"),
            ("https://wiki.internal/mcp", "private"),
        ] {
            let problem = client.check_place(url).await.unwrap_err();
            assert!(problem.contains(says) && !problem.contains("10.0.0.1"), "{url}: {problem}");
        }
        assert!(client.check_place("https://8.8.8.8/mcp").await.is_ok());
    }
}
