//! Search hits as a model is given them.

use std::collections::HashSet;

use serde::Serialize;

use crate::text::utf16_prefix;

/// How much of a hit's content is shown, in UTF-16 units.
pub const SNIPPET_UNITS: usize = 300;

/// One chunk that a search found, best first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchHit {
    /// The page that it is of.
    pub page_id: String,
    /// The page's title.
    pub title: Option<String>,
    /// The chunk.
    pub content: String,
}

/// What the model sees of a page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AccessibleHit {
    /// The page.
    pub id: String,
    /// Its title, or nothing.
    pub title: String,
    /// The beginning of its best chunk.
    pub snippet: String,
}

/// `selectAccessibleHits`: the best chunk of each page in `accessible`, until there are `cap` of them.
///
/// The count is looked at after a hit was taken: a cap of zero or less still gives one, and NaN sets no limit.
pub fn select_accessible_hits(hits: &[SearchHit], accessible: &HashSet<String>, cap: f64) -> Vec<AccessibleHit> {
    let mut taken: Vec<AccessibleHit> = Vec::new();
    let mut pages = HashSet::new();
    for hit in hits {
        if !accessible.contains(&hit.page_id) || !pages.insert(hit.page_id.as_str()) {
            continue;
        }
        taken.push(AccessibleHit {
            id: hit.page_id.clone(),
            title: hit.title.clone().unwrap_or_default(),
            snippet: snippet(&hit.content),
        });
        if taken.len() as f64 >= cap {
            break;
        }
    }
    taken
}

/// The first 300 units, and `…` when there is more.
pub fn snippet(text: &str) -> String {
    let start = utf16_prefix(text, SNIPPET_UNITS);
    if start.len() == text.len() { text.to_owned() } else { format!("{start}…") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(hits: &[&str], accessible: &[&str], cap: f64) -> Vec<String> {
        let hit = |id: &&str| SearchHit { page_id: (*id).to_owned(), ..SearchHit::default() };
        let hits: Vec<_> = hits.iter().map(hit).collect();
        let accessible = accessible.iter().map(|id| (*id).to_owned()).collect();
        select_accessible_hits(&hits, &accessible, cap).into_iter().map(|hit| hit.id).collect()
    }

    #[test]
    fn first_of_each_accessible_page_up_to_the_cap() {
        assert_eq!(ids(&["a", "x", "a", "b", "c"], &["a", "b", "c"], 2.0), ["a", "b"]);
        assert_eq!(ids(&["a", "b", "c"], &["a", "b", "c"], 2.5), ["a", "b", "c"]);
        assert_eq!(ids(&["a", "b"], &["a", "b"], -1.0), ["a"]);
        assert_eq!(ids(&["a", "b"], &["a", "b"], f64::NAN), ["a", "b"]);
        assert!(ids(&["A"], &["a"], 5.0).is_empty());
    }

    #[test]
    fn snippets_keep_pairs_whole() {
        assert_eq!(snippet(&"x".repeat(300)), "x".repeat(300));
        assert_eq!(snippet(&format!("{}😀y", "x".repeat(299))), format!("{}…", "x".repeat(299)));
    }
}
