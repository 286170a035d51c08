//! A reader of JSON text that is known to be valid.

use memchr::{memchr, memchr2};

/// Walks over valid JSON, token by token. Text that is not valid ends early; it never panics.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    /// The place of the next byte; always between characters.
    at: usize,
}

/// Bytes of a string that are looked at here, eight at once, before a search with more to set up begins.
const SHORT: usize = 64;

/// The first quote or backslash from `from` on.
fn quote_or_backslash(bytes: &[u8], from: usize) -> Option<usize> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of every byte that is 0; of the lowest such byte for certain, of those above it perhaps wrongly.
    let zeros = |eight: u64| eight.wrapping_sub(LOW) & !eight & HIGH;
    let mut rest = bytes.get(from..)?;
    for _ in 0..SHORT / 8 {
        let Some((eight, more)) = rest.split_first_chunk::<8>() else {
            break;
        };
        let eight = u64::from_le_bytes(*eight);
        let found = zeros(eight ^ (LOW * b'"' as u64)) | zeros(eight ^ (LOW * b'\\' as u64));
        if found != 0 {
            return Some(bytes.len() - rest.len() + found.trailing_zeros() as usize / 8);
        }
        rest = more;
    }
    Some(bytes.len() - rest.len() + memchr2(b'"', b'\\', rest)?)
}

/// The place of the quote that ends the string whose content begins at `from`, and whether there are escapes in it.
fn end_of_string(bytes: &[u8], from: usize) -> Option<(usize, bool)> {
    let mut found = quote_or_backslash(bytes, from)?;
    let mut escapes = false;
    while bytes.get(found) == Some(&b'\\') {
        escapes = true;
        found = quote_or_backslash(bytes, found + 2)?;
    }
    Some((found, escapes))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn ends_bare(byte: u8) -> bool {
    matches!(byte, b',' | b']' | b'}') || is_blank(byte)
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Takes everything up to `end`, which is between characters.
    fn take_to(&mut self, end: usize) -> &'a str {
        let taken = self.text.get(self.at..end);
        self.at = if taken.is_some() { end } else { self.text.len() };
        taken.unwrap_or("")
    }

    /// Passes white space by; `true` when there was some.
    pub(crate) fn blank(&mut self) -> bool {
        let from = self.at;
        while self.next_byte().is_some_and(is_blank) {
            self.at += 1;
        }
        self.at > from
    }

    /// The next byte that is not white space, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        self.blank();
        self.next_byte()
    }

    /// The next byte as it stands.
    pub(crate) fn next_byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes one punctuation mark.
    pub(crate) fn punctuation(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        // In text that is not JSON any character may stand here.
        self.at += 1;
        while !self.text.is_char_boundary(self.at) {
            self.at += 1;
        }
        Some(byte)
    }

    /// What has not been read.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    /// Takes a string; gives what stands between its quotes, escapes as they are.
    pub(crate) fn string(&mut self) -> &'a str {
        self.string_and_escapes().0
    }

    /// [`Scanner::string`], and whether there are escapes in it.
    pub(crate) fn string_and_escapes(&mut self) -> (&'a str, bool) {
        self.punctuation();
        match end_of_string(self.text.as_bytes(), self.at) {
            Some((end, escapes)) => {
                let content = self.take_to(end);
                self.at = (self.at + 1).min(self.text.len());
                (content, escapes)
            }
            None => (self.take_to(self.text.len()), true),
        }
    }

    /// Takes a number or a word.
    pub(crate) fn bare(&mut self) -> &'a str {
        self.blank();
        let bytes = self.text.as_bytes();
        let length = bytes.get(self.at..).unwrap_or_default().iter().position(|byte| ends_bare(*byte));
        self.take_to(length.map_or(bytes.len(), |length| self.at + length))
    }

    /// Takes a whole value, however deep; gives its text.
    pub(crate) fn value(&mut self) -> &'a str {
        self.blank();
        let bytes = self.text.as_bytes();
        let mut depth = 0_usize;
        let mut at = self.at;
        while let Some(byte) = bytes.get(at) {
            at += 1;
            match byte {
                b'"' => match end_of_string(bytes, at) {
                    Some((end, _)) => at = end + 1,
                    None => at = bytes.len(),
                },
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                // Within a container everything else is passed by as it comes.
                _ if depth > 0 => continue,
                b',' | b':' => continue,
                byte if is_blank(*byte) => continue,
                _ => {
                    while bytes.get(at).is_some_and(|byte| !ends_bare(*byte)) {
                        at += 1;
                    }
                }
            }
            if depth == 0 {
                break;
            }
        }
        self.take_to(at)
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
#[allow(clippy::indexing_slicing, reason = "computed by the compiler, which checks the bounds")]
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

/// How many bytes [`write_escaped`] would append for this text.
pub(crate) fn escaped_utf16_len(units: &[u16]) -> usize {
    // Sums of comparisons without a branch, in small numbers, so that many units are looked at with one instruction.
    // Each half of a pair counts two.
    let more = |unit: u16| {
        let in_utf8 = u16::from(unit >= 0x80) + u16::from(unit >= 0x800) - u16::from(unit & 0xf800 == 0xd800);
        let marks = u16::from(unit == 0x22) + u16::from(unit == 0x5c);
        let short = u16::from((unit == 8) | (unit == 9) | (unit == 10) | (unit == 12) | (unit == 13));
        let control = u16::from(unit < 0x20);
        in_utf8 + marks + 5 * control - 4 * short
    };
    // At most five times as many as units in a piece.
    let pieces = units.chunks(64).map(|piece| usize::from(piece.iter().map(|unit| more(*unit)).sum::<u16>()));
    units.len() + pieces.sum::<usize>()
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
