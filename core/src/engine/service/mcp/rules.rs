//! What may be set of a tool server.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::text::counted_len;

/// How long a name may be, in characters.
const NAME: usize = 200;
/// How long guidance may be, in characters.
const INSTRUCTIONS: usize = 4_000;
/// How long an address may be, in bytes.
const URL: usize = 2_048;
/// How many tools may be allowed one by one, and how long each of their names may be, in bytes.
const ALLOWED: (usize, usize) = (1_000, 512);
/// How many headers there may be, and how many bytes they may have together.
const HEADERS: (usize, usize) = (50, 16 * 1024);
/// Headers that are the protocol's own, or the connection's.
const RESERVED: [&str; 15] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "last-event-id",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "mcp-session-id",
];

/// Headers as they are given: names and values.
pub(crate) type GivenHeaders = BTreeMap<String, String>;

/// Which wire a tool server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum McpTransport {
    /// Streamable HTTP.
    Http,
    /// Server-sent events, as servers had them before that.
    Sse,
    /// The lines of a program that whoever runs the server allows.
    Stdio,
}

impl McpTransport {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            McpTransport::Http => "http",
            McpTransport::Sse => "sse",
            McpTransport::Stdio => "stdio",
        }
    }

    pub(super) fn read(word: &str) -> Option<Self> {
        [Self::Http, Self::Sse, Self::Stdio].into_iter().find(|transport| transport.as_str() == word)
    }
}

/// A tool server that is to be created.
#[derive(Clone)]
pub struct NewMcpServer {
    /// What the administrators call it.
    pub name: String,
    /// Which wire it speaks.
    pub transport: McpTransport,
    /// Where it is; with [`McpTransport::Stdio`] the name of a program in the option `mcp.programs`.
    pub url: String,
    /// What goes with every request.
    pub headers: BTreeMap<String, String>,
    /// The tools that may be used, by the server's own names; all unless given.
    pub tool_allowlist: Option<Vec<String>>,
    /// Guidance for the model, for servers that contribute a tool.
    pub instructions: Option<String>,
    /// Whether its tools are offered; yes unless given.
    pub enabled: Option<bool>,
}

/// A change of a tool server: what is not given stays.
#[derive(Clone, Default)]
pub struct McpServerEdit {
    /// What the administrators call it.
    pub name: Option<String>,
    /// Which wire it speaks.
    pub transport: Option<McpTransport>,
    /// Where it is.
    pub url: Option<String>,
    /// What goes with every request, in the place of what went before.
    pub headers: Option<BTreeMap<String, String>>,
    /// The tools that may be used, or all.
    pub tool_allowlist: Option<Option<Vec<String>>>,
    /// Guidance for the model, or none.
    pub instructions: Option<Option<String>>,
    /// Whether its tools are offered.
    pub enabled: Option<bool>,
}

pub(super) fn checked_lengths(
    name: Option<&str>,
    allowlist: Option<&[String]>,
    instructions: Option<&str>,
) -> Result<()> {
    if let Some(name) = name
        && (name.trim().is_empty() || counted_len(name) > NAME || name.contains('\0'))
    {
        return Err(Error::invalid("name", format!("must have 1 to {NAME} characters")));
    }
    if instructions.is_some_and(|text| counted_len(text) > INSTRUCTIONS || text.contains('\0')) {
        return Err(Error::invalid("instructions", format!("must have at most {INSTRUCTIONS} characters")));
    }
    let list = allowlist.unwrap_or_default();
    if list.len() > ALLOWED.0 {
        return Err(Error::invalid("toolAllowlist", format!("must have at most {} tools", ALLOWED.0)));
    }
    let is_name = |name: &String| !name.is_empty() && name.len() <= ALLOWED.1 && !name.contains('\0');
    match list.iter().position(|name| !is_name(name)) {
        Some(place) => Err(Error::invalid(format!("toolAllowlist[{place}]"), "must be the name of a tool")),
        None => Ok(()),
    }
}

pub(super) fn check_url(url: &str) -> Result<()> {
    if url.is_empty() || url.len() > URL || url.contains('\0') {
        return Err(Error::invalid("url", format!("must have 1 to {URL} bytes")));
    }
    Ok(())
}

/// The headers that say anything.
pub(super) fn checked_headers(mut headers: GivenHeaders) -> Result<GivenHeaders> {
    headers.retain(|_, value| !value.trim().is_empty());
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADERS.0 || bytes > HEADERS.1 {
        return Err(Error::invalid("headers", format!("must be at most {}, of {} bytes", HEADERS.0, HEADERS.1)));
    }
    for (name, value) in &headers {
        let Ok(header) = HeaderName::try_from(name) else {
            return Err(Error::invalid("headers", "must have names of HTTP headers"));
        };
        if RESERVED.contains(&header.as_str()) || header.as_str().starts_with("mcp-p") {
            return Err(Error::invalid(format!("headers.{header}"), "is not for anybody to set"));
        }
        if HeaderValue::try_from(value).is_err() {
            return Err(Error::invalid(format!("headers.{header}"), "must be text that a header may have"));
        }
    }
    Ok(headers)
}

/// Stored headers as they are sent. Only texts are values, whoever has written them.
pub(super) fn header_map(stored: &SecretString) -> HeaderMap {
    let stored: BTreeMap<String, serde_json::Value> = serde_json::from_str(stored.expose_secret()).unwrap_or_default();
    let mut headers = HeaderMap::new();
    for (name, value) in &stored {
        let value = value.as_str().filter(|value| !value.is_empty()).map(HeaderValue::try_from);
        if let (Ok(name), Some(Ok(mut value))) = (HeaderName::try_from(name), value)
            && !RESERVED.contains(&name.as_str())
        {
            // So that no library below us logs it.
            value.set_sensitive(true);
            headers.append(name, value);
        }
    }
    headers
}

/// The place that headers are for.
pub(super) fn origin(transport: &str, url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(url) if transport != McpTransport::Stdio.as_str() => url.origin().ascii_serialization(),
        _ => format!("{transport} {url}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Result<GivenHeaders> {
        checked_headers(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn headers_are_what_headers_may_be() {
        assert_eq!(headers(&[("Authorization", "Bearer x"), ("X-Empty", " ")]).unwrap().len(), 1);
        for (name, value) in [("a b", "x"), ("", "x"), ("x", "a\r\nb: c"), ("Host", "x"), ("MCP-Session-Id", "x")] {
            let error = headers(&[(name, value)]).unwrap_err();
            assert!(error.to_string().contains("headers") && !error.to_string().contains("b: c"), "{error}");
        }
        assert!(headers(&[("x", &"v".repeat(20_000))]).is_err());
    }

    #[test]
    fn stored_headers_are_read_as_their_writers_meant_them() {
        for (stored, count) in [(r#"{"A":"1","B":2,"C":null}"#, 1), ("[]", 0), ("\"str\"", 0), ("{}", 0), ("5", 0)] {
            assert_eq!(header_map(&SecretString::from(stored.to_owned())).len(), count, "{stored}");
        }
    }
}
