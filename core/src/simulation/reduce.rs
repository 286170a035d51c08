//! What a client makes of the chunks that it receives: written a second time, so that a mistake of the log's own view is
//! not repeated here.

use std::borrow::Cow;
use std::sync::Arc;

use crate::log::UiChunk;
use crate::model::{Part, StepRecord, ToolState};
use crate::provider::BlockKind;

/// What is kept of the outcome of a call that was not allowed: readers are told no more of it.
const DENIED: &str = "denied";

/// The steps that chunks tell of.
#[derive(Default)]
pub(super) struct Told {
    finished: Vec<ToldStep>,
    current: ToldStep,
    ends: usize,
    /// The last chunk says that the run is over.
    closed: bool,
}

#[derive(Clone, Default, PartialEq)]
pub(super) struct ToldStep {
    items: Vec<Item>,
}

#[derive(Clone, PartialEq)]
enum Item {
    Part(String),
    Block { kind: BlockKind, id: String, text: String, open: bool },
    Call { id: String, name: String, input: Option<String>, outcome: Option<Result<String, String>> },
}

impl ToldStep {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether it tells that this step is withdrawn.
    fn withdraws(&self, step: &StepRecord) -> bool {
        let id = format!(r#""id":"withdrawn-{}""#, step.number);
        self.items.iter().any(|item| matches!(item, Item::Part(note) if note.contains(&id)))
    }

    fn begin_block(&mut self, kind: BlockKind, id: String) -> Result<(), String> {
        let taken = |item: &Item| matches!(item, Item::Block { id: known, .. } if *known == id);
        if self.items.iter().any(taken) {
            return Err(format!("block {id} began twice"));
        }
        self.items.push(Item::Block { kind, id, text: String::new(), open: true });
        Ok(())
    }

    fn open_block(&mut self, wanted: &str) -> Result<(&mut String, &mut bool), String> {
        let found = self.items.iter_mut().find_map(|item| match item {
            Item::Block { id, text, open, .. } if id == wanted && *open => Some((text, open)),
            _ => None,
        });
        found.ok_or_else(|| format!("block {wanted} is not open"))
    }

    fn call(&mut self, wanted: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| matches!(item, Item::Call { id, .. } if id == wanted))
    }

    fn input(&mut self, id: String, name: String, given: &str) -> Result<(), String> {
        match self.call(&id) {
            Some(Item::Call { input: Some(_), .. }) => return Err(format!("the input of {id} was told twice")),
            Some(Item::Call { input, .. }) => *input = Some(given.to_owned()),
            _ => self.items.push(Item::Call { id, name, input: Some(given.to_owned()), outcome: None }),
        }
        Ok(())
    }

    fn outcome(&mut self, id: &str, told: Result<String, String>) -> Result<(), String> {
        match self.call(id) {
            Some(Item::Call { outcome: outcome @ None, .. }) => *outcome = Some(told),
            Some(_) => return Err(format!("the outcome of {id} was told twice")),
            None => return Err(format!("an outcome of {id}, which was never called")),
        }
        Ok(())
    }

    /// Takes in a chunk of the step.
    pub(super) fn apply(&mut self, chunk: UiChunk) -> Result<(), String> {
        match chunk {
            UiChunk::TextStart { id, .. } => self.begin_block(BlockKind::Text, id)?,
            UiChunk::ReasoningStart { id, .. } => self.begin_block(BlockKind::Reasoning, id)?,
            UiChunk::TextDelta { id, delta, .. } | UiChunk::ReasoningDelta { id, delta, .. } => {
                self.open_block(&id)?.0.push_str(&delta);
            }
            UiChunk::TextEnd { id, .. } | UiChunk::ReasoningEnd { id, .. } => *self.open_block(&id)?.1 = false,
            UiChunk::ToolInputStart { tool_call_id, tool_name, .. } => {
                if self.call(&tool_call_id).is_some() {
                    return Err(format!("call {tool_call_id} began twice"));
                }
                self.items.push(Item::Call { id: tool_call_id, name: tool_name, input: None, outcome: None });
            }
            UiChunk::ToolInputAvailable { tool_call_id, tool_name, input, .. }
            | UiChunk::ToolInputError { tool_call_id, tool_name, input, .. } => {
                self.input(tool_call_id, tool_name, input.get())?;
            }
            UiChunk::ToolOutputAvailable { tool_call_id, output, .. } => {
                self.outcome(&tool_call_id, Ok(output.get().to_owned()))?;
            }
            UiChunk::ToolOutputError { tool_call_id, error_text, .. } => {
                self.outcome(&tool_call_id, Err(error_text))?
            }
            UiChunk::Part(part) => self.items.push(Item::Part(part.get().to_owned())),
            UiChunk::ToolOutputDenied { tool_call_id, .. } => self.outcome(&tool_call_id, Err(DENIED.to_owned()))?,
            _ => {}
        }
        Ok(())
    }

    /// Whether the stored step tells at least this: with `whole`, this and nothing else.
    pub(super) fn is_in(&self, step: &StepRecord, whole: bool) -> Result<(), String> {
        let mut parts = step.parts.iter().filter(|part| !matches!(part, Part::StepStart));
        for item in &self.items {
            let fits = match (item, parts.next()) {
                (Item::Block { kind: BlockKind::Text, text, open, .. }, Some(Part::Text(part)))
                | (Item::Block { kind: BlockKind::Reasoning, text, open, .. }, Some(Part::Reasoning(part))) => {
                    if whole { part.text == *text && !open } else { part.text.starts_with(text.as_str()) }
                }
                (Item::Call { id, name, input, outcome }, Some(Part::Tool(tool))) => {
                    let known = tool.input.as_ref().map(|input| input.get());
                    let came = match &tool.state {
                        ToolState::InputAvailable => None,
                        ToolState::OutputAvailable(output) => {
                            Some(Ok(output.as_ref().map_or("null", |output| output.get()).to_owned()))
                        }
                        ToolState::OutputError(_) if tool.is_denied() => Some(Err(DENIED.to_owned())),
                        ToolState::OutputError(error) => Some(Err(error.clone())),
                    };
                    tool.call_id == *id
                        && tool.name == *name
                        && (input.as_deref() == known || (!whole && input.is_none()))
                        && (*outcome == came || (!whole && outcome.is_none()))
                }
                (Item::Part(told), Some(Part::Other(part))) => told == part.get(),
                _ => false,
            };
            if !fits {
                return Err(format!("step {}: what was told of an item is not what is stored", step.number));
            }
        }
        match parts.next() {
            Some(_) if whole => Err(format!("step {}: more is stored than was told", step.number)),
            _ => Ok(()),
        }
    }
}

impl Told {
    pub(super) fn of<'a>(chunks: impl Iterator<Item = &'a Arc<str>>) -> Result<Self, String> {
        let mut told = Self::default();
        for chunk in chunks {
            told.apply(chunk)?;
        }
        Ok(told)
    }

    fn apply(&mut self, chunk: &str) -> Result<(), String> {
        self.closed = false;
        match UiChunk::parse_of_step(chunk) {
            Some(chunk) => self.current.apply(chunk)?,
            None if chunk.starts_with(r#"{"type":"finish-step""#) => {
                self.finished.push(std::mem::take(&mut self.current));
            }
            None if chunk.starts_with(r#"{"type":"finish""#) || chunk.starts_with(r#"{"type":"abort""#) => {
                self.ends += 1;
                self.closed = true;
            }
            None if chunk.starts_with(r#"{"type":"error""#) => self.closed = true,
            None => {}
        }
        Ok(())
    }

    /// Whether both tell the same of the step in progress.
    pub(super) fn goes_on_as(&self, other: &Self) -> bool {
        self.current == other.current
    }

    /// Whether these are the steps of a run that is over, and its one end. Who came later was not told of those that had been
    /// withdrawn by then.
    pub(super) fn is_whole(&self, stored: &[StepRecord]) -> Result<(), String> {
        let mut steps: Vec<Cow<'_, StepRecord>> = Vec::new();
        for step in stored {
            let is_told =
                !step.is_withdrawn() || self.finished.get(steps.len()).is_some_and(|told| told.withdraws(step));
            match step.heard() {
                _ if is_told => steps.push(Cow::Borrowed(step)),
                Some(heard) => steps.push(Cow::Owned(heard)),
                None => {}
            }
        }
        if self.ends > 1 || !self.closed {
            return Err(format!("{} ends were told, the last chunk is one: {}", self.ends, self.closed));
        }
        if !self.current.is_empty() {
            return Err("the last step was not closed".to_owned());
        }
        // A step that failed before anything came of it is closed for readers and is not in the log.
        let surplus = self.finished.get(steps.len()..).ok_or("fewer steps were told than are stored")?;
        if surplus.len() > 1 || surplus.iter().any(|step| !step.is_empty()) {
            return Err(format!("{} steps were told, {} are stored", self.finished.len(), steps.len()));
        }
        self.finished.iter().zip(steps).try_for_each(|(told, stored)| told.is_in(&stored, true))
    }
}
