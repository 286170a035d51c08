//! Notices output that goes round in circles.
//!
//! Ending a run destroys what it would have written, so this is to be wrong nearly never: people ask for tables of equal
//! rows, fixtures, pictures of letters and songs with many verses. Only text counts that repeats one unit exactly, without
//! a break, over a long stretch; how long depends on what repeats.

/// How long sentences may repeat, in bytes.
const SENTENCES: usize = 12 * 1024;
/// The same for anything else: rows, numbers, lines, characters.
const DATA: usize = 96 * 1024;
/// The same for the input of a tool, which may be a whole file.
const INPUT: usize = 512 * 1024;

/// How much text comes between two searches for a unit.
const SEARCH_INTERVAL: usize = 1024;
/// How much of the text's end is searched.
const SEARCH_WINDOW: usize = 8 * 1024;
/// The longest unit.
const MAX_UNIT: usize = 2 * 1024;
/// How often a unit has to repeat before it is looked at any further.
const MIN_REPEATS: usize = 3;

/// Watches one text as it grows. Each byte is looked at a bounded number of times.
#[derive(Clone, Debug, Default)]
pub(super) struct LoopGuard {
    /// The unit that repeats, and where its repetition began.
    repeats: Option<Repeats>,
    /// How far the text is known to repeat, or was searched.
    seen: usize,
    searched: usize,
}

#[derive(Clone, Copy, Debug)]
struct Repeats {
    unit: usize,
    from: usize,
    limit: usize,
}

impl LoopGuard {
    /// Whether the text has gone round in a circle for too long by now. `text` is what it was before and more.
    pub(super) fn is_stuck(&mut self, text: &str, is_input: bool) -> bool {
        let bytes = text.as_bytes();
        if let Some(Repeats { unit, .. }) = self.repeats {
            let goes_on =
                (self.seen..bytes.len()).all(|at| bytes.get(at) == at.checked_sub(unit).and_then(|at| bytes.get(at)));
            if !goes_on {
                self.repeats = None;
            }
        }
        self.seen = bytes.len();
        if self.repeats.is_none() && bytes.len() >= self.searched + SEARCH_INTERVAL {
            self.searched = bytes.len();
            self.repeats = search(text, is_input);
        }
        self.repeats.is_some_and(|repeats| bytes.len() - repeats.from >= repeats.limit)
    }
}

/// The unit that the text's end repeats, if there is one.
fn search(text: &str, is_input: bool) -> Option<Repeats> {
    let bytes = text.as_bytes();
    let window = bytes.get(bytes.len().saturating_sub(SEARCH_WINDOW)..)?;
    let unit = repeated_unit(window)?;
    let mut from = bytes.len() - unit;
    while let Some(before) = from.checked_sub(1)
        && bytes.get(before) == bytes.get(before + unit)
    {
        from = before;
    }
    let limit = match is_input {
        true => INPUT,
        false if says_sentences(&String::from_utf8_lossy(bytes.get(bytes.len() - unit..)?)) => SENTENCES,
        false => DATA,
    };
    Some(Repeats { unit, from, limit })
}

/// The shortest unit that the window's end repeats often enough: the Z function of the window read backwards tells, for
/// each distance, how far the end looks like what stands that far before it.
fn repeated_unit(window: &[u8]) -> Option<usize> {
    let length = window.len();
    let at = |place: usize| window.get(length - 1 - place);
    let mut z = vec![0_usize; length];
    let (mut left, mut right) = (0, 0);
    for place in 1..length {
        let mut same = if place < right { z.get(place - left).copied()?.min(right - place) } else { 0 };
        while place + same < length && at(same) == at(place + same) {
            same += 1;
        }
        if place + same > right {
            (left, right) = (place, place + same);
        }
        *z.get_mut(place)? = same;
        if place <= MAX_UNIT && same >= place * MIN_REPEATS && same >= SEARCH_INTERVAL {
            return Some(place);
        }
        if place > MAX_UNIT {
            return None;
        }
    }
    None
}

/// Whether a unit is made of sentences: words, few other signs, and an end.
fn says_sentences(unit: &str) -> bool {
    let (mut letters, mut blanks, mut others, mut far_letters) = (0_usize, 0_usize, 0_usize, 0_usize);
    let mut has_end = false;
    for letter in unit.chars() {
        match letter {
            '.' | '!' | '?' | '…' | '。' | '！' | '？' | '।' | '؟' => has_end = true,
            ',' | ';' | ':' | '\'' | '’' | '"' | '-' | '、' | '，' => {}
            letter if letter.is_alphabetic() => {
                letters += 1;
                far_letters += usize::from(letter.len_utf8() > 2);
            }
            letter if letter.is_whitespace() => blanks += 1,
            _ => others += 1,
        }
    }
    // Scripts without blanks between words count by their letters.
    let words = blanks.max(far_letters / 3);
    has_end && words >= 4 && letters >= 12 && others * 20 <= letters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of the text there is when the guard ends it, given piece by piece.
    pub(super) fn ended_at(text: &str, is_input: bool) -> Option<usize> {
        let mut guard = LoopGuard::default();
        let mut at = 0;
        while at < text.len() {
            at = text.ceil_char_boundary((at + 24).min(text.len()));
            if guard.is_stuck(text.get(..at).unwrap(), is_input) {
                return Some(at);
            }
        }
        None
    }

    #[test]
    fn sentences_in_a_loop_end_within_a_few_thousand_words() {
        for unit in [
            "I will now look at the page again. ",
            "Let me check the file once more.\n\n",
            "Wait, no. Let me think about this step by step again. ",
            "让我再检查一下这个页面的内容。",
            "Ich sehe mir die Seite jetzt noch einmal an. ",
        ] {
            let text = format!("{}{}", "A first thought that leads into it. It is short.\n", unit.repeat(2000));
            let at = ended_at(&text, false).unwrap();
            assert!((SENTENCES..SENTENCES + 3 * SEARCH_INTERVAL).contains(&at), "{unit}: {at}");
        }
    }

    #[test]
    fn anything_else_in_a_loop_ends_later_and_ends() {
        for unit in ["0, ", "| free | no |\n", "\n", "the ", "AAAA", "👍"] {
            let at = ended_at(&unit.repeat(120_000 / unit.len()), false).unwrap();
            assert!((DATA..DATA + 3 * SEARCH_INTERVAL).contains(&at), "{unit:?}: {at}");
        }
        assert_eq!(ended_at(&"0, ".repeat(40_000), true), None);
        assert!(ended_at(&"0, ".repeat(200_000), true).is_some());
    }

    #[test]
    fn a_break_begins_anew() {
        let verse = "Row, row, row your boat, gently down the stream.\n".repeat(200);
        let song: String = (0..8).map(|verse_number| format!("Verse {verse_number}\n{verse}")).collect();
        assert!(song.len() > 6 * SENTENCES);
        assert_eq!(ended_at(&song, false), None);
    }
}
