//! Output of a model that has got stuck in a loop.

/// How much of the end is looked at, in characters.
const WINDOW: usize = 16 * 1024;

/// How often something has to stand at the end of a text, and how many characters that has to cover.
struct Limit {
    repeats: usize,
    covered: usize,
}

/// For what has a letter or a digit in it: something short very often, or something long often enough.
const WORDS: [Limit; 2] = [Limit { repeats: 20, covered: 200 }, Limit { repeats: 6, covered: 1200 }];
/// Rulers, blank table cells and the like repeat by nature.
const MARKS: [Limit; 1] = [Limit { repeats: 6, covered: 1000 }];

/// `isDegenerateOutput`: whether the text ends in a loop.
///
/// Only what is repeated to the letter up to the very end counts, so that tables, code and lists, which close with
/// something else, do not. The time taken does not depend on what the text is.
pub fn is_degenerate_output(text: &str) -> bool {
    period(text).is_some()
}

/// `truncateDegenerateOutput`: a text that ends in a loop, up to the end of the second round, and `…`; any other text
/// unchanged.
pub fn truncate_degenerate_output(text: &str) -> String {
    let mut text = text.to_owned();
    // What is left may be the second last round of a larger loop. Every turn drops at least two thirds of a loop.
    while let Some((period, end)) = period(&text) {
        let looping = text.get(..end).unwrap_or_default();
        let ahead = looping.chars().rev().skip(period);
        let run = looping.chars().rev().zip(ahead).take_while(|(one, other)| one == other).count() + period;
        let dropped = run.saturating_sub(2 * period);
        let keep = looping.char_indices().rev().nth(dropped.saturating_sub(1)).map_or(0, |(at, _)| at);
        text.truncate(keep);
        text.push('…');
    }
    text
}

/// The length of the shortest loop at the end of the text, in characters, and where in the text the loop ends, in bytes.
fn period(text: &str) -> Option<(usize, usize)> {
    let trimmed = text.trim_end();
    // White space after a loop does not end it, but may be one itself.
    let found = loop_length(trimmed).map(|length| (length, trimmed.len()));
    found.or_else(|| loop_length(text).map(|length| (length, text.len())))
}

fn loop_length(text: &str) -> Option<usize> {
    let reversed: Vec<char> = text.chars().rev().take(WINDOW).collect();
    let mut has_word = false;
    let mut characters = reversed.iter();
    let matches = match_lengths(&reversed);
    matches.iter().enumerate().skip(1).find_map(|(length, matching)| {
        // The loop is the last `length` characters, of which one more is seen in every turn.
        has_word = has_word || characters.next().is_some_and(|character| character.is_alphanumeric());
        let covered = length + matching;
        let reached = |limit: &Limit| covered >= limit.covered && covered / length >= limit.repeats;
        let stuck = if has_word { WORDS.iter().any(reached) } else { MARKS.iter().any(reached) };
        stuck.then_some(length)
    })
}

/// For every place, how many characters from there on are the same as at the start (the Z function).
fn match_lengths(text: &[char]) -> Vec<usize> {
    let mut lengths = vec![0; text.len()];
    let (mut left, mut right) = (0, 0);
    for at in 1..text.len() {
        let known = if at < right { lengths.get(at - left).copied().unwrap_or(0).min(right - at) } else { 0 };
        let ahead = text.get(known..).unwrap_or_default().iter();
        let here = text.get(at + known..).unwrap_or_default().iter();
        let length = known + ahead.zip(here).take_while(|(one, other)| one == other).count();
        if at + length > right {
            (left, right) = (at, at + length);
        }
        if let Some(slot) = lengths.get_mut(at) {
            *slot = length;
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loops_are_found() {
        for (text, cut) in [
            (format!("Well, {}", "the same ".repeat(40)), "Well, the same the same…"),
            (format!("Hm{}", "a".repeat(300)), "Hmaa…"),
            (format!("好{}", "的吗".repeat(150)), "好的吗的吗…"),
            (format!("x{}\n\n", "ab\n".repeat(100)), "xab\nab\n…"),
            (format!("x{}", "-".repeat(1000)), "x--…"),
            (format!("x{}", "\n".repeat(2000)), "x\n\n…"),
        ] {
            assert!(is_degenerate_output(&text), "{cut}");
            assert_eq!(truncate_degenerate_output(&text), cut);
        }
        let paragraph =
            "I have to look at the page again, because the page that I looked at was not the page. ".repeat(3);
        let text = format!("Start. {}", paragraph.repeat(7));
        let cut = truncate_degenerate_output(&text);
        assert!(text.starts_with(cut.trim_end_matches('…')) && cut.len() < 2 * paragraph.len());
    }

    #[test]
    fn a_loop_that_began_before_the_window() {
        let text = format!("start {}", "over and ".repeat(10_000));
        assert_eq!(truncate_degenerate_output(&text), "start over and over and…");
    }

    #[test]
    fn ordinary_output_is_left_alone() {
        let rows: String = (0..200).map(|row| format!("| {row} | yes | no |\n")).collect();
        let zeros = format!("[{}0]", "0, ".repeat(500));
        let code: String = (0..60).map(|_| "    </div>\n".to_owned()).collect::<String>() + "</body>\n";
        for text in [
            String::new(),
            " ".repeat(20),
            "=".repeat(120),
            format!("Title\n{}\n", "-".repeat(800)),
            format!("| a | b |\n|---|---|\n{rows}"),
            format!("|{}\n", "---|".repeat(100)),
            "|   |   |\n".repeat(60),
            zeros,
            code,
            "ha ".repeat(19),
            "Very, very, very, very good. ".repeat(2),
            "1. a\n2. a\n3. a\n".to_owned(),
            "0".repeat(64),
            "- [ ] \n".repeat(30),
            "    }\n".repeat(20),
        ] {
            assert!(!is_degenerate_output(&text), "{text}");
            assert_eq!(truncate_degenerate_output(&text), text);
        }
    }

    #[test]
    fn hostile_text_takes_linear_time() {
        let nested: String = (0..16).fold("a".to_owned(), |text, _| format!("{text}b{text}"));
        for text in ["a".repeat(2_000_000), format!("{}b", "a".repeat(2_000_000)), nested, "abab…".repeat(40_000)] {
            assert!(!is_degenerate_output(&truncate_degenerate_output(&text)));
        }
    }

    proptest::proptest! {
        #[test]
        fn what_was_cut_is_not_stuck(head in "[ab… ]{0,30}", unit in "[ab… \\n]{1,6}", times in 0_usize..300) {
            let text = format!("{head}{}", unit.repeat(times));
            let cut = truncate_degenerate_output(&text);
            proptest::prop_assert!(!is_degenerate_output(&cut));
            proptest::prop_assert_eq!(cut == text, !is_degenerate_output(&text));
        }

        #[test]
        fn match_lengths_are_what_they_say(text in "[ab]{0,40}") {
            let text: Vec<char> = text.chars().collect();
            for (at, length) in match_lengths(&text).into_iter().enumerate().skip(1) {
                let slow = text.iter().zip(&text[at..]).take_while(|(one, other)| one == other).count();
                proptest::prop_assert_eq!(length, slow);
            }
        }
    }
}
