//! What is searched for in messages, and what is shown of a message that was found.

use frostem::{Algorithm, Stemmer};

use crate::text::one_line;

/// A query's words beyond this many are left out.
const MOST_WORDS: usize = 16;
/// What is shown before the first word that was found, in characters,
const SHOWN_BEFORE: usize = 60;
/// and from it on.
const SHOWN_FROM: usize = 140;

/// A word that is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchWord {
    /// Letters and digits, in lower case.
    pub text: String,
    /// Words that begin like this are meant, too.
    pub is_prefix: bool,
}

/// The words of a query, each once: runs of letters and digits, as stores index them. English words are left to the stores'
/// own stemming; of Russian ones, which stores keep as they are written, the stem is searched for, as a prefix.
pub fn search_words(query: &str) -> Vec<SearchWord> {
    let russian = Stemmer::new(Algorithm::Russian);
    let mut words: Vec<SearchWord> = Vec::new();
    for word in tokens(query).map(|(_, token)| folded(token)) {
        let word = match word.chars().any(is_cyrillic) {
            true => SearchWord { text: russian.stem(&word).into_owned(), is_prefix: true },
            false => SearchWord { text: word, is_prefix: false },
        };
        if words.len() < MOST_WORDS && !words.contains(&word) {
            words.push(word);
        }
    }
    words
}

/// Whether a text has all of these words, in one form or another: for a store without an index.
pub fn has_words(text: &str, words: &[SearchWord]) -> bool {
    words.iter().all(|word| tokens(text).any(|(_, token)| word.means(&folded(token))))
}

/// One line of the text, around the first of the words that it has; its beginning where it has none as it stands.
pub fn message_snippet(text: &str, words: &[SearchWord]) -> String {
    let found = tokens(text).find(|(_, token)| {
        let token = folded(token);
        words.iter().any(|word| word.means(&token))
    });
    let at = found.map_or(0, |(at, _)| at);
    let (before, after) = text.split_at(at);
    let cut = |(index, _): (usize, char)| index;
    let begin = before.char_indices().rev().nth(SHOWN_BEFORE - 1).map_or(0, cut);
    let end = after.char_indices().nth(SHOWN_FROM).map_or(text.len(), |place| at + cut(place));
    let shown = one_line(text.get(begin..end).unwrap_or_default());
    let (head, tail) = (if begin > 0 { "…" } else { "" }, if end < text.len() { "…" } else { "" });
    format!("{head}{}{tail}", shown.trim())
}

impl SearchWord {
    /// Whether a word of a text is probably another form of this one.
    fn means(&self, token: &str) -> bool {
        if self.is_prefix {
            return token.starts_with(&self.text);
        }
        let common = self.text.chars().zip(token.chars()).take_while(|(one, other)| one == other).count();
        let (longer, shorter) = (self.text.chars().count(), token.chars().count());
        let (longer, shorter) = (longer.max(shorter), longer.min(shorter));
        // English endings are short.
        common == longer || (common >= 3 && common + 2 >= shorter && longer <= common + 4)
    }
}

/// The words of a text, with where they begin.
fn tokens(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let (begin, _) = rest.find(|(_, character)| character.is_alphanumeric())?;
        while rest.next_if(|(_, character)| character.is_alphanumeric()).is_some() {}
        let end = rest.peek().map_or(text.len(), |(index, _)| *index);
        Some((begin, text.get(begin..end)?))
    })
}

fn folded(word: &str) -> String {
    word.to_lowercase().replace('ё', "е")
}

fn is_cyrillic(character: char) -> bool {
    matches!(character, '\u{400}'..='\u{52f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(query: &str) -> Vec<(String, bool)> {
        search_words(query).into_iter().map(|word| (word.text, word.is_prefix)).collect()
    }

    #[test]
    fn queries_are_cut_into_words() {
        assert_eq!(words("Running, runs! RUNNING"), [("running".into(), false), ("runs".into(), false)]);
        assert_eq!(words("  \"'*():^-  "), []);
        assert_eq!(words("v2.0"), [("v2".into(), false), ("0".into(), false)]);
        assert_eq!(words("отчётами"), [("отчет".into(), true)]);
        assert_eq!(words(&"a b c d e f g h i j k l m n o p q r s".repeat(3)).len(), MOST_WORDS);
    }

    #[test]
    fn snippets_are_a_line_around_the_word() {
        let text = format!("{}the\n\nreports of {}", "x ".repeat(50), "y ".repeat(100));
        let shown = message_snippet(&text, &search_words("report"));
        assert!(shown.starts_with('…') && shown.ends_with('…'), "{shown}");
        assert!(shown.contains("the reports of y"), "{shown}");
        assert_eq!(message_snippet("Все отчёты готовы", &search_words("отчет")), "Все отчёты готовы");
        assert_eq!(message_snippet("nothing of it", &search_words("else")), "nothing of it");
        assert_eq!(message_snippet("", &search_words("else")), "");
    }
}
