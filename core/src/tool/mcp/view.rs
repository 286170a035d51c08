//! What clients may see of a tool server's row: never a header's value, nor a secret in the URL.

use serde::{Deserialize, Deserializer, Serialize};

use crate::mask::{MASK, mask_secrets};
use crate::model::Json;

/// A row of a tool server, as far as the view needs it.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct McpServerRow {
    /// Its id.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// `http` or `sse`.
    pub transport: String,
    /// Where it is.
    pub url: String,
    /// Whether its tools are offered; yes unless said otherwise.
    #[serde(default)]
    pub enabled: Option<bool>,
    /// The tools that may be used, by the names that the server gives them; all when there is none.
    #[serde(default, deserialize_with = "allowlist")]
    pub tool_allowlist: Option<Vec<String>>,
    /// Guidance for the model.
    #[serde(default)]
    pub instructions: Option<String>,
    /// The headers in the clear.
    #[serde(default)]
    pub headers: Option<HeaderNames>,
    /// The headers as they are stored: encrypted.
    #[serde(default)]
    pub headers_enc: Option<String>,
}

/// The names of headers, in their order. Values are not even kept; a header without one counts as absent.
#[derive(Clone, Debug, Default)]
pub struct HeaderNames(Vec<String>);

impl<'de> Deserialize<'de> for HeaderNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = HeaderNames;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of header names and values")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<HeaderNames, A::Error> {
                // A name given twice has its first place and its last value, as in JavaScript.
                let mut names: Vec<(String, bool)> = Vec::new();
                let mut places = std::collections::HashMap::new();
                while let Some((name, value)) = map.next_entry::<String, Json>()? {
                    let kept = value.get().starts_with('"') && value.get() != "\"\"";
                    let place = *places.entry(name.clone()).or_insert(names.len());
                    match names.get_mut(place) {
                        Some(entry) => entry.1 = kept,
                        None => names.push((name, kept)),
                    }
                }
                Ok(HeaderNames(names.into_iter().filter(|(_, kept)| *kept).map(|(name, _)| name).collect()))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

/// Database drivers may hand out a JSON column as its text.
fn allowlist<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    struct Visitor;

    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = Option<Vec<String>>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a list of tool names")
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            serde_json::from_str(text).map_err(|_| E::custom("not a list of tool names"))
        }

        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let mut names = Vec::new();
            while let Some(name) = list.next_element()? {
                names.push(name);
            }
            Ok(Some(names))
        }
    }

    deserializer.deserialize_any(Visitor)
}

/// What clients may see.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct McpServerView {
    /// Its id.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// `http` or `sse`.
    pub transport: String,
    /// Where it is, with what looks like a secret masked.
    pub url: String,
    /// Whether its tools are offered.
    pub enabled: bool,
    /// The tools that may be used, or all.
    pub tool_allowlist: Option<Vec<String>>,
    /// Whether requests carry headers of the administrator's.
    pub has_headers: bool,
    /// Guidance for the model.
    pub instructions: Option<String>,
    /// The names of these headers, as far as they can be read.
    pub header_names: Vec<String>,
}

impl From<McpServerRow> for McpServerView {
    fn from(row: McpServerRow) -> Self {
        let header_names = row.headers.unwrap_or_default().0;
        let stored = row.headers_enc.is_some_and(|blob| !blob.is_empty());
        Self {
            id: row.id,
            name: row.name,
            transport: row.transport,
            url: masked_url(&row.url),
            enabled: row.enabled.unwrap_or(true),
            tool_allowlist: row.tool_allowlist,
            has_headers: stored || !header_names.is_empty(),
            instructions: row.instructions,
            header_names,
        }
    }
}

/// The URL without user and password, and without the values of query parameters that are called like a secret.
fn masked_url(url: &str) -> String {
    // Slashes may lean either way and tabs are dropped: this is how clients read a URL, whatever it looks like.
    let scheme = url.find(':').filter(|end| url.get(..*end).is_some_and(is_scheme)).map_or(0, |end| end + 1);
    let after_scheme = url.get(scheme..).unwrap_or_default();
    let slashes = after_scheme.len() - after_scheme.trim_start_matches(['/', '\\', '\t', '\n', '\r']).len();
    let (start, rest) = url.split_at_checked(scheme + slashes).unwrap_or((url, ""));
    let end = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let mut out = String::with_capacity(url.len());
    out.push_str(start);
    match authority.rsplit_once('@') {
        Some((_, host)) => {
            out.push_str(MASK);
            out.push('@');
            out.push_str(host);
        }
        None => out.push_str(authority),
    }
    // Each piece ends before the mark that begins the next one, which makes `name=value` the unit to look at.
    let mut in_parameters = false;
    for piece in tail.split_inclusive(['?', '#', '&', ';']) {
        let (body, mark) = match piece.char_indices().next_back() {
            Some((at, mark @ ('?' | '#' | '&' | ';'))) => (piece.get(..at).unwrap_or_default(), Some(mark)),
            _ => (piece, None),
        };
        match body.split_once('=') {
            Some((name, value)) if in_parameters && !value.is_empty() && names_secret(name) => {
                out.push_str(name);
                out.push('=');
                out.push_str(MASK);
            }
            _ => out.push_str(body),
        }
        in_parameters = in_parameters || matches!(mark, Some('?' | '#'));
        out.extend(mark);
    }
    mask_secrets(&out, &[])
}

fn is_scheme(text: &str) -> bool {
    // Clients pass blanks at the beginning by, and tabs and line ends anywhere.
    let text = text.trim_start_matches(|c: char| c <= ' ');
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'\t' | b'\n' | b'\r'))
}

/// Whether a parameter is called like something that should not be shown.
fn names_secret(name: &str) -> bool {
    let name: String =
        percent_decoded(name).chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    ["key", "token", "secret", "password", "passwd", "pwd", "auth", "credential", "credentials", "signature", "jwt"]
        .iter()
        .any(|ending| name.ends_with(ending))
        || ["pass", "sig", "sid", "code", "session", "sessionid", "authorization", "bearer", "cookie"]
            .contains(&name.as_str())
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let escape = rest.get(1..3).filter(|_| first == '%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escape {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        rest = rest.get(escape.map_or(first.len_utf8(), |_| 3)..).unwrap_or_default();
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(json: &str) -> String {
        let row: McpServerRow = serde_json::from_str(json).unwrap();
        serde_json::to_string(&McpServerView::from(row)).unwrap()
    }

    #[test]
    fn names_of_headers_and_no_values() {
        let shown = view(
            r#"{"id":"x","name":"n","transport":"http","url":"https://a.example/mcp","headers":{"Authorization":"Bearer s3cret","Empty":"","X-Key":"k3y"},"workspaceId":"w"}"#,
        );
        let expected = r#"{"id":"x","name":"n","transport":"http","url":"https://a.example/mcp","enabled":true,"toolAllowlist":null,"hasHeaders":true,"instructions":null,"headerNames":["Authorization","X-Key"]}"#;
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_encrypted_blob_says_only_that_there_are_headers() {
        let shown = view(
            r#"{"id":"x","name":"n","transport":"sse","url":"u","headersEnc":"abc","toolAllowlist":"[\"a\"]","enabled":false}"#,
        );
        assert!(shown.contains(r#""enabled":false,"toolAllowlist":["a"],"hasHeaders":true"#), "{shown}");
        assert!(shown.ends_with(r#""headerNames":[]}"#) && !shown.contains("abc"), "{shown}");
    }

    #[test]
    fn urls_lose_their_secrets_only() {
        for (url, shown) in [
            ("https://a.example/mcp?x=1&y=2#z", "https://a.example/mcp?x=1&y=2#z"),
            ("https://user:pass@a.example/mcp", "https://***@a.example/mcp"),
            ("https:\\\\user:p@ss@a.example\\@x", "https:\\\\***@a.example\\@x"),
            (" https://user:pass@a.example/mcp", " https://***@a.example/mcp"),
            ("\nht\ttps:/user:pass@a.example", "\nht\ttps:/***@a.example"),
            ("https://a.example/?api_key=abc&q=1", "https://a.example/?api_key=***&q=1"),
            ("https://a.example/?api%5Fk%65y=abc", "https://a.example/?api%5Fk%65y=***"),
            ("https://a.example/#access_token=abc", "https://a.example/#access_token=***"),
            ("https://a.example/?a=1?token=abc", "https://a.example/?a=1?token=***"),
            ("https://a.example/mail@home?monkeys=1", "https://a.example/mail@home?monkeys=1"),
            ("https://a.example/s/sk-abcdefgh12345678/mcp", "https://a.example/s/sk-***/mcp"),
        ] {
            assert_eq!(masked_url(url), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_password_is_never_shown(tail in "[a-z0-9/?&=#@:;%]{0,30}") {
            let shown = masked_url(&format!("https://u:hunter2hunter2@a.example/{tail}"));
            proptest::prop_assert!(!shown.contains("hunter2"), "{}", shown);
        }

        #[test]
        fn any_url_is_answered(url in "\\PC{0,60}") {
            let _ = masked_url(&url);
        }
    }
}
