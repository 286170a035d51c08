//! Text of a stranger's, made into what may stand in a prompt, a list or a message.

use crate::text::{one_line, utf16_prefix};

/// Whether a character is seen. Others turn text around, hide some of it from people, or end a line where there is none.
fn is_seen(character: char) -> bool {
    let is_format = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !character.is_control() && !is_format
}

/// As one line of at most so many UTF-16 units.
pub(super) fn line(text: &str, units: usize) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| is_seen(*c)).collect();
    utf16_prefix(&one_line(&spaced), units).to_owned()
}

/// As text of at most so many UTF-16 units, which keeps its lines.
pub(super) fn lines(text: &str, units: usize) -> String {
    let seen: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || is_seen(*c)).collect();
    utf16_prefix(&seen, units).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_left_out() {
        assert_eq!(line("a\u{1b}[31m\r\nb\u{202e}c\u{e0041}", 100), "a [31m bc");
        assert_eq!(lines("a\n\tb\u{0}\u{200b}c", 100), "a\n\tbc");
        assert_eq!(lines("abc", 2), "ab");
    }
}
