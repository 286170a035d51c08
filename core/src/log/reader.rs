//! A log read from the store: rows turned into chunks, a page at a time. Pure: it is fed pages.

use std::sync::Arc;

use crate::model::{FinishReason, RunStatus, Usage};
use crate::project::ErrorText;
use crate::store::{LogFrom, LogPage, LogRange, LogRow, LogStart, LoggedStep, StepNumbers};

use super::UiChunk;
use super::cursor::{Cursor, TailEnd, TailFrom, TailItem};
use super::replay::{self, StepView};

/// About how much of a log is read from the store at once.
const PAGE_BYTES: usize = 128 * 1024;

/// Turns rows of the log into chunks from a place on.
#[derive(Clone)]
pub(crate) struct LogReader {
    /// The first number that is wanted.
    wanted: u64,
    /// Chunks of the next step's compact form that are not wanted.
    skip: u32,
    /// Finished steps are told in compact form until the step in progress is reached.
    compact: bool,
    begun: bool,
    step: u32,
    /// The number of the chunk that comes next in the log.
    next: u64,
    view: StepView,
    usage: Option<Usage>,
    finish_reason: Option<FinishReason>,
    /// The next item begins anew.
    resync: bool,
    /// In whose words a failure is told.
    error_text: ErrorText,
}

/// How far a page led.
#[derive(Debug, PartialEq)]
pub(crate) enum Reached {
    /// The run has not begun yet.
    Nothing,
    /// There is more to read at once.
    More,
    /// What is added next is not there yet.
    Present,
    /// The run is over.
    End(TailEnd),
}

impl LogReader {
    pub(crate) fn new(from: TailFrom) -> Self {
        let (wanted, skip, compact) = match from {
            TailFrom::Snapshot => (0, 0, true),
            TailFrom::Start => (0, 0, false),
            TailFrom::After(cursor) => (cursor.sequence.saturating_add(1), cursor.compact, cursor.compact > 0),
        };
        Self {
            wanted,
            skip,
            compact,
            begun: false,
            step: 0,
            next: 1,
            view: StepView::default(),
            usage: None,
            finish_reason: None,
            resync: false,
            error_text: ErrorText::default(),
        }
    }

    /// The same, which tells of a failure in these words.
    pub(crate) fn telling(self, error_text: ErrorText) -> Self {
        Self { error_text, ..self }
    }

    /// What to read next.
    pub(crate) fn wants(&self) -> LogRange {
        let from = if self.begun {
            LogFrom::Place { step: self.step, sequence: self.next }
        } else {
            LogFrom::Sequence(self.wanted)
        };
        LogRange { from, packs_of_finished: !self.compact, limit: PAGE_BYTES }
    }

    /// The number of the chunk that comes next in the log.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The number of the chunk that its reader is given next.
    pub(crate) fn next_wanted(&self) -> u64 {
        self.wanted.max(self.next)
    }

    /// The same for a reader that wants all that comes next.
    pub(crate) fn wanting_all(&self) -> Self {
        Self { wanted: self.next, ..self.clone() }
    }

    /// Whether what comes next replaces what was read before.
    pub(crate) fn begins_anew(&self) -> bool {
        self.resync
    }

    fn resynchronize(&mut self) -> Reached {
        *self = Self { resync: true, ..Self::new(TailFrom::Snapshot) };
        Reached::More
    }

    fn emit(&mut self, cursor: Cursor, chunk: Arc<str>, items: &mut Vec<TailItem>) {
        items.push(TailItem { cursor, chunk, resync: std::mem::take(&mut self.resync) });
    }

    /// A chunk with the number that comes next.
    fn exact(&mut self, chunk: Arc<str>, items: &mut Vec<TailItem>) {
        if self.next >= self.wanted {
            self.emit(Cursor { sequence: self.next, ..Cursor::default() }, chunk, items);
        }
        self.next += 1;
    }

    /// Takes in a page and adds what it tells to `items`.
    pub(crate) fn feed(&mut self, page: LogPage, items: &mut Vec<TailItem>) -> Reached {
        if !self.begun {
            if page.run.status == RunStatus::Pending && page.run.started_at.is_none() {
                return Reached::Nothing;
            }
            self.begun = true;
            let start = page.start.unwrap_or(LogStart { step: 0, first_sequence: 1, usage: None, finish_reason: None });
            (self.step, self.next) = (start.step, start.first_sequence);
            (self.usage, self.finish_reason) = (start.usage, start.finish_reason);
            if let Some(message_id) = page.run.assistant_message_id
                && self.wanted == 0
            {
                let chunk = replay::start_chunk(page.run.chat_id, page.run.id, message_id);
                self.emit(Cursor { sequence: 0, ..Cursor::default() }, chunk.encode().into(), items);
                self.wanted = 1;
            }
        }
        for row in page.rows {
            let told = match row {
                LogRow::Pack(pack) => {
                    self.compact = false;
                    for (number, chunk) in (pack.first_sequence..).zip(pack.chunks) {
                        if number == self.next {
                            if let Some(parsed) = UiChunk::parse_of_step(&chunk) {
                                self.view.apply(&parsed);
                            }
                            self.exact(chunk, items);
                        }
                    }
                    true
                }
                LogRow::Step(logged) => self.step(&logged, items),
            };
            if !told {
                return self.resynchronize();
            }
        }
        if !page.complete {
            return Reached::More;
        }
        self.compact = false;
        if page.run.status == RunStatus::Waiting {
            // Everything that anybody was told is on disk.
            if self.wanted > self.next {
                return self.resynchronize();
            }
            // Nothing comes before an answer does. The log goes on then, under the numbers that are next.
            let status = page.run.status;
            return Reached::End(TailEnd { status, reason: None, error: None });
        }
        if page.run.status.is_driven() {
            // A live stream is ahead of the disk: what comes before the wanted place is on its way there.
            return Reached::Present;
        }
        let run = page.run;
        let end = replay::RunEnd {
            status: run.status,
            reason: run.reason,
            error: run.error.clone(),
            failure: run.failure.clone(),
            error_text: self.error_text,
        };
        for chunk in end.chunks(&self.view, self.finish_reason, self.usage) {
            self.exact(chunk.encode().into(), items);
        }
        if self.wanted > self.next {
            // What its owner had told and not written has died with it, or nobody has ever given this place out.
            return self.resynchronize();
        }
        Reached::End(TailEnd { status: run.status, reason: run.reason, error: run.error })
    }

    /// A finished step; `false` when the wanted place in it is not known any more.
    fn step(&mut self, logged: &LoggedStep, items: &mut Vec<TailItem>) -> bool {
        let usage = Usage::accumulate(self.usage, logged.step.usage);
        let rest = self.view.continuation(&logged.step, usage);
        let all_told = StepNumbers { packed_until: self.next, next: self.next + rest.len() as u64 };
        let numbers = logged.numbers.unwrap_or(all_told);
        let after = numbers.next;
        // Packs that are not there any more leave a hole.
        if !self.compact && numbers == all_told {
            for chunk in replay::encode(&rest) {
                self.exact(chunk, items);
            }
        } else if self.wanted > self.next || self.view.is_started() {
            return false;
        } else {
            // What was taken back before anybody came is told nobody.
            let rest = match (logged.step.is_withdrawn(), logged.step.heard()) {
                (true, Some(heard)) => self.view.continuation(&heard, usage),
                (true, None) => Vec::new(),
                (false, _) => rest,
            };
            let chunks = replay::encode(&rest);
            let (last, base) = (chunks.len(), self.next - 1);
            for (place, chunk) in (1_u32..).zip(chunks) {
                if place > self.skip {
                    let whole = place as usize == last;
                    let cursor = if whole {
                        Cursor { sequence: after - 1, ..Cursor::default() }
                    } else {
                        Cursor { sequence: base, compact: place, events: 0 }
                    };
                    self.emit(cursor, chunk, items);
                }
            }
            self.next = after;
        }
        self.skip = 0;
        self.step += 1;
        (self.usage, self.finish_reason, self.view) = (usage, logged.step.finish_reason, StepView::default());
        true
    }
}

#[cfg(test)]
mod tests;
