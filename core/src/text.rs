//! Text as JavaScript clients count and trim it.

/// Length in UTF-16 code units, which is what JavaScript calls a string's length.
pub fn utf16_len(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// Length in characters as validators of forms count them: a surrogate pair is one, and so is a character together with the
/// variation selector (U+FE0E, U+FE0F) behind it.
pub fn counted_len(text: &str) -> usize {
    let is_selector = |character: char| matches!(character, '\u{fe0e}' | '\u{fe0f}');
    let (mut count, mut before) = (0, None);
    for character in text.chars() {
        let belongs = is_selector(character) && before.is_some_and(|before| !is_selector(before));
        count += usize::from(!belongs);
        before = Some(character);
    }
    count
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
    fn a_selector_counts_with_its_character() {
        for (text, count) in [("", 0), ("a😀", 2), ("a\u{fe0f}", 1), ("1\u{fe0f}\u{20e3}", 2), ("👨‍👩‍👧", 5)]
        {
            assert_eq!(counted_len(text), count, "{text}");
        }
        assert_eq!(counted_len("\u{fe0f}"), 1);
        assert_eq!(counted_len("a\u{fe0f}\u{fe0f}"), 2, "a row of them is no way around a limit");
    }

    #[test]
    fn trim_follows_javascript_rather_than_unicode() {
        assert_eq!(js_trim("\u{feff} x \u{2028}"), "x");
        assert_eq!(js_trim("\u{85}x"), "\u{85}x");
        assert_eq!(one_line(" a\r\n\t b  "), "a b");
    }
}
