//! Whose an edit of a page is, a person's or an agent's, and where its history is cut because of that.

use serde::{Deserialize, Serialize};

/// Who has edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EditSource {
    /// A person.
    User,
    /// The agent of a chat.
    Agent,
}

impl EditSource {
    /// What a row's column says, in which other writers may have left other words: only an agent's edits are marked.
    pub fn of_row(column: &str) -> Self {
        if column == "agent" { EditSource::Agent } else { EditSource::User }
    }
}

/// The source that a write carries which takes up one more edit, after those that it has gathered already. It stays the
/// agent's once the agent has had a part in it, whatever people have typed meanwhile.
pub fn resolve_edit_source(gathered: Option<EditSource>, edit: EditSource) -> EditSource {
    match gathered {
        Some(EditSource::Agent) => EditSource::Agent,
        _ => edit,
    }
}

/// Whether a page must be kept as a snapshot before a write of this source: what is `pending` in it, in no snapshot yet,
/// was written by the other one.
pub fn cuts_snapshot(last: EditSource, source: EditSource, pending: bool) -> bool {
    pending && last != source
}

#[cfg(test)]
mod tests {
    use super::*;
    use EditSource::{Agent, User};

    #[test]
    fn an_agents_part_stays_the_agents() {
        for (gathered, edit, carried) in [
            (None, User, User),
            (None, Agent, Agent),
            (Some(User), User, User),
            (Some(User), Agent, Agent),
            (Some(Agent), User, Agent),
            (Some(Agent), Agent, Agent),
        ] {
            assert_eq!(resolve_edit_source(gathered, edit), carried, "{gathered:?} {edit:?}");
        }
    }

    /// Whatever is written in whatever order, no snapshot holds new edits of both.
    #[test]
    fn snapshots_are_cut_between_people_and_agents() {
        for bits in 0..256_u32 {
            let (mut last, mut unsaved) = (User, Vec::new());
            for write in 0..8 {
                let source = if bits & (1 << write) == 0 { User } else { Agent };
                if cuts_snapshot(last, source, !unsaved.is_empty()) {
                    unsaved.clear();
                }
                unsaved.push(source);
                last = source;
                assert!(unsaved.iter().all(|of| *of == source), "{bits:08b}: {unsaved:?}");
            }
        }
        assert!(!cuts_snapshot(User, Agent, false), "there is nothing to keep");
    }

    #[test]
    fn other_words_are_no_agents() {
        for (column, source) in [("agent", Agent), ("user", User), ("", User), ("import", User), ("Agent", User)] {
            assert_eq!(EditSource::of_row(column), source, "{column}");
        }
    }
}
