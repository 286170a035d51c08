//! Text as JavaScript clients count and trim it.

/// Length in UTF-16 code units, which is what JavaScript calls a string's length.
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The longest prefix of at most `units` UTF-16 code units that does not cut a surrogate pair.
pub fn utf16_prefix(text: &str, units: usize) -> &str {
    let mut taken = 0;
    for (index, character) in text.char_indices() {
        taken += character.len_utf16();
        if taken > units {
            return text.split_at(index).0;
        }
    }
    text
}

/// Whether ECMAScript counts the character as white space (or a line end).
pub fn is_js_space(character: char) -> bool {
    matches!(
        character,
        '\u{9}'..='\u{d}' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}' | '\u{feff}'
    )
}

/// `String.prototype.trim`.
pub fn js_trim(text: &str) -> &str {
    text.trim_matches(is_js_space)
}

/// How long validators of web forms find a text: its characters, but for those that only choose how the one before them is
/// shown.
pub fn counted_len(text: &str) -> usize {
    text.chars().filter(|character| !matches!(character, '\u{fe0e}' | '\u{fe0f}')).count()
}

/// Every run of white space becomes one space; the ends are trimmed.
pub fn one_line(text: &str) -> String {
    text.split(is_js_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Replaces U+0000, which PostgreSQL cannot store, with U+FFFD.
pub fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_never_cuts_a_pair() {
        assert_eq!(utf16_prefix("a😀b", 2), "a");
        assert_eq!(utf16_prefix("a😀b", 3), "a😀");
        assert_eq!(utf16_prefix("ab", 9), "ab");
        assert_eq!(utf16_len("a😀b"), 4);
    }

    #[test]
    fn trim_follows_javascript_rather_than_unicode() {
        assert_eq!(js_trim("\u{feff} x \u{2028}"), "x");
        assert_eq!(js_trim("\u{85}x"), "\u{85}x");
        assert_eq!(one_line(" a\r\n\t b  "), "a b");
    }
}
