//! Text that cannot act: once a run has read content from outside, its calls that change something need somebody's leave, or
//! a rule.
//!
//! - What a run has read is computed from what its model is told: outcomes of its own steps, as they are in the log, and
//!   of the history. So it is the same for whoever goes on with the run, whenever that is.
//! - What was read in a step taints the steps after it: the step's own calls were decided before. What the provider has read
//!   itself taints the calls of the same step, which may have been decided after it.
//! - A run that is tainted stays so.

use std::sync::Arc;

use crate::log::{ApprovalDetails, UiChunk};
use crate::model::{
    Approval, Json, Part, StepRecord, TaintMode, TaintSource, WaitKind, reads_of, taint_part, tainted_by,
};
use crate::tool::{AllowRules, ToolCatalog};

use super::super::effect::Effect;
use super::super::step::{Call, CallPhase};
use super::RunMachine;

/// What the model is told of a call that is refused.
const REFUSED: &str = "This call was refused: this turn has read content from outside, and after that nothing may be \
changed unless it was allowed beforehand. Do not try again in other words; say what you would have done.";
/// The same where somebody would be asked, in a run that cannot wait, or of a tool for which nobody can be asked.
const CANNOT_ASK: &str = "This call was refused: this turn has read content from outside, so somebody would have to allow \
it, for which this run or this tool cannot wait. Do not try again in other words; say what you would have done.";

/// What a run may do once it has read content from outside, and what it has read before its first step.
#[derive(Clone, Debug, Default)]
pub struct Tainting {
    /// What becomes of calls that change something.
    pub mode: TaintMode,
    /// Calls that may be made all the same.
    pub allow: Arc<AllowRules>,
    /// What the history has from outside, and the page that is open.
    pub begins_with: Vec<TaintSource>,
}

/// Rules of this file that simulations break on purpose, to show that their invariants see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TaintFlaw {
    /// What was read is forgotten after the step that follows.
    LastsAStep,
    /// The origin of what was read is not looked at where a rule names one.
    AnyOrigin,
    /// Somebody is asked, and the call is made meanwhile.
    AskedAndMade,
    /// Calls of tools that only read are put on disk with their outcomes, wherever these are from.
    ReadsUnwritten,
}

/// What is known of it while the run goes on.
#[derive(Debug, Default)]
pub(super) struct Taint {
    tainting: Tainting,
    /// What was read: the first of each origin.
    read: Vec<TaintSource>,
    /// The origins of the beginning that are in the log.
    noted: Vec<String>,
    /// The step in progress tells of them.
    pub(super) is_told: bool,
    #[cfg(any(test, feature = "simulation"))]
    pub(super) flaw: Option<TaintFlaw>,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Free,
    Ask,
    Refuse(&'static str),
}

impl Taint {
    pub(super) fn new(tainting: Tainting) -> Self {
        let mut taint = Self { tainting, ..Self::default() };
        let begins_with = taint.tainting.begins_with.clone();
        taint.add(begins_with);
        taint
    }

    fn is_on(&self) -> bool {
        self.tainting.mode != TaintMode::Off
    }

    fn add(&mut self, sources: impl IntoIterator<Item = TaintSource>) {
        if self.is_on() {
            add_origins(&mut self.read, sources);
        }
    }

    /// What others have told of the beginning counts, whatever has become of the history since.
    pub(super) fn note_told(&mut self, step: &StepRecord) {
        for part in &step.parts {
            let told = tainted_by(part);
            self.noted.extend(told.iter().map(|source| source.origin.clone()));
            self.add(told);
        }
    }

    /// Takes in what the model reads that is told of this finished step. Its calls were marked when they were made, whatever is
    /// known of their tools here and now.
    pub(super) fn note_reads(&mut self, step: &StepRecord) {
        if !self.is_on() {
            return;
        }
        if self.breaks(TaintFlaw::LastsAStep) {
            self.read.clear();
        }
        let read: Vec<TaintSource> = reads_of(&step.parts, true, |_| None).collect();
        self.add(read);
    }

    /// What is to be told of the beginning: that it is in the log, too, for whoever goes on with the run.
    fn to_be_told(&self) -> Option<&[TaintSource]> {
        let begins_with = &self.tainting.begins_with;
        let is_noted = |source: &TaintSource| self.noted.contains(&source.origin);
        let tells = self.is_on() && !self.is_told && !begins_with.iter().all(is_noted);
        tells.then_some(begins_with)
    }

    /// What becomes of a call that is ready to be made, in a run that has read this.
    fn verdict(
        &self,
        tools: &dyn ToolCatalog,
        (name, input): (&str, &Json),
        read: &[TaintSource],
        can_wait: bool,
    ) -> Verdict {
        let kind = tools.ask(name, input).map(|ask| ask.kind);
        let changes = !tools.is_read_only(name) && kind != Some(WaitKind::Question);
        if !self.is_on() || read.is_empty() || !changes {
            return Verdict::Free;
        }
        let counted = if self.breaks(TaintFlaw::AnyOrigin) { &[] } else { read };
        match self.tainting.mode {
            _ if self.tainting.allow.allow(name, input, counted) => Verdict::Free,
            TaintMode::Off => Verdict::Free,
            TaintMode::Refuse => Verdict::Refuse(REFUSED),
            // A client that is asked for an output may act before anybody is asked whether it should.
            TaintMode::Ask if !can_wait || kind == Some(WaitKind::ClientTool) => Verdict::Refuse(CANNOT_ASK),
            TaintMode::Ask => Verdict::Ask,
        }
    }

    /// Whether the call is put on disk before it is made because of what it may bring: no chunk could tell where that is from.
    pub(super) fn goes_to_disk(&self, call: &Call) -> bool {
        call.untrusted.is_some() && !self.breaks(TaintFlaw::ReadsUnwritten)
    }

    /// Whether a call that others were making may not be made again by this run.
    pub(super) fn forbids_again(&self, tools: &dyn ToolCatalog, call: &Call, input: &Json) -> bool {
        let is_allowed = call.approval.as_ref().is_some_and(|approval| approval.approved == Some(true));
        !is_allowed && self.verdict(tools, (&call.name, input), &self.read, false) != Verdict::Free
    }

    #[cfg(any(test, feature = "simulation"))]
    fn breaks(&self, rule: TaintFlaw) -> bool {
        self.flaw == Some(rule)
    }

    #[cfg(not(any(test, feature = "simulation")))]
    #[allow(clippy::unused_self, reason = "what is shipped breaks no rule")]
    const fn breaks(&self, _: TaintFlaw) -> bool {
        false
    }
}

fn add_origins(known: &mut Vec<TaintSource>, sources: impl IntoIterator<Item = TaintSource>) {
    for source in sources {
        if known.iter().all(|known| known.origin != source.origin) {
            known.push(source);
        }
    }
}

impl RunMachine {
    /// The same, of which this becomes once it has read content from outside. Said before the steps that others have made.
    pub fn tainting(mut self, tainting: Tainting) -> Self {
        self.taint = Taint::new(tainting);
        self
    }

    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn with_taint_flaw(mut self, flaw: Option<TaintFlaw>) -> Self {
        self.taint.flaw = flaw;
        self
    }

    /// Tells, with the step that begins, what the run is tainted by from its beginning on.
    pub(super) fn tell_taint(&mut self, effects: &mut Vec<Effect>) {
        let Some(begins_with) = self.taint.to_be_told() else { return };
        if let Some(note) = taint_part(&format!("taint-{}", self.number), begins_with, Vec::new()) {
            self.step.add_note(note.clone());
            effects.push(Effect::EmitChunk(UiChunk::Part(note)));
        }
        self.taint.is_told = true;
    }

    /// The step in progress is on disk, or is taken back.
    pub(super) fn note_taint_here(&mut self, is_withdrawn: bool) {
        let is_told = std::mem::take(&mut self.taint.is_told);
        if is_withdrawn || !self.taint.is_on() {
            return;
        }
        let step = self.step.record(self.number);
        if is_told {
            self.taint.note_told(&step);
        }
        self.taint.note_reads(&step);
    }

    /// What counts for the calls of the step in progress: what was read before it, and what the provider has read in it.
    fn read_so_far(&self) -> Vec<TaintSource> {
        let mut read = self.taint.read.clone();
        if self.taint.is_on() {
            // None of its own calls has an outcome yet.
            let step = self.step.record(self.number);
            let provider = step.parts.iter().filter(|part| match part {
                Part::Tool(tool) => tool.provider_executed,
                _ => true,
            });
            let parts: Vec<Part> = provider.cloned().collect();
            add_origins(&mut read, reads_of(&parts, true, |_| None));
        }
        read
    }

    /// Holds up the calls of the step that the run may not make by itself any more: somebody is asked for them, or they are
    /// refused.
    pub(super) fn hold_tainted_calls(&mut self, effects: &mut Vec<Effect>) {
        if !self.taint.is_on() {
            return;
        }
        let (read, can_wait) = (self.read_so_far(), self.hands_over);
        let mut held = Vec::new();
        for call in self.step.calls_mut() {
            let CallPhase::Ready(input) = &call.phase else { continue };
            match self.taint.verdict(&*self.tools, (&call.name, input), &read, can_wait) {
                Verdict::Free => continue,
                Verdict::Ask if self.taint.breaks(TaintFlaw::AskedAndMade) => continue,
                Verdict::Ask => {
                    let asks = self.tools.ask(&call.name, input).filter(|ask| ask.kind == WaitKind::Approval);
                    call.wait_for(asks.unwrap_or_else(|| self.tools.approval(&call.name)));
                }
                Verdict::Refuse(why) => {
                    let approval = call.refuse(why);
                    let (more, tool_call_id) = (ApprovalDetails::of(&approval), call.call_id.clone());
                    // Clients keep the answer with what was asked.
                    effects.push(Effect::EmitChunk(UiChunk::ToolApprovalRequest {
                        approval_id: approval.id,
                        tool_call_id: tool_call_id.clone(),
                        more,
                    }));
                    let reason = call.denial();
                    effects.push(Effect::EmitChunk(UiChunk::ToolOutputDenied { tool_call_id, reason }));
                }
            }
            held.push(call.call_id.clone());
        }
        if held.is_empty() {
            return;
        }
        if let Some(note) = taint_part(&format!("taint-{}-held", self.number), &read, held) {
            self.step.add_note(note.clone());
            effects.push(Effect::EmitChunk(UiChunk::Part(note)));
        }
    }

    /// Whoever is asked for a call of a tainted run is shown by what it is tainted.
    pub(super) fn show_taint(&mut self) {
        let read = if self.taint.is_on() { self.read_so_far() } else { return };
        let asked = self.step.calls_mut().filter_map(|call| call.approval.as_mut());
        asked.for_each(|approval: &mut Approval| approval.tainted_by.clone_from(&read));
        for call in self.step.calls_mut().filter(|call| matches!(call.phase, CallPhase::Waiting(..))) {
            call.tainted_by.clone_from(&read);
        }
    }
}
