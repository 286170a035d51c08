//! A reader of JSON text that is known to be valid.

use memchr::{memchr, memchr2};

/// Walks over valid JSON, token by token. Text that is not valid ends early; it never panics.
pub(crate) struct Scanner<'a> {
    rest: &'a str,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    /// Passes white space by; `true` when there was some.
    pub(crate) fn blank(&mut self) -> bool {
        let length = self.rest.bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.take(length);
        length > 0
    }

    /// The next byte that is not white space, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.blank();
        self.rest.bytes().next()
    }

    /// The next byte as it stands.
    pub(crate) fn next_byte(&self) -> Option<u8> {
        self.rest.bytes().next()
    }

    /// Takes one punctuation mark.
    pub(crate) fn punctuation(&mut self) -> Option<u8> {
        let byte = self.peek();
        self.take(1);
        byte
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// Takes a string; gives what stands between its quotes, escapes as they are.
    pub(crate) fn string(&mut self) -> &'a str {
        self.blank();
        self.take(1);
        let bytes = self.rest.as_bytes();
        let mut length = 0;
        while let Some(found) = bytes.get(length..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            length += found;
            if bytes.get(length) == Some(&b'"') {
                let content = self.take(length);
                self.take(1);
                return content;
            }
            length += 2;
        }
        let all = self.rest;
        self.rest = "";
        all
    }

    /// Takes a number or a word.
    pub(crate) fn bare(&mut self) -> &'a str {
        self.blank();
        let length =
            self.rest.bytes().take_while(|byte| !matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'));
        let length = length.count();
        self.take(length)
    }

    /// Takes a whole value, however deep; gives its text.
    pub(crate) fn value(&mut self) -> &'a str {
        self.blank();
        let start = self.rest;
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                None => break,
                Some(b'"') => {
                    self.string();
                }
                Some(b'{' | b'[') => {
                    depth += 1;
                    self.take(1);
                }
                Some(b'}' | b']') => {
                    depth = depth.saturating_sub(1);
                    self.take(1);
                }
                Some(b',' | b':') => {
                    self.take(1);
                    continue;
                }
                Some(_) => {
                    // A stray byte at least one long, so that text which is not JSON ends too.
                    if self.bare().is_empty() {
                        self.take(1);
                    }
                }
            }
            if depth == 0 {
                break;
            }
        }
        start.get(..start.len() - self.rest.len()).unwrap_or(start)
    }
}

/// The text behind the escapes between a string's quotes. Half a surrogate pair and U+0000 become U+FFFD; `replaced`
/// counts them.
pub(crate) fn unescape(content: &str, replaced: &mut usize, out: &mut String) {
    let mut rest = content;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        let (plain, escape) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let (character, length) = unescape_one(escape, replaced);
        out.push(character);
        rest = escape.get(length..).unwrap_or("");
    }
    out.push_str(rest);
}

/// What the escape at the beginning of `escape` stands for, and its length.
pub(super) fn unescape_one(escape: &str, replaced: &mut usize) -> (char, usize) {
    match escape.as_bytes().get(1) {
        Some(b'b') => ('\u{8}', 2),
        Some(b'f') => ('\u{c}', 2),
        Some(b'n') => ('\n', 2),
        Some(b'r') => ('\r', 2),
        Some(b't') => ('\t', 2),
        Some(b'u') => unescape_unit(escape, replaced),
        Some(other) => (char::from(*other), 2),
        None => ('\u{fffd}', escape.len()),
    }
}

fn unescape_unit(escape: &str, replaced: &mut usize) -> (char, usize) {
    let unit = |from: usize| -> Option<u32> {
        let escape = escape.get(from..from + 6)?;
        u32::from_str_radix(escape.strip_prefix("\\u")?, 16).ok()
    };
    match (unit(0), unit(6)) {
        (Some(high @ 0xd800..=0xdbff), Some(low @ 0xdc00..=0xdfff)) => {
            let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(code).unwrap_or('\u{fffd}'), 12)
        }
        (Some(1..=0xd7ff | 0xe000..), _) => (unit(0).and_then(char::from_u32).unwrap_or('\u{fffd}'), 6),
        _ => {
            *replaced += 1;
            ('\u{fffd}', 6)
        }
    }
}

/// Appends `text` as `JSON.stringify` quotes it.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    write_escaped(text, out);
    out.push('"');
}

/// What stands behind the backslash when a byte is escaped: a letter, `u` for six bytes, or 0 for a byte that stands as
/// it is.
const ESCAPES: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = b'u';
        byte += 1;
    }
    table[0x08] = b'b';
    table[0x09] = b't';
    table[0x0a] = b'n';
    table[0x0c] = b'f';
    table[0x0d] = b'r';
    table[0x22] = b'"';
    table[0x5c] = b'\\';
    table
};

fn escape_of(byte: u8) -> u8 {
    ESCAPES.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Appends `text` as it stands between the quotes of `JSON.stringify`.
pub(super) fn write_escaped(text: &str, out: &mut String) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = escape_of(byte);
        if escape == 0 {
            continue;
        }
        // An escaped byte is a character of its own, so both cuts are between characters.
        out.push_str(text.get(from..at).unwrap_or(""));
        from = at + 1;
        out.push('\\');
        out.push(char::from(escape));
        if escape == b'u' {
            out.push_str(&format!("{byte:04x}"));
        }
    }
    out.push_str(text.get(from..).unwrap_or(""));
}

/// How many bytes [`write_escaped`] would append.
pub(crate) fn escaped_len(text: &str) -> usize {
    let more = text.bytes().map(|byte| match escape_of(byte) {
        0 => 0,
        b'u' => 5,
        _ => 1,
    });
    text.len() + more.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_end_where_they_end() {
        let mut scanner = Scanner::new(r#" {"a":[1,{"b":"}\"]"}],"c":null} , -1.5e3,"x" ]"#);
        assert_eq!(scanner.value(), r#"{"a":[1,{"b":"}\"]"}],"c":null}"#);
        assert_eq!(scanner.punctuation(), Some(b','));
        assert_eq!(scanner.value(), "-1.5e3");
        assert_eq!(scanner.punctuation(), Some(b','));
        assert_eq!(scanner.value(), "\"x\"");
        assert_eq!(scanner.punctuation(), Some(b']'));
        assert_eq!(scanner.peek(), None);
    }

    #[test]
    fn escapes_are_read_and_written() {
        let (mut replaced, mut out) = (0, String::new());
        unescape(r#"a\n\/\u00e9\ud83d\ude00\ud83d\u0000\\u"#, &mut replaced, &mut out);
        assert_eq!((out.as_str(), replaced), ("a\n/é😀\u{fffd}\u{fffd}\\u", 2));
        assert_eq!(escaped_len("a\"\\\u{1}\n\u{7f}é"), "a\\\"\\\\\\u0001\\n\u{7f}é".len());
        let mut quoted = String::new();
        write_string("a\"\\\u{1}\n\u{7f}\u{2028}é", &mut quoted);
        assert_eq!(quoted, "\"a\\\"\\\\\\u0001\\n\u{7f}\u{2028}é\"");
    }

    proptest::proptest! {
        #[test]
        fn text_that_is_not_json_ends(text in "[\\[\\]{}\",:\\\\ a1-]{0,40}") {
            let mut scanner = Scanner::new(&text);
            for _ in 0..100 {
                scanner.value();
                scanner.punctuation();
            }
            proptest::prop_assert!(scanner.rest().is_empty());
        }
    }
}
