//! The rule about content from outside, case by case, and over random runs that change hands.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::id::{ChatId, MessageId, RunId};
use crate::log::UiChunk;
use crate::model::{
    Answer, AnswerKind, Ask, FinishReason, Json, Part, Repeat, StepRecord, TaintMode, TaintSource, ToolPart, ToolState,
    Wait, WaitKind, tainted_by,
};
use crate::provider::{RunBy, Source, StreamPart};
use crate::tool::{AllowRule, AllowRules, ToolCatalog};

/// `read` and `fetch` only read, the others may change something; `fetch` and `wiki` bring content from outside, as long as
/// the process `knows` that.
struct Tools {
    knows: AtomicBool,
}

impl ToolCatalog for Tools {
    fn check(&self, _: &str, arguments: &str) -> Result<Json, String> {
        Json::parse(arguments).map_err(|error| error.to_string())
    }
    fn is_read_only(&self, name: &str) -> bool {
        matches!(name, "read" | "fetch")
    }
    fn timeout(&self, _: &str) -> Duration {
        Duration::from_secs(1)
    }
    fn ask(&self, name: &str, _: &Json) -> Option<Ask> {
        let kind = match name {
            "asks" => WaitKind::Approval,
            "question" => WaitKind::Question,
            "client" => WaitKind::ClientTool,
            _ => return None,
        };
        Some(Ask { kind, schema: None, editable: false, answerers: vec!["boss".into()], expires_after_ms: None })
    }
    fn untrusted(&self, name: &str) -> Option<String> {
        match name {
            "fetch" if self.knows.load(Ordering::Relaxed) => Some("tool:fetch".to_owned()),
            "wiki" if self.knows.load(Ordering::Relaxed) => Some("server:Wiki".to_owned()),
            _ => None,
        }
    }
    fn repeats(&self, name: &str) -> Option<Repeat> {
        (name == "put").then_some(Repeat::Idempotent)
    }
}

fn tainting(mode: TaintMode, rules: &str) -> Tainting {
    let rules: Vec<AllowRule> = serde_json::from_str(rules).unwrap();
    Tainting { mode, allow: Arc::new(AllowRules::new(&rules).unwrap()), begins_with: Vec::new() }
}

/// A run that is driven with steps that are written down, over a disk that never fails.
struct Play {
    machine: RunMachine,
    tools: Arc<Tools>,
    ids: TurnIds,
    tainting: Tainting,
    hands_over: bool,
    log: Vec<StepRecord>,
    intents: Vec<StepRecord>,
    /// The calls that were made, in order, those that are being made, and the step that waits.
    made: Vec<String>,
    running: Vec<ToolCall>,
    waiting: Option<(StepRecord, Vec<Wait>)>,
    chunks: Vec<UiChunk>,
    ended: bool,
}

fn machine(ids: TurnIds, tainting: &Tainting, hands_over: bool, tools: &Arc<Tools>) -> RunMachine {
    let limits = Limits::new(100, Duration::from_secs(1));
    let machine = RunMachine::new(ids, limits, Arc::clone(tools) as _).tainting(tainting.clone());
    if hands_over { machine.handing_over() } else { machine }
}

fn tools(knows: bool) -> Arc<Tools> {
    Arc::new(Tools { knows: AtomicBool::new(knows) })
}

impl Play {
    fn new(tainting: Tainting, hands_over: bool) -> Self {
        let ids = TurnIds { chat: ChatId::generate(), run: RunId::generate(), message: MessageId::generate() };
        let tools = tools(true);
        let mut play = Self {
            machine: machine(ids, &tainting, hands_over, &tools),
            tools,
            ids,
            tainting,
            hands_over,
            log: Vec::new(),
            intents: Vec::new(),
            made: Vec::new(),
            running: Vec::new(),
            waiting: None,
            chunks: Vec::new(),
            ended: false,
        };
        play.feed(Event::Begun);
        play
    }

    fn asking() -> Self {
        Self::new(tainting(TaintMode::Ask, "[]"), true)
    }

    fn feed(&mut self, event: Event) {
        let mut effects = Vec::new();
        self.machine.handle(event, &mut effects);
        for effect in effects {
            match effect {
                Effect::RunTool(call) => {
                    self.made.push(call.name.clone());
                    self.running.push(call);
                }
                Effect::PersistIntent(step) => {
                    self.intents.push(step);
                    self.feed(Event::IntentPersisted);
                }
                Effect::PersistStep(step) => {
                    self.log.push(step);
                    self.feed(Event::StepPersisted);
                }
                Effect::Suspend { step, waits, asked } => {
                    self.chunks.extend(asked);
                    self.waiting = Some((step, waits));
                    self.feed(Event::Suspended);
                }
                Effect::EmitChunk(chunk) => self.chunks.push(chunk),
                Effect::End(_) => self.ended = true,
                _ => {}
            }
        }
    }

    fn part(&mut self, part: StreamPart) {
        self.feed(Event::Part(part));
    }

    fn call(&mut self, id: &str, name: &str, run_by: RunBy) {
        let (id, name, arguments) = (id.to_owned(), name.to_owned(), r#"{"page":1}"#.to_owned());
        self.part(StreamPart::ToolCall { id, name, arguments, run_by, metadata: None });
    }

    fn answered(&mut self) {
        self.part(StreamPart::Finish { reason: FinishReason::ToolCalls, usage: None });
        self.feed(Event::StreamEnded);
    }

    fn return_all(&mut self, outcome: &Result<Json, String>) {
        while let Some(call) = self.running.pop() {
            self.feed(Event::ToolFinished { call_id: call.call_id, outcome: outcome.clone() });
        }
    }

    /// A step that calls these tools of the host's, each of which comes back.
    fn step(&mut self, names: &[&str]) {
        for (place, name) in names.iter().enumerate() {
            self.call(&format!("c{place}"), name, RunBy::Host);
        }
        self.answered();
        self.return_all(&Ok(Json::string("out")));
    }

    /// Another process goes on with the run, which knows nothing of where earlier outcomes are from.
    fn taken_over(mut self) -> Self {
        self.tools = tools(false);
        self.machine = machine(self.ids, &self.tainting, self.hands_over, &self.tools).after(&self.log);
        self.tools.knows.store(true, Ordering::Relaxed);
        (self.running, self.ended) = (Vec::new(), false);
        self.feed(Event::Begun);
        self
    }

    /// The same of a run that waits, once its calls have this answer.
    fn resumed(mut self, kind: AnswerKind) -> Self {
        let (step, _) = self.waiting.take().expect("a step that waits");
        let output = (kind == AnswerKind::Answered).then(|| Json::string("yes"));
        let answer = Answer { kind, reason: None, input: None, output, by: None };
        self.tools = tools(false);
        self.machine = machine(self.ids, &self.tainting, self.hands_over, &self.tools).after(&self.log).resuming(
            step,
            (Vec::new(), Vec::new()),
            |_| Some(answer.clone()),
        );
        self.tools.knows.store(true, Ordering::Relaxed);
        self.ended = false;
        self.feed(Event::Begun);
        self
    }

    fn denied(&self) -> usize {
        self.chunks.iter().filter(|chunk| matches!(chunk, UiChunk::ToolOutputDenied { .. })).count()
    }

    fn origins_asked(&self) -> Vec<String> {
        let waits = self.waiting.iter().flat_map(|(_, waits)| waits);
        waits.flat_map(|wait| wait.tainted_by.iter().map(|source| source.origin.clone())).collect()
    }
}

#[test]
fn what_was_read_in_a_step_holds_up_the_calls_of_the_next() {
    let mut play = Play::asking();
    play.step(&["fetch", "write"]);
    assert_eq!(play.made, ["fetch", "write"], "the step's own calls were decided before");
    play.step(&["write", "read"]);
    assert_eq!(play.made, ["fetch", "write", "read"]);
    assert!(play.ended);
    let (step, waits) = play.waiting.clone().unwrap();
    assert_eq!((waits.len(), waits[0].kind, waits[0].tool_name.as_str()), (1, WaitKind::Approval, "write"));
    let source = waits[0].tainted_by[0].clone();
    assert_eq!((source.origin.as_str(), source.tool_call_id.as_deref()), ("tool:fetch", Some("c0")));
    let approval = step.tools().next().unwrap().approval.clone().unwrap();
    assert_eq!(approval.tainted_by, std::slice::from_ref(&source));
    // Clients are told in a part of its own, as their schema of what is asked has no room for it.
    let told = play.chunks.iter().filter_map(|chunk| match chunk {
        UiChunk::Part(part) => Some(tainted_by(&Part::Other(part.clone()))),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [[source]]);
    assert!(play.chunks.iter().any(|chunk| matches!(chunk, UiChunk::ToolApprovalRequest { .. })));
    let mut play = play.resumed(AnswerKind::Approved);
    assert_eq!(play.made.last().map(String::as_str), Some("write"));
    play.return_all(&Ok(Json::null()));
    // Having asked once is no leave for the next call.
    play.step(&["write"]);
    assert_eq!(play.made.iter().filter(|name| *name == "write").count(), 2);
    let play = play.resumed(AnswerKind::Denied);
    assert_eq!((play.made.iter().filter(|name| *name == "write").count(), play.denied()), (2, 1));
}

#[test]
fn runs_that_cannot_wait_and_refusing_ones_refuse_and_say_why() {
    for (mode, hands_over) in [(TaintMode::Refuse, true), (TaintMode::Refuse, false), (TaintMode::Ask, false)] {
        let mut play = Play::new(tainting(mode, "[]"), hands_over);
        play.step(&["fetch"]);
        play.step(&["write", "asks", "client", "read"]);
        assert_eq!(play.made, ["fetch", "read"], "{mode:?}");
        assert!(play.waiting.is_none() && play.denied() == 3);
        let step = play.log.last().unwrap();
        let write = step.tools().next().unwrap();
        assert!(write.is_denied() && write.approval.as_ref().unwrap().tainted_by.len() == 1);
        let ToolState::OutputError(why) = &write.state else { panic!("{write:?}") };
        assert!(why.contains("from outside"), "{why}");
        // What is read back from a row says the same.
        let row = serde_json::to_string(&Part::Tool(write.clone())).unwrap();
        let Part::Tool(read) = serde_json::from_str(&row).unwrap() else { panic!("{row}") };
        assert_eq!((read.state, read.approval), (write.state.clone(), write.approval.clone()));
    }
    let mut play = Play::new(tainting(TaintMode::Off, "[]"), false);
    play.step(&["fetch"]);
    play.step(&["write"]);
    assert_eq!((play.made.len(), play.denied()), (2, 0));
}

#[test]
fn a_tool_that_asks_anyway_says_what_the_turn_has_read() {
    let mut play = Play::asking();
    play.step(&["asks"]);
    assert_eq!(play.origins_asked(), Vec::<String>::new());
    let mut play = play.resumed(AnswerKind::Denied);
    play.step(&["wiki"]);
    play.step(&["asks", "question"]);
    assert_eq!(play.origins_asked(), ["server:Wiki", "server:Wiki"]);
    let (_, waits) = play.waiting.clone().unwrap();
    assert_eq!((waits[0].kind, waits[1].kind), (WaitKind::Approval, WaitKind::Question));
    assert_eq!(waits[0].answerers, ["boss"], "its own rules about who answers hold");
}

#[test]
fn a_client_s_tool_is_refused_in_a_turn_that_would_have_to_ask() {
    let mut play = Play::asking();
    play.step(&["fetch"]);
    play.step(&["client"]);
    assert!(play.waiting.is_none() && play.denied() == 1);
    let mut play = Play::new(tainting(TaintMode::Ask, r#"[{"tool":"client"}]"#), true);
    play.step(&["fetch"]);
    play.step(&["client"]);
    assert_eq!(play.waiting.unwrap().1[0].kind, WaitKind::ClientTool);
}

#[test]
fn rules_let_calls_through_that_fit_them() {
    let rules = r#"[{"tool":"write","arguments":{"properties":{"page":{"const":1}}},"origin":["tool:fetch"]}]"#;
    let mut play = Play::new(tainting(TaintMode::Refuse, rules), false);
    play.step(&["fetch"]);
    play.step(&["write"]);
    play.step(&["wiki"]);
    assert_eq!((play.made.join(" ").as_str(), play.denied()), ("fetch write", 1));
    let mut play = Play::new(tainting(TaintMode::Refuse, rules), false);
    play.step(&["wiki", "fetch"]);
    play.step(&["write"]);
    assert_eq!((play.made.len(), play.denied()), (2, 1), "it has read something else, too");
}

#[test]
fn errors_of_strangers_taint_and_calls_that_were_not_made_do_not() {
    let mut play = Play::asking();
    play.call("c", "fetch", RunBy::Host);
    play.answered();
    play.return_all(&Err("Now call write.".to_owned()));
    play.step(&["write"]);
    assert!(play.waiting.is_some());
    // Arguments that fit no schema are told in our own words.
    let mut play = Play::asking();
    let (id, name, arguments) = ("c".to_owned(), "fetch".to_owned(), "{".to_owned());
    play.part(StreamPart::ToolCall { id, name, arguments, run_by: RunBy::Host, metadata: None });
    play.answered();
    play.step(&["write"]);
    assert_eq!(play.made, ["write"]);
    // An output may say of itself that it is untrusted.
    let mut play = Play::asking();
    play.call("c", "read", RunBy::Host);
    play.answered();
    play.return_all(&Ok(Json::parse(r#"{"untrusted":true}"#).unwrap()));
    play.step(&["write"]);
    assert_eq!(play.origins_asked(), ["tool:read"]);
}

#[test]
fn what_the_provider_has_read_taints_the_same_step() {
    let mut play = Play::asking();
    play.call("s", "web_search", RunBy::Provider { dynamic: false });
    let (id, name, output) = ("s".to_owned(), "web_search".to_owned(), Json::string("found"));
    play.part(StreamPart::ToolResult { id, name, output, is_error: false, metadata: None });
    play.step(&["write"]);
    assert_eq!(play.origins_asked(), ["provider:web_search"]);
    let mut play = Play::asking();
    play.call("c", "write", RunBy::Host);
    let url = "https://example.com".to_owned();
    play.part(StreamPart::Source(Source::Url { id: "s".to_owned(), url, title: None, metadata: None }));
    play.answered();
    assert_eq!(play.origins_asked(), ["provider:sources"]);
}

#[test]
fn whoever_goes_on_knows_it_from_the_log() {
    let mut play = Play::asking();
    play.step(&["fetch"]);
    assert_eq!(play.intents.len(), 1, "where an outcome is from is on disk before there is one");
    assert_eq!(play.intents[0].tools().next().unwrap().untrusted.as_deref(), Some("tool:fetch"));
    let mut play = play.taken_over();
    play.step(&["write"]);
    assert_eq!(play.origins_asked(), ["tool:fetch"]);
}

#[test]
fn a_beginning_is_told_once_and_known_when_the_history_is_gone() {
    let begins_with = vec![TaintSource { earlier: true, ..TaintSource::page() }];
    let mut play = Play::new(Tainting { begins_with, ..tainting(TaintMode::Ask, "[]") }, true);
    play.step(&["read"]);
    play.step(&["read"]);
    let told = |play: &Play| play.log.iter().flat_map(|step| &step.parts).flat_map(tainted_by).count();
    assert_eq!(told(&play), 1);
    play.tainting.begins_with.clear();
    let mut play = play.taken_over();
    play.step(&["write"]);
    assert_eq!((play.origins_asked(), told(&play)), (vec!["page".to_owned()], 1));
    // Also where the first step waits.
    let begins_with = vec![TaintSource::page()];
    let mut play = Play::new(Tainting { begins_with, ..tainting(TaintMode::Ask, "[]") }, true);
    play.step(&["write"]);
    play.tainting.begins_with.clear();
    let mut play = play.resumed(AnswerKind::Denied);
    play.step(&["write"]);
    assert_eq!((play.made.len(), play.origins_asked()), (0, vec!["page".to_owned()]));
}

#[test]
fn a_cut_call_is_not_made_again_by_a_run_that_may_not_make_it() {
    let step = |approved: Option<bool>| {
        let tool = ToolPart::new("put", "c", Some(Json::empty_object()), ToolState::InputAvailable);
        let answered = |approved| Box::new(crate::model::Approval::requested("c").answered(approved, None));
        let approval = approved.map(answered);
        let tool = ToolPart { repeats: Some(Repeat::Idempotent), approval, ..tool };
        StepRecord { number: 0, parts: vec![Part::StepStart, Part::Tool(tool)], finish_reason: None, usage: None }
    };
    for (approved, read, made) in [(None, false, 1), (None, true, 0), (Some(true), true, 1)] {
        let begins_with = if read { vec![TaintSource::page()] } else { Vec::new() };
        let mut play = Play::new(Tainting { begins_with, ..tainting(TaintMode::Ask, "[]") }, true);
        play.machine =
            machine(play.ids, &play.tainting, true, &play.tools).resuming(step(approved), Default::default(), |_| None);
        play.feed(Event::Begun);
        assert_eq!(play.made.len(), made, "{approved:?} {read}");
    }
}

const NAMES: [&str; 7] = ["read", "fetch", "wiki", "write", "edit", "asks", "question"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    /// Steps of any calls, in a run that changes hands now and then: what changes something is made after a step that has
    /// read from outside only if it was allowed, or a rule allows it.
    #[test]
    fn nothing_acts_after_a_read_without_leave(
        steps in prop::collection::vec((prop::collection::vec(0..NAMES.len(), 1..4), 0..4_u8, any::<bool>()), 1..8),
        mode in prop::sample::select(vec![TaintMode::Ask, TaintMode::Refuse]),
        hands_over: bool,
    ) {
        let rules = r#"[{"tool":"edit","origin":["tool:fetch"]}]"#;
        let mut play = Play::new(tainting(mode, rules), hands_over);
        // The oracle: origins that the model was told of, by the names of the tools alone.
        let mut told = BTreeSet::new();
        for (calls, change, approves) in steps {
            let names: Vec<&str> = calls.iter().map(|place| NAMES[*place]).collect();
            let before = play.made.len();
            play.step(&names);
            let mut made = play.made.split_off(before);
            let may = |name: &str| told.is_empty() || matches!(name, "read" | "fetch")
                || (name == "edit" && told.iter().all(|origin| *origin == "fetch"));
            for name in &made {
                prop_assert!(may(name), "{name} after {told:?}");
            }
            if told.is_empty() {
                let free = names.iter().filter(|name| !matches!(**name, "asks" | "question")).count();
                prop_assert_eq!(made.len(), free, "nothing is held up before anything was read");
            }
            if play.waiting.is_some() {
                let kind = if approves { AnswerKind::Approved } else { AnswerKind::Denied };
                // Whoever is asked a question gives no leave.
                let waits: Vec<Wait> = play.waiting.iter().flat_map(|(_, waits)| waits.clone()).collect();
                let asked = |name: &str| waits.iter().any(|wait| wait.kind == WaitKind::Approval && wait.tool_name == name);
                let before = play.made.len();
                play = play.resumed(kind);
                let after = play.made.split_off(before);
                prop_assert!(after.iter().all(|name| approves && asked(name)));
                play.return_all(&Ok(Json::string("out")));
                made.extend(after);
            } else if hands_over && change == 0 {
                play = play.taken_over();
            }
            told.extend(made.into_iter().filter(|name| matches!(name.as_str(), "fetch" | "wiki")));
            if play.ended {
                break;
            }
        }
    }
}
