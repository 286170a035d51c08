//! What must not be shown: keys, tokens and passwords in text that people or logs get to see.

use crate::spelling::places_of;

/// What keys begin with, and how many characters must follow.
const KEY_PREFIXES: &[(&str, usize)] = &[
    ("sk-", 8),
    ("sk_", 8),
    ("pk-", 16),
    ("pk_", 16),
    ("rk_", 16),
    ("AIza", 8),
    ("ya29.", 8),
    ("xai-", 8),
    ("gsk_", 8),
    ("key-", 8),
    ("pplx-", 8),
    ("nvapi-", 8),
    ("hf_", 16),
    ("r8_", 16),
    ("ghp_", 8),
    ("gho_", 8),
    ("ghu_", 8),
    ("ghs_", 8),
    ("ghr_", 8),
    ("github_pat_", 8),
    ("glpat-", 8),
    ("xoxa-", 8),
    ("xoxb-", 8),
    ("xoxp-", 8),
    ("xoxr-", 8),
    ("xoxs-", 8),
    ("AKIA", 16),
    ("ASIA", 16),
    ("eyJ", 16),
];

/// What stands where a secret was.
pub const MASK: &str = "***";

/// A secret of fewer characters is not searched for: it stands in half of all words, and is none that protects anything.
pub const SHORTEST_SECRET: usize = 4;

/// Replaces the given secrets, in whatever spelling servers give them back, and everything that looks like a key, a token
/// or a password, by `***`. Secrets of fewer than [`SHORTEST_SECRET`] characters are not searched for.
pub fn mask_secrets(text: &str, secrets: &[&str]) -> String {
    let searched = secrets.iter().filter(|secret| secret.chars().count() >= SHORTEST_SECRET);
    let masked = without(text, searched.flat_map(|secret| places_of(secret, text)).collect());
    let mut spans = named_values(&masked);
    prefixed(&masked, &mut spans);
    without(&masked, spans)
}

/// The text with a mask for each of these spans; of those that overlap, one stands for all.
fn without(text: &str, mut spans: Vec<(usize, usize)>) -> String {
    spans.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (start, end) in spans {
        if end <= done {
            continue;
        }
        if start >= done {
            out.push_str(text.get(done..start).unwrap_or_default());
            out.push_str(MASK);
        }
        done = end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

fn is_key_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | '+' | '/' | '~')
}

/// What follows one of [`KEY_PREFIXES`].
fn prefixed(text: &str, spans: &mut Vec<(usize, usize)>) {
    for (prefix, least) in KEY_PREFIXES {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(prefix)) {
            let start = from + at + prefix.len();
            let rest = text.get(start..).unwrap_or_default();
            let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '*')));
            let length = length.unwrap_or(rest.len());
            let before = text.get(..from + at).unwrap_or_default();
            let inside_word = before.ends_with(|c: char| c.is_ascii_alphanumeric()) && !ends_in_escape(before);
            from = if length >= *least && !inside_word {
                spans.push((start, start + length));
                start + length
            } else {
                start
            };
        }
    }
}

/// Whether the text ends in an escape of JSON or of a URL, whose letters belong to no word.
fn ends_in_escape(text: &str) -> bool {
    let hexadecimal = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
    let bytes = text.as_bytes();
    let character = matches!(bytes, [.., b'\\', b'u', a, b, c, d] if hexadecimal(&[*a, *b, *c, *d]));
    let of_url = matches!(bytes, [.., b'%', a, b] if hexadecimal(&[*a, *b]));
    character || of_url || matches!(bytes, [.., b'\\', b'b' | b'f' | b'n' | b'r' | b't'])
}

/// How many words after one like "key" a value is still taken for it.
const REACH: u32 = 4;

/// Values that are called a key, a token or a password by the word before them.
fn named_values(text: &str) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    let mut name = "";
    let mut since_keyword = REACH;
    // Bytes of the value's name and value may be parted by quotes, `:`, `=` and blanks only.
    let mut previous_end = 0;
    let mut at = 0;
    while let Some(offset) = text.get(at..).and_then(|rest| rest.find(is_key_character)) {
        let start = at + offset;
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.find(|c| !is_key_character(c)).unwrap_or(rest.len());
        let end = start + length;
        // Padding belongs to the value, a full stop or a slash at the end does not.
        let word = rest.get(..length).unwrap_or_default();
        let gap = text.get(previous_end..start).unwrap_or_default();
        if is_secret(name, gap, word, since_keyword < REACH) {
            let padding = text.get(end..).map_or(0, |after| after.len() - after.trim_start_matches('=').len());
            let sentence_end = if padding == 0 { length - word.trim_end_matches('.').len() } else { 0 };
            spans.push((start, end + padding.min(2) - sentence_end));
        }
        since_keyword = if names_key(word) { 0 } else { since_keyword.saturating_add(1) };
        (name, previous_end, at) = (word, end, end);
    }
    spans
}

/// Whether `word` is a secret, going by the word before it and what stands between them.
fn is_secret(name: &str, gap: &str, word: &str, near_keyword: bool) -> bool {
    if word.len() < 6 || matches!(word, "undefined" | "required" | "missing" | "invalid") {
        return false;
    }
    let blank = !gap.is_empty() && gap.chars().all(|c| c == ' ');
    if blank && name.eq_ignore_ascii_case("bearer") {
        return word.len() >= 8 && !matches!(word, "authentication" | "authorization");
    }
    if blank && name.eq_ignore_ascii_case("basic") {
        return word.len() >= 12 && is_mixed(word);
    }
    // `name=value`, `"name": "value"`, `x-name: value`.
    let assigned = gap.contains(['=', ':']) && gap.chars().all(|c| matches!(c, '=' | ':' | ' ' | '"' | '\'' | '\\'));
    let spelled_out = gap.contains(['=', '"', '\'']) || name.contains(['-', '_']);
    if assigned && is_secret_name(name) && (spelled_out || is_mixed(word)) {
        return true;
    }
    if assigned && names_key(name) && word.len() >= 12 && is_mixed(word) {
        return true;
    }
    near_keyword && word.len() >= 20 && is_mixed(word) && !word.contains('/')
}

/// Letters and digits together, or letters of both sizes inside: not a word of a language.
fn is_mixed(word: &str) -> bool {
    let digit = word.bytes().any(|b| b.is_ascii_digit());
    let lower = word.bytes().any(|b| b.is_ascii_lowercase());
    let upper = word.bytes().skip(1).any(|b| b.is_ascii_uppercase());
    (digit && (lower || upper)) || (lower && upper)
}

/// Names whose value is a secret whatever it looks like.
fn is_secret_name(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    [
        "apikey",
        "googapikey",
        "authorization",
        "accesstoken",
        "refreshtoken",
        "authtoken",
        "idtoken",
        "sessiontoken",
        "bearertoken",
        "secret",
        "secretkey",
        "accesskey",
        "privatekey",
        "password",
        "passwd",
    ]
    .iter()
    .any(|ending| name.ends_with(ending))
}

/// Words after which a long run of letters and digits is a secret.
fn names_key(word: &str) -> bool {
    let word = word.trim_end_matches(['.', '/']).to_ascii_lowercase();
    ["key", "keys", "token", "secret", "password", "credential", "credentials"].iter().any(|name| word.ends_with(name))
        || is_secret_name(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_key_is_masked() {
        for text in [
            "Incorrect API key provided: sk-SECRET12345678.",
            "Authorization: Bearer SECRET12345678",
            "authorization: bearer SECRET12345678",
            "Authorization: Basic SECRETxyz123456==",
            "x-api-key: SECRET-abcdef-1",
            "{\"api_key\":\"SECRETabcdef\"}",
            "https://a.example/v1?api_key=SECRETabcdef&x=1",
            "https://a.example/v1?key=AIzaSECRET12345678",
            "https://a.example/v1?key=SECRET123456",
            "password=SECRETpw",
            "client_secret: 'SECRETabc'",
            "token eyJSECRETbGciOiJIUzI1NiJ9.SECRET.SECRET",
            "push by ghp_SECRET12345678 refused",
            "Your API key is SECRET0123456789abcdef0123",
            "API key: SECRET0123456789",
            "key-SECRET12345678",
            "got ya29.SECRET12345678",
            r#"{"message":"Incorrect key:\nsk-SECRET12345678"}"#,
            r#"{"message":"Incorrect key \u0027sk-SECRET12345678\u0027"}"#,
            "https://a.example/v1?q=%22sk-SECRET12345678%22",
        ] {
            let masked = mask_secrets(text, &[]);
            assert!(!masked.contains("SECRET") && masked.contains(MASK), "{text} became {masked}");
            assert_eq!(mask_secrets(&masked, &[]), masked, "{text}");
        }
    }

    #[test]
    fn of_two_secrets_neither_leaves_its_end() {
        for secrets in [["abcdefgh", "abcdefgh-SECRET"], ["abcdefgh-SECRET", "abcdefgh"]] {
            assert_eq!(mask_secrets("a abcdefgh-SECRET b abcdefgh", &secrets), "a *** b ***");
        }
    }

    #[test]
    fn prose_stays_as_it_is() {
        for text in [
            "Invalid API key: please check your account",
            "max_tokens: 4096 is above the limit",
            "{\"error\":{\"message\":\"User not found.\",\"code\":401}}",
            "Bearer authentication is required",
            "Basic authentication failed",
            "The key-value store is down",
            "request id: req_011CSHoEeqs5C35K2UUqR7Fy",
            "task-oriented models ask-questions",
            "https://api.example.com/v1/chat/completions",
            "This model's maximum context length is 128000 tokens. However, you requested 130000 tokens",
            "no tokens left until 2026-01-01T00:00:00Z",
        ] {
            assert_eq!(mask_secrets(text, &[]), text);
        }
    }

    proptest::proptest! {
        #[test]
        fn masking_is_stable_and_never_panics(text in "[a-zA-Z0-9 :=\"'._/-]{0,60}|\\PC{0,40}") {
            let masked = mask_secrets(&text, &[]);
            proptest::prop_assert!(masked == text || masked.contains(MASK));
        }
    }
}
