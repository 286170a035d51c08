//! Text in chunks for embedding.

use std::collections::VecDeque;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::text::{is_js_space, js_trim};

/// How text is cut, in UTF-16 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SplitOptions {
    /// No chunk is longer.
    pub chunk_size: usize,
    /// How much of a chunk's end the next one may repeat.
    pub chunk_overlap: usize,
}

impl Default for SplitOptions {
    fn default() -> Self {
        Self { chunk_size: 1000, chunk_overlap: 200 }
    }
}

/// What text is cut at, best first: a blank line, a line, a word; where none is left, anywhere.
const SEPARATORS: [&[u16]; 3] = [&[NEWLINE, NEWLINE], &[NEWLINE], &[0x20]];
const NEWLINE: u16 = 0x0a;

/// `splitText`: cuts at the best separator that is there, then the pieces that are still too long at the next one, and
/// puts neighbours together again as far as they fit. A separator stays at the start of what follows it.
///
/// A cut never leaves half a surrogate pair; the half is dropped.
///
/// # Errors
/// `INVALID_INPUT` when chunks have no size, or overlap whole.
pub fn split_text(text: &str, options: SplitOptions) -> Result<Vec<String>> {
    if options.chunk_size == 0 {
        return Err(Error::invalid("options.chunkSize", "must be at least 1"));
    }
    if options.chunk_overlap >= options.chunk_size {
        return Err(Error::invalid("options.chunkOverlap", "must be less than chunkSize"));
    }
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut splitter = Splitter { units: &units, options, chunks: Vec::new() };
    splitter.split(0, units.len(), &SEPARATORS);
    Ok(splitter.chunks)
}

struct Splitter<'a> {
    units: &'a [u16],
    options: SplitOptions,
    chunks: Vec<String>,
}

impl Splitter<'_> {
    fn slice(&self, start: usize, end: usize) -> &[u16] {
        self.units.get(start..end).unwrap_or_default()
    }

    /// Never deeper than there are separators.
    fn split(&mut self, start: usize, end: usize, separators: &[&[u16]]) {
        let found = separators.iter().position(|separator| self.has(start, end, separator));
        let separator = found.and_then(|at| separators.get(at)).copied();
        let rest = found.and_then(|at| separators.get(at + 1..));
        let mut merger = Merger::default();
        let mut piece = start;
        while piece < end {
            let next = match separator {
                Some(separator) => self.next_cut(piece, end, separator),
                None => piece + 1,
            };
            match rest {
                Some(rest) if next - piece >= self.options.chunk_size => {
                    merger.finish(self);
                    self.split(piece, next, rest);
                }
                _ => merger.push(self, piece, next),
            }
            piece = next;
        }
        merger.finish(self);
    }

    fn has(&self, start: usize, end: usize, separator: &[u16]) -> bool {
        self.slice(start, end).windows(separator.len()).any(|window| window == separator)
    }

    /// Where the next piece begins: at the next separator after the first unit.
    fn next_cut(&self, piece: usize, end: usize, separator: &[u16]) -> usize {
        let rest = self.slice(piece + 1, end);
        rest.windows(separator.len()).position(|window| window == separator).map_or(end, |at| piece + 1 + at)
    }

    fn emit(&mut self, start: usize, end: usize) {
        let is_space = |unit: &u16| char::from_u32(u32::from(*unit)).is_some_and(is_js_space);
        let mut chunk = self.slice(start, end);
        while let [first, rest @ ..] = chunk {
            if !is_space(first) {
                break;
            }
            chunk = rest;
        }
        while let [rest @ .., last] = chunk {
            if !is_space(last) {
                break;
            }
            chunk = rest;
        }
        if let [0xdc00..=0xdfff, rest @ ..] = chunk {
            chunk = rest;
        }
        if let [rest @ .., 0xd800..=0xdbff] = chunk {
            chunk = rest;
        }
        let chunk = String::from_utf16_lossy(chunk);
        let chunk = js_trim(&chunk);
        if !chunk.is_empty() {
            self.chunks.push(chunk.to_owned());
        }
    }
}

/// Puts neighbouring pieces together. They have nothing between them, so that a chunk is from the first one's start to the
/// last one's end.
#[derive(Default)]
struct Merger {
    pieces: VecDeque<usize>,
    start: usize,
    total: usize,
}

impl Merger {
    fn push(&mut self, splitter: &mut Splitter<'_>, start: usize, end: usize) {
        let SplitOptions { chunk_size, chunk_overlap } = splitter.options;
        let length = end - start;
        if self.pieces.is_empty() {
            self.start = start;
        } else if self.total + length > chunk_size {
            splitter.emit(self.start, self.start + self.total);
            while self.total > chunk_overlap || (self.total + length > chunk_size && self.total > 0) {
                let Some(first) = self.pieces.pop_front() else { break };
                self.total -= first;
                self.start += first;
            }
        }
        self.pieces.push_back(length);
        self.total += length;
    }

    fn finish(&mut self, splitter: &mut Splitter<'_>) {
        splitter.emit(self.start, self.start + self.total);
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::utf16_len;

    fn split(text: &str, chunk_size: usize, chunk_overlap: usize) -> Vec<String> {
        split_text(text, SplitOptions { chunk_size, chunk_overlap }).unwrap()
    }

    #[test]
    fn cuts_at_the_best_separator() {
        assert_eq!(split("aaa bbb\n\nccc ddd", 9, 0), ["aaa bbb", "ccc ddd"]);
        assert_eq!(split("aaa bbb ccc ddd", 8, 4), ["aaa bbb", "bbb ccc", "ccc ddd"]);
        assert_eq!(split("abcdefghij", 4, 1), ["abcd", "defg", "ghij"]);
        assert_eq!(split(" \n\n ", 10, 0), Vec::<String>::new());
        assert_eq!(split("a b", 1, 0), ["a", "b"]);
    }

    #[test]
    fn a_cut_pair_loses_its_half() {
        assert_eq!(split("a😀😀😀", 4, 2), ["a😀", "😀", "😀"]);
    }

    #[test]
    fn options_that_cannot_be_are_named() {
        let field = |chunk_size, chunk_overlap| {
            let error = split_text("x", SplitOptions { chunk_size, chunk_overlap }).unwrap_err();
            error.details().get("field").unwrap().as_str().unwrap().to_owned()
        };
        assert_eq!(field(0, 0), "options.chunkSize");
        assert_eq!(field(10, 10), "options.chunkOverlap");
    }

    proptest::proptest! {
        #[test]
        fn chunks_fit_and_are_trimmed_text_of_the_original(
            text in "[ab \\n😀\u{a0}]{0,120}", size in 1_usize..30, overlap in 0_usize..29,
        ) {
            let overlap = overlap % size;
            for chunk in split(&text, size, overlap) {
                proptest::prop_assert!(utf16_len(&chunk) <= size);
                proptest::prop_assert_eq!(js_trim(&chunk), chunk.as_str());
                proptest::prop_assert!(text.contains(&chunk));
            }
        }
    }
}
