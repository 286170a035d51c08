//! Which chunks answer a question best: by their vectors, by their words, and by both. The same on every store.

use std::collections::BTreeMap;

use crate::text::storable;

use super::search::{SearchWord, indexed_words, search_words};

/// What a rank counts: `1 / (60 + rank)`, so that no first place outweighs two good ones.
const RANK_OFFSET: f64 = 60.0;
/// How soon a word that is repeated counts no more.
const SATURATION: f64 = 1.2;
/// Longer words, in bytes, are passed over: nobody searches for them, and no index takes them.
const LONGEST_WORD: usize = 200;

/// Words that say nothing of what a question is about, with the letter ё written as е. They stand in most chunks, and
/// would rank those highest that have nothing else.
const EMPTY_WORDS: &str = " \
    a about all am an and any are as at be been being but by can could did do does for from had has have he her \
    him his how i if in into is it its me my no nor not of off on or our out she should so some than that the \
    their them then there these they this those to too up us was we were what when where which who whom whose why \
    will with would you your \
    а без бы был была были было быть в вам вас ведь во вот все всех вы где да для до его ее ей ему если есть еще ж \
    же за зачем здесь и из или им их к как какая какие какой ко когда кто куда ли мне мой мы на над нам нас не нее \
    него ней нет ни ним них но ну о об он она они оно от по под потому при про с себе себя со так такая такие \
    такое такой там тем то того тоже той только том ты у уже чего чем что чтобы эта эти это этого этой этом этот я ";

/// Which chunk of which page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkKey {
    /// The page.
    pub page_id: String,
    /// The chunk's number in it.
    pub chunk_index: u32,
}

/// The stems of a chunk's words, with a blank between two.
pub fn chunk_words(content: &str) -> String {
    let words = indexed_words(content);
    let kept: Vec<&str> = words.split(' ').filter(|word| (1..=LONGEST_WORD).contains(&word.len())).collect();
    storable(kept.join(" "))
}

/// The stems that a question is asked with, each once. Words that say nothing count only where there are no others.
pub fn query_words(query: &str) -> Vec<String> {
    let mut words = search_words(query);
    words.retain(|word| (1..=LONGEST_WORD).contains(&word.stem.len()));
    let says_something = |word: &SearchWord| !EMPTY_WORDS.contains(&format!(" {} ", word.word));
    if words.iter().any(says_something) {
        words.retain(says_something);
    }
    words.into_iter().map(|word| word.stem).collect()
}

/// The best of many, best first. Of those that are equally good the first by its key.
#[derive(Debug)]
struct Best {
    most: usize,
    kept: Vec<(f64, ChunkKey)>,
    /// What is less good is not kept.
    bar: f64,
}

impl Best {
    fn new(most: usize) -> Self {
        Self { most, kept: Vec::new(), bar: f64::NEG_INFINITY }
    }

    fn offer(&mut self, score: f64, page_id: &str, chunk_index: u32) {
        if !score.is_finite() || score < self.bar {
            return;
        }
        self.kept.push((score, ChunkKey { page_id: page_id.to_owned(), chunk_index }));
        if self.kept.len() > self.most.saturating_mul(2).max(64) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.kept.sort_by(|(score, key), (other, other_key)| other.total_cmp(score).then_with(|| key.cmp(other_key)));
        self.kept.truncate(self.most);
        if self.kept.len() == self.most {
            self.bar = self.kept.last().map_or(self.bar, |(score, _)| *score);
        }
    }

    fn finish(mut self) -> Vec<ChunkKey> {
        self.cut();
        self.kept.into_iter().map(|(_, key)| key).collect()
    }
}

/// The chunks whose vectors point most nearly where the question's does. A vector without a direction is nowhere.
#[derive(Debug)]
pub struct Nearest<'a> {
    query: &'a [f32],
    length: f64,
    best: Best,
}

impl<'a> Nearest<'a> {
    /// At most `candidates` of them.
    pub fn new(query: &'a [f32], candidates: usize) -> Self {
        let length = query.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        Self { query, length, best: Best::new(candidates) }
    }

    /// Considers a chunk.
    pub fn look(&mut self, page_id: &str, chunk_index: u32, vector: impl ExactSizeIterator<Item = f32>) {
        if vector.len() != self.query.len() {
            return;
        }
        let (mut product, mut square) = (0.0, 0.0);
        for (value, wanted) in vector.zip(self.query) {
            let value = f64::from(value);
            product += value * f64::from(*wanted);
            square += value * value;
        }
        // Where either is zero this is no number, and is not kept.
        self.best.offer(product / (square.sqrt() * self.length), page_id, chunk_index);
    }

    /// The nearest, nearest first.
    pub fn finish(self) -> Vec<ChunkKey> {
        self.best.finish()
    }
}

/// The chunks that have words of the question: rare words count more than common ones, and a word that is repeated more
/// than one that is not.
#[derive(Debug)]
pub struct Matching<'a> {
    words: &'a [String],
    candidates: usize,
    looked_at: u64,
    /// How many chunks have each word.
    having: Vec<u64>,
    /// The chunks that have any, with how often they have each.
    found: Vec<(ChunkKey, Vec<u32>)>,
}

impl<'a> Matching<'a> {
    /// At most `candidates` of them.
    pub fn new(words: &'a [String], candidates: usize) -> Self {
        Self { words, candidates, looked_at: 0, having: vec![0; words.len()], found: Vec::new() }
    }

    /// Considers a chunk with these stems.
    pub fn look(&mut self, page_id: &str, chunk_index: u32, words: &str) {
        self.looked_at += 1;
        let mut counts = vec![0; self.words.len()];
        let mut has_any = false;
        for word in words.split(' ') {
            let place = self.words.iter().position(|wanted| wanted == word);
            if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
                *count += 1;
                has_any = true;
            }
        }
        if has_any {
            self.having.iter_mut().zip(&counts).for_each(|(having, count)| *having += u64::from(*count > 0));
            self.found.push((ChunkKey { page_id: page_id.to_owned(), chunk_index }, counts));
        }
    }

    /// There are so many chunks, where not all of them were looked at.
    pub fn among(&mut self, chunks: u64) {
        self.looked_at = self.looked_at.max(chunks);
    }

    /// The best, best first.
    pub fn finish(self) -> Vec<ChunkKey> {
        let weight = |having: u64| {
            let (all, having) = (self.looked_at as f64, having as f64);
            (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
        };
        let weights: Vec<f64> = self.having.iter().map(|having| weight(*having)).collect();
        let mut best = Best::new(self.candidates);
        for (key, counts) in &self.found {
            let scores = counts.iter().zip(&weights).map(|(count, weight)| {
                let count = f64::from(*count);
                weight * count * (SATURATION + 1.0) / (count + SATURATION)
            });
            best.offer(scores.sum(), &key.page_id, key.chunk_index);
        }
        best.finish()
    }
}

/// Rankings made one: each rank counts `1 / (60 + rank)`, and what a chunk has in all of them is added up. Best first;
/// of those that are equally good the first by its key.
pub fn fused(rankings: &[Vec<ChunkKey>], limit: usize) -> Vec<(ChunkKey, f64)> {
    let mut scores: BTreeMap<&ChunkKey, f64> = BTreeMap::new();
    for ranking in rankings {
        for (rank, key) in (1_u32..).zip(ranking) {
            *scores.entry(key).or_default() += 1.0 / (RANK_OFFSET + f64::from(rank));
        }
    }
    let mut fused: Vec<(&ChunkKey, f64)> = scores.into_iter().collect();
    // They are in the order of their keys, and sorting keeps it among equals.
    fused.sort_by(|(_, score), (_, other)| other.total_cmp(score));
    fused.into_iter().take(limit).map(|(key, score)| (key.clone(), score)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(page_id: &str, chunk_index: u32) -> ChunkKey {
        ChunkKey { page_id: page_id.to_owned(), chunk_index }
    }

    fn nearest(query: &[f32], vectors: &[(&str, &[f32])], candidates: usize) -> Vec<String> {
        let mut nearest = Nearest::new(query, candidates);
        vectors.iter().for_each(|(page, vector)| nearest.look(page, 0, vector.iter().copied()));
        nearest.finish().into_iter().map(|key| key.page_id).collect()
    }

    fn matching(query: &str, texts: &[(&str, &str)], candidates: usize) -> Vec<String> {
        let words = query_words(query);
        let mut matching = Matching::new(&words, candidates);
        texts.iter().for_each(|(page, text)| matching.look(page, 0, &chunk_words(text)));
        matching.finish().into_iter().map(|key| key.page_id).collect()
    }

    #[test]
    fn directions_count_and_lengths_do_not() {
        let vectors: &[(&str, &[f32])] = &[
            ("far", &[0.0, 9.0]),
            ("b", &[10.0, 0.0]),
            ("a", &[0.1, 0.0]),
            ("other size", &[1.0]),
            ("zero", &[0.0, 0.0]),
            ("opposite", &[-1.0, 0.0]),
        ];
        assert_eq!(nearest(&[2.0, 0.0], vectors, 9), ["a", "b", "far", "opposite"]);
        assert_eq!(nearest(&[2.0, 0.0], vectors, 1), ["a"]);
        assert!(nearest(&[0.0, 0.0], vectors, 9).is_empty());
        assert!(nearest(&[f32::INFINITY, 0.0], vectors, 9).is_empty());
    }

    #[test]
    fn the_best_of_many_are_kept_whatever_the_order() {
        let mut nearest = Nearest::new(&[1.0, 0.0], 3);
        for index in 0..1_000_u32 {
            let place = (index * 7) % 1_000;
            nearest.look("p", place, [1.0, place as f32].into_iter());
        }
        assert_eq!(nearest.finish(), [key("p", 0), key("p", 1), key("p", 2)]);
    }

    #[test]
    fn rare_words_count_more() {
        let texts = [("common", "report report"), ("rare", "backups of it"), ("none", "else"), ("x", "report x")];
        assert_eq!(matching("reports, backup", &texts, 9), ["rare", "common", "x"]);
        assert_eq!(matching("отчёты", &[("ru", "Отчет готов"), ("en", "report")], 9), ["ru"]);
        assert!(matching("zzz", &texts, 9).is_empty());
        assert!(matching("...", &texts, 9).is_empty());
        let long = "x".repeat(500);
        assert!(matching(&long, &[("long", &long)], 9).is_empty());
    }

    #[test]
    fn words_that_say_nothing_count_where_there_are_no_others() {
        assert_eq!(query_words("What is a cat?"), ["cat"]);
        assert_eq!(query_words("Что такое кот и где он ещё"), ["кот"]);
        assert_eq!(query_words("to be or not to be"), ["to", "be", "or", "not"]);
        assert_eq!(query_words("the"), ["the"]);
        assert!(EMPTY_WORDS.split(' ').all(|word| word == word.to_lowercase().replace('ё', "е")));
    }

    #[test]
    fn places_in_both_rankings_add_up() {
        let (a, b, c) = (key("a", 0), key("b", 0), key("c", 0));
        let fused = fused(&[vec![a.clone(), b.clone()], vec![b.clone(), c.clone()]], 9);
        let keys: Vec<_> = fused.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [&b, &a, &c]);
        assert_eq!(fused[0].1, 1.0 / 62.0 + 1.0 / 61.0);
        assert_eq!(super::fused(&[vec![c.clone()], vec![a.clone()]], 1), [(a, 1.0 / 61.0)]);
    }
}
