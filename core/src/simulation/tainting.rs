//! Content from outside: tools bring it, runs are tainted by it, and what changes something after that needs somebody's leave
//! or a rule. What a model was told is looked at where it is told, by the words alone.

use std::sync::Arc;

use crate::id::RunId;
use crate::log::abandoned::AbandonedLog;
use crate::machine::{TaintFlaw, Tainting, ToolCall};
use crate::model::{AnswerKind, Part, StepRecord, TaintMode, ToolState, tainted_by};
use crate::project::{ModelMessage, ToolOutput};
use crate::tool::{AllowRule, AllowRules};

use super::ledger::{Facts, Ledger};
use super::process::History;
use super::world::World;
use super::{Broken, Mutation};

/// What everything from outside begins with; the name of its tool follows.
const OUTSIDE: &str = "outside:";
/// The tools that bring it.
const BRINGERS: [&str; 2] = ["fetch", "wiki"];
/// The one call that needs no leave after a `fetch`, and after nothing else.
const RULE: &str = r#"{"tool":"edit","arguments":{"required":["a"]},"origin":["tool:fetch"]}"#;

impl Mutation {
    /// The same rule in the machine itself, for those that are broken there.
    pub(super) fn taint_flaw(self) -> Option<TaintFlaw> {
        match self {
            Mutation::TaintLastsAStep => Some(TaintFlaw::LastsAStep),
            Mutation::TaintAnyOrigin => Some(TaintFlaw::AnyOrigin),
            Mutation::TaintAskedAndMade => Some(TaintFlaw::AskedAndMade),
            Mutation::TaintReadsUnwritten => Some(TaintFlaw::ReadsUnwritten),
            _ => None,
        }
    }
}

impl World<'_> {
    pub(super) fn tainting(&self, history: &History) -> Tainting {
        let Some(mode) = self.plan.taint else { return Tainting::default() };
        let rule: AllowRule = serde_json::from_str(RULE).expect("a rule");
        let allow = Arc::new(AllowRules::new(&[rule]).expect("a rule"));
        let begins_with = match self.mutation {
            Some(Mutation::TaintForgetsHistory) => Vec::new(),
            _ => history.outside.clone(),
        };
        Tainting { mode, allow, begins_with }
    }

    /// In schedules about it, some of what would be read or written is from outside.
    pub(super) fn or_from_outside(&mut self, name: &'static str) -> &'static str {
        if self.plan.taint.is_none() || !self.apart.chance(800) {
            return name;
        }
        match name {
            "ask" | "form" => name,
            _ if self.apart.chance(self.plan.fetches) => "fetch",
            "read" => "fetch",
            "put" => "wiki",
            name => name,
        }
    }

    /// What a tool says.
    pub(super) fn outcome_of(&mut self, name: &str) -> String {
        let word = self.word();
        if BRINGERS.contains(&name) { format!("{OUTSIDE}{name} {word}") } else { word }
    }

    /// Whoever goes on with a run may be told nothing of what it was told before.
    pub(super) fn is_history_gone(&mut self) -> bool {
        self.plan.taint.is_some() && self.apart.chance(600)
    }

    /// What the last owner has left, as the machine reads it where a rule is broken.
    pub(super) fn read_by_machine(&self, left: &AbandonedLog) -> Vec<StepRecord> {
        let mut steps = left.steps.clone();
        for step in &mut steps {
            if self.mutation == Some(Mutation::TaintBeginningForgotten) {
                step.parts.retain(|part| tainted_by(part).is_empty());
            }
            for part in &mut step.parts {
                if let (Some(Mutation::TaintForgottenAtTakeover), Part::Tool(tool)) = (self.mutation, part) {
                    tool.untrusted = None;
                }
            }
        }
        steps
    }

    /// A tool that changes something is called: the run was told nothing from outside, or has leave.
    pub(super) fn check_leave(&mut self, run_id: RunId, call: &ToolCall) -> Result<(), Broken> {
        let (Some(_), Some(facts)) = (self.plan.taint, self.ledger.runs.get(&run_id)) else { return Ok(()) };
        let told: Vec<&str> = facts.told_outside.iter().map(|(_, name)| *name).collect();
        if told.is_empty() {
            return Ok(());
        }
        if facts.answer_kind(&call.call_id) == Some(AnswerKind::Approved) {
            self.coverage.left_to_tainted += 1;
            return Ok(());
        }
        if call.name == "edit" && told.iter().all(|name| *name == "fetch") {
            self.coverage.let_by_rule += 1;
            return Ok(());
        }
        let detail = format!("{} of {run_id} ({}) after {told:?}", call.call_id, call.name);
        Err(Broken::new("nothing acts after a read from outside without leave", detail))
    }
}

impl Ledger {
    /// The model is told this before this step.
    pub(super) fn told_outside(&mut self, run_id: RunId, step: u32, messages: &[ModelMessage]) {
        let Some(facts) = self.runs.get_mut(&run_id) else { return };
        // Of an earlier call for this step nothing came.
        facts.told_outside.retain(|(told, _)| *told < step);
        let results = messages.iter().filter_map(|message| match message {
            ModelMessage::Tool(results) => Some(results),
            _ => None,
        });
        for result in results.flatten() {
            let text = match &result.output {
                ToolOutput::Json(json) => json.as_string().unwrap_or_default(),
                ToolOutput::Error(text) => text.clone(),
                ToolOutput::Content(_) => continue,
            };
            let Some(rest) = text.strip_prefix(OUTSIDE) else { continue };
            let Some(name) = BRINGERS.into_iter().find(|name| rest.starts_with(name)) else { continue };
            if facts.told_outside.iter().all(|(_, known)| *known != name) {
                facts.told_outside.push((step, name));
            }
        }
    }
}

impl Facts {
    /// What is held up was tainted by something that the model had been told.
    pub(super) fn held_up_for_something(&self, step: &StepRecord) -> Result<(), Broken> {
        for tool in step.tools() {
            let tainted = tool.approval.as_ref().is_some_and(|approval| !approval.tainted_by.is_empty());
            if tainted && !self.told_outside.iter().any(|(told, _)| *told <= step.number) {
                let detail = format!("{} of step {}", tool.call_id, step.number);
                return Err(Broken::new("nothing is held up before anything was read from outside", detail));
            }
            if tainted && tool.is_denied() && !matches!(tool.state, ToolState::OutputError(_)) {
                return Err(Broken::new("what is denied has no output", tool.call_id.clone()));
            }
        }
        Ok(())
    }
}

/// What becomes of calls in a schedule about content from outside.
pub(super) const MODES: [TaintMode; 3] = [TaintMode::Ask, TaintMode::Ask, TaintMode::Refuse];
