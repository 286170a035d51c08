//! What is searched for in messages, and what is shown of a message that was found.

use frostem::{Algorithm, Stemmer};

use crate::text::one_line;

/// How much of a text is searched, in characters, as in the system before.
const SEARCHED: usize = 100_000;
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
    pub word: String,
    /// What its other forms have in common: the stem of an English or a Russian word.
    pub stem: String,
    /// It is Russian, which not every store can reduce to stems by itself.
    pub is_russian: bool,
}

/// The words of a query, each once: runs of letters and digits, as stores index them.
pub fn search_words(query: &str) -> Vec<SearchWord> {
    let stems = Stems::new();
    let mut words: Vec<SearchWord> = Vec::new();
    for (_, token) in tokens(query) {
        let word = stems.word(token);
        if words.len() < MOST_WORDS && words.iter().all(|known| known.stem != word.stem) {
            words.push(word);
        }
    }
    words
}

/// The stems of a text's words, for an index that keeps words as they are given.
pub fn indexed_words(text: &str) -> String {
    let stems = Stems::new();
    let searched = text.char_indices().nth(SEARCHED).map_or(text, |(end, _)| text.split_at(end).0);
    let mut words = String::with_capacity(searched.len());
    for (_, token) in tokens(searched) {
        words.push_str(&stems.word(token).stem);
        words.push(' ');
    }
    words
}

/// The languages whose words are reduced to stems.
struct Stems {
    english: Stemmer,
    russian: Stemmer,
}

impl Stems {
    fn new() -> Self {
        Self { english: Stemmer::new(Algorithm::English), russian: Stemmer::new(Algorithm::Russian) }
    }

    fn word(&self, token: &str) -> SearchWord {
        let word = token.to_lowercase().replace('ё', "е");
        let is_russian = word.chars().any(|character| matches!(character, '\u{400}'..='\u{52f}'));
        let stemmer = if is_russian { self.russian } else { self.english };
        SearchWord { stem: stemmer.stem(&word).into_owned(), is_russian, word }
    }
}

/// Whether a text has all of these words, in one form or another: for a store without an index.
pub fn has_words(text: &str, words: &[SearchWord]) -> bool {
    let stems = Stems::new();
    words.iter().all(|word| tokens(text).any(|(_, token)| stems.word(token).stem == word.stem))
}

/// One line of the text, around the first of the words that it has; its beginning where it has none as it stands.
pub fn message_snippet(text: &str, words: &[SearchWord]) -> String {
    let stems = Stems::new();
    let found = tokens(text).find(|(_, token)| {
        let found = stems.word(token);
        words.iter().any(|word| word.stem == found.stem)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(query: &str) -> Vec<String> {
        search_words(query).into_iter().map(|word| word.stem).collect()
    }

    #[test]
    fn queries_are_cut_into_words() {
        assert_eq!(words("Running, runs! RUNNING, ran"), ["run", "ran"]);
        assert_eq!(words("  \"'*():^-  "), [""; 0]);
        assert_eq!(words("v2.0"), ["v2", "0"]);
        assert_eq!(words("отчётами Отчет"), ["отчет"]);
        assert_eq!(indexed_words("The reports, отчёты"), "the report отчет ");
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
