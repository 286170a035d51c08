//! Counting: what matched, what differs on purpose, and what must not.

use libtest_mimic::Failed;

/// Cases of one corpus that differ on purpose: the row of `docs/providers.md`, and the ids.
pub(crate) type Exceptions = &'static [(&'static str, &'static [&'static str])];

/// What came of a corpus.
pub(crate) struct Tally {
    corpus: String,
    exceptions: Exceptions,
    matched: usize,
    on_purpose: usize,
    without_a_word: usize,
    faults: Vec<String>,
    seen: Vec<String>,
}

impl Tally {
    pub(crate) fn new(corpus: &str, exceptions: Exceptions) -> Self {
        Self {
            corpus: corpus.to_owned(),
            exceptions,
            matched: 0,
            on_purpose: 0,
            without_a_word: 0,
            faults: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// A case that holds something turnkeep has no word for.
    pub(crate) fn without_a_word(&mut self) {
        self.without_a_word += 1;
    }

    /// A case and how it differs, if it does.
    pub(crate) fn case(&mut self, id: &str, difference: Option<String>) {
        self.seen.push(id.to_owned());
        let row = self.exceptions.iter().find(|(_, ids)| ids.contains(&id)).map(|(row, _)| *row);
        match (difference, row) {
            (None, None) => self.matched += 1,
            (Some(_), Some(_)) => self.on_purpose += 1,
            (None, Some(row)) => self.faults.push(format!("{id} is listed under {row} and does not differ any more")),
            (Some(difference), None) => self.faults.push(format!("{id}: {difference}")),
        }
    }

    pub(crate) fn finish(mut self) -> Result<(), Failed> {
        for id in self.exceptions.iter().flat_map(|(_, ids)| *ids) {
            if !self.seen.iter().any(|seen| seen == id) {
                self.faults.push(format!("{id} is listed and is not in the corpus"));
            }
        }
        let table = include_str!("../../../docs/providers.md");
        for (row, _) in self.exceptions {
            if !table.contains(&format!("| {row} |")) {
                self.faults.push(format!("{row} is not in the table of differences in docs/providers.md"));
            }
        }
        let (corpus, matched, listed) = (&self.corpus, self.matched, self.on_purpose);
        eprintln!("{corpus}: {matched} match, {listed} differ on purpose, {} not ours to say", self.without_a_word);
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults.join("\n").into()) }
    }
}

/// All of them, with every fault.
pub(crate) fn all(tallies: impl IntoIterator<Item = Tally>) -> Result<(), Failed> {
    let faults: Vec<String> = tallies
        .into_iter()
        .filter_map(|tally| tally.finish().err())
        .map(|failed| failed.message().unwrap_or_default().to_owned())
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

/// The first place at which two lists differ.
pub(crate) fn difference(ours: &[serde_json::Value], theirs: &[serde_json::Value]) -> Option<String> {
    let length = ours.len().max(theirs.len());
    let place = (0..length).find(|place| ours.get(*place) != theirs.get(*place))?;
    let show = |list: &[serde_json::Value]| {
        list.get(place).map_or_else(|| "nothing".to_owned(), |value| value.to_string().chars().take(400).collect())
    };
    Some(format!("at {place}: ours is {}, theirs {}", show(ours), show(theirs)))
}
