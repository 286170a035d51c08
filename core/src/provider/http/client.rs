//! The one client of an engine: which certificates it trusts, which proxy it takes, which redirects it follows.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, ClientBuilder, StatusCode};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::provider::without_secrets;

use super::guard::{self, Clients, GuardedResolver, Names};

/// How many redirects within one host are followed.
const MAX_REDIRECTS: usize = 5;

/// How providers and tool servers are reached. Times are in milliseconds.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HttpOptions {
    /// A proxy's URL, or `environment` for what `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say. None otherwise: a proxy
    /// that somebody else put into the environment would see the traffic.
    pub proxy: Option<String>,
    /// A file with certificates in PEM form that are trusted besides the machine's.
    pub ca_file: Option<PathBuf>,
    /// Such certificates themselves.
    pub ca_pem: Option<String>,
    /// Trust the certificate authorities that come with turnkeep, besides the machine's. Where the machine has none
    /// (slim container images), they are trusted in any case.
    pub bundled_roots: bool,
    /// How long a connection may take to open.
    pub connect_timeout_ms: u64,
    /// How long an unused connection is kept. Shorter than what balancers allow, so that none is used that they have
    /// dropped.
    pub keep_alive_ms: u64,
    /// How often a request is sent at most, when it is refused or lost before the first byte of an answer.
    pub max_tries: u32,
    /// The wait before the second try of a request that a provider refused without saying when to come back; it doubles.
    /// After a lost connection it is a tenth of that.
    pub retry_wait_ms: u64,
    /// Hosts of private networks that workspaces may name in their settings: a name, an IP address or a network such as
    /// `10.0.0.0/8`, with or without a port. Without them, settings lead to public addresses only. What the engine is
    /// opened with, and what a turn brings, may name any address.
    pub allow_private: Vec<String>,
    /// What requests say that they come from, in the header `User-Agent`: some gateways account by it. `turnkeep/` and its
    /// version unless given.
    pub user_agent: Option<String>,
}

impl fmt::Debug for HttpOptions {
    /// Without what is secret in the proxy's URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("proxy", &self.proxy.as_deref().map(without_secrets))
            .field("ca_file", &self.ca_file)
            .field("bundled_roots", &self.bundled_roots)
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("keep_alive_ms", &self.keep_alive_ms)
            .field("max_tries", &self.max_tries)
            .field("retry_wait_ms", &self.retry_wait_ms)
            .field("allow_private", &self.allow_private)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            proxy: None,
            ca_file: None,
            ca_pem: None,
            bundled_roots: false,
            connect_timeout_ms: 30_000,
            keep_alive_ms: 10_000,
            max_tries: 3,
            retry_wait_ms: 1500,
            allow_private: Vec::new(),
            user_agent: None,
        }
    }
}

impl HttpOptions {
    /// Whether they can be used at all, without reaching anybody.
    ///
    /// # Errors
    /// `INVALID_INPUT` naming the field.
    pub(crate) fn check(&self) -> Result<()> {
        self.proxy()?;
        self.extra_certificates()?;
        guard::allowed(&self.allow_private)?;
        self.user_agent()?;
        if self.max_tries == 0 {
            return Err(Error::invalid("http.maxTries", "must be at least 1"));
        }
        Ok(())
    }

    fn user_agent(&self) -> Result<HeaderValue> {
        let agent = self.user_agent.as_deref().unwrap_or(concat!("turnkeep/", env!("CARGO_PKG_VERSION")));
        let value = HeaderValue::from_str(agent).ok().filter(|_| !agent.trim().is_empty());
        value.ok_or_else(|| Error::invalid("http.userAgent", "must be text that a header may have"))
    }

    fn proxy(&self) -> Result<Option<reqwest::Proxy>> {
        match self.proxy.as_deref() {
            None | Some("environment") => Ok(None),
            Some(url) => {
                let proxy = reqwest::Proxy::all(url);
                proxy.map(Some).map_err(|_| Error::invalid("http.proxy", "is not a proxy's URL"))
            }
        }
    }

    fn extra_certificates(&self) -> Result<Vec<Certificate>> {
        let read = |pem: &[u8], field: &str| {
            let certificates = Certificate::from_pem_bundle(pem).ok().filter(|found| !found.is_empty());
            certificates.ok_or_else(|| Error::invalid(field, "holds no certificate in PEM form"))
        };
        let mut certificates = Vec::new();
        if let Some(path) = &self.ca_file {
            let pem = std::fs::read(path).map_err(|error| Error::invalid("http.caFile", error.kind()))?;
            certificates.extend(read(&pem, "http.caFile")?);
        }
        if let Some(pem) = &self.ca_pem {
            certificates.extend(read(pem.as_bytes(), "http.caPem")?);
        }
        Ok(certificates)
    }
}

/// The hosts of the proxies that may be used.
#[allow(clippy::disallowed_methods, reason = "the option says that the environment decides")]
fn proxies(options: &HttpOptions) -> Vec<String> {
    let host = |url: &str| {
        // What is no URL is a host.
        let parsed = reqwest::Url::parse(url).ok().filter(reqwest::Url::has_host);
        let parsed = parsed.or_else(|| reqwest::Url::parse(&format!("http://{url}")).ok())?;
        parsed.host_str().map(str::to_owned)
    };
    match options.proxy.as_deref() {
        None => Vec::new(),
        Some("environment") => {
            let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
            let set = names.iter().flat_map(|name| [name.to_string(), name.to_ascii_lowercase()]);
            set.filter_map(|name| host(&std::env::var(name).ok()?)).collect()
        }
        Some(url) => host(url).into_iter().collect(),
    }
}

/// Builds the clients that all providers of an engine share.
///
/// # Errors
/// `INVALID_INPUT` naming the option, `INTERNAL` when no TLS client can be had at all.
pub(super) fn build(options: &HttpOptions, names: Names) -> Result<Clients> {
    let extra = options.extra_certificates()?;
    let proxy = options.proxy()?;
    let agent = options.user_agent()?;
    let allowed = Arc::new(guard::allowed(&options.allow_private)?);
    let proxies = proxies(options);
    let by_proxy = !proxies.is_empty();
    let resolver = Arc::new(GuardedResolver { names: names.clone(), allowed: Arc::clone(&allowed), proxies });
    let bundled = options.bundled_roots || !machine_has_roots();
    let certificates: Vec<_> = if bundled { extra.into_iter().chain(bundled_roots()).collect() } else { extra };
    let prepare = |guarded: bool| {
        let mut builder = base(options).user_agent(agent.clone()).tls_certs_merge(certificates.clone());
        if guarded {
            builder = builder.dns_resolver(Arc::clone(&resolver));
        }
        builder = match (&proxy, options.proxy.is_some()) {
            (Some(proxy), _) => builder.proxy(proxy.clone()),
            (None, true) => builder,
            (None, false) => builder.no_proxy(),
        };
        builder.build().map_err(|error| Error::internal(format!("the HTTP client cannot be built: {error}")))
    };
    Ok(Clients { open: prepare(false)?, guarded: prepare(true)?, allowed, names, by_proxy })
}

fn base(options: &HttpOptions) -> ClientBuilder {
    reqwest::Client::builder()
        .redirect(Policy::custom(redirect))
        .connect_timeout(Duration::from_millis(options.connect_timeout_ms))
        .pool_idle_timeout(Duration::from_millis(options.keep_alive_ms))
}

/// A key must not travel to another host, and a request's body only where it was asked to be sent again.
fn redirect(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let first = attempt.previous().first().map(|url| url.origin());
    let same_place = first == Some(attempt.url().origin());
    let keeps_method = matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    if same_place && keeps_method && attempt.previous().len() <= MAX_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// A client with nothing to trust cannot be built, not even for plain HTTP.
fn machine_has_roots() -> bool {
    reqwest::Client::builder().no_proxy().build().is_ok()
}

fn bundled_roots() -> impl Iterator<Item = Certificate> {
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| Certificate::from_der(der).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_options_are_named() {
        let field = |options: &str| {
            let options: HttpOptions = serde_json::from_str(options).unwrap();
            options.check().unwrap_err().to_string()
        };
        assert!(field(r#"{"caPem":"nothing"}"#).contains("http.caPem"));
        assert!(field(r#"{"caFile":"/nowhere/at-all.pem"}"#).contains("http.caFile"));
        assert!(field(r#"{"proxy":"::"}"#).contains("http.proxy"));
        assert!(field(r#"{"maxTries":0}"#).contains("http.maxTries"));
        assert!(field(r#"{"userAgent":"a\nb"}"#).contains("http.userAgent"));
        assert!(field(r#"{"userAgent":" "}"#).contains("http.userAgent"));
        assert!(HttpOptions::default().check().is_ok());
    }

    #[test]
    fn a_client_can_be_built_with_the_bundled_roots() {
        assert!(bundled_roots().count() > 100);
        build(&HttpOptions { bundled_roots: true, ..HttpOptions::default() }, Names::of_machine()).unwrap();
    }
}
